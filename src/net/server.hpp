// The HTTP/1.1 server: TLS or plain, behind the framing gate.
//
// Every connection is one coroutine. Bodies are streamed both ways, slow and idle peers are cut,
// and everything is bounded by Settings. A response goes out in as few segments as possible and
// TCP_NODELAY is set, so that no answer waits for a delayed acknowledgement.
//
// Threads: one loop; handlers run on it. Lifetime: stop() must end before the server dies.
#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "base/tasks.hpp"
#include "http/framing.hpp"
#include "http/message.hpp"
#include "http/stream.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::net {

// The body of the request being served. The handler reads as much as it wants; what it leaves is
// dropped up to a limit, above that the connection is closed after the response.
class RequestBody {
public:
    virtual ~RequestBody() = default;
    // The next piece, at most `most` bytes; "" is the end.
    // Errors: invalid (bad framing, cut off), too_large (over the listener's body limit),
    // timed_out (slow peer).
    virtual Async<std::string> read(std::size_t most) = 0;
    // All of it. Errors: too_large when more than `most` bytes come.
    virtual Async<std::string> read_all(std::size_t most) = 0;
};

struct Request {
    http::RequestHead head;
    http::TargetForm form = http::TargetForm::origin;
    std::string authority;
    std::string peer;            // address without port, for logs and limits
    unsigned long peer_uid = 0;  // on a unix socket only
    std::map<std::string, std::string> parameters = {};  // of the route
    RequestBody* body = nullptr;                         // never null in a handler
};

using Handler = std::function<boost::asio::awaitable<http::Response>(Request&)>;

struct ServerSettings {
    std::string name;  // for logs and metrics: "api", "node", "observe", "admin"
    // "127.0.0.1:8443", "[::1]:8443" or "unix:/path". Port 0 picks a free one.
    std::vector<std::string> listen;
    // TLS when both are set (PEM files, chain first).
    std::string certificate_file;
    std::string key_file;
    http::GateSettings gate = {};
    std::uint64_t body_bytes_max = 1ULL << 40U;  // handlers set tighter limits of their own
    std::size_t connections_max = 4000;
    std::size_t connections_per_peer_max = 1000;
    std::chrono::seconds handshake_timeout{10};
    std::chrono::seconds head_timeout{15};   // from the first byte of a head to its last
    std::chrono::seconds idle_timeout{75};   // between requests
    std::chrono::seconds stall_timeout{30};  // without progress of a body, either way
    // A body, either way, that is slower than this over a window of waiting is cut.
    std::size_t slow_bytes_per_s_min = 100;
    std::chrono::seconds slow_window{60};
    std::size_t unread_bytes_max = 65536;  // what a handler left of a body and is still dropped
};

class Server {
public:
    Server(boost::asio::io_context& loop, ServerSettings settings, Handler handler,
           Metrics& metrics);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Opens the sockets and begins to accept.
    // Errors: invalid (address, certificate, key), unavailable (address in use).
    Result<void> start();
    // Loads certificate and key, maybe from other files, for new connections; the old ones stay on
    // failure.
    Result<void> reload_certificate(std::string certificate_file, std::string key_file);
    // Takes over the limits and time-outs of `settings`; connections that are open keep running
    // under them. Name, addresses and certificate files stay.
    void set_limits(const ServerSettings& settings);
    // The ports in the order of `listen` (0 for unix sockets); after start().
    std::vector<unsigned short> ports() const;
    // When the certificate in use ends; nothing without TLS.
    std::optional<std::chrono::system_clock::time_point> certificate_end() const;
    std::size_t connections() const;

    // Stops accepting; answers running requests with "Connection: close"; ends idle connections
    // at once and streams at their next piece; cancels what is left after `limit`.
    boost::asio::awaitable<void> stop(std::chrono::milliseconds limit);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace berth::net
