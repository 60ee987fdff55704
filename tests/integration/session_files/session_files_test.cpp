#include "store/session_files.hpp"

#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace berth::store {
namespace {

namespace fs = std::filesystem;
using jobs::Fence;
using jobs::SessionInput;

const std::string id = "0123456789abcdefghijkl", other_id = "0123456789abcdefghijkm";

class SessionFilesTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(files_.prepare_root()); }

    std::string root() const { return folder_.path() + "/root"; }
    std::string session(const std::string& job = id) const {
        return root() + "/" + jobs::session_path(job);
    }
    static SessionInput input(const std::string& job = id) {
        SessionInput made{.job_id = job,
                          .script = "#!/bin/sh\n",
                          .script_hash = "abc",
                          .launch = "set --\n",
                          .secret = "s3cret",
                          .fresh = true};
        made.record.job.id = job;
        made.record.request = std::make_shared<const jobs::Request>();
        made.attempt.tag = "babcd0000000000";
        return made;
    }
    void make(const std::string& job = id) { ASSERT_TRUE(files_.make("", input(job))); }
    void put(const std::string& path, const std::string& content) {
        auto upload = files_.upload("", id, path, UINT64_MAX);
        ASSERT_TRUE(upload) << upload.error().message;
        ASSERT_TRUE((*upload)->write(content));
        ASSERT_TRUE((*upload)->finish());
    }
    static std::string text_of(const std::string& path) {
        std::ifstream file(path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    std::size_t entries(const std::string& folder) const {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder))
            ++count;
        return count;
    }

    test::TemporaryFolder folder_;
    OwnFiles files_{OwnFilesSettings{.root = folder_.path() + "/root", .instance = "abcd"}};
};

TEST_F(SessionFilesTest, MakesAllThatTheWrapperNeeds) {
    make();
    EXPECT_EQ(text_of(session() + "/script"), "#!/bin/sh\n");
    EXPECT_TRUE(text_of(session() + "/launch").ends_with("}\nset --\n"));
    EXPECT_EQ(text_of(session() + "/secret"), "s3cret");
    EXPECT_EQ(fs::status(session() + "/secret").permissions() & fs::perms(0777), fs::perms(0600));
    EXPECT_EQ(fs::status(session()).permissions() & fs::perms(0777), fs::perms(0700));
    EXPECT_NE(::access((session() + "/script").c_str(), X_OK), -1);
    EXPECT_TRUE(fs::is_directory(session() + "/files"));
    EXPECT_EQ(files_.look("", id).fence.kind, Fence::Kind::free);
}

TEST_F(SessionFilesTest, ADirectoryThatIsThereIsCompletedAndKeepsItsFiles) {
    auto first = input();
    first.launch.clear();
    ASSERT_TRUE(files_.make("", first));
    put("in.dat", "data");
    make();
    EXPECT_EQ(text_of(session() + "/files/in.dat"), "data");
    EXPECT_TRUE(text_of(session() + "/launch").ends_with("}\nset --\n"));
}

TEST_F(SessionFilesTest, ADirectoryThatHasGoneIsNeverMadeAgain) {
    make();
    fs::remove_all(session());
    auto again = input();
    again.fresh = false;
    const auto made = files_.make("", again);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::not_found);
    EXPECT_FALSE(fs::exists(session()));
    EXPECT_EQ(files_.look("", id).fence.kind, Fence::Kind::missing);
}

TEST_F(SessionFilesTest, ARootOfAnotherStoreIsRefused) {
    OwnFiles other({.root = root(), .instance = "wxyz"});
    const auto prepared = other.prepare_root();
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::conflict);
    EXPECT_TRUE(files_.prepare_root()) << "its own is taken again";
}

TEST_F(SessionFilesTest, ARootThatWasPreparedBeforeMustHaveItsMark) {
    OwnFiles known({.root = root(), .known = true, .instance = "abcd"});
    std::filesystem::remove(root() + "/.berth");
    const auto prepared = known.prepare_root();
    ASSERT_FALSE(prepared) << "not mounted, for example";
    EXPECT_EQ(prepared.error().kind, ErrorKind::unavailable);
    EXPECT_FALSE(std::filesystem::exists(root() + "/.berth"));
}

TEST_F(SessionFilesTest, WithoutTheRootsMarkNothingIsMadeAndNothingIsGone) {
    make();
    fs::rename(root(), root() + ".away");
    fs::create_directory(root());
    EXPECT_EQ(files_.look("", id).fence.kind, Fence::Kind::unreadable);
    EXPECT_EQ(files_.void_fence("", id).kind, Fence::Kind::unreadable);
    auto known = input();
    for (const bool fresh : {true, false}) {
        known.fresh = fresh;
        const auto made = files_.make("", known);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().kind, ErrorKind::unavailable) << "not: the directory has gone";
    }
    const auto removed = files_.remove("", id);
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(files_.list("", id, 10).error().kind, ErrorKind::unavailable);
    EXPECT_EQ(entries(root()), 0U);
}

TEST_F(SessionFilesTest, TheMarkerCountsOnlyForTheStartThatTheFenceNames) {
    make();
    const auto write = [&](const std::string& nonce, const std::string& inner, int code) {
        std::ofstream(session() + "/exit." + nonce)
            << "code=" << code << "\nnonce=" << inner << "\n";
    };
    write("other", "other", 0);
    EXPECT_FALSE(files_.look("", id).marker) << "no start has won";
    fs::create_symlink("btag:1:n1", session() + "/fence");
    EXPECT_FALSE(files_.look("", id).marker);
    write("n1", "other", 0);
    EXPECT_FALSE(files_.look("", id).marker) << "a marker that names another start";
    write("n1", "n1", 4);
    const auto view = files_.look("", id);
    EXPECT_EQ(view.fence.tag, "btag");
    ASSERT_TRUE(view.marker);
    EXPECT_EQ(view.marker->code, 4);
}

TEST_F(SessionFilesTest, OfAStartAndAVoidOneWinsAndBothKnowWhich) {
    for (int i = 0; i < 200; ++i) {
        make();
        std::atomic<bool> go = false;
        bool started = false;
        std::thread node([&] {
            while (!go) {
            }
            started = ::symlink("btag:1:n1", (session() + "/fence").c_str()) == 0;
        });
        go = true;
        const auto fence = files_.void_fence("", id);
        node.join();
        EXPECT_EQ(fence.kind, started ? Fence::Kind::taken : Fence::Kind::voided);
        EXPECT_EQ(files_.look("", id).fence.kind, fence.kind);
        ASSERT_TRUE(files_.remove("", id));
    }
}

TEST_F(SessionFilesTest, AVoidedFenceStaysVoided) {
    make();
    EXPECT_EQ(files_.void_fence("", id).kind, Fence::Kind::voided);
    EXPECT_EQ(files_.void_fence("", id).kind, Fence::Kind::voided);
    EXPECT_EQ(files_.void_fence("", other_id).kind, Fence::Kind::missing);
}

TEST_F(SessionFilesTest, TakesEventsOnceAndOnlyRegularFilesOfItsOwn) {
    const auto events = root() + "/events/";
    std::ofstream(events + "btag.3.n1.ended");
    std::ofstream(events + "nonsense");
    fs::create_symlink("/etc/passwd", events + "btag.4.n1.ended");
    fs::create_directory(events + "btag.5.n1.ended");
    std::ofstream(events + "btag.6.n1.ended");
    const bool root_user = ::geteuid() == 0;
    if (root_user) {
        ASSERT_EQ(::chown((events + "btag.6.n1.ended").c_str(), 65534, 65534), 0);
    }
    const auto taken = files_.take_events(10);
    ASSERT_TRUE(taken);
    ASSERT_EQ(taken->size(), root_user ? 1U : 2U);
    if (root_user) {
        EXPECT_EQ(taken->front().tag, "btag");
        EXPECT_EQ(taken->front().index, 3U);
    }
    EXPECT_TRUE(files_.take_events(10)->empty());
    EXPECT_TRUE(fs::exists("/etc/passwd"));
}

TEST_F(SessionFilesTest, TakesNotMoreEventsThanAskedFor) {
    for (int i = 0; i < 5; ++i)
        std::ofstream(root() + "/events/btag." + std::to_string(i) + ".n1.ended");
    EXPECT_EQ(files_.take_events(3)->size(), 3U);
    EXPECT_EQ(files_.take_events(3)->size(), 2U);
}

TEST_F(SessionFilesTest, PathsThatLeadOutAreRefused) {
    make();
    std::ofstream(folder_.path() + "/outside") << "outside";
    for (const auto* path :
         {"../launch", "../../", "a/../../launch", "/etc/passwd", "..", "../../../../outside"}) {
        EXPECT_FALSE(files_.open("", id, path)) << path;
        EXPECT_FALSE(files_.remove_file("", id, path)) << path;
        auto upload = files_.upload("", id, path, UINT64_MAX);
        if (upload) {
            EXPECT_FALSE((*upload)->finish()) << path;
        }
    }
    EXPECT_EQ(files_.open("", id, "../launch").error().kind, ErrorKind::forbidden);
    EXPECT_TRUE(text_of(session() + "/launch").ends_with("}\nset --\n"));
    EXPECT_EQ(text_of(folder_.path() + "/outside"), "outside");
}

TEST_F(SessionFilesTest, LinksThatLeadOutAreRefusedAndLinksInsideFollowed) {
    make();
    put("real", "inside");
    fs::create_directory(session() + "/files/folder");
    fs::create_symlink("../real", session() + "/files/folder/link");
    fs::create_symlink("/etc/passwd", session() + "/files/passwd");
    fs::create_symlink("../secret", session() + "/files/secret");
    fs::create_directory_symlink("..", session() + "/files/up");
    fs::create_symlink("/proc/self/environ", session() + "/files/magic");
    auto inside = files_.open("", id, "folder/link");
    ASSERT_TRUE(inside);
    char text[16];
    EXPECT_EQ(::read(inside->get(), text, sizeof text), 6);
    for (const auto* path : {"passwd", "secret", "up/secret", "up/launch", "magic"}) {
        const auto opened = files_.open("", id, path);
        ASSERT_FALSE(opened) << path;
        EXPECT_EQ(opened.error().kind, ErrorKind::forbidden) << path;
    }
    EXPECT_FALSE(files_.upload("", id, "up/launch", UINT64_MAX));
    EXPECT_FALSE(files_.remove_file("", id, "up/launch"));
    EXPECT_TRUE(fs::exists(session() + "/launch"));
    const auto listed = files_.list("", id, 100);
    ASSERT_TRUE(listed);
    for (const auto& entry : *listed)
        EXPECT_TRUE(entry.path == "real" || entry.path == "folder") << entry.path;
    put("passwd", "mine");
    EXPECT_EQ(text_of(session() + "/files/passwd"), "mine") << "the link is replaced, not followed";
    EXPECT_NE(text_of("/etc/passwd"), "mine");
}

TEST_F(SessionFilesTest, OnlyRegularFilesAreOpened) {
    make();
    ASSERT_EQ(::mkfifo((session() + "/files/pipe").c_str(), 0600), 0);
    EXPECT_FALSE(files_.open("", id, "pipe"));
    fs::create_directory(session() + "/files/folder");
    EXPECT_EQ(files_.open("", id, "folder").error().kind, ErrorKind::conflict);
    EXPECT_EQ(files_.open("", id, "none").error().kind, ErrorKind::not_found);
    EXPECT_EQ(files_.remove_file("", id, "folder").error().kind, ErrorKind::conflict);
    EXPECT_EQ(files_.remove_file("", id, "none").error().kind, ErrorKind::not_found);
}

TEST_F(SessionFilesTest, AnUploadAppearsWhenItIsWhole) {
    make();
    put("in.dat", "old");
    {
        auto upload = files_.upload("", id, "in.dat", UINT64_MAX);
        ASSERT_TRUE(upload);
        ASSERT_TRUE((*upload)->write("new"));
        EXPECT_EQ(text_of(session() + "/files/in.dat"), "old");
        EXPECT_EQ(files_.list("", id, 10)->size(), 1U) << "what is not whole is not listed";
        const auto fresh = (*upload)->finish();
        ASSERT_TRUE(fresh);
        EXPECT_FALSE(*fresh) << "it replaces a file";
    }
    EXPECT_EQ(text_of(session() + "/files/in.dat"), "new");
    {
        auto aborted = files_.upload("", id, "deep/down/other", UINT64_MAX);
        ASSERT_TRUE(aborted);
        ASSERT_TRUE((*aborted)->write("half"));
    }
    EXPECT_EQ(entries(session() + "/files/deep/down"), 0U);
    EXPECT_EQ(entries(session() + "/files"), 2U);
}

TEST_F(SessionFilesTest, UploadsHaveLimits) {
    OwnFiles small({.root = root(),
                    .instance = "abcd",
                    .upload_bytes_max = 100,
                    .session_bytes_max = 150,
                    .session_files_max = 3});
    make();
    {
        auto upload = small.upload("", id, "big", UINT64_MAX);
        ASSERT_TRUE(upload);
        ASSERT_TRUE((*upload)->write(std::string(100, 'x')));
        EXPECT_EQ((*upload)->write("x").error().kind, ErrorKind::too_large);
    }
    put("a", std::string(100, 'x'));
    {
        auto upload = small.upload("", id, "b", UINT64_MAX);
        ASSERT_TRUE(upload);
        EXPECT_EQ((*upload)->write(std::string(51, 'x')).error().kind, ErrorKind::too_large);
    }
    put("b", std::string(51, 'x'));
    EXPECT_EQ(small.upload("", id, "c", UINT64_MAX).error().kind, ErrorKind::too_large);
    ASSERT_TRUE(files_.remove_file("", id, "a"));
    for (const auto* name : {"c", "d", "e"})
        put(name, "");
    EXPECT_EQ(small.upload("", id, "f", UINT64_MAX).error().kind, ErrorKind::too_large)
        << "too many files";
}

TEST_F(SessionFilesTest, MeasuresAllOfASessionAndFollowsNoLink) {
    make();
    const auto empty = files_.measure("", id);
    ASSERT_TRUE(empty);
    fs::create_directories(session() + "/files/a/b");
    put("a/b/data", std::string(1000, 'x'));
    std::ofstream(folder_.path() + "/outside") << std::string(5000, 'x');
    fs::create_symlink(folder_.path() + "/outside", session() + "/files/link");
    const auto measured = files_.measure("", id);
    ASSERT_TRUE(measured);
    EXPECT_EQ(measured->bytes, empty->bytes + 1000);
    EXPECT_EQ(measured->files, empty->files + 4) << "two folders, a file and the link itself";
    ASSERT_TRUE(files_.remove("", id));
    EXPECT_EQ(files_.measure("", id).error().kind, ErrorKind::not_found);
}

TEST_F(SessionFilesTest, RemovesATreeWithoutFollowingLinks) {
    make();
    fs::create_directories(folder_.path() + "/outside/x");
    std::ofstream(folder_.path() + "/outside/keep") << "keep";
    fs::create_directory_symlink(folder_.path() + "/outside", session() + "/files/out");
    fs::create_directories(session() + "/files/a/b/c");
    std::ofstream(session() + "/files/a/b/c/f");
    ASSERT_TRUE(files_.remove("", id));
    EXPECT_FALSE(fs::exists(session()));
    EXPECT_EQ(text_of(folder_.path() + "/outside/keep"), "keep");
    EXPECT_EQ(files_.remove("", id).error().kind, ErrorKind::not_found);
}

TEST_F(SessionFilesTest, RemovesATreeOfAnyDepthAndListsAPartOfIt) {
    make();
    int here = ::open((session() + "/files").c_str(), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(::mkdirat(here, "d", 0700), 0);
        const int next = ::openat(here, "d", O_RDONLY | O_DIRECTORY);
        ::close(here);
        here = next;
    }
    ::close(here);
    const auto listed = files_.list("", id, 10'000);
    ASSERT_TRUE(listed) << listed.error().message;
    EXPECT_GT(listed->size(), 10U);
    EXPECT_LT(listed->size(), 100U) << "each level takes a descriptor";
    const auto removed = files_.remove("", id);
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(entries(root() + "/jobs/kl"), 0U);
}

TEST_F(SessionFilesTest, RemovesFoldersThatThePayloadMadeReadOnly) {
    if (::geteuid() == 0) {
        ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
    }
    const auto child = ::fork();  // permissions mean nothing to root
    if (child == 0) {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0))
            ::_exit(1);
        OwnFiles mine({.root = folder_.path() + "/mine", .instance = "abcd"});
        if (!mine.prepare_root() || !mine.make("", input()))
            ::_exit(2);
        const auto files = folder_.path() + "/mine/" + jobs::session_path(id) + "/files";
        fs::create_directories(files + "/read-only/below");
        std::ofstream(files + "/read-only/below/f") << "x";
        ::chmod((files + "/read-only/below").c_str(), 0);
        ::chmod((files + "/read-only").c_str(), 0500);
        ::_exit(mine.remove("", id) ? 0 : 3);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SessionFilesTest, EqualScriptsAreOneFileThatGoesWithItsLastSession) {
    make();
    make(other_id);
    EXPECT_EQ(fs::hard_link_count(session() + "/script"), 3U);
    ASSERT_TRUE(files_.remove("", id));
    EXPECT_TRUE(fs::exists(root() + "/scripts/abc"));
    EXPECT_EQ(text_of(session(other_id) + "/script"), "#!/bin/sh\n");
    ASSERT_TRUE(files_.remove("", other_id));
    EXPECT_FALSE(fs::exists(root() + "/scripts/abc"));
}

TEST_F(SessionFilesTest, TheManifestNamesTheSessionsByIndex) {
    ASSERT_TRUE(files_.write_manifest("", "btag", {id, other_id}));
    EXPECT_EQ(text_of(root() + "/attempts/btag"), session(id) + "\n" + session(other_id) + "\n");
    EXPECT_TRUE(files_.remove_manifest("", "btag"));
    EXPECT_FALSE(fs::exists(root() + "/attempts/btag"));
    EXPECT_TRUE(files_.remove_manifest("", "btag")) << "what is gone is removed";
}

}  // namespace
}  // namespace berth::store
