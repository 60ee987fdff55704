// The keys of the cache.
#include "config/schema.hpp"

namespace berth::config {

namespace {

constexpr std::uint64_t mib = 1ULL << 20U, day = 86400;

constexpr Rule between(std::uint64_t min, std::uint64_t max) {
    return {.min = min, .max = max};
}

constexpr Key cache_keys[] = {
    {"path",
     slot<&Cache::path>,
     {.format = Format::path},
     "The folder for cached objects, on a local disk. Berth makes it."},
    {"size", slot<&Cache::size>, between(mib, 1ULL << 60U),
     "How many bytes of objects are kept on disk. What was used least goes first."},
    {"memory", slot<&Cache::memory>, between(mib, 1ULL << 50U),
     "How many bytes of small objects, and as many again at most of answers without a hash "
     "(Frontier), are kept in memory."},
    {"free_bytes_min",
     slot<&Cache::free_bytes_min>,
     {},
     "Nothing more is written while the file system of the cache has less free space than this; "
     "objects are still fetched and served."},
    {"destinations",
     slot<&Cache::destinations>,
     {.format = Format::destination},
     "The servers that nodes may ask for through this proxy, as \"host:port\"; "
     "\".example.org:8000\" stands for every host below example.org. The servers of the "
     "repositories below need not be repeated. A private address is fetched from only when its "
     "host and port are named here exactly.",
     "[\"frontier.example.org:8000\"]"},
    {"connections_per_server_max", slot<&Cache::connections_per_server_max>, between(1, 10'000),
     "The most open connections to one server."},
    {"bytes_per_second_per_server_max",
     slot<&Cache::bytes_per_second_per_server_max>,
     {},
     "How fast one server is read from, all fetches together; 0 is no limit."},
    {"fetches_max", slot<&Cache::fetches_max>, between(1, 1'000'000),
     "The most objects that are fetched at the same time; beyond that a node is sent to its next "
     "proxy."},
    {"finish_percent", slot<&Cache::finish_percent>, between(0, 100),
     "An object that no node waits for any more is fetched to its end when at least this part of "
     "it is there; 0 always finishes."},
    {"verify_period", slot<&Cache::verify_period>, between(0, 3650 * day),
     "In this time every stored object is hashed once in the background; 0 switches it off."},
    {"access_log",
     slot<&Cache::access_log>,
     {.format = Format::path},
     "The file for one line per request in squid's native format. When it is empty there is "
     "none. A SIGHUP opens it anew."},
};

constexpr Key repository_keys[] = {
    {"name",
     slot<&CacheRepository::name>,
     {.format = Format::name, .needed = Needed::yes},
     "The repository's full name.",
     "\"sw.example.org\""},
    {"servers",
     slot<&CacheRepository::servers>,
     {.format = Format::http_url, .needed = Needed::yes},
     "Where its files are, in the order of preference, each with the path to the repository.",
     "[\"http://s1.example.org/cvmfs/sw.example.org\"]"},
    {"public_keys",
     slot<&CacheRepository::public_keys>,
     {.format = Format::file},
     "The files with its master keys in PEM. Manifests that they do not vouch for, or older ones "
     "than were served before, are never given out. Without keys manifests are cached as the "
     "servers send them. A client has them below /etc/cvmfs/keys."},
    {"keep_warm",
     slot<&CacheRepository::keep_warm>,
     {.format = Format::absolute_path},
     "Sub-trees, from the repository's root, whose objects are brought in whenever a new revision "
     "appears, for example [\"/x86_64/2026\"]; [\"/\"] is the whole repository."},
};

constexpr Section sections[] = {
    {.path = "cache",
     .sentence = "The caching proxy for CVMFS and Frontier.",
     .keys = cache_keys,
     .open = [](Config& config) -> void* { return &config.cache; }},
    {.path = "cache.repository",
     .repeated = true,
     .in_example = false,
     .sentence = "A CVMFS repository that the cache knows: it verifies its manifests, uses all its "
                 "servers, and serves it as /cvmfs/NAME too.",
     .keys = repository_keys,
     .open = [](Config& config) -> void* { return &config.cache_repositories.emplace_back(); }},
};

}  // namespace

std::span<const Section> cache_sections() {
    return sections;
}

}  // namespace berth::config
