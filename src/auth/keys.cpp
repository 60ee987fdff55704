#include "auth/keys.hpp"

#include "auth/base64url.hpp"
#include "auth/openssl.hpp"
#include "base/strict_json.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace berth::auth {

namespace {

using nlohmann::json;

// A string member, "" when it is absent or of another type.
std::string text_member(const json& key, const char* name) {
    const auto at = key.find(name);
    return at != key.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<std::string> bytes_member(const json& key, const char* name) {
    const auto text = text_member(key, name);
    return text.empty() ? std::nullopt : decode_base64url(text);
}

// RFC 7517 sections 4.2 to 4.4: what the key itself says it is for. "" = fit to verify `alg`.
std::string unfit_for(const json& key, Algorithm algorithm) {
    if (key.contains("use") && text_member(key, "use") != "sig")
        return "its use is not sig";
    if (key.contains("alg") && text_member(key, "alg") != to_string(algorithm))
        return "its alg is not that of its type";
    const auto operations = key.find("key_ops");
    if (operations != key.end() &&
        (!operations->is_array() ||
         std::ranges::find(*operations, json("verify")) == operations->end()))
        return "its key_ops do not have verify";
    return {};
}

struct Import {
    Pkey key = {};
    std::string problem = {};
};

Import import_rsa(const json& jwk) {
    const auto n = bytes_member(jwk, "n"), e = bytes_member(jwk, "e");
    if (!n || !e)
        return {{}, "n or e is not base64url"};
    if (n->size() > 1025 || e->size() > 5)  // one leading zero byte is a common mistake
        return {{}, "the modulus has more than 8192 bits or the exponent more than 32"};
    const auto modulus = to_bignum(*n), exponent = to_bignum(*e);
    if (!modulus || !exponent)
        return {{}, "no memory"};
    const int bits = BN_num_bits(modulus.get());
    if (bits < 2048 || bits > 8192)
        return {{}, "the modulus has " + std::to_string(bits) + " bits, not 2048 to 8192"};
    if (BN_is_odd(modulus.get()) == 0)
        return {{}, "the modulus is even"};
    if (BN_is_odd(exponent.get()) == 0 || BN_get_word(exponent.get()) < 65537)
        return {{}, "the exponent is even or below 65537"};
    return {make_rsa_key(modulus.get(), exponent.get()), "it is not a valid RSA key"};
}

Import import_ec(const json& jwk) {
    if (text_member(jwk, "crv") != "P-256")
        return {{}, "the curve is not P-256"};
    const auto x = bytes_member(jwk, "x"), y = bytes_member(jwk, "y");
    // RFC 7518 section 6.2.1.2: the full 32 bytes, leading zeros included.
    if (!x || !y || x->size() != 32 || y->size() != 32)
        return {{}, "a coordinate is not 32 bytes of base64url"};
    return {make_p256_key(*x, *y), "the point is not on the curve"};
}

// Adds `jwk` to `set`, or says there why not.
void add_key(const json& jwk, KeySet& set) {
    const auto kid = jwk.is_object() ? text_member(jwk, "kid") : std::string();
    const auto leave_out = [&](const std::string& why) {
        set.ignored.push_back(printable(kid.empty() ? "(no kid)" : kid, 60) + ": " + why);
    };
    if (!is_kid(kid))
        return leave_out("it has no usable kid");
    static constexpr std::array secret{"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    if (std::ranges::any_of(secret, [&](const char* name) { return jwk.contains(name); }))
        return leave_out("it is published with its private part: everybody can sign with it");
    const auto type = text_member(jwk, "kty");
    if (type != "RSA" && type != "EC")
        return leave_out("its type is not RSA or EC");
    const auto algorithm = type == "RSA" ? Algorithm::rs256 : Algorithm::es256;
    if (auto why = unfit_for(jwk, algorithm); !why.empty())
        return leave_out(why);
    if (set.keys.contains(kid))
        return leave_out("the kid occurs twice; the first key counts");
    auto import = type == "RSA" ? import_rsa(jwk) : import_ec(jwk);
    if (!import.key)
        return leave_out(import.problem);
    auto print = fingerprint(import.key.get());
    set.keys.emplace(kid,
                     PublicKey{kid, algorithm, std::move(print), share(std::move(import.key))});
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
    return algorithm == Algorithm::rs256 ? "RS256" : "ES256";
}

bool is_kid(std::string_view kid) {
    return !kid.empty() && kid.size() <= kid_bytes_max && std::ranges::none_of(kid, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
}

const PublicKey* KeySet::find(std::string_view kid) const {
    const auto at = keys.find(kid);
    return at == keys.end() ? nullptr : &at->second;
}

Result<KeySet> parse_jwks(std::string_view text) {
    const auto refusal = [](std::string why) {
        return Error{ErrorKind::invalid, "the JWK set is refused: " + std::move(why)};
    };
    if (text.size() > jwks_bytes_max)
        return refusal("it is larger than 1 MiB");
    const auto document = parse_strict_json(text, 16);
    if (!document)
        return refusal(document.error().message);
    const auto keys = document->is_object() ? document->find("keys") : document->end();
    if (keys == document->end() || !keys->is_array())
        return refusal("it has no list of keys");
    if (keys->size() > jwks_keys_max)
        return refusal("it has " + std::to_string(keys->size()) + " keys, more than " +
                       std::to_string(jwks_keys_max));
    KeySet set;
    for (const auto& jwk : *keys)
        add_key(jwk, set);
    if (set.keys.empty())
        return refusal("it has no usable key" +
                       (set.ignored.empty() ? std::string() : " (" + set.ignored.front() + ")"));
    return set;
}

}  // namespace berth::auth
