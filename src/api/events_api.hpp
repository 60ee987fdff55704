// GET /v1/events: every change of the caller's jobs as server-sent events.
#pragma once

#include "api/api.hpp"

#include <map>
#include <memory>

namespace berth::api {

// Threads: the control loop. Lifetime: the service outlives it and its streams.
class EventsApi {
public:
    EventsApi(jobs::Service& service, Clock& clock, std::shared_ptr<const ApiSettings> settings)
        : service_(service), clock_(clock), settings_(std::move(settings)) {}

    boost::asio::awaitable<http::Response> follow(Call& call);

private:
    jobs::Service& service_;
    Clock& clock_;
    std::shared_ptr<const ApiSettings> settings_;
    // Open streams of each identity, shared with the streams, which count themselves.
    std::shared_ptr<std::map<std::string, unsigned>> open_ =
        std::make_shared<std::map<std::string, unsigned>>();
};

}  // namespace berth::api
