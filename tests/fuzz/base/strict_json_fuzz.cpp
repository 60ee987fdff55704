// Strict JSON: what is accepted is stable under writing and reading, and never deeper than asked.
#include "base/strict_json.hpp"
#include "fuzz/require.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

using berth::fuzz::require;

namespace {

std::size_t depth_of(const nlohmann::json& value) {
    if (!value.is_structured())
        return 0;
    std::size_t most = 0;
    for (const auto& item : value)
        most = std::max(most, depth_of(item));
    return most + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto value = berth::parse_strict_json(text, 16);
    if (!value) {
        // Well-formed with an integer that fits no 64-bit type is "unprocessable".
        const auto& error = value.error();
        const bool range = error.message.find("integer is out of range") != std::string::npos;
        require(error.kind ==
                (range ? berth::ErrorKind::unprocessable : berth::ErrorKind::invalid));
        return 0;
    }
    require(depth_of(*value) <= 16);
    const auto again = berth::parse_strict_json(value->dump(), 16);
    require(again && *again == *value);
    return 0;
}
