#include "api/admin_json.hpp"

#include "api/job_json.hpp"

#include <nlohmann/json.hpp>

namespace berth::api {

using nlohmann::json;

json operator_json(const jobs::JobRow& row, WallTime now) {
    auto body = job_json(row, now);
    body["issuer"] = row.issuer;
    body["subject"] = row.subject;
    body["batch_account"] = row.batch_account;
    return body;
}

json adoption_json(const jobs::Adoption& adoption) {
    json left = json::array();
    for (const auto& entry : adoption.left)
        left.push_back({{"tag", entry.tag},
                        {"job", entry.job_id.empty() ? json(nullptr) : json(entry.job_id)},
                        {"why", entry.why}});
    return {{"adopted", adoption.job_ids},
            {"not_adopted", std::move(left)},
            {"sessions", adoption.sessions}};
}

json stray_json(const jobs::StraySessions& stray) {
    json found = json::array();
    for (const auto& session : stray.found)
        found.push_back({{"job", session.job_id},
                         {"tag", session.tag.empty() ? json(nullptr) : json(session.tag)}});
    return {
        {"unknown", std::move(found)}, {"complete", stray.complete}, {"sessions", stray.sessions}};
}

json limits_json(const jobs::SiteLimits& limits) {
    json queues = json::array();
    for (const auto& queue : limits.queues)
        queues.push_back({{"name", queue.name},
                          {"default", queue.is_default},
                          {"up", queue.up},
                          {"wall_time_max_s", queue.wall_time_max_s},
                          {"nodes_max", queue.nodes_max},
                          {"slots_per_node_max", queue.slots_per_node_max},
                          {"slots_max", queue.slots_max},
                          {"memory_per_node_max_mb", queue.memory_per_node_max_mb},
                          {"gpus_per_node_max", queue.gpus_per_node_max},
                          {"gpu_models", queue.gpu_models},
                          {"features", queue.features}});
    return {{"version", limits.version},
            {"queues", std::move(queues)},
            {"array_size_max", limits.array_size_max},
            {"jobs_max", limits.jobs_max},
            {"min_job_age_s", limits.min_job_age_s},
            {"command_timeout_s", limits.command_timeout_s},
            {"history", limits.has_history},
            {"details", limits.details}};
}

json rules_json(const auth::MappingDecision& decision,
                const std::vector<auth::MappingRule>& rules) {
    json entries = json::array();
    for (const auto& verdict : decision.considered)
        entries.push_back({{"rule", verdict.rule + 1},
                           {"account", rules.at(verdict.rule).account},
                           {"matched", verdict.matched},
                           {"wins", decision.allowed && decision.rule == verdict.rule},
                           {"why", verdict.why}});
    return entries;
}

json explanation_json(const auth::Explanation& explanation,
                      const std::vector<auth::MappingRule>& rules) {
    json body = {{"accepted", explanation.accepted}, {"checks", json::array()}};
    for (const auto& check : explanation.checks)
        body["checks"].push_back(
            {{"check", check.check}, {"ok", check.ok}, {"detail", check.detail}});
    body["error"] = explanation.error ? json(explanation.error->message) : json(nullptr);
    body["header"] = explanation.header;
    body["claims"] = explanation.claims;
    if (!explanation.identity)
        return body;
    const auto decision = auth::map(*explanation.identity, rules);
    body["rules"] = rules_json(decision, rules);
    body["allowed"] = decision.allowed;
    body["account"] = decision.account;
    body["verbs"] = json::array();
    for (const auto verb : decision.verbs)
        body["verbs"].push_back("compute." + std::string(to_string(verb)));
    return body;
}

}  // namespace berth::api
