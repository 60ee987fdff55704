#include "support/decode_chunks.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::http {
namespace {

test::DecodedChunks decode(std::string_view body, std::size_t step,
                           std::size_t data_max = 1U << 20U) {
    auto decoded = test::decode_chunks(body, step, data_max);
    EXPECT_FALSE(decoded.broke_limits) << body << " in steps of " << step;
    return decoded;
}

TEST(Chunks, AreJoinedAndEndWithTheEmptyOne) {
    const std::string body = "4\r\nWiki\r\n6;a=b\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n";
    for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U}) {
        const auto got = decode(body, step);
        EXPECT_EQ(got.data, "Wikipedia in \r\n\r\nchunks.") << step;
        EXPECT_TRUE(got.done);
        EXPECT_EQ(got.used, body.size());
    }
}

TEST(Chunks, LeaveTheBytesOfTheNextRequest) {
    ChunkDecoder decoder{GateSettings()};
    const auto got = decoder.feed("1\r\na\r\n000\r\n\r\nGET /", 100);
    EXPECT_TRUE(got.done);
    EXPECT_EQ(got.used, 13U);
    EXPECT_EQ(decoder.feed("GET /", 100).used, 0U);
}

TEST(Chunks, GiveNoMoreThanAsked) {
    ChunkDecoder decoder{GateSettings()};
    const std::string body = "A\r\n0123456789\r\n0\r\n\r\n";
    const auto first = decoder.feed(body, 4);
    EXPECT_EQ(first.data, "0123");
    EXPECT_FALSE(first.done);
    const auto second = decoder.feed(std::string_view(body).substr(first.used), 100);
    EXPECT_EQ(second.data, "456789");
    EXPECT_TRUE(second.done);
    EXPECT_EQ(decode(body, 100, 3).data, "0123456789");
}

TEST(Chunks, RefuseWhatTwoDecodersCouldReadInTwoWays) {
    const std::vector<std::string> bad = {
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "_5\r\nhello\r\n0\r\n\r\n",
        "5_\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\t\r\nhello\r\n0\r\n\r\n",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",  // 2^64 + 5
        "1000000000000000\r\nhello\r\n0\r\n\r\n",   // 2^60
        "0000000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\r\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        std::string("5;a\0b\r\nhello\r\n0\r\n\r\n", 20),
        "5;" + std::string(300, 'a') + "\r\nhello\r\n0\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nHost: evil\r\n\r\n",
        "0\r\n\n",
        "0\n\r\n",
        "0\r\n\rX",
    };
    for (const auto& body : bad) {
        for (const std::size_t step : {1U, 3U, 10000U}) {
            const auto got = decode(body, step);
            EXPECT_TRUE(got.refused) << body << " in steps of " << step;
            EXPECT_FALSE(got.done) << body;
        }
    }
}

TEST(Chunks, WaitForMoreWhenCutOff) {
    const std::string body = "5;x=y\r\nhello\r\n0\r\n\r\n";
    for (std::size_t length = 0; length < body.size(); ++length) {
        const auto got = decode(std::string_view(body).substr(0, length), 1);
        EXPECT_FALSE(got.done) << length;
        EXPECT_FALSE(got.refused) << length;
    }
}

}  // namespace
}  // namespace berth::http
