// Checks of single values by the form that a key declares.
#pragma once

#include "config/schema.hpp"

#include <string>
#include <string_view>

namespace berth::config {

// Reads `text` as `rule` says; a path is made absolute with `base_directory` (unless that is "").
// Returns "" when it is right, otherwise what is wrong and what to write instead.
std::string check_text(const Rule& rule, std::string& text, const std::string& base_directory);

// The name of an entry of a table: an environment variable or a long option.
std::string check_entry_name(Format format, std::string_view name);

// `show` writes a limit as the key's values are written.
std::string check_range(const Rule& rule, std::uint64_t value,
                        std::string (*show)(std::uint64_t value));

}  // namespace berth::config
