// Writes responses: which framing, and the bytes of strings and files.
//
// Threads: the loop's. Lifetime: the connection's.
#pragma once

#include "net/transport.hpp"

#include <string>

namespace berth::net {

// How one response is framed.
struct Framing {
    http::HeadOptions options = {};
    bool has_body = true;  // false: the answer to HEAD, 204 and 304
};

// Length, chunks or the close, by RFC 9112 section 6.3. May turn keep_alive off.
Framing choose_framing(const http::Response& response, const http::RequestHead& request,
                       bool keep_alive);

class ResponseWriter {
public:
    ResponseWriter(Transport& transport, const ServerSettings& settings)
        : transport_(transport), settings_(settings) {}

    // The head, and the body if it is a string or a file. A Stream's pieces follow with piece().
    // False: the peer is gone or too slow, or the file ended early.
    boost::asio::awaitable<bool> write(const http::Response& response, const Framing& framing);
    // One piece of a stream; an empty one ends a chunked body.
    boost::asio::awaitable<bool> piece(const std::string& data, bool chunked);

private:
    // After each write: waits where the socket is full, and gives other connections their turn.
    // `turn` counts the bytes of this one. False as for write().
    boost::asio::awaitable<bool> settle(IoResult put, std::size_t& turn, Pace& pace);
    boost::asio::awaitable<bool> write_all(std::string_view data, bool more, Pace& pace);
    boost::asio::awaitable<bool> write_file(const http::FileBody& body, Pace& pace);
    boost::asio::awaitable<bool> write_file_tls(const http::FileBody& body, Pace& pace);

    Transport& transport_;
    const ServerSettings& settings_;
    std::string buffer_;  // kept from response to response, so that none needs an allocation
};

}  // namespace berth::net
