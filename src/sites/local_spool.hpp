// The spool folder of the local batch system: one folder per batch job, so that a restarted daemon
// finds everything again. Layout (SPOOL/ID/): job.json (never changes), state.json (replaced as a
// whole), script, and for run R of task T: T.R.id, T.R.payload (who runs), T.R.exit (how it ended).
//
// Threads: these functions block; LocalBatch calls them on its pool, start() excepted.
#pragma once

#include "base/result.hpp"
#include "jobs/batch_facts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::sites::local {

struct Task {
    jobs::BatchState state = jobs::BatchState::queued;
    unsigned run = 0;  // counts up when a start is proved not to have happened
    // Why it is being ended (walltime, cancelled); queued = it is not.
    jobs::BatchState ending = jobs::BatchState::queued;
    std::optional<int> exit_code = {};
    int signal = 0;
    bool warned = false;
    std::string reason = {};
    std::optional<WallTime> started = {}, ended = {};
    // In memory only.
    SteadyTime began = {};    // when its wall time started to count
    SteadyTime kill_at = {};  // when KILL follows; 0 = TERM has not been sent
};

struct Job {
    std::uint64_t id = 0;
    std::string tag;
    std::string account;
    std::string directory;
    unsigned slots = 1;
    unsigned memory_mb = 0;
    unsigned wall_time_s = 0;
    unsigned warning_s = 0;
    bool array = false;
    WallTime submitted = {};
    std::vector<Task> tasks;
};

bool is_over(const Job& job);
std::optional<WallTime> ended(const Job& job);  // the last of its tasks

std::string folder_of(const std::string& spool, std::uint64_t id);
// SPOOL/ID/TASK.RUN, to which .id, .payload and .exit are appended.
std::string prefix_of(const std::string& spool, const Job& job, std::size_t task);

std::string state_text(const Job& job);

// Makes the folder with all its files, or nothing. Errors: as the file system's.
Result<void> create(std::string spool, Job job, std::string script);
Result<void> save_state(std::string spool, std::uint64_t id, std::string text);
Result<void> remove(std::string spool, std::uint64_t id);
// Every batch job of the spool; makes the folder when it is absent and clears half-made entries.
// Errors: a folder or file that cannot be read.
Result<std::vector<Job>> load(const std::string& spool);
// The highest id ever given, as `remember_id` kept it; 0 = none.
std::uint64_t last_id(const std::string& spool);
Result<void> remember_id(std::string spool, std::uint64_t id);

}  // namespace berth::sites::local
