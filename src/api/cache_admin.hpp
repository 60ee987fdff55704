// What berthctl asks about the cache.
#pragma once

#include "api/admin_api.hpp"
#include "cache/service.hpp"

namespace berth::api {

// Threads: the control loop. Lifetime: all parts outlive it; it outlives the calls of `admin`.
class CacheAdmin {
public:
    CacheAdmin(cache::CacheService& cache, Clock& clock, AdminApi& admin);

private:
    using Answer = boost::asio::awaitable<http::Response>;

    Answer status(net::Request& request);
    Answer purge(net::Request& request);
    Answer forget_revision(net::Request& request);

    cache::CacheService& cache_;
    Clock& clock_;
};

}  // namespace berth::api
