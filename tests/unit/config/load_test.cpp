// What a right file becomes, and what is common to all problems.
#include "unit/config/support.hpp"

namespace berth::config {
namespace {

TEST_F(ConfigTest, ARightFileHasNoProblem) {
    const auto loaded = load(right);
    EXPECT_EQ(show(loaded), "");
    EXPECT_EQ(loaded.config.api.certificate, folder / "tls.crt");
    EXPECT_EQ(loaded.config.jobs.session_root, "/scratch/berth");
    ASSERT_EQ(loaded.config.issuers.size(), 1U);
    EXPECT_EQ(loaded.config.issuers[0].url, "https://cms.example.org/");
    ASSERT_EQ(loaded.config.mappings.size(), 1U);
    EXPECT_EQ(loaded.config.mappings[0].account, "grid1");
}

TEST_F(ConfigTest, ValuesOfEveryTypeAreRead) {
    const auto loaded = load_plain(R"(
[api]
listen = ["127.0.0.1:8443", "[::1]:8443"]
request_bytes_max = "2MiB"
upload_bytes_max = 5000
bulk_max = 7
idle_timeout = "2m"
stall_timeout = 45
[log]
level = "debug"
[batch.slurm]
environment = { SLURM_CONF = "/etc/slurm/slurm.conf" }
[batch.slurm.options]
qos = "grid"
[[issuer]]
name = "a"
url = "https://a.example.org:8443/path"
internal = true
expiry_leeway = "1m"
)");
    EXPECT_EQ(show(loaded), "");
    const auto& config = loaded.config;
    EXPECT_EQ(config.api.listen, (Texts{"127.0.0.1:8443", "[::1]:8443"}));
    EXPECT_EQ(config.api.request_bytes_max, 2U << 20U);
    EXPECT_EQ(config.api.upload_bytes_max, 5000U);
    EXPECT_EQ(config.api.bulk_max, 7U);
    EXPECT_EQ(config.api.idle_timeout, Seconds(120));
    EXPECT_EQ(config.api.stall_timeout, Seconds(45));
    EXPECT_EQ(config.log.level, "debug");
    EXPECT_EQ(config.batch.slurm.environment, (Table{{"SLURM_CONF", "/etc/slurm/slurm.conf"}}));
    EXPECT_EQ(config.batch.slurm.options, (Table{{"qos", "grid"}}));
    ASSERT_EQ(config.issuers.size(), 1U);
    EXPECT_TRUE(config.issuers[0].internal);
    EXPECT_EQ(config.issuers[0].expiry_leeway, Seconds(60));
}

TEST_F(ConfigTest, RepeatedTablesKeepTheirOrder) {
    const auto loaded = load_plain(R"(
[[queue]]
name = "z"
default = true
[[queue]]
name = "a"
wall_time_max = "2d"
[[site.reachable]]
host = ".example.org"
port = 443
[[site.reachable]]
host = "2001:db8::1"
port = 8000
protocol = "http"
)");
    EXPECT_EQ(show(loaded), "");
    ASSERT_EQ(loaded.config.queues.size(), 2U);
    EXPECT_EQ(loaded.config.queues[0].name, "z");
    EXPECT_TRUE(loaded.config.queues[0].is_default);
    EXPECT_EQ(loaded.config.queues[1].wall_time_max, Seconds(2 * 86400));
    ASSERT_EQ(loaded.config.site.reachable.size(), 2U);
    EXPECT_EQ(loaded.config.site.reachable[0].port, 443U);
    EXPECT_EQ(loaded.config.site.reachable[1].protocol, "http");
}

TEST_F(ConfigTest, AnEmptyFileWithoutGatewayIsTheDefaults) {
    auto defaults = Config();
    defaults.roles.gateway = false;
    EXPECT_EQ(load_plain("").config, defaults);
}

TEST_F(ConfigTest, AllProblemsAreReportedAtOnceInTheOrderOfTheFile) {
    const auto loaded =
        load_plain("[tokens]\nexpire_after = 1\n[api]\nbulk_max = 0\nlisten = [1, \"x\"]\n[nod]\n");
    std::string keys;
    for (const auto& problem : loaded.problems)
        keys += problem.key + " ";
    EXPECT_EQ(keys, "tokens.expire_after api.bulk_max api.listen[1] api.listen[2] nod ");
}

TEST_F(ConfigTest, AProblemReadsAsOneLine) {
    const auto loaded = load_plain("[log]\nlevel = 1\n");
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(to_string(loaded.problems[0]),
              "berth.toml:3:9: log.level: must be a text, but is a whole number; write it in "
              "quotes");
}

TEST_F(ConfigTest, PathsStartAtTheFoldersOfTheFile) {
    const auto path = folder.write("site.toml", std::string(right) + "[store]\npath = \"db\"\n");
    const auto loaded = load_file(path);
    EXPECT_EQ(show(loaded), "");
    EXPECT_EQ(loaded.config.store.path, folder / "db");
    EXPECT_EQ(loaded.config.api.key, folder / "tls.key");
}

TEST_F(ConfigTest, AMissingFileIsAProblemWithoutALine) {
    const auto loaded = load_file(folder / "none.toml");
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(loaded.problems[0].line, 0U);
    EXPECT_EQ(to_string(loaded.problems[0]),
              (folder / "none.toml") + ": the configuration cannot be read: open " +
                  (folder / "none.toml") + ": No such file or directory");
}

TEST_F(ConfigTest, AFileAboveOneMegabyteIsRefused) {
    const auto path = folder.write("large.toml", std::string((1U << 20U) + 1, '\n'));
    const auto loaded = load_file(path);
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_NE(loaded.problems[0].message.find("larger than"), std::string::npos);
}

}  // namespace
}  // namespace berth::config
