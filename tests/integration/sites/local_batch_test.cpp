#include "sites/local.hpp"

#include "base/files.hpp"
#include "integration/sites/run_loop.hpp"
#include "sites/local_tasks.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <memory>

namespace berth::sites {
namespace {

using jobs::BatchRecord;
using jobs::BatchState;
using jobs::BatchTarget;
using Kind = jobs::SubmitOutcome::Kind;
using test::run_on;

class LocalBatchTest : public testing::Test {
protected:
    LocalBatchTest() {
        settings.spool = folder.path() + "/spool";
        settings.slots = 2;
        settings.kill_grace = std::chrono::seconds(1);
        std::filesystem::create_directory(folder.path() + "/work");
    }
    ~LocalBatchTest() override { stop(); }

    void start() {
        batch = std::make_unique<LocalBatch>(loop, settings, clock, metrics);
        const auto started = batch->start();
        ASSERT_TRUE(started) << started.error().message;
    }
    void stop() {
        if (batch)
            run_on(loop, batch->stop());
        batch.reset();
    }
    void restart() {
        stop();
        start();
    }

    jobs::SubmitIntent intent(const std::string& tag, const std::string& text) {
        jobs::SubmitIntent made;
        made.tag = tag;
        made.account = "grid1";
        made.wrapper = "#!/bin/sh\n" + text + "\n";
        made.directory = folder.path() + "/work";
        return made;
    }
    std::string submit(const jobs::SubmitIntent& wanted) {
        const auto outcome = run_on(loop, batch->submit(wanted));
        EXPECT_EQ(outcome.kind, Kind::accepted) << outcome.message;
        return outcome.batch_id;
    }
    std::vector<BatchRecord> records(const std::string& tag) {
        return run_on(loop, batch->look_up({tag}, {}))->records;
    }
    BatchRecord record(const std::string& tag) {
        const auto all = records(tag);
        return all.empty() ? BatchRecord() : all.front();
    }
    bool reaches(const std::string& tag, BatchState state) {
        return test::run_until(loop, [&] { return record(tag).state == state; });
    }
    bool appears(const std::string& name) {
        return test::run_until(
            loop, [&] { return std::filesystem::exists(folder.path() + "/work/" + name); });
    }
    BatchTarget target(const std::string& tag) {
        BatchTarget made;
        made.tag = tag;
        made.batch_id = record(tag).batch_id;
        made.account = "grid1";
        return made;
    }
    std::string text_of(const std::string& name) {
        auto text = read_file(folder.path() + "/work/" + name);
        return text ? *text : "";
    }

    test::TemporaryFolder folder;
    boost::asio::io_context loop{1};
    SystemClock clock;
    Metrics metrics;
    LocalSettings settings;
    std::unique_ptr<LocalBatch> batch;
};

TEST_F(LocalBatchTest, KeepsTheExitStatus) {
    start();
    const auto id = submit(intent("good", "echo $BERTH_BATCH_ID:${BERTH_ARRAY_INDEX-none} > env"));
    submit(intent("bad", "exit 3"));
    submit(intent("hit", "kill -SEGV $$"));
    EXPECT_TRUE(reaches("good", BatchState::done));
    EXPECT_TRUE(reaches("bad", BatchState::failed));
    EXPECT_TRUE(reaches("hit", BatchState::failed));
    EXPECT_EQ(record("good").exit_code, 0);
    EXPECT_EQ(record("bad").exit_code, 3);
    EXPECT_EQ(record("hit").signal, SIGSEGV);
    EXPECT_EQ(text_of("env"), id + ":none\n");
    EXPECT_TRUE(record("good").started);
    EXPECT_TRUE(record("good").ended);
}

TEST_F(LocalBatchTest, TheSameTagIsTheSameBatchJob) {
    start();
    const auto wanted = intent("tag1", "echo run >> runs");
    const auto id = submit(wanted);
    EXPECT_EQ(submit(wanted), id);
    EXPECT_TRUE(reaches("tag1", BatchState::done));
    restart();
    EXPECT_EQ(submit(wanted), id);
    EXPECT_EQ(text_of("runs"), "run\n");
    EXPECT_NE(submit(intent("tag2", "true")), id);
}

TEST_F(LocalBatchTest, TwoSubmissionsOfOneTagAtOnceMakeOneBatchJob) {
    start();
    std::vector<std::string> ids;
    const auto one = [](LocalBatch* to, jobs::SubmitIntent what,
                        std::vector<std::string>* made) -> boost::asio::awaitable<void> {
        const auto outcome = co_await to->submit(std::move(what));
        made->push_back(outcome.batch_id);
    };
    TaskGroup group(loop);
    for (int i = 0; i < 3; ++i)
        group.spawn("submit", one(batch.get(), intent("tag", "true"), &ids));
    EXPECT_TRUE(run_on(loop, group.idle(std::chrono::seconds(10))));
    ASSERT_EQ(ids.size(), 3U);
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_EQ(ids[0], ids[2]);
}

TEST_F(LocalBatchTest, SlotsAreFilledInOrder) {
    start();
    auto wide = intent("wide", "sleep 60");
    wide.resources.slots = 2;
    submit(wide);
    submit(intent("next", "true"));
    EXPECT_TRUE(reaches("wide", BatchState::running));
    EXPECT_EQ(record("next").state, BatchState::queued);
    EXPECT_TRUE(run_on(loop, batch->cancel(target("wide"))));
    EXPECT_TRUE(reaches("wide", BatchState::cancelled));
    EXPECT_TRUE(reaches("next", BatchState::done));
}

TEST_F(LocalBatchTest, TheWallTimeWarnsThenTermsThenKills) {
    start();
    auto wanted = intent("long",
                         "trap 'echo warned >> log' USR1\ntrap 'echo term >> log' TERM\n"
                         "while :; do sleep 0.1; done");
    wanted.resources.wall_time_s = 2;
    wanted.resources.warning_s = 1;
    submit(wanted);
    EXPECT_TRUE(reaches("long", BatchState::walltime));
    EXPECT_EQ(text_of("log"), "warned\nterm\n");
    EXPECT_EQ(record("long").signal, SIGKILL);
}

TEST_F(LocalBatchTest, CancelEndsQueuedAndRunning) {
    settings.slots = 1;
    start();
    submit(intent("runs", "sleep 60 & wait"));
    submit(intent("waits", "echo > never"));
    EXPECT_TRUE(reaches("runs", BatchState::running));
    EXPECT_TRUE(run_on(loop, batch->cancel(target("waits"))));
    EXPECT_EQ(record("waits").state, BatchState::cancelled);
    EXPECT_TRUE(run_on(loop, batch->cancel(target("runs"))));
    EXPECT_TRUE(reaches("runs", BatchState::cancelled));
    EXPECT_EQ(record("runs").signal, SIGTERM);
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/work/never"));
    EXPECT_TRUE(run_on(loop, batch->cancel(target("runs"))));  // again, when gone
    EXPECT_EQ(record("runs").state, BatchState::cancelled);
}

TEST_F(LocalBatchTest, AnotherTagIsNeverTouched) {
    start();
    submit(intent("mine", "sleep 60"));
    EXPECT_TRUE(reaches("mine", BatchState::running));
    auto wrong = target("mine");
    wrong.tag = "other";
    EXPECT_TRUE(run_on(loop, batch->cancel(wrong)));
    wrong = target("mine");
    wrong.batch_id = "999";
    EXPECT_TRUE(run_on(loop, batch->cancel(wrong)));
    restart();
    EXPECT_EQ(record("mine").state, BatchState::running);
    EXPECT_TRUE(run_on(loop, batch->cancel(target("mine"))));
    EXPECT_TRUE(reaches("mine", BatchState::cancelled));
}

TEST_F(LocalBatchTest, HoldKeepsAJobFromStarting) {
    settings.slots = 1;
    start();
    submit(intent("first", "sleep 1"));
    submit(intent("second", "true"));
    EXPECT_TRUE(run_on(loop, batch->hold(target("second"))));
    EXPECT_TRUE(reaches("first", BatchState::done));
    restart();
    EXPECT_EQ(record("second").state, BatchState::held);
    EXPECT_TRUE(run_on(loop, batch->release(target("second"))));
    EXPECT_TRUE(reaches("second", BatchState::done));
    submit(intent("third", "sleep 60"));
    EXPECT_TRUE(reaches("third", BatchState::running));
    const auto held = run_on(loop, batch->hold(target("third")));
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().kind, ErrorKind::conflict);
    EXPECT_TRUE(run_on(loop, batch->cancel(target("third"))));
    EXPECT_TRUE(reaches("third", BatchState::cancelled));
}

TEST_F(LocalBatchTest, ArraysHaveOneRecordForEachTask) {
    start();
    auto wanted = intent("arr", "echo > task.$BERTH_ARRAY_INDEX; exit $BERTH_ARRAY_INDEX");
    wanted.array = true;
    wanted.count = 5;
    const auto id = submit(wanted);
    auto one = target("arr");
    EXPECT_TRUE(test::run_until(loop, [&] {
        for (const auto& task : records("arr"))
            if (!is_over(task.state))
                return false;
        return true;
    }));
    const auto all = records("arr");
    ASSERT_EQ(all.size(), 5U);
    for (unsigned index = 0; index < 5; ++index) {
        EXPECT_EQ(all[index].index, index);
        EXPECT_EQ(all[index].task_id, id + "_" + std::to_string(index));
        EXPECT_EQ(all[index].exit_code, static_cast<int>(index));
        EXPECT_TRUE(std::filesystem::exists(folder.path() + "/work/task." + std::to_string(index)));
    }
}

TEST_F(LocalBatchTest, TasksOutliveTheDaemonAndAreFoundAgain) {
    start();
    submit(intent("lives", "echo > up; while [ ! -e go ]; do sleep 0.05; done; exit 4"));
    submit(intent("ends", "sleep 0.3; exit 5"));
    EXPECT_TRUE(appears("up"));
    EXPECT_TRUE(reaches("ends", BatchState::running));
    stop();
    ::usleep(800000);  // one task ends while no daemon is there
    start();
    EXPECT_TRUE(reaches("ends", BatchState::failed));
    EXPECT_EQ(record("ends").exit_code, 5);
    EXPECT_EQ(record("lives").state, BatchState::running);
    ASSERT_TRUE(replace_file(folder.path() + "/work/go", ""));
    EXPECT_TRUE(reaches("lives", BatchState::failed));
    EXPECT_EQ(record("lives").exit_code, 4);
}

TEST_F(LocalBatchTest, ATaskWithoutItsSupervisorIsLost) {
    start();
    submit(intent("lost", "echo > up; sleep 60"));
    EXPECT_TRUE(appears("up"));
    const auto prefix = settings.spool + "/" + record("lost").batch_id + "/0.0";
    EXPECT_TRUE(test::run_until(
        loop, [&] { return local::read_identity(prefix + ".payload").has_value(); }));
    const auto supervisor = local::read_identity(prefix + ".id");
    const auto payload = local::read_identity(prefix + ".payload");
    ASSERT_TRUE(supervisor && payload);
    ::kill(supervisor->pid, SIGKILL);
    EXPECT_TRUE(reaches("lost", BatchState::node_lost));
    EXPECT_TRUE(test::run_until(loop, [&] { return !local::is_alive(*payload); }));
}

// After a restart of the machine the numbers belong to others.
TEST_F(LocalBatchTest, AReusedProcessNumberFoolsNobody) {
    start();
    submit(intent("reused", "echo > up; while [ ! -e go ]; do sleep 0.05; done"));
    EXPECT_TRUE(appears("up"));
    const auto id = record("reused").batch_id;
    stop();
    const auto link = settings.spool + "/" + id + "/0.0.id";
    const auto real = local::read_identity(link);
    ASSERT_TRUE(real);
    std::filesystem::remove(link);
    std::filesystem::create_symlink(std::to_string(::getpid()) + ":1:" + real->boot, link);
    start();
    EXPECT_EQ(record("reused").state, BatchState::node_lost);
    ASSERT_TRUE(replace_file(folder.path() + "/work/go", ""));
    ::waitpid(real->pid, nullptr, 0);
}

// The daemon died after it had written "running" and before it started anything.
TEST_F(LocalBatchTest, AStartThatNeverHappenedHappensOnce) {
    start();
    auto held = intent("never", "echo run >> runs");
    submit(intent("block", "while [ ! -e go ]; do sleep 0.05; done"));
    auto blocker = intent("block2", "while [ ! -e go ]; do sleep 0.05; done");
    submit(blocker);
    const auto id = submit(held);
    stop();
    const auto path = settings.spool + "/" + id + "/state.json";
    auto state = read_file(path);
    ASSERT_TRUE(state);
    const auto place = state->find("\"state\":\"queued\"");
    ASSERT_NE(place, std::string::npos) << *state;
    state->replace(place, 16, "\"state\":\"running\"");
    const auto began = state->find("\"started\":0");
    ASSERT_NE(began, std::string::npos);
    state->replace(began, 11, "\"started\":" + std::to_string(to_ms(clock.wall())));
    ASSERT_TRUE(replace_file(path, *state));
    start();
    ASSERT_TRUE(replace_file(folder.path() + "/work/go", ""));
    EXPECT_TRUE(reaches("never", BatchState::done));
    EXPECT_EQ(text_of("runs"), "run\n");
    EXPECT_TRUE(local::is_void(settings.spool + "/" + id + "/0.0"));
}

TEST_F(LocalBatchTest, WhatThisMachineCannotDoIsRejected) {
    settings.memory_mb = 1000;
    settings.wall_time_max_s = 100;
    start();
    const auto rejected = [&](auto change) {
        auto wanted = intent("no", "true");
        change(wanted);
        const auto outcome = run_on(loop, batch->submit(wanted));
        return outcome.kind == Kind::rejected && !outcome.retry && !outcome.message.empty();
    };
    using Intent = jobs::SubmitIntent;
    EXPECT_TRUE(rejected([](Intent& job) { job.queue = "nosuch"; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.slots = 3; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.nodes = 2; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.gpus.count = 1; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.memory_per_slot_mb = 2000; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.wall_time_s = 101; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.resources.architecture = "pdp11"; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.directives = {{"qos", "x"}}; }));
    EXPECT_TRUE(rejected([](Intent& job) { job.array = true, job.count = 1001; }));
    EXPECT_TRUE(records("no").empty());
}

TEST_F(LocalBatchTest, EndedJobsLeaveThePollAndThenTheSpool) {
    settings.shown_after_end = std::chrono::seconds(0);
    settings.kept_after_end = std::chrono::seconds(1);
    start();
    const auto id = submit(intent("old", "true"));
    EXPECT_TRUE(reaches("old", BatchState::done));
    EXPECT_TRUE(test::run_until(
        loop, [&] { return run_on(loop, batch->poll({"grid1"}))->records.empty(); }));
    EXPECT_EQ(records("old").size(), 1U);
    ::usleep(1200000);
    submit(intent("new", "true"));  // a turn of the work
    EXPECT_TRUE(test::run_until(loop, [&] { return records("old").empty(); }));
    EXPECT_TRUE(
        test::run_until(loop, [&] { return !std::filesystem::exists(settings.spool + "/" + id); }));
    restart();
    EXPECT_GT(std::stoul(submit(intent("newer", "true"))), std::stoul(id) + 1);
}

}  // namespace
}  // namespace berth::sites
