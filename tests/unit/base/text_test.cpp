#include "base/text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

namespace berth {
namespace {

using namespace std::string_view_literals;

using Parts = std::vector<std::string_view>;

TEST(Text, SplitKeepsEmptyParts) {
    EXPECT_EQ(split("", ','), (Parts{""}));
    EXPECT_EQ(split("a", ','), (Parts{"a"}));
    EXPECT_EQ(split("a,,b", ','), (Parts{"a", "", "b"}));
    EXPECT_EQ(split(",", ','), (Parts{"", ""}));
}

TEST(Text, TrimTakesSpaceFromBothEndsOnly) {
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim(" \n"), "");
    EXPECT_EQ(trim(""), "");
    EXPECT_EQ(trim("\va"), "\va");
}

TEST(Text, OnlyAsciiLettersChangeCase) {
    EXPECT_EQ(to_lower("AbZ[\xC3\x84"), "abz[\xC3\x84");
    EXPECT_TRUE(equal_ignoring_case("Content-Length", "content-lengtH"));
    EXPECT_FALSE(equal_ignoring_case("a", "ab"));
    EXPECT_FALSE(equal_ignoring_case("[", "{"));
}

TEST(Text, JoinPutsTheSeparatorBetween) {
    const std::vector<std::string> parts = {"a", "", "c"};
    EXPECT_EQ(join(parts, ", "), "a, , c");
    EXPECT_EQ(join({}, ", "), "");
}

TEST(Text, ANumberIsTheWholeText) {
    EXPECT_EQ(to_number<int>("-12"), -12);
    EXPECT_EQ(to_number<unsigned>("4294967295"), 4294967295U);
    for (const auto* text : {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "4294967296", "1.0"})
        EXPECT_FALSE(to_number<unsigned>(text)) << text;
}

TEST(Text, Utf8IsCheckedToTheLetter) {
    for (const auto text :
         {""sv, "abc\0"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv,
          "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv})
        EXPECT_TRUE(is_utf8(text)) << printable(text);
    const std::string_view wrong[] = {
        "\x80"sv,              // a tail byte alone
        "\xC0\xAF"sv,          // overlong "/"
        "\xC1\xBF"sv,          // overlong
        "\xC2"sv,              // cut off
        "\xC2\x41"sv,          // no tail byte
        "\xE0\x9F\xBF"sv,      // overlong
        "\xED\xA0\x80"sv,      // a surrogate
        "\xE1\x80"sv,          // cut off
        "\xF0\x8F\xBF\xBF"sv,  // overlong
        "\xF4\x90\x80\x80"sv,  // above U+10FFFF
        "\xF5\x80\x80\x80"sv,
        "\xFF"sv,
        "a\xF1\x80\x80"sv,
    };
    for (const auto text : wrong)
        EXPECT_FALSE(is_utf8(text)) << printable(text);
}

TEST(Text, AShellReadsBackWhatWasQuoted) {
    for (const std::string text : {"", "a b", "it's", "'", "$HOME `x` \\ \" ! *", "a\nb"}) {
        const auto command = "printf %s " + shell_quote(text);
        std::FILE* const shell = ::popen(command.c_str(), "r");
        ASSERT_NE(shell, nullptr);
        std::array<char, 100> buffer{};
        const auto got = std::fread(buffer.data(), 1, buffer.size(), shell);
        EXPECT_EQ(::pclose(shell), 0);
        EXPECT_EQ(std::string(buffer.data(), got), text);
    }
}

TEST(Text, PrintableShowsControlBytesAndCutsLongText) {
    EXPECT_EQ(printable("a~ "), "a~ ");
    EXPECT_EQ(printable("a\n\x7F\xC3\xA4"), "a\\x0a\\x7f\\xc3\\xa4");
    EXPECT_EQ(printable("abcdef", 3), "abc...");
    EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Text, TheNearestNameIsFound) {
    static constexpr auto known = std::to_array<std::string_view>({"listen", "certificate", "key"});
    EXPECT_EQ(nearest("listne", known), "listen");
    EXPECT_EQ(nearest("certifcate", known), "certificate");
    EXPECT_EQ(nearest("key", known), "key");
    EXPECT_EQ(nearest("connections", known), "");
    EXPECT_EQ(nearest("listen", {}), "");
}

TEST(Text, HexHasTwoDigitsForEachByte) {
    const unsigned char bytes[] = {0x00, 0x0F, 0xA0, 0xFF};
    EXPECT_EQ(to_hex(bytes), "000fa0ff");
    EXPECT_EQ(to_hex({}), "");
}

}  // namespace
}  // namespace berth
