// What berthctl asks about jobs, identities and the batch system.
#pragma once

#include "api/access.hpp"
#include "api/admin_api.hpp"
#include "api/api.hpp"
#include "jobs/service.hpp"

namespace berth::api {

// Threads: the control loop. Lifetime: all parts outlive it; it outlives the calls of `admin`.
class JobsAdmin {
public:
    struct Parts {
        jobs::Service& service;
        Access& access;
        Clock& clock;
        std::string account;  // of the daemon, for probe jobs
        RequestLimits limits = {};
        std::string node_url = {};  // of the node door, for probe jobs
    };
    JobsAdmin(Parts parts, AdminApi& admin);

private:
    using Answer = boost::asio::awaitable<http::Response>;

    void add_status(nlohmann::json& body) const;
    Answer jobs(net::Request& request);
    Answer job(net::Request& request);
    Answer cancel(net::Request& request);
    Answer drain(net::Request& request);
    Answer undrain(net::Request& request);
    Answer orphans(net::Request& request);
    Answer stray_sessions(net::Request& request);
    Answer adopt_orphans(net::Request& request);
    Answer cancel_orphan(net::Request& request);
    Answer backup(net::Request& request);
    Answer inspect(net::Request& request);
    Answer trace(net::Request& request);
    Answer check(net::Request& request);
    Answer probe(net::Request& request);
    Answer output(net::Request& request);
    Answer flush_keys(net::Request& request);

    Async<jobs::JobRow> find(std::string wanted);

    Parts parts_;
};

}  // namespace berth::api
