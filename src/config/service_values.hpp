// The configuration's values for the service itself: roles, doors, log, store, outbound proxy.
// A field has the name and the default of its key; keys_service.cpp says what each means.
#pragma once

#include "config/value_types.hpp"

namespace berth::config {

struct Roles {
    bool gateway = true;
    bool cache = false;
    bool staging = false;
    bool relay = false;
    bool operator==(const Roles&) const = default;
};

struct Api {
    Texts listen = {"0.0.0.0:8443"};
    std::string certificate = {};
    std::string key = {};
    Texts audience = {};
    std::uint64_t request_bytes_max = 8ULL << 20U;
    std::uint64_t script_bytes_max = 1ULL << 20U;
    std::uint64_t upload_bytes_max = 10ULL << 30U;
    unsigned bulk_max = 1000;
    unsigned count_max = 10000;
    unsigned connections_max = 4000;
    unsigned connections_per_peer_max = 1000;
    unsigned event_streams_max = 1000;
    unsigned event_streams_per_client_max = 20;
    Seconds long_poll_max{60};
    Seconds handshake_timeout{10};
    Seconds head_timeout{15};
    Seconds idle_timeout{75};
    Seconds stall_timeout{30};
    Seconds drain_timeout{30};
    bool operator==(const Api&) const = default;
};

struct Observe {
    Texts listen = {"127.0.0.1:9469"};
    bool operator==(const Observe&) const = default;
};

struct Admin {
    std::string socket = "/run/berth/admin.sock";
    bool operator==(const Admin&) const = default;
};

struct Log {
    std::string level = "info";   // debug, info, warning or error
    std::string audit_file = {};  // "" = into the ordinary log
    bool operator==(const Log&) const = default;
};

struct Store {
    std::string path = "/var/lib/berth/berth.db";
    std::uint64_t free_bytes_min = 1'000'000'000;
    bool operator==(const Store&) const = default;
};

struct Node {
    Texts listen = {};    // empty = no node door
    Texts networks = {};  // not empty when listen is not; base/networks.hpp reads each
    unsigned connections_max = 20'000;
    unsigned connections_per_peer_max = 2000;
    Seconds idle_timeout{75};
    bool operator==(const Node&) const = default;
};

struct Proxy {
    std::string parent = {};  // "" = direct connections
    Texts exceptions = {};
    bool operator==(const Proxy&) const = default;
};

}  // namespace berth::config
