// Requests to one plain-HTTP server of the site: TCP or a unix socket, connections kept alive.
//
// What matters to its user is whether a request that failed can have had an effect. So a request
// is written at most once: libcurl's own second try after a kept connection broke is stopped.
//
// Threads: send() on the loop only; libcurl runs on threads of its own.
// Lifetime: outlives every send(). A cancelled send() returns within about a second and then
// throws at the caller's next wait.
#pragma once

#include "net/http_call.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <string>
#include <vector>

namespace berth::net {

struct HttpClientSettings {
    std::string server = {};  // "http://host:port" or "unix:/path"
    unsigned threads = 10;    // requests at a time; further ones wait
};

struct HttpTransfer;  // one request on its way

class HttpClient {
public:
    explicit HttpClient(HttpClientSettings settings);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    boost::asio::awaitable<HttpAnswer> send(HttpCall call);

private:
    // A handle keeps its connection; it is used by one transfer at a time.
    std::shared_ptr<void> take_handle();

    HttpClientSettings settings_;
    std::vector<std::shared_ptr<void>> idle_ = {};
    boost::asio::thread_pool pool_;
};

}  // namespace berth::net
