// What follows from the evidence about one job: the heart of the engine, as a pure function.
//
// Evidence counts only for the start that the fence names. A batch job's end is a question, and
// the fence is read first: free = the payload never started and a new attempt may follow; taken by
// another attempt = that one is the job's. Absence from the queue is a question as well, answered
// by history, the exit marker, and time.
#pragma once

#include "base/clock.hpp"
#include "jobs/batch_facts.hpp"
#include "jobs/rows.hpp"
#include "jobs/session.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace berth::jobs {

// What the batch system last said of the job's current attempt.
struct Observation {
    bool seen = false;  // a record with the attempt's tag has been read
    BatchState state = BatchState::queued;
    std::string raw_state = {}, reason = {};
    std::optional<int> exit_code = {};
    int signal = 0;
    unsigned restarts = 0;  // how often the batch system started it again, if it says so
    Source source = Source::queue;
    SteadyTime asked = {};       // when the question that `state` answers was put
    SteadyTime since = {};       // when `state` was first seen
    unsigned missing_looks = 0;  // answered questions in a row that did not show it, anywhere
    SteadyTime missing_since = {};
};

struct DecideSettings {
    unsigned attempts_max = 3;
    // How long a batch job must be missing, in at least 3 answered looks: with an outcome of the
    // submission that is not known, and after it was accepted.
    std::chrono::seconds lookup_window{300};
    std::chrono::seconds missing_window{300};
    std::chrono::seconds marker_grace{10};  // between a batch job's end and its marker
    std::chrono::seconds reason_grace{60};  // how long the batch system is asked for a reason
};

struct Evidence {
    Status status = {};
    AttemptState attempt = AttemptState::intent;
    Observation batch = {};
    SessionView session = {};
    SteadyTime fence_seen = {};   // when the present owner of the fence was first read
    SteadyTime marker_seen = {};  // when the marker was first read
    SteadyTime now = {};
    WallTime now_wall = {};
};

struct Verdict {
    enum class Act {
        wait,        // nothing to do but to look again after `recheck`
        settle,      // `next` holds (it may equal what holds already)
        retry,       // a new attempt may follow; the current one is `attempt_over`
        void_fence,  // take the fence, then decide again
        adopt,       // the fence belongs to another attempt of this job: that one counts
    };
    Act act = Act::wait;
    Status next = {};
    AttemptState attempt_over = AttemptState::over;
    bool cancel_batch = false;  // ask the batch system to end the current attempt's batch job
    bool look_up = false;       // ask history and queue by tag
    std::chrono::milliseconds recheck{0};  // 0 = when there is news
};

Verdict decide(const Evidence& evidence, const DecideSettings& settings);

}  // namespace berth::jobs
