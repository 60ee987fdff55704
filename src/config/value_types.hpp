// The types that a configuration value can have. There is one for each way of writing a value:
// `unsigned` is a number, std::uint64_t a size in bytes, Seconds a duration.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::config {

using Seconds = std::chrono::seconds;
using Texts = std::vector<std::string>;
using Table = std::map<std::string, std::string>;

}  // namespace berth::config
