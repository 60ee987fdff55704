#include "http/framing.hpp"

#include "base/text.hpp"
#include "http/characters.hpp"

namespace berth::http {

namespace {

// One byte of the path at `at`, which moves past it; -1 if it is not acceptable.
int next_byte(std::string_view encoded, std::size_t& at) {
    if (encoded[at] != '%')
        return static_cast<unsigned char>(encoded[at++]);
    if (at + 2 >= encoded.size())
        return -1;
    const int high = hex_digit(encoded[at + 1]), low = hex_digit(encoded[at + 2]);
    if (high < 0 || low < 0)
        return -1;
    at += 3;
    const int byte = high * 16 + low;
    return byte == '/' ? -1 : byte;  // an encoded slash: is it one segment or two?
}

bool has_dot_segment(std::string_view path) {
    for (const auto segment : split(path, '/'))
        if (segment == "." || segment == "..")
            return true;
    return false;
}

}  // namespace

std::optional<std::string> decode_path(std::string_view encoded) {
    if (!encoded.starts_with('/'))
        return std::nullopt;
    std::string path;
    path.reserve(encoded.size());
    for (std::size_t at = 0; at < encoded.size();) {
        const int byte = next_byte(encoded, at);
        if (byte < 0x20 || byte == 0x7F || byte == '\\')
            return std::nullopt;
        path += static_cast<char>(byte);
    }
    if (!is_utf8(path) || (path.find("/.") != path.npos && has_dot_segment(path)))
        return std::nullopt;
    return path;
}

}  // namespace berth::http
