// The cache as its door sees it: one request in, one response out.
//
// Statuses are chosen by how the CernVM-FS client (2.12, measured) reacts: 403 sends it to the next
// proxy at once, 404 and 5xx to the next server through this one.
//
// Threads: the control loop. Lifetime: stop() must end before it dies; all parts outlive it.
#pragma once

#include "base/metrics.hpp"
#include "cache/fetcher.hpp"
#include "cache/memory.hpp"
#include "cache/repositories.hpp"
#include "cache/url_cache.hpp"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::cache {

struct CacheSettings {
    std::uint64_t disk_bytes = 100'000'000'000;
    std::uint64_t memory_bytes = 2'000'000'000;
    std::uint64_t free_bytes_min = 1'000'000'000;
    std::uint64_t in_memory_max = 128U << 10U;  // larger bodies are sent from their files
    std::vector<Destination> destinations = {};
    std::vector<RepositorySettings> repositories = {};
    FetchSettings fetch = {};
    std::chrono::seconds verify_period{30 * 86400};  // 0 = never
};

class CacheService {
public:
    struct Parts {
        boost::asio::io_context& loop;
        boost::asio::thread_pool& disk;
        Upstream& upstream;
        Files& files;
        Clock& clock;
        Metrics& metrics;
    };

    CacheService(Parts parts, CacheSettings settings);
    // Loads the index and what is known of the repositories. Errors: unavailable.
    Result<void> start();
    boost::asio::awaitable<void> stop();

    boost::asio::awaitable<http::Response> handle(Ask ask);

    void reload(std::uint64_t free_bytes_min, std::vector<Destination> destinations);

    Repositories& repositories() { return repositories_; }
    std::vector<ServerState> servers() const { return parts_.upstream.servers(); }
    struct Status {
        std::uint64_t disk_bytes = 0, disk_capacity = 0, memory_bytes = 0, fetches = 0;
        std::size_t entries = 0;
        std::string problem = {};  // of the disk
    };
    Status status() const;
    // Takes an object, or everything of one URL, out of all tiers. True if there was one.
    bool purge(const Key& key);

private:
    using Answer = boost::asio::awaitable<http::Response>;

    void permit(std::vector<Destination> destinations);
    Result<std::vector<Source>> sources_of(const Ask& ask, const ObjectName& name) const;
    Answer content(Ask ask, ObjectName name, std::vector<Source> sources);
    Answer from_fetch(ContentId id, std::vector<Source> sources);
    Answer document(ObjectName name);
    Answer pass_head(Source source);
    boost::asio::awaitable<std::optional<http::Response>> stored(const Ask& ask, Key key);
    boost::asio::awaitable<bool> is_intact(Key key);
    Async<std::string> body_of(std::string repository, ContentId id, char letter);
    void keep(const ContentId& id, std::shared_ptr<Fetch> fetch);
    boost::asio::awaitable<void> write_out(Key key, std::shared_ptr<Fetch> fetch);
    boost::asio::awaitable<void> drop(std::vector<Key> keys);
    boost::asio::awaitable<void> save(std::string repository, std::string record);
    void count(const ObjectName& name, const char* outcome, std::uint64_t bytes);

    Parts parts_;
    CacheSettings settings_;
    std::vector<Destination> permitted_;
    Index index_;
    MemoryTier memory_;
    ContentFetcher fetcher_;
    Repositories repositories_;
    UrlCache urls_;
    TaskGroup tasks_;
    // On their way to the disk: until they are in the index, they are given from here.
    std::unordered_map<Key, std::shared_ptr<Fetch>> writing_;
    std::string problem_;
};

}  // namespace berth::cache
