// HTTP/1.1 to origin servers, for what is passed on while it arrives: streamed bodies, kept
// connections, limits on every wait. Plain HTTP only, as stratum-1 and Frontier servers have it.
//
// Every answer is read by http/response_head.hpp; a connection is used again only when its last
// answer ended exactly where it should. A request is sent once: whether it may be repeated is the
// caller's business, but for a kept connection that the server closed before any byte came.
//
// Threads: the loop's. Lifetime: outlives its answers.
#pragma once

#include "base/async.hpp"
#include "http/framing.hpp"
#include "http/response_head.hpp"
#include "net/origin_connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace berth::net {

struct OriginSettings {
    std::string proxy_host = {};  // "" = direct; else everything goes through this proxy
    std::uint16_t proxy_port = 0;
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::seconds keep_idle{4};  // Apache closes after 5 s
    std::chrono::seconds keep_names{60};
    std::size_t idle_max_per_server = 32;
    std::size_t connections_max_per_server = 256;
};

struct OriginCall {
    std::string host = {};
    std::uint16_t port = 80;
    bool special_address = false;  // a private or otherwise special address is permitted
    std::string method = "GET";    // or HEAD
    std::string target = {};       // origin-form, as it is to be sent
    http::Headers headers = {};    // without Host and Connection
    std::chrono::milliseconds head_timeout{10000};
};

// One answer while it arrives.
class OriginAnswer {
public:
    OriginAnswer(class OriginClient& client, std::unique_ptr<OriginConnection> connection,
                 http::ResponseHead head);
    ~OriginAnswer();
    OriginAnswer(const OriginAnswer&) = delete;
    OriginAnswer& operator=(const OriginAnswer&) = delete;

    const http::ResponseHead& head() const { return head_; }
    // The next piece of the body; "" is its end, where the framing says so.
    // Errors: timed_out (nothing within `limit`), unavailable (broken off, ill-formed).
    Async<std::string> read(std::chrono::milliseconds limit);

private:
    Result<std::string> take_chunks();
    void finish(bool reusable);

    OriginClient& client_;
    std::unique_ptr<OriginConnection> connection_;
    http::ResponseHead head_;
    std::uint64_t left_ = 0;
    std::unique_ptr<http::ChunkDecoder> chunks_;
    bool ended_ = false;
};

class OriginClient {
public:
    OriginClient(boost::asio::io_context& loop, OriginSettings settings);
    ~OriginClient();
    OriginClient(const OriginClient&) = delete;
    OriginClient& operator=(const OriginClient&) = delete;

    // The answer's head, whatever its status; 1xx answers are skipped.
    // Errors: unavailable (name, connection, broken off, ill-formed answer, too many
    // connections), timed_out, forbidden (a special-purpose address).
    Async<std::unique_ptr<OriginAnswer>> open(OriginCall call);

private:
    friend class OriginAnswer;
    using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
    struct Names {
        Endpoints endpoints;
        std::chrono::steady_clock::time_point until;
    };

    Async<Endpoints> resolve(const OriginCall& call);
    Async<std::unique_ptr<OriginConnection>> connect(const OriginCall& call);
    std::unique_ptr<OriginConnection> take_idle(const std::string& server);
    void forget_unused();
    void give_back(std::unique_ptr<OriginConnection> connection, bool reusable);
    std::string request_text(const OriginCall& call) const;

    boost::asio::io_context& loop_;
    OriginSettings settings_;
    boost::asio::ip::tcp::resolver resolver_;
    std::map<std::string, Names> names_;
    struct Server {
        std::shared_ptr<std::size_t> open = std::make_shared<std::size_t>(0);  // idle ones included
        std::list<std::unique_ptr<OriginConnection>> idle = {};
    };
    std::map<std::string, Server> servers_;
};

}  // namespace berth::net
