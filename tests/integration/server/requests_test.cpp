// Requests and responses on one connection: keep-alive, pipelining, HEAD, files, streams.
#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace berth::test {
namespace {

std::string get(const std::string& target, const std::string& fields = "",
                const std::string& version = "1.1") {
    return "GET " + target + " HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n";
}

// Each test runs plain and over TLS.
class Server : public testing::TestWithParam<bool> {
protected:
    Client client() { return Client(server.port(), GetParam()); }

    RunningServer server{net::ServerSettings(), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Transports, Server, testing::Bool(), transport_name);

TEST_P(Server, AnswersManyRequestsOnOneConnection) {
    auto c = client();
    for (int i = 0; i < 50; ++i) {
        const auto answer = c.ask(get("/a" + std::to_string(i)));
        ASSERT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "GET /a" + std::to_string(i) + " h 127.0.0.1 0");
        EXPECT_EQ(answer.fields.at("connection"), "keep-alive");
    }
    EXPECT_EQ(server.connections(), 1U);
}

TEST_P(Server, AddsItsFields) {
    auto c = client();
    auto answer = c.ask(get("/"));
    EXPECT_EQ(answer.fields["server"], "berth");
    EXPECT_EQ(answer.fields["date"].size(), 29U);
    EXPECT_TRUE(answer.fields["date"].ends_with(" GMT"));
    EXPECT_EQ(answer.fields["content-length"], std::to_string(answer.body.size()));
}

TEST_P(Server, AnswersPipelinedRequestsInOrder) {
    auto c = client();
    std::string all;
    for (int i = 0; i < 100; ++i)
        all += i % 10 == 3 ? "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                           : get("/p" + std::to_string(i));
    c.send(all);
    for (int i = 0; i < 100; ++i) {
        const auto answer = c.receive();
        const auto wanted = i % 10 == 3 ? "abc" : "GET /p" + std::to_string(i) + " h 127.0.0.1 0";
        ASSERT_EQ(answer.body, wanted);
    }
}

TEST_P(Server, AcceptsAHeadInSingleBytes) {
    auto c = client();
    for (const char byte : get("/slow"))
        c.send(std::string(1, byte));
    EXPECT_EQ(c.receive().status, 200);
}

TEST_P(Server, AnswersHeadLikeGetWithoutTheBody) {
    auto c = client();
    const auto answer = c.ask("HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n", true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.fields.at("content-length"), "300000");
    EXPECT_EQ(c.ask("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n", true).fields.at("content-length"),
              "3000000");
    EXPECT_EQ(c.ask("HEAD /stream?then=wait HTTP/1.1\r\nHost: h\r\n\r\n", true).status, 200);
    EXPECT_EQ(c.ask(get("/after")).body, "GET /after h 127.0.0.1 0");
}

TEST_P(Server, SendsNoLengthWith204) {
    auto c = client();
    const auto answer = c.ask(get("/none"));
    EXPECT_EQ(answer.status, 204);
    EXPECT_FALSE(answer.fields.contains("content-length"));
    EXPECT_EQ(c.ask(get("/after")).status, 200);
}

TEST_P(Server, SendsLargeStringsWhole) {
    auto c = client();
    EXPECT_EQ(c.ask(get("/large")).body, std::string(300000, 'L'));
    EXPECT_EQ(c.ask(get("/large")).body.size(), 300000U);
}

TEST_P(Server, SendsFilesAndTheirParts) {
    auto c = client();
    const auto whole = c.ask(get("/file"));
    ASSERT_EQ(whole.body.size(), 3000000U);
    EXPECT_EQ(whole.body.substr(2999990, 10).size(), 10U);
    const auto part = c.ask(get("/file", "Range: bytes=1000001-2000000\r\n"));
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, whole.body.substr(1000001, 1000000));
    EXPECT_EQ(c.ask(get("/file", "Range: bytes=-5\r\n")).body, whole.body.substr(2999995));
}

TEST_P(Server, ResetsWhenAFileEndsEarly) {
    auto c = client();
    const auto answer = c.ask(get("/file?short"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.whole);
    EXPECT_TRUE(c.at_end());
}

TEST_P(Server, SendsStreamsInChunks) {
    auto c = client();
    const auto answer = c.ask(get("/stream"));
    EXPECT_EQ(answer.fields.at("transfer-encoding"), "chunked");
    EXPECT_EQ(answer.body, "piece\npiece\npiece\n");
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(c.ask(get("/after")).status, 200);
}

TEST_P(Server, SendsStreamsWithTheirLength) {
    auto c = client();
    const auto answer = c.ask(get("/stream?length=18"));
    EXPECT_FALSE(answer.fields.contains("transfer-encoding"));
    EXPECT_EQ(answer.fields.at("content-length"), "18");
    EXPECT_EQ(answer.body, "piece\npiece\npiece\n");
    EXPECT_EQ(c.ask(get("/after")).status, 200);
    EXPECT_FALSE(c.ask(get("/stream?length=19")).whole);
    EXPECT_FALSE(client().ask(get("/stream?length=17")).whole);
}

TEST_P(Server, EndsAStreamForHttp10ByTheClose) {
    auto c = client();
    const auto answer = c.ask(get("/stream", "Connection: keep-alive\r\n", "1.0"));
    EXPECT_FALSE(answer.fields.contains("transfer-encoding"));
    EXPECT_EQ(answer.fields.at("connection"), "close");
    EXPECT_EQ(answer.body, "piece\npiece\npiece\n");
}

TEST_P(Server, ResetsWhenAStreamFails) {
    auto c = client();
    const auto answer = c.ask(get("/stream?then=fail"));
    EXPECT_EQ(answer.body, "piece\npiece\npiece\n");
    EXPECT_FALSE(answer.whole);
}

TEST_P(Server, KeepsHttp10ConnectionsOnlyOnRequest) {
    auto kept = client();
    EXPECT_EQ(kept.ask(get("/", "Connection: keep-alive\r\n", "1.0")).status, 200);
    EXPECT_EQ(kept.ask(get("/", "", "1.0")).fields.at("connection"), "close");
    EXPECT_TRUE(kept.at_end());
}

TEST_P(Server, ClosesWhenAsked) {
    auto c = client();
    EXPECT_EQ(c.ask(get("/", "Connection: close\r\n")).fields.at("connection"), "close");
    EXPECT_TRUE(c.at_end());
    EXPECT_TRUE(server.comes_to(0));
}

TEST_P(Server, AnswersAThrowingHandlerWith500AndAnId) {
    auto c = client();
    const auto answer = c.ask(get("/throw"));
    EXPECT_EQ(answer.status, 500);
    EXPECT_NE(answer.body.find("under the id "), std::string::npos);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    EXPECT_EQ(c.ask(get("/after")).status, 200);
}

TEST_P(Server, DropsFieldsThatWouldSplitTheResponse) {
    auto c = client();
    const auto answer = c.ask(get("/split"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.fields.contains("x-bad"));
    EXPECT_FALSE(answer.fields.contains("x-injected"));
}

TEST_P(Server, AnswersARefusedHeadAndCloses) {
    auto c = client();
    // Unread bytes behind the head: the answer must arrive all the same.
    c.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n" +
        std::string(200000, 'x'));
    const auto answer = c.receive();
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.fields.at("content-type"), "application/problem+json");
    EXPECT_EQ(answer.fields.at("connection"), "close");
    EXPECT_TRUE(c.at_end());
    EXPECT_EQ(server.handled, 0);
}

TEST_P(Server, CancelsAHandlerWhosePeerLeaves) {
    {
        auto c = client();
        c.send(get("/wait?ms=60000"));
        ASSERT_TRUE(server.comes_to(1));
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    EXPECT_TRUE(server.comes_to(0));
    EXPECT_EQ(server.cancelled, 1);
}

TEST_P(Server, CancelsAStreamWhosePeerLeaves) {
    {
        auto c = client();
        c.send(get("/stream?then=wait"));
        std::string got;
        while (got.find("6\r\npiece\n\r\n6\r\npiece\n\r\n6\r\npiece\n") == got.npos) {
            const auto more = c.receive_some();
            ASSERT_NE(more, "");
            got += more;
        }
    }
    EXPECT_TRUE(server.comes_to(0));
    EXPECT_EQ(server.cancelled, 1);
}

TEST_P(Server, KeepsBytesThatArriveWhileAHandlerWaits) {
    auto c = client();
    c.send(get("/wait?ms=900"));
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    c.send(get("/next"));
    EXPECT_EQ(c.receive().body, "waited");
    EXPECT_EQ(c.receive().body, "GET /next h 127.0.0.1 0");
    EXPECT_EQ(server.cancelled, 0);
}

TEST_P(Server, CountsBytesAndConnections) {
    auto c = client();
    EXPECT_EQ(c.ask(get("/")).status, 200);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(server.metrics.value("berth_http_connections", {{"listener", "test"}}), 1);
    EXPECT_EQ(
        server.metrics.value("berth_http_bytes_total", {{"listener", "test"}, {"direction", "in"}}),
        static_cast<double>(get("/").size()));
    EXPECT_GT(server.metrics.value("berth_http_bytes_total",
                                   {{"listener", "test"}, {"direction", "out"}}),
              100);
}

}  // namespace
}  // namespace berth::test
