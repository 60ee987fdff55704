// FOR DEVELOPMENT ONLY: an issuer in a box, for tests and for trying a gateway without an
// identity provider. A gateway in production must not hold a signing key.
#pragma once

#include "auth/keys.hpp"
#include "base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace berth::auth {

// A private key with a kid.
class DevelopmentKey {
public:
    // A new key: P-256, or RSA of `rsa_bits`.
    static Result<DevelopmentKey> make(Algorithm algorithm, std::string kid, int rsa_bits = 2048);
    // Errors: invalid when `pem` is not an unencrypted private key of one of the two kinds.
    static Result<DevelopmentKey> from_pem(std::string_view pem, std::string kid);

    std::string to_pem() const;  // PKCS #8; keep it with mode 0600
    nlohmann::json jwk() const;  // the public part
    std::string jwks() const;    // a set of this key alone, as JSON text
    PublicKey public_key() const;

    // A token with `alg`, `kid` and `typ` "JWT" in its header. `claims` is an object.
    std::string sign(const nlohmann::json& claims) const;
    // A signature over any two texts: also what no honest issuer writes.
    std::string sign_texts(std::string_view header, std::string_view payload) const;
    // The raw signature, as in the third part.
    std::string signature(std::string_view text) const;

    const std::string& kid() const { return kid_; }
    Algorithm algorithm() const { return algorithm_; }

private:
    DevelopmentKey(std::shared_ptr<evp_pkey_st> key, Algorithm algorithm, std::string kid)
        : key_(std::move(key)), algorithm_(algorithm), kid_(std::move(kid)) {}

    std::shared_ptr<evp_pkey_st> key_;
    Algorithm algorithm_;
    std::string kid_;
};

}  // namespace berth::auth
