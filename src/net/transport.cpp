#include "net/transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace berth::net {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// The outcome of a system call on the socket.
IoResult socket_result(ssize_t result, IoStatus need) {
    if (result > 0)
        return {IoStatus::done, static_cast<std::size_t>(result)};
    if (result == 0)
        return {IoStatus::end, 0};
    return {errno == EAGAIN || errno == EINTR ? need : IoStatus::failed, 0};
}

int to_int(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

IoResult Transport::tls_result(int result) {
    if (result > 0)
        return {IoStatus::done, static_cast<std::size_t>(result)};
    switch (SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {IoStatus::needs_read, 0};
        case SSL_ERROR_WANT_WRITE:
            return {IoStatus::needs_write, 0};
        case SSL_ERROR_ZERO_RETURN:
            return {IoStatus::end, 0};
        default:
            return {IoStatus::failed, 0};
    }
}

IoResult Transport::handshake() {
    ERR_clear_error();
    return tls_result(SSL_do_handshake(tls_.get()));
}

IoResult Transport::read(std::span<char> room) {
    IoResult result;
    if (tls_) {
        ERR_clear_error();
        result = tls_result(SSL_read(tls_.get(), room.data(), to_int(room.size())));
    } else {
        result = socket_result(::recv(descriptor_.native_handle(), room.data(), room.size(), 0),
                               IoStatus::needs_read);
    }
    received_ += result.bytes;
    return result;
}

IoResult Transport::write(std::string_view data, bool more) {
    IoResult result;
    if (tls_) {
        ERR_clear_error();
        result = tls_result(SSL_write(tls_.get(), data.data(), to_int(data.size())));
    } else {
        const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
        result = socket_result(::send(descriptor_.native_handle(), data.data(), data.size(), flags),
                               IoStatus::needs_write);
    }
    sent_ += result.bytes;
    return result;
}

IoResult Transport::send_file(int file, std::uint64_t& offset, std::size_t most) {
    auto position = static_cast<off_t>(offset);
    const auto result = socket_result(
        ::sendfile(descriptor_.native_handle(), file, &position, most), IoStatus::needs_write);
    offset += result.bytes;
    sent_ += result.bytes;
    return result;
}

asio::awaitable<bool> Transport::wait(IoStatus need, SteadyTime deadline) {
    const auto type =
        need == IoStatus::needs_write ? SocketDescriptor::wait_write : SocketDescriptor::wait_read;
    deadline_ = deadline;
    expired_ = false;
    const auto [error] = co_await descriptor_.async_wait(type, as_result);
    deadline_ = SteadyTime::max();
    co_return !error;
}

asio::awaitable<bool> Transport::wait(IoStatus need, Pace& pace) {
    if (pace.too_slow()) {
        expired_ = true;
        co_return false;
    }
    const auto begin = std::chrono::steady_clock::now();
    const bool ready = co_await wait(need, begin + pace.stall_timeout());
    pace.waited(std::chrono::steady_clock::now() - begin);
    co_return ready;
}

void Transport::check(SteadyTime now) {
    if (now < deadline_)
        return;
    deadline_ = SteadyTime::max();
    expired_ = true;
    cancel();
}

void Transport::cancel() {
    boost::system::error_code ignored;
    descriptor_.cancel(ignored);
}

void Transport::send_close_notify() {
    // One attempt: a peer that does not read its last record gets the end of the TCP stream.
    if (!tls_ || SSL_in_init(tls_.get()) != 0)
        return;
    ERR_clear_error();
    SSL_shutdown(tls_.get());
}

void Transport::shutdown_send() {
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
}

bool Transport::discard_input(std::size_t most) {
    char buffer[16384];
    for (std::size_t total = 0; total < most;) {
        const auto got = socket_result(
            ::recv(descriptor_.native_handle(), buffer, sizeof buffer, 0), IoStatus::needs_read);
        if (got.status != IoStatus::done)
            return got.status == IoStatus::needs_read;
        total += got.bytes;
    }
    return false;
}

void Transport::close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

void Transport::reset() {
    const linger none{1, 0};
    ::setsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close();
}

}  // namespace berth::net
