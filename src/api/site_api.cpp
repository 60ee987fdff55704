#include "api/site_api.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::api {

using nlohmann::json;

namespace {

json limit(std::uint64_t value) {
    if (value == 0)
        return nullptr;
    return value;
}

unsigned narrower(unsigned policy, unsigned batch) {
    if (policy == 0 || batch == 0)
        return std::max(policy, batch);
    return std::min(policy, batch);
}

json queue_json(const jobs::QueuePolicy& policy, const jobs::QueueLimits& batch, bool first) {
    return {{"name", policy.name},
            {"default", first},
            {"up", batch.up},
            {"wall_time_max_s", limit(narrower(policy.wall_time_max_s, batch.wall_time_max_s))},
            {"wall_time_default_s", limit(batch.wall_time_default_s)},
            {"nodes_max", limit(narrower(policy.nodes_max, batch.nodes_max))},
            {"slots_max", limit(narrower(policy.slots_max, batch.slots_max))},
            {"slots_per_node_max", limit(batch.slots_per_node_max)},
            {"memory_per_node_max_mb", limit(batch.memory_per_node_max_mb)},
            {"gpus_per_node_max", narrower(policy.gpus_max, batch.gpus_per_node_max)},
            {"gpu_models", batch.gpu_models},
            {"architectures", batch.features}};
}

// The queues of the site: those of the configuration, or else those of the batch system.
std::vector<jobs::QueuePolicy> policies_of(jobs::Engine& engine) {
    auto policies = engine.settings().placement.policies;
    if (!policies.empty())
        return policies;
    for (const auto& queue : engine.limits().queues)
        policies.push_back({.name = queue.name, .batch_queue = {}, .is_default = queue.is_default});
    return policies;
}

json queues_json(jobs::Engine& engine, const jobs::Owner& owner) {
    json queues = json::array();
    auto policies = policies_of(engine);
    if (!owner.queues.empty()) {
        // In the mapping's order: its first is the default.
        std::vector<jobs::QueuePolicy> permitted;
        for (const auto& name : owner.queues) {
            const auto found = std::ranges::find(policies, name, &jobs::QueuePolicy::name);
            if (found != policies.end()) {
                permitted.push_back(*found);
                permitted.back().is_default = permitted.size() == 1;
            }
        }
        policies = std::move(permitted);
    }
    for (const auto& policy : policies) {
        const auto& name = policy.batch_queue.empty() ? policy.name : policy.batch_queue;
        const auto& known = engine.limits().queues;
        const auto found = std::ranges::find(known, name, &jobs::QueueLimits::name);
        const jobs::QueueLimits none{.name = name, .is_default = false, .up = false};
        queues.push_back(
            queue_json(policy, found == known.end() ? none : *found, policy.is_default));
    }
    return queues;
}

}  // namespace

json site_json(jobs::Service& service, const SiteDescription& site, const RequestLimits& limits,
               const Caller& caller) {
    auto& engine = service.engine();
    json destinations = json::array();
    for (const auto& place : site.destinations)
        destinations.push_back({{"host", place.host},
                                {"port", place.port},
                                {"protocol", place.protocol},
                                {"note", place.note.empty() ? json(nullptr) : json(place.note)}});
    const auto& version = engine.limits().version;
    const auto own_max = caller.owner.jobs_max != 0 ? std::size_t{caller.owner.jobs_max}
                                                    : service.settings().jobs_max_per_identity;
    return {
        {"name", site.name},
        {"description", site.description.empty() ? json(nullptr) : json(site.description)},
        {"version", BERTH_VERSION},
        {"batch",
         {{"plugin", site.plugin}, {"version", version.empty() ? json(nullptr) : json(version)}}},
        {"account", caller.owner.account},
        {"queues", queues_json(engine, caller.owner)},
        {"limits",
         {{"count_max", limits.count_max},
          {"jobs_per_request_max", limits.bulk_max},
          {"array_size_max", std::max(1U, engine.limits().array_size_max)},
          {"script_bytes_max", limits.script_bytes_max},
          {"body_bytes_max", limits.body_bytes_max},
          {"file_bytes_max", limit(limits.file_bytes_max)},
          {"jobs_active_max", limit(own_max)}}},
        {"connectivity",
         {{"destinations", std::move(destinations)}, {"shared_paths", site.shared_paths}}}};
}

}  // namespace berth::api
