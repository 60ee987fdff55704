// A request to a server of the site, and how it ended. Plain values.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace berth::net {

struct HttpCall {
    std::string method = "GET";
    std::string path = {};                      // begins with '/'
    std::vector<std::string> fields = {};       // "Name: value"
    std::string body = {};                      // sent with POST
    std::chrono::milliseconds deadline{30000};  // from the start to the last byte
    std::size_t bytes_max = 1U << 20U;          // of the answer's body
};

struct HttpAnswer {
    enum class End {
        answered,
        not_sent,   // nobody listens: the server has seen nothing
        cut,        // sent, and then no whole answer
        timed_out,  // likewise
        too_large,  // answered; the body is longer than the limit and not kept
    };
    End end = End::not_sent;
    int status = 0;
    std::string body = {};
    std::string error = {};  // what went wrong, for people
};

}  // namespace berth::net
