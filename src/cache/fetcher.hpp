// Brings content objects from the servers, each once however many wait for it.
//
// A server that gives no first byte in time gets company: the next one is asked, and the first to
// answer is taken. A transfer that breaks or stalls goes on at the next server where it stopped.
// The hash over all bytes decides; a server that brought wrong ones is not asked for that object
// for a while, and the object is fetched anew at once.
//
// Threads: the control loop. Lifetime: stop() must end before it dies.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/tasks.hpp"
#include "cache/fetch.hpp"
#include "cache/upstream.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::cache {

struct FetchSettings {
    std::chrono::milliseconds first_byte{1500};   // then the next server is asked, too
    std::chrono::milliseconds stall{3000};        // then the transfer goes on elsewhere
    std::chrono::milliseconds last_stall{10000};  // where there is no other server
    std::chrono::milliseconds stream_after{2000};
    std::chrono::minutes distrust{10};
    std::uint64_t object_bytes_max = 16ULL << 30U;
    std::size_t fetches_max = 10'000;  // at a time
    unsigned finish_percent = 50;      // with nobody waiting, from here on it goes to its end
};

// Where an object can be had: a server, and the path of it there.
struct Source {
    Origin origin = {};
    std::string target = {};
    bool operator==(const Source&) const = default;
};

class ContentFetcher {
public:
    struct Parts {
        boost::asio::io_context& loop;
        boost::asio::thread_pool& disk;
        Upstream& upstream;
        Files& files;
        Clock& clock;
        Metrics& metrics;
        // A verified object: takes it into the tiers.
        std::function<void(const ContentId&, std::shared_ptr<Fetch>)> keep;
    };

    ContentFetcher(Parts parts, FetchSettings settings);
    boost::asio::awaitable<void> stop() { co_await tasks_.stop(); }

    // The fetch of the object that runs already, or a new one from these sources, in this order.
    // Null when too many run.
    std::shared_ptr<Fetch> fetch(const ContentId& id, std::vector<Source> sources);
    std::size_t running() const { return fetches_.size(); }

private:
    struct Opened {
        std::unique_ptr<UpstreamAnswer> answer = {};
        std::string first = {};  // piece of the body; "" = it is empty
    };
    struct Race;
    struct Progress;

    boost::asio::awaitable<void> run(ContentId id, std::vector<Source> sources);
    boost::asio::awaitable<bool> transfer(Progress& progress);
    boost::asio::awaitable<std::size_t> first_answer(Progress& progress,
                                                     std::shared_ptr<Race> race);
    boost::asio::awaitable<void> ask(std::shared_ptr<Race> race, std::size_t place, Source source,
                                     std::uint64_t offset);
    Async<bool> receive(Progress& progress, Opened opened);
    bool is_trusted(const ContentId& id, const Source& source) const;
    void distrust(const ContentId& id, const Source& source);
    void finish(const ContentId& id, Progress& progress);
    std::shared_ptr<Fetch> start(const ContentId& id, bool hold_back);
    boost::asio::awaitable<void> watch(std::weak_ptr<Fetch> watched);
    void note_broken(const ContentId& id);

    Parts parts_;
    FetchSettings settings_;
    TaskGroup tasks_;
    std::unordered_map<ContentId, std::shared_ptr<Fetch>> fetches_;
    std::map<std::pair<ContentId, std::string>, SteadyTime> distrusted_;  // until
    std::unordered_map<ContentId, SteadyTime> broken_;  // transfers that were cut; held back until
};

}  // namespace berth::cache
