#include "api/job_json.hpp"

#include "base/text.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::api {

using nlohmann::json;

namespace {

json text_or_null(const std::string& text) {
    if (text.empty())
        return nullptr;
    return text;
}

json time_or_null(const std::optional<WallTime>& time) {
    if (!time)
        return nullptr;
    return to_rfc3339(*time);
}

json reason_or_null(jobs::Reason reason) {
    return text_or_null(std::string(to_string(reason)));
}

}  // namespace

json job_json(const jobs::JobRow& job, WallTime now) {
    const auto& status = job.status;
    const auto age = std::max<std::int64_t>(0, (now - status.observed).count());
    json body = {
        {"id", job.id},
        {"name", job.name},
        {"state", to_string(status.state)},
        {"reason", reason_or_null(status.reason)},
        {"detail", text_or_null(is_utf8(status.detail) ? status.detail : printable(status.detail))},
        {"exit_code", nullptr},
        {"signal", nullptr},
        {"batch_id", text_or_null(status.batch_id)},
        {"tag", text_or_null(status.tag)},
        {"count_index", nullptr},
        {"attempts", status.attempts},
        {"queue", text_or_null(job.queue)},
        {"account", job.account},
        {"project", text_or_null(job.project)},
        {"cancel_requested", status.cancel != jobs::CancelBy::nobody},
        {"created", to_rfc3339(job.created)},
        {"updated", to_rfc3339(status.updated)},
        {"started", time_or_null(status.started)},
        {"ended", time_or_null(status.ended)},
        {"source", to_string(status.source)},
        {"age_s", static_cast<double>(age) / 1000.0}};
    if (status.exit_code)
        body["exit_code"] = *status.exit_code;
    if (status.signal != 0)
        body["signal"] = status.signal;
    if (status.index)
        body["count_index"] = *status.index;
    return body;
}

json event_json(const jobs::EventRow& event) {
    return {{"seq", event.seq},
            {"job", event.job_id},
            {"state", to_string(event.to)},
            {"reason", reason_or_null(event.reason)},
            {"time", to_rfc3339(event.time)},
            {"source", to_string(event.source)}};
}

json problem_value(const Error& error) {
    return json::parse(http::problem_json(error), nullptr, false);
}

json refused_json(const std::string& id, const Error& error) {
    return {{"id", id}, {"status", http::status_of(error.kind)}, {"problem", problem_value(error)}};
}

http::Response json_response(int status, const json& body) {
    http::Response response{.status = status};
    response.headers.set("Content-Type", "application/json");
    response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
    return response;
}

}  // namespace berth::api
