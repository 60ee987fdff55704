#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Clock, TimesAreShownInUtcWithMilliseconds) {
    const struct {
        std::int64_t ms;
        const char* text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1'700'000'000'123, "2023-11-14T22:13:20.123Z"},
        {951'782'400'000, "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {4'102'444'799'999, "2099-12-31T23:59:59.999Z"},
    };
    for (const auto& [ms, text] : cases) {
        EXPECT_EQ(to_rfc3339(from_ms(ms)), text);
        const auto read = from_rfc3339(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(to_ms(*read), ms) << text;
    }
}

TEST(Clock, OtherFractionsAreRead) {
    const struct {
        const char* text;
        std::int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"1970-01-01t00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.05Z", 50},
        {"1970-01-01T00:00:00.123456789Z", 123},
    };
    for (const auto& [text, ms] : cases) {
        const auto read = from_rfc3339(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(to_ms(*read), ms) << text;
    }
}

TEST(Clock, WhatIsNoTimeIsRefused) {
    for (const auto* text :
         {"", "Z", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z",
          "2023-11-14T22:13:20+01:00", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z",
          "2023-00-01T00:00:00Z", "2023-01-00T00:00:00Z", "2023-01-01T24:00:00Z",
          "2023-01-01T00:60:00Z", "2023-01-01T00:00:61Z", "2023-01-01T00:00:00.Z",
          "2023-01-01T00:00:00.1234567890Z", "2023-01-01T00:00:00.1x3Z", "2023-01-01T00:00:00xZ",
          "202a-01-01T00:00:00Z", "2023/01/01T00:00:00Z"})
        EXPECT_FALSE(from_rfc3339(text)) << text;
}

TEST(Clock, AFieldIsNeverNegative) {
    for (const auto* text :
         {"-023-01-01T00:00:00Z", "2023--1-01T00:00:00Z", "2023-01--1T00:00:00Z",
          "2023-01-01T-1:00:00Z", "2023-01-01T00:-1:00Z", "2023-01-01T00:00:-1Z"})
        EXPECT_FALSE(from_rfc3339(text)) << text;
}

TEST(Clock, AManualClockMovesOnlyByHand) {
    ManualClock clock;
    const auto wall = clock.wall();
    const auto steady = clock.steady();
    clock.advance(std::chrono::seconds(5));
    EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(5));
    EXPECT_EQ(clock.steady() - steady, std::chrono::seconds(5));
    clock.jump(std::chrono::hours(-1));
    EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(5) - std::chrono::hours(1));
    EXPECT_EQ(clock.steady() - steady, std::chrono::seconds(5));
    clock.set_wall(from_ms(7));
    EXPECT_EQ(to_ms(clock.wall()), 7);
}

TEST(Clock, TheSystemClockTellsTheTime) {
    const SystemClock clock;
    EXPECT_GT(to_ms(clock.wall()), 1'600'000'000'000);
    const auto before = clock.steady();
    EXPECT_GE(clock.steady(), before);
}

}  // namespace
}  // namespace berth
