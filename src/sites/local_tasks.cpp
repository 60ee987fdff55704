#include "sites/local_tasks.hpp"

#include "base/files.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace berth::sites::local {

namespace {

// The link is the fence: `ln -s` makes it once, for this supervisor or for the daemon that voids
// the run. The payload has a session of its own, so that a signal to it spares the supervisor.
// `wait` also returns when a trapped signal comes, hence the loop.
constexpr const char* supervisor_text = R"(
prefix=$1 script=$2
identity() {
    read -r stat < "/proc/$1/stat" && read -r boot < /proc/sys/kernel/random/boot_id || return 1
    pid=$1
    set -- ${stat##*) }
    echo "$pid:${20}:$boot"
}
own=$(identity $$) && ln -s "$own" "$prefix.id" || exit 1
trap : HUP INT TERM USR1
setsid "$script" &
payload=$!
started=$(identity $payload 2>/dev/null) && ln -s "$started" "$prefix.payload"
while :; do
    wait $payload
    status=$?
    kill -0 $payload 2>/dev/null || break
done
kill -KILL -- -$payload 2>/dev/null
echo $status > "$prefix.exit.new" && mv "$prefix.exit.new" "$prefix.exit"
)";

std::string boot_id() {
    const auto text = read_file("/proc/sys/kernel/random/boot_id", 200);
    return text ? std::string(trim(*text)) : "";
}

std::string start_of(int pid) {
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat)
        return {};
    const auto mark = stat->rfind(") ");  // the program's name may hold anything
    if (mark == std::string::npos)
        return {};
    const auto fields = split(std::string_view(*stat).substr(mark + 2), ' ');
    // A zombie has ended, although its number is still taken.
    if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X")
        return {};
    return std::string(fields[19]);
}

}  // namespace

net::Command supervisor(const std::string& prefix, const std::string& script,
                        const std::string& directory,
                        const std::map<std::string, std::string>& environment) {
    net::Command command;
    command.arguments = {"/bin/sh", "-c", supervisor_text, "berth-local", prefix, script};
    command.directory = directory;
    command.environment = environment;
    return command;
}

std::optional<Identity> read_identity(const std::string& path) {
    std::array<char, 256> buffer{};
    const auto size = ::readlink(path.c_str(), buffer.data(), buffer.size());
    if (size <= 0)
        return std::nullopt;
    const auto parts = split(std::string_view(buffer.data(), static_cast<std::size_t>(size)), ':');
    const auto pid = to_number<int>(parts[0]);
    if (parts.size() != 3 || !pid || *pid <= 1)
        return std::nullopt;
    return Identity{*pid, std::string(parts[1]), std::string(parts[2])};
}

bool is_alive(const Identity& identity) {
    return !identity.start.empty() && identity.boot == boot_id() &&
           identity.start == start_of(identity.pid);
}

std::optional<int> read_exit(const std::string& prefix) {
    const auto text = read_file(prefix + ".exit", 100);
    return text ? to_number<int>(trim(*text)) : std::nullopt;
}

bool void_run(const std::string& prefix) {
    return ::symlink("void", (prefix + ".id").c_str()) == 0;
}

bool is_void(const std::string& prefix) {
    std::array<char, 8> buffer{};
    const auto size = ::readlink((prefix + ".id").c_str(), buffer.data(), buffer.size());
    return size == 4 && std::string_view(buffer.data(), 4) == "void";
}

bool signal_leader(const std::string& prefix, int signal) {
    const auto payload = read_identity(prefix + ".payload");
    return payload && is_alive(*payload) && ::kill(payload->pid, signal) == 0;
}

bool signal_payload(const std::string& prefix, int signal) {
    const auto payload = read_identity(prefix + ".payload");
    return payload && is_alive(*payload) && ::kill(-payload->pid, signal) == 0;
}

int open_child(int pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int open_process(const Identity& identity) {
    const int fd = open_child(identity.pid);
    // Checked after opening: from here on the descriptor cannot mean another process.
    if (fd >= 0 && !is_alive(identity)) {
        ::close(fd);
        return -1;
    }
    return fd;
}

}  // namespace berth::sites::local
