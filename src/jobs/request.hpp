// What a client asks for, and who it is to the jobs room.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::jobs {

struct Gpus {
    unsigned count = 0;      // per node
    std::string model = {};  // "" = any
    bool operator==(const Gpus&) const = default;
};

// 0 and "" mean "the site's default".
struct Resources {
    unsigned nodes = 1;
    unsigned slots = 0;           // cores in total; 0: nodes times slots_per_node, or one a node
    unsigned slots_per_node = 0;  // nodes times this must not be below slots
    unsigned memory_per_slot_mb = 0;
    unsigned wall_time_s = 0;
    Gpus gpus = {};
    std::string architecture = {};  // "x86_64", "x86_64-v3", "aarch64", ...
    bool exclusive = false;
    unsigned warning_s = 0;  // SIGUSR1 to the payload this long before the wall time ends
    bool operator==(const Resources&) const = default;
};

struct Request {
    std::string name = {};
    std::string script = {};  // "" only when `files` has an entry "script" that is uploaded
    std::vector<std::string> arguments = {};
    std::vector<std::pair<std::string, std::string>> environment = {};  // names are unique
    std::string queue = {};  // "" = the first that the mapping permits
    std::string project = {};
    unsigned count = 1;
    std::vector<std::string> files = {};  // names that will be uploaded before the job may start
    Resources resources = {};
};

// The mapped client. Jobs belong to (issuer, subject).
struct Owner {
    std::string issuer = {};
    std::string subject = {};
    std::string account = {};              // local account
    std::string batch_account = {};        // "" = none
    std::vector<std::string> queues = {};  // permitted; the first is the default; empty = any
    bool account_wide = false;             // sees and acts on all jobs of `account`
    unsigned jobs_max = 0;                 // active jobs of this identity; 0 = no limit
};

}  // namespace berth::jobs
