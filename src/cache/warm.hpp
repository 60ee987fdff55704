// Brings all objects of sub-trees into the cache: walks the catalogs of one revision, depth first,
// and asks for every object that they name. What is there already costs a look into the index, so a
// walk that was broken off is resumed by starting it again.
//
// Threads: the control loop; catalogs are read on a pool. Lifetime: stop() must end before it
// dies; its parts outlive it.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/tasks.hpp"
#include "cache/catalogs.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::cache {

struct WarmSettings {
    std::size_t fetches_max = 8;              // at a time, for each walk
    std::size_t waiting_max = 1000;           // objects that were read of and not yet asked for
    std::size_t failures_in_a_row_max = 100;  // then the walk ends: the servers must be gone
    std::size_t catalogs_waiting_max = 1'000'000;
};

struct WarmOrder {
    std::string repository = {};
    std::uint64_t revision = 0;  // of the verified manifest that names the root catalog
    ContentId root_catalog = {};
    std::vector<std::string> paths = {};  // as read_tree_path() gives them; none = everything
};

struct WarmStatus {
    enum class State {
        running,
        done,
        failed,  // ended, but not everything is there
        cancelled,
    };
    State state = State::running;
    std::string repository = {};
    std::uint64_t revision = 0;
    std::vector<std::string> paths = {};
    std::uint64_t catalogs_done = 0, catalogs_known = 0;
    std::uint64_t objects_done = 0, objects_known = 0;     // known: by the catalogs' own counters
    std::uint64_t objects_brought = 0, bytes_brought = 0;  // were not there
    std::uint64_t failures = 0;
    std::vector<std::string> first_failures = {};  // a sentence each
    WallTime started = {};
    std::optional<WallTime> ended = {};
    std::optional<std::chrono::seconds> remaining = {};  // by the pace of the last minute
};

class Warmer {
public:
    struct Parts {
        boost::asio::io_context& loop;
        boost::asio::thread_pool& pool;
        Clock& clock;
        CatalogReader& catalogs;
        // Brings an object into the cache: how many bytes came for it, 0 when it was there.
        std::function<Async<std::uint64_t>(std::string repository, ContentId id, char letter)>
            fetch;
        // The stored bytes of an object that was fetched.
        std::function<Async<Descriptor>(std::string repository, ContentId id)> open;
        // Each object that is there now, catalogs included; may be empty.
        std::function<void(const std::string& repository, const ContentId& id)> visited;
    };

    Warmer(Parts parts, WarmSettings settings);
    ~Warmer();
    boost::asio::awaitable<void> stop() { co_await tasks_.stop(); }

    // Errors: conflict (a walk of this repository runs).
    Result<void> start(WarmOrder order);
    // Starts it as soon as the walk of this repository that may be running has ended. The latest
    // order counts: for sub-trees that are kept warm from revision to revision.
    void start_next(WarmOrder order);
    // Ends the running walk after the transfers that run, and forgets what was to follow. False
    // when none runs.
    bool cancel(const std::string& repository);
    // The running or last walk of each repository.
    std::vector<WarmStatus> status() const;

private:
    struct Walk;
    struct Waiting {
        NestedCatalog catalog = {};
        bool is_counted = false;  // in the promise of one above it
    };
    using Task = boost::asio::awaitable<void>;

    void begin(WarmOrder order);
    Task run(std::shared_ptr<Walk> walk);
    Task walk_path(Walk& walk, std::string path);
    Async<void> walk_catalog(Walk& walk, const std::string& path, std::vector<Waiting>& waiting);
    Async<std::unique_ptr<Catalog>> open(Walk& walk, const NestedCatalog& place,
                                         const std::string& path);
    Async<void> read_objects(Walk& walk, Catalog* catalog, bool is_counted);
    Task bring(std::shared_ptr<Walk> walk);
    void account(Walk& walk, const ContentId& id, char letter, const Result<std::uint64_t>& bytes);
    void finish(Walk& walk);

    Parts parts_;
    WarmSettings settings_;
    std::map<std::string, std::shared_ptr<Walk>> walks_;  // the last of each repository
    std::map<std::string, WarmOrder> next_;
    TaskGroup tasks_;
};

}  // namespace berth::cache
