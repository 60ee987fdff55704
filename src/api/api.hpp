// The REST interface for workload managers: routes, checks in their order (token, scope and
// mapping, then the endpoint), errors as problems, metrics and the audit log.
//
// The contract is openapi.json; tests hold every answer to it.
//
// Threads: the control loop. Lifetime: all parts outlive it; it outlives the server.
#pragma once

#include "api/access.hpp"
#include "api/health_api.hpp"
#include "api/request_json.hpp"
#include "api/site_api.hpp"
#include "http/router.hpp"
#include "jobs/service.hpp"
#include "net/server.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace berth::api {

struct ApiSettings {
    RequestLimits limits = {};
    std::chrono::seconds long_poll_max{60};
    unsigned event_streams_max = 1000;
    unsigned event_streams_per_client_max = 20;
    SiteDescription site = {};
};

// One request on its way through an endpoint.
struct Call {
    net::Request& request;
    Caller caller = {};
    std::string parameter(const std::string& name) const {
        const auto found = request.parameters.find(name);
        return found == request.parameters.end() ? std::string() : found->second;
    }
};

class JobsApi;
class FilesApi;
class EventsApi;

class Api {
public:
    struct Parts {
        jobs::Service& service;
        Access& access;
        HealthApi& health;
        Metrics& metrics;
        Clock& clock;
        boost::asio::io_context& loop;
    };
    Api(Parts parts, ApiSettings settings);
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    void reload(ApiSettings settings);
    // The handler of the API's server.
    boost::asio::awaitable<http::Response> handle(net::Request& request);

private:
    using Endpoint = std::function<boost::asio::awaitable<http::Response>(Call&)>;
    struct Route {
        std::vector<auth::Verb> verbs;  // one of them is needed; empty = open to all
        Endpoint endpoint;
    };

    void add_routes();
    boost::asio::awaitable<http::Response> serve(net::Request& request, std::string& pattern,
                                                 std::string& who);
    boost::asio::awaitable<http::Response> site(Call& call);

    Parts parts_;
    std::shared_ptr<ApiSettings> settings_;
    std::unique_ptr<JobsApi> jobs_;
    std::unique_ptr<FilesApi> files_;
    std::unique_ptr<EventsApi> events_;
    http::Router<Route> router_;
};

// The JSON body of a request. Errors: unsupported_media, too_large, invalid.
Async<std::string> read_json_body(net::Request& request, std::uint64_t bytes_max);

}  // namespace berth::api
