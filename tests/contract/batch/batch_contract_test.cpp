// What the engine relies on, whichever batch system is behind the port.
#include "base/ids.hpp"
#include "contract/batch/slurm_fixture.hpp"
#include "sites/host.hpp"
#include "sites/local.hpp"
#include "sites/rest_batch.hpp"
#include "sites/slurm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth::sites {
namespace {

using jobs::BatchRecord;
using jobs::BatchState;
using jobs::BatchTarget;
using Kind = jobs::SubmitOutcome::Kind;
using test::run_on;

std::string own_name() {
    const auto* entry = ::getpwuid(::getuid());
    return entry != nullptr ? entry->pw_name : "";
}

class BatchContract : public testing::TestWithParam<const char*> {
protected:
    static void TearDownTestSuite() { slurm_.reset(); }

    void SetUp() override {
        ::chmod(folder.path().c_str(), 0777);
        if (GetParam() != std::string("local"))
            return use_slurm(GetParam() == std::string("slurm_rest"));
        LocalSettings settings;
        settings.spool = folder.path() + "/spool";
        settings.slots = 8;
        auto made = std::make_unique<LocalBatch>(loop, settings, clock, metrics);
        local = made.get();
        ASSERT_TRUE(local->start());
        batch = std::move(made);
        queue = "local";
    }
    void TearDown() override {
        for (const auto& tag : batch ? tags : std::vector<std::string>()) {
            const auto all = records(tag);
            if (all.empty())
                continue;
            const auto ended = run_on(loop, batch->cancel(target(tag, all.front().batch_id)));
            EXPECT_TRUE(ended);
        }
        if (local != nullptr)
            run_on(loop, local->stop());
    }

    void use_slurm(bool by_requests) {
        if (!test::RealSlurm::is_installed())
            GTEST_SKIP() << "Slurm is not installed";
        if (!slurm_)
            slurm_ = std::make_unique<test::RealSlurm>();
        ASSERT_NE(slurm_->conf(), "") << slurm_->log();
        SlurmSettings settings;
        settings.environment = {{"SLURM_CONF", slurm_->conf()}};
        queue = "grid";
        if (by_requests) {
            RestSettings rest;
            rest.server = slurm_->rest_server();
            batch = std::make_unique<RestBatch>(loop, settings, rest, runner, HostSettings(), clock,
                                                metrics);
            return;
        }
        batch = std::make_unique<CommandBatch>(loop, std::make_unique<Slurm>(settings), runner,
                                               HostSettings(), clock, metrics);
    }

    jobs::SubmitIntent intent(const std::string& text) {
        jobs::SubmitIntent made;
        made.tag = "btest" + random_base32(10);
        made.account = own_name();
        made.comment = "a comment | with \"signs\"";
        made.wrapper = "#!/bin/sh\n" + text + "\n";
        made.directory = folder.path();
        made.resources.wall_time_s = 600;
        tags.push_back(made.tag);
        return made;
    }
    std::string submit(const jobs::SubmitIntent& wanted) {
        const auto outcome = run_on(loop, batch->submit(wanted));
        EXPECT_EQ(outcome.kind, Kind::accepted) << outcome.message;
        return outcome.batch_id;
    }
    std::vector<BatchRecord> of_tag(jobs::QueueSnapshot snapshot, const std::string& tag) {
        std::erase_if(snapshot.records, [&](const auto& record) { return record.tag != tag; });
        return std::move(snapshot.records);
    }
    std::vector<BatchRecord> polled(const std::string& tag) {
        auto snapshot = run_on(loop, batch->poll({own_name()}));
        EXPECT_TRUE(snapshot);
        return snapshot ? of_tag(std::move(*snapshot), tag) : std::vector<BatchRecord>();
    }
    std::vector<BatchRecord> records(const std::string& tag) {
        auto snapshot =
            run_on(loop, batch->look_up({tag}, clock.wall() - std::chrono::minutes(10)));
        EXPECT_TRUE(snapshot);
        return snapshot ? of_tag(std::move(*snapshot), tag) : std::vector<BatchRecord>();
    }
    bool reaches(const std::string& tag, BatchState state) {
        return test::run_until(
            loop,
            [&] {
                const auto all = polled(tag);
                return !all.empty() && all.front().state == state;
            },
            std::chrono::seconds(30));
    }
    BatchTarget target(const std::string& tag, const std::string& id) {
        BatchTarget made;
        made.tag = tag;
        made.batch_id = id;
        made.account = own_name();
        return made;
    }
    // Submits behind jobs that take every slot (two nodes in Slurm, one locally).
    std::string submit_behind(const jobs::SubmitIntent& wanted) {
        const unsigned nodes = local != nullptr ? 1 : 2;
        std::string last;
        for (unsigned node = 0; node < nodes; ++node) {
            auto full = intent("sleep 300");
            full.resources.slots = 8;
            submit(full);
            last = full.tag;
        }
        EXPECT_TRUE(reaches(last, BatchState::running));
        return submit(wanted);
    }

    static std::unique_ptr<test::RealSlurm> slurm_;
    test::TemporaryFolder folder;
    boost::asio::io_context loop{1};
    SystemClock clock;
    Metrics metrics;
    OwnAccountRunner runner;
    LocalBatch* local = nullptr;
    std::unique_ptr<jobs::BatchSystem> batch;
    std::string queue;
    std::vector<std::string> tags;
};

std::unique_ptr<test::RealSlurm> BatchContract::slurm_;

TEST_P(BatchContract, AJobRunsWhereItShouldAndEndsDone) {
    auto wanted = intent("pwd > where; exit 0");
    wanted.queue = queue;
    const auto id = submit(wanted);
    EXPECT_TRUE(reaches(wanted.tag, BatchState::done));
    const auto record = polled(wanted.tag).front();
    EXPECT_EQ(record.batch_id, id);
    EXPECT_EQ(record.task_id, id);
    EXPECT_EQ(record.index, std::nullopt);
    EXPECT_EQ(record.exit_code, 0);
    EXPECT_EQ(record.user, own_name());
    EXPECT_TRUE(record.submitted && record.started && record.ended);
    EXPECT_TRUE(std::filesystem::exists(folder.path() + "/where"));
}

TEST_P(BatchContract, TheExitCodeComesBack) {
    const auto wanted = intent("exit 3");
    submit(wanted);
    EXPECT_TRUE(reaches(wanted.tag, BatchState::failed));
    EXPECT_EQ(polled(wanted.tag).front().exit_code, 3);
}

TEST_P(BatchContract, LookUpFindsByTagAndNothingElse) {
    const auto one = intent("sleep 300");
    const auto two = intent("sleep 300");
    const auto id = submit(one);
    submit(two);
    const auto found = records(one.tag);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().batch_id, id);
    EXPECT_TRUE(records("btestnotsubmitt").empty());
    const auto again = records(one.tag);  // asking changes nothing
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again.front().batch_id, id);
}

TEST_P(BatchContract, AnUnknownQueueIsARejection) {
    auto wanted = intent("true");
    wanted.queue = "nosuch";
    const auto outcome = run_on(loop, batch->submit(wanted));
    EXPECT_EQ(outcome.kind, Kind::rejected);
    EXPECT_FALSE(outcome.retry);
    EXPECT_NE(outcome.message, "");
    EXPECT_TRUE(records(wanted.tag).empty());
}

TEST_P(BatchContract, CancelEndsARunningJob) {
    const auto wanted = intent("sleep 300");
    const auto id = submit(wanted);
    EXPECT_TRUE(reaches(wanted.tag, BatchState::running));
    EXPECT_TRUE(run_on(loop, batch->cancel(target("btestotherstag2", id))));
    EXPECT_EQ(polled(wanted.tag).front().state, BatchState::running);
    EXPECT_TRUE(run_on(loop, batch->cancel(target(wanted.tag, id))));
    EXPECT_TRUE(reaches(wanted.tag, BatchState::cancelled));
    EXPECT_TRUE(run_on(loop, batch->cancel(target(wanted.tag, id))));
    EXPECT_TRUE(run_on(loop, batch->cancel(target("btestnosuchjob2", "7654321"))));
}

TEST_P(BatchContract, HoldReleaseAndCancelOfAQueuedJob) {
    const auto wanted = intent("echo > ran; exit 0");
    const auto id = submit_behind(wanted);
    ASSERT_TRUE(run_on(loop, batch->hold(target(wanted.tag, id))));
    EXPECT_TRUE(reaches(wanted.tag, BatchState::held));
    ASSERT_TRUE(run_on(loop, batch->release(target(wanted.tag, id))));
    EXPECT_TRUE(reaches(wanted.tag, BatchState::queued));
    ASSERT_TRUE(run_on(loop, batch->cancel(target(wanted.tag, id))));
    EXPECT_TRUE(reaches(wanted.tag, BatchState::cancelled));
    EXPECT_EQ(polled(wanted.tag).front().started, std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/ran"));
}

TEST_P(BatchContract, HoldOfARunningJobIsAConflict) {
    const auto wanted = intent("sleep 300");
    const auto id = submit(wanted);
    EXPECT_TRUE(reaches(wanted.tag, BatchState::running));
    const auto held = run_on(loop, batch->hold(target(wanted.tag, id)));
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().kind, ErrorKind::conflict);
}

TEST_P(BatchContract, AnArrayOfFiveHasFiveRecords) {
    auto wanted = intent(
        "echo > \"task.${BERTH_ARRAY_INDEX:-$SLURM_ARRAY_TASK_ID}\"; "
        "exit \"${BERTH_ARRAY_INDEX:-$SLURM_ARRAY_TASK_ID}\"");
    wanted.array = true;
    wanted.count = 5;
    const auto id = submit(wanted);
    EXPECT_TRUE(test::run_until(loop, [&] {
        const auto all = polled(wanted.tag);
        return all.size() == 5 &&
               std::ranges::all_of(all, [](const auto& task) { return is_over(task.state); });
    }));
    for (const auto& task : polled(wanted.tag)) {
        ASSERT_TRUE(task.index);
        EXPECT_EQ(task.batch_id, id);
        EXPECT_EQ(task.exit_code, static_cast<int>(*task.index));
        EXPECT_TRUE(
            std::filesystem::exists(folder.path() + "/task." + std::to_string(*task.index)));
    }
}

TEST_P(BatchContract, CancelOfWhatOnlyWaitsLeavesWhatHasStarted) {
    const auto waiting = intent("sleep 300");
    auto one = target(waiting.tag, submit_behind(waiting));
    one.only_waiting = true;
    auto other = target(tags.back(), polled(tags.back()).front().batch_id);
    other.only_waiting = true;
    EXPECT_TRUE(run_on(loop, batch->cancel(other)));
    EXPECT_TRUE(run_on(loop, batch->cancel(one)));
    EXPECT_TRUE(reaches(waiting.tag, BatchState::cancelled));
    EXPECT_EQ(polled(other.tag).front().state, BatchState::running);
}

// Eight tasks of three slots: no more than two of them fit beside each other on a node.
TEST_P(BatchContract, CancelOfWhatOnlyWaitsOfAnArrayKnowsItsTasks) {
    auto wanted = intent("sleep 300");
    wanted.array = true;
    wanted.count = 8;
    wanted.resources.slots = 3;
    auto all = target(wanted.tag, submit(wanted));
    all.only_waiting = true;
    const auto count = [&](BatchState state) {
        const auto records = polled(wanted.tag);
        return std::ranges::count(records, state, &BatchRecord::state);
    };
    ASSERT_TRUE(test::run_until(loop, [&] { return count(BatchState::running) >= 2; }));
    const auto started = count(BatchState::running);
    auto one = all;
    one.index = 0;
    EXPECT_TRUE(run_on(loop, batch->cancel(one)));
    EXPECT_EQ(count(BatchState::running), started);
    one.index = 7;
    EXPECT_TRUE(run_on(loop, batch->cancel(one)));
    EXPECT_EQ(count(BatchState::running), started);
    EXPECT_EQ(count(BatchState::queued), 7 - started) << "one task, not the array";
    EXPECT_TRUE(run_on(loop, batch->cancel(all)));
    EXPECT_EQ(count(BatchState::running), started);
    EXPECT_EQ(count(BatchState::queued), 0);
}

// scancel 22.05.8 with a name and one pending task cancels the whole array.
TEST_P(BatchContract, CancelOfOneTaskSparesTheOthers) {
    auto wanted = intent("true");
    wanted.array = true;
    wanted.count = 5;
    const auto id = submit_behind(wanted);
    auto one = target(wanted.tag, id);
    one.index = 2;
    ASSERT_TRUE(run_on(loop, batch->cancel(one)));
    const auto all = polled(wanted.tag);
    EXPECT_EQ(std::ranges::count(all, BatchState::queued, &BatchRecord::state), 4);
    const auto third = std::ranges::find(all, std::optional(2U), &BatchRecord::index);
    EXPECT_TRUE(third == all.end() || third->state == BatchState::cancelled);
    ASSERT_TRUE(run_on(loop, batch->cancel(target(wanted.tag, id))));
}

TEST_P(BatchContract, LimitsNameTheQueue) {
    const auto limits = run_on(loop, batch->limits());
    ASSERT_TRUE(limits) << limits.error().message;
    EXPECT_NE(limits->version, "");
    EXPECT_TRUE(limits->has_history);
    EXPECT_GT(limits->array_size_max, 5U);
    const auto found = std::ranges::find(limits->queues, queue, &jobs::QueueLimits::name);
    ASSERT_NE(found, limits->queues.end());
    EXPECT_TRUE(found->is_default && found->up);
    EXPECT_EQ(found->slots_per_node_max, 8U);
}

TEST_P(BatchContract, HistoryAnswersForAnEndedJob) {
    const auto wanted = intent("exit 3");
    submit(wanted);
    EXPECT_TRUE(test::run_until(loop, [&] {
        const auto all = records(wanted.tag);
        return !all.empty() && all.front().state == BatchState::failed;
    }));
    const auto since = clock.wall() - std::chrono::minutes(10);
    const auto snapshot = run_on(loop, batch->look_up({wanted.tag, "btestnotsubmitt"}, since));
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->history_answered);
    EXPECT_EQ(snapshot->records.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Batch, BatchContract, testing::Values("local", "slurm", "slurm_rest"),
                         [](const auto& which) { return std::string(which.param); });

}  // namespace
}  // namespace berth::sites
