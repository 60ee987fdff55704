// Feeds a chunked body to the decoder in pieces, as a connection would.
#pragma once

#include "http/framing.hpp"

#include <string>
#include <string_view>

namespace berth::test {

struct DecodedChunks {
    std::string data;
    std::size_t used = 0;
    bool done = false;
    bool refused = false;
    // The decoder gave more than was asked for, used more than there was, or left more than one
    // size line to its caller.
    bool broke_limits = false;

    bool operator==(const DecodedChunks&) const = default;
};

inline DecodedChunks decode_chunks(std::string_view body, std::size_t step,
                                   std::size_t data_max = 1U << 20U) {
    const http::GateSettings settings;
    http::ChunkDecoder decoder{settings};
    DecodedChunks outcome;
    std::string buffer;
    for (std::size_t at = 0; at < body.size() && !outcome.done; at += step) {
        buffer += body.substr(at, step);
        for (bool goes_on = true; goes_on;) {
            const auto got = decoder.feed(buffer, data_max);
            if (got.data.size() > data_max || got.used > buffer.size())
                outcome.broke_limits = true;
            outcome.data += got.data;
            outcome.used += got.used;
            outcome.done = got.done;
            outcome.refused = got.error.has_value();
            buffer.erase(0, got.used);
            if (outcome.refused || outcome.broke_limits)
                return outcome;
            goes_on = got.used > 0 && !got.done;
        }
        if (!outcome.done && buffer.size() > settings.chunk_extension_bytes_max + 20)
            outcome.broke_limits = true;
    }
    return outcome;
}

}  // namespace berth::test
