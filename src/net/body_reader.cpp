#include "net/body_reader.hpp"

#include <algorithm>

namespace berth::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t receive_bytes = 65536;
constexpr std::size_t reserve_bytes_max = 1U << 20U;  // a length is only a promise

}  // namespace

BodyReader::BodyReader(Transport& transport, InputBuffer& input, const http::RequestHead& head,
                       const ServerSettings& settings)
    : transport_(transport),
      input_(input),
      settings_(settings),
      pace_(settings),
      chunked_(head.chunked),
      continue_due_(head.expects_continue),
      chunks_(settings.gate),
      left_(head.content_length) {}

bool BodyReader::can_be_dropped() const {
    if (complete())
        return true;
    const bool waits = continue_due_ && input_.empty();
    return !failure_ && !waits && (chunked_ || left_ <= settings_.unread_bytes_max);
}

Error BodyReader::fail(ErrorKind kind, std::string message) {
    failure_.emplace(Error{kind, std::move(message)});
    return *failure_;
}

// What the received bytes give; "" when more must be received first.
Result<std::string> BodyReader::take(std::size_t most) {
    if (chunked_)
        return take_chunks(most);
    if (left_ > settings_.body_bytes_max)
        return fail(ErrorKind::too_large, "the request body is too large");
    const auto count = std::min({std::uint64_t{most}, left_, std::uint64_t{input_.size()}});
    std::string piece(input_.view().substr(0, static_cast<std::size_t>(count)));
    input_.consume(piece.size());
    left_ -= piece.size();
    return piece;
}

Result<std::string> BodyReader::take_chunks(std::size_t most) {
    auto step = chunks_.feed(input_.view(), most);
    input_.consume(step.used);
    total_ += step.data.size();
    if (step.error)
        return fail(ErrorKind::invalid, step.error->reason);
    if (total_ > settings_.body_bytes_max)
        return fail(ErrorKind::too_large, "the request body is too large");
    return std::move(step.data);
}

Async<std::string> BodyReader::read(std::size_t most) {
    for (;;) {
        if (failure_)
            co_return *failure_;
        if (complete() || most == 0)
            co_return std::string();
        auto piece = take(most);
        if (!piece || !piece->empty() || complete())
            co_return piece;
        if (continue_due_ && input_.empty()) {
            auto told = co_await send_continue();
            if (!told)
                co_return told.error();
        }
        auto received = co_await receive();
        if (!received)
            co_return received.error();
    }
}

Async<std::string> BodyReader::read_all(std::size_t most) {
    std::string all;
    if (!chunked_ && left_ > most)
        co_return Error{ErrorKind::too_large, "the request body is too large"};
    if (!chunked_)
        all.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(left_, reserve_bytes_max)));
    for (;;) {
        // One byte more than allowed tells "exactly at the limit" from "above it".
        auto piece = co_await read(std::min(receive_bytes, most - all.size() + 1));
        if (!piece)
            co_return piece;
        if (piece->empty())
            co_return all;
        all += *piece;
        if (all.size() > most)
            co_return Error{ErrorKind::too_large, "the request body is too large"};
    }
}

Async<void> BodyReader::receive() {
    for (;;) {
        // TLS hands out one record at a time, a plain socket as much as there is.
        const auto room = input_.room(receive_bytes);
        const auto got = transport_.read(room);
        if (got.status == IoStatus::done) {
            input_.added(got.bytes);
            pace_.moved(got.bytes);
            continue_due_ = false;
            co_return Result<void>();
        }
        if (got.status == IoStatus::end || got.status == IoStatus::failed)
            co_return fail(ErrorKind::invalid, "the request body was cut off");
        const bool ready = co_await transport_.wait(got.status, pace_);
        if (!ready)
            co_return fail(ErrorKind::slow_client, "the request body came too slowly");
    }
}

Async<void> BodyReader::send_continue() {
    continue_due_ = false;
    std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
    while (!text.empty()) {
        const auto put = transport_.write(text, false);
        text.remove_prefix(put.bytes);
        if (put.status == IoStatus::done)
            continue;
        if (put.status == IoStatus::end || put.status == IoStatus::failed)
            co_return fail(ErrorKind::invalid, "the client left");
        const bool ready = co_await transport_.wait(put.status, pace_);
        if (!ready)
            co_return fail(ErrorKind::slow_client, "the client does not read");
    }
    co_return Result<void>();
}

asio::awaitable<bool> BodyReader::drop() {
    for (std::size_t dropped = 0; !complete();) {
        auto piece = co_await read(receive_bytes);
        if (!piece)
            co_return false;
        dropped += piece->size();
        if (dropped > settings_.unread_bytes_max)
            co_return false;
    }
    co_return true;
}

}  // namespace berth::net
