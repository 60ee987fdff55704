#include "net/subprocess.hpp"

#include "base/async.hpp"
#include "base/tasks.hpp"
#include "integration/sites/run_loop.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace berth::net {
namespace {

namespace asio = boost::asio;
using test::run_on;

Command shell(const std::string& text) {
    Command command;
    command.arguments = {"/bin/sh", "-c", text};
    command.environment = {{"PATH", "/usr/bin:/bin"}};
    command.time_limit = std::chrono::seconds(30);
    return command;
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

bool has_children() {
    std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    int pid = 0;
    return static_cast<bool>(children >> pid);
}

CommandResult run_one(Command command) {
    asio::io_context loop(1);
    return run_on(loop, run(std::move(command)));
}

TEST(Subprocess, GivesStatusAndBothOutputs) {
    const auto result = run_one(shell("echo out; echo err >&2; exit 3"));
    EXPECT_TRUE(result.started);
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.signal, 0);
    EXPECT_EQ(result.output, "out\n");
    EXPECT_EQ(result.error, "err\n");
    EXPECT_FALSE(result.timed_out);
    EXPECT_FALSE(result.truncated);
}

TEST(Subprocess, TellsASignalFromAStatus) {
    const auto result = run_one(shell("kill -SEGV $$"));
    EXPECT_EQ(result.exit_code, -1);
    EXPECT_EQ(result.signal, SIGSEGV);
}

TEST(Subprocess, FeedsLargeInputWhileOutputFlows) {
    auto command = shell("cat");
    command.input = std::string(5U << 20U, 'x') + "end";
    const auto result = run_one(std::move(command));
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output.size(), (5U << 20U) + 3);
    EXPECT_TRUE(result.output.ends_with("end"));
}

TEST(Subprocess, InputThatNobodyReadsIsNoError) {
    auto command = shell("exit 0");
    command.input = std::string(1U << 20U, 'x');
    EXPECT_EQ(run_one(std::move(command)).exit_code, 0);
}

TEST(Subprocess, InheritsNothing) {
    ::setenv("BERTH_LEAK", "1", 1);
    const int leaky = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC on purpose
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    auto command = shell("env; pwd; ls /proc/$$/fd; exec grep -E 'Sig(Blk|Ign)' /proc/self/status");
    command.directory = "/usr";
    const auto result = run_one(std::move(command));
    ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::close(leaky);
    EXPECT_EQ(result.output.find("BERTH_LEAK"), std::string::npos);
    const auto fixed = result.output.find("/usr\n0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t");
    ASSERT_NE(fixed, std::string::npos) << result.output;
    // glibc keeps 32 and 33, its own, ignored; every signal with a name has its default.
    const auto ignored = std::stoull(result.output.substr(result.output.rfind('\t')), nullptr, 16);
    EXPECT_EQ(ignored & 0x7fffffffU, 0U) << result.output;
}

TEST(Subprocess, AProgramThatIsNotThereIsNotStarted) {
    for (const std::string path : {"/no/such/program", "sh", "/etc/passwd"}) {
        Command command;
        command.arguments = {path};
        const auto result = run_one(std::move(command));
        EXPECT_FALSE(result.started) << path;
        EXPECT_NE(result.error, "") << path;
    }
    auto command = shell("true");
    command.directory = "/no/such/folder";
    EXPECT_FALSE(run_one(std::move(command)).started);
}

TEST(Subprocess, TheDeadlineEndsTheWholeGroup) {
    const test::TemporaryFolder folder;
    auto command = shell("echo early; sleep 60 & echo $! > child; wait");
    command.directory = folder.path();
    command.time_limit = std::chrono::milliseconds(300);
    const auto result = run_one(std::move(command));
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.output, "early\n");
    EXPECT_LT(result.duration, std::chrono::seconds(5));
    int child = 0;
    std::ifstream(folder.path() + "/child") >> child;
    ASSERT_GT(child, 1);
    // The signal has been sent; on a busy machine the child may take a moment to end of it.
    std::string text;
    const auto is_gone = [&] {
        std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
        text.clear();
        std::getline(stat, text);
        return text.empty() || text.find(") Z ") != std::string::npos;
    };
    for (int i = 0; i < 100 && !is_gone(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(is_gone()) << text;
}

TEST(Subprocess, WhatIgnoresTermIsKilled) {
    auto command = shell("trap '' TERM; while :; do sleep 1; done");
    command.time_limit = std::chrono::milliseconds(200);
    const auto result = run_one(std::move(command));
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.signal, SIGKILL);
    EXPECT_GE(result.duration, std::chrono::milliseconds(2100));
    EXPECT_LT(result.duration, std::chrono::seconds(10));
}

TEST(Subprocess, OutputAboveTheLimitIsDroppedAndSaid) {
    auto command = shell("head -c 100000 /dev/zero; echo done >&2");
    command.output_bytes_max = 1000;
    const auto result = run_one(std::move(command));
    EXPECT_TRUE(result.truncated);
    EXPECT_EQ(result.output.size(), 1000U);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.error, "done\n");
}

TEST(Subprocess, ALeftoverThatHoldsThePipeDoesNotHoldTheCaller) {
    const auto result = run_one(shell("sleep 60 & echo main"));
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.output, "main\n");
    EXPECT_LT(result.duration, std::chrono::seconds(10));
    EXPECT_FALSE(result.timed_out);
}

TEST(Subprocess, CancellationKillsAndReaps) {
    asio::io_context loop(1);
    bool threw = false;
    const auto body = [](bool* flag) -> asio::awaitable<void> {
        try {
            co_await run(shell("sleep 60"));
        } catch (const boost::system::system_error&) {
            *flag = true;
            throw;
        }
    };
    TaskGroup group(loop);
    group.spawn("child", body(&threw));
    EXPECT_TRUE(test::run_until(loop, has_children));
    const auto began = std::chrono::steady_clock::now();
    run_on(loop, group.stop());
    EXPECT_TRUE(threw);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
    EXPECT_FALSE(has_children());
}

TEST(Subprocess, TwoHundredAtOnceLeakNothing) {
    asio::io_context loop(1);
    EXPECT_EQ(run_on(loop, run(shell("true"))).exit_code, 0);  // the loop makes its own descriptors
    const auto before = open_descriptors();
    int good = 0;
    const auto body = [](int number, int* count) -> asio::awaitable<void> {
        auto command = shell("cat; exit " + std::to_string(number % 7));
        command.input = std::to_string(number);
        const auto result = co_await run(std::move(command));
        if (result.output == std::to_string(number) && result.exit_code == number % 7)
            ++*count;
    };
    {
        TaskGroup group(loop);
        for (int number = 0; number < 200; ++number)
            group.spawn("child", body(number, &good));
        EXPECT_TRUE(run_on(loop, group.idle(std::chrono::seconds(50))));
    }
    EXPECT_EQ(good, 200);
    EXPECT_FALSE(has_children());
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace berth::net
