// Faults between Berth and slurmrestd, and the life of the token.
#include "sites/rest_batch.hpp"

#include "integration/sites/run_loop.hpp"
#include "support/rude_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

namespace berth::sites {
namespace {

using Act = test::RudeServer::Act;
using Kind = jobs::SubmitOutcome::Kind;
using Step = test::RudeServer::Step;
using test::run_on;

// scontrol: a new token each time; scancel and squeue find nothing.
class TokenRunner final : public CommandRunner {
public:
    boost::asio::awaitable<net::CommandResult> run(net::Command command, std::string) override {
        net::CommandResult result;
        result.exit_code = 0;
        const auto& words = command.arguments;
        programs.push_back(words[0].substr(words[0].rfind('/') + 1));
        const auto is = [&](const char* word) {
            return std::ranges::find(words, word) != words.end();
        };
        if (is("token"))
            result.output = "SLURM_JWT=token" + std::to_string(++tokens) + "\n";
        else if (is("config"))
            result.output = "SlurmUser               = slurm(64030)\n";
        co_return result;
    }
    std::vector<std::string> programs = {};
    int tokens = 0;
};

class RestBatchTest : public testing::Test {
protected:
    // Answers pings of v0.0.38; the rest is up to `script`, by the request's text.
    void serve(std::function<Step(const std::string&)> script) {
        server = std::make_unique<test::RudeServer>(
            [this, script = std::move(script)](std::size_t, const std::string& text) {
                const auto line = text.substr(0, text.find(" HTTP/"));
                const std::lock_guard<std::mutex> lock(mutex);
                if (line.ends_with("/ping"))
                    return Step{Act::answer, line.find("v0.0.38") != line.npos ? 200 : 404, "{}"};
                requests.push_back(text);
                return script(text);
            });
        RestSettings settings;
        settings.server = server->url();
        settings.account = "grid1";
        settings.time_limit = std::chrono::seconds(2);
        batch = std::make_unique<RestBatch>(loop, SlurmSettings(), settings, runner, HostSettings(),
                                            clock, metrics);
    }
    ~RestBatchTest() override { batch.reset(); }

    jobs::SubmitOutcome submit() {
        jobs::SubmitIntent wanted;
        wanted.tag = "babcdefghij2345";
        wanted.wrapper = "#!/bin/sh\n";
        wanted.directory = "/tmp";
        return run_on(loop, batch->submit(wanted));
    }
    Result<void> cancel() {
        jobs::BatchTarget target;
        target.tag = "babcdefghij2345";
        target.batch_id = "7";
        return run_on(loop, batch->cancel(target));
    }
    std::vector<std::string> seen() {
        const std::lock_guard<std::mutex> lock(mutex);
        return requests;
    }

    boost::asio::io_context loop{1};
    ManualClock clock;
    Metrics metrics;
    TokenRunner runner;
    std::mutex mutex;
    std::vector<std::string> requests;
    std::unique_ptr<test::RudeServer> server;
    std::unique_ptr<RestBatch> batch;
};

const Step accepted{Act::answer, 200, "{\"job_id\": 7, \"errors\": []}"};

TEST_F(RestBatchTest, OneTokenServesUntilHalfOfItsLifeIsOver) {
    serve([](const std::string&) { return accepted; });
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(submit().batch_id, "7");
    EXPECT_EQ(runner.tokens, 1);
    EXPECT_NE(seen()[0].find("X-SLURM-USER-NAME: grid1\r\n"), std::string::npos);
    EXPECT_NE(seen()[0].find("X-SLURM-USER-TOKEN: token1\r\n"), std::string::npos);
    clock.advance(std::chrono::seconds(301));
    EXPECT_EQ(submit().kind, Kind::accepted);
    EXPECT_EQ(runner.tokens, 2);
    EXPECT_NE(seen()[3].find("X-SLURM-USER-TOKEN: token2\r\n"), std::string::npos);
}

TEST_F(RestBatchTest, ARefusedTokenIsReplaced) {
    serve([this](const std::string& text) {
        const bool refuses = text.find("token1") != std::string::npos && requests.size() > 1;
        return refuses ? Step{Act::answer, 401, "Authentication failure"} : accepted;
    });
    EXPECT_EQ(submit().kind, Kind::accepted);
    const auto refused = submit();
    EXPECT_EQ(refused.kind, Kind::rejected);
    EXPECT_TRUE(refused.retry);
    EXPECT_EQ(submit().kind, Kind::rejected);  // not a new one for each refusal
    EXPECT_EQ(runner.tokens, 1);
    clock.advance(std::chrono::seconds(20));
    EXPECT_EQ(submit().kind, Kind::rejected);
    EXPECT_EQ(submit().kind, Kind::accepted);
    EXPECT_EQ(runner.tokens, 2);
}

TEST_F(RestBatchTest, ALostAnswerIsUnknownAndTheRequestIsNotRepeated) {
    serve([this](const std::string&) {
        return requests.size() == 2 ? Step{Act::close, 0, ""} : accepted;
    });
    EXPECT_EQ(submit().kind, Kind::accepted);
    EXPECT_EQ(submit().kind, Kind::unknown);
    EXPECT_EQ(seen().size(), 2U);
}

TEST_F(RestBatchTest, NoAnswerInTimeIsUnknown) {
    serve([](const std::string&) { return Step{Act::hang, 0, ""}; });
    EXPECT_EQ(submit().kind, Kind::unknown);
    EXPECT_EQ(seen().size(), 1U);
}

TEST_F(RestBatchTest, AnotherVersionAfterAnUpgradeIsFoundAgain) {
    serve([this](const std::string&) {
        return requests.size() == 1 ? Step{Act::answer, 404, "Unable find requested URL."}
                                    : accepted;
    });
    const auto first = submit();
    EXPECT_EQ(first.kind, Kind::rejected);
    EXPECT_TRUE(first.retry);
    EXPECT_EQ(submit().kind, Kind::accepted);
}

TEST_F(RestBatchTest, ACancelLooksAtTheNameFirst) {
    serve([](const std::string& text) {
        return Step{Act::answer, 200,
                    text.starts_with("GET")
                        ? "{\"jobs\": [{\"name\": \"babcdefghij2345\"}], \"errors\": []}"
                        : "{\"errors\": []}"};
    });
    EXPECT_TRUE(cancel());
    ASSERT_EQ(seen().size(), 2U);
    EXPECT_TRUE(seen()[1].starts_with("DELETE /slurm/v0.0.38/job/7 "));
    EXPECT_EQ(std::ranges::count(runner.programs, "scancel"), 0);
}

TEST_F(RestBatchTest, ABatchJobOfAnotherNameIsLeftAlone) {
    serve([](const std::string&) {
        return Step{Act::answer, 200, "{\"jobs\": [{\"name\": \"somebody\"}], \"errors\": []}"};
    });
    EXPECT_TRUE(cancel());
    EXPECT_EQ(seen().size(), 1U);
    EXPECT_EQ(std::ranges::count(runner.programs, "scancel"), 0);
}

TEST_F(RestBatchTest, ACancelThatRequestsCannotDoIsDoneByScancel) {
    serve([](const std::string&) { return Step{Act::close, 0, ""}; });
    EXPECT_TRUE(cancel());
    EXPECT_EQ(std::ranges::count(runner.programs, "scancel"), 1);
}

}  // namespace
}  // namespace berth::sites
