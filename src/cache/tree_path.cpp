#include "cache/tree_path.hpp"

#include "base/text.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

namespace berth::cache {

namespace {

constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t md5_bytes = 16;

std::int64_t little_endian(std::span<const unsigned char> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value |= std::uint64_t(bytes[i]) << (8 * i);
    return static_cast<std::int64_t>(value);
}

}  // namespace

Result<std::string> read_tree_path(std::string_view text) {
    const auto shown = '"' + printable(text, 100) + '"';
    if (text.empty() || text == "/")
        return std::string();
    if (text.front() != '/' || text.size() > path_bytes_max)
        return Error{ErrorKind::invalid, shown +
                                             " is not a path inside a repository: it has to "
                                             "begin with \"/\" and be at most 4096 bytes long"};
    if (text.ends_with('/'))
        text.remove_suffix(1);
    for (const auto segment : split(text.substr(1), '/'))
        if (segment.empty() || segment == "." || segment == "..")
            return Error{ErrorKind::invalid, shown + " has an empty segment, \".\" or \"..\""};
    return std::string(text);
}

bool is_within(std::string_view path, std::string_view top) {
    return path.starts_with(top) &&
           (top.empty() || path.size() == top.size() || path[top.size()] == '/');
}

std::vector<std::string> without_overlaps(std::vector<std::string> paths) {
    std::ranges::sort(paths);
    std::vector<std::string> result;
    for (auto& path : paths) {
        const auto covers = [&](const std::string& top) { return is_within(path, top); };
        if (std::ranges::none_of(result, covers))
            result.push_back(std::move(path));
    }
    return result;
}

PathHash hash_of_path(std::string_view path) {
    std::array<unsigned char, md5_bytes> digest = {};
    if (EVP_Digest(path.data(), path.size(), digest.data(), nullptr, EVP_md5(), nullptr) != 1)
        throw std::runtime_error("OpenSSL does not have MD5, by which catalogs name their entries");
    const std::span<const unsigned char> bytes(digest);
    return {.first = little_endian(bytes.first(8)), .second = little_endian(bytes.last(8))};
}

}  // namespace berth::cache
