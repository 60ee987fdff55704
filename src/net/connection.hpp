// One connection: a coroutine that reads requests, calls the handler and writes responses until
// either side ends it.
//
// Threads: the loop's. Lifetime: owned by the server, which destroys it in the callback that
// start() got; everything in ServerContext outlives it.
#pragma once

#include "net/body_reader.hpp"
#include "net/input_buffer.hpp"
#include "net/response_writer.hpp"
#include "net/transport.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>

namespace berth::net {

// What the connections of one server share.
struct ServerContext {
    ServerSettings settings;
    Handler handler;
    std::string date;       // of this second, for the Date field
    bool draining = false;  // each response closes its connection
};

// The other end of a connection.
struct Peer {
    std::string address;
    unsigned long uid = 0;
};

class Connection {
public:
    Connection(boost::asio::io_context& loop, const ServerContext& server, Descriptor socket,
               TlsSession tls, Peer peer);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // `ended` is called once, when nothing refers to the connection any more; it may destroy it.
    void start(std::function<void()> ended);
    const Peer& peer() const { return peer_; }
    // Bytes since the last call.
    std::uint64_t take_received();
    std::uint64_t take_sent();

    // A few times a second: deadlines, and whether the peer of a long wait is still there.
    void tick(SteadyTime now);
    // The server drains: ends the connection if it is idle, an endless stream at its next piece.
    void drain();
    // Ends it now: cancels the handler.
    void kill();

private:
    enum class Phase { handshake, idle, head, handler, stream, writing };
    enum class Ending { close, linger, reset };

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<bool> handshake();
    boost::asio::awaitable<bool> serve_one();
    boost::asio::awaitable<std::optional<http::GateHead>> next_head();
    boost::asio::awaitable<bool> receive_head_bytes(SteadyTime deadline);
    boost::asio::awaitable<void> refuse(http::Response response);
    boost::asio::awaitable<std::optional<http::Response>> answer(Request& request);
    boost::asio::awaitable<bool> reply(const http::RequestHead& request, http::Response& response,
                                       BodyReader& body);
    boost::asio::awaitable<bool> send(const http::Response& response, const Framing& framing);
    boost::asio::awaitable<bool> send_stream(http::Stream& stream, const Framing& framing);
    boost::asio::awaitable<std::optional<std::string>> next_piece(http::Stream& stream);
    boost::asio::awaitable<void> finish();

    void ended(std::exception_ptr failure);
    void watch();
    void watched(bool failed);
    void cancel_coroutine();

    boost::asio::io_context& loop_;
    const ServerContext& server_;
    Transport transport_;
    Peer peer_;
    InputBuffer input_;
    ResponseWriter writer_;
    std::function<void()> ended_;
    boost::asio::cancellation_signal signal_;

    Phase phase_ = Phase::handshake;
    Ending ending_ = Ending::close;
    BodyReader* body_ = nullptr;      // of the request being served
    http::Stream* stream_ = nullptr;  // being sent
    bool finished_ = false;           // the coroutine has ended
    bool abandoned_ = false;          // the peer left or the server kills: no response
    bool cancelled_ = false;          // the coroutine's cancellation state must be reset
    bool watching_ = false;           // a callback is pending that refers to this
    bool pipelined_ = false;          // further bytes came: the end cannot be seen any more
    int waiting_ticks_ = 0;           // of this handler or stream
    unsigned served_in_turn_ = 0;     // requests since the coroutine last waited
    std::uint64_t reported_received_ = 0;
    std::uint64_t reported_sent_ = 0;
};

}  // namespace berth::net
