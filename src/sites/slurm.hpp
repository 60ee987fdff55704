// Slurm by its command line: sbatch, squeue, sacct, scancel, scontrol, sinfo; 22.05 to current.
//
// Every batch job is named by its tag, so queue and history are searched by name. Texts that were
// read from real commands are in tests/unit/sites/data.
#pragma once

#include "sites/translator.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace berth::sites {

struct SlurmSettings {
    enum class History { automatic, always, never };

    std::string name = "slurm";  // in configuration, log lines and metrics
    std::string bin = "/usr/bin";
    std::map<std::string, std::string> environment = {};  // e.g. SLURM_CONF
    std::string home = "/";     // HOME of the commands, and of batch jobs until the wrapper sets it
    std::string clusters = {};  // -M; "" = the local one
    History history = History::automatic;  // automatic: sacct is asked and may say "disabled"
    // Only batch jobs whose name begins with this and has 15 characters are Berth's own.
    std::string tag_prefix = "b";
    std::map<std::string, std::string> options = {};  // sbatch options by long name, for every job
    // An architecture that clients name -> the node feature to ask for; "" = ask for none. One
    // that is not in the map is asked for by its own name.
    std::map<std::string, std::string> architectures = {};
    std::vector<std::string> rejections = {};  // words of this site's own job_submit plug-in
    std::chrono::seconds submit_time_limit{150};
    std::chrono::seconds query_time_limit{60};
};

class Slurm final : public Translator {
public:
    explicit Slurm(SlurmSettings settings) : settings_(std::move(settings)) {}

    std::string_view name() const override { return settings_.name; }

    Action submit(const jobs::SubmitIntent& intent) const override;
    jobs::SubmitOutcome read_submit(const Outcome& outcome) const override;

    Action poll(const std::vector<std::string>& accounts) const override;
    Result<std::vector<jobs::BatchRecord>> read_poll(const Outcome& outcome) const override;

    Action look_up_queue(const std::vector<std::string>& tags) const override;
    Result<std::vector<jobs::BatchRecord>> read_look_up_queue(
        const Outcome& outcome) const override;
    Action look_up_history(const std::vector<std::string>& tags, WallTime since) const override;
    // An array that is still (or was always) pending is one line; it becomes one record per index.
    Result<std::vector<jobs::BatchRecord>> read_history(const Outcome& outcome) const override;

    // scancel checks the name itself, but only for whole batch jobs: with a name *and* a single
    // pending task, scancel 22.05 cancels the whole array (seen on 22.05.8). So one task is
    // cancelled by id alone, and the host checks its tag first.
    Action cancel(const jobs::BatchTarget& target) const override;
    // scontrol takes an id or a name, never both. A whole batch job is named by its tag, which is
    // exact; one task by its id, after the host's check.
    Action hold(const jobs::BatchTarget& target) const override;
    Action release(const jobs::BatchTarget& target) const override;
    Result<void> read_control(const Outcome& outcome) const override;

    // scontrol show config; the first of limits().
    Action config() const;
    // A token for slurmrestd that acts for the account which runs the command.
    Action token(std::chrono::seconds lifespan) const;

    std::vector<Action> limits() const override;
    Result<jobs::SiteLimits> read_limits(const std::vector<Outcome>& outcomes) const override;

private:
    Action query(std::string_view program, std::string_view verb) const;
    Action queue_query(std::string_view verb) const;
    Action show(std::size_t cluster, const std::vector<std::string>& what) const;
    Result<void> read_settings(std::string_view text, bool first, jobs::SiteLimits& limits) const;
    Action control(std::string_view verb, const jobs::BatchTarget& target) const;
    bool is_ours(std::string_view tag) const;
    Result<std::vector<jobs::BatchRecord>> read_queue(const Outcome& outcome) const;

    SlurmSettings settings_;
};

}  // namespace berth::sites
