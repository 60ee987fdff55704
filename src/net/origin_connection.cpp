#include "net/origin_connection.hpp"

#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cerrno>

namespace berth::net {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t receive_bytes = 128U << 10U;

Error failure(const std::string& server, std::string_view what, bool expired,
              const boost::system::error_code& error) {
    if (expired)
        return {ErrorKind::timed_out, server + ": " + std::string(what) + " took too long"};
    return {ErrorKind::unavailable, server + ": " + std::string(what) + ": " + error.message()};
}

}  // namespace

// Cancels what the socket waits for when the time is over.
class OriginConnection::Limit {
public:
    Limit(OriginConnection& connection, milliseconds limit) : connection_(connection) {
        connection.expired_ = false;
        connection.timer_.expires_after(limit);
        connection.timer_.async_wait([self = connection.self_](boost::system::error_code error) {
            if (error || *self == nullptr)
                return;
            (*self)->expired_ = true;
            boost::system::error_code ignored;
            (*self)->socket_.cancel(ignored);
        });
    }
    ~Limit() { connection_.timer_.cancel(); }
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

private:
    OriginConnection& connection_;
};

OriginConnection::OriginConnection(asio::io_context& loop, std::string server,
                                   std::shared_ptr<std::size_t> open)
    : socket_(loop),
      timer_(loop),
      server_(std::move(server)),
      open_(std::move(open)),
      self_(std::make_shared<OriginConnection*>(this)) {
    ++*open_;
}

OriginConnection::~OriginConnection() {
    --*open_;
    *self_ = nullptr;
}

Async<void> OriginConnection::connect(asio::ip::tcp::endpoint to, milliseconds limit) {
    const Limit within(*this, limit);
    const auto [error] = co_await socket_.async_connect(to, as_result);
    if (error)
        co_return failure(server_, "the connection", expired_, error);
    boost::system::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    co_return Result<void>();
}

Async<void> OriginConnection::write(std::string_view text, milliseconds limit) {
    const Limit within(*this, limit);
    const auto [error, bytes] =
        co_await asio::async_write(socket_, asio::buffer(text.data(), text.size()), as_result);
    if (error)
        co_return failure(server_, "the request", expired_, error);
    co_return Result<void>();
}

Async<bool> OriginConnection::receive(milliseconds limit) {
    const Limit within(*this, limit);
    const auto room = input_.room(receive_bytes);
    const auto [error, bytes] =
        co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), as_result);
    input_.added(bytes);
    if (error == asio::error::eof)
        co_return false;
    if (error)
        co_return failure(server_, "the answer", expired_, error);
    co_return true;
}

bool OriginConnection::is_quiet() {
    char byte = 0;
    const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return input_.empty() && got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace berth::net
