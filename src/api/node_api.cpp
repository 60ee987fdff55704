#include "api/node_api.hpp"

#include "api/query.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <utility>

namespace berth::api {

namespace {

// What the cache is asked. Of an absolute-form target the part after the authority is passed on
// byte for byte.
cache::Ask ask_of(net::Request& request) {
    cache::Ask ask;
    auto& head = request.head;
    ask.method = head.method;
    ask.path = std::move(head.path);
    ask.target = std::move(head.target);
    ask.headers = std::move(head.headers);
    if (request.form != http::TargetForm::absolute)
        return ask;
    const auto colon = ask.target.find("://");
    ask.by_proxy = true;
    ask.scheme = to_lower(std::string_view(ask.target).substr(0, colon));
    ask.authority = request.authority;
    ask.target.erase(0, colon + 3 + request.authority.size());
    if (!ask.target.starts_with('/'))
        ask.target.insert(ask.target.begin(), '/');
    return ask;
}

// 403 sends a CernVM-FS client to its next proxy at once.
http::Response forbidden(std::string_view text) {
    return http::problem(Error{ErrorKind::forbidden, std::string(text)});
}

}  // namespace

http::Response NodeApi::event(const net::Request& request, const std::string& kind) {
    const auto query = read_query(request.head.query, {"tag", "index"});
    if (!query)
        return http::problem(query.error());
    const auto index = to_number<unsigned>(first(*query, "index"));
    const auto bearer = request.head.headers.get("Authorization");
    constexpr std::string_view scheme = "Bearer ";
    if (!index || !bearer.starts_with(scheme))
        return http::problem(
            Error{ErrorKind::invalid, "a tag, an index and the job's secret are needed"});
    const auto hash = parts_.sha256_hex(bearer.substr(scheme.size()));
    if (!parts_.engine->hint(first(*query, "tag"), *index, kind, hash))
        return http::problem(Error{ErrorKind::forbidden, "no job here has this tag and secret"});
    return http::Response{.status = 204};
}

boost::asio::awaitable<http::Response> NodeApi::handle(net::Request& request) {
    const auto inside = [&](const Network& network) { return network.contains(request.peer); };
    if (std::ranges::none_of(networks_, inside))
        co_return forbidden("this address is not a worker node");
    const std::string_view path = request.head.path;
    const bool absolute = request.form == http::TargetForm::absolute;
    if (request.form == http::TargetForm::authority)
        co_return forbidden("there are no tunnels through this door");
    if (absolute || path.starts_with("/cvmfs/")) {
        if (parts_.cache == nullptr)
            co_return forbidden("this daemon is not a cache");
        co_return co_await parts_.cache->handle(ask_of(request));
    }
    constexpr std::string_view events = "/berth/v1/events/";
    if (request.head.method == "GET" && path == "/berth/v1/ping")
        co_return http::Response{.status = 204};
    if (parts_.engine != nullptr && request.head.method == "POST" && path.starts_with(events)) {
        const std::string kind(path.substr(events.size()));
        if (kind == "started" || kind == "alive" || kind == "ended")
            co_return event(request, kind);
    }
    co_return http::problem(Error{ErrorKind::not_found, "there is no such path on the node door"});
}

}  // namespace berth::api
