#include "auth/openssl.hpp"
#include "unit/auth/bench.hpp"

#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string>

namespace berth::auth::test {
namespace {

class Algorithms : public Bench {
protected:
    std::string text_of(const std::string& header) {
        return encode_base64url(header) + "." + encode_base64url(claims().dump());
    }
    // A token under `header` with the raw signature given.
    std::string token(const std::string& header, const std::string& signature) {
        return text_of(header) + "." + encode_base64url(signature);
    }
};

constexpr auto es_header = R"({"alg":"ES256","kid":"ec-1"})";
constexpr auto rs_header = R"({"alg":"RS256","kid":"rsa-1"})";
// The order of P-256.
std::string order_bytes() {
    static const unsigned char n[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84,
                                      0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
    return {reinterpret_cast<const char*>(n), sizeof n};
}

TEST_F(Algorithms, A1NoSignatureAlgorithmIsNoAlgorithm) {
    for (const std::string alg : {"none", "None", "nOnE", "NONE", "", "es256", "ES256 ", "HS256"}) {
        const auto header = json{{"alg", alg}, {"kid", "ec-1"}}.dump();
        EXPECT_EQ(verdict(token(header, ec_key().signature(text_of(header)))), "algorithm")
            << "A1 " << alg;
        const auto bare = verdict(text_of(header) + ".");
        EXPECT_TRUE(bare == "algorithm" || bare == "malformed") << "A1 without signature " << alg;
    }
    const std::string missing = R"({"kid":"ec-1"})", number = R"({"alg":1,"kid":"ec-1"})";
    EXPECT_EQ(verdict(token(missing, "x")), "algorithm") << "A1 missing";
    EXPECT_EQ(verdict(token(number, "x")), "algorithm") << "A1 number";
    EXPECT_TRUE(fetcher.asked.empty());
}

std::string public_pem(const DevelopmentKey& key) {
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(memory, key.public_key().key.get());
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory, &data);
    std::string pem(data, static_cast<std::size_t>(size));
    BIO_free(memory);
    return pem;
}

TEST_F(Algorithms, A2AnyPublicFormOfTheKeyIsNoHmacSecret) {
    const auto jwk = rsa_key().jwk();
    const std::pair<std::string, std::string> secrets[] = {
        {"A2 PEM", public_pem(rsa_key())},
        {"A2 JWK text", jwk.dump()},
        {"A2 bytes of n", *decode_base64url(jwk["n"].get<std::string>())},
        {"A2 empty", ""},
    };
    for (const auto& [label, secret] : secrets)
        for (const std::string alg : {"HS256", "RS256"}) {
            const auto header = json{{"alg", alg}, {"kid", "rsa-1"}}.dump();
            const auto text = text_of(header);
            unsigned char mac[EVP_MAX_MD_SIZE];
            unsigned length = 0;
            HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(text),
                 text.size(), mac, &length);
            const std::string signature(reinterpret_cast<char*>(mac), length);
            EXPECT_EQ(verdict(token(header, signature)),
                      alg == "HS256" ? "algorithm" : "bad_signature")
                << label;
        }
}

TEST_F(Algorithms, A3TheAlgorithmIsThatOfTheKey) {
    const std::tuple<std::string, std::string, std::string> cases[] = {
        {"A3 RS256 on an EC key", R"({"alg":"RS256","kid":"ec-1"})", "algorithm"},
        {"A3 ES256 on an RSA key", R"({"alg":"ES256","kid":"rsa-1"})", "algorithm"},
        {"A3 ES384", R"({"alg":"ES384","kid":"ec-1"})", "algorithm"},
        {"A3 PS256", R"({"alg":"PS256","kid":"rsa-1"})", "algorithm"},
        {"A3 RS512", R"({"alg":"RS512","kid":"rsa-1"})", "algorithm"},
    };
    for (const auto& [label, header, code] : cases) {
        EXPECT_EQ(verdict(token(header, ec_key().signature(text_of(header)))), code) << label;
        EXPECT_EQ(verdict(token(header, rsa_key().signature(text_of(header)))), code) << label;
    }
}

TEST(Jwks, A4KeysForOtherPurposesAreLeftOut) {
    const std::pair<std::string, json> cases[] = {
        {"A4 use enc", {{"use", "enc"}}},
        {"A4 key_ops without verify", {{"key_ops", {"sign", "encrypt"}}}},
        {"A4 key_ops not a list", {{"key_ops", "verify"}}},
        {"A4 symmetric", {{"kty", "oct"}, {"k", "c2VjcmV0"}}},
        {"A4 Edwards curve", {{"kty", "OKP"}, {"crv", "Ed25519"}}},
        {"A3 alg of the key", {{"alg", "RS512"}}},
        {"A3 alg of the other type", {{"alg", "RS256"}}},
        {"A11 no kid", {{"kid", nullptr}}},
        {"A11 long kid", {{"kid", std::string(257, 'k')}}},
        {"A9 curve", {{"crv", "P-384"}}},
        {"A9 curve name", {{"crv", "p-256"}}},
    };
    for (const auto& [label, change] : cases) {
        auto jwk = ec_key().jwk();
        jwk.update(change);
        const auto set = parse_jwks(jwks_of({rsa_key().jwk(), jwk}));
        ASSERT_TRUE(set) << label;
        EXPECT_EQ(set->keys.size(), 1U) << label;
        EXPECT_EQ(set->ignored.size(), 1U) << label;
    }
    auto verify = ec_key().jwk();
    verify["key_ops"] = {"verify"};
    EXPECT_EQ(parse_jwks(jwks_of({verify}))->keys.size(), 1U) << "A4 key_ops with verify";
}

TEST_F(Algorithms, A5AnEs256SignatureIsExactlyTwoNumbersInRange) {
    const auto good = ec_key().signature(text_of(es_header));
    const auto r = good.substr(0, 32), s = good.substr(32);
    const std::string zero(32, '\0'), n = order_bytes(), max(32, '\xFF');
    const std::pair<std::string, std::string> cases[] = {
        {"A5 63 bytes", good.substr(0, 63)},
        {"A5 65 bytes", good + '\0'},
        {"A5 leading zero", '\0' + good},
        {"A5 DER", "\x30\x44\x02\x20" + r + "\x02\x20" + s},
        {"A5 psychic", zero + zero},
        {"A5 r zero", zero + s},
        {"A5 s zero", r + zero},
        {"A5 r = n", n + s},
        {"A5 s = n", r + n},
        {"A5 r above n", max + s},
        {"A5 s above n", r + max},
        {"A5 swapped", s + r},
        {"A5 bit flipped", static_cast<char>(good[0] ^ 1) + good.substr(1)},
    };
    EXPECT_EQ(verdict(token(es_header, good)), "ok");
    for (const auto& [label, signature] : cases)
        EXPECT_EQ(verdict(token(es_header, signature)), "bad_signature") << label;
}

TEST_F(Algorithms, A6TheMirroredEs256SignatureIsGoodAndRememberedApart) {
    const auto good = ec_key().signature(text_of(es_header));
    const auto s = to_bignum(good.substr(32)), n = to_bignum(order_bytes());
    const Number mirrored(BN_new());
    BN_sub(mirrored.get(), n.get(), s.get());
    const auto twin = good.substr(0, 32) + to_bytes(mirrored.get(), 32);
    EXPECT_EQ(verdict(token(es_header, good)), "ok");
    EXPECT_EQ(verdict(token(es_header, twin)), "ok") << "A6: inherent to ECDSA";
    EXPECT_EQ(auth().remembered(), 2U) << "A6: the memory goes by the whole token";
    settings.bans.push_back({"", "", "j-1", ""});
    auth().reload(settings);
    EXPECT_EQ(verdict(token(es_header, good)), "banned");
    EXPECT_EQ(verdict(token(es_header, twin)), "banned") << "A6: a ban by jti holds for both";
}

// `block` to the private exponent: an RSA signature with any padding.
std::string raw_rsa(const DevelopmentKey& key, const std::string& block) {
    auto* private_key = key.public_key().key.get();  // the test's key object has both parts
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(private_key, nullptr);
    EVP_PKEY_sign_init(context);
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING);
    std::string out(256, '\0');
    std::size_t length = out.size();
    EXPECT_EQ(EVP_PKEY_sign(context, reinterpret_cast<unsigned char*>(out.data()), &length,
                            as_bytes(block), block.size()),
              1);
    EVP_PKEY_CTX_free(context);
    return out;
}

std::string sha256_of(const std::string& text) {
    std::string digest(32, '\0');
    EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
               EVP_sha256(), nullptr);
    return digest;
}

TEST_F(Algorithms, A7AnRs256SignatureHasExactlyItsPadding) {
    // RFC 8017 section 9.2: the DigestInfo of SHA-256.
    static const unsigned char info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    const auto digest = sha256_of(text_of(rs_header));
    const auto tail = std::string(reinterpret_cast<const char*>(info), sizeof info) + digest;
    const auto block = [](char type, const std::string& padding, const std::string& end) {
        const std::string head{'\0', type};
        const auto fill = 256 - 2 - 1 - end.size();
        auto ff = std::string(fill, '\xFF');
        ff.replace(0, padding.size(), padding);
        return head + ff + '\0' + end;
    };
    const auto good = raw_rsa(rsa_key(), block(1, "", tail));
    EXPECT_EQ(good, rsa_key().signature(text_of(rs_header)));
    auto trailing = std::string{'\0', '\1'} + std::string(8, '\xFF') + '\0' + tail;
    trailing.resize(256, 'x');
    const std::pair<std::string, std::string> cases[] = {
        {"A7 wrong padding byte", raw_rsa(rsa_key(), block(1, "\xFE", tail))},
        {"A7 zero in the padding", raw_rsa(rsa_key(), block(1, std::string("\xFF\0", 2), tail))},
        {"A7 block type 2", raw_rsa(rsa_key(), block(2, "", tail))},
        {"A7 digest without its algorithm", raw_rsa(rsa_key(), block(1, "", digest))},
        {"A7 text after the digest", raw_rsa(rsa_key(), trailing)},
        {"A7 short", good.substr(0, 255)},
        {"A7 long", good + "x"},
        {"A7 leading zero", '\0' + good},
        {"A7 empty numbers", std::string(256, '\0')},
        {"A7 one", std::string(255, '\0') + '\1'},
    };
    EXPECT_EQ(verdict(token(rs_header, good)), "ok");
    for (const auto& [label, signature] : cases)
        EXPECT_EQ(verdict(token(rs_header, signature)), "bad_signature") << label;
}

json rsa_jwk(const std::string& n, const std::string& e) {
    return {{"kty", "RSA"}, {"kid", "r"}, {"n", encode_base64url(n)}, {"e", encode_base64url(e)}};
}

TEST(Jwks, A8RsaKeysOutsideTheBoundsAreLeftOut) {
    const auto n = *decode_base64url(rsa_key().jwk()["n"].get<std::string>());
    const std::string f4{'\1', '\0', '\1'};
    auto even = n;
    even.back() = static_cast<char>(even.back() & ~1);
    const auto small = *DevelopmentKey::make(Algorithm::rs256, "s", 1024);
    const std::pair<std::string, json> cases[] = {
        {"A8 1024 bits", small.jwk()},
        {"A8 above 8192 bits", rsa_jwk("\x01" + std::string(1024, '\xFF'), f4)},
        {"A8 32768 bits", rsa_jwk(std::string(4096, '\xFF'), f4)},
        {"A8 e = 1", rsa_jwk(n, "\x01")},
        {"A8 e = 2", rsa_jwk(n, "\x02")},
        {"A8 e = 3", rsa_jwk(n, "\x03")},
        {"A8 e even", rsa_jwk(n, std::string{'\1', '\0', '\2'})},
        {"A8 e long", rsa_jwk(n, std::string(8, '\xFF'))},
        {"A8 even modulus", rsa_jwk(even, f4)},
        {"A8 no n", {{"kty", "RSA"}, {"kid", "r"}, {"e", "AQAB"}}},
        {"A8 n with padding", {{"kty", "RSA"}, {"kid", "r"}, {"n", "AAA="}, {"e", "AQAB"}}},
    };
    for (const auto& [label, jwk] : cases) {
        const auto set = parse_jwks(jwks_of({ec_key().jwk(), jwk}));
        ASSERT_TRUE(set) << label;
        EXPECT_EQ(set->keys.size(), 1U) << label;
        EXPECT_EQ(set->ignored.size(), 1U) << label;
    }
    EXPECT_EQ(parse_jwks(jwks_of({rsa_jwk(n, f4)}))->keys.size(), 1U);
    EXPECT_EQ(parse_jwks(jwks_of({rsa_jwk('\0' + n, f4)}))->keys.size(), 1U)
        << "A8 a leading zero byte is a common mistake";
}

TEST(Jwks, A9EcPointsMustBeOnTheCurve) {
    const auto jwk = ec_key().jwk();
    const auto x = *decode_base64url(jwk["x"].get<std::string>());
    auto off = x;
    off[31] = static_cast<char>(off[31] ^ 1);
    const std::pair<std::string, std::string> cases[] = {
        {"A9 off the curve", off},
        {"A9 31 bytes", x.substr(1)},
        {"A9 33 bytes", '\0' + x},
        {"A9 zero", std::string(32, '\0')},
        {"A9 above p", std::string(32, '\xFF')},
    };
    for (const auto& [label, bytes] : cases) {
        auto changed = jwk;
        changed["x"] = encode_base64url(bytes);
        const auto set = parse_jwks(jwks_of({rsa_key().jwk(), changed}));
        ASSERT_TRUE(set) << label;
        EXPECT_EQ(set->keys.size(), 1U) << label;
    }
}

TEST_F(Algorithms, A10AKeyOrAddressInTheHeaderIsNotLookedAt) {
    const auto evil = *DevelopmentKey::make(Algorithm::es256, "ec-1");
    const std::pair<std::string, json> cases[] = {
        {"A10 jwk", {{"jwk", evil.jwk()}}},
        {"A10 jku", {{"jku", "https://evil.example/keys"}}},
        {"A10 x5u", {{"x5u", "https://evil.example/chain"}}},
        {"A10 x5c", {{"x5c", {"MIIB"}}}},
        {"A10 x5t", {{"x5t", "AAAA"}}},
    };
    for (const auto& [label, change] : cases) {
        json header{{"alg", "ES256"}, {"kid", "ec-1"}};
        header.update(change);
        EXPECT_EQ(verdict(evil.sign_texts(header.dump(), claims().dump())), "bad_signature")
            << label;
    }
    for (const auto& url : fetcher.asked)
        EXPECT_EQ(url.rfind(wlcg, 0), 0U) << "A10 " << url;
}

TEST_F(Algorithms, A11AKidIsOnlyEverCompared) {
    const std::tuple<std::string, json, std::string> cases[] = {
        {"A11 missing", nullptr, "key_id"},
        {"A11 number", 1, "key_id"},
        {"A11 empty", "", "key_id"},
        {"A11 10 KB", std::string(10000, 'k'), "key_id"},
        {"A11 newline", "ec-1\n", "key_id"},
        {"A11 path", "../../etc/passwd", "unknown_key"},
        {"A11 SQL", "x' OR '1'='1", "unknown_key"},
        {"A11 percent", "ec-1%00", "unknown_key"},
        {"A11 other", "ec-2", "unknown_key"},
    };
    for (const auto& [label, kid, code] : cases) {
        json header{{"alg", "ES256"}};
        if (!kid.is_null())
            header["kid"] = kid;
        EXPECT_EQ(verdict(ec_key().sign_texts(header.dump(), claims().dump())), code) << label;
    }
}

TEST_F(Algorithms, A12AKidBelongsToOneIssuer) {
    EXPECT_EQ(verdict(other_key().sign(claims())), "bad_signature") << "A12 B's key, issuer A";
    EXPECT_EQ(verdict(ec_key().sign(sci_claims())), "bad_signature") << "A12 A's key, issuer B";
    EXPECT_EQ(verdict(rsa_key().sign(sci_claims())), "unknown_key") << "A12 kid of A only";
}

TEST(Jwks, A13AStrangeSetIsBounded) {
    auto twin = other_key().jwk();
    const auto twice = parse_jwks(jwks_of({ec_key().jwk(), twin}));
    ASSERT_TRUE(twice);
    EXPECT_EQ(twice->keys.begin()->second.fingerprint, ec_key().public_key().fingerprint)
        << "A13 the first key counts";
    EXPECT_EQ(twice->ignored.size(), 1U);

    auto leaked = ec_key().jwk();
    leaked["d"] = "AAAA";
    EXPECT_FALSE(parse_jwks(jwks_of({leaked}))) << "A13 private part, no other key";
    const auto alarm = parse_jwks(jwks_of({rsa_key().jwk(), leaked}));
    ASSERT_TRUE(alarm);
    EXPECT_NE(alarm->ignored.at(0).find("private"), std::string::npos);

    json many;
    many["keys"] = json(std::vector<json>(10000, ec_key().jwk()));
    EXPECT_FALSE(parse_jwks(many.dump())) << "A13 10,000 keys";
    EXPECT_FALSE(parse_jwks(std::string(jwks_bytes_max + 1, ' '))) << "A13 over 1 MiB";
    for (const auto* text : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[1]})",
                             R"({"keys":[{}]})", R"({"keys":[],"keys":[]})", "<html></html>"})
        EXPECT_FALSE(parse_jwks(text)) << "A13 " << text;
}

TEST_F(Algorithms, UnknownExtensionsOfTheHeaderAreRefused) {
    const std::pair<std::string, json> cases[] = {
        {"A14 crit unknown", {{"crit", {"x"}}, {"x", 1}}},
        {"A14 crit known name", {{"crit", {"exp"}}}},
        {"A14 crit empty", {{"crit", json::array()}}},
        {"A14 crit b64", {{"crit", {"b64"}}, {"b64", false}}},
        {"A14 b64 alone", {{"b64", false}}},
        {"A15 zip", {{"zip", "DEF"}}},
        {"A15 enc", {{"enc", "A256GCM"}}},
        {"A15 p2c", {{"p2c", 2000000000}}},
    };
    for (const auto& [label, change] : cases) {
        json header{{"alg", "ES256"}, {"kid", "ec-1"}};
        header.update(change);
        EXPECT_EQ(verdict(ec_key().sign_texts(header.dump(), claims().dump())), "critical")
            << label;
    }
    const std::string pbes2 = R"({"alg":"PBES2-HS256+A128KW","kid":"ec-1"})";
    EXPECT_EQ(verdict(token(pbes2, "x")), "algorithm") << "A15 PBES2";
    EXPECT_TRUE(fetcher.asked.empty());
}

TEST(Mint, AKeyGoesThroughPemUnchanged) {
    for (const auto* key : {&ec_key(), &rsa_key()}) {
        const auto again = DevelopmentKey::from_pem(key->to_pem(), "again");
        ASSERT_TRUE(again);
        EXPECT_EQ(again->public_key().fingerprint, key->public_key().fingerprint);
        EXPECT_TRUE(verify_signature(key->public_key(), "text", again->signature("text")));
        EXPECT_FALSE(verify_signature(key->public_key(), "texT", again->signature("text")));
    }
    EXPECT_FALSE(DevelopmentKey::from_pem("no key", "x"));
}

}  // namespace
}  // namespace berth::auth::test
