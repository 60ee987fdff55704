#include "sites/slurm.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace berth::sites {

namespace {

// Free text last: a foreign name may hold the separator. The ":|" suffix lifts -O's default width
// of 20 characters. exit_code is the raw wait status.
constexpr std::string_view queue_format =
    "JobArrayID:|,ArrayJobID:|,ArrayTaskID:|,State:|,exit_code:|,RestartCnt:|,"
    "PriorityLong:|,UserName:|,SubmitTime:|,StartTime:|,EndTime:|,NodeList:|,Reason:|,Name:|";
constexpr std::string_view history_format =
    "JobID,JobIDRaw,State,ExitCode,Submit,Start,End,User,NodeList,Reason,JobName";

// Letters, digits and what names of users, tags, queues and ids are made of.
bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.' || c == '@' || c == '+';
    });
}

std::string joined_names(const std::vector<std::string>& names) {
    std::vector<std::string> good;
    std::ranges::copy_if(names, std::back_inserter(good), is_name);
    return join(good, ",");
}

// sacct reads local time; the commands run with TZ=UTC.
std::string slurm_time(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::seconds>(time));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts)};
}

std::string task_name(const jobs::BatchTarget& target) {
    return target.index ? target.batch_id + "_" + std::to_string(*target.index) : target.batch_id;
}

}  // namespace

Action Slurm::query(std::string_view program, std::string_view verb) const {
    Action action;
    action.command = {settings_.bin + "/" + std::string(program)};
    // Nothing of the daemon's own environment: SLURM_JWT would change how the commands
    // authenticate, SQUEUE_* and SBATCH_* what they do.
    action.environment = settings_.environment;
    action.environment.insert({{"PATH", settings_.bin + ":/usr/local/bin:/usr/bin:/bin"},
                               {"HOME", settings_.home},
                               {"LC_ALL", "C"},
                               {"TZ", "UTC"},
                               {"SLURM_TIME_FORMAT", "%s"},
                               {"SLURM_BITSTR_LEN", "0"}});  // else task lists are cut at 64 bytes
    action.time_limit = settings_.query_time_limit;
    action.verb = verb;
    if (!settings_.clusters.empty())
        action.command.push_back("--clusters=" + settings_.clusters);
    return action;
}

Action Slurm::queue_query(std::string_view verb) const {
    Action action = query("squeue", verb);
    for (const auto option : {std::string_view("--noheader"), std::string_view("--array"),
                              std::string_view("--states=all")})
        action.command.emplace_back(option);
    const std::string cluster = settings_.clusters.empty() ? "" : "Cluster:|,";
    action.command.push_back("--Format=" + cluster + std::string(queue_format));
    return action;
}

Action Slurm::poll(const std::vector<std::string>& accounts) const {
    Action action = queue_query("poll");
    const auto users = joined_names(accounts);
    // --me covers the account "" (the daemon's own); a list of ids is never used, because one
    // unknown id would spoil the whole answer.
    action.command.push_back(users.empty() ? "--me" : "--user=" + users);
    return action;
}

Action Slurm::look_up_queue(const std::vector<std::string>& tags) const {
    Action action = queue_query("look_up");
    const auto names = joined_names(tags);
    if (names.empty())
        action.refused = "no tag to look up";
    action.command.push_back("--name=" + names);
    return action;
}

Action Slurm::look_up_history(const std::vector<std::string>& tags, WallTime since) const {
    if (settings_.history == SlurmSettings::History::never)
        return {};
    Action action = query("sacct", "history");
    const auto names = joined_names(tags);
    if (names.empty())
        action.refused = "no tag to look up";
    // Without --starttime sacct begins at midnight. --duplicates shows the runs before a requeue.
    for (const auto option : {std::string_view("--allocations"), std::string_view("--noheader"),
                              std::string_view("--parsable2"), std::string_view("--noconvert"),
                              std::string_view("--duplicates"), std::string_view("--allusers")})
        action.command.emplace_back(option);
    const std::string cluster = settings_.clusters.empty() ? "" : "Cluster,";
    action.command.push_back("--format=" + cluster + std::string(history_format));
    action.command.push_back("--starttime=" + slurm_time(since - std::chrono::minutes(10)));
    action.command.push_back("--name=" + names);
    return action;
}

Action Slurm::control(std::string_view verb, const jobs::BatchTarget& target) const {
    const bool cancel = verb == "cancel";
    Action action = query(cancel ? "scancel" : "scontrol", verb);
    action.account = target.account;
    if (!target.cluster.empty() && is_name(target.cluster)) {
        action.command.resize(1);
        action.command.push_back("--clusters=" + target.cluster);
    }
    if (!is_name(target.tag) || !to_number<std::uint64_t>(target.batch_id))
        action.refused = "not a Slurm job: " + printable(target.tag + " " + target.batch_id);
    action.checks_tag = !target.index;
    return action;
}

Action Slurm::cancel(const jobs::BatchTarget& target) const {
    Action action = control("cancel", target);
    // With a filter and one pending task, scancel 22.05.8 cancels all pending tasks of the array.
    if (!target.index)
        action.command.push_back("--name=" + target.tag);
    if (!target.index && target.only_waiting)
        action.command.emplace_back("--state=PENDING");
    action.command.push_back(task_name(target));
    return action;
}

Action Slurm::hold(const jobs::BatchTarget& target) const {
    Action action = control("hold", target);
    action.command.emplace_back("hold");
    action.command.push_back(target.index ? task_name(target) : "jobname=" + target.tag);
    return action;
}

Action Slurm::release(const jobs::BatchTarget& target) const {
    Action action = control("release", target);
    action.command.emplace_back("release");
    action.command.push_back(target.index ? task_name(target) : "jobname=" + target.tag);
    return action;
}

bool Slurm::is_ours(std::string_view tag) const {
    return tag.size() == 15 && tag.starts_with(settings_.tag_prefix) && is_name(tag);
}

}  // namespace berth::sites
