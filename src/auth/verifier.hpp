// The rules of the token profiles: WLCG 1.x (as of 1.3) and SciTokens 2.0. Pure functions of a
// token whose signature the caller checks.
//
// SciTokens: the verbs come from condor:/READ (read) and condor:/WRITE (create, modify, cancel),
// the names that HTCondor-CE uses, and from compute.* where an issuer writes both. condor:/WRITE
// does not give read. queue and execute give nothing: they name no verb of ours. `sub` is
// required, beyond the profile: jobs belong to (issuer, subject). Version 1.0, which is a token
// without `ver`, is refused: it need not name an audience.
#pragma once

#include "auth/claims.hpp"
#include "auth/reason.hpp"
#include "auth/settings.hpp"
#include "auth/token.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

inline constexpr std::chrono::seconds start_leeway{60};  // of nbf and iat (WLCG 1.1)
inline constexpr std::chrono::seconds exp_leeway_max{60};

struct Context {
    const Token& token;
    const Claims& claims;
    const IssuerSettings& issuer;
    const AuthSettings& settings;
    WallTime now;
};

// Who the token speaks for.
// Errors: unauthorized with the reason of the first rule that refuses.
Result<Identity> judge(const Context& context, std::string_view token_text);

// Every rule in the order of judge(), also after one that refuses.
std::vector<Check> explain_rules(const Context& context);

// The part of judge() that depends on the clock and the ban list, for a token that was good
// before.
Result<void> judge_again(const Identity& identity, WallTime not_before,
                         const IssuerSettings& issuer, const AuthSettings& settings, WallTime now);

// The verbs and whether there is any capability scope at all.
struct Capabilities {
    std::set<Verb> verbs = {};
    bool any = false;
};
Capabilities read_capabilities(Profile profile, std::span<const std::string> scopes);

}  // namespace berth::auth
