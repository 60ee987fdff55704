// What counts for a running job, and what does not.
#include "integration/engine/engine_fixture.hpp"

#include <filesystem>

namespace berth::test {
namespace {

using jobs::BatchState;
using jobs::Reason;
using jobs::State;

class RunningJob : public EngineTest {
protected:
    void run_one() {
        start();
        id_ = accept_one();
        ASSERT_TRUE(reaches(id_, State::queued));
        run_payload(id_);
        tag_ = status(id_).tag;
    }
    // Polls only when the test says so.
    void poll_by_hand() {
        settings_.poll_interval = std::chrono::seconds(3600);
        settings_.poll_interval_max = std::chrono::seconds(3600);
    }
    void poll() { engine_->reload(settings_); }

    std::string id_, tag_;
};

TEST_F(RunningJob, TellsTheDelayFromTheAttemptToTheStart) {
    run_one();
    ASSERT_TRUE(reaches(id_, State::running));
    EXPECT_NE(metrics_.text().find("berth_queue_delay_seconds_count{queue="), std::string::npos);
}

TEST_F(RunningJob, ThatIsPutBackAfterItsStartFailsAndItsBatchJobIsCancelled) {
    run_one();
    clock_.advance(std::chrono::seconds(5));
    batch_.record(tag_).state = BatchState::queued;
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::requeued_after_start);
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(batch_.record(tag_).batch_id); }));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(RunningJob, IsFoundPutBackAlthoughNoPollSawItRun) {
    poll_by_hand();
    start();
    id_ = accept_one();
    ASSERT_TRUE(reaches(id_, State::queued));
    tag_ = status(id_).tag;
    poll();
    ASSERT_TRUE(until([&] { return batch_.polls >= 1; }));
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(take_fence(id_, tag_, batch_.record(tag_).task_id));
    tell(tag_, "started");
    ASSERT_TRUE(reaches(id_, State::running));
    // The batch job starts, loses its node and waits again, all between two polls.
    clock_.advance(std::chrono::seconds(60));
    poll();
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::requeued_after_start);
}

TEST_F(RunningJob, IsNotDoneByTheEndOfALaterStartOfItsBatchJob) {
    run_one();
    batch_.record(tag_).restarts = 1;
    batch_.end(batch_.record(tag_), BatchState::done, 0);
    stays(id_, State::running, std::chrono::milliseconds(500));
    clock_.advance(std::chrono::seconds(30));
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::requeued_after_start);
}

TEST_F(RunningJob, ThatWasPutBackBeforeItsStartWaitsAgainAndMayStart) {
    start();
    id_ = accept_one();
    ASSERT_TRUE(reaches(id_, State::queued));
    tag_ = status(id_).tag;
    batch_.record(tag_).state = BatchState::running;
    ASSERT_TRUE(reaches(id_, State::running));
    batch_.record(tag_).state = BatchState::queued;
    ASSERT_TRUE(reaches(id_, State::queued));
    run_payload(id_);
    write_marker(id_, 0);
    tell(tag_, "ended");
    EXPECT_TRUE(reaches(id_, State::done));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(RunningJob, GrowsOldWhileThePollFailsUnlessItIsHeardOf) {
    run_one();
    batch_.down = true;
    const auto polls = batch_.polls;
    ASSERT_TRUE(until([&] { return batch_.polls > polls + 2; }));
    const auto observed = [&] { return engine_->find(row(id_).seq)->status.observed; };
    const auto before = observed();
    clock_.advance(std::chrono::minutes(5));
    tell(tag_, "ended");  // nothing but a reason to judge it anew: there is no marker
    EXPECT_TRUE(stays(id_, State::running));
    EXPECT_EQ(observed(), before);
    tell(tag_, "alive");
    EXPECT_TRUE(until([&] { return observed() > before; }));
}

TEST_F(RunningJob, KeepsItsStateWhileThePollFails) {
    run_one();
    batch_.down = true;
    const auto polls = batch_.polls;
    clock_.advance(std::chrono::hours(5));
    ASSERT_TRUE(until([&] { return batch_.polls > polls + 2; }));
    EXPECT_TRUE(stays(id_, State::running));
    EXPECT_FALSE(engine_->batch_health().ok);
    write_marker(id_, 0);
    tell(tag_, "ended");
    EXPECT_TRUE(reaches(id_, State::done)) << "the marker needs no controller";
}

TEST_F(RunningJob, ThatLeavesTheQueueIsFoundInHistory) {
    run_one();
    for (auto& task : batch_.tasks) {
        task.in_queue = false;
        task.record.raw_state = "TIMEOUT";
        batch_.end(task.record, BatchState::walltime, 0);
    }
    stays(id_, State::running, std::chrono::milliseconds(800));
    clock_.advance(std::chrono::seconds(30));
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::walltime);
}

TEST_F(RunningJob, WithDelayedHistoryIsNotLostInTheMeantime) {
    run_one();
    for (auto& task : batch_.tasks)
        task.forgotten = true;
    const auto looks = batch_.look_ups;
    ASSERT_TRUE(until([&] { return batch_.look_ups >= looks + 4; }));
    clock_.advance(std::chrono::seconds(200));
    ASSERT_TRUE(stays(id_, State::running));
    for (auto& task : batch_.tasks) {
        task.forgotten = false;
        task.in_queue = false;
        batch_.end(task.record, BatchState::memory, 0);
    }
    stays(id_, State::running, std::chrono::milliseconds(800));
    clock_.advance(std::chrono::seconds(30));
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::memory);
}

TEST_F(RunningJob, ThatIsNowhereIsLostAfterTheWindowAndNeverStartedAgain) {
    run_one();
    for (auto& task : batch_.tasks)
        task.forgotten = true;
    const auto looks = batch_.look_ups;
    ASSERT_TRUE(until([&] { return batch_.look_ups >= looks + 4; }));
    clock_.advance(std::chrono::seconds(301));
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::lost);
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(RunningJob, WhoseSessionDirectoryIsDeletedIsLostAndItsBatchJobCancelled) {
    run_one();
    std::filesystem::remove_all(session(id_));
    tell(tag_, "ended");
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).reason, Reason::session_lost);
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(batch_.record(tag_).batch_id); }));
}

TEST_F(RunningJob, IsKeptWhenTheWholeSessionRootIsNotThere) {
    run_one();
    const auto root = settings_.wrapper.root;
    std::filesystem::rename(root, root + ".away");
    std::filesystem::create_directory(root);  // a mount point without its file system
    clock_.advance(std::chrono::seconds(60));
    batch_.record(tag_).state = BatchState::finishing;
    EXPECT_TRUE(stays(id_, State::running));
    std::filesystem::remove_all(root);
    std::filesystem::rename(root + ".away", root);
    write_marker(id_, 0);
    tell(tag_, "ended");
    EXPECT_TRUE(reaches(id_, State::done));
}

TEST_F(RunningJob, IsNotEndedByAMarkerOfAnotherStart) {
    run_one();
    write_marker(id_, 0, "", "n2");
    tell(tag_, "ended", 0, "n2");
    EXPECT_TRUE(stays(id_, State::running));
}

// Two tasks of an array are to be cancelled; the third must not go with them.
TEST_F(RunningJob, GoesOnWhenTheOtherTasksOfItsArrayAreCancelled) {
    start();
    const auto ids = accept(3);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_EQ(batch_.submitted.size(), 1U) << "one array";
    tag_ = status(ids[0]).tag;
    for (const auto& id : ids)
        run_payload(id, *status(id).index);
    // The canceller is busy with another job, so that both wishes wait for it together.
    const auto other = accept_one(2);
    ASSERT_TRUE(reaches(other, State::queued));
    run_payload(other);
    batch_.cancel_takes = std::chrono::milliseconds(1500);
    ASSERT_TRUE(cancel(other));
    stays(other, State::running, std::chrono::milliseconds(100));
    clock_.advance(std::chrono::seconds(5));
    for (const unsigned index : {0U, 1U})
        batch_.record(tag_, index).state = BatchState::queued;
    for (const auto& id : ids)
        if (*status(id).index < 2) {
            ASSERT_TRUE(reaches(id, State::failed));
        }
    ASSERT_TRUE(until([&] { return batch_.record(tag_, 0).state == BatchState::cancelled; }));
    ASSERT_TRUE(until([&] { return batch_.record(tag_, 1).state == BatchState::cancelled; }));
    EXPECT_EQ(batch_.record(tag_, 2).state, BatchState::running);
}

}  // namespace
}  // namespace berth::test
