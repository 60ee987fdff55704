#include "base/networks.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace berth {
namespace {

TEST(Networks, AddressesOfBothFamiliesAreRead) {
    for (const auto* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                             "::ffff:192.0.2.1", "fe80::1%eth0"})
        EXPECT_TRUE(parse_address(text)) << text;
    EXPECT_EQ(parse_address("::ffff:192.0.2.1"), parse_address("192.0.2.1"));
    EXPECT_EQ(parse_address("fe80::1%eth0"), parse_address("fe80::1"));
    EXPECT_TRUE(parse_address("192.0.2.1")->is_v4());
    EXPECT_FALSE(parse_address("::1")->is_v4());
}

TEST(Networks, WhatIsNoAddressIsRefused) {
    using namespace std::string_view_literals;
    for (const auto text :
         {""sv, "localhost"sv, "10.1"sv, "0x7f.0.0.1"sv, "127.0.0.01"sv, "256.0.0.1"sv,
          "1.2.3.4.5"sv, " 127.0.0.1"sv, "127.0.0.1 "sv, "127.0.0.1%eth0"sv, "127.0.0.1\0"sv,
          "[::1]"sv, ":::"sv, "1::2::3"sv, "2001:db8::12345"sv, "127.0.0.1/8"sv,
          "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"sv})
        EXPECT_FALSE(parse_address(text)) << text;
}

TEST(Networks, EndpointsAreRead) {
    const auto v4 = parse_endpoint("127.0.0.1:8443");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->address, *parse_address("127.0.0.1"));
    EXPECT_EQ(v4->port, 8443);
    const auto v6 = parse_endpoint("[::1]:0");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->address, *parse_address("::1"));
    EXPECT_EQ(v6->port, 0);
}

TEST(Networks, WhatIsNoEndpointIsRefused) {
    for (const auto* text :
         {"", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1",
          "127.0.0.1:080", "::1:80", "[::1]", "[::1]80", "[::1:80", "[127.0.0.1]:80", "[]:80",
          "[:80", "localhost:80", "127.0.0.1:80x"})
        EXPECT_FALSE(parse_endpoint(text)) << text;
}

struct Case {
    const char* network;
    const char* inside;
    const char* outside;
};

TEST(Networks, ANetworkContainsItsAddresses) {
    const Case cases[] = {
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.1.2.0/23", "10.1.3.255", "10.1.4.0"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.8"},
        {"192.0.2.7/32", "192.0.2.7", "192.0.2.6"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"0.0.0.0/0", "203.0.113.1", "2001:db8::1"},
        {"10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
        {"fe80::/10", "fe80::1%eth0", "fec0::1"},
        {"::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"},
    };
    for (const auto& one : cases) {
        const auto network = Network::parse(one.network);
        ASSERT_TRUE(network) << one.network << ": " << network.error().message;
        EXPECT_TRUE(network->contains(one.inside)) << one.network << " " << one.inside;
        EXPECT_FALSE(network->contains(one.outside)) << one.network << " " << one.outside;
        EXPECT_FALSE(network->contains("node1.example.org"));
        EXPECT_FALSE(network->contains(""));
    }
}

TEST(Networks, WhatIsNoNetworkIsRefused) {
    for (const auto* text :
         {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8x",
          "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "2001:db8::/129", "10.0.0/24", "nodes/24",
          "10.1.0.0/8", "2001:db8::1/64", "fe80::1%eth0/128"})
        EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(Networks, BitsBehindThePrefixAreNamedWithTheirRemedy) {
    EXPECT_EQ(Network::parse("10.1.2.3/8").error().message,
              "\"10.1.2.3/8\" has bits behind its prefix: write 10.0.0.0/8 or a longer prefix");
    EXPECT_EQ(Network::parse("2001:db8::1/32").error().message,
              "\"2001:db8::1/32\" has bits behind its prefix: write 2001:db8::/32 or a longer "
              "prefix");
}

TEST(Networks, TheWholeInternetIsRecognised) {
    for (const auto* text : {"0.0.0.0/0", "::/0", "::ffff:0:0/96", "::/64"})
        EXPECT_TRUE(Network::parse(text)->is_everything()) << text;
    for (const auto* text : {"0.0.0.0/1", "10.0.0.0/8", "2000::/3", "8000::/1", "::1"})
        EXPECT_FALSE(Network::parse(text)->is_everything()) << text;
}

TEST(Networks, AnyOfSeveralNetworksWillDo) {
    const std::vector<Network> networks = {*Network::parse("10.0.0.0/8"),
                                           *Network::parse("2001:db8::/32")};
    EXPECT_TRUE(any_contains(networks, "10.1.1.1"));
    EXPECT_TRUE(any_contains(networks, "2001:db8::9"));
    EXPECT_FALSE(any_contains(networks, "192.0.2.1"));
    EXPECT_FALSE(any_contains(networks, "not an address"));
    EXPECT_FALSE(any_contains({}, "10.1.1.1"));
}

}  // namespace
}  // namespace berth
