// Health: is it alive, is it ready, and what of its surroundings works; and the metrics.
//
// `ready` stays 200 with the batch system down: jobs are accepted and kept. It is 503 while the
// service starts or drains, and when the store refuses to write.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "net/server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace berth::api {

struct Dependency {
    std::string name;
    std::string state = "unknown";  // ok, degraded, down, unknown
    std::optional<WallTime> last_success = {};
    std::string error = {};
};

// What a role of the daemon says of itself.
class HealthSource {
public:
    virtual ~HealthSource() = default;
    virtual std::vector<Dependency> dependencies() const = 0;
    virtual void refresh_gauges() = 0;
    virtual bool failing() const { return false; }  // takes no work until it is mended
    virtual bool drained() const { return false; }  // takes no work because the operator says so
};

struct Certificate {
    std::string name;
    std::optional<std::chrono::system_clock::time_point> end;
};

// Threads: the control loop. Lifetime: all parts and sources outlive it.
class HealthApi {
public:
    struct Parts {
        Metrics& metrics;
        Clock& clock;
        std::function<std::vector<Certificate>()> certificates;
    };
    explicit HealthApi(Parts parts) : parts_(std::move(parts)), started_(parts_.clock.wall()) {}

    void add(HealthSource& source) { sources_.push_back(&source); }
    void set_instance(std::string instance) { instance_ = std::move(instance); }
    void set_serving(bool serving) { serving_ = serving; }
    void set_draining(bool draining) { draining_ = draining; }

    using Answer = boost::asio::awaitable<http::Response>;
    Answer live(net::Request& request);
    Answer ready(net::Request& request);
    Answer brief(net::Request& request);  // without error texts, for the API door
    // The handler of the observe door: /health..., with error texts, and /metrics.
    Answer observe(net::Request& request);

    nlohmann::json details(bool with_errors) const;

private:
    std::vector<Dependency> dependencies() const;
    std::string status(const std::vector<Dependency>& dependencies) const;
    void refresh_gauges();

    Parts parts_;
    WallTime started_;
    std::vector<HealthSource*> sources_;
    std::string instance_;  // of the store; "" without one
    bool serving_ = false;
    bool draining_ = false;
};

}  // namespace berth::api
