// What the engine tells a batch system and what it learns from it. Plain values.
#pragma once

#include "base/clock.hpp"
#include "jobs/request.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace berth::jobs {

// One attempt: one batch job, or one array of `count` tasks with the indices 0..count-1.
struct SubmitIntent {
    std::string tag = {};            // the batch job's name; at most 15 characters, unique for ever
    std::string comment = {};        // the client's name for the job; free text, may be ""
    std::string account = {};        // local account
    std::string batch_account = {};  // -A; "" = none
    std::string queue = {};          // "" = the batch system's default
    std::string project = {};
    unsigned count = 1;
    bool array = false;  // true also for an array of one task
    Resources resources = {};
    std::string wrapper = {};  // the complete batch script (the node wrapper)
    std::string directory =
        {};  // working directory of the batch job; exists on the shared file system
    std::map<std::string, std::string> directives = {};  // site options by long name, e.g. qos
};

struct SubmitOutcome {
    enum class Kind { accepted, rejected, unknown };
    Kind kind = Kind::unknown;
    std::string batch_id = {};  // accepted: the id of the job or array
    std::string cluster = {};   // of a multi-cluster Slurm, else ""
    std::string message = {};   // rejected or unknown: the batch system's words
    bool retry = false;         // rejected for now (a submit limit, controller busy): try later
};

// What a batch system says of a batch job, in the terms of peers f5.
enum class BatchState {
    queued,
    held,
    running,
    suspended,
    finishing,
    done,    // ended by itself; exit_code tells how
    failed,  // ended with a non-zero status or could not be launched
    walltime,
    memory,
    node_lost,
    preempted,
    cancelled,
    requeue_held,  // started before, and held for a new start
};
std::string_view to_string(BatchState state);
constexpr bool is_over(BatchState state) {
    return state >= BatchState::done && state <= BatchState::cancelled;
}

struct BatchRecord {
    std::string tag = {};
    std::string batch_id = {};           // id of the job or array as submit() gave it
    std::string cluster = {};            // of a multi-cluster Slurm, else ""
    std::optional<unsigned> index = {};  // task of an array
    std::string task_id = {};            // "123" or "123_4", for people and for cancel
    BatchState state = BatchState::queued;
    std::string raw_state = {};         // the batch system's word, e.g. "OUT_OF_MEMORY"
    std::string reason = {};            // its reason, e.g. "Resources"
    std::optional<int> exit_code = {};  // when over
    int signal = 0;                     // when over and killed by one
    bool from_history = false;          // told by accounting, not by the queue
    unsigned restarts = 0;  // how often the batch system started it again, if it says so
    std::string nodes = {};
    std::string user = {};
    std::optional<WallTime> submitted = {}, started = {}, ended = {};
};

struct QueueSnapshot {
    std::vector<BatchRecord> records = {};
    bool history_answered = true;  // false: no accounting, or it did not answer
    SteadyTime asked = {};         // when the (first) command was started
    WallTime asked_wall = {};
};

struct BatchTarget {
    std::string tag = {};
    std::string batch_id = {};
    std::string cluster = {};
    std::string account = {};
    std::optional<unsigned> index = {};
    bool only_waiting = false;  // cancel: what has started meanwhile goes on
};

struct QueueLimits {
    std::string name = {};
    bool is_default = false;
    bool up = true;
    unsigned wall_time_max_s = 0;  // 0 = none
    unsigned wall_time_default_s = 0;
    unsigned nodes_max = 0;  // that one job may have; 0 = not known
    unsigned slots_per_node_max = 0;
    unsigned slots_max = 0;  // in total
    unsigned memory_per_node_max_mb = 0;
    unsigned gpus_per_node_max = 0;
    std::vector<std::string> gpu_models = {};
    std::vector<std::string> features = {};  // architectures and other constraints
};

struct SiteLimits {
    std::string version = {};  // e.g. "slurm 22.05.8"
    std::vector<QueueLimits> queues = {};
    unsigned array_size_max = 1000;   // indices are below this
    unsigned jobs_max = 0;            // 0 = not known
    unsigned min_job_age_s = 300;     // how long the queue shows an ended job
    unsigned command_timeout_s = 10;  // the controller's own message time-out
    bool has_history = false;
    std::map<std::string, std::string> details = {};  // further lines for `berthctl check`
};

}  // namespace berth::jobs
