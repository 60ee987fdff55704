// One issuer's keys inside the key cache. Private to it.
#pragma once

#include "auth/key_cache.hpp"

namespace berth::auth {

struct KeyCache::Entry {
    IssuerSettings issuer = {};
    std::shared_ptr<const KeySet> keys = {};
    std::string source = {};
    SteadyTime fetched = {};
    SteadyTime expires = {};
    SteadyTime due = {};  // no fetch before this, unless an unknown kid asks for one
    std::optional<SteadyTime> unknown_kid_fetch = {};
    int failures = 0;
    bool fetching = false;
    bool saved_tried = false;
    bool flushed = false;  // the present keys are dropped if the next fetch fails
    bool warned = false;
    FileStamp stamp = {};
    std::string last_error = {};
    std::list<boost::asio::steady_timer> waiters = {};

    void wake() {
        for (auto& waiter : waiters)
            waiter.cancel();
    }
};

// A random share of `most`: from `least_percent` to 100 percent of it.
std::chrono::milliseconds with_jitter(std::chrono::milliseconds most, unsigned least_percent);

}  // namespace berth::auth
