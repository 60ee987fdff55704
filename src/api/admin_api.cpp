#include "api/admin_api.hpp"

#include "api/job_json.hpp"
#include "base/log.hpp"
#include "base/strict_json.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

namespace berth::api {

using nlohmann::json;

namespace {

constexpr std::uint64_t body_bytes_max = 4U << 20U;
constexpr std::size_t depth_max = 16;

}  // namespace

Async<json> read_admin_body(net::Request& request) {
    auto text = co_await request.body->read_all(body_bytes_max);
    if (!text)
        co_return text.error();
    if (text->empty())
        co_return json::object();
    co_return parse_strict_json(*text, depth_max);
}

AdminApi::AdminApi(Parts parts) : parts_(std::move(parts)) {
    add("GET", "/status", std::bind_front(&AdminApi::status, this));
    add("POST", "/reload", std::bind_front(&AdminApi::reload, this));
}

void AdminApi::add(std::string method, std::string path, Endpoint endpoint) {
    router_.add(std::move(method), std::move(path), std::move(endpoint));
}

AdminApi::Answer AdminApi::handle(net::Request& request) {
    auto match = router_.find(request.head.method, request.head.path);
    if (match.endpoint == nullptr)
        co_return http::problem(
            Error{ErrorKind::not_found, "the roles of this daemon have no such admin call"});
    request.parameters = std::move(match.parameters);
    if (request.head.method != "GET")
        log::audit("admin", {{"uid", request.peer_uid},
                             {"method", request.head.method},
                             {"path", request.head.path}});
    co_return co_await (*match.endpoint)(request);
}

AdminApi::Answer AdminApi::status(net::Request&) {
    json body = parts_.health.details(true);
    for (const auto& add : status_)
        add(body);
    co_return json_response(200, body);
}

AdminApi::Answer AdminApi::reload(net::Request&) {
    const auto problem = parts_.reload();
    if (!problem.empty())
        co_return http::problem(Error{ErrorKind::unprocessable, problem});
    co_return json_response(200, {{"reloaded", true}});
}

}  // namespace berth::api
