#include "auth/reason.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace berth::auth {

namespace {

// In the order of the enumeration.
// clang-format off
constexpr std::array<ReasonText, 20> table{{
    {Reason::missing,          "missing",          "presence",   "a bearer token is required"},
    {Reason::too_large,        "too_large",        "size",       "the token is longer than 16384 bytes"},
    {Reason::malformed,        "malformed",        "format",     "the token is not a well-formed signed JWT"},
    {Reason::critical,         "critical",         "extensions", "the token header has an extension that is not supported"},
    {Reason::algorithm,        "algorithm",        "algorithm",  "the algorithm is not RS256 or ES256, or not the one of the key"},
    {Reason::key_id,           "key_id",           "key id",     "the token header has no usable kid"},
    {Reason::unknown_issuer,   "unknown_issuer",   "issuer",     "the issuer is not accepted here"},
    {Reason::type,             "type",             "type",       "this type of token is not accepted"},
    {Reason::unknown_key,      "unknown_key",      "key",        "the issuer has no key with this kid"},
    {Reason::bad_signature,    "bad_signature",    "signature",  "the signature is wrong"},
    {Reason::claims,           "claims",           "claims",     "a claim is missing or not acceptable"},
    {Reason::version,          "version",          "version",    "the profile version is not supported"},
    {Reason::audience,         "audience",         "audience",   "the token is for another audience"},
    {Reason::expired,          "expired",          "expiry",     "the token has expired"},
    {Reason::not_yet_valid,    "not_yet_valid",    "start",      "the token is not valid yet"},
    {Reason::lifetime,         "lifetime",         "lifetime",   "the lifetime of the token is not acceptable"},
    {Reason::scope,            "scope",            "scope",      "a scope of the token is not well-formed"},
    {Reason::groups,           "groups",           "groups",     "a group of the token is not well-formed"},
    {Reason::banned,           "banned",           "ban list",   "this token is banned here"},
    {Reason::keys_unavailable, "keys_unavailable", "keys",       "the keys of the issuer cannot be had now"},
}};
// clang-format on

constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i)
        if (static_cast<std::size_t>(table[i].reason) != i)
            return false;
    return table.size() == static_cast<std::size_t>(Reason::keys_unavailable) + 1;
}
static_assert(in_order());

}  // namespace

std::span<const ReasonText> all_reasons() {
    return table;
}

const ReasonText& text_of(Reason reason) {
    return table[static_cast<std::size_t>(reason)];
}

Error refuse(Reason reason, std::string_view detail) {
    const auto& text = text_of(reason);
    std::string message(text.sentence);
    if (!detail.empty()) {
        // RFC 6750 section 3: error_description has neither '"' nor '\'.
        auto safe = printable(detail, 100);
        std::ranges::replace(safe, '"', '\'');
        std::ranges::replace(safe, '\\', '/');
        message += ": " + safe;
    }
    const auto kind =
        reason == Reason::keys_unavailable ? ErrorKind::unavailable : ErrorKind::unauthorized;
    return Error{kind, std::move(message), std::string(text.code)};
}

}  // namespace berth::auth
