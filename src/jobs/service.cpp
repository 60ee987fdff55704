#include "jobs/service.hpp"

#include "base/ids.hpp"
#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace {

constexpr std::size_t secret_length = 32;  // base32 characters: 160 bits

Error no_such_job() {
    return Error{ErrorKind::not_found, "there is no job with this id (for this identity)"};
}

// Frees the key when the submission ends, however it ends.
class KeyInFlight {
public:
    KeyInFlight(std::set<std::string>& keys, std::string key) : keys_(keys), key_(std::move(key)) {
        if (!key_.empty())
            keys_.insert(key_);
    }
    KeyInFlight(const KeyInFlight&) = delete;
    KeyInFlight& operator=(const KeyInFlight&) = delete;
    ~KeyInFlight() { keys_.erase(key_); }

private:
    std::set<std::string>& keys_;
    std::string key_;
};

}  // namespace

bool may_see(const Owner& owner, const JobRow& row) {
    if (row.issuer == owner.issuer && row.subject == owner.subject)
        return true;
    return owner.account_wide && row.account == owner.account;
}

Async<void> Service::start() {
    auto rows = co_await parts_.store.active_jobs();
    if (!rows)
        co_return rows.error();
    for (const auto& row : *rows)
        if (row.status.state == State::uploading)
            static_cast<void>(co_await check_uploads(row.seq));
    co_return Result<void>();
}

// What memory knows better: when and from where the last news came.
JobRow Service::fresh(JobRow row) const {
    const auto* active = parts_.engine.find(row.seq);
    if (active == nullptr || active->status.state != row.status.state)
        return row;
    row.status.source = active->status.source;
    row.status.observed = std::max(row.status.observed, active->status.observed);
    return row;
}

Async<std::optional<Reply>> Service::earlier_answer(const SubmitCall& call) {
    auto known = co_await parts_.store.key(call.owner.issuer, call.owner.subject, call.key);
    if (!known)
        co_return known.error();
    if (!*known)
        co_return std::optional<Reply>();
    const auto& key = **known;
    if (key.deleted) {
        Error gone{ErrorKind::gone, "the job of this Idempotency-Key was deleted; use a new key"};
        gone.old_id = key.job_ids.empty() ? std::string() : key.job_ids.front();
        co_return gone;
    }
    if (key.body_hash != call.body_hash)
        co_return Error{ErrorKind::unprocessable,
                        "this Idempotency-Key was used with another body; use a new key",
                        "Idempotency-Key"};
    Reply reply{.status = key.status, .body = key.reply, .location = key.location};
    co_return std::optional<Reply>(std::move(reply));
}

// The limits on active jobs and on what the account holds. `admitted` are those of the same call.
Result<void> Service::admit(const Owner& owner, unsigned count, std::size_t admitted) const {
    if (const auto room = parts_.usage.room(owner.account); !room)
        return room.error();
    const auto most =
        owner.jobs_max != 0 ? std::size_t{owner.jobs_max} : settings_.jobs_max_per_identity;
    const auto own = parts_.engine.active_of(owner.issuer, owner.subject) + admitted + count;
    const auto all = parts_.engine.active() + admitted + count;
    Error refusal{ErrorKind::too_many, {}};
    refusal.retry_after_s = 60;
    if (own > most)
        refusal.message = "this identity may have " + std::to_string(most) +
                          " unfinished jobs; wait until some have ended";
    else if (all > settings_.jobs_max_total)
        refusal.message = "this site has as many unfinished jobs as it accepts; try again later";
    else
        return {};
    return refusal;
}

void Service::make_jobs(const Owner& owner, Request request, const SubmitItem& item,
                        std::size_t index, const Placement& placement, Changes& changes,
                        std::vector<SubmitResult>& results) {
    const auto now = parts_.clock.wall();
    const auto count = request.count;
    request.queue = placement.queue;
    request.resources = placement.resources;
    const bool uploads = !request.files.empty();
    const auto directives = directives_hash(owner, placement, request.project);
    const auto shared = std::make_shared<const Request>(std::move(request));
    for (unsigned i = 0; i < count; ++i) {
        NewJob job{.request = shared, .script_hash = item.script_hash};
        job.secret = random_base32(secret_length);
        auto& row = job.row;
        row.seq = parts_.store.next_seq();
        row.id = make_job_id(to_ms(now));
        row.issuer = owner.issuer;
        row.subject = owner.subject;
        row.account = owner.account;
        row.batch_account = owner.batch_account;
        row.name = shared->name;
        row.queue = placement.queue;
        row.project = shared->project;
        row.directives = directives;
        row.secret_hash = parts_.sha256_hex(job.secret);
        row.created = now;
        row.status.updated = row.status.observed = now;
        if (uploads) {
            row.status.state = State::uploading;
            row.status.reason = Reason::waiting_for_files;
        }
        results.push_back({.item = index, .job = row});
        changes.new_jobs.push_back(std::move(job));
    }
}

Async<Reply> Service::submit(SubmitCall call, Render render) {
    const auto flight = call.key.empty()
                            ? std::string()
                            : call.owner.issuer + '\n' + call.owner.subject + '\n' + call.key;
    // A duplicate in flight waits for the first one's commit.
    while (!flight.empty() && keys_in_flight_.contains(flight))
        co_await sleep_for(std::chrono::milliseconds(5));
    const KeyInFlight in_flight(keys_in_flight_, flight);
    if (!call.key.empty()) {
        auto earlier = co_await earlier_answer(call);
        if (!earlier)
            co_return earlier.error();
        if (*earlier)
            co_return std::move(**earlier);
    }

    if (parts_.engine.drained()) {
        Error drained{ErrorKind::unavailable,
                      "the site is drained and takes no new jobs; submit elsewhere, or later"};
        drained.retry_after_s = 300;
        co_return drained;
    }

    Changes changes;
    std::vector<SubmitResult> results;
    for (std::size_t i = 0; i < call.items.size(); ++i) {
        auto& item = call.items[i];
        if (!item.request) {
            results.push_back({.item = i, .job = item.request.error()});
            continue;
        }
        auto placement = place(*item.request, call.owner, parts_.engine.limits(),
                               parts_.engine.settings().placement);
        if (!placement) {
            results.push_back({.item = i, .job = placement.error()});
            continue;
        }
        auto admitted = admit(call.owner, item.request->count, changes.new_jobs.size());
        if (!admitted) {
            results.push_back({.item = i, .job = admitted.error()});
            continue;
        }
        make_jobs(call.owner, std::move(*item.request), item, i, *placement, changes, results);
    }
    auto reply = render(results);
    if (changes.new_jobs.empty())
        co_return reply;

    if (!call.key.empty()) {
        KeyRow key{.issuer = call.owner.issuer, .subject = call.owner.subject, .key = call.key};
        key.body_hash = call.body_hash;
        key.status = reply.status;
        key.reply = reply.body;
        key.location = reply.location;
        key.created = parts_.clock.wall();
        for (const auto& job : changes.new_jobs)
            key.job_ids.push_back(job.row.id);
        changes.key = std::move(key);
    }
    std::vector<JobRow> rows;
    for (const auto& job : changes.new_jobs)
        rows.push_back(job.row);
    kill_point("accept_before");
    auto stored = co_await parts_.store.commit(std::move(changes));
    kill_point("accept_after");
    if (!stored)
        co_return stored.error();
    parts_.engine.add(std::move(rows));
    parts_.bus.publish(*stored);
    co_return reply;
}

Result<DryRun> Service::dry_run(const Owner& owner, const Request& request) {
    auto placement =
        place(request, owner, parts_.engine.limits(), parts_.engine.settings().placement);
    if (!placement)
        return placement.error();
    const auto& wrapper = parts_.engine.settings().wrapper;
    DryRun result{.owner = owner, .placement = std::move(*placement), .script = {}, .command = {}};
    const bool array = request.count > 1;
    SubmitIntent intent{.tag = "bTAG", .comment = request.name};
    intent.account = owner.account;
    intent.batch_account = owner.batch_account;
    intent.queue = result.placement.batch_queue;
    intent.project = request.project;
    intent.count = request.count;
    intent.array = array;
    intent.resources = result.placement.resources;
    intent.directives = result.placement.options;
    intent.directory = wrapper.root;
    result.script =
        wrapper_script(wrapper, "bTAG", array ? std::string() : wrapper.root + "/jobs/XX/JOB");
    result.command = parts_.batch.preview(intent);
    return result;
}

Async<JobRow> Service::find(Owner owner, std::string id) {
    if (!is_job_id(id))
        co_return no_such_job();
    auto row = co_await parts_.store.job(std::move(id));
    if (!row)
        co_return row.error();
    if (!*row || !may_see(owner, **row))
        co_return no_such_job();
    co_return fresh(std::move(**row));
}

Async<std::vector<Result<JobRow>>> Service::status(Owner owner, std::vector<std::string> ids) {
    auto rows = co_await parts_.store.jobs(ids);
    if (!rows)
        co_return rows.error();
    std::map<std::string, JobRow> found;
    for (auto& row : *rows)
        if (may_see(owner, row))
            found.emplace(row.id, fresh(row));
    std::vector<Result<JobRow>> results;
    for (const auto& id : ids) {
        const auto row = found.find(id);
        if (row == found.end())
            results.emplace_back(no_such_job());
        else
            results.emplace_back(row->second);
    }
    co_return results;
}

Async<std::vector<JobRow>> Service::list(JobFilter filter) {
    auto rows = co_await parts_.store.list(std::move(filter));
    if (!rows)
        co_return rows.error();
    for (auto& row : *rows)
        row = fresh(std::move(row));
    co_return rows;
}

Async<JobRow> Service::wait(Owner owner, std::string id, std::set<State> unwanted,
                            std::chrono::milliseconds limit) {
    const auto deadline = parts_.clock.steady() + limit;
    for (;;) {
        // The wait begins before the look, so that no news falls between the two.
        auto row = co_await find(owner, id);
        if (!row)
            co_return row;
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - parts_.clock.steady());
        const auto state = row->status.state;
        if (!unwanted.contains(state) || is_final(state) || left.count() <= 0 ||
            parts_.bus.closed())
            co_return row;
        const auto* active = parts_.engine.find(row->seq);
        const bool ahead = active == nullptr || active->status.state != state;
        const auto pause = ahead ? std::chrono::milliseconds(20) : left;
        co_await parts_.bus.wait(row->seq, std::min(pause, left));
    }
}

Async<JobRow> Service::wish(Owner owner, std::string id, Wish wish) {
    auto row = co_await find(owner, id);
    if (!row)
        co_return row;
    const auto seq = row->seq;
    Result<void> done;
    if (wish == Wish::cancel && row->status.state == State::cancelled)
        co_return row;  // it is what was wanted
    if (wish == Wish::cancel)
        done = co_await parts_.engine.cancel(seq, CancelBy::user);
    else if (wish == Wish::hold)
        done = co_await parts_.engine.hold(seq);
    else
        done = co_await parts_.engine.release(seq);
    if (!done)
        co_return done.error();
    co_return co_await find(std::move(owner), std::move(id));
}

Async<std::vector<Result<JobRow>>> Service::cancel_many(Owner owner, std::vector<std::string> ids) {
    auto rows = co_await status(owner, ids);
    if (!rows)
        co_return rows.error();
    std::vector<JobSeq> seqs;
    for (const auto& row : *rows)
        if (row && !is_final(row->status.state))
            seqs.push_back(row->seq);
    auto stored = co_await parts_.engine.cancel_all(std::move(seqs), CancelBy::user);
    if (!stored)
        co_return stored.error();
    auto after = co_await status(std::move(owner), std::move(ids));
    if (!after)
        co_return after.error();
    for (std::size_t i = 0; i < after->size(); ++i) {
        // What had ended before the call is told; an end since then is what was wanted.
        const auto& before = (*rows)[i];
        const bool ended =
            before && is_final(before->status.state) && before->status.state != State::cancelled;
        if (ended)
            (*after)[i] = Error{ErrorKind::conflict, "the job has ended"};
    }
    co_return std::move(*after);
}

Async<void> Service::forget(Owner owner, std::string id) {
    auto row = co_await find(std::move(owner), id);
    if (!row)
        co_return row.error();
    if (!is_final(row->status.state))
        co_return Error{ErrorKind::conflict, "the job has not ended; cancel it first"};
    const auto remove = [](SessionFiles* files, std::string account, std::string job_id) {
        return files->remove(account, job_id);
    };
    auto removed = co_await offload(parts_.disk, remove, &parts_.files, row->account, id);
    if (!removed && removed.error().kind != ErrorKind::not_found)
        co_return removed.error();
    Changes changes;
    changes.forget.push_back(row->seq);
    kill_point("forget_before");
    auto stored = co_await parts_.store.commit(std::move(changes));
    kill_point("forget_after");
    if (!stored)
        co_return stored.error();
    log::info("job_forgotten", {{"job", id}});
    co_return Result<void>();
}

}  // namespace berth::jobs
