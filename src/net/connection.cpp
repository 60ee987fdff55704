#include "net/connection.hpp"

#include "base/log.hpp"
#include "http/problem.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace berth::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t head_receive_bytes = 4096;
constexpr unsigned pipeline_turn = 16;  // then other connections get their turn
constexpr std::size_t linger_bytes_max = 1U << 20U;
constexpr auto linger_time = std::chrono::seconds(2);

http::Response failure_response(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return http::problem(Error{ErrorKind::internal, error.what()});
    } catch (...) {
        return http::problem(Error{ErrorKind::internal, "an unknown exception"});
    }
}

}  // namespace

asio::awaitable<void> Connection::run() {
    const bool open = co_await handshake();
    if (!open) {
        transport_.close();
        co_return;
    }
    for (bool more = true; more;)
        more = co_await serve_one();
    co_await finish();
}

asio::awaitable<bool> Connection::handshake() {
    const auto deadline = std::chrono::steady_clock::now() + server_.settings.handshake_timeout;
    while (transport_.is_tls()) {
        const auto result = transport_.handshake();
        if (result.status == IoStatus::done)
            break;
        if (result.status == IoStatus::end || result.status == IoStatus::failed)
            co_return false;
        const bool ready = co_await transport_.wait(result.status, deadline);
        if (!ready)
            co_return false;
    }
    co_return true;
}

asio::awaitable<bool> Connection::serve_one() {
    auto head = co_await next_head();
    if (!head)
        co_return false;
    BodyReader body(transport_, input_, head->head, server_.settings);
    Request request;
    request.head = std::move(head->head);
    request.form = head->form;
    request.authority = std::move(head->authority);
    request.peer = peer_.address;
    request.peer_uid = peer_.uid;
    request.body = &body;
    body_ = &body;
    auto response = co_await answer(request);
    bool more = false;
    if (response)
        more = co_await reply(request.head, *response, body);
    body_ = nullptr;
    co_return more;
}

// The next request's head; nothing when the connection is over (a refusal was answered).
asio::awaitable<std::optional<http::GateHead>> Connection::next_head() {
    const auto& settings = server_.settings;
    phase_ = input_.empty() ? Phase::idle : Phase::head;
    input_.shrink();
    std::size_t seen = 0;
    auto deadline = std::chrono::steady_clock::now() +
                    (phase_ == Phase::idle ? settings.idle_timeout : settings.head_timeout);
    for (;;) {
        // The gate looks again when a line has been completed, not at each byte of a slow peer.
        const auto view = input_.view();
        if (view.find('\n', seen) != view.npos || view.size() >= settings.gate.head_bytes_max) {
            auto result = http::read_head(view, settings.gate);
            if (result.head) {
                input_.consume(result.head->bytes);
                co_return std::move(result.head);
            }
            if (result.error) {
                auto response =
                    http::problem(result.error->status, "invalid", result.error->reason);
                log::debug("request_refused", {{"listener", settings.name},
                                               {"peer", peer_.address},
                                               {"reason", result.error->reason}});
                co_await refuse(std::move(response));
                co_return std::nullopt;
            }
        }
        seen = view.size();
        if (server_.draining && phase_ == Phase::idle)
            co_return std::nullopt;
        const bool received = co_await receive_head_bytes(deadline);
        if (!received)
            co_return std::nullopt;
        if (phase_ == Phase::idle) {
            phase_ = Phase::head;
            deadline = std::chrono::steady_clock::now() + settings.head_timeout;
        }
    }
}

// At least one more byte. Answers a head that takes too long with 408.
asio::awaitable<bool> Connection::receive_head_bytes(SteadyTime deadline) {
    // Between requests there is rarely anything to read yet: wait first, unless TLS holds bytes.
    bool wait_first = !transport_.has_pending();
    for (;;) {
        auto need = IoStatus::needs_read;
        if (!wait_first) {
            const auto got = transport_.read(input_.room(head_receive_bytes));
            if (got.status == IoStatus::done) {
                input_.added(got.bytes);
                co_return true;
            }
            if (got.status == IoStatus::end || got.status == IoStatus::failed)
                co_return false;
            need = got.status;
        }
        wait_first = false;
        served_in_turn_ = 0;
        const bool ready = co_await transport_.wait(need, deadline);
        if (ready)
            continue;
        if (transport_.expired() && phase_ == Phase::head) {
            auto response = http::problem(408, "invalid", "the request head came too slowly");
            co_await refuse(std::move(response));
        }
        co_return false;
    }
}

// Answers what has no acceptable head and ends the connection.
asio::awaitable<void> Connection::refuse(http::Response response) {
    phase_ = Phase::writing;
    Framing framing;
    framing.options.date = server_.date;
    framing.options.keep_alive = false;
    framing.options.length = static_cast<std::int64_t>(std::get<std::string>(response.body).size());
    const bool wrote = co_await writer_.write(response, framing);
    ending_ = wrote ? Ending::linger : Ending::close;
}

// The handler's response; nothing when the peer has left or the server kills.
asio::awaitable<std::optional<http::Response>> Connection::answer(Request& request) {
    std::optional<http::Response> response;
    std::exception_ptr failure;
    phase_ = Phase::handler;
    waiting_ticks_ = 0;
    pipelined_ = !input_.empty();
    try {
        auto made = co_await server_.handler(request);
        response.emplace(std::move(made));
    } catch (...) {
        failure = std::current_exception();
    }
    phase_ = Phase::writing;
    if (std::exchange(cancelled_, false))
        co_await asio::this_coro::reset_cancellation_state();
    if (abandoned_) {
        ending_ = Ending::reset;
        co_return std::nullopt;
    }
    if (failure)
        response.emplace(failure_response(failure));
    co_return response;
}

// Sends the response. True if the connection goes on.
asio::awaitable<bool> Connection::reply(const http::RequestHead& request, http::Response& response,
                                        BodyReader& body) {
    const bool may_go_on = request.keep_alive && !response.close && !server_.draining;
    auto framing = choose_framing(response, request, may_go_on && body.can_be_dropped());
    framing.options.date = server_.date;
    const bool sent = co_await send(response, framing);
    if (!sent) {
        ending_ = Ending::reset;
        co_return false;
    }
    bool more = framing.options.keep_alive;
    if (more && !body.complete())
        more = co_await body.drop();
    if (!more)
        ending_ = body.complete() && input_.empty() ? Ending::close : Ending::linger;
    if (more && ++served_in_turn_ >= pipeline_turn) {
        served_in_turn_ = 0;
        co_await asio::post(asio::use_awaitable);
    }
    co_return more;
}

asio::awaitable<bool> Connection::send(const http::Response& response, const Framing& framing) {
    const bool wrote = co_await writer_.write(response, framing);
    const auto* stream = std::get_if<std::shared_ptr<http::Stream>>(&response.body);
    if (!wrote || stream == nullptr || !framing.has_body)
        co_return wrote;
    co_return co_await send_stream(**stream, framing);
}

// Ends the connection so that the peer can read the last response: closing a socket with unread
// input sends RST, which makes the peer's system drop what it has received (RFC 9112 9.6).
asio::awaitable<void> Connection::finish() {
    if (ending_ == Ending::reset) {
        transport_.reset();
        co_return;
    }
    transport_.send_close_notify();
    if (ending_ == Ending::linger) {
        transport_.shutdown_send();
        const auto deadline = std::chrono::steady_clock::now() + linger_time;
        while (transport_.discard_input(linger_bytes_max)) {
            const bool ready = co_await transport_.wait(IoStatus::needs_read, deadline);
            if (!ready)
                break;
        }
    }
    transport_.close();
}

}  // namespace berth::net
