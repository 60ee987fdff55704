// The configuration: plain values, a reader that finds every problem of a file at once, and the
// manual and the example that are made from the same declarations (keys_*.cpp) as the reader.
//
// Only app reads these values: it fills the Settings of each room from them.
// Threads: any; nothing here keeps state.
#pragma once

#include "config/access_values.hpp"
#include "config/cache_values.hpp"
#include "config/jobs_values.hpp"
#include "config/service_values.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::config {

struct Config {
    Roles roles = {};
    Api api = {};
    Observe observe = {};
    Admin admin = {};
    Log log = {};
    Store store = {};
    Jobs jobs = {};
    Batch batch = {};
    std::vector<Queue> queues = {};  // [[queue]]
    Site site = {};
    std::vector<Issuer> issuers = {};  // [[issuer]]
    Tokens tokens = {};
    std::vector<Mapping> mappings = {};  // [[mapping]]; the first that fits wins
    std::vector<Ban> bans = {};          // [[ban]]
    Node node = {};
    Cache cache = {};
    std::vector<CacheRepository> cache_repositories = {};  // [[cache.repository]]
    Proxy proxy = {};
    bool operator==(const Config&) const = default;
};

struct Problem {
    std::string file;
    unsigned line = 0;    // from 1; 0 when the file itself is at fault
    unsigned column = 0;  // from 1, in characters
    std::string key;      // full name: "api.listen", "issuer[2].url", "api.listen[1]"; "" = none
    std::string message;  // what is wrong and what to write instead
    bool operator==(const Problem&) const = default;
};
// "FILE:LINE:COLUMN: KEY: MESSAGE", as `berthd --check-config` prints it.
std::string to_string(const Problem& problem);

// Usable when there is no problem; otherwise only the problems count.
struct Loaded {
    Config config = {};
    std::vector<Problem> problems = {};  // in the order of the file
};

// `own_account` is the account that the daemon runs as; with jobs.accounts = "own" every mapping
// must name it. "" leaves that out. Relative paths in the file start at the file's folder.
Loaded load_file(const std::string& path, const std::string& own_account = {});
// `base_directory` is where relative paths start; "" leaves them as they are.
Loaded parse(std::string_view text, const std::string& file_name, const std::string& base_directory,
             const std::string& own_account = {});

std::string manual();   // docs/configuration.md
std::string example();  // config/berth.toml

}  // namespace berth::config
