// Cancel, hold and release in each state.
#include "integration/engine/engine_fixture.hpp"

#include <boost/asio/detached.hpp>

namespace berth::test {
namespace {

using jobs::BatchState;
using jobs::CancelBy;
using jobs::Reason;
using jobs::State;
using Answer = FakeBatch::Answer;

class Cancel : public EngineTest {};
class Hold : public EngineTest {};

TEST_F(Cancel, BeforeTheSubmissionIsFinal) {
    batch_.down = true;  // no limits are known, so nothing is submitted
    start();
    const auto id = accept_one();
    ASSERT_TRUE(stays(id, State::accepted, std::chrono::milliseconds(300)));
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_EQ(status(id).reason, Reason::cancelled_by_user);
    batch_.down = false;
    EXPECT_TRUE(stays(id, State::cancelled, std::chrono::milliseconds(500)));
    EXPECT_TRUE(batch_.submitted.empty());
}

TEST_F(Cancel, IsDurableWhenItReturns) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_TRUE(cancel(id));
    EXPECT_EQ(status(id).cancel, CancelBy::user);
    const auto again = cancel(id);  // no fault, unless it has ended by now
    EXPECT_TRUE(again || again.error().kind == ErrorKind::conflict);
}

TEST_F(Cancel, OfAWaitingJobTakesTheFenceAndThenTheBatchJob) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_TRUE(fence_text(id).starts_with("void:"));
    EXPECT_FALSE(take_fence(id, tag, "late"));
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(batch_.record(tag).batch_id); }));
    EXPECT_EQ(batch_.cancelled.front().tag, tag);
}

TEST_F(Cancel, OfAJobWithUnknownOutcomeTakesTheFenceAndCancelsTheBatchJobWhenItShowsUp) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.look_ups >= 1; }));
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_TRUE(fence_text(id).starts_with("void:"));
    const auto late = batch_.add(batch_.submitted[0].tag);
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(late); }));
}

// The attempt was given up, not proved absent: its batch job may still come.
TEST_F(Cancel, BetweenTwoAttemptsLeavesNothingThatCouldStart) {
    batch_.answers = {Answer::lose_submit};
    settings_.retry_delay = std::chrono::seconds(100);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.look_ups >= 4; }));
    clock_.advance(std::chrono::seconds(301));
    ASSERT_TRUE(reaches(id, State::ready));
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_FALSE(take_fence(id, batch_.submitted[0].tag, "late"))
        << "a cancelled job must not start";
}

TEST_F(Cancel, OfARunningJobWaitsForThePayloadsEnd) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    const auto tag = status(id).tag;
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(until([&] { return !batch_.cancelled.empty(); }));
    EXPECT_EQ(batch_.cancelled.front().batch_id, batch_.record(tag).batch_id);
    write_marker(id, 143, "TERM");
    tell(tag, "ended");
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_EQ(status(id).reason, Reason::cancelled_by_user);
}

TEST_F(Cancel, AfterThePayloadsEndLeavesItsResult) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    write_marker(id, 0);
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(until([&] { return is_final(status(id).state); }));
    EXPECT_EQ(status(id).state, State::done);
    EXPECT_EQ(status(id).exit_code, 0);
}

TEST_F(Cancel, IsRepeatedUntilThereIsEvidence) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    batch_.down = true;  // the command fails
    ASSERT_TRUE(cancel(id));
    stays(id, State::running, std::chrono::milliseconds(300));
    EXPECT_TRUE(batch_.cancelled.empty());
    batch_.down = false;
    for (int i = 0; i < 4 && batch_.cancelled.empty(); ++i) {
        clock_.advance(std::chrono::seconds(31));
        stays(id, State::running, std::chrono::milliseconds(1200));
    }
    EXPECT_FALSE(batch_.cancelled.empty());
}

TEST_F(Cancel, OfAWholeArrayIsOneCommand) {
    start();
    const auto ids = accept(5);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    for (const auto& id : ids) {
        run_payload(id, *status(id).index);
    }
    jobs::JobSeq first = row(ids[0]).seq;
    auto all = [](jobs::Engine* engine, jobs::JobSeq seq) -> Async<void> {
        for (jobs::JobSeq next = seq; next < seq + 5; ++next)
            static_cast<void>(co_await engine->cancel(next, CancelBy::user));
        co_return Result<void>();
    };
    ASSERT_TRUE(run_on(loop_, all(engine_.get(), first)));
    for (unsigned i = 0; i < 5; ++i)
        ASSERT_TRUE(until(
            [&] { return batch_.record(status(ids[0]).tag, i).state == BatchState::cancelled; }));
    EXPECT_LE(batch_.cancelled.size(), 5U);
}

TEST_F(Cancel, OfAHeldJobCancelsItsBatchJob) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(reaches(id, State::held));
    const auto batch_id = status(id).batch_id;
    ASSERT_TRUE(cancel(id));
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_TRUE(until([&] { return batch_.asked_to_cancel(batch_id); }));
}

TEST_F(Cancel, OfAnEndedJobIsAConflict) {
    batch_.answers = {Answer::reject};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::failed));
    const auto done = cancel(id);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::conflict);
}

TEST_F(Cancel, ByTheSiteIsTold) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    batch_.end(batch_.record(status(id).tag), BatchState::cancelled, 0);
    ASSERT_TRUE(reaches(id, State::cancelled));
    EXPECT_EQ(status(id).reason, Reason::cancelled_by_site);
    EXPECT_EQ(batch_.submitted.size(), 1U) << "what the site took away is not brought back";
}

TEST_F(Hold, OfAWaitingJobAndItsRelease) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(reaches(id, State::held));
    EXPECT_EQ(status(id).reason, Reason::held_by_user);
    EXPECT_EQ(batch_.record(tag).state, BatchState::held);
    EXPECT_TRUE(stays(id, State::held, std::chrono::milliseconds(700)));
    ASSERT_TRUE(release(id));
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(batch_.record(tag).state, BatchState::queued);
    EXPECT_TRUE(stays(id, State::queued, std::chrono::milliseconds(700)));
}

TEST_F(Hold, IsNotTakenBackByALookThatIsOlder) {
    settings_.poll_interval = settings_.poll_interval_max = std::chrono::seconds(3600);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    batch_.poll_takes = std::chrono::milliseconds(300);
    const auto polls = batch_.polls;
    engine_->reload(settings_);  // polls at once; the job still waits
    ASSERT_TRUE(until([&] { return batch_.polls > polls; }));
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(hold(id));
    EXPECT_TRUE(stays(id, State::held, std::chrono::milliseconds(700)));
    EXPECT_EQ(batch_.held.size(), 1U);
}

TEST_F(Hold, ThatIsStillOnItsWayIsTakenBackByARelease) {
    batch_.hold_takes = std::chrono::milliseconds(300);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    const auto seq = row(id).seq;
    boost::asio::co_spawn(loop_, engine_->hold(seq), boost::asio::detached);
    ASSERT_TRUE(until([&] { return batch_.held.size() == 1; }));
    ASSERT_TRUE(release(id));
    ASSERT_TRUE(until([&] { return batch_.released.size() == 2; }));
    EXPECT_EQ(batch_.record(tag).state, BatchState::queued);
    EXPECT_TRUE(stays(id, State::queued, std::chrono::milliseconds(700)));
}

TEST_F(Hold, WhoseAnswerWasLostIsReleased) {
    settings_.poll_interval = settings_.poll_interval_max = std::chrono::seconds(3600);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    batch_.down = true;
    ASSERT_FALSE(hold(id));
    batch_.record(status(id).tag).state = BatchState::held;
    batch_.down = false;
    ASSERT_TRUE(release(id));
    EXPECT_EQ(batch_.record(status(id).tag).state, BatchState::queued);
}

TEST_F(Hold, BeforeTheSubmissionKeepsTheJobHere) {
    batch_.down = true;
    start();
    const auto id = accept_one();
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(reaches(id, State::held));
    batch_.down = false;
    clock_.advance(std::chrono::hours(1));
    EXPECT_TRUE(stays(id, State::held));
    EXPECT_TRUE(batch_.submitted.empty());
    ASSERT_TRUE(release(id));
    EXPECT_TRUE(reaches(id, State::queued));
}

TEST_F(Hold, OfARunningJobIsAConflict) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    const auto done = hold(id);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::conflict);
}

TEST_F(Hold, ByTheSiteIsTold) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    batch_.record(status(id).tag).state = BatchState::held;
    ASSERT_TRUE(reaches(id, State::held));
    EXPECT_EQ(status(id).reason, Reason::held_by_site);
    batch_.record(status(id).tag).state = BatchState::queued;
    EXPECT_TRUE(reaches(id, State::queued));
}

}  // namespace
}  // namespace berth::test
