#include "net/special_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace berth::net {

namespace {

// The tunnel ranges are refused whole: what they wrap cannot be judged from here. 192.88.99.0/24
// is 6to4's old relay.
const std::vector<Network>& special_networks() {
    static const std::vector<Network> networks = [] {
        std::vector<Network> parsed;
        for (const auto* text :
             {"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",
              "169.254.0.0/16", "172.16.0.0/12",  "192.0.0.0/24",  "192.0.2.0/24",
              "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
              "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",   "::/96",
              "64:ff9b::/96",   "64:ff9b:1::/48", "100::/64",      "2001::/23",
              "2001:db8::/32",  "2002::/16",      "3fff::/20",     "5f00::/16",
              "fc00::/7",       "fe80::/10",      "fec0::/10",     "ff00::/8"})
            parsed.push_back(*Network::parse(text));
        return parsed;
    }();
    return networks;
}

}  // namespace

bool is_special(const IpAddress& address) {
    return std::ranges::any_of(special_networks(),
                               [&](const Network& network) { return network.contains(address); });
}

bool is_special(const sockaddr* address) {
    IpAddress ip;
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, address, sizeof v6);
        std::memcpy(ip.bytes.data(), &v6.sin6_addr, 16);
        return is_special(ip);
    }
    if (address->sa_family != AF_INET)
        return true;
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    ip.bytes[10] = ip.bytes[11] = 0xFF;
    std::memcpy(ip.bytes.data() + 12, &v4.sin_addr, 4);
    return is_special(ip);
}

}  // namespace berth::net
