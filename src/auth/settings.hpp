// What a site decides about tokens: issuers, audiences, bans, mapping rules.
#pragma once

#include "auth/identity.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

struct IssuerSettings {
    std::string name;  // short; what mapping rules and bans refer to
    std::string url;   // compared with `iss` byte for byte: a trailing slash counts
    Profile profile = Profile::wlcg;
    std::string keys_file = {};  // a JWK set; read again when it changes. Else discovery is used
    std::string ca_file = {};    // trust anchors for this issuer alone; "" = the system's
    bool internal = false;       // the site vouches for a private address of this host
    std::chrono::seconds max_lifetime = std::chrono::hours(6);  // of exp - iat
    std::chrono::seconds exp_leeway{0};        // at most 60, for issuers of WLCG profile 1.0
    bool accept_any_audience = true;           // the profile's own "any" value
    std::vector<std::string> jwks_hosts = {};  // "host" or "host:port" beside the issuer's own
};

// Refuses tokens that match every field that is set. There is no other revocation of an access
// token than this and the removal of its key.
struct Ban {
    std::string issuer = {};  // name
    std::string subject = {};
    std::string jti = {};
    std::string kid = {};
};

struct KeySettings {
    std::chrono::seconds refresh = std::chrono::hours(6);        // clamped to 1 h .. 6 h
    std::chrono::seconds warn_after = std::chrono::hours(48);    // keys this old are a warning
    std::chrono::seconds expire_after = std::chrono::hours(96);  // keys this old are not used
    std::chrono::seconds unknown_kid_interval{60};  // between fetches that an unknown kid causes
    std::chrono::seconds backoff_min{5};            // after a failed fetch, doubled each time
    std::chrono::seconds backoff_max{300};
    std::chrono::milliseconds wait_max{15000};  // of one request for keys being fetched
    std::size_t waiters_max = 2000;             // per issuer; what is above gets 503 at once
    std::string state_directory = {};           // the last good sets; "" = memory only
    // Where the WLCG system JWKS cache may be: files, and folders of files named by SHA-256.
    std::vector<std::string> system_caches = {"/etc/jwks/", "/etc/jwks/cache.json",
                                              "/var/cache/jwks/", "/var/cache/jwks/cache.json"};
};

struct AuthSettings {
    std::vector<IssuerSettings> issuers = {};
    std::vector<std::string> audiences = {};  // exact strings that stand for this service
    std::vector<Ban> bans = {};
    KeySettings keys = {};
    std::size_t token_cache_max = 10000;  // good tokens whose signature is not checked again

    // Null when there is none.
    const IssuerSettings* find_url(std::string_view url) const;
    const IssuerSettings* find_name(std::string_view name) const;
};

}  // namespace berth::auth
