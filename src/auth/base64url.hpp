// base64url as JOSE uses it (RFC 7515 section 2): no padding, no line ends, one text per value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::auth {

std::string encode_base64url(std::string_view bytes);

// Errors: nothing for padding, the standard alphabet, white space, a length of 4n+1, and
// trailing bits that are not zero (they would give one value several texts).
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace berth::auth
