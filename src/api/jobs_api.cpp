#include "api/jobs_api.hpp"

#include "api/job_json.hpp"
#include "api/query.hpp"
#include "auth/digest.hpp"
#include "base/log.hpp"
#include "base/strict_json.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::api {

using nlohmann::json;

namespace {

constexpr std::size_t json_depth_max = 15;
constexpr std::size_t ids_max = 1000;
constexpr std::size_t page_max = 1000;

Result<json> read_json(const std::string& body);

struct Submission {
    std::vector<jobs::SubmitItem> items;
    bool list = false;  // the answer is a list
};

Error bad(std::string field, std::string message) {
    return Error{ErrorKind::unprocessable, std::move(message), std::move(field)};
}

jobs::SubmitItem read_item(const json& value, const RequestLimits& limits) {
    jobs::SubmitItem item{.request = read_job_request(value, limits), .script_hash = {}};
    if (item.request && !item.request->script.empty())
        item.script_hash = auth::sha256_hex(item.request->script);
    return item;
}

// The items of a body. Errors: invalid JSON, or a list that is too long as a whole.
Result<Submission> read_submission(const std::string& body, const RequestLimits& limits) {
    const auto parsed = read_json(body);
    if (!parsed)
        return parsed.error();
    Submission submission;
    if (!parsed->is_object() || !parsed->contains("jobs")) {
        submission.items.push_back(read_item(*parsed, limits));
        submission.list = submission.items[0].request && submission.items[0].request->count > 1;
        return submission;
    }
    for (const auto& [name, value] : parsed->items())
        if (name != "jobs")
            return bad(printable(name, 80), "a list has no other member than \"jobs\"");
    const auto& list = (*parsed)["jobs"];
    if (!list.is_array() || list.empty() || list.size() > limits.bulk_max)
        return bad("jobs", "must be a list of 1 to " + std::to_string(limits.bulk_max) + " jobs");
    submission.list = true;
    std::uint64_t count = 0;
    for (const auto& value : list) {
        submission.items.push_back(read_item(value, limits));
        if (submission.items.back().request)
            count += submission.items.back().request->count;
    }
    if (count > limits.count_max)
        return bad("jobs",
                   "all counts together may be at most " + std::to_string(limits.count_max));
    return submission;
}

// The answer to a submission; what is kept with the key is exactly this.
jobs::Reply render(const std::vector<jobs::SubmitResult>& results, bool list, WallTime now) {
    jobs::Reply reply;
    const auto created = [](const jobs::SubmitResult& result) { return result.job.has_value(); };
    const bool any = std::ranges::any_of(results, created);
    reply.status = any ? 201 : http::status_of(results.front().job.error().kind);
    if (!list) {
        if (!any) {
            reply.body = http::problem_json(results.front().job.error());
            return reply;
        }
        reply.body = job_json(*results.front().job, now).dump();
        reply.location = "/v1/jobs/" + results.front().job->id;
        return reply;
    }
    json entries = json::array();
    for (const auto& result : results) {
        json entry = {{"item", result.item}};
        if (result.job) {
            entry["status"] = 201;
            entry["id"] = result.job->id;
        } else {
            entry["status"] = http::status_of(result.job.error().kind);
            entry["problem"] = problem_value(result.job.error());
        }
        entries.push_back(std::move(entry));
    }
    reply.body = json{{"jobs", std::move(entries)}}.dump();
    return reply;
}

http::Response submit_response(jobs::Reply reply, bool list) {
    http::Response response{.status = reply.status};
    const bool problem = reply.status != 201 && !list;
    response.headers.set("Content-Type", problem ? "application/problem+json" : "application/json");
    if (!reply.location.empty())
        response.headers.set("Location", reply.location);
    response.body = std::move(reply.body);
    return response;
}

// "/jobs/3/resources" as "jobs[3].resources".
std::string dotted(std::string_view pointer) {
    std::string text;
    for (const auto part : split(pointer, '/')) {
        if (part.empty())
            continue;
        if (to_number<std::size_t>(part))
            text += "[" + std::string(part) + "]";
        else
            text += (text.empty() ? "" : ".") + std::string(part);
    }
    return text;
}

Result<json> read_json(const std::string& body) {
    auto parsed = parse_strict_json(body, json_depth_max);
    if (!parsed)
        parsed.error().field = dotted(parsed.error().field);
    return parsed;
}

Result<std::string> read_key(const http::Headers& headers) {
    const std::string key(headers.get("Idempotency-Key"));
    if (!headers.contains("Idempotency-Key"))
        return std::string();
    const bool plain = std::ranges::all_of(key, [](char c) { return c >= 0x21 && c <= 0x7e; });
    if (key.empty() || key.size() > 255 || !plain || headers.count("Idempotency-Key") > 1)
        return Error{ErrorKind::invalid, "must be 1 to 255 printable ASCII characters, once",
                     "Idempotency-Key"};
    return key;
}

Result<std::vector<jobs::State>> read_states(const Query& query, const std::string& name) {
    std::vector<jobs::State> states;
    const auto found = query.find(name);
    if (found == query.end())
        return states;
    for (const auto& value : found->second) {
        for (const auto word : split(value, ',')) {
            const auto state = jobs::state_from(word);
            if (!state)
                return Error{ErrorKind::invalid,
                             "there is no state \"" + printable(word, 40) + "\"", name};
            states.push_back(*state);
        }
    }
    return states;
}

// "30s" or "30", in seconds.
Result<std::chrono::milliseconds> read_wait(const std::string& text, std::chrono::seconds most) {
    auto digits = std::string_view(text);
    if (digits.ends_with('s'))
        digits.remove_suffix(1);
    const auto seconds = to_number<unsigned>(digits);
    if (!seconds || *seconds > 3600)
        return Error{ErrorKind::invalid, "must be a number of seconds such as 30s, at most 3600s",
                     "wait"};
    return std::chrono::milliseconds(std::min(most, std::chrono::seconds(*seconds)));
}

Result<jobs::JobFilter> read_filter(const Query& query, const jobs::Owner& owner) {
    jobs::JobFilter filter{.issuer = owner.issuer, .subject = owner.subject};
    if (owner.account_wide)
        filter.account = owner.account;
    auto states = read_states(query, "state");
    if (!states)
        return states.error();
    filter.states = std::move(*states);
    if (query.contains("since")) {
        filter.since = from_rfc3339(first(query, "since"));
        if (!filter.since)
            return Error{ErrorKind::invalid, "must be a time such as 2026-11-23T10:50:00Z",
                         "since"};
    }
    filter.name = first(query, "name");
    if (query.contains("cursor")) {
        const auto before = to_number<jobs::JobSeq>(first(query, "cursor"));
        if (!before || *before <= 0)
            return Error{ErrorKind::invalid, "must be the \"next\" of an earlier page", "cursor"};
        filter.before = *before;
    }
    if (query.contains("limit")) {
        const auto limit = to_number<unsigned>(first(query, "limit"));
        if (!limit || *limit == 0 || *limit > page_max)
            return Error{ErrorKind::invalid, "must be a number from 1 to 1000", "limit"};
        filter.limit = *limit;
    }
    return filter;
}

}  // namespace

JobsApi::Answer JobsApi::submit(Call& call) {
    const auto query = read_query(call.request.head.query, {"dry_run"});
    if (!query)
        co_return http::problem(query.error());
    const auto dry = first(*query, "dry_run");
    if (query->contains("dry_run") && dry != "true" && dry != "false")
        co_return http::problem(Error{ErrorKind::invalid, "must be true or false", "dry_run"});
    const auto key = read_key(call.request.head.headers);
    if (!key)
        co_return http::problem(key.error());
    const auto body = co_await read_json_body(call.request, settings_->limits.body_bytes_max);
    if (!body)
        co_return http::problem(body.error());
    jobs::SubmitCall wanted{.owner = call.caller.owner, .items = {}};
    if (!key->empty() && dry != "true") {
        // The key is looked up before the body is judged: a key that was used tells more.
        wanted.key = *key;
        wanted.body_hash = auth::sha256_hex(*body);
        auto earlier = co_await service_.earlier_answer(wanted);
        if (!earlier)
            co_return http::problem(earlier.error());
        if (*earlier)
            co_return submit_response(std::move(**earlier), true);
    }
    auto submission = read_submission(*body, settings_->limits);
    if (!submission)
        co_return http::problem(submission.error());
    wanted.items = std::move(submission->items);
    const bool list = submission->list;
    if (dry == "true")
        co_return dry_run(call.caller.owner, wanted);
    const auto now = clock_.wall();
    jobs::Render render_list = [list, now](const std::vector<jobs::SubmitResult>& results) {
        return render(results, list, now);
    };
    auto reply = co_await service_.submit(std::move(wanted), std::move(render_list));
    if (!reply)
        co_return http::problem(reply.error());
    co_return submit_response(std::move(*reply), list);
}

http::Response JobsApi::dry_run(const jobs::Owner& owner, const jobs::SubmitCall& submission) {
    json items = json::array();
    for (const auto& item : submission.items) {
        auto shown = item.request ? service_.dry_run(owner, *item.request)
                                  : Result<jobs::DryRun>(item.request.error());
        if (!shown && submission.items.size() == 1)
            return http::problem(shown.error());
        if (!shown) {
            items.push_back({{"status", http::status_of(shown.error().kind)},
                             {"problem", problem_value(shown.error())}});
            continue;
        }
        const auto or_null = [](const std::string& text) {
            return text.empty() ? json(nullptr) : json(text);
        };
        items.push_back({{"status", 200},
                         {"account", shown->owner.account},
                         {"queue", or_null(shown->placement.queue)},
                         {"batch_account", or_null(shown->owner.batch_account)},
                         {"tag", nullptr},
                         {"script", shown->script},
                         {"command", shown->command}});
    }
    return json_response(200, {{"items", std::move(items)}});
}

JobsApi::Answer JobsApi::list(Call& call) {
    const auto query = read_query(call.request.head.query,
                                  {"state", "since", "name", "cursor", "limit"}, {"state"});
    if (!query)
        co_return http::problem(query.error());
    auto filter = read_filter(*query, call.caller.owner);
    if (!filter)
        co_return http::problem(filter.error());
    const auto limit = filter->limit++;  // one more than shown tells whether there is a next page
    auto rows = co_await service_.list(std::move(*filter));
    if (!rows)
        co_return http::problem(rows.error());
    const bool more = rows->size() > limit;
    if (more)
        rows->pop_back();
    json body = {{"jobs", json::array()}, {"next", nullptr}};
    const auto now = clock_.wall();
    for (const auto& row : *rows)
        body["jobs"].push_back(job_json(row, now));
    if (more)
        body["next"] = std::to_string(rows->back().seq);
    co_return json_response(200, body);
}

JobsApi::Answer JobsApi::show(Call& call) {
    const auto query = read_query(call.request.head.query, {"wait", "state_not"}, {"state_not"});
    if (!query)
        co_return http::problem(query.error());
    const auto id = call.parameter("id");
    if (!query->contains("wait") && !query->contains("state_not")) {
        const auto row = co_await service_.find(call.caller.owner, id);
        if (!row)
            co_return http::problem(row.error());
        co_return json_response(200, job_json(*row, clock_.wall()));
    }
    if (!query->contains("wait"))
        co_return http::problem(
            Error{ErrorKind::invalid, "goes with wait, such as wait=30s", "state_not"});
    auto limit = read_wait(first(*query, "wait"), settings_->long_poll_max);
    if (!limit)
        co_return http::problem(limit.error());
    const auto states = read_states(*query, "state_not");
    if (!states)
        co_return http::problem(states.error());
    std::set<jobs::State> unwanted(states->begin(), states->end());
    if (unwanted.empty()) {
        // Without state_not: until the state is another one than now.
        const auto row = co_await service_.find(call.caller.owner, id);
        if (!row)
            co_return http::problem(row.error());
        unwanted.insert(row->status.state);
    }
    // The token is judged at the head; the wait must not outlive it.
    const auto left = call.caller.identity.expires - clock_.wall();
    const auto most =
        std::max(std::chrono::milliseconds(0), std::min<std::chrono::milliseconds>(*limit, left));
    const auto row = co_await service_.wait(call.caller.owner, id, std::move(unwanted), most);
    if (!row)
        co_return http::problem(row.error());
    co_return json_response(200, job_json(*row, clock_.wall()));
}

Async<std::vector<std::string>> JobsApi::read_ids(Call& call) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return query.error();
    const auto body = co_await read_json_body(call.request, settings_->limits.body_bytes_max);
    if (!body)
        co_return body.error();
    const auto parsed = read_json(*body);
    if (!parsed)
        co_return parsed.error();
    if (!parsed->is_object())
        co_return bad("ids", "the body must be an object with \"ids\"");
    for (const auto& [name, value] : parsed->items())
        if (name != "ids")
            co_return bad(printable(name, 80), "there is no such member; only \"ids\"");
    const auto ids = parsed->find("ids");
    if (ids == parsed->end() || !ids->is_array() || ids->empty() || ids->size() > ids_max)
        co_return bad("ids", "must be a list of 1 to 1000 job ids");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < ids->size(); ++i) {
        const auto& id = (*ids)[i];
        const auto length = id.is_string() ? id.get_ref<const std::string&>().size() : 0;
        if (length == 0 || length > 64)
            co_return bad("ids[" + std::to_string(i) + "]", "must be a job id");
        result.push_back(id.get<std::string>());
    }
    co_return result;
}

JobsApi::Answer JobsApi::status(Call& call) {
    const auto ids = co_await read_ids(call);
    if (!ids)
        co_return http::problem(ids.error());
    const auto rows = co_await service_.status(call.caller.owner, *ids);
    if (!rows)
        co_return http::problem(rows.error());
    json entries = json::array();
    const auto now = clock_.wall();
    for (std::size_t i = 0; i < ids->size(); ++i) {
        const auto& row = (*rows)[i];
        entries.push_back(row ? job_json(*row, now) : refused_json((*ids)[i], row.error()));
    }
    co_return json_response(200, {{"jobs", std::move(entries)}});
}

JobsApi::Answer JobsApi::wish(Call& call, jobs::Service::Wish wish) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return http::problem(query.error());
    const auto row = co_await service_.wish(call.caller.owner, call.parameter("id"), wish);
    if (!row)
        co_return http::problem(row.error());
    co_return json_response(202, job_json(*row, clock_.wall()));
}

JobsApi::Answer JobsApi::wish_many(Call& call, jobs::Service::Wish wish) {
    const auto ids = co_await read_ids(call);
    if (!ids)
        co_return http::problem(ids.error());
    std::vector<Result<jobs::JobRow>> rows;
    if (wish == jobs::Service::Wish::cancel) {
        auto all = co_await service_.cancel_many(call.caller.owner, *ids);
        if (!all)
            co_return http::problem(all.error());
        rows = std::move(*all);
    }
    for (std::size_t i = rows.size(); i < ids->size(); ++i) {
        auto row = co_await service_.wish(call.caller.owner, (*ids)[i], wish);
        rows.push_back(std::move(row));
    }
    json entries = json::array();
    const auto who = call.caller.identity.issuer_name + ":" + call.caller.identity.subject;
    for (std::size_t i = 0; i < ids->size(); ++i) {
        const auto& id = (*ids)[i];
        const auto& row = rows[i];
        log::audit("job_wish", {{"who", who},
                                {"path", call.request.head.path},
                                {"job", id},
                                {"error", row ? std::string() : row.error().message}});
        if (row)
            entries.push_back(
                {{"id", id}, {"status", 202}, {"job", job_json(*row, clock_.wall())}});
        else
            entries.push_back(refused_json(id, row.error()));
    }
    co_return json_response(200, {{"jobs", std::move(entries)}});
}

JobsApi::Answer JobsApi::forget(Call& call) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return http::problem(query.error());
    const auto done = co_await service_.forget(call.caller.owner, call.parameter("id"));
    if (!done)
        co_return http::problem(done.error());
    co_return http::Response{.status = 204};
}

}  // namespace berth::api
