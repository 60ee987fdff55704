#include "net/fetch.hpp"

#include "auth/mint.hpp"
#include "base/text.hpp"
#include "net/special_address.hpp"
#include "transfers/key_fetcher.hpp"
#include "unit/auth/bench.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace berth {
namespace {

using auth::test::run;
using namespace std::chrono_literals;

// The misbehaving servers, started once and ended with the program.
class Servers : public testing::Environment {
public:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "berth-tls-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        posix_spawn_file_actions_addclose(&actions, ends[0]);
        std::string script = std::string(BERTH_TEST_DATA) + "/issuer_server.py";
        std::string python = "/usr/bin/python3";
        char* arguments[] = {python.data(), script.data(), folder.data(), nullptr};
        ASSERT_EQ(posix_spawn(&pid, python.c_str(), &actions, nullptr, arguments, environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        std::string line;
        for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';)
            line += c;
        ::close(ends[0]);
        ports = nlohmann::json::parse(line);
    }
    void TearDown() override {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        std::filesystem::remove_all(folder);
    }

    std::string url(const std::string& server, const std::string& path) const {
        return "https://localhost:" + std::to_string(ports.at(server).get<int>()) + path;
    }

    std::string folder;
    nlohmann::json ports;
    pid_t pid = 0;
};

Servers& servers() {
    static auto* const environment = new Servers;  // owned by GoogleTest
    return *environment;
}
const auto* const registered = testing::AddGlobalTestEnvironment(&servers());

class Fetch : public testing::Test {
protected:
    net::FetchRequest request(const std::string& server, const std::string& path) {
        net::FetchRequest made;
        made.url = servers().url(server, path);
        made.ca_file = servers().folder + "/ca.crt";
        made.internal = true;
        made.deadline = 1500ms;
        return made;
    }
    Result<net::FetchedDocument> get(net::FetchRequest wanted) {
        return run(loop, fetcher.get(std::move(wanted)));
    }

    boost::asio::io_context loop{1};
    net::Fetcher fetcher{net::FetcherSettings()};
};

TEST_F(Fetch, ADocumentArrivesWhole) {
    const auto document = get(request("good", "/ok"));
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ(document->status, 200);
    EXPECT_EQ(document->body, R"({"path": "/ok"})");
    EXPECT_EQ(get(request("good", "/missing"))->status, 404);
}

TEST_F(Fetch, J2OnlyHttpsWithoutUserInformation) {
    for (const std::string url :
         {"http://localhost:1/", "file:///etc/passwd", "gopher://localhost/", "ftp://localhost/",
          "https://user@localhost:1/", "https://user:pass@localhost:1/", "", "localhost"}) {
        net::FetchRequest wanted;
        wanted.url = url;
        wanted.internal = true;
        const auto document = get(wanted);
        ASSERT_FALSE(document) << "J2 " << url;
        EXPECT_EQ(document.error().kind, ErrorKind::forbidden)
            << "J2 " << url << document.error().message;
    }
}

TEST_F(Fetch, J3NoRedirectIsFollowed) {
    for (const std::string status : {"301", "302", "303", "307", "308"})
        for (const std::string place : {"same", "http", "file", "internal"}) {
            const auto document = get(request("good", "/redirect/" + status + "/" + place));
            ASSERT_FALSE(document) << "J3 " << status << place;
            EXPECT_EQ(document.error().kind, ErrorKind::forbidden) << "J3 " << status << place;
        }
}

TEST_F(Fetch, J4APrivateAddressNeedsConsent) {
    auto wanted = request("good", "/ok");
    wanted.internal = false;
    const auto port = std::to_string(servers().ports.at("good").get<int>());
    for (const std::string host : {"localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
                                   "2130706433", "0x7f.1", "0", "169.254.169.254", "10.0.0.1"}) {
        wanted.url = "https://" + host + ":" + port + "/ok";
        const auto document = get(wanted);
        ASSERT_FALSE(document) << "J4 " << host;
        EXPECT_EQ(document.error().kind, ErrorKind::forbidden)
            << "J4 " << host << document.error().message;
    }
}

TEST(SpecialAddress, J4EveryRangeIsKnownAtItsEdges) {
    for (const auto* text : {"0.0.0.0",
                             "0.255.255.255",
                             "10.0.0.0",
                             "10.255.255.255",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.1",
                             "192.0.2.1",
                             "192.168.0.1",
                             "198.18.0.1",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "239.255.255.255",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::127.0.0.1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.1.2.3",
                             "64:ff9b::7f00:1",
                             "64:ff9b:1::1",
                             "fc00::1",
                             "fdff::1",
                             "fe80::1",
                             "febf::1",
                             "ff02::1",
                             "2001:db8::1",
                             "2002:7f00:1::",
                             "2001::1",
                             "100::1"})
        EXPECT_TRUE(net::is_special(*parse_address(text))) << "J4 " << text;
    for (const auto* text :
         {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
          "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
          "188.184.100.1", "192.167.255.255", "223.255.255.255", "::ffff:8.8.8.8",
          "2001:1458:201::1", "2606:4700::1111", "2a00::1"})
        EXPECT_FALSE(net::is_special(*parse_address(text))) << "J4 " << text;
}

TEST_F(Fetch, J5ABadCertificateIsRefused) {
    for (const std::string server : {"wrong", "expired", "stranger", "old"}) {
        const auto document = get(request(server, "/ok"));
        ASSERT_FALSE(document) << "J5 " << server;
        EXPECT_EQ(document.error().kind, ErrorKind::rejected)
            << "J5 " << server << document.error().message;
    }
    auto system = request("good", "/ok");
    system.ca_file.clear();
    EXPECT_FALSE(get(system)) << "J5: the system's anchors do not know the test's CA";
    auto stranger = request("stranger", "/ok");
    stranger.ca_file = servers().folder + "/stranger.crt";
    EXPECT_TRUE(get(stranger)) << "J5: the anchors are selectable";
    auto none = request("good", "/ok");
    none.ca_file = servers().folder + "/no-such-file";
    EXPECT_FALSE(get(none)) << "J5";
}

TEST_F(Fetch, J6EverySlowPeerMeetsTheDeadline) {
    for (const auto& [server, path] : std::vector<std::pair<std::string, std::string>>{
             {"silent", "/"}, {"good", "/slow-head"}, {"good", "/slow-body"}}) {
        const auto begin = std::chrono::steady_clock::now();
        const auto document = get(request(server, path));
        ASSERT_FALSE(document) << "J6 " << server << path;
        EXPECT_EQ(document.error().kind, ErrorKind::timed_out) << "J6 " << server << path;
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "J6 " << server << path;
    }
}

TEST_F(Fetch, J6ALargeAnswerIsCut) {
    for (const std::string path : {"/huge", "/endless", "/long-head"}) {
        const auto document = get(request("good", path));
        ASSERT_FALSE(document) << "J6 " << path;
        EXPECT_EQ(document.error().kind, ErrorKind::too_large)
            << "J6 " << path << document.error().message;
    }
    const auto cut = get(request("good", "/cut"));
    ASSERT_FALSE(cut) << "J6";
    EXPECT_EQ(cut.error().kind, ErrorKind::unavailable) << "J6";
}

TEST_F(Fetch, J6NothingBeyondTheRequestIsSent) {
    ::setenv("https_proxy", "http://127.0.0.1:1", 1);  // an environment must not matter
    const auto document = get(request("good", "/echo"));
    ::unsetenv("https_proxy");
    ASSERT_TRUE(document) << document.error().message;
    const auto head = to_lower(document->body);
    for (const auto* field : {"accept-encoding", "cookie", "authorization", "referer"})
        EXPECT_EQ(head.find(field), std::string::npos) << "J6 " << field;
}

TEST_F(Fetch, TheQueueIsBounded) {
    net::FetcherSettings settings;
    settings.queue_max = 2;
    net::Fetcher narrow(settings);
    int refused = 0, ended = 0;
    for (int i = 0; i < 5; ++i)
        boost::asio::co_spawn(
            loop, narrow.get(request("silent", "/")),
            [&](const std::exception_ptr&, const Result<net::FetchedDocument>& document) {
                ++ended;
                if (document.error().message.find("too many") != std::string::npos)
                    ++refused;
            });
    while (ended < 5)
        loop.run_one();
    EXPECT_EQ(refused, 3);
}

// The whole way: discovery over TLS, a signed token, and answers that are no key sets.
TEST_F(Fetch, ATokenIsJudgedWithKeysFromARealServer) {
    const auto key = *auth::DevelopmentKey::make(auth::Algorithm::es256, "k1");
    const auto issuer = servers().url("good", "");
    const auto www = servers().folder + "/www/";
    std::ofstream(www + ".well-known_openid-configuration")
        << auth::test::metadata_of(issuer, issuer + "/jwks");
    std::ofstream(www + "jwks") << key.jwks();

    transfers::KeyFetcher keys(fetcher);
    boost::asio::thread_pool pool(1);
    SystemClock clock;
    Metrics metrics;
    auth::AuthSettings settings;
    settings.issuers.push_back({"dev", issuer});
    settings.issuers[0].ca_file = servers().folder + "/ca.crt";
    settings.issuers[0].internal = true;
    settings.audiences = {"https://ce.example.org"};
    settings.keys.system_caches.clear();
    auth::Authenticator authenticator(loop, pool, keys, clock, metrics, settings);
    authenticator.start();
    const auto now = to_ms(clock.wall()) / 1000;
    const nlohmann::json claims{{"iss", issuer},
                                {"sub", "s"},
                                {"aud", settings.audiences[0]},
                                {"iat", now},
                                {"exp", now + 600},
                                {"jti", "1"},
                                {"wlcg.ver", "1.0"},
                                {"scope", "compute.read"}};
    const auto identity = run(loop, authenticator.authenticate(key.sign(claims)));
    EXPECT_TRUE(identity) << identity.error().message;
    run(loop, auth::test::stopped(authenticator));
    pool.join();

    const auto fetched = [&](const std::string& path) {
        return run(loop, keys.fetch(issuer + path, {settings.issuers[0].ca_file, true}));
    };
    EXPECT_EQ(fetched("/missing").error().kind, ErrorKind::not_found);
    EXPECT_EQ(fetched("/html").error().kind, ErrorKind::rejected) << "J12 content type";
    EXPECT_TRUE(fetched("/ok"));
    EXPECT_EQ(
        run(loop, keys.fetch(issuer + "/ok", {settings.issuers[0].ca_file, false})).error().kind,
        ErrorKind::forbidden)
        << "J4";
}

}  // namespace
}  // namespace berth
