// What has no hash for a name: cached by its URL as RFC 9111 says. Frontier answers, geo replies,
// manifests of repositories that are not configured. In memory; what is larger than an entry may
// be is passed on and not kept.
//
// One request to the server however many ask for the same URL at the same time, revalidations
// included. A body is given out when all of it has come, so that none is ever cut short unnoticed;
// a larger one is streamed, and the connection is reset when it breaks off.
//
// Threads: the control loop.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "cache/fetcher.hpp"
#include "cache/freshness.hpp"
#include "cache/index.hpp"
#include "cache/request.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>
#include <unordered_map>

namespace berth::cache {

struct UrlSettings {
    std::uint64_t memory_bytes = 500'000'000;
    std::size_t entry_bytes_max = 32U << 20U;
    std::chrono::milliseconds stall{10'000};
};

class UrlCache {
public:
    struct Parts {
        boost::asio::io_context& loop;
        Upstream& upstream;
        Clock& clock;
        Metrics& metrics;
    };

    UrlCache(Parts parts, UrlSettings settings)
        : parts_(parts), settings_(settings), index_(settings.memory_bytes) {}

    boost::asio::awaitable<http::Response> handle(Ask ask, Source source);
    bool purge(const Key& key);
    std::uint64_t bytes() const { return index_.bytes(); }

private:
    struct Entry {
        int status = 200;
        http::Headers headers = {};
        std::shared_ptr<const std::string> body = {};
        Freshness freshness = {};
    };
    struct Flight {
        explicit Flight(boost::asio::io_context& loop)
            : done(loop, boost::asio::steady_timer::time_point::max()) {}
        boost::asio::steady_timer done;
        bool ended = false;
        std::shared_ptr<const Entry> entry = {};  // null: nothing that may be shared
    };
    // What a request to the server came to: a whole answer, or one that is passed on.
    struct Outcome {
        std::shared_ptr<const Entry> entry = {};
        bool shared = false;  // it may be given to others, too
        std::optional<http::Response> passed = {};
    };

    boost::asio::awaitable<http::Response> ask_server(Ask ask, Source source, Key key,
                                                      std::shared_ptr<const Entry> stale);
    boost::asio::awaitable<Outcome> transfer(Ask ask, Source source,
                                             std::shared_ptr<const Entry> stale);
    std::shared_ptr<const Entry> find(const Key& key);
    void put(const Key& key, std::shared_ptr<const Entry> entry);
    http::Response answer(const Ask& ask, const Entry& entry, const char* outcome);

    Parts parts_;
    UrlSettings settings_;
    Index index_;
    std::unordered_map<Key, std::shared_ptr<const Entry>> entries_;
    std::unordered_map<Key, std::shared_ptr<Flight>> flights_;
};

}  // namespace berth::cache
