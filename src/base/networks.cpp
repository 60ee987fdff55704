#include "base/networks.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace berth {

namespace {

constexpr std::array<unsigned char, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr unsigned v4_prefix = 96;

std::string quoted(std::string_view text) {
    return '"' + printable(text, 80) + '"';
}

std::string show(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN] = {};
    if (address.is_v4())
        ::inet_ntop(AF_INET, address.bytes.data() + v4_mapped.size(), text, sizeof text);
    else
        ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
    return text;
}

IpAddress masked(IpAddress address, unsigned prefix) {
    for (unsigned bit = prefix; bit < 128; ++bit)
        address.bytes[bit / 8] &= static_cast<unsigned char>(~(0x80U >> (bit % 8)));
    return address;
}

// from_chars takes "007"; in a port or a prefix that is a slip of the pen.
std::optional<unsigned> plain_number(std::string_view text) {
    if (text.size() > 1 && text.front() == '0')
        return std::nullopt;
    return to_number<unsigned>(text);
}

}  // namespace

bool IpAddress::is_v4() const {
    return std::equal(v4_mapped.begin(), v4_mapped.end(), bytes.begin());
}

std::optional<IpAddress> parse_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos)
        text = text.substr(0, text.find('%'));
    char buffer[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    IpAddress address;
    if (::inet_pton(AF_INET6, buffer, address.bytes.data()) == 1)
        return address;
    std::copy(v4_mapped.begin(), v4_mapped.end(), address.bytes.begin());
    if (::inet_pton(AF_INET, buffer, address.bytes.data() + v4_mapped.size()) == 1)
        return address;
    return std::nullopt;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    const bool bracketed = text.starts_with('[');
    if (colon == std::string_view::npos || (bracketed && text[colon - 1] != ']'))
        return Error{ErrorKind::invalid, quoted(text) +
                                             " has no port: write ADDRESS:PORT, for "
                                             "example 127.0.0.1:8443 or [::1]:8443"};
    auto host = text.substr(0, colon);
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return Error{ErrorKind::invalid,
                     quoted(text) +
                         " is ambiguous: write an IPv6 address in brackets, for "
                         "example [::1]:8443"};
    const auto address = parse_address(host);
    if (!address || (bracketed && host.find(':') == std::string_view::npos))
        return Error{ErrorKind::invalid,
                     quoted(text) +
                         " does not begin with an IP address: write for example "
                         "127.0.0.1:8443, 0.0.0.0:8443 or [::1]:8443"};
    const auto port = plain_number(text.substr(colon + 1));
    if (!port || *port > 65535)
        return Error{ErrorKind::invalid,
                     quoted(text) + " does not end with a port from 0 to 65535"};
    return Endpoint{.address = *address, .port = static_cast<unsigned short>(*port)};
}

Result<Network> Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    const auto address = parse_address(host);
    if (!address || host.find('%') != std::string_view::npos)
        return Error{ErrorKind::invalid, quoted(text) +
                                             " is no network: write ADDRESS/PREFIX, for "
                                             "example 10.1.0.0/16 or 2001:db8::/32"};
    // ::ffff:10.0.0.0/104 is written in IPv6 and counts its prefix as such.
    const unsigned offset = host.find(':') == std::string_view::npos ? v4_prefix : 0;
    const unsigned longest = 128 - offset;
    auto prefix = std::optional<unsigned>(longest);
    if (slash != std::string_view::npos)
        prefix = plain_number(text.substr(slash + 1));
    if (!prefix || *prefix > longest)
        return Error{
            ErrorKind::invalid,
            quoted(text) + " must end with a prefix length from 0 to " + std::to_string(longest)};
    const Network network{.address = masked(*address, *prefix + offset),
                          .prefix = *prefix + offset};
    if (network.address != *address)
        return Error{ErrorKind::invalid, quoted(text) + " has bits behind its prefix: write " +
                                             show(network.address) + "/" + std::to_string(*prefix) +
                                             " or a longer prefix"};
    return network;
}

bool Network::contains(const IpAddress& other) const {
    return masked(other, prefix) == address;
}

bool Network::contains(std::string_view text) const {
    const auto other = parse_address(text);
    return other && contains(*other);
}

bool Network::is_everything() const {
    return prefix == 0 ||
           (prefix <= v4_prefix &&
            contains(IpAddress{.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}}));
}

bool any_contains(std::span<const Network> networks, std::string_view address) {
    const auto parsed = parse_address(address);
    return parsed &&
           std::ranges::any_of(networks, [&](const Network& one) { return one.contains(*parsed); });
}

}  // namespace berth
