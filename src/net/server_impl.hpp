// The parts of a Server: listening sockets, the table of connections, the tick.
#pragma once

#include "net/connection.hpp"
#include "net/listener.hpp"
#include "net/server.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace berth::net {

class Server::Impl {
public:
    Impl(boost::asio::io_context& loop, ServerSettings settings, Handler handler, Metrics& metrics);

    Result<void> start();
    Result<void> load_certificate();
    Result<void> reload_certificate(std::string certificate_file, std::string key_file);
    void set_limits(const ServerSettings& settings);
    std::vector<unsigned short> ports() const { return ports_; }
    std::optional<std::chrono::system_clock::time_point> certificate_end() const;
    std::size_t connections() const { return connections_.size(); }
    boost::asio::awaitable<void> stop(std::chrono::milliseconds limit);

private:
    boost::asio::awaitable<void> accept_from(const Listener& listener);
    bool accept_some(const Listener& listener);
    void admit(Descriptor socket, Peer peer, bool is_unix);
    void refuse(std::string_view reason);
    void remove(std::uint64_t id);

    boost::asio::awaitable<void> tick_until_stopped();
    void tick();
    void publish_bytes();

    boost::asio::awaitable<void> wait_until_empty(SteadyTime deadline);

    boost::asio::io_context& loop_;
    Metrics& metrics_;
    ServerContext context_;
    std::optional<TlsContext> tls_;
    std::list<Listener> listeners_;
    std::vector<unsigned short> ports_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::string, std::size_t> per_peer_;
    std::uint64_t next_id_ = 0;
    std::uint64_t received_ = 0;  // not yet published
    std::uint64_t sent_ = 0;
    std::int64_t date_second_ = 0;
    SteadyTime last_shortage_log_{};
    boost::asio::steady_timer empty_;
    TaskGroup tasks_;
};

}  // namespace berth::net
