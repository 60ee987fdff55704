// GET /v1/site: queues and limits as this caller may use them, and what worker nodes can reach.
#pragma once

#include "api/access.hpp"
#include "api/request_json.hpp"
#include "jobs/service.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace berth::api {

struct Destination {
    std::string host;
    unsigned port = 0;
    std::string protocol;
    std::string note;
};

// From the configuration.
struct SiteDescription {
    std::string name = {};
    std::string description = {};
    std::string plugin = {};
    std::vector<std::string> architectures = {};
    std::vector<Destination> destinations = {};
    std::vector<std::string> shared_paths = {};
};

nlohmann::json site_json(jobs::Service& service, const SiteDescription& site,
                         const RequestLimits& limits, const Caller& caller);

}  // namespace berth::api
