#include "api/health_api.hpp"

#include "api/job_json.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::api {

using nlohmann::json;
using std::chrono::hours;

namespace {

constexpr auto certificate_warning = hours(24 * 14);

Dependency of_certificate(const Certificate& certificate,
                          std::chrono::system_clock::time_point now) {
    Dependency result{.name = "certificate:" + certificate.name, .state = "ok"};
    if (!certificate.end) {
        result.state = "unknown";
        return result;
    }
    const auto end = std::chrono::time_point_cast<std::chrono::milliseconds>(*certificate.end);
    if (*certificate.end <= now) {
        result.state = "down";
        result.error = "expired on " + to_rfc3339(end);
    } else if (*certificate.end - now < certificate_warning) {
        result.state = "degraded";
        result.error = "expires on " + to_rfc3339(end);
    }
    return result;
}

json dependency_json(const Dependency& dependency, WallTime now, bool with_errors) {
    json body = {{"name", dependency.name},
                 {"state", dependency.state},
                 {"last_success", nullptr},
                 {"age_s", nullptr},
                 {"error", nullptr}};
    if (dependency.last_success) {
        const auto age = std::max<std::int64_t>(0, (now - *dependency.last_success).count());
        body["last_success"] = to_rfc3339(*dependency.last_success);
        body["age_s"] = static_cast<double>(age) / 1000.0;
    }
    if (with_errors && !dependency.error.empty())
        body["error"] = dependency.error;
    return body;
}

}  // namespace

std::vector<Dependency> HealthApi::dependencies() const {
    std::vector<Dependency> all;
    for (const auto* source : sources_)
        for (auto& dependency : source->dependencies())
            all.push_back(std::move(dependency));
    const auto now = parts_.clock.wall();
    for (const auto& certificate : parts_.certificates())
        all.push_back(of_certificate(certificate, now));
    return all;
}

std::string HealthApi::status(const std::vector<Dependency>& dependencies) const {
    if (draining_ || std::ranges::any_of(sources_, &HealthSource::drained))
        return "draining";
    if (!serving_)
        return "starting";
    if (std::ranges::any_of(sources_, &HealthSource::failing))
        return "failing";
    const auto good = [](const Dependency& entry) { return entry.state == "ok"; };
    return std::ranges::all_of(dependencies, good) ? "ok" : "degraded";
}

json HealthApi::details(bool with_errors) const {
    const auto now = parts_.clock.wall();
    const auto all = dependencies();
    json body = {{"status", status(all)},
                 {"version", BERTH_VERSION},
                 {"instance", nullptr},
                 {"started", to_rfc3339(started_)},
                 {"dependencies", json::array()}};
    if (!instance_.empty())
        body["instance"] = instance_;
    for (const auto& dependency : all)
        body["dependencies"].push_back(dependency_json(dependency, now, with_errors));
    return body;
}

HealthApi::Answer HealthApi::live(net::Request&) {
    const json body = {{"status", "ok"}};
    co_return json_response(200, body);
}

HealthApi::Answer HealthApi::ready(net::Request&) {
    const auto all = dependencies();
    const auto word = status(all);
    json body = {{"status", word}, {"detail", nullptr}};
    std::string detail;
    for (const auto& dependency : all)
        if (dependency.state != "ok")
            detail += (detail.empty() ? "" : ", ") + dependency.name + " " + dependency.state;
    if (!detail.empty())
        body["detail"] = detail;
    const bool ready = word == "ok" || word == "degraded";
    auto response = json_response(ready ? 200 : 503, body);
    if (!ready)
        response.headers.set("Retry-After", "5");
    co_return response;
}

HealthApi::Answer HealthApi::brief(net::Request&) {
    co_return json_response(200, details(false));
}

void HealthApi::refresh_gauges() {
    for (auto* source : sources_)
        source->refresh_gauges();
    auto& metrics = parts_.metrics;
    metrics.clear("berth_dependency_up");
    for (const auto& dependency : dependencies())
        metrics.set("berth_dependency_up", {{"name", dependency.name}},
                    dependency.state == "ok" || dependency.state == "degraded" ? 1 : 0);
    for (const auto& certificate : parts_.certificates()) {
        if (!certificate.end)
            continue;
        const std::chrono::duration<double> left =
            *certificate.end - std::chrono::system_clock::time_point(parts_.clock.wall());
        metrics.set("berth_certificate_seconds_left", {{"name", certificate.name}}, left.count());
    }
}

HealthApi::Answer HealthApi::observe(net::Request& request) {
    const auto& path = request.head.path;
    const bool reads = request.head.method == "GET" || request.head.method == "HEAD";
    if (!reads) {
        auto response = http::problem(405, "invalid", "only GET and HEAD are served here");
        response.headers.set("Allow", "GET, HEAD");
        co_return response;
    }
    if (path == "/metrics") {
        refresh_gauges();
        http::Response response;
        response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        response.body = parts_.metrics.text();
        co_return response;
    }
    if (path == "/health/live")
        co_return co_await live(request);
    if (path == "/health/ready")
        co_return co_await ready(request);
    if (path == "/health")
        co_return json_response(200, details(true));
    const Error unknown{
        ErrorKind::not_found,
        "there is no such path; see /health, /health/ready, /health/live, /metrics"};
    co_return http::problem(unknown);
}

}  // namespace berth::api
