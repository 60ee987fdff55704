// The few OpenSSL 3 calls that this room needs, with owners for what they allocate.
#pragma once

#include <openssl/bn.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace berth::auth {

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;

inline const unsigned char* as_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Number to_bignum(std::string_view big_endian);
// `number` as exactly `length` bytes, big-endian; at least as many as it needs when 0.
std::string to_bytes(const BIGNUM* number, std::size_t length = 0);

// Null when OpenSSL's own check of the public key fails. EVP_PKEY_fromdata alone takes RSA keys
// of any size and exponent.
Pkey make_rsa_key(const BIGNUM* modulus, const BIGNUM* exponent);
// Null when the point is not on the curve. Coordinates of 32 bytes each.
Pkey make_p256_key(std::string_view x, std::string_view y);

// SHA-256 of the SubjectPublicKeyInfo, in hex.
std::string fingerprint(EVP_PKEY* key);
std::shared_ptr<EVP_PKEY> share(Pkey key);

}  // namespace berth::auth
