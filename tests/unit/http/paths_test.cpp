#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace berth::http {
namespace {

TEST(DecodePath, DecodesWhatStaysInThePath) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"/a%20b", "/a b"},
        {"/%41", "/A"},
        {"/a+b", "/a+b"},
        {"/caf%C3%A9", "/caf\xC3\xA9"},
        {"/a//b/", "/a//b/"},
        {"/.hidden", "/.hidden"},
        {"/a..b/...", "/a..b/..."},
        {"/%252e", "/%2e"},
        {"/.cvmfspublished", "/.cvmfspublished"},
    };
    for (const auto& [encoded, decoded] : cases)
        EXPECT_EQ(decode_path(encoded), decoded) << encoded;
}

TEST(DecodePath, RefusesWhatCouldLeaveIt) {
    const std::vector<std::string> bad = {"",           "a",       "/..",     "/.",
                                          "/a/..",      "/../a",   "/a/../b", "/a/./b",
                                          "/%2e%2e/a",  "/%2E./a", "/.%2e",   "/%2e",
                                          "/a%2fb",     "/a%2Fb",  "/a%5cb",  "/a\\b",
                                          "/a%00",      "/a%0a",   "/a%0D",   "/a%7f",
                                          "/a%1b",      "/%",      "/%4",     "/%4g",
                                          "/%g4",       "/%%41",   "/%C0%AE", "/%C0%AF",
                                          "/%ED%A0%80", "/%FF",    "/%C3",    "/%F4%90%80%80",
                                          "/a\tb",      "/a\nb"};
    for (const auto& encoded : bad)
        EXPECT_EQ(decode_path(encoded), std::nullopt) << encoded;
}

}  // namespace
}  // namespace berth::http
