// The configuration's values for who may do what: issuers, key cache, mappings, bans.
// A field has the name and the default of its key; keys_access.cpp says what each means.
#pragma once

#include "config/value_types.hpp"

namespace berth::config {

struct Issuer {
    std::string name = {};
    std::string url = {};          // byte for byte as written
    std::string profile = "wlcg";  // wlcg or scitokens
    std::string keys_file = {};    // "" = keys by discovery
    std::string ca_file = {};      // "" = the system's authorities
    bool internal = false;
    Seconds max_lifetime{6 * 3600};
    Seconds expiry_leeway{0};
    bool accept_any_audience = false;
    Texts jwks_hosts = {};
    bool operator==(const Issuer&) const = default;
};

struct Tokens {
    std::string state_path = "/var/lib/berth/keys";
    Seconds refresh_interval{3600};
    Seconds expire_after{2 * 86400};
    bool system_jwks_cache = false;
    bool operator==(const Tokens&) const = default;
};

struct Mapping {
    std::string issuer = {};                                // the short name of an [[issuer]]
    std::string subject = {};                               // "" = any
    Texts groups = {};                                      // empty = any
    Texts scopes = {};                                      // empty = any
    Texts grants = {"read", "create", "modify", "cancel"};  // with groups only
    std::string account = {};
    std::string batch_account = {};
    Texts queues = {};  // empty = every queue
    bool account_wide = false;
    unsigned jobs_max = 0;  // 0 = no limit of its own
    bool operator==(const Mapping&) const = default;
};

struct Ban {
    std::string issuer = {};  // the short name of an [[issuer]]; "" = every issuer
    std::string subject = {};
    std::string jti = {};
    std::string kid = {};
    bool operator==(const Ban&) const = default;
};

}  // namespace berth::config
