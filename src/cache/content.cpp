#include "cache/content.hpp"

#include <openssl/evp.h>

#include <cstring>
#include <stdexcept>

namespace berth::cache {

namespace {

constexpr std::string_view digits = "0123456789abcdef";
constexpr std::size_t digest_bytes = 20;

const EVP_MD* function_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::sha1:
            return EVP_sha1();
        case Algorithm::rmd160:
            return EVP_ripemd160();
        case Algorithm::shake128:
            return EVP_shake128();
    }
    return nullptr;
}

std::string hex_of(const std::array<std::uint8_t, digest_bytes>& digest) {
    std::string text;
    text.reserve(2 * digest_bytes);
    for (const auto byte : digest) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

}  // namespace

std::string_view suffix_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::rmd160:
            return "-rmd160";
        case Algorithm::shake128:
            return "-shake128";
        default:
            return "";
    }
}

std::string ContentId::text() const {
    return hex_of(digest) + std::string(suffix_of(algorithm));
}

std::string ContentId::path() const {
    auto path = "data/" + text();
    path.insert(7, "/");
    return path;
}

std::optional<ContentId> content_id_from(std::string_view text) {
    constexpr std::size_t hex_length = 2 * digest_bytes;
    if (text.size() < hex_length)
        return std::nullopt;
    ContentId id;
    const auto suffix = text.substr(hex_length);
    bool known = false;
    for (const auto algorithm : {Algorithm::sha1, Algorithm::rmd160, Algorithm::shake128}) {
        if (suffix != suffix_of(algorithm))
            continue;
        id.algorithm = algorithm;
        known = true;
    }
    if (!known)
        return std::nullopt;
    for (std::size_t i = 0; i < digest_bytes; ++i) {
        const auto high = digits.find(text[2 * i]);
        const auto low = digits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos)
            return std::nullopt;
        id.digest[i] = static_cast<std::uint8_t>(high << 4U | low);
    }
    return id;
}

void ContentHash::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

ContentHash::ContentHash(Algorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), function_of(algorithm), nullptr) != 1)
        throw std::runtime_error("OpenSSL does not have the hash of a content object");
}

void ContentHash::update(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
        throw std::runtime_error("OpenSSL cannot hash");
}

ContentId ContentHash::value() const {
    const std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
    ContentId id{.algorithm = algorithm_};
    bool done = copy && EVP_MD_CTX_copy_ex(copy.get(), context_.get()) == 1;
    // SHAKE has no length of its own: CVMFS takes 160 bits.
    if (algorithm_ == Algorithm::shake128)
        done = done && EVP_DigestFinalXOF(copy.get(), id.digest.data(), id.digest.size()) == 1;
    else
        done = done && EVP_DigestFinal_ex(copy.get(), id.digest.data(), nullptr) == 1;
    if (!done)
        throw std::runtime_error("OpenSSL cannot hash");
    return id;
}

ContentId content_id_of(Algorithm algorithm, std::string_view bytes) {
    ContentHash hash(algorithm);
    hash.update(bytes);
    return hash.value();
}

}  // namespace berth::cache

std::size_t std::hash<berth::cache::ContentId>::operator()(
    const berth::cache::ContentId& id) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, id.digest.data(), sizeof value);
    return value ^ static_cast<std::size_t>(id.algorithm);
}
