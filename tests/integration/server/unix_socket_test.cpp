// Listening addresses: unix sockets, IPv6, what cannot be listened on.
#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace berth::test {
namespace {

const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

net::ServerSettings listen_on(std::vector<std::string> addresses) {
    net::ServerSettings settings;
    settings.listen = std::move(addresses);
    return settings;
}

TEST(ServerUnixSocket, TellsTheHandlerWhoAsks) {
    RunningServer server(listen_on({"unix:"}));
    ASSERT_TRUE(server.started()) << server.started().error().message;
    struct stat status {};
    ASSERT_EQ(::stat(server.path("s").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
    Client c(server.path("s"));
    EXPECT_EQ(c.ask(request).body, "GET /x h unix " + std::to_string(::getuid()));
    server.stop();
    EXPECT_NE(::stat(server.path("s").c_str(), &status), 0);
}

TEST(ServerUnixSocket, ReplacesAStaleFileButNoLivingServer) {
    RunningServer first(listen_on({"unix:"}));
    const auto path = first.path("s");
    RunningServer second(listen_on({"unix:" + path}));
    ASSERT_FALSE(second.started());
    EXPECT_EQ(second.started().error().kind, ErrorKind::unavailable);
    EXPECT_EQ(Client(path).ask(request).status, 200);
    // A server that was killed leaves its file: here, a second name of the same socket.
    const auto stale = path + ".stale";
    ASSERT_EQ(::link(path.c_str(), stale.c_str()), 0);
    first.stop();
    RunningServer third(listen_on({"unix:" + stale}));
    ASSERT_TRUE(third.started()) << third.started().error().message;
    EXPECT_EQ(Client(stale).ask(request).status, 200);
}

TEST(ServerUnixSocket, NeverReplacesAnythingElse) {
    TemporaryFolder folder;
    const auto file = folder.write("file", "precious");
    RunningServer server(listen_on({"unix:" + file}));
    ASSERT_FALSE(server.started());
    EXPECT_EQ(server.started().error().kind, ErrorKind::invalid);
    EXPECT_EQ(*read_file(file), "precious");
}

TEST(ServerAddress, MayBeSeveral) {
    RunningServer server(listen_on({"127.0.0.1:0", "[::1]:0", "unix:"}));
    ASSERT_TRUE(server.started()) << server.started().error().message;
    EXPECT_EQ(Client(server.port()).ask(request).status, 200);
    EXPECT_EQ(Client(server.path("s")).ask(request).status, 200);
}

TEST(ServerAddress, InUseIsUnavailable) {
    RunningServer first;
    RunningServer second(listen_on({"127.0.0.1:" + std::to_string(first.port())}));
    ASSERT_FALSE(second.started());
    EXPECT_EQ(second.started().error().kind, ErrorKind::unavailable);
}

TEST(ServerAddress, IllFormedIsInvalid) {
    const std::vector<std::string> addresses = {"",
                                                "8443",
                                                "127.0.0.1",
                                                "127.0.0.1:",
                                                "127.0.0.1:65536",
                                                "localhost:80",
                                                "::1:80",
                                                "[127.0.0.1]:80",
                                                "1.2.3.4.5:80",
                                                "unix:relative",
                                                "unix:/" + std::string(200, 'a')};
    for (const auto& address : addresses) {
        RunningServer server(listen_on({address}));
        ASSERT_FALSE(server.started()) << address;
        EXPECT_EQ(server.started().error().kind, ErrorKind::invalid) << address;
    }
}

}  // namespace
}  // namespace berth::test
