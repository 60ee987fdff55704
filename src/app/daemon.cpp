#include "app/daemon.hpp"

#include "auth/digest.hpp"
#include "base/log.hpp"

#include <systemd/sd-daemon.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>

#include <csignal>
#include <cstdlib>

namespace berth::app {

namespace asio = boost::asio;

Daemon::Daemon(std::string config_file, config::Config config, std::string account)
    : config_file_(std::move(config_file)),
      config_(std::move(config)),
      account_(std::move(account)),
      fetcher_(fetcher_settings(config_)),
      key_fetcher_(fetcher_),
      authenticator_(loop_, disk_, key_fetcher_, clock_, metrics_, auth_settings(config_)),
      access_(authenticator_, metrics_, mapping_rules(config_)) {}

Daemon::~Daemon() {
    disk_.join();
}

int Daemon::run() {
    std::signal(SIGPIPE, SIG_IGN);
    auto on_end = [this](std::exception_ptr failure) {
        if (!failure)
            return;
        exit_status_ = 1;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            log::error("daemon_failed", {{"error", error.what()}});
        }
    };
    asio::co_spawn(loop_, live(), std::move(on_end));
    loop_.run();
    return exit_status_;
}

asio::awaitable<void> Daemon::live() {
    asio::signal_set signals(loop_, SIGTERM, SIGINT);
    auto started = co_await start();
    if (!started) {
        log::error("start_failed", {{"error", started.error().message}});
        exit_status_ = 1;
    } else {
        ::sd_notify(0, "READY=1");
        log::info("ready", {{"version", BERTH_VERSION}, {"instance", store_->instance()}});
        const auto caught = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
        log::info("stopping", {{"signal", std::get<1>(caught)}});
    }
    ::sd_notify(0, "STOPPING=1");
    co_await stop();
}

Result<std::unique_ptr<jobs::BatchSystem>> Daemon::make_batch() {
    if (config_.jobs.batch == "local") {
        auto local =
            std::make_unique<sites::LocalBatch>(loop_, local_settings(config_), clock_, metrics_);
        if (auto started = local->start(); !started)
            return started.error();
        local_ = local.get();
        return std::unique_ptr<jobs::BatchSystem>(std::move(local));
    }
    auto settings = slurm_settings(config_, "b" + store_->instance());
    if (config_.batch.slurm.interface == "rest")
        return std::unique_ptr<jobs::BatchSystem>(std::make_unique<sites::RestBatch>(
            loop_, std::move(settings), rest_settings(config_, account_), runner_,
            host_settings(config_), clock_, metrics_));
    auto slurm = std::make_unique<sites::Slurm>(std::move(settings));
    return std::unique_ptr<jobs::BatchSystem>(std::make_unique<sites::CommandBatch>(
        loop_, std::move(slurm), runner_, host_settings(config_), clock_, metrics_));
}

Async<void> Daemon::start() {
    auto store = store::SqliteStore::open(loop_, store_settings(config_));
    if (!store)
        co_return store.error();
    store_ = std::move(*store);
    const auto prepared_root = co_await store_->note("session_root");
    if (!prepared_root)
        co_return prepared_root.error();
    auto of_files = files_settings(config_, store_->instance());
    of_files.known = *prepared_root == config_.jobs.session_root;
    files_ = std::make_unique<store::OwnFiles>(std::move(of_files));
    if (auto prepared = files_->prepare_root(); !prepared)
        co_return std::move(prepared.error()).within("session root");
    const auto noted = co_await store_->set_note("session_root", config_.jobs.session_root);
    if (!noted)
        co_return noted.error();
    auto batch = make_batch();
    if (!batch)
        co_return std::move(batch.error()).within("batch system");
    batch_ = std::move(*batch);
    bus_ = std::make_unique<jobs::EventBus>(loop_);
    const jobs::Engine::Parts engine_parts{loop_,   disk_,  *store_,  *files_,
                                           *batch_, clock_, metrics_, *bus_};
    engine_ = std::make_unique<jobs::Engine>(engine_parts, engine_settings(config_));
    const jobs::UsageKeeper::Parts usage_parts{loop_, disk_, *store_, *files_, metrics_};
    usage_ = std::make_unique<jobs::UsageKeeper>(usage_parts, usage_settings(config_));
    const jobs::Service::Parts service_parts{*engine_, *store_, *files_, *batch_, *bus_,
                                             *usage_,  clock_,  loop_,   disk_,   auth::sha256_hex};
    service_ = std::make_unique<jobs::Service>(service_parts, service_settings(config_));
    const auto certificates_now = [this] { return certificates(); };
    health_ = std::make_unique<api::HealthApi>(api::HealthApi::Parts{
        *engine_, *store_, authenticator_, metrics_, clock_, certificates_now});
    api_ = std::make_unique<api::Api>(
        api::Api::Parts{*service_, access_, *health_, metrics_, clock_, loop_},
        api_settings(config_));
    node_ = std::make_unique<api::NodeApi>(*engine_, node_networks(config_), auth::sha256_hex);
    const auto reload_now = [this] { return reload(); };
    admin_ = std::make_unique<api::AdminApi>(
        api::AdminApi::Parts{*service_, access_, *health_, clock_, reload_now, account_,
                             api_settings(config_).limits, config_.jobs.node_url});
    co_return co_await open_doors();
}

// The operators' doors open first, so that a start that takes long can be watched; the clients'
// door opens when everything behind it works.
Async<void> Daemon::open_doors() {
    net::Handler observe = [this](net::Request& request) { return health_->observe(request); };
    net::Handler admin = [this](net::Request& request) { return admin_->handle(request); };
    net::Handler node = [this](net::Request& request) { return node_->handle(request); };
    net::Handler api = [this](net::Request& request) { return api_->handle(request); };
    const auto make = [this](net::ServerSettings settings, net::Handler handler) {
        return std::make_unique<net::Server>(loop_, std::move(settings), std::move(handler),
                                             metrics_);
    };
    observe_door_ = make(observe_server(config_), observe);
    admin_door_ = make(admin_server(config_), admin);
    node_door_ = make(node_server(config_), node);
    api_door_ = make(api_server(config_), api);
    if (auto opened = observe_door_->start(); !opened)
        co_return std::move(opened.error()).within("observe.listen");
    authenticator_.start();
    auto started = co_await engine_->start();
    if (!started)
        co_return started;
    auto measured = co_await usage_->start();
    if (!measured)
        co_return measured;
    auto taken_up = co_await service_->start();
    if (!taken_up)
        co_return taken_up;
    if (auto opened = admin_door_->start(); !opened)
        co_return std::move(opened.error()).within("admin.socket");
    if (!config_.node.listen.empty())
        if (auto opened = node_door_->start(); !opened)
            co_return std::move(opened.error()).within("node.listen");
    if (auto opened = api_door_->start(); !opened)
        co_return std::move(opened.error()).within("api.listen");
    health_->set_serving(true);
    tasks_.spawn("hangup", on_hangup());
    tasks_.spawn("watchdog", beat());
    co_return Result<void>();
}

// Stop accepting, end waits and streams, let requests finish, then the engine, then the rest.
asio::awaitable<void> Daemon::stop() {
    if (health_)
        health_->set_draining(true);
    if (bus_)
        bus_->close();
    co_await tasks_.stop();
    const std::chrono::milliseconds limit = config_.api.drain_timeout;
    for (auto* door : {api_door_.get(), node_door_.get(), admin_door_.get()})
        if (door != nullptr)
            co_await door->stop(limit);
    if (usage_)
        co_await usage_->stop();
    if (engine_)
        co_await engine_->stop();
    if (local_ != nullptr)
        co_await local_->stop();
    co_await authenticator_.stop();
    if (observe_door_)
        co_await observe_door_->stop(std::chrono::milliseconds(0));
    log::info("stopped");
}

// Tells systemd's watchdog that the control loop turns.
asio::awaitable<void> Daemon::beat() {
    std::uint64_t interval_us = 0;
    if (::sd_watchdog_enabled(0, &interval_us) <= 0)
        co_return;
    for (;;) {
        ::sd_notify(0, "WATCHDOG=1");
        co_await sleep_for(std::chrono::milliseconds(interval_us / 3000));
    }
}

std::vector<api::Certificate> Daemon::certificates() const {
    std::vector<api::Certificate> all;
    if (api_door_)
        all.push_back({.name = "api", .end = api_door_->certificate_end()});
    return all;
}

}  // namespace berth::app
