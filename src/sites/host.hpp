// Runs a translator's actions: the BatchSystem of every site that is reached by commands.
//
// Threads: the control loop's only.
// Lifetime: the translator, runner, clock and metrics outlive it; it outlives every call.
#pragma once

#include "base/metrics.hpp"
#include "jobs/batch.hpp"
#include "net/subprocess.hpp"
#include "sites/lanes.hpp"
#include "sites/submit_width.hpp"
#include "sites/translator.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace berth::sites {

// Starts a command as a local account; "" = the daemon's own.
class CommandRunner {
public:
    virtual ~CommandRunner() = default;
    virtual boost::asio::awaitable<net::CommandResult> run(net::Command command,
                                                           std::string account) = 0;
};

// Everything as the daemon's own account, whatever account an action names.
class OwnAccountRunner final : public CommandRunner {
public:
    boost::asio::awaitable<net::CommandResult> run(net::Command command,
                                                   std::string account) override;
};

Outcome outcome_of(net::CommandResult result);

struct HostSettings {
    unsigned submit_width = 8;   // sbatch commands at a time, while they are answered soon
    unsigned control_width = 4;  // each of cancel, hold and release
    unsigned query_width = 2;    // each of poll, look_up, history and limits
    std::size_t output_bytes_max = 64U << 20U;
    std::size_t accounts_per_poll = 100;  // in one command line
    std::size_t tags_per_look_up = 200;
};

class CommandBatch final : public jobs::BatchSystem {
public:
    CommandBatch(boost::asio::io_context& loop, std::unique_ptr<Translator> translator,
                 CommandRunner& runner, HostSettings settings, Clock& clock, Metrics& metrics);

    std::string_view name() const override { return translator_->name(); }
    boost::asio::awaitable<jobs::SubmitOutcome> submit(jobs::SubmitIntent intent) override;
    std::vector<std::string> preview(const jobs::SubmitIntent& intent) const override {
        return translator_->submit(intent).command;
    }
    Async<jobs::QueueSnapshot> poll(std::vector<std::string> accounts) override;
    Async<jobs::QueueSnapshot> look_up(std::vector<std::string> tags, WallTime since) override;
    Async<void> cancel(jobs::BatchTarget target) override;
    Async<void> hold(jobs::BatchTarget target) override;
    Async<void> release(jobs::BatchTarget target) override;
    Async<jobs::SiteLimits> limits() override;

private:
    unsigned width(std::string_view verb) const;
    boost::asio::awaitable<Outcome> perform(Action action);
    // What the queue shows of one batch job, as `target` names it.
    Async<std::vector<jobs::BatchRecord>> find(jobs::BatchTarget target);
    Async<void> control(Action action, jobs::BatchTarget target, bool look_first);
    Async<void> add_history(std::vector<std::string> tags, WallTime since,
                            jobs::QueueSnapshot& snapshot);

    std::unique_ptr<Translator> translator_;
    CommandRunner& runner_;
    HostSettings settings_;
    SubmitWidth submit_width_;
    Clock& clock_;
    Metrics& metrics_;
    Lanes lanes_;
};

}  // namespace berth::sites
