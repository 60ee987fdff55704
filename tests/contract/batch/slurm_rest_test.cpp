// A submission by request asks Slurm for the same as sbatch does, with a real slurmrestd.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "contract/batch/slurm_fixture.hpp"
#include "sites/rest_batch.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace berth::sites {
namespace {

using Kind = jobs::SubmitOutcome::Kind;
using test::run_on;
using Shown = std::map<std::string, std::string>;

class SlurmRest : public testing::Test {
protected:
    static void TearDownTestSuite() { slurm_.reset(); }

    void SetUp() override {
        if (!test::RealSlurm::is_installed())
            GTEST_SKIP() << "Slurm is not installed";
        if (!slurm_)
            slurm_ = std::make_unique<test::RealSlurm>();
        ASSERT_NE(slurm_->conf(), "") << slurm_->log();
        settings.environment = {{"SLURM_CONF", slurm_->conf()}};
        commands = std::make_unique<CommandBatch>(loop, std::make_unique<Slurm>(settings), runner,
                                                  HostSettings(), clock, metrics);
        requests = make_rest(slurm_->rest_server(), "auto");
    }

    std::unique_ptr<RestBatch> make_rest(const std::string& server, const std::string& version,
                                         const std::string& account = "") {
        RestSettings rest;
        rest.server = server;
        rest.version = version;
        rest.account = account;
        return std::make_unique<RestBatch>(loop, settings, rest, runner, HostSettings(), clock,
                                           metrics);
    }

    jobs::SubmitIntent intent() {
        jobs::SubmitIntent made;
        made.tag = "btest" + random_base32(10);
        made.comment = "a comment | with \"signs\" = and \\";
        made.queue = "held";  // a partition that is down: nothing starts
        made.wrapper = "#!/bin/sh\necho \"\xc3\xa9 \\ $1\"\n";
        made.directory = "/tmp";
        made.resources.wall_time_s = 5400;
        return made;
    }

    std::string run(std::vector<std::string> arguments) {
        net::Command command;
        command.arguments = std::move(arguments);
        command.environment = {{"SLURM_CONF", slurm_->conf()}, {"PATH", "/usr/bin:/bin"}};
        return run_on(loop, net::run(std::move(command))).output;
    }

    // What Slurm recorded, without what must differ. The end of the submit line that sbatch adds
    // and the host of the client say nothing about the batch job.
    Shown shown(const std::string& id) {
        const auto text = run({"/usr/bin/scontrol", "-o", "show", "job", id});
        Shown fields;
        for (const auto word : split(trim(text), ' '))
            if (const auto mark = word.find('='); mark != word.npos)
                fields.emplace(word.substr(0, mark), word.substr(mark + 1));
        for (const auto* name : {"JobId", "ArrayJobId", "JobName", "Priority", "SubmitTime",
                                 "AllocNode:Sid", "LastSchedEval", "EligibleTime", "AccrueTime",
                                 "StartTime", "EndTime", "Scheduler", "Reason"})
            fields.erase(name);
        return fields;
    }

    std::string submit(jobs::BatchSystem& batch, jobs::SubmitIntent wanted) {
        wanted.tag = "btest" + random_base32(10);
        const auto outcome = run_on(loop, batch.submit(wanted));
        EXPECT_EQ(outcome.kind, Kind::accepted) << outcome.message;
        return outcome.batch_id;
    }

    void expect_equal(const jobs::SubmitIntent& wanted) {
        const auto by_command = submit(*commands, wanted);
        const auto by_request = submit(*requests, wanted);
        const auto expected = shown(by_command);
        EXPECT_GT(expected.size(), 20U);
        EXPECT_EQ(shown(by_request), expected);
        EXPECT_EQ(run({"/usr/bin/scontrol", "write", "batch_script", by_request, "-"}),
                  run({"/usr/bin/scontrol", "write", "batch_script", by_command, "-"}));
    }

    double accepted() {
        return metrics.value("berth_batch_requests_total",
                             {{"batch", "slurm"}, {"verb", "submit"}, {"outcome", "ok"}});
    }

    static std::unique_ptr<test::RealSlurm> slurm_;
    boost::asio::io_context loop{1};
    SystemClock clock;
    Metrics metrics;
    OwnAccountRunner runner;
    SlurmSettings settings;
    std::unique_ptr<CommandBatch> commands;
    std::unique_ptr<RestBatch> requests;
};

std::unique_ptr<test::RealSlurm> SlurmRest::slurm_;

TEST_F(SlurmRest, APlainJobIsTheSameAsBySbatch) {
    expect_equal(intent());
    EXPECT_EQ(accepted(), 1);
}

TEST_F(SlurmRest, AnArrayIsTheSameAsBySbatch) {
    auto wanted = intent();
    wanted.array = true;
    wanted.count = 7;
    expect_equal(wanted);
    EXPECT_EQ(accepted(), 1);
}

TEST_F(SlurmRest, ShapesAndDevicesAreTheSameAsBySbatch) {
    auto wanted = intent();
    wanted.resources.slots = 4;
    wanted.resources.memory_per_slot_mb = 500;
    wanted.resources.gpus.count = 2;
    wanted.resources.gpus.model = "a100";
    wanted.resources.architecture = "x86_64-v3";
    expect_equal(wanted);
    wanted.resources.nodes = 2;
    wanted.resources.slots = 8;
    wanted.resources.slots_per_node = 4;
    wanted.resources.exclusive = true;
    expect_equal(wanted);
    EXPECT_EQ(accepted(), 2);
}

TEST_F(SlurmRest, OptionsOfTheSiteAreTheSameAsBySbatch) {
    auto wanted = intent();
    wanted.directives = {{"qos", "normal"}, {"mem", "600"}, {"exclusive", "user"}};
    expect_equal(wanted);
    EXPECT_EQ(accepted(), 1);
}

// v0.0.38 takes only signals for job steps ("B:" is refused), and knows no option of a plug-in.
TEST_F(SlurmRest, WhatARequestCannotSayGoesThroughSbatch) {
    auto wanted = intent();
    wanted.resources.warning_s = 300;
    submit(*requests, wanted);
    wanted.resources.warning_s = 0;
    wanted.directives = {{"spread-job", ""}};
    submit(*requests, wanted);
    EXPECT_EQ(accepted(), 0);
}

TEST_F(SlurmRest, ARefusalHasSlurmsWords) {
    auto wanted = intent();
    wanted.queue = "nosuch";
    const auto outcome = run_on(loop, requests->submit(wanted));
    EXPECT_EQ(outcome.kind, Kind::rejected);
    EXPECT_FALSE(outcome.retry);
    EXPECT_NE(outcome.message.find("Invalid partition name specified"), std::string::npos);
}

TEST_F(SlurmRest, NobodyListeningIsARejectionForNow) {
    auto gone = make_rest("unix:/nonexistent/rest.sock", "auto");
    const auto outcome = run_on(loop, gone->submit(intent()));
    EXPECT_EQ(outcome.kind, Kind::rejected);
    EXPECT_TRUE(outcome.retry);
    EXPECT_FALSE(run_on(loop, gone->limits()));
    // scancel needs no slurmrestd.
    const auto wanted = intent();
    const auto id = run_on(loop, requests->submit(wanted)).batch_id;
    jobs::BatchTarget target;
    target.tag = wanted.tag;
    target.batch_id = id;
    EXPECT_TRUE(run_on(loop, gone->cancel(target)));
    EXPECT_EQ(shown(id)["JobState"], "CANCELLED");
}

TEST_F(SlurmRest, AVersionThatTheServerLacksIsSaid) {
    auto newer = make_rest(slurm_->rest_server(), "v0.0.44");
    const auto limits = run_on(loop, newer->limits());
    ASSERT_FALSE(limits);
    EXPECT_NE(limits.error().message.find("v0.0.44"), std::string::npos);
}

TEST_F(SlurmRest, TheLimitsNameTheServer) {
    const auto limits = run_on(loop, requests->limits());
    ASSERT_TRUE(limits);
    EXPECT_EQ(limits->details.at("slurmrestd"), slurm_->rest_server() + "/slurm/v0.0.38/");
}

// The account of SlurmUser or root: its token would act for everybody.
TEST_F(SlurmRest, NoTokenIsAskedForThatActsForEverybody) {
    for (const auto* account : {"root", "slurm"}) {
        const auto user = run({"/usr/bin/scontrol", "show", "config"});
        if (std::string(account) == "slurm" && user.find("= slurm(") == std::string::npos)
            continue;
        auto risky = make_rest("http://127.0.0.1:9", "auto", account);
        const auto outcome = run_on(loop, risky->submit(intent()));
        EXPECT_EQ(outcome.kind, Kind::rejected);
        EXPECT_NE(outcome.message.find("may act for everybody"), std::string::npos);
    }
}

}  // namespace
}  // namespace berth::sites
