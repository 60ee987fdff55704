// Small documents over HTTPS: issuer metadata, key sets. libcurl on two threads of its own.
//
// No redirect is followed, no proxy, cookie or password file of the environment is used, no
// compression is asked for, and the whole transfer has a deadline and a size limit. The address
// is checked when curl opens the socket to it, so a name cannot be re-bound after the check.
//
// Threads: get() from any loop. Lifetime: stop() (or the destructor) waits for running transfers,
// at most their deadline.
#pragma once

#include "base/async.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace berth::net {

struct FetchRequest {
    std::string url = {};
    std::string ca_file = {};  // PEM; "" = the system's trust anchors. Exactly these, not both
    bool internal = false;     // a special-purpose address is permitted
    std::size_t bytes_max = 1U << 20U;
    std::chrono::milliseconds deadline{10000};  // from the name lookup to the last byte
};

struct FetchedDocument {
    int status = 0;
    std::string content_type = {};  // as sent
    std::string body = {};
};

struct FetcherSettings {
    // "http://host:port" through which everything goes; the proxy then looks up names and the
    // address check is left to it. "" = direct.
    std::string parent_proxy = {};
    // Hosts that are reached without it: "host", or ".domain" for every host below.
    std::vector<std::string> proxy_exceptions = {};
    std::set<std::string, std::less<>> plain_urls = {};  // exact http:// URLs that are permitted
    std::size_t queue_max = 64;  // transfers running or waiting; what is above fails at once
};

class Fetcher {
public:
    explicit Fetcher(FetcherSettings settings);
    ~Fetcher();
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    // The answer, whatever its status below 300 or from 400 on.
    // Errors: forbidden (scheme, user information, special-purpose address, redirect), rejected
    // (TLS refused), too_large, timed_out, unavailable (cannot connect, queue full, cut off).
    Async<FetchedDocument> get(FetchRequest request);
    // For transfers that begin from now on. On the loop that calls get().
    void set_parent_proxy(std::string url, std::vector<std::string> exceptions) {
        settings_.parent_proxy = std::move(url);
        settings_.proxy_exceptions = std::move(exceptions);
    }

private:
    FetcherSettings settings_;
    std::atomic<std::size_t> running_{0};
    boost::asio::thread_pool pool_{2};
};

}  // namespace berth::net
