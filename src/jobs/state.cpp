#include "jobs/state.hpp"

#include <algorithm>
#include <utility>

namespace berth::jobs {

namespace {

using StateName = std::pair<State, std::string_view>;
constexpr auto state_names = std::to_array<StateName>({
    {State::accepted, "accepted"},
    {State::uploading, "uploading"},
    {State::staging_in, "staging_in"},
    {State::ready, "ready"},
    {State::submitting, "submitting"},
    {State::queued, "queued"},
    {State::held, "held"},
    {State::running, "running"},
    {State::staging_out, "staging_out"},
    {State::done, "done"},
    {State::failed, "failed"},
    {State::cancelled, "cancelled"},
});

using ReasonName = std::pair<Reason, std::string_view>;
constexpr auto reason_names = std::to_array<ReasonName>({
    {Reason::none, ""},
    {Reason::exit_code, "exit_code"},
    {Reason::signal, "signal"},
    {Reason::walltime, "walltime"},
    {Reason::memory, "memory"},
    {Reason::node_lost, "node_lost"},
    {Reason::preempted, "preempted"},
    {Reason::requeued_after_start, "requeued_after_start"},
    {Reason::rejected, "rejected"},
    {Reason::upload_timeout, "upload_timeout"},
    {Reason::session_lost, "session_lost"},
    {Reason::start_failed, "start_failed"},
    {Reason::lost, "lost"},
    {Reason::cancelled_by_user, "cancelled_by_user"},
    {Reason::cancelled_by_site, "cancelled_by_site"},
    {Reason::cancelled_by_operator, "cancelled_by_operator"},
    {Reason::held_by_user, "held_by_user"},
    {Reason::held_by_site, "held_by_site"},
    {Reason::suspended, "suspended"},
    {Reason::finishing, "finishing"},
    {Reason::waiting_for_files, "waiting_for_files"},
    {Reason::submit_limit, "submit_limit"},
});

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
    const auto found =
        std::ranges::find_if(table, [&](const auto& entry) { return entry.first == value; });
    return found == table.end() ? std::string_view("?") : found->second;
}

template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view name) {
    const auto found =
        std::ranges::find_if(table, [&](const auto& entry) { return entry.second == name; });
    if (found == table.end())
        return std::nullopt;
    return found->first;
}

}  // namespace

std::string_view to_string(State state) {
    return name_in(state_names, state);
}

std::string_view to_string(Reason reason) {
    return name_in(reason_names, reason);
}

std::optional<State> state_from(std::string_view name) {
    return value_in<State>(state_names, name);
}

std::optional<Reason> reason_from(std::string_view name) {
    return value_in<Reason>(reason_names, name);
}

}  // namespace berth::jobs
