#include "config/scan.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace berth::config {

namespace {

constexpr std::size_t line_bytes_max = 4096;

bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

// The end of the text that begins with the quote at `at`: behind its closing quote, or where the
// library will find the fault.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    const char quote = text[at];
    const bool has_escapes = quote == '"';
    const std::string three(3, quote);
    const bool is_long = text.substr(at).starts_with(three);
    for (at += is_long ? 3 : 1; at < text.size(); ++at) {
        if (has_escapes && text[at] == '\\') {
            ++at;
        } else if (!is_long && (text[at] == quote || text[at] == '\n')) {
            return at + 1;
        } else if (is_long && text.substr(at).starts_with(three)) {
            // Two more quotes may stand before the closing three.
            at += 3;
            for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more)
                ++at;
            return at;
        }
    }
    return text.size();
}

// The first character outside of texts and comments that is not ASCII, or the end. A quote begins
// a text only where a key or a value may begin; anywhere else the library reads on through it.
std::size_t find_stray(std::string_view text) {
    static constexpr std::string_view before_text = "\n=,[{.";
    std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;  // a byte order mark
    char previous = '\n';                                       // but for spaces
    while (at < text.size() && is_ascii(text[at])) {
        const char c = text[at];
        if (c == '#') {
            at = std::min(text.size(), text.find('\n', at));
            continue;
        }
        const bool is_quote = c == '"' || c == '\'';
        if (is_quote && before_text.find(previous) != std::string_view::npos)
            at = std::min(text.size(), end_of_quoted(text, at));
        else
            ++at;
        if (c != ' ' && c != '\t' && c != '\r')
            previous = c;
    }
    return at;
}

Position position_at(std::string_view text, std::size_t at) {
    Position position{.line = 1, .column = 1};
    for (const char c : text.substr(0, at)) {
        const bool is_tail = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
        if (c == '\n')
            position = Position{.line = position.line + 1, .column = 1};
        else if (!is_tail)
            ++position.column;
    }
    return position;
}

}  // namespace

std::optional<Refusal> scan(std::string_view text) {
    unsigned number = 1;
    for (const auto line : split(text, '\n')) {
        if (line.size() > line_bytes_max)
            return Refusal{.position = {.line = number, .column = 1},
                           .message = "a line has more than 4096 bytes; break it up"};
        ++number;
    }
    const auto stray = find_stray(text);
    if (stray == text.size())
        return std::nullopt;
    auto end = stray + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        ++end;
    return Refusal{.position = position_at(text, stray),
                   .message = "the character " + printable(text.substr(stray, end - stray), 8) +
                              " stands outside of quotes; write plain ASCII there (a pasted "
                              "quotation mark or space may only look like one)"};
}

}  // namespace berth::config
