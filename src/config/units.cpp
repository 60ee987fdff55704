#include "config/units.hpp"

#include "base/text.hpp"

#include <array>
#include <limits>
#include <span>

namespace berth::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t value;
};

constexpr auto durations = std::to_array<Unit>({{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}});
constexpr std::uint64_t duration_max = 36500ULL * 86400;

constexpr auto sizes = std::to_array<Unit>({{"B", 1},
                                            {"kB", 1000},
                                            {"MB", 1000'000},
                                            {"GB", 1000'000'000},
                                            {"TB", 1000'000'000'000},
                                            {"KiB", 1ULL << 10U},
                                            {"MiB", 1ULL << 20U},
                                            {"GiB", 1ULL << 30U},
                                            {"TiB", 1ULL << 40U}});

struct Kind {
    std::string_view noun;  // "a duration"
    std::span<const Unit> units;
    std::string_view unit_names;
    std::string_view example;
    std::uint64_t max;
};

constexpr Kind duration_kind{"a duration", durations, "s, m, h or d", "\"30s\"", duration_max};
constexpr Kind size_kind{"a size", sizes, "B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", "\"100MB\"",
                         std::numeric_limits<std::uint64_t>::max()};

Error fault(const Kind& kind, std::string_view text, const std::string& reason) {
    return Error{ErrorKind::invalid,
                 '"' + printable(text, 60) + "\" is not " + std::string(kind.noun) + ": " + reason};
}

// What is meant by a unit that differs from a known one in its case only; "" if there is none.
std::string hint(const Kind& kind, std::string_view unit) {
    for (const auto& known : kind.units)
        if (equal_ignoring_case(known.name, unit))
            return "; did you mean \"" + std::string(known.name) + "\"?";
    return {};
}

Result<std::uint64_t> read(const Kind& kind, std::string_view text) {
    const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
    const auto unit = text.substr(digits.size());
    if (digits.empty() || unit.starts_with('.'))
        return fault(kind, text,
                     "write a whole number and a unit, for example " + std::string(kind.example));
    if (unit.empty())
        return fault(kind, text, "the unit is missing; use " + std::string(kind.unit_names));
    for (const auto& known : kind.units) {
        if (known.name != unit)
            continue;
        const auto number = to_number<std::uint64_t>(digits);
        if (!number || *number > kind.max / known.value)
            return fault(kind, text, "the number is too large");
        return *number * known.value;
    }
    return fault(kind, text,
                 "the unit \"" + printable(unit, 20) + "\" is unknown; use " +
                     std::string(kind.unit_names) + hint(kind, unit));
}

std::string show(const Kind& kind, std::uint64_t value) {
    const Unit* best = &kind.units.front();
    for (const auto& unit : kind.units)
        if (value != 0 && value % unit.value == 0 && unit.value > best->value)
            best = &unit;
    return std::to_string(value / best->value) + std::string(best->name);
}

}  // namespace

Result<std::chrono::seconds> read_duration(std::string_view text) {
    const auto value = read(duration_kind, text);
    if (!value)
        return value.error();
    return std::chrono::seconds(*value);
}

Result<std::uint64_t> read_size(std::string_view text) {
    return read(size_kind, text);
}

std::string show_duration(std::chrono::seconds duration) {
    return show(duration_kind, static_cast<std::uint64_t>(duration.count()));
}

std::string show_size(std::uint64_t bytes) {
    return show(size_kind, bytes);
}

}  // namespace berth::config
