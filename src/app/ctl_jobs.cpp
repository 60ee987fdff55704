#include "app/ctl.hpp"

#include <cstdio>

namespace berth::ctl {

namespace {

constexpr std::chrono::hours scan_limit{1};  // a slow shared file system with many sessions

bool print_json(const Options& options, const Answer& answer) {
    if (options.json)
        std::printf("%s\n", answer.body.dump(2).c_str());
    return options.json;
}

void print_jobs_status(const nlohmann::json& body) {
    std::vector<std::vector<std::string>> rows = {{"JOBS", "QUEUE", "COUNT"}};
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
}

}  // namespace

int status(const Options& options) {
    const auto answer = Client(options).get("/status");
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    const auto& body = answer.body;
    const bool is_gateway = body.contains("jobs");
    const bool drained = is_gateway && body["drained"].get<bool>();
    std::printf("berthd %s, instance %s: %s%s\n", show(body["version"]).c_str(),
                show(body["instance"]).c_str(), show(body["status"]).c_str(),
                drained ? " (drained: takes no new jobs)" : "");
    std::vector<std::vector<std::string>> rows = {{"DEPENDENCY", "STATE", "LAST SUCCESS", "ERROR"}};
    for (const auto& entry : body["dependencies"])
        rows.push_back({show(entry["name"]), show(entry["state"]), show(entry["last_success"]),
                        show(entry["error"])});
    print_table(rows);
    if (is_gateway)
        print_jobs_status(body);
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

int simple(const Options& options, const std::string& path, const char* done) {
    const auto answer = Client(options).post(path);
    if (answer.status != 200)
        return refused(answer);
    if (!print_json(options, answer))
        std::printf("%s\n", done);
    return 0;
}

int orphans(const Options& options) {
    const auto answer = Client(options).get("/orphans");
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

int adopt_orphans(const Options& options, const std::vector<std::string>& tags, bool all) {
    if (tags.empty() != all) {
        std::fprintf(stderr, "berthctl: either name tags, or say --all\n");
        return 1;
    }
    const auto answer = Client(options, scan_limit).post("/orphans/adopt", {{"tags", tags}});
    if (answer.status != 200)
        return refused(answer);
    const auto& left = answer.body["not_adopted"];
    if (print_json(options, answer))
        return left.empty() ? 0 : 1;
    std::printf("%zu jobs adopted; %s session directories were looked at\n",
                answer.body["adopted"].size(), show(answer.body["sessions"]).c_str());
    for (const auto& job : answer.body["adopted"])
        std::printf("%s\n", show(job).c_str());
    if (left.empty())
        return 0;
    std::vector<std::vector<std::string>> rows = {{"NOT ADOPTED", "JOB", "WHY"}};
    for (const auto& entry : left)
        rows.push_back({show(entry["tag"]), show(entry["job"]), show(entry["why"])});
    std::printf("\n");
    print_table(rows);
    return 1;
}

int cancel_orphan(const Options& options, const std::string& tag) {
    const auto answer = Client(options).post("/orphans/" + tag + "/cancel");
    if (answer.status != 200)
        return refused(answer);
    std::printf("batch job with tag %s is cancelled\n", tag.c_str());
    return 0;
}

int stray_sessions(const Options& options) {
    const auto answer = Client(options, scan_limit).get("/orphans/sessions");
    if (answer.status != 200)
        return refused(answer);
    if (print_json(options, answer))
        return 0;
    std::vector<std::vector<std::string>> rows = {{"JOB", "TAG"}};
    for (const auto& session : answer.body["unknown"])
        rows.push_back({show(session["job"]), show(session["tag"])});
    print_table(rows);
    std::printf("\n%s session directories were looked at%s\n",
                show(answer.body["sessions"]).c_str(),
                answer.body["complete"].get<bool>() ? "" : "; there are more");
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
