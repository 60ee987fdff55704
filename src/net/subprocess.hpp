// Child processes: no shell, no lost exit, nothing inherited.
//
// Threads: the caller's loop. A child runs in its own process group with the given environment
// only, descriptors 0, 1 and 2 only, default signals and an empty signal mask.
#pragma once

#include "base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace berth::net {

struct Command {
    std::vector<std::string> arguments;  // [0] is an absolute path
    std::string input;
    std::map<std::string, std::string> environment;
    std::string directory = "/";
    std::chrono::milliseconds time_limit{30000};  // then TERM to the group, 2 s later KILL
    std::size_t output_bytes_max = 64U << 20U;    // of each stream; what is above is dropped
};

struct CommandResult {
    bool started = true;  // false: posix_spawn failed, `error` says why
    bool timed_out = false;
    bool truncated = false;
    int exit_code = -1;  // -1 when ended by a signal
    int signal = 0;
    std::string output;
    std::string error;
    std::chrono::milliseconds duration{0};
};

// Runs one command to its end; what it left in its process group is killed then. When the caller is
// cancelled the group is killed and reaped first, and operation_aborted is thrown.
boost::asio::awaitable<CommandResult> run(Command command);

// Starts a process in a session of its own, with /dev/null as its streams, and does not wait: it
// outlives the daemon. Its pid; the caller reaps it when it ends before the daemon does.
// `input`, `time_limit` and `output_bytes_max` are not used. Errors: as the failed system call.
Result<int> start_detached(const Command& command);

}  // namespace berth::net
