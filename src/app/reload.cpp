// SIGHUP: a new configuration and new certificates, or none of it.
#include "app/daemon.hpp"
#include "app/preflight.hpp"

#include "base/log.hpp"

#include <systemd/sd-daemon.h>
#include <boost/asio/as_tuple.hpp>

#include <csignal>

namespace berth::app {

namespace asio = boost::asio;

namespace {

// What a running daemon cannot change; the sentence names the key.
std::string fixed_key_that_differs(const config::Config& a, const config::Config& b) {
    const std::pair<const char*, bool> fixed[] = {
        {"roles", a.roles == b.roles},
        {"api.listen", a.api.listen == b.api.listen},
        {"observe.listen", a.observe == b.observe},
        {"admin.socket", a.admin == b.admin},
        {"node.listen", a.node.listen == b.node.listen},
        {"store.path", a.store.path == b.store.path},
        {"jobs.session_root", a.jobs.session_root == b.jobs.session_root},
        {"jobs.batch", a.jobs.batch == b.jobs.batch},
        {"batch", a.batch == b.batch},
        {"api.upload_bytes_max", a.api.upload_bytes_max == b.api.upload_bytes_max},
        {"cache.path", a.cache.path == b.cache.path},
        {"cache.size", a.cache.size == b.cache.size},
        {"cache.memory", a.cache.memory == b.cache.memory},
        {"cache.repository", a.cache_repositories == b.cache_repositories},
        {"tokens.state_path", a.tokens.state_path == b.tokens.state_path},
    };
    for (const auto& [key, same] : fixed)
        if (!same)
            return key;
    return {};
}

}  // namespace

asio::awaitable<void> Daemon::on_hangup() {
    asio::signal_set signals(loop_, SIGHUP);
    for (;;) {
        co_await signals.async_wait(asio::use_awaitable);
        ::sd_notify(0, "RELOADING=1");
        const auto problem = reload();
        if (!problem.empty())
            log::warning("reload_refused", {{"problem", problem}});
        ::sd_notify(0, "READY=1");
    }
}

std::string Daemon::reload() {
    auto loaded = config::load_file(config_file_, account_);
    std::string problems;
    for (const auto& problem : loaded.problems)
        problems += (problems.empty() ? "" : "\n") + config::to_string(problem);
    if (problems.empty())
        for (const auto& finding : preflight(loaded.config, account_))
            if (finding.fatal)
                problems +=
                    (problems.empty() ? "" : "\n") + config_file_ + ": " + to_string(finding);
    if (!problems.empty())
        return "the old configuration stays in force: " + problems;
    const auto fixed = fixed_key_that_differs(config_, loaded.config);
    if (!fixed.empty())
        return "the old configuration stays in force: " + fixed + " needs a restart";
    // Opened anew in any case: after log rotation the name stands for another file.
    if (auto opened = log::set_audit_file(loaded.config.log.audit_file); !opened)
        return "the old configuration stays in force: " + opened.error().message;
    Result<void> certificate;
    if (api_door_)
        certificate =
            api_door_->reload_certificate(loaded.config.api.certificate, loaded.config.api.key);
    if (!certificate) {
        static_cast<void>(log::set_audit_file(config_.log.audit_file));
        return "the old configuration stays in force: " + certificate.error().message;
    }
    apply(std::move(loaded.config));
    log::info("reloaded", {{"config", config_file_}});
    return {};
}

void Daemon::apply(config::Config config) {
    config_ = std::move(config);
    log::set_level(log_level(config_));
    fetcher_.set_parent_proxy(config_.proxy.parent, config_.proxy.exceptions);
    if (gateway_) {
        api_door_->set_limits(api_server(config_));
        gateway_->reload(config_);
    }
    if (cache_)
        cache_->reload(config_);
    if (node_door_)
        node_door_->set_limits(node_server(config_));
    node_->reload(node_networks(config_));
}

}  // namespace berth::app
