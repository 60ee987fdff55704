#include "auth/openssl.hpp"

#include "auth/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

namespace berth::auth {

namespace {

using Context = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;

// A refused key leaves entries in this thread's error queue; others must not find them.
Pkey checked_key(const char* type, OSSL_PARAM_BLD* builder) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* raw = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        ERR_clear_error();
        return nullptr;
    }
    Pkey key(raw);
    const Context check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (!check || EVP_PKEY_public_check(check.get()) != 1)
        key.reset();
    ERR_clear_error();
    return key;
}

}  // namespace

Number to_bignum(std::string_view big_endian) {
    return Number(BN_bin2bn(as_bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

std::string to_bytes(const BIGNUM* number, std::size_t length) {
    if (length == 0)
        length = static_cast<std::size_t>(BN_num_bytes(number));
    std::string bytes(length, '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(length));
    return bytes;
}

Pkey make_rsa_key(const BIGNUM* modulus, const BIGNUM* exponent) {
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
        return nullptr;
    return checked_key("RSA", builder.get());
}

Pkey make_p256_key(std::string_view x, std::string_view y) {
    // SEC 1 section 2.3.3: an uncompressed point.
    const auto point = "\x04" + std::string(x) + std::string(y);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                        0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        return nullptr;
    return checked_key("EC", builder.get());
}

std::string fingerprint(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key, &der);
    if (length <= 0)
        return {};
    const std::string_view bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
    auto print = sha256_hex(bytes);
    OPENSSL_free(der);
    return print;
}

std::shared_ptr<EVP_PKEY> share(Pkey key) {
    return {std::move(key)};
}

}  // namespace berth::auth
