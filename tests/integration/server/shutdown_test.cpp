// stop(): what runs is finished, what idles ends at once, what does not end is cancelled.
#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace berth::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

class ServerStop : public testing::TestWithParam<bool> {
protected:
    Client client() { return Client(server.port(), GetParam()); }
    void wait_for_handlers(int count) {
        for (int i = 0; i < 500 && server.handled < count; ++i)
            std::this_thread::sleep_for(milliseconds(10));
        ASSERT_EQ(server.handled, count);
    }

    RunningServer server{net::ServerSettings(), GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Transports, ServerStop, testing::Bool(), transport_name);

TEST_P(ServerStop, FinishesTheRunningRequestAndEndsIdleConnections) {
    auto idle = client();
    EXPECT_EQ(idle.ask(get("/")).status, 200);
    auto busy = client();
    busy.send(get("/wait?ms=800"));
    wait_for_handlers(2);
    auto stopped = server.begin_stop(seconds(10));
    EXPECT_TRUE(idle.at_end());
    EXPECT_FALSE(client().is_connected());
    const auto answer = busy.receive();
    EXPECT_EQ(answer.body, "waited");
    EXPECT_EQ(answer.fields.at("connection"), "close");
    EXPECT_TRUE(busy.at_end());
    stopped.get();
    EXPECT_EQ(server.cancelled, 0);
}

TEST_P(ServerStop, EndsAnEndlessStreamProperly) {
    auto c = client();
    c.send(get("/stream?then=wait"));
    wait_for_handlers(1);
    std::this_thread::sleep_for(milliseconds(200));
    auto stopped = server.begin_stop(seconds(10));
    const auto answer = c.receive();
    EXPECT_EQ(answer.body, "piece\npiece\npiece\n");
    EXPECT_TRUE(answer.whole);
    stopped.get();
    EXPECT_EQ(server.cancelled, 1);
}

TEST_P(ServerStop, CancelsWhatIsLeftAfterTheLimit) {
    auto c = client();
    c.send(get("/wait?ms=60000"));
    auto body = client();
    body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    wait_for_handlers(2);
    const auto begin = std::chrono::steady_clock::now();
    server.stop(milliseconds(300));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(3));
    EXPECT_EQ(server.cancelled, 1);
    EXPECT_EQ(c.receive().status, 0);
    EXPECT_TRUE(body.at_end());
}

TEST_P(ServerStop, ReturnsAtOnceWithoutConnections) {
    const auto begin = std::chrono::steady_clock::now();
    server.stop(seconds(30));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2));
    EXPECT_FALSE(client().is_connected());
}

}  // namespace
}  // namespace berth::test
