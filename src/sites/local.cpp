#include "sites/local.hpp"

#include "base/async.hpp"
#include "base/text.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>

namespace berth::sites {

namespace asio = boost::asio;
using jobs::BatchRecord;
using jobs::BatchState;
using jobs::BatchTarget;
using jobs::QueueSnapshot;
using jobs::SubmitIntent;
using jobs::SubmitOutcome;

namespace {

std::string machine() {
    utsname name{};
    return ::uname(&name) == 0 ? name.machine : "";
}

std::size_t active_tasks(const std::map<std::uint64_t, local::Job>& jobs) {
    std::size_t active = 0;
    for (const auto& [id, job] : jobs)
        for (const auto& task : job.tasks)
            active += is_over(task.state) ? 0 : 1;
    return active;
}

SubmitOutcome rejected(std::string message, bool retry) {
    SubmitOutcome outcome;
    outcome.kind = SubmitOutcome::Kind::rejected;
    outcome.message = std::move(message);
    outcome.retry = retry;
    return outcome;
}

SubmitOutcome accepted(std::uint64_t id) {
    SubmitOutcome outcome;
    outcome.kind = SubmitOutcome::Kind::accepted;
    outcome.batch_id = std::to_string(id);
    return outcome;
}

}  // namespace

LocalBatch::LocalBatch(asio::io_context& loop, LocalSettings settings, Clock& clock,
                       Metrics& metrics)
    : loop_(loop),
      settings_(std::move(settings)),
      clock_(clock),
      metrics_(metrics),
      wake_(loop),
      group_(loop) {
    if (settings_.architectures.empty())
        settings_.architectures.push_back(machine());
    metrics_.describe("berth_local_tasks", "Tasks of the local batch system, by state.");
}

LocalBatch::~LocalBatch() {
    disk_.join();
}

Result<void> LocalBatch::start() {
    auto all = local::load(settings_.spool);
    if (!all)
        return all.error();
    last_id_ = local::last_id(settings_.spool);
    for (auto& job : *all) {
        last_id_ = std::max(last_id_, job.id);
        ids_[job.tag] = job.id;
        auto& kept = jobs_[job.id] = std::move(job);
        for (std::size_t index = 0; index < kept.tasks.size(); ++index)
            if (kept.tasks[index].state == BatchState::running)
                take_up(kept, index);
    }
    group_.spawn("local batch system", work());
    return {};
}

asio::awaitable<void> LocalBatch::stop() {
    return group_.stop();
}

std::string LocalBatch::refusal(const SubmitIntent& intent) const {
    const auto& want = intent.resources;
    if (!intent.queue.empty() && intent.queue != settings_.queue)
        return "unknown queue: " + printable(intent.queue);
    if (want.nodes > 1)
        return "the local batch system has one node";
    if (want.gpus.count > 0)
        return "the local batch system has no GPUs";
    if (std::max(1U, want.slots) > settings_.slots)
        return "more slots than the " + std::to_string(settings_.slots) + " of this machine";
    if (settings_.memory_mb != 0 &&
        std::uint64_t{want.memory_per_slot_mb} * std::max(1U, want.slots) > settings_.memory_mb)
        return "more memory than the " + std::to_string(settings_.memory_mb) +
               " MB of this machine";
    if (settings_.wall_time_max_s != 0 && want.wall_time_s > settings_.wall_time_max_s)
        return "more wall time than " + std::to_string(settings_.wall_time_max_s) + " s";
    if (!want.architecture.empty() &&
        std::ranges::find(settings_.architectures, want.architecture) ==
            settings_.architectures.end())
        return "this machine is not " + printable(want.architecture);
    if (!intent.directives.empty())
        return "the local batch system has no option " +
               printable(intent.directives.begin()->first);
    if (intent.array && (intent.count == 0 || intent.count > settings_.array_size_max))
        return "an array of " + std::to_string(intent.count) + " tasks";
    if (intent.tag.empty() || !intent.directory.starts_with('/'))
        return "no tag or no absolute directory";
    return {};
}

local::Job LocalBatch::make_job(const SubmitIntent& intent) {
    const auto& want = intent.resources;
    local::Job job;
    job.id = ++last_id_;
    job.tag = intent.tag;
    job.account = intent.account;
    job.directory = intent.directory;
    job.slots = std::max(1U, want.slots);
    job.memory_mb = want.memory_per_slot_mb * job.slots;
    job.wall_time_s = want.wall_time_s != 0 ? want.wall_time_s : settings_.wall_time_default_s;
    if (job.wall_time_s == 0)
        job.wall_time_s = settings_.wall_time_max_s;
    job.warning_s = want.warning_s;
    job.array = intent.array;
    job.submitted = clock_.wall();
    job.tasks.resize(intent.array ? intent.count : 1);
    return job;
}

local::Job* LocalBatch::find(const std::string& tag) {
    const auto id = ids_.find(tag);
    return id == ids_.end() ? nullptr : &jobs_.at(id->second);
}

asio::awaitable<SubmitOutcome> LocalBatch::submit(SubmitIntent intent) {
    while (creating_.contains(intent.tag))
        co_await sleep_for(std::chrono::milliseconds(5));
    if (const auto* known = find(intent.tag))
        co_return accepted(known->id);
    if (auto why = refusal(intent); !why.empty())
        co_return rejected(std::move(why), false);
    if (active_tasks(jobs_) + (intent.array ? intent.count : 1) > settings_.tasks_max)
        co_return rejected("the local queue is full", true);
    local::Job job = make_job(intent);
    creating_.insert(job.tag);
    // The id first: one that was given is never given again, even if its folder is gone.
    auto made = co_await offload(disk_, &local::remember_id, settings_.spool, job.id);
    if (made)
        made = co_await offload(disk_, &local::create, settings_.spool, job, intent.wrapper);
    creating_.erase(job.tag);
    if (!made)
        co_return rejected(made.error().message, true);
    const auto id = job.id;
    ids_[job.tag] = id;
    jobs_[id] = std::move(job);
    wake_.notify();
    co_return accepted(id);
}

void LocalBatch::add_records(const local::Job& job, std::vector<BatchRecord>& all) const {
    for (std::size_t index = 0; index < job.tasks.size(); ++index) {
        const auto& task = job.tasks[index];
        BatchRecord record;
        record.tag = job.tag;
        record.batch_id = std::to_string(job.id);
        record.task_id = record.batch_id;
        if (job.array) {
            record.index = static_cast<unsigned>(index);
            record.task_id += "_" + std::to_string(index);
        }
        record.state = task.state;
        record.raw_state = to_string(task.state);
        record.reason = task.reason;
        record.exit_code = task.exit_code;
        record.signal = task.signal;
        if (task.started)
            record.nodes = "localhost";
        record.user = job.account;
        record.submitted = job.submitted;
        record.started = task.started;
        record.ended = task.ended;
        all.push_back(std::move(record));
    }
}

QueueSnapshot LocalBatch::snapshot() const {
    QueueSnapshot snapshot;
    snapshot.asked = clock_.steady();
    snapshot.asked_wall = clock_.wall();
    return snapshot;
}

Async<QueueSnapshot> LocalBatch::poll(std::vector<std::string> accounts) {
    auto result = snapshot();
    const auto since = clock_.wall() - settings_.shown_after_end;
    for (const auto& [id, job] : jobs_) {
        const auto end = local::ended(job);
        const bool asked =
            accounts.empty() || std::ranges::find(accounts, job.account) != accounts.end();
        if (asked && (!end || *end >= since))
            add_records(job, result.records);
    }
    co_return result;
}

Async<QueueSnapshot> LocalBatch::look_up(std::vector<std::string> tags, WallTime) {
    auto result = snapshot();
    for (const auto& tag : tags)
        if (const auto* job = find(tag))
            add_records(*job, result.records);
    co_return result;
}

Async<void> LocalBatch::control(BatchTarget target, Verb verb) {
    auto* job = find(target.tag);
    if (job == nullptr || std::to_string(job->id) != target.batch_id)
        co_return Result<void>();  // gone, or never ours
    const auto id = job->id;
    bool fits_state = false;
    bool active = false;
    for (std::size_t index = 0; index < job->tasks.size(); ++index) {
        auto& task = job->tasks[index];
        if ((target.index && *target.index != index) || is_over(task.state))
            continue;
        const bool waits = task.state == BatchState::queued || task.state == BatchState::held;
        if (target.only_waiting && !waits)
            continue;
        active = true;
        if (verb == Verb::cancel && !waits && task.ending == BatchState::queued)
            task.ending = BatchState::cancelled;
        if (verb == Verb::cancel && waits) {
            task.state = BatchState::cancelled;
            task.ended = clock_.wall();
        }
        if (verb != Verb::cancel && waits)
            task.state = verb == Verb::hold ? BatchState::held : BatchState::queued;
        fits_state = fits_state || waits || verb == Verb::cancel;
    }
    if (active && !fits_state)
        co_return Error{ErrorKind::conflict, "the batch job is running"};
    auto saved = co_await save(id);
    wake_.notify();
    co_return saved;
}

Async<void> LocalBatch::cancel(BatchTarget target) {
    return control(std::move(target), Verb::cancel);
}

Async<void> LocalBatch::hold(BatchTarget target) {
    return control(std::move(target), Verb::hold);
}

Async<void> LocalBatch::release(BatchTarget target) {
    return control(std::move(target), Verb::release);
}

Async<jobs::SiteLimits> LocalBatch::limits() {
    jobs::QueueLimits queue;
    queue.name = settings_.queue;
    queue.is_default = true;
    queue.wall_time_max_s = settings_.wall_time_max_s;
    queue.wall_time_default_s = settings_.wall_time_default_s;
    queue.nodes_max = 1;
    queue.slots_per_node_max = settings_.slots;
    queue.slots_max = settings_.slots;
    queue.memory_per_node_max_mb = settings_.memory_mb;
    queue.features = settings_.architectures;
    jobs::SiteLimits limits;
    limits.version = "local";
    limits.queues.push_back(std::move(queue));
    limits.array_size_max = settings_.array_size_max;
    limits.jobs_max = settings_.tasks_max;
    limits.min_job_age_s = static_cast<unsigned>(settings_.shown_after_end.count());
    limits.has_history = true;
    co_return limits;
}

}  // namespace berth::sites
