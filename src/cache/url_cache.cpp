#include "cache/url_cache.hpp"

#include "base/text.hpp"
#include "http/stream.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <stdexcept>

namespace berth::cache {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t entry_overhead = 600;

// Passes a body on while it comes. A break resets the connection to the client: it must not take
// what it has for the whole.
class PassedBody final : public http::Stream {
public:
    PassedBody(std::unique_ptr<UpstreamAnswer> answer, std::string first,
               std::chrono::milliseconds stall)
        : answer_(std::move(answer)), first_(std::move(first)), stall_(stall) {}

    asio::awaitable<std::string> next() override {
        if (!first_.empty())
            co_return std::exchange(first_, std::string());
        auto piece = co_await answer_->read(stall_);
        if (!piece)
            throw std::runtime_error(piece.error().message);
        co_return std::move(*piece);
    }

private:
    std::unique_ptr<UpstreamAnswer> answer_;
    std::string first_;
    std::chrono::milliseconds stall_;
};

// What may come from one client and lead to an answer for all: nothing that the URL does not say
// and a server might still heed, as X-Forwarded-Host. The geo service looks at X-Forwarded-For.
bool is_harmless(std::string_view name) {
    constexpr std::array<std::string_view, 7> names = {
        "accept",        "cache-control",   "pragma",    "user-agent",
        "x-frontier-id", "x-forwarded-for", "cvmfs-info"};
    return std::ranges::find(names, name) != names.end() || name.starts_with("x-cvmfs-");
}

bool is_own(std::string_view name) {
    constexpr std::array<std::string_view, 4> own = {"if-modified-since", "if-none-match", "range",
                                                     "if-range"};
    return std::ranges::find(own, name) != own.end();
}

// What a client's request has that the server should see. `shared`: others may get the answer.
http::Headers request_headers(const Ask& ask, bool conditional, bool shared) {
    http::Headers headers;
    const auto sent = end_to_end(ask.headers);
    for (const auto& [name, value] : sent.all()) {
        const auto key = to_lower(name);
        if (key == "host" || key == "content-length" || key == "expect")
            continue;
        if (is_own(key) ? !conditional && ask.headers.contains("Range")
                        : !shared || is_harmless(key))
            headers.add(name, value);
    }
    headers.add("Via", "1.1 berth");
    return headers;
}

bool is_conditional_hit(const http::Headers& request, const http::Headers& stored) {
    const auto tag = stored.get("ETag");
    const auto wanted = request.get("If-None-Match");
    if (!wanted.empty())
        return wanted == "*" || (!tag.empty() && wanted.find(tag) != std::string_view::npos);
    // Frontier's servers compare for equality; a later date is as good.
    const auto since = read_date(request.get("If-Modified-Since"));
    const auto modified = read_date(stored.get("Last-Modified"));
    return since && modified && *modified <= *since;
}

http::Response failure(int status, std::string_view text) {
    http::Response response{.status = status};
    response.headers.add("Content-Type", "text/plain");
    response.headers.add("Cache-Control", "no-store");
    response.body = std::string(text) + "\n";
    return response;
}

}  // namespace

std::shared_ptr<const UrlCache::Entry> UrlCache::find(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end())
        return nullptr;
    index_.hit(key);
    return found->second;
}

void UrlCache::put(const Key& key, std::shared_ptr<const Entry> entry) {
    const auto size = entry->body->size() + entry_overhead;
    entries_[key] = std::move(entry);
    for (const auto& gone : index_.insert({.key = key, .size = size}))
        entries_.erase(gone);
}

bool UrlCache::purge(const Key& key) {
    entries_.erase(key);
    return index_.remove(key);
}

http::Response UrlCache::answer(const Ask& ask, const Entry& entry, const char* outcome) {
    parts_.metrics.add("berth_cache_requests_total", {{"kind", "url"}, {"outcome", outcome}});
    http::Response response{.status = entry.status, .headers = entry.headers};
    const auto age = entry.freshness.age(parts_.clock.wall());
    response.headers.set("Age", std::to_string(age.count()));
    if (entry.status == 200 && is_conditional_hit(ask.headers, entry.headers)) {
        response.status = 304;
        response.headers.remove("Content-Length");
        return response;
    }
    response.body = entry.body;
    return response;
}

asio::awaitable<http::Response> UrlCache::handle(Ask ask, Source source) {
    const auto key = Key::of_url("http://" + source.origin.name() + source.target);
    const auto controls = request_controls(ask.headers);
    // A range of something without a hash: passed on, not kept.
    const bool cacheable = !ask.headers.contains("Range") && !controls.no_store;
    for (int turn = 0; cacheable && turn < 2; ++turn) {
        const auto entry = find(key);
        if (entry && use_of(entry->freshness, controls, parts_.clock.wall()) == Use::serve)
            co_return answer(ask, *entry, "hit");
        const auto flying = flights_.find(key);
        if (flying == flights_.end() || ask.method == "HEAD")
            break;
        const auto flight = flying->second;
        while (!flight->ended)
            co_await flight->done.async_wait(as_result);
        if (flight->entry)
            co_return answer(ask, *flight->entry, "shared");
    }
    if (controls.only_if_cached)
        co_return failure(504, "not in the cache");
    const auto stale = cacheable ? find(key) : nullptr;
    co_return co_await ask_server(std::move(ask), std::move(source), key, stale);
}

asio::awaitable<http::Response> UrlCache::ask_server(Ask ask, Source source, Key key,
                                                     std::shared_ptr<const Entry> stale) {
    std::shared_ptr<Flight> flight;
    if (ask.method == "GET" && !flights_.contains(key)) {
        flight = std::make_shared<Flight>(parts_.loop);
        flights_[key] = flight;
    }
    // However this ends, those who wait go on.
    struct Landing {
        UrlCache* cache;
        std::shared_ptr<Flight> flight;
        Key key;
        ~Landing() {
            if (!flight)
                return;
            cache->flights_.erase(key);
            flight->ended = true;
            flight->done.cancel();
        }
    };
    const Landing landing{this, flight, key};
    auto outcome = co_await transfer(ask, std::move(source), stale);
    if (outcome.passed) {
        parts_.metrics.add("berth_cache_requests_total", {{"kind", "url"}, {"outcome", "passed"}});
        co_return std::move(*outcome.passed);
    }
    if (outcome.shared) {
        put(key, outcome.entry);
        if (flight)
            flight->entry = outcome.entry;
    }
    co_return answer(ask, *outcome.entry, "miss");
}

asio::awaitable<UrlCache::Outcome> UrlCache::transfer(Ask ask, Source source,
                                                      std::shared_ptr<const Entry> stale) {
    const auto controls = request_controls(ask.headers);
    UpstreamCall call{.origin = source.origin, .target = source.target, .method = ask.method};
    const bool shared =
        !controls.no_store && !controls.authorized && !ask.headers.contains("Range");
    call.headers = request_headers(ask, stale != nullptr, shared);
    if (stale && stale->headers.contains("ETag"))
        call.headers.add("If-None-Match", std::string(stale->headers.get("ETag")));
    if (stale && stale->headers.contains("Last-Modified"))
        call.headers.add("If-Modified-Since", std::string(stale->headers.get("Last-Modified")));
    const auto requested = parts_.clock.wall();
    auto opened = co_await parts_.upstream.open(std::move(call));
    const auto now = parts_.clock.wall();
    const bool failed = !opened || (*opened)->head().status >= 500;
    if (failed && stale && may_serve_stale(stale->freshness, controls, now))
        co_return Outcome{.entry = stale};
    if (!opened) {
        const bool late = opened.error().kind == ErrorKind::timed_out;
        const bool refused = opened.error().kind == ErrorKind::forbidden;
        co_return Outcome{.passed = failure(refused ? 403
                                            : late  ? 504
                                                    : 502,
                                            opened.error().message)};
    }
    auto& reply = **opened;
    const auto& head = reply.head();
    if (head.status == 304 && stale) {
        auto renewed = std::make_shared<Entry>(*stale);
        renewed->headers = updated_by(stale->headers, head.headers);
        renewed->freshness = freshness_of(renewed->headers, renewed->status, requested, now);
        co_return Outcome{.entry = std::move(renewed), .shared = true};
    }
    http::Response passed{.status = head.status, .headers = end_to_end(head.headers)};
    passed.headers.add("Via", "1.1 berth");
    const bool kept = ask.method == "GET" && !ask.headers.contains("Range") &&
                      may_store(head.status, controls, head.headers);
    std::string body;
    while (head.has_body) {
        auto piece = co_await reply.read(settings_.stall);
        if (!piece && stale && may_serve_stale(stale->freshness, controls, now))
            co_return Outcome{.entry = stale};
        if (!piece)
            co_return Outcome{.passed = failure(502, piece.error().message)};
        if (piece->empty())
            break;
        body += *piece;
        if (kept && body.size() <= settings_.entry_bytes_max)
            continue;
        passed.body =
            std::make_shared<PassedBody>(std::move(*opened), std::move(body), settings_.stall);
        co_return Outcome{.passed = std::move(passed)};
    }
    if (!kept) {
        passed.body = std::move(body);
        co_return Outcome{.passed = std::move(passed)};
    }
    auto entry = std::make_shared<Entry>();
    entry->status = head.status;
    entry->freshness = freshness_of(head.headers, head.status, requested, now);
    entry->headers = std::move(passed.headers);
    entry->headers.remove("Content-Length");
    entry->body = std::make_shared<const std::string>(std::move(body));
    co_return Outcome{.entry = std::move(entry), .shared = true};
}

}  // namespace berth::cache
