#include "sites/slurm_words.hpp"

#include <gtest/gtest.h>

namespace berth::sites::slurm {
namespace {

using jobs::BatchState;

TEST(SlurmWords, EveryStateOfEveryReleaseHasItsMeaning) {
    const std::vector<std::pair<std::string_view, BatchState>> table{
        {"PENDING", BatchState::queued},
        {"CONFIGURING", BatchState::queued},
        {"REQUEUED", BatchState::queued},
        {"REQUEUE_FED", BatchState::queued},
        {"POWER_UP_NODE", BatchState::queued},
        {"EXPEDITING", BatchState::queued},
        {"REQUEUE_HOLD", BatchState::requeue_held},
        {"SPECIAL_EXIT", BatchState::requeue_held},
        {"RESV_DEL_HOLD", BatchState::held},
        {"RUNNING", BatchState::running},
        {"SIGNALING", BatchState::running},
        {"RESIZING", BatchState::running},
        {"STAGE_OUT", BatchState::running},
        {"SUSPENDED", BatchState::suspended},
        {"STOPPED", BatchState::suspended},
        {"COMPLETING", BatchState::finishing},
        {"UPDATE_DB", BatchState::finishing},
        {"COMPLETED", BatchState::done},
        {"FAILED", BatchState::failed},
        {"LAUNCH_FAILED", BatchState::failed},
        {"RECONFIG_FAIL", BatchState::failed},
        {"TIMEOUT", BatchState::walltime},
        {"DEADLINE", BatchState::walltime},
        {"OUT_OF_MEMORY", BatchState::memory},
        {"NODE_FAIL", BatchState::node_lost},
        {"BOOT_FAIL", BatchState::node_lost},
        {"PREEMPTED", BatchState::preempted},
        {"CANCELLED", BatchState::cancelled},
        {"REVOKED", BatchState::cancelled},
        {"CANCELLED by 1060117793", BatchState::cancelled},
        {"CANCELLED+", BatchState::cancelled},
        {"OUT_OF_ME+", BatchState::memory},
    };
    for (const auto& [word, state] : table) {
        EXPECT_EQ(to_string(state_of(word, false)), to_string(state)) << word;
        EXPECT_EQ(to_string(state_of(word, true)), to_string(state)) << word;
    }
}

TEST(SlurmWords, AnUnknownStateNeverEndsAJob) {
    EXPECT_EQ(state_of("SOMETHING_NEW", true), BatchState::running);
    EXPECT_EQ(state_of("SOMETHING_NEW", false), BatchState::queued);
    EXPECT_EQ(state_of("", false), BatchState::queued);
    EXPECT_EQ(state_of("COMPLETED_NOT", false), BatchState::queued);
}

TEST(SlurmWords, ExitStatusComesInTwoForms) {
    const auto pair = [](std::string_view text) {
        const auto status = exit_status(text);
        return status ? std::to_string(status->code) + ":" + std::to_string(status->signal) : "-";
    };
    const std::vector<std::pair<std::string_view, std::string>> table{
        {"0", "0:0"},   {"768", "3:0"},   {"139", "0:11"},    {"15", "0:15"},      {"0:0", "0:0"},
        {"3:0", "3:0"}, {"0:11", "0:11"}, {"255:0", "255:0"}, {"4294967294", "-"}, {"", "-"},
        {"N/A", "-"},   {"3:", "-"},      {":9", "-"},        {"256:0", "-"},      {"-1:0", "-"}};
    for (const auto& [text, expected] : table)
        EXPECT_EQ(pair(text), expected) << text;
}

TEST(SlurmWords, TimesAreSecondsOrAbsent) {
    EXPECT_EQ(to_ms(*time_of("1795432555")), 1795432555000);
    for (const auto word : {"N/A", "Unknown", "None", "", "0", "4294967294", "4294967295", "-5",
                            "2026-11-23T08:42:01"})
        EXPECT_FALSE(time_of(word)) << word;
}

TEST(SlurmWords, DurationsAreRead) {
    const std::vector<std::pair<std::string_view, std::optional<unsigned>>> table{
        {"00:30:00", 1800},
        {"2-00:00:00", 172800},
        {"30:00", 1800},
        {"1:00:00", 3600},
        {"UNLIMITED", 0},
        {"NONE", 0},
        {"infinite", 0},
        {"", std::nullopt},
        {"5", std::nullopt},
        {"a:b", std::nullopt},
        {"99999999-00:00:00", std::nullopt},
        {"1-", std::nullopt},
        {"1:2:3:4", std::nullopt}};
    for (const auto& [text, expected] : table)
        EXPECT_EQ(duration_s(text), expected) << text;
}

TEST(SlurmWords, ArrayIndicesAreListed) {
    using List = std::vector<unsigned>;
    const std::vector<std::pair<std::string_view, List>> table{{"4", List{4}},
                                                               {"4-5%2", List{4, 5}},
                                                               {"0,2-4", List{0, 2, 3, 4}},
                                                               {"0-1,7%3", List{0, 1, 7}},
                                                               {"10-20:5", List{10, 15, 20}}};
    for (const auto& [text, expected] : table)
        EXPECT_EQ(indices_of(text), expected) << text;
    for (const auto text : {"", "5-4", "a", "1-2:0", "1,", "0-4294967295", "0-99999,1", "-1", "1-"})
        EXPECT_FALSE(indices_of(text)) << text;
    EXPECT_EQ(indices_of("0-99999")->size(), 100000U);
    EXPECT_EQ(indices_of("4294967295")->back(), 4294967295U);
}

TEST(SlurmWords, OnlyTextsThatProveNothingWasMadeAreRejections) {
    const std::vector<std::pair<std::string_view, Verdict>> table{
        {"sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
         Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
         Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
         "failure)",
         Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Unable to contact slurm controller (receive "
         "failure)",
         Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Protocol authentication error",
         Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Unspecified error", Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Message receive failure", Verdict::unknown},
        {"sbatch: error: Batch job submission failed: Controller is in standby mode, try a "
         "different controller",
         Verdict::unknown},
        {"", Verdict::unknown},
        {"Segmentation fault", Verdict::unknown},
        {"sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: "
         "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
         Verdict::retry},
        {"sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job "
         "violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
         Verdict::retry},
        {"sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job "
         "submit limit, user's size and/or time limits)",
         Verdict::retry},
        {"sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission "
         "failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time "
         "limits)",
         Verdict::rejected},
        {"sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\nsbatch: "
         "error: Batch job submission failed: Resource temporarily unavailable",
         Verdict::retry},
        {"sbatch: error: Batch job submission failed: I/O error writing script/environment to file",
         Verdict::retry},
        {"sbatch: error: Batch job submission failed: Required partition not available (inactive "
         "or drain)",
         Verdict::retry},
        {"sbatch: error: Batch job submission failed: Invalid account or account/partition "
         "combination specified",
         Verdict::rejected},
        {"sbatch: error: Batch job submission failed: Invalid qos specification",
         Verdict::rejected},
        {"sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or "
         "exceeds some limit)",
         Verdict::rejected},
        {"sbatch: error: Batch job submission failed: More processors requested than permitted",
         Verdict::rejected},
        {"sbatch: unrecognized option '--nosuch'", Verdict::rejected},
        // The site retried inside sbatch and lost contact at last: nobody knows.
        {"sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\nsbatch: "
         "error: Batch job submission failed: Socket timed out on send/recv operation",
         Verdict::unknown},
    };
    for (const auto& [text, verdict] : table)
        EXPECT_EQ(verdict_of(text, {}), verdict) << text;
    const std::vector<std::string> site{"use a project account"};
    EXPECT_EQ(verdict_of("sbatch: error: use a project account", site), Verdict::rejected);
}

TEST(SlurmWords, AFailedQuestionIsNeverAnAnswer) {
    Outcome cut;
    cut.exit_code = 0;
    cut.truncated = true;
    EXPECT_EQ(query_error(cut)->kind, ErrorKind::unavailable);
    Outcome late;
    late.timed_out = true;
    EXPECT_EQ(query_error(late)->kind, ErrorKind::timed_out);
    Outcome socket;
    socket.exit_code = 1;
    socket.error = "slurm_load_jobs error: Socket timed out on send/recv operation";
    EXPECT_EQ(query_error(socket)->kind, ErrorKind::timed_out);
    Outcome down;
    down.exit_code = 1;
    EXPECT_EQ(query_error(down)->kind, ErrorKind::unavailable);
    Outcome fine;
    fine.exit_code = 0;
    EXPECT_FALSE(query_error(fine));
}

}  // namespace
}  // namespace berth::sites::slurm
