// The configuration's values for jobs, batch systems, queues and the site.
// A field has the name and the default of its key; keys_jobs.cpp says what each means.
#pragma once

#include "config/value_types.hpp"

namespace berth::config {

struct Jobs {
    std::string session_root = {};
    std::string cluster_path = {};  // "" = the same as session_root
    std::string node_url = {};      // "" = worker nodes send no hints
    std::string batch = "slurm";    // slurm or local
    std::string accounts = "own";
    Seconds poll_interval{60};
    Seconds poll_interval_max{300};
    unsigned commands_per_minute_max = 600;
    unsigned submit_width = 8;
    unsigned attempts_max = 3;
    Seconds lookup_window{300};
    Seconds unknown_grace{300};
    Seconds heartbeat_interval{300};
    Seconds upload_timeout{3600};
    Seconds default_wall_time{86400};
    std::uint64_t stdout_bytes_max = 100'000'000;
    Seconds keep_jobs{30 * 86400};
    Seconds keep_files{7 * 86400};
    unsigned jobs_max_total = 200'000;
    unsigned jobs_max_per_identity = 100'000;
    std::uint64_t session_bytes_max = 1'000'000'000'000;  // 0 = no limit
    unsigned session_files_max = 2'000'000;               // 0 = no limit
    bool operator==(const Jobs&) const = default;
};

struct BatchSlurm {
    std::string bin = "/usr/bin";
    Table environment = {};
    Texts clusters = {};
    std::string history = "auto";       // auto, yes or no
    Table options = {};                 // by long name without the dashes
    std::string interface = "command";  // command or rest
    std::string rest_url = {};
    std::string rest_version = "auto";
    Seconds submit_timeout{150};
    bool operator==(const BatchSlurm&) const = default;
};

struct BatchLocal {
    unsigned slots = 0;  // 0 = the number of processors
    std::string spool = "/var/lib/berth/local";
    std::string queue = "local";
    unsigned memory_mb = 0;  // 0 = all of the machine's
    bool operator==(const BatchLocal&) const = default;
};

struct Batch {
    BatchSlurm slurm = {};
    BatchLocal local = {};
    bool operator==(const Batch&) const = default;
};

// In limits, 0 means "as the batch system says".
struct Queue {
    std::string name = {};
    std::string batch_queue = {};  // "" = the same as name
    bool is_default = false;       // key "default"
    Seconds wall_time_max{0};
    unsigned nodes_max = 0;
    unsigned slots_max = 0;
    unsigned memory_per_slot_max_mb = 0;
    unsigned gpus_max = 0;
    Table options = {};
    bool operator==(const Queue&) const = default;
};

struct Reachable {
    std::string host = {};
    unsigned port = 0;
    std::string protocol = "tcp";
    std::string note = {};
    bool operator==(const Reachable&) const = default;
};

struct Site {
    std::string name = {};
    std::string description = {};
    Texts architectures = {};
    Table environment = {};
    std::vector<Reachable> reachable = {};
    bool operator==(const Site&) const = default;
};

}  // namespace berth::config
