// Durations and sizes as people write them: "30s", "14d", "100MB", "2GiB".
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::config {

// A whole number and one of s, m, h, d; at most 100 years.
// Errors: invalid, with a message that says what to write.
Result<std::chrono::seconds> read_duration(std::string_view text);

// A whole number and one of B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of 1024).
// Errors: invalid, with a message that says what to write.
Result<std::uint64_t> read_size(std::string_view text);

// The shortest text that reads back as the same value.
std::string show_duration(std::chrono::seconds duration);
std::string show_size(std::uint64_t bytes);

}  // namespace berth::config
