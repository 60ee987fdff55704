#include "base/strict_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace berth {
namespace {

using namespace std::string_literals;

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(StrictJson, ReadsWhatIsWellFormed) {
    const std::pair<std::string, nlohmann::json> cases[] = {
        {"{}", nlohmann::json::object()},
        {" [1, -2, 3.5, 1e3] ", {1, -2, 3.5, 1000.0}},
        {R"({"a":{"b":[true,false,null]},"c":"A\n"})",
         {{"a", {{"b", {true, false, nullptr}}}}, {"c", "A\n"}}},
        {"18446744073709551615", 18446744073709551615ULL},
        {"-9223372036854775808", INT64_MIN},
        {R"([{"a":1},{"a":2}])", nlohmann::json::parse(R"([{"a":1},{"a":2}])")},
        {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80"},
    };
    for (const auto& [text, value] : cases) {
        SCOPED_TRACE(text);
        const auto read = parse_strict_json(text, 4);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(*read, value);
    }
}

TEST(StrictJson, RefusesWhatTwoReadersCouldTakeInTwoWays) {
    const std::pair<const char*, std::string> cases[] = {
        {"empty", ""},
        {"trailing text", "{} x"},
        {"two values", "{}{}"},
        {"trailing comma", "[1,]"},
        {"comment", "/**/{}"},
        {"duplicate member", R"({"a":1,"a":1})"},
        {"duplicate member in escaped form", R"({"iss":1,"\u0069ss":2})"},
        {"duplicate member deep inside", R"({"x":[{"y":{"a":1,"a":2}}]})"},
        {"byte order mark", "\xEF\xBB\xBF{}"},
        {"NUL ends the text", "{}\0garbage"s},
        {"NUL inside a string", "\"a\0b\""s},
        {"UTF-16", "{\0}\0"s},
        {"ill-formed UTF-8", "\"\xC0\xAF\""},
        {"lone surrogate", R"("\ud800")"},
        {"float out of range", "1e400"},
        {"NaN", "NaN"},
        {"leading zero", "01"},
        {"plus sign", "+1"},
        {"single quotes", "{'a':1}"},
    };
    for (const auto& [label, text] : cases) {
        const auto read = parse_strict_json(text, 8);
        ASSERT_FALSE(read) << label;
        EXPECT_EQ(read.error().kind, ErrorKind::invalid) << label;
    }
}

TEST(StrictJson, AnIntegerThatNoTypeHoldsIsAValueAtFault) {
    for (const auto* text : {"18446744073709551616", "-9223372036854775809"}) {
        const auto read = parse_strict_json(text, 8);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().kind, ErrorKind::unprocessable) << text;
    }
}

TEST(StrictJson, LimitsDepth) {
    EXPECT_TRUE(parse_strict_json(nested(16), 16));
    EXPECT_FALSE(parse_strict_json(nested(17), 16));
    EXPECT_FALSE(parse_strict_json(nested(1000000), 16));
    EXPECT_FALSE(parse_strict_json("[", 0));
    EXPECT_TRUE(parse_strict_json("7", 0));
}

TEST(StrictJson, SaysWhere) {
    const auto twice = parse_strict_json(R"({"jobs":[{},{"name":1,"name":2}]})", 8);
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().field, "/jobs/1/name");
    EXPECT_NE(twice.error().message.find("\"name\" occurs twice"), std::string::npos);
    const auto syntax = parse_strict_json("{\n  \"secret\": hunter2}", 8);
    ASSERT_FALSE(syntax);
    EXPECT_NE(syntax.error().message.find("line 2, column 13"), std::string::npos)
        << syntax.error().message;
    EXPECT_EQ(syntax.error().message.find("hunter"), std::string::npos);
    const auto number = parse_strict_json(R"({"a~b":{"c/d":99999999999999999999}})", 8);
    ASSERT_FALSE(number);
    EXPECT_EQ(number.error().field, "/a~0b/c~1d");
}

}  // namespace
}  // namespace berth
