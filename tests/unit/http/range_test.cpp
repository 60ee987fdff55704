#include "http/range.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::http {
namespace {

TEST(Range, GivesThePartThatWasAskedFor) {
    struct Case {
        std::string field;
        std::uint64_t size, first, length;
    };
    const std::vector<Case> cases = {
        {"bytes=0-0", 10, 0, 1},
        {"bytes=2-5", 10, 2, 4},
        {"bytes=2-", 10, 2, 8},
        {"bytes=-3", 10, 7, 3},
        {"bytes=-30", 10, 0, 10},
        {"bytes=2-500", 10, 2, 8},
        {"Bytes= 2-5 ", 10, 2, 4},
        {"bytes=9-99999999999999999999999", 10, 9, 1},
        {"bytes=-99999999999999999999999", 10, 0, 10},
        {"bytes=4294967296-4294967297", 5000000000, 4294967296, 2},
    };
    for (const auto& c : cases) {
        const auto got = read_range(c.field, c.size);
        EXPECT_EQ(got.verdict, RangeVerdict::partial) << c.field;
        EXPECT_EQ(got.range.first, c.first) << c.field;
        EXPECT_EQ(got.range.length, c.length) << c.field;
    }
}

TEST(Range, ThatLiesBehindTheEndIsUnsatisfiable) {
    for (const std::string field :
         {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"})
        EXPECT_EQ(read_range(field, 10).verdict, RangeVerdict::unsatisfiable) << field;
    EXPECT_EQ(read_range("bytes=0-", 0).verdict, RangeVerdict::unsatisfiable);
}

TEST(Range, ThatIsNotUnderstoodMeansTheWhole) {
    for (const std::string field :
         {"", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2",
          "bytes=+1-2", "bytes=1--2", "bytes=0x1-2", "bytes 1-2", "bytes=1-2x", "=1-2"})
        EXPECT_EQ(read_range(field, 10).verdict, RangeVerdict::whole) << field;
    EXPECT_EQ(read_range("bytes=-5", 0).verdict, RangeVerdict::whole);
}

}  // namespace
}  // namespace berth::http
