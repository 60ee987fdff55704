#include "sites/host.hpp"

#include "base/tasks.hpp"
#include "integration/sites/run_loop.hpp"
#include "sites/slurm.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace berth::sites {
namespace {

using jobs::BatchState;
using test::run_on;
namespace asio = boost::asio;

// Answers from a script, by program; records what was asked.
class ScriptedRunner final : public CommandRunner {
public:
    asio::awaitable<net::CommandResult> run(net::Command command, std::string account) override {
        const auto& path = command.arguments[0];
        const auto program = path.substr(path.rfind('/') + 1);
        commands.push_back(command.arguments);
        accounts.push_back(account);
        ++running;
        most = std::max(most, running);
        co_await sleep_for(delay);
        --running;
        clock->advance(std::chrono::seconds(2));
        auto& queue = answers[program];
        net::CommandResult result;
        result.exit_code = 0;
        if (!queue.empty()) {
            result = queue.front();
            queue.pop_front();
        }
        co_return result;
    }
    void answer(const std::string& program, const std::string& output, int exit_code = 0,
                const std::string& error = "") {
        net::CommandResult result;
        result.exit_code = exit_code;
        result.output = output;
        result.error = error;
        answers[program].push_back(result);
    }

    ManualClock* clock = nullptr;
    std::chrono::milliseconds delay{1};
    std::vector<std::vector<std::string>> commands;
    std::vector<std::string> accounts;
    unsigned running = 0, most = 0;
    std::map<std::string, std::deque<net::CommandResult>> answers;
};

class CommandBatchTest : public testing::Test {
protected:
    CommandBatchTest() { runner.clock = &clock; }
    CommandBatch& batch() {
        if (!host)
            host = std::make_unique<CommandBatch>(loop, std::make_unique<Slurm>(SlurmSettings()),
                                                  runner, settings, clock, metrics);
        return *host;
    }
    jobs::BatchTarget target(std::optional<unsigned> index = std::nullopt) {
        jobs::BatchTarget made;
        made.tag = "babcdefghij2345";
        made.batch_id = "8";
        made.index = index;
        return made;
    }

    asio::io_context loop{1};
    ManualClock clock;
    Metrics metrics;
    HostSettings settings;
    ScriptedRunner runner;
    std::unique_ptr<CommandBatch> host;
};

const std::string pending =
    "8_2|8|2|PENDING|0|0|429|root|1795432652|N/A|N/A||PartitionDown|babcdefghij2345|\n";
const std::string running_task =
    "8_2|8|2|RUNNING|0|0|429|root|1795432652|1795432653|1795436253|n1|None|babcdefghij2345|\n";

TEST_F(CommandBatchTest, ThePollIsAskedBeforeItsCommandStarts) {
    runner.answer("squeue", pending);
    const auto before = clock.steady();
    const auto snapshot = run_on(loop, batch().poll({"grid1"}));
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(snapshot->asked, before);
    EXPECT_GT(clock.steady(), before);
    EXPECT_EQ(snapshot->records.size(), 1U);
    EXPECT_EQ(metrics.value("berth_batch_commands_total",
                            {{"batch", "slurm"}, {"verb", "poll"}, {"outcome", "ok"}}),
              1);
}

TEST_F(CommandBatchTest, AccountsAreAskedForInChunks) {
    settings.accounts_per_poll = 2;
    ASSERT_TRUE(run_on(loop, batch().poll({"a", "b", "c", ""})));
    ASSERT_EQ(runner.commands.size(), 3U);
    EXPECT_EQ(runner.commands[0].back(), "--user=a,b");
    EXPECT_EQ(runner.commands[1].back(), "--user=c");
    EXPECT_EQ(runner.commands[2].back(), "--me");
}

TEST_F(CommandBatchTest, OneFailedChunkFailsThePoll) {
    settings.accounts_per_poll = 1;
    runner.answer("squeue", pending);
    runner.answer("squeue", "", 1,
                  "slurm_load_jobs error: Socket timed out on send/recv operation");
    const auto snapshot = run_on(loop, batch().poll({"a", "b"}));
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().kind, ErrorKind::timed_out);
}

TEST_F(CommandBatchTest, SubmitsRunSideBySideUpToTheirWidth) {
    settings.submit_width = 3;
    runner.delay = std::chrono::milliseconds(20);
    for (int i = 0; i < 10; ++i)
        runner.answer("sbatch", std::to_string(100 + i) + "\n");
    int accepted = 0;
    const auto one = [](CommandBatch* to, int* count) -> asio::awaitable<void> {
        jobs::SubmitIntent intent;
        intent.tag = "babcdefghij2345";
        intent.account = "grid1";
        intent.directory = "/";
        const auto outcome = co_await to->submit(std::move(intent));
        *count += outcome.kind == jobs::SubmitOutcome::Kind::accepted ? 1 : 0;
    };
    TaskGroup group(loop);
    for (int i = 0; i < 10; ++i)
        group.spawn("submit", one(&batch(), &accepted));
    EXPECT_TRUE(run_on(loop, group.idle(std::chrono::seconds(10))));
    EXPECT_EQ(accepted, 10);
    EXPECT_EQ(runner.most, 3U);
    EXPECT_EQ(runner.accounts.front(), "grid1");
}

TEST_F(CommandBatchTest, ACancelledWaiterGivesItsPlaceAway) {
    settings.submit_width = 1;
    runner.delay = std::chrono::milliseconds(50);
    const auto one = [](CommandBatch* to) -> asio::awaitable<void> {
        const std::vector<std::string> nobody;
        co_await to->poll(nobody);
    };
    settings.query_width = 1;
    {
        TaskGroup group(loop);
        for (int i = 0; i < 5; ++i)
            group.spawn("poll", one(&batch()));
        EXPECT_TRUE(test::run_until(loop, [&] { return runner.running == 1; }));
        run_on(loop, group.stop());
    }
    runner.running = 0;  // the cancelled ones never came to their end
    runner.most = 0;
    EXPECT_TRUE(run_on(loop, batch().poll({}), std::chrono::seconds(5)));
    EXPECT_EQ(runner.most, 1U);
}

TEST_F(CommandBatchTest, AnIntentThatCannotBeSaidIsRejectedWithoutACommand) {
    jobs::SubmitIntent intent;
    intent.tag = "babcdefghij2345";
    intent.directory = "/";
    intent.directives = {{"uid", "0"}};
    const auto outcome = run_on(loop, batch().submit(intent));
    EXPECT_EQ(outcome.kind, jobs::SubmitOutcome::Kind::rejected);
    EXPECT_TRUE(runner.commands.empty());
}

TEST_F(CommandBatchTest, LookUpAsksHistoryForWhatTheQueueDoesNotShow) {
    runner.answer(
        "squeue",
        "9|9|N/A|RUNNING|0|0|1|root|1795432652|1795432653|N/A|n1|None|babcdefghij2346|\n");
    runner.answer(
        "sacct",
        "8|8|COMPLETED|0:0|1795432652|1795432653|1795432660|root|n1|None|babcdefghij2345\n");
    const std::vector<std::string> tags{"babcdefghij2345", "babcdefghij2346"};
    const auto snapshot = run_on(loop, batch().look_up(tags, clock.wall()));
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->history_answered);
    ASSERT_EQ(snapshot->records.size(), 2U);
    EXPECT_EQ(snapshot->records[1].state, BatchState::done);
    EXPECT_EQ(runner.commands[1].back(), "--name=babcdefghij2345");
}

TEST_F(CommandBatchTest, AnIdThatTwoClustersGaveHidesNoHistory) {
    SlurmSettings slurm;
    slurm.clusters = "first,second";
    CommandBatch both(loop, std::make_unique<Slurm>(slurm), runner, settings, clock, metrics);
    runner.answer(
        "squeue",
        "first|8|8|N/A|RUNNING|0|0|1|root|1795432652|1795432653|N/A|n1|None|babcdefghij2346|\n");
    runner.answer(
        "sacct",
        "second|8|8|COMPLETED|0:0|1795432652|1795432653|1795432660|root|n1|None|babcdefghij2345\n");
    const auto snapshot =
        run_on(loop, both.look_up({"babcdefghij2345", "babcdefghij2346"}, clock.wall()));
    ASSERT_TRUE(snapshot);
    ASSERT_EQ(snapshot->records.size(), 2U);
    EXPECT_EQ(snapshot->records[1].tag, "babcdefghij2345");
    EXPECT_EQ(snapshot->records[1].cluster, "second");
}

TEST_F(CommandBatchTest, WithoutAccountingTheQueueStillAnswers) {
    runner.answer("squeue", "");
    runner.answer("sacct", "", 1, "Slurm accounting storage is disabled\n");
    const auto snapshot = run_on(loop, batch().look_up({"babcdefghij2345"}, clock.wall()));
    ASSERT_TRUE(snapshot);
    EXPECT_FALSE(snapshot->history_answered);
    EXPECT_TRUE(snapshot->records.empty());
}

TEST_F(CommandBatchTest, ATaskIsCancelledOnlyIfItStillHasTheTag) {
    runner.answer("squeue", pending);
    EXPECT_TRUE(run_on(loop, batch().cancel(target(2))));
    ASSERT_EQ(runner.commands.size(), 2U);
    EXPECT_EQ(runner.commands[1], (std::vector<std::string>{"/usr/bin/scancel", "8_2"}));
    runner.commands.clear();
    EXPECT_TRUE(run_on(loop, batch().cancel(target(3))));  // the queue does not show it: gone
    EXPECT_EQ(runner.commands.size(), 1U);
    runner.commands.clear();
    EXPECT_TRUE(run_on(loop, batch().cancel(target())));  // scancel checks the name itself
    ASSERT_EQ(runner.commands.size(), 1U);
    EXPECT_EQ(runner.commands[0][1], "--name=babcdefghij2345");
}

TEST_F(CommandBatchTest, ATaskThatIsToGoOnlyIfItWaitsIsLeftWhenItRuns) {
    auto task = target(2);
    task.only_waiting = true;
    runner.answer("squeue", running_task);
    EXPECT_TRUE(run_on(loop, batch().cancel(task)));
    EXPECT_EQ(runner.commands.size(), 1U);
    runner.commands.clear();
    runner.answer("squeue", pending);
    EXPECT_TRUE(run_on(loop, batch().cancel(task)));
    ASSERT_EQ(runner.commands.size(), 2U);
    EXPECT_EQ(runner.commands[1], (std::vector<std::string>{"/usr/bin/scancel", "8_2"}));
}

TEST_F(CommandBatchTest, HoldOfARunningTaskIsAConflict) {
    runner.answer("squeue", running_task);
    const auto held = run_on(loop, batch().hold(target(2)));
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().kind, ErrorKind::conflict);
    EXPECT_EQ(runner.commands.size(), 1U);
    runner.answer("squeue", "", 1, "slurm_load_jobs error: Unable to contact slurm controller");
    EXPECT_EQ(run_on(loop, batch().release(target(2))).error().kind, ErrorKind::unavailable);
}

TEST_F(CommandBatchTest, AMissingProgramIsSaidByTheOwnRunner) {
    OwnAccountRunner own;
    SlurmSettings slurm;
    slurm.bin = "/no/such/folder";
    CommandBatch real(loop, std::make_unique<Slurm>(slurm), own, settings, clock, metrics);
    EXPECT_EQ(run_on(loop, real.poll({})).error().kind, ErrorKind::unavailable);
    EXPECT_EQ(run_on(loop, real.limits()).error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace berth::sites
