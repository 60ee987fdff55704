// zlib streams (RFC 1950) with a limit.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::cache {

// Errors: invalid (damaged, cut off, or with bytes after its end), too_large (the limit holds
// while it is unpacked, so a small object cannot become a large one).
Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max);

}  // namespace berth::cache
