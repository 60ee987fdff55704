#include "net/http_client.hpp"
#include "integration/sites/run_loop.hpp"
#include "support/rude_server.hpp"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <optional>

namespace berth::net {
namespace {

using Act = test::RudeServer::Act;
using End = HttpAnswer::End;
using test::run_on;

HttpCall post() {
    HttpCall call;
    call.method = "POST";
    call.path = "/submit";
    call.body = "{\"job\": 1}";
    return call;
}

class HttpClientTest : public testing::Test {
protected:
    HttpAnswer send(HttpClient& client, HttpCall call) {
        return run_on(loop, client.send(std::move(call)));
    }
    boost::asio::io_context loop{1};
};

TEST_F(HttpClientTest, AnAnswerComesWithStatusAndBodyOnAKeptConnection) {
    test::RudeServer server(std::vector<Act>(), "{\"a\": 1}");
    HttpClient client({server.url(), 2});
    for (int i = 0; i < 3; ++i) {
        const auto answer = send(client, post());
        EXPECT_EQ(answer.end, End::answered);
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "{\"a\": 1}");
    }
    EXPECT_EQ(server.connections(), 1U);
    EXPECT_EQ(server.requests(), 3U);
}

TEST_F(HttpClientTest, NobodyListeningMeansNotSent) {
    const auto url = test::RudeServer(std::vector<Act>()).url();
    HttpClient tcp({url, 1});
    EXPECT_EQ(send(tcp, post()).end, End::not_sent);
    HttpClient local({"unix:/nonexistent/socket", 1});
    const auto answer = send(local, post());
    EXPECT_EQ(answer.end, End::not_sent);
    EXPECT_NE(answer.error, "");
}

// libcurl would take a new connection and post again.
TEST_F(HttpClientTest, APostIsNotWrittenAgainWhenAKeptConnectionBreaks) {
    test::RudeServer server({Act::answer, Act::close});
    HttpClient client({server.url(), 1});
    EXPECT_EQ(send(client, post()).end, End::answered);
    EXPECT_EQ(send(client, post()).end, End::cut);
    EXPECT_EQ(server.requests(), 2U);
    EXPECT_EQ(send(client, post()).end, End::answered);
    EXPECT_EQ(server.requests(), 3U);
}

TEST_F(HttpClientTest, AConnectionClosedWithoutAnAnswerIsCut) {
    test::RudeServer server({Act::close});
    HttpClient client({server.url(), 1});
    EXPECT_EQ(send(client, post()).end, End::cut);
    EXPECT_EQ(server.requests(), 1U);
}

TEST_F(HttpClientTest, NoAnswerInTimeIsATimeOut) {
    test::RudeServer server({Act::hang});
    HttpClient client({server.url(), 1});
    auto call = post();
    call.deadline = std::chrono::milliseconds(200);
    EXPECT_EQ(send(client, call).end, End::timed_out);
}

TEST_F(HttpClientTest, AnAnswerAboveTheLimitIsTooLarge) {
    test::RudeServer server(std::vector<Act>(), std::string(5000, 'x'));
    HttpClient client({server.url(), 1});
    auto call = post();
    call.bytes_max = 4999;
    EXPECT_EQ(send(client, call).end, End::too_large);
    call.bytes_max = 5000;
    EXPECT_EQ(send(client, call).body.size(), 5000U);
}

TEST_F(HttpClientTest, ACancelledRequestReturnsBeforeItsDeadline) {
    test::RudeServer server({Act::hang});
    HttpClient client({server.url(), 1});
    auto call = post();
    call.deadline = std::chrono::minutes(10);
    boost::asio::cancellation_signal signal;
    std::optional<End> end;
    boost::asio::co_spawn(
        loop, client.send(call),
        boost::asio::bind_cancellation_slot(
            signal.slot(), [&](std::exception_ptr, HttpAnswer answer) { end = answer.end; }));
    ASSERT_TRUE(test::run_until(loop, [&] { return server.requests() == 1; }));
    signal.emit(boost::asio::cancellation_type::terminal);
    EXPECT_TRUE(test::run_until(loop, [&] { return end.has_value(); }));
}

}  // namespace
}  // namespace berth::net
