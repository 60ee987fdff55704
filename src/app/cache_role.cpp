#include "app/cache_role.hpp"

namespace berth::app {

Result<void> CacheRole::open(const config::Config& config) {
    auto settings = cache_settings(config);
    if (!settings)
        return settings.error();
    auto files = store::ObjectFiles::open(config.cache.path);
    if (!files)
        return std::move(files.error()).within("cache.path");
    files_ = std::move(*files);
    upstream_ = std::make_unique<transfers::OriginUpstream>(common_.loop, upstream_settings(config),
                                                            common_.clock, common_.metrics);
    const cache::CacheService::Parts parts{common_.loop, disk_,         *upstream_,
                                           *files_,      common_.clock, common_.metrics};
    service_ = std::make_unique<cache::CacheService>(parts, std::move(*settings));
    if (auto started = service_->start(); !started)
        return std::move(started.error()).within("cache.path");
    health_ = std::make_unique<api::CacheHealth>(*service_, common_.metrics, common_.clock);
    common_.health.add(*health_);
    admin_ = std::make_unique<api::CacheAdmin>(*service_, common_.clock, common_.admin);
    return {};
}

void CacheRole::reload(const config::Config& config) {
    service_->reload(config.cache.free_bytes_min, cache_destinations(config));
}

boost::asio::awaitable<void> CacheRole::stop() {
    if (service_)
        co_await service_->stop();
    disk_.join();
}

}  // namespace berth::app
