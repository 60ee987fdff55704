// What happens to a connection from outside its coroutine: ticks, the watch for a peer that
// leaves, drain and kill; and the streams that these may end.
#include "base/log.hpp"
#include "net/connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace berth::net {

namespace asio = boost::asio;

namespace {

// A handler that has waited this many ticks gets its peer watched; quick ones never pay for it.
constexpr int ticks_before_watch = 1;
constexpr std::size_t watch_receive_bytes = 4096;

void log_failure(const std::exception_ptr& failure, std::string_view event,
                 const ServerContext& server) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted)
            log::error(event, {{"listener", server.settings.name}, {"error", error.what()}});
    } catch (const std::exception& error) {
        log::error(event, {{"listener", server.settings.name}, {"error", error.what()}});
    } catch (...) {
        log::error(event, {{"listener", server.settings.name}, {"error", "unknown exception"}});
    }
}

}  // namespace

Connection::Connection(asio::io_context& loop, const ServerContext& server, Descriptor socket,
                       TlsSession tls, Peer peer)
    : loop_(loop),
      server_(server),
      transport_(loop, std::move(socket), std::move(tls)),
      peer_(std::move(peer)),
      writer_(transport_, server.settings) {}

void Connection::start(std::function<void()> ended) {
    ended_ = std::move(ended);
    auto done = [this](std::exception_ptr failure) { this->ended(std::move(failure)); };
    asio::co_spawn(loop_, run(), asio::bind_cancellation_slot(signal_.slot(), std::move(done)));
}

void Connection::ended(std::exception_ptr failure) {
    if (failure)
        log_failure(failure, "connection_failed", server_);
    finished_ = true;
    transport_.close();  // ends the watch, whose callback refers to this
    // From a turn of the loop of its own: an emit() may be on the stack that refers to this.
    if (!watching_)
        asio::post(loop_, std::exchange(ended_, nullptr));
}

std::uint64_t Connection::take_received() {
    return transport_.received() - std::exchange(reported_received_, transport_.received());
}

std::uint64_t Connection::take_sent() {
    return transport_.sent() - std::exchange(reported_sent_, transport_.sent());
}

void Connection::tick(SteadyTime now) {
    transport_.check(now);
    const bool waits = phase_ == Phase::handler || phase_ == Phase::stream;
    if (!waits || watching_ || pipelined_ || finished_ || body_ == nullptr || !body_->complete())
        return;
    if (waiting_ticks_++ >= ticks_before_watch)
        watch();
}

void Connection::watch() {
    watching_ = true;
    transport_.on_readable([this](boost::system::error_code error) {
        watching_ = false;
        watched(error.failed());
    });
}

// The socket became readable while a handler or stream waits, or some time after that.
void Connection::watched(bool failed) {
    if (finished_) {
        std::exchange(ended_, nullptr)();
        return;
    }
    const bool waits = phase_ == Phase::handler || phase_ == Phase::stream;
    if (failed || !waits || body_ == nullptr || !body_->complete())
        return;
    const auto got = transport_.read(input_.room(watch_receive_bytes));
    if (got.status == IoStatus::done) {
        input_.added(got.bytes);
        pipelined_ = true;
    } else if (got.status == IoStatus::end || got.status == IoStatus::failed) {
        abandoned_ = true;
        cancel_coroutine();
    }
}

void Connection::cancel_coroutine() {
    cancelled_ = true;
    signal_.emit(asio::cancellation_type::terminal);
}

void Connection::drain() {
    if (phase_ == Phase::idle)
        transport_.cancel();
    else if (phase_ == Phase::stream && stream_ != nullptr && stream_->endless())
        cancel_coroutine();
}

void Connection::kill() {
    abandoned_ = true;
    transport_.cancel();
    if (phase_ == Phase::handler || phase_ == Phase::stream)
        cancel_coroutine();
}

asio::awaitable<bool> Connection::send_stream(http::Stream& stream, const Framing& framing) {
    const bool has_length = framing.options.length >= 0;
    auto left = static_cast<std::uint64_t>(has_length ? framing.options.length : 0);
    for (;;) {
        auto data = co_await next_piece(stream);
        if (!data || (has_length && data->size() > left))
            co_return false;
        if (data->empty())
            break;
        left -= has_length ? data->size() : 0;
        const bool wrote = co_await writer_.piece(*data, framing.options.chunked);
        if (!wrote)
            co_return false;
    }
    if (!framing.options.chunked)
        co_return left == 0;
    const std::string end;
    co_return co_await writer_.piece(end, true);
}

// The next piece, "" at the end, nothing when the body cannot be completed.
asio::awaitable<std::optional<std::string>> Connection::next_piece(http::Stream& stream) {
    if (server_.draining && stream.endless())
        co_return std::string();
    std::optional<std::string> piece;
    std::exception_ptr failure;
    phase_ = Phase::stream;
    stream_ = &stream;
    waiting_ticks_ = 0;
    try {
        auto made = co_await stream.next();
        piece.emplace(std::move(made));
    } catch (...) {
        failure = std::current_exception();
    }
    phase_ = Phase::writing;
    stream_ = nullptr;
    if (std::exchange(cancelled_, false))
        co_await asio::this_coro::reset_cancellation_state();
    if (abandoned_)
        co_return std::nullopt;
    if (failure && server_.draining && stream.endless())
        co_return std::string();
    if (failure)
        log_failure(failure, "stream_failed", server_);
    co_return piece;
}

}  // namespace berth::net
