// The real wrapper text under the shells that nodes have: dash, and busybox with nothing but its
// own applets.
#include "jobs/launch.hpp"
#include "jobs/session.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace berth::jobs {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* job_id = "0123456789abcdefghijkl";
constexpr const char* applets[] = {
    "awk",      "basename", "cat", "chmod",  "cp",    "date",  "env",  "getconf",
    "grep",     "head",     "id",  "kill",   "ln",    "mkdir", "mv",   "od",
    "readlink", "rm",       "sed", "sh",     "sleep", "sync",  "tail", "touch",
    "tr",       "true",     "wc",  "printf", "ls",    "test",  "nproc"};

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

class Wrapper : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        const bool busybox = GetParam() == std::string("busybox");
        if (busybox && !fs::exists("/bin/busybox"))
            GTEST_SKIP() << "no busybox here";
        shims_ = folder_ / "shims";
        fs::create_directory(shims_);
        path_ = shims_ + ":/usr/bin:/bin";
        if (busybox) {
            const auto tools = folder_ / "tools";
            fs::create_directory(tools);
            for (const auto* name : applets)
                fs::create_symlink("/bin/busybox", tools + "/" + name);
            path_ = shims_ + ":" + tools;
        }
        root_ = folder_ / "root";
        settings_.root = root_;
        for (const auto* name : {"jobs", "scripts", "attempts", "events"})
            fs::create_directories(root_ + "/" + name);
        make_session(job_id);
    }

    std::string session(const std::string& id = job_id) const {
        return root_ + "/" + session_path(id);
    }
    void make_session(const std::string& id) {
        fs::create_directories(session(id) + "/files");
        request(Request{.script = "#!/bin/sh\nexit 0\n"}, id);
    }
    void request(const Request& wanted, const std::string& id = job_id) {
        write(session(id) + "/script", wanted.script);
        write(session(id) + "/launch", launch_file(settings_, wanted, id));
    }
    void payload(const std::string& lines) { request(Request{.script = "#!/bin/sh\n" + lines}); }

    static void write(const std::string& path, const std::string& content) {
        std::ofstream(path) << content;
        ::chmod(path.c_str(), 0700);
    }
    void shim(const std::string& name, const std::string& lines) {
        write(shims_ + "/" + name, "#!/bin/sh\n" + lines);
    }

    pid_t start(bool array = false) {
        const auto script = folder_ / ("wrapper" + std::to_string(++runs_));
        write(script, wrapper_script(settings_, "btag", array ? std::string() : session()));
        std::vector<std::string> texts = {"PATH=" + path_, "HOME=/nowhere"};
        for (const auto& [name, value] : environment_)
            texts.push_back(name + "=" + value);
        std::vector<char*> variables;
        for (auto& text : texts)
            variables.push_back(text.data());
        variables.push_back(nullptr);
        const bool busybox = GetParam() == std::string("busybox");
        const pid_t child = ::fork();
        if (child == 0) {
            ::chdir("/");
            if (busybox)
                ::execle("/bin/busybox", "sh", script.c_str(), nullptr, variables.data());
            else
                ::execle("/usr/bin/dash", "dash", script.c_str(), nullptr, variables.data());
            ::_exit(126);
        }
        return child;
    }
    static int finish(pid_t child) {
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    int run(bool array = false) { return finish(start(array)); }

    Fence fence(const std::string& id = job_id) const {
        std::error_code missing;
        const auto link = fs::read_symlink(session(id) + "/fence", missing).string();
        return missing ? Fence{.kind = Fence::Kind::free} : parse_fence(link);
    }
    std::optional<Marker> marker(const std::string& id = job_id) const {
        return parse_marker(text_of(session(id) + "/exit." + fence(id).nonce));
    }
    std::string output(const std::string& name = "stdout") const {
        return text_of(session() + "/files/" + name);
    }
    bool appears(const std::string& path, std::chrono::seconds limit = 20s) const {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!fs::exists(path) && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(10ms);
        return fs::exists(path);
    }
    std::size_t events(const std::string& kind) const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(root_ + "/events"))
            count +=
                parse_event_name(entry.path().filename().string()).value_or(SessionEvent{}).kind ==
                kind;
        return count;
    }

    test::TemporaryFolder folder_;
    std::string root_, shims_, path_;
    WrapperSettings settings_{.root = "", .node_url = ""};
    std::map<std::string, std::string> environment_ = {{"SLURM_JOB_ID", "4711"}};
    int runs_ = 0;
};

TEST_P(Wrapper, RunsThePayloadAndWritesMarkerAndEvents) {
    payload("echo out; echo err >&2; pwd");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(fence().kind, Fence::Kind::taken);
    EXPECT_EQ(fence().tag, "btag");
    EXPECT_EQ(fence().batch_id, "4711");
    EXPECT_EQ(fence().nonce.size(), 20U);
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 0);
    EXPECT_EQ(marker()->told, "");
    EXPECT_EQ(marker()->nonce, fence().nonce);
    EXPECT_GT(marker()->started_s, 1'600'000'000);
    EXPECT_GE(marker()->ended_s, marker()->started_s);
    EXPECT_EQ(output(), "out\n" + fs::canonical(session() + "/files").string() + "\n");
    EXPECT_EQ(output("stderr"), "err\n");
    EXPECT_EQ(events("started"), 1U);
    EXPECT_EQ(events("ended"), 1U);
}

TEST_P(Wrapper, PassesTheStatusOn) {
    for (const int code : {0, 3, 127, 255}) {
        fs::remove_all(session());
        make_session(job_id);
        payload("exit " + std::to_string(code));
        EXPECT_EQ(run(), code);
        ASSERT_TRUE(marker());
        EXPECT_EQ(marker()->code, code);
    }
}

TEST_P(Wrapper, TellsTheDeathByASignal) {
    payload("ulimit -c 0; kill -SEGV $$");
    EXPECT_EQ(run(), 139);
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 139);
    EXPECT_EQ(marker()->told, "");
}

TEST_P(Wrapper, ASecondStartDoesNotRunThePayload) {
    payload("echo ran");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "ran\n");
    EXPECT_EQ(events("started"), 1U);
}

TEST_P(Wrapper, AVoidedFenceStartsNothing) {
    fs::create_symlink("void:abc", session() + "/fence");
    payload("echo ran");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "");
}

TEST_P(Wrapper, OfTwentyStartsAtOnceExactlyOneRuns) {
    payload("echo ran");
    std::vector<pid_t> children;
    for (int i = 0; i < 20; ++i)
        children.push_back(start());
    for (const auto child : children)
        EXPECT_EQ(finish(child), 0);
    EXPECT_EQ(output(), "ran\n");
    EXPECT_TRUE(marker());
}

TEST_P(Wrapper, ALinkThatWasMadeCountsAlthoughItsReplyWasLost) {
    shim("ln", "PATH=${PATH#*:}; ln \"$@\"; exit 1");
    payload("echo ran");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "ran\n");
}

TEST_P(Wrapper, ALinkThatWasNotMadeStartsNothingWhateverLnSays) {
    shim("ln", "exit 0");
    shim("sleep", "exit 0");
    payload("echo ran");
    EXPECT_EQ(run(), 102);
    EXPECT_EQ(output(), "");
    EXPECT_EQ(fence().kind, Fence::Kind::free);
}

TEST_P(Wrapper, ALinkThatAnotherStartHoldsStartsNothingWhateverLnSays) {
    shim("ln", "PATH=${PATH#*:}; ln -s btag:1:00000000000000000000 fence; exit 0");
    payload("echo ran");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "");
    EXPECT_EQ(fence().nonce, "00000000000000000000");
}

TEST_P(Wrapper, ALinkThatFailsForATimeIsTriedAgain) {
    shim("ln", "PATH=${PATH#*:}; n=$(cat " + folder_.path() + "/n 2>/dev/null); echo x$n >" +
                   folder_.path() + "/n; case $n in xx*) ln \"$@\" ;; *) exit 1 ;; esac");
    shim("sleep", "exit 0");
    payload("echo ran");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "ran\n");
}

TEST_P(Wrapper, AFileSystemThatNeverAnswersStartsNothing) {
    shim("ln", "exit 5");
    shim("readlink", "exit 5");
    shim("sleep", "exit 0");
    payload("echo ran");
    EXPECT_EQ(run(), 102);
    EXPECT_EQ(output(), "");
}

TEST_P(Wrapper, WithoutItsSessionDirectoryStartsNothing) {
    fs::remove_all(session());
    EXPECT_EQ(run(), 101);
    EXPECT_FALSE(fs::exists(session()));
}

TEST_P(Wrapper, WithoutItsLaunchFileSaysSo) {
    fs::remove(session() + "/launch");
    EXPECT_EQ(run(), 103);
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 103);
}

TEST_P(Wrapper, RunsAlthoughTheEventsDirectoryIsNotThere) {
    fs::remove_all(root_ + "/events");
    payload("echo ran; exit 4");
    EXPECT_EQ(run(), 4);
    EXPECT_EQ(output(), "ran\n");
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 4);
}

TEST_P(Wrapper, ForwardsTermAndRecordsIt) {
    payload("trap 'echo told; exit 7' TERM; touch up; while :; do sleep 1 & wait $!; done");
    const auto child = start();
    ASSERT_TRUE(appears(session() + "/files/up"));
    ::kill(child, SIGTERM);
    EXPECT_EQ(finish(child), 7);
    EXPECT_EQ(output(), "told\n");
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 7);
    EXPECT_EQ(marker()->told, "TERM");
}

// With busybox there is no way to give a background command its INT back: it gets TERM.
TEST_P(Wrapper, AnInterruptReachesThePayload) {
    payload(
        "trap 'echo int; exit 7' INT; trap 'echo term; exit 7' TERM; touch up; "
        "while :; do sleep 1 & wait $!; done");
    const auto child = start();
    ASSERT_TRUE(appears(session() + "/files/up"));
    ::kill(child, SIGINT);
    EXPECT_EQ(finish(child), 7);
    EXPECT_EQ(output(), GetParam() == std::string("busybox") ? "term\n" : "int\n");
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->told, "INT");
}

TEST_P(Wrapper, KeepsTheStatusOfAPayloadThatEndsAtTheSignal) {
    const char* loops[] = {"sleep 0.01", "sleep 1 & wait $!"};
    for (int i = 0; i < 30; ++i) {
        payload("trap 'exit 7' TERM; touch up; while :; do " + std::string(loops[i % 2]) +
                "; done");
        fs::remove(session() + "/fence");
        fs::remove(session() + "/files/up");
        const auto child = start();
        ASSERT_TRUE(appears(session() + "/files/up"));
        ::kill(child, SIGTERM);
        EXPECT_EQ(finish(child), 7) << "run " << i;
    }
}

TEST_P(Wrapper, ForwardsUsr1AndGoesOn) {
    payload(
        "trap 'echo warned' USR1; touch up; i=0; while [ $i -lt 10 ]; do i=$((i+1)); "
        "sleep 0.1; done; exit 5");
    const auto child = start();
    ASSERT_TRUE(appears(session() + "/files/up"));
    ::kill(child, SIGUSR1);
    EXPECT_EQ(finish(child), 5);
    EXPECT_EQ(output(), "warned\n");
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->told, "") << "a warning is no order to end";
}

TEST_P(Wrapper, GivesThePayloadTheArgumentsExactly) {
    Request wanted{.script = "#!/bin/sh\nfor a in \"$@\"; do printf '<%s>' \"$a\"; done\n"};
    wanted.arguments = {"", "a b", "it's", "$HOME", "`id`", "a\nb", "*", "\\", "\"", "--"};
    request(wanted);
    EXPECT_EQ(run(), 0);
    std::string expected;
    for (const auto& argument : wanted.arguments)
        expected += "<" + argument + ">";
    EXPECT_EQ(output(), expected);
}

TEST_P(Wrapper, GivesThePayloadTheEnvironmentThatWasAskedForAndNoMore) {
    environment_["SECRET_OF_THE_NODE"] = "x";
    environment_["SLURM_STRANGE"] = "a 'b' $c\nd";
    environment_["CUDA_VISIBLE_DEVICES"] = "0,1";
    environment_["http_proxy"] = "http://nowhere";
    Request wanted{.script =
                       "#!/bin/sh\nawk 'BEGIN { for (n in ENVIRON) print n }'\n"
                       "printf '%s' \"$SLURM_STRANGE\" >strange\nprintf '%s' \"$V\" >v\n"};
    wanted.environment = {{"V", "it's $HOME\n`id`"}};
    request(wanted);
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(text_of(session() + "/files/strange"), "a 'b' $c\nd");
    EXPECT_EQ(text_of(session() + "/files/v"), "it's $HOME\n`id`");
    std::set<std::string> names;
    std::istringstream lines(output());
    for (std::string name; std::getline(lines, name);)
        names.insert(name);
    // What awk and the payload's own shell set for themselves.
    for (const auto* own : {"PWD", "OLDPWD", "_", "SHLVL", "AWKPATH", "AWKLIBPATH"})
        names.erase(own);
    const std::set<std::string> expected = {"PATH",
                                            "HOME",
                                            "USER",
                                            "LOGNAME",
                                            "SHELL",
                                            "TMPDIR",
                                            "BERTH_JOB_ID",
                                            "MACHINEFEATURES",
                                            "JOBFEATURES",
                                            "SLURM_JOB_ID",
                                            "SLURM_STRANGE",
                                            "SLURM_EXPORT_ENV",
                                            "CUDA_VISIBLE_DEVICES",
                                            "V"};
    EXPECT_EQ(names, expected);
}

TEST_P(Wrapper, AnArrayTaskFindsItsSessionByItsIndex) {
    const std::string other = "0123456789abcdefghijmm";
    make_session(other);
    request(Request{.script = "#!/bin/sh\nexit 9\n"}, other);
    write(root_ + "/attempts/btag", session() + "\n" + session(other) + "\n");
    environment_ = {
        {"SLURM_JOB_ID", "78"}, {"SLURM_ARRAY_JOB_ID", "77"}, {"SLURM_ARRAY_TASK_ID", "1"}};
    EXPECT_EQ(run(true), 9);
    EXPECT_EQ(fence().kind, Fence::Kind::free);
    EXPECT_EQ(fence(other).batch_id, "77_1");
    EXPECT_TRUE(fs::exists(root_ + "/events/btag.1." + fence(other).nonce + ".ended"));
    environment_["SLURM_ARRAY_TASK_ID"] = "2";
    EXPECT_EQ(run(true), 101) << "an index that the manifest does not have";
    environment_ = {{"SLURM_JOB_ID", "78"}};
    EXPECT_EQ(run(true), 101) << "an array without an index";
}

TEST_P(Wrapper, KeepsTheLastPartOfTooMuchOutput) {
    settings_.output_bytes_max = 1000;
    payload("i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done");
    EXPECT_EQ(run(), 0);
    EXPECT_LT(output().size(), 700U);
    EXPECT_TRUE(output().starts_with("[berth: "));
    EXPECT_TRUE(output().ends_with("line 500\n"));
}

TEST_P(Wrapper, ABeatingHeartIsHeard) {
    settings_.heartbeat_s = 1;
    shim("sleep", "PATH=${PATH#*:}; exec sleep 0.1");
    payload("PATH=${PATH#*:}; sleep 1");
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(events("alive"), 1U) << "one file, however many beats";
}

TEST_P(Wrapper, WritesMachineAndJobFeatures) {
    Request wanted{.script = "#!/bin/sh\ncat \"$JOBFEATURES/wall_limit_secs\"\n"};
    wanted.resources.slots = 4;
    wanted.resources.wall_time_s = 600;
    wanted.resources.memory_per_slot_mb = 2000;
    request(wanted);
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "600\n");
    EXPECT_EQ(text_of(session() + "/jobfeatures/allocated_cpu"), "4\n");
    EXPECT_EQ(text_of(session() + "/jobfeatures/cpu_limit_secs"), "2400\n");
    EXPECT_EQ(text_of(session() + "/jobfeatures/max_rss_bytes"), "8388608000\n");
    EXPECT_GT(std::atoi(text_of(session() + "/machinefeatures/total_cpu").c_str()), 0);
}

TEST_P(Wrapper, WritesTheMarkerAlthoughThePayloadRemovedEverythingAround) {
    payload("echo x >a; rm -rf ./* ../files; exit 6");
    EXPECT_EQ(run(), 6);
    ASSERT_TRUE(marker());
    EXPECT_EQ(marker()->code, 6);
}

TEST_P(Wrapper, KilledAfterTheFenceIsNotStartedASecondTime) {
    shim("date", "touch " + folder_.path() + "/fenced; sleep 20");
    payload("echo ran");
    const auto child = start();
    ASSERT_TRUE(appears(folder_ / "fenced"));
    ::kill(child, SIGKILL);
    EXPECT_EQ(finish(child), 137);
    fs::remove(shims_ + "/date");
    EXPECT_EQ(fence().kind, Fence::Kind::taken);
    EXPECT_EQ(run(), 0);
    EXPECT_EQ(output(), "") << "nobody knows how far the first start came";
    EXPECT_FALSE(marker());
}

INSTANTIATE_TEST_SUITE_P(Shells, Wrapper, testing::Values("dash", "busybox"),
                         [](const auto& shown) { return std::string(shown.param); });

}  // namespace
}  // namespace berth::jobs
