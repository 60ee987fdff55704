#include "http/response_head.hpp"

#include <gtest/gtest.h>

namespace berth::http {
namespace {

ResponseHeadResult read(const std::string& text, bool to_head = false) {
    return read_response_head(text, to_head);
}

TEST(ResponseHead, IsReadWhenItIsWholeAndNotBefore) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhelloHTTP/1.1 200 OK";
    const auto end = text.find("hello");
    for (std::size_t length = 0; length < end; ++length) {
        const auto part = read(text.substr(0, length));
        EXPECT_TRUE(!part.head && part.error.empty()) << length;
    }
    const auto whole = read(text);
    ASSERT_TRUE(whole.head);
    EXPECT_EQ(whole.bytes, end);
    EXPECT_EQ(whole.head->status, 200);
    EXPECT_EQ(whole.head->length, 5U);
    EXPECT_TRUE(whole.head->keep_alive);
    EXPECT_EQ(whole.head->headers.get("etag"), "\"x\"");
}

TEST(ResponseHead, HowTheBodyEnds) {
    struct Case {
        std::string head;
        bool to_head, has_body, chunked, keep_alive;
    };
    for (const auto& c : {
             Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", false, true, true, true},
             Case{"HTTP/1.1 200 OK\r\n", false, true, false, false},
             Case{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n", false, true, false, false},
             Case{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n", false, true,
                  false, true},
             Case{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n", false, true,
                  false, false},
             Case{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", true, false, false, true},
             Case{"HTTP/1.1 200 OK\r\n", true, false, false, true},
             Case{"HTTP/1.1 204 No Content\r\n", false, false, false, true},
             Case{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n", false, false, false, true},
             Case{"HTTP/1.1 100 Continue\r\n", false, false, false, true},
             Case{"HTTP/1.1 200\r\nContent-Length: 0\r\n", false, true, false, true},
         }) {
        const auto result = read(c.head + "\r\n", c.to_head);
        ASSERT_TRUE(result.head) << c.head << result.error;
        EXPECT_EQ(result.head->has_body, c.has_body) << c.head;
        EXPECT_EQ(result.head->chunked, c.chunked) << c.head;
        EXPECT_EQ(result.head->keep_alive, c.keep_alive) << c.head;
    }
}

TEST(ResponseHead, WhatTwoReadersCouldReadInTwoWaysIsRefused) {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    for (const auto& text : {
             std::string("HTTP/2 200 OK\r\n"),
             std::string("HTTP/1.2 200 OK\r\n"),
             std::string("ICY 200 OK\r\n"),
             std::string("HTTP/1.1  200 OK\r\n"),
             std::string("HTTP/1.1 2000 OK\r\n"),
             std::string("HTTP/1.1 20 OK\r\n"),
             std::string("HTTP/1.1 099 OK\r\n"),
             std::string("HTTP/1.1 600 OK\r\n"),
             std::string("HTTP/1.1 +20 OK\r\n"),
             std::string("HTTP/1.1 200 OK\n"),
             ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
             ok + "Content-Length: 5\r\nContent-Length: 5\r\n",
             ok + "Content-Length: 5, 5\r\n",
             ok + "Content-Length: +5\r\n",
             ok + "Content-Length: 05\r\n",
             ok + "Content-Length:\r\n",
             ok + "Transfer-Encoding: gzip, chunked\r\n",
             ok + "Transfer-Encoding: identity\r\n",
             ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
             ok + "X: a\r\n b\r\n",
             ok + "X : a\r\n",
             ok + "no colon\r\n",
             ok + std::string("X: a\0b\r\n", 8),
             ok + "X: a\rb\r\n",
             std::string("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"),
         }) {
        const auto result = read(text + "\r\n");
        EXPECT_FALSE(result.head) << text;
        EXPECT_FALSE(result.error.empty()) << text;
    }
}

TEST(ResponseHead, HasLimits) {
    EXPECT_FALSE(read("HTTP/1.1 200 " + std::string(100'000, 'x')).error.empty());
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 201; ++i)
        many += "X: y\r\n";
    EXPECT_FALSE(read(many + "\r\n").error.empty());
}

}  // namespace
}  // namespace berth::http
