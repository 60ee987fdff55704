#include "sites/slurm_rest.hpp"

#include "base/text.hpp"
#include "sample.hpp"
#include "sites/slurm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace berth::sites::slurm_rest {
namespace {

using End = net::HttpAnswer::End;
using Kind = jobs::SubmitOutcome::Kind;
using nlohmann::json;

net::HttpAnswer answered(int status, std::string body) {
    net::HttpAnswer answer;
    answer.end = End::answered;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
}

net::HttpAnswer recorded(int status, const std::string& name) {
    return answered(status, sample("slurm-22.05.8-rest-" + name));
}

net::HttpAnswer without_answer(End end) {
    net::HttpAnswer answer;
    answer.end = end;
    answer.error = "why";
    return answer;
}

// An answer of the recorded list, by its label.
net::HttpAnswer error_of(const std::string& label) {
    const auto text = sample("slurm-22.05.8-rest-submit-errors.txt");
    for (const auto line : split(text, '\n')) {
        const auto parts = split(line, '|');
        if (parts.size() >= 3 && parts[0] == label)
            return answered(to_number<int>(parts[1]).value_or(0), std::string(parts[2]));
    }
    ADD_FAILURE() << label;
    return {};
}

jobs::SubmitOutcome outcome(const net::HttpAnswer& answer) {
    return read_submit(answer, {});
}

jobs::SubmitIntent intent() {
    jobs::SubmitIntent made;
    made.tag = "babcdefghij2345";
    made.comment = "my \"pilot\"";
    made.wrapper = "#!/bin/sh\nexit 0\n";
    made.directory = "/scratch/s1";
    made.queue = "grid";
    made.batch_account = "atlas";
    made.project = "p1";
    made.resources.slots = 8;
    made.resources.memory_per_slot_mb = 2000;
    made.resources.wall_time_s = 5430;
    return made;
}

json body_of(const jobs::SubmitIntent& wanted, std::string_view version, json otherwise = {}) {
    SlurmSettings settings;
    settings.environment = {{"SLURM_CONF", "/etc/s.conf"}};
    const auto body = submission(Slurm(settings).submit(wanted), *dialect_named(version));
    return body ? json::parse(*body) : otherwise;
}

TEST(SlurmRestSubmit, ARequestSaysWhatSbatchIsTold) {
    const auto body = body_of(intent(), "v0.0.38");
    const json expected = {{"script", "#!/bin/sh\nexit 0\n"},
                           {"job",
                            {{"name", "babcdefghij2345"},
                             {"comment", "my \"pilot\""},
                             {"partition", "grid"},
                             {"account", "atlas"},
                             {"wckey", "p1"},
                             {"nodes", "1"},
                             {"tasks", 1},
                             {"cpus_per_task", 8},
                             {"memory_per_cpu", 2000},
                             {"time_limit", 91},
                             {"no_requeue", true},
                             {"standard_output", "/dev/null"},
                             {"standard_error", "/dev/null"},
                             {"current_working_directory", "/scratch/s1"},
                             {"environment",
                              {{"SLURM_CONF", "/etc/s.conf"},
                               {"PATH", "/usr/bin:/usr/local/bin:/usr/bin:/bin"},
                               {"HOME", "/"}}}}}};
    EXPECT_EQ(body, expected);
}

TEST(SlurmRestSubmit, LaterVersionsDifferAsTheirDocumentsSay) {
    const auto forty = body_of(intent(), "v0.0.40");
    EXPECT_EQ(forty["job"]["time_limit"], (json{{"set", true}, {"number", 91}}));
    EXPECT_EQ(forty["job"]["memory_per_cpu"], (json{{"set", true}, {"number", 2000}}));
    EXPECT_EQ(forty["job"]["requeue"], false);
    EXPECT_FALSE(forty["job"].contains("no_requeue"));
    EXPECT_EQ(forty["job"]["environment"][0], "HOME=/");
    EXPECT_TRUE(forty.contains("script"));
    for (const auto* version : {"v0.0.41", "v0.0.42", "v0.0.43", "v0.0.44"}) {
        const auto body = body_of(intent(), version);
        EXPECT_FALSE(body.contains("script")) << version;
        EXPECT_EQ(body["job"]["script"], "#!/bin/sh\nexit 0\n") << version;
    }
}

TEST(SlurmRestSubmit, AnArrayAndItsShapeAreSaid) {
    auto wanted = intent();
    wanted.array = true;
    wanted.count = 7;
    wanted.resources.nodes = 2;
    wanted.resources.slots = 16;
    wanted.resources.slots_per_node = 8;
    wanted.resources.exclusive = true;
    wanted.resources.gpus = {.count = 2, .model = "a100"};
    const auto job = body_of(wanted, "v0.0.38")["job"];
    EXPECT_EQ(job["array"], "0-6");
    EXPECT_EQ(job["nodes"], "2");
    EXPECT_EQ(job["tasks_per_node"], 1);
    EXPECT_EQ(job["tasks"], 2);
    EXPECT_EQ(job["cpus_per_task"], 8);
    EXPECT_EQ(job["exclusive"], "exclusive");
    EXPECT_EQ(job["gres"], "gpu:a100:2");
}

TEST(SlurmRestSubmit, WhatHasNoTranslationMakesNoRequest) {
    auto warned = intent();
    warned.resources.warning_s = 300;
    auto spread = intent();
    spread.directives = {{"spread-job", ""}};
    auto large = intent();
    large.directives = {{"mem", "4G"}};
    auto refused = intent();
    refused.directives = {{"uid", "0"}};
    auto bytes = intent();
    bytes.wrapper = "#!/bin/sh\necho \xff\n";
    for (const auto& wanted : {warned, spread, large, refused, bytes})
        EXPECT_EQ(body_of(wanted, "v0.0.38", "none"), "none");
    auto devices = intent();
    devices.resources.gpus.count = 1;
    EXPECT_NE(body_of(devices, "v0.0.38", "none"), "none");
    EXPECT_EQ(body_of(devices, "v0.0.44", "none"), "none");
}

TEST(SlurmRestSubmit, VersionsAreKnownByName) {
    EXPECT_EQ(dialect_named("v0.0.38")->version, 38U);
    for (const auto* version : {"v0.0.37", "v0.0.45", "v0.0.380", "0.0.38", ""})
        EXPECT_EQ(dialect_named(version), nullptr) << version;
    EXPECT_EQ(path_of(*dialect_named("v0.0.41"), "ping"), "/slurm/v0.0.41/ping");
    EXPECT_EQ(dialects().front().version, 44U);
}

TEST(SlurmRestRead, ASubmissionGivesAnId) {
    const auto read = outcome(recorded(200, "submit.json"));
    EXPECT_EQ(read.kind, Kind::accepted);
    EXPECT_NE(read.batch_id, "");
    EXPECT_EQ(outcome(answered(200, "{\"job_id\": 7, \"errors\": []}")).batch_id, "7");
}

TEST(SlurmRestRead, ANamedErrorIsARejectionInSlurmsWords) {
    for (const auto* label : {"partition", "feature", "array", "memory", "gres", "environment",
                              "unknown key", "signal"}) {
        const auto read = outcome(error_of(label));
        EXPECT_EQ(read.kind, Kind::rejected) << label;
        EXPECT_FALSE(read.retry) << label;
    }
    EXPECT_NE(outcome(error_of("partition")).message.find("Invalid partition name specified"),
              std::string::npos);
}

TEST(SlurmRestRead, WhatWasRefusedBeforeSlurmWasAskedIsTriedAgain) {
    for (const auto& answer :
         {error_of("no token"), error_of("version"), without_answer(End::not_sent)}) {
        const auto read = outcome(answer);
        EXPECT_EQ(read.kind, Kind::rejected);
        EXPECT_TRUE(read.retry);
        EXPECT_NE(read.message, "");
    }
}

TEST(SlurmRestRead, NothingElseIsProofThatThereIsNoBatchJob) {
    const net::HttpAnswer answers[] = {
        error_of("controller stopped"),
        error_of("bad token"),
        without_answer(End::cut),
        without_answer(End::timed_out),
        without_answer(End::too_large),
        answered(200, "{\"errors\": []}"),
        answered(200, "{\"job_id\": 0}"),
        answered(200, "{\"job_id\": -4}"),
        answered(200, "{\"job_id\": \"7\"}"),
        answered(200, "{\"job_id\": 7"),
        answered(200, "{\"job_id\": 7, \"job_id\": 8}"),
        answered(500, "{\"job_id\": 7}"),
        answered(500, ""),
        answered(502, "Invalid partition name specified"),
        answered(503, ""),
        answered(500, "{\"errors\": [{\"error\": \"Unspecified error\", \"error_number\": -1}]}"),
    };
    for (const auto& answer : answers)
        EXPECT_EQ(outcome(answer).kind, Kind::unknown) << answer.status << " " << answer.body;
}

TEST(SlurmRestRead, ALimitForNowIsTriedAgainAndTheSitesOwnWordsAreHeard) {
    const std::string own = "not on Fridays";
    const auto busy = outcome(answered(
        500,
        "{\"errors\": [{\"error\": \"Required partition not available (inactive or drain)\"}]}"));
    EXPECT_EQ(busy.kind, Kind::rejected);
    EXPECT_TRUE(busy.retry);
    const auto answer = answered(500, "{\"errors\": [{\"description\": \"not on Fridays\"}]}");
    EXPECT_EQ(read_submit(answer, std::vector{own}).kind, Kind::rejected);
}

TEST(SlurmRestRead, ABatchJobIsOursByItsName) {
    const auto shown = recorded(200, "job.json");
    EXPECT_TRUE(*carries(shown, "babcdefghij2345"));
    EXPECT_FALSE(*carries(shown, "babcdefghij2346"));
    EXPECT_FALSE(*carries(recorded(500, "unknown-job.json"), "babcdefghij2345"));
    EXPECT_FALSE(*carries(answered(200, "{\"jobs\": []}"), "x"));
    // One task of another name: not ours to act on.
    EXPECT_FALSE(
        *carries(answered(200, "{\"jobs\": [{\"name\": \"x\"}, {\"name\": \"y\"}]}"), "x"));
    EXPECT_FALSE(carries(recorded(500, "bad-token.json"), "x"));
    EXPECT_FALSE(carries(without_answer(End::too_large), "x"));
    EXPECT_FALSE(carries(answered(200, "{}"), "x"));
    EXPECT_EQ(carries(without_answer(End::timed_out), "x").error().kind, ErrorKind::timed_out);
}

TEST(SlurmRestRead, ACancelIsTakenOrRefused) {
    EXPECT_TRUE(read_cancel(recorded(200, "cancel.json")));
    EXPECT_TRUE(read_cancel(recorded(500, "cancel-unknown.json")));
    EXPECT_EQ(read_cancel(recorded(500, "cancel-denied.json")).error().kind, ErrorKind::rejected);
    EXPECT_FALSE(read_cancel(recorded(500, "bad-token.json")));
    EXPECT_FALSE(read_cancel(answered(200, "text")));
    EXPECT_FALSE(read_cancel(without_answer(End::cut)));
}

TEST(SlurmRestRead, ARefusedTokenIsKnownByItsAnswers) {
    EXPECT_TRUE(is_refused(error_of("bad token")));
    EXPECT_TRUE(is_refused(error_of("no token")));
    EXPECT_TRUE(is_refused(recorded(500, "bad-token.json")));
    for (const auto& answer : {error_of("partition"), error_of("signal"),
                               recorded(200, "submit.json"), without_answer(End::cut)})
        EXPECT_FALSE(is_refused(answer));
}

TEST(SlurmRestRead, ATokenIsReadStrictlyAndNeverQuoted) {
    EXPECT_EQ(*read_token(answer("SLURM_JWT=abc.DEF-1_2.x\n")), "abc.DEF-1_2.x");
    for (const auto* text : {"", "SLURM_JWT=", "abc", "SLURM_JWT=a b", "SLURM_JWT=secret\r\nX: y",
                             "x\nSLURM_JWT=secret"}) {
        const auto token = read_token(answer(text));
        ASSERT_FALSE(token) << text;
        EXPECT_EQ(token.error().message.find("secret"), std::string::npos);
    }
    EXPECT_FALSE(read_token(refusal("slurm_token: error")));
}

TEST(SlurmRestRead, TheConfigurationNamesSlurmsOwnUser) {
    EXPECT_EQ(*read_slurm_user(answer(sample("slurm-22.05.8-show-config.txt"))), "slurm");
    EXPECT_FALSE(read_slurm_user(answer("SlurmctldPort = 1\n")));
}

}  // namespace
}  // namespace berth::sites::slurm_rest
