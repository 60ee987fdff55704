// decide() before the payload has started, and what the fence says of that.
#include "unit/jobs/evidence.hpp"

#include <gtest/gtest.h>

namespace berth::jobs::test {
namespace {

const auto all_batch_states = {
    BatchState::queued,      BatchState::held,      BatchState::running,   BatchState::suspended,
    BatchState::finishing,   BatchState::done,      BatchState::failed,    BatchState::walltime,
    BatchState::memory,      BatchState::node_lost, BatchState::preempted, BatchState::cancelled,
    BatchState::requeue_held};

TEST(Decide, NothingFollowsFromAFenceThatCannotBeRead) {
    for (const auto state : all_batch_states) {
        const auto verdict = Evident()
                                 .fence(Fence::Kind::unreadable)
                                 .says(state)
                                 .missed(10, 1000s)
                                 .cancelled_by(CancelBy::user)
                                 .verdict();
        EXPECT_EQ(verdict.act, Act::wait) << to_string(state);
        EXPECT_GT(verdict.recheck, 0ms);
        EXPECT_FALSE(verdict.cancel_batch);
    }
}

TEST(Decide, AJobWithoutItsSessionDirectoryFailsAndItsBatchJobIsCancelled) {
    const auto verdict = Evident().fence(Fence::Kind::missing).says(BatchState::running).verdict();
    EXPECT_EQ(verdict.act, Act::settle);
    EXPECT_EQ(verdict.next.state, State::failed);
    EXPECT_EQ(verdict.next.reason, Reason::session_lost);
    EXPECT_TRUE(verdict.cancel_batch);
    EXPECT_TRUE(verdict.next.ended);
}

TEST(Decide, AFenceOfAnotherAttemptIsAdoptedWhateverThisOnesBatchJobSays) {
    for (const auto state : all_batch_states) {
        for (const auto who : {CancelBy::nobody, CancelBy::user}) {
            auto evidence = Evident().taken(noon - 1s, "bother").says(state).cancelled_by(who);
            evidence.batch.exit_code = 0;
            EXPECT_EQ(evidence.verdict().act, Act::adopt) << to_string(state);
        }
    }
}

TEST(Decide, ABatchJobThatEndedWithTheFenceFreeNeverStartedAndIsTriedAgain) {
    for (const auto state : {BatchState::done, BatchState::failed, BatchState::walltime,
                             BatchState::memory, BatchState::node_lost, BatchState::preempted}) {
        const auto verdict = Evident().says(state).verdict();
        EXPECT_EQ(verdict.act, Act::retry) << to_string(state);
        EXPECT_EQ(verdict.attempt_over, AttemptState::over) << to_string(state);
    }
}

TEST(Decide, TheLastAttemptIsVoidedBeforeTheJobFails) {
    for (const auto state : {BatchState::done, BatchState::failed, BatchState::node_lost}) {
        auto evidence = Evident().says(state).attempts(settings.attempts_max);
        EXPECT_EQ(evidence.verdict().act, Act::void_fence) << to_string(state);
        const auto verdict = evidence.fence(Fence::Kind::voided).verdict();
        EXPECT_EQ(verdict.act, Act::settle);
        EXPECT_EQ(verdict.next.state, State::failed);
        EXPECT_EQ(verdict.next.reason, Reason::start_failed);
    }
}

TEST(Decide, ABatchJobThatSomebodyCancelledIsNotTriedAgain) {
    auto evidence = Evident().says(BatchState::cancelled);
    EXPECT_EQ(evidence.verdict().act, Act::void_fence);
    const auto verdict = evidence.fence(Fence::Kind::voided).verdict();
    EXPECT_EQ(verdict.next.state, State::cancelled);
    EXPECT_EQ(verdict.next.reason, Reason::cancelled_by_site);
    EXPECT_FALSE(verdict.cancel_batch) << "it is over already";
}

TEST(Decide, ARestartAfterTheFenceWasTakenAsksWhyBeforeTheJobEnds) {
    auto evidence = Evident().fence(Fence::Kind::voided);
    const auto unseen = evidence.verdict();
    EXPECT_EQ(unseen.act, Act::wait);
    EXPECT_TRUE(unseen.look_up);
    EXPECT_EQ(evidence.missed(3, 299s).verdict().act, Act::wait);
    EXPECT_EQ(evidence.missed(3, 300s).verdict().next.reason, Reason::start_failed);
    EXPECT_EQ(evidence.says(BatchState::cancelled).verdict().next.reason,
              Reason::cancelled_by_site);
}

TEST(Decide, AnAttemptIsGivenUpAfterThreeLooksAndTheWindowOnly) {
    struct Case {
        unsigned looks;
        std::chrono::seconds ago;
        Act act;
    };
    for (const auto& c :
         {Case{0, 1000s, Act::wait}, Case{2, 1000s, Act::wait}, Case{3, 299s, Act::wait},
          Case{100, 299s, Act::wait}, Case{3, 300s, Act::retry}, Case{4, 1000s, Act::retry}}) {
        const auto verdict = Evident().missed(c.looks, c.ago).verdict();
        EXPECT_EQ(verdict.act, c.act) << c.looks << " looks, " << c.ago.count() << " s";
        if (c.act == Act::retry) {
            EXPECT_EQ(verdict.attempt_over, AttemptState::given_up);
        } else {
            EXPECT_EQ(verdict.look_up, c.looks > 0) << "absence is a question";
        }
    }
}

TEST(Decide, ABatchJobThatWasSeenAndThenWentIsGivenUpByTheSameRule) {
    for (const auto state : {BatchState::queued, BatchState::held, BatchState::running}) {
        EXPECT_NE(Evident().says(state).missed(2, 1000s).verdict().act, Act::retry);
        EXPECT_TRUE(Evident().says(state).missed(2, 1000s).verdict().look_up);
        EXPECT_EQ(Evident().says(state).missed(3, 300s).verdict().act, Act::retry);
    }
}

TEST(Decide, TheLastGivenUpAttemptIsVoidedFirst) {
    auto evidence = Evident().missed(3, 300s).attempts(settings.attempts_max);
    EXPECT_EQ(evidence.verdict().act, Act::void_fence);
    const auto verdict = evidence.fence(Fence::Kind::voided).verdict();
    EXPECT_EQ(verdict.next.reason, Reason::start_failed);
    EXPECT_EQ(verdict.next.source, Source::store) << "nobody else says so";
    EXPECT_TRUE(verdict.cancel_batch) << "a late batch job must go";
}

TEST(Decide, AnAttemptWithAnUnknownOutcomeIsLookedUp) {
    for (const auto state : {AttemptState::intent, AttemptState::unknown}) {
        Evident evidence;
        evidence.attempt = state;
        const auto verdict = evidence.verdict();
        EXPECT_EQ(verdict.act, Act::wait);
        EXPECT_TRUE(verdict.look_up);
        EXPECT_GT(verdict.recheck, 0ms);
    }
}

TEST(Decide, AnAcceptedAttemptThatNobodyHasSeenYetWaitsForThePoll) {
    const auto verdict = Evident().verdict();
    EXPECT_EQ(verdict.act, Act::wait);
    EXPECT_FALSE(verdict.look_up);
}

TEST(Decide, TheQueuesWordIsTheStateWhileTheFenceIsFree) {
    struct Case {
        BatchState batch;
        bool hold;
        State state;
        Reason reason;
    };
    for (const auto& c : {
             Case{BatchState::queued, false, State::queued, Reason::none},
             Case{BatchState::queued, true, State::queued, Reason::none},
             Case{BatchState::held, true, State::held, Reason::held_by_user},
             Case{BatchState::held, false, State::held, Reason::held_by_site},
             Case{BatchState::requeue_held, false, State::held, Reason::held_by_site},
             Case{BatchState::running, false, State::running, Reason::none},
             Case{BatchState::suspended, false, State::running, Reason::none},
             Case{BatchState::finishing, false, State::running, Reason::none},
         }) {
        auto evidence = Evident().says(c.batch);
        evidence.status.hold = c.hold;
        evidence.batch.reason = "Resources";
        const auto verdict = evidence.verdict();
        EXPECT_EQ(verdict.act, Act::settle) << to_string(c.batch);
        EXPECT_EQ(verdict.next.state, c.state) << to_string(c.batch);
        EXPECT_EQ(verdict.next.reason, c.reason) << to_string(c.batch);
        EXPECT_EQ(verdict.next.source, Source::queue);
        EXPECT_FALSE(verdict.cancel_batch);
        EXPECT_FALSE(verdict.next.ended);
    }
}

TEST(Decide, ABatchJobPutBackBeforeTheFenceWasTakenWaitsAgain) {
    auto evidence = Evident().says(BatchState::queued);
    evidence.status.state = State::running;
    const auto verdict = evidence.verdict();
    EXPECT_EQ(verdict.act, Act::settle);
    EXPECT_EQ(verdict.next.state, State::queued);
    EXPECT_TRUE(may_step(State::running, State::queued));
}

TEST(Decide, ACancelBeforeTheStartTakesTheFenceFirst) {
    for (const auto state : all_batch_states)
        EXPECT_EQ(Evident().says(state).cancelled_by(CancelBy::user).verdict().act, Act::void_fence)
            << to_string(state);
    EXPECT_EQ(Evident().cancelled_by(CancelBy::user).verdict().act, Act::void_fence)
        << "also when the submission's outcome is not known";
    EXPECT_EQ(Evident().cancelled_by(CancelBy::user).missed(3, 300s).verdict().act,
              Act::void_fence);
}

TEST(Decide, ACancelledJobThatCanNoLongerStartIsCancelledByWhoAsked) {
    struct Case {
        CancelBy who;
        Reason reason;
    };
    for (const auto& c : {Case{CancelBy::user, Reason::cancelled_by_user},
                          Case{CancelBy::operator_, Reason::cancelled_by_operator},
                          Case{CancelBy::site, Reason::cancelled_by_site}}) {
        for (const bool seen : {false, true}) {
            auto evidence = Evident().fence(Fence::Kind::voided).cancelled_by(c.who);
            if (seen)
                evidence.says(BatchState::queued);
            const auto verdict = evidence.verdict();
            EXPECT_EQ(verdict.act, Act::settle);
            EXPECT_EQ(verdict.next.state, State::cancelled);
            EXPECT_EQ(verdict.next.reason, c.reason);
            EXPECT_EQ(verdict.next.source, Source::store) << "there is no marker, and no end yet";
            EXPECT_TRUE(verdict.cancel_batch);
            EXPECT_TRUE(verdict.next.ended);
        }
    }
}

TEST(Decide, EveryVerdictIsALegalStep) {
    const auto kinds = {Fence::Kind::unreadable, Fence::Kind::missing, Fence::Kind::free,
                        Fence::Kind::taken, Fence::Kind::voided};
    for (const auto from : {State::submitting, State::queued, State::held, State::running})
        for (const auto kind : kinds)
            for (const auto batch : all_batch_states)
                for (const auto who : {CancelBy::nobody, CancelBy::user})
                    for (const int marker : {-1, 0, 3, 137})
                        for (const auto* told : {"", "TERM"}) {
                            auto evidence = Evident().says(batch).cancelled_by(who);
                            if (kind == Fence::Kind::taken) {
                                evidence.taken();
                                if (marker >= 0)
                                    evidence.marker(marker, told);
                            }
                            evidence.fence(kind);
                            evidence.status.state = from;
                            const auto verdict = evidence.verdict();
                            const auto to = verdict.next.state;
                            if (verdict.act != Act::settle)
                                continue;
                            // A payload that runs while its batch job is shown as held needs no
                            // step of its own; every other pair must be in the table.
                            EXPECT_TRUE(from == to || may_step(from, to))
                                << to_string(from) << " -> " << to_string(to);
                            EXPECT_EQ(is_final(to), verdict.next.ended.has_value());
                        }
}

}  // namespace
}  // namespace berth::jobs::test
