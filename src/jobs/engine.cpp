#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

Engine::Engine(Parts parts, EngineSettings settings)
    : parts_(parts),
      settings_(std::move(settings)),
      tasks_(parts.loop),
      tag_prefix_("b" + parts.store.instance()),
      ready_wakeup_(parts.loop),
      dirty_wakeup_(parts.loop),
      poll_wakeup_(parts.loop),
      look_wakeup_(parts.loop),
      cancel_wakeup_(parts.loop),
      adopt_wakeup_(parts.loop) {}

Engine::~Engine() = default;

Async<void> Engine::start() {
    daemon_start_ = parts_.clock.steady();
    batch_health_.poll_interval = settings_.poll_interval;
    auto rows = co_await parts_.store.active_jobs();
    if (!rows)
        co_return std::move(rows.error()).within("load jobs");
    auto attempts =
        co_await parts_.store.live_attempts(parts_.clock.wall() - settings_.keep_attempts);
    if (!attempts)
        co_return std::move(attempts.error()).within("load attempts");
    auto last = co_await parts_.store.last_event();
    if (!last)
        co_return std::move(last.error()).within("load events");
    auto drained = co_await parts_.store.note("drained");
    if (!drained)
        co_return std::move(drained.error()).within("load notes");
    drained_ = !drained->empty();
    parts_.bus.start_after(*last);
    for (auto& row : *attempts) {
        auto tag = row.tag;
        if (row.state == AttemptState::intent)
            row.state = AttemptState::unknown;  // the command may have run before the crash
        attempts_.emplace(std::move(tag), Attempt{.row = std::move(row), .started = daemon_start_});
    }
    add(std::move(*rows));
    for (const auto& [seq, job] : jobs_)
        mark_dirty(seq);  // news may have come while nobody listened
    tasks_.spawn("submitter", submitter());
    tasks_.spawn("poller", poller());
    tasks_.spawn("looker", looker());
    tasks_.spawn("events", event_reader());
    tasks_.spawn("evaluator", evaluator());
    tasks_.spawn("canceller", canceller());
    tasks_.spawn("adopter", adopter());
    tasks_.spawn("housekeeping", housekeeping());
    tasks_.spawn("retention", retention());
    kill_point("taken_up");
    log::info("engine_started", {{"active_jobs", jobs_.size()}, {"attempts", attempts_.size()}});
    co_return Result<void>();
}

asio::awaitable<void> Engine::stop() {
    co_await tasks_.stop();
}

void Engine::reload(EngineSettings settings) {
    settings_ = std::move(settings);
    batch_health_.poll_interval = settings_.poll_interval;
    poll_wakeup_.notify();
}

void Engine::add(std::vector<JobRow> rows) {
    for (auto& row : rows) {
        ++owners_[{row.issuer, row.subject}];
        auto made = std::make_unique<Job>();
        made->row = std::move(row);
        auto& job = *made;
        jobs_.emplace(job.row.seq, std::move(made));
        if (job.row.status.state == State::accepted || job.row.status.state == State::ready)
            make_ready(job);
        if (job.row.status.state == State::uploading)
            await_upload(job);
    }
}

// What is left of the time for uploads. Only here the wall clock counts, because only it knows how
// long the daemon was away; from here on it may jump.
void Engine::await_upload(Job& job) {
    const std::chrono::milliseconds limit = settings_.upload_timeout;
    const auto waited = parts_.clock.wall() - job.row.created;
    const auto left = std::clamp<std::chrono::milliseconds>(limit - waited, {}, limit);
    job.upload_until = parts_.clock.steady() + left;
    recheck_after(job, left);
}

const JobRow* Engine::find(JobSeq seq) const {
    const auto found = jobs_.find(seq);
    return found == jobs_.end() ? nullptr : &found->second->row;
}

Engine::Job* Engine::job(JobSeq seq) {
    const auto found = jobs_.find(seq);
    return found == jobs_.end() ? nullptr : found->second.get();
}

Engine::Attempt* Engine::attempt(const std::string& tag) {
    const auto found = attempts_.find(tag);
    return found == attempts_.end() ? nullptr : &found->second;
}

std::size_t Engine::active_of(const std::string& issuer, const std::string& subject) const {
    const auto found = owners_.find({issuer, subject});
    return found == owners_.end() ? 0 : found->second;
}

std::map<std::pair<std::string, std::string>, std::size_t> Engine::counts() const {
    std::map<std::pair<std::string, std::string>, std::size_t> result;
    for (const auto& [seq, job] : jobs_)
        ++result[{std::string(to_string(job->row.status.state)), job->row.queue}];
    return result;
}

Async<void> Engine::drain(bool on) {
    const std::string value = on ? "yes" : "";
    auto stored = co_await parts_.store.set_note("drained", value);
    if (stored)
        drained_ = on;
    co_return stored;
}

void Engine::mark_dirty(JobSeq seq) {
    dirty_.insert(seq);
    dirty_wakeup_.notify();
}

void Engine::recheck_after(Job& job, std::chrono::milliseconds delay) {
    if (job.has_recheck)
        rechecks_.erase(job.recheck);
    job.recheck = rechecks_.emplace(parts_.clock.steady() + delay, job.row.seq);
    job.has_recheck = true;
}

// Puts `next` into memory and into `changes`; a step that is not in the table is a bug of ours and
// is left out.
void Engine::set_status(Changes& changes, Job& job, Status next) {
    auto& status = job.row.status;
    const auto from = status.state;
    if (from != next.state && !may_step(from, next.state)) {
        log::error("illegal_step",
                   {{"job", job.row.id}, {"from", to_string(from)}, {"to", to_string(next.state)}});
        return;
    }
    const bool event = from != next.state || status.reason != next.reason;
    const auto now = parts_.clock.wall();
    // A job that is only judged anew is not known any better than the batch system's last answer.
    const bool told_before =
        !event && (next.source == Source::queue || next.source == Source::history);
    next.observed = told_before ? status.observed : now;
    next.updated = event ? now : status.updated;
    if (!event && next.batch_id == status.batch_id && next.tag == status.tag &&
        next.cancel == status.cancel && next.hold == status.hold &&
        next.session_made == status.session_made && next.detail == status.detail &&
        next.started == status.started) {
        status.source = next.source;
        status.observed = next.observed;
        return;
    }
    status = next;
    changes.statuses.push_back(
        {.seq = job.row.seq, .status = std::move(next), .event = event, .from = from});
    if (event)
        log::info("job_state", {{"job", job.row.id},
                                {"attempt", status.tag},
                                {"batch_id", status.batch_id},
                                {"from", to_string(from)},
                                {"to", to_string(status.state)},
                                {"reason", to_string(status.reason)},
                                {"source", to_string(status.source)}});
}

// Makes `changes` durable and tells the world. When the store refuses, memory stays ahead, and
// save_unsaved() writes it as soon as the store works again.
Async<void> Engine::commit(Changes changes) {
    std::vector<JobSeq> finals, touched;
    for (const auto& change : changes.statuses) {
        touched.push_back(change.seq);
        if (is_final(change.status.state))
            finals.push_back(change.seq);
    }
    const auto begun = parts_.clock.steady();
    auto written = co_await parts_.store.commit(std::move(changes));
    const std::chrono::duration<double> took = parts_.clock.steady() - begun;
    parts_.metrics.observe("berth_store_commit_seconds", {}, took.count());
    if (!written) {
        parts_.metrics.add("berth_store_errors_total");
        log::error("store_failed", {{"error", written.error().message}});
        unsaved_.insert(touched.begin(), touched.end());
        co_return written.error();
    }
    for (const auto& event : *written) {
        const std::string_view to = to_string(event.to);
        parts_.metrics.add("berth_job_transitions_total", {{"to", to}});
    }
    forget_final(finals);
    parts_.bus.publish(*written);
    co_return Result<void>();
}

void Engine::forget_final(const std::vector<JobSeq>& seqs) {
    for (const auto seq : seqs) {
        auto* found = job(seq);
        if (found == nullptr || !is_final(found->row.status.state))
            continue;
        if (found->has_recheck)
            rechecks_.erase(found->recheck);
        const auto owner = owners_.find({found->row.issuer, found->row.subject});
        if (owner != owners_.end() && --owner->second == 0)
            owners_.erase(owner);
        dirty_.erase(seq);
        unsaved_.erase(seq);
        jobs_.erase(seq);
    }
}

// The store refused some commits. Everything that it does not have is written in one go.
asio::awaitable<void> Engine::save_unsaved() {
    if (unsaved_.empty())
        co_return;
    Changes changes;
    for (const auto seq : unsaved_) {
        const auto* found = job(seq);
        if (found != nullptr)
            changes.statuses.push_back({.seq = seq,
                                        .status = found->row.status,
                                        .event = true,
                                        .from = found->row.status.state});
    }
    for (const auto& [tag, attempt] : attempts_)
        changes.attempts.push_back(attempt.row);
    const auto saving = unsaved_;
    auto saved = co_await commit(std::move(changes));
    if (!saved)
        co_return;
    for (const auto seq : saving)
        unsaved_.erase(seq);
    log::info("store_works_again", {{"saved", saving.size()}});
    ready_wakeup_.notify();
}

asio::awaitable<void> Engine::housekeeping() {
    for (;;) {
        co_await sleep_for(std::chrono::seconds(1));
        const auto now = parts_.clock.steady();
        while (!rechecks_.empty() && rechecks_.begin()->first <= now) {
            const auto seq = rechecks_.begin()->second;
            rechecks_.erase(rechecks_.begin());
            if (auto* found = job(seq)) {
                found->has_recheck = false;
                mark_dirty(seq);
            }
        }
        co_await save_unsaved();
        std::erase_if(bursts_, [&](const auto& burst) {
            return now - burst.second > std::chrono::seconds(10);
        });
        const bool due = batch_health_.asked == false || limits_.queues.empty();
        if (due)
            ready_wakeup_.notify();
    }
}

}  // namespace berth::jobs
