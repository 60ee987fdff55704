// The role gateway: store, session files, batch system, engine and the API, built in the order of
// their floors and taken down in reverse.
#pragma once

#include "api/api.hpp"
#include "api/gateway_health.hpp"
#include "api/jobs_admin.hpp"
#include "app/common.hpp"
#include "app/settings.hpp"
#include "jobs/event_bus.hpp"

#include <memory>
#include <string>

namespace berth::app {

// Threads: the control loop. Lifetime: stop() must end before it dies.
class Gateway {
public:
    struct Parts {
        Common common;
        auth::Authenticator& authenticator;
        api::Access& access;
        sites::OwnAccountRunner& runner;
        std::string account;  // of the daemon
    };
    explicit Gateway(Parts parts) : parts_(std::move(parts)) {}

    // Opens store, session root and batch system; registers health and admin calls.
    Async<void> open(const config::Config& config);
    // Takes up the jobs of the store.
    Async<void> start();
    // Before the doors close: long polls and streams end.
    void close_streams();
    boost::asio::awaitable<void> stop();
    void reload(const config::Config& config);

    jobs::Engine& engine() { return *engine_; }
    std::string instance() const { return store_->instance(); }
    boost::asio::awaitable<http::Response> handle(net::Request& request) {
        return api_->handle(request);
    }

private:
    Async<void> open_files(const config::Config& config);
    Result<std::unique_ptr<jobs::BatchSystem>> make_batch(const config::Config& config);

    Parts parts_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<store::OwnFiles> files_;
    std::unique_ptr<jobs::BatchSystem> batch_;
    sites::LocalBatch* local_ = nullptr;  // batch_, when it is the local one
    std::unique_ptr<jobs::EventBus> bus_;
    std::unique_ptr<jobs::UsageKeeper> usage_;
    std::unique_ptr<jobs::Engine> engine_;
    std::unique_ptr<jobs::Service> service_;
    std::unique_ptr<api::GatewayHealth> health_;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<api::JobsAdmin> admin_;
};

}  // namespace berth::app
