#include "net/origin_client.hpp"

#include "base/text.hpp"
#include "net/origin_connection.hpp"
#include "net/special_address.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace berth::net {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t piece_bytes = 256U << 10U;
constexpr std::size_t names_max = 1000;
constexpr std::size_t servers_max = 1000;  // then those without a connection are forgotten
constexpr int interim_max = 8;             // 1xx answers before the real one

std::string server_name(const std::string& host, std::uint16_t port) {
    return host + ":" + std::to_string(port);
}

Error broken(const OriginConnection& connection, std::string_view what) {
    return {ErrorKind::unavailable, connection.server() + ": " + std::string(what)};
}

// The next head on the connection; `received` is set when any byte of an answer came.
Async<http::ResponseHead> read_head(OriginConnection& connection, bool to_head, milliseconds limit,
                                    bool& received) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (int interim = 0; interim < interim_max;) {
        auto read = http::read_response_head(connection.input().view(), to_head);
        if (!read.error.empty())
            co_return broken(connection, "an ill-formed answer: " + read.error);
        if (read.head) {
            connection.input().consume(read.bytes);
            if (read.head->status >= 200)
                co_return std::move(*read.head);
            ++interim;
            continue;
        }
        const auto left =
            std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
        auto more = co_await connection.receive(std::max(left, milliseconds(0)));
        if (!more)
            co_return more.error();
        if (!*more)
            co_return broken(connection, "it closed the connection before its answer");
        received = true;
    }
    co_return broken(connection, "too many interim answers");
}

}  // namespace

OriginAnswer::OriginAnswer(OriginClient& client, std::unique_ptr<OriginConnection> connection,
                           http::ResponseHead head)
    : client_(client),
      connection_(std::move(connection)),
      head_(std::move(head)),
      left_(head_.length.value_or(0)) {
    if (head_.chunked)
        chunks_ = std::make_unique<http::ChunkDecoder>(http::GateSettings());
    const bool empty = !head_.has_body || (head_.length && *head_.length == 0 && !head_.chunked);
    if (empty)
        finish(head_.keep_alive);
}

OriginAnswer::~OriginAnswer() {
    finish(false);
}

void OriginAnswer::finish(bool reusable) {
    ended_ = true;
    if (connection_)
        client_.give_back(std::move(connection_), reusable);
}

// What the input holds already: data, or "" when more is needed or the end was read.
Result<std::string> OriginAnswer::take_chunks() {
    auto& input = connection_->input();
    std::string data;
    while (data.size() < piece_bytes) {
        auto step = chunks_->feed(input.view(), piece_bytes - data.size());
        if (step.error)
            return broken(*connection_, "ill-formed chunks: " + step.error->reason);
        input.consume(step.used);
        data += step.data;
        if (step.done || step.used == 0)
            break;
    }
    if (chunks_->done() && data.empty())
        finish(head_.keep_alive);
    return data;
}

Async<std::string> OriginAnswer::read(milliseconds limit) {
    while (!ended_) {
        auto& input = connection_->input();
        if (chunks_) {
            auto data = take_chunks();
            if (!data)
                finish(false);
            if (!data || !data->empty() || ended_)
                co_return data;
        } else if (!input.empty()) {
            const auto most = head_.length ? std::min<std::uint64_t>(left_, piece_bytes)
                                           : std::uint64_t{piece_bytes};
            std::string data(input.view().substr(0, static_cast<std::size_t>(most)));
            input.consume(data.size());
            left_ -= head_.length ? data.size() : 0;
            if (head_.length && left_ == 0)
                finish(head_.keep_alive);
            co_return data;
        }
        auto more = co_await connection_->receive(limit);
        if (more && *more)
            continue;
        const bool by_close = more && !head_.length && !chunks_;
        const auto error =
            more ? broken(*connection_, "the answer broke off before its end") : more.error();
        finish(false);
        if (!by_close)
            co_return error;
    }
    co_return std::string();
}

OriginClient::OriginClient(asio::io_context& loop, OriginSettings settings)
    : loop_(loop), settings_(std::move(settings)), resolver_(loop) {}

OriginClient::~OriginClient() = default;

std::unique_ptr<OriginConnection> OriginClient::take_idle(const std::string& server) {
    auto& idle = servers_[server].idle;
    const auto oldest = std::chrono::steady_clock::now() - settings_.keep_idle;
    while (!idle.empty()) {
        auto connection = std::move(idle.back());
        idle.pop_back();
        if (connection->kept() >= oldest && connection->is_quiet())
            return connection;
    }
    return nullptr;
}

void OriginClient::forget_unused() {
    std::erase_if(servers_, [](const auto& entry) { return *entry.second.open == 0; });
}

void OriginClient::give_back(std::unique_ptr<OriginConnection> connection, bool reusable) {
    auto& idle = servers_[connection->server()].idle;
    if (!reusable || !connection->input().empty() || idle.size() >= settings_.idle_max_per_server)
        return;
    connection->kept_since(std::chrono::steady_clock::now());
    idle.push_back(std::move(connection));
}

Async<OriginClient::Endpoints> OriginClient::resolve(const OriginCall& call) {
    const bool by_proxy = !settings_.proxy_host.empty();
    const auto host = by_proxy ? settings_.proxy_host : call.host;
    const auto port = by_proxy ? settings_.proxy_port : call.port;
    const auto name = server_name(host, port);
    const auto now = std::chrono::steady_clock::now();
    auto known = names_.find(name);
    if (known == names_.end() || known->second.until < now) {
        const auto plain = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
        const auto [error, found] =
            co_await resolver_.async_resolve(plain, std::to_string(port), as_result);
        if (error)
            co_return Error{ErrorKind::unavailable,
                            name + ": its address cannot be found: " + error.message()};
        if (names_.size() >= names_max)
            names_.clear();
        Names fresh;
        fresh.until = now + settings_.keep_names;
        for (const auto& entry : found)
            fresh.endpoints.push_back(entry.endpoint());
        known = names_.insert_or_assign(name, std::move(fresh)).first;
    }
    auto endpoints = known->second.endpoints;
    // The address that is checked is the one that is connected to. A parent proxy looks up names
    // itself.
    if (!by_proxy && !call.special_address) {
        std::erase_if(endpoints, [](const auto& one) { return is_special(one.data()); });
        if (endpoints.empty())
            co_return Error{ErrorKind::forbidden,
                            name +
                                " has a private or otherwise special address; name it exactly "
                                "in cache.destinations if the site means that"};
    }
    co_return endpoints;
}

Async<std::unique_ptr<OriginConnection>> OriginClient::connect(const OriginCall& call) {
    const auto server = server_name(call.host, call.port);
    if (servers_.size() >= servers_max)
        forget_unused();
    const auto open = servers_[server].open;
    if (*open >= settings_.connections_max_per_server)
        co_return Error{ErrorKind::unavailable, server + ": too many connections to it are open"};
    auto connection = std::make_unique<OriginConnection>(loop_, server, open);
    auto endpoints = co_await resolve(call);
    Result<void> connected = Error{ErrorKind::unavailable, server + " has no address"};
    if (!endpoints)
        connected = endpoints.error();
    else
        for (const auto& endpoint : *endpoints) {
            connected = co_await connection->connect(endpoint, settings_.connect_timeout);
            if (connected)
                break;
            connection = std::make_unique<OriginConnection>(loop_, server, open);
        }
    if (!connected)
        co_return connected.error();
    co_return connection;
}

std::string OriginClient::request_text(const OriginCall& call) const {
    const auto authority = call.port == 80 ? call.host : server_name(call.host, call.port);
    std::string text = call.method + " ";
    if (!settings_.proxy_host.empty())
        text += "http://" + authority;
    text += call.target + " HTTP/1.1\r\nHost: " + authority + "\r\n";
    for (const auto& [name, value] : call.headers.all())
        text += name + ": " + value + "\r\n";
    text += "\r\n";
    return text;
}

Async<std::unique_ptr<OriginAnswer>> OriginClient::open(OriginCall call) {
    const auto text = request_text(call);
    const auto server = server_name(call.host, call.port);
    const bool to_head = call.method == "HEAD";
    for (;;) {
        auto connection = take_idle(server);
        const bool kept = connection != nullptr;
        if (!kept) {
            auto made = co_await connect(call);
            if (!made)
                co_return made.error();
            connection = std::move(*made);
        }
        bool received = false;
        auto sent = co_await connection->write(text, settings_.connect_timeout);
        Result<http::ResponseHead> head = Error{};
        if (sent)
            head = co_await read_head(*connection, to_head, call.head_timeout, received);
        else
            head = sent.error();
        // A body that some servers send after the head of a HEAD would be the next answer.
        if (head && to_head)
            head->keep_alive = false;
        if (head)
            co_return std::make_unique<OriginAnswer>(*this, std::move(connection),
                                                     std::move(*head));
        // The server closed the kept connection while the request was on its way.
        const bool again = kept && !received && head.error().kind == ErrorKind::unavailable;
        if (!again)
            co_return head.error();
    }
}

}  // namespace berth::net
