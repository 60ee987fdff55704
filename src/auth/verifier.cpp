#include "auth/verifier.hpp"

#include "auth/digest.hpp"
#include "auth/reason.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace berth::auth {

namespace {

constexpr std::string_view wlcg_any = "https://wlcg.cern.ch/jwt/v1/any";
constexpr std::string_view scitokens_any = "ANY";

// WLCG profile 1.3: any minor version of a known major one.
bool is_wlcg_version(std::string_view version) {
    return version.starts_with("1.") && version.size() > 2 &&
           version.find_first_not_of("0123456789", 2) == std::string_view::npos;
}

Result<void> check_version(const Context& context) {
    const auto& claims = context.claims;
    if (claims.version && claims.wlcg_version)
        return refuse(Reason::version, "both ver and wlcg.ver");
    if (context.issuer.profile == Profile::wlcg) {
        if (!claims.wlcg_version || !is_wlcg_version(*claims.wlcg_version))
            return refuse(Reason::version, "wlcg.ver is not 1.x");
        return {};
    }
    // The library of the project itself writes "scitokens:2.0".
    if (claims.version != "scitoken:2.0" && claims.version != "scitokens:2.0")
        return refuse(Reason::version, "ver is not scitoken:2.0");
    return {};
}

Result<void> check_required(const Context& context) {
    const auto& claims = context.claims;
    if (!claims.subject)
        return refuse(Reason::claims, "sub is missing");
    if (!claims.expires)
        return refuse(Reason::claims, "exp is missing");
    if (context.issuer.profile == Profile::wlcg && !claims.issued)
        return refuse(Reason::claims, "iat is missing");
    if (context.issuer.profile == Profile::wlcg && !claims.jti)
        return refuse(Reason::claims, "jti is missing");
    if (context.issuer.profile == Profile::scitokens && claims.scopes.empty())
        return refuse(Reason::claims, "scope is missing");
    return {};
}

Result<void> check_use(const Context& context) {
    if (context.claims.is_id_token)
        return refuse(Reason::type, "it has a claim of an ID token");
    return check_type(context.token, context.issuer.profile);
}

Result<void> check_audience(const Context& context) {
    const auto any = context.issuer.profile == Profile::wlcg ? wlcg_any : scitokens_any;
    for (const auto& audience : context.claims.audiences) {
        if (audience == any && context.issuer.accept_any_audience)
            return {};
        // A site cannot make the other profile's "any" mean itself by mistake.
        if (audience != wlcg_any && audience != scitokens_any &&
            std::ranges::find(context.settings.audiences, audience) !=
                context.settings.audiences.end())
            return {};
    }
    return refuse(Reason::audience, context.claims.audiences.empty() ? "aud is missing" : "");
}

Result<void> check_expiry(WallTime expires, const IssuerSettings& issuer, WallTime now) {
    if (now >= expires + std::clamp(issuer.exp_leeway, std::chrono::seconds(0), exp_leeway_max))
        return refuse(Reason::expired);
    return {};
}

Result<void> check_expiry(const Context& context) {
    if (!context.claims.expires)
        return refuse(Reason::expired, "exp is missing");
    return check_expiry(*context.claims.expires, context.issuer, context.now);
}

Result<void> check_start(const Context& context) {
    const auto latest = context.now + start_leeway;
    if (context.claims.not_before && *context.claims.not_before > latest)
        return refuse(Reason::not_yet_valid, "nbf");
    if (context.claims.issued && *context.claims.issued > latest)
        return refuse(Reason::not_yet_valid, "iat");
    return {};
}

// WLCG 1.3: 6 h at most unless other measures are agreed. Without `iat` (SciTokens) what is left
// is measured.
Result<void> check_lifetime(const Context& context) {
    const auto& claims = context.claims;
    if (!claims.expires)
        return refuse(Reason::lifetime, "exp is missing");
    const auto begin = claims.issued ? *claims.issued : claims.not_before.value_or(context.now);
    const auto length = *claims.expires - begin;
    if (length <= std::chrono::milliseconds(0) && (claims.issued || claims.not_before))
        return refuse(Reason::lifetime, "exp is not after iat");
    if (length > context.issuer.max_lifetime)
        return refuse(Reason::lifetime,
                      "longer than " + std::to_string(context.issuer.max_lifetime.count()) + " s");
    return {};
}

// WLCG profile 2.2.1: a storage scope without a path, or with one that is not normalised, makes
// the whole token unacceptable.
Result<void> check_scopes(const Context& context) {
    if (context.issuer.profile != Profile::wlcg)
        return {};
    static constexpr std::array storage{"storage.read", "storage.create", "storage.modify",
                                        "storage.stage", "storage.poll"};
    for (const std::string_view scope : context.claims.scopes) {
        const auto colon = scope.find(':');
        if (std::ranges::find(storage, scope.substr(0, colon)) == storage.end())
            continue;
        if (colon == std::string_view::npos || !is_scope_path(scope.substr(colon + 1)))
            return refuse(Reason::scope, "a storage scope without a normalised path");
    }
    return {};
}

Result<void> check_bans(const AuthSettings& settings, std::string_view issuer,
                        std::string_view subject, std::string_view jti, std::string_view kid) {
    const auto covers = [](std::string_view wanted, std::string_view value) {
        return wanted.empty() || wanted == value;
    };
    for (const auto& ban : settings.bans) {
        if (ban.issuer.empty() && ban.subject.empty() && ban.jti.empty() && ban.kid.empty())
            continue;  // refused by the lint; it would ban everybody
        if (covers(ban.issuer, issuer) && covers(ban.subject, subject) && covers(ban.jti, jti) &&
            covers(ban.kid, kid))
            return refuse(Reason::banned);
    }
    return {};
}

Result<void> check_bans(const Context& context) {
    return check_bans(context.settings, context.issuer.name, context.claims.subject.value_or(""),
                      context.claims.jti.value_or(""), context.token.kid);
}

struct Rule {
    Reason reason;
    Result<void> (*test)(const Context&);
};

constexpr std::array<Rule, 9> rules{{
    {Reason::banned, check_bans},
    {Reason::type, check_use},
    {Reason::version, check_version},
    {Reason::claims, check_required},
    {Reason::audience, check_audience},
    {Reason::expired, check_expiry},
    {Reason::not_yet_valid, check_start},
    {Reason::lifetime, check_lifetime},
    {Reason::scope, check_scopes},
}};

}  // namespace

Capabilities read_capabilities(Profile profile, std::span<const std::string> scopes) {
    struct Meaning {
        std::string_view scope;
        std::vector<Verb> verbs;
        bool scitokens_only = false;
    };
    static const std::array<Meaning, 6> meanings{{
        {"compute.read", {Verb::read}},
        {"compute.create", {Verb::create}},
        {"compute.modify", {Verb::modify}},
        {"compute.cancel", {Verb::cancel}},
        {"condor:/READ", {Verb::read}, true},
        {"condor:/WRITE", {Verb::create, Verb::modify, Verb::cancel}, true},
    }};
    // A capability of the profile even if it gives no verb here: groups then do not count.
    static constexpr std::array<std::string_view, 2> wlcg{"compute", "storage"};
    static constexpr std::array<std::string_view, 4> scitokens{"read", "write", "queue", "execute"};
    Capabilities found;
    for (const std::string_view scope : scopes) {
        for (const auto& meaning : meanings)
            if (scope == meaning.scope &&
                (!meaning.scitokens_only || profile == Profile::scitokens))
                found.verbs.insert(meaning.verbs.begin(), meaning.verbs.end());
        const auto name = scope.substr(0, scope.find(':'));
        const auto family = name.substr(0, name.find('.'));
        if (std::ranges::find(wlcg, family) != wlcg.end() ||
            (profile == Profile::scitokens &&
             (name == "condor" || std::ranges::find(scitokens, name) != scitokens.end())))
            found.any = true;
    }
    return found;
}

Result<Identity> judge(const Context& context, std::string_view token_text) {
    for (const auto& rule : rules)
        if (auto result = rule.test(context); !result)
            return result.error();
    const auto& claims = context.claims;
    auto capabilities = read_capabilities(context.issuer.profile, claims.scopes);
    Identity identity;
    identity.issuer = context.issuer.url;
    identity.issuer_name = context.issuer.name;
    identity.subject = claims.subject.value_or("");
    identity.profile = context.issuer.profile;
    identity.verbs = std::move(capabilities.verbs);
    identity.has_capabilities = capabilities.any;
    // WLCG profile 2.2.3: groups count only without any capability. SciTokens has no groups.
    if (!capabilities.any && context.issuer.profile == Profile::wlcg)
        identity.groups = claims.groups;
    identity.scopes = claims.scopes;
    identity.expires = claims.expires.value_or(WallTime());
    identity.issued = claims.issued.value_or(claims.not_before.value_or(identity.expires));
    identity.jti = claims.jti.value_or("");
    identity.kid = context.token.kid;
    identity.token_hash = sha256_hex(token_text).substr(0, 8);
    return identity;
}

std::vector<Check> explain_rules(const Context& context) {
    std::vector<Check> checks;
    for (const auto& rule : rules) {
        const auto result = rule.test(context);
        checks.push_back({std::string(text_of(rule.reason).check), result.has_value(),
                          result ? std::string() : result.error().message});
    }
    return checks;
}

Result<void> judge_again(const Identity& identity, WallTime not_before,
                         const IssuerSettings& issuer, const AuthSettings& settings, WallTime now) {
    if (auto allowed =
            check_bans(settings, issuer.name, identity.subject, identity.jti, identity.kid);
        !allowed)
        return allowed;
    if (not_before > now + start_leeway)
        return refuse(Reason::not_yet_valid);
    return check_expiry(identity.expires, issuer, now);
}

}  // namespace berth::auth
