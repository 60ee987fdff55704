#include "net/subprocess.hpp"

#include "base/files.hpp"
#include "base/kill_point.hpp"
#include "net/spawn.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace berth::net {

namespace asio = boost::asio;

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kill_after{2000};
// A leftover of the command that keeps a pipe open is not waited for longer than this.
constexpr std::chrono::milliseconds drain_limit{1000};

// Above 2, because dup2 in the child would overwrite a lower one before it is used.
Descriptor above_standard(int fd) {
    Descriptor low(fd);
    if (fd < 0 || fd > 2)
        return low;
    return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

struct Pipe {
    Descriptor reader, writer;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("pipe", errno);
    Pipe pipe{above_standard(ends[0]), above_standard(ends[1])};
    if (!pipe.reader || !pipe.writer || ::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0)
        return system_error("pipe", errno);
    return pipe;
}

// Input is a file in memory, not a pipe: nothing to feed, no SIGPIPE, no deadlock.
Result<Descriptor> input_file(const std::string& content) {
    Descriptor file = above_standard(::memfd_create("berth-input", MFD_CLOEXEC));
    if (!file)
        return system_error("memfd_create", errno);
    if (auto written = write_all(file.get(), content); !written)
        return written.error();
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return system_error("lseek", errno);
    return file;
}

// One output of the child, read until its end; what is above the limit is dropped.
struct Stream {
    explicit Stream(const asio::any_io_executor& executor) : end(executor) {}
    asio::posix::stream_descriptor end;
    std::array<char, 16384> buffer = {};
    std::string text = {};
    bool open = true;
    bool truncated = false;
};

// Held by its handlers too, so that a late one finds it alive.
struct Child {
    explicit Child(const asio::any_io_executor& executor)
        : out(executor), err(executor), exit(executor), wake(executor) {}
    Stream out, err;
    asio::posix::stream_descriptor exit;  // the pidfd
    asio::steady_timer wake;              // cancelled when something has changed
    std::size_t output_bytes_max = 0;
    pid_t pid = -1;
    bool exited = false;

    bool drained() const { return !out.open && !err.open; }
    void signal(int number) const { ::kill(-pid, number); }
    void close() {
        boost::system::error_code ignored;
        out.end.close(ignored);
        err.end.close(ignored);
        exit.close(ignored);
    }
};
using ChildPtr = std::shared_ptr<Child>;

void keep(Stream& stream, std::size_t got, std::size_t most) {
    const auto room = most - std::min(most, stream.text.size());
    stream.text.append(stream.buffer.data(), std::min(got, room));
    stream.truncated = stream.truncated || got > room;
}

void read_on(ChildPtr child, Stream Child::*which) {
    Stream& stream = (*child).*which;
    stream.end.async_read_some(asio::buffer(stream.buffer),
                               [child, which](boost::system::error_code failed, std::size_t got) {
                                   Stream& mine = (*child).*which;
                                   keep(mine, got, child->output_bytes_max);
                                   if (!failed)
                                       return read_on(child, which);
                                   mine.open = false;
                                   child->wake.cancel();
                               });
}

void watch_exit(const ChildPtr& child) {
    child->exit.async_wait(asio::posix::descriptor_base::wait_read,
                           [child](boost::system::error_code failed) {
                               child->exited = child->exited || !failed;
                               child->wake.cancel();
                           });
}

Result<void> start(const ChildPtr& child, const Command& command) {
    auto out = make_pipe();
    auto err = make_pipe();
    Result<Descriptor> in = Descriptor();
    if (!command.input.empty())
        in = input_file(command.input);
    if (!out)
        return out.error();
    if (!err)
        return err.error();
    if (!in)
        return in.error();
    const ChildStreams streams{in->get(), out->writer.get(), err->writer.get()};
    kill_point("spawn_before", command.arguments[0]);
    auto pid = spawn_child(command, streams, false);
    if (!pid)
        return pid.error();
    kill_point("spawn_after", command.arguments[0]);
    child->pid = *pid;
    child->output_bytes_max = command.output_bytes_max;
    child->out.end.assign(out->reader.release());
    child->err.end.assign(err->reader.release());
    read_on(child, &Child::out);
    read_on(child, &Child::err);
    return {};
}

bool open_pidfd(const ChildPtr& child) {
    // pidfd_open needs Linux 5.3; glibc 2.36 has the wrapper, RHEL 9's 2.34 has not.
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, child->pid, 0));
    if (fd < 0)
        return false;
    child->exit.assign(fd);
    watch_exit(child);
    return true;
}

// TERM, then KILL, as deadlines pass.
class Escalation {
public:
    explicit Escalation(std::chrono::milliseconds limit) : next_(SteadyClock::now() + limit) {}

    SteadyClock::time_point next() const { return next_; }
    bool timed_out() const { return timed_out_; }

    void step(Child& child) {
        if (SteadyClock::now() < next_ || child.exited)
            return;
        timed_out_ = true;
        child.signal(killing_ ? SIGKILL : SIGTERM);
        killing_ = true;
        next_ = SteadyClock::now() + kill_after;
    }
    void exited() {
        if (!std::exchange(exit_seen_, true))
            next_ = SteadyClock::now() + drain_limit;
    }
    void kill_now(Child& child) {
        child.signal(SIGKILL);
        killing_ = true;
        next_ = SteadyClock::now() + kill_after;
    }
    bool drain_over() const { return exit_seen_ && SteadyClock::now() >= next_; }

private:
    SteadyClock::time_point next_;
    bool killing_ = false;
    bool timed_out_ = false;
    bool exit_seen_ = false;
};

void reap(Child& child, CommandResult& result) {
    // The zombie has kept the number of the group from being reused until here.
    child.signal(SIGKILL);
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status))
        result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    child.close();
    result.truncated = child.out.truncated || child.err.truncated;
    result.output = std::move(child.out.text);
    result.error = std::move(child.err.text);
}

}  // namespace

asio::awaitable<CommandResult> run(Command command) {
    const auto executor = co_await asio::this_coro::executor;
    const auto began = SteadyClock::now();
    CommandResult result;
    const auto child = std::make_shared<Child>(executor);
    if (auto started = start(child, command); !started) {
        result.started = false;
        result.error = started.error().message;
        child->close();
        co_return result;
    }
    // From here on a cancellation must not throw before the child is reaped.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    Escalation escalation(command.time_limit);
    if (!open_pidfd(child))
        child->exited = true;  // it cannot be watched, so reap() ends it: an outcome not known
    bool cancelled = false;
    while (!child->exited || !child->drained()) {
        child->wake.expires_at(escalation.next());
        co_await child->wake.async_wait(as_result);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none && !cancelled) {
            cancelled = true;
            escalation.kill_now(*child);
        }
        escalation.step(*child);
        if (child->exited)
            escalation.exited();
        if (escalation.drain_over())
            break;
    }
    reap(*child, result);
    kill_point("output_read", command.arguments[0]);
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (cancelled)
        throw boost::system::system_error(asio::error::operation_aborted);
    result.timed_out = escalation.timed_out();
    result.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began);
    co_return result;
}

Result<int> start_detached(const Command& command) {
    if (!command.input.empty())
        return Error{ErrorKind::invalid, "a detached command has no input"};
    auto pid = spawn_child(command, ChildStreams(), true);
    if (!pid)
        return pid.error();
    return static_cast<int>(*pid);
}

}  // namespace berth::net
