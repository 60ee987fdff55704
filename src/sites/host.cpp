#include "sites/host.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace berth::sites {

namespace asio = boost::asio;
using jobs::BatchRecord;
using jobs::BatchState;
using jobs::BatchTarget;
using jobs::QueueSnapshot;

namespace {

std::string_view word_for(const net::CommandResult& result) {
    if (!result.started)
        return "not_started";
    if (result.timed_out)
        return "timed_out";
    if (result.exit_code != 0)
        return "failed";
    return "ok";
}

std::vector<std::vector<std::string>> chunks(std::vector<std::string> all, std::size_t most) {
    std::vector<std::vector<std::string>> parts;
    for (auto& one : all) {
        if (parts.empty() || parts.back().size() >= std::max<std::size_t>(1, most))
            parts.emplace_back();
        parts.back().push_back(std::move(one));
    }
    return parts;
}

// "" (the daemon's account) is asked for on its own: no list of names can hold it.
std::vector<std::vector<std::string>> account_chunks(std::vector<std::string> accounts,
                                                     std::size_t most) {
    const bool own = accounts.empty() || std::erase(accounts, std::string()) > 0;
    auto parts = chunks(std::move(accounts), most);
    if (own)
        parts.emplace_back();
    return parts;
}

void append(std::vector<BatchRecord>& all, std::vector<BatchRecord> more) {
    std::ranges::move(more, std::back_inserter(all));
}

bool waits(BatchState state) {
    return state == BatchState::queued || state == BatchState::held ||
           state == BatchState::requeue_held;
}

bool permits(std::string_view verb, BatchState state) {
    return verb == "cancel" || waits(state);
}

}  // namespace

Outcome outcome_of(net::CommandResult result) {
    Outcome outcome;
    outcome.exit_code = result.exit_code;
    outcome.timed_out = result.timed_out;
    outcome.started = result.started;
    outcome.truncated = result.truncated;
    outcome.output = std::move(result.output);
    outcome.error = std::move(result.error);
    return outcome;
}

asio::awaitable<net::CommandResult> OwnAccountRunner::run(net::Command command, std::string) {
    return net::run(std::move(command));
}

CommandBatch::CommandBatch(asio::io_context& loop, std::unique_ptr<Translator> translator,
                           CommandRunner& runner, HostSettings settings, Clock& clock,
                           Metrics& metrics)
    : translator_(std::move(translator)),
      runner_(runner),
      settings_(settings),
      submit_width_(settings.submit_width),
      clock_(clock),
      metrics_(metrics),
      lanes_(loop) {
    metrics_.describe("berth_batch_submit_width",
                      "Submissions that may run at one time; fewer while answers are slow.");
    metrics_.describe("berth_batch_command_seconds", "Time of the batch system's commands.");
    metrics_.describe("berth_batch_commands_total", "Commands of the batch system, by outcome.");
}

unsigned CommandBatch::width(std::string_view verb) const {
    if (verb == "submit")
        return submit_width_.now();
    if (verb == "cancel" || verb == "hold" || verb == "release")
        return std::max(1U, settings_.control_width);
    return std::max(1U, settings_.query_width);
}

asio::awaitable<Outcome> CommandBatch::perform(Action action) {
    if (!action.refused.empty() || action.command.empty()) {
        Outcome outcome;
        outcome.started = false;
        outcome.error = action.refused.empty() ? "no command" : action.refused;
        co_return outcome;
    }
    co_await lanes_.enter(action.verb, width(action.verb));
    const Lanes::Place place(lanes_, action.verb);
    net::Command command;
    command.arguments = std::move(action.command);
    command.input = std::move(action.input);
    command.environment = std::move(action.environment);
    command.time_limit = action.time_limit;
    command.output_bytes_max = settings_.output_bytes_max;
    const auto began = clock_.steady();
    auto result = co_await runner_.run(std::move(command), action.account);
    const auto answered_in = clock_.steady() - began;
    if (action.verb == "submit") {
        submit_width_.answered(answered_in);
        lanes_.set_width(action.verb, submit_width_.now());
        metrics_.set("berth_batch_submit_width", {{"batch", name()}}, submit_width_.now());
    }
    const std::chrono::duration<double> took = answered_in;
    metrics_.observe("berth_batch_command_seconds", {{"batch", name()}, {"verb", action.verb}},
                     took.count());
    metrics_.add("berth_batch_commands_total",
                 {{"batch", name()}, {"verb", action.verb}, {"outcome", word_for(result)}});
    co_return outcome_of(std::move(result));
}

asio::awaitable<jobs::SubmitOutcome> CommandBatch::submit(jobs::SubmitIntent intent) {
    Action action = translator_->submit(intent);
    if (!action.refused.empty()) {
        jobs::SubmitOutcome outcome;
        outcome.kind = jobs::SubmitOutcome::Kind::rejected;
        outcome.message = std::move(action.refused);
        co_return outcome;
    }
    const Outcome outcome = co_await perform(std::move(action));
    co_return translator_->read_submit(outcome);
}

Async<QueueSnapshot> CommandBatch::poll(std::vector<std::string> accounts) {
    QueueSnapshot snapshot;
    // Before the command: what is submitted while it runs must not look as if it were gone.
    snapshot.asked = clock_.steady();
    snapshot.asked_wall = clock_.wall();
    for (auto& part : account_chunks(std::move(accounts), settings_.accounts_per_poll)) {
        const Outcome outcome = co_await perform(translator_->poll(part));
        auto records = translator_->read_poll(outcome);
        if (!records)
            co_return std::move(records.error());
        append(snapshot.records, *std::move(records));
    }
    co_return snapshot;
}

Async<void> CommandBatch::add_history(std::vector<std::string> tags, WallTime since,
                                      QueueSnapshot& snapshot) {
    Action action = translator_->look_up_history(tags, since);
    if (action.command.empty())
        co_return Error{ErrorKind::unavailable, "the site has no accounting"};
    const Outcome outcome = co_await perform(std::move(action));
    auto records = translator_->read_history(outcome);
    if (!records)
        co_return std::move(records.error());
    // The queue is newer than history, which is written from it. Two clusters give the same ids.
    std::set<std::pair<std::string, std::string>> known;
    for (const auto& record : snapshot.records)
        known.emplace(record.tag, record.task_id);
    for (auto& record : *records) {
        record.from_history = true;
        if (!known.contains({record.tag, record.task_id}))
            snapshot.records.push_back(std::move(record));
    }
    co_return Result<void>();
}

Async<QueueSnapshot> CommandBatch::look_up(std::vector<std::string> tags, WallTime since) {
    QueueSnapshot snapshot;
    snapshot.asked = clock_.steady();
    snapshot.asked_wall = clock_.wall();
    for (auto& part : chunks(std::move(tags), settings_.tags_per_look_up)) {
        const Outcome outcome = co_await perform(translator_->look_up_queue(part));
        auto records = translator_->read_look_up_queue(outcome);
        if (!records)
            co_return std::move(records.error());
        // A tag whose batch job the queue shows to its end, or still shows, needs no history; an
        // array may have ended tasks that left the queue before the others.
        std::set<std::string> settled;
        for (const auto& record : *records)
            if (!record.index)
                settled.insert(record.tag);
        append(snapshot.records, *std::move(records));
        std::erase_if(part, [&](const auto& tag) { return settled.contains(tag); });
        if (part.empty())
            continue;
        const auto history = co_await add_history(std::move(part), since, snapshot);
        snapshot.history_answered = snapshot.history_answered && history.has_value();
    }
    co_return snapshot;
}

Async<std::vector<BatchRecord>> CommandBatch::find(BatchTarget target) {
    const std::vector<std::string> tags(1, target.tag);
    const Outcome outcome = co_await perform(translator_->look_up_queue(tags));
    auto records = translator_->read_look_up_queue(outcome);
    if (!records)
        co_return std::move(records.error());
    std::erase_if(*records, [&](const BatchRecord& record) {
        const bool other_task = target.index && record.index != target.index;
        return record.tag != target.tag || record.batch_id != target.batch_id || other_task;
    });
    co_return std::move(*records);
}

Async<void> CommandBatch::control(Action action, BatchTarget target, bool look_first) {
    if (!action.refused.empty())
        co_return Error{ErrorKind::rejected, action.refused};
    if (look_first) {
        auto found = co_await find(target);
        if (!found)
            co_return std::move(found.error());
        std::erase_if(*found, [&](const auto& record) {
            return is_over(record.state) || (target.only_waiting && !waits(record.state));
        });
        if (found->empty())
            co_return Result<void>();  // gone, never ours, or not to be cancelled
        const auto fits = [&](const auto& record) { return permits(action.verb, record.state); };
        if (std::ranges::none_of(*found, fits))
            co_return Error{ErrorKind::conflict,
                            "the batch job is " + std::string(to_string(found->front().state))};
    }
    const Outcome outcome = co_await perform(std::move(action));
    co_return translator_->read_control(outcome);
}

Async<void> CommandBatch::cancel(BatchTarget target) {
    Action action = translator_->cancel(target);
    const bool look_first = !action.checks_tag;
    return control(std::move(action), std::move(target), look_first);
}

// These look first for the state too: a hold of a running batch job would only spoil its reason.
Async<void> CommandBatch::hold(BatchTarget target) {
    return control(translator_->hold(target), target, true);
}

Async<void> CommandBatch::release(BatchTarget target) {
    return control(translator_->release(target), target, true);
}

Async<jobs::SiteLimits> CommandBatch::limits() {
    std::vector<Outcome> outcomes;
    for (auto& action : translator_->limits())
        outcomes.push_back(co_await perform(std::move(action)));
    co_return translator_->read_limits(outcomes);
}

}  // namespace berth::sites
