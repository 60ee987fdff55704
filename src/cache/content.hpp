// The names of content: a CVMFS object is named by a hash over its bytes as they are on the wire,
// so whoever has the bytes can tell whether they are the right ones (CernVM-FS 2.12
// crypto/hash.h). Pure; OpenSSL computes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace berth::cache {

enum class Algorithm : std::uint8_t { sha1, rmd160, shake128 };  // all with 160 bits
// "" for sha1, "-rmd160", "-shake128": as object names end.
std::string_view suffix_of(Algorithm algorithm);

struct ContentId {
    std::array<std::uint8_t, 20> digest = {};
    Algorithm algorithm = Algorithm::sha1;

    bool operator==(const ContentId&) const = default;
    auto operator<=>(const ContentId&) const = default;
    // "0123...-rmd160", as catalogs and manifests write it.
    std::string text() const;
    // "data/01/23...-rmd160", as servers have it, without the letter for the object's kind.
    std::string path() const;
};
// 40 lower-case hexadecimal digits and the algorithm's suffix.
std::optional<ContentId> content_id_from(std::string_view text);

// Hashes bytes as they come.
class ContentHash {
public:
    explicit ContentHash(Algorithm algorithm);
    ContentHash(ContentHash&&) noexcept = default;
    ContentHash& operator=(ContentHash&&) noexcept = default;

    void update(std::string_view bytes);
    // The id of all bytes so far; more may follow.
    ContentId value() const;

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    Algorithm algorithm_;
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};
ContentId content_id_of(Algorithm algorithm, std::string_view bytes);

}  // namespace berth::cache

template <>
struct std::hash<berth::cache::ContentId> {
    // The digest is uniform already.
    std::size_t operator()(const berth::cache::ContentId& id) const noexcept;
};
