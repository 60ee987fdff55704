#include "sites/local_spool.hpp"

#include "base/files.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace berth::sites::local {

namespace {

namespace fs = std::filesystem;
using jobs::BatchState;
using nlohmann::json;

std::int64_t ms_or_zero(const std::optional<WallTime>& time) {
    return time ? to_ms(*time) : 0;
}

std::optional<WallTime> time_or_none(std::int64_t ms) {
    return ms == 0 ? std::nullopt : std::optional(from_ms(ms));
}

json to_json(const Task& task) {
    json value;
    value["state"] = jobs::to_string(task.state);
    value["run"] = task.run;
    value["ending"] = jobs::to_string(task.ending);
    if (task.exit_code)
        value["exit_code"] = *task.exit_code;
    value["signal"] = task.signal;
    value["warned"] = task.warned;
    value["reason"] = task.reason;
    value["started"] = ms_or_zero(task.started);
    value["ended"] = ms_or_zero(task.ended);
    return value;
}

std::optional<BatchState> state_from(std::string_view word) {
    for (int i = 0; i <= static_cast<int>(BatchState::requeue_held); ++i)
        if (const auto state = static_cast<BatchState>(i); jobs::to_string(state) == word)
            return state;
    return std::nullopt;
}

// Throws json::exception when a key is missing or of the wrong type.
Task task_from(const json& value) {
    Task task;
    task.state = state_from(value.at("state").get<std::string>()).value_or(BatchState::node_lost);
    task.ending = state_from(value.at("ending").get<std::string>()).value_or(BatchState::queued);
    task.run = value.at("run").get<unsigned>();
    if (value.contains("exit_code"))
        task.exit_code = value.at("exit_code").get<int>();
    task.signal = value.at("signal").get<int>();
    task.warned = value.at("warned").get<bool>();
    task.reason = value.at("reason").get<std::string>();
    task.started = time_or_none(value.at("started").get<std::int64_t>());
    task.ended = time_or_none(value.at("ended").get<std::int64_t>());
    return task;
}

std::string job_text(const Job& job) {
    json value;
    value["id"] = job.id;
    value["tag"] = job.tag;
    value["account"] = job.account;
    value["directory"] = job.directory;
    value["slots"] = job.slots;
    value["memory_mb"] = job.memory_mb;
    value["wall_time_s"] = job.wall_time_s;
    value["warning_s"] = job.warning_s;
    value["array"] = job.array;
    value["submitted"] = to_ms(job.submitted);
    return value.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Job job_from(const json& value) {
    Job job;
    job.id = value.at("id").get<std::uint64_t>();
    job.tag = value.at("tag").get<std::string>();
    job.account = value.at("account").get<std::string>();
    job.directory = value.at("directory").get<std::string>();
    job.slots = value.at("slots").get<unsigned>();
    job.memory_mb = value.at("memory_mb").get<unsigned>();
    job.wall_time_s = value.at("wall_time_s").get<unsigned>();
    job.warning_s = value.at("warning_s").get<unsigned>();
    job.array = value.at("array").get<bool>();
    job.submitted = from_ms(value.at("submitted").get<std::int64_t>());
    return job;
}

Result<Job> load_one(const std::string& folder) {
    auto fixed = read_file(folder + "/job.json");
    auto state = read_file(folder + "/state.json");
    if (!fixed)
        return fixed.error();
    if (!state)
        return state.error();
    try {
        Job job = job_from(json::parse(*fixed));
        const json tasks = json::parse(*state).at("tasks");
        for (const auto& task : tasks)
            job.tasks.push_back(task_from(task));
        return job;
    } catch (const json::exception& error) {
        return Error{ErrorKind::internal, folder + ": " + error.what()};
    }
}

Result<void> failed(const std::string& what, const std::error_code& error) {
    return error ? Result<void>(system_error(what, error.value())) : Result<void>();
}

}  // namespace

bool is_over(const Job& job) {
    return std::ranges::all_of(job.tasks,
                               [](const Task& task) { return jobs::is_over(task.state); });
}

std::optional<WallTime> ended(const Job& job) {
    std::optional<WallTime> last;
    for (const auto& task : job.tasks)
        last = std::max(last, task.ended);
    return is_over(job) ? last : std::nullopt;
}

std::string folder_of(const std::string& spool, std::uint64_t id) {
    return spool + "/" + std::to_string(id);
}

std::string prefix_of(const std::string& spool, const Job& job, std::size_t task) {
    return folder_of(spool, job.id) + "/" + std::to_string(task) + "." +
           std::to_string(job.tasks[task].run);
}

std::string state_text(const Job& job) {
    json value;
    value["tasks"] = json::array();
    for (const auto& task : job.tasks)
        value["tasks"].push_back(to_json(task));
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<void> create(std::string spool, Job job, std::string script) {
    const auto half = spool + "/new." + std::to_string(job.id);
    if (::mkdir(half.c_str(), 0700) != 0)
        return system_error("make " + half, errno);
    auto done = replace_file(half + "/script", script, 0700);
    if (done)
        done = replace_file(half + "/job.json", job_text(job));
    if (done)
        done = replace_file(half + "/state.json", state_text(job));
    std::error_code error;
    if (done) {
        fs::rename(half, folder_of(spool, job.id), error);
        done = failed("rename " + half, error);
    }
    if (!done)
        fs::remove_all(half, error);
    return done;
}

Result<void> save_state(std::string spool, std::uint64_t id, std::string text) {
    return replace_file(folder_of(spool, id) + "/state.json", text);
}

Result<void> remove(std::string spool, std::uint64_t id) {
    // Renamed first: a folder that is removed by half is never read as a batch job.
    const auto half = spool + "/old." + std::to_string(id);
    std::error_code error;
    fs::rename(folder_of(spool, id), half, error);
    if (!error)
        fs::remove_all(half, error);
    return failed("remove " + half, error);
}

Result<std::vector<Job>> load(const std::string& spool) {
    std::error_code error;
    fs::create_directories(spool, error);
    if (error)
        return system_error("make " + spool, error.value());
    ::chmod(spool.c_str(), 0700);
    std::vector<Job> all;
    for (fs::directory_iterator entry(spool, error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with("new.") || name.starts_with("old."))
            fs::remove_all(entry->path(), ignored);
        if (!to_number<std::uint64_t>(name))
            continue;
        auto job = load_one(entry->path().string());
        if (!job)
            return std::move(job.error()).within("the local spool");
        all.push_back(*std::move(job));
    }
    if (error)
        return system_error("list " + spool, error.value());
    std::ranges::sort(all, {}, &Job::id);
    return all;
}

std::uint64_t last_id(const std::string& spool) {
    const auto text = read_file(spool + "/last_id", 100);
    return text ? to_number<std::uint64_t>(trim(*text)).value_or(0) : 0;
}

Result<void> remember_id(std::string spool, std::uint64_t id) {
    return replace_file(spool + "/last_id", std::to_string(id) + "\n");
}

}  // namespace berth::sites::local
