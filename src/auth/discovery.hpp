// Where an issuer publishes its keys: metadata documents, their URLs, and the files of the WLCG
// system JWKS cache. Pure functions.
#pragma once

#include "auth/settings.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace berth::auth {

struct HttpsUrl {
    std::string host;  // lower case
    unsigned short port = 443;
    std::string path;  // with query; begins with '/' or is empty
};
// Nothing for another scheme, user information, a fragment, white space, control bytes, or an
// ill-formed host or port.
std::optional<HttpsUrl> parse_https_url(std::string_view url);

// OpenID Connect Discovery appends to the issuer; RFC 8414 inserts before its path.
std::string openid_metadata_url(std::string_view issuer);
std::string oauth_metadata_url(std::string_view issuer);

// The jwks_uri of the metadata document `text`. It must name the issuer byte for byte, and an
// https URL on the issuer's host and port, on that host at 443, or on one of issuer.jwks_hosts.
// Errors: invalid.
Result<std::string> read_metadata(std::string_view text, const IssuerSettings& issuer);

// A JWK set from a cache file, and until when it may be used.
struct CachedKeys {
    std::string jwks;
    WallTime expires;
};
// The file: one or more JSON objects one after the other, {"ISSUER": {"expiration": seconds,
// "jwks": {...}}}; what follows the last good object is ignored (WLCG JWKS cache 1.0).
// Errors: not_found when no object has the issuer.
Result<CachedKeys> read_cache_file(std::string_view text, std::string_view issuer);
std::string write_cache_file(std::string_view issuer, const CachedKeys& keys);

}  // namespace berth::auth
