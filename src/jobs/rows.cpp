#include "jobs/rows.hpp"

#include <array>

namespace berth::jobs {

namespace {

constexpr std::array<std::string_view, 5> source_names = {"store", "queue", "history", "marker",
                                                          "event"};
constexpr std::array<std::string_view, 7> attempt_names = {
    "intent", "accepted", "rejected", "unknown", "given_up", "voided", "over"};

template <class Value, std::size_t size>
std::optional<Value> find_name(const std::array<std::string_view, size>& names,
                               std::string_view name) {
    for (std::size_t i = 0; i < size; ++i)
        if (names[i] == name)
            return static_cast<Value>(i);
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Source source) {
    return source_names[static_cast<std::size_t>(source)];
}

std::optional<Source> source_from(std::string_view name) {
    return find_name<Source>(source_names, name);
}

std::string_view to_string(AttemptState state) {
    return attempt_names[static_cast<std::size_t>(state)];
}

std::optional<AttemptState> attempt_state_from(std::string_view name) {
    return find_name<AttemptState>(attempt_names, name);
}

}  // namespace berth::jobs
