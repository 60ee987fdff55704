// The admin socket: what berthctl asks. Access is a matter of the socket's permissions; the
// caller's uid goes into the audit log.
//
// A private interface between one version of berthctl and berthd; JSON over HTTP on a unix socket.
#pragma once

#include "api/access.hpp"
#include "api/api.hpp"
#include "api/health_api.hpp"
#include "jobs/service.hpp"

#include <functional>

namespace berth::api {

class AdminApi {
public:
    struct Parts {
        jobs::Service& service;
        Access& access;
        HealthApi& health;
        Clock& clock;
        std::function<std::string()> reload;  // "" = done, else what is wrong
        std::string account;                  // of the daemon, for probe jobs
        RequestLimits limits = {};
        std::string node_url = {};  // of the node door, for probe jobs
    };
    explicit AdminApi(Parts parts);

    boost::asio::awaitable<http::Response> handle(net::Request& request);

private:
    using Answer = boost::asio::awaitable<http::Response>;
    using Endpoint = std::function<Answer(net::Request&)>;

    Answer status(net::Request& request);
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
    Answer reload(net::Request& request);
    Answer flush_keys(net::Request& request);

    Async<jobs::JobRow> find(std::string wanted);
    Async<nlohmann::json> body(net::Request& request);

    Parts parts_;
    http::Router<Endpoint> router_;
};

}  // namespace berth::api
