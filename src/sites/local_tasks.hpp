// The processes of the local batch system: a small shell supervises each task, so that the exit
// status is kept when the daemon is away. Plain functions on files and processes.
#pragma once

#include "base/result.hpp"
#include "net/subprocess.hpp"

#include <map>
#include <optional>
#include <string>

namespace berth::sites::local {

// A process that cannot be mistaken for a later one with its number.
struct Identity {
    int pid = -1;
    std::string start;  // field 22 of /proc/PID/stat, ticks since boot
    std::string boot;   // /proc/sys/kernel/random/boot_id
};

// Supervises `script` as the run named `prefix`; nothing runs if that run was voided or had begun.
net::Command supervisor(const std::string& prefix, const std::string& script,
                        const std::string& directory,
                        const std::map<std::string, std::string>& environment);

// What the link at `path` (PREFIX.id or PREFIX.payload) names.
std::optional<Identity> read_identity(const std::string& path);
bool is_alive(const Identity& identity);
// The status that the supervisor kept: 128 + N after signal N. nullopt = not (yet) ended.
std::optional<int> read_exit(const std::string& prefix);

// Makes sure that this run never begins. False: it has begun.
bool void_run(const std::string& prefix);
bool is_void(const std::string& prefix);

// To the payload's whole process group. False when it is not there (yet).
bool signal_payload(const std::string& prefix, int signal);
// To the payload's first process alone: most programs die of a USR1 that they do not expect.
bool signal_leader(const std::string& prefix, int signal);

// Descriptor of the process, readable when it has ended; -1 when it is not that one any more.
int open_process(const Identity& identity);
int open_child(int pid);  // the same for a child of this process that was not reaped

}  // namespace berth::sites::local
