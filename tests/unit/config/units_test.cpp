#include "config/units.hpp"

#include <gtest/gtest.h>

namespace berth::config {
namespace {

TEST(Units, DurationsAreRead) {
    const struct {
        const char* text;
        long seconds;
    } cases[] = {{"0s", 0},        {"30s", 30}, {"5m", 300},           {"2h", 7200},
                 {"14d", 1209600}, {"007s", 7}, {"36500d", 3153600000}};
    for (const auto& [text, seconds] : cases) {
        const auto read = read_duration(text);
        ASSERT_TRUE(read) << text << ": " << read.error().message;
        EXPECT_EQ(read->count(), seconds) << text;
    }
}

TEST(Units, SizesAreRead) {
    const struct {
        const char* text;
        std::uint64_t bytes;
    } cases[] = {{"0B", 0},
                 {"17B", 17},
                 {"3kB", 3000},
                 {"100MB", 100'000'000},
                 {"2GB", 2'000'000'000},
                 {"1TB", 1'000'000'000'000},
                 {"1KiB", 1024},
                 {"8MiB", 8388608},
                 {"2GiB", 2147483648},
                 {"16777215TiB", 18446742974197923840U}};
    for (const auto& [text, bytes] : cases) {
        const auto read = read_size(text);
        ASSERT_TRUE(read) << text << ": " << read.error().message;
        EXPECT_EQ(*read, bytes) << text;
    }
}

TEST(Units, WhatIsNoDurationIsRefusedWithAReason) {
    const struct {
        const char* text;
        const char* message;
    } cases[] = {
        {"", "\"\" is not a duration: write a whole number and a unit, for example \"30s\""},
        {"s", "\"s\" is not a duration: write a whole number and a unit, for example \"30s\""},
        {"-5s", "\"-5s\" is not a duration: write a whole number and a unit, for example \"30s\""},
        {"+5s", "\"+5s\" is not a duration: write a whole number and a unit, for example \"30s\""},
        {"1.5h",
         "\"1.5h\" is not a duration: write a whole number and a unit, for example "
         "\"30s\""},
        {"30", "\"30\" is not a duration: the unit is missing; use s, m, h or d"},
        {"30 s", "\"30 s\" is not a duration: the unit \" s\" is unknown; use s, m, h or d"},
        {"30S",
         "\"30S\" is not a duration: the unit \"S\" is unknown; use s, m, h or d; did you "
         "mean \"s\"?"},
        {"1h30m", "\"1h30m\" is not a duration: the unit \"h30m\" is unknown; use s, m, h or d"},
        {"36501d", "\"36501d\" is not a duration: the number is too large"},
        {"99999999999999999999s",
         "\"99999999999999999999s\" is not a duration: the number is too large"},
    };
    for (const auto& [text, message] : cases) {
        const auto read = read_duration(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().message, message);
        EXPECT_EQ(read.error().kind, ErrorKind::invalid);
    }
}

TEST(Units, WhatIsNoSizeIsRefused) {
    for (const auto* text : {"", "MB", "1", "1mb", "1M", "1 MB", "1MBx", "-1B", "1.5GB", "1e3B",
                             "18446744073709551616B", "16777216TiB", "1\tB"})
        EXPECT_FALSE(read_size(text)) << text;
}

TEST(Units, WhatIsShownReadsBack) {
    for (const std::uint64_t bytes :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1024},
          std::uint64_t{1'024'000}, std::uint64_t{8} << 20U, std::uint64_t{100'000'000},
          ~std::uint64_t{0}}) {
        const auto read = read_size(show_size(bytes));
        ASSERT_TRUE(read) << show_size(bytes);
        EXPECT_EQ(*read, bytes) << show_size(bytes);
    }
    for (const long seconds : {0L, 1L, 59L, 60L, 90L, 3600L, 86400L, 86401L})
        EXPECT_EQ(read_duration(show_duration(std::chrono::seconds(seconds)))->count(), seconds);
}

TEST(Units, TheShortestTextIsShown) {
    EXPECT_EQ(show_size(8U << 20U), "8MiB");
    EXPECT_EQ(show_size(100'000'000), "100MB");
    EXPECT_EQ(show_size(0), "0B");
    EXPECT_EQ(show_duration(std::chrono::hours(48)), "2d");
    EXPECT_EQ(show_duration(std::chrono::seconds(75)), "75s");
    EXPECT_EQ(show_duration(std::chrono::seconds(0)), "0s");
}

}  // namespace
}  // namespace berth::config
