// Range requests for one range (RFC 9110 section 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::http {

struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t length = 0;
};

enum class RangeVerdict {
    whole,          // no range, an unknown unit, several ranges or an ill-formed one: send all
    partial,        // 206 with `range`
    unsatisfiable,  // 416
};

struct RangeAnswer {
    RangeVerdict verdict = RangeVerdict::whole;
    ByteRange range = {};
};

// `size` is the present size of what is asked for.
RangeAnswer read_range(std::string_view field_value, std::uint64_t size);

}  // namespace berth::http
