#include "auth/discovery.hpp"

#include "base/strict_json.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace berth::auth {

namespace {

using nlohmann::json;

constexpr std::string_view scheme = "https://";

bool is_host(std::string_view host) {
    if (host.starts_with('[') && host.ends_with(']'))
        return host.size() > 2 &&
               host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
                   std::string_view::npos;
    return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    });
}

Error refusal(std::string why) {
    return Error{ErrorKind::invalid, "the issuer's metadata is refused: " + std::move(why)};
}

// Where the object that begins at `at` ends (one after its brace), or npos.
std::size_t object_end(std::string_view text, std::size_t at) {
    int depth = 0;
    bool quoted = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (quoted && c == '\\')
            ++at;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '{')
            ++depth;
        else if (!quoted && c == '}' && --depth == 0)
            return at + 1;
    }
    return std::string_view::npos;
}

std::optional<CachedKeys> entry_of(const json& object, std::string_view issuer) {
    const auto entry = object.find(issuer);
    if (entry == object.end() || !entry->is_object() || !entry->contains("jwks") ||
        !entry->contains("expiration") || !entry->at("expiration").is_number())
        return std::nullopt;
    const double seconds = entry->at("expiration").get<double>();
    if (!(seconds >= 0 && seconds < 253402300799.0))
        return std::nullopt;
    return CachedKeys{entry->at("jwks").dump(),
                      from_ms(static_cast<std::int64_t>(std::floor(seconds * 1000.0)))};
}

}  // namespace

std::optional<HttpsUrl> parse_https_url(std::string_view url) {
    if (!url.starts_with(scheme) || url.size() > 2048)
        return std::nullopt;
    // A backslash and "@" move the host in some readers.
    if (std::ranges::any_of(url, [](char c) {
            return c <= 0x20 || c == 0x7F || c == '\\' || c == '@' || c == '#' || c == '"';
        }))
        return std::nullopt;
    const auto rest = url.substr(scheme.size());
    const auto slash = rest.find('/');
    auto host = rest.substr(0, slash);
    HttpsUrl parsed;
    parsed.path = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
    const auto colon = host.rfind(':');
    if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
        const auto port = to_number<unsigned short>(host.substr(colon + 1));
        if (!port || *port == 0)
            return std::nullopt;
        parsed.port = *port;
        host = host.substr(0, colon);
    }
    if (!is_host(host))
        return std::nullopt;
    parsed.host = to_lower(host);
    return parsed;
}

std::string openid_metadata_url(std::string_view issuer) {
    if (issuer.ends_with('/'))
        issuer.remove_suffix(1);
    return std::string(issuer) + "/.well-known/openid-configuration";
}

std::string oauth_metadata_url(std::string_view issuer) {
    if (issuer.ends_with('/'))
        issuer.remove_suffix(1);
    const auto slash = issuer.find('/', std::min(issuer.size(), scheme.size()));
    const auto path = slash == std::string_view::npos ? std::string_view() : issuer.substr(slash);
    return std::string(issuer.substr(0, slash)) + "/.well-known/oauth-authorization-server" +
           std::string(path);
}

Result<std::string> read_metadata(std::string_view text, const IssuerSettings& issuer) {
    const auto document = parse_strict_json(text, 16);
    if (!document || !document->is_object())
        return refusal(document ? "it is not a JSON object" : document.error().message);
    const auto name = document->find("issuer");
    if (name == document->end() || *name != issuer.url)
        return refusal("it is of another issuer");
    const auto member = document->find("jwks_uri");
    if (member == document->end() || !member->is_string())
        return refusal("it has no jwks_uri");
    const auto uri = member->get<std::string>();
    const auto keys = parse_https_url(uri);
    const auto home = parse_https_url(issuer.url);
    if (!keys || !home)
        return refusal("jwks_uri is not an acceptable https URL: " + printable(uri, 200));
    const bool same = keys->host == home->host && (keys->port == home->port || keys->port == 443);
    const auto with_port = keys->host + ":" + std::to_string(keys->port);
    const bool listed = std::ranges::any_of(issuer.jwks_hosts, [&](const std::string& host) {
        return to_lower(host) == with_port || (keys->port == 443 && to_lower(host) == keys->host);
    });
    if (!same && !listed)
        return refusal("jwks_uri is on another host, " + printable(with_port, 200) +
                       ", which the configuration does not list");
    return uri;
}

Result<CachedKeys> read_cache_file(std::string_view text, std::string_view issuer) {
    std::size_t at = 0;
    for (int objects = 0; objects < 1000; ++objects) {
        at = text.find_first_not_of(" \t\r\n", at);
        if (at == std::string_view::npos || text[at] != '{')
            break;
        const auto end = object_end(text, at);
        if (end == std::string_view::npos)
            break;
        const auto object = parse_strict_json(text.substr(at, end - at), 16);
        if (!object)
            break;
        if (auto entry = entry_of(*object, issuer))
            return std::move(*entry);
        at = end;
    }
    return Error{ErrorKind::not_found, "the cache file does not have this issuer"};
}

std::string write_cache_file(std::string_view issuer, const CachedKeys& keys) {
    // `jwks` was read strictly before, so this cannot fail.
    const auto jwks = json::parse(keys.jwks, nullptr, false);
    json object;
    object[std::string(issuer)] = {{"expiration", to_ms(keys.expires) / 1000}, {"jwks", jwks}};
    return object.dump() + "\n";
}

}  // namespace berth::auth
