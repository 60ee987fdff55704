// scontrol, sinfo and sacctmgr: what the site permits.
#include "base/text.hpp"
#include "sites/slurm.hpp"
#include "sites/slurm_words.hpp"

#include <algorithm>

namespace berth::sites {

using jobs::QueueLimits;
using jobs::SiteLimits;

namespace {

constexpr std::size_t queues_max = 1000;

// "Name = value" lines of `scontrol show config`.
std::map<std::string, std::string> read_config(std::string_view text) {
    std::map<std::string, std::string> config;
    for (const auto line : split(text, '\n')) {
        const auto mark = line.find('=');
        if (mark != std::string_view::npos && config.size() < 2000)
            config.emplace(trim(line.substr(0, mark)), trim(line.substr(mark + 1)));
    }
    return config;
}

// "10 sec", "10001"
unsigned leading_number(const std::map<std::string, std::string>& config, const char* key,
                        unsigned otherwise) {
    const auto found = config.find(key);
    if (found == config.end())
        return otherwise;
    const std::string_view text = found->second;
    return to_number<unsigned>(text.substr(0, text.find(' '))).value_or(otherwise);
}

// "Key=value Key=value" of `scontrol show partition -o`.
std::map<std::string_view, std::string_view> read_pairs(std::string_view line) {
    std::map<std::string_view, std::string_view> pairs;
    for (const auto word : split(line, ' ')) {
        const auto mark = word.find('=');
        if (mark != std::string_view::npos)
            pairs.emplace(word.substr(0, mark), word.substr(mark + 1));
    }
    return pairs;
}

unsigned number_or_none(std::string_view text) {
    return to_number<unsigned>(text).value_or(0);
}

std::optional<QueueLimits> read_partition(std::string_view line) {
    auto pairs = read_pairs(line);
    if (pairs["PartitionName"].empty())
        return std::nullopt;
    QueueLimits queue;
    queue.name = pairs["PartitionName"];
    queue.is_default = pairs["Default"] == "YES";
    // A partition that is DOWN takes batch jobs and keeps them pending; the others refuse them.
    queue.up = pairs["State"] == "UP";
    queue.wall_time_max_s = slurm::duration_s(pairs["MaxTime"]).value_or(0);
    queue.wall_time_default_s = slurm::duration_s(pairs["DefaultTime"]).value_or(0);
    queue.nodes_max = number_or_none(pairs["MaxNodes"]);
    if (const unsigned all = number_or_none(pairs["TotalNodes"]); queue.nodes_max == 0)
        queue.nodes_max = all;
    queue.slots_max = number_or_none(pairs["TotalCPUs"]);
    queue.slots_per_node_max = number_or_none(pairs["MaxCPUsPerNode"]);
    queue.memory_per_node_max_mb = number_or_none(pairs["MaxMemPerNode"]);
    return queue;
}

void add_once(std::vector<std::string>& list, std::string_view value) {
    if (!value.empty() && value != "(null)" && std::ranges::find(list, value) == list.end())
        list.emplace_back(value);
}

// "gpu:a100:4(S:0-1),gpu:2,tmp:1" -> the number of GPUs and their models.
void read_gres(std::string_view text, QueueLimits& queue) {
    unsigned total = 0;
    for (auto entry : split(text, ',')) {
        entry = entry.substr(0, entry.find('('));
        const auto parts = split(entry, ':');
        if (parts[0] != "gpu")
            continue;
        const auto count =
            parts.size() == 1 ? std::optional(1U) : to_number<unsigned>(parts.back());
        total += count.value_or(1);
        if (parts.size() == 3 || (parts.size() == 2 && !count))
            add_once(queue.gpu_models, parts[1]);
    }
    queue.gpus_per_node_max = std::max(queue.gpus_per_node_max, total);
}

// A lower limit of the partition itself stands.
unsigned lower(unsigned limit, unsigned largest) {
    return limit == 0 ? largest : std::min(limit, largest);
}

struct Largest {
    unsigned slots = 0, memory_mb = 0;
};

// "partition|nodes|cpus|memory|gres|features", one line for each kind of node.
void read_nodes(std::string_view text, std::vector<QueueLimits>& queues) {
    std::map<std::string_view, Largest> largest;
    for (const auto line : split(text, '\n')) {
        const auto parts = split(line, '|');
        const auto queue = parts.size() == 6
                               ? std::ranges::find(queues, parts[0], &QueueLimits::name)
                               : queues.end();
        if (queue == queues.end())
            continue;
        auto& most = largest[parts[0]];
        most.slots = std::max(most.slots, number_or_none(parts[2]));
        most.memory_mb = std::max(most.memory_mb, number_or_none(parts[3]));
        read_gres(parts[4], *queue);
        for (const auto feature : split(parts[5], ','))
            add_once(queue->features, feature);
    }
    for (auto& queue : queues) {
        const auto& most = largest[queue.name];
        queue.slots_per_node_max = lower(queue.slots_per_node_max, most.slots);
        queue.memory_per_node_max_mb = lower(queue.memory_per_node_max_mb, most.memory_mb);
    }
}

// "name|max submitted per user|max running per user|max wall time"
void read_qos(std::string_view text, SiteLimits& limits) {
    for (const auto line : split(text, '\n')) {
        const auto parts = split(line, '|');
        if (parts.size() < 4 || parts[0].empty() || limits.details.size() > 200)
            continue;
        limits.details["qos." + std::string(parts[0])] =
            "max_submit_per_user=" + std::string(parts[1]) +
            " max_jobs_per_user=" + std::string(parts[2]) + " max_wall=" + std::string(parts[3]);
    }
}

}  // namespace

Action Slurm::config() const {
    Action action = query("scontrol", "limits");
    action.command.insert(action.command.end(), {"show", "config"});
    return action;
}

Action Slurm::token(std::chrono::seconds lifespan) const {
    Action action = query("scontrol", "token");
    action.command.resize(1);  // of the local cluster, where slurmrestd is
    action.command.insert(action.command.end(),
                          {"token", "lifespan=" + std::to_string(lifespan.count())});
    return action;
}

std::vector<Action> Slurm::limits() const {
    Action partitions = query("scontrol", "limits");
    partitions.command.insert(partitions.command.end(), {"--oneliner", "show", "partition"});
    Action nodes = query("sinfo", "limits");
    // --exact: one line for each kind of node, not the smallest values of all ("8+").
    nodes.command.insert(nodes.command.end(),
                         {"--noheader", "--exact", "--format=%R|%D|%c|%m|%G|%f"});
    if (settings_.history == SlurmSettings::History::never)
        return {config(), partitions, nodes};
    Action qos = query("sacctmgr", "limits");
    if (!settings_.clusters.empty())
        qos.command.resize(1);  // sacctmgr knows no --clusters
    qos.command.insert(qos.command.end(), {"--noheader", "--parsable2", "--readonly", "show", "qos",
                                           "format=Name,MaxSubmitPU,MaxJobsPU,MaxWall"});
    return {config(), partitions, nodes, qos};
}

Result<SiteLimits> Slurm::read_limits(const std::vector<Outcome>& outcomes) const {
    if (outcomes.size() < 3)
        return Error{ErrorKind::internal, "limits without an outcome"};
    for (std::size_t i = 0; i < 3; ++i)
        if (auto failed = slurm::query_error(outcomes[i]))
            return std::move(*failed);
    const auto config = read_config(outcomes[0].output);
    const auto version = config.find("SLURM_VERSION");
    if (version == config.end())
        return Error{ErrorKind::unavailable, "scontrol show config without SLURM_VERSION"};
    SiteLimits limits;
    limits.version = "slurm " + version->second;
    limits.array_size_max = leading_number(config, "MaxArraySize", 1001);
    limits.jobs_max = leading_number(config, "MaxJobCount", 0);
    limits.min_job_age_s = leading_number(config, "MinJobAge", 300);
    limits.command_timeout_s = leading_number(config, "MessageTimeout", 10);
    const auto storage = config.find("AccountingStorageType");
    limits.has_history =
        settings_.history == SlurmSettings::History::always ||
        (settings_.history == SlurmSettings::History::automatic && storage != config.end() &&
         storage->second != "(null)" && storage->second != "accounting_storage/none");
    for (const auto key : {"ClusterName", "PrivateData", "JobSubmitPlugins", "EnforcePartLimits"})
        if (const auto found = config.find(key); found != config.end())
            limits.details[key] = found->second;
    for (const auto line : split(outcomes[1].output, '\n'))
        if (auto queue = read_partition(line); queue && limits.queues.size() < queues_max)
            limits.queues.push_back(std::move(*queue));
    read_nodes(outcomes[2].output, limits.queues);
    // The accounts' limits are only shown; a site without slurmdbd has none.
    if (outcomes.size() > 3 && !slurm::query_error(outcomes[3]))
        read_qos(outcomes[3].output, limits);
    return limits;
}

}  // namespace berth::sites
