// The decoder must give the same data, end and verdict however its input is split and however
// little is asked for at a time.
#include "http/framing.hpp"

#include <cstdlib>
#include <string>

namespace {

using namespace berth::http;

struct Outcome {
    std::string data;
    std::size_t used = 0;
    bool done = false;
    bool refused = false;

    bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view input, std::size_t step, std::size_t data_max) {
    ChunkDecoder decoder{GateSettings()};
    Outcome outcome;
    std::string buffer;
    for (std::size_t at = 0; at < input.size() && !outcome.done; at += step) {
        buffer += input.substr(at, step);
        for (;;) {
            const auto got = decoder.feed(buffer, data_max);
            if (got.data.size() > data_max || got.used > buffer.size())
                std::abort();
            outcome.data += got.data;
            outcome.used += got.used;
            outcome.done = got.done;
            outcome.refused = got.error.has_value();
            buffer.erase(0, got.used);
            if (outcome.refused)
                return outcome;
            if (got.used == 0 || got.done)
                break;
        }
        // What is held back is never more than one size line.
        if (!outcome.done && buffer.size() > GateSettings().chunk_extension_bytes_max + 20)
            std::abort();
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto at_once = decode(input, size + 1, 1U << 20U);
    auto bytewise = decode(input, 1, 1U << 20U);
    auto small = decode(input, 7, 3);
    if (at_once.refused)  // how much was taken before the refusal may differ
        bytewise.used = small.used = at_once.used;
    if (bytewise != at_once || small != at_once)
        std::abort();
    return 0;
}
