#include "store/request_json.hpp"

#include <nlohmann/json.hpp>

namespace berth::store {

using nlohmann::json;

std::string to_json(const jobs::Request& request) {
    const auto& r = request.resources;
    json environment = json::array();
    for (const auto& [name, value] : request.environment)
        environment.push_back({name, value});
    const json body = {{"name", request.name},
                       {"arguments", request.arguments},
                       {"environment", environment},
                       {"queue", request.queue},
                       {"project", request.project},
                       {"count", request.count},
                       {"files", request.files},
                       {"nodes", r.nodes},
                       {"slots", r.slots},
                       {"slots_per_node", r.slots_per_node},
                       {"memory_per_slot_mb", r.memory_per_slot_mb},
                       {"wall_time_s", r.wall_time_s},
                       {"gpus", r.gpus.count},
                       {"gpu_model", r.gpus.model},
                       {"architecture", r.architecture},
                       {"exclusive", r.exclusive},
                       {"warning_s", r.warning_s}};
    return body.dump();
}

jobs::Request from_json(const std::string& text, std::string script) {
    const auto body = json::parse(text);
    jobs::Request request;
    request.name = body.at("name");
    request.script = std::move(script);
    request.arguments = body.at("arguments").get<std::vector<std::string>>();
    for (const auto& entry : body.at("environment"))
        request.environment.emplace_back(entry.at(0), entry.at(1));
    request.queue = body.at("queue");
    request.project = body.at("project");
    request.count = body.at("count");
    request.files = body.at("files").get<std::vector<std::string>>();
    auto& r = request.resources;
    r.nodes = body.at("nodes");
    r.slots = body.at("slots");
    r.slots_per_node = body.at("slots_per_node");
    r.memory_per_slot_mb = body.at("memory_per_slot_mb");
    r.wall_time_s = body.at("wall_time_s");
    r.gpus.count = body.at("gpus");
    r.gpus.model = body.at("gpu_model");
    r.architecture = body.at("architecture");
    r.exclusive = body.at("exclusive");
    r.warning_s = body.at("warning_s");
    return request;
}

}  // namespace berth::store
