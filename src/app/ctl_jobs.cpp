#include "app/ctl.hpp"

#include <cstdio>

namespace berth::ctl {

namespace {

bool print_json(const Options& options, const Answer& answer) {
    if (options.json)
        std::printf("%s\n", answer.body.dump(2).c_str());
    return options.json;
}

}  // namespace

int status(const Options& options) {
    const auto answer = Client(options).get("/status");
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    const auto& body = answer.body;
    std::printf("berthd %s, instance %s: %s%s\n", show(body["version"]).c_str(),
                show(body["instance"]).c_str(), show(body["status"]).c_str(),
                body["drained"].get<bool>() ? " (drained: takes no new jobs)" : "");
    std::vector<std::vector<std::string>> rows = {{"DEPENDENCY", "STATE", "LAST SUCCESS", "ERROR"}};
    for (const auto& entry : body["dependencies"])
        rows.push_back({show(entry["name"]), show(entry["state"]), show(entry["last_success"]),
                        show(entry["error"])});
    print_table(rows);
    rows = {{"JOBS", "QUEUE", "COUNT"}};
    for (const auto& entry : body["jobs"])
        rows.push_back({show(entry["state"]), show(entry["queue"]), show(entry["count"])});
    std::printf("\n");
    print_table(rows);
    rows = {{"ACCOUNT", "BYTES OF ENDED JOBS", "FILES"}};
    for (const auto& entry : body["accounts"])
        rows.push_back({show(entry["account"]), show(entry["bytes"]), show(entry["files"])});
    std::printf("\n");
    print_table(rows);
    if (body["orphans"].get<std::size_t>() > 0)
        std::printf("\n%s batch jobs carry a tag that the store does not know: berthctl orphans\n",
                    show(body["orphans"]).c_str());
    return 0;
}

int jobs(const Options& options, const std::string& state) {
    const auto query = state.empty() ? std::string() : "?state=" + state;
    const auto answer = Client(options).get("/jobs" + query);
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    std::vector<std::vector<std::string>> rows = {
        {"ID", "STATE", "REASON", "BATCH ID", "QUEUE", "ACCOUNT", "UPDATED", "NAME"}};
    for (const auto& job : answer.body["jobs"])
        rows.push_back({show(job["id"]), show(job["state"]), show(job["reason"]),
                        show(job["batch_id"]), show(job["queue"]), show(job["account"]),
                        show(job["updated"]), show(job["name"])});
    print_table(rows);
    return 0;
}

int job(const Options& options, const std::string& wanted) {
    const auto answer = Client(options).get("/jobs/" + wanted);
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : answer.body.items())
        if (name != "events")
            rows.push_back({name, show(value)});
    print_table(rows);
    std::printf("\n");
    rows = {{"TIME", "FROM", "TO", "REASON", "SOURCE", "DETAIL"}};
    for (const auto& event : answer.body["events"])
        rows.push_back({show(event["time"]), show(event["from"]), show(event["state"]),
                        show(event["reason"]), show(event["source"]), show(event["detail"])});
    print_table(rows);
    return 0;
}

int cancel(const Options& options, const std::string& wanted) {
    const auto answer = Client(options).post("/jobs/" + wanted + "/cancel");
    if (answer.status != 202)
        return refused(answer);
    std::printf("cancel of job %s is requested\n", show(answer.body["id"]).c_str());
    return 0;
}

int simple(const Options& options, const std::string& path) {
    const auto answer = Client(options).post(path);
    if (answer.status != 200)
        return refused(answer);
    std::printf("%s\n", answer.body.dump().c_str());
    return 0;
}

int orphans(const Options& options, const std::string& cancel_tag) {
    const Client client(options);
    if (!cancel_tag.empty()) {
        const auto answer = client.post("/orphans/" + cancel_tag + "/cancel");
        if (answer.status != 200)
            return refused(answer);
        std::printf("batch job with tag %s is cancelled\n", cancel_tag.c_str());
        return 0;
    }
    const auto answer = client.get("/orphans");
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    std::vector<std::vector<std::string>> rows = {
        {"TAG", "BATCH ID", "STATE", "USER", "FIRST SEEN"}};
    for (const auto& orphan : answer.body["orphans"])
        rows.push_back({show(orphan["tag"]), show(orphan["batch_id"]), show(orphan["state"]),
                        show(orphan["user"]), show(orphan["first_seen"])});
    print_table(rows);
    return 0;
}

int backup(const Options& options, const std::string& path) {
    const auto answer = Client(options).post("/backup", {{"path", path}});
    if (answer.status != 200)
        return refused(answer);
    std::printf("the store is copied to %s\n", path.c_str());
    return 0;
}

}  // namespace berth::ctl
