#include "http/field_line.hpp"

#include "base/text.hpp"
#include "http/characters.hpp"

#include <algorithm>

namespace berth::http {

FieldLine read_field_line(std::string_view line) {
    if (line[0] == ' ' || line[0] == '\t')
        return {.name = {}, .refusal = "a field is folded"};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
        return {.name = {}, .refusal = "a field name is ill-formed"};
    auto value = line.substr(colon + 1);
    // Not \x85, \xa0 or vertical tabs.
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    value = value.substr(0, value.find_last_not_of(" \t") + 1);
    if (!all_of(value, value_bytes))
        return {.name = {}, .refusal = "a field value has control bytes"};
    return {.name = line.substr(0, colon), .value = value};
}

std::optional<std::uint64_t> read_content_length(std::string_view value) {
    constexpr std::size_t digits_max = 18;
    if (value.size() > digits_max || (value.size() > 1 && value[0] == '0'))
        return std::nullopt;
    return to_number<std::uint64_t>(value);
}

}  // namespace berth::http
