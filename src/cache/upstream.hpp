// The port through which the cache asks servers.
//
// Threads: the control loop.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "http/response_head.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::cache {

struct Origin {
    std::string host = {};
    std::uint16_t port = 80;
    bool special_address = false;  // the configuration names exactly this host and port
    bool operator==(const Origin&) const = default;
    std::string name() const { return host + ":" + std::to_string(port); }
};

struct UpstreamCall {
    Origin origin = {};
    std::string target = {};  // origin-form, percent-encoded as the client had it
    std::string method = "GET";
    http::Headers headers = {};
    std::chrono::milliseconds head_timeout{10000};
};

class UpstreamAnswer {
public:
    virtual ~UpstreamAnswer() = default;
    virtual const http::ResponseHead& head() const = 0;
    // "" is the end. Errors: timed_out, unavailable (broken off).
    virtual Async<std::string> read(std::chrono::milliseconds limit) = 0;
};

// What is known of a server from what it was asked so far.
struct ServerState {
    std::string name = {};  // "host:port"
    std::uint64_t requests = 0, failures = 0, bytes = 0;
    std::string error = {};  // "" = the last request brought an answer
    std::optional<WallTime> last_success = {};
};

class Upstream {
public:
    virtual ~Upstream() = default;
    // Errors: unavailable, timed_out, forbidden (the address must not be asked).
    virtual Async<std::unique_ptr<UpstreamAnswer>> open(UpstreamCall call) = 0;
    // Of those that were asked.
    virtual std::vector<ServerState> servers() const { return {}; }
};

}  // namespace berth::cache
