// From acceptance to the batch system, with each way in which a submission can go wrong.
#include "integration/engine/engine_fixture.hpp"

#include <filesystem>
#include <set>

namespace berth::test {
namespace {

using jobs::AttemptState;
using jobs::BatchState;
using jobs::Reason;
using jobs::State;
using Answer = FakeBatch::Answer;

class Submission : public EngineTest {
protected:
    // The looks and the time after which an attempt that nobody finds is given up.
    void pass_missing_window() {
        const auto looks = batch_.look_ups;
        ASSERT_TRUE(until([&] { return batch_.look_ups >= looks + 3; }));
        clock_.advance(std::chrono::seconds(301));
    }
};

TEST_F(Submission, AJobIsDoneByItsMarkerAlthoughTheQueueStillShowsIt) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    EXPECT_EQ(tag.size(), 15U);
    EXPECT_TRUE(tag.starts_with("b" + store_->instance()));
    EXPECT_EQ(batch_.submitted.front().tag, tag);
    EXPECT_EQ(batch_.submitted.front().comment, "pilot");
    run_payload(id);
    write_marker(id, 0);
    tell(tag, "ended");
    ASSERT_TRUE(reaches(id, State::done));
    EXPECT_EQ(status(id).exit_code, 0);
    EXPECT_EQ(status(id).source, jobs::Source::marker);
    EXPECT_EQ(batch_.submitted.size(), 1U);
    EXPECT_TRUE(stays(id, State::done, std::chrono::milliseconds(1000)));
    EXPECT_TRUE(batch_.cancelled.empty()) << "the wrapper is on its way out";
}

TEST_F(Submission, EqualJobsTravelInOneArrayAndEndEachForItself) {
    settings_.coalesce_window = std::chrono::milliseconds(50);
    start();
    const auto ids = accept(3);
    const auto other = accept_one(2);
    // The window is in the rules' time.
    clock_.advance(std::chrono::milliseconds(100));
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_TRUE(reaches(other, State::queued));
    EXPECT_EQ(batch_.submitted.size(), 2U);
    std::set<unsigned> indices;
    for (const auto& id : ids) {
        ASSERT_TRUE(status(id).index);
        indices.insert(*status(id).index);
        EXPECT_EQ(status(id).tag, status(ids[0]).tag);
        EXPECT_TRUE(status(id).batch_id.ends_with("_" + std::to_string(*status(id).index)));
    }
    EXPECT_EQ(indices, (std::set<unsigned>{0, 1, 2}));
    EXPECT_FALSE(status(other).index);
    const int codes[] = {0, 3, 0};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        run_payload(ids[i], *status(ids[i]).index);
        write_marker(ids[i], codes[i]);
        tell(status(ids[i]).tag, "ended", *status(ids[i]).index);
        ASSERT_TRUE(reaches(ids[i], codes[i] == 0 ? State::done : State::failed));
    }
}

TEST_F(Submission, ManyJobsThatDifferShareTheirTransactions) {
    batch_.submit_takes = std::chrono::milliseconds(20);
    start();
    std::vector<std::string> ids;
    for (std::uint64_t directives = 1; directives <= 60; ++directives)
        ids.push_back(accept_one(directives));
    const auto before = store_->health().commits;
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(batch_.submitted.size(), ids.size());
    EXPECT_LT(store_->health().commits - before, ids.size()) << "there are two commits for each";
}

TEST_F(Submission, ARefusalFailsTheJobWithTheBatchSystemsWords) {
    batch_.answers = {Answer::reject};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).reason, Reason::rejected);
    EXPECT_EQ(status(id).detail, "invalid account");
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Submission, AfterARefusalTheQueueIsNotPolledForNothing) {
    batch_.answers = {Answer::reject};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::failed));
    ASSERT_TRUE(stays(id, State::failed, std::chrono::milliseconds(600)));
    const auto polls = batch_.polls;
    ASSERT_TRUE(stays(id, State::failed, std::chrono::milliseconds(800)));
    EXPECT_EQ(batch_.polls, polls) << "there is nothing left to ask for";
}

TEST_F(Submission, ARefusalForNowIsTriedAgainAndCountsForNothing) {
    batch_.answers = {Answer::reject_for_now, Answer::reject_for_now, Answer::reject_for_now,
                      Answer::reject_for_now};
    start();
    const auto id = accept_one();
    for (std::size_t tries = 1; tries <= 5; ++tries) {
        ASSERT_TRUE(until([&] { return batch_.submitted.size() >= tries; })) << tries;
        clock_.advance(std::chrono::minutes(6));
    }
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(status(id).attempts, 1U);
    std::set<std::string> tags;
    for (const auto& intent : batch_.submitted)
        tags.insert(intent.tag);
    EXPECT_EQ(tags.size(), batch_.submitted.size()) << "each attempt has a tag of its own";
}

TEST_F(Submission, ALostReplyIsFoundByTheTagAndNotSubmittedAgain) {
    batch_.answers = {Answer::lose_reply};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(status(id).batch_id, "101");
    EXPECT_TRUE(stays(id, State::queued));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Submission, ALostReplyIsFoundByTheFenceWhileTheControllerIsSilent) {
    batch_.answers = {Answer::lose_reply};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.submitted.size() == 1; }));
    batch_.down = true;
    ASSERT_TRUE(reaches(id, State::submitting) || status(id).state == State::queued);
    const auto tag = batch_.submitted.front().tag;
    ASSERT_TRUE(take_fence(id, tag, "101"));
    tell(tag, "started");
    ASSERT_TRUE(reaches(id, State::running));
    EXPECT_EQ(status(id).batch_id, "101");
    write_marker(id, 0);
    tell(tag, "ended");
    EXPECT_TRUE(reaches(id, State::done));
}

TEST_F(Submission, ALostSubmissionIsGivenUpOnlyAfterTheWindowAndThenTriedWithANewTag) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.look_ups >= 4; }));
    clock_.advance(std::chrono::seconds(290));
    ASSERT_TRUE(stays(id, State::submitting)) << "looks alone are not enough";
    EXPECT_EQ(batch_.submitted.size(), 1U);
    clock_.advance(std::chrono::seconds(11));
    ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_EQ(batch_.submitted.size(), 2U);
    EXPECT_NE(batch_.submitted[0].tag, batch_.submitted[1].tag);
    EXPECT_EQ(status(id).attempts, 2U);
    EXPECT_EQ(fence_text(id), "");
}

TEST_F(Submission, SilenceOfTheControllerGivesNothingUp) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(until([&] { return batch_.submitted.size() == 1; }));
    batch_.down = true;
    const auto looks = batch_.look_ups;
    while (batch_.look_ups < looks + 4) {
        clock_.advance(std::chrono::minutes(10));
        ASSERT_TRUE(stays(id, State::submitting, std::chrono::milliseconds(300)));
    }
    EXPECT_EQ(status(id).state, State::submitting);
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Submission, ALateBatchJobOfAGivenUpAttemptIsCancelledAtSight) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    pass_missing_window();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto late = batch_.add(batch_.submitted[0].tag);
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(late); }));
    EXPECT_FALSE(batch_.asked_to_cancel(batch_.record(status(id).tag).batch_id));
    run_payload(id);
    write_marker(id, 0);
    tell(status(id).tag, "ended");
    EXPECT_TRUE(reaches(id, State::done));
}

TEST_F(Submission, ALateStartWhileTheJobWaitsForItsNextAttemptIsAdopted) {
    batch_.answers = {Answer::lose_submit};
    settings_.retry_delay = std::chrono::seconds(1000);
    start();
    const auto id = accept_one();
    pass_missing_window();
    ASSERT_TRUE(reaches(id, State::ready));
    const auto tag = batch_.submitted[0].tag;
    const auto late = batch_.add(tag);
    ASSERT_TRUE(take_fence(id, tag, late));
    batch_.record(tag).state = BatchState::running;
    ASSERT_TRUE(reaches(id, State::running));
    EXPECT_EQ(status(id).batch_id, late);
    write_marker(id, 0);
    tell(tag, "ended");
    ASSERT_TRUE(reaches(id, State::done));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Submission, BothLateBatchJobsOfAGivenUpAttemptAreCancelled) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    pass_missing_window();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto one = batch_.add(batch_.submitted[0].tag);
    const auto two = batch_.add(batch_.submitted[0].tag);
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(one) || batch_.asked_to_cancel(two); }));
    for (int i = 0; i < 5; ++i) {
        clock_.advance(std::chrono::seconds(31));
        stays(id, State::queued, std::chrono::milliseconds(300));
    }
    EXPECT_TRUE(batch_.asked_to_cancel(one));
    EXPECT_TRUE(batch_.asked_to_cancel(two));
}

TEST_F(Submission, ALateBatchJobThatHasTheFenceIsAdoptedAndTheNewOneCancelled) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    pass_missing_window();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto old_tag = batch_.submitted[0].tag, new_tag = batch_.submitted[1].tag;
    const auto late = batch_.add(old_tag);
    ASSERT_TRUE(take_fence(id, old_tag, late));
    batch_.record(old_tag).state = BatchState::running;
    ASSERT_TRUE(until([&] { return status(id).tag == old_tag; }));
    EXPECT_EQ(status(id).batch_id, late);
    EXPECT_EQ(status(id).state, State::running);
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(batch_.record(new_tag).batch_id); }));
    EXPECT_FALSE(batch_.asked_to_cancel(late));
    write_marker(id, 0);
    tell(old_tag, "ended");
    ASSERT_TRUE(reaches(id, State::done));
    EXPECT_EQ(batch_.submitted.size(), 2U);
}

TEST_F(Submission, OfTwoBatchJobsWithOneTagTheOneWithTheFenceCounts) {
    batch_.answers = {Answer::duplicate};
    settings_.poll_interval = std::chrono::seconds(3600);  // the test says when
    settings_.poll_interval_max = std::chrono::seconds(3600);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    auto& first = batch_.tasks[0].record;
    auto& second = batch_.tasks[1].record;
    ASSERT_EQ(status(id).batch_id, first.batch_id);
    // The second one starts; the first loses the fence and ends with 0.
    ASSERT_TRUE(take_fence(id, tag, second.batch_id));
    second.state = BatchState::running;
    batch_.end(first, BatchState::done, 0);
    engine_->reload(settings_);  // polls at once
    ASSERT_TRUE(reaches(id, State::running));
    clock_.advance(std::chrono::seconds(30));
    EXPECT_TRUE(stays(id, State::running)) << "the loser's end is not the payload's";
    EXPECT_EQ(status(id).batch_id, second.batch_id);
    write_marker(id, 3);
    tell(tag, "ended");
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).exit_code, 3);
}

TEST_F(Submission, TheSecondOfTwoWaitingBatchJobsWithOneTagIsCancelled) {
    batch_.answers = {Answer::duplicate};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto kept = status(id).batch_id;
    const auto other = batch_.tasks[1].record.batch_id;
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(other); }));
    EXPECT_FALSE(batch_.asked_to_cancel(kept));
    EXPECT_TRUE(stays(id, State::queued));
}

TEST_F(Submission, ASecondBatchJobThatStartsWhileItIsCancelledGoesOn) {
    batch_.answers = {Answer::duplicate};
    batch_.cancel_takes = std::chrono::milliseconds(300);
    settings_.poll_interval = std::chrono::seconds(3600);  // the test says when
    settings_.poll_interval_max = std::chrono::seconds(3600);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    auto& second = batch_.tasks[1].record;
    engine_->reload(settings_);  // polls at once; both wait
    ASSERT_TRUE(until([&] { return batch_.cancels_begun == 1; }));
    second.state = BatchState::running;
    ASSERT_TRUE(take_fence(id, status(id).tag, second.batch_id));
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(second.batch_id); }));
    EXPECT_EQ(second.state, BatchState::running) << "it has the payload";
    write_marker(id, 0);
    tell(status(id).tag, "ended");
    EXPECT_TRUE(reaches(id, State::done));
}

TEST_F(Submission, ALateBatchJobThatStartsWhileItIsCancelledGoesOn) {
    batch_.answers = {Answer::lose_submit};
    batch_.cancel_takes = std::chrono::milliseconds(300);
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::submitting));
    const auto old_tag = status(id).tag;
    clock_.advance(std::chrono::minutes(6));
    ASSERT_TRUE(
        until([&] { return status(id).state == State::queued && status(id).tag != old_tag; }));
    const auto late = batch_.add(old_tag);
    ASSERT_TRUE(until([&] { return batch_.cancels_begun == 1; }));
    batch_.record(old_tag).state = BatchState::running;
    ASSERT_TRUE(take_fence(id, old_tag, late));
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(late); }));
    EXPECT_EQ(batch_.record(old_tag).state, BatchState::running) << "it has the payload";
    tell(old_tag, "started");
    EXPECT_TRUE(reaches(id, State::running));
    EXPECT_EQ(status(id).tag, old_tag);
}

TEST_F(Submission, ASecondBatchJobThatRunsIsLeftToTheFence) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto second = batch_.add(status(id).tag);
    batch_.tasks[1].record.state = BatchState::running;  // its wrapper is on its way to the fence
    EXPECT_TRUE(stays(id, State::queued));
    EXPECT_FALSE(batch_.asked_to_cancel(second));
}

TEST_F(Submission, WhileTheFenceCannotBeReadNoSecondBatchJobIsCancelled) {
    batch_.answers = {Answer::duplicate};
    batch_.submit_takes = std::chrono::milliseconds(1500);
    start();
    const auto id = accept_one();
    // Both are seen before the submission has answered; nobody looks at the fence until then.
    ASSERT_TRUE(until([&] { return batch_.tasks.size() == 2; }));
    auto& first = batch_.tasks[0].record;
    auto& second = batch_.tasks[1].record;
    const auto tag = status(id).tag;
    ASSERT_TRUE(take_fence(id, tag, second.batch_id));
    batch_.end(first, BatchState::done, 0);
    ASSERT_TRUE(reaches(id, State::running));
    EXPECT_TRUE(stays(id, State::running));
    EXPECT_EQ(status(id).batch_id, second.batch_id);
    EXPECT_FALSE(batch_.asked_to_cancel(second.batch_id));
}

TEST_F(Submission, ALateBatchJobThatRunsIsLeftToTheFence) {
    batch_.answers = {Answer::lose_submit};
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::submitting));
    const auto old_tag = status(id).tag;
    clock_.advance(std::chrono::minutes(6));
    ASSERT_TRUE(
        until([&] { return status(id).state == State::queued && status(id).tag != old_tag; }));
    const auto late = batch_.add(old_tag);
    batch_.record(old_tag).state = BatchState::running;
    EXPECT_TRUE(stays(id, State::queued));
    EXPECT_FALSE(batch_.asked_to_cancel(late)) << "its start may be the job's";
    ASSERT_TRUE(take_fence(id, old_tag, late));
    tell(old_tag, "started");
    ASSERT_TRUE(reaches(id, State::running));
    EXPECT_EQ(status(id).tag, old_tag);
    EXPECT_TRUE(until([&] { return batch_.cancelled.size() == 1; })) << "the second attempt";
}

TEST_F(Submission, AttemptsThatEndBeforeTheStartAreTriedAFewTimesOnly) {
    start();
    const auto id = accept_one();
    for (unsigned i = 1; i <= settings_.decide.attempts_max; ++i) {
        ASSERT_TRUE(until([&] { return batch_.submitted.size() == i; })) << i;
        const auto tag = batch_.submitted.back().tag;
        ASSERT_TRUE(until([&] { return status(id).tag == tag; }));
        batch_.end(batch_.record(tag), BatchState::failed, 101);
        ASSERT_TRUE(until([&] { return status(id).tag != tag || is_final(status(id).state); }));
        clock_.advance(std::chrono::minutes(6));
    }
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).reason, Reason::start_failed);
    EXPECT_TRUE(fence_text(id).starts_with("void:")) << "nothing can start any more";
    EXPECT_EQ(batch_.submitted.size(), settings_.decide.attempts_max);
}

TEST_F(Submission, ASessionDirectoryThatHasGoneIsNeverMadeAgain) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    std::filesystem::remove_all(session(id));
    batch_.end(batch_.record(status(id).tag), BatchState::failed, 101);
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).reason, Reason::session_lost);
    EXPECT_FALSE(std::filesystem::exists(session(id)));
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Submission, ATagOfOursThatTheStoreDoesNotKnowIsOnlyListed) {
    const auto orphan = "b" + store_->instance() + "aaaaaaaaaa";
    const auto batch_id = batch_.add(orphan);
    start();  // it has no job of its own to poll for
    ASSERT_TRUE(until([&] { return engine_->orphans().contains(orphan); }));
    EXPECT_FALSE(batch_.asked_to_cancel(batch_id));
    const auto cancelled = run_on(loop_, engine_->cancel_orphan(orphan));
    EXPECT_TRUE(cancelled);
    EXPECT_TRUE(batch_.asked_to_cancel(batch_id));
}

TEST_F(Submission, AnOrphanIsListedAsLongAsItsBatchJobIsThere) {
    const auto orphan = "b" + store_->instance() + "aaaaaaaaaa";
    batch_.add(orphan);
    start();
    ASSERT_TRUE(until([&] { return engine_->orphans().contains(orphan); }));
    const auto polls = batch_.polls;
    ASSERT_TRUE(until([&] { return batch_.polls > polls + 1; }));
    EXPECT_TRUE(engine_->orphans().contains(orphan));
    batch_.end(batch_.record(orphan), BatchState::done, 0);
    EXPECT_TRUE(until([&] { return engine_->orphans().empty(); }));
}

}  // namespace
}  // namespace berth::test
