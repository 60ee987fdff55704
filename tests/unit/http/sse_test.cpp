#include "http/sse.hpp"

#include <gtest/gtest.h>

namespace berth::http {
namespace {

TEST(ServerSentEvents, HaveOneDataFieldForEachLine) {
    EXPECT_EQ(format({"7", "job", "{\"a\": 1}"}), "id: 7\nevent: job\ndata: {\"a\": 1}\n\n");
    EXPECT_EQ(format({"", "", "a\nb\r\nc\rd"}), "data: a\ndata: b\ndata: c\ndata: d\n\n");
    EXPECT_EQ(format({"", "", "a\n"}), "data: a\ndata: \n\n");
}

TEST(ServerSentEvents, NeverBeginAnotherFieldFromAValue) {
    EXPECT_EQ(format({"1\ndata: x", "a\r\nid: 9", ""}), "id: 1data: x\nevent: aid: 9\n\n");
    EXPECT_EQ(sse_comment("a\n\ndata: x"), ": adata: x\n\n");
    EXPECT_EQ(sse_comment(), ": \n\n");
}

}  // namespace
}  // namespace berth::http
