// The cache's port to its servers, over net/origin_client.hpp: direct, or through the site's parent
// proxy.
//
// Threads: the control loop. Lifetime: outlives every answer.
#pragma once

#include "base/metrics.hpp"
#include "cache/upstream.hpp"
#include "net/origin_client.hpp"

#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace berth::transfers {

struct OriginUpstreamSettings {
    std::string proxy_host = {};  // "" = direct
    std::uint16_t proxy_port = 0;
    std::vector<std::string> proxy_exceptions = {};  // hosts, ".example.org" for all below
    std::size_t connections_per_server_max = 256;
    std::uint64_t bytes_per_second_per_server_max = 0;  // 0 = no limit
};

class OriginUpstream final : public cache::Upstream {
public:
    OriginUpstream(boost::asio::io_context& loop, OriginUpstreamSettings settings, Clock& clock,
                   Metrics& metrics);

    Async<std::unique_ptr<cache::UpstreamAnswer>> open(cache::UpstreamCall call) override;
    std::vector<cache::ServerState> servers() const override;

private:
    friend class OriginUpstreamAnswer;

    bool goes_direct(const std::string& host) const;
    cache::ServerState& state_of(const std::string& server);
    // Counts the bytes; returns when the server's rate permits more.
    Async<void> took(std::string server, std::size_t bytes);

    OriginUpstreamSettings settings_;
    Clock& clock_;
    Metrics& metrics_;
    net::OriginClient direct_, by_proxy_;
    std::map<std::string, cache::ServerState> servers_;
    std::map<std::string, std::chrono::steady_clock::time_point> free_at_;  // with a rate limit
};

}  // namespace berth::transfers
