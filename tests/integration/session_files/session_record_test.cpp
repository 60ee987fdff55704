// What a session directory says of its job, as it is written and as it is read back.
#include "base/ids.hpp"
#include "store/session_files.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace berth::store {
namespace {

namespace fs = std::filesystem;
using jobs::Fence;
using jobs::SessionAttempt;
using jobs::SessionInput;

class SessionRecordTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(files_.prepare_root()); }

    SessionInput input(const std::string& tag, std::optional<unsigned> index = {}) const {
        jobs::Request request;
        request.name = "it's \"a\"\npilot";
        request.script = "#!/bin/sh\necho\n";
        request.arguments = {"two\nlines", "\\", "\xc3\xa9", ""};
        request.environment = {{"A", "$(touch /nowhere)\n# no comment"}};
        request.queue = "grid";
        request.resources.slots = 8;
        SessionInput made{.job_id = id_,
                          .script_hash = "abc",
                          .launch = "echo launched\n",
                          .secret = "s3cret",
                          .fresh = true};
        auto& job = made.record.job;
        job.id = id_;
        job.issuer = "https://issuer.example.org";
        job.subject = "robot\n";
        job.account = "grid1";
        job.batch_account = "atlas";
        job.name = request.name;
        job.queue = "grid";
        job.project = "p";
        job.directives = 0xffff'ffff'ffff'fff0;
        job.secret_hash = "5ec";
        job.created = from_ms(1'800'000'000'123);
        job.status.attempts = 2;
        made.record.request = std::make_shared<const jobs::Request>(std::move(request));
        made.script = made.record.request->script;
        made.record.script_hash = made.script_hash;
        made.attempt = {.tag = tag, .index = index};
        return made;
    }
    std::string session() const { return folder_.path() + "/root/" + jobs::session_path(id_); }
    unsigned shard() const {
        for (unsigned shard = 0; shard < jobs::session_shards; ++shard)
            if (("jobs/" + id_.substr(20)) == jobs::session_shard_path(shard))
                return shard;
        return jobs::session_shards;
    }
    std::string launch() const {
        std::ifstream file(session() + "/launch");
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    void write_launch(const std::string& text) const {
        std::ofstream(session() + "/launch", std::ios::trunc) << text;
    }
    std::string replaced(const std::string& from, const std::string& to) const {
        auto text = launch();
        return text.replace(text.find(from), from.size(), to);
    }

    const std::string id_ = make_job_id(1'800'000'000'000);
    test::TemporaryFolder folder_;
    OwnFiles files_{OwnFilesSettings{.root = folder_.path() + "/root", .instance = "abcd"}};
};

TEST_F(SessionRecordTest, IsReadBackAsItWasWritten) {
    const auto wanted = input("babcd0000000000", 7);
    ASSERT_TRUE(files_.make("", wanted));
    const auto found = files_.find("", id_);
    ASSERT_TRUE(found) << found.error().message;
    const auto& job = found->record.job;
    const auto& was = wanted.record.job;
    EXPECT_EQ(job.id, id_);
    EXPECT_EQ(job.issuer, was.issuer);
    EXPECT_EQ(job.subject, was.subject);
    EXPECT_EQ(job.account, was.account);
    EXPECT_EQ(job.batch_account, was.batch_account);
    EXPECT_EQ(job.name, was.name);
    EXPECT_EQ(job.queue, was.queue);
    EXPECT_EQ(job.project, was.project);
    EXPECT_EQ(job.directives, was.directives);
    EXPECT_EQ(job.secret_hash, was.secret_hash);
    EXPECT_EQ(to_ms(job.created), to_ms(was.created));
    EXPECT_EQ(job.status.attempts, 2U);
    EXPECT_EQ(found->record.script_hash, "abc");
    EXPECT_EQ(found->secret, "s3cret");
    EXPECT_EQ(found->fence.kind, Fence::Kind::free);
    const auto& request = *found->record.request;
    EXPECT_EQ(request.script, wanted.script);
    EXPECT_EQ(request.arguments, wanted.record.request->arguments);
    EXPECT_EQ(request.environment, wanted.record.request->environment);
    EXPECT_EQ(request.resources, wanted.record.request->resources);
}

TEST_F(SessionRecordTest, IsCommentForTheShellAndPrivate) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000")));
    EXPECT_EQ(fs::status(session() + "/launch").permissions() & fs::perms(0777), fs::perms(0600));
    std::FILE* pipe = ::popen(("/bin/sh " + session() + "/launch 2>&1").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char output[256] = {};
    const auto length = std::fread(output, 1, sizeof output - 1, pipe);
    ::pclose(pipe);
    EXPECT_EQ(std::string(output, length), "launched\n");
}

TEST_F(SessionRecordTest, KeepsTheAttemptsThatWereMadeBefore) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000", 3)));
    ASSERT_TRUE(files_.make("", input("babcd1111111111"))) << "by a store that knows no attempt";
    auto again = input("babcd2222222222", 0);
    again.fresh = false;
    ASSERT_TRUE(files_.make("", again));
    const auto notes = files_.list_sessions("", shard());
    ASSERT_TRUE(notes && notes->size() == 1);
    EXPECT_EQ(notes->front().job_id, id_);
    const std::vector<SessionAttempt> all = {{.tag = "babcd0000000000", .index = 3},
                                             {.tag = "babcd1111111111"},
                                             {.tag = "babcd2222222222", .index = 0}};
    EXPECT_EQ(notes->front().attempts, all);
}

TEST_F(SessionRecordTest, KeepsOnlyTheNewestAttempts) {
    for (int i = 0; i < 40; ++i)
        ASSERT_TRUE(files_.make("", input("btag" + std::to_string(i), 999'999)));
    const auto notes = files_.list_sessions("", shard());
    ASSERT_TRUE(notes && notes->size() == 1);
    EXPECT_EQ(notes->front().attempts.size(), jobs::session_attempts_max);
    EXPECT_EQ(notes->front().attempts.back().tag, "btag39");
    EXPECT_TRUE(files_.find("", id_));
}

TEST_F(SessionRecordTest, ASessionThatWasMadeForUploadsHasNone) {
    auto uploads = input("");
    uploads.launch.clear();
    ASSERT_TRUE(files_.make("", uploads));
    const auto notes = files_.list_sessions("", shard());
    ASSERT_TRUE(notes && notes->size() == 1);
    EXPECT_TRUE(notes->front().attempts.empty());
    const auto found = files_.find("", id_);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::not_found);
}

TEST_F(SessionRecordTest, ALaunchFileOfAnEarlierVersionHasNone) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000")));
    write_launch("berth_slots='1'\n");
    EXPECT_TRUE(files_.list_sessions("", shard())->front().attempts.empty());
    EXPECT_EQ(files_.find("", id_).error().kind, ErrorKind::not_found);
}

TEST_F(SessionRecordTest, ThatIsNotOursIsRefused) {
    const auto refused = [&](const std::string& from, const std::string& to) {
        ASSERT_TRUE(files_.make("", input("babcd0000000000")));
        write_launch(replaced(from, to));
        const auto found = files_.find("", id_);
        ASSERT_FALSE(found) << to;
        EXPECT_EQ(found.error().kind, ErrorKind::invalid) << to;
    };
    refused("\"version\":1", "\"version\":2");
    refused("\"created\":", "\"created\":\"x\",\"y\":");
    refused("\"issuer\":", "\"issuer\":7,\"issuer\":");
    refused(id_, make_job_id(1));
    refused("\"attempts\":2", "\"attempts\":[[[[[[[[[]]]]]]]]]");
    refused("\"queue\":\"grid\"", "\"queue\":\"gr\x01id\"");
    refused("# berth-job {", "# berth-job ");
}

TEST_F(SessionRecordTest, WithoutTheScriptIsRefused) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000")));
    fs::remove(session() + "/script");
    EXPECT_EQ(files_.find("", id_).error().kind, ErrorKind::invalid);
}

TEST_F(SessionRecordTest, LinksAreNotFollowed) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000")));
    fs::rename(session() + "/launch", session() + "/files/other");
    fs::create_symlink("files/other", session() + "/launch");
    EXPECT_FALSE(files_.find("", id_));
    EXPECT_TRUE(files_.list_sessions("", shard())->front().attempts.empty());
}

TEST_F(SessionRecordTest, EveryIdHasItsShard) {
    EXPECT_EQ(jobs::session_shard_path(0), "jobs/00");
    EXPECT_EQ(jobs::session_shard_path(jobs::session_shards - 1), "jobs/vv");
    EXPECT_LT(shard(), jobs::session_shards);
    for (unsigned other = 0; other < jobs::session_shards; other += 101) {
        const auto notes = files_.list_sessions("", other);
        ASSERT_TRUE(notes);
        EXPECT_TRUE(notes->empty());
    }
}

TEST_F(SessionRecordTest, WithoutTheRootsMarkNothingIsKnown) {
    ASSERT_TRUE(files_.make("", input("babcd0000000000")));
    fs::remove(folder_.path() + "/root/.berth");
    EXPECT_EQ(files_.list_sessions("", shard()).error().kind, ErrorKind::unavailable);
    EXPECT_EQ(files_.find("", id_).error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace berth::store
