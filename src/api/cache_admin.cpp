#include "api/cache_admin.hpp"

#include "api/job_json.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include <functional>

namespace berth::api {

using nlohmann::json;

namespace {

std::string text_member(const json& body, const char* name) {
    const auto found = body.find(name);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

json time_or_null(const std::optional<WallTime>& time) {
    return time ? json(to_rfc3339(*time)) : json(nullptr);
}

json repository_json(const cache::Repositories::Health& repository) {
    return {{"name", repository.name},
            {"judged", repository.judged},
            {"revision", repository.revision},
            {"offline", repository.offline},
            {"verified", time_or_null(repository.verified)},
            {"whitelist_expires", time_or_null(repository.whitelist_expires)},
            {"error", repository.error.empty() ? json(nullptr) : json(repository.error)}};
}

json server_json(const cache::ServerState& server) {
    return {{"name", server.name},
            {"requests", server.requests},
            {"failures", server.failures},
            {"bytes", server.bytes},
            {"last_success", time_or_null(server.last_success)},
            {"error", server.error.empty() ? json(nullptr) : json(server.error)}};
}

http::Response unknown_repository(const std::string& name) {
    return http::problem(Error{ErrorKind::not_found,
                               "no [[cache.repository]] has the name \"" + name + '"',
                               "repository"});
}

// The key of "http://host[:port]/path" or of an object's hash; a URL of a content object is the
// object.
std::optional<cache::Key> key_of(const std::string& text) {
    if (const auto id = cache::content_id_from(text))
        return cache::Key::of(*id);
    const auto url = cache::read_url(text);
    if (!url)
        return std::nullopt;
    const auto name = cache::name_of(url->target);
    if (name.kind == cache::Kind::content)
        return cache::Key::of(name.content);
    return cache::Key::of_url("http://" + url->origin.name() + url->target);
}

}  // namespace

CacheAdmin::CacheAdmin(cache::CacheService& cache, Clock& clock, AdminApi& admin)
    : cache_(cache), clock_(clock) {
    const auto add = [this, &admin](const char* method, const char* path, auto member) {
        admin.add(method, path, std::bind_front(member, this));
    };
    add("GET", "/cache", &CacheAdmin::status);
    add("POST", "/cache/purge", &CacheAdmin::purge);
    add("POST", "/cache/forget-revision", &CacheAdmin::forget_revision);
}

CacheAdmin::Answer CacheAdmin::status(net::Request&) {
    const auto status = cache_.status();
    json body = {{"disk_bytes", status.disk_bytes},
                 {"disk_capacity", status.disk_capacity},
                 {"memory_bytes", status.memory_bytes},
                 {"entries", status.entries},
                 {"fetches", status.fetches},
                 {"problem", status.problem.empty() ? json(nullptr) : json(status.problem)},
                 {"time", to_rfc3339(clock_.wall())},
                 {"repositories", json::array()},
                 {"servers", json::array()}};
    for (const auto& repository : cache_.repositories().health())
        body["repositories"].push_back(repository_json(repository));
    for (const auto& server : cache_.servers())
        body["servers"].push_back(server_json(server));
    co_return json_response(200, body);
}

CacheAdmin::Answer CacheAdmin::purge(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    const auto wanted = text_member(*given, "object");
    const auto key = key_of(wanted);
    if (!key)
        co_return http::problem(Error{ErrorKind::unprocessable,
                                      "must be http://host[:port]/path or the hash of an object",
                                      "object"});
    const bool was_there = cache_.purge(*key);
    co_return json_response(200, {{"purged", was_there}});
}

CacheAdmin::Answer CacheAdmin::forget_revision(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    const auto name = text_member(*given, "repository");
    if (!cache_.repositories().forget_revision(name))
        co_return unknown_repository(name);
    co_return json_response(200, {{"forgotten", name}});
}

}  // namespace berth::api
