#include "api/cache_health.hpp"

namespace berth::api {

std::vector<Dependency> CacheHealth::dependencies() const {
    std::vector<Dependency> all;
    const auto now = clock_.wall();
    const auto status = cache_.status();
    // With a faulty disk objects are still fetched and served.
    Dependency disk{.name = "cache_disk", .state = status.problem.empty() ? "ok" : "degraded"};
    disk.error = status.problem;
    if (status.problem.empty())
        disk.last_success = now;
    all.push_back(std::move(disk));
    for (const auto& repository : cache_.repositories().health()) {
        if (!repository.judged)
            continue;
        Dependency entry{.name = "repository:" + repository.name};
        const bool served = repository.revision > 0;
        if (repository.offline)
            entry.state = served ? "degraded" : "down";
        else if (repository.verified)
            entry.state = "ok";
        entry.last_success = repository.verified;
        entry.error = repository.error;
        all.push_back(std::move(entry));
    }
    for (const auto& server : cache_.servers()) {
        Dependency entry{.name = "server:" + server.name};
        entry.state = server.error.empty() ? "ok" : "degraded";
        entry.error = server.error;
        entry.last_success = server.last_success;
        all.push_back(std::move(entry));
    }
    return all;
}

void CacheHealth::refresh_gauges() {
    const auto now = clock_.wall();
    const auto status = cache_.status();
    const auto set = [this](const char* name, auto value) {
        metrics_.set(name, {}, static_cast<double>(value));
    };
    set("berth_cache_disk_bytes", status.disk_bytes);
    set("berth_cache_disk_capacity_bytes", status.disk_capacity);
    set("berth_cache_memory_bytes", status.memory_bytes);
    set("berth_cache_entries", status.entries);
    set("berth_cache_fetches", status.fetches);
    for (const auto& repository : cache_.repositories().health()) {
        if (!repository.judged)
            continue;
        const Labels labels = {{"repository", repository.name}};
        metrics_.set("berth_cache_offline", labels, repository.offline ? 1 : 0);
        metrics_.set("berth_cache_revision", labels, static_cast<double>(repository.revision));
        if (repository.verified) {
            const std::chrono::duration<double> age = now - *repository.verified;
            metrics_.set("berth_cache_manifest_age_seconds", labels, age.count());
        }
        if (repository.whitelist_expires) {
            const std::chrono::duration<double> left = *repository.whitelist_expires - now;
            metrics_.set("berth_cache_whitelist_seconds_left", labels, left.count());
        }
    }
}

}  // namespace berth::api
