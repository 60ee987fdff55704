#include "sites/submit_width.hpp"

#include <gtest/gtest.h>

namespace berth::sites {

namespace {

void answers(SubmitWidth& width, unsigned count, std::chrono::milliseconds took) {
    for (unsigned i = 0; i < count; ++i)
        width.answered(took);
}

constexpr std::chrono::milliseconds quick{20}, middling{3000}, slow{10'000};

TEST(SubmitWidth, StaysAtItsLimitWhileAnswersAreQuick) {
    SubmitWidth width(8);
    answers(width, 100, quick);
    EXPECT_EQ(width.now(), 8U);
}

TEST(SubmitWidth, HalvesWithEachRoundThatHasASlowAnswerButNotBelowOne) {
    SubmitWidth width(8);
    answers(width, 7, quick);
    answers(width, 1, slow);
    EXPECT_EQ(width.now(), 4U);
    answers(width, 100, slow);
    EXPECT_EQ(width.now(), 1U);
}

TEST(SubmitWidth, GrowsByOneWithEachQuickRound) {
    SubmitWidth width(8);
    answers(width, 8, slow);
    answers(width, 4, quick);
    EXPECT_EQ(width.now(), 5U);
    answers(width, 5 + 6 + 7, quick);
    EXPECT_EQ(width.now(), 8U);
}

TEST(SubmitWidth, KeepsWhatItIsWhenAnswersAreNeitherQuickNorSlow) {
    SubmitWidth width(8);
    answers(width, 8, slow);
    answers(width, 100, middling);
    EXPECT_EQ(width.now(), 4U);
}

}  // namespace

}  // namespace berth::sites
