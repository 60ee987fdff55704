// Character classes of RFC 9110 and RFC 3986, as tables of bytes.
#pragma once

#include <array>
#include <string_view>

namespace berth::http {

using ByteClass = std::array<bool, 256>;

constexpr ByteClass byte_class(std::string_view extra, bool alphanumeric = true) {
    ByteClass table{};
    for (const char c : extra)
        table[static_cast<unsigned char>(c)] = true;
    for (unsigned c = 0; alphanumeric && c < 128; ++c)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            table[c] = true;
    return table;
}

// RFC 9110 section 5.6.2.
inline constexpr ByteClass token_bytes = byte_class("!#$%&'*+-.^_`|~");
// RFC 3986 without '#': a request target has no fragment. '[' and ']' are let through because
// browsers send them raw in queries.
inline constexpr ByteClass target_bytes = byte_class("-._~!$&'()*+,;=:@/?%[]");

// VCHAR, SP, HTAB and obs-text (RFC 9110 section 5.5).
constexpr ByteClass make_value_bytes() {
    ByteClass table{};
    for (unsigned c = 0x20; c < 256; ++c)
        table[c] = c != 0x7F;
    table['\t'] = true;
    return table;
}
inline constexpr ByteClass value_bytes = make_value_bytes();

constexpr bool all_of(std::string_view text, const ByteClass& table) {
    for (const char c : text)
        if (!table[static_cast<unsigned char>(c)])
            return false;
    return true;
}

constexpr bool is_token(std::string_view text) {
    return !text.empty() && all_of(text, token_bytes);
}

// The value of a hex digit, or -1.
constexpr int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

}  // namespace berth::http
