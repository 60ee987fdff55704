// Public keys of issuers: JWK sets (RFC 7517) and the two signatures that WLCG asks for.
//
// A key has one algorithm, given by its type, never by the token: that ends the confusion of
// algorithms (RFC 8725 section 3.1). What a set holds beside good keys is left out and said.
#pragma once

#include "base/result.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;  // EVP_PKEY

namespace berth::auth {

enum class Algorithm { rs256, es256 };
std::string_view to_string(Algorithm algorithm);  // as in `alg`

struct PublicKey {
    std::string kid = {};
    Algorithm algorithm = Algorithm::rs256;
    std::string fingerprint = {};  // SHA-256 of the SubjectPublicKeyInfo, in hex
    std::shared_ptr<evp_pkey_st> key = {};
};

// True if `signature` (raw, as in a JWS) is one of `text` under `key`. ES256 signatures are
// exactly r || s, 64 bytes (RFC 7518 section 3.4); RS256 ones as long as the modulus.
bool verify_signature(const PublicKey& key, std::string_view text, std::string_view signature);

struct KeySet {
    std::map<std::string, PublicKey, std::less<>> keys = {};  // by kid, at least one
    // One line for each key that was left out: "kid: why". A private part in a public set means
    // that anybody can sign; such a key is left out too.
    std::vector<std::string> ignored = {};

    const PublicKey* find(std::string_view kid) const;
};

inline constexpr std::size_t jwks_bytes_max = 1U << 20U;
inline constexpr std::size_t jwks_keys_max = 32;  // a check of an 8192-bit key takes 50 ms
inline constexpr std::size_t kid_bytes_max = 256;

// True for 1 to 256 bytes without control characters. A kid is only ever compared.
bool is_kid(std::string_view kid);

// The usable keys of a set: RSA of 2048 to 8192 bits with an odd exponent from 65537 up, and EC
// on P-256. Of keys with one kid the first counts.
// Errors: invalid when the text is not a JWK set, has more than 32 keys or no usable one.
Result<KeySet> parse_jwks(std::string_view text);

}  // namespace berth::auth
