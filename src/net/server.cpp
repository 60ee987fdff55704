#include "net/server.hpp"

#include "base/log.hpp"
#include "net/server_impl.hpp"

namespace berth::net {

namespace asio = boost::asio;

Server::Server(asio::io_context& loop, ServerSettings settings, Handler handler, Metrics& metrics)
    : impl_(std::make_unique<Impl>(loop, std::move(settings), std::move(handler), metrics)) {}

Server::~Server() = default;

Result<void> Server::start() {
    return impl_->start();
}

void Server::set_limits(const ServerSettings& settings) {
    impl_->set_limits(settings);
}

Result<void> Server::reload_certificate(std::string certificate_file, std::string key_file) {
    return impl_->reload_certificate(std::move(certificate_file), std::move(key_file));
}

std::vector<unsigned short> Server::ports() const {
    return impl_->ports();
}

std::optional<std::chrono::system_clock::time_point> Server::certificate_end() const {
    return impl_->certificate_end();
}

std::size_t Server::connections() const {
    return impl_->connections();
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds limit) {
    return impl_->stop(limit);
}

}  // namespace berth::net
