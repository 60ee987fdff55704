// The node door: what worker nodes ask. By the form of the request: absolute-form and /cvmfs/... go
// to the cache, /berth/... are the gateway's own endpoints.
#pragma once

#include "base/networks.hpp"
#include "cache/service.hpp"
#include "jobs/engine.hpp"
#include "net/server.hpp"

#include <functional>
#include <string>
#include <vector>

namespace berth::api {

// Threads: the control loop. Lifetime: engine and cache outlive it.
class NodeApi {
public:
    struct Parts {
        jobs::Engine* engine = nullptr;        // null: this daemon is no gateway
        cache::CacheService* cache = nullptr;  // null: it is no cache
        std::function<std::string(std::string_view)> sha256_hex;
    };
    NodeApi(Parts parts, std::vector<Network> networks)
        : parts_(std::move(parts)), networks_(std::move(networks)) {}
    void reload(std::vector<Network> networks) { networks_ = std::move(networks); }

    // POST /berth/v1/events/(started|alive|ended)?tag=TAG&index=N with the job's secret as bearer:
    // 204. GET /berth/v1/ping: 204. A source address outside the networks gets 403.
    boost::asio::awaitable<http::Response> handle(net::Request& request);

private:
    http::Response event(const net::Request& request, const std::string& kind);

    Parts parts_;
    std::vector<Network> networks_;
};

}  // namespace berth::api
