#include "api/request_json.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace berth::api {

using nlohmann::json;

namespace {

constexpr std::size_t name_max = 200;
constexpr std::size_t arguments_max = 1000;
constexpr std::size_t environment_max = 1000;
constexpr std::size_t value_bytes_max = 65536;
constexpr std::size_t launch_bytes_max = 1U << 20U;  // arguments and environment together
constexpr std::size_t files_max = 1000;
constexpr std::size_t path_bytes_max = 1024;

// Thrown inside this file only: the first fault of a request.
struct Fault {
    Error error;
};

[[noreturn]] void refuse(const std::string& field, const std::string& message,
                         ErrorKind kind = ErrorKind::unprocessable) {
    throw Fault{Error{kind, message, field.empty() ? "body" : field}};
}

std::string member(const std::string& prefix, std::string_view name) {
    const auto shown = printable(name, 80);
    return prefix.empty() ? shown : prefix + "." + shown;
}

void only_members(const json& object, const std::string& prefix,
                  std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : object.items()) {
        if (std::ranges::find(known, std::string_view(name)) != known.end())
            continue;
        const std::vector<std::string_view> names(known);
        const auto close = nearest(name, names);
        refuse(
            member(prefix, name),
            "there is no such member" +
                (close.empty() ? std::string() : "; did you mean \"" + std::string(close) + "\"?"));
    }
}

std::string text_of(const json& value, const std::string& field) {
    if (!value.is_string())
        refuse(field, "must be a string");
    auto text = value.get<std::string>();
    if (text.find('\0') != std::string::npos)
        refuse(field, "must not contain a NUL byte");
    return text;
}

unsigned number_of(const json& value, const std::string& field, unsigned least, unsigned most) {
    const auto range =
        "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    if (!value.is_number_integer())
        refuse(field, range);
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number < least || number > most)
            refuse(field, range);
        return static_cast<unsigned>(number);
    }
    refuse(field, range);  // negative
}

bool is_word(std::string_view text, std::string_view first_extra, std::string_view extra,
             std::size_t most) {
    const auto alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    };
    if (text.empty() || text.size() > most)
        return false;
    if (!alphanumeric(text[0]) && first_extra.find(text[0]) == std::string_view::npos)
        return false;
    return std::ranges::all_of(
        text, [&](char c) { return alphanumeric(c) || extra.find(c) != std::string_view::npos; });
}

std::string queue_word(const json& value, const std::string& field) {
    auto text = text_of(value, field);
    if (!is_word(text, "", "_.@-", 128))
        refuse(field, "must be 1 to 128 letters, digits or _.@- and begin with a letter or digit");
    return text;
}

std::string feature_word(const json& value, const std::string& field) {
    auto text = text_of(value, field);
    if (!is_word(text, "_.-", "_.-", 64))
        refuse(field, "must be 1 to 64 letters, digits or _.-");
    return text;
}

std::string read_name(const json& value) {
    auto text = text_of(value, "name");
    const auto fits = [](char c) { return c >= 0x20 && c <= 0x7e; };
    if (text.empty() || text.size() > name_max || text[0] == ' ' ||
        !std::ranges::all_of(text, fits))
        refuse("name", "must be 1 to 200 printable ASCII characters and not begin with a space");
    return text;
}

std::string read_script(const json& value, const RequestLimits& limits) {
    auto text = text_of(value, "script");
    if (text.empty())
        refuse("script", "must not be empty");
    if (text.size() > limits.script_bytes_max)
        refuse("script",
               "the script may have at most " + std::to_string(limits.script_bytes_max) +
                   " bytes; upload larger ones as a file named \"script\"",
               ErrorKind::too_large);
    return text;
}

std::vector<std::string> read_arguments(const json& value, std::size_t& total) {
    if (!value.is_array() || value.size() > arguments_max)
        refuse("arguments", "must be a list of at most 1000 strings");
    std::vector<std::string> arguments;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto field = "arguments[" + std::to_string(i) + "]";
        auto text = text_of(value[i], field);
        if (text.size() > value_bytes_max)
            refuse(field, "must have at most 65536 bytes");
        total += text.size() + 1;
        if (total > launch_bytes_max)
            refuse("arguments", "arguments and environment together must be at most 1 MiB");
        arguments.push_back(std::move(text));
    }
    return arguments;
}

bool is_variable(std::string_view name) {
    return is_word(name, "_", "_", 255) && !(name[0] >= '0' && name[0] <= '9');
}

// What the launch file sets for every job (jobs/launch.cpp), and what it may set one day.
bool is_set_by_berth(std::string_view name) {
    return name.starts_with("BERTH_") || name == "MACHINEFEATURES" || name == "JOBFEATURES";
}

std::vector<std::pair<std::string, std::string>> read_environment(const json& value,
                                                                  std::size_t& total) {
    if (!value.is_object() || value.size() > environment_max)
        refuse("environment", "must be an object of at most 1000 strings");
    std::vector<std::pair<std::string, std::string>> variables;
    for (const auto& [name, content] : value.items()) {
        const auto field = name.empty() ? std::string("environment") : member("environment", name);
        if (!is_variable(name))
            refuse(field, "a variable's name is letters, digits and _, not beginning with a digit");
        if (is_set_by_berth(name))
            refuse(field, "BERTH_*, MACHINEFEATURES and JOBFEATURES are set by the service");
        auto text = text_of(content, field);
        if (text.size() > value_bytes_max || text.find('\n') != std::string::npos)
            refuse(field, "must have at most 65536 bytes and no newline");
        total += name.size() + text.size() + 2;
        if (total > launch_bytes_max)
            refuse("environment", "arguments and environment together must be at most 1 MiB");
        variables.emplace_back(name, std::move(text));
    }
    return variables;
}

std::vector<std::string> read_files(const json& value) {
    if (!value.is_array() || value.size() > files_max)
        refuse("files", "must be a list of at most 1000 names");
    std::vector<std::string> files;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto field = "files[" + std::to_string(i) + "]";
        auto path = text_of(value[i], field);
        if (!is_file_path(path))
            refuse(field, "must be a relative path without empty, \".\" or \"..\" parts");
        if (path == "stdout" || path == "stderr")
            refuse(field, "stdout and stderr are written by the job");
        // A name may not be a folder of another one.
        const auto below = path + "/";
        const auto after = seen.lower_bound(below);
        bool clash =
            !seen.insert(path).second || (after != seen.end() && after->starts_with(below));
        for (auto at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1))
            clash = clash || seen.contains(path.substr(0, at));
        if (clash)
            refuse(field, "this file is named twice, or is the folder of another one");
        files.push_back(std::move(path));
    }
    return files;
}

jobs::Gpus read_gpus(const json& value) {
    const std::string field = "resources.gpus";
    if (!value.is_object())
        refuse(field, "must be an object with \"count\" and perhaps \"model\"");
    only_members(value, field, {"count", "model"});
    if (!value.contains("count"))
        refuse(field + ".count", "is missing: how many for each node");
    jobs::Gpus gpus{.count = number_of(value["count"], field + ".count", 0, 1024), .model = {}};
    if (value.contains("model"))
        gpus.model = feature_word(value["model"], field + ".model");
    return gpus;
}

jobs::Resources read_resources(const json& value) {
    if (!value.is_object())
        refuse("resources", "must be an object");
    only_members(value, "resources",
                 {"nodes", "slots", "slots_per_node", "memory_per_slot_mb", "wall_time_s", "gpus",
                  "architecture", "exclusive", "warning_s"});
    jobs::Resources r;
    const auto number = [&](const char* name, unsigned& target, unsigned least, unsigned most) {
        if (value.contains(name))
            target = number_of(value[name], member("resources", name), least, most);
    };
    number("nodes", r.nodes, 1, 65536);
    number("slots", r.slots, 1, 1'000'000);
    number("slots_per_node", r.slots_per_node, 1, 65536);
    number("memory_per_slot_mb", r.memory_per_slot_mb, 1, 16'777'216);
    number("wall_time_s", r.wall_time_s, 1, 31'536'000);
    number("warning_s", r.warning_s, 0, 86400);
    if (value.contains("gpus"))
        r.gpus = read_gpus(value["gpus"]);
    if (value.contains("architecture"))
        r.architecture = feature_word(value["architecture"], "resources.architecture");
    if (value.contains("exclusive")) {
        if (!value["exclusive"].is_boolean())
            refuse("resources.exclusive", "must be true or false");
        r.exclusive = value["exclusive"].get<bool>();
    }
    return r;
}

jobs::Request read(const json& value, const RequestLimits& limits) {
    if (!value.is_object())
        refuse("", "a job must be an object");
    only_members(value, "",
                 {"name", "script", "arguments", "environment", "queue", "project", "count",
                  "files", "resources"});
    jobs::Request request;
    std::size_t launch_bytes = 0;
    if (value.contains("name"))
        request.name = read_name(value["name"]);
    if (value.contains("script"))
        request.script = read_script(value["script"], limits);
    if (value.contains("arguments"))
        request.arguments = read_arguments(value["arguments"], launch_bytes);
    if (value.contains("environment"))
        request.environment = read_environment(value["environment"], launch_bytes);
    if (value.contains("queue"))
        request.queue = queue_word(value["queue"], "queue");
    if (value.contains("project"))
        request.project = queue_word(value["project"], "project");
    if (value.contains("count"))
        request.count = number_of(value["count"], "count", 1, limits.count_max);
    if (value.contains("files"))
        request.files = read_files(value["files"]);
    if (value.contains("resources"))
        request.resources = read_resources(value["resources"]);
    const bool uploaded = std::ranges::find(request.files, "script") != request.files.end();
    if (request.script.empty() && !uploaded)
        refuse("script",
               "is missing: give the script here, or name \"script\" in files and upload it");
    return request;
}

}  // namespace

Result<jobs::Request> read_job_request(const json& value, const RequestLimits& limits) {
    try {
        return read(value, limits);
    } catch (const Fault& fault) {
        return fault.error;
    }
}

bool is_file_path(std::string_view path) {
    if (path.empty() || path.size() > path_bytes_max || !is_utf8(path))
        return false;
    for (const char c : path)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return false;
    const auto parts = split(path, '/');
    return std::ranges::all_of(parts, [](std::string_view part) {
        return !part.empty() && part != "." && part != ".." && part.size() <= 255 &&
               !part.starts_with(".berth-upload.");
    });
}

}  // namespace berth::api
