// Small, strict helpers for text. All work on bytes; none depends on the locale.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// The parts of `text` between separators, empty ones included; "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
// Without spaces, tabs, CR and LF at both ends.
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
// Equal but for the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string join(std::span<const std::string> parts, std::string_view separator);

// The whole of `text` as a decimal number: no sign for unsigned types, no spaces, no "+".
template <class Number>
std::optional<Number> to_number(std::string_view text) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || text.empty())
        return std::nullopt;
    return value;
}

// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

// `text` in single quotes for a POSIX shell; any byte but NUL is safe.
std::string shell_quote(std::string_view text);

// `text` for a log value or a message: control bytes and bytes above 126 become \xNN, and what
// is longer than `most` bytes is cut and marked with "...".
std::string printable(std::string_view text, std::size_t most = 300);

// The name among `known` that `wanted` most probably means, or "" (for "did you mean ...?").
std::string_view nearest(std::string_view wanted, std::span<const std::string_view> known);

std::string to_hex(std::span<const unsigned char> bytes);

}  // namespace berth
