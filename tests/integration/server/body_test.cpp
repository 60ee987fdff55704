// Request bodies: lengths, chunks, Expect, what a handler leaves.
#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace berth::test {
namespace {

std::string post(const std::string& path, const std::string& fields) {
    return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n\r\n";
}

std::string length(std::size_t bytes) {
    return "Content-Length: " + std::to_string(bytes);
}

const std::string chunked = "Transfer-Encoding: chunked";
const std::string expect = "\r\nExpect: 100-continue";
const std::string next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";

class ServerBody : public testing::TestWithParam<bool> {
protected:
    Client client() { return Client(server.port(), GetParam()); }

    RunningServer server{net::ServerSettings(), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Transports, ServerBody, testing::Bool(), transport_name);

TEST_P(ServerBody, IsReadByLengthAndInChunks) {
    auto c = client();
    EXPECT_EQ(c.ask(post("/echo", length(5)) + "hello").body, "hello");
    EXPECT_EQ(c.ask(post("/echo", chunked) + "3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n").body, "hello");
    EXPECT_EQ(c.ask(post("/echo", length(0))).body, "");
    EXPECT_EQ(c.ask(next).status, 200);
}

TEST_P(ServerBody, IsStreamed) {
    auto c = client();
    constexpr std::size_t size = 5'000'000;
    c.send(post("/count", length(size)));
    for (std::size_t sent = 0; sent < size; sent += 50000)
        c.send(std::string(50000, 'b'));
    EXPECT_EQ(c.receive().body, std::to_string(size));
    c.send(post("/count", chunked));
    for (int i = 0; i < 100; ++i)
        c.send("186A0\r\n" + std::string(100000, 'c') + "\r\n");
    c.send("0\r\n\r\n");
    EXPECT_EQ(c.receive().body, "10000000");
}

TEST_P(ServerBody, IsAskedForOnlyWhenTheHandlerReads) {
    auto c = client();
    c.send(post("/echo", length(5) + expect));
    EXPECT_EQ(c.receive().status, 100);
    EXPECT_EQ(c.ask("hello").body, "hello");
    EXPECT_EQ(c.ask(next).status, 200);
}

TEST_P(ServerBody, IsNotAskedForWhenTheHandlerDoesNotRead) {
    auto c = client();
    const auto answer = c.ask(post("/ignore", length(5) + expect));
    EXPECT_EQ(answer.status, 200);  // and not 100
    EXPECT_EQ(answer.fields.at("connection"), "close");
    EXPECT_TRUE(c.at_end());
}

TEST_P(ServerBody, IsNotAskedForWhenItIsAlreadyThere) {
    auto c = client();
    EXPECT_EQ(c.ask(post("/echo", length(5) + expect) + "hello").status, 200);
}

TEST_P(ServerBody, ThatIsLeftIsDroppedWhenSmall) {
    auto c = client();
    EXPECT_EQ(c.ask(post("/ignore", length(60000)) + std::string(60000, 'x')).status, 200);
    EXPECT_EQ(c.ask(post("/ignore", chunked) + "5\r\nhello\r\n0\r\n\r\n").status, 200);
    EXPECT_EQ(c.ask(next).status, 200);
}

TEST_P(ServerBody, ThatIsLeftEndsTheConnectionWhenLarge) {
    auto c = client();
    const auto answer = c.ask(post("/ignore", length(500000)) + std::string(500000, 'x') + next);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.fields.at("connection"), "close");
    EXPECT_TRUE(c.at_end());
    EXPECT_EQ(server.handled, 1);
}

TEST_P(ServerBody, InChunksThatIsLeftEndsTheConnectionWhenLarge) {
    auto c = client();
    c.send(post("/ignore", chunked));
    for (int i = 0; i < 20; ++i)
        c.send("2710\r\n" + std::string(10000, 'x') + "\r\n");
    c.send("0\r\n\r\n" + next);
    EXPECT_EQ(c.receive().status, 200);
    EXPECT_TRUE(c.at_end());
    EXPECT_EQ(server.handled, 1);
}

TEST_P(ServerBody, WithBadChunksIsAnErrorAndEndsTheConnection) {
    for (const std::string body : {"5\nhello\n0\n\n", "0x5\r\nhello\r\n0\r\n\r\n",
                                   "5\r\nhelloX\r\n0\r\n\r\n", "0\r\nHost: evil\r\n\r\n"}) {
        auto c = client();
        const auto answer = c.ask(post("/echo", chunked) + body + next);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(answer.fields.at("connection"), "close") << body;
        EXPECT_TRUE(c.at_end());
    }
    EXPECT_EQ(server.handled, 4);
}

TEST_P(ServerBody, ThatIsCutOffIsAnErrorForTheHandler) {
    auto c = client();
    c.send(post("/echo", length(10)) + "half");
    c.shutdown_send();
    const auto answer = c.receive();
    // TLS without its closing alert is an attack on the end of the data: no answer at all.
    EXPECT_EQ(answer.status, GetParam() ? 0 : 400);
    EXPECT_EQ(answer.body, GetParam() ? "" : "the request body was cut off");
    EXPECT_TRUE(server.comes_to(0));
}

TEST_P(ServerBody, AboveTheHandlersLimitIsRefused) {
    auto c = client();
    EXPECT_EQ(c.ask(post("/echo", length(1048577))).status, 413);
    auto d = client();
    d.send(post("/echo", chunked) + "100001\r\n" + std::string(1048577, 'x'));
    EXPECT_EQ(d.receive().status, 413);
}

TEST(ServerBodyLimit, OfTheListenerIsKept) {
    net::ServerSettings settings;
    settings.body_bytes_max = 10;
    RunningServer server(settings);
    Client fits(server.port());
    EXPECT_EQ(fits.ask(post("/echo", length(10)) + "0123456789").status, 200);
    EXPECT_EQ(fits.ask(post("/echo", length(11)) + "0123456789a").status, 413);
    Client chunks(server.port());
    EXPECT_EQ(chunks.ask(post("/echo", chunked) + "B\r\n0123456789a\r\n0\r\n\r\n").status, 413);
}

}  // namespace
}  // namespace berth::test
