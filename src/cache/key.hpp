// The key of a cache entry: content by its hash, whatever server or repository it came from;
// everything else by its URL.
#pragma once

#include "cache/content.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace berth::cache {

struct Key {
    std::array<std::uint8_t, 20> digest = {};
    std::uint8_t space = 0;  // the Algorithm, or url_space

    static constexpr std::uint8_t url_space = 16;
    static Key of(const ContentId& id);
    // "http://host:port/path?query", as it is fetched.
    static Key of_url(std::string_view url);

    bool is_content() const { return space != url_space; }
    ContentId content() const;  // of a content key
    // 42 hexadecimal digits.
    std::string hex() const;

    bool operator==(const Key&) const = default;
};

}  // namespace berth::cache

template <>
struct std::hash<berth::cache::Key> {
    std::size_t operator()(const berth::cache::Key& key) const noexcept {
        std::size_t value = 0;
        std::memcpy(&value, key.digest.data(), sizeof value);
        return value ^ key.space;
    }
};
