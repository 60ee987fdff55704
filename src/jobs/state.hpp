// The life of a job: its states, the reasons that go with them, and every legal step.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace berth::jobs {

// What holds, not what is being tried. "unknown" is no state: an answer carries its age instead.
enum class State {
    accepted,     // durable; nothing has been done yet
    uploading,    // waits for declared files
    staging_in,   // inputs are being fetched
    ready,        // may be submitted
    submitting,   // an attempt is durable; the batch system's answer is not known yet
    queued,       // the batch system has it
    held,         // by the client, the site or an operator; before or after the submission
    running,      // the batch job runs (suspended and finishing are reasons of it)
    staging_out,  // the payload has ended; outputs are being sent
    done,
    failed,
    cancelled,
};
constexpr auto states =
    std::to_array<State>({State::accepted, State::uploading, State::staging_in, State::ready,
                          State::submitting, State::queued, State::held, State::running,
                          State::staging_out, State::done, State::failed, State::cancelled});

// Why a job is in its state; the closed list of the API.
enum class Reason {
    none,
    exit_code,  // the payload ended with another status than 0
    signal,     // the payload was ended by a signal that nobody here sent
    walltime,
    memory,
    node_lost,  // after the payload had started
    preempted,
    requeued_after_start,  // the batch system wanted to start it a second time
    rejected,              // by the batch system; its words are in `detail`
    upload_timeout,
    session_lost,  // the session directory has gone
    start_failed,  // no attempt got as far as the payload
    lost,          // started, then gone from queue and history without a result
    cancelled_by_user,
    cancelled_by_site,
    cancelled_by_operator,
    held_by_user,
    held_by_site,
    suspended,
    finishing,
    waiting_for_files,
    submit_limit,  // the batch system takes no more at the moment
};

std::string_view to_string(State state);
std::string_view to_string(Reason reason);
std::optional<State> state_from(std::string_view name);
std::optional<Reason> reason_from(std::string_view name);

constexpr bool is_final(State state) {
    return state == State::done || state == State::failed || state == State::cancelled;
}

struct Step {
    State from;
    State to;
};

// Every legal step; a pair that is not listed is not allowed. Before the fence is taken a job may
// go back to `ready`; nothing leaves a final state.
inline constexpr auto steps = [] {
    using enum State;
    // clang-format off
    return std::to_array<Step>({
        {accepted,    uploading},
        {accepted,    staging_in},
        {accepted,    ready},
        {accepted,    held},
        {uploading,   staging_in},
        {uploading,   ready},
        {staging_in,  ready},
        {ready,       submitting},
        {ready,       held},
        {ready,       running},      // a late start of an attempt that was given up
        {held,        ready},        // released before it was submitted, or to be tried again
        {held,        queued},
        {held,        running},      // released and started between two looks

        {submitting,  queued},
        {submitting,  held},
        {submitting,  running},      // found running by its tag
        {submitting,  ready},        // rejected for now, or given up: a new attempt follows
        {queued,      held},
        {queued,      running},
        {queued,      ready},        // ended before the fence was taken: a new attempt follows
        {running,     queued},       // the batch system put it back before the fence was taken
        {running,     held},
        {running,     ready},

        {submitting,  staging_out},  // a short payload may never be seen queued or running
        {queued,      staging_out},
        {held,        staging_out},
        {running,     staging_out},
        {submitting,  done},
        {queued,      done},
        {held,        done},
        {running,     done},
        {staging_out, done},

        {accepted,    failed},
        {uploading,   failed},
        {staging_in,  failed},
        {ready,       failed},
        {submitting,  failed},
        {queued,      failed},
        {held,        failed},
        {running,     failed},
        {staging_out, failed},

        {accepted,    cancelled},
        {uploading,   cancelled},
        {staging_in,  cancelled},
        {ready,       cancelled},
        {submitting,  cancelled},
        {queued,      cancelled},
        {held,        cancelled},
        {running,     cancelled},
    });
    // clang-format on
}();

constexpr bool may_step(State from, State to) {
    for (const auto& step : steps)
        if (step.from == from && step.to == to)
            return true;
    return false;
}

}  // namespace berth::jobs
