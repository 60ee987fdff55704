// The role cache: its folder, its servers and the service, and what operators see of it.
#pragma once

#include "api/cache_admin.hpp"
#include "api/cache_health.hpp"
#include "app/common.hpp"
#include "app/settings.hpp"
#include "store/object_files.hpp"

#include <memory>

namespace berth::app {

// Threads: the control loop. Lifetime: stop() must end before it dies.
class CacheRole {
public:
    explicit CacheRole(Common common) : common_(common) {}

    // Opens the folder and loads the index. Errors: conflict (another daemon), unavailable.
    Result<void> open(const config::Config& config);
    void reload(const config::Config& config);
    boost::asio::awaitable<void> stop();

    cache::CacheService& service() { return *service_; }

private:
    Common common_;
    boost::asio::thread_pool disk_{4};  // of its own: a slow session root must not delay nodes
    std::unique_ptr<store::ObjectFiles> files_;
    std::unique_ptr<transfers::OriginUpstream> upstream_;
    std::unique_ptr<cache::CacheService> service_;
    std::unique_ptr<api::CacheHealth> health_;
    std::unique_ptr<api::CacheAdmin> admin_;
};

}  // namespace berth::app
