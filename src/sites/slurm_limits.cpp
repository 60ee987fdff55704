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

// One queue of several clusters: sbatch takes a cluster where the job fits, so the widest counts.
void widen(QueueLimits& queue, const QueueLimits& other) {
    const auto wider = [](unsigned one, unsigned two) {  // 0 = no limit
        return one == 0 || two == 0 ? 0 : std::max(one, two);
    };
    queue.is_default = queue.is_default || other.is_default;
    queue.up = queue.up || other.up;
    queue.wall_time_max_s = wider(queue.wall_time_max_s, other.wall_time_max_s);
    queue.nodes_max = wider(queue.nodes_max, other.nodes_max);
    queue.slots_max = wider(queue.slots_max, other.slots_max);
    queue.slots_per_node_max = wider(queue.slots_per_node_max, other.slots_per_node_max);
    queue.memory_per_node_max_mb =
        wider(queue.memory_per_node_max_mb, other.memory_per_node_max_mb);
}

void read_partitions(std::string_view text, std::vector<QueueLimits>& queues) {
    for (const auto line : split(text, '\n')) {
        auto queue = read_partition(line);
        if (!queue)
            continue;
        const auto known = std::ranges::find(queues, queue->name, &QueueLimits::name);
        if (known != queues.end())
            widen(*known, *queue);
        else if (queues.size() < queues_max)
            queues.push_back(std::move(*queue));
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

// scontrol takes one cluster at a time ("fatal: Only one cluster can be used", seen on 22.05.8).
Action Slurm::show(std::size_t cluster, const std::vector<std::string>& what) const {
    Action action = query("scontrol", "limits");
    if (!settings_.clusters.empty())
        action.command.back() =
            "--clusters=" + std::string(split(settings_.clusters, ',')[cluster]);
    action.command.insert(action.command.end(), what.begin(), what.end());
    return action;
}

Action Slurm::config() const {
    return show(0, {"show", "config"});
}

Action Slurm::token(std::chrono::seconds lifespan) const {
    Action action = query("scontrol", "token");
    action.command.resize(1);  // of the local cluster, where slurmrestd is
    action.command.insert(action.command.end(),
                          {"token", "lifespan=" + std::to_string(lifespan.count())});
    return action;
}

// For each cluster the configuration, then for each its partitions; the rest are for all.
std::vector<Action> Slurm::limits() const {
    std::vector<Action> all;
    const auto clusters = split(settings_.clusters, ',').size();
    for (std::size_t i = 0; i < clusters; ++i)
        all.push_back(show(i, {"show", "config"}));
    for (std::size_t i = 0; i < clusters; ++i)
        all.push_back(show(i, {"--oneliner", "show", "partition"}));
    Action nodes = query("sinfo", "limits");
    // --exact: one line for each kind of node, not the smallest values of all ("8+").
    nodes.command.insert(nodes.command.end(),
                         {"--noheader", "--exact", "--format=%R|%D|%c|%m|%G|%f"});
    all.push_back(std::move(nodes));
    if (settings_.history == SlurmSettings::History::never)
        return all;
    Action qos = query("sacctmgr", "limits");
    if (!settings_.clusters.empty())
        qos.command.resize(1);  // sacctmgr knows no --clusters
    qos.command.insert(qos.command.end(), {"--noheader", "--parsable2", "--readonly", "show", "qos",
                                           "format=Name,MaxSubmitPU,MaxJobsPU,MaxWall"});
    all.push_back(std::move(qos));
    return all;
}

// What the configuration says; of several clusters the first one has told the rest already.
Result<void> Slurm::read_settings(std::string_view text, bool first, SiteLimits& limits) const {
    const auto config = read_config(text);
    const auto version = config.find("SLURM_VERSION");
    if (version == config.end())
        return Error{ErrorKind::unavailable, "scontrol show config without SLURM_VERSION"};
    const auto array_size_max = leading_number(config, "MaxArraySize", 1001);
    const auto min_job_age_s = leading_number(config, "MinJobAge", 300);
    const auto command_timeout_s = leading_number(config, "MessageTimeout", 10);
    if (!first) {
        limits.array_size_max = std::min(limits.array_size_max, array_size_max);
        limits.min_job_age_s = std::min(limits.min_job_age_s, min_job_age_s);
        limits.command_timeout_s = std::max(limits.command_timeout_s, command_timeout_s);
        return {};
    }
    limits.version = "slurm " + version->second;
    limits.array_size_max = array_size_max;
    limits.jobs_max = leading_number(config, "MaxJobCount", 0);
    limits.min_job_age_s = min_job_age_s;
    limits.command_timeout_s = command_timeout_s;
    const auto storage = config.find("AccountingStorageType");
    limits.has_history =
        settings_.history == SlurmSettings::History::always ||
        (settings_.history == SlurmSettings::History::automatic && storage != config.end() &&
         storage->second != "(null)" && storage->second != "accounting_storage/none");
    for (const auto key : {"ClusterName", "PrivateData", "JobSubmitPlugins", "EnforcePartLimits"})
        if (const auto found = config.find(key); found != config.end())
            limits.details[key] = found->second;
    return {};
}

Result<SiteLimits> Slurm::read_limits(const std::vector<Outcome>& outcomes) const {
    const auto clusters = split(settings_.clusters, ',').size();
    const auto nodes = 2 * clusters;  // outcomes before it are of scontrol
    if (outcomes.size() <= nodes)
        return Error{ErrorKind::internal, "limits without an outcome"};
    for (std::size_t i = 0; i <= nodes; ++i)
        if (auto failed = slurm::query_error(outcomes[i]))
            return std::move(*failed);
    SiteLimits limits;
    for (std::size_t i = 0; i < clusters; ++i) {
        if (const auto read = read_settings(outcomes[i].output, i == 0, limits); !read)
            return read.error();
        read_partitions(outcomes[clusters + i].output, limits.queues);
    }
    read_nodes(outcomes[nodes].output, limits.queues);
    // The accounts' limits are only shown; a site without slurmdbd has none.
    if (outcomes.size() > nodes + 1 && !slurm::query_error(outcomes[nodes + 1]))
        read_qos(outcomes[nodes + 1].output, limits);
    return limits;
}

}  // namespace berth::sites
