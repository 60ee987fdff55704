// Who a request comes from and what it may do.
#pragma once

#include "base/clock.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

// What a token may be asked for; each needs its own scope (WLCG compute.* or its scitokens peer).
enum class Verb { read, create, modify, cancel };
std::string_view to_string(Verb verb);

enum class Profile { wlcg, scitokens };

// A verified token. An identity is (issuer, subject), never one of them alone.
struct Identity {
    std::string issuer;       // the URL, byte for byte as configured
    std::string issuer_name;  // its short name in the configuration
    std::string subject;
    Profile profile = Profile::wlcg;
    std::set<Verb> verbs;             // from capability scopes only; an empty set permits nothing
    bool has_capabilities = false;    // any capability scope of the profile: groups do not count
    std::vector<std::string> groups;  // wlcg.groups in the token's order; empty with capabilities
    std::vector<std::string> scopes;  // as in the token
    WallTime issued;
    WallTime expires;
    std::string jti;
    std::string kid;
    std::string token_hash;  // first 8 hex digits of SHA-256, for logs
};

}  // namespace berth::auth
