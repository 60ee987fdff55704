// Why a token is refused: a closed list. The code is stable: it is a metric label, the `field` of
// the Error, and what a client may look for.
#pragma once

#include "base/result.hpp"

#include <span>
#include <string>
#include <string_view>

namespace berth::auth {

enum class Reason {
    missing,         // no Authorization field with a bearer token
    too_large,       // longer than 16 KiB
    malformed,       // not three base64url parts of strict JSON
    critical,        // `crit` or another extension of the header that changes the meaning
    algorithm,       // not RS256 or ES256
    key_id,          // no usable `kid`
    unknown_issuer,  // `iss` is not in the configuration, byte for byte
    type,            // `typ` or the claims say that it is not an access token
    unknown_key,     // the issuer has no such key
    bad_signature,
    claims,            // a claim is missing, of the wrong type or out of range
    version,           // `wlcg.ver` or `ver`
    audience,          // `aud`
    expired,           // `exp`
    not_yet_valid,     // `nbf` or `iat` in the future
    lifetime,          // exp - iat is not in (0, the issuer's limit]
    scope,             // ill-formed, or a storage scope without its path
    groups,            // ill-formed `wlcg.groups`
    banned,            // on the ban list of this site
    keys_unavailable,  // 503: the keys cannot be had now; the token may be good
};

struct ReasonText {
    Reason reason;
    std::string_view code;      // "expired"
    std::string_view check;     // what was looked at: "expiry"
    std::string_view sentence;  // fit for error_description of RFC 6750
};

std::span<const ReasonText> all_reasons();
const ReasonText& text_of(Reason reason);

// unauthorized (unavailable for keys_unavailable), `field` is the code. `detail` is made safe for
// a quoted string and shortened; it must hold no secret.
Error refuse(Reason reason, std::string_view detail = {});

// One look at a token, for the operator.
struct Check {
    std::string check;  // of text_of(reason)
    bool ok = false;
    std::string detail;  // what was found, or why it is refused
};

}  // namespace berth::auth
