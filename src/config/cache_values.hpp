// The configuration's values for the cache. A field has the name and the default of its key;
// keys_cache.cpp says what each means.
#pragma once

#include "config/value_types.hpp"

namespace berth::config {

struct Cache {
    std::string path = "/var/cache/berth";
    std::uint64_t size = 100'000'000'000;
    std::uint64_t memory = 2'000'000'000;
    std::uint64_t free_bytes_min = 1'000'000'000;
    Texts destinations = {};  // "host:port", ".domain:port"
    unsigned connections_per_server_max = 256;
    std::uint64_t bytes_per_second_per_server_max = 0;  // 0 = no limit
    unsigned fetches_max = 10'000;
    unsigned finish_percent = 50;
    Seconds verify_period{30 * 86400};
    std::string access_log = {};  // "" = none
    bool operator==(const Cache&) const = default;
};

struct CacheRepository {
    std::string name = {};
    Texts servers = {};
    Texts public_keys = {};
    Texts keep_warm = {};
    bool operator==(const CacheRepository&) const = default;
};

}  // namespace berth::config
