#include "app/ctl.hpp"
#include "app/preflight.hpp"
#include "config/config.hpp"

#include <chrono>
#include <cstdio>
#include <sstream>
#include <thread>

namespace berth::ctl {

namespace {

constexpr auto probe_limit = std::chrono::minutes(10);

std::string limit(const nlohmann::json& value) {
    return value == 0 ? std::string("-") : show(value);
}

void print_limits(const nlohmann::json& body) {
    std::printf("batch system: %s\n", show(body["version"]).c_str());
    std::vector<std::vector<std::string>> rows = {{"LIMIT", "VALUE"}};
    rows.push_back({"array size", limit(body["array_size_max"])});
    rows.push_back({"jobs in the queue", limit(body["jobs_max"])});
    rows.push_back({"ended jobs stay visible (s)", limit(body["min_job_age_s"])});
    rows.push_back({"message time-out (s)", limit(body["command_timeout_s"])});
    rows.push_back({"accounting history", show(body["history"])});
    for (const auto& [name, value] : body["details"].items())
        rows.push_back({name, show(value)});
    print_table(rows);
    rows = {{"QUEUE", "UP", "WALL TIME (s)", "NODES", "SLOTS/NODE", "MB/NODE", "GPUS/NODE",
             "GPU MODELS", "FEATURES"}};
    for (const auto& queue : body["queues"])
        rows.push_back({show(queue["name"]) + (queue["default"].get<bool>() ? "*" : ""),
                        show(queue["up"]), limit(queue["wall_time_max_s"]),
                        limit(queue["nodes_max"]), limit(queue["slots_per_node_max"]),
                        limit(queue["memory_per_node_max_mb"]), limit(queue["gpus_per_node_max"]),
                        show(queue["gpu_models"]), show(queue["features"])});
    std::printf("\n");
    print_table(rows);
}

bool is_final(const std::string& state) {
    return state == "done" || state == "failed" || state == "cancelled";
}

// What the probe wrote, against what is expected; the number of faults.
int judge(const std::string& output) {
    int faults = 0;
    std::istringstream lines(output);
    std::string line;
    while (std::getline(lines, line)) {
        const auto space = line.find(' ');
        const auto name = line.substr(0, space);
        const auto value = space == std::string::npos ? std::string() : line.substr(space + 1);
        const bool failed = value.find("FAILED") != std::string::npos;
        faults += failed ? 1 : 0;
        if (name != "time") {
            std::printf("%-14s %s\n", name.c_str(), value.c_str());
            continue;
        }
        const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
        const auto differs = std::strtoll(value.c_str(), nullptr, 10) - static_cast<long long>(now);
        std::printf("%-14s node and edge differ by about %lld s (queueing included)\n", "clocks",
                    differs);
        faults += differs > 60 ? 1 : 0;
    }
    return faults;
}

int probe(const Client& client, const std::string& queue) {
    auto answer = client.post("/probe", {{"queue", queue}});
    if (answer.status != 201)
        return refused(answer);
    const auto id = show(answer.body["id"]);
    std::printf("\nprobe job %s is submitted; waiting for its end\n", id.c_str());
    const auto deadline = std::chrono::steady_clock::now() + probe_limit;
    std::string state;
    while (!is_final(state)) {
        if (std::chrono::steady_clock::now() > deadline) {
            std::fprintf(stderr, "the probe is still %s; see: berthctl job %s\n", state.c_str(),
                         id.c_str());
            return 1;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        answer = client.get("/jobs/" + id);
        if (answer.status != 200)
            return refused(answer);
        state = show(answer.body["state"]);
    }
    std::printf("%-14s %s (%s)\n", "result", state.c_str(), show(answer.body["detail"]).c_str());
    std::printf("%-14s %s\n", "news came by", show(answer.body["source"]).c_str());
    const auto output = client.get("/jobs/" + id + "/output");
    if (output.status != 200)
        return refused(output);
    const int faults = judge(output.text);
    if (state != "done" || faults > 0) {
        std::fprintf(stderr, "berthctl: the probe found faults; see the lines with FAILED\n");
        return 1;
    }
    std::printf("the probe found no fault\n");
    return 0;
}

}  // namespace

int check(const Options& options, bool submit, const std::string& queue) {
    const auto loaded = config::load_file(options.config_file);
    for (const auto& problem : loaded.problems)
        std::fprintf(stderr, "%s\n", config::to_string(problem).c_str());
    if (!loaded.problems.empty())
        return 1;
    // Who the daemon runs as is not known here; with accounts = "own" every rule names it.
    const auto& mappings = loaded.config.mappings;
    bool fatal = false;
    for (const auto& finding : app::preflight(
             loaded.config, mappings.empty() ? std::string() : mappings.front().account)) {
        fatal = fatal || finding.fatal;
        std::fprintf(stderr, "%s: %s\n", options.config_file.c_str(), to_string(finding).c_str());
    }
    if (fatal)
        return 1;
    std::printf("%s: no problem found\n", options.config_file.c_str());
    const Client client(options);
    const auto answer = client.post("/check");
    if (answer.status != 200)
        return refused(answer);
    if (options.json)
        std::printf("%s\n", answer.body.dump(2).c_str());
    else
        print_limits(answer.body);
    return submit ? probe(client, queue) : 0;
}

}  // namespace berth::ctl
