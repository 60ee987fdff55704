// decide() after the payload has started: markers, the batch system's word, cancels.
#include "unit/jobs/evidence.hpp"

#include <gtest/gtest.h>

namespace berth::jobs::test {
namespace {

const auto waiting_states = {BatchState::queued, BatchState::held, BatchState::requeue_held};

TEST(DecideEnd, AMarkerIsTheResult) {
    struct Case {
        int code;
        State state;
        Reason reason;
        std::optional<int> exit_code;
        int signal;
    };
    for (const auto& c :
         {Case{0, State::done, Reason::none, 0, 0}, Case{1, State::failed, Reason::exit_code, 1, 0},
          Case{128, State::failed, Reason::exit_code, 128, 0},
          Case{139, State::failed, Reason::signal, {}, 11},
          Case{129, State::failed, Reason::signal, {}, 1},
          Case{192, State::failed, Reason::signal, {}, 64},
          Case{193, State::failed, Reason::exit_code, 193, 0},
          Case{255, State::failed, Reason::exit_code, 255, 0}}) {
        // Whatever the queue says: the marker is of the start that the fence names.
        for (const auto batch : {BatchState::running, BatchState::queued, BatchState::done}) {
            const auto verdict = Evident().taken().says(batch).marker(c.code).verdict();
            EXPECT_EQ(verdict.act, Act::settle) << c.code;
            EXPECT_EQ(verdict.next.state, c.state) << c.code;
            EXPECT_EQ(verdict.next.reason, c.reason) << c.code;
            EXPECT_EQ(verdict.next.exit_code, c.exit_code) << c.code;
            EXPECT_EQ(verdict.next.signal, c.signal) << c.code;
            EXPECT_EQ(verdict.next.source, Source::marker);
            EXPECT_EQ(verdict.next.started, from_ms(1'799'999'000'000));
        }
    }
}

TEST(DecideEnd, AMarkerCountsWithoutAnyNewsFromTheBatchSystem) {
    const auto verdict = Evident().taken().marker(0).verdict();
    EXPECT_EQ(verdict.next.state, State::done);
    EXPECT_FALSE(verdict.cancel_batch) << "the wrapper is on its way out";
}

TEST(DecideEnd, APayloadThatWasToldToEndIsJudgedWithTheBatchSystemsReason) {
    struct Case {
        BatchState batch;
        State state;
        Reason reason;
    };
    for (const auto& c : {Case{BatchState::walltime, State::failed, Reason::walltime},
                          Case{BatchState::memory, State::failed, Reason::memory},
                          Case{BatchState::node_lost, State::failed, Reason::node_lost},
                          Case{BatchState::preempted, State::failed, Reason::preempted},
                          Case{BatchState::cancelled, State::cancelled, Reason::cancelled_by_site}})
        for (const int code : {0, 1, 143, 137})
            for (const auto* told : {"TERM", "XCPU", ""}) {
                if (*told == '\0' && code < 137)
                    continue;  // nobody says that it was told
                const auto verdict = Evident().taken().says(c.batch).marker(code, told).verdict();
                EXPECT_EQ(verdict.next.state, c.state) << to_string(c.batch) << code;
                EXPECT_EQ(verdict.next.reason, c.reason) << to_string(c.batch) << code;
            }
}

TEST(DecideEnd, AKilledPayloadIsAMemoryCaseWhenTheBatchSystemSaysSo) {
    const auto verdict = Evident().taken().says(BatchState::memory).marker(137).verdict();
    EXPECT_EQ(verdict.next.reason, Reason::memory);
}

TEST(DecideEnd, TheBatchSystemIsAskedForAReasonForAWhileOnly) {
    for (const auto* told : {"TERM", ""}) {
        auto evidence = Evident().taken().says(BatchState::running).marker(137, told, noon - 59s);
        auto verdict = evidence.verdict();
        EXPECT_EQ(verdict.act, Act::wait);
        EXPECT_TRUE(verdict.look_up);
        EXPECT_GT(verdict.recheck, 0ms);
        verdict = evidence.marker(137, told, noon - 60s).verdict();
        EXPECT_EQ(verdict.act, Act::settle);
        EXPECT_EQ(verdict.next.state, State::failed);
        EXPECT_EQ(verdict.next.reason, Reason::signal);
        EXPECT_EQ(verdict.next.signal, 9);
    }
}

TEST(DecideEnd, APayloadThatWasToldToEndAndTheSystemHasNoReasonKeepsItsOwnResult) {
    for (const auto batch : {BatchState::done, BatchState::failed}) {
        EXPECT_EQ(Evident().taken().says(batch).marker(0, "TERM").verdict().next.state,
                  State::done);
        EXPECT_EQ(Evident().taken().says(batch).marker(3, "TERM").verdict().next.exit_code, 3);
    }
}

TEST(DecideEnd, ACancelThatReachedThePayloadIsACancel) {
    for (const auto batch : {BatchState::running, BatchState::cancelled, BatchState::failed}) {
        const auto verdict = Evident()
                                 .taken()
                                 .says(batch)
                                 .marker(143, "TERM")
                                 .cancelled_by(CancelBy::user)
                                 .verdict();
        EXPECT_EQ(verdict.next.state, State::cancelled) << to_string(batch);
        EXPECT_EQ(verdict.next.reason, Reason::cancelled_by_user);
    }
}

// The payload had its TERM, and the wrapper's wait ended before the wrapper had its own.
TEST(DecideEnd, ACancelThatReachedThePayloadBeforeTheWrapperIsACancel) {
    for (const auto batch : {BatchState::running, BatchState::cancelled, BatchState::failed}) {
        const auto verdict =
            Evident().taken().says(batch).marker(143).cancelled_by(CancelBy::user).verdict();
        EXPECT_EQ(verdict.next.state, State::cancelled) << to_string(batch);
        EXPECT_EQ(verdict.next.reason, Reason::cancelled_by_user);
    }
}

TEST(DecideEnd, AnExitWithAnErrorBesideACancelIsWhatTheBatchSystemSays) {
    const auto says = [](BatchState batch) {
        return Evident().taken().says(batch).marker(3).cancelled_by(CancelBy::user).verdict();
    };
    EXPECT_EQ(says(BatchState::running).act, Act::wait);
    EXPECT_EQ(says(BatchState::cancelled).next.state, State::cancelled);
    EXPECT_EQ(says(BatchState::failed).next.exit_code, 3);
}

TEST(DecideEnd, ATermThatNobodyExplainsIsTheResultAfterAWhile) {
    auto evidence = Evident().taken().says(BatchState::running).marker(143);
    EXPECT_EQ(evidence.verdict().act, Act::wait);
    EXPECT_EQ(evidence.says(BatchState::failed).verdict().next.signal, 15);
}

TEST(DecideEnd, APayloadThatEndedBeforeTheCancelKeepsItsResult) {
    for (const auto batch : {BatchState::running, BatchState::cancelled, BatchState::done}) {
        const auto verdict =
            Evident().taken().says(batch).marker(0).cancelled_by(CancelBy::user).verdict();
        EXPECT_EQ(verdict.next.state, State::done) << to_string(batch);
        EXPECT_EQ(verdict.next.exit_code, 0);
    }
}

TEST(DecideEnd, ACancelOfARunningPayloadEndsItsBatchJobAndWaitsForEvidence) {
    for (const auto batch : {BatchState::running, BatchState::suspended, BatchState::finishing}) {
        const auto verdict =
            Evident().taken().says(batch).cancelled_by(CancelBy::operator_).verdict();
        EXPECT_EQ(verdict.act, Act::settle);
        EXPECT_EQ(verdict.next.state, State::running) << to_string(batch);
        EXPECT_TRUE(verdict.cancel_batch);
    }
}

TEST(DecideEnd, ABatchJobsEndWithoutAMarkerCountsAfterTheGrace) {
    struct Case {
        BatchState batch;
        State state;
        Reason reason;
    };
    for (const auto& c :
         {Case{BatchState::done, State::done, Reason::none},
          Case{BatchState::failed, State::failed, Reason::exit_code},
          Case{BatchState::walltime, State::failed, Reason::walltime},
          Case{BatchState::memory, State::failed, Reason::memory},
          Case{BatchState::node_lost, State::failed, Reason::node_lost},
          Case{BatchState::preempted, State::failed, Reason::preempted},
          Case{BatchState::cancelled, State::cancelled, Reason::cancelled_by_site}}) {
        auto evidence = Evident().taken().says(c.batch, noon - 9s, noon - 9s);
        auto verdict = evidence.verdict();
        EXPECT_EQ(verdict.act, Act::wait) << to_string(c.batch);
        EXPECT_GT(verdict.recheck, 0ms);
        EXPECT_LE(verdict.recheck, 1001ms);
        verdict = evidence.says(c.batch, noon - 10s, noon - 10s).verdict();
        EXPECT_EQ(verdict.act, Act::settle) << to_string(c.batch);
        EXPECT_EQ(verdict.next.state, c.state) << to_string(c.batch);
        EXPECT_EQ(verdict.next.reason, c.reason) << to_string(c.batch);
        EXPECT_FALSE(verdict.cancel_batch);
    }
}

TEST(DecideEnd, TheBatchSystemsSignalAndStatusAreTold) {
    auto evidence = Evident().taken().says(BatchState::failed);
    evidence.batch.exit_code = 3;
    EXPECT_EQ(evidence.verdict().next.exit_code, 3);
    evidence.batch.signal = 11;
    EXPECT_EQ(evidence.verdict().next.reason, Reason::signal);
    EXPECT_EQ(evidence.verdict().next.signal, 11);
}

TEST(DecideEnd, AStartThatThePayloadOwnsIsNeverTriedAgain) {
    for (const auto batch : {BatchState::queued, BatchState::done, BatchState::failed,
                             BatchState::node_lost, BatchState::preempted, BatchState::running})
        for (const unsigned looks : {0U, 3U, 10U}) {
            const auto act = Evident().taken().says(batch).missed(looks, 1000s).verdict().act;
            EXPECT_NE(act, Act::retry) << to_string(batch);
            EXPECT_NE(act, Act::void_fence) << to_string(batch);
        }
}

TEST(DecideEnd, ABatchJobPutBackAfterTheStartFailsTheJobAndIsCancelled) {
    for (const auto batch : waiting_states) {
        const auto verdict =
            Evident().taken(noon - 20s).says(batch, noon - 10s, noon - 10s).verdict();
        EXPECT_EQ(verdict.act, Act::settle) << to_string(batch);
        EXPECT_EQ(verdict.next.state, State::failed);
        EXPECT_EQ(verdict.next.reason, Reason::requeued_after_start);
        EXPECT_TRUE(verdict.cancel_batch);
    }
}

TEST(DecideEnd, AnOldAnswerDoesNotPutBackAFenceThatWasTakenSince) {
    for (const auto batch : waiting_states) {
        // The question was put before (or just when) the fence was seen: the start came between.
        for (const auto asked : {noon - 30s, noon - 20s}) {
            const auto verdict = Evident().taken(noon - 20s).says(batch, asked, asked).verdict();
            EXPECT_EQ(verdict.act, Act::settle);
            EXPECT_EQ(verdict.next.state, State::running) << to_string(batch);
            EXPECT_FALSE(verdict.cancel_batch);
        }
    }
}

TEST(DecideEnd, AStartedJobThatIsNowhereIsLostAfterThreeLooksAndTheWindow) {
    for (const auto& [looks, ago] :
         {std::pair(2U, 1000s), std::pair(3U, 299s), std::pair(0U, 1000s)}) {
        const auto verdict =
            Evident().taken().says(BatchState::running).missed(looks, ago).verdict();
        EXPECT_EQ(verdict.next.state, State::running) << looks;
        EXPECT_EQ(verdict.look_up, looks > 0);
    }
    const auto verdict = Evident().taken().says(BatchState::running).missed(3, 300s).verdict();
    EXPECT_EQ(verdict.next.state, State::failed);
    EXPECT_EQ(verdict.next.reason, Reason::lost);
    EXPECT_TRUE(verdict.cancel_batch);
}

TEST(DecideEnd, ARunningJobSaysWhetherItIsSuspendedOrFinishing) {
    EXPECT_EQ(Evident().taken().says(BatchState::suspended).verdict().next.reason,
              Reason::suspended);
    EXPECT_EQ(Evident().taken().says(BatchState::finishing).verdict().next.reason,
              Reason::finishing);
    const auto unseen = Evident().taken().verdict();
    EXPECT_EQ(unseen.next.state, State::running);
    EXPECT_EQ(unseen.next.source, Source::marker) << "the fence says so, not the queue";
    EXPECT_EQ(unseen.next.started, from_ms(1'800'000'000'000));
}

TEST(DecideEnd, TheFirstStartTimeIsKept) {
    auto evidence = Evident().taken().says(BatchState::running);
    evidence.status.started = from_ms(1'700'000'000'000);
    EXPECT_EQ(evidence.verdict().next.started, from_ms(1'700'000'000'000));
}

// The batch system started the batch job again after the payload's start was lost with its node,
// and no look fell between: the second start loses the fence and ends with 0. That end is not the
// payload's.
TEST(DecideEnd, TheEndOfALaterStartOfTheSameBatchJobIsNotThePayloadsResult) {
    auto evidence = Evident().taken().says(BatchState::done);
    evidence.batch.exit_code = 0;
    evidence.batch.restarts = 1;
    const auto verdict = evidence.verdict();
    EXPECT_EQ(verdict.act, Act::settle);
    EXPECT_EQ(verdict.next.state, State::failed);
    EXPECT_EQ(verdict.next.reason, Reason::requeued_after_start);
    EXPECT_EQ(evidence.marker(0).verdict().next.state, State::done) << "a marker is of the fence's";
}

}  // namespace
}  // namespace berth::jobs::test
