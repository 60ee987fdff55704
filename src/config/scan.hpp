// A look at the text before the TOML library reads it: what would harm the library is refused.
#pragma once

#include "config/document.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace berth::config {

struct Refusal {
    Position position;
    std::string message;
};

// toml++ 3.3 walks nested tables by recursion without a limit on the parts of a dotted key, so the
// length of a line is limited; and it runs into undefined behaviour at most non-ASCII characters
// outside of texts and comments (is_non_ascii_horizontal_whitespace), where TOML permits none.
std::optional<Refusal> scan(std::string_view text);

}  // namespace berth::config
