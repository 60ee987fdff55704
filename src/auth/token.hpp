// A token taken apart: the compact JWS form (RFC 7515 section 3.1) and the rules of its header.
// Nothing here says that a token is good; see verifier.hpp. Pure functions.
#pragma once

#include "auth/identity.hpp"
#include "auth/keys.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace berth::auth {

inline constexpr std::size_t token_bytes_max = 16384;

struct Token {
    std::string signed_text = {};  // the first two parts with their dot
    std::string signature = {};    // decoded
    nlohmann::json header = {};
    nlohmann::json claims = {};  // an object
    Algorithm algorithm = Algorithm::rs256;
    std::string kid = {};
    std::string type = {};  // `typ` in lower case without "application/"; "" when absent
};

// The token of a request: exactly one Authorization field, scheme Bearer in any case (RFC 9110
// section 11.1), one b64token (RFC 6750 section 2.1). Query and form parameters are not looked
// at.
// Errors: unauthorized with field "missing" without a field or for another scheme; invalid (400)
// for two fields, parameters or a list.
Result<std::string> read_bearer(const http::Headers& headers);

// Errors: unauthorized with the reasons too_large, malformed, critical, algorithm, key_id.
Result<Token> read_token(std::string_view text);

// Errors: unauthorized with reason type. Without a `typ` a token may be an access token; with
// one it must be JWT or at+jwt (RFC 8725 section 3.11, RFC 9068).
Result<void> check_type(const Token& token, Profile profile);

}  // namespace berth::auth
