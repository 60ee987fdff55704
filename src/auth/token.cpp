#include "auth/token.hpp"

#include "auth/base64url.hpp"
#include "auth/reason.hpp"
#include "base/strict_json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace berth::auth {

namespace {

using nlohmann::json;

constexpr std::size_t header_depth_max = 8;
constexpr std::size_t claims_depth_max = 16;

// RFC 6750 section 2.1: b64token.
bool is_b64token(std::string_view text) {
    const auto end = text.find_last_not_of('=');
    if (end == std::string_view::npos)
        return false;
    return std::ranges::all_of(text.substr(0, end + 1), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("-._~+/").find(c) != std::string_view::npos;
    });
}

Result<json> read_part(std::string_view part, std::size_t depth_max, std::string_view which) {
    const auto bytes = decode_base64url(part);
    if (!bytes)
        return refuse(Reason::malformed, std::string(which) + " is not base64url");
    auto value = parse_strict_json(*bytes, depth_max);
    if (!value)
        return refuse(Reason::malformed, std::string(which) + ": " + value.error().message);
    if (!value->is_object())
        return refuse(Reason::malformed, std::string(which) + " is not a JSON object");
    return value;
}

// Members that change how a JWS or JWE is read; ignoring one would be wrong. `crit` lists
// extensions that must be understood (RFC 7515 section 4.1.11), and none is understood here;
// RFC 7797 b64; the others are of encrypted tokens (RFC 7516), which are not supported.
Result<void> check_extensions(const json& header) {
    static constexpr std::array refused{"crit", "b64", "enc", "zip", "p2c", "p2s", "epk"};
    for (const char* name : refused)
        if (header.contains(name))
            return refuse(Reason::critical, name);
    return {};
}

// jwk, jku, x5c, x5u and x5t are not even looked at: the key comes from the configuration.
Result<void> read_header(Token& token) {
    if (auto checked = check_extensions(token.header); !checked)
        return checked;
    const auto algorithm = token.header.find("alg");
    if (algorithm == token.header.end() || !algorithm->is_string())
        return refuse(Reason::algorithm);
    if (*algorithm == "RS256")
        token.algorithm = Algorithm::rs256;
    else if (*algorithm == "ES256")
        token.algorithm = Algorithm::es256;
    else
        return refuse(Reason::algorithm);
    const auto kid = token.header.find("kid");
    if (kid == token.header.end() || !kid->is_string() ||
        !is_kid(kid->get_ref<const std::string&>()))
        return refuse(Reason::key_id);
    token.kid = kid->get<std::string>();
    const auto type = token.header.find("typ");
    if (type == token.header.end())
        return {};
    if (!type->is_string() || type->get_ref<const std::string&>().empty())
        return refuse(Reason::type);
    // RFC 7515 section 4.1.9: a media type, compared without case; "application/" may be left out.
    token.type = to_lower(type->get_ref<const std::string&>());
    if (token.type.starts_with("application/"))
        token.type.erase(0, 12);
    return {};
}

}  // namespace

Result<std::string> read_bearer(const http::Headers& headers) {
    const std::string* value = nullptr;
    for (const auto& [name, content] : headers.all()) {
        if (!equal_ignoring_case(name, "authorization"))
            continue;
        if (value != nullptr)
            return Error{ErrorKind::invalid, "the request has two Authorization fields",
                         "Authorization"};
        value = &content;
    }
    if (value == nullptr)
        return refuse(Reason::missing);
    const auto text = trim(*value);
    const auto space = text.find(' ');
    if (!equal_ignoring_case(text.substr(0, space), "bearer"))
        return refuse(Reason::missing);
    const auto token =
        space == std::string_view::npos ? std::string_view() : trim(text.substr(space));
    if (!is_b64token(token))
        return Error{ErrorKind::invalid, "the Authorization field is not one bearer token",
                     "Authorization"};
    return std::string(token);
}

Result<Token> read_token(std::string_view text) {
    if (text.size() > token_bytes_max)
        return refuse(Reason::too_large);
    const auto parts = split(text, '.');
    if (parts.size() != 3)
        return refuse(Reason::malformed, "it has not three parts");
    auto header = read_part(parts[0], header_depth_max, "the header");
    if (!header)
        return header.error();
    Token token;
    token.header = std::move(*header);
    if (auto read = read_header(token); !read)
        return read.error();
    auto claims = read_part(parts[1], claims_depth_max, "the payload");
    if (!claims)
        return claims.error();
    token.claims = std::move(*claims);
    auto signature = decode_base64url(parts[2]);
    if (!signature || signature->empty())
        return refuse(Reason::malformed, "the signature is not base64url");
    token.signature = std::move(*signature);
    token.signed_text = text.substr(0, parts[0].size() + 1 + parts[1].size());
    return token;
}

Result<void> check_type(const Token& token, Profile profile) {
    if (token.type.empty())
        return {};
    // Both profiles call their access tokens by the same names today.
    static constexpr std::array wlcg{"jwt", "at+jwt"}, scitokens{"jwt", "at+jwt"};
    const auto& allowed = profile == Profile::wlcg ? wlcg : scitokens;
    if (std::ranges::find(allowed, token.type) == allowed.end())
        return refuse(Reason::type, token.type);
    return {};
}

}  // namespace berth::auth
