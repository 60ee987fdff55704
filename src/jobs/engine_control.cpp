// What clients and operators want of a job, and telling the batch system.
#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr auto cancel_again = std::chrono::seconds(30);

Error not_active() {
    return Error{ErrorKind::conflict, "the job has ended"};
}

}  // namespace

BatchTarget Engine::target_of(const Job& job) {
    const auto* made = attempt(job.row.status.tag);
    BatchTarget target{.tag = job.row.status.tag,
                       .batch_id = made != nullptr ? made->row.batch_id : std::string(),
                       .account = job.row.account,
                       .index = job.row.status.index};
    if (made != nullptr)
        target.cluster = made->row.cluster;
    return target;
}

// The wish is durable when this returns; it is pursued until there is evidence.
Async<void> Engine::cancel(JobSeq seq, CancelBy who) {
    const auto* found = job(seq);
    if (found == nullptr || is_final(found->row.status.state))
        co_return not_active();
    co_return co_await cancel_all(std::vector<JobSeq>(1, seq), who);
}

Async<void> Engine::cancel_all(std::vector<JobSeq> seqs, CancelBy who) {
    Changes changes;
    for (const auto seq : seqs) {
        auto* found = job(seq);
        if (found == nullptr || is_final(found->row.status.state) ||
            found->row.status.cancel != CancelBy::nobody)
            continue;
        auto next = found->row.status;
        next.cancel = who;
        set_status(changes, *found, std::move(next));
    }
    if (changes.statuses.empty())
        co_return Result<void>();
    kill_point("cancel_before");
    auto stored = co_await commit(std::move(changes));
    kill_point("cancel_after");
    for (const auto seq : seqs)
        mark_dirty(seq);
    co_return stored;
}

Async<void> Engine::hold(JobSeq seq) {
    auto* found = job(seq);
    if (found == nullptr || is_final(found->row.status.state))
        co_return not_active();
    const auto state = found->row.status.state;
    if (state == State::running || state == State::staging_out)
        co_return Error{ErrorKind::conflict, "the job is running; only a waiting job can be held"};
    if (!found->row.status.hold) {
        auto next = found->row.status;
        next.hold = true;
        Changes changes;
        set_status(changes, *found, std::move(next));
        auto stored = co_await commit(std::move(changes));
        if (!stored)
            co_return stored.error();
    }
    kill_point("hold_stored");
    found = job(seq);
    if (found == nullptr)
        co_return not_active();
    if (found->row.status.state != State::queued) {
        mark_dirty(seq);  // held before its submission, or once the batch system has it
        co_return Result<void>();
    }
    auto held = co_await parts_.batch.hold(target_of(*found));
    kill_point("hold_sent");
    found = job(seq);
    if (found == nullptr)
        co_return held;
    found->told = parts_.clock.steady();
    if (!found->row.status.hold)  // released while the request was on its way
        co_return co_await parts_.batch.release(target_of(*found));
    if (!held)
        co_return held;
    if (found->row.status.state == State::queued) {
        auto next = found->row.status;
        next.state = State::held;
        next.reason = Reason::held_by_user;
        next.source = Source::queue;
        found->batch.state = BatchState::held;
        Changes changes;
        set_status(changes, *found, std::move(next));
        co_return co_await commit(std::move(changes));
    }
    co_return Result<void>();
}

Async<void> Engine::release(JobSeq seq) {
    auto* found = job(seq);
    if (found == nullptr || is_final(found->row.status.state))
        co_return not_active();
    const bool held = found->row.status.state == State::held;
    // A hold may have reached the batch system although no look has shown it yet.
    const bool submitted = held || found->row.status.state == State::queued;
    if (!found->row.status.hold && !held)
        co_return Result<void>();  // it is what was wanted
    auto next = found->row.status;
    next.hold = false;
    Changes changes;
    set_status(changes, *found, std::move(next));
    auto stored = co_await commit(std::move(changes));
    if (!stored)
        co_return stored.error();
    kill_point("release_stored");
    found = job(seq);
    if (found == nullptr || found->row.status.tag.empty() || !submitted) {
        mark_dirty(seq);
        co_return Result<void>();
    }
    auto released = co_await parts_.batch.release(target_of(*found));
    kill_point("release_sent");
    found = job(seq);
    if (!released || found == nullptr)
        co_return released;
    found->told = parts_.clock.steady();
    if (found->row.status.state == State::held) {
        next = found->row.status;
        next.state = State::queued;
        next.reason = Reason::none;
        next.source = Source::queue;
        found->batch.state = BatchState::queued;
        Changes more;
        set_status(more, *found, std::move(next));
        co_return co_await commit(std::move(more));
    }
    co_return Result<void>();
}

Async<void> Engine::session_made(JobSeq seq) {
    auto* found = job(seq);
    if (found == nullptr || found->row.status.session_made)
        co_return Result<void>();
    auto next = found->row.status;
    next.session_made = true;
    Changes changes;
    set_status(changes, *found, std::move(next));
    co_return co_await commit(std::move(changes));
}

Async<void> Engine::uploaded(JobSeq seq) {
    auto* found = job(seq);
    if (found == nullptr || found->row.status.state != State::uploading)
        co_return Result<void>();
    auto next = found->row.status;
    next.state = State::ready;
    next.reason = Reason::none;
    next.detail.clear();
    Changes changes;
    set_status(changes, *found, std::move(next));
    kill_point("uploaded_before");
    auto stored = co_await commit(std::move(changes));
    kill_point("uploaded_after");
    mark_dirty(seq);
    co_return stored;
}

void Engine::want_batch_cancel(const std::string& tag, std::optional<unsigned> index,
                               bool only_waiting) {
    const auto [wish, added] = to_cancel_.try_emplace({tag, index}, only_waiting);
    wish->second = wish->second && only_waiting;
    if (added)
        cancel_wakeup_.notify();
}

asio::awaitable<void> Engine::command_slot() {
    for (;;) {
        const auto now = parts_.clock.steady();
        while (!command_times_.empty() && now - command_times_.front() > std::chrono::minutes(1))
            command_times_.pop_front();
        if (command_times_.size() < settings_.commands_per_minute_max) {
            command_times_.push_back(now);
            co_return;
        }
        co_await sleep_for(std::chrono::milliseconds(200));
    }
}

// One command at a time within the budget; a whole array in one command when nothing of it is to
// go on. What fails is asked for again by the evaluator or at the next sight of the batch job.
asio::awaitable<void> Engine::canceller() {
    for (;;) {
        if (to_cancel_.empty())
            co_await cancel_wakeup_.wait(std::chrono::seconds(60));
        if (to_cancel_.empty())
            continue;
        const auto [tag, index] = to_cancel_.begin()->first;
        const bool only_waiting = to_cancel_.begin()->second;
        auto* made = attempt(tag);
        if (made == nullptr || made->row.batch_id.empty()) {
            to_cancel_.erase(to_cancel_.begin());
            continue;
        }
        const auto first = to_cancel_.lower_bound({tag, std::nullopt});
        auto last = first;
        std::size_t wanted = 0;
        bool others_go_on = false;  // or are to be cancelled in another way
        while (last != to_cancel_.end() && last->first.first == tag) {
            others_go_on = others_go_on || last->second != only_waiting;
            ++last;
            ++wanted;
        }
        for (unsigned i = 0; i < made->row.jobs.size(); ++i) {
            const auto* found = job(made->row.jobs[i]);
            if (found != nullptr && found->row.status.tag == tag && !to_cancel_.contains({tag, i}))
                others_go_on = true;
        }
        BatchTarget target{.tag = tag,
                           .batch_id = made->row.batch_id,
                           .cluster = made->row.cluster,
                           .account = made->row.account,
                           .only_waiting = only_waiting};
        if (made->row.array && (wanted < 2 || others_go_on)) {
            target.index = index;
            to_cancel_.erase(to_cancel_.begin());
        } else {
            to_cancel_.erase(first, last);
        }
        const auto now = parts_.clock.steady();
        const bool repeated = !made->row.array && now - made->cancel_sent < cancel_again &&
                              made->cancel_sent != SteadyTime();
        if (repeated)
            continue;
        made->cancel_sent = now;
        co_await command_slot();
        auto cancelled = co_await parts_.batch.cancel(std::move(target));
        kill_point("cancel_sent");
        if (!cancelled)
            log::warning("cancel_failed", {{"attempt", tag}, {"error", cancelled.error().message}});
        poll_wakeup_.notify();
    }
}

Async<void> Engine::cancel_orphan(std::string tag) {
    const auto found = orphans_.find(tag);
    if (found == orphans_.end())
        co_return Error{ErrorKind::not_found, "there is no orphan with this tag"};
    const BatchTarget target{.tag = tag,
                             .batch_id = found->second.record.batch_id,
                             .cluster = found->second.record.cluster,
                             .account = found->second.record.user};
    auto cancelled = co_await parts_.batch.cancel(target);
    if (cancelled)
        orphans_.erase(tag);
    co_return cancelled;
}

}  // namespace berth::jobs
