// The public keys of every configured issuer, kept fresh without making requests wait.
//
// A set is fetched once however many requests need it, refreshed in the background, used while
// the issuer is down until it expires, and kept on disk for the next start. A key that the set
// does not have causes one more fetch, at most once a minute. No other issuer is ever contacted.
//
// Threads: one loop. Lifetime: stop() must end before the cache dies.
#pragma once

#include "auth/key_files.hpp"
#include "auth/keys.hpp"
#include "auth/settings.hpp"
#include "base/async.hpp"
#include "base/metrics.hpp"
#include "base/tasks.hpp"

#include <boost/asio/steady_timer.hpp>

#include <list>
#include <map>
#include <memory>

namespace berth::auth {

struct FetchRules {
    std::string ca_file = {};  // "" = the system's trust anchors
    bool internal = false;     // a private address is permitted
};

// The port by which documents of issuers are fetched.
class KeyFetcher {
public:
    virtual ~KeyFetcher() = default;
    // The body of a 200 answer. It must have a deadline and a size limit and follow no redirect.
    // Errors: not_found for 404; any other kind for everything else.
    virtual Async<std::string> fetch(std::string url, FetchRules rules) = 0;
};

struct IssuerHealth {
    std::string issuer;  // name
    std::string source;  // "file", "discovery", "saved", "system cache"; "" without keys
    std::size_t keys = 0;
    std::chrono::seconds age{0};
    bool usable = false;
    bool stale = false;  // so old that somebody should look
    std::string last_error;
};

class KeyCache {
public:
    KeyCache(boost::asio::io_context& loop, boost::asio::thread_pool& disk, KeyFetcher& fetcher,
             const Clock& clock, Metrics& metrics);
    KeyCache(const KeyCache&) = delete;
    KeyCache& operator=(const KeyCache&) = delete;

    // Keys of issuers that are the same as before are kept.
    void configure(const std::vector<IssuerSettings>& issuers, const KeySettings& settings);
    // Fetches every issuer's keys and keeps them fresh from here on.
    void start();
    boost::asio::awaitable<void> stop();

    // Errors: unavailable (with retry_after_s) while the keys cannot be had; unauthorized with
    // reason unknown_key, or unknown_issuer.
    Async<PublicKey> find(std::string issuer_name, std::string kid);
    // The key if it is there and usable now, else null.
    const PublicKey* peek(std::string_view issuer_name, std::string_view kid) const;
    // Asks the issuer again at once and forgets the present keys if that fails: for a key that
    // is known to be stolen. "" = all issuers.
    void flush(std::string_view issuer_name);
    // Begins every fetch that is due; start() calls it each second.
    void refresh_due();

    std::vector<IssuerHealth> health() const;
    bool is_fetching() const;

private:
    struct Entry;
    using EntryPtr = std::shared_ptr<Entry>;
    struct Loaded {
        std::shared_ptr<const KeySet> keys;  // null: unchanged
        std::string text;
    };

    boost::asio::awaitable<void> maintain();
    void begin(const EntryPtr& entry);
    boost::asio::awaitable<void> load(EntryPtr entry);
    boost::asio::awaitable<void> load_saved(EntryPtr entry);
    boost::asio::awaitable<void> load_system(EntryPtr entry);
    Async<Loaded> load_file(EntryPtr entry);
    Async<Loaded> discover(EntryPtr entry);
    void accept(Entry& entry, Loaded loaded);
    void fail(Entry& entry, const Error& error);
    boost::asio::awaitable<void> save(EntryPtr entry, std::string text);
    Result<void> prepare_wait(const EntryPtr& entry, std::string_view kid);
    boost::asio::awaitable<void> wait(EntryPtr entry);
    bool usable(const Entry& entry) const;
    Error unavailable(const Entry& entry) const;

    boost::asio::io_context& loop_;
    boost::asio::thread_pool& disk_;
    KeyFetcher& fetcher_;
    const Clock& clock_;
    Metrics& metrics_;
    KeySettings settings_;
    std::map<std::string, EntryPtr, std::less<>> entries_;  // by name
    TaskGroup tasks_;
};

}  // namespace berth::auth
