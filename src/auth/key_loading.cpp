// How the key cache gets keys: from a file, from the issuer, from what was saved.
#include "auth/key_entry.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::auth {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds file_interval{5};

}  // namespace

std::chrono::milliseconds with_jitter(std::chrono::milliseconds most, unsigned least_percent) {
    unsigned char bytes[2];
    random_bytes(bytes);
    const auto random = static_cast<unsigned>(bytes[0]) * 256U + bytes[1];  // 0 .. 65535
    const auto share = least_percent * 65535ULL + (100ULL - least_percent) * random;
    return most * static_cast<std::int64_t>(share) / (100LL * 65535LL);
}

asio::awaitable<void> KeyCache::load(EntryPtr entry) {
    struct Fetching {
        Entry& entry;
        ~Fetching() {
            entry.fetching = false;
            entry.wake();
        }
    };
    const Fetching fetching{*entry};
    const bool from_file = !entry->issuer.keys_file.empty();
    if (!from_file && !entry->saved_tried) {
        entry->saved_tried = true;
        co_await load_saved(entry);
        entry->wake();
        if (clock_.steady() < entry->due)
            co_return;
    }
    Result<Loaded> loaded;
    if (from_file)
        loaded = co_await load_file(entry);
    else
        loaded = co_await discover(entry);
    if (!loaded) {
        fail(*entry, loaded.error());
        if (!from_file && (!usable(*entry) || entry->source == "system cache"))
            co_await load_system(entry);
        co_return;
    }
    auto text = loaded->text;
    accept(*entry, std::move(*loaded));
    entry->wake();
    if (!from_file && !settings_.state_directory.empty())
        co_await save(entry, std::move(text));
}

Async<KeyCache::Loaded> KeyCache::load_file(EntryPtr entry) {
    auto path = entry->issuer.keys_file;
    auto known = entry->stamp;
    auto reading = co_await offload(disk_, &read_keys_file, std::move(path), known);
    if (!reading)
        co_return reading.error();
    Loaded loaded;
    if (!reading->changed)
        co_return loaded;
    auto set = parse_jwks(reading->text);
    if (!set)
        co_return set.error();
    entry->stamp = reading->stamp;
    loaded.keys = std::make_shared<const KeySet>(std::move(*set));
    co_return loaded;
}

Async<KeyCache::Loaded> KeyCache::discover(EntryPtr entry) {
    const auto issuer = entry->issuer;
    const FetchRules rules{issuer.ca_file, issuer.internal};
    auto metadata = co_await fetcher_.fetch(openid_metadata_url(issuer.url), rules);
    if (!metadata && metadata.error().kind == ErrorKind::not_found)
        metadata = co_await fetcher_.fetch(oauth_metadata_url(issuer.url), rules);
    if (!metadata)
        co_return metadata.error();
    const auto uri = read_metadata(*metadata, issuer);
    if (!uri)
        co_return uri.error();
    auto text = co_await fetcher_.fetch(*uri, rules);
    if (!text)
        co_return text.error();
    auto set = parse_jwks(*text);
    if (!set)
        co_return set.error();
    Loaded loaded;
    loaded.keys = std::make_shared<const KeySet>(std::move(*set));
    loaded.text = std::move(*text);
    co_return loaded;
}

void KeyCache::accept(Entry& entry, Loaded loaded) {
    const auto now = clock_.steady();
    const bool from_file = !entry.issuer.keys_file.empty();
    metrics_.add("berth_auth_key_fetches_total", {{"issuer", entry.issuer.name}, {"result", "ok"}});
    entry.failures = 0;
    entry.last_error.clear();
    entry.flushed = false;
    entry.warned = false;
    entry.fetched = now;
    // A file is the word of the site: its keys hold until it changes.
    entry.expires = from_file ? SteadyTime::max() : now + settings_.expire_after;
    entry.due = now + (from_file ? file_interval : with_jitter(settings_.refresh, 90));
    if (!loaded.keys)
        return;
    for (const auto& line : loaded.keys->ignored)
        log::warning("issuer_key_ignored", {{"issuer", entry.issuer.name}, {"key", line}});
    log::info("issuer_keys_loaded", {{"issuer", entry.issuer.name},
                                     {"keys", loaded.keys->keys.size()},
                                     {"source", from_file ? "file" : "discovery"}});
    entry.keys = std::move(loaded.keys);
    entry.source = from_file ? "file" : "discovery";
}

void KeyCache::fail(Entry& entry, const Error& error) {
    const auto now = clock_.steady();
    metrics_.add("berth_auth_key_fetches_total",
                 {{"issuer", entry.issuer.name}, {"result", "failed"}});
    entry.failures = std::min(entry.failures + 1, 16);
    entry.last_error = error.message;
    if (entry.flushed) {
        entry.keys = nullptr;
        entry.flushed = false;
    }
    auto pause = std::min<std::chrono::milliseconds>(
        settings_.backoff_min * (1LL << (entry.failures - 1)), settings_.backoff_max);
    if (!entry.issuer.keys_file.empty())
        pause = std::min<std::chrono::milliseconds>(pause, file_interval);
    entry.due = now + with_jitter(pause, 50);
    log::warning("issuer_keys_failed", {{"issuer", entry.issuer.name}, {"error", error.message}});
    if (entry.keys && !entry.warned && now - entry.fetched >= settings_.warn_after) {
        entry.warned = true;
        log::error("issuer_keys_stale", {{"issuer", entry.issuer.name}});
    }
}

// The keys of an earlier run, with the age that they have by the wall clock.
asio::awaitable<void> KeyCache::load_saved(EntryPtr entry) {
    if (settings_.state_directory.empty())
        co_return;
    auto directory = settings_.state_directory;
    auto url = entry->issuer.url;
    auto saved = co_await offload(disk_, &load_saved_keys, std::move(directory), std::move(url));
    if (!saved) {
        if (saved.error().kind != ErrorKind::not_found)
            log::warning("saved_keys_refused",
                         {{"issuer", entry->issuer.name}, {"error", saved.error().message}});
        co_return;
    }
    const std::chrono::milliseconds all = settings_.expire_after;
    const auto left = std::min<std::chrono::milliseconds>(saved->expires - clock_.wall(), all);
    auto set = parse_jwks(saved->jwks);
    if (!set || left <= std::chrono::milliseconds(0))
        co_return;
    const auto now = clock_.steady();
    entry->keys = std::make_shared<const KeySet>(std::move(*set));
    entry->source = "saved";
    entry->fetched = now - (all - left);
    entry->expires = now + left;
    entry->due = std::max(now, entry->fetched + with_jitter(settings_.refresh, 90));
}

// When the issuer cannot be reached and there is nothing of our own (WLCG JWKS cache 1.0).
asio::awaitable<void> KeyCache::load_system(EntryPtr entry) {
    auto places = settings_.system_caches;
    auto url = entry->issuer.url;
    const auto wall = clock_.wall();
    auto cached =
        co_await offload(disk_, &load_system_keys, std::move(places), std::move(url), wall);
    if (!cached)
        co_return;
    auto set = parse_jwks(cached->jwks);
    if (!set)
        co_return;
    const auto left =
        std::min<std::chrono::milliseconds>(cached->expires - wall, settings_.expire_after);
    const auto now = clock_.steady();
    entry->keys = std::make_shared<const KeySet>(std::move(*set));
    entry->source = "system cache";
    entry->fetched = now;
    entry->expires = now + left;
    log::info("issuer_keys_loaded", {{"issuer", entry->issuer.name}, {"source", "system cache"}});
}

asio::awaitable<void> KeyCache::save(EntryPtr entry, std::string text) {
    auto directory = settings_.state_directory;
    auto url = entry->issuer.url;
    CachedKeys keys{std::move(text), clock_.wall() + settings_.expire_after};
    const auto saved =
        co_await offload(disk_, &save_keys, std::move(directory), std::move(url), std::move(keys));
    // The keys in memory are what counts; a full disk only costs the next start a fetch.
    if (!saved)
        log::warning("keys_not_saved",
                     {{"issuer", entry->issuer.name}, {"error", saved.error().message}});
}

}  // namespace berth::auth
