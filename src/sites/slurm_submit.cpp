// sbatch: the command line of a submission and what its outcome proves.
#include "base/text.hpp"
#include "sites/slurm.hpp"
#include "sites/slurm_words.hpp"

#include <algorithm>
#include <array>

namespace berth::sites {

namespace {

using Options = std::map<std::string, std::string>;

// Options that Berth itself sets or that would change what a submission means. getopt takes any
// unique beginning of a long option, so every beginning of these is refused too.
constexpr std::array<std::string_view, 40> reserved{
    "job-name",    "parsable",   "comment",       "requeue",     "no-requeue", "export",
    "export-file", "output",     "error",         "input",       "chdir",      "array",
    "wrap",        "uid",        "gid",           "test-only",   "wait",       "signal",
    "time",        "nodes",      "ntasks",        "quiet",       "verbose",    "help",
    "version",     "usage",      "clusters",      "cluster",     "open-mode",  "hold",
    "jobid",       "ignore-pbs", "cpus-per-task", "mem-per-cpu", "partition",  "account",
    "workdir",     "batch",      "get-user-env",  "array-inx",
};

bool is_reserved(std::string_view name) {
    if (name == "mem")  // an option of its own, although "mem-per-cpu" begins with it
        return false;
    return std::ranges::any_of(reserved, [&](auto word) { return word.starts_with(name); });
}

bool is_option_name(std::string_view name) {
    return !name.empty() && name.size() <= 40 && name[0] != '-' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

// Every option is one argument "--name=value", so a value cannot begin another one; control bytes
// are kept out of the controller's records and of everybody's squeue.
bool is_value(std::string_view value) {
    return value.size() <= 1024 &&
           std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
}

// Adds what the request asks for to what the site asks for.
void combine(Options& options, const std::string& name, const std::string& value, char join_with) {
    std::string& all = options[name];
    if (all.find('|') != std::string::npos && !all.starts_with('['))
        all = "(" + all + ")";
    all += all.empty() ? value : join_with + value;
}

void add_shape(Options& options, const jobs::SubmitIntent& intent) {
    const auto& want = intent.resources;
    const unsigned nodes = std::max(1U, want.nodes);
    const unsigned slots = std::max(1U, want.slots);
    const unsigned per_node =
        want.slots_per_node != 0 ? want.slots_per_node : (slots + nodes - 1) / nodes;
    options["nodes"] = std::to_string(nodes);
    // One task per node that owns all its cores: the batch script runs once, on the first node,
    // and a pilot forks what it needs. srun inside starts one task on each node.
    options[nodes == 1 ? "ntasks" : "ntasks-per-node"] = "1";
    options["cpus-per-task"] = std::to_string(nodes == 1 ? slots : per_node);
    if (want.memory_per_slot_mb != 0 && !options.contains("mem"))
        options["mem-per-cpu"] = std::to_string(want.memory_per_slot_mb) + "M";
    if (want.wall_time_s != 0)
        options["time"] = std::to_string((want.wall_time_s + 59) / 60);  // minutes
    if (want.warning_s != 0)  // "B:" signals the batch script, else only its srun steps get it
        options["signal"] = "B:USR1@" + std::to_string(want.warning_s);
    if (want.exclusive)
        options["exclusive"] = "";
    if (intent.array)
        options["array"] = "0-" + std::to_string(std::max(1U, intent.count) - 1);
}

void add_devices(Options& options, const jobs::Resources& want,
                 const std::map<std::string, std::string>& architectures) {
    if (want.gpus.count != 0) {
        const auto model = want.gpus.model.empty() ? "" : want.gpus.model + ":";
        combine(options, "gres", "gpu:" + model + std::to_string(want.gpus.count), ',');
    }
    if (want.architecture.empty())
        return;
    const auto known = architectures.find(want.architecture);
    const auto feature = known == architectures.end() ? want.architecture : known->second;
    if (!feature.empty())
        combine(options, "constraint", feature, '&');
}

void add_identity(Options& options, const jobs::SubmitIntent& intent) {
    options["parsable"] = "";
    options["job-name"] = intent.tag;
    if (!intent.comment.empty())
        options["comment"] = printable(intent.comment, 200);
    options["no-requeue"] = "";  // else a site's default restarts a pilot whose token is used up
    // ALL of an environment that the action makes itself. NONE and a list of names make the node
    // run `su - USER -c env` first: slower (22.05.8: 0.6 s against 0.25 s to start), different
    // on each site, and a failure of it holds the batch job. NIL is younger than 22.05.
    options["export"] = "ALL";
    options["output"] = "/dev/null";
    options["error"] = "/dev/null";
    options["chdir"] = intent.directory;
    if (!intent.queue.empty())
        options["partition"] = intent.queue;
    if (!intent.batch_account.empty())
        options["account"] = intent.batch_account;
    if (!intent.project.empty() && !options.contains("wckey"))
        options["wckey"] = intent.project;
}

bool is_model(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    });
}

std::string refusal(const Options& given, const jobs::SubmitIntent& intent) {
    for (const auto& [name, value] : given) {
        if (!is_option_name(name))
            return "not an sbatch option: " + printable(name);
        if (is_reserved(name))
            return "the sbatch option --" + name + " cannot be set by a directive";
    }
    if (intent.tag.empty() || !is_model(intent.tag))
        return "not a tag: " + printable(intent.tag);
    if (!is_model(intent.resources.gpus.model))
        return "not a GPU model: " + printable(intent.resources.gpus.model);
    if (!is_model(intent.resources.architecture))
        return "not an architecture: " + printable(intent.resources.architecture);
    if (!intent.directory.starts_with('/'))
        return "not an absolute path: " + printable(intent.directory);
    return {};
}

// Some sites print lines around the id: the last line that is "ID" or "ID;CLUSTER" counts. Of an
// answer that was cut only whole lines are read.
bool find_id(const Outcome& outcome, jobs::SubmitOutcome& found) {
    std::string_view text = outcome.output;
    if (outcome.timed_out || outcome.truncated || outcome.exit_code < 0)
        text = text.substr(0, text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n'));
    for (const auto raw : split(text, '\n')) {
        const auto line = trim(raw);
        const auto mark = line.find(';');
        const auto id = line.substr(0, mark);
        const auto cluster = mark == std::string_view::npos ? "" : line.substr(mark + 1);
        if (!to_number<std::uint64_t>(id) || !is_model(cluster) ||
            (mark != std::string_view::npos && cluster.empty()))
            continue;
        found.batch_id = id;
        found.cluster = cluster;
    }
    return !found.batch_id.empty();
}

}  // namespace

Action Slurm::submit(const jobs::SubmitIntent& intent) const {
    Action action = query("sbatch", "submit");
    action.account = intent.account;
    // These end up in the batch job (--export=ALL), and are of no use to it.
    for (const auto name : {"LC_ALL", "TZ", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN"})
        if (!settings_.environment.contains(name))
            action.environment.erase(name);
    action.time_limit = settings_.submit_time_limit;
    Options options = settings_.options;
    for (const auto& [name, value] : intent.directives)
        options[name] = value;
    action.refused = refusal(options, intent);
    add_shape(options, intent);
    add_devices(options, intent.resources, settings_.architectures);
    add_identity(options, intent);
    for (const auto& [name, value] : options) {
        if (!is_value(value) && action.refused.empty())
            action.refused = "the value of --" + name + " has characters that Slurm must not get";
        action.command.push_back("--" + name + (value.empty() ? "" : "=" + value));
    }
    action.input = intent.wrapper;
    return action;
}

jobs::SubmitOutcome Slurm::read_submit(const Outcome& outcome) const {
    using Kind = jobs::SubmitOutcome::Kind;
    jobs::SubmitOutcome result;
    result.message = printable(trim(outcome.error));
    if (!outcome.started) {  // sbatch never ran
        result.kind = Kind::rejected;
        result.retry = true;
        return result;
    }
    if (find_id(outcome, result)) {
        result.kind = Kind::accepted;
        return result;
    }
    // Ended by a signal, out of time, or "success" without an id: nobody knows.
    if (outcome.timed_out || outcome.exit_code <= 0)
        return result;
    const auto verdict = slurm::verdict_of(outcome.error, settings_.rejections);
    if (verdict != slurm::Verdict::unknown)
        result.kind = Kind::rejected;
    result.retry = verdict == slurm::Verdict::retry;
    return result;
}

}  // namespace berth::sites
