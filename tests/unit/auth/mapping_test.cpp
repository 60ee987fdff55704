#include "auth/mapping.hpp"
#include "auth/discovery.hpp"
#include "auth/lint.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace berth::auth {
namespace {

Identity person(std::string subject = "s1") {
    Identity identity;
    identity.issuer = "https://wlcg.example.org";
    identity.issuer_name = "wlcg";
    identity.subject = std::move(subject);
    identity.verbs = {Verb::read, Verb::create};
    identity.has_capabilities = true;
    identity.scopes = {"compute.read", "compute.create"};
    return identity;
}

Identity member(std::vector<std::string> groups) {
    auto identity = person();
    identity.verbs.clear();
    identity.has_capabilities = false;
    identity.scopes.clear();
    identity.groups = std::move(groups);
    return identity;
}

MappingRule rule(std::string issuer, std::string subject, std::string account) {
    MappingRule made;
    made.issuer = std::move(issuer);
    made.subject = std::move(subject);
    made.account = std::move(account);
    return made;
}

TEST(Mapping, TheFirstRuleThatMatchesWins) {
    const std::vector rules{rule("other", "", "a"), rule("wlcg", "s2", "b"), rule("wlcg", "", "c"),
                            rule("wlcg", "s1", "d")};
    const auto decision = map(person(), rules);
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.rule, 2U);
    EXPECT_EQ(decision.account, "c");
    EXPECT_EQ(decision.verbs, person().verbs);
    ASSERT_EQ(decision.considered.size(), 4U) << "every rule is explained";
    EXPECT_NE(decision.considered[0].why.find("issuer"), std::string::npos);
    EXPECT_NE(decision.considered[1].why.find("subject"), std::string::npos);
    EXPECT_TRUE(decision.considered[3].matched);
    EXPECT_NE(decision.considered[3].why.find("rule 3 comes first"), std::string::npos);
}

TEST(Mapping, WithoutAMatchNobodyGetsIn) {
    EXPECT_FALSE(map(person(), {}).allowed);
    const std::vector rules{rule("wlcg", "s", "a"), rule("wlcg", "s11", "a"), rule("wlc", "", "a"),
                            rule("wlcg", "", ""), rule("", "", "a")};
    const auto decision = map(person(), rules);
    EXPECT_FALSE(decision.allowed) << "C6: subjects and issuers are compared whole";
    EXPECT_TRUE(decision.account.empty());
    EXPECT_TRUE(decision.verbs.empty());
}

TEST(Mapping, C10AGroupStandsForItselfAlone) {
    auto rules = std::vector{rule("wlcg", "", "a")};
    rules[0].groups = {"/atlas"};
    rules[0].grants = {Verb::create};
    EXPECT_FALSE(map(member({"/atlas/uk"}), rules).allowed) << "C10";
    EXPECT_FALSE(map(member({"/atlasx"}), rules).allowed) << "C10";
    EXPECT_FALSE(map(member({}), rules).allowed);
    const auto decision = map(member({"/atlas/uk", "/atlas"}), rules);
    EXPECT_TRUE(decision.allowed) << "C10";
    EXPECT_EQ(decision.verbs, std::set{Verb::create});
    rules[0].groups = {"/atlas", "/atlas/prod"};
    EXPECT_FALSE(map(member({"/atlas"}), rules).allowed) << "all groups of a rule are needed";
}

TEST(Mapping, C11GroupsOfATokenWithCapabilitiesDoNotCount) {
    auto rules = std::vector{rule("wlcg", "", "a")};
    rules[0].groups = {"/atlas"};
    auto both = person();
    both.groups = {"/atlas"};  // judge() leaves them out; the rule does not rely on it
    EXPECT_FALSE(map(both, rules).allowed) << "C11";
    rules[0].groups.clear();
    EXPECT_TRUE(map(both, rules).allowed);
}

TEST(Mapping, AllScopesOfARuleAreNeeded) {
    auto rules = std::vector{rule("wlcg", "", "a")};
    rules[0].scopes = {"compute.create", "compute.cancel"};
    EXPECT_FALSE(map(person(), rules).allowed);
    rules[0].scopes = {"compute.create"};
    EXPECT_TRUE(map(person(), rules).allowed);
}

TEST(Mapping, C9TheIssuerIsPartOfTheIdentity) {
    auto twin = person();
    twin.issuer = "https://sci.example.org";
    twin.issuer_name = "sci";
    const std::vector rules{rule("wlcg", "s1", "grid1")};
    EXPECT_TRUE(map(person(), rules).allowed);
    EXPECT_FALSE(map(twin, rules).allowed) << "C9";
}

TEST(Mapping, C13OneDoesNotActOnTheJobsOfAnother) {
    auto rules = std::vector{rule("wlcg", "", "grid1")};
    const auto a = person("a");
    auto decision = map(a, rules);
    EXPECT_TRUE(may_act_on(a, decision, a.issuer, "a", "grid1"));
    EXPECT_FALSE(may_act_on(a, decision, a.issuer, "b", "grid1")) << "C13";
    EXPECT_FALSE(may_act_on(a, decision, "https://other.example", "a", "grid1")) << "C13";
    rules[0].account_wide = true;
    decision = map(a, rules);
    EXPECT_TRUE(may_act_on(a, decision, a.issuer, "b", "grid1")) << "C13";
    EXPECT_FALSE(may_act_on(a, decision, a.issuer, "b", "grid2")) << "C13";
    EXPECT_FALSE(may_act_on(a, MappingDecision(), a.issuer, "a", "grid1")) << "C13 no mapping";
}

AuthSettings one_issuer() {
    AuthSettings settings;
    settings.issuers.push_back({"wlcg", "https://wlcg.example.org"});
    settings.audiences = {"https://ce.example.org"};
    return settings;
}

// The keys of the fatal problems.
std::vector<std::string> problems(const AuthSettings& settings, std::vector<MappingRule> rules,
                                  std::string_view own = {}) {
    std::vector<std::string> keys;
    for (const auto& problem : lint(settings, rules, own))
        if (problem.fatal)
            keys.push_back(problem.key);
    return keys;
}
using Keys = std::vector<std::string>;

TEST(Lint, AccountsMustBeOrdinaryOnes) {
    for (const auto* account : {"grid1", "_x", "a", "atlas-prod_01"})
        EXPECT_EQ(account_problem(account), "") << account;
    for (const std::string account :
         {"", "root", "daemon", "nobody", "slurm", "munge", "systemd-network", "Grid", "1grid",
          "-x", "a b", "a;b", "../x", "grid$", "a\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
        EXPECT_NE(account_problem(account), "") << account;
    const std::vector rules{rule("wlcg", "", "root")};
    EXPECT_EQ(problems(one_issuer(), rules), Keys{"mapping[0].account"});
    EXPECT_EQ(problems(one_issuer(), rules, "root"), Keys{}) << "nothing changes user then";
    EXPECT_EQ(problems(one_issuer(), rules, "berth"), Keys{"mapping[0].account"});
}

TEST(Lint, C6WhatLooksLikeAPatternIsAMistake) {
    for (const std::string subject : {"/.*/", "^s1", "s1$", "s*", "s1\n", "\xC3\xA9"})
        EXPECT_EQ(problems(one_issuer(), {rule("wlcg", subject, "grid1")}),
                  Keys{"mapping[0].subject"})
            << "C6 " << subject;
    for (const std::string subject : {"", "s1", "/CN=pilot", "host:a.b", "a+b@egi.eu"})
        EXPECT_EQ(problems(one_issuer(), {rule("wlcg", subject, "grid1")}), Keys{})
            << "C6 " << subject;
}

TEST(Lint, NamesMustBeKnownAndUnique) {
    auto settings = one_issuer();
    EXPECT_EQ(problems(settings, {rule("wlgc", "", "grid1")}), Keys{"mapping[0].issuer"});
    const auto all = lint(settings, std::vector{rule("wlgc", "", "grid1")});
    EXPECT_NE(all.at(0).message.find("did you mean \"wlcg\"?"), std::string::npos);
    settings.bans = {{"nobody", "", "", ""}, {}};
    EXPECT_EQ(problems(settings, {}), (Keys{"ban[0].issuer", "ban[1].subject"}));
    settings.bans.clear();
    settings.issuers.push_back(settings.issuers[0]);
    EXPECT_EQ(problems(settings, {}), (Keys{"issuer[1].name", "issuer[1].url"}));
}

TEST(Lint, AnIssuerIsAnHttpsUrl) {
    for (const std::string url :
         {"", "http://a.example", "https://", "https://u@a.example", "https://a.example#x",
          "https://a.example:0", "https://a b", "https://a.example:99999", "https://a\\b"}) {
        auto settings = one_issuer();
        settings.issuers[0].url = url;
        EXPECT_EQ(problems(settings, {}), Keys{"issuer[0].url"}) << url;
    }
    auto settings = one_issuer();
    settings.issuers[0].exp_leeway = std::chrono::seconds(61);
    settings.issuers[0].max_lifetime = std::chrono::seconds(0);
    settings.audiences = {"ANY"};
    EXPECT_EQ(problems(settings, {}),
              (Keys{"issuer[0].exp_leeway", "issuer[0].max_lifetime", "api.audience"}));
}

TEST(Discovery, WellKnownAddresses) {
    EXPECT_EQ(openid_metadata_url("https://a.example/"),
              "https://a.example/.well-known/openid-configuration");
    EXPECT_EQ(openid_metadata_url("https://a.example/realms/egi"),
              "https://a.example/realms/egi/.well-known/openid-configuration");
    EXPECT_EQ(oauth_metadata_url("https://a.example/realms/egi"),
              "https://a.example/.well-known/oauth-authorization-server/realms/egi");
    EXPECT_EQ(oauth_metadata_url("https://a.example"),
              "https://a.example/.well-known/oauth-authorization-server");
}

TEST(Discovery, J2MetadataMustBeOfTheIssuerAndLeadToItsHost) {
    IssuerSettings issuer{"i", "https://a.example:8443/x"};
    issuer.jwks_hosts = {"keys.example", "cdn.example:444"};
    const auto text = [](const std::string& name, const std::string& uri) {
        return R"({"issuer":")" + name + R"(","jwks_uri":")" + uri + R"("})";
    };
    for (const std::string uri :
         {"https://a.example:8443/jwks", "https://a.example/jwks", "https://A.example:8443/",
          "https://keys.example/jwks", "https://cdn.example:444/jwks?v=1"})
        EXPECT_TRUE(read_metadata(text(issuer.url, uri), issuer)) << "J2 " << uri;
    for (const std::string uri :
         {"http://a.example:8443/jwks", "file:///etc/passwd", "gopher://a.example/",
          "https://b.example/jwks", "https://a.example.evil/jwks", "https://a.example@evil/jwks",
          "https://u:p@a.example/jwks", "https://keys.example:8443/", "https://cdn.example/jwks",
          "https://a.example:22/", "https://169.254.169.254/", "", "/jwks", "https://a.example#x"})
        EXPECT_FALSE(read_metadata(text(issuer.url, uri), issuer)) << "J2 " << uri;
    for (const std::string name :
         {"https://a.example:8443/x/", "https://a.example/x", "https://A.example:8443/x", ""})
        EXPECT_FALSE(read_metadata(text(name, "https://a.example:8443/jwks"), issuer))
            << "J2 " << name;
    for (const std::string document :
         {"", "[]", "{}", R"({"issuer":1,"jwks_uri":2})", "<html>",
          R"({"issuer":"https://evil","issuer":"https://a.example:8443/x","jwks_uri":"x"})"})
        EXPECT_FALSE(read_metadata(document, issuer)) << "J2 " << document;
}

TEST(Discovery, ACacheFileMayHoldSeveralObjects) {
    const std::string issuer = "https://a.example";
    const auto written = write_cache_file(issuer, {R"({"keys":[]})", from_ms(1800000000000)});
    const auto good = "{\"https://b.example\":{}} \n" + written + "trailing {garbage";
    const auto keys = read_cache_file(good, issuer);
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->jwks, R"({"keys":[]})");
    EXPECT_EQ(to_ms(keys->expires), 1800000000000);
    const auto fraction = R"({"x":1,"https://a.example":{"expiration":1.5,"jwks":{},"y":"}{"}})";
    ASSERT_TRUE(read_cache_file(fraction, issuer));
    EXPECT_EQ(to_ms(read_cache_file(fraction, issuer)->expires), 1500);
    for (const std::string& text :
         {std::string(), std::string("{"), "x" + written,
          std::string(R"({"https://a.example":{"jwks":{}}})"),
          std::string(R"({"https://a.example":{"expiration":"1","jwks":{}}})"),
          std::string(R"({"https://a.example":{"expiration":1e300,"jwks":{}}})")})
        EXPECT_FALSE(read_cache_file(text, issuer)) << text;
}

}  // namespace
}  // namespace berth::auth
