#include "api/node_api.hpp"

#include "api/query.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"

#include <algorithm>

namespace berth::api {

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
    const auto hash = sha256_hex_(bearer.substr(scheme.size()));
    if (!engine_.hint(first(*query, "tag"), *index, kind, hash))
        return http::problem(Error{ErrorKind::forbidden, "no job here has this tag and secret"});
    return http::Response{.status = 204};
}

boost::asio::awaitable<http::Response> NodeApi::handle(net::Request& request) {
    const auto inside = [&](const Network& network) { return network.contains(request.peer); };
    if (std::ranges::none_of(networks_, inside))
        co_return http::problem(Error{ErrorKind::forbidden, "this address is not a worker node"});
    const std::string_view path = request.head.path;
    constexpr std::string_view events = "/berth/v1/events/";
    if (request.head.method == "GET" && path == "/berth/v1/ping")
        co_return http::Response{.status = 204};
    if (request.head.method == "POST" && path.starts_with(events)) {
        const std::string kind(path.substr(events.size()));
        if (kind == "started" || kind == "alive" || kind == "ended")
            co_return event(request, kind);
    }
    co_return http::problem(Error{ErrorKind::not_found, "there is no such path on the node door"});
}

}  // namespace berth::api
