// One HTTP call on a unix socket, blocking: how berthctl reaches the admin socket.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>

namespace berth::net {

struct UnixAnswer {
    int status = 0;
    std::string body = {};
};

// Sends `body` as JSON with POST, nothing with GET.
// Errors: unavailable (nobody listens, no permission, no whole answer within `limit`).
Result<UnixAnswer> call_unix(const std::string& socket, const std::string& method,
                             const std::string& path, const std::string& body,
                             std::chrono::seconds limit);

}  // namespace berth::net
