// The cache's settings: addresses are read, and keys from their files.
#include "app/settings.hpp"
#include "base/files.hpp"
#include "http/authority.hpp"

namespace berth::app {

namespace {

constexpr std::size_t key_bytes_max = 64U << 10U;

Result<cache::RepositorySettings> repository_settings(const config::CacheRepository& repository) {
    cache::RepositorySettings settings{.name = repository.name};
    for (const auto& text : repository.servers) {
        auto server = cache::read_server_url(text);
        if (!server)
            return server.error();
        settings.servers.push_back(std::move(*server));
    }
    for (const auto& file : repository.public_keys) {
        auto key = read_file(file, key_bytes_max);
        if (!key)
            return key.error();
        settings.master_keys.push_back(std::move(*key));
    }
    settings.keep_warm = repository.keep_warm;
    return settings;
}

}  // namespace

std::vector<cache::Destination> cache_destinations(const config::Config& config) {
    std::vector<cache::Destination> destinations;
    for (const auto& text : config.cache.destinations)
        if (auto destination = cache::read_destination(text))
            destinations.push_back(std::move(*destination));
    return destinations;
}

Result<cache::CacheSettings> cache_settings(const config::Config& config) {
    const auto& values = config.cache;
    cache::CacheSettings settings;
    settings.disk_bytes = values.size;
    settings.memory_bytes = values.memory;
    settings.free_bytes_min = values.free_bytes_min;
    settings.destinations = cache_destinations(config);
    settings.fetch.fetches_max = values.fetches_max;
    settings.fetch.finish_percent = values.finish_percent;
    settings.verify_period = values.verify_period;
    for (std::size_t i = 0; i < config.cache_repositories.size(); ++i) {
        auto repository = repository_settings(config.cache_repositories[i]);
        if (!repository)
            return std::move(repository.error())
                .within("cache.repository[" + std::to_string(i + 1) + "]");
        settings.repositories.push_back(std::move(*repository));
    }
    return settings;
}

transfers::OriginUpstreamSettings upstream_settings(const config::Config& config) {
    transfers::OriginUpstreamSettings settings;
    settings.connections_per_server_max = config.cache.connections_per_server_max;
    settings.bytes_per_second_per_server_max = config.cache.bytes_per_second_per_server_max;
    settings.proxy_exceptions = config.proxy.exceptions;
    const auto proxy = cache::read_server_url(config.proxy.parent);
    if (proxy) {
        settings.proxy_host = proxy->origin.host;
        settings.proxy_port = proxy->origin.port;
    }
    return settings;
}

}  // namespace berth::app
