// Problems of single values and names, each with its exact place.
#include "unit/config/support.hpp"

namespace berth::config {
namespace {

struct Case {
    const char* text;  // from line 2 on; line 1 switches the gateway off
    const char* problem;
};

class ValuesTest : public ConfigTest, public testing::WithParamInterface<Case> {};

TEST_P(ValuesTest, IsReportedWithItsPlaceAndAProposal) {
    EXPECT_EQ(show(load_plain(GetParam().text)), std::string(GetParam().problem) + "\n")
        << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, ValuesTest,
    testing::Values(
        Case{"[api\n",
             "2:5 : Error while parsing table header: expected ']', saw '\\n'; correct the syntax "
             "(TOML 1.0)"},
        Case{"[log]\n[log]\n",
             "3:1 : Error while parsing table header: cannot redefine existing "
             "table 'log'; correct the syntax (TOML 1.0)"},
        Case{"[api]\nbulk_max = 1\nbulk_max = 2\n",
             "4:12 : Error while parsing key-value pair: cannot redefine existing integer "
             "'bulk_max'; correct the syntax (TOML 1.0)"}));

INSTANTIATE_TEST_SUITE_P(
    Names, ValuesTest,
    testing::Values(
        Case{"[api]\n  listne = []\n", "3:3 api.listne: is unknown; did you mean \"listen\"?"},
        Case{"[[isuer]]\n", "2:3 isuer: is unknown; did you mean \"issuer\"?"},
        Case{"batch.slrum.bin = \"/\"\n", "2:7 batch.slrum: is unknown; did you mean \"slurm\"?"},
        Case{"[observe]\nverbosity_of_everything = 1\n",
             "3:1 observe.verbosity_of_everything: is unknown; known here are listen"},
        Case{"[batch]\nwhatever = 1\n",
             "3:1 batch.whatever: is unknown; known here are slurm, "
             "local"},
        Case{"[site]\n[[site.reachabel]]\n",
             "3:8 site.reachabel: is unknown; did you mean \"reachable\"?"},
        Case{"[cache]\ndestinations = [\"s1.example.org\", \"http://s1:80\", "
             "\".example.org:8000\"]\n",
             "3:17 cache.destinations[1]: \"s1.example.org\" must be a host and a port: write for "
             "example \"s1.example.org:80\" or \".example.org:8000\"\n"
             "3:35 cache.destinations[2]: \"http://s1:80\" must be a host and a port: write for "
             "example \"s1.example.org:80\" or \".example.org:8000\""},
        Case{"[batch.pbs]\n", "2:8 batch.pbs: is not part of this version; remove it"},
        Case{"\"something\\u0007else\" = 1\n[log]\n",
             "2:1 something\\x07else: is unknown; known here are roles, api, observe, admin, log, "
             "store, "
             "node, proxy, issuer, tokens, mapping, ban, jobs, batch, queue, site, cache"}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, ValuesTest,
    testing::Values(
        Case{"[[api]]\n", "2:1 api: must be a table: write [api] on a line of its own"},
        Case{"api = 1\n", "2:7 api: must be a table: write [api] on a line of its own"},
        Case{"[issuer]\nname = \"a\"\n",
             "2:1 issuer: can be there more than once: write [[issuer]] with two brackets"},
        Case{"queue = [1]\n",
             "2:10 queue[1]: must be a table: write [[queue]] on a line of its own"},
        Case{"[batch]\nslurm = 3\n",
             "3:9 batch.slurm: must be a table: write [batch.slurm] on a line of its own"}));

INSTANTIATE_TEST_SUITE_P(
    Types, ValuesTest,
    testing::Values(
        Case{"roles.relay = \"no\"\n",
             "2:15 roles.relay: must be true or false, but is a text; "
             "write true or false without quotes"},
        Case{"jobs.submit_width = \"8\"\n",
             "2:21 jobs.submit_width: must be a whole number, but is a text; write it without "
             "quotes, unit or fraction"},
        Case{"jobs.submit_width = 8.5\n",
             "2:21 jobs.submit_width: must be a whole number, but is a number with a fraction; "
             "write it without quotes, unit or fraction"},
        Case{"log.level = 3\n",
             "2:13 log.level: must be a text, but is a whole number; write it in quotes"},
        Case{"store.path = 1979-05-27\n",
             "2:14 store.path: must be a text, but is a date or time; write it in quotes"},
        Case{"jobs.keep_jobs = 1.5\n",
             "2:18 jobs.keep_jobs: must be a duration, but is a number with a fraction; write for "
             "example \"30s\", or a whole number of seconds"},
        Case{"store.free_bytes_min = true\n",
             "2:24 store.free_bytes_min: must be a size, but is true or false; write for example "
             "\"100MB\", or a whole number of bytes"},
        Case{"[observe]\nlisten = \"127.0.0.1:1\"\n",
             "3:10 observe.listen: must be a list of texts, but is a text; write it in brackets: "
             "[\"127.0.0.1:1\"]"},
        Case{"observe.listen = {}\n",
             "2:18 observe.listen: must be a list of texts, but is a table; write for example "
             "[\"one\", \"two\"]"},
        Case{"observe.listen = [\"127.0.0.1:1\",\n 5]\n",
             "3:2 observe.listen[2]: must be a text, but is a whole number; write it in quotes"},
        Case{"site.environment = [\"A=b\"]\n",
             "2:20 site.environment: must be a table of texts, but is a list; write for example { "
             "NAME = \"value\" }"},
        Case{"[site.environment]\nA = 1\n",
             "3:5 site.environment.A: must be a text, but is a whole number; write it in "
             "quotes"}));

INSTANTIATE_TEST_SUITE_P(
    Ranges, ValuesTest,
    testing::Values(
        Case{"jobs.submit_width = 65\n", "2:21 jobs.submit_width: must be from 1 to 64; is 65"},
        Case{"jobs.submit_width = -1\n", "2:21 jobs.submit_width: must not be negative"},
        Case{"batch.local.memory_mb = 4294967296\n",
             "2:25 batch.local.memory_mb: must be from 0 to 4294967295; is 4294967296"},
        Case{"[api]\nrequest_bytes_max = 10\n",
             "3:21 api.request_bytes_max: must be from 1KiB to 1GiB; is 10B"},
        Case{"[api]\nrequest_bytes_max = -10\n",
             "3:21 api.request_bytes_max: must not be negative"},
        Case{"[jobs]\npoll_interval = \"2h\"\npoll_interval_max = \"3h\"\n",
             "3:17 jobs.poll_interval: must be from 1s to 1h; is 2h"},
        Case{"jobs.lookup_window = -5\n", "2:22 jobs.lookup_window: must not be negative"},
        Case{"[api]\nhead_timeout = \"10\"\n",
             "3:16 api.head_timeout: \"10\" is not a duration: the unit is missing; use s, m, h or "
             "d"},
        Case{"[api]\nhead_timeout = \"10x\"\n",
             "3:16 api.head_timeout: \"10x\" is not a duration: the unit \"x\" is unknown; use s, "
             "m, h or d"},
        Case{"[store]\nfree_bytes_min = \"5gb\"\n",
             "3:18 store.free_bytes_min: \"5gb\" is not a size: the unit \"gb\" is unknown; use B, "
             "kB, MB, GB, TB, KiB, MiB, GiB or TiB; did you mean \"GB\"?"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, ValuesTest,
    testing::Values(
        Case{"log.level = \"inof\"\n",
             "2:13 log.level: \"inof\" must be \"debug\", \"info\", "
             "\"warning\" or \"error\"; did you mean \"info\"?"},
        Case{"jobs.batch = \"condor-ce\"\n",
             "2:14 jobs.batch: \"condor-ce\" must be \"slurm\" or \"local\""},
        Case{"store.path = \"\"\n", "2:14 store.path: must not be empty"},
        Case{"site.name = \"a\\nb\"\n",
             "2:13 site.name: \"a\\x0ab\" must not have control "
             "characters; keep it on one line"},
        Case{"observe.listen = [\"localhost:1\"]\n",
             "2:19 observe.listen[1]: \"localhost:1\" does not begin with an IP address: write for "
             "example 127.0.0.1:8443, 0.0.0.0:8443 or [::1]:8443"},
        Case{"observe.listen = [\"::1:80\"]\n",
             "2:19 observe.listen[1]: \"::1:80\" is ambiguous: write an IPv6 address in brackets, "
             "for example [::1]:8443"},
        Case{"observe.listen = [\"127.0.0.1\"]\n",
             "2:19 observe.listen[1]: \"127.0.0.1\" has no port: write ADDRESS:PORT, for example "
             "127.0.0.1:8443 or [::1]:8443"},
        Case{"observe.listen = [\"127.0.0.1:70000\"]\n",
             "2:19 observe.listen[1]: \"127.0.0.1:70000\" does not end with a port from 0 to "
             "65535"},
        Case{"observe.listen = [\"127.0.0.1:9\", \"127.0.0.1:9\"]\n",
             "2:34 observe.listen[2]: \"127.0.0.1:9\" is in the list twice; remove one"},
        Case{"site.architectures = [\"\"]\n", "2:23 site.architectures[1]: must not be empty"},
        Case{"node.networks = [\"10.0.0.1/8\"]\n",
             "2:18 node.networks[1]: \"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8 "
             "or a longer prefix"},
        Case{"node.networks = [\"10.0.0.0/33\"]\n",
             "2:18 node.networks[1]: \"10.0.0.0/33\" must end with a prefix length from 0 to 32"},
        Case{"node.networks = [\"nodes\"]\n",
             "2:18 node.networks[1]: \"nodes\" is no network: write ADDRESS/PREFIX, for example "
             "10.1.0.0/16 or 2001:db8::/32"},
        Case{"proxy.parent = \"proxy:3128\"\n",
             "2:16 proxy.parent: \"proxy:3128\" must begin with http://: write for example "
             "\"http://host.example.org\""},
        Case{"proxy.parent = \"http://u:p@proxy\"\n",
             "2:16 proxy.parent: \"http://u:p@proxy\" must have no user, query, fragment or space: "
             "write for example \"http://host.example.org\""},
        Case{"proxy.parent = \"http://proxy:0\"\n",
             "2:16 proxy.parent: \"http://proxy:0\" has no port from 1 to 65535 after the \":\": "
             "write for example \"http://host.example.org\""},
        Case{"proxy.parent = \"http://[::1\"\n",
             "2:16 proxy.parent: \"http://[::1\" has no \"]\" after its address: write for example "
             "\"http://host.example.org\""},
        Case{"proxy.parent = \"http://-x\"\n",
             "2:16 proxy.parent: \"http://-x\" has no valid host: write for example "
             "\"http://host.example.org\""},
        Case{"proxy.exceptions = [\"http://a\"]\n",
             "2:21 proxy.exceptions[1]: \"http://a\" must be a host name or an IP address, without "
             "scheme and port, or a domain such as \".example.org\""},
        Case{"jobs.session_root = \"scratch\"\n",
             "2:21 jobs.session_root: \"scratch\" must be an absolute path: begin with \"/\""},
        Case{"batch.local.queue = \"-q\"\n",
             "2:21 batch.local.queue: \"-q\" must be a name of at most 64 letters, digits, \"_\", "
             "\".\" and \"-\" that begins with a letter or digit"},
        Case{"[site.environment]\n1A = \"x\"\n",
             "3:1 site.environment.1A: \"1A\" is no name for an environment variable: use letters, "
             "digits and \"_\", no digit first"},
        Case{"[batch.slurm.options]\n--qos = \"x\"\n",
             "3:1 batch.slurm.options.--qos: \"--qos\" is no long option: write its name in lower "
             "case without the dashes, for example \"qos\""}));

TEST_F(ConfigTest, AFileThatIsNamedMustBeThere) {
    EXPECT_EQ(show(load_plain("[api]\ncertificate = \"no.crt\"\n")),
              "3:15 api.certificate: the file \"FOLDER/no.crt\" is not there (No such file or "
              "directory); create it or correct the path\n");
    EXPECT_EQ(show(load_plain("[api]\ncertificate = \"..\"\n")),
              "3:15 api.certificate: \"FOLDER/..\" is not a file\n");
    EXPECT_EQ(show(load_plain("[batch.slurm]\nbin = \"tls.crt\"\n")),
              "3:7 batch.slurm.bin: \"FOLDER/tls.crt\" is not a folder\n");
}

TEST_F(ConfigTest, ALineOfManyPartsIsRefusedBeforeItIsParsed) {
    std::string deep = "a";
    for (int i = 0; i < 200'000; ++i)
        deep += ".a";
    EXPECT_EQ(show(load_plain(deep + " = 1\n")),
              "2:1 : a line has more than 4096 bytes; break it up\n");
}

// toml++ 3.3 has undefined behaviour at such characters; see src/config/scan.hpp.
TEST_F(ConfigTest, ACharacterThatIsNotAsciiStandsInQuotesOrCommentsOnly) {
    const Case cases[] = {
        {"n\xC3\xA4me = 1\n", "2:2 : the character \\xc3\\xa4"},
        {"x = \"\xC3\xA4\"\xC2\xA0\n", "2:8 : the character \\xc2\\xa0"},
        {"x = '\\'\xC3\xA4", "2:8 : the character \\xc3\\xa4"},
        {"x = \xE2\x80\x9Cy\xE2\x80\x9D\n", "2:5 : the character \\xe2\\x80\\x9c"},
        {"x = \"\"\"a\n\"\"\"\"\"\xC3\xA4", "3:6 : the character \\xc3\\xa4"},
        {"x = 1\"\xC3\xA4\"\n", "2:7 : the character \\xc3\\xa4"},
        {"x = \"\\\"\xC3\xA4\"\xCC\xB1", "2:10 : the character \\xcc\\xb1"},
    };
    for (const auto& one : cases)
        EXPECT_TRUE(show(load_plain(one.text)).starts_with(one.problem))
            << one.problem << "\n"
            << show(load_plain(one.text));
    EXPECT_EQ(show(load_plain("# \xC3\xA4\nsite.name = \"\xC3\xA4\\\"\xC3\xA4\"\n"
                              "site.description = \"\"\"\xE2\x80\x9C\"\xC3\xA4\"\"\"\"\"\n"
                              "batch.slurm.options.qos = '\xC3\xA4'\n")),
              "");
}

TEST_F(ConfigTest, DeepNestingIsASyntaxError) {
    const auto loaded = load_plain("a = " + std::string(100, '[') + std::string(100, ']') + "\n");
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_NE(loaded.problems[0].message.find("exceeded maximum nested value depth"),
              std::string::npos)
        << loaded.problems[0].message;
}

}  // namespace
}  // namespace berth::config
