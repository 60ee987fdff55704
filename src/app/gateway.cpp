#include "app/gateway.hpp"

#include "auth/digest.hpp"

namespace berth::app {

namespace asio = boost::asio;

Result<std::unique_ptr<jobs::BatchSystem>> Gateway::make_batch(const config::Config& config) {
    auto& [loop, disk, clock, metrics, health, admin] = parts_.common;
    if (config.jobs.batch == "local") {
        auto local =
            std::make_unique<sites::LocalBatch>(loop, local_settings(config), clock, metrics);
        if (auto started = local->start(); !started)
            return started.error();
        local_ = local.get();
        return std::unique_ptr<jobs::BatchSystem>(std::move(local));
    }
    auto settings = slurm_settings(config, "b" + store_->instance());
    if (config.batch.slurm.interface == "rest")
        return std::unique_ptr<jobs::BatchSystem>(std::make_unique<sites::RestBatch>(
            loop, std::move(settings), rest_settings(config, parts_.account), parts_.runner,
            host_settings(config), clock, metrics));
    auto slurm = std::make_unique<sites::Slurm>(std::move(settings));
    return std::unique_ptr<jobs::BatchSystem>(std::make_unique<sites::CommandBatch>(
        loop, std::move(slurm), parts_.runner, host_settings(config), clock, metrics));
}

Async<void> Gateway::open_files(const config::Config& config) {
    auto store = store::SqliteStore::open(parts_.common.loop, store_settings(config));
    if (!store)
        co_return store.error();
    store_ = std::move(*store);
    const auto prepared_root = co_await store_->note("session_root");
    if (!prepared_root)
        co_return prepared_root.error();
    auto of_files = files_settings(config, store_->instance());
    of_files.known = *prepared_root == config.jobs.session_root;
    files_ = std::make_unique<store::OwnFiles>(std::move(of_files));
    if (auto prepared = files_->prepare_root(); !prepared)
        co_return std::move(prepared.error()).within("session root");
    co_return co_await store_->set_note("session_root", config.jobs.session_root);
}

Async<void> Gateway::open(const config::Config& config) {
    auto& [loop, disk, clock, metrics, health, admin] = parts_.common;
    auto opened = co_await open_files(config);
    if (!opened)
        co_return opened.error();
    auto batch = make_batch(config);
    if (!batch)
        co_return std::move(batch.error()).within("batch system");
    batch_ = std::move(*batch);
    bus_ = std::make_unique<jobs::EventBus>(loop);
    const jobs::Engine::Parts engine_parts{loop,    disk,  *store_, *files_,
                                           *batch_, clock, metrics, *bus_};
    engine_ = std::make_unique<jobs::Engine>(engine_parts, engine_settings(config));
    const jobs::UsageKeeper::Parts usage_parts{loop, disk, *store_, *files_, metrics};
    usage_ = std::make_unique<jobs::UsageKeeper>(usage_parts, usage_settings(config));
    const jobs::Service::Parts service_parts{*engine_, *store_, *files_, *batch_, *bus_,
                                             *usage_,  clock,   loop,    disk,    auth::sha256_hex};
    service_ = std::make_unique<jobs::Service>(service_parts, service_settings(config));
    const api::Api::Parts api_parts{*service_, parts_.access, health, metrics, clock, loop};
    api_ = std::make_unique<api::Api>(api_parts, api_settings(config));
    const api::GatewayHealth::Parts health_parts{*engine_, *store_, parts_.authenticator, metrics,
                                                 clock};
    health_ = std::make_unique<api::GatewayHealth>(health_parts);
    health.add(*health_);
    health.set_instance(store_->instance());
    const api::JobsAdmin::Parts admin_parts{
        *service_,           parts_.access, clock, parts_.account, api_settings(config).limits,
        config.jobs.node_url};
    admin_ = std::make_unique<api::JobsAdmin>(admin_parts, admin);
    co_return Result<void>();
}

Async<void> Gateway::start() {
    parts_.authenticator.start();
    auto started = co_await engine_->start();
    if (!started)
        co_return started;
    auto measured = co_await usage_->start();
    if (!measured)
        co_return measured;
    co_return co_await service_->start();
}

void Gateway::close_streams() {
    if (bus_)
        bus_->close();
}

asio::awaitable<void> Gateway::stop() {
    if (usage_)
        co_await usage_->stop();
    if (engine_)
        co_await engine_->stop();
    if (local_ != nullptr)
        co_await local_->stop();
    co_await parts_.authenticator.stop();
}

void Gateway::reload(const config::Config& config) {
    store_->set_free_bytes_min(config.store.free_bytes_min);
    parts_.authenticator.reload(auth_settings(config));
    parts_.access.reload(mapping_rules(config));
    engine_->reload(engine_settings(config));
    service_->reload(service_settings(config));
    usage_->reload(usage_settings(config));
    api_->reload(api_settings(config));
}

}  // namespace berth::app
