#include "cache/fetcher.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "cache/key.hpp"

#include <algorithm>
#include <utility>

namespace berth::cache {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t distrusted_max = 10'000;
constexpr std::size_t broken_max = 10'000;
constexpr std::chrono::seconds hold_back_for{30};  // after a transfer that was cut
constexpr milliseconds held_at_most{3500};         // the client gives up after 5 s
constexpr milliseconds look_interval{250};         // at whether a fetch has stalled
constexpr std::size_t tries_per_source = 2;
constexpr std::uint64_t slow_bytes_per_s = 4096;  // the client's own limit is 1024 over 5 s

// The offset that "bytes 5-9/10" begins with.
std::optional<std::uint64_t> range_begin(std::string_view content_range) {
    if (!content_range.starts_with("bytes "))
        return std::nullopt;
    content_range.remove_prefix(6);
    return to_number<std::uint64_t>(content_range.substr(0, content_range.find('-')));
}

// A server is distrusted for what it has under one name: another name of the object, made up by a
// client, must not bring the right one into discredit.
std::string place_of(const Source& source) {
    return Key::of_url(source.origin.name() + source.target).hex();
}

}  // namespace

// Several servers that are asked at the same time.
struct ContentFetcher::Race {
    explicit Race(asio::io_context& loop) : news(loop) {}

    struct Runner {
        std::size_t source = 0;
        bool done = false, counted = false;
        int status = 0;  // 0: no answer, or a good one
        Result<Opened> opened = Error{};
    };
    std::vector<Runner> runners;
    bool over = false;  // who comes now is too late
    Wakeup news;
};

// One object, from its first request to its end.
struct ContentFetcher::Progress {
    ContentId id = {};
    std::vector<Source> sources = {};
    std::shared_ptr<Fetch> fetch = {};
    std::vector<std::size_t> tries = {};  // of each source
    std::vector<std::size_t> gave = {};   // sources whose bytes the fetch has
    std::vector<int> statuses = {};       // other than 200
    std::size_t next = 0;                 // source to be asked next
    bool timed_out = false;

    // The next source that may be asked, or none.
    std::optional<std::size_t> take_next() {
        for (std::size_t turn = 0; turn < sources.size(); ++turn) {
            const auto at = (next + turn) % sources.size();
            if (tries[at] >= tries_per_source)
                continue;
            ++tries[at];
            next = at + 1;
            return at;
        }
        return std::nullopt;
    }
    bool has_other() const {
        return std::ranges::any_of(tries, [](std::size_t n) { return n < tries_per_source; });
    }
    int status() const {
        const auto is_missing = [](int code) { return code == 404 || code == 410; };
        if (!statuses.empty() && std::ranges::all_of(statuses, is_missing))
            return 404;
        return timed_out ? 504 : 502;
    }
};

ContentFetcher::ContentFetcher(Parts parts, FetchSettings settings)
    : parts_(std::move(parts)), settings_(settings), tasks_(parts_.loop) {
    parts_.metrics.describe("berth_cache_upstream_total",
                            "Requests to servers for content objects, by server and outcome.");
}

std::shared_ptr<Fetch> ContentFetcher::fetch(const ContentId& id, std::vector<Source> sources) {
    if (const auto running = fetches_.find(id); running != fetches_.end())
        return running->second;
    if (fetches_.size() >= settings_.fetches_max)
        return nullptr;
    const auto broken = broken_.find(id);
    auto made = start(id, broken != broken_.end() && broken->second > parts_.clock.steady());
    tasks_.spawn("fetch", run(id, std::move(sources)));
    return made;
}

std::shared_ptr<Fetch> ContentFetcher::start(const ContentId& id, bool hold_back) {
    auto made = std::make_shared<Fetch>(parts_.loop, id);
    if (hold_back)
        made->hold_back();
    fetches_[id] = made;
    tasks_.spawn("fetch_watch", watch(made));
    return made;
}

// Whoever waits for it must have bytes, or be sent elsewhere, before the client's patience ends.
asio::awaitable<void> ContentFetcher::watch(std::weak_ptr<Fetch> watched) {
    const auto began = std::chrono::steady_clock::now();
    for (auto pause = settings_.stream_after;; pause = look_interval) {
        co_await sleep_for(pause);
        const auto fetch = watched.lock();
        if (!fetch || fetch->state() != Fetch::State::running)
            co_return;
        fetch->stream_now();
        if (std::chrono::steady_clock::now() - began >= held_at_most)
            fetch->release();
    }
}

void ContentFetcher::note_broken(const ContentId& id) {
    const auto now = parts_.clock.steady();
    if (broken_.size() >= broken_max)
        std::erase_if(broken_, [&](const auto& entry) { return entry.second <= now; });
    if (broken_.size() < broken_max)
        broken_[id] = now + hold_back_for;
}

bool ContentFetcher::is_trusted(const ContentId& id, const Source& source) const {
    const auto found = distrusted_.find({id, place_of(source)});
    return found == distrusted_.end() || found->second <= parts_.clock.steady();
}

void ContentFetcher::distrust(const ContentId& id, const Source& source) {
    const auto now = parts_.clock.steady();
    if (distrusted_.size() >= distrusted_max)
        std::erase_if(distrusted_, [&](const auto& entry) { return entry.second <= now; });
    if (distrusted_.size() < distrusted_max)
        distrusted_[{id, place_of(source)}] = now + settings_.distrust;
    parts_.metrics.add("berth_cache_upstream_total",
                       {{"server", source.origin.name()}, {"outcome", "wrong_bytes"}});
    log::warning("wrong_bytes", {{"server", source.origin.name()}, {"object", id.text()}});
}

asio::awaitable<void> ContentFetcher::run(ContentId id, std::vector<Source> sources) {
    Progress progress{.id = id, .sources = {}, .fetch = fetches_.at(id)};
    for (auto& source : sources)
        if (is_trusted(id, source))
            progress.sources.push_back(std::move(source));
    progress.tries.assign(progress.sources.size(), 0);
    for (;;) {
        const bool complete = co_await transfer(progress);
        if (!complete) {
            fetches_.erase(id);
            if (progress.fetch->size() > 0)
                note_broken(id);
            progress.fetch->fail(progress.status());
            co_return;
        }
        if (progress.fetch->is_right())
            break;
        // Whose bytes were wrong cannot be told when several gave some: none of them is asked
        // again, unless nobody else is there.
        for (const auto at : progress.gave) {
            distrust(id, progress.sources[at]);
            progress.tries[at] = tries_per_source;
        }
        progress.gave.clear();
        auto again = start(id, true);
        progress.fetch->cut();
        progress.fetch = std::move(again);
    }
    finish(id, progress);
}

void ContentFetcher::finish(const ContentId& id, Progress& progress) {
    fetches_.erase(id);
    progress.fetch->verified();
    parts_.keep(id, progress.fetch);
}

// Asks one server; the runner is done when its first piece of the body has come, or it has failed.
asio::awaitable<void> ContentFetcher::ask(std::shared_ptr<Race> race, std::size_t place,
                                          Source source, std::uint64_t offset) {
    UpstreamCall call{.origin = source.origin, .target = source.target};
    call.headers.add("User-Agent", "berth/" BERTH_VERSION);
    call.headers.add("Accept", "*/*");
    if (offset > 0)
        call.headers.add("Range", "bytes=" + std::to_string(offset) + "-");
    call.head_timeout = settings_.last_stall;
    auto answer = co_await parts_.upstream.open(std::move(call));
    Result<Opened> opened = Error{};
    int status = 0;
    if (!answer) {
        opened = answer.error();
    } else {
        status = (*answer)->head().status;
        const bool good = status == 200 || (status == 206 && offset > 0);
        Result<std::string> first = Error{ErrorKind::rejected, "status " + std::to_string(status)};
        if (good)
            first = co_await (*answer)->read(settings_.last_stall);
        if (first)
            opened = Opened{.answer = std::move(*answer), .first = std::move(*first)};
        else
            opened = first.error();
    }
    const std::string outcome = opened ? "ok" : status != 0 ? std::to_string(status) : "failed";
    parts_.metrics.add("berth_cache_upstream_total",
                       {{"server", source.origin.name()}, {"outcome", outcome}});
    if (race->over)
        co_return;
    auto& runner = race->runners[place];
    runner.status = opened ? 0 : status;
    runner.opened = std::move(opened);
    runner.done = true;
    race->news.notify();
}

// True when the body's end has been read. Errors: it broke off or stalled.
Async<bool> ContentFetcher::receive(Progress& progress, Opened opened) {
    auto& fetch = *progress.fetch;
    const auto& head = opened.answer->head();
    // A server may answer a range with everything: then what is there already is skipped.
    std::uint64_t skip = fetch.size();
    if (head.status == 206) {
        if (range_begin(head.headers.get("Content-Range")) != skip)
            co_return Error{ErrorKind::unavailable, "it gives another range than was asked for"};
        skip = 0;
    } else if (fetch.size() == 0) {
        fetch.expect(head.length);
    }
    auto piece = std::move(opened.first);
    auto window = parts_.clock.steady();
    std::uint64_t moved = 0;
    while (!piece.empty()) {
        moved += piece.size();
        const auto skipped = std::min<std::uint64_t>(skip, piece.size());
        skip -= skipped;
        piece.erase(0, static_cast<std::size_t>(skipped));
        if (fetch.size() + piece.size() > settings_.object_bytes_max)
            co_return Error{ErrorKind::too_large, "the object is too large"};
        if (!piece.empty()) {
            auto added = co_await fetch.add(std::move(piece), parts_.disk, parts_.files);
            if (!added)
                co_return added.error();
        }
        const auto now = parts_.clock.steady();
        const bool alone = !progress.has_other();
        if (now - window >= settings_.stall) {
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - window);
            const auto least = slow_bytes_per_s * static_cast<std::uint64_t>(seconds.count());
            if (moved < least && !alone)
                co_return Error{ErrorKind::timed_out, "it sends too slowly"};
            window = now;
            moved = 0;
        }
        const auto limit = alone ? settings_.last_stall : settings_.stall;
        auto next = co_await opened.answer->read(limit);
        if (!next)
            co_return next.error();
        piece = std::move(*next);
    }
    co_return true;
}

// True when a whole body is there; false when no server gives it.
asio::awaitable<bool> ContentFetcher::transfer(Progress& progress) {
    for (;;) {
        auto race = std::make_shared<Race>(parts_.loop);
        const auto winner = co_await first_answer(progress, race);
        race->over = true;
        if (winner == race->runners.size())
            co_return false;
        auto& runner = race->runners[winner];
        progress.gave.push_back(runner.source);
        auto received = co_await receive(progress, std::move(*runner.opened));
        if (received && *received)
            co_return true;
        if (!received)
            log::info("transfer_broken",
                      {{"object", progress.id.text()}, {"error", received.error().message}});
    }
}

// The runner whose body has begun; as many as there are when every source has been tried.
asio::awaitable<std::size_t> ContentFetcher::first_answer(Progress& progress,
                                                          std::shared_ptr<Race> race) {
    const auto offset = progress.fetch->size();
    for (;;) {
        const auto source = progress.take_next();
        if (source) {
            race->runners.emplace_back().source = *source;
            tasks_.spawn("fetch_ask",
                         ask(race, race->runners.size() - 1, progress.sources[*source], offset));
        }
        const bool all_done = std::ranges::all_of(race->runners, &Race::Runner::done);
        if (!source && all_done)
            co_return race->runners.size();
        const auto limit =
            source && progress.has_other() ? settings_.first_byte : settings_.last_stall;
        co_await race->news.wait(limit);
        for (std::size_t i = 0; i < race->runners.size(); ++i) {
            auto& runner = race->runners[i];
            if (runner.done && runner.opened)
                co_return i;
            if (runner.done && !std::exchange(runner.counted, true)) {
                const bool late = runner.opened.error().kind == ErrorKind::timed_out;
                progress.timed_out = progress.timed_out || late;
                progress.statuses.push_back(runner.status);
            }
        }
    }
}

}  // namespace berth::cache
