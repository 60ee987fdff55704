// Evidence to verdict to act, for every job about which there is news.
#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch_max = 500;  // jobs in one turn of the evaluator
constexpr auto look_again = std::chrono::seconds(10);

struct Place {
    std::string account, job_id;
};

std::vector<SessionView> look_at(SessionFiles* files, std::vector<Place> places) {
    std::vector<SessionView> views;
    views.reserve(places.size());
    for (const auto& place : places)
        views.push_back(files->look(place.account, place.job_id));
    return views;
}

void void_fences(SessionFiles* files, std::vector<Place> places) {
    for (const auto& place : places)
        static_cast<void>(files->void_fence(place.account, place.job_id));
}

// The batch job's part of a task id as the fence has it: "123" of "123_4" when `array`.
std::string base_id(const std::string& fence_id, bool array) {
    return array ? fence_id.substr(0, fence_id.rfind('_')) : fence_id;
}

}  // namespace

asio::awaitable<void> Engine::evaluator() {
    for (;;) {
        if (dirty_.empty())
            co_await dirty_wakeup_.wait(std::chrono::seconds(60));
        std::vector<JobSeq> seqs;
        for (auto next = dirty_.begin(); next != dirty_.end() && seqs.size() < batch_max;) {
            seqs.push_back(*next);
            next = dirty_.erase(next);
        }
        if (!seqs.empty())
            co_await evaluate(std::move(seqs));
    }
}

asio::awaitable<void> Engine::evaluate(std::vector<JobSeq> seqs) {
    Changes changes;
    std::vector<JobSeq> looked;
    std::vector<Place> places;
    for (const auto seq : seqs) {
        auto* found = job(seq);
        if (found == nullptr || is_final(found->row.status.state))
            continue;
        const bool cancel = found->row.status.cancel != CancelBy::nobody;
        if (found->submitting_now && !(cancel && !found->row.status.tag.empty())) {
            found->marked_meanwhile = true;  // its submission marks it again when it ends
            continue;
        }
        // A batch job of an attempt that was given up may still come, or is there.
        const bool late = found->row.status.attempts > 0 && (cancel || !found->losers.empty());
        if (found->row.status.tag.empty() && !late) {
            evaluate_unsubmitted(changes, *found);
            continue;
        }
        looked.push_back(seq);
        places.push_back({found->row.account, found->row.id});
    }
    auto views = co_await offload(parts_.disk, look_at, &parts_.files, std::move(places));
    kill_point("marker_read");
    std::vector<JobSeq> to_void;
    for (std::size_t i = 0; i < looked.size(); ++i)
        if (auto* found = job(looked[i]); found != nullptr && !is_final(found->row.status.state))
            act_on(changes, *found, views[i], to_void);
    if (!changes.statuses.empty() || !changes.attempts.empty()) {
        kill_point("verdict_before");
        static_cast<void>(co_await commit(std::move(changes)));
        kill_point("verdict_after");
    }
    if (to_void.empty())
        co_return;
    std::vector<Place> fences;
    for (const auto seq : to_void)
        if (auto* found = job(seq))
            fences.push_back({found->row.account, found->row.id});
    co_await offload(parts_.disk, void_fences, &parts_.files, std::move(fences));
    kill_point("fence_voided");
    for (const auto seq : to_void)
        mark_dirty(seq);
}

// A job that the batch system has never seen, or does not have at the moment.
void Engine::evaluate_unsubmitted(Changes& changes, Job& job) {
    auto next = job.row.status;
    if (next.cancel != CancelBy::nobody) {
        next.state = State::cancelled;
        next.reason = next.cancel == CancelBy::user        ? Reason::cancelled_by_user
                      : next.cancel == CancelBy::operator_ ? Reason::cancelled_by_operator
                                                           : Reason::cancelled_by_site;
        next.ended = parts_.clock.wall();
        set_status(changes, job, std::move(next));
        return;
    }
    const bool may_hold = next.state == State::ready || next.state == State::accepted;
    if (next.hold && may_hold) {
        next.state = State::held;
        next.reason = Reason::held_by_user;
        set_status(changes, job, std::move(next));
        return;
    }
    if (!next.hold && next.state == State::held) {
        next.state = State::ready;
        next.reason = Reason::none;
        set_status(changes, job, std::move(next));
    }
    const auto state = job.row.status.state;
    if (state == State::uploading && parts_.clock.steady() >= job.upload_until) {
        next = job.row.status;
        next.state = State::failed;
        next.reason = Reason::upload_timeout;
        next.detail = "the declared files were not uploaded in time";
        next.ended = parts_.clock.wall();
        set_status(changes, job, std::move(next));
        return;
    }
    if (state == State::ready || state == State::accepted) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            job.not_before - parts_.clock.steady());
        if (left <= std::chrono::milliseconds(0))
            make_ready(job);
        else
            recheck_after(job, left + std::chrono::milliseconds(1));
    }
}

// The job waits for its next attempt, but a start of an earlier one may have won, or may still
// win unless the fence is taken from it.
void Engine::act_between_attempts(Changes& changes, Job& job, const SessionView& view,
                                  std::vector<JobSeq>& to_void) {
    const bool cancel = job.row.status.cancel != CancelBy::nobody;
    if (view.fence.kind == Fence::Kind::taken)
        adopt(changes, job, view.fence);
    else if (view.fence.kind == Fence::Kind::unreadable)
        recheck_after(job, look_again);
    else if (view.fence.kind == Fence::Kind::free && cancel)
        to_void.push_back(job.row.seq);
    else
        evaluate_unsubmitted(changes, job);
}

void Engine::act_on(Changes& changes, Job& job, const SessionView& view,
                    std::vector<JobSeq>& to_void) {
    const auto now = parts_.clock.steady();
    if (view.fence.kind != Fence::Kind::unreadable)
        ++job.fence_looks;
    if (view.fence.kind == Fence::Kind::taken && view.fence.nonce != job.fence_nonce) {
        job.fence_nonce = view.fence.nonce;
        job.fence_seen = now;
        job.marker_seen = SteadyTime();
    }
    if (view.marker && job.marker_seen == SteadyTime())
        job.marker_seen = now;
    auto* made = attempt(job.row.status.tag);
    const bool ours = view.fence.kind == Fence::Kind::taken && view.fence.tag == job.row.status.tag;
    if (made != nullptr && ours)
        accept_attempt(changes, *made, base_id(view.fence.batch_id, made->row.array),
                       std::string());
    // One that runs may be about to take the fence, and ends by itself if it cannot.
    for (const auto& [loser, waiting] : job.losers)
        if (waiting && view.fence.kind != Fence::Kind::unreadable && view.fence.tag != loser.first)
            want_batch_cancel(loser.first, loser.second, true);
    job.losers.clear();
    if (job.row.status.tag.empty()) {
        act_between_attempts(changes, job, view, to_void);
        return;
    }

    const Evidence evidence{.status = job.row.status,
                            .attempt = made != nullptr ? made->row.state : AttemptState::unknown,
                            .batch = job.batch,
                            .session = view,
                            .fence_seen = job.fence_seen,
                            .marker_seen = job.marker_seen,
                            .now = now,
                            .now_wall = parts_.clock.wall()};
    const auto verdict = decide(evidence, settings_.decide);
    switch (verdict.act) {
        case Verdict::Act::wait:
            break;
        case Verdict::Act::settle:
            settle(changes, job, verdict);
            break;
        case Verdict::Act::retry: {
            const auto tag = job.row.status.tag;
            put_back(changes, job, Reason::none,
                     "the last attempt ended before the payload started");
            close_attempt(changes, tag, verdict.attempt_over);
            break;
        }
        case Verdict::Act::void_fence:
            to_void.push_back(job.row.seq);
            break;
        case Verdict::Act::adopt:
            adopt(changes, job, view.fence);
            break;
    }
    if (is_final(job.row.status.state) || verdict.act == Verdict::Act::retry)
        return;
    if (verdict.look_up) {
        to_look_up_.insert(job.row.status.tag);
        if (job.batch.missing_looks == 0)
            look_wakeup_.notify();
    }
    if (verdict.recheck.count() > 0)
        recheck_after(job, verdict.recheck);
    else if (verdict.look_up || job.row.status.cancel != CancelBy::nobody)
        recheck_after(job, look_again);
}

void Engine::settle(Changes& changes, Job& job, const Verdict& verdict) {
    const auto tag = job.row.status.tag;
    const auto index = job.row.status.index;
    const bool hold_now = job.row.status.hold && verdict.next.state == State::queued;
    // The wish was stored, and the batch system was not told: a crash, or it did not answer.
    const bool release_now = !job.row.status.hold && verdict.next.state == State::held &&
                             job.row.status.reason == Reason::held_by_user;
    auto next = verdict.next;
    if (next.started)  // a node's clock has whole seconds, and may differ
        next.started = std::max(*next.started, job.row.created);
    if (next.started && next.ended)
        next.started = std::min(*next.started, *next.ended);
    if (const auto* made = attempt(tag);
        made != nullptr && next.started && !job.row.status.started) {
        const std::chrono::duration<double> delay = *next.started - made->row.created;
        parts_.metrics.observe("berth_queue_delay_seconds", {{"queue", job.row.queue}},
                               std::max(0.0, delay.count()));
    }
    set_status(changes, job, std::move(next));
    if (verdict.cancel_batch)
        want_batch_cancel(tag, index);
    if (is_final(job.row.status.state)) {
        close_attempt(changes, tag,
                      verdict.cancel_batch ? AttemptState::voided : AttemptState::over);
        const std::string_view reason = to_string(job.row.status.reason);
        parts_.metrics.add("berth_jobs_ended_total",
                           {{"state", to_string(job.row.status.state)}, {"reason", reason}});
    } else if (hold_now || release_now) {
        tasks_.spawn("wish", [](Engine* engine, JobSeq seq, bool held) -> asio::awaitable<void> {
            if (held)
                static_cast<void>(co_await engine->hold(seq));
            else
                static_cast<void>(co_await engine->release(seq));
        }(this, job.row.seq, hold_now));
    }
}

// The fence belongs to another attempt of this job: that start is the job's, and the present
// attempt cannot win any more.
void Engine::adopt(Changes& changes, Job& job, const Fence& fence) {
    auto* winner = attempt(fence.tag);
    const auto seat = winner == nullptr ? std::vector<JobSeq>::iterator()
                                        : std::ranges::find(winner->row.jobs, job.row.seq);
    if (winner == nullptr && is_own_tag(fence.tag) && !unadoptable_.contains(fence.tag)) {
        to_adopt_[fence.tag].insert(job.row.seq);
        adopt_wakeup_.notify();
        recheck_after(job, look_again);
        return;
    }
    if (winner == nullptr || seat == winner->row.jobs.end()) {
        auto next = job.row.status;
        next.state = State::failed;
        next.reason = Reason::session_lost;
        next.detail = "the start fence belongs to an attempt that is not known here";
        next.ended = parts_.clock.wall();
        const auto tag = next.tag;
        set_status(changes, job, std::move(next));
        want_batch_cancel(tag, job.row.status.index);
        close_attempt(changes, tag, AttemptState::voided);
        return;
    }
    kill_point("adopt");
    const auto loser = job.row.status.tag;
    log::info("attempt_adopted", {{"job", job.row.id}, {"attempt", fence.tag}, {"loser", loser}});
    want_batch_cancel(loser, job.row.status.index);
    auto next = job.row.status;
    next.tag = fence.tag;
    next.index.reset();
    if (winner->row.array)
        next.index = static_cast<unsigned>(seat - winner->row.jobs.begin());
    next.batch_id = fence.batch_id;
    next.state = State::running;
    next.source = Source::marker;
    set_status(changes, job, std::move(next));
    winner->row.state = AttemptState::accepted;
    winner->row.batch_id = base_id(fence.batch_id, winner->row.array);
    changes.attempts.push_back(winner->row);
    close_attempt(changes, loser, AttemptState::voided);
    job.batch = Observation();
    mark_dirty(job.row.seq);
}

// Closes an attempt when none of its jobs counts on it any more.
void Engine::close_attempt(Changes& changes, const std::string& tag, AttemptState state) {
    auto* made = attempt(tag);
    if (made == nullptr)
        return;
    const auto counts_on = [&](JobSeq seq) {
        const auto* found = job(seq);
        return found != nullptr && found->row.status.tag == tag &&
               !is_final(found->row.status.state);
    };
    if (std::ranges::any_of(made->row.jobs, counts_on))
        return;
    made->row.state = state;
    made->row.updated = parts_.clock.wall();
    changes.attempts.push_back(made->row);
    if (made->row.array)
        tasks_.spawn(
            "manifest",
            [](Parts parts, std::string account, std::string name) -> asio::awaitable<void> {
                const auto remove = [](SessionFiles* files, std::string a, std::string n) {
                    static_cast<void>(files->remove_manifest(a, n));
                };
                co_await offload(parts.disk, remove, &parts.files, account, name);
            }(parts_, made->row.account, tag));
    const auto moved_on = [&](JobSeq seq) {
        return job(seq) != nullptr && !is_final(job(seq)->row.status.state);
    };
    if (state == AttemptState::over && std::ranges::none_of(made->row.jobs, moved_on))
        attempts_.erase(tag);
}

}  // namespace berth::jobs
