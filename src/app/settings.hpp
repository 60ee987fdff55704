// From the configuration's values to the Settings of each room. Pure.
#pragma once

#include "api/api.hpp"
#include "auth/mapping.hpp"
#include "auth/settings.hpp"
#include "base/log.hpp"
#include "base/networks.hpp"
#include "cache/service.hpp"
#include "config/config.hpp"
#include "jobs/engine.hpp"
#include "jobs/service.hpp"
#include "net/fetch.hpp"
#include "net/server.hpp"
#include "sites/host.hpp"
#include "sites/local.hpp"
#include "sites/rest_batch.hpp"
#include "sites/slurm.hpp"
#include "store/session_files.hpp"
#include "store/sqlite_store.hpp"
#include "transfers/origin_upstream.hpp"

#include <vector>

namespace berth::app {

auth::AuthSettings auth_settings(const config::Config& config);
std::vector<auth::MappingRule> mapping_rules(const config::Config& config);
jobs::EngineSettings engine_settings(const config::Config& config);
jobs::UsageSettings usage_settings(const config::Config& config);
jobs::ServiceSettings service_settings(const config::Config& config);
api::ApiSettings api_settings(const config::Config& config);
store::SqliteSettings store_settings(const config::Config& config);
store::OwnFilesSettings files_settings(const config::Config& config, const std::string& instance);
sites::SlurmSettings slurm_settings(const config::Config& config, const std::string& tag_prefix);
sites::RestSettings rest_settings(const config::Config& config, const std::string& account);
sites::HostSettings host_settings(const config::Config& config);
sites::LocalSettings local_settings(const config::Config& config);
log::Level log_level(const config::Config& config);
net::FetcherSettings fetcher_settings(const config::Config& config);
net::ServerSettings api_server(const config::Config& config);
net::ServerSettings observe_server(const config::Config& config);
net::ServerSettings node_server(const config::Config& config);
net::ServerSettings admin_server(const config::Config& config);
std::vector<Network> node_networks(const config::Config& config);

// Blocking: reads the key files. Errors: invalid (a server's address), not_found, unavailable.
Result<cache::CacheSettings> cache_settings(const config::Config& config);
std::vector<cache::Destination> cache_destinations(const config::Config& config);
transfers::OriginUpstreamSettings upstream_settings(const config::Config& config);

}  // namespace berth::app
