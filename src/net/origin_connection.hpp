// One connection of the origin client, with a limit on each wait.
//
// Threads: the loop's. Lifetime: outlives its waits.
#pragma once

#include "base/async.hpp"
#include "net/input_buffer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace berth::net {

class OriginConnection {
public:
    // `open` is counted up, and down again when the connection ends, however it ends.
    OriginConnection(boost::asio::io_context& loop, std::string server,
                     std::shared_ptr<std::size_t> open);
    ~OriginConnection();
    OriginConnection(const OriginConnection&) = delete;
    OriginConnection& operator=(const OriginConnection&) = delete;

    Async<void> connect(boost::asio::ip::tcp::endpoint to, std::chrono::milliseconds limit);
    Async<void> write(std::string_view text, std::chrono::milliseconds limit);
    // More bytes into input(); false at the peer's end of the connection.
    Async<bool> receive(std::chrono::milliseconds limit);
    // For a kept connection: nothing was sent by the server and it has not closed.
    bool is_quiet();

    InputBuffer& input() { return input_; }
    const std::string& server() const { return server_; }
    void kept_since(std::chrono::steady_clock::time_point now) { kept_ = now; }
    std::chrono::steady_clock::time_point kept() const { return kept_; }

private:
    class Limit;

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    InputBuffer input_;
    std::string server_;
    std::shared_ptr<std::size_t> open_;
    std::chrono::steady_clock::time_point kept_ = {};
    // What a timer that has fired already refers to, so that it finds no dead connection.
    std::shared_ptr<OriginConnection*> self_;
    bool expired_ = false;
};

}  // namespace berth::net
