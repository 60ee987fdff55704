#include "http/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace berth::http {
namespace {

TEST(Headers, CompareNamesWithoutCase) {
    Headers headers = {{"Accept", "a"}, {"accept", "b"}};
    EXPECT_EQ(headers.get("ACCEPT"), "a");
    EXPECT_EQ(headers.count("Accept"), 2U);
    headers.set("aCCept", "c");
    EXPECT_EQ(headers.count("Accept"), 1U);
    EXPECT_EQ(headers.get("Accept"), "c");
    headers.remove("ACCEPT");
    EXPECT_FALSE(headers.contains("accept"));
    EXPECT_EQ(headers.get("accept"), "");
}

TEST(Query, IsDecodedPerParameter) {
    using Parameters = std::vector<std::pair<std::string, std::string>>;
    const auto all = query_values("a=1&b=x%20y+z&c&=d&a=2&&e=%26%3D&%c3%a9=%C3%A9&f=g=h");
    ASSERT_TRUE(all);
    EXPECT_EQ(*all, (Parameters{{"a", "1"},
                                {"b", "x y z"},
                                {"c", ""},
                                {"", "d"},
                                {"a", "2"},
                                {"e", "&="},
                                {"\u00e9", "\u00e9"},
                                {"f", "g=h"}}));
    ASSERT_TRUE(query_values(""));
    EXPECT_TRUE(query_values("")->empty());
}

TEST(Query, IsRefusedWithTheParameterThatIsNotPercentEncodedText) {
    struct Case {
        std::string query, field;
    };
    const std::vector<Case> cases = {
        {"name=%zz", "name"},         {"name=%", "name"},         {"name=%4", "name"},
        {"a=1&name=x%4&b=2", "name"}, {"name=%ff", "name"},       {"name=%c3", "name"},
        {"name=%c0%80", "name"},      {"name=%ed%a0%80", "name"}, {"name=%00", "name"},
        {"name=a%00b", "name"},       {"na%zzme=1", "na%zzme"},   {"%ff=1", "%ff"},
        {"n%61me=%-1", "name"},       {"=%zz", "query"},          {"name=\xff", "name"},
    };
    for (const auto& [query, field] : cases) {
        const auto read = query_values(query);
        ASSERT_FALSE(read) << query;
        EXPECT_EQ(read.error().kind, ErrorKind::invalid) << query;
        EXPECT_EQ(read.error().field, field) << query;
    }
}

HeadOptions with_length(std::int64_t length, bool keep_alive = true) {
    HeadOptions options;
    options.length = length;
    options.keep_alive = keep_alive;
    return options;
}

TEST(SerializeHead, WritesStatusFieldsAndFraming) {
    Response response;
    response.status = 201;
    response.headers = {{"Location", "/v1/jobs/1"}};
    auto options = with_length(5);
    options.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    EXPECT_EQ(serialize_head(response, options),
              "HTTP/1.1 201 Created\r\nLocation: /v1/jobs/1\r\n"
              "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: berth\r\nContent-Length: 5\r\n"
              "Connection: keep-alive\r\n\r\n");
}

TEST(SerializeHead, WritesChunksAndCloseWithoutALength) {
    HeadOptions options;
    options.chunked = true;
    options.keep_alive = false;
    EXPECT_EQ(serialize_head(Response(), options),
              "HTTP/1.1 200 OK\r\nServer: berth\r\nTransfer-Encoding: chunked\r\n"
              "Connection: close\r\n\r\n");
}

TEST(SerializeHead, ReplacesFramingFieldsOfTheHandler) {
    Response response;
    response.headers = {{"content-length", "99"},
                        {"Transfer-encoding", "gzip"},
                        {"Connection", "upgrade"},
                        {"Date", "then"},
                        {"Server", "origin"}};
    auto options = with_length(0);
    options.date = "now";
    EXPECT_EQ(serialize_head(response, options),
              "HTTP/1.1 200 OK\r\nDate: then\r\nServer: origin\r\nContent-Length: 0\r\n"
              "Connection: keep-alive\r\n\r\n");
}

TEST(SerializeHead, DropsFieldsThatCouldSplitTheResponse) {
    Response response;
    response.headers = {{"A", "x\r\nSet-Cookie: y"},
                        {"B", "x\ny"},
                        {"C", "x\ry"},
                        {"D", std::string("x\0y", 3)},
                        {"E\r\nF", "z"},
                        {"G:", "z"},
                        {"", "z"},
                        {"H", "kept"}};
    EXPECT_EQ(serialize_head(response, with_length(0)),
              "HTTP/1.1 200 OK\r\nH: kept\r\nServer: berth\r\nContent-Length: 0\r\n"
              "Connection: keep-alive\r\n\r\n");
}

TEST(FormatDate, WritesImfFixdate) {
    EXPECT_EQ(format_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace berth::http
