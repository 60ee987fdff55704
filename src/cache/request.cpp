#include "cache/request.hpp"

#include "base/text.hpp"
#include "http/authority.hpp"

namespace berth::cache {

namespace {

constexpr std::uint16_t http_port = 80;

Error ill_formed(std::string_view text, std::string_view form) {
    return {ErrorKind::invalid,
            '"' + printable(text, 100) + "\" is not of the form " + std::string(form)};
}

}  // namespace

Result<Destination> read_destination(std::string_view text) {
    const bool pattern = text.starts_with('.');
    const auto read = http::read_authority(pattern ? text.substr(1) : text);
    if (!read || read->port == 0)
        return ill_formed(text, "\"host:port\" or \".domain:port\"");
    return Destination{.host = (pattern ? "." : "") + to_lower(read->host), .port = read->port};
}

Result<Origin> find_origin(std::string_view authority, const std::vector<Destination>& permitted) {
    const auto read = http::read_authority(authority);
    if (!read)
        return ill_formed(authority, "\"host:port\"");
    Origin origin{.host = to_lower(read->host), .port = read->port == 0 ? http_port : read->port};
    bool allowed = false;
    for (const auto& one : permitted) {
        if (one.port != origin.port)
            continue;
        const bool exact = one.host == origin.host;
        const bool below = one.host.starts_with('.') && origin.host.ends_with(one.host) &&
                           origin.host.size() > one.host.size();
        origin.special_address = origin.special_address || exact;
        allowed = allowed || exact || below;
    }
    if (!allowed)
        return Error{ErrorKind::forbidden,
                     printable(origin.name(), 200) + " is not among this cache's destinations"};
    return origin;
}

Result<Url> read_url(std::string_view text) {
    constexpr std::string_view scheme = "http://";
    constexpr std::string_view form = "\"http://host[:port]/path\"";
    if (!text.starts_with(scheme))
        return ill_formed(text, form);
    const auto rest = text.substr(scheme.size());
    const auto slash = std::min(rest.find('/'), rest.size());
    const auto read = http::read_authority(rest.substr(0, slash));
    if (!read || rest.find_first_of("# ") != std::string_view::npos)
        return ill_formed(text, form);
    Url url;
    url.origin = {.host = to_lower(read->host), .port = read->port == 0 ? http_port : read->port};
    url.target = slash == rest.size() ? "/" : rest.substr(slash);
    return url;
}

Result<ServerUrl> read_server_url(std::string_view text) {
    auto url = read_url(text);
    if (!url)
        return url.error();
    if (url->target.find('?') != std::string::npos)
        return ill_formed(text, "\"http://host[:port]/path\"");
    url->origin.special_address = true;
    while (url->target.ends_with('/'))
        url->target.pop_back();
    return ServerUrl{.origin = std::move(url->origin), .base = std::move(url->target)};
}

}  // namespace berth::cache
