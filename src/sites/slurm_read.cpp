// What squeue, sacct, scancel and scontrol answer.
#include "base/text.hpp"
#include "sites/slurm.hpp"
#include "sites/slurm_words.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace berth::sites {

using jobs::BatchRecord;
using jobs::BatchState;

namespace {

// `count` columns and the rest of the line; nullopt when there are fewer.
std::optional<std::vector<std::string_view>> columns(std::string_view line, std::size_t count) {
    std::vector<std::string_view> parts;
    for (; parts.size() < count; line.remove_prefix(parts.back().size() + 1)) {
        const auto bar = line.find('|');
        if (bar == std::string_view::npos)
            return std::nullopt;
        parts.push_back(line.substr(0, bar));
    }
    parts.push_back(line);
    return parts;
}

// "reason|name" -> both: our tags hold no separator, a reason might.
std::pair<std::string_view, std::string_view> reason_and_name(std::string_view rest) {
    const auto bar = rest.rfind('|');
    if (bar == std::string_view::npos)
        return {"", rest};
    return {rest.substr(0, bar), rest.substr(bar + 1)};
}

void set_exit(BatchRecord& record, std::string_view text) {
    const auto status = slurm::exit_status(text);
    if (!is_over(record.state) || !status)
        return;
    record.signal = status->signal;
    // A zero says nothing where Slurm, not the payload, ended the batch job.
    if (status->code != 0 || (record.state == BatchState::done && status->signal == 0))
        record.exit_code = status->code;
}

// A time is what happened only in some states; in others it is the scheduler's plan.
void set_times(BatchRecord& record, std::string_view submitted, std::string_view started,
               std::string_view ended) {
    const bool has_run = !record.nodes.empty() && record.state != BatchState::queued &&
                         record.state != BatchState::held &&
                         record.state != BatchState::requeue_held;
    record.submitted = slurm::time_of(submitted);
    if (has_run)
        record.started = slurm::time_of(started);
    if (is_over(record.state))
        record.ended = slurm::time_of(ended);
}

// Pending and told not to start: by reason, or by priority 0.
BatchState held_or(BatchState state, std::string_view reason, std::string_view priority,
                   unsigned restarts) {
    if (state != BatchState::queued)
        return state;
    if (!reason.starts_with("JobHeld") && priority != "0")
        return state;
    return restarts > 0 ? BatchState::requeue_held : BatchState::held;
}

// One record for each index that the line speaks for; without an index, one.
bool add_records(BatchRecord record, std::string_view indices, std::vector<BatchRecord>& all) {
    if (indices.empty() || indices == "N/A") {
        all.push_back(std::move(record));
        return true;
    }
    const auto list = slurm::indices_of(indices);
    if (!list)
        return false;
    for (const auto index : *list) {
        record.index = index;
        record.task_id = record.batch_id + "_" + std::to_string(index);
        all.push_back(record);
    }
    return true;
}

bool read_queue_line(std::string_view line, std::string_view tag, std::vector<BatchRecord>& all) {
    const auto parts = columns(line, 12);
    if (!parts)
        return false;
    const auto& part = *parts;
    BatchRecord record;
    record.tag = tag;
    record.reason = printable(reason_and_name(part[12].substr(0, part[12].size() - 1)).first);
    record.task_id = part[0];
    record.batch_id = part[1];
    record.raw_state = part[3];
    record.restarts = to_number<unsigned>(part[5]).value_or(0);
    record.nodes = part[11];
    record.user = part[7];
    record.state = held_or(slurm::state_of(part[3], !part[11].empty()), record.reason, part[6],
                           record.restarts);
    set_exit(record, part[4]);
    set_times(record, part[8], part[9], part[10]);
    return !part[0].empty() && to_number<std::uint64_t>(part[1]).has_value() &&
           add_records(record, part[2], all);
}

// "16", "16_0" or "16_[4-5%2]" -> id and indices.
std::pair<std::string_view, std::string_view> split_id(std::string_view text) {
    const auto mark = text.find('_');
    if (mark == std::string_view::npos)
        return {text, ""};
    auto indices = text.substr(mark + 1);
    if (indices.starts_with('[') && indices.ends_with(']'))
        indices = indices.substr(1, indices.size() - 2);
    return {text.substr(0, mark), indices};
}

bool read_history_line(std::string_view line, std::string_view tag, std::vector<BatchRecord>& all) {
    const auto parts = columns(line, 9);
    if (!parts)
        return false;
    const auto& part = *parts;
    const auto [id, indices] = split_id(part[0]);
    BatchRecord record;
    record.tag = tag;
    record.reason = printable(reason_and_name(part[9]).first);
    record.task_id = part[0];
    record.batch_id = id;
    record.raw_state = part[2];
    record.nodes = part[8] == "None assigned" ? "" : part[8];
    record.user = part[7];
    record.state = held_or(slurm::state_of(part[2], !record.nodes.empty()), record.reason, "", 0);
    set_exit(record, part[3]);
    set_times(record, part[4], part[5], part[6]);
    return to_number<std::uint64_t>(id).has_value() && add_records(record, indices, all);
}

// sacct --duplicates: one line for each run of a requeued batch job. The last one counts.
std::vector<BatchRecord> latest_runs(std::vector<BatchRecord> all) {
    std::map<std::pair<std::string, std::string>, BatchRecord> latest;
    for (auto& record : all) {
        const auto [known, is_new] = latest.try_emplace({record.tag, record.task_id}, record);
        if (is_new)
            continue;
        const unsigned restarts = known->second.restarts + 1;
        if (record.submitted >= known->second.submitted)
            known->second = std::move(record);
        known->second.restarts = restarts;
    }
    std::vector<BatchRecord> result;
    result.reserve(latest.size());
    for (auto& [key, record] : latest)
        result.push_back(std::move(record));
    return result;
}

// With --clusters the first column is the cluster; it is taken off `line`.
std::string_view take_cluster(std::string_view& line) {
    const auto cluster = line.substr(0, line.find('|'));
    line.remove_prefix(std::min(cluster.size() + 1, line.size()));
    return cluster;
}

void set_cluster(std::string_view cluster, std::span<BatchRecord> records) {
    for (auto& record : records)
        record.cluster = cluster;
}

Error unreadable(std::string_view program, std::string_view line) {
    return Error{ErrorKind::unavailable,
                 "cannot read a line of " + std::string(program) + ": " + printable(line)};
}

}  // namespace

Result<std::vector<BatchRecord>> Slurm::read_queue(const Outcome& outcome) const {
    if (auto failed = slurm::query_error(outcome))
        return std::move(*failed);
    std::vector<BatchRecord> records;
    for (auto line : split(outcome.output, '\n')) {
        if (!line.ends_with('|'))
            continue;  // "CLUSTER: name", empty lines
        const auto cluster = settings_.clusters.empty() ? "" : take_cluster(line);
        const auto before = records.size();
        const auto tag = reason_and_name(line.substr(0, line.size() - 1)).second;
        // What is ours must be understood: a batch job left out would look as if it were gone.
        if (is_ours(tag) && !read_queue_line(line, tag, records))
            return unreadable("squeue", line);
        set_cluster(cluster, std::span(records).subspan(before));
    }
    return records;
}

Result<std::vector<BatchRecord>> Slurm::read_poll(const Outcome& outcome) const {
    return read_queue(outcome);
}

Result<std::vector<BatchRecord>> Slurm::read_look_up_queue(const Outcome& outcome) const {
    return read_queue(outcome);
}

Result<std::vector<BatchRecord>> Slurm::read_history(const Outcome& outcome) const {
    if (auto failed = slurm::query_error(outcome))
        return std::move(*failed);
    std::vector<BatchRecord> records;
    for (auto line : split(outcome.output, '\n')) {
        const auto cluster = settings_.clusters.empty() ? "" : take_cluster(line);
        const auto before = records.size();
        const auto tag = reason_and_name(line).second;
        if (is_ours(tag) && !read_history_line(line, tag, records))
            return unreadable("sacct", line);
        set_cluster(cluster, std::span(records).subspan(before));
    }
    return latest_runs(std::move(records));
}

Result<void> Slurm::read_control(const Outcome& outcome) const {
    const auto has = [&](std::string_view words) {
        return outcome.error.find(words) != std::string::npos;
    };
    if (outcome.started && !outcome.timed_out && outcome.exit_code == 0)
        return {};
    // Gone or going already. scancel of an unknown id is 0 or 1, depending on its filters.
    if (has("Invalid job id specified") || has("already completing or completed") ||
        has("No active jobs match") || has("Job has already finished"))
        return {};
    const auto words = printable(trim(outcome.error));
    // "slurm_suspend error: No error" is what scontrol 22.05 prints for a name that is running.
    if (has("no longer pending execution") || has("slurm_suspend error: No error"))
        return Error{ErrorKind::conflict, words};
    if (has("Access/permission denied") || has("Requested operation is presently disabled"))
        return Error{ErrorKind::rejected, words};
    if (auto failed = slurm::query_error(outcome))
        return std::move(*failed);
    return {};
}

}  // namespace berth::sites
