// A server on a thread of its own, with a handler that shows every feature, and certificates
// made for the test.
#pragma once

#include "base/metrics.hpp"
#include "net/server.hpp"
#include "support/temporary_folder.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>

namespace berth::test {

// Writes a new self-signed certificate and its key as PEM files.
void write_certificate(const std::string& name, const std::string& certificate_file,
                       const std::string& key_file, int days = 1);

// For suites that run plain and over TLS.
inline std::string transport_name(const testing::TestParamInfo<bool>& suite) {
    return suite.param ? "Tls" : "Plain";
}

class RunningServer {
public:
    explicit RunningServer(net::ServerSettings settings = {}, bool tls = false);
    ~RunningServer();

    unsigned short port() const { return port_; }
    const Result<void>& started() const { return started_; }
    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

    // Each on the server's loop; waits for the result.
    std::size_t connections();
    Result<void> reload_certificate();
    std::optional<std::chrono::system_clock::time_point> certificate_end();
    std::future<void> begin_stop(std::chrono::milliseconds limit);
    void stop(std::chrono::milliseconds limit = std::chrono::seconds(5));
    // Waits up to 5 s for that number of connections.
    bool comes_to(std::size_t connections);

    Metrics metrics;
    std::atomic<int> cancelled = 0;  // handlers and streams that were cancelled
    std::atomic<int> handled = 0;

private:
    boost::asio::awaitable<http::Response> handle(net::Request& request);
    boost::asio::awaitable<http::Response> with_body(net::Request& request);
    boost::asio::awaitable<http::Response> wait_long(net::Request& request);
    http::Response file(const net::Request& request);
    http::Response stream(const net::Request& request);
    template <class Function>
    auto on_loop(Function function);

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::unique_ptr<net::Server> server_;
    Result<void> started_;
    unsigned short port_ = 0;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

}  // namespace berth::test
