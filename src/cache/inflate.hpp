// zlib streams (RFC 1950) with a limit.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace berth::cache {

// Errors: invalid (damaged, cut off, or with bytes after its end), too_large (the limit holds
// while it is unpacked, so a small object cannot become a large one).
Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max);

// The same for what is too large for memory: `read` gives the next piece, "" at the end, and
// `write` takes the unpacked ones. How many bytes were written. Errors: theirs, too.
Result<std::uint64_t> inflate(const std::function<Result<std::string_view>()>& read,
                              const std::function<Result<void>(std::string_view)>& write,
                              std::uint64_t bytes_max);

}  // namespace berth::cache
