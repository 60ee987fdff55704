#include "cache/inflate.hpp"

#include <zlib.h>

namespace berth::cache {

namespace {

constexpr std::size_t step_bytes = 64U << 10U;

class Stream {
public:
    Stream() { ready_ = inflateInit(&stream_) == Z_OK; }
    ~Stream() { inflateEnd(&stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    bool ready() const { return ready_; }
    z_stream& get() { return stream_; }
    void give(std::string_view bytes) {
        // zlib does not write to its input; its interface predates const.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
    }

private:
    z_stream stream_ = {};
    bool ready_ = false;
};

Error over(std::uint64_t bytes_max) {
    return {ErrorKind::too_large,
            "the unpacked object is over " + std::to_string(bytes_max) + " bytes"};
}

Error damaged() {
    return {ErrorKind::invalid, "the zlib stream is damaged or cut off"};
}

Error bytes_after_end() {
    return {ErrorKind::invalid, "there are bytes after the end of the zlib stream"};
}

// Unpacks all of the input that the stream has been given; the state of zlib after it.
Result<int> unpack_given(z_stream& stream,
                         const std::function<Result<void>(std::string_view)>& write) {
    std::string piece(step_bytes, '\0');
    int state = Z_OK;
    do {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        state = ::inflate(&stream, Z_NO_FLUSH);
        // Z_BUF_ERROR: the call before took and gave exactly what there was.
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return damaged();
        const auto count = piece.size() - stream.avail_out;
        if (const auto done = write(std::string_view(piece).substr(0, count)); !done)
            return done.error();
    } while (state != Z_STREAM_END && stream.avail_out == 0);
    if (state == Z_STREAM_END && stream.avail_in != 0)
        return bytes_after_end();
    return state;
}

}  // namespace

Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max) {
    std::string result;
    const auto read = [&]() -> Result<std::string_view> {
        const auto piece = bytes.substr(0, step_bytes);
        bytes.remove_prefix(piece.size());
        return piece;
    };
    const auto write = [&](std::string_view text) -> Result<void> {
        result += text;
        return {};
    };
    const auto unpacked = inflate(read, write, bytes_max);
    if (!unpacked)
        return unpacked.error();
    return result;
}

Result<std::uint64_t> inflate(const std::function<Result<std::string_view>()>& read,
                              const std::function<Result<void>(std::string_view)>& write,
                              std::uint64_t bytes_max) {
    Stream owner;
    if (!owner.ready())
        return Error{ErrorKind::unavailable, "zlib has no memory"};
    std::uint64_t written = 0;
    const auto put = [&](std::string_view bytes) -> Result<void> {
        written += bytes.size();
        return written > bytes_max ? over(bytes_max) : write(bytes);
    };
    int state = Z_OK;
    for (;;) {
        const auto more = read();
        if (!more)
            return more.error();
        if (more->empty())
            break;
        if (state == Z_STREAM_END)
            return bytes_after_end();
        owner.give(*more);
        const auto reached = unpack_given(owner.get(), put);
        if (!reached)
            return reached.error();
        state = *reached;
    }
    if (state != Z_STREAM_END)
        return damaged();
    return written;
}

}  // namespace berth::cache
