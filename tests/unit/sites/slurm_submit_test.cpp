#include "base/text.hpp"
#include "sample.hpp"
#include "sites/slurm.hpp"

#include <algorithm>
#include <set>

namespace berth::sites {
namespace {

using Kind = jobs::SubmitOutcome::Kind;

jobs::SubmitIntent intent() {
    jobs::SubmitIntent intent;
    intent.tag = "babcdefghij2345";
    intent.account = "grid1";
    intent.wrapper = "#!/bin/sh\nexit 0\n";
    intent.directory = "/scratch/s1";
    return intent;
}

Slurm slurm(SlurmSettings settings = {}) {
    return Slurm(std::move(settings));
}

bool has(const Action& action, std::string_view option) {
    return std::ranges::find(action.command, option) != action.command.end();
}

std::string option(const Action& action, const std::string& name) {
    for (const auto& argument : action.command)
        if (argument.starts_with("--" + name + "="))
            return argument.substr(name.size() + 3);
    return has(action, "--" + name) ? "set" : "";
}

TEST(SlurmSubmit, AJobIsNamedByItsTagAndNeverStartedTwiceBySlurm) {
    const auto action = slurm().submit(intent());
    EXPECT_EQ(action.command[0], "/usr/bin/sbatch");
    EXPECT_EQ(option(action, "job-name"), "babcdefghij2345");
    EXPECT_TRUE(has(action, "--parsable"));
    EXPECT_TRUE(has(action, "--no-requeue"));
    EXPECT_EQ(option(action, "output"), "/dev/null");
    EXPECT_EQ(option(action, "error"), "/dev/null");
    EXPECT_EQ(option(action, "chdir"), "/scratch/s1");
    EXPECT_EQ(option(action, "export"), "ALL");
    EXPECT_EQ(action.input, intent().wrapper);
    EXPECT_EQ(action.account, "grid1");
    EXPECT_EQ(action.verb, "submit");
    EXPECT_GE(action.time_limit, std::chrono::seconds(140));
    EXPECT_EQ(action.refused, "");
}

TEST(SlurmSubmit, MayTakeAsLongAsTheSettingsSay) {
    SlurmSettings settings;
    settings.submit_time_limit = std::chrono::seconds(7);
    EXPECT_EQ(Slurm(settings).submit(intent()).time_limit, std::chrono::seconds(7));
}

TEST(SlurmSubmit, TheEnvironmentHoldsNothingOfTheDaemon) {
    SlurmSettings settings;
    settings.environment = {{"SLURM_CONF", "/etc/s.conf"}};
    settings.home = "/srv/berth";
    const auto action = slurm(settings).submit(intent());
    const std::map<std::string, std::string> expected{
        {"SLURM_CONF", "/etc/s.conf"},
        {"HOME", "/srv/berth"},
        {"PATH", "/usr/bin:/usr/local/bin:/usr/bin:/bin"}};
    EXPECT_EQ(action.environment, expected);
}

TEST(SlurmSubmit, EveryShapeOfWorkMaps) {
    auto one = intent();
    one.resources.slots = 8;
    one.resources.memory_per_slot_mb = 2000;
    one.resources.wall_time_s = 3601;
    one.resources.warning_s = 300;
    auto action = slurm().submit(one);
    EXPECT_EQ(option(action, "nodes"), "1");
    EXPECT_EQ(option(action, "ntasks"), "1");
    EXPECT_EQ(option(action, "cpus-per-task"), "8");
    EXPECT_EQ(option(action, "mem-per-cpu"), "2000M");
    EXPECT_EQ(option(action, "time"), "61");
    EXPECT_EQ(option(action, "signal"), "B:USR1@300");
    EXPECT_EQ(option(action, "array"), "");

    auto many = intent();
    many.resources.nodes = 4;
    many.resources.slots = 30;
    action = slurm().submit(many);
    EXPECT_EQ(option(action, "nodes"), "4");
    EXPECT_EQ(option(action, "ntasks-per-node"), "1");
    EXPECT_EQ(option(action, "cpus-per-task"), "8");
    EXPECT_EQ(option(action, "ntasks"), "");
    EXPECT_EQ(option(action, "time"), "");
    many.resources.slots_per_node = 16;
    EXPECT_EQ(option(slurm().submit(many), "cpus-per-task"), "16");

    auto gpu = intent();
    gpu.resources.gpus = {2, "a100"};
    gpu.resources.architecture = "x86_64-v3";
    gpu.resources.exclusive = true;
    gpu.array = true;
    gpu.count = 5;
    action = slurm().submit(gpu);
    EXPECT_EQ(option(action, "gres"), "gpu:a100:2");
    EXPECT_EQ(option(action, "constraint"), "x86_64-v3");
    EXPECT_EQ(option(action, "exclusive"), "set");
    EXPECT_EQ(option(action, "array"), "0-4");
    gpu.resources.gpus.model.clear();
    EXPECT_EQ(option(slurm().submit(gpu), "gres"), "gpu:2");
}

TEST(SlurmSubmit, DirectivesJoinTheRequestAndOverrideTheSite) {
    SlurmSettings settings;
    settings.options = {{"qos", "low"}, {"licenses", "cvmfs"}};
    settings.architectures = {{"x86_64", ""}, {"x86_64-v4", "avx512"}};
    auto job = intent();
    job.directives = {
        {"qos", "high"}, {"constraint", "ib|roce"}, {"gres", "tmp:10"}, {"mem", "4G"}};
    job.resources.architecture = "x86_64-v4";
    job.resources.gpus.count = 1;
    job.resources.memory_per_slot_mb = 100;
    job.queue = "grid";
    job.batch_account = "atlas";
    job.comment = "a pilot\nwith ünusual text";
    const auto action = slurm(settings).submit(job);
    EXPECT_EQ(option(action, "qos"), "high");
    EXPECT_EQ(option(action, "licenses"), "cvmfs");
    EXPECT_EQ(option(action, "constraint"), "(ib|roce)&avx512");
    EXPECT_EQ(option(action, "gres"), "tmp:10,gpu:1");
    EXPECT_EQ(option(action, "mem"), "4G");
    EXPECT_EQ(option(action, "mem-per-cpu"), "");
    EXPECT_EQ(option(action, "partition"), "grid");
    EXPECT_EQ(option(action, "account"), "atlas");
    EXPECT_EQ(option(action, "comment").find('\n'), std::string::npos);
    EXPECT_EQ(action.refused, "");
    job.resources.architecture = "x86_64";
    EXPECT_EQ(option(slurm(settings).submit(job), "constraint"), "ib|roce");
}

TEST(SlurmSubmit, NoValueBecomesAnotherOption) {
    const auto refused = [](auto change) {
        auto job = intent();
        change(job);
        return !slurm().submit(job).refused.empty();
    };
    using Job = jobs::SubmitIntent;
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"uid", "root"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"job-nam", "x"}}; }));  // getopt expands
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"wra", "x"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"requeue", ""}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"-qos", "x"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"qos=x --uid", "0"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"", "0"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.directives = {{"qos", "a\nb"}}; }));
    EXPECT_TRUE(refused([](Job& job) { job.queue = "grid\x01"; }));
    EXPECT_TRUE(refused([](Job& job) { job.tag = "a b"; }));
    EXPECT_TRUE(refused([](Job& job) { job.directory = "relative"; }));
    EXPECT_TRUE(refused([](Job& job) { job.directory = "/a\nb"; }));
    EXPECT_TRUE(refused([](Job& job) { job.resources.gpus = {1, "a,b"}; }));
    EXPECT_TRUE(refused([](Job& job) { job.resources.architecture = "x&y"; }));
    auto job = intent();
    job.queue = "--uid=0";
    for (const auto& argument : slurm().submit(job).command)
        EXPECT_FALSE(argument.starts_with("--uid")) << argument;
}

TEST(SlurmSubmit, TheIdCountsWhateverElseHappened) {
    const auto read = [](const Outcome& outcome) { return slurm().read_submit(outcome); };
    EXPECT_EQ(read(answer("123\n")).batch_id, "123");
    EXPECT_EQ(read(answer("123;grid\n")).cluster, "grid");
    EXPECT_EQ(read(answer("Welcome to our site\n42 nodes are free\n123\nThank you\n")).batch_id,
              "123");
    EXPECT_EQ(read(answer("7\n123;c1\n")).batch_id, "123");
    EXPECT_EQ(read(answer("123\n", 1, "sbatch: error: Socket timed out")).kind, Kind::accepted);
    Outcome late = answer("123\n", -1);
    late.timed_out = true;
    EXPECT_EQ(read(late).kind, Kind::accepted);
    late.output = "12";  // cut: perhaps 123
    EXPECT_EQ(read(late).kind, Kind::unknown);
    for (const auto text :
         {"", "Submitted batch job 21\n", "12a\n", ";c\n", "12;\n", "-5\n", "1;a b\n"})
        EXPECT_EQ(read(answer(text)).kind, Kind::unknown) << text;
}

TEST(SlurmSubmit, ALostAnswerIsUnknownAndAMissingProgramIsNot) {
    EXPECT_EQ(slurm().read_submit(answer("", -1)).kind, Kind::unknown);
    EXPECT_EQ(slurm().read_submit(refusal("something new")).kind, Kind::unknown);
    Outcome late = refusal("sbatch: error: Invalid partition name specified");
    late.timed_out = true;
    EXPECT_EQ(slurm().read_submit(late).kind, Kind::unknown);
    Outcome absent;
    absent.started = false;
    absent.error = "start /usr/bin/sbatch: No such file or directory";
    EXPECT_EQ(slurm().read_submit(absent).kind, Kind::rejected);
    EXPECT_TRUE(slurm().read_submit(absent).retry);
}

// "$ sbatch OPTION", the text, "rc=N"; without --parsable an accepted one has no bare id.
TEST(SlurmSubmit, EveryRecordedErrorOfSbatchIsARejection) {
    std::string command;
    std::string text;
    unsigned rejections = 0;
    const auto errors = sample("slurm-22.05.8-errors.txt");
    for (const auto line : split(errors, '\n')) {
        if (line.starts_with("$ ")) {
            command = line;
            text.clear();
        } else if (line.starts_with("rc=")) {
            const auto code = to_number<int>(line.substr(3)).value();
            if (!command.starts_with("$ sbatch") || code == 0)
                continue;
            const auto outcome = slurm().read_submit(refusal(text, code));
            EXPECT_EQ(outcome.kind, Kind::rejected) << command;
            EXPECT_FALSE(outcome.retry) << command;
            EXPECT_FALSE(outcome.message.empty());
            ++rejections;
        } else {
            text.append(line).append("\n");
        }
    }
    EXPECT_EQ(rejections, 6U);
}

}  // namespace
}  // namespace berth::sites
