// The configured repositories: their servers, and the last manifest and whitelist that were good.
//
// A manifest is given out only after it was verified with the repository's keys, and never one
// that is older than what was given out before. When no server gives a good one, the last good one
// is served and the repository is offline.
//
// Threads: the control loop. Lifetime: stop() must end before it dies.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/tasks.hpp"
#include "cache/freshness.hpp"
#include "cache/manifest.hpp"
#include "cache/request.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace berth::cache {

struct RepositorySettings {
    std::string name = {};
    std::vector<ServerUrl> servers = {};
    std::vector<std::string> master_keys = {};  // PEM texts; none: manifests are not judged
    std::vector<std::string> keep_warm = {};    // sub-trees
};

class Repositories {
public:
    struct Parts {
        boost::asio::io_context& loop;
        Upstream& upstream;
        Clock& clock;
        // The bytes of a verified content object, by the cache itself.
        std::function<Async<std::string>(std::string repository, ContentId id, char letter)>
            content;
        // What must outlive the process (repository_record.hpp).
        std::function<void(const std::string& repository, std::string record)> remember;
    };
    struct Document {
        std::shared_ptr<const std::string> bytes;
        http::Headers headers;  // Content-Type, Cache-Control, Age
    };
    struct Health {
        std::string name = {}, error = {};
        bool offline = false, judged = false;
        std::uint64_t revision = 0;
        std::optional<WallTime> verified = {}, whitelist_expires = {};
    };

    Repositories(Parts parts, std::vector<RepositorySettings> settings);
    boost::asio::awaitable<void> stop() { co_await tasks_.stop(); }

    // Whether its manifests are verified here: it is configured, with keys.
    bool judges(const std::string& name) const;
    // Asks for the manifests of all judged repositories, in the background.
    void start();
    bool knows(const std::string& name) const { return all_.contains(name); }
    const std::vector<ServerUrl>& servers(const std::string& name) const;
    // The manifest (or whitelist), fresh or, when the servers are gone, the last good one.
    // Errors: unavailable (never had a good one), rejected (what the servers give is not).
    Async<Document> manifest(std::string name);
    Async<Document> whitelist(std::string name);
    // What was remembered before a restart: verified anew, served while the servers are away, and
    // what is older is refused. Errors: rejected, invalid.
    Result<void> recall(const std::string& name, const std::string& record);
    // The last good manifest.
    std::optional<Manifest> known(const std::string& name) const;
    // The audited way back to an older revision.
    bool forget_revision(const std::string& name);
    std::vector<Health> health() const;

private:
    struct Copy {
        std::shared_ptr<const std::string> bytes = {};
        Freshness freshness = {};
    };
    struct Repository {
        RepositorySettings settings = {};
        Copy manifest = {}, whitelist = {};
        std::optional<Manifest> known = {};
        std::optional<Whitelist> listed = {};
        std::optional<WallTime> verified = {};
        std::string error = {};
        bool offline = false;
        SteadyTime next_try = {}, asked = {}, renewed = {};
        bool refreshing = false;
        std::unique_ptr<boost::asio::steady_timer> done = {};
    };

    Async<void> refresh(Repository& repository);
    boost::asio::awaitable<void> wait_for_refresh(Repository& repository);
    void begin_refresh(Repository& repository);
    boost::asio::awaitable<void> refresh_once(Repository* repository);
    boost::asio::awaitable<void> refresh_ahead(Repository* repository,
                                               std::chrono::milliseconds after);
    Async<void> take_from(Repository& repository, const ServerUrl& server, bool is_last);
    Async<Copy> get(const ServerUrl& server, const char* name, bool is_last);
    Result<Document> answer(const Repository& repository, const Copy& copy) const;

    Parts parts_;
    TaskGroup tasks_;
    std::map<std::string, Repository> all_;
};

}  // namespace berth::cache
