// Documents of issuers: JWK sets, metadata, and files of the system JWKS cache.
#include "auth/discovery.hpp"
#include "auth/keys.hpp"

#include <cstdint>
#include <cstdlib>

using namespace berth::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto set = parse_jwks(text)) {
        if (set->keys.empty() || set->keys.size() > jwks_keys_max)
            std::abort();
        for (const auto& [kid, key] : set->keys)
            if (kid != key.kid || !is_kid(kid) || !key.key || key.fingerprint.size() != 64 ||
                verify_signature(key, "text", "signature"))
                std::abort();
    }
    const IssuerSettings issuer{"i", "https://a.example"};
    if (const auto uri = read_metadata(text, issuer))
        if (const auto url = parse_https_url(*uri); !url || url->host != "a.example")
            std::abort();
    if (const auto keys = read_cache_file(text, "https://a.example")) {
        const auto again =
            read_cache_file(write_cache_file("https://a.example", *keys), "https://a.example");
        if (!again || again->jwks != keys->jwks)
            std::abort();
    }
    return 0;
}
