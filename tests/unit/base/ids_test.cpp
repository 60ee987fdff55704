#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace berth {
namespace {

TEST(Ids, RandomTextHasItsLengthAndAlphabet) {
    EXPECT_EQ(random_base32(0), "");
    const auto text = random_base32(5000);
    EXPECT_EQ(text.size(), 5000U);
    EXPECT_EQ(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
    // Each of the 32 characters is missing with a chance of 10^-69.
    EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 32U);
}

TEST(Ids, RandomTextIsNeverTheSame) {
    EXPECT_NE(random_base32(26), random_base32(26));
}

TEST(Ids, RandomBytesFillTheWholeSpan) {
    std::array<unsigned char, 1024> bytes{};
    random_bytes(bytes);
    EXPECT_LT(std::ranges::count(bytes, 0), 64);
}

TEST(Ids, JobIdsSortByAge) {
    std::vector<std::string> ids;
    for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{1}, std::int64_t{31},
                                  std::int64_t{32}, std::int64_t{1'700'000'000'000},
                                  std::int64_t{1'700'000'000'001}, std::int64_t{4'102'444'800'000}})
        ids.push_back(make_job_id(ms));
    EXPECT_TRUE(std::ranges::is_sorted(ids));
    for (const auto& id : ids)
        EXPECT_TRUE(is_job_id(id)) << id;
}

TEST(Ids, TwoJobsOfOneMillisecondDiffer) {
    EXPECT_NE(make_job_id(1), make_job_id(1));
}

TEST(Ids, OnlyJobIdsAreJobIds) {
    const auto id = make_job_id(1'700'000'000'000);
    auto other = id;
    other[7] = 'w';
    auto upper = id;
    upper[7] = 'A';
    for (const auto& text : {std::string(), id + "0", id.substr(1), other, upper,
                             std::string("../../../../etc/passwd")})
        EXPECT_FALSE(is_job_id(text)) << text;
}

}  // namespace
}  // namespace berth
