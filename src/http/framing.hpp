// The framing gate: the strict reader of request heads and chunked bodies.
//
// One parser decides where a message ends, and it refuses whatever two parsers could read in two
// ways (RFC 9112 sections 2, 3, 5, 6 and 7; the cases of Boost.Beast 1.81 that a proxy must not
// pass on are in tests/unit/http/framing_test.cpp). Pure functions of bytes; no I/O.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::http {

enum class TargetForm { origin, absolute, authority };

struct GateSettings {
    std::size_t head_bytes_max = 32768;  // request line and fields
    std::size_t target_bytes_max = 8192;
    std::size_t fields_max = 100;
    std::size_t chunk_extension_bytes_max = 256;  // of one chunk-size line
    // Methods that the listener accepts; any other is 501.
    std::string_view methods = "GET HEAD POST PUT DELETE";
    // Absolute-form and authority-form targets (the proxy listener, and ARC's client on the API).
    bool allow_absolute = true;
    bool allow_authority = false;
};

// A refusal: the connection is answered with `status` and closed.
struct GateError {
    int status = 400;    // 400, 414, 417, 431, 501 or 505
    std::string reason;  // for the log and the answer: names the rule, never echoes the bytes
};

struct GateHead {
    RequestHead head;
    TargetForm form = TargetForm::origin;
    std::string authority;  // of an absolute- or authority-form target, else of Host; the
                            // Host field is made equal to it
    std::size_t bytes = 0;  // how much of the input the head took
};

// What `input`, the bytes received so far, begins with.
struct GateResult {
    std::optional<GateHead> head = {};    // a whole, acceptable head
    std::optional<GateError> error = {};  // a refusal
    // neither: more bytes are needed
};
GateResult read_head(std::string_view input, const GateSettings& settings);

// Decodes a chunked body. Refuses chunk sizes that are not plain hex digits, line ends other than
// CRLF, long extensions, and any trailer field.
class ChunkDecoder {
public:
    explicit ChunkDecoder(const GateSettings& settings) : settings_(settings) {}

    struct Step {
        std::size_t used = 0;  // bytes of the input that were taken
        std::string data = {};
        bool done = false;  // the last chunk and its empty line were read
        std::optional<GateError> error = {};
    };
    // Takes as much of `input` as possible, at most `data_max` bytes of data. An unfinished size
    // line is not taken: the caller feeds it again with what comes after it.
    Step feed(std::string_view input, std::size_t data_max);

    bool done() const { return state_ == State::done; }

private:
    enum class State { size_line, data, data_end, last_line, done };

    std::optional<GateError> take(std::string_view input, std::size_t data_max, Step& step);
    std::optional<GateError> take_size_line(std::string_view input, Step& step);
    std::optional<GateError> take_line_end(std::string_view input, State next, Step& step);

    GateSettings settings_;
    State state_ = State::size_line;
    std::uint64_t left_ = 0;
};

// Removes percent-encoding and refuses what could leave the path: "%00", ".." and "." segments
// (encoded or not), "%2f", backslashes, control bytes, ill-formed escapes and ill-formed UTF-8.
std::optional<std::string> decode_path(std::string_view encoded);

}  // namespace berth::http
