// JSON from outside, read strictly.
//
// Refused is whatever two readers could take in two ways or what could exhaust this one: a member
// named twice in one object (also in escaped form), a byte order mark, text after the value, NUL
// and other control bytes, ill-formed UTF-8, integers that fit neither 64-bit type, and nesting
// beyond a limit. nlohmann-json 3.11 by itself keeps the last duplicate, has no depth limit and
// copies and prints by recursion.
#pragma once

#include "base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string_view>

namespace berth {

// The value of `text`. `depth_max` counts open objects and arrays: "[]" has depth 1. The length
// of `text` is for the caller to limit.
// Errors: invalid, or unprocessable for an integer that no type holds; `message` says what is
// wrong and where (line and column, or the member), `field` is the JSON pointer of the place when
// it is inside the value.
Result<nlohmann::json> parse_strict_json(std::string_view text, std::size_t depth_max);

}  // namespace berth
