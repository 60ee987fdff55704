// Which endpoint serves a method and path.
#pragma once

#include "http/message.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::http {

// A table of routes, tried in order. A pattern is made of literal segments, {name} for one
// segment, and {name...} as its last part for the rest of the path (may be empty, no leading '/').
template <class Endpoint>
class Router {
public:
    struct Match {
        const Endpoint* endpoint = nullptr;  // null: no such path, or not this method
        std::map<std::string, std::string> parameters = {};
        std::vector<std::string> allowed = {};  // methods that the path has, when it exists
        std::string pattern = {};               // of the match, for metrics
    };

    void add(std::string method, std::string pattern, Endpoint endpoint) {
        routes_.push_back({std::move(method), std::move(pattern), std::move(endpoint)});
    }

    // HEAD is served by the GET route unless it has its own.
    Match find(std::string_view method, std::string_view path) const;

private:
    struct Route {
        std::string method;
        std::string pattern;
        Endpoint endpoint;
    };
    std::vector<Route> routes_;
};

// The parameters of `path` if it has the form of `pattern`.
std::optional<std::map<std::string, std::string>> match_path(std::string_view pattern,
                                                             std::string_view path);

template <class Endpoint>
typename Router<Endpoint>::Match Router<Endpoint>::find(std::string_view method,
                                                        std::string_view path) const {
    Match result;
    const Route* get = nullptr;
    std::map<std::string, std::string> get_parameters;
    // A path that is written out wins over one with parameters, whatever the method (OpenAPI 3.1).
    const bool is_concrete =
        std::ranges::any_of(routes_, [&](const Route& route) { return route.pattern == path; });
    for (const auto& route : routes_) {
        auto parameters = match_path(route.pattern, path);
        if (!parameters || (is_concrete && route.pattern != path))
            continue;
        result.allowed.push_back(route.method);
        result.pattern = route.pattern;
        if (route.method == method) {
            result.endpoint = &route.endpoint;
            result.parameters = std::move(*parameters);
            return result;
        }
        if (route.method == "GET" && method == "HEAD") {
            get = &route;
            get_parameters = std::move(*parameters);
        }
    }
    if (get != nullptr) {
        result.endpoint = &get->endpoint;
        result.parameters = std::move(get_parameters);
        result.pattern = get->pattern;
    }
    return result;
}

}  // namespace berth::http
