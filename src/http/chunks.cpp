#include "http/framing.hpp"

#include "http/characters.hpp"

#include <algorithm>

namespace berth::http {

namespace {

// 15 hex digits are below 2^60: no sum of sizes can overflow.
constexpr std::size_t size_digits_max = 15;

GateError refuse(std::string reason) {
    return GateError{400, std::move(reason)};
}

}  // namespace

std::optional<GateError> ChunkDecoder::take_size_line(std::string_view input, Step& step) {
    std::size_t digits = 0;
    std::uint64_t size = 0;
    for (; digits < input.size() && hex_digit(input[digits]) >= 0; ++digits) {
        if (digits == size_digits_max)
            return refuse("a chunk size is too large");
        size = size * 16 + static_cast<std::uint64_t>(hex_digit(input[digits]));
    }
    if (digits == input.size())
        return {};
    if (digits == 0)
        return refuse("a chunk size is not a hex number");
    std::size_t end = digits;
    if (input[end] == ';') {
        // Only bytes that a field value may have: no quoting hides a line end.
        while (end < input.size() && value_bytes[static_cast<unsigned char>(input[end])])
            ++end;
        if (end - digits > settings_.chunk_extension_bytes_max)
            return refuse("a chunk extension is too long");
    }
    if (end == input.size())
        return {};
    if (input[end] != '\r' || (end + 1 < input.size() && input[end + 1] != '\n'))
        return refuse("a chunk size line is ill-formed");
    if (end + 1 == input.size())
        return {};
    step.used += end + 2;
    left_ = size;
    state_ = size == 0 ? State::last_line : State::data;
    return {};
}

// The CRLF after data, and the one that ends the body.
std::optional<GateError> ChunkDecoder::take_line_end(std::string_view input, State next,
                                                     Step& step) {
    if (input[0] != '\r' || (input.size() > 1 && input[1] != '\n'))
        return refuse(next == State::done ? "there is a trailer field"
                                          : "chunk data is longer than its size");
    if (input.size() > 1) {
        step.used += 2;
        state_ = next;
    }
    return {};
}

std::optional<GateError> ChunkDecoder::take(std::string_view input, std::size_t data_max,
                                            Step& step) {
    switch (state_) {
        case State::size_line:
            return take_size_line(input, step);
        case State::data: {
            const auto room = std::min<std::uint64_t>(left_, data_max - step.data.size());
            const auto part = input.substr(0, static_cast<std::size_t>(room));
            step.data += part;
            step.used += part.size();
            left_ -= part.size();
            if (left_ == 0)
                state_ = State::data_end;
            return {};
        }
        case State::data_end:
            return take_line_end(input, State::size_line, step);
        case State::last_line:
            return take_line_end(input, State::done, step);
        case State::done:
            return {};
    }
    return {};
}

ChunkDecoder::Step ChunkDecoder::feed(std::string_view input, std::size_t data_max) {
    Step step;
    while (!step.error && step.used < input.size()) {
        const auto used = step.used;
        const auto state = state_;
        step.error = take(input.substr(used), data_max, step);
        if (step.used == used && state_ == state)
            break;  // more input or more room is needed
    }
    step.done = done();
    return step;
}

}  // namespace berth::http
