// The wall clock of the daemon's machine jumps.
#include "integration/engine/engine_fixture.hpp"

namespace berth::test {
namespace {

using jobs::Reason;
using jobs::State;
using std::chrono::hours;

class ClockJump : public EngineTest {};

TEST_F(ClockJump, EndsNoWaitForUploads) {
    start();
    const auto id = accept(1, 1, State::uploading).front();
    clock_.jump(hours(2));
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(release(id));
    EXPECT_TRUE(stays(id, State::uploading));
    clock_.jump(-hours(4));
    ASSERT_TRUE(hold(id));
    ASSERT_TRUE(release(id));
    EXPECT_TRUE(stays(id, State::uploading));
    clock_.advance(settings_.upload_timeout);
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).reason, Reason::upload_timeout);
}

TEST_F(ClockJump, WhileTheDaemonIsAwayTheWaitForUploadsGoesOn) {
    start();
    const auto id = accept(1, 1, State::uploading).front();
    stop();
    clock_.advance(settings_.upload_timeout);
    start();
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).reason, Reason::upload_timeout);
}

TEST_F(ClockJump, OfAnHourHidesNoBatchJobFromALookUp) {
    batch_.answers = {FakeBatch::Answer::lose_reply};
    const auto real = clock_.wall();
    clock_.jump(hours(1));
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_LT(batch_.looked_since, real);
}

}  // namespace
}  // namespace berth::test
