// One line of a head, as requests and responses have it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::http {

struct FieldLine {
    std::string_view name, value = {};
    const char* refusal = nullptr;  // why the line is not acceptable; then the rest is empty
};

// `line` without its CRLF, not empty. Refuses folded lines (RFC 9112 section 5.2), names that are
// no token, and values with control bytes. Only SP and HTAB around the value are removed.
FieldLine read_field_line(std::string_view line);

// The Content-Length of one field: plain digits, no leading zero, at most 18 of them, which keeps
// clear of every overflow.
std::optional<std::uint64_t> read_content_length(std::string_view value);

}  // namespace berth::http
