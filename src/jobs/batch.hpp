// The contract between the engine and one batch system.
//
// An implementation keeps no record of its own: the engine's store is the only memory, and the
// engine may die and repeat any call. It translates and runs; it does not decide, retry or poll.
//
// Threads: every call is made on the control loop and must not block it.
// Lifetime: made by app, outlives the engine.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "jobs/batch_facts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::jobs {

class BatchSystem {
public:
    virtual ~BatchSystem() = default;

    // The name in configuration and log lines, for example "slurm".
    virtual std::string_view name() const = 0;

    // Hands one batch job (or array) over. Not an Async<Result>: every outcome is data.
    virtual boost::asio::awaitable<SubmitOutcome> submit(SubmitIntent intent) = 0;

    // The command that submit() would run, for a dry run; empty when it is not a command.
    virtual std::vector<std::string> preview(const SubmitIntent&) const { return {}; }

    // Every batch job of `accounts` that the queue shows, recently ended ones included.
    // Errors: unavailable or timed_out when the batch system did not answer; then nothing is
    // known, least of all that a job is gone.
    virtual Async<QueueSnapshot> poll(std::vector<std::string> accounts) = 0;

    // What history (sacct) and the queue know of these batch jobs, by tag. A tag without an entry
    // was found nowhere while the system answered. `since` bounds the search: ids are reused.
    virtual Async<QueueSnapshot> look_up(std::vector<std::string> tags, WallTime since) = 0;

    // Each acts only on a batch job with that id *and* tag; `index` limits it to one task of an
    // array. Success means that the system took the request, not that it has happened; a batch
    // job that is already gone is success. A cancel of what only waits leaves what has started
    // alone, as far as the system lets it: a start in the last milliseconds may still be hit.
    // Errors: unavailable, timed_out, rejected (the system's words), conflict (hold or release in
    // a state that does not permit it).
    virtual Async<void> cancel(BatchTarget target) = 0;
    virtual Async<void> hold(BatchTarget target) = 0;
    virtual Async<void> release(BatchTarget target) = 0;

    // Queues and limits; asked at start and every few minutes.
    virtual Async<SiteLimits> limits() = 0;
};

}  // namespace berth::jobs
