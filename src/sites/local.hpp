// A batch system for this machine alone: N slots, first in first out, wall time, arrays.
//
// Its own state is the spool folder, not the engine's store: tasks go on while the daemon is away
// and are found again by process and start time. Everything runs as the daemon's own account.
//
// Threads: the control loop's only; files are written on a thread of its own.
// Lifetime: start() before the first call, stop() before the end; clock and metrics outlive it.
#pragma once

#include "base/metrics.hpp"
#include "base/tasks.hpp"
#include "jobs/batch.hpp"
#include "sites/local_spool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace berth::sites {

struct LocalSettings {
    std::string name = "local";
    std::string queue = "local";
    std::string spool;  // absolute; made when absent, mode 0700
    unsigned slots = 1;
    unsigned memory_mb = 0;            // shared out among tasks; 0 = not counted
    unsigned wall_time_max_s = 0;      // 0 = none
    unsigned wall_time_default_s = 0;  // 0 = none
    unsigned tasks_max = 10000;        // queued and running together
    unsigned array_size_max = 1000;
    std::vector<std::string> architectures = {};          // empty: this machine's, as uname says
    std::map<std::string, std::string> environment = {};  // of tasks; PATH is there already
    std::chrono::seconds kill_grace{10};                  // from TERM to KILL
    std::chrono::seconds shown_after_end{300};            // by poll
    std::chrono::seconds kept_after_end{86400};           // by look_up
};

class LocalBatch final : public jobs::BatchSystem {
public:
    LocalBatch(boost::asio::io_context& loop, LocalSettings settings, Clock& clock,
               Metrics& metrics);
    ~LocalBatch() override;

    // Reads the spool (blocking; before the loop serves anyone) and takes up what it holds.
    // Errors: a spool that cannot be made or read.
    Result<void> start();
    // Ends the work of this object; the tasks run on.
    boost::asio::awaitable<void> stop();

    std::string_view name() const override { return settings_.name; }
    // The same tag again gives the same batch job.
    boost::asio::awaitable<jobs::SubmitOutcome> submit(jobs::SubmitIntent intent) override;
    Async<jobs::QueueSnapshot> poll(std::vector<std::string> accounts) override;
    Async<jobs::QueueSnapshot> look_up(std::vector<std::string> tags, WallTime since) override;
    Async<void> cancel(jobs::BatchTarget target) override;
    Async<void> hold(jobs::BatchTarget target) override;
    Async<void> release(jobs::BatchTarget target) override;
    Async<jobs::SiteLimits> limits() override;

private:
    using Jobs = std::map<std::uint64_t, local::Job>;
    enum class Verb { cancel, hold, release };

    std::string refusal(const jobs::SubmitIntent& intent) const;
    local::Job make_job(const jobs::SubmitIntent& intent);
    local::Job* find(const std::string& tag);
    Async<void> control(jobs::BatchTarget target, Verb verb);
    jobs::QueueSnapshot snapshot() const;
    void add_records(const local::Job& job, std::vector<jobs::BatchRecord>& all) const;

    // local_work.cpp: the tasks.
    boost::asio::awaitable<void> work();
    Async<void> save(std::uint64_t id);
    boost::asio::awaitable<void> start_waiting();
    boost::asio::awaitable<void> start_task(std::uint64_t id, std::size_t index);
    boost::asio::awaitable<void> watch(std::uint64_t id, std::size_t index, int descriptor,
                                       int pid);
    boost::asio::awaitable<void> enforce_limits();
    boost::asio::awaitable<void> forget_old();
    // The end of a task whose supervisor is gone.
    void finish(local::Job& job, std::size_t index);
    void take_up(local::Job& job, std::size_t index);
    bool fits(const local::Job& job) const;
    bool is_due(local::Job& job, local::Task& task) const;
    void send_signals(local::Job& job, std::size_t index);
    std::chrono::milliseconds next_turn() const;

    boost::asio::io_context& loop_;
    LocalSettings settings_;
    Clock& clock_;
    Metrics& metrics_;
    Jobs jobs_;
    std::map<std::string, std::uint64_t> ids_;  // by tag
    std::set<std::string> creating_;            // tags whose folder is being made
    std::uint64_t last_id_ = 0;
    boost::asio::thread_pool disk_{1};  // one thread: writes keep their order
    Wakeup wake_;
    TaskGroup group_;
};

}  // namespace berth::sites
