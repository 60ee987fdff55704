// Taking up one attempt that the store does not know.
//
// It is put into the state of one whose submission's outcome is not known: its jobs are
// `submitting`, the attempt is `unknown`. From there the engine goes on as it does after a crash,
// by the evidence of fence, marker, queue and history.
#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr const char* taken_up = "taken up from its session directory";

// A job as it was accepted, in the state of one whose submission's outcome is not known.
NewJob recreate(FoundSession session, WallTime now) {
    NewJob made{.row = std::move(session.record.job),
                .request = std::move(session.record.request),
                .script_hash = std::move(session.record.script_hash),
                .secret = std::move(session.secret)};
    auto& status = made.row.status;
    status.state = State::submitting;
    status.detail = taken_up;
    status.session_made = true;
    status.updated = status.observed = now;
    return made;
}

// Why a job that the store knows stays as it is; "" = it does not.
std::string why_left(const JobRow& row, const std::string& tag, const Fence& fence) {
    const auto state = row.status.state;
    if (is_final(state))
        return "the store knows the job as " + std::string(to_string(state));
    if (fence.kind == Fence::Kind::voided)
        return "no start of the job can win any more";
    if (fence.kind == Fence::Kind::taken && fence.tag != tag)
        return "another attempt, " + fence.tag + ", has started the job";
    if (state == State::staging_out)
        return "the payload of the job has ended";
    return {};
}

}  // namespace

// Gives one session its place in the attempt; the result has a reason if its job stays as it is.
Adoption::Left Engine::place(Draft& draft, unsigned index, const Seat& seat,
                             Result<FoundSession> session, const std::vector<JobRow>& stored) {
    auto& row = draft.row;
    Adoption::Left left{.tag = row.tag, .job_id = seat.job_id};
    if (!session || seat.doubled) {
        left.why =
            seat.doubled ? "two session directories name this attempt" : session.error().message;
        left.for_now = !session && session.error().kind == ErrorKind::unavailable;
        return left;
    }
    row.account = session->record.job.account;
    row.created = std::min(row.created, session->record.job.created);
    const auto same = [&](const JobRow& job) { return job.id == seat.job_id; };
    const auto known = std::ranges::find_if(stored, same);
    if (known == stored.end()) {
        auto made = recreate(std::move(*session), parts_.clock.wall());
        made.row.status.tag = row.tag;
        if (row.array)
            made.row.status.index = index;
        made.row.seq = row.jobs[index] = parts_.store.next_seq();
        draft.fresh.push_back(std::move(made));
        return left;
    }
    row.jobs[index] = known->seq;
    const auto* active = job(known->seq);
    left.why = why_left(active != nullptr ? active->row : *known, row.tag, session->fence);
    if (active != nullptr && active->submitting_now) {
        left.why = "the job is being submitted; try again";
        left.for_now = true;
    }
    if (left.why.empty())
        draft.known.push_back(known->seq);
    return left;
}

// First the attempt becomes durable and known, then jobs move to it: whatever happens between the
// two, the fence decides between it and their present attempts.
asio::awaitable<void> Engine::take_up(Draft draft, Adoption& adoption) {
    const auto row = draft.row;
    std::vector<JobRow> rows;
    for (const auto& made : draft.fresh)
        rows.push_back(made.row);
    Changes changes;
    changes.new_jobs = std::move(draft.fresh);
    changes.new_attempts.push_back(row);
    kill_point("adopt_before");
    auto stored = co_await commit(std::move(changes));
    kill_point("adopt_after");
    if (!stored) {
        adoption.left.push_back(
            {.tag = row.tag, .job_id = {}, .why = stored.error().message, .for_now = true});
        co_return;
    }
    attempts_[row.tag] = Attempt{.row = row, .started = parts_.clock.steady()};
    for (const auto& made : rows)
        adoption.job_ids.push_back(made.id);
    add(std::move(rows));
    Changes moves;
    for (const auto seq : draft.known) {
        auto* found = job(seq);
        if (found == nullptr || found->submitting_now)
            continue;  // it ended or was submitted meanwhile; the fence decides
        move_to(moves, *found, row);
        adoption.job_ids.push_back(found->row.id);
    }
    if (!moves.statuses.empty())
        static_cast<void>(co_await commit(std::move(moves)));
    orphans_.erase(row.tag);
    log::info("attempt_taken_up", {{"attempt", row.tag}, {"jobs", row.jobs.size()}});
    for (const auto seq : row.jobs)
        mark_dirty(seq);
    to_look_up_.insert(row.tag);
    look_wakeup_.notify();
    poll_wakeup_.notify();
}

// `row` becomes the job's current attempt. The one that it has may still win the fence.
void Engine::move_to(Changes& changes, Job& job, const AttemptRow& row) {
    const auto old = job.row.status.tag;
    const auto old_index = job.row.status.index;
    auto next = job.row.status;
    if (next.state != State::submitting && next.state != State::ready) {
        next.state = State::ready;
        next.reason = Reason::none;
        set_status(changes, job, next);
    }
    next.state = State::submitting;
    next.reason = Reason::none;
    next.detail = taken_up;
    next.tag = row.tag;
    next.index.reset();
    if (row.array)
        next.index =
            static_cast<unsigned>(std::ranges::find(row.jobs, job.row.seq) - row.jobs.begin());
    next.batch_id.clear();
    next.session_made = true;
    next.source = Source::store;
    next.attempts = std::max(1U, next.attempts);
    set_status(changes, job, std::move(next));
    job.batch = Observation();
    job.fence_nonce.clear();
    if (old.empty())
        return;
    job.losers[{old, old_index}] = false;  // cancelled when it is seen waiting
    close_attempt(changes, old, AttemptState::given_up);
}

}  // namespace berth::jobs
