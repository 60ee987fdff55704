// The engine goes on from the store, in whatever state it was ended.
#include "integration/engine/engine_fixture.hpp"

namespace berth::test {
namespace {

using jobs::BatchState;
using jobs::Reason;
using jobs::State;
using Answer = FakeBatch::Answer;

class Restart : public EngineTest {};

TEST_F(Restart, SubmitsWhatWasAccepted) {
    const auto id = accept_one();  // nobody is there yet
    start();
    EXPECT_TRUE(reaches(id, State::queued));
}

TEST_F(Restart, LooksUpAnAttemptOfWhichOnlyTheIntentIsKnown) {
    batch_.answers = {Answer::lose_reply};
    batch_.has_history = false;
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.submitted.size() == 1; }));
    restart();
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Restart, GivesNothingUpForTimeInWhichNobodyLooked) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.look_ups >= 3; }));
    stop();
    clock_.advance(std::chrono::hours(3));
    start();
    const auto looks = batch_.look_ups;
    ASSERT_TRUE(until([&] { return batch_.look_ups >= looks + 4; }));
    EXPECT_EQ(status(id).state, State::submitting) << "the window begins with the daemon";
    clock_.advance(std::chrono::seconds(301));
    EXPECT_TRUE(until([&] { return batch_.submitted.size() == 2; }));
}

TEST_F(Restart, FindsAMarkerThatWasWrittenMeanwhile) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    stop();
    write_marker(id, 5);
    start();
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).exit_code, 5);
}

TEST_F(Restart, FindsAJobThatStartedMeanwhile) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    stop();
    const auto tag = status(id).tag;
    ASSERT_TRUE(take_fence(id, tag, batch_.record(tag).task_id));
    batch_.record(tag).state = BatchState::running;
    start();
    EXPECT_TRUE(reaches(id, State::running));
}

TEST_F(Restart, PursuesACancel) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    batch_.down = true;
    ASSERT_TRUE(cancel(id));
    stop();
    batch_.down = false;
    start();
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(status(id).batch_id); }));
}

TEST_F(Restart, KeepsAHoldBeforeAndAfterTheSubmission) {
    start();
    const auto queued = accept_one();
    ASSERT_TRUE(reaches(queued, State::queued));
    ASSERT_TRUE(hold(queued));
    ASSERT_TRUE(reaches(queued, State::held));
    restart();
    EXPECT_TRUE(stays(queued, State::held));
    ASSERT_TRUE(release(queued));
    EXPECT_TRUE(reaches(queued, State::queued));
}

TEST_F(Restart, PursuesAReleaseThatTheBatchSystemHasNotHeardOf) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(reaches(id, State::held));
    batch_.down = true;
    ASSERT_FALSE(release(id));
    stop();
    batch_.down = false;
    start();
    EXPECT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(batch_.released.size(), 1U);
}

TEST_F(Restart, KeepsWhatCanNoLongerStartFromStarting) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.look_ups >= 1; }));
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    restart();
    const auto late = batch_.add(batch_.submitted[0].tag);
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(late); }));
}

TEST_F(Restart, KeepsAnArraysIndices) {
    start();
    const auto ids = accept(3);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    restart();
    for (const auto& id : ids) {
        run_payload(id, *status(id).index);
        write_marker(id, static_cast<int>(*status(id).index));
        tell(status(id).tag, "ended", *status(id).index);
    }
    for (const auto& id : ids) {
        ASSERT_TRUE(until([&] { return is_final(status(id).state); }));
        EXPECT_EQ(status(id).exit_code, static_cast<int>(*status(id).index));
    }
}

TEST_F(Restart, SubmitsAJobThatWaitedForItsSecondAttempt) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    settings_.retry_delay = std::chrono::seconds(1000);
    engine_->reload(settings_);
    batch_.end(batch_.record(status(id).tag), BatchState::node_lost, 0);
    ASSERT_TRUE(reaches(id, State::ready));
    restart();
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(status(id).attempts, 2U);
    EXPECT_EQ(batch_.submitted.size(), 2U);
}

}  // namespace
}  // namespace berth::test
