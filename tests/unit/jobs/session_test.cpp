#include "jobs/session.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth::jobs {
namespace {

TEST(Fence, IsReadFromTheText) {
    struct Case {
        const char* link;
        Fence::Kind kind;
        const char* tag;
        const char* batch_id;
        const char* nonce;
    };
    const std::vector<Case> cases = {
        {"babcd1234567890:123:00ff", Fence::Kind::taken, "babcd1234567890", "123", "00ff"},
        {"btag:123_4:n", Fence::Kind::taken, "btag", "123_4", "n"},
        {"btag:12[3].pbs:n", Fence::Kind::taken, "btag", "12[3].pbs", "n"},
        {"btag:cluster:12:n", Fence::Kind::taken, "btag", "cluster:12", "n"},
        {"void:abcdef", Fence::Kind::voided, "", "", ""},
        {"void:", Fence::Kind::voided, "", "", ""},
        {"", Fence::Kind::unreadable, "", "", ""},
        {"btag", Fence::Kind::unreadable, "", "", ""},
        {"btag:123", Fence::Kind::unreadable, "", "", ""},
        {"btag:123:", Fence::Kind::unreadable, "", "", ""},
        {":123:n", Fence::Kind::unreadable, "", "", ""},
        {"/etc/passwd", Fence::Kind::unreadable, "", "", ""},
    };
    for (const auto& c : cases) {
        const auto fence = parse_fence(c.link);
        EXPECT_EQ(fence.kind, c.kind) << c.link;
        EXPECT_EQ(fence.tag, c.tag) << c.link;
        EXPECT_EQ(fence.batch_id, c.batch_id) << c.link;
        EXPECT_EQ(fence.nonce, c.nonce) << c.link;
    }
}

TEST(Marker, IsReadFromTheText) {
    const auto marker = parse_marker("code=7\ntold=TERM\nstarted=100\nended=200\nnonce=00ff\n");
    ASSERT_TRUE(marker);
    EXPECT_EQ(marker->code, 7);
    EXPECT_EQ(marker->told, "TERM");
    EXPECT_EQ(marker->started_s, 100);
    EXPECT_EQ(marker->ended_s, 200);
    EXPECT_EQ(marker->nonce, "00ff");
}

TEST(Marker, OfALaterVersionMayHaveMoreLines) {
    const auto marker = parse_marker("version=2\ncode=0\nnonce=n\ncpu=3.5\n\n");
    ASSERT_TRUE(marker);
    EXPECT_EQ(marker->code, 0);
    EXPECT_EQ(marker->told, "");
}

TEST(Marker, ThatIsNotWholeOrNotANumberIsNone) {
    for (const auto* text :
         {"", "\n", "code=0\n", "nonce=n\n", "code=\nnonce=n\n", "code=-1\nnonce=n\n",
          "code=256\nnonce=n\n", "code=0x1\nnonce=n\n", "code=0 \nnonce=n\n", "code=0\nnonce=\n",
          "code=99999999999999999999\nnonce=n\n"})
        EXPECT_FALSE(parse_marker(text)) << text;
}

TEST(EventName, IsReadBack) {
    for (const auto* kind : {"started", "alive", "ended"}) {
        const auto event = parse_event_name("btag.17.00ff." + std::string(kind));
        ASSERT_TRUE(event) << kind;
        EXPECT_EQ(event->tag, "btag");
        EXPECT_EQ(event->index, 17U);
        EXPECT_EQ(event->nonce, "00ff");
        EXPECT_EQ(event->kind, kind);
    }
}

TEST(EventName, OfAnotherFormIsNone) {
    for (const auto* name :
         {"", "btag", "btag.0.n", "btag.0.n.done", "btag.x.n.ended", "btag.-1.n.ended",
          "btag.4294967296.n.ended", ".0.n.ended", "btag.0..ended", "btag.0.n.ended.tmp",
          "btag..n.ended", "btag.0.n.ENDED", "...", "btag.1 .n.ended"})
        EXPECT_FALSE(parse_event_name(name)) << name;
}

TEST(SessionPath, SpreadsByTheLastTwoCharacters) {
    EXPECT_EQ(session_path("0123456789abcdefghijkl"), "jobs/kl/0123456789abcdefghijkl");
}

TEST(AttemptLine, IsReadBack) {
    for (const auto& attempt :
         {SessionAttempt{.tag = "babcd1234567890"}, SessionAttempt{.tag = "btag", .index = 0},
          SessionAttempt{.tag = "btag", .index = 4294967295}}) {
        const auto line = attempt_line(attempt);
        ASSERT_TRUE(line.starts_with("#")) << "a comment for the shell";
        ASSERT_EQ(line.back(), '\n');
        EXPECT_EQ(parse_attempt_line(line.substr(0, line.size() - 1)), attempt);
    }
}

TEST(AttemptLine, OfAnotherFormIsNone) {
    for (const auto* line :
         {"", "#", "# berth-attempt", "# berth-attempt ", "# berth-attempt  1", "# berth-job {}",
          "# berth-attempt btag x", "# berth-attempt btag -1", "# berth-attempt btag 1 2",
          "# berth-attempt btag 4294967296", " # berth-attempt btag", "berth_slots='1'"})
        EXPECT_FALSE(parse_attempt_line(line)) << line;
}

TEST(AttemptLines, EndAtTheFirstOtherOrUnfinishedLine) {
    const std::string line = "# berth-attempt btag 1\n";
    EXPECT_EQ(parse_attempt_lines("").size(), 0U);
    EXPECT_EQ(parse_attempt_lines(line + line + "# berth-job {}\n" + line).size(), 2U);
    EXPECT_EQ(parse_attempt_lines(line + "# berth-attempt bta").size(), 1U);
    std::string many;
    for (std::size_t i = 0; i < session_attempts_max + 5; ++i)
        many += line;
    EXPECT_EQ(parse_attempt_lines(many).size(), session_attempts_max);
}

}  // namespace
}  // namespace berth::jobs
