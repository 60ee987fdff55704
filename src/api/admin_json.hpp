// What berthctl reads, as JSON. Pure.
#pragma once

#include "auth/authenticator.hpp"
#include "auth/mapping.hpp"
#include "jobs/adoption.hpp"
#include "jobs/batch_facts.hpp"
#include "jobs/rows.hpp"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace berth::api {

// A job with its owner.
nlohmann::json operator_json(const jobs::JobRow& row, WallTime now);
nlohmann::json adoption_json(const jobs::Adoption& adoption);
nlohmann::json stray_json(const jobs::StraySessions& stray);
nlohmann::json limits_json(const jobs::SiteLimits& limits);
nlohmann::json rules_json(const auth::MappingDecision& decision,
                          const std::vector<auth::MappingRule>& rules);
nlohmann::json explanation_json(const auth::Explanation& explanation,
                                const std::vector<auth::MappingRule>& rules);

}  // namespace berth::api
