// posix_spawn with what every child of the daemon needs: nothing inherited but descriptors 0-2.
#pragma once

#include "base/result.hpp"
#include "net/subprocess.hpp"

#include <sys/types.h>

namespace berth::net {

struct ChildStreams {
    int in = -1;  // -1 = /dev/null
    int out = -1;
    int err = -1;
};

// Starts command.arguments in a process group of its own, or in a session of its own. The caller
// waits for the child. Errors: as the system call that failed; then no process was left behind.
Result<pid_t> spawn_child(const Command& command, ChildStreams streams, bool own_session);

}  // namespace berth::net
