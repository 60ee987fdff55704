#include "cache/fetch.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::cache {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds stalled_after{4};  // the client gives up after 5 s

Result<std::unique_ptr<NewObject>> create_with(Files* files, std::string first) {
    auto made = files->create();
    if (made)
        if (auto written = (*made)->write(first); !written)
            return written.error();
    return made;
}

Result<void> write_piece(NewObject* file, std::string piece) {
    return file->write(piece);
}

}  // namespace

Fetch::Fetch(asio::io_context& loop, const ContentId& id)
    : id_(id),
      hash_(id.algorithm),
      progressed_(std::chrono::steady_clock::now()),
      change_(loop, asio::steady_timer::time_point::max()) {}

bool Fetch::is_stalled() const {
    return state_ == State::running &&
           std::chrono::steady_clock::now() - progressed_ >= stalled_after;
}

asio::awaitable<void> Fetch::changed() {
    co_await change_.async_wait(as_result);
}

std::uint64_t Fetch::available() const {
    if (state_ == State::verified)
        return size_;
    return state_ == State::running && streams_ && !held_ && size_ > 0 ? size_ - 1 : 0;
}

Result<std::string> Fetch::read(std::uint64_t offset, std::size_t most) const {
    const auto end = std::min<std::uint64_t>(available(), offset + most);
    if (offset >= end)
        return std::string();
    const auto count = static_cast<std::size_t>(end - offset);
    if (file_size_ == 0)
        return (whole_ ? *whole_ : buffer_).substr(static_cast<std::size_t>(offset), count);
    std::string piece(count, '\0');
    const auto got =
        ::pread(reading_.get(), piece.data(), piece.size(), static_cast<off_t>(offset));
    if (got < 0 || static_cast<std::size_t>(got) != count)
        return system_error("read a cached object", errno);
    return piece;
}

Async<void> Fetch::add(std::string piece, asio::thread_pool& disk, Files& files) {
    hash_.update(piece);
    const auto bytes = piece.size();
    if (file_size_ == 0 && buffer_.size() + bytes <= whole_bytes_max) {
        buffer_ += piece;
    } else if (file_size_ == 0) {
        auto first = buffer_ + piece;
        auto made = co_await offload(disk, create_with, &files, std::move(first));
        if (!made)
            co_return made.error();
        file_ = std::move(*made);
        reading_ = Descriptor(::fcntl(file_->descriptor(), F_DUPFD_CLOEXEC, 0));
        file_size_ = size_ + bytes;
        buffer_ = std::string();
    } else {
        auto written = co_await offload(disk, write_piece, file_.get(), std::move(piece));
        if (!written)
            co_return written;
        file_size_ += bytes;
    }
    size_ += bytes;
    progressed_ = std::chrono::steady_clock::now();
    streams_ = streams_ || file_size_ > 0;
    if (streams_)
        tell();
    co_return Result<void>();
}

void Fetch::stream_now() {
    streams_ = true;
    tell();
}

void Fetch::release() {
    held_ = false;
    tell();
}

void Fetch::verified() {
    state_ = State::verified;
    length_ = size_;
    if (file_size_ == 0)
        whole_ = std::make_shared<const std::string>(std::move(buffer_));
    tell();
}

void Fetch::cut() {
    state_ = State::cut;
    tell();
}

void Fetch::fail(int status) {
    state_ = State::failed;
    status_ = status;
    tell();
}

}  // namespace berth::cache
