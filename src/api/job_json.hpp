// Jobs, events and problems as JSON, in the forms of openapi.json. Pure.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "http/message.hpp"
#include "jobs/rows.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace berth::api {

nlohmann::json job_json(const jobs::JobRow& job, WallTime now);
nlohmann::json event_json(const jobs::EventRow& event);
// A problem as a value, for results of single items.
nlohmann::json problem_value(const Error& error);
// {"id", "status", "problem"}
nlohmann::json refused_json(const std::string& id, const Error& error);

http::Response json_response(int status, const nlohmann::json& body);

}  // namespace berth::api
