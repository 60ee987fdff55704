#include "cache/inflate.hpp"

#include <zlib.h>

#include <algorithm>

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

private:
    z_stream stream_ = {};
    bool ready_ = false;
};

}  // namespace

Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max) {
    Stream owner;
    if (!owner.ready() || bytes.size() > UINT32_MAX)
        return Error{ErrorKind::invalid, "zlib cannot unpack this"};
    auto& stream = owner.get();
    // zlib does not write to its input; its interface predates const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string result;
    for (int state = Z_OK; state != Z_STREAM_END;) {
        const auto filled = result.size();
        const auto room = std::min(step_bytes, bytes_max + 1 - filled);
        result.resize(filled + room);
        stream.next_out = reinterpret_cast<Bytef*>(result.data() + filled);
        stream.avail_out = static_cast<uInt>(room);
        state = ::inflate(&stream, Z_NO_FLUSH);
        result.resize(filled + room - stream.avail_out);
        if (result.size() > bytes_max)
            return Error{ErrorKind::too_large,
                         "the unpacked object is over " + std::to_string(bytes_max) + " bytes"};
        const bool stuck = stream.avail_in == 0 && stream.avail_out > 0;
        if (state != Z_STREAM_END && (state != Z_OK || stuck))
            return Error{ErrorKind::invalid, "the zlib stream is damaged or cut off"};
    }
    if (stream.avail_in != 0)
        return Error{ErrorKind::invalid, "there are bytes after the end of the zlib stream"};
    return result;
}

}  // namespace berth::cache
