#include "jobs/limits.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace berth::jobs {

namespace {

Error refused(std::string field, std::string message) {
    return Error{ErrorKind::unprocessable, std::move(message), std::move(field)};
}

Error over(std::string field, std::string what, const std::string& queue, unsigned asked,
           unsigned most, const std::string& unit) {
    return refused(std::move(field), "queue \"" + queue + "\" permits at most " +
                                         std::to_string(most) + unit + " of " + what + ", " +
                                         std::to_string(asked) + unit + " were asked for");
}

bool permitted(const Owner& owner, const std::string& queue) {
    return owner.queues.empty() || std::ranges::find(owner.queues, queue) != owner.queues.end();
}

const QueuePolicy* policy_of(const PlacementRules& rules, const std::string& name) {
    const auto found = std::ranges::find(rules.policies, name, &QueuePolicy::name);
    return found == rules.policies.end() ? nullptr : &*found;
}

const QueueLimits* limits_of(const SiteLimits& limits, const std::string& name) {
    const auto found = std::ranges::find(limits.queues, name, &QueueLimits::name);
    return found == limits.queues.end() ? nullptr : &*found;
}

// The queue for a request that names none.
std::string default_queue(const Owner& owner, const SiteLimits& limits,
                          const PlacementRules& rules) {
    if (!owner.queues.empty())
        return owner.queues.front();
    for (const auto& policy : rules.policies)
        if (policy.is_default)
            return policy.name;
    if (!rules.policies.empty())
        return rules.policies.front().name;
    for (const auto& queue : limits.queues)
        if (queue.is_default)
            return queue.name;
    return limits.queues.empty() ? std::string() : limits.queues.front().name;
}

// The site's default, cut to what the queue permits; without one, what the policy permits: the
// batch system's own default may be longer.
unsigned default_wall_time(const PlacementRules& rules, const QueuePolicy* policy,
                           const QueueLimits* queue) {
    auto seconds = rules.wall_time_default_s;
    if (seconds == 0 && queue != nullptr)
        seconds = queue->wall_time_default_s;
    if (policy != nullptr && policy->wall_time_max_s != 0)
        seconds =
            seconds == 0 ? policy->wall_time_max_s : std::min(seconds, policy->wall_time_max_s);
    if (queue != nullptr && queue->wall_time_max_s != 0)
        seconds = std::min(seconds, queue->wall_time_max_s);
    return seconds;
}

// Fills what follows from the rest, and refuses what contradicts itself.
Result<Resources> complete(Resources resources) {
    resources.nodes = std::max(resources.nodes, 1U);
    const auto all =
        static_cast<unsigned long long>(resources.nodes) * std::max(resources.slots_per_node, 1U);
    if (all > std::numeric_limits<unsigned>::max())
        return refused("resources.slots_per_node", "nodes times slots_per_node is too large");
    if (resources.slots == 0)
        resources.slots = static_cast<unsigned>(all);
    if (resources.slots < resources.nodes)
        return refused("resources.slots", "there must be at least one slot for each node");
    if (resources.slots_per_node == 0)
        resources.slots_per_node = (resources.slots + resources.nodes - 1) / resources.nodes;
    const auto most = static_cast<unsigned long long>(resources.slots_per_node) * resources.nodes;
    if (most < resources.slots)
        return refused("resources.slots_per_node",
                       "nodes times slots_per_node must not be below slots");
    return resources;
}

// `slots_field` is the field that says how many slots a node is to give.
Result<void> check_limits(const Resources& wanted, const QueueLimits& queue,
                          const std::string& name, const std::string& slots_field) {
    const auto node_memory =
        static_cast<unsigned long long>(wanted.memory_per_slot_mb) * wanted.slots_per_node;
    if (queue.wall_time_max_s != 0 && wanted.wall_time_s > queue.wall_time_max_s)
        return over("resources.wall_time_s", "wall time", name, wanted.wall_time_s,
                    queue.wall_time_max_s, " s");
    if (queue.nodes_max != 0 && wanted.nodes > queue.nodes_max)
        return over("resources.nodes", "nodes", name, wanted.nodes, queue.nodes_max, "");
    if (queue.slots_per_node_max != 0 && wanted.slots_per_node > queue.slots_per_node_max)
        return over(slots_field, "slots per node", name, wanted.slots_per_node,
                    queue.slots_per_node_max, "");
    if (queue.slots_max != 0 && wanted.slots > queue.slots_max)
        return over("resources.slots", "slots", name, wanted.slots, queue.slots_max, "");
    if (queue.memory_per_node_max_mb != 0 && node_memory > queue.memory_per_node_max_mb)
        return refused("resources.memory_per_slot_mb",
                       "a node of queue \"" + name + "\" has " +
                           std::to_string(queue.memory_per_node_max_mb) + " MB, " +
                           std::to_string(node_memory) + " MB per node were asked for");
    if (wanted.gpus.count > queue.gpus_per_node_max)
        return over("resources.gpus.count", "GPUs per node", name, wanted.gpus.count,
                    queue.gpus_per_node_max, "");
    if (wanted.gpus.count > 0 && !wanted.gpus.model.empty() &&
        std::ranges::find(queue.gpu_models, wanted.gpus.model) == queue.gpu_models.end())
        return refused("resources.gpus.model", "queue \"" + name + "\" has no GPU of model \"" +
                                                   printable(wanted.gpus.model, 60) +
                                                   "\" (it has: " + join(queue.gpu_models, ", ") +
                                                   ")");
    if (!wanted.architecture.empty() &&
        std::ranges::find(queue.features, wanted.architecture) == queue.features.end())
        return refused("resources.architecture", "queue \"" + name +
                                                     "\" has no nodes of architecture \"" +
                                                     printable(wanted.architecture, 60) + "\"");
    return {};
}

Result<void> check_policy(const Resources& wanted, const QueuePolicy& policy) {
    const auto& name = policy.name;
    if (policy.wall_time_max_s != 0 && wanted.wall_time_s > policy.wall_time_max_s)
        return over("resources.wall_time_s", "wall time", name, wanted.wall_time_s,
                    policy.wall_time_max_s, " s");
    if (policy.nodes_max != 0 && wanted.nodes > policy.nodes_max)
        return over("resources.nodes", "nodes", name, wanted.nodes, policy.nodes_max, "");
    if (policy.slots_max != 0 && wanted.slots > policy.slots_max)
        return over("resources.slots", "slots", name, wanted.slots, policy.slots_max, "");
    if (policy.memory_per_slot_max_mb != 0 &&
        wanted.memory_per_slot_mb > policy.memory_per_slot_max_mb)
        return over("resources.memory_per_slot_mb", "memory per slot", name,
                    wanted.memory_per_slot_mb, policy.memory_per_slot_max_mb, " MB");
    if (policy.gpus_max != 0 && wanted.gpus.count > policy.gpus_max)
        return over("resources.gpus.count", "GPUs per node", name, wanted.gpus.count,
                    policy.gpus_max, "");
    return {};
}

}  // namespace

Result<Placement> place(const Request& request, const Owner& owner, const SiteLimits& limits,
                        const PlacementRules& rules) {
    Placement placement;
    placement.queue = request.queue.empty() ? default_queue(owner, limits, rules) : request.queue;
    const auto* policy = policy_of(rules, placement.queue);
    const auto shown = printable(placement.queue, 60);
    if (!rules.policies.empty() && policy == nullptr)
        return refused("queue", "there is no queue \"" + shown + "\"; GET /v1/site lists them");
    placement.batch_queue =
        policy != nullptr && !policy->batch_queue.empty() ? policy->batch_queue : placement.queue;
    const auto* queue = limits_of(limits, placement.batch_queue);
    if (!limits.queues.empty() && queue == nullptr)
        return refused("queue", "there is no queue \"" + shown + "\"; GET /v1/site lists them");
    if (!permitted(owner, placement.queue))
        return refused("queue", "this identity may not use queue \"" + shown +
                                    "\"; it may use: " + join(owner.queues, ", "));

    auto resources = complete(request.resources);
    if (!resources)
        return resources.error();
    placement.resources = std::move(*resources);
    auto& wall_time = placement.resources.wall_time_s;
    if (wall_time == 0)
        wall_time = default_wall_time(rules, policy, queue);
    if (placement.resources.warning_s != 0 && wall_time != 0 &&
        placement.resources.warning_s >= wall_time)
        return refused("resources.warning_s", "the warning must come before the wall time ends");
    if (policy != nullptr) {
        placement.options = policy->options;
        if (auto fits = check_policy(placement.resources, *policy); !fits)
            return fits.error();
    }
    const bool per_node = request.resources.slots_per_node != 0;
    const std::string slots_field = per_node ? "resources.slots_per_node" : "resources.slots";
    if (queue != nullptr)
        if (auto fits = check_limits(placement.resources, *queue, placement.queue, slots_field);
            !fits)
            return fits.error();
    return placement;
}

std::uint64_t directives_hash(const Owner& owner, const Placement& placement,
                              const std::string& project) {
    const auto& r = placement.resources;
    std::string text;
    for (const auto& part : {owner.account, owner.batch_account, placement.queue,
                             placement.batch_queue, project, r.gpus.model, r.architecture})
        text += part + '\n';
    for (const unsigned part : {r.nodes, r.slots, r.slots_per_node, r.memory_per_slot_mb,
                                r.wall_time_s, r.gpus.count, r.exclusive ? 1U : 0U, r.warning_s})
        text += std::to_string(part) + '\n';
    for (const auto& [name, value] : placement.options)
        text += name + '=' + value + '\n';
    return std::hash<std::string>()(text);
}

}  // namespace berth::jobs
