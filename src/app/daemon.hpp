// The composition root: builds the rooms in the order of their floors, connects them, and takes
// them down in reverse. The only place that names implementations.
#pragma once

#include "api/node_api.hpp"
#include "app/cache_role.hpp"
#include "app/gateway.hpp"
#include "transfers/key_fetcher.hpp"

#include <boost/asio/signal_set.hpp>

#include <memory>
#include <string>
#include <vector>

namespace berth::app {

class Daemon {
public:
    Daemon(std::string config_file, config::Config config, std::string account);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Runs until SIGTERM or SIGINT, drains, and returns the exit status.
    int run();

private:
    boost::asio::awaitable<void> live();
    Async<void> start();
    Async<void> open_doors();
    boost::asio::awaitable<void> stop();
    boost::asio::awaitable<void> on_hangup();
    boost::asio::awaitable<void> beat();
    // "" when the file was good and is in force; else what is wrong, and nothing has changed.
    std::string reload();
    void apply(config::Config config);
    Result<void> open_door(std::unique_ptr<net::Server>& door, net::ServerSettings settings,
                           net::Handler handler, const char* key);
    std::vector<api::Certificate> certificates() const;

    std::string config_file_;
    config::Config config_;
    std::string account_;
    int exit_status_ = 0;

    boost::asio::io_context loop_{1};
    boost::asio::thread_pool disk_{4};
    SystemClock clock_;
    Metrics metrics_;
    net::Fetcher fetcher_;
    transfers::KeyFetcher key_fetcher_;
    auth::Authenticator authenticator_;
    api::Access access_;
    sites::OwnAccountRunner runner_;

    api::HealthApi health_;
    api::AdminApi admin_;
    std::unique_ptr<Gateway> gateway_;  // null: not this role
    std::unique_ptr<CacheRole> cache_;  // null: not this role
    std::unique_ptr<api::NodeApi> node_;
    std::unique_ptr<net::Server> observe_door_, admin_door_, node_door_, api_door_;
    TaskGroup tasks_{loop_};
};

}  // namespace berth::app
