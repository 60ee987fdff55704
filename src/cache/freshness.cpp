#include "cache/freshness.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>

namespace berth::cache {

namespace {

constexpr seconds lifetime_max{3 * 365 * 86400};
constexpr seconds heuristic_max{86400};

bool equal_without_case(std::string_view a, std::string_view b) {
    return to_lower(a) == to_lower(b);
}

// Calls take(name, value) for each directive of all fields with that name. Quotes are removed.
void each_directive(const http::Headers& headers, std::string_view field,
                    const std::function<void(std::string_view, std::string_view)>& take) {
    for (const auto& [name, text] : headers.all()) {
        if (!equal_without_case(name, field))
            continue;
        std::string_view rest = text;
        while (!rest.empty()) {
            bool quoted = false;
            std::size_t end = 0;
            while (end < rest.size() && (quoted || rest[end] != ',')) {
                quoted = quoted != (rest[end] == '"');
                ++end;
            }
            const auto item = trim(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const auto equals = std::min(item.find('='), item.size());
            auto value = trim(item.substr(std::min(equals + 1, item.size())));
            if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
                value = value.substr(1, value.size() - 2);
            if (!item.empty())
                take(to_lower(trim(item.substr(0, equals))), value);
        }
    }
}

// delta-seconds; what is too large is the largest, what cannot be read is 0: stale (RFC
// 9111 4.2.1).
seconds delta(std::string_view text) {
    const bool digits =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits)
        return seconds(0);
    const auto number = to_number<std::int64_t>(text);
    return number ? std::min(seconds(*number), lifetime_max) : lifetime_max;
}

seconds difference(WallTime later, WallTime earlier) {
    return std::max(seconds(0), std::chrono::duration_cast<seconds>(later - earlier));
}

// Statuses with a lifetime of their own guess (RFC 9110 section 15.1).
bool is_heuristic(int status) {
    constexpr std::array known = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
    return std::ranges::find(known, status) != known.end();
}

bool describes_body(std::string_view name) {
    constexpr std::array<std::string_view, 5> names = {
        "content-length", "content-encoding", "content-range", "content-type", "transfer-encoding"};
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

RequestControls request_controls(const http::Headers& headers) {
    RequestControls controls;
    controls.authorized = headers.contains("Authorization");
    each_directive(headers, "Cache-Control", [&](std::string_view name, std::string_view value) {
        if (name == "no-cache")
            controls.no_cache = true;
        else if (name == "no-store")
            controls.no_store = true;
        else if (name == "only-if-cached")
            controls.only_if_cached = true;
        else if (name == "max-age")
            controls.max_age = delta(value);
        else if (name == "min-fresh")
            controls.min_fresh = delta(value);
        else if (name == "max-stale")
            controls.max_stale = value.empty() ? seconds::max() : delta(value);
    });
    each_directive(headers, "Pragma", [&](std::string_view name, std::string_view) {
        controls.no_cache = controls.no_cache || name == "no-cache";
    });
    return controls;
}

ResponseControls response_controls(const http::Headers& headers) {
    ResponseControls controls;
    each_directive(headers, "Cache-Control", [&](std::string_view name, std::string_view value) {
        if (name == "no-store")
            controls.no_store = true;
        else if (name == "private")
            controls.is_private = true;
        else if (name == "no-cache")
            controls.no_cache = true;
        else if (name == "must-revalidate" || name == "proxy-revalidate")
            controls.must_revalidate = true;
        else if (name == "public")
            controls.is_public = true;
        else if (name == "max-age" && !controls.max_age)
            controls.max_age = delta(value);
        else if (name == "s-maxage" && !controls.s_maxage)
            controls.s_maxage = delta(value);
        else if (name == "stale-if-error")
            controls.stale_if_error = delta(value);
    });
    return controls;
}

seconds Freshness::age(WallTime now) const {
    return age_at_receipt + difference(now, received);
}

Freshness freshness_of(const http::Headers& headers, int status, WallTime requested,
                       WallTime received) {
    const auto controls = response_controls(headers);
    const auto date = read_date(headers.get("Date"));
    Freshness result{.requested = requested, .received = received};
    result.must_revalidate = controls.must_revalidate;
    result.no_cache = controls.no_cache;
    result.stale_if_error = controls.stale_if_error.value_or(seconds(0));
    const auto apparent = date ? difference(received, *date) : seconds(0);
    const auto said = delta(headers.get("Age")) + difference(received, requested);
    result.age_at_receipt = std::max(apparent, said);
    const auto expires = headers.get("Expires");
    const auto modified = read_date(headers.get("Last-Modified"));
    if (controls.s_maxage) {
        result.lifetime = *controls.s_maxage;
    } else if (controls.max_age) {
        result.lifetime = *controls.max_age;
    } else if (!expires.empty()) {
        const auto end = read_date(expires);  // what cannot be read has passed
        result.lifetime = end ? difference(*end, date.value_or(received)) : seconds(0);
    } else if (is_heuristic(status) && modified) {
        result.lifetime =
            std::min(heuristic_max, difference(date.value_or(received), *modified) / 10);
    }
    return result;
}

bool may_store(int status, const RequestControls& request, const http::Headers& response) {
    const auto controls = response_controls(response);
    if (request.no_store || controls.no_store || controls.is_private || status == 206 ||
        status < 200)
        return false;
    const bool for_all = controls.is_public || controls.s_maxage || controls.must_revalidate;
    if (request.authorized && !for_all)
        return false;
    // One entry per URL: what differs from client to client is passed on and not kept.
    if (const auto vary = trim(response.get("Vary"));
        !vary.empty() && !equal_without_case(vary, "accept-encoding"))
        return false;
    if (response.contains("Set-Cookie"))
        return false;
    const bool explicit_lifetime =
        controls.max_age || controls.s_maxage || response.contains("Expires");
    // An error without a lifetime is not kept: a client that says max-stale would get it again.
    if (status >= 300)
        return explicit_lifetime;
    return explicit_lifetime || is_heuristic(status) || controls.is_public;
}

Use use_of(const Freshness& stored, const RequestControls& request, WallTime now) {
    if (request.no_cache || stored.no_cache)
        return Use::revalidate;
    const auto age = stored.age(now);
    // max-age=0 is how a client asks for a look at the server, however new the copy is.
    if (request.max_age && (age > *request.max_age || *request.max_age == seconds(0)))
        return Use::revalidate;
    const auto left = stored.lifetime - age;
    if (left > seconds(0))
        return request.min_fresh && left < *request.min_fresh ? Use::revalidate : Use::serve;
    const bool stale_will_do =
        request.max_stale && !stored.must_revalidate &&
        (*request.max_stale == seconds::max() || -left <= *request.max_stale);
    // The client's word for "a little late is fine": max-stale=1 of Frontier.
    return stale_will_do ? Use::serve : Use::revalidate;
}

bool may_serve_stale(const Freshness& stored, const RequestControls& request, WallTime now) {
    if (stored.must_revalidate || stored.no_cache || request.no_cache)
        return false;
    return stored.age(now) - stored.lifetime <= stored.stale_if_error;
}

std::optional<WallTime> read_date(std::string_view text) {
    const std::string value(text);
    for (const auto* format :
         {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
        std::tm parts{};
        const char* end = ::strptime(value.c_str(), format, &parts);
        if (end != nullptr && *end == '\0')
            return from_ms(static_cast<std::int64_t>(::timegm(&parts)) * 1000);
    }
    return std::nullopt;
}

http::Headers end_to_end(const http::Headers& headers) {
    constexpr std::array<std::string_view, 9> hop = {"connection",
                                                     "keep-alive",
                                                     "proxy-connection",
                                                     "proxy-authenticate",
                                                     "proxy-authorization",
                                                     "te",
                                                     "trailer",
                                                     "transfer-encoding",
                                                     "upgrade"};
    std::vector<std::string> named;
    each_directive(headers, "Connection",
                   [&](std::string_view name, std::string_view) { named.emplace_back(name); });
    http::Headers result;
    for (const auto& [name, value] : headers.all()) {
        const auto key = to_lower(name);
        if (std::ranges::find(hop, key) == hop.end() &&
            std::ranges::find(named, key) == named.end())
            result.add(name, value);
    }
    return result;
}

http::Headers updated_by(const http::Headers& stored, const http::Headers& not_modified) {
    auto result = stored;
    result.remove("Age");  // it was that of the old answer
    const auto fresh = end_to_end(not_modified);
    for (const auto& [name, value] : fresh.all())
        if (!describes_body(to_lower(name)))
            result.remove(name);
    for (const auto& [name, value] : fresh.all())
        if (!describes_body(to_lower(name)))
            result.add(name, value);
    return result;
}

}  // namespace berth::cache
