#include "api/gateway_health.hpp"

namespace berth::api {

namespace {

constexpr auto slow_listing = std::chrono::seconds(5);

}  // namespace

Dependency GatewayHealth::of_store() const {
    Dependency entry{.name = "store"};
    const auto message = parts_.store.health().message;
    const bool ok = store_ok();
    entry.state = !ok ? "down" : message.empty() ? "ok" : "degraded";
    if (ok)
        entry.last_success = parts_.clock.wall();
    if (!ok && message.empty())
        entry.error = "some changes are not written yet";
    else
        entry.error = message;
    return entry;
}

Dependency GatewayHealth::of_batch() const {
    const auto& batch = parts_.engine.batch_health();
    Dependency entry{.name = "batch", .state = batch.ok ? "ok" : batch.asked ? "down" : "unknown"};
    if (batch.last_success != SteadyTime())
        entry.last_success = batch.last_success_wall;
    entry.error = batch.message;
    return entry;
}

Dependency GatewayHealth::of_session_root() const {
    Dependency entry{.name = "session_root", .state = "down"};
    entry.error = parts_.engine.files_problem();
    if (!entry.error.empty())
        return entry;
    const auto delay = parts_.engine.files_delay();
    entry.state = delay > slow_listing ? "degraded" : "ok";
    entry.last_success = parts_.clock.wall();
    if (delay > slow_listing) {
        *entry.last_success -= delay;
        entry.error =
            "slow: listing one folder takes " + std::to_string(delay.count() / 1000) + " s";
    }
    return entry;
}

std::vector<Dependency> GatewayHealth::dependencies() const {
    const auto now = parts_.clock.wall();
    std::vector<Dependency> all;
    all.push_back(of_store());
    all.push_back(of_batch());
    all.push_back(of_session_root());
    for (const auto& issuer : parts_.authenticator.health()) {
        Dependency entry{.name = "issuer:" + issuer.issuer};
        const bool fine = !issuer.stale && issuer.last_error.empty();
        entry.state = !issuer.usable ? "down" : fine ? "ok" : "degraded";
        if (issuer.usable)
            entry.last_success = now - issuer.age;
        entry.error = issuer.last_error;
        all.push_back(std::move(entry));
    }
    return all;
}

void GatewayHealth::refresh_gauges() {
    auto& metrics = parts_.metrics;
    metrics.clear("berth_jobs");
    for (const auto& [key, count] : parts_.engine.counts())
        metrics.set("berth_jobs", {{"state", key.first}, {"queue", key.second}},
                    static_cast<double>(count));
    const auto commits = parts_.store.health().commits;
    metrics.add("berth_store_transactions_total", {},
                static_cast<double>(commits - transactions_told_));
    transactions_told_ = commits;
    metrics.set("berth_orphans", {}, static_cast<double>(parts_.engine.orphans().size()));
}

}  // namespace berth::api
