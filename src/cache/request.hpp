// What a worker node asks the cache for, and whether it may be had.
#pragma once

#include "base/result.hpp"
#include "cache/names.hpp"
#include "cache/upstream.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::cache {

struct Ask {
    std::string method = "GET";
    bool by_proxy = false;       // absolute-form: the client names the server
    std::string scheme = {};     // of an absolute-form target, lower case
    std::string authority = {};  // "host[:port]" of it
    std::string target = {};     // path and query as sent
    std::string path = {};       // decoded; "" when it cannot be decoded
    http::Headers headers = {};
};

// A server that may be asked: "s1.example.org:80", or ".example.org:8000" for every host below.
struct Destination {
    std::string host = {};
    std::uint16_t port = 80;
};
// Errors: invalid.
Result<Destination> read_destination(std::string_view text);

// The origin of "host[:port]" when a destination permits it. An exact destination is consent to a
// private address, a pattern never is. Errors: forbidden, invalid.
Result<Origin> find_origin(std::string_view authority, const std::vector<Destination>& permitted);

// "http://host[:port]/path?query" in its parts; the target is "/" at least.
struct Url {
    Origin origin = {};
    std::string target = {};
};
// Errors: invalid.
Result<Url> read_url(std::string_view text);

// "http://s1.example.org:8000/cvmfs/sw.example.org": where a repository's files are.
struct ServerUrl {
    Origin origin = {};
    std::string base = {};  // "/cvmfs/sw.example.org", without a slash at its end
};
// Errors: invalid.
Result<ServerUrl> read_server_url(std::string_view text);

}  // namespace berth::cache
