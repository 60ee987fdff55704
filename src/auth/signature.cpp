#include "auth/keys.hpp"
#include "auth/openssl.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>

namespace berth::auth {

namespace {

using Digest = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Pair = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

// OpenSSL wants DER; a JWS has r || s. "" when it cannot be converted. That r and s lie in
// [1, n-1] is checked by the verification itself.
std::string to_der(std::string_view raw) {
    const Pair pair(ECDSA_SIG_new());
    auto r = to_bignum(raw.substr(0, 32)), s = to_bignum(raw.substr(32));
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1)
        return {};
    static_cast<void>(r.release());  // now the pair's
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int length = i2d_ECDSA_SIG(pair.get(), &der);
    if (length <= 0)
        return {};
    std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return bytes;
}

}  // namespace

bool verify_signature(const PublicKey& key, std::string_view text, std::string_view signature) {
    std::string der;
    if (key.algorithm == Algorithm::es256) {
        if (signature.size() != 64)
            return false;
        der = to_der(signature);
        signature = der;
    } else if (signature.size() != static_cast<std::size_t>(EVP_PKEY_get_size(key.key.get()))) {
        return false;
    }
    // For an RSA key the default padding is PKCS #1 v1.5, which is what RS256 means.
    const Digest digest(EVP_MD_CTX_new());
    const bool good =
        !signature.empty() && digest &&
        EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.key.get()) == 1 &&
        EVP_DigestVerify(digest.get(), as_bytes(signature), signature.size(), as_bytes(text),
                         text.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace berth::auth
