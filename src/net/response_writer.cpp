#include "net/response_writer.hpp"

#include "base/text.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace berth::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t record_bytes = 16384;      // the largest TLS record
constexpr std::size_t buffer_bytes_max = 65536;  // what a connection keeps
constexpr std::size_t file_part_bytes = 1U << 20U;
constexpr std::size_t turn_bytes = 4U << 20U;  // then other connections get their turn

std::int64_t declared_length(const http::Response& response) {
    const auto text = response.headers.get("Content-Length");
    const auto length = to_number<std::int64_t>(text);
    return length && *length >= 0 ? *length : -1;
}

std::int64_t length_of(const http::Response& response) {
    if (const auto text = http::text_body(response))
        return static_cast<std::int64_t>(text->size());
    if (const auto* file = std::get_if<http::FileBody>(&response.body))
        return static_cast<std::int64_t>(file->length);
    return declared_length(response);
}

}  // namespace

Framing choose_framing(const http::Response& response, const http::RequestHead& request,
                       bool keep_alive) {
    Framing framing;
    auto& options = framing.options;
    options.keep_alive = keep_alive;
    options.length = length_of(response);
    const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
    framing.has_body = !bodiless && request.method != "HEAD";
    if (bodiless) {
        // 204 must not have a length (RFC 9110 section 8.6); 304 has it only from the handler.
        options.length = response.status == 304 ? declared_length(response) : -1;
        return framing;
    }
    // A handler of HEAD that knows the length without having the body may say so.
    const bool empty = http::text_body(response) && options.length == 0;
    if (request.method == "HEAD" && empty && declared_length(response) >= 0)
        options.length = declared_length(response);
    if (options.length >= 0)
        return framing;
    options.chunked = request.minor_version > 0;
    options.keep_alive = keep_alive && options.chunked;
    return framing;
}

asio::awaitable<bool> ResponseWriter::write(const http::Response& response,
                                            const Framing& framing) {
    Pace pace(settings_);
    buffer_.clear();
    http::append_head(buffer_, response, framing.options);
    const auto text = http::text_body(response);
    const auto* file = std::get_if<http::FileBody>(&response.body);
    std::string_view rest;
    if (framing.has_body && text) {
        // A small body goes into the head's segment and TLS record; of a large one that part
        // which fills the record.
        rest = *text;
        const auto part =
            std::min(rest.size(), record_bytes - std::min(buffer_.size(), record_bytes));
        buffer_ += rest.substr(0, part);
        rest.remove_prefix(part);
    }
    const bool sends_file = framing.has_body && file != nullptr && file->length > 0;
    const bool wrote = co_await write_all(buffer_, sends_file || !rest.empty(), pace);
    if (!wrote)
        co_return false;
    if (sends_file)
        co_return co_await write_file(*file, pace);
    co_return co_await write_all(rest, false, pace);
}

asio::awaitable<bool> ResponseWriter::piece(const std::string& data, bool chunked) {
    Pace pace(settings_);
    if (!chunked)
        co_return co_await write_all(data, false, pace);
    std::array<char, 20> size;
    const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
    if (buffer_.capacity() > buffer_bytes_max)
        buffer_ = std::string();
    buffer_.assign(size.data(), end);
    buffer_ += "\r\n";
    buffer_ += data;
    buffer_ += "\r\n";
    co_return co_await write_all(buffer_, false, pace);
}

asio::awaitable<bool> ResponseWriter::settle(IoResult put, std::size_t& turn, Pace& pace) {
    pace.moved(put.bytes);
    turn += put.bytes;
    if (put.status == IoStatus::end || put.status == IoStatus::failed)
        co_return false;
    if (put.status != IoStatus::done) {
        turn = 0;
        co_return co_await transport_.wait(put.status, pace);
    }
    if (turn >= turn_bytes) {
        turn = 0;
        co_await asio::post(asio::use_awaitable);
    }
    co_return true;
}

asio::awaitable<bool> ResponseWriter::write_all(std::string_view data, bool more, Pace& pace) {
    std::size_t turn = 0;
    while (!data.empty()) {
        const auto put = transport_.write(data, more);
        data.remove_prefix(put.bytes);
        const bool goes_on = co_await settle(put, turn, pace);
        if (!goes_on)
            co_return false;
    }
    co_return true;
}

asio::awaitable<bool> ResponseWriter::write_file(const http::FileBody& body, Pace& pace) {
    if (transport_.is_tls())
        co_return co_await write_file_tls(body, pace);
    auto offset = body.offset;
    const auto end = body.offset + body.length;
    std::size_t turn = 0;
    while (offset < end) {
        const auto most =
            static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, file_part_bytes));
        const auto put = transport_.send_file(body.file.get(), offset, most);
        const bool goes_on = co_await settle(put, turn, pace);
        if (!goes_on)
            co_return false;  // or the file has become shorter
    }
    co_return true;
}

asio::awaitable<bool> ResponseWriter::write_file_tls(const http::FileBody& body, Pace& pace) {
    std::string part(std::min<std::uint64_t>(body.length, 4 * record_bytes), '\0');
    auto offset = body.offset;
    const auto end = body.offset + body.length;
    for (std::size_t turn = 0; offset < end;) {
        const auto most = std::min<std::uint64_t>(part.size(), end - offset);
        const auto got = ::pread(body.file.get(), part.data(), static_cast<std::size_t>(most),
                                 static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            co_return false;
        const auto size = static_cast<std::size_t>(got);
        const bool wrote = co_await write_all(std::string_view(part.data(), size), false, pace);
        if (!wrote)
            co_return false;
        offset += size;
        turn += size;
        if (turn >= turn_bytes) {
            turn = 0;
            co_await asio::post(asio::use_awaitable);
        }
    }
    co_return true;
}

}  // namespace berth::net
