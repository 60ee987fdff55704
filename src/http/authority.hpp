// The host and port of a request: the Host field, absolute-form and authority-form targets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::http {

struct Authority {
    std::string_view host;   // an IPv6 literal keeps its brackets
    std::uint16_t port = 0;  // 0 when there is none
};

// Reads "host", "host:port", "[v6]" or "[v6]:port". Refuses user information, percent-encoding,
// zone ids, an empty host or port, and ports outside 1 to 65535.
std::optional<Authority> read_authority(std::string_view text);

}  // namespace berth::http
