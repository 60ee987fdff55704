// One content object on its way from the servers: what it has so far, for all who wait for it.
//
// Bytes that were sent cannot be taken back. So a small body is given out when it is verified; of
// a larger one everything but the last byte before that. When the hash turns out wrong, this fetch
// is cut: who has had bytes of it must be cut as well, and another fetch follows.
//
// Threads: the control loop. Lifetime: shared by the fetcher and those who wait.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "cache/content.hpp"
#include "cache/files.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace berth::cache {

// Up to this size a body is verified before its first byte goes out.
inline constexpr std::uint64_t whole_bytes_max = 256U << 10U;

class Fetch {
public:
    enum class State {
        running,
        verified,
        cut,     // the bytes were wrong; another fetch of the object follows
        failed,  // no server gave it: `status` for the client
    };

    Fetch(boost::asio::io_context& loop, const ContentId& id);

    State state() const { return state_; }
    int status() const { return status_; }
    std::optional<std::uint64_t> length() const { return length_; }
    std::uint64_t size() const { return size_; }
    // Bytes that may be given out by now: none of a small body before it is verified, unless that
    // takes long.
    std::uint64_t available() const;
    bool streams() const { return available() > 0 || state_ == State::verified; }
    // No byte has come for so long that who waits gives up soon: better sent elsewhere now.
    bool is_stalled() const;
    // At most `most` of these from `offset` on. Errors: unavailable (the file cannot be read).
    Result<std::string> read(std::uint64_t offset, std::size_t most) const;
    // A verified body that is small enough to be in memory; else null.
    std::shared_ptr<const std::string> whole() const { return whole_; }
    // Returns at the next change, or after a while without one.
    boost::asio::awaitable<void> changed();

    // ---- for the fetcher
    void expect(std::optional<std::uint64_t> length) { length_ = length; }
    Async<void> add(std::string piece, boost::asio::thread_pool& disk, Files& files);
    bool is_right() const { return hash_.value() == id_; }
    // Like a small one: an earlier fetch of this object was cut, and who asks again must not be
    // cut twice.
    void hold_back() { held_ = true; }
    // From now on it is given out while it arrives, however small it is.
    void stream_now();
    void release();
    void tell() { change_.cancel(); }
    void verified();
    void cut();
    void fail(int status);
    std::unique_ptr<NewObject> take_file() { return std::move(file_); }
    const std::string& buffer() const { return buffer_; }
    bool in_file() const { return file_size_ > 0; }
    int waiting = 0;  // clients

private:
    ContentId id_;
    ContentHash hash_;
    State state_ = State::running;
    int status_ = 0;
    std::optional<std::uint64_t> length_ = {};
    bool streams_ = false, held_ = false;
    SteadyTime progressed_;
    std::uint64_t size_ = 0;
    std::string buffer_;  // the body while it is small
    std::shared_ptr<const std::string> whole_ = {};
    std::unique_ptr<NewObject> file_ = {};
    Descriptor reading_ = {};  // outlives the file's move into its place
    std::uint64_t file_size_ = 0;
    boost::asio::steady_timer change_;
};

}  // namespace berth::cache
