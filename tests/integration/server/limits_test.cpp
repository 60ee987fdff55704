// Every limit of ServerSettings, with short times.
#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <thread>
#include <vector>

namespace berth::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

net::ServerSettings short_times() {
    net::ServerSettings settings;
    settings.handshake_timeout = seconds(1);
    settings.head_timeout = seconds(1);
    settings.idle_timeout = seconds(1);
    settings.stall_timeout = seconds(1);
    return settings;
}

double refused(const RunningServer& server, std::string_view reason) {
    return server.metrics.value("berth_http_refused_total",
                                {{"listener", "test"}, {"reason", reason}});
}

TEST(ServerLimits, CutAHandshakeThatDoesNotProceed) {
    RunningServer server(short_times(), true);
    Client c(server.port());
    EXPECT_TRUE(c.at_end());
}

TEST(ServerLimits, CutIdleConnectionsSilently) {
    RunningServer server(short_times());
    Client fresh(server.port());
    Client used(server.port());
    EXPECT_EQ(used.ask(request).status, 200);
    EXPECT_EQ(used.receive_some(), "");
    EXPECT_EQ(fresh.receive_some(), "");
}

TEST(ServerLimits, AnswerASlowHeadWith408) {
    RunningServer server(short_times());
    Client c(server.port());
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 12; ++i) {  // slowloris: a line now and then
        c.send(i == 0 ? std::string("GET / HTTP/1.1\r\n") : "X: " + std::to_string(i) + "\r\n");
        std::this_thread::sleep_for(milliseconds(100));
    }
    EXPECT_EQ(c.receive().status, 408);
    EXPECT_TRUE(c.at_end());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(4));
    EXPECT_EQ(server.handled, 0);
}

TEST(ServerLimits, CutABodyThatStalls) {
    RunningServer server(short_times());
    Client c(server.port());
    c.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    const auto answer = c.receive();
    EXPECT_EQ(answer.body, "the request body came too slowly");
    EXPECT_EQ(answer.fields.at("connection"), "close");
}

TEST(ServerLimits, CutABodyThatTrickles) {
    auto settings = short_times();
    settings.slow_window = seconds(1);
    RunningServer server(settings);
    Client c(server.port());
    c.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 12; ++i) {
        c.send("x");
        std::this_thread::sleep_for(milliseconds(150));
    }
    EXPECT_EQ(c.receive().body, "the request body came too slowly");
}

TEST(ServerLimits, CutAClientThatDoesNotRead) {
    RunningServer server(short_times());
    Client c(server.port());
    std::string many;  // far more answer bytes than the sockets hold
    for (int i = 0; i < 20; ++i)
        many += "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";
    c.send(many);
    ASSERT_TRUE(server.comes_to(1));
    EXPECT_TRUE(server.comes_to(0));
    EXPECT_LT(server.handled, 20);
}

TEST(ServerLimits, NeverCutAHandlerThatTakesItsTime) {
    RunningServer server(short_times());
    Client c(server.port());
    EXPECT_EQ(c.ask("GET /wait?ms=2500 HTTP/1.1\r\nHost: h\r\n\r\n").body, "waited");
}

TEST(ServerLimits, HoldForTheConnectionsOfOnePeer) {
    net::ServerSettings settings;
    settings.connections_per_peer_max = 2;
    RunningServer server(settings);
    Client one(server.port());
    Client two(server.port());
    EXPECT_EQ(one.ask(request).status, 200);
    EXPECT_EQ(two.ask(request).status, 200);
    {
        Client three(server.port());
        EXPECT_EQ(three.ask(request).status, 0);
    }
    EXPECT_EQ(refused(server, "peer_limit"), 1);
    EXPECT_EQ(one.ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").status, 200);
    EXPECT_TRUE(server.comes_to(1));
    EXPECT_EQ(Client(server.port()).ask(request).status, 200);
}

TEST(ServerLimits, HoldForAllConnections) {
    net::ServerSettings settings;
    settings.connections_max = 1;
    RunningServer server(settings);
    Client one(server.port());
    EXPECT_EQ(one.ask(request).status, 200);
    EXPECT_EQ(Client(server.port()).ask(request).status, 0);
    EXPECT_EQ(refused(server, "connection_limit"), 1);
}

TEST(ServerLimits, HoldForTheHead) {
    net::ServerSettings settings;
    settings.gate.head_bytes_max = 1000;
    settings.gate.target_bytes_max = 200;
    RunningServer server(settings);
    Client fields(server.port());
    EXPECT_EQ(fields.ask("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x')).status, 431);
    Client target(server.port());
    EXPECT_EQ(target.ask("GET /" + std::string(300, 'x') + " HTTP/1.1\r\n").status, 414);
}

TEST(ServerLimits, SurviveClientsThatLeaveAtAnyByte) {
    RunningServer server(short_times());
    const std::string whole =
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        Client c(server.port());
        c.send(std::string_view(whole).substr(0, cut));
    }
    EXPECT_TRUE(server.comes_to(0));
    EXPECT_EQ(Client(server.port()).ask(request).status, 200);
}

TEST(ServerLimits, LeaveRoomForAThousandConnections) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2200)
        GTEST_SKIP() << "this process may open only " << files.rlim_cur << " files";
    RunningServer server;
    std::vector<Client> clients;
    for (int i = 0; i < 1000; ++i)
        clients.emplace_back(server.port());
    for (auto& c : clients)
        c.send(request);
    for (auto& c : clients)
        ASSERT_EQ(c.receive().status, 200);
    EXPECT_EQ(server.connections(), 1000U);
    clients.clear();
    EXPECT_TRUE(server.comes_to(0));
}

}  // namespace
}  // namespace berth::test
