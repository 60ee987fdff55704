#include "cache/key.hpp"

namespace berth::cache {

Key Key::of(const ContentId& id) {
    return {.digest = id.digest, .space = static_cast<std::uint8_t>(id.algorithm)};
}

Key Key::of_url(std::string_view url) {
    return {.digest = content_id_of(Algorithm::sha1, url).digest, .space = url_space};
}

ContentId Key::content() const {
    return {.digest = digest, .algorithm = static_cast<Algorithm>(space)};
}

std::string Key::hex() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    const auto add = [&](std::uint8_t byte) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    };
    for (const auto byte : digest)
        add(byte);
    add(space);
    return text;
}

}  // namespace berth::cache
