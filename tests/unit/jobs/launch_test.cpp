#include "jobs/launch.hpp"

#include "jobs/session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace berth::jobs {
namespace {

constexpr const char* job_id = "0123456789abcdefghijkl";

// Values that a shell would take apart, expand or run if they were not quoted.
const auto wild_values = {
    "plain",       "",      "two words", "it's",      "'",           "''", "\"", "$HOME", "${x:-y}",
    "`id`",        "$(id)", "a\nb",      "\n",        "back\\slash", "\\", "*",  "~",     "!x",
    "a;b&c|d>e<f", "#x",    "=",         "tab\there", "\xc3\xa9",    "-n", "--"};

// Defines variables before the wrapper's own text; only that part is run here.
std::string run_sh(const std::string& script) {
    std::string quoted = "'";
    for (const char c : script)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    std::FILE* pipe = ::popen(("/bin/sh -c " + quoted + "'").c_str(), "r");
    std::string output;
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
        output.append(part.data(), got);
    ::pclose(pipe);
    return output;
}

std::string head_of(const std::string& wrapper) {
    return wrapper.substr(0, wrapper.find("# The node wrapper"));
}

TEST(WrapperScript, StartsWithTheInterpreterAndHoldsTheWholeWrapper) {
    const auto text = wrapper_script({.root = "/r", .node_url = ""}, "btag", "/r/jobs/kl/x");
    EXPECT_TRUE(text.starts_with("#!/bin/sh\n"));
    EXPECT_NE(text.find("ln -s \"$berth_own\" fence"), std::string::npos);
    EXPECT_TRUE(text.ends_with("exit \"$berth_code\"\n"));
}

TEST(WrapperScript, ItsParametersSurviveTheShell) {
    for (const auto* value : wild_values) {
        const WrapperSettings settings{.root = value, .node_url = value, .heartbeat_s = 7};
        const auto head = head_of(wrapper_script(settings, value, value));
        const auto print = head +
                           "printf '%s|%s|%s|%s|%s|%s.' \"$berth_tag\" \"$berth_root\" "
                           "\"$berth_session\" \"$berth_node\" \"$berth_beat\" \"$berth_output\"";
        const std::string v = value;
        EXPECT_EQ(run_sh(print), v + "|" + v + "|" + v + "|" + v + "|7|100000000.") << value;
    }
}

TEST(LaunchFile, ArgumentsAndEnvironmentSurviveTheShell) {
    Request request{.script = "#!/bin/sh\n"};
    int number = 0;
    for (const auto* value : wild_values) {
        request.arguments.emplace_back(value);
        request.environment.emplace_back("V" + std::to_string(number++), value);
    }
    const auto launch = launch_file({.root = "/r o'o$t", .node_url = ""}, request, job_id);
    // The command is replaced: what would be run is printed, one NUL after each word.
    const auto output =
        run_sh("set --\n" + launch + "while [ $# -gt 0 ]; do printf '%s\\001' \"$1\"; shift; done");
    std::string expected;
    for (std::size_t i = 0; i < request.environment.size(); ++i)
        expected += request.environment[i].first + "=" + request.environment[i].second + "\001";
    const auto session = "/r o'o$t/" + session_path(job_id);
    expected += "BERTH_JOB_ID=" + std::string(job_id) + "\001";
    expected += "MACHINEFEATURES=" + session + "/machinefeatures\001";
    expected += "JOBFEATURES=" + session + "/jobfeatures\001";
    expected += session + "/script\001";
    for (const auto& argument : request.arguments)
        expected += argument + "\001";
    EXPECT_TRUE(output.ends_with(expected)) << output;
    EXPECT_TRUE(output.starts_with("env\001-i\001PATH="));
}

TEST(LaunchFile, TheSitesEnvironmentComesBeforeTheRequests) {
    const WrapperSettings settings{
        .root = "/r", .node_url = "", .environment = {{"SITE", "1"}, {"BOTH", "site"}}};
    const Request request{.script = "x", .environment = {{"BOTH", "request"}}};
    const auto launch = launch_file(settings, request, job_id);
    EXPECT_NE(launch.find("'SITE=1'"), std::string::npos);
    EXPECT_LT(launch.find("'BOTH=site'"), launch.find("'BOTH=request'"));
}

TEST(LaunchFile, NeitherTheSiteNorTheRequestReplacesWhatBerthSets) {
    const WrapperSettings settings{
        .root = "/r", .node_url = "", .environment = {{"JOBFEATURES", "x"}}};
    const Request request{.script = "x", .environment = {{"BERTH_JOB_ID", "x"}}};
    const auto launch = launch_file(settings, request, job_id);
    EXPECT_LT(launch.find("'BERTH_JOB_ID=x'"),
              launch.find("'BERTH_JOB_ID=" + std::string(job_id) + "'"));
    EXPECT_LT(launch.find("'JOBFEATURES=x'"), launch.find("'JOBFEATURES=/r/"));
}

TEST(LaunchFile, AnUploadedScriptIsTakenFromTheFiles) {
    const auto launch = launch_file({.root = "/r", .node_url = ""}, Request{}, job_id);
    EXPECT_NE(launch.find("/r/" + session_path(job_id) + "/files/script'"), std::string::npos);
}

TEST(LaunchFile, TellsTheLimitsThatTheJobHas) {
    Request request{.script = "x"};
    request.resources.slots = 4096;
    request.resources.memory_per_slot_mb = 2'000'000;
    request.resources.wall_time_s = 3600;
    const auto launch = launch_file({.root = "/r", .node_url = ""}, request, job_id);
    EXPECT_NE(launch.find("berth_slots='4096'\n"), std::string::npos);
    EXPECT_NE(launch.find("berth_wall='3600'\n"), std::string::npos);
    EXPECT_NE(launch.find("berth_memory='8192000000'\n"), std::string::npos) << launch;
}

}  // namespace
}  // namespace berth::jobs
