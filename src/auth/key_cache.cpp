#include "auth/key_cache.hpp"

#include "auth/key_entry.hpp"
#include "auth/reason.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace berth::auth {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// Two settings with the same answer lead to the same keys.
bool same_keys(const IssuerSettings& a, const IssuerSettings& b) {
    return a.url == b.url && a.keys_file == b.keys_file && a.ca_file == b.ca_file &&
           a.internal == b.internal && a.jwks_hosts == b.jwks_hosts;
}

}  // namespace

KeyCache::KeyCache(asio::io_context& loop, asio::thread_pool& disk, KeyFetcher& fetcher,
                   const Clock& clock, Metrics& metrics)
    : loop_(loop), disk_(disk), fetcher_(fetcher), clock_(clock), metrics_(metrics), tasks_(loop) {
    metrics_.describe("berth_auth_key_fetches_total", "Attempts to load an issuer's keys.");
    metrics_.describe("berth_auth_keys_age_seconds", "Age of an issuer's keys.");
}

void KeyCache::configure(const std::vector<IssuerSettings>& issuers, const KeySettings& settings) {
    settings_ = settings;
    // WLCG profile 1.3, section 4.3.1: refresh between 1 h and 6 h, whatever a server's headers
    // say.
    settings_.refresh = std::clamp<std::chrono::seconds>(settings.refresh, std::chrono::hours(1),
                                                         std::chrono::hours(6));
    settings_.backoff_min = std::max(settings.backoff_min, std::chrono::seconds(1));
    std::map<std::string, EntryPtr, std::less<>> entries;
    for (const auto& issuer : issuers) {
        const auto old = entries_.find(issuer.name);
        if (old != entries_.end() && same_keys(old->second->issuer, issuer)) {
            old->second->issuer = issuer;
            entries[issuer.name] = old->second;
            continue;
        }
        auto entry = std::make_shared<Entry>();
        entry->issuer = issuer;
        entry->due = clock_.steady();
        entries[issuer.name] = std::move(entry);
    }
    entries_.swap(entries);
    for (const auto& [name, entry] : entries)
        entry->wake();
    metrics_.clear("berth_auth_keys_age_seconds");
}

void KeyCache::start() {
    tasks_.spawn("key_cache", maintain());
}

asio::awaitable<void> KeyCache::stop() {
    co_await tasks_.stop();
    for (const auto& [name, entry] : entries_)
        entry->wake();
}

asio::awaitable<void> KeyCache::maintain() {
    for (;;) {
        refresh_due();
        co_await sleep_for(std::chrono::seconds(1));
    }
}

void KeyCache::refresh_due() {
    const auto now = clock_.steady();
    for (const auto& [name, entry] : entries_) {
        if (now >= entry->due)
            begin(entry);
        if (entry->keys)
            metrics_.set("berth_auth_keys_age_seconds", {{"issuer", name}},
                         std::chrono::duration<double>(now - entry->fetched).count());
    }
}

void KeyCache::begin(const EntryPtr& entry) {
    if (entry->fetching || tasks_.stopping())
        return;
    entry->fetching = true;
    tasks_.spawn("load_keys " + entry->issuer.name, load(entry));
}

bool KeyCache::usable(const Entry& entry) const {
    return entry.keys != nullptr && clock_.steady() < entry.expires;
}

Error KeyCache::unavailable(const Entry& entry) const {
    auto error = refuse(Reason::keys_unavailable);
    const auto left = std::chrono::ceil<std::chrono::seconds>(entry.due - clock_.steady());
    error.retry_after_s = static_cast<int>(std::clamp<std::int64_t>(left.count(), 1, 600));
    return error;
}

const PublicKey* KeyCache::peek(std::string_view issuer_name, std::string_view kid) const {
    const auto at = entries_.find(issuer_name);
    return at == entries_.end() || !usable(*at->second) ? nullptr : at->second->keys->find(kid);
}

// Before a wait for `kid`: an error means that waiting is useless.
Result<void> KeyCache::prepare_wait(const EntryPtr& entry, std::string_view kid) {
    const auto now = clock_.steady();
    if (usable(*entry) && !entry->fetching) {
        // Anybody can send unknown kids; they must not become load on the issuer.
        const auto& last = entry->unknown_kid_fetch;
        if (last && now - *last < settings_.unknown_kid_interval)
            return refuse(Reason::unknown_key, kid);
        entry->unknown_kid_fetch = now;
    } else if (!entry->fetching && now < entry->due) {
        return unavailable(*entry);
    }
    if (tasks_.stopping() || entry->waiters.size() >= settings_.waiters_max)
        return unavailable(*entry);
    begin(entry);
    return {};
}

asio::awaitable<void> KeyCache::wait(EntryPtr entry) {
    struct Place {
        Entry& entry;
        std::list<asio::steady_timer>::iterator timer;
        ~Place() { entry.waiters.erase(timer); }
    };
    const auto timer = entry->waiters.emplace(entry->waiters.end(), loop_);
    const Place place{*entry, timer};
    timer->expires_after(settings_.wait_max);
    co_await timer->async_wait(as_result);
}

Async<PublicKey> KeyCache::find(std::string issuer_name, std::string kid) {
    const auto at = entries_.find(issuer_name);
    if (at == entries_.end())
        co_return refuse(Reason::unknown_issuer);
    const auto entry = at->second;
    const auto deadline = std::chrono::steady_clock::now() + settings_.wait_max;
    for (;;) {
        if (usable(*entry)) {
            if (const auto* key = entry->keys->find(kid))
                co_return *key;
        }
        if (auto worth = prepare_wait(entry, kid); !worth)
            co_return worth.error();
        // Several turns: the saved keys come before those of the issuer.
        if (std::chrono::steady_clock::now() >= deadline) {
            if (usable(*entry))
                co_return refuse(Reason::unknown_key, kid);
            co_return unavailable(*entry);
        }
        if (entry->fetching)
            co_await wait(entry);
    }
}

void KeyCache::flush(std::string_view issuer_name) {
    for (const auto& [name, entry] : entries_) {
        if (!issuer_name.empty() && name != issuer_name)
            continue;
        entry->flushed = true;
        entry->stamp = {};
        entry->due = clock_.steady();
        begin(entry);
    }
}

std::vector<IssuerHealth> KeyCache::health() const {
    std::vector<IssuerHealth> all;
    for (const auto& [name, entry] : entries_) {
        IssuerHealth one;
        one.issuer = name;
        one.usable = usable(*entry);
        one.last_error = entry->last_error;
        if (entry->keys) {
            const auto age = clock_.steady() - entry->fetched;
            one.source = entry->source;
            one.keys = entry->keys->keys.size();
            one.age = std::chrono::duration_cast<std::chrono::seconds>(age);
            one.stale = entry->source != "file" && age >= settings_.warn_after;
        }
        all.push_back(std::move(one));
    }
    return all;
}

bool KeyCache::is_fetching() const {
    return std::ranges::any_of(entries_, [](const auto& item) { return item.second->fetching; });
}

}  // namespace berth::auth
