#include "integration/server/client.hpp"
#include "integration/server/running_server.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace berth::test {
namespace {

const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(ServerTls, SpeaksHttp11ByAlpn) {
    RunningServer server({}, true);
    Client c(server.port(), true);
    EXPECT_EQ(c.alpn(), "http/1.1");
    EXPECT_EQ(c.certificate_name(), "first");
}

TEST(ServerTls, ReloadsTheCertificateForNewConnectionsOnly) {
    RunningServer server({}, true);
    Client old(server.port(), true);
    EXPECT_EQ(old.ask(request).status, 200);
    write_certificate("second", server.path("tls.crt"), server.path("tls.key"), 9);
    ASSERT_TRUE(server.reload_certificate());
    Client fresh(server.port(), true);
    EXPECT_EQ(fresh.certificate_name(), "second");
    EXPECT_EQ(fresh.ask(request).status, 200);
    EXPECT_EQ(old.ask(request).status, 200);
    const auto left = *server.certificate_end() - std::chrono::system_clock::now();
    EXPECT_GT(left, std::chrono::hours(24 * 8));
    EXPECT_LE(left, std::chrono::hours(24 * 9));
}

TEST(ServerTls, KeepsTheOldCertificateWhenTheNewOneIsBad) {
    RunningServer server({}, true);
    write_certificate("second", server.path("tls.crt"), server.path("other.key"));
    const auto mismatch = server.reload_certificate();
    ASSERT_FALSE(mismatch);
    EXPECT_EQ(mismatch.error().kind, ErrorKind::invalid);
    ASSERT_TRUE(replace_file(server.path("tls.crt"), "no certificate"));
    EXPECT_FALSE(server.reload_certificate());
    Client c(server.port(), true);
    EXPECT_EQ(c.certificate_name(), "first");
}

TEST(ServerTls, ClosesAConnectionThatIsNotTls) {
    RunningServer server({}, true);
    Client c(server.port());
    EXPECT_EQ(c.ask(request).status, 0);
    EXPECT_TRUE(server.comes_to(0));
    EXPECT_EQ(server.handled, 0);
}

TEST(ServerTls, RefusesVersionsBefore12) {
    RunningServer server({}, true);
    Client plain(server.port());
    // A TLS 1.0 ClientHello with one cipher suite; the answer is an alert (record type 21).
    std::string hello("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01", 11);
    hello += std::string(32, 'r') + std::string("\x00\x00\x02\x00\x2f\x01\x00", 7);
    plain.send(hello);
    const auto answer = plain.receive_some();
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(answer[0], '\x15');
}

TEST(ServerTls, DoesNotStartWithoutAUsableCertificate) {
    TemporaryFolder folder;
    net::ServerSettings settings;
    settings.certificate_file = folder / "absent.crt";
    settings.key_file = folder / "absent.key";
    RunningServer server(settings);
    ASSERT_FALSE(server.started());
    EXPECT_EQ(server.started().error().kind, ErrorKind::invalid);
    settings.key_file.clear();
    EXPECT_FALSE(RunningServer(settings).started());
}

}  // namespace
}  // namespace berth::test
