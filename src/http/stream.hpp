// A response body that is made while it is sent.
//
// Threads: the server's loop. Lifetime: shared by the response and who feeds it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <string>

namespace berth::http {

// A body that is made while it is sent. It is sent in chunks, or, when the response has a
// Content-Length field, with that length; HTTP/1.0 without a length gets it until the close. If
// next() throws or the length does not fit, the connection is reset: no client takes a part for
// the whole.
class Stream {
public:
    virtual ~Stream() = default;
    // The next piece; "" is the end. The server cancels the wait when the peer leaves.
    virtual boost::asio::awaitable<std::string> next() = 0;
    // True for a stream without a natural end (server-sent events): drain cancels the wait and
    // ends the body properly. Any other stream may go on until the limit of stop().
    virtual bool endless() const { return false; }
};

}  // namespace berth::http
