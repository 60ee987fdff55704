#include "net/spawn.hpp"

#include "base/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <vector>

namespace berth::net {

namespace {

// The two objects that posix_spawn wants, released on every path.
class Plan {
public:
    Plan() {
        ::posix_spawn_file_actions_init(&files_);
        ::posix_spawnattr_init(&attributes_);
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    ~Plan() {
        ::posix_spawn_file_actions_destroy(&files_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    int stream(int target, int source) {
        if (source >= 0)
            return ::posix_spawn_file_actions_adddup2(&files_, source, target);
        return ::posix_spawn_file_actions_addopen(&files_, target, "/dev/null",
                                                  target == 0 ? O_RDONLY : O_WRONLY, 0);
    }

    int files(const Command& command, ChildStreams streams) {
        int failed = stream(0, streams.in);
        if (failed == 0)
            failed = stream(1, streams.out);
        if (failed == 0)
            failed = stream(2, streams.err);
        // Libraries may open descriptors without close-on-exec; none of them reaches a child.
        if (failed == 0)
            failed = ::posix_spawn_file_actions_addclosefrom_np(&files_, 3);
        if (failed == 0)
            failed = ::posix_spawn_file_actions_addchdir_np(&files_, command.directory.c_str());
        return failed;
    }

    void signals_and_group(bool own_session) {
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        flags |= own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
        ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    }

    const posix_spawn_file_actions_t* file_actions() const { return &files_; }
    const posix_spawnattr_t* attributes() const { return &attributes_; }

private:
    posix_spawn_file_actions_t files_;
    posix_spawnattr_t attributes_;
};

// argv and envp point into these strings; neither is changed by the call.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (const auto& text : texts)
        all.push_back(const_cast<char*>(text.c_str()));
    all.push_back(nullptr);
    return all;
}

}  // namespace

Result<pid_t> spawn_child(const Command& command, ChildStreams streams, bool own_session) {
    if (command.arguments.empty() || !command.arguments[0].starts_with('/'))
        return Error{ErrorKind::invalid, "a command needs an absolute path"};
    Plan plan;
    if (const int failed = plan.files(command, streams); failed != 0)
        return system_error("prepare " + command.arguments[0], failed);
    plan.signals_and_group(own_session);
    std::vector<std::string> environment;
    for (const auto& [name, value] : command.environment)
        environment.push_back(name + "=" + value);
    const auto arguments = pointers(command.arguments);
    const auto variables = pointers(environment);
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, arguments[0], plan.file_actions(), plan.attributes(),
                                     arguments.data(), variables.data());
    if (failed != 0)
        return system_error("start " + command.arguments[0] + " in " + command.directory, failed);
    return pid;
}

}  // namespace berth::net
