#include "jobs/decide.hpp"

namespace berth::jobs {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int signal_base = 128;  // a shell's status of a child that a signal ended
constexpr int sigkill = 9, sigterm = 15;

// One evaluation of decide(): the evidence, and the ways to phrase a verdict.
class Case {
public:
    Case(const Evidence& evidence, const DecideSettings& settings)
        : e_(evidence), settings_(settings) {}

    Verdict judge() const {
        switch (e_.session.fence.kind) {
            case Fence::Kind::unreadable:
                return wait(seconds(10));
            case Fence::Kind::missing:
                return ended(State::failed, Reason::session_lost, Source::marker,
                             "the session directory has gone");
            case Fence::Kind::voided:
                return never_started();
            case Fence::Kind::taken:
                if (e_.session.fence.tag != e_.status.tag)
                    return {.act = Verdict::Act::adopt};
                return started();
            case Fence::Kind::free:
                return not_started();
        }
        return wait(seconds(10));
    }

private:
    static Verdict wait(milliseconds recheck) { return {.recheck = recheck}; }

    bool cancel_wanted() const { return e_.status.cancel != CancelBy::nobody; }
    bool batch_over() const { return e_.batch.seen && is_over(e_.batch.state); }
    bool missing() const {
        const bool unknown = e_.attempt != AttemptState::accepted;
        const auto window = unknown ? settings_.lookup_window : settings_.missing_window;
        return e_.batch.missing_looks >= 3 && e_.now - e_.batch.missing_since >= window;
    }

    Reason cancel_reason() const {
        switch (e_.status.cancel) {
            case CancelBy::user:
                return Reason::cancelled_by_user;
            case CancelBy::operator_:
                return Reason::cancelled_by_operator;
            default:
                return Reason::cancelled_by_site;
        }
    }

    Verdict settle(State state, Reason reason, Source source, std::string detail = {}) const {
        Verdict verdict{.act = Verdict::Act::settle, .next = e_.status};
        verdict.next.state = state;
        verdict.next.reason = reason;
        verdict.next.source = source;
        verdict.next.detail = std::move(detail);
        return verdict;
    }

    Verdict ended(State state, Reason reason, Source source, std::string detail = {}) const {
        auto verdict = settle(state, reason, source, std::move(detail));
        verdict.next.ended = e_.now_wall;
        // Whatever the batch system still has under this tag must not go on.
        verdict.cancel_batch = !batch_over();
        return verdict;
    }

    // ---- the fence is ours: the payload was started, and this start's result is the job's

    Verdict started() const {
        if (e_.session.marker)
            return by_marker(*e_.session.marker);
        if (batch_over()) {
            const auto left = e_.batch.since + settings_.marker_grace - e_.now;
            if (left > SteadyTime::duration::zero())
                return wait(std::chrono::duration_cast<milliseconds>(left) + milliseconds(1));
            // A start that loses the fence ends with 0, and this end may be of such a one.
            return e_.batch.restarts > 0 ? requeued() : by_batch();
        }
        if (put_back())
            return requeued();
        if (missing())
            return ended(State::failed, Reason::lost, Source::history,
                         "the payload was started, but the batch system no longer knows the job "
                         "and no result was written");
        auto verdict = live();
        verdict.cancel_batch = cancel_wanted();
        return verdict;
    }

    Verdict requeued() const {
        return ended(State::failed, Reason::requeued_after_start, e_.batch.source,
                     "the batch system put the job back after its payload had started");
    }

    // A question that was put after the fence was seen taken shows the batch job waiting again.
    bool put_back() const {
        return e_.batch.seen && e_.batch.asked > e_.fence_seen &&
               (e_.batch.state == BatchState::queued || e_.batch.state == BatchState::held ||
                e_.batch.state == BatchState::requeue_held);
    }

    Verdict live() const {
        auto verdict =
            settle(State::running, Reason::none, e_.batch.seen ? e_.batch.source : Source::marker);
        if (e_.batch.seen && e_.batch.state == BatchState::suspended)
            verdict.next.reason = Reason::suspended;
        if (e_.batch.seen && e_.batch.state == BatchState::finishing)
            verdict.next.reason = Reason::finishing;
        if (!verdict.next.started)
            verdict.next.started = e_.now_wall;
        verdict.look_up = e_.batch.missing_looks > 0;
        return verdict;
    }

    Verdict by_marker(const Marker& marker) const {
        // A payload that was told to end, or was killed, is judged with the batch system's reason.
        // TERM goes to the payload and to the wrapper: the payload may be gone, and the wrapper's
        // wait with it, before the wrapper is told.
        const bool told = !marker.told.empty() || marker.code == signal_base + sigterm;
        const bool killed = marker.code == signal_base + sigkill;
        const bool doubtful = told || killed || (cancel_wanted() && marker.code != 0);
        if (!doubtful)
            return plain(marker);
        if (put_back())
            return with_times(requeued(), marker);
        if (batch_over() && e_.batch.state != BatchState::done &&
            e_.batch.state != BatchState::failed)
            return with_times(by_batch(), marker);
        if (cancel_wanted() && told)
            return with_times(ended(State::cancelled, cancel_reason(), Source::marker), marker);
        if (!batch_over() && e_.now - e_.marker_seen < settings_.reason_grace) {
            auto verdict = wait(seconds(1));
            verdict.look_up = true;
            return verdict;
        }
        return plain(marker);
    }

    Verdict plain(const Marker& marker) const {
        Verdict verdict;
        if (marker.code == 0) {
            verdict = ended(State::done, Reason::none, Source::marker);
            verdict.next.exit_code = 0;
        } else if (marker.code > signal_base && marker.code <= signal_base + 64) {
            verdict = ended(State::failed, Reason::signal, Source::marker);
            verdict.next.signal = marker.code - signal_base;
        } else {
            verdict = ended(State::failed, Reason::exit_code, Source::marker);
            verdict.next.exit_code = marker.code;
        }
        verdict.cancel_batch = false;  // the wrapper is on its way out
        return with_times(std::move(verdict), marker);
    }

    static Verdict with_times(Verdict verdict, const Marker& marker) {
        if (verdict.act == Verdict::Act::settle && marker.started_s > 0)
            verdict.next.started = from_ms(marker.started_s * 1000);
        return verdict;
    }

    // The end as the batch system tells it.
    Verdict by_batch() const {
        const auto words = e_.batch.raw_state;
        const auto source = e_.batch.source;
        switch (e_.batch.state) {
            case BatchState::done: {
                auto verdict = ended(State::done, Reason::none, source);
                verdict.next.exit_code = e_.batch.exit_code.value_or(0);
                return verdict;
            }
            case BatchState::walltime:
                return ended(State::failed, Reason::walltime, source, words);
            case BatchState::memory:
                return ended(State::failed, Reason::memory, source, words);
            case BatchState::node_lost:
                return ended(State::failed, Reason::node_lost, source, words);
            case BatchState::preempted:
                return ended(State::failed, Reason::preempted, source, words);
            case BatchState::cancelled:
                return ended(State::cancelled, cancel_reason(), source, words);
            default:
                break;
        }
        auto verdict = ended(State::failed, Reason::exit_code, source, words);
        if (e_.batch.signal != 0) {
            verdict.next.reason = Reason::signal;
            verdict.next.signal = e_.batch.signal;
        } else {
            verdict.next.exit_code = e_.batch.exit_code;
        }
        return verdict;
    }

    // ---- the fence is free: no payload of this job has run

    Verdict not_started() const {
        if (cancel_wanted())
            return {.act = Verdict::Act::void_fence};
        if (batch_over()) {
            const bool by_hand = e_.batch.state == BatchState::cancelled;
            if (by_hand || e_.status.attempts >= settings_.attempts_max)
                return {.act = Verdict::Act::void_fence};
            return {.act = Verdict::Act::retry};
        }
        if (missing()) {
            if (e_.status.attempts >= settings_.attempts_max)
                return {.act = Verdict::Act::void_fence};
            return {.act = Verdict::Act::retry, .attempt_over = AttemptState::given_up};
        }
        // One that was accepted is in the next poll, or the poll raises the question.
        if (!e_.batch.seen && e_.attempt == AttemptState::accepted && e_.batch.missing_looks == 0)
            return {};
        if (!e_.batch.seen) {
            auto verdict = wait(seconds(10));
            verdict.look_up = true;
            return verdict;
        }
        return waiting();
    }

    Verdict waiting() const {
        auto verdict = settle(State::queued, Reason::none, e_.batch.source, e_.batch.reason);
        switch (e_.batch.state) {
            case BatchState::held:
            case BatchState::requeue_held:
                verdict.next.state = State::held;
                verdict.next.reason = e_.status.hold ? Reason::held_by_user : Reason::held_by_site;
                break;
            case BatchState::running:
            case BatchState::suspended:
            case BatchState::finishing:
                verdict.next.state = State::running;
                verdict.next.detail.clear();
                break;
            default:
                break;
        }
        verdict.look_up = e_.batch.missing_looks > 0;
        return verdict;
    }

    // The engine holds the fence, so nothing of this job can start any more.
    Verdict never_started() const {
        if (cancel_wanted())
            return ended(State::cancelled, cancel_reason(), Source::store);
        if (!e_.batch.seen && !missing()) {
            // After a restart: why the fence was taken is not known any more, but the batch system
            // may know how its batch job ended.
            auto verdict = wait(seconds(10));
            verdict.look_up = true;
            return verdict;
        }
        if (!batch_over())
            return ended(State::failed, Reason::start_failed, Source::store,
                         "no attempt got as far as the payload");
        if (e_.batch.state == BatchState::cancelled)
            return ended(State::cancelled, Reason::cancelled_by_site, e_.batch.source,
                         e_.batch.raw_state);
        return ended(State::failed, Reason::start_failed, e_.batch.source,
                     "the batch job ended before the payload started: " + e_.batch.raw_state);
    }

    const Evidence& e_;
    const DecideSettings& settings_;
};

}  // namespace

Verdict decide(const Evidence& evidence, const DecideSettings& settings) {
    return Case(evidence, settings).judge();
}

}  // namespace berth::jobs
