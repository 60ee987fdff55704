#include "auth/reason.hpp"
#include "auth/token.hpp"
#include "unit/auth/bench.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <vector>

namespace berth::auth::test {
namespace {

using namespace std::string_literals;

class TokenFormat : public Bench {
protected:
    std::string good() { return ec_key().sign(claims()); }
    std::string with_header(const std::string& header) {
        return ec_key().sign_texts(header, claims().dump());
    }
    std::string with_payload(const std::string& payload) {
        return ec_key().sign_texts(R"({"alg":"ES256","kid":"ec-1"})", payload);
    }
    // The claims as text with `extra` put in front of the members.
    std::string spliced(const std::string& extra) {
        return with_payload("{" + extra + "," + claims().dump().substr(1));
    }
};

TEST_F(TokenFormat, TheUnchangedTokenIsGood) {
    EXPECT_EQ(verdict(good()), "ok");
    EXPECT_EQ(verdict(rsa_key().sign(claims())), "ok");
    EXPECT_EQ(verdict(other_key().sign(sci_claims())), "ok");
}

TEST_F(TokenFormat, WhatIsNotACompactJwsIsRefusedWithoutAnyFetch) {
    const auto token = good();
    const auto dot = token.find('.'), dot2 = token.rfind('.');
    const auto header = token.substr(0, dot), payload = token.substr(dot + 1, dot2 - dot - 1),
               signature = token.substr(dot2 + 1);
    auto bad_bits = signature;  // 64 bytes take 86 characters: 4 bits are left over
    bad_bits.back() = bad_bits.back() == 'B' ? 'C' : 'B';
    const std::pair<std::string, std::string> cases[] = {
        {"F1 empty", ""},
        {"F1 no dot", header},
        {"F1 one dot", header + "." + payload},
        {"F1 three dots", token + ".x"},
        {"F1 four dots", token + ".x.y"},
        {"F1 only dots", ".."},
        {"F1 empty header", "." + payload + "." + signature},
        {"F1 empty payload", header + ".." + signature},
        {"F1 empty signature", header + "." + payload + "."},
        {"F2 space", header + ". " + payload + "." + signature},
        {"F2 line end", token + "\r\n"},
        {"F2 NUL", token + "\0"s},
        {"F2 braces", "{" + token + "}"},
        {"F2 percent-encoded dot", header + "%2E" + payload + "%2E" + signature},
        {"F2 byte above 127", token + "\xC3\xA9"},
        {"F3 JSON serialization", R"({"payload":")" + payload + R"(","signature":")" + signature +
                                      R"(","protected":")" + header + R"("})"},
        {"F4 padding", header + "." + payload + "." + signature + "=="},
        {"F4 standard alphabet", header + "." + payload + "." + signature.substr(0, 84) + "+/"},
        {"F4 length 4n+1", header + "." + payload + "." + signature.substr(0, 85)},
        {"F4 trailing bits", header + "." + payload + "." + bad_bits},
        {"F5 five parts of a JWE",
         header + "." + payload + "." + payload + "." + payload + "." + signature},
    };
    for (const auto& [label, text] : cases)
        EXPECT_EQ(verdict(text), "malformed") << label;
    EXPECT_TRUE(fetcher.asked.empty());
}

TEST_F(TokenFormat, F6ALongTokenIsRefusedBeforeItIsRead) {
    EXPECT_EQ(verdict(std::string(token_bytes_max + 1, 'a')), "too_large");
    EXPECT_EQ(verdict(std::string(token_bytes_max, 'a')), "malformed");
    EXPECT_EQ(verdict_of(with("x", std::string(9000, 'x'))), "ok");
}

// Reads each token of the list on a stack of 256 KiB.
void* read_all(void* tokens) {
    auto& list = *static_cast<std::vector<std::string>*>(tokens);
    for (auto& token : list)
        token = read_token(token) ? "ok" : read_token(token).error().field;
    return nullptr;
}

TEST_F(TokenFormat, F7DeepNestingEndsInARefusalAlsoOnASmallStack) {
    std::vector<std::string> tokens;
    for (const std::size_t depth : {17U, 2000U, 5000U}) {
        const auto value = std::string(depth, '[') + std::string(depth, ']');
        tokens.push_back(with_payload(R"({"iss":)" + value + "}"));
        tokens.push_back(with_header(R"({"alg":)" + value + "}"));
    }
    tokens.push_back(with_payload(R"({"x":)" + std::string(15, '[') + std::string(15, ']') + "}"));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_t thread{};
    ASSERT_EQ(pthread_create(&thread, &attributes, read_all, &tokens), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    ASSERT_EQ(tokens.size(), 7U);
    EXPECT_TRUE(std::all_of(tokens.begin(), tokens.begin() + 6,
                            [](const auto& result) { return result == "malformed"; }));
    EXPECT_EQ(tokens.back(), "ok") << "depth 16 is within the limit of the payload";
}

TEST_F(TokenFormat, F8AMemberThatOccursTwiceIsRefused) {
    const std::pair<std::string, std::string> cases[] = {
        {"F8 alg", with_header(R"({"alg":"none","alg":"ES256","kid":"ec-1"})")},
        {"F8 kid", with_header(R"({"alg":"ES256","kid":"x","kid":"ec-1"})")},
        {"F8 iss", spliced(R"("iss":"https://evil.example")")},
        {"F8 iss escaped", spliced(R"("\u0069ss":"https://evil.example")")},
        {"F8 exp", spliced(R"("exp":1)")},
        {"F8 scope", spliced(R"("scope":"compute.cancel")")},
        {"F8 nested", spliced(R"("x":{"a":1,"a":2})")},
    };
    for (const auto& [label, token] : cases)
        EXPECT_EQ(verdict(token), "malformed") << label;
}

TEST_F(TokenFormat, F9TextThatIsNotCleanIsRefused) {
    const auto text = claims().dump();
    const auto replaced = [&](const std::string& member, const std::string& raw) {
        auto all = claims();
        all[member] = "MARK";
        auto dump = all.dump();
        return with_payload(dump.replace(dump.find("\"MARK\""), 6, raw));
    };
    const std::tuple<std::string, std::string, std::string> cases[] = {
        {"F9 trailing text", with_payload(text + "x"), "malformed"},
        {"F9 trailing object", with_payload(text + "{}"), "malformed"},
        {"F9 NUL and garbage", with_payload(text + "\0garbage"s), "malformed"},
        {"F9 byte order mark", with_payload("\xEF\xBB\xBF" + text), "malformed"},
        {"F9 UTF-16", with_payload("{\0\"\0"s), "malformed"},
        {"F9 ill-formed UTF-8", replaced("sub", "\"a\xFF\""), "malformed"},
        {"F9 lone surrogate", replaced("sub", R"("\udc00")"), "malformed"},
        {"F9 not an object", with_payload("[]"), "malformed"},
        {"F9 header is not an object", with_header("\"x\""), "malformed"},
        {"F9 NUL in iss", replaced("iss", "\"" + wlcg + "\\u0000\""), "unknown_issuer"},
        {"F9 NUL in sub", replaced("sub", R"("a\u0000b")"), "claims"},
        {"F9 newline in sub", replaced("sub", R"("a\nb")"), "claims"},
        {"F9 non-ASCII sub", replaced("sub", R"("\u00e9")"), "claims"},
        {"F9 NUL in scope", replaced("scope", R"("compute.read\u0000")"), "scope"},
        {"F9 NUL in kid", with_header(R"({"alg":"ES256","kid":"ec-1\u0000"})"), "key_id"},
    };
    for (const auto& [label, token, code] : cases)
        EXPECT_EQ(verdict(token), code) << label;
}

TEST_F(TokenFormat, F10AClaimOfTheWrongTypeIsRefused) {
    const std::tuple<std::string, std::string, json, std::string> cases[] = {
        {"F10 exp string", "exp", "1900000000", "claims"},
        {"F10 exp bool", "exp", true, "claims"},
        {"F10 exp array", "exp", json::array({1900000000}), "claims"},
        {"F10 exp null", "exp", nullptr, "claims"},
        {"F10 iss array", "iss", json::array({wlcg}), "unknown_issuer"},
        {"F10 sub number", "sub", 7, "claims"},
        {"F10 sub empty", "sub", "", "claims"},
        {"F10 sub of 256", "sub", std::string(256, 's'), "claims"},
        {"F10 jti object", "jti", json::object(), "claims"},
        {"F10 scope array", "scope", json::array({"compute.read"}), "claims"},
        {"F10 wlcg.ver number", "wlcg.ver", 1.0, "claims"},
        {"F10 groups string", "wlcg.groups", "/atlas", "claims"},
        {"F10 groups of numbers", "wlcg.groups", json::array({1}), "claims"},
        {"F10 aud object", "aud", json::object(), "claims"},
        {"F10 sub of 255", "sub", std::string(255, 's'), "ok"},
    };
    for (const auto& [label, name, value, code] : cases)
        EXPECT_EQ(verdict_of(with(name, value)), code) << label;
}

TEST_F(TokenFormat, F11ADateMayHaveAFractionAndNothingElse) {
    for (const std::string name : {"exp", "nbf", "iat"})
        for (const std::string raw : {"1e300", "9223372036854775808", "18446744073709551615", "-1",
                                      "-1.5", "253402300800", "1e400", "1e999999"}) {
            auto all = claims();
            all[name] = "MARK";
            auto text = all.dump();
            text.replace(text.find("\"MARK\""), 6, raw);
            const auto code = verdict(with_payload(text));
            EXPECT_TRUE(code == "claims" || code == "malformed") << "F11 " << name << raw << code;
        }
    EXPECT_EQ(verdict_of(with("exp", static_cast<double>(now()) + 60.25)), "ok") << "F11 float";
    EXPECT_EQ(verdict_of(with("iat", static_cast<double>(now()) - 0.5)), "ok") << "F11 float";
    EXPECT_EQ(verdict_of(with("nbf", 0)), "ok") << "F11 zero";
}

TEST_F(TokenFormat, F12AScopeHasSingleSpaces) {
    std::string thousands = "compute.read";
    for (int i = 0; i < 5000; ++i)
        thousands += " x";
    const std::tuple<std::string, std::string, std::string> cases[] = {
        {"F12 double space", "compute.read  compute.create", "scope"},
        {"F12 tab", "compute.read\tcompute.create", "scope"},
        {"F12 leading space", " compute.read", "scope"},
        {"F12 trailing space", "compute.read ", "scope"},
        {"F12 quote", "compute.read \"x\"", "scope"},
        {"F12 thousands of items", thousands, "scope"},
        {"F12 empty", "", "ok"},
        {"F12 one", "compute.read", "ok"},
    };
    for (const auto& [label, scope, code] : cases)
        EXPECT_EQ(verdict_of(with("scope", scope)), code) << label;
}

TEST(Bearer, F13ATokenElsewhereThanInTheHeaderIsNotSeen) {
    const auto none = read_bearer({{"Host", "ce"}, {"X-Token", "abc"}, {"Cookie", "t=abc"}});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::unauthorized) << "F13";
    EXPECT_EQ(none.error().field, "missing") << "F13";
}

TEST(Bearer, F14TheHeaderHoldsExactlyOneToken) {
    struct Case {
        std::string label;
        http::Headers headers;
        std::string expected;  // the token, "401" or "400"
    };
    const Case cases[] = {
        {"F14 plain", {{"Authorization", "Bearer abc.d-e_f"}}, "abc.d-e_f"},
        {"F14 scheme in any case", {{"authorization", "bEARER abc"}}, "abc"},
        {"F14 several spaces", {{"Authorization", "Bearer   abc"}}, "abc"},
        {"F14 padding is for the token reader", {{"Authorization", "Bearer abc=="}}, "abc=="},
        {"F14 two fields", {{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}, "400"},
        {"F14 two schemes", {{"Authorization", "Basic a"}, {"Authorization", "Bearer a"}}, "400"},
        {"F14 parameters", {{"Authorization", "Bearer abc, realm=\"x\""}}, "400"},
        {"F14 list", {{"Authorization", "Bearer abc,Bearer def"}}, "400"},
        {"F14 two tokens", {{"Authorization", "Bearer abc def"}}, "400"},
        {"F14 no token", {{"Authorization", "Bearer"}}, "400"},
        {"F14 only padding", {{"Authorization", "Bearer =="}}, "400"},
        {"F14 tab", {{"Authorization", "Bearer\tabc"}}, "401"},
        {"F14 other scheme", {{"Authorization", "Basic abc"}}, "401"},
        {"F14 longer scheme", {{"Authorization", "BearerX abc"}}, "401"},
        {"F14 empty field", {{"Authorization", ""}}, "401"},
    };
    for (const auto& item : cases) {
        const auto token = read_bearer(item.headers);
        if (token) {
            EXPECT_EQ(*token, item.expected) << item.label;
            continue;
        }
        const auto kind = token.error().kind;
        EXPECT_EQ(kind == ErrorKind::invalid ? "400" : "401", item.expected) << item.label;
        EXPECT_EQ(token.error().message.find("abc"), std::string::npos) << item.label;
    }
}

TEST(Base64Url, EveryLengthGoesThereAndBack) {
    std::string bytes;
    for (int i = 0; i < 70; ++i) {
        EXPECT_EQ(decode_base64url(encode_base64url(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
    EXPECT_EQ(encode_base64url("\xFB\xFF"), "-_8");
    for (const auto* text : {"A", "AB", "AA=", "+A", "/A", "A A", "AAAAA", "-_9"})
        EXPECT_FALSE(decode_base64url(text)) << text;
}

}  // namespace
}  // namespace berth::auth::test
