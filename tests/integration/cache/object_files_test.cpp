// The cache's files and journal: what a start finds after every kind of stop.
#include "store/object_files.hpp"
#include "integration/sites/run_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace berth::test {
namespace {

namespace fs = std::filesystem;
using cache::Index;
using cache::JournalRecord;
using cache::Key;
using Kind = JournalRecord::Kind;

class ObjectFilesTest : public testing::Test {
protected:
    ObjectFilesTest() { reopen(); }

    void reopen(std::uint64_t capacity = 1'000'000) {
        files_.reset();
        files_ = std::move(*store::ObjectFiles::open(path_));
        index_ = Index(capacity);
        ASSERT_TRUE(files_->load(index_));
    }
    static Key key(int number) { return Key::of_url(std::to_string(number)); }
    void put(int number, const std::string& body) {
        auto made = files_->create();
        ASSERT_TRUE(made);
        ASSERT_TRUE((*made)->write(body));
        ASSERT_TRUE(files_->keep(std::move(*made), key(number)));
        ASSERT_TRUE(
            files_->append({{.kind = Kind::insert, .key = key(number), .size = body.size()}}));
    }
    std::string body(int number) {
        auto file = files_->open(key(number));
        if (!file)
            return "none";
        std::string text(1000, '\0');
        const auto got = ::read(file->get(), text.data(), text.size());
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return text;
    }
    void stop_cleanly() { ASSERT_TRUE(files_->append({{.kind = Kind::closed}})); }

    TemporaryFolder folder_;
    std::string path_ = folder_.path() + "/cache";
    std::unique_ptr<store::ObjectFiles> files_;
    Index index_{1'000'000};
};

TEST_F(ObjectFilesTest, ACleanStopLeavesTrustedEntries) {
    put(1, "one");
    put(2, "two");
    ASSERT_TRUE(files_->append({{.kind = Kind::remove, .key = key(1)}}));
    stop_cleanly();
    reopen();
    EXPECT_EQ(index_.size(), 1U);
    ASSERT_TRUE(index_.find(key(2)));
    EXPECT_FALSE(index_.find(key(2))->suspect);
    EXPECT_EQ(index_.find(key(2))->size, 3U);
    EXPECT_EQ(body(2), "two");
}

TEST_F(ObjectFilesTest, AfterACrashEveryEntryIsSuspectAlsoAfterTwo) {
    put(1, "one");
    for (int i = 0; i < 2; ++i) {
        reopen();
        ASSERT_TRUE(index_.find(key(1)));
        EXPECT_TRUE(index_.find(key(1))->suspect);
    }
    stop_cleanly();
    put(2, "two");  // written after the mark of the clean stop
    reopen();
    EXPECT_TRUE(index_.find(key(2))->suspect);
}

TEST_F(ObjectFilesTest, AJournalThatIsCutOrFlippedAnywhereIsReadUpToThere) {
    for (int i = 0; i < 10; ++i)
        put(i, "body");
    stop_cleanly();
    std::ifstream file(path_ + "/journal", std::ios::binary);
    const std::string good((std::istreambuf_iterator<char>(file)), {});
    for (std::size_t at = 0; at < good.size(); at += 7) {
        for (const bool cut : {true, false}) {
            auto bad = cut ? good.substr(0, at) : good;
            if (!cut)
                bad[at] = static_cast<char>(bad[at] ^ 0x40);
            std::ofstream(path_ + "/journal", std::ios::binary) << bad;
            reopen();
            EXPECT_LE(index_.size(), 10U);
            index_.for_each([&](const cache::IndexEntry& entry) {
                EXPECT_TRUE(entry.suspect) << at;
                EXPECT_EQ(entry.size, 4U);
            });
        }
    }
}

TEST_F(ObjectFilesTest, WhatWasBeingFilledIsGoneAfterAStart) {
    {
        const auto made = files_->create();
        ASSERT_TRUE((*made)->write("half"));
        EXPECT_FALSE(fs::is_empty(path_ + "/new"));
    }
    std::ofstream(path_ + "/new/1") << "half";  // as a crash would leave it
    reopen();
    EXPECT_TRUE(fs::is_empty(path_ + "/new"));
    { auto dropped = files_->create(); }
    EXPECT_TRUE(fs::is_empty(path_ + "/new"));
}

TEST_F(ObjectFilesTest, ASmallerCapacityTakesEntriesAndTheirFilesAway) {
    for (int i = 0; i < 10; ++i)
        put(i, std::string(100, 'x'));
    stop_cleanly();
    reopen(500);
    EXPECT_EQ(index_.size(), 5U);
    int there = 0;
    for (int i = 0; i < 10; ++i)
        there += body(i) != "none" ? 1 : 0;
    EXPECT_EQ(there, 5);
}

TEST_F(ObjectFilesTest, AnOldJournalIsWrittenAnew) {
    put(1, "x");
    for (int i = 0; i < 3000; ++i)
        ASSERT_TRUE(files_->append({{.kind = Kind::insert, .key = key(1), .size = 1}}));
    stop_cleanly();
    const auto before = fs::file_size(path_ + "/journal");
    reopen();
    EXPECT_LT(fs::file_size(path_ + "/journal"), before / 100);
    EXPECT_TRUE(index_.find(key(1)));
}

TEST_F(ObjectFilesTest, OneDaemonAtATime) {
    const auto second = store::ObjectFiles::open(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
}

}  // namespace
}  // namespace berth::test
