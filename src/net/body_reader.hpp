// The body of one request, read from the connection as the handler asks for it.
//
// Threads: the loop's. Lifetime: one request; the connection's parts outlive it.
#pragma once

#include "net/input_buffer.hpp"
#include "net/transport.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace berth::net {

class BodyReader final : public RequestBody {
public:
    BodyReader(Transport& transport, InputBuffer& input, const http::RequestHead& head,
               const ServerSettings& settings);

    Async<std::string> read(std::size_t most) override;
    Async<std::string> read_all(std::size_t most) override;

    bool complete() const { return chunked_ ? chunks_.done() : left_ == 0; }
    // May the next request follow on this connection once the rest is dropped? Not if the client
    // still waits for "100 Continue": nobody can tell whether it will send the body.
    bool can_be_dropped() const;
    // Reads and drops the rest. False if it is too much or does not come.
    boost::asio::awaitable<bool> drop();

private:
    Result<std::string> take(std::size_t most);
    Result<std::string> take_chunks(std::size_t most);
    Async<void> receive();
    Async<void> send_continue();
    Error fail(ErrorKind kind, std::string message);

    Transport& transport_;
    InputBuffer& input_;
    const ServerSettings& settings_;
    Pace pace_;
    bool chunked_;
    bool continue_due_;
    http::ChunkDecoder chunks_;
    std::uint64_t left_;       // of a body with a length
    std::uint64_t total_ = 0;  // data bytes so far
    std::optional<Error> failure_;
};

}  // namespace berth::net
