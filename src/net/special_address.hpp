// Addresses that no URL from outside may lead to: loopback, private, link-local, and every other
// special-purpose range, also when an IPv6 address only wraps such an IPv4 one.
#pragma once

#include "base/networks.hpp"

struct sockaddr;

namespace berth::net {

// True for what the IANA special-purpose registries (RFC 6890) and the multicast ranges hold, and
// for IPv4 inside 64:ff9b::/96 (NAT64), 2002::/16 (6to4) and 2001::/32 (Teredo).
bool is_special(const IpAddress& address);

// The same for a socket address; true for any family but IPv4 and IPv6.
bool is_special(const sockaddr* address);

}  // namespace berth::net
