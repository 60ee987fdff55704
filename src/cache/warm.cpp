#include "cache/warm.hpp"

#include "base/log.hpp"
#include "cache/tree_path.hpp"
#include "cache/warm_walk.hpp"

#include <algorithm>

namespace berth::cache {

namespace asio = boost::asio;
using State = WarmStatus::State;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t batch = 200;  // objects in one reading of a catalog

Result<std::unique_ptr<Catalog>> open_catalog(CatalogReader* reader, Descriptor packed,
                                              std::string mount, std::string path) {
    return reader->open(std::move(packed), std::move(mount), std::move(path));
}

Result<std::vector<NestedCatalog>> read_nested(Catalog* catalog) {
    return catalog->nested();
}

Result<std::vector<TreeObject>> read_next(Catalog* catalog) {
    return catalog->next(batch);
}

}  // namespace

Warmer::Warmer(Parts parts, WarmSettings settings)
    : parts_(std::move(parts)), settings_(settings), tasks_(parts_.loop) {}

Warmer::~Warmer() = default;

Result<void> Warmer::start(WarmOrder order) {
    const auto last = walks_.find(order.repository);
    if (last != walks_.end() && !last->second->status.ended)
        return Error{ErrorKind::conflict, "the cache is being warmed for " + order.repository +
                                              " already; cancel that or wait for its end"};
    begin(std::move(order));
    return {};
}

void Warmer::start_next(WarmOrder order) {
    const auto last = walks_.find(order.repository);
    if (last != walks_.end() && !last->second->status.ended)
        next_.insert_or_assign(order.repository, std::move(order));
    else
        begin(std::move(order));
}

void Warmer::begin(WarmOrder order) {
    if (tasks_.stopping())
        return;
    if (order.paths.empty())
        order.paths = {""};
    order.paths = without_overlaps(std::move(order.paths));
    const auto walk = std::make_shared<Walk>(parts_.loop, std::move(order), parts_.clock);
    walks_.insert_or_assign(walk->order.repository, walk);
    tasks_.spawn("warm", run(walk));
    for (std::size_t i = 0; i < settings_.fetches_max; ++i) {
        ++walk->bringing;
        tasks_.spawn("warm_objects", bring(walk));
    }
}

bool Warmer::cancel(const std::string& repository) {
    next_.erase(repository);
    const auto last = walks_.find(repository);
    if (last == walks_.end() || last->second->ended())
        return false;
    last->second->end_as(State::cancelled);
    return true;
}

std::vector<WarmStatus> Warmer::status() const {
    std::vector<WarmStatus> all;
    for (const auto& [name, walk] : walks_) {
        auto status = walk->status;
        const auto known = status.ended ? walk->found : std::max(walk->found, walk->promised);
        status.objects_known = known;
        if (!walk->ended())
            status.remaining = walk->pace.time_for(known - status.objects_done,
                                                   parts_.clock.steady(), status.objects_done);
        all.push_back(std::move(status));
    }
    return all;
}

asio::awaitable<void> Warmer::run(std::shared_ptr<Walk> walk) {
    try {
        for (const auto& path : walk->order.paths)
            co_await walk_path(*walk, path);
        walk->all_read = true;
        walk->changed.cancel();
        while (walk->bringing > 0)
            co_await walk->changed.async_wait(as_result);
        const auto unfinished = tasks_.stopping() ? State::cancelled : State::failed;
        walk->end_as(walk->is_complete() ? State::done : unfinished);
    } catch (...) {
        walk->end_as(State::cancelled);
        finish(*walk);
        throw;
    }
    finish(*walk);
}

void Warmer::finish(Walk& walk) {
    auto& status = walk.status;
    status.ended = parts_.clock.wall();
    log::info("cache_warmed", {{"repository", status.repository},
                               {"revision", status.revision},
                               {"complete", status.state == State::done ? "yes" : "no"},
                               {"objects", status.objects_done},
                               {"brought", status.objects_brought},
                               {"bytes", status.bytes_brought},
                               {"failures", status.failures}});
    auto next = next_.extract(walk.order.repository);
    if (next)
        begin(std::move(next.mapped()));
}

asio::awaitable<void> Warmer::walk_path(Walk& walk, std::string path) {
    std::vector<Waiting> waiting;
    const NestedCatalog root{.path = {}, .id = walk.order.root_catalog};
    waiting.push_back(Waiting{root});
    ++walk.status.catalogs_known;
    walk.has_path = false;
    const auto failures = walk.status.failures;
    while (!waiting.empty() && !walk.ended()) {
        const auto done = co_await walk_catalog(walk, path, waiting);
        ++walk.status.catalogs_done;
        if (!done)
            walk.fail(done.error().message, settings_.failures_in_a_row_max);
    }
    if (!walk.has_path && !walk.ended() && walk.status.failures == failures)
        walk.fail("there is no " + path + " in revision " + std::to_string(walk.status.revision),
                  settings_.failures_in_a_row_max);
}

Async<void> Warmer::walk_catalog(Walk& walk, const std::string& path,
                                 std::vector<Waiting>& waiting) {
    const auto place = std::move(waiting.back());
    waiting.pop_back();
    const auto catalog = co_await open(walk, place.catalog, path);
    if (!catalog)
        co_return catalog.error();
    walk.has_path = walk.has_path || (*catalog)->has_path();
    const auto promised = (*catalog)->promised_objects();
    const bool is_counted = place.is_counted || promised.has_value();
    if (!place.is_counted)
        walk.promised += promised.value_or(0);
    auto nested = co_await offload(parts_.pool, read_nested, catalog->get());
    if (!nested)
        co_return nested.error();
    if (waiting.size() + nested->size() > settings_.catalogs_waiting_max)
        co_return Error{ErrorKind::too_large, "too many catalogs are nested in one another"};
    walk.status.catalogs_known += nested->size();
    for (auto& one : *nested)
        waiting.push_back({.catalog = std::move(one), .is_counted = is_counted});
    co_return co_await read_objects(walk, catalog->get(), is_counted);
}

Async<std::unique_ptr<Catalog>> Warmer::open(Walk& walk, const NestedCatalog& place,
                                             const std::string& path) {
    const auto& repository = walk.order.repository;
    const auto what = "catalog " + (place.path.empty() ? std::string("/") : place.path);
    const auto bytes = co_await parts_.fetch(repository, place.id, 'C');
    if (!bytes)
        co_return Error(bytes.error()).within(what);
    walk.failures_in_a_row = 0;
    walk.status.bytes_brought += *bytes;
    auto packed = co_await parts_.open(repository, place.id);
    if (!packed)
        co_return std::move(packed.error()).within(what);
    if (parts_.visited)
        parts_.visited(repository, place.id);
    co_return co_await offload(parts_.pool, open_catalog, &parts_.catalogs, std::move(*packed),
                               place.path, path);
}

Async<void> Warmer::read_objects(Walk& walk, Catalog* catalog, bool is_counted) {
    while (!walk.ended()) {
        auto objects = co_await offload(parts_.pool, read_next, catalog);
        if (!objects)
            co_return objects.error();
        if (objects->empty())
            break;
        while (walk.waiting.size() >= settings_.waiting_max && walk.bringing > 0 && !walk.ended())
            co_await walk.changed.async_wait(as_result);
        if (walk.bringing == 0 || walk.ended())
            break;
        walk.found += objects->size();
        if (!is_counted)
            walk.promised += objects->size();
        walk.waiting.insert(walk.waiting.end(), objects->begin(), objects->end());
        walk.changed.cancel();
    }
    co_return Result<void>();
}

asio::awaitable<void> Warmer::bring(std::shared_ptr<Walk> walk) {
    struct AtEnd {
        Walk& walk;
        ~AtEnd() {
            --walk.bringing;
            walk.changed.cancel();
        }
    };
    const AtEnd at_end{*walk};
    for (;;) {
        while (walk->waiting.empty() && !walk->all_read && !walk->ended())
            co_await walk->changed.async_wait(as_result);
        if (walk->waiting.empty())
            co_return;
        const auto object = walk->waiting.front();
        walk->waiting.pop_front();
        if (walk->waiting.size() == settings_.waiting_max / 2)
            walk->changed.cancel();
        const auto bytes = co_await parts_.fetch(walk->order.repository, object.id, object.letter);
        account(*walk, object.id, object.letter, bytes);
    }
}

void Warmer::account(Walk& walk, const ContentId& id, char letter,
                     const Result<std::uint64_t>& bytes) {
    auto& status = walk.status;
    ++status.objects_done;
    walk.pace.note(parts_.clock.steady(), status.objects_done);
    if (bytes) {
        walk.failures_in_a_row = 0;
        status.objects_brought += *bytes > 0 ? 1 : 0;
        status.bytes_brought += *bytes;
        if (parts_.visited)
            parts_.visited(walk.order.repository, id);
        return;
    }
    const auto name = id.path() + (letter == 0 ? std::string() : std::string(1, letter));
    walk.fail(name + ": " + bytes.error().message, settings_.failures_in_a_row_max);
}

}  // namespace berth::cache
