// Strict JSON: what is accepted is stable under writing and reading, and never deeper than asked.
#include "base/strict_json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>

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
        if (value.error().kind != berth::ErrorKind::invalid || value.error().message.empty())
            std::abort();
        return 0;
    }
    if (depth_of(*value) > 16)
        std::abort();
    const auto again = berth::parse_strict_json(value->dump(), 16);
    if (!again || *again != *value)
        std::abort();
    return 0;
}
