// From `ready` to the batch system's answer: prepare, intent, submit, outcome.
#include "jobs/engine.hpp"

#include "base/ids.hpp"
#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t tag_random = 10;
constexpr auto retry_delay_max = std::chrono::minutes(5);

std::string task_id(const std::string& batch_id, std::optional<unsigned> index) {
    return index && !batch_id.empty() ? batch_id + "_" + std::to_string(*index) : batch_id;
}

constexpr std::size_t burst_size = 16;  // jobs of one group that make it a burst
constexpr auto burst_time = std::chrono::seconds(2);
constexpr int burst_factor = 4;
constexpr std::size_t sessions_at_once = 250;  // made in one go by one thread

// Submissions in hand for each command that may run: while some commands run, other submissions
// are prepared and their outcomes written, several in one transaction.
constexpr unsigned in_hand = 4;

struct Preparation {
    std::string account;
    SessionInput input;  // its script is in the request that the record holds
};

// These run on the disk pool.
std::vector<Result<void>> make_part(SessionFiles* files, const std::vector<Preparation>& part) {
    std::vector<Result<void>> results;
    results.reserve(part.size());
    for (const auto& session : part)
        results.push_back(files->make(session.account, session.input));
    return results;
}

Result<void> make_manifest(SessionFiles* files, std::string account, std::string tag,
                           std::vector<std::string> ids) {
    return files->write_manifest(account, tag, ids);
}

}  // namespace

std::string Engine::make_tag() const {
    return tag_prefix_ + random_base32(tag_random);
}

bool Engine::is_own_tag(const std::string& tag) const {
    return tag.starts_with(tag_prefix_) && tag.size() == tag_prefix_.size() + tag_random;
}

void Engine::make_ready(Job& job) {
    if (job.in_ready)
        return;
    job.in_ready = true;
    job.queued_since = parts_.clock.steady();
    auto& group = ready_[job.row.directives];
    if (group.empty())
        ready_order_.push_back(job.row.directives);
    group.push_back(job.row.seq);
    ready_wakeup_.notify();
}

// How long the first of a group waits for others. While equal jobs come in masses it is longer,
// so that a burst of single posts makes few arrays.
std::chrono::milliseconds Engine::window_of(std::uint64_t directives) const {
    if (!settings_.coalesce)
        return std::chrono::milliseconds(0);
    const auto last = bursts_.find(directives);
    const bool burst = last != bursts_.end() && parts_.clock.steady() - last->second < burst_time;
    return burst ? burst_factor * settings_.coalesce_window : settings_.coalesce_window;
}

// The next jobs that may travel together; empty when there is nothing to do yet.
Engine::Group Engine::next_group() {
    const auto now = parts_.clock.steady();
    const std::size_t most = settings_.coalesce ? std::max(1U, limits_.array_size_max) : 1;
    for (std::size_t turns = ready_order_.size(); turns > 0; --turns) {
        const auto key = ready_order_.front();
        ready_order_.pop_front();
        auto& waiting = ready_[key];
        const auto window = window_of(key);
        Group group;
        bool early = false;
        while (!waiting.empty() && group.size() < most) {
            auto* found = job(waiting.front());
            const bool wanted = found != nullptr && found->in_ready &&
                                (found->row.status.state == State::ready ||
                                 found->row.status.state == State::accepted) &&
                                found->row.status.cancel == CancelBy::nobody &&
                                !found->row.status.hold;
            if (wanted && group.empty() && found->queued_since + window > now) {
                early = true;
                break;
            }
            waiting.pop_front();
            if (found != nullptr)
                found->in_ready = false;
            if (wanted)
                group.push_back(found->row.seq);
        }
        if (waiting.empty())
            ready_.erase(key);
        else
            ready_order_.push_back(key);
        if (group.size() >= burst_size)
            bursts_[key] = now;
        if (!group.empty())
            return group;
        if (early)
            ready_wakeup_.notify();
    }
    return {};
}

asio::awaitable<void> Engine::submitter() {
    for (;;) {
        const bool paused = !unsaved_.empty() || limits_.queues.empty() ||
                            parts_.clock.steady() < submit_pause_until_;
        if (paused || submissions_ >= in_hand * settings_.submit_width || ready_order_.empty()) {
            co_await ready_wakeup_.wait(std::chrono::seconds(1));
            continue;
        }
        auto group = next_group();
        if (group.empty()) {
            co_await sleep_for(std::chrono::milliseconds(10));
            continue;
        }
        ++submissions_;
        for (const auto seq : group)
            job(seq)->submitting_now = true;
        tasks_.spawn("submit", submit_group(std::move(group)));
    }
}

asio::awaitable<void> Engine::submit_group(Group group) {
    auto tag = make_tag();
    const bool array = group.size() > 1;
    const auto all = group;
    std::shared_ptr<const Request> request;
    group = co_await prepare(std::move(group), tag, array, request);
    if (!group.empty()) {
        const auto intended = co_await record_intent(group, tag, array);
        if (intended) {
            auto intent = make_intent(group, tag, array, request);
            kill_point("submit_before");
            auto outcome = co_await parts_.batch.submit(std::move(intent));
            kill_point("submit_after");
            co_await record_outcome(tag, std::move(outcome));
        } else {
            log::warning("intent_not_stored",
                         {{"attempt", tag}, {"error", intended.error().message}});
            attempts_.erase(tag);
            Changes changes;
            for (const auto seq : group)
                if (auto* found = job(seq))
                    put_back(changes, *found, Reason::none, "waiting for the store");
            if (!changes.statuses.empty())
                static_cast<void>(co_await commit(std::move(changes)));
        }
    }
    for (const auto seq : all) {
        if (auto* found = job(seq)) {
            found->submitting_now = false;
            // One that waits in the queue has nothing to be looked at before there is news.
            if (found->row.status.state != State::queued || found->marked_meanwhile)
                mark_dirty(seq);
            found->marked_meanwhile = false;
        }
    }
    --submissions_;
    ready_wakeup_.notify();
}

// Makes the session directories; the result is the jobs that have one. A directory knows its place
// in the array, so when one cannot be made the others are written again, for another `tag`.
// `request` becomes one of theirs: what the batch system sees of them is equal.
asio::awaitable<Engine::Group> Engine::prepare(Group group, std::string& tag, bool array,
                                               std::shared_ptr<const Request>& request) {
    auto requests = co_await parts_.store.requests(group);
    Group prepared;
    Changes changes;
    if (!requests) {
        for (const auto seq : group)
            if (auto* found = job(seq))
                preparation_failed(changes, *found, requests.error());
        co_return prepared;
    }
    auto wanted = std::move(*requests);
    bool failed = false, again = true;
    while (again) {
        std::erase_if(wanted, [&](const auto& stored) { return job(stored.seq) == nullptr; });
        const auto made = co_await make_sessions(wanted, tag, array);
        kill_point("session_made");
        const auto all = wanted.size();
        wanted = keep_made(changes, std::move(wanted), made);
        failed = failed || wanted.size() < all;
        again = array && wanted.size() < all && !wanted.empty();
        if (again)
            tag = make_tag();
    }
    for (const auto& stored : wanted) {
        const auto& status = job(stored.seq)->row.status;
        // What was cancelled or held meanwhile is not submitted; a task's place in a manifest
        // stays.
        const bool unwanted = !array && (status.cancel != CancelBy::nobody || status.hold);
        if (!unwanted)
            prepared.push_back(stored.seq);
        request = stored.request;
    }
    if (!failed)
        files_problem_.clear();
    if (!changes.statuses.empty())
        static_cast<void>(co_await commit(std::move(changes)));
    co_return prepared;
}

// Those of `wanted` whose directories could be made.
std::vector<StoredRequest> Engine::keep_made(Changes& changes, std::vector<StoredRequest> wanted,
                                             const std::vector<Result<void>>& made) {
    std::vector<StoredRequest> kept;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto* found = job(wanted[i].seq);
        if (found != nullptr && made[i])
            kept.push_back(std::move(wanted[i]));
        else if (found != nullptr)
            preparation_failed(changes, *found, made[i].error());
    }
    return kept;
}

// Side by side, and then the manifest; one result for each of `wanted`.
asio::awaitable<std::vector<Result<void>>> Engine::make_sessions(
    const std::vector<StoredRequest>& wanted, std::string tag, bool array) {
    std::vector<std::vector<Preparation>> parts;
    std::vector<std::string> ids;
    for (const auto& stored : wanted) {
        const auto& row = job(stored.seq)->row;
        Preparation session{.account = row.account, .input = session_input(row, stored)};
        session.input.attempt.tag = tag;
        if (array)
            session.input.attempt.index = static_cast<unsigned>(ids.size());
        ids.push_back(stored.id);
        if (parts.empty() || parts.back().size() >= sessions_at_once)
            parts.emplace_back();
        parts.back().push_back(std::move(session));
    }
    const auto account = parts.empty() ? std::string() : parts.front().front().account;
    auto* files = &parts_.files;
    const auto make = [files](const std::vector<Preparation>& part) {
        return make_part(files, part);
    };
    const auto made_parts = co_await offload_each(parts_.disk, make, std::move(parts));
    std::vector<Result<void>> made;
    for (const auto& part : made_parts)
        made.insert(made.end(), part.begin(), part.end());
    if (!array || ids.empty() ||
        !std::ranges::all_of(made, [](const auto& one) { return one.has_value(); }))
        co_return made;
    const auto written =
        co_await offload(parts_.disk, make_manifest, &parts_.files, account, tag, ids);
    if (!written)
        std::ranges::fill(made, written);
    co_return made;
}

SessionInput Engine::session_input(const JobRow& row, const StoredRequest& stored) const {
    SessionRecord record{.job = row, .request = stored.request, .script_hash = stored.script_hash};
    ++record.job.status.attempts;
    return {.job_id = stored.id,
            .script = stored.request->script,
            .script_hash = stored.script_hash,
            .launch = launch_file(settings_.wrapper, *stored.request, stored.id),
            .secret = stored.secret,
            .fresh = !row.status.session_made,
            .record = std::move(record)};
}

void Engine::preparation_failed(Changes& changes, Job& job, const Error& error) {
    if (error.kind == ErrorKind::not_found && job.row.status.session_made) {
        auto next = job.row.status;
        next.state = State::failed;
        next.reason = Reason::session_lost;
        next.detail = "the session directory has gone before the submission";
        next.ended = parts_.clock.wall();
        set_status(changes, job, std::move(next));
        return;
    }
    files_problem_ = error.message;
    log::warning("session_not_made", {{"job", job.row.id}, {"error", error.message}});
    put_back(changes, job, Reason::none, "the session directory cannot be made: " + error.message);
}

Async<void> Engine::record_intent(Group group, std::string tag, bool array) {
    Changes changes;
    AttemptRow row{.tag = tag, .array = array, .created = parts_.clock.wall(), .jobs = group};
    row.updated = row.created;
    unsigned index = 0;
    for (const auto seq : group) {
        auto& found = *job(seq);
        row.account = found.row.account;
        auto next = found.row.status;
        if (next.state == State::accepted) {
            next.state = State::ready;
            set_status(changes, found, next);
        }
        next = found.row.status;
        next.state = State::submitting;
        next.reason = Reason::none;
        next.detail.clear();
        next.tag = tag;
        next.index = array ? std::optional<unsigned>(index) : std::nullopt;
        next.batch_id.clear();
        next.session_made = true;
        next.source = Source::store;
        ++next.attempts;
        ++index;
        set_status(changes, found, std::move(next));
        found.batch = Observation();
        found.fence_nonce.clear();
    }
    changes.new_attempts.push_back(row);
    changes.may_wait = many_in_hand();
    attempts_[tag] = Attempt{.row = std::move(row), .started = parts_.clock.steady()};
    kill_point("intent_before");
    auto stored = co_await commit(std::move(changes));
    kill_point("intent_after");
    co_return stored;
}

SubmitIntent Engine::make_intent(const Group& group, const std::string& tag, bool array,
                                 std::shared_ptr<const Request> request) {
    const auto& first = *job(group.front());
    const Owner owner{.issuer = first.row.issuer,
                      .subject = first.row.subject,
                      .account = first.row.account,
                      .batch_account = first.row.batch_account};
    SubmitIntent intent{.tag = tag,
                        .comment = first.row.name,
                        .account = first.row.account,
                        .batch_account = first.row.batch_account,
                        .queue = first.row.queue,
                        .project = first.row.project,
                        .count = static_cast<unsigned>(group.size()),
                        .array = array,
                        .resources = request->resources};
    // The job was placed when it was accepted; only the site's own names are looked up again.
    for (const auto& policy : settings_.placement.policies) {
        if (policy.name != first.row.queue)
            continue;
        intent.queue = policy.batch_queue.empty() ? policy.name : policy.batch_queue;
        intent.directives = policy.options;
    }
    const auto& root = settings_.wrapper.root;
    const auto session = root + "/" + session_path(first.row.id);
    intent.wrapper = wrapper_script(settings_.wrapper, tag, array ? std::string() : session);
    intent.directory = root;
    return intent;
}

asio::awaitable<void> Engine::record_outcome(std::string tag, SubmitOutcome outcome) {
    auto* made = attempt(tag);
    if (made == nullptr)
        co_return;
    Changes changes;
    made->row.message = outcome.message;
    made->row.updated = parts_.clock.wall();
    if (outcome.kind == SubmitOutcome::Kind::accepted) {
        submit_pause_ = std::chrono::milliseconds(0);
        accept_attempt(changes, *made, outcome.batch_id, outcome.cluster);
    } else if (outcome.kind == SubmitOutcome::Kind::rejected) {
        made->row.state = AttemptState::rejected;
        changes.attempts.push_back(made->row);
        for (const auto seq : made->row.jobs)
            if (auto* found = job(seq); found != nullptr && found->row.status.tag == tag)
                reject_job(changes, *found, outcome);
    } else {
        if (made->row.state == AttemptState::intent)
            made->row.state = AttemptState::unknown;
        made->started = parts_.clock.steady();  // the command may have waited for its turn
        changes.attempts.push_back(made->row);
        log::warning("submit_outcome_unknown", {{"attempt", tag}, {"error", outcome.message}});
    }
    const bool rejected = made->row.state == AttemptState::rejected;
    changes.may_wait = many_in_hand();
    kill_point("outcome_before");
    auto stored = co_await commit(std::move(changes));
    if (stored && rejected)
        attempts_.erase(tag);  // no batch job of it exists
    kill_point("outcome_after");
}

// The batch system has the attempt: by its own answer, a look-up, or the fence.
void Engine::accept_attempt(Changes& changes, Attempt& attempt, const std::string& batch_id,
                            const std::string& cluster) {
    auto& row = attempt.row;
    const bool news = row.batch_id != batch_id || row.state == AttemptState::intent ||
                      row.state == AttemptState::unknown;
    if (!news)
        return;
    const bool other = !row.batch_id.empty() && row.batch_id != batch_id;
    row.batch_id = batch_id;
    if (!cluster.empty())
        row.cluster = cluster;
    if (row.state == AttemptState::intent || row.state == AttemptState::unknown)
        row.state = AttemptState::accepted;
    row.updated = parts_.clock.wall();
    changes.attempts.push_back(row);
    for (const auto seq : row.jobs) {
        auto* found = job(seq);
        if (found == nullptr || found->row.status.tag != row.tag)
            continue;
        if (other)
            found->batch = Observation();  // that was said of the batch job that lost the fence
        auto next = found->row.status;
        if (next.state == State::submitting)
            next.state = State::queued;
        next.batch_id = task_id(batch_id, next.index);
        next.source = Source::queue;
        set_status(changes, *found, std::move(next));
        if (found->row.status.cancel != CancelBy::nobody || found->row.status.hold)
            mark_dirty(seq);
    }
    const std::chrono::duration<double> delay = parts_.clock.wall() - row.created;
    parts_.metrics.observe("berth_submit_seconds", {}, delay.count());
}

void Engine::reject_job(Changes& changes, Job& job, const SubmitOutcome& outcome) {
    if (outcome.retry) {
        // Full: everything waits, longer each time, until something is accepted again.
        const auto now = parts_.clock.steady();
        if (now >= submit_pause_until_) {
            const std::chrono::milliseconds least = settings_.retry_delay;
            const std::chrono::milliseconds most = retry_delay_max;
            submit_pause_ = std::clamp(submit_pause_ * 2, least, most);
            submit_pause_until_ = now + submit_pause_;
        }
        if (job.row.status.attempts > 0)
            --job.row.status.attempts;  // a full queue is nobody's failed attempt
        put_back(changes, job, Reason::submit_limit, outcome.message);
        return;
    }
    auto next = job.row.status;
    next.state = State::failed;
    next.reason = Reason::rejected;
    next.detail = outcome.message;
    next.source = Source::queue;
    next.ended = parts_.clock.wall();
    set_status(changes, job, std::move(next));
}

// Back to `ready`, to be submitted again after a delay that doubles with each attempt.
void Engine::put_back(Changes& changes, Job& job, Reason reason, std::string detail) {
    auto next = job.row.status;
    // A job that is to be held goes through `ready`, where the evaluator holds it.
    next.state = next.state == State::accepted ? State::accepted : State::ready;
    next.reason = reason;
    next.detail = std::move(detail);
    next.tag.clear();
    next.batch_id.clear();
    next.index.reset();
    next.source = Source::store;
    set_status(changes, job, std::move(next));
    job.batch = Observation();
    std::chrono::milliseconds delay = settings_.retry_delay;
    for (unsigned i = 1; i < job.row.status.attempts && delay < retry_delay_max; ++i)
        delay *= 2;
    job.not_before = parts_.clock.steady() + delay;
    recheck_after(job, delay);
}

}  // namespace berth::jobs
