#include "sample.hpp"
#include "sites/slurm.hpp"

#include <algorithm>

namespace berth::sites {
namespace {

using jobs::BatchRecord;
using jobs::BatchState;

const Slurm slurm{SlurmSettings()};
constexpr std::string_view tag = "babcdefghij2345";

const BatchRecord* find(const std::vector<BatchRecord>& records, std::string_view task) {
    const auto found = std::ranges::find(records, task, &BatchRecord::task_id);
    return found == records.end() ? nullptr : &*found;
}

struct Expected {
    std::string_view task;
    BatchState state;
    std::optional<int> exit_code;
    int signal;
    bool started, ended;
};

void compare(const std::vector<BatchRecord>& records, const std::vector<Expected>& table) {
    for (const auto& row : table) {
        const auto* record = find(records, row.task);
        ASSERT_NE(record, nullptr) << row.task;
        EXPECT_EQ(to_string(record->state), to_string(row.state)) << row.task;
        EXPECT_EQ(record->exit_code, row.exit_code) << row.task;
        EXPECT_EQ(record->signal, row.signal) << row.task;
        EXPECT_EQ(record->started.has_value(), row.started) << row.task;
        EXPECT_EQ(record->ended.has_value(), row.ended) << row.task;
        EXPECT_TRUE(record->submitted) << row.task;
        EXPECT_EQ(record->user, "root");
    }
}

TEST(SlurmRead, TheRecordedQueueIsUnderstood) {
    const auto records = slurm.read_poll(answer(sample("slurm-22.05.8-squeue.txt")));
    ASSERT_TRUE(records) << records.error().message;
    const auto none = std::nullopt;
    compare(*records, {{"20", BatchState::done, 0, 0, true, true},
                       {"21", BatchState::failed, 3, 0, true, true},
                       {"22", BatchState::failed, none, 11, true, true},
                       {"18", BatchState::walltime, none, 15, true, true},
                       {"32", BatchState::cancelled, none, 15, true, true},
                       {"33", BatchState::cancelled, none, 0, false, true},
                       {"23", BatchState::running, none, 0, true, false},
                       {"24", BatchState::held, none, 0, false, false},
                       {"25", BatchState::queued, none, 0, false, false},
                       {"38", BatchState::suspended, none, 0, true, false},
                       {"27_0", BatchState::done, 0, 0, true, true},
                       {"27_2", BatchState::failed, 2, 0, true, true},
                       {"26_4", BatchState::queued, none, 0, false, false},
                       {"29_2", BatchState::held, none, 0, false, false},
                       {"34", BatchState::running, none, 0, true, false}});
    EXPECT_EQ(find(*records, "34")->restarts, 1U);
    EXPECT_EQ(find(*records, "27_2")->batch_id, "27");
    EXPECT_EQ(find(*records, "27_2")->index, 2U);
    EXPECT_EQ(find(*records, "23")->index, std::nullopt);
    EXPECT_EQ(find(*records, "30"), nullptr) << "a foreign name with separators";
    EXPECT_EQ(find(*records, "31"), nullptr);
}

TEST(SlurmRead, TheRecordedHistoryIsUnderstood) {
    const auto records = slurm.read_history(answer(sample("slurm-22.05.8-sacct.txt")));
    ASSERT_TRUE(records) << records.error().message;
    const auto none = std::nullopt;
    compare(*records, {{"20", BatchState::done, 0, 0, true, true},
                       {"21", BatchState::failed, 3, 0, true, true},
                       {"22", BatchState::failed, none, 11, true, true},
                       {"17", BatchState::failed, none, 15, true, true},
                       {"18", BatchState::walltime, none, 0, true, true},
                       {"32", BatchState::cancelled, none, 0, true, true},
                       {"33", BatchState::cancelled, none, 0, false, true},
                       {"23", BatchState::running, none, 0, true, false},
                       {"25", BatchState::queued, none, 0, false, false},
                       {"10_1", BatchState::cancelled, none, 0, true, true},
                       {"13_0", BatchState::cancelled, none, 0, false, true},
                       {"13_4", BatchState::cancelled, none, 0, false, true},
                       {"26_3", BatchState::queued, none, 0, false, false},
                       {"27_1", BatchState::failed, 1, 0, true, true},
                       {"34", BatchState::running, none, 0, true, false}});
    EXPECT_EQ(find(*records, "13_1"), nullptr);
    EXPECT_EQ(find(*records, "34")->restarts, 1U) << "the run before the requeue is a duplicate";
    EXPECT_EQ(find(*records, "32")->raw_state, "CANCELLED by 0");
    EXPECT_EQ(find(*records, "27_1")->batch_id, "27");
}

std::string queue_line(const std::string& state, const std::string& reason = "None",
                       const std::string& priority = "1", const std::string& restarts = "0",
                       const std::string& exit_code = "0") {
    return "7|7|N/A|" + state + "|" + exit_code + "|" + restarts + "|" + priority +
           "|grid1|1795432555|1795432556|1795432557|n1|" + reason + "|" + std::string(tag) + "|\n";
}

BatchRecord only(const std::string& line) {
    const auto records = slurm.read_poll(answer(line));
    EXPECT_TRUE(records) << line;
    return records && records->size() == 1 ? records->front() : BatchRecord();
}

TEST(SlurmRead, PendingIsHeldByReasonOrByPriority) {
    EXPECT_EQ(only(queue_line("PENDING", "Resources")).state, BatchState::queued);
    EXPECT_EQ(only(queue_line("PENDING", "JobHeldUser")).state, BatchState::held);
    EXPECT_EQ(only(queue_line("PENDING", "JobHeldAdmin")).state, BatchState::held);
    EXPECT_EQ(only(queue_line("PENDING", "Priority", "0")).state, BatchState::held);
    EXPECT_EQ(only(queue_line("PENDING", "JobHeldAdmin", "0", "1")).state,
              BatchState::requeue_held);
    EXPECT_EQ(only(queue_line("RUNNING", "JobHeldAdmin", "0")).state, BatchState::running);
}

TEST(SlurmRead, ASeparatorInTheReasonMovesNothing) {
    const auto record = only(queue_line("PENDING", "ReqNodeNotAvail, a|b|c"));
    EXPECT_EQ(record.tag, tag);
    EXPECT_EQ(record.reason, "ReqNodeNotAvail, a|b|c");
    EXPECT_EQ(record.state, BatchState::queued);
}

TEST(SlurmRead, EndedWithoutOwnStatusHasNoExitCode) {
    EXPECT_EQ(only(queue_line("OUT_OF_MEMORY", "OutOfMemory", "1", "0", "125")).signal, 125);
    EXPECT_EQ(only(queue_line("FAILED", "JobLaunchFailure")).exit_code, std::nullopt);
    EXPECT_EQ(only(queue_line("NODE_FAIL")).exit_code, std::nullopt);
    EXPECT_EQ(only(queue_line("COMPLETED")).exit_code, 0);
    EXPECT_EQ(only(queue_line("RUNNING", "None", "1", "0", "256")).exit_code, std::nullopt);
}

TEST(SlurmRead, OtherLinesAreSkippedAndOursNever) {
    const auto records = slurm.read_poll(
        answer("CLUSTER: c1\n" + queue_line("RUNNING") + "\nCLUSTER: c2\nrubbish\na|b|\n"));
    ASSERT_TRUE(records);
    EXPECT_EQ(records->size(), 1U);
    for (const auto& line : {"7|" + std::string(tag) + "|\n", "|" + std::string(tag) + "|\n",
                             "x|x|N/A|RUNNING|0|0|1|u|1|1|1|n1|None|" + std::string(tag) + "|\n",
                             "|7|N/A|RUNNING|0|0|1|u|1|1|1|n1|None|" + std::string(tag) + "|\n",
                             "7|7|9-1|RUNNING|0|0|1|u|1|1|1|n1|None|" + std::string(tag) + "|\n"}) {
        EXPECT_FALSE(slurm.read_poll(answer(line))) << line;
        EXPECT_FALSE(slurm.read_look_up_queue(answer(line))) << line;
    }
    EXPECT_FALSE(slurm.read_history(answer("7|" + std::string(tag) + "\n")));
}

// The two commonest errors elsewhere: no answer read as "ended", and "not found" read as "done".
TEST(SlurmRead, NoAnswerIsAnErrorAndNothingElse) {
    for (const auto text :
         {"slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
          "slurm_load_jobs error: Invalid job id specified", ""}) {
        const auto records = slurm.read_poll(refusal(text));
        ASSERT_FALSE(records) << text;
        EXPECT_EQ(records.error().kind, ErrorKind::unavailable);
    }
    Outcome cut = answer(queue_line("RUNNING"));
    cut.truncated = true;
    EXPECT_FALSE(slurm.read_poll(cut));
    EXPECT_FALSE(slurm.read_history(refusal("Slurm accounting storage is disabled")));
    EXPECT_TRUE(slurm.read_poll(answer(""))->empty());
}

TEST(SlurmRead, QuestionsCarryTheirFilters) {
    const auto has = [](const Action& action, std::string_view option) {
        return std::ranges::find(action.command, option) != action.command.end();
    };
    const auto poll = slurm.poll({"grid1", "grid2", "--uid=0 x"});
    EXPECT_TRUE(has(poll, "--user=grid1,grid2"));
    EXPECT_TRUE(has(poll, "--states=all"));
    EXPECT_EQ(poll.environment.at("SLURM_TIME_FORMAT"), "%s");
    EXPECT_EQ(poll.environment.at("SLURM_BITSTR_LEN"), "0");
    EXPECT_EQ(poll.environment.at("TZ"), "UTC");
    EXPECT_TRUE(has(slurm.poll({}), "--me"));
    const auto history = slurm.look_up_history({std::string(tag)}, from_ms(1795432555000));
    EXPECT_TRUE(has(history, "--starttime=2026-11-23T11:05:55"));
    EXPECT_TRUE(has(history, "--name=babcdefghij2345"));
    EXPECT_TRUE(has(history, "--allocations"));
    EXPECT_FALSE(slurm.look_up_queue({}).refused.empty());
    SlurmSettings settings;
    settings.history = SlurmSettings::History::never;
    settings.clusters = "c1,c2";
    EXPECT_TRUE(Slurm(settings).look_up_history({std::string(tag)}, {}).command.empty());
    EXPECT_TRUE(has(Slurm(settings).poll({}), "--clusters=c1,c2"));
}

// As squeue and sacct 22.05.8 print them for two clusters, which give out the same ids.
TEST(SlurmRead, OfSeveralClustersEachRecordKnowsItsOwn) {
    SlurmSettings settings;
    settings.clusters = "first,second";
    const Slurm both(settings);
    const auto asks_for = [](const Action& action, std::string_view columns) {
        return std::ranges::any_of(action.command,
                                   [&](const auto& word) { return word.starts_with(columns); });
    };
    EXPECT_TRUE(asks_for(both.poll({}), "--Format=Cluster:|,JobArrayID:|,"));
    EXPECT_TRUE(asks_for(both.look_up_history({std::string(tag)}, {}), "--format=Cluster,JobID,"));
    const auto queue = both.read_poll(
        answer("CLUSTER: first\n"
               "first|1|1|N/A|RUNNING|0|0|4294901759|root|1795000000|1795000001|N/"
               "A|n1|None|babcdefghij2345|\n"
               "second|1_0|1|0|PENDING|0|0|4294901758|root|1795000000|N/A|N/"
               "A||Resources|bklmnopqrst2345|\n"
               "second|2|2|N/A|RUNNING|0|0|1|root|1795000000|1795000001|N/A|n1|None|another's|\n"));
    ASSERT_TRUE(queue) << queue.error().message;
    ASSERT_EQ(queue->size(), 2U);
    EXPECT_EQ(queue->at(0).cluster, "first");
    EXPECT_EQ(queue->at(0).batch_id, "1");
    EXPECT_EQ(queue->at(0).state, BatchState::running);
    EXPECT_EQ(queue->at(1).cluster, "second");
    EXPECT_EQ(queue->at(1).task_id, "1_0");
    const auto history = both.read_history(answer(
        "first|1|1|COMPLETED|0:0|1795000000|1795000001|1795000002|root|n1|None|babcdefghij2345\n"
        "second|1_[0-1]|1|PENDING|0:0|1795000000|Unknown|Unknown|root|None "
        "assigned|None|bklmnopqrst2345\n"));
    ASSERT_TRUE(history) << history.error().message;
    ASSERT_EQ(history->size(), 3U);
    EXPECT_EQ(history->at(0).cluster, "first");
    EXPECT_EQ(history->at(0).state, BatchState::done);
    EXPECT_EQ(history->at(2).cluster, "second");
    EXPECT_EQ(history->at(2).task_id, "1_1");
    EXPECT_FALSE(both.read_poll(answer("first|rubbish|babcdefghij2345|\n")));
}

jobs::BatchTarget target(std::optional<unsigned> index = std::nullopt, std::string cluster = "") {
    jobs::BatchTarget made;
    made.tag = tag;
    made.batch_id = "16";
    made.cluster = std::move(cluster);
    made.account = "grid1";
    made.index = index;
    return made;
}

TEST(SlurmRead, ControlNamesTheTagOrOneTask) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(slurm.cancel(target()).command,
              Words({"/usr/bin/scancel", "--name=babcdefghij2345", "16"}));
    EXPECT_EQ(slurm.cancel(target(2)).command, Words({"/usr/bin/scancel", "16_2"}));
    auto waiting = target();
    waiting.only_waiting = true;
    EXPECT_EQ(slurm.cancel(waiting).command,
              Words({"/usr/bin/scancel", "--name=babcdefghij2345", "--state=PENDING", "16"}));
    waiting.index = 2;
    EXPECT_EQ(slurm.cancel(waiting).command, Words({"/usr/bin/scancel", "16_2"}));
    EXPECT_EQ(slurm.hold(target()).command,
              Words({"/usr/bin/scontrol", "hold", "jobname=babcdefghij2345"}));
    EXPECT_EQ(slurm.hold(target(0)).command, Words({"/usr/bin/scontrol", "hold", "16_0"}));
    EXPECT_EQ(slurm.release(target(std::nullopt, "c1")).command,
              Words({"/usr/bin/scontrol", "--clusters=c1", "release", "jobname=babcdefghij2345"}));
    EXPECT_TRUE(slurm.cancel(target()).checks_tag);
    EXPECT_FALSE(slurm.cancel(target(2)).checks_tag);
    EXPECT_EQ(slurm.cancel(target()).account, "grid1");
    auto wrong = target();
    wrong.batch_id = "16 17";
    EXPECT_FALSE(slurm.cancel(wrong).refused.empty());
    wrong = target();
    wrong.tag = "--me";
    wrong.batch_id = "";
    EXPECT_FALSE(slurm.cancel(wrong).refused.empty());
}

TEST(SlurmRead, GoneIsSuccessForControlAndSilenceIsNot) {
    for (const auto text :
         {"scancel: error: Kill job error on job id 99999: Invalid job id specified",
          "scancel: error: Kill job error on job id 5: Job/step already completing or completed",
          "Job has already finished for job 5\nslurm_suspend error: Job has already finished",
          "4_1: Invalid job id specified"})
        EXPECT_TRUE(slurm.read_control(refusal(text))) << text;
    EXPECT_TRUE(slurm.read_control(answer("")));
    const auto kind = [](const Outcome& outcome) {
        return slurm.read_control(outcome).error().kind;
    };
    EXPECT_EQ(kind(refusal("Job is no longer pending execution for job 7")), ErrorKind::conflict);
    EXPECT_EQ(kind(refusal("slurm_suspend error: No error")), ErrorKind::conflict);
    EXPECT_EQ(kind(refusal("Access/permission denied for job 7")), ErrorKind::rejected);
    EXPECT_EQ(kind(refusal("Unable to contact slurm controller (connect failure)")),
              ErrorKind::unavailable);
    EXPECT_EQ(kind(refusal("Socket timed out on send/recv operation")), ErrorKind::timed_out);
    Outcome late;
    late.timed_out = true;
    EXPECT_EQ(kind(late), ErrorKind::timed_out);
}

}  // namespace
}  // namespace berth::sites
