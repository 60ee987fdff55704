// The health of the gateway: store, batch system, session root, issuers.
#pragma once

#include "api/health_api.hpp"
#include "auth/authenticator.hpp"
#include "jobs/engine.hpp"
#include "jobs/store.hpp"

#include <vector>

namespace berth::api {

// Threads: the control loop. Lifetime: all parts outlive it.
class GatewayHealth final : public HealthSource {
public:
    struct Parts {
        jobs::Engine& engine;
        jobs::Store& store;
        auth::Authenticator& authenticator;
        Metrics& metrics;
        Clock& clock;
    };
    explicit GatewayHealth(Parts parts) : parts_(parts) {}

    std::vector<Dependency> dependencies() const override;
    void refresh_gauges() override;
    bool failing() const override { return !store_ok(); }
    bool drained() const override { return parts_.engine.drained(); }

private:
    bool store_ok() const { return parts_.store.health().ok && parts_.engine.store_ok(); }
    Dependency of_store() const;
    Dependency of_batch() const;
    Dependency of_session_root() const;

    Parts parts_;
    std::uint64_t transactions_told_ = 0;  // of the store, as far as the metrics have them
};

}  // namespace berth::api
