#include "auth/verifier.hpp"
#include "unit/auth/bench.hpp"

#include <set>
#include <string>

namespace berth::auth::test {
namespace {

class ClaimRules : public Bench {
protected:
    json sci_with(const std::string& name, json value) const {
        auto all = sci_claims();
        all[name] = std::move(value);
        return all;
    }
    std::string sci_verdict(const json& claims) { return verdict(other_key().sign(claims)); }
    std::set<Verb> verbs_of(const json& claims, bool sci = false) {
        const auto& key = sci ? other_key() : ec_key();
        const auto identity = authenticate(key.sign(claims));
        EXPECT_TRUE(identity);
        return identity ? identity->verbs : std::set<Verb>();
    }
};

TEST_F(ClaimRules, C1TimesAreJudgedAsTheProfileSays) {
    const auto t = now();
    struct Case {
        std::string label;
        json change;
        std::string code;
    };
    const Case cases[] = {
        {"C1 one second left", {{"exp", t + 1}}, "ok"},
        {"C1 expired by 0 s", {{"exp", t}}, "expired"},
        {"C1 expired by 1 s", {{"exp", t - 1}}, "expired"},
        {"C1 expired by 61 s", {{"exp", t - 61}, {"iat", t - 100}}, "expired"},
        {"C1 nbf +59", {{"nbf", t + 59}}, "ok"},
        {"C1 nbf +61", {{"nbf", t + 61}}, "not_yet_valid"},
        {"C1 iat +59", {{"iat", t + 59}}, "ok"},
        {"C1 iat +61", {{"iat", t + 61}}, "not_yet_valid"},
        {"C1 exp = iat", {{"iat", t + 30}, {"exp", t + 30}}, "lifetime"},
        {"C1 exp before iat", {{"iat", t + 30}, {"exp", t + 20}}, "lifetime"},
        {"C1 exactly 6 h", {{"iat", t}, {"exp", t + 21600}}, "ok"},
        {"C1 6 h and 1 s", {{"iat", t}, {"exp", t + 21601}}, "lifetime"},
    };
    for (const auto& item : cases) {
        auto all = claims();
        all.update(item.change);
        EXPECT_EQ(verdict_of(all), item.code) << item.label;
    }
    settings.issuers[0].exp_leeway = std::chrono::seconds(500);
    settings.issuers[0].max_lifetime = std::chrono::hours(96);
    auth().reload(settings);
    EXPECT_EQ(verdict_of(with("exp", t - 1)), "ok") << "C1 leeway";
    auto old = claims();
    old.update({{"exp", t - 61}, {"iat", t - 100}});
    EXPECT_EQ(verdict_of(old), "expired") << "C1 a leeway is never above 60 s";
    EXPECT_EQ(verdict_of(with("exp", t + 4 * 86400 - 60)), "ok") << "C1 longer by agreement";
}

TEST_F(ClaimRules, C2TheAudienceIsComparedExactly) {
    settings.audiences = {"https://ce.example.org", here};
    const std::tuple<std::string, json, std::string> cases[] = {
        {"C2 string", "https://ce.example.org", "ok"},
        {"C2 second of ours", here, "ok"},
        {"C2 first in a list", {here, "x"}, "ok"},
        {"C2 last in a list", {"x", "y", here}, "ok"},
        {"C2 empty list", json::array(), "audience"},
        {"C2 list with a number", {here, 7}, "claims"},
        {"C2 nested list", {here, json::array({"x"})}, "claims"},
        {"C2 other case", "https://CE.example.org", "audience"},
        {"C2 trailing slash", "https://ce.example.org/", "audience"},
        {"C2 default port", "https://ce.example.org:443", "audience"},
        {"C2 path", "https://ce.example.org/x", "audience"},
        {"C2 substring", "https://ce.example.or", "audience"},
        {"C2 host alone", "ce.example.org", "audience"},
        {"C2 empty string", "", "audience"},
    };
    for (const auto& [label, audience, code] : cases)
        EXPECT_EQ(verdict_of(with("aud", audience)), code) << label;
}

TEST_F(ClaimRules, C3AnyAudienceIsBoundToTheProfileAndTheIssuer) {
    const std::string any = "https://wlcg.cern.ch/jwt/v1/any";
    EXPECT_EQ(verdict_of(with("aud", any)), "ok") << "C3";
    EXPECT_EQ(verdict_of(with("aud", json::array({"x", any}))), "ok") << "C3";
    EXPECT_EQ(verdict_of(with("aud", "ANY")), "audience") << "C3 of the other profile";
    EXPECT_EQ(sci_verdict(sci_with("aud", "ANY")), "ok") << "C3";
    EXPECT_EQ(sci_verdict(sci_with("aud", "any")), "audience") << "C3";
    EXPECT_EQ(sci_verdict(sci_with("aud", any)), "audience") << "C3 of the other profile";
    settings.issuers[0].accept_any_audience = settings.issuers[1].accept_any_audience = false;
    settings.audiences = {any, "ANY"};
    auth().reload(settings);
    EXPECT_EQ(verdict_of(with("aud", any)), "audience") << "C3 switched off";
    EXPECT_EQ(sci_verdict(sci_with("aud", "ANY")), "audience") << "C3 switched off";
}

TEST_F(ClaimRules, C4RequiredClaimsMustBeThere) {
    EXPECT_EQ(verdict_of(without("aud")), "audience") << "C4";
    for (const std::string name : {"sub", "exp", "iat", "jti"})
        EXPECT_EQ(verdict_of(without(name)), "claims") << "C4 " << name;
    EXPECT_EQ(verdict_of(without("iss")), "unknown_issuer") << "C4";
    EXPECT_EQ(verdict_of(without("wlcg.ver")), "version") << "C4";
    auto sci = sci_claims();
    for (const auto& [name, code] : std::map<std::string, std::string>{{"aud", "audience"},
                                                                       {"scope", "claims"},
                                                                       {"exp", "claims"},
                                                                       {"sub", "claims"},
                                                                       {"ver", "version"}}) {
        auto all = sci;
        all.erase(name);
        EXPECT_EQ(sci_verdict(all), code) << "C4 scitokens " << name;
    }
    sci.erase("iat");
    EXPECT_EQ(sci_verdict(sci), "ok") << "C4 scitokens need no iat";
    sci["exp"] = now() + 6 * 3600 + 1;
    EXPECT_EQ(sci_verdict(sci), "lifetime") << "C4 what is left is measured then";
}

TEST_F(ClaimRules, C5AnIssuerIsComparedByteForByteBeforeAnyFetch) {
    for (const std::string issuer :
         {"https://wlcg.example.org/", "https://wlcg.example.org//", "https://WLCG.example.org",
          "https://wlcg.example.org:443", "https://wlcg.example.org@evil.example/",
          "https://wlcg.example.org.evil.example", "https://wlcg.example.orgx",
          "https://wlcg.example.org/..", "http://wlcg.example.org", "https://wlcg.example.org%2f",
          "https://wlcg.ex\xC3\xA4mple.org", " https://wlcg.example.org", "wlcg", "",
          "https://sci.example.org/vo", "https://sci.example.org"})
        EXPECT_EQ(verdict_of(with("iss", issuer)), "unknown_issuer") << "C5 " << issuer;
    EXPECT_TRUE(fetcher.asked.empty()) << "C5, J1: nobody is asked about an unknown issuer";
}

TEST_F(ClaimRules, C7OtherKindsOfTokenAreRefused) {
    for (const auto& [type, code] : std::map<std::string, std::string>{{"JWT", "ok"},
                                                                       {"jwt", "ok"},
                                                                       {"application/jwt", "ok"},
                                                                       {"at+jwt", "ok"},
                                                                       {"application/at+jwt", "ok"},
                                                                       {"dpop+jwt", "type"},
                                                                       {"logout+jwt", "type"},
                                                                       {"secevent+jwt", "type"},
                                                                       {"JOSE", "type"},
                                                                       {"", "type"}}) {
        const auto header = json{{"alg", "ES256"}, {"kid", "ec-1"}, {"typ", type}}.dump();
        EXPECT_EQ(verdict(ec_key().sign_texts(header, claims().dump())), code) << "C7 " << type;
    }
    const auto header = json{{"alg", "ES256"}, {"kid", "ec-1"}}.dump();
    EXPECT_EQ(verdict(ec_key().sign_texts(header, claims().dump())), "ok") << "C7 typ absent";
    EXPECT_EQ(verdict_of(with("nonce", "n")), "type") << "C7 ID token";
    EXPECT_EQ(verdict_of(with("at_hash", "h")), "type") << "C7 ID token";
}

TEST_F(ClaimRules, C8TheProfileVersionDecides) {
    for (const std::string version : {"1.0", "1.1", "1.3", "1.99"})
        EXPECT_EQ(verdict_of(with("wlcg.ver", version)), "ok") << "C8 " << version;
    for (const std::string version :
         {"0.9", "2.0", "1", "1.", "1.0.0", "x", "1.x", "01.0", " 1.0", "10.0", "scitoken:2.0"})
        EXPECT_EQ(verdict_of(with("wlcg.ver", version)), "version") << "C8 " << version;
    EXPECT_EQ(verdict_of(with("ver", "scitoken:2.0")), "version") << "C8 both";
    for (const std::string version : {"scitoken:2.0", "scitokens:2.0"})
        EXPECT_EQ(sci_verdict(sci_with("ver", version)), "ok") << "C8 " << version;
    for (const std::string version : {"scitoken:1.0", "scitoken:3.0", "2.0", "1.0"})
        EXPECT_EQ(sci_verdict(sci_with("ver", version)), "version") << "C8 " << version;
    EXPECT_EQ(sci_verdict(sci_with("wlcg.ver", "1.0")), "version") << "C8 both";
}

TEST_F(ClaimRules, C9OneSubjectOfTwoIssuersIsTwoIdentities) {
    const auto a = authenticate(ec_key().sign(claims()));
    const auto b = authenticate(other_key().sign(sci_claims()));
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->subject, b->subject) << "C9";
    EXPECT_NE(a->issuer, b->issuer) << "C9";
    EXPECT_EQ(a->issuer_name, "wlcg");
    EXPECT_EQ(b->issuer_name, "sci");
    EXPECT_EQ(a->token_hash.size(), 8U);
    EXPECT_EQ(a->kid, "ec-1");
    EXPECT_EQ(to_ms(a->expires), (now() + 3600) * 1000);
}

TEST_F(ClaimRules, C10GroupsHaveAGrammarAndAnOrder) {
    auto all = without("scope");
    all["wlcg.groups"] = {"/atlas/uk", "/atlas"};
    const auto identity = authenticate(ec_key().sign(all));
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->groups, (std::vector<std::string>{"/atlas/uk", "/atlas"})) << "C10";
    EXPECT_TRUE(identity->verbs.empty());
    for (const std::string group :
         {"/atlas/../cms", "//", "/", "", "atlas", "/atlas/", "/atlas//uk", "/atlas/Role=x",
          "/atlas/uk ", "/atlas/-x", "/atlas/.x", "/\xC3\xA9"})
        EXPECT_EQ(verdict_of(with("wlcg.groups", json::array({"/ok", group}))), "groups")
            << "C10 " << group;
}

TEST_F(ClaimRules, C11AnyCapabilityMakesGroupsVoid) {
    for (const std::string scope :
         {"compute.read", "storage.read:/", "storage.stage:/x openid", "compute.create:/x"}) {
        auto all = with("scope", scope);
        all["wlcg.groups"] = {"/atlas/admin"};
        const auto identity = authenticate(ec_key().sign(all));
        ASSERT_TRUE(identity) << "C11 " << scope;
        EXPECT_TRUE(identity->has_capabilities) << "C11 " << scope;
        EXPECT_TRUE(identity->groups.empty()) << "C11 " << scope;
    }
    auto plain = with("scope", "openid profile wlcg.groups");
    plain["wlcg.groups"] = {"/atlas/admin"};
    const auto identity = authenticate(ec_key().sign(plain));
    ASSERT_TRUE(identity);
    EXPECT_FALSE(identity->has_capabilities);
    EXPECT_EQ(identity->groups.size(), 1U) << "C11 without a capability";
}

TEST_F(ClaimRules, C12EachVerbNeedsItsOwnScope) {
    using enum Verb;
    const std::pair<std::string, std::set<Verb>> cases[] = {
        {"compute.read", {read}},
        {"compute.create", {create}},
        {"compute.modify", {modify}},
        {"compute.cancel", {cancel}},
        {"compute.cancel compute.read", {read, cancel}},
        {"compute.createX", {}},
        {"compute.*", {}},
        {"compute", {}},
        {"compute.create:/x", {}},
        {"Compute.create", {}},
        {"compute.create,compute.read", {}},
        {"condor:/READ condor:/WRITE", {}},
        {"storage.read:/x", {}},
        {"", {}},
    };
    for (const auto& [scope, verbs] : cases)
        EXPECT_EQ(verbs_of(with("scope", scope)), verbs) << "C12 " << scope;
    const std::pair<std::string, std::set<Verb>> sci_cases[] = {
        {"condor:/READ", {read}},
        {"condor:/WRITE", {create, modify, cancel}},
        {"condor:/READ condor:/WRITE", {read, create, modify, cancel}},
        {"compute.read", {read}},
        {"condor:/ALLOW queue execute", {}},
        {"condor:/write", {}},
        {"condor:/WRITE/x", {}},
        {"read:/ write:/", {}},
    };
    for (const auto& [scope, verbs] : sci_cases)
        EXPECT_EQ(verbs_of(sci_with("scope", scope), true), verbs) << "C12 " << scope;
}

TEST_F(ClaimRules, AStorageScopeWithoutANormalisedPathSpoilsTheToken) {
    for (const std::string scope :
         {"storage.read", "storage.read:", "storage.read:foo", "storage.read:/a/../b",
          "storage.create:/a/./b", "storage.modify://a", "storage.stage:/%2e%2e",
          "storage.poll:/%2f", "storage.read:/%zz", "storage.read:/%4", "storage.read:/a%00",
          "storage.read:/%c0%af"})
        EXPECT_EQ(verdict_of(with("scope", "compute.read " + scope)), "scope") << scope;
    for (const std::string scope : {"storage.read:/", "storage.read:/foo", "storage.read:/foo/",
                                    "storage.create:/a%20b", "storage.readX", "storage"})
        EXPECT_EQ(verdict_of(with("scope", "compute.read " + scope)), "ok") << scope;
}

TEST_F(ClaimRules, BansHoldWhenEveryFieldThatIsSetMatches) {
    const std::pair<Ban, bool> cases[] = {
        {{"wlcg", "", "", ""}, true},
        {{"sci", "", "", ""}, false},
        {{"", "pilot-1", "", ""}, true},
        {{"sci", "pilot-1", "", ""}, false},
        {{"wlcg", "pilot", "", ""}, false},
        {{"", "", "j-1", ""}, true},
        {{"wlcg", "pilot-1", "j-2", ""}, false},
        {{"wlcg", "", "", "ec-1"}, true},
        {{"", "", "", ""}, false},
    };
    for (const auto& [ban, banned] : cases) {
        settings.bans = {ban};
        auth().reload(settings);
        EXPECT_EQ(verdict_of(claims()), banned ? "banned" : "ok")
            << ban.issuer << ban.subject << ban.jti << ban.kid;
    }
}

}  // namespace
}  // namespace berth::auth::test
