#include "api/api.hpp"

#include "api/events_api.hpp"
#include "api/files_api.hpp"
#include "api/job_json.hpp"
#include "api/jobs_api.hpp"
#include "api/openapi_text.hpp"
#include "api/query.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

namespace berth::api {

namespace asio = boost::asio;
using auth::Verb;

namespace {

constexpr int retry_after_s = 5;  // when an error names no better time

// 429 and 503 tell when to come back.
void add_retry_after(http::Response& response, const Error& error) {
    const bool wanted = response.status == 429 || response.status == 503;
    const int seconds = error.retry_after_s > 0 ? error.retry_after_s : retry_after_s;
    if (wanted)
        response.headers.set("Retry-After", std::to_string(seconds));
}

http::Response method_not_allowed(const std::vector<std::string>& allowed) {
    auto response = http::problem(405, "invalid", "this path does not have this method; see Allow");
    auto methods = allowed;
    if (std::find(methods.begin(), methods.end(), "GET") != methods.end())
        methods.push_back("HEAD");
    response.headers.set("Allow", join(methods, ", "));
    return response;
}

asio::awaitable<http::Response> document(Call&) {
    static const std::string text = openapi_text();
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    response.body = text;
    co_return response;
}

}  // namespace

Async<std::string> read_json_body(net::Request& request, std::uint64_t bytes_max) {
    const auto type = to_lower(request.head.headers.get("content-type"));
    const auto essence = trim(std::string_view(type).substr(0, type.find(';')));
    if (essence != "application/json" || request.head.headers.contains("content-encoding"))
        co_return Error{ErrorKind::unsupported_media,
                        "the body must be JSON: send Content-Type: application/json, not encoded"};
    if (request.head.content_length > bytes_max)
        co_return Error{ErrorKind::too_large,
                        "the body may have at most " + std::to_string(bytes_max) + " bytes"};
    co_return co_await request.body->read_all(bytes_max);
}

Api::Api(Parts parts, ApiSettings settings)
    : parts_(parts), settings_(std::make_shared<ApiSettings>(std::move(settings))) {
    jobs_ = std::make_unique<JobsApi>(parts_.service, parts_.clock, settings_);
    files_ = std::make_unique<FilesApi>(parts_.service);
    events_ = std::make_unique<EventsApi>(parts_.service, parts_.clock, settings_);
    add_routes();
}

Api::~Api() = default;

void Api::reload(ApiSettings settings) {
    *settings_ = std::move(settings);
}

void Api::add_routes() {
    const auto add = [this](std::string method, std::string pattern, std::vector<Verb> verbs,
                            Endpoint endpoint) {
        router_.add(std::move(method), std::move(pattern),
                    Route{std::move(verbs), std::move(endpoint)});
    };
    const auto jobs = [this](auto member) { return std::bind_front(member, jobs_.get()); };
    const auto files = [this](auto member) { return std::bind_front(member, files_.get()); };
    const auto health = [this](auto member) {
        return [this, member](Call& call) { return (parts_.health.*member)(call.request); };
    };
    const std::string job = "/v1/jobs/{id}";
    // clang-format off
    add("POST",   "/v1/jobs",               {Verb::create}, jobs(&JobsApi::submit));
    add("GET",    "/v1/jobs",               {Verb::read},   jobs(&JobsApi::list));
    add("POST",   "/v1/jobs/status",        {Verb::read},   jobs(&JobsApi::status));
    add("POST",   "/v1/jobs/cancel",        {Verb::cancel}, jobs(&JobsApi::cancel_many));
    add("POST",   "/v1/jobs/hold",          {Verb::modify}, jobs(&JobsApi::hold_many));
    add("POST",   "/v1/jobs/release",       {Verb::modify}, jobs(&JobsApi::release_many));
    add("GET",    job,                      {Verb::read},   jobs(&JobsApi::show));
    add("DELETE", job,                      {Verb::cancel}, jobs(&JobsApi::forget));
    add("POST",   job + "/cancel",          {Verb::cancel}, jobs(&JobsApi::cancel));
    add("POST",   job + "/hold",            {Verb::modify}, jobs(&JobsApi::hold));
    add("POST",   job + "/release",         {Verb::modify}, jobs(&JobsApi::release));
    add("GET",    job + "/files",           {Verb::read},   files(&FilesApi::list));
    add("GET",    job + "/files/{path...}", {Verb::read},   files(&FilesApi::read));
    add("PUT",    job + "/files/{path...}", {Verb::modify, Verb::create}, files(&FilesApi::write));
    add("DELETE", job + "/files/{path...}", {Verb::modify}, files(&FilesApi::remove));
    add("GET",    "/v1/events",             {Verb::read},
        std::bind_front(&EventsApi::follow, events_.get()));
    add("GET",    "/v1/site",               {Verb::read},   std::bind_front(&Api::site, this));
    add("GET",    "/openapi.json",          {},             document);
    add("GET",    "/health/live",           {},             health(&HealthApi::live));
    add("GET",    "/health/ready",          {},             health(&HealthApi::ready));
    add("GET",    "/health",                {},             health(&HealthApi::brief));
    // clang-format on
}

asio::awaitable<http::Response> Api::handle(net::Request& request) {
    const auto begun = parts_.clock.steady();
    std::string pattern = "none", who;
    auto response = co_await serve(request, pattern, who);
    const std::chrono::duration<double> took = parts_.clock.steady() - begun;
    const auto status = std::to_string(response.status);
    parts_.metrics.add("berth_http_requests_total",
                       {{"method", request.head.method}, {"path", pattern}, {"status", status}});
    const bool waits =
        pattern == "/v1/events" || request.head.query.find("wait=") != std::string::npos;
    if (!waits)
        parts_.metrics.observe("berth_http_request_seconds", {{"path", pattern}}, took.count());
    const bool acts = request.head.method != "GET" && request.head.method != "HEAD";
    if (acts && !who.empty())
        log::audit("request", {{"who", who},
                               {"peer", request.peer},
                               {"method", request.head.method},
                               {"path", request.head.path},
                               {"status", status}});
    co_return response;
}

asio::awaitable<http::Response> Api::serve(net::Request& request, std::string& pattern,
                                           std::string& who) {
    auto match = router_.find(request.head.method, request.head.path);
    if (match.endpoint == nullptr && !match.allowed.empty())
        co_return method_not_allowed(match.allowed);
    if (match.endpoint == nullptr) {
        const Error unknown{ErrorKind::not_found, "there is no such path; see /openapi.json"};
        co_return http::problem(unknown);
    }
    pattern = match.pattern;
    request.parameters = std::move(match.parameters);
    Call call{.request = request};
    if (match.endpoint->verbs.empty()) {
        if (const auto query = read_query(request.head.query, {}); !query)
            co_return http::problem(query.error());
    } else {
        auto caller = co_await parts_.access.check(request, match.endpoint->verbs);
        if (!caller) {
            auto refused = refuse(caller.error(), match.endpoint->verbs);
            add_retry_after(refused, caller.error());
            co_return refused;
        }
        call.caller = std::move(*caller);
        who = call.caller.identity.issuer_name + ":" + call.caller.identity.subject;
    }
    auto response = co_await match.endpoint->endpoint(call);
    if ((response.status == 429 || response.status == 503) &&
        !response.headers.contains("Retry-After"))
        response.headers.set("Retry-After", std::to_string(retry_after_s));
    co_return response;
}

asio::awaitable<http::Response> Api::site(Call& call) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return http::problem(query.error());
    const auto body = site_json(parts_.service, settings_->site, settings_->limits, call.caller);
    co_return json_response(200, body);
}

}  // namespace berth::api
