#include "cache/inflate.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

namespace berth::cache {
namespace {

std::string packed(const std::string& text) {
    auto length = compressBound(text.size());
    std::string result(length, '\0');
    compress(reinterpret_cast<Bytef*>(result.data()), &length,
             reinterpret_cast<const Bytef*>(text.data()), text.size());
    result.resize(length);
    return result;
}

TEST(Inflate, GivesBackWhatWasPackedUpToTheLimit) {
    for (const std::size_t size :
         {std::size_t(0), std::size_t(1), std::size_t(65536), std::size_t(1'000'000)}) {
        const std::string text(size, 'x');
        const auto unpacked = inflate(packed(text), size);
        ASSERT_TRUE(unpacked) << size;
        EXPECT_EQ(*unpacked, text);
    }
    EXPECT_EQ(inflate(packed("abc"), 2).error().kind, ErrorKind::too_large);
}

TEST(Inflate, ABombStopsAtTheLimit) {
    const auto bomb = packed(std::string(50'000'000, '\0'));
    EXPECT_LT(bomb.size(), 100'000U);
    EXPECT_EQ(inflate(bomb, 1'000'000).error().kind, ErrorKind::too_large);
}

TEST(Inflate, DamagedBytesAreRefused) {
    const auto good = packed("some text that is long enough to be packed");
    EXPECT_EQ(inflate("", 100).error().kind, ErrorKind::invalid);
    for (std::size_t length = 1; length < good.size(); ++length)
        EXPECT_EQ(inflate(good.substr(0, length), 100).error().kind, ErrorKind::invalid) << length;
    EXPECT_EQ(inflate(good + "x", 100).error().kind, ErrorKind::invalid);
    auto flipped = good;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    EXPECT_EQ(inflate(flipped, 100).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace berth::cache
