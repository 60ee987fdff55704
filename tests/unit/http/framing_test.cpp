#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::http {
namespace {

GateHead accepted(std::string_view input, const GateSettings& settings = {}) {
    auto result = read_head(input, settings);
    EXPECT_FALSE(result.error) << result.error->reason;
    if (!result.head) {
        ADD_FAILURE() << "no head from: " << input;
        return {};
    }
    return std::move(*result.head);
}

int refused(std::string_view input, const GateSettings& settings = {}) {
    const auto result = read_head(input, settings);
    return result.error ? result.error->status : 0;
}

std::string get(std::string_view target) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

TEST(Framing, ReadsAnOrdinaryHead) {
    const std::string input =
        "POST /v1/jobs?x=1&y HTTP/1.1\r\nHost: ce.example.org:8443\r\nAuthorization: Bearer abc\r\n"
        "Content-Length: 12\r\n\r\n{\"a\": \"b\"}..";
    const auto head = accepted(input);
    EXPECT_EQ(head.head.method, "POST");
    EXPECT_EQ(head.head.target, "/v1/jobs?x=1&y");
    EXPECT_EQ(head.head.path, "/v1/jobs");
    EXPECT_EQ(head.head.query, "x=1&y");
    EXPECT_EQ(head.head.content_length, 12U);
    EXPECT_FALSE(head.head.chunked);
    EXPECT_TRUE(head.head.keep_alive);
    EXPECT_EQ(head.head.headers.get("AUTHORIZATION"), "Bearer abc");
    EXPECT_EQ(head.authority, "ce.example.org:8443");
    EXPECT_EQ(head.form, TargetForm::origin);
    EXPECT_EQ(head.bytes, input.find("\r\n\r\n") + 4);
}

TEST(Framing, AsksForMoreAtEveryCutOfAGoodHead) {
    const std::string input =
        "GET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    for (std::size_t length = 0; length < input.size(); ++length) {
        const auto result = read_head(std::string_view(input).substr(0, length), {});
        EXPECT_FALSE(result.head) << length;
        EXPECT_FALSE(result.error) << length;
    }
    EXPECT_FALSE(accepted(input).head.keep_alive);
}

TEST(Framing, LeavesTheBytesAfterTheHead) {
    const auto one = get("/one");
    const auto input = one + get("/two");
    EXPECT_EQ(accepted(input).bytes, one.size());
    EXPECT_EQ(accepted(std::string_view(input).substr(one.size())).head.path, "/two");
}

TEST(Framing, DecidesAboutKeepAliveByVersionAndConnection) {
    struct Case {
        std::string version, connection;
        bool keep_alive;
    };
    const std::vector<Case> cases = {
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: foo, CLOSE\r\n", false},
        {"1.1", "Connection: close, keep-alive\r\n", false},
        {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive , close\r\n", false},
    };
    for (const auto& c : cases) {
        const auto head =
            accepted("GET / HTTP/" + c.version + "\r\nHost: h\r\n" + c.connection + "\r\n");
        EXPECT_EQ(head.head.keep_alive, c.keep_alive) << c.version << " " << c.connection;
    }
}

TEST(Framing, KnowsTheExpectationOnlyWhereThereIsABody) {
    const std::string expect = "Host: h\r\nExpect: 100-Continue\r\n";
    EXPECT_TRUE(accepted("PUT / HTTP/1.1\r\n" + expect + "Content-Length: 1\r\n\r\n")
                    .head.expects_continue);
    EXPECT_FALSE(accepted("PUT / HTTP/1.1\r\n" + expect + "\r\n").head.expects_continue);
    EXPECT_FALSE(accepted("PUT / HTTP/1.0\r\n" + expect + "Content-Length: 1\r\n\r\n")
                     .head.expects_continue);
    EXPECT_EQ(refused("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n"), 417);
    EXPECT_EQ(refused("PUT / HTTP/1.1\r\nHost: h\r\nExpect:\r\n\r\n"), 417);
    EXPECT_EQ(refused("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue, x\r\n\r\n"), 417);
}

TEST(Framing, ReadsAbsoluteTargetsAndLetsThemWinOverHost) {
    const auto head =
        accepted("GET http://S1.example.org:8000/cvmfs/a%20b?q HTTP/1.1\r\nHost: other\r\n\r\n");
    EXPECT_EQ(head.form, TargetForm::absolute);
    EXPECT_EQ(head.authority, "S1.example.org:8000");
    EXPECT_EQ(head.head.headers.get("Host"), "S1.example.org:8000");
    EXPECT_EQ(head.head.headers.count("Host"), 1U);
    EXPECT_EQ(head.head.path, "/cvmfs/a b");
    EXPECT_EQ(head.head.query, "q");
    EXPECT_EQ(accepted(get("https://h")).head.path, "/");
    EXPECT_EQ(accepted(get("http://h?q")).head.query, "q");
    EXPECT_EQ(accepted(get("HTTP://[2001:db8::1]:80/x")).authority, "[2001:db8::1]:80");
    EXPECT_EQ(accepted("GET http://h/ HTTP/1.0\r\n\r\n").authority, "h");
}

TEST(Framing, PassesAnAbsoluteTargetOnThatHasNoPathHere) {
    const auto head = accepted(get("http://h/a%2Fb"));
    EXPECT_EQ(head.head.target, "http://h/a%2Fb");
    EXPECT_EQ(head.head.path, "");
}

TEST(Framing, ReadsConnectOnlyWhereItIsAllowed) {
    GateSettings proxy;
    proxy.methods = "GET HEAD CONNECT";
    proxy.allow_authority = true;
    const std::string input = "CONNECT s1.example.org:443 HTTP/1.1\r\nHost: x:1\r\n\r\n";
    const auto head = accepted(input, proxy);
    EXPECT_EQ(head.form, TargetForm::authority);
    EXPECT_EQ(head.authority, "s1.example.org:443");
    EXPECT_EQ(head.head.headers.get("Host"), "s1.example.org:443");
    EXPECT_EQ(refused(input), 501);
    proxy.allow_authority = false;
    EXPECT_EQ(refused(input, proxy), 400);
}

TEST(Framing, RefusesEveryOtherFormOfConnect) {
    GateSettings proxy;
    proxy.methods = "GET CONNECT";
    proxy.allow_authority = true;
    const std::vector<std::string> targets = {
        "h",          "h:",      "h:0",       "h:65536",    "h:443x",
        "h:+443",     ":443",    "/",         "u@h:443",    "u:p@h:443",
        "http://h:1", "h:443/",  "h%2e:443",  "[::1",       "[fe80::1%25eth0]:443",
        "[]:443",     "::1:443", "h:443,i:1", "h:00000443", "*"};
    for (const auto& target : targets)
        EXPECT_EQ(refused("CONNECT " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", proxy), 400)
            << target;
    EXPECT_EQ(refused("GET h:443 HTTP/1.1\r\nHost: h\r\n\r\n", proxy), 400);
}

TEST(Framing, RefusesAbsoluteTargetsWhereTheListenerDoes) {
    GateSettings api;
    api.allow_absolute = false;
    EXPECT_EQ(refused(get("http://h/"), api), 400);
    for (const std::string target : {"ftp://h/", "http:///x", "http://u@h/", "http://h:0/",
                                     "http://h:x/", "urn:a:b", "http:/h", "://h/"})
        EXPECT_EQ(refused(get(target)), 400) << target;
}

TEST(Framing, AnswersWithTheStatusOfTheRule) {
    EXPECT_EQ(refused("BREW / HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
    EXPECT_EQ(refused("get / HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
    EXPECT_EQ(refused("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), 505);
    EXPECT_EQ(refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
    EXPECT_EQ(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 501);
    EXPECT_EQ(refused(get("/" + std::string(8192, 'a'))), 414);
    EXPECT_EQ(refused("GET /" + std::string(9000, 'a')), 414);
}

TEST(Framing, LimitsTheHead) {
    std::string fields;
    for (int i = 0; i < 101; ++i)
        fields += "X: y\r\n";
    EXPECT_EQ(refused("GET / HTTP/1.1\r\n" + fields), 431);
    const std::string large = "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(40000, 'a');
    EXPECT_EQ(refused(large), 431);
    EXPECT_EQ(refused(large + "\r\n\r\n"), 431);
    GateSettings small;
    small.head_bytes_max = 60;
    const std::string fits = "GET / HTTP/1.1\r\nHost: h\r\nX: 456789012345678901234567890\r\n\r\n";
    ASSERT_LE(fits.size(), 60U);
    EXPECT_EQ(refused(fits, small), 0);
    EXPECT_EQ(
        refused("GET / HTTP/1.1\r\nHost: h\r\nX: 45678901234567890123456789012345\r\n\r\n", small),
        431);
}

TEST(Framing, NeverEchoesTheRequestInAReason) {
    const auto result = read_head("SECRETSECRET / HTTP/1.1\r\n", {});
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->reason.find("SECRET"), std::string::npos);
}

}  // namespace
}  // namespace berth::http
