#include "cache/content.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

namespace berth::cache {
namespace {

TEST(Content, TheThreeAlgorithmsGiveTheirKnownValues) {
    // sha1sum, openssl rmd160, and hashlib.shake_128(b"abc").hexdigest(20).
    EXPECT_EQ(content_id_of(Algorithm::sha1, "abc").text(),
              "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(content_id_of(Algorithm::rmd160, "abc").text(),
              "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc-rmd160");
    EXPECT_EQ(content_id_of(Algorithm::shake128, "abc").text(),
              "5881092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128");
}

TEST(Content, APiecewiseHashIsThatOfTheWholeAndCanGoOn) {
    for (const auto algorithm : {Algorithm::sha1, Algorithm::rmd160, Algorithm::shake128}) {
        ContentHash hash(algorithm);
        EXPECT_EQ(hash.value(), content_id_of(algorithm, ""));
        hash.update("ab");
        EXPECT_EQ(hash.value(), content_id_of(algorithm, "ab"));
        hash.update("");
        hash.update("c");
        EXPECT_EQ(hash.value(), content_id_of(algorithm, "abc"));
    }
}

TEST(Content, ATextIsReadOnlyInItsOneForm) {
    const std::string hex = "a9993e364706816aba3e25717850c26c9cd0d89d";
    for (const auto* suffix : {"", "-rmd160", "-shake128"}) {
        const auto id = content_id_from(hex + suffix);
        ASSERT_TRUE(id) << suffix;
        EXPECT_EQ(id->text(), hex + suffix);
    }
    EXPECT_EQ(content_id_from(hex + "-rmd160")->path(),
              "data/a9/993e364706816aba3e25717850c26c9cd0d89d-rmd160");
    for (const auto& bad : {std::string(), hex.substr(1), hex + "0", hex + "-", hex + "-sha1",
                            hex + "-RMD160", hex + "C", "A" + hex.substr(1), "g" + hex.substr(1)})
        EXPECT_FALSE(content_id_from(bad)) << bad;
}

TEST(Content, IdsOfOneDigestAndTwoAlgorithmsDiffer) {
    ContentId first, second;
    second.algorithm = Algorithm::rmd160;
    EXPECT_NE(first, second);
    const std::unordered_set<ContentId> ids = {first, second, first};
    EXPECT_EQ(ids.size(), 2U);
}

}  // namespace
}  // namespace berth::cache
