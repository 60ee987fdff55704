#include "auth/claims.hpp"

#include "auth/reason.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace berth::auth {

namespace {

using nlohmann::json;

constexpr std::size_t list_items_max = 1000;

// The WLCG profile limits `sub` to 255 ASCII characters; nothing else needs more than a URL.
bool is_text(std::string_view text, std::size_t most) {
    return text.size() <= most && std::ranges::none_of(text, [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
           });
}

Result<std::optional<std::string>> read_text(const json& claims, const char* name,
                                             std::size_t most) {
    const auto at = claims.find(name);
    if (at == claims.end())
        return std::optional<std::string>();
    if (!at->is_string() || at->get_ref<const std::string&>().empty() ||
        !is_text(at->get_ref<const std::string&>(), most))
        return refuse(Reason::claims, name);
    return std::optional(at->get<std::string>());
}

// RFC 7519 NumericDate: seconds, fractions permitted. Up to the year 9999, so that no later
// arithmetic can overflow.
Result<std::optional<WallTime>> read_time(const json& claims, const char* name) {
    constexpr double latest = 253402300799.0;
    const auto at = claims.find(name);
    if (at == claims.end())
        return std::optional<WallTime>();
    if (!at->is_number())
        return refuse(Reason::claims, name);
    const double seconds = at->get<double>();
    if (!(seconds >= 0 && seconds <= latest))
        return refuse(Reason::claims, name);
    return std::optional(from_ms(static_cast<std::int64_t>(std::floor(seconds * 1000.0))));
}

Result<std::vector<std::string>> read_list(const json& list, const char* name) {
    if (!list.is_array() || list.size() > list_items_max)
        return refuse(Reason::claims, name);
    std::vector<std::string> items;
    for (const auto& item : list) {
        if (!item.is_string() || !is_text(item.get_ref<const std::string&>(), 1024))
            return refuse(Reason::claims, name);
        items.push_back(item.get<std::string>());
    }
    return items;
}

// RFC 6749 section 3.3: scope-token *( SP scope-token ); "" is what some issuers write for none.
Result<std::vector<std::string>> read_scopes(const json& claims) {
    std::vector<std::string> scopes;
    const auto at = claims.find("scope");
    if (at == claims.end())
        return scopes;
    if (!at->is_string())
        return refuse(Reason::claims, "scope");
    const auto& text = at->get_ref<const std::string&>();
    if (text.empty())
        return scopes;
    for (const auto part : split(text, ' ')) {
        const bool good = !part.empty() && std::ranges::all_of(part, [](char c) {
            return c > 0x20 && c < 0x7F && c != '"' && c != '\\';
        });
        if (!good || scopes.size() >= list_items_max)
            return refuse(Reason::scope, "not a list of scope tokens with single spaces");
        scopes.emplace_back(part);
    }
    return scopes;
}

Result<std::vector<std::string>> read_groups(const json& claims) {
    const auto at = claims.find("wlcg.groups");
    if (at == claims.end())
        return std::vector<std::string>();
    auto groups = read_list(*at, "wlcg.groups");
    if (!groups)
        return groups;
    if (!std::ranges::all_of(*groups, is_group))
        return refuse(Reason::groups);
    return groups;
}

Result<std::vector<std::string>> read_audiences(const json& claims) {
    const auto at = claims.find("aud");
    if (at == claims.end())
        return std::vector<std::string>();
    if (at->is_string() && is_text(at->get_ref<const std::string&>(), 1024))
        return std::vector<std::string>{at->get<std::string>()};
    return read_list(*at, "aud");
}

// Moves the value of a reading into `target`; the Error, if there is one, into `first`.
template <class T>
void take(Result<T> reading, T& target, std::optional<Error>& first) {
    if (reading)
        target = std::move(*reading);
    else if (!first)
        first = std::move(reading.error());
}

}  // namespace

std::string issuer_of(const json& claims) {
    const auto issuer = read_text(claims, "iss", 1024);
    return issuer && *issuer ? **issuer : std::string();
}

Result<Claims> read_claims(const json& json_claims) {
    Claims claims;
    std::optional<Error> error;
    claims.issuer = issuer_of(json_claims);
    if (claims.issuer.empty())
        return refuse(Reason::claims, "iss");
    take(read_text(json_claims, "sub", 255), claims.subject, error);
    take(read_audiences(json_claims), claims.audiences, error);
    take(read_time(json_claims, "exp"), claims.expires, error);
    take(read_time(json_claims, "iat"), claims.issued, error);
    take(read_time(json_claims, "nbf"), claims.not_before, error);
    take(read_text(json_claims, "jti", 1024), claims.jti, error);
    take(read_text(json_claims, "wlcg.ver", 32), claims.wlcg_version, error);
    take(read_text(json_claims, "ver", 64), claims.version, error);
    take(read_scopes(json_claims), claims.scopes, error);
    take(read_groups(json_claims), claims.groups, error);
    if (claims.subject && std::ranges::any_of(*claims.subject, [](char c) {
            return static_cast<unsigned char>(c) > 0x7E;
        }))
        take<std::optional<std::string>>(refuse(Reason::claims, "sub"), claims.subject, error);
    static constexpr std::array id_token{"nonce", "at_hash", "c_hash"};
    claims.is_id_token =
        std::ranges::any_of(id_token, [&](const char* name) { return json_claims.contains(name); });
    if (error)
        return std::move(*error);
    return claims;
}

bool is_group(std::string_view text) {
    if (!text.starts_with('/') || text.size() > 512)
        return false;
    const auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return std::ranges::all_of(split(text.substr(1), '/'), [&](std::string_view part) {
        return !part.empty() && alphanumeric(part.front()) &&
               std::ranges::all_of(part, [&](char c) {
                   return alphanumeric(c) || c == '_' || c == '.' || c == '-';
               });
    });
}

bool is_scope_path(std::string_view path) {
    if (!path.starts_with('/'))
        return false;
    if (path == "/")
        return true;
    const auto parts = split(path.substr(1), '/');
    for (const auto& part : parts) {
        // One empty part at the end is the trailing slash that the profile gives a meaning.
        if (part.empty() && &part != &parts.back())
            return false;
        std::string decoded;
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (part[i] != '%') {
                decoded += part[i];
                continue;
            }
            unsigned value = 0;
            const auto digits = part.substr(i + 1, 2);
            const auto [stop, failed] =
                std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
            if (failed != std::errc() || digits.size() != 2 || stop != digits.data() + 2)
                return false;
            decoded += static_cast<char>(value);
            i += 2;
        }
        if (decoded == "." || decoded == ".." || decoded.find('/') != std::string::npos ||
            decoded.find('\0') != std::string::npos || !is_utf8(decoded))
            return false;
    }
    return true;
}

}  // namespace berth::auth
