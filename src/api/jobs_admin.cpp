#include "api/jobs_admin.hpp"

#include "api/admin_json.hpp"
#include "api/job_json.hpp"
#include "api/query.hpp"
#include "auth/digest.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"

#include <sys/stat.h>
#include <nlohmann/json.hpp>

namespace berth::api {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr std::size_t listed_max = 1000;  // newest jobs
constexpr std::size_t output_bytes_max = 1U << 20U;

std::string text_member(const json& body, const char* name) {
    const auto found = body.find(name);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> texts_member(const json& body, const char* name) {
    std::vector<std::string> result;
    const auto found = body.find(name);
    if (found != body.end() && found->is_array())
        for (const auto& entry : *found)
            if (entry.is_string())
                result.push_back(entry.get<std::string>());
    return result;
}

// Runs on a node; every line of its output is "CHECK RESULT".
constexpr const char* probe_script = R"SH(#!/bin/sh
echo "node $(hostname 2>/dev/null || uname -n)"
echo "time $(date +%s)"
if touch probe.tmp 2>/dev/null && rm probe.tmp; then echo "session_root writable"; else echo "session_root FAILED"; fi
fence=$(readlink ../fence 2>/dev/null)
if [ -n "$fence" ]; then echo "fence $fence"; else echo "fence FAILED"; fi
if [ -z "$1" ]; then echo "node_door not_configured"
elif ! command -v curl >/dev/null 2>&1; then echo "node_door no_curl_on_the_node"
elif curl -s -f -m 10 --noproxy '*' "$1/berth/v1/ping"; then echo "node_door reachable"
else echo "node_door FAILED"; fi
)SH";

}  // namespace

JobsAdmin::JobsAdmin(Parts parts, AdminApi& admin) : parts_(std::move(parts)) {
    const auto add = [this, &admin](const char* method, const char* path, auto member) {
        admin.add(method, path, std::bind_front(member, this));
    };
    add("GET", "/jobs", &JobsAdmin::jobs);
    add("GET", "/jobs/{id}", &JobsAdmin::job);
    add("POST", "/jobs/{id}/cancel", &JobsAdmin::cancel);
    add("GET", "/jobs/{id}/output", &JobsAdmin::output);
    add("POST", "/drain", &JobsAdmin::drain);
    add("POST", "/undrain", &JobsAdmin::undrain);
    add("GET", "/orphans", &JobsAdmin::orphans);
    add("GET", "/orphans/sessions", &JobsAdmin::stray_sessions);
    add("POST", "/orphans/adopt", &JobsAdmin::adopt_orphans);
    add("POST", "/orphans/{tag}/cancel", &JobsAdmin::cancel_orphan);
    add("POST", "/backup", &JobsAdmin::backup);
    add("POST", "/token/inspect", &JobsAdmin::inspect);
    add("POST", "/trace", &JobsAdmin::trace);
    add("POST", "/check", &JobsAdmin::check);
    add("POST", "/probe", &JobsAdmin::probe);
    add("POST", "/keys/flush", &JobsAdmin::flush_keys);
    admin.add_status([this](json& body) { add_status(body); });
}

Async<jobs::JobRow> JobsAdmin::find(std::string wanted) {
    Result<std::optional<jobs::JobRow>> row;
    if (is_job_id(wanted))
        row = co_await parts_.service.store().job(wanted);
    else
        row = co_await parts_.service.store().job_by_tag(wanted);
    if (!row)
        co_return row.error();
    if (!*row)
        co_return Error{ErrorKind::not_found, "no job has this id, tag or batch id"};
    co_return **row;
}

void JobsAdmin::add_status(json& body) const {
    auto& engine = parts_.service.engine();
    body["drained"] = engine.drained();
    body["orphans"] = engine.orphans().size();
    body["active_jobs"] = engine.active();
    body["accounts"] = json::array();
    for (const auto& [account, usage] : parts_.service.usage().by_account())
        body["accounts"].push_back(
            {{"account", account}, {"bytes", usage.bytes}, {"files", usage.files}});
    body["jobs"] = json::array();
    for (const auto& [key, count] : engine.counts())
        body["jobs"].push_back({{"state", key.first}, {"queue", key.second}, {"count", count}});
    body["poll_interval_s"] =
        static_cast<double>(engine.batch_health().poll_interval.count()) / 1000.0;
}

JobsAdmin::Answer JobsAdmin::jobs(net::Request& request) {
    const auto query = read_query(request.head.query, {"state"});
    if (!query)
        co_return http::problem(query.error());
    jobs::JobFilter filter{.everyone = true, .limit = listed_max};
    const auto wanted = first(*query, "state");
    const auto state = jobs::state_from(wanted);
    if (!wanted.empty() && !state)
        co_return http::problem(Error{ErrorKind::invalid, "there is no such state", "state"});
    if (state)
        filter.states.push_back(*state);
    const auto rows = co_await parts_.service.list(std::move(filter));
    if (!rows)
        co_return http::problem(rows.error());
    json entries = json::array();
    const auto now = parts_.clock.wall();
    for (const auto& row : *rows)
        entries.push_back(operator_json(row, now));
    co_return json_response(200, {{"jobs", std::move(entries)}});
}

JobsAdmin::Answer JobsAdmin::job(net::Request& request) {
    const auto row = co_await find(request.parameters.at("id"));
    if (!row)
        co_return http::problem(row.error());
    const auto events = co_await parts_.service.store().job_events(row->seq);
    if (!events)
        co_return http::problem(events.error());
    json body = operator_json(*row, parts_.clock.wall());
    body["events"] = json::array();
    for (const auto& event : *events) {
        auto entry = event_json(event);
        entry["from"] = to_string(event.from);
        entry["detail"] = event.detail;
        body["events"].push_back(std::move(entry));
    }
    co_return json_response(200, body);
}

JobsAdmin::Answer JobsAdmin::cancel(net::Request& request) {
    const auto row = co_await find(request.parameters.at("id"));
    if (!row)
        co_return http::problem(row.error());
    const auto done = co_await parts_.service.engine().cancel(row->seq, jobs::CancelBy::operator_);
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(202, operator_json(*row, parts_.clock.wall()));
}

JobsAdmin::Answer JobsAdmin::output(net::Request& request) {
    const auto row = co_await find(request.parameters.at("id"));
    if (!row)
        co_return http::problem(row.error());
    const jobs::Owner owner{
        .issuer = row->issuer, .subject = row->subject, .account = row->account};
    auto file = co_await parts_.service.open_file(owner, row->id, "stdout");
    if (!file)
        co_return http::problem(file.error());
    http::Response response;
    response.headers.set("Content-Type", "application/octet-stream");
    const auto length = std::min<std::uint64_t>(file->second.size, output_bytes_max);
    response.body = http::FileBody{.file = std::move(file->first), .offset = 0, .length = length};
    co_return response;
}

JobsAdmin::Answer JobsAdmin::drain(net::Request&) {
    const auto done = co_await parts_.service.engine().drain(true);
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(200, {{"drained", true}});
}

JobsAdmin::Answer JobsAdmin::undrain(net::Request&) {
    const auto done = co_await parts_.service.engine().drain(false);
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(200, {{"drained", false}});
}

JobsAdmin::Answer JobsAdmin::orphans(net::Request&) {
    json entries = json::array();
    for (const auto& [tag, orphan] : parts_.service.engine().orphans())
        entries.push_back({{"tag", tag},
                           {"batch_id", orphan.record.task_id},
                           {"state", orphan.record.raw_state},
                           {"user", orphan.record.user},
                           {"first_seen", to_rfc3339(orphan.first_seen)}});
    co_return json_response(200, {{"orphans", std::move(entries)}});
}

JobsAdmin::Answer JobsAdmin::cancel_orphan(net::Request& request) {
    const auto done = co_await parts_.service.engine().cancel_orphan(request.parameters.at("tag"));
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(200, {{"cancelled", request.parameters.at("tag")}});
}

JobsAdmin::Answer JobsAdmin::stray_sessions(net::Request&) {
    const auto stray = co_await parts_.service.engine().stray_sessions();
    if (!stray)
        co_return http::problem(stray.error());
    co_return json_response(200, stray_json(*stray));
}

// The attempts with these tags; without tags, those of all orphans.
JobsAdmin::Answer JobsAdmin::adopt_orphans(net::Request& request) {
    auto& engine = parts_.service.engine();
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    auto tags = texts_member(*given, "tags");
    if (tags.empty())
        for (const auto& [tag, orphan] : engine.orphans())
            tags.push_back(tag);
    if (tags.size() > listed_max)
        co_return http::problem(
            Error{ErrorKind::unprocessable, "at most 1000 tags at a time", "tags"});
    const auto adoption = co_await engine.adopt_orphans(std::move(tags));
    if (!adoption)
        co_return http::problem(adoption.error());
    for (const auto& id : adoption->job_ids)
        log::audit("job_adopted", {{"uid", request.peer_uid}, {"job", id}});
    co_return json_response(200, adoption_json(*adoption));
}

JobsAdmin::Answer JobsAdmin::backup(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    const auto path = text_member(*given, "path");
    if (path.empty() || path[0] != '/')
        co_return http::problem(
            Error{ErrorKind::unprocessable, "must be an absolute path", "path"});
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0)
        co_return http::problem(
            Error{ErrorKind::conflict, path + " exists; choose a new name", "path"});
    const auto done = co_await parts_.service.store().backup(path);
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(200, {{"path", path}});
}

JobsAdmin::Answer JobsAdmin::inspect(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    const auto explanation =
        co_await parts_.access.authenticator().explain(text_member(*given, "token"));
    co_return json_response(200, explanation_json(explanation, parts_.access.rules()));
}

// A dry run by identity: every rule that fits or not, the placement and the batch script.
JobsAdmin::Answer JobsAdmin::trace(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    auth::Identity identity;
    identity.issuer_name = text_member(*given, "issuer");
    identity.subject = text_member(*given, "subject");
    identity.groups = texts_member(*given, "groups");
    identity.scopes = texts_member(*given, "scopes");
    identity.has_capabilities = !identity.scopes.empty();
    const auto token = text_member(*given, "token");
    json result = json::object();
    if (!token.empty()) {
        const auto explanation = co_await parts_.access.authenticator().explain(token);
        result = explanation_json(explanation, parts_.access.rules());
        if (!explanation.identity)
            co_return json_response(200, result);
        identity = *explanation.identity;
    }
    const auto decision = auth::map(identity, parts_.access.rules());
    result["rules"] = rules_json(decision, parts_.access.rules());
    if (!decision.allowed || !given->contains("request"))
        co_return json_response(200, result);
    auto wanted = read_job_request((*given)["request"], parts_.limits);
    if (!wanted)
        co_return http::problem(wanted.error());
    const auto shown = parts_.service.dry_run(owner_of(identity, decision), *wanted);
    if (!shown)
        co_return http::problem(shown.error());
    result["account"] = decision.account;
    result["queue"] = shown->placement.queue;
    result["command"] = shown->command;
    result["script"] = shown->script;
    co_return json_response(200, result);
}

JobsAdmin::Answer JobsAdmin::check(net::Request&) {
    const auto done = co_await parts_.service.engine().refresh_limits();
    if (!done)
        co_return http::problem(done.error());
    co_return json_response(200, limits_json(parts_.service.engine().limits()));
}

JobsAdmin::Answer JobsAdmin::probe(net::Request& request) {
    const auto given = co_await read_admin_body(request);
    if (!given)
        co_return http::problem(given.error());
    jobs::Request wanted;
    wanted.name = "berth-probe";
    wanted.script = probe_script;
    wanted.arguments.push_back(parts_.node_url);
    wanted.queue = text_member(*given, "queue");
    wanted.resources.wall_time_s = 300;
    jobs::SubmitCall call;
    call.owner = {.issuer = "urn:berth:operator", .subject = "probe", .account = parts_.account};
    call.items.push_back({.request = wanted, .script_hash = auth::sha256_hex(wanted.script)});
    jobs::Render render = [](const std::vector<jobs::SubmitResult>& results) {
        const auto& job = results.front().job;
        if (!job)
            return jobs::Reply{422, http::problem_json(job.error()), {}};
        return jobs::Reply{201, json{{"id", job->id}}.dump(), {}};
    };
    auto reply = co_await parts_.service.submit(std::move(call), std::move(render));
    if (!reply)
        co_return http::problem(reply.error());
    http::Response response{.status = reply->status};
    response.headers.set("Content-Type", "application/json");
    response.body = std::move(reply->body);
    co_return response;
}

JobsAdmin::Answer JobsAdmin::flush_keys(net::Request&) {
    parts_.access.authenticator().flush_keys("");
    co_return json_response(200, {{"flushed", true}});
}

}  // namespace berth::api
