// Whether the site can run what a request asks for, and in which queue. Pure.
//
// sbatch itself accepts many jobs that can never run and leaves them pending, so the queue's
// limits are checked here, and the refusal says which limit it is.
#pragma once

#include "base/result.hpp"
#include "jobs/batch_facts.hpp"
#include "jobs/request.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::jobs {

// A queue as the site's configuration narrows it. 0 = no limit of its own.
struct QueuePolicy {
    std::string name;
    std::string batch_queue;  // its name in the batch system; "" = the same
    bool is_default = false;
    unsigned wall_time_max_s = 0;
    unsigned nodes_max = 0;
    unsigned slots_max = 0;
    unsigned memory_per_slot_max_mb = 0;
    unsigned gpus_max = 0;
    std::map<std::string, std::string> options = {};  // directives for the batch system
};

struct Placement {
    std::string queue;  // the client's name for it
    std::string batch_queue;
    std::map<std::string, std::string> options = {};
    Resources resources = {};  // completed with defaults
};

struct PlacementRules {
    std::vector<QueuePolicy> policies;  // empty: every queue of the batch system, as it is
    unsigned wall_time_default_s = 0;   // 0 = the queue's
};

// Errors: unprocessable with the field's name.
// With no limits known yet (limits.queues empty) only the policies are checked.
Result<Placement> place(const Request& request, const Owner& owner, const SiteLimits& limits,
                        const PlacementRules& rules);

// What the batch system will see of a job, as a hash: equal jobs may travel in one array.
std::uint64_t directives_hash(const Owner& owner, const Placement& placement,
                              const std::string& project);

}  // namespace berth::jobs
