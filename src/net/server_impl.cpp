#include "net/server_impl.hpp"

#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>

#include <cerrno>
#include <csignal>

namespace berth::net {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr auto tick_time = std::chrono::milliseconds(200);
constexpr int accepts_in_turn = 64;

}  // namespace

Server::Impl::Impl(asio::io_context& loop, ServerSettings settings, Handler handler,
                   Metrics& metrics)
    : loop_(loop), metrics_(metrics), empty_(loop), tasks_(loop) {
    context_.settings = std::move(settings);
    context_.handler = std::move(handler);
    metrics.describe("berth_http_connections", "Open connections of a listener.");
    metrics.describe("berth_http_refused_total", "Connections closed at once, by reason.");
    metrics.describe("berth_http_bytes_total",
                     "Bytes of HTTP (inside TLS), in = from clients, out = to clients.");
}

Result<void> Server::Impl::start() {
    // sendfile() and OpenSSL's socket BIO have no MSG_NOSIGNAL: a client that leaves would end
    // the process.
    std::signal(SIGPIPE, SIG_IGN);
    const auto& settings = context_.settings;
    if (settings.certificate_file.empty() != settings.key_file.empty())
        return Error{ErrorKind::invalid, "TLS needs both a certificate and a key"};
    if (auto loaded = load_certificate(); !loaded)
        return loaded;
    std::list<Listener> opened;
    for (const auto& address : settings.listen) {
        auto listener = Listener::open(address);
        if (!listener)
            return std::move(listener.error()).within(settings.name);
        opened.push_back(std::move(*listener));
    }
    listeners_ = std::move(opened);
    tick();
    tasks_.spawn("http_tick", tick_until_stopped());
    for (const auto& listener : listeners_) {
        ports_.push_back(listener.port());
        tasks_.spawn("http_accept", accept_from(listener));
    }
    return {};
}

Result<void> Server::Impl::load_certificate() {
    const auto& settings = context_.settings;
    if (settings.certificate_file.empty())
        return {};
    auto loaded = TlsContext::load(settings.certificate_file, settings.key_file);
    if (!loaded)
        return std::move(loaded.error()).within(settings.name);
    tls_.emplace(std::move(*loaded));
    return {};
}

Result<void> Server::Impl::reload_certificate(std::string certificate_file, std::string key_file) {
    auto& settings = context_.settings;
    std::swap(settings.certificate_file, certificate_file);
    std::swap(settings.key_file, key_file);
    auto loaded = load_certificate();
    if (!loaded) {
        settings.certificate_file = std::move(certificate_file);
        settings.key_file = std::move(key_file);
    }
    return loaded;
}

void Server::Impl::set_limits(const ServerSettings& settings) {
    auto& current = context_.settings;
    auto next = settings;
    next.name = current.name;
    next.listen = current.listen;
    next.certificate_file = current.certificate_file;
    next.key_file = current.key_file;
    current = std::move(next);
}

std::optional<std::chrono::system_clock::time_point> Server::Impl::certificate_end() const {
    if (!tls_)
        return std::nullopt;
    return tls_->certificate_end();
}

asio::awaitable<void> Server::Impl::accept_from(const Listener& listener) {
    // A descriptor of its own: closing it must not close the listener's.
    SocketDescriptor watched(loop_, ::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
    for (;;) {
        const auto [error] = co_await watched.async_wait(SocketDescriptor::wait_read, as_result);
        if (error || context_.draining)
            co_return;
        const bool accepted = accept_some(listener);
        if (!accepted)  // out of descriptors or memory: clients wait in the backlog
            co_await sleep_for(std::chrono::milliseconds(100));
    }
}

// Takes what waits in the backlog. False when the system is short of something.
bool Server::Impl::accept_some(const Listener& listener) {
    for (int i = 0; i < accepts_in_turn; ++i) {
        Peer peer;
        auto socket = listener.accept(peer);
        if (socket) {
            admit(std::move(socket), std::move(peer), listener.is_unix());
            continue;
        }
        if (errno == EAGAIN)
            return true;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            continue;  // this client has gone already
        const auto cause = errno;
        refuse("system_limit");
        const auto now = std::chrono::steady_clock::now();
        if (now - last_shortage_log_ > std::chrono::seconds(10)) {
            last_shortage_log_ = now;
            log::error("accept_failed", {{"listener", context_.settings.name},
                                         {"error", system_error("accept", cause).message}});
        }
        return false;
    }
    return true;
}

void Server::Impl::admit(Descriptor socket, Peer peer, bool is_unix) {
    const auto& settings = context_.settings;
    if (connections_.size() >= settings.connections_max)
        return refuse("connection_limit");
    auto& of_peer = per_peer_[peer.address];
    if (!is_unix && of_peer >= settings.connections_per_peer_max)
        return refuse("peer_limit");
    TlsSession session;
    if (tls_ && !is_unix) {
        session = tls_->accept(socket.get());
        if (!session) {
            if (of_peer == 0)
                per_peer_.erase(peer.address);
            return refuse("tls");
        }
    }
    ++of_peer;
    const auto id = next_id_++;
    auto& connection = connections_[id];
    connection = std::make_unique<Connection>(loop_, context_, std::move(socket),
                                              std::move(session), std::move(peer));
    connection->start([this, id] { remove(id); });
}

void Server::Impl::refuse(std::string_view reason) {
    metrics_.add("berth_http_refused_total",
                 {{"listener", context_.settings.name}, {"reason", reason}});
}

void Server::Impl::remove(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end())
        return;
    received_ += found->second->take_received();
    sent_ += found->second->take_sent();
    const auto of_peer = per_peer_.find(found->second->peer().address);
    if (of_peer != per_peer_.end() && --of_peer->second == 0)
        per_peer_.erase(of_peer);
    connections_.erase(found);
    if (connections_.empty())
        empty_.cancel();
}

asio::awaitable<void> Server::Impl::tick_until_stopped() {
    asio::steady_timer timer(loop_);
    for (;;) {
        timer.expires_after(tick_time);
        const auto [error] = co_await timer.async_wait(as_result);
        if (error)
            co_return;
        tick();
    }
}

void Server::Impl::tick() {
    const auto second = std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    if (std::exchange(date_second_, second) != second)
        context_.date = http::format_date(second);
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, connection] : connections_) {
        connection->tick(now);
        received_ += connection->take_received();
        sent_ += connection->take_sent();
    }
    publish_bytes();
}

void Server::Impl::publish_bytes() {
    const std::string_view name = context_.settings.name;
    metrics_.set("berth_http_connections", {{"listener", name}},
                 static_cast<double>(connections_.size()));
    if (const auto bytes = std::exchange(received_, 0); bytes > 0)
        metrics_.add("berth_http_bytes_total", {{"listener", name}, {"direction", "in"}},
                     static_cast<double>(bytes));
    if (const auto bytes = std::exchange(sent_, 0); bytes > 0)
        metrics_.add("berth_http_bytes_total", {{"listener", name}, {"direction", "out"}},
                     static_cast<double>(bytes));
}

asio::awaitable<void> Server::Impl::wait_until_empty(SteadyTime deadline) {
    while (!connections_.empty() && std::chrono::steady_clock::now() < deadline) {
        empty_.expires_at(deadline);
        co_await empty_.async_wait(as_result);
    }
}

asio::awaitable<void> Server::Impl::stop(std::chrono::milliseconds limit) {
    context_.draining = true;
    listeners_.clear();  // also ends the accept tasks
    for (const auto& [id, connection] : connections_)
        connection->drain();
    co_await wait_until_empty(std::chrono::steady_clock::now() + limit);
    while (!connections_.empty()) {
        // Repeated, because a handler may catch one cancellation and wait for something else.
        for (const auto& [id, connection] : connections_)
            connection->kill();
        co_await wait_until_empty(std::chrono::steady_clock::now() + std::chrono::seconds(1));
    }
    co_await tasks_.stop();
    publish_bytes();
}

}  // namespace berth::net
