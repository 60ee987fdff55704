// IP addresses and the networks that they lie in; no names, no sockets.
#pragma once

#include "base/result.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace berth {

// An IPv4 address is kept in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), because a
// socket that serves both families shows IPv4 peers that way.
struct IpAddress {
    std::array<unsigned char, 16> bytes = {};

    bool is_v4() const;
    bool operator==(const IpAddress&) const = default;
};

// "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; a zone ("fe80::1%eth0") is left out.
// Errors: nullopt for anything else, names and the short IPv4 forms ("10.1") included.
std::optional<IpAddress> parse_address(std::string_view text);

// What "ADDRESS:PORT" and "[IPv6]:PORT" say.
struct Endpoint {
    IpAddress address;
    unsigned short port = 0;
    bool operator==(const Endpoint&) const = default;
};
// Errors: invalid, with a message that says what to write.
Result<Endpoint> parse_endpoint(std::string_view text);

struct Network {
    IpAddress address;    // bits behind the prefix are zero
    unsigned prefix = 0;  // of the 128 bits: 96 more than what is written for IPv4

    // "192.0.2.0/24", "2001:db8::/32", or one address.
    // Errors: invalid, with a message that says what to write.
    static Result<Network> parse(std::string_view text);

    bool contains(const IpAddress& other) const;
    // False also when `text` is no address.
    bool contains(std::string_view text) const;
    // True for 0.0.0.0/0 and ::/0, and for what holds one of them.
    bool is_everything() const;
    bool operator==(const Network&) const = default;
};

bool any_contains(std::span<const Network> networks, std::string_view address);

}  // namespace berth
