// The node door's own endpoints: what wrappers on worker nodes tell the gateway.
#pragma once

#include "base/networks.hpp"
#include "jobs/engine.hpp"
#include "net/server.hpp"

#include <functional>
#include <string>
#include <vector>

namespace berth::api {

// Threads: the control loop. Lifetime: the engine outlives it.
class NodeApi {
public:
    NodeApi(jobs::Engine& engine, std::vector<Network> networks,
            std::function<std::string(std::string_view)> sha256_hex)
        : engine_(engine), networks_(std::move(networks)), sha256_hex_(std::move(sha256_hex)) {}
    void reload(std::vector<Network> networks) { networks_ = std::move(networks); }

    // POST /berth/v1/events/(started|alive|ended)?tag=TAG&index=N with the job's secret as bearer:
    // 204. GET /berth/v1/ping: 204. A source address outside the networks gets 403.
    boost::asio::awaitable<http::Response> handle(net::Request& request);

private:
    http::Response event(const net::Request& request, const std::string& kind);

    jobs::Engine& engine_;
    std::vector<Network> networks_;
    std::function<std::string(std::string_view)> sha256_hex_;
};

}  // namespace berth::api
