// A batch system in memory that behaves: it accepts, queues, starts, ends, holds and forgets. A
// test turns its knobs for the ways in which real ones fail. What a node would do (take the fence,
// write the marker) is done by the test, because it decides who wins.
//
// Threads: the loop's only.
#pragma once

#include "base/tasks.hpp"
#include "jobs/batch.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace berth::test {

class FakeBatch final : public jobs::BatchSystem {
public:
    enum class Answer {
        accept,
        lose_reply,   // the batch job is made, the answer is lost
        lose_submit,  // neither is
        reject,
        reject_for_now,
        duplicate,  // two batch jobs are made; the first one's id is answered
    };

    explicit FakeBatch(Clock& clock) : clock_(clock) {}

    // ---- knobs
    std::deque<Answer> answers = {};  // of the next submissions; then accept
    bool down = false;                // polls, look-ups and control commands fail
    bool has_history = true;
    std::chrono::milliseconds cancel_takes{0}, submit_takes{0}, poll_takes{0}, hold_takes{0};

    // ---- what it has, and what it was asked
    struct Task {
        jobs::BatchRecord record;
        bool in_queue = true;  // else only history has it
        bool forgotten = false;
    };
    std::vector<Task> tasks = {};
    std::vector<jobs::SubmitIntent> submitted = {};
    std::vector<jobs::BatchTarget> cancelled = {}, held = {}, released = {};
    unsigned polls = 0, look_ups = 0, cancels_begun = 0;
    WallTime looked_since = {};

    std::string add(const std::string& tag, std::optional<unsigned> index = {},
                    std::string batch_id = {}) {
        if (batch_id.empty())
            batch_id = std::to_string(++last_id_);
        Task task;
        task.record.tag = tag;
        task.record.batch_id = batch_id;
        task.record.index = index;
        task.record.task_id = index ? batch_id + "_" + std::to_string(*index) : batch_id;
        task.record.raw_state = "PENDING";
        tasks.push_back(std::move(task));
        return batch_id;
    }
    jobs::BatchRecord& record(const std::string& tag, unsigned index = 0) {
        for (auto& task : tasks)
            if (task.record.tag == tag && task.record.index.value_or(0) == index)
                return task.record;
        throw std::runtime_error("no batch job " + tag);
    }
    void end(jobs::BatchRecord& record, jobs::BatchState state, int code) {
        record.state = state;
        record.exit_code = code;
    }
    bool asked_to_cancel(const std::string& batch_id, std::optional<unsigned> index = {}) const {
        return std::ranges::any_of(cancelled, [&](const jobs::BatchTarget& target) {
            return target.batch_id == batch_id &&
                   (!target.index || !index || target.index == index);
        });
    }

    // ---- the port
    std::string_view name() const override { return "fake"; }

    boost::asio::awaitable<jobs::SubmitOutcome> submit(jobs::SubmitIntent intent) override {
        submitted.push_back(intent);
        auto answer = Answer::accept;
        if (!answers.empty()) {
            answer = answers.front();
            answers.pop_front();
        }
        jobs::SubmitOutcome outcome;
        outcome.message = "Socket timed out on send/recv operation";
        if (answer == Answer::reject || answer == Answer::reject_for_now) {
            outcome.kind = jobs::SubmitOutcome::Kind::rejected;
            outcome.retry = answer == Answer::reject_for_now;
            outcome.message = outcome.retry ? "submit limit" : "invalid account";
            co_return outcome;
        }
        if (answer == Answer::lose_submit)
            co_return outcome;
        const auto id = add_tasks(intent);
        if (answer == Answer::duplicate)
            add_tasks(intent);
        co_await sleep_for(submit_takes);
        if (answer == Answer::lose_reply)
            co_return outcome;
        outcome.kind = jobs::SubmitOutcome::Kind::accepted;
        outcome.batch_id = id;
        co_return outcome;
    }

    Async<jobs::QueueSnapshot> poll(std::vector<std::string>) override {
        ++polls;
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        auto snapshot = snapshot_now();
        for (const auto& task : tasks)
            if (task.in_queue && !task.forgotten)
                snapshot.records.push_back(task.record);
        co_await sleep_for(poll_takes);
        co_return snapshot;
    }

    Async<jobs::QueueSnapshot> look_up(std::vector<std::string> tags, WallTime since) override {
        ++look_ups;
        looked_since = since;
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        auto snapshot = snapshot_now();
        for (const auto& task : tasks)
            if (!task.forgotten && (task.in_queue || has_history) &&
                std::ranges::find(tags, task.record.tag) != tags.end())
                snapshot.records.push_back(task.record);
        co_return snapshot;
    }

    Async<void> cancel(jobs::BatchTarget target) override {
        ++cancels_begun;
        co_await sleep_for(cancel_takes);
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        cancelled.push_back(target);
        for (auto& task : tasks)
            if (is(task, target) && !is_over(task.record.state) &&
                !(target.only_waiting && task.record.state == jobs::BatchState::running)) {
                task.record.state = jobs::BatchState::cancelled;
                task.record.raw_state = "CANCELLED";
            }
        co_return Result<void>();
    }
    Async<void> hold(jobs::BatchTarget target) override {
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        held.push_back(target);
        co_await sleep_for(hold_takes);
        co_return turn(target, jobs::BatchState::queued, jobs::BatchState::held);
    }
    Async<void> release(jobs::BatchTarget target) override {
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        released.push_back(target);
        co_return turn(target, jobs::BatchState::held, jobs::BatchState::queued);
    }
    Async<jobs::SiteLimits> limits() override {
        if (down)
            co_return Error{ErrorKind::unavailable, "the controller does not answer"};
        jobs::SiteLimits limits;
        jobs::QueueLimits queue;
        queue.name = "grid";
        queue.is_default = true;
        limits.queues.push_back(queue);
        limits.has_history = has_history;
        co_return limits;
    }

private:
    static bool is(const Task& task, const jobs::BatchTarget& target) {
        return task.record.tag == target.tag && task.record.batch_id == target.batch_id &&
               (!target.index || task.record.index == target.index);
    }
    std::string add_tasks(const jobs::SubmitIntent& intent) {
        const auto id = std::to_string(++last_id_);
        for (unsigned i = 0; i < intent.count; ++i)
            add(intent.tag, intent.array ? std::optional<unsigned>(i) : std::nullopt, id);
        return id;
    }
    Result<void> turn(const jobs::BatchTarget& target, jobs::BatchState from, jobs::BatchState to) {
        if (down)
            return Error{ErrorKind::unavailable, "the controller does not answer"};
        for (auto& task : tasks)
            if (is(task, target) && task.record.state == from)
                task.record.state = to;
        return {};
    }
    jobs::QueueSnapshot snapshot_now() const {
        jobs::QueueSnapshot snapshot;
        snapshot.asked = clock_.steady();
        snapshot.asked_wall = clock_.wall();
        return snapshot;
    }

    Clock& clock_;
    unsigned last_id_ = 100;
};

}  // namespace berth::test
