// One connected socket, plain or TLS, that never blocks: an operation moves what it can, and the
// caller waits for readiness when it says so. TLS works on the socket itself, so that bytes are
// copied once only.
//
// Threads: the loop's. Lifetime: outlives every wait on it.
#pragma once

#include "base/files.hpp"
#include "net/pace.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

namespace berth::net {

using SocketDescriptor =
    boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
using SteadyTime = std::chrono::steady_clock::time_point;

enum class IoStatus { done, needs_read, needs_write, end, failed };

struct IoResult {
    IoStatus status = IoStatus::failed;
    std::size_t bytes = 0;
};

class Transport {
public:
    Transport(boost::asio::io_context& loop, Descriptor socket, TlsSession tls)
        : descriptor_(loop, socket.release()), tls_(std::move(tls)) {}

    bool is_tls() const { return tls_ != nullptr; }
    IoResult handshake();
    IoResult read(std::span<char> room);
    // `more`: further bytes follow at once, so a short segment should wait for them.
    IoResult write(std::string_view data, bool more);
    // Plain only. Moves `offset` on.
    IoResult send_file(int file, std::uint64_t& offset, std::size_t most);
    // TLS may hold bytes for which the socket will not become readable again.
    bool has_pending() const { return tls_ && SSL_has_pending(tls_.get()) == 1; }

    // Waits for what an operation needs. False: the deadline passed, the peer was too slow, or
    // the wait was cancelled.
    boost::asio::awaitable<bool> wait(IoStatus need, SteadyTime deadline);
    boost::asio::awaitable<bool> wait(IoStatus need, Pace& pace);
    bool expired() const { return expired_; }  // why the last wait returned false

    // Ends waits whose deadline has passed; the server calls it a few times a second. This is
    // the only timer of a connection.
    void check(SteadyTime now);
    void cancel();

    template <class Callback>
    void on_readable(Callback callback) {
        descriptor_.async_wait(SocketDescriptor::wait_read, std::move(callback));
    }

    void send_close_notify();
    void shutdown_send();
    bool discard_input(std::size_t most);  // false: end or error; true: nothing more for now
    void close();
    void reset();  // close() with RST, so that no client takes what it has for the whole

    std::uint64_t received() const { return received_; }
    std::uint64_t sent() const { return sent_; }

private:
    IoResult tls_result(int result);

    SocketDescriptor descriptor_;
    TlsSession tls_;
    SteadyTime deadline_ = SteadyTime::max();
    bool expired_ = false;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
};

}  // namespace berth::net
