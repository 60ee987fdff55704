#include "transfers/origin_upstream.hpp"

#include "base/tasks.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace berth::transfers {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t servers_max = 10'000;  // patterns of destinations permit any number

net::OriginSettings origin_settings(const OriginUpstreamSettings& settings, bool by_proxy) {
    net::OriginSettings made;
    made.connections_max_per_server = settings.connections_per_server_max;
    if (by_proxy) {
        made.proxy_host = settings.proxy_host;
        made.proxy_port = settings.proxy_port;
    }
    return made;
}

}  // namespace

class OriginUpstreamAnswer final : public cache::UpstreamAnswer {
public:
    OriginUpstreamAnswer(OriginUpstream& upstream, std::string server,
                         std::unique_ptr<net::OriginAnswer> answer)
        : upstream_(upstream), server_(std::move(server)), answer_(std::move(answer)) {}

    const http::ResponseHead& head() const override { return answer_->head(); }
    Async<std::string> read(milliseconds limit) override {
        auto piece = co_await answer_->read(limit);
        if (piece) {
            auto counted = co_await upstream_.took(server_, piece->size());
            if (!counted)
                co_return counted.error();
        } else {
            auto& state = upstream_.state_of(server_);
            ++state.failures;
            state.error = piece.error().message;
        }
        co_return piece;
    }

private:
    OriginUpstream& upstream_;
    std::string server_;
    std::unique_ptr<net::OriginAnswer> answer_;
};

OriginUpstream::OriginUpstream(boost::asio::io_context& loop, OriginUpstreamSettings settings,
                               Clock& clock, Metrics& metrics)
    : settings_(std::move(settings)),
      clock_(clock),
      metrics_(metrics),
      direct_(loop, origin_settings(settings_, false)),
      by_proxy_(loop, origin_settings(settings_, true)) {
    metrics_.describe("berth_cache_upstream_seconds",
                      "Time from a request to a server to the head of its answer.");
    metrics_.describe("berth_cache_upstream_answers_total",
                      "Answers of servers by class of status; \"none\" is no answer.");
}

bool OriginUpstream::goes_direct(const std::string& host) const {
    const auto fits = [&](const std::string& one) {
        const auto wanted = to_lower(one);
        return wanted.starts_with('.') ? host.ends_with(wanted) : host == wanted;
    };
    return settings_.proxy_host.empty() || std::ranges::any_of(settings_.proxy_exceptions, fits);
}

cache::ServerState& OriginUpstream::state_of(const std::string& server) {
    if (servers_.size() >= servers_max && !servers_.contains(server))
        servers_.clear();
    auto& state = servers_[server];
    state.name = server;
    return state;
}

std::vector<cache::ServerState> OriginUpstream::servers() const {
    std::vector<cache::ServerState> all;
    for (const auto& [name, state] : servers_)
        all.push_back(state);
    return all;
}

Async<void> OriginUpstream::took(std::string server, std::size_t bytes) {
    state_of(server).bytes += bytes;
    const auto rate = settings_.bytes_per_second_per_server_max;
    if (rate == 0 || bytes == 0)
        co_return Result<void>();
    const auto now = steady_clock::now();
    auto& free_at = free_at_[server];
    free_at = std::max(free_at, now) + std::chrono::microseconds(bytes * 1'000'000 / rate);
    const auto wait = std::chrono::duration_cast<milliseconds>(free_at - now);
    if (wait > milliseconds(0))
        co_await sleep_for(wait);
    co_return Result<void>();
}

Async<std::unique_ptr<cache::UpstreamAnswer>> OriginUpstream::open(cache::UpstreamCall call) {
    const auto server = call.origin.name();
    net::OriginCall made{.host = call.origin.host, .port = call.origin.port};
    made.special_address = call.origin.special_address;
    made.method = std::move(call.method);
    made.target = std::move(call.target);
    made.headers = std::move(call.headers);
    made.head_timeout = call.head_timeout;
    auto& client = goes_direct(call.origin.host) ? direct_ : by_proxy_;
    const auto begin = steady_clock::now();
    auto opened = co_await client.open(std::move(made));
    const std::chrono::duration<double> took_s = steady_clock::now() - begin;
    auto& state = state_of(server);
    ++state.requests;
    const auto status = opened ? std::to_string((*opened)->head().status / 100) + "xx" : "none";
    metrics_.add("berth_cache_upstream_answers_total", {{"server", server}, {"status", status}});
    metrics_.observe("berth_cache_upstream_seconds", {{"server", server}}, took_s.count());
    if (!opened) {
        ++state.failures;
        state.error = opened.error().message;
        co_return opened.error();
    }
    state.error.clear();
    state.last_success = clock_.wall();
    co_return std::make_unique<OriginUpstreamAnswer>(*this, server, std::move(*opened));
}

}  // namespace berth::transfers
