// The health of the cache: its disk, each repository.
#pragma once

#include "api/health_api.hpp"
#include "cache/service.hpp"

namespace berth::api {

// Threads: the control loop. Lifetime: all parts outlive it.
class CacheHealth final : public HealthSource {
public:
    CacheHealth(cache::CacheService& cache, Metrics& metrics, Clock& clock)
        : cache_(cache), metrics_(metrics), clock_(clock) {}

    std::vector<Dependency> dependencies() const override;
    void refresh_gauges() override;

private:
    cache::CacheService& cache_;
    Metrics& metrics_;
    Clock& clock_;
};

}  // namespace berth::api
