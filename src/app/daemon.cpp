#include "app/daemon.hpp"

#include "auth/digest.hpp"
#include "base/log.hpp"

#include <systemd/sd-daemon.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>

#include <array>
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
      access_(authenticator_, metrics_, mapping_rules(config_)),
      health_({metrics_, clock_, [this] { return certificates(); }}),
      admin_({health_, [this] { return reload(); }}) {}

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
        log::info("ready", {{"version", BERTH_VERSION},
                            {"instance", gateway_ ? gateway_->instance() : "none"}});
        const auto caught = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
        log::info("stopping", {{"signal", std::get<1>(caught)}});
    }
    ::sd_notify(0, "STOPPING=1");
    co_await stop();
}

Async<void> Daemon::start() {
    const Common common{loop_, disk_, clock_, metrics_, health_, admin_};
    api::NodeApi::Parts node_parts{.sha256_hex = auth::sha256_hex};
    if (config_.roles.gateway) {
        const Gateway::Parts parts{common, authenticator_, access_, runner_, account_};
        gateway_ = std::make_unique<Gateway>(parts);
        auto opened = co_await gateway_->open(config_);
        if (!opened)
            co_return opened;
        node_parts.engine = &gateway_->engine();
    }
    if (config_.roles.cache) {
        cache_ = std::make_unique<CacheRole>(common);
        if (auto opened = cache_->open(config_); !opened)
            co_return opened;
        node_parts.cache = &cache_->service();
    }
    node_ = std::make_unique<api::NodeApi>(node_parts, node_networks(config_));
    co_return co_await open_doors();
}

Result<void> Daemon::open_door(std::unique_ptr<net::Server>& door, net::ServerSettings settings,
                               net::Handler handler, const char* key) {
    door = std::make_unique<net::Server>(loop_, std::move(settings), std::move(handler), metrics_);
    auto opened = door->start();
    return opened ? opened : std::move(opened.error()).within(key);
}

// The operators' doors open first, so that a start that takes long can be watched; the clients'
// door opens when everything behind it works.
Async<void> Daemon::open_doors() {
    net::Handler observe = [this](net::Request& request) { return health_.observe(request); };
    net::Handler admin = [this](net::Request& request) { return admin_.handle(request); };
    net::Handler node = [this](net::Request& request) { return node_->handle(request); };
    net::Handler api = [this](net::Request& request) { return gateway_->handle(request); };
    auto opened = open_door(observe_door_, observe_server(config_), observe, "observe.listen");
    if (opened && gateway_)
        opened = co_await gateway_->start();
    if (opened)
        opened = open_door(admin_door_, admin_server(config_), admin, "admin.socket");
    if (opened && !config_.node.listen.empty())
        opened = open_door(node_door_, node_server(config_), node, "node.listen");
    if (opened && gateway_)
        opened = open_door(api_door_, api_server(config_), api, "api.listen");
    if (!opened)
        co_return opened;
    health_.set_serving(true);
    tasks_.spawn("hangup", on_hangup());
    tasks_.spawn("watchdog", beat());
    co_return opened;
}

// Stop accepting, end waits and streams, let requests finish, then the engine, then the rest.
asio::awaitable<void> Daemon::stop() {
    health_.set_draining(true);
    if (gateway_)
        gateway_->close_streams();
    co_await tasks_.stop();
    const std::chrono::milliseconds limit = config_.api.drain_timeout;
    const std::array<net::Server*, 3> doors = {api_door_.get(), node_door_.get(),
                                               admin_door_.get()};
    for (auto* door : doors)
        if (door != nullptr)
            co_await door->stop(limit);
    if (cache_)
        co_await cache_->stop();
    if (gateway_)
        co_await gateway_->stop();
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
