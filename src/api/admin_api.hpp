// The admin socket: what berthctl asks. Access is a matter of the socket's permissions; the
// caller's uid goes into the audit log.
//
// A private interface between one version of berthctl and berthd; JSON over HTTP on a unix socket.
#pragma once

#include "api/health_api.hpp"
#include "base/async.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>
#include <vector>

namespace berth::api {

// Threads: the control loop. Lifetime: all parts and endpoints outlive its calls.
class AdminApi {
public:
    using Answer = boost::asio::awaitable<http::Response>;
    using Endpoint = std::function<Answer(net::Request&)>;
    using AddStatus = std::function<void(nlohmann::json&)>;

    struct Parts {
        HealthApi& health;
        std::function<std::string()> reload;  // "" = done, else what is wrong
    };
    // /status and /reload; each role adds its own.
    explicit AdminApi(Parts parts);
    void add(std::string method, std::string path, Endpoint endpoint);
    // Called for each answer of /status.
    void add_status(AddStatus function) { status_.push_back(std::move(function)); }

    Answer handle(net::Request& request);

private:
    Answer status(net::Request& request);
    Answer reload(net::Request& request);

    Parts parts_;
    http::Router<Endpoint> router_;
    std::vector<AddStatus> status_;
};

// The JSON object that a call brings; an empty one when it brings none. Errors: invalid,
// too_large.
Async<nlohmann::json> read_admin_body(net::Request& request);

}  // namespace berth::api
