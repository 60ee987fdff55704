// The SQLite store's file: locks, foreign and damaged files, kill -9, a full disk.
#include "contract/store/rows.hpp"
#include "integration/sites/run_loop.hpp"
#include "store/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace berth::test {
namespace {

class SqliteFile : public testing::Test {
protected:
    auto open() { return store::SqliteStore::open(loop_, {.path = path_, .free_bytes_min = 0}); }
    void execute(const std::string& sql) {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(database);
    }
    std::string bytes() const {
        std::ifstream file(path_, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    TemporaryFolder folder_;
    std::string path_ = folder_.path() + "/berth.db";
    boost::asio::io_context loop_{1};
};

TEST_F(SqliteFile, OneDaemonAtATime) {
    auto first = open();
    ASSERT_TRUE(first);
    const auto second = open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
    EXPECT_NE(second.error().message.find(path_), std::string::npos);
    first->reset();
    EXPECT_TRUE(open());
}

// data/store_1.sql is a store of schema 1 with one job that has ended and one that has not.
TEST_F(SqliteFile, AStoreOfTheFirstSchemaIsMigrated) {
    std::ifstream file(std::string(BERTH_TEST_DATA) + "/data/store_1.sql");
    std::stringstream sql;
    sql << file.rdbuf();
    execute(sql.str());
    for (int i = 0; i < 2; ++i) {  // the second time there is nothing to do
        auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message;
        auto& store = **opened;
        EXPECT_EQ(store.instance(), "dhpq");
        EXPECT_EQ(run_on(loop_, store.active_jobs())->size(), 1U);
        EXPECT_EQ(run_on(loop_, store.unmeasured(10))->size(), 1U);
        EXPECT_TRUE(run_on(loop_, store.usage_by_account())->empty());
    }
}

TEST_F(SqliteFile, ANewerSchemaIsRefusedAndLeftAlone) {
    open()->reset();
    execute("PRAGMA user_version = 1000");
    const auto before = bytes();
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
    EXPECT_NE(opened.error().message.find("newer"), std::string::npos);
    EXPECT_EQ(bytes(), before);
}

TEST_F(SqliteFile, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
    execute("CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1)");
    const auto before = bytes();
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
    EXPECT_NE(opened.error().message.find("not a Berth store"), std::string::npos);
    EXPECT_EQ(bytes(), before);
}

TEST_F(SqliteFile, AFileThatIsNoDatabaseIsRefusedWithItsName) {
    std::ofstream(path_) << std::string(10'000, 'x');
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find(path_), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find("not a database"), std::string::npos);
    EXPECT_EQ(bytes(), std::string(10'000, 'x'));
}

TEST_F(SqliteFile, AFolderThatIsNotThereIsAnError) {
    path_ = folder_.path() + "/no/berth.db";
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find(path_), std::string::npos);
}

// Commits one job after the other and tells each id when its commit has returned.
[[noreturn]] void commit_for_ever(const std::string& path, int out) {
    boost::asio::io_context loop(1);
    auto opened = store::SqliteStore::open(loop, {.path = path, .free_bytes_min = 0});
    if (!opened)
        ::_exit(1);
    for (;;) {
        auto job = new_job(**opened);
        const auto id = job.row.id;
        const auto stored = run_on(loop, (*opened)->commit(with_job(std::move(job))));
        if (!stored || ::write(out, id.data(), id.size()) != static_cast<ssize_t>(id.size()))
            ::_exit(2);
    }
}

TEST_F(SqliteFile, WhatWasAcknowledgedBeforeAKillIsThereAfterIt) {
    for (int round = 0; round < 3; ++round) {
        int pipe[2];
        ASSERT_EQ(::pipe(pipe), 0);
        const auto child = ::fork();
        if (child == 0)
            commit_for_ever(path_, pipe[1]);
        ::close(pipe[1]);
        std::string told;
        char part[22];
        while (told.size() < 22U * 50U) {
            const auto got = ::read(pipe[0], part, sizeof part);
            ASSERT_GT(got, 0);
            told.append(part, static_cast<std::size_t>(got));
        }
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        for (ssize_t got = 0; (got = ::read(pipe[0], part, sizeof part)) > 0;)
            told.append(part, static_cast<std::size_t>(got));
        ::close(pipe[0]);
        auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message;
        for (std::size_t at = 0; at + 22 <= told.size(); at += 22)
            EXPECT_TRUE(*run_on(loop_, (*opened)->job(told.substr(at, 22))));
    }
}

// 0 when a full disk is an error that passes, and reading goes on meanwhile.
int fill_disk(const std::string& path) {
    ::signal(SIGXFSZ, SIG_IGN);
    boost::asio::io_context loop(1);
    auto opened = store::SqliteStore::open(loop, {.path = path, .free_bytes_min = 0});
    if (!opened)
        return 1;
    auto& store = **opened;
    auto first = new_job(store);
    const auto id = first.row.id;
    if (!run_on(loop, store.commit(with_job(std::move(first)))))
        return 2;
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const auto old = limit;
    limit.rlim_cur = 400'000;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Result<std::vector<jobs::EventRow>> last;
    for (int i = 0; i < 1000; ++i) {
        auto job =
            new_job(store, "robot",
                    std::string(20'000, static_cast<char>('a' + i % 26)) + std::to_string(i));
        last = run_on(loop, store.commit(with_job(std::move(job))));
        if (!last)
            break;
    }
    if (last)
        return 3;
    if (last.error().kind != ErrorKind::unavailable)
        return 4;
    if (store.health().ok)
        return 5;
    const auto read = run_on(loop, store.job(id));
    if (!read || !*read)
        return 6;
    ::setrlimit(RLIMIT_FSIZE, &old);
    if (!run_on(loop, store.commit(with_job(new_job(store)))))
        return 7;
    return store.health().ok ? 0 : 8;
}

TEST_F(SqliteFile, AnEmptyFileIsNoNewStore) {
    open()->reset();
    ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("no content"), std::string::npos);
    EXPECT_NE(opened.error().message.find("docs/operate.md"), std::string::npos);
}

TEST_F(SqliteFile, AFileThatWasCutAtAnyPlaceIsRefused) {
    open()->reset();
    const auto whole = bytes();
    for (std::size_t size = 1; size < whole.size(); size += 511) {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
        const auto opened = open();
        ASSERT_FALSE(opened) << size;
        EXPECT_NE(opened.error().message.find("docs/operate.md"), std::string::npos) << size;
    }
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole;
    EXPECT_TRUE(open());
}

TEST_F(SqliteFile, AFullDiskIsUnavailableAndPasses) {
    const auto child = ::fork();
    if (child == 0)
        ::_exit(fill_disk(path_));
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace berth::test
