#include "app/settings.hpp"

#include "base/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace berth::app {

namespace {

std::vector<std::pair<std::string, std::string>> pairs(const config::Table& table) {
    return {table.begin(), table.end()};
}

std::map<std::string, std::string> map_of(const config::Table& table) {
    return {table.begin(), table.end()};
}

jobs::QueuePolicy policy(const config::Queue& queue) {
    return {.name = queue.name,
            .batch_queue = queue.batch_queue,
            .is_default = queue.is_default,
            .wall_time_max_s = static_cast<unsigned>(queue.wall_time_max.count()),
            .nodes_max = queue.nodes_max,
            .slots_max = queue.slots_max,
            .memory_per_slot_max_mb = queue.memory_per_slot_max_mb,
            .gpus_max = queue.gpus_max,
            .options = map_of(queue.options)};
}

unsigned machine_memory_mb() {
    const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return static_cast<unsigned>(bytes / 1'000'000);
}

std::set<auth::Verb> grants_of(const config::Mapping& mapping) {
    std::set<auth::Verb> grants;
    if (mapping.groups.empty())
        return grants;
    for (const auto verb :
         {auth::Verb::read, auth::Verb::create, auth::Verb::modify, auth::Verb::cancel})
        if (std::ranges::find(mapping.grants, to_string(verb)) != mapping.grants.end())
            grants.insert(verb);
    return grants;
}

std::chrono::hours hours(config::Seconds seconds) {
    return std::chrono::ceil<std::chrono::hours>(seconds);
}

}  // namespace

auth::AuthSettings auth_settings(const config::Config& config) {
    auth::AuthSettings settings{.audiences = config.api.audience};
    for (const auto& issuer : config.issuers) {
        auth::IssuerSettings made{.name = issuer.name, .url = issuer.url};
        made.profile =
            issuer.profile == "scitokens" ? auth::Profile::scitokens : auth::Profile::wlcg;
        made.keys_file = issuer.keys_file;
        made.ca_file = issuer.ca_file;
        made.internal = issuer.internal;
        made.max_lifetime = issuer.max_lifetime;
        made.exp_leeway = issuer.expiry_leeway;
        made.accept_any_audience = issuer.accept_any_audience;
        made.jwks_hosts = issuer.jwks_hosts;
        settings.issuers.push_back(std::move(made));
    }
    for (const auto& ban : config.bans)
        settings.bans.push_back(
            {.issuer = ban.issuer, .subject = ban.subject, .jti = ban.jti, .kid = ban.kid});
    settings.keys.refresh = config.tokens.refresh_interval;
    settings.keys.expire_after = config.tokens.expire_after;
    settings.keys.warn_after = config.tokens.expire_after / 2;
    settings.keys.state_directory = config.tokens.state_path;
    if (!config.tokens.system_jwks_cache)
        settings.keys.system_caches.clear();
    return settings;
}

std::vector<auth::MappingRule> mapping_rules(const config::Config& config) {
    std::vector<auth::MappingRule> rules;
    for (const auto& mapping : config.mappings)
        rules.push_back({.issuer = mapping.issuer,
                         .subject = mapping.subject,
                         .groups = mapping.groups,
                         .scopes = mapping.scopes,
                         .grants = grants_of(mapping),
                         .account = mapping.account,
                         .batch_account = mapping.batch_account,
                         .queues = mapping.queues,
                         .account_wide = mapping.account_wide,
                         .jobs_max = mapping.jobs_max});
    return rules;
}

jobs::EngineSettings engine_settings(const config::Config& config) {
    const auto& jobs = config.jobs;
    jobs::EngineSettings settings;
    settings.poll_interval = jobs.poll_interval;
    settings.poll_interval_max = jobs.poll_interval_max;
    settings.submit_width = jobs.submit_width;
    settings.commands_per_minute_max = jobs.commands_per_minute_max;
    settings.upload_timeout = jobs.upload_timeout;
    settings.decide.attempts_max = jobs.attempts_max;
    settings.decide.lookup_window = jobs.lookup_window;
    settings.decide.missing_window = jobs.unknown_grace;
    settings.wrapper.root = jobs.cluster_path.empty() ? jobs.session_root : jobs.cluster_path;
    settings.wrapper.node_url = jobs.node_url;
    settings.wrapper.heartbeat_s = static_cast<unsigned>(jobs.heartbeat_interval.count());
    settings.wrapper.output_bytes_max = jobs.stdout_bytes_max;
    settings.wrapper.environment = pairs(config.site.environment);
    settings.placement.wall_time_default_s = static_cast<unsigned>(jobs.default_wall_time.count());
    for (const auto& queue : config.queues)
        settings.placement.policies.push_back(policy(queue));
    settings.keep_jobs = hours(jobs.keep_jobs);
    settings.keep_files = hours(jobs.keep_files);
    return settings;
}

jobs::UsageSettings usage_settings(const config::Config& config) {
    return {.bytes_max = config.jobs.session_bytes_max, .files_max = config.jobs.session_files_max};
}

jobs::ServiceSettings service_settings(const config::Config& config) {
    return {.jobs_max_per_identity = config.jobs.jobs_max_per_identity,
            .jobs_max_total = config.jobs.jobs_max_total};
}

api::ApiSettings api_settings(const config::Config& config) {
    api::ApiSettings settings;
    settings.limits = {.body_bytes_max = config.api.request_bytes_max,
                       .script_bytes_max = config.api.script_bytes_max,
                       .file_bytes_max = config.api.upload_bytes_max,
                       .count_max = config.api.count_max,
                       .bulk_max = config.api.bulk_max};
    settings.long_poll_max = config.api.long_poll_max;
    settings.event_streams_max = config.api.event_streams_max;
    settings.event_streams_per_client_max = config.api.event_streams_per_client_max;
    settings.site.name = config.site.name;
    settings.site.description = config.site.description;
    settings.site.plugin = config.jobs.batch;
    settings.site.architectures = config.site.architectures;
    for (const auto& place : config.site.reachable)
        settings.site.destinations.push_back({.host = place.host,
                                              .port = place.port,
                                              .protocol = place.protocol,
                                              .note = place.note});
    settings.site.shared_paths.push_back(
        config.jobs.cluster_path.empty() ? config.jobs.session_root : config.jobs.cluster_path);
    return settings;
}

store::SqliteSettings store_settings(const config::Config& config) {
    return {.path = config.store.path, .free_bytes_min = config.store.free_bytes_min};
}

store::OwnFilesSettings files_settings(const config::Config& config, const std::string& instance) {
    store::OwnFilesSettings settings{.root = config.jobs.session_root, .instance = instance};
    settings.upload_bytes_max = config.api.upload_bytes_max;
    return settings;
}

sites::SlurmSettings slurm_settings(const config::Config& config, const std::string& tag_prefix) {
    const auto& slurm = config.batch.slurm;
    sites::SlurmSettings settings;
    settings.bin = slurm.bin;
    settings.environment = map_of(slurm.environment);
    settings.clusters = join(slurm.clusters, ",");
    settings.tag_prefix = tag_prefix;
    settings.options = map_of(slurm.options);
    settings.submit_time_limit = slurm.submit_timeout;
    if (slurm.history == "yes")
        settings.history = sites::SlurmSettings::History::always;
    else if (slurm.history == "no")
        settings.history = sites::SlurmSettings::History::never;
    return settings;
}

sites::RestSettings rest_settings(const config::Config& config, const std::string& account) {
    const auto& slurm = config.batch.slurm;
    sites::RestSettings settings;
    settings.server = slurm.rest_url;
    settings.version = slurm.rest_version;
    settings.account = account;
    return settings;
}

sites::HostSettings host_settings(const config::Config& config) {
    sites::HostSettings settings;
    settings.submit_width = config.jobs.submit_width;
    return settings;
}

sites::LocalSettings local_settings(const config::Config& config) {
    const auto& local = config.batch.local;
    sites::LocalSettings settings;
    settings.queue = local.queue;
    settings.spool = local.spool;
    settings.slots =
        local.slots != 0 ? local.slots : std::max(1U, std::thread::hardware_concurrency());
    settings.memory_mb = local.memory_mb != 0 ? local.memory_mb : machine_memory_mb();
    settings.architectures = config.site.architectures;
    return settings;
}

log::Level log_level(const config::Config& config) {
    const auto& name = config.log.level;
    if (name == "debug")
        return log::Level::debug;
    if (name == "warning")
        return log::Level::warning;
    return name == "error" ? log::Level::error : log::Level::info;
}

net::FetcherSettings fetcher_settings(const config::Config& config) {
    return {.parent_proxy = config.proxy.parent, .proxy_exceptions = config.proxy.exceptions};
}

net::ServerSettings api_server(const config::Config& config) {
    const auto& api = config.api;
    net::ServerSettings settings;
    settings.name = "api";
    // Those that no path has are answered by the router: 405 with Allow.
    settings.gate.methods = "GET HEAD POST PUT DELETE PATCH OPTIONS";
    settings.listen = api.listen;
    settings.certificate_file = api.certificate;
    settings.key_file = api.key;
    settings.connections_max = api.connections_max;
    settings.connections_per_peer_max = api.connections_per_peer_max;
    settings.handshake_timeout = api.handshake_timeout;
    settings.head_timeout = api.head_timeout;
    settings.idle_timeout = api.idle_timeout;
    settings.stall_timeout = api.stall_timeout;
    return settings;
}

net::ServerSettings observe_server(const config::Config& config) {
    net::ServerSettings settings;
    settings.name = "observe";
    settings.listen = config.observe.listen;
    settings.connections_max = 100;
    return settings;
}

net::ServerSettings node_server(const config::Config& config) {
    net::ServerSettings settings;
    settings.name = "node";
    settings.listen = config.node.listen;
    settings.gate.methods = "GET HEAD POST PUT DELETE OPTIONS CONNECT";
    settings.gate.allow_authority = true;
    settings.gate.target_bytes_max = 16384;  // Frontier's queries have up to 8 KB, behind a server
    settings.connections_max = config.node.connections_max;
    settings.connections_per_peer_max = config.node.connections_per_peer_max;
    settings.idle_timeout = config.node.idle_timeout;
    settings.body_bytes_max = 1U << 20U;
    return settings;
}

net::ServerSettings admin_server(const config::Config& config) {
    net::ServerSettings settings;
    settings.name = "admin";
    settings.listen = {"unix:" + config.admin.socket};
    settings.connections_max = 50;
    return settings;
}

std::vector<Network> node_networks(const config::Config& config) {
    std::vector<Network> networks;
    for (const auto& text : config.node.networks)
        if (auto network = Network::parse(text))
            networks.push_back(*network);
    return networks;
}

}  // namespace berth::app
