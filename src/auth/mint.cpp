#include "auth/mint.hpp"

#include "auth/base64url.hpp"
#include "auth/openssl.hpp"

#include <nlohmann/json.hpp>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace berth::auth {

namespace {

using nlohmann::json;
using Digest = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Memory = std::unique_ptr<BIO, Freer<BIO_vfree>>;
using Pair = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

std::string encoded_number(EVP_PKEY* key, const char* name, std::size_t length = 0) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1)
        return {};
    const Number number(raw);
    return encode_base64url(to_bytes(number.get(), length));
}

std::string contents(BIO* memory) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory, &data);
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Result<DevelopmentKey> DevelopmentKey::make(Algorithm algorithm, std::string kid, int rsa_bits) {
    Pkey key(algorithm == Algorithm::rs256 ? EVP_RSA_gen(static_cast<std::size_t>(rsa_bits))
                                           : EVP_EC_gen("P-256"));
    if (!key)
        return Error{ErrorKind::internal, "OpenSSL cannot make a key"};
    return DevelopmentKey(share(std::move(key)), algorithm, std::move(kid));
}

Result<DevelopmentKey> DevelopmentKey::from_pem(std::string_view pem, std::string kid) {
    const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // An empty passphrase callback: without it OpenSSL would ask on the terminal.
    Pkey key(PEM_read_bio_PrivateKey(
        memory.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
    ERR_clear_error();
    if (key && EVP_PKEY_is_a(key.get(), "RSA") == 1)
        return DevelopmentKey(share(std::move(key)), Algorithm::rs256, std::move(kid));
    if (key && EVP_PKEY_is_a(key.get(), "EC") == 1 && EVP_PKEY_get_bits(key.get()) == 256)
        return DevelopmentKey(share(std::move(key)), Algorithm::es256, std::move(kid));
    return Error{ErrorKind::invalid, "this is not an unencrypted RSA or P-256 private key in PEM"};
}

std::string DevelopmentKey::to_pem() const {
    const Memory memory(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return contents(memory.get());
}

json DevelopmentKey::jwk() const {
    json key{{"kid", kid_}, {"use", "sig"}, {"alg", to_string(algorithm_)}};
    if (algorithm_ == Algorithm::rs256) {
        key["kty"] = "RSA";
        key["n"] = encoded_number(key_.get(), OSSL_PKEY_PARAM_RSA_N);
        key["e"] = encoded_number(key_.get(), OSSL_PKEY_PARAM_RSA_E);
    } else {
        key["kty"] = "EC";
        key["crv"] = "P-256";
        key["x"] = encoded_number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, 32);
        key["y"] = encoded_number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    }
    return key;
}

std::string DevelopmentKey::jwks() const {
    json set;
    set["keys"] = json::array({jwk()});
    return set.dump();
}

PublicKey DevelopmentKey::public_key() const {
    return {kid_, algorithm_, fingerprint(key_.get()), key_};
}

std::string DevelopmentKey::signature(std::string_view text) const {
    const Digest digest(EVP_MD_CTX_new());
    std::size_t length = 0;
    EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    EVP_DigestSign(digest.get(), nullptr, &length, as_bytes(text), text.size());
    std::string bytes(length, '\0');
    auto* out = reinterpret_cast<unsigned char*>(bytes.data());
    EVP_DigestSign(digest.get(), out, &length, as_bytes(text), text.size());
    bytes.resize(length);
    if (algorithm_ == Algorithm::rs256)
        return bytes;
    const unsigned char* der = as_bytes(bytes);
    const Pair pair(d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(bytes.size())));
    return to_bytes(ECDSA_SIG_get0_r(pair.get()), 32) + to_bytes(ECDSA_SIG_get0_s(pair.get()), 32);
}

std::string DevelopmentKey::sign_texts(std::string_view header, std::string_view payload) const {
    const auto text = encode_base64url(header) + "." + encode_base64url(payload);
    return text + "." + encode_base64url(signature(text));
}

std::string DevelopmentKey::sign(const json& claims) const {
    const json header{{"alg", to_string(algorithm_)}, {"kid", kid_}, {"typ", "JWT"}};
    return sign_texts(header.dump(), claims.dump());
}

}  // namespace berth::auth
