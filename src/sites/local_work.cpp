// The tasks of the local batch system: start, watch, limits, end. One coroutine (work) decides;
// one for each running task waits for its end.
#include "base/async.hpp"
#include "base/log.hpp"
#include "sites/local.hpp"
#include "sites/local_tasks.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

namespace berth::sites {

namespace asio = boost::asio;
using jobs::BatchState;

namespace {

constexpr std::chrono::milliseconds longest_turn{60000};
constexpr std::chrono::milliseconds ending_turn{100};

void set_result(local::Task& task, std::optional<int> status) {
    const bool signalled = task.kill_at != SteadyTime();
    const bool own_end = task.ending == BatchState::queued || (status == 0 && !signalled);
    if (!status) {
        // No supervisor and no status: the machine restarted, or somebody killed it.
        task.state = own_end ? BatchState::node_lost : task.ending;
        task.reason = own_end ? "its supervisor is gone" : task.reason;
        return;
    }
    task.state = task.ending;
    if (own_end)
        task.state = *status == 0 ? BatchState::done : BatchState::failed;
    task.exit_code = *status;
    task.signal = *status > 128 && *status <= 192 ? *status - 128 : 0;
}

std::map<std::string, std::string> task_environment(const LocalSettings& settings,
                                                    const local::Job& job, std::size_t index) {
    auto environment = settings.environment;
    environment.insert({"PATH", "/usr/local/bin:/usr/bin:/bin"});
    environment["BERTH_BATCH_ID"] = std::to_string(job.id);
    if (job.array)
        environment["BERTH_ARRAY_INDEX"] = std::to_string(index);
    return environment;
}

}  // namespace

asio::awaitable<void> LocalBatch::work() {
    for (;;) {
        co_await start_waiting();
        co_await enforce_limits();
        co_await forget_old();
        co_await wake_.wait(next_turn());
    }
}

Async<void> LocalBatch::save(std::uint64_t id) {
    auto saved = co_await offload(disk_, &local::save_state, settings_.spool, id,
                                  local::state_text(jobs_.at(id)));
    if (!saved)
        log::error("local_spool_write_failed", {{"error", saved.error().message}});
    co_return saved;
}

bool LocalBatch::fits(const local::Job& job) const {
    std::uint64_t slots = job.slots;
    std::uint64_t memory_mb = job.memory_mb;
    for (const auto& [id, other] : jobs_)
        for (const auto& task : other.tasks)
            if (task.state == BatchState::running) {
                slots += other.slots;
                memory_mb += other.memory_mb;
            }
    return slots <= settings_.slots &&
           (settings_.memory_mb == 0 || memory_mb <= settings_.memory_mb);
}

asio::awaitable<void> LocalBatch::start_waiting() {
    std::map<BatchState, unsigned> counts;
    bool full = false;
    for (auto& [id, job] : jobs_)
        for (std::size_t index = 0; index < job.tasks.size(); ++index) {
            auto& task = job.tasks[index];
            if (task.state == BatchState::queued && !full) {
                // First in, first out: what does not fit holds up what came later.
                full = !fits(job);
                if (!full)
                    co_await start_task(id, index);
            }
            ++counts[task.state];
        }
    for (const auto state : {BatchState::queued, BatchState::held, BatchState::running})
        metrics_.set("berth_local_tasks", {{"state", to_string(state)}}, counts[state]);
}

asio::awaitable<void> LocalBatch::start_task(std::uint64_t id, std::size_t index) {
    auto& job = jobs_.at(id);
    auto& task = job.tasks[index];
    task.state = BatchState::running;
    task.started = clock_.wall();
    task.began = clock_.steady();
    // Durable before the start: after a crash the fence tells whether it happened.
    const auto saved = co_await save(id);
    if (!saved || task.ending != BatchState::queued) {
        task.state = task.ending;  // queued again, or cancelled in the meantime
        task.started.reset();
        if (is_over(task.state))
            task.ended = clock_.wall();
        co_return;
    }
    const auto prefix = local::prefix_of(settings_.spool, job, index);
    const auto script = local::folder_of(settings_.spool, id) + "/script";
    const auto command =
        local::supervisor(prefix, script, job.directory, task_environment(settings_, job, index));
    const auto pid = net::start_detached(command);
    if (pid) {
        const int process = local::open_child(*pid);
        group_.spawn("local task", watch(id, index, process, *pid));
        co_return;
    }
    task.state = BatchState::failed;
    task.reason = pid.error().message;
    task.ended = clock_.wall();
    // Not written: a restart finds the fence free and tries again.
    const auto noted = co_await save(id);
    static_cast<void>(noted);
}

asio::awaitable<void> LocalBatch::watch(std::uint64_t id, std::size_t index, int descriptor,
                                        int pid) {
    if (descriptor >= 0) {
        asio::posix::stream_descriptor process(loop_, descriptor);
        co_await process.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
    }
    ::waitpid(pid, nullptr, WNOHANG);  // its parent is init when an earlier daemon started it
    finish(jobs_.at(id), index);
    // Not written: a restart reads the supervisor's exit file again.
    const auto noted = co_await save(id);
    static_cast<void>(noted);
    wake_.notify();
}

void LocalBatch::finish(local::Job& job, std::size_t index) {
    auto& task = job.tasks[index];
    const auto prefix = local::prefix_of(settings_.spool, job, index);
    const auto status = local::read_exit(prefix);
    set_result(task, status);
    task.ended = clock_.wall();
    if (status)
        return;
    // A supervisor that could not even make its fence has not started the payload.
    if (local::void_run(prefix)) {
        task.state = task.ending == BatchState::queued ? BatchState::failed : task.ending;
        task.reason = "the supervisor could not begin; see the spool folder";
    }
    local::signal_payload(prefix, SIGKILL);
}

// After a restart of the daemon: what became of a task that was to run?
void LocalBatch::take_up(local::Job& job, std::size_t index) {
    auto& task = job.tasks[index];
    const auto prefix = local::prefix_of(settings_.spool, job, index);
    const auto age = std::max(clock_.wall() - *task.started, std::chrono::milliseconds(0));
    task.began = clock_.steady() - age;
    const bool never_began = local::void_run(prefix) || local::is_void(prefix);
    if (never_began) {
        ++task.run;
        task.started.reset();
        task.state = task.ending;  // queued, unless its end was wanted
        if (is_over(task.state))
            task.ended = clock_.wall();
        return;
    }
    const auto supervisor = local::read_identity(prefix + ".id");
    const int process = supervisor ? local::open_process(*supervisor) : -1;
    if (process < 0)
        return finish(job, index);
    group_.spawn("local task", watch(job.id, index, process, supervisor->pid));
}

// True if the state has to be saved before anything is signalled.
bool LocalBatch::is_due(local::Job& job, local::Task& task) const {
    const auto age = clock_.steady() - task.began;
    const auto limit = std::chrono::seconds(job.wall_time_s);
    if (job.wall_time_s == 0 || task.ending != BatchState::queued || age < limit)
        return false;
    task.ending = BatchState::walltime;
    return true;
}

void LocalBatch::send_signals(local::Job& job, std::size_t index) {
    auto& task = job.tasks[index];
    const auto prefix = local::prefix_of(settings_.spool, job, index);
    const auto now = clock_.steady();
    const auto warn_at =
        std::chrono::seconds(job.wall_time_s) - std::chrono::seconds(job.warning_s);
    if (job.warning_s != 0 && job.wall_time_s != 0 && !task.warned && now - task.began >= warn_at)
        task.warned = local::signal_leader(prefix, SIGUSR1);
    if (task.ending == BatchState::queued)
        return;
    if (task.kill_at == SteadyTime()) {
        if (local::signal_payload(prefix, SIGTERM))
            task.kill_at = now + settings_.kill_grace;
    } else if (now >= task.kill_at) {
        local::signal_payload(prefix, SIGKILL);
        task.kill_at = now + settings_.kill_grace;
    }
}

asio::awaitable<void> LocalBatch::enforce_limits() {
    for (auto& [id, job] : jobs_)
        for (std::size_t index = 0; index < job.tasks.size(); ++index) {
            auto& task = job.tasks[index];
            if (task.state != BatchState::running)
                continue;
            if (is_due(job, task)) {
                const auto saved = co_await save(id);
                if (!saved)
                    task.ending = BatchState::queued;  // nothing is sent; the next turn tries again
            }
            if (task.state == BatchState::running)  // it may have ended during the save
                send_signals(job, index);
        }
}

asio::awaitable<void> LocalBatch::forget_old() {
    const auto before = clock_.wall() - settings_.kept_after_end;
    std::vector<std::uint64_t> old;
    for (const auto& [id, job] : jobs_)
        if (const auto end = local::ended(job); end && *end < before)
            old.push_back(id);
    for (const auto id : old) {
        ids_.erase(jobs_.at(id).tag);
        jobs_.erase(id);
        const auto removed = co_await offload(disk_, &local::remove, settings_.spool, id);
        if (!removed)
            log::warning("local_spool_remove_failed", {{"error", removed.error().message}});
    }
}

std::chrono::milliseconds LocalBatch::next_turn() const {
    auto wait = longest_turn;
    const auto now = clock_.steady();
    const auto until = [&](SteadyTime when) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - now);
        wait = std::clamp(left, std::chrono::milliseconds(10), wait);
    };
    for (const auto& [id, job] : jobs_)
        for (const auto& task : job.tasks) {
            if (task.state != BatchState::running)
                continue;
            if (task.ending != BatchState::queued)
                wait = std::min(wait, ending_turn);
            if (job.wall_time_s == 0)
                continue;
            until(task.began + std::chrono::seconds(job.wall_time_s));
            if (job.warning_s != 0 && !task.warned)
                until(task.began + std::chrono::seconds(job.wall_time_s) -
                      std::chrono::seconds(std::min(job.warning_s, job.wall_time_s)));
        }
    return wait;
}

}  // namespace berth::sites
