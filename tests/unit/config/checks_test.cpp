// Problems between values.
#include "unit/config/support.hpp"

namespace berth::config {
namespace {

void replace(std::string& text, std::string_view what, std::string_view with) {
    text.replace(text.find(what), what.size(), with);
}

struct Case {
    const char* text;  // from line 2 on; line 1 switches the gateway off
    const char* problems;
};

class ChecksTest : public ConfigTest, public testing::WithParamInterface<Case> {};

TEST_P(ChecksTest, AreReportedAtTheKeyAtFault) {
    EXPECT_EQ(show(load_plain(GetParam().text)), std::string(GetParam().problems))
        << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    BetweenValues, ChecksTest,
    testing::Values(
        Case{"roles.staging = true\nroles.relay = true\n",
             "2:17 roles.staging: is not part of this version; write false\n"
             "3:15 roles.relay: is not part of this version; write false\n"},
        Case{"roles.cache = true\n",
             "2:15 roles.cache: needs the node door; write [node] listen, for example "
             "[\"0.0.0.0:3128\"], and networks\n"
             "2:15 roles.cache: has nothing to fetch; add [[cache.repository]] tables or [cache] "
             "destinations\n"},
        Case{"roles.cache = true\n[node]\nlisten = [\"127.0.0.1:3128\"]\n"
             "networks = [\"127.0.0.0/8\"]\n"
             "[[cache.repository]]\nname = \"sw.example.org\"\nservers = []\n"
             "[[cache.repository]]\nname = \"sw.example.org\"\nkeep_warm = [\"/\"]\n"
             "servers = [\"http://s1.example.org/cvmfs/sw.example.org\"]\n",
             "8:11 cache.repository[1].servers: needs at least one server\n"
             "10:8 cache.repository[2].name: \"sw.example.org\" is also the name of "
             "cache.repository[1]; names must differ\n"
             "11:13 cache.repository[2].keep_warm: needs public_keys: only a verified manifest "
             "says what to bring\n"},
        Case{"[node]\nlisten = [\"127.0.0.1:3128\"]\n",
             "2:1 node.networks: is needed with node.listen, because an open proxy is a "
             "configuration error; write the networks of the worker nodes, for example "
             "[\"10.1.0.0/16\"]\n"},
        Case{"[node]\nlisten = [\"127.0.0.1:3128\"]\nnetworks = []\n",
             "4:12 node.networks: is needed with node.listen, because an open proxy is a "
             "configuration error; write the networks of the worker nodes, for example "
             "[\"10.1.0.0/16\"]\n"},
        Case{"[node]\nlisten = [\"127.0.0.1:3128\"]\nnetworks = [\"10.0.0.0/8\", \"::/0\"]\n",
             "4:27 node.networks[2]: is every address, and an open proxy is a configuration error; "
             "write the networks of the worker nodes\n"},
        Case{"[node]\nlisten = [\"127.0.0.1:3128\"]\nnetworks = [\"0.0.0.0/0\"]\n",
             "4:13 node.networks[1]: is every address, and an open proxy is a configuration error; "
             "write the networks of the worker nodes\n"},
        Case{"[node]\nlisten = [\"127.0.0.1:9469\"]\nnetworks = [\"10.0.0.0/8\"]\n",
             "3:11 node.listen[1]: \"127.0.0.1:9469\" is also observe.listen[1]; give each door a "
             "port of its own\n"},
        Case{"jobs.node_url = \"http://edge.example.org:3128\"\n",
             "2:17 jobs.node_url: has no node door to lead to; set node.listen\n"},
        Case{"jobs.accounts = \"mapped\"\n",
             "2:17 jobs.accounts: \"mapped\" needs berth-exec, not part of this version; write "
             "\"own\"\n"},
        Case{"jobs.poll_interval = \"10m\"\n",
             "2:22 jobs.poll_interval: must not be longer than jobs.poll_interval_max (10m and "
             "5m); change one of them\n"},
        Case{"jobs.poll_interval_max = \"30s\"\n",
             "2:26 jobs.poll_interval_max: must not be shorter than jobs.poll_interval (30s and "
             "1m); change one of them\n"},
        Case{"[jobs]\nkeep_files = \"60d\"\n",
             "3:14 jobs.keep_files: must not be longer than jobs.keep_jobs (60d and 30d); change "
             "one of them\n"},
        Case{"[tokens]\nexpire_after = \"1h\"\nrefresh_interval = \"2h\"\n",
             "4:20 tokens.refresh_interval: must not be longer than tokens.expire_after (2h and "
             "1h); change one of them\n"},
        Case{"[batch.slurm]\ninterface = \"rest\"\nrest_url = \"http://127.0.0.1:6820\"\n", ""},
        Case{"[batch.slurm]\ninterface = \"rest\"\nrest_url = \"unix:/run/rest.sock\"\n", ""},
        Case{"[batch.slurm]\nrest_url = \"127.0.0.1:6820\"\n",
             "3:12 batch.slurm.rest_url: must say where slurmrestd listens; write for example "
             "\"unix:/run/slurmrestd.sock\" or \"http://127.0.0.1:6820\"\n"},
        Case{"[batch.slurm]\nrest_url = \"http://127.0.0.1:6820/slurm\"\n",
             "3:12 batch.slurm.rest_url: must say where slurmrestd listens; write for example "
             "\"unix:/run/slurmrestd.sock\" or \"http://127.0.0.1:6820\"\n"},
        Case{"[batch.slurm]\noptions = { qos = \"grid\", job-name = \"x\" }\n",
             "3:38 batch.slurm.options.job-name: Berth sets --job-name itself; remove it\n"}));

INSTANTIATE_TEST_SUITE_P(
    Queues, ChecksTest,
    testing::Values(
        Case{"[[queue]]\n", "2:1 queue[1].name: is missing; write for example name = \"grid\"\n"},
        Case{"[[queue]]\nname = \"a\"\n[[queue]]\nname = \"a\"\n",
             "5:8 queue[2].name: \"a\" is also the name of queue[1]; names must differ\n"},
        Case{"[[queue]]\nname = \"a\"\ndefault = true\n[[queue]]\nname = \"b\"\ndefault = true\n",
             "7:11 queue[2].default: queue[1] is the default already; set one only\n"},
        Case{"[[queue]]\nname = \"a\"\noptions.wrap = \"true\"\n",
             "4:16 queue[1].options.wrap: Berth sets --wrap itself; remove it\n"}));

constexpr char two_issuers[] =
    "[[issuer]]\nname = \"cms\"\nurl = \"https://a\"\n"
    "[[issuer]]\nname = \"cms\"\nurl = \"https://a\"\n";

INSTANTIATE_TEST_SUITE_P(
    Access, ChecksTest,
    testing::Values(
        Case{"[[issuer]]\n",
             "2:1 issuer[1].name: is missing; write for example name = \"example\"\n"
             "2:1 issuer[1].url: is missing; write for example url = "
             "\"https://tokens.example.org/\"\n"},
        Case{two_issuers,
             "6:8 issuer[2].name: \"cms\" is also the name of issuer[1]; remove one\n"
             "7:7 issuer[2].url: \"https://a\" is also the url of issuer[1]; remove "
             "one\n"},
        Case{"[[issuer]]\nname = \"cms\"\nurl = \"http://a\"\n",
             "4:7 issuer[1].url: \"http://a\" must begin with https://: write for example "
             "\"https://host.example.org\"\n"},
        Case{"[[issuer]]\nname = \"atlas\"\nurl = \"https://a\"\n"
             "[[mapping]]\nissuer = \"altas\"\naccount = \"grid1\"\n",
             "6:10 mapping[1].issuer: \"altas\" is not the name of an [[issuer]]; did you mean "
             "\"atlas\"?\n"},
        Case{"[[issuer]]\nname = \"atlas\"\nurl = \"https://a\"\n"
             "[[ban]]\nissuer = \"somebody\"\n",
             "6:10 ban[1].issuer: \"somebody\" is not the name of an [[issuer]]; add that table or "
             "correct the name\n"},
        Case{"[[queue]]\nname = \"grid\"\n"
             "[[mapping]]\nissuer = \"x\"\naccount = \"grid1\"\nqueues = [\"grid\", \"gird\"]\n",
             "7:19 mapping[1].queues[2]: \"gird\" is not the name of a [[queue]]; did you mean "
             "\"grid\"?\n"},
        Case{"[[mapping]]\nissuer = \"x\"\naccount = \"root\"\n",
             "4:11 mapping[1].account: jobs never run as root; name an ordinary account\n"},
        Case{"[[mapping]]\nissuer = \"x\"\naccount = \"Grid\"\n",
             "4:11 mapping[1].account: \"Grid\" must be an account name: at most 32 lower-case "
             "letters, digits, \"_\" and \"-\", a letter or \"_\" first\n"},
        Case{"[[mapping]]\nissuer = \"x\"\naccount = \"a\"\n"
             "[[mapping]]\nissuer = \"x\"\naccount = \"b\"\n",
             "7:11 mapping[2].account: with jobs.accounts = \"own\" every job runs as the account "
             "of berthd; write \"a\" instead of \"b\"\n"},
        Case{"[[ban]]\n", "2:1 ban[1]: bans nothing; write issuer, subject, jti or kid\n"}));

TEST_F(ConfigTest, AGatewayNeedsCertificateAudienceSessionsIssuerAndMapping) {
    EXPECT_EQ(show(load("")),
              "1:1 api.certificate: is needed by the gateway; write certificate = \"tls.crt\" "
              "under [api]\n"
              "1:1 api.key: is needed by the gateway; write key = \"tls.key\" under [api]\n"
              "1:1 api.audience: is needed by the gateway; write audience = "
              "[\"https://ce.example.org:8443\"] under [api]\n"
              "1:1 jobs.session_root: is needed by the gateway; write session_root = "
              "\"/scratch/berth\" under [jobs]\n"
              "1:1 issuer: the gateway needs an issuer of tokens; add a table [[issuer]]\n"
              "1:1 mapping: without a mapping every token is refused; add a table [[mapping]]\n");
}

TEST_F(ConfigTest, AGatewayNeedsAnAddressAndAName) {
    auto text = std::string(right);
    replace(text, "audience = [\"https://ce.example.org:8443\"]", "audience = []\nlisten = []");
    EXPECT_EQ(show(load(text)),
              "4:12 api.audience: the gateway needs a name of this service; write for example "
              "[\"https://ce.example.org:8443\"]\n"
              "5:10 api.listen: the gateway needs an address; write for example "
              "[\"0.0.0.0:8443\"]\n");
}

TEST_F(ConfigTest, AFaultyValueIsNotCalledMissingToo) {
    auto text = std::string(right);
    replace(text, "tls.crt", "no.crt");
    replace(text, "\"https://ce.example.org:8443\"", "7");
    EXPECT_EQ(show(load(text)),
              "2:15 api.certificate: the file \"FOLDER/no.crt\" is not there (No such file or "
              "directory); create it or correct the path\n"
              "4:13 api.audience[1]: must be a text, but is a whole number; write it in quotes\n");
}

TEST_F(ConfigTest, EveryMappingNamesTheDaemonsOwnAccount) {
    EXPECT_TRUE(parse(right, "berth.toml", folder.path(), "grid1").problems.empty());
    EXPECT_EQ(show(parse(right, "berth.toml", folder.path(), "berth")),
              "12:11 mapping[1].account: with jobs.accounts = \"own\" every job runs as the "
              "account of berthd; write \"berth\" instead of \"grid1\"\n");
}

TEST_F(ConfigTest, TwoDoorsMayBothTakeAFreePort) {
    const auto loaded = load_plain(
        "[observe]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n"
        "[node]\nlisten = [\"127.0.0.1:0\"]\nnetworks = [\"127.0.0.0/8\"]\n");
    EXPECT_EQ(show(loaded), "");
}

}  // namespace
}  // namespace berth::config
