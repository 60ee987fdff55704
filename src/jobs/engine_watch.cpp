// News of batch jobs: one poll for all, look-ups by tag for what the poll does not show, and the
// events that wrappers write.
#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t look_up_max = 200;  // tags in one command
// The clock may have jumped between a submission and its look-up, and the batch system has its own.
constexpr auto look_up_margin = std::chrono::hours(3);
constexpr std::size_t events_max = 5000;  // event files in one turn
constexpr std::size_t orphans_max = 1000;
constexpr auto slow_answer = std::chrono::seconds(5);

Result<std::vector<SessionEvent>> read_events(SessionFiles* files) {
    return files->take_events(events_max);
}

bool waits(const BatchRecord& record) {
    return record.state != BatchState::running && record.state != BatchState::finishing;
}

bool differs(const Observation& known, const BatchRecord& record) {
    return !known.seen || known.state != record.state || known.missing_looks > 0 ||
           known.reason != record.reason;
}

}  // namespace

std::vector<std::string> Engine::accounts() const {
    std::set<std::string> names;
    for (const auto& [tag, attempt] : attempts_)
        names.insert(attempt.row.account);
    for (const auto& [tag, orphan] : orphans_)
        names.insert(orphan.record.user);
    return {names.begin(), names.end()};
}

asio::awaitable<void> Engine::poller() {
    auto next_limits = parts_.clock.steady();
    bool polled = false;
    for (;;) {
        if (parts_.clock.steady() >= next_limits) {
            auto refreshed = co_await refresh_limits();
            const auto pause = refreshed ? settings_.limits_interval : std::chrono::seconds(5);
            next_limits = parts_.clock.steady() + pause;
        }
        auto names = accounts();
        // Once also when nothing is known: the store may be a restored backup.
        if (!names.empty() || !polled) {
            co_await command_slot();
            const auto begun = parts_.clock.steady();
            auto snapshot = co_await parts_.batch.poll(std::move(names));
            const auto took = parts_.clock.steady() - begun;
            if (snapshot) {
                polled = true;
                auto& interval = batch_health_.poll_interval;
                const auto longest = std::chrono::milliseconds(
                    std::max(settings_.poll_interval_max, settings_.poll_interval));
                interval = took > slow_answer ? std::min(interval * 2, longest)
                                              : std::chrono::milliseconds(settings_.poll_interval);
                co_await apply_snapshot(std::move(*snapshot), std::set<std::string>(), true);
            } else {
                poll_failed(snapshot.error());
            }
        }
        kill_point("polled");
        const auto limits_left = std::chrono::duration_cast<std::chrono::milliseconds>(
            next_limits - parts_.clock.steady());
        const auto pause = std::clamp<std::chrono::milliseconds>(
            batch_health_.poll_interval, std::chrono::milliseconds(200),
            std::max(limits_left, std::chrono::milliseconds(200)));
        co_await poll_wakeup_.wait(pause);
    }
}

void Engine::poll_failed(const Error& error) {
    batch_health_.asked = true;
    batch_health_.ok = false;
    batch_health_.message = error.message;
    const auto longest =
        std::chrono::milliseconds(std::max(settings_.poll_interval_max, settings_.poll_interval));
    batch_health_.poll_interval = std::min(batch_health_.poll_interval * 2, longest);
    parts_.metrics.add("berth_batch_poll_failures_total");
    log::warning("poll_failed", {{"batch", parts_.batch.name()}, {"error", error.message}});
}

Async<void> Engine::refresh_limits() {
    auto limits = co_await parts_.batch.limits();
    batch_health_.asked = true;
    if (!limits) {
        batch_health_.ok = false;
        batch_health_.message = limits.error().message;
        log::warning("limits_failed",
                     {{"batch", parts_.batch.name()}, {"error", limits.error().message}});
        co_return limits.error();
    }
    limits_ = std::move(*limits);
    batch_health_.ok = true;
    batch_health_.message.clear();
    batch_health_.last_success = parts_.clock.steady();
    batch_health_.last_success_wall = parts_.clock.wall();
    ready_wakeup_.notify();
    co_return Result<void>();
}

// Records go to their jobs; what was asked for and is not there counts as one look that found
// nothing. A poll that does not show a job only raises the question.
asio::awaitable<void> Engine::apply_snapshot(QueueSnapshot snapshot,
                                             std::set<std::string> asked_tags, bool is_poll) {
    batch_health_.asked = true;
    batch_health_.ok = true;
    batch_health_.message.clear();
    batch_health_.last_success = parts_.clock.steady();
    batch_health_.last_success_wall = parts_.clock.wall();
    Changes changes;
    std::set<JobSeq> shown;
    std::map<std::string, BatchRecord> unknown;
    for (const auto& record : snapshot.records) {
        auto* owner = attempt(record.tag);
        if (owner == nullptr) {
            if (!is_over(record.state))
                unknown.emplace(record.tag, record);
            continue;
        }
        const auto& members = owner->row.jobs;
        if (!owner->row.array || record.index) {
            if (record.index.value_or(0) < members.size())
                apply_record(changes, *owner, record, record.index.value_or(0), snapshot, shown);
            continue;
        }
        // An array that was cancelled while it waited is one record, which speaks for every task.
        for (unsigned i = 0; i < members.size(); ++i)
            apply_record(changes, *owner, record, i, snapshot, shown);
    }
    if (is_poll)
        std::erase_if(orphans_, [&](const auto& known) { return !unknown.contains(known.first); });
    for (const auto& [tag, record] : unknown)
        if (!orphans_.contains(tag))
            tasks_.spawn("unknown_tag", check_unknown_tag(record));
    // A site that has accounting must have answered from it before a job counts as missing.
    const bool looked_everywhere = snapshot.history_answered || !limits_.has_history;
    for (auto& [seq, found] : jobs_) {
        const auto& tag = found->row.status.tag;
        if (tag.empty() || shown.contains(seq) || found->submitting_now)
            continue;
        if (is_poll && !found->row.status.batch_id.empty() && !is_over(found->batch.state))
            to_look_up_.insert(tag);
        else if (!is_poll && looked_everywhere && asked_tags.contains(tag))
            observe_missing(*found, snapshot.asked);
    }
    if (!to_look_up_.empty() && is_poll)
        look_wakeup_.notify();
    if (!changes.attempts.empty() || !changes.statuses.empty())
        static_cast<void>(co_await commit(std::move(changes)));
}

void Engine::apply_record(Changes& changes, Attempt& owner, const BatchRecord& record,
                          unsigned index, const QueueSnapshot& snapshot, std::set<JobSeq>& shown) {
    auto* found = job(owner.row.jobs[index]);
    if (found == nullptr || found->row.status.tag != record.tag) {
        superseded(owner, record);
        return;
    }
    const auto& known_id = owner.row.batch_id;
    if (!known_id.empty() && known_id != record.batch_id) {
        // Two batch jobs under one tag: the fence lets one of them start; the other goes.
        if (!is_over(record.state))
            duplicate(*found, record);
        return;
    }
    accept_attempt(changes, owner, record.batch_id, record.cluster);
    shown.insert(found->row.seq);
    observe(*found, record, snapshot);
}

// The batch system has a second batch job with the tag of `job`. The fence says which one counts;
// until one has started, the first that was seen does. One that runs is left to the fence: it may
// be about to take it, and ends by itself if it cannot.
void Engine::duplicate(Job& job, const BatchRecord& record) {
    const BatchTarget target{.tag = record.tag,
                             .batch_id = record.batch_id,
                             .cluster = record.cluster,
                             .account = job.row.account,
                             .index = record.index,
                             .only_waiting = true};  // it may start, and win, at any moment
    log::warning("duplicate_batch_job",
                 {{"job", job.row.id}, {"attempt", record.tag}, {"batch_id", record.task_id}});
    const auto cancel = [](Engine* engine, BatchTarget loser, JobSeq seq,
                           bool waiting) -> asio::awaitable<void> {
        const auto* found = engine->job(seq);
        const auto looks = found == nullptr ? 0 : found->fence_looks;
        // The evaluator moves the attempt to the batch job that holds the fence, if one does.
        co_await engine->evaluate(std::vector<JobSeq>(1, seq));
        found = engine->job(seq);
        if (!waiting || (found != nullptr && found->fence_looks == looks))
            co_return;  // nobody knows whose the fence is: the next poll asks again
        const auto* made = engine->attempt(loser.tag);
        if (made == nullptr || made->row.batch_id != loser.batch_id)
            static_cast<void>(co_await engine->parts_.batch.cancel(std::move(loser)));
    };
    tasks_.spawn("duplicate", cancel(this, target, job.row.seq, waits(record)));
}

void Engine::observe(Job& job, const BatchRecord& record, const QueueSnapshot& snapshot) {
    if (waits(record) && snapshot.asked < job.told)
        return;
    auto& known = job.batch;
    const bool news = differs(known, record);
    if (!known.seen || known.state != record.state)
        known.since = parts_.clock.steady();
    known.seen = true;
    known.state = record.state;
    known.raw_state = record.raw_state;
    known.reason = record.reason;
    known.exit_code = record.exit_code;
    known.signal = record.signal;
    known.restarts = record.restarts;
    known.asked = snapshot.asked;
    known.missing_looks = 0;
    job.row.status.observed = snapshot.asked_wall;
    known.source = record.from_history ? Source::history : Source::queue;
    job.row.status.source = known.source;
    // A start between two looks changes nothing in the queue's words.
    const bool put_back = job.row.status.state == State::running &&
                          (record.state == BatchState::queued || record.state == BatchState::held);
    if (news || put_back || is_over(record.state))
        mark_dirty(job.row.seq);
}

void Engine::observe_missing(Job& job, SteadyTime asked) {
    auto& known = job.batch;
    if (known.missing_looks == 0) {
        const auto* made = attempt(job.row.status.tag);
        const bool unknown = made != nullptr && made->row.state != AttemptState::accepted;
        known.missing_since = unknown ? made->started : asked;
    }
    ++known.missing_looks;
    mark_dirty(job.row.seq);
}

// A batch job whose job has moved on, or ended. Its start cannot win unless it has won already;
// the evaluator reads the fence and cancels it if it has not.
void Engine::superseded(Attempt& owner, const BatchRecord& record) {
    if (is_over(record.state))
        return;
    const auto counts_on = [&](JobSeq seq) {
        const auto* member = job(seq);
        return member != nullptr && member->row.status.tag == record.tag;
    };
    if (owner.row.batch_id.empty() || std::ranges::none_of(owner.row.jobs, counts_on))
        owner.row.batch_id = record.batch_id;
    auto* found = job(owner.row.jobs[record.index.value_or(0)]);
    if (found == nullptr) {
        // The job has ended: the wrapper of a payload that ended may still be on its way out.
        const bool void_attempt =
            owner.row.state == AttemptState::given_up || owner.row.state == AttemptState::voided;
        if (waits(record) || void_attempt)
            want_batch_cancel(record.tag, record.index);
        return;
    }
    found->losers[{record.tag, record.index}] = waits(record);
    mark_dirty(found->row.seq);
}

// The queue shows a tag of ours that memory does not have. An attempt that the store knows is
// over, so the batch job can start nothing; one that it does not know is only listed.
asio::awaitable<void> Engine::check_unknown_tag(BatchRecord record) {
    auto known = co_await parts_.store.job_by_tag(record.tag);
    if (!known)
        co_return;
    if (*known && attempt(record.tag) == nullptr) {
        const BatchTarget target{.tag = record.tag,
                                 .batch_id = record.batch_id,
                                 .cluster = record.cluster,
                                 .account = (*known)->account,
                                 .index = record.index};
        log::warning("late_batch_job", {{"attempt", record.tag}, {"batch_id", record.task_id}});
        // One that runs has lost the fence, or its payload has ended: it ends by itself.
        if (waits(record) && is_final((*known)->status.state))
            static_cast<void>(co_await parts_.batch.cancel(target));
        co_return;
    }
    const bool taken_up = attempt(record.tag) != nullptr;  // in the meantime
    if (taken_up || orphans_.size() >= orphans_max || orphans_.contains(record.tag))
        co_return;
    log::warning("orphan_found", {{"attempt", record.tag}, {"batch_id", record.task_id}});
    orphans_.emplace(record.tag, Orphan{.record = record, .first_seen = parts_.clock.wall()});
}

asio::awaitable<void> Engine::looker() {
    for (;;) {
        co_await look_wakeup_.wait(settings_.look_up_interval);
        if (to_look_up_.empty())
            continue;
        std::vector<std::string> tags;
        auto since = parts_.clock.wall();
        while (!to_look_up_.empty() && tags.size() < look_up_max) {
            const auto tag = *to_look_up_.begin();
            to_look_up_.erase(to_look_up_.begin());
            const auto* made = attempt(tag);
            if (made == nullptr)
                continue;
            since = std::min(since, made->row.created);
            tags.push_back(tag);
        }
        if (tags.empty())
            continue;
        std::set<std::string> asked(tags.begin(), tags.end());
        co_await command_slot();
        auto found = co_await parts_.batch.look_up(std::move(tags), since - look_up_margin);
        kill_point("looked_up");
        if (found)
            co_await apply_snapshot(std::move(*found), std::move(asked), false);
        else
            poll_failed(found.error());
        co_await sleep_for(settings_.look_up_interval / 2);
    }
}

// Lists the events directory once a second; the files are hints, so one may be lost.
asio::awaitable<void> Engine::event_reader() {
    for (;;) {
        events_asked_ = parts_.clock.steady();
        auto events = co_await offload(parts_.disk, read_events, &parts_.files);
        events_took_ = parts_.clock.steady() - std::exchange(events_asked_, SteadyTime());
        if (events && !events->empty())
            kill_point("events_read");
        events_problem_ = events ? std::string() : events.error().message;
        if (events) {
            for (const auto& event : *events) {
                const auto* made = attempt(event.tag);
                if (made == nullptr || event.index >= made->row.jobs.size())
                    continue;
                mark_dirty(made->row.jobs[event.index]);
                auto* found = job(made->row.jobs[event.index]);
                if (found != nullptr && event.kind != "ended")
                    found->row.status.observed = parts_.clock.wall();
            }
        }
        co_await sleep_for(std::chrono::seconds(1));
    }
}

std::chrono::milliseconds Engine::files_delay() const {
    const auto running = events_asked_ == SteadyTime() ? SteadyTime::duration()
                                                       : parts_.clock.steady() - events_asked_;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(running, events_took_));
}

bool Engine::hint(const std::string& tag, unsigned index, const std::string& kind,
                  const std::string& secret_hash) {
    const auto* made = attempt(tag);
    if (made == nullptr || index >= made->row.jobs.size())
        return false;
    auto* found = job(made->row.jobs[index]);
    if (found == nullptr || found->row.secret_hash != secret_hash)
        return false;
    if (kind != "alive")
        mark_dirty(found->row.seq);
    found->row.status.observed = parts_.clock.wall();
    found->row.status.source = Source::event;
    return true;
}

}  // namespace berth::jobs
