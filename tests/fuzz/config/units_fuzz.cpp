// The readers of durations, sizes, addresses and networks with any bytes.
#include "base/networks.hpp"
#include "config/units.hpp"
#include "fuzz/require.hpp"

#include <cstddef>
#include <cstdint>

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace config = berth::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto duration = config::read_duration(text)) {
        require(duration->count() >= 0 && duration->count() <= 36500LL * 86400);
        require(*config::read_duration(config::show_duration(*duration)) == *duration);
    }
    if (const auto bytes = config::read_size(text))
        require(*config::read_size(config::show_size(*bytes)) == *bytes);
    const auto network = berth::Network::parse(text);
    if (network) {
        require(network->prefix <= 128);
        require(network->contains(network->address));
        require(network->contains(text.substr(0, text.find('/'))));
    }
    // An endpoint ends with its port.
    if (const auto endpoint = berth::parse_endpoint(text))
        require(text.ends_with(":" + std::to_string(endpoint->port)));
    return 0;
}
