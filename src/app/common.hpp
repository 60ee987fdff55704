// What the roles of a daemon share.
#pragma once

#include "api/admin_api.hpp"
#include "api/health_api.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace berth::app {

// Lifetime: all parts outlive the roles.
struct Common {
    boost::asio::io_context& loop;
    boost::asio::thread_pool& disk;
    Clock& clock;
    Metrics& metrics;
    api::HealthApi& health;
    api::AdminApi& admin;
};

}  // namespace berth::app
