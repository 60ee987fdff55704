#include "cache/inflate.hpp"
#include "support/packed.hpp"

#include <gtest/gtest.h>

namespace berth::cache {
namespace {

using test::packed;

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

// What comes out when `bytes` arrive in pieces of `piece` bytes.
Result<std::string> inflate_pieces(std::string bytes, std::size_t piece, std::uint64_t bytes_max) {
    std::string result;
    std::size_t at = 0;
    const auto read = [&]() -> Result<std::string_view> {
        const auto next = std::string_view(bytes).substr(at, piece);
        at += next.size();
        return next;
    };
    const auto write = [&](std::string_view text) -> Result<void> {
        result += text;
        return {};
    };
    const auto count = inflate(read, write, bytes_max);
    if (!count)
        return count.error();
    EXPECT_EQ(*count, result.size());
    return result;
}

TEST(Inflate, PiecesGiveTheSameAsTheWhole) {
    std::string mixed;
    for (std::uint32_t i = 0; i < 300'000; ++i)
        mixed += static_cast<char>(i * i >> 7U);
    for (const auto& text : {std::string(), std::string("abc"), std::string(65536, 'x'), mixed}) {
        const auto bytes = packed(text);
        for (const std::size_t piece : {std::size_t(1), std::size_t(7), bytes.size()}) {
            const auto unpacked = inflate_pieces(bytes, piece, text.size());
            ASSERT_TRUE(unpacked) << unpacked.error().message;
            EXPECT_TRUE(*unpacked == text);
            if (!text.empty()) {
                EXPECT_EQ(inflate_pieces(bytes, piece, text.size() - 1).error().kind,
                          ErrorKind::too_large);
            }
            EXPECT_EQ(inflate_pieces(bytes + "x", piece, 400'000).error().kind, ErrorKind::invalid);
            const auto cut = bytes.substr(0, bytes.size() - 1);
            EXPECT_EQ(inflate_pieces(cut, piece, 400'000).error().kind, ErrorKind::invalid);
        }
    }
    EXPECT_EQ(inflate_pieces("", 1, 10).error().kind, ErrorKind::invalid);
    EXPECT_EQ(inflate_pieces("not zlib", 3, 10).error().kind, ErrorKind::invalid);
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
