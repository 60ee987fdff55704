// The claims that Berth looks at, with their types and grammars checked. All others are ignored,
// as the WLCG profile demands (section 4.3.3). Pure functions.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

struct Claims {
    std::string issuer = {};
    std::optional<std::string> subject = {};
    std::vector<std::string> audiences = {};  // a string or a list of strings in the token
    std::optional<WallTime> expires = {};
    std::optional<WallTime> issued = {};
    std::optional<WallTime> not_before = {};
    std::optional<std::string> jti = {};
    std::vector<std::string> scopes = {};
    std::vector<std::string> groups = {};          // wlcg.groups
    std::optional<std::string> wlcg_version = {};  // wlcg.ver
    std::optional<std::string> version = {};       // ver
    bool is_id_token = false;  // has nonce, at_hash or c_hash (OpenID Connect Core section 2)
};

// `iss` alone, "" when it is not an acceptable string: for the allow-list, before anything else.
std::string issuer_of(const nlohmann::json& claims);

// Errors: unauthorized with the reasons claims (type or range of a claim), scope, groups.
Result<Claims> read_claims(const nlohmann::json& claims);

// A wlcg.groups element: "/" components "[a-zA-Z0-9][a-zA-Z0-9_.-]*" (WLCG profile 1.3).
bool is_group(std::string_view text);

// A storage scope's path: absolute, normalised, well-formed escapes (WLCG profile 2.2.1).
bool is_scope_path(std::string_view path);

}  // namespace berth::auth
