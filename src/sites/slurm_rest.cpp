// The body of a submission.
#include "sites/slurm_rest.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace berth::sites::slurm_rest {

using nlohmann::json;

namespace {

// Versions by the documents of Slurm 23.02 to 25.11, and 38 as it was run.
constexpr Dialect known[] = {
    {44, true, true, true, false},   {43, true, true, true, false},  {42, true, true, true, false},
    {41, true, true, true, false},   {40, true, true, false, false}, {39, true, true, false, false},
    {38, false, false, false, true},
};

enum class Form {
    dropped,     // of no meaning in a request
    text,        // as sbatch has it
    count,       // a plain number in every version
    number,      // plain, or an object in later versions
    memory,      // likewise, in MB
    no_requeue,  // see Dialect
    exclusive,
};

struct Option {
    std::string_view name;  // of sbatch
    Form form;
    std::string_view field = {};
    bool later = true;  // false: said in v0.0.38 only, by sbatch otherwise
};

// clang-format off
constexpr std::array<Option, 25> options{{
    {"parsable",        Form::dropped},
    {"export",          Form::dropped},  // the whole environment is in the request
    {"job-name",        Form::text,   "name"},
    {"comment",         Form::text,   "comment"},
    {"partition",       Form::text,   "partition"},
    {"account",         Form::text,   "account"},
    {"wckey",           Form::text,   "wckey"},
    {"qos",             Form::text,   "qos"},
    {"reservation",     Form::text,   "reservation"},
    {"licenses",        Form::text,   "licenses"},
    {"constraint",      Form::text,   "constraints"},
    {"array",           Form::text,   "array"},
    {"output",          Form::text,   "standard_output"},
    {"error",           Form::text,   "standard_error"},
    {"chdir",           Form::text,   "current_working_directory"},
    // A list [2, 2], as the document of v0.0.38 has it, gives one node (seen on 22.05.8).
    {"nodes",           Form::text,   "nodes"},
    {"ntasks",          Form::count,  "tasks"},
    {"ntasks-per-node", Form::count,  "tasks_per_node"},
    {"cpus-per-task",   Form::count,  "cpus_per_task"},
    {"mem-per-cpu",     Form::memory, "memory_per_cpu"},
    {"mem",             Form::memory, "memory_per_node"},
    {"time",            Form::number, "time_limit"},
    {"no-requeue",      Form::no_requeue},
    {"gres",            Form::text,   "gres", false},
    {"exclusive",       Form::exclusive, "exclusive", false},
}};
// clang-format on

json number(std::uint64_t value, const Dialect& dialect) {
    if (!dialect.numbers_are_objects)
        return value;
    return json{{"set", true}, {"number", value}};
}

// "500M" or "500", in MB.
std::optional<std::uint64_t> megabytes(std::string_view text) {
    if (text.ends_with('M'))
        text.remove_suffix(1);
    return to_number<std::uint64_t>(text);
}

bool add(json& job, const Option& option, std::string_view value, const Dialect& dialect) {
    if (!option.later && dialect.version != 38)
        return false;
    const std::string field(option.field);
    const auto plain = to_number<std::uint64_t>(value);
    switch (option.form) {
        case Form::dropped:
            return true;
        case Form::text:
            job[field] = value;
            return true;
        case Form::count:
            if (plain)
                job[field] = *plain;
            return plain.has_value();
        case Form::number:
            if (plain)
                job[field] = number(*plain, dialect);
            return plain.has_value();
        case Form::memory:
            if (const auto size = megabytes(value)) {
                job[field] = number(*size, dialect);
                return true;
            }
            return false;
        case Form::no_requeue:
            job[dialect.has_no_requeue ? "no_requeue" : "requeue"] = dialect.has_no_requeue;
            return true;
        case Form::exclusive:  // its document says "true", which is refused (seen on 22.05.8)
            job[field] = value.empty() ? "exclusive" : value;
            return true;
    }
    return false;
}

// sbatch works out the number of tasks by itself; a request without it asks for the processors of
// one node only (seen on 22.05.8).
void add_tasks(json& job) {
    const auto per_node = job.find("tasks_per_node");
    const auto nodes = job.find("nodes");
    if (per_node == job.end() || nodes == job.end() || job.contains("tasks"))
        return;
    if (const auto count = to_number<std::uint64_t>(nodes->get<std::string>()))
        job["tasks"] = *count * per_node->get<std::uint64_t>();
}

json environment_of(const Action& sbatch, const Dialect& dialect) {
    if (!dialect.environment_is_list)
        return sbatch.environment;
    json list = json::array();
    for (const auto& [name, value] : sbatch.environment)
        list.push_back(name + "=" + value);
    return list;
}

}  // namespace

std::span<const Dialect> dialects() {
    return known;
}

const Dialect* dialect_named(std::string_view version) {
    const auto found = std::ranges::find_if(known, [&](const auto& dialect) {
        return version == "v0.0." + std::to_string(dialect.version);
    });
    return found == std::end(known) ? nullptr : &*found;
}

std::string path_of(const Dialect& dialect, std::string_view rest) {
    return "/slurm/v0.0." + std::to_string(dialect.version) + "/" + std::string(rest);
}

std::optional<std::string> submission(const Action& sbatch, const Dialect& dialect) {
    // slurmrestd refuses a submission without an environment; JSON holds only UTF-8.
    if (!sbatch.refused.empty() || sbatch.command.empty() || sbatch.environment.empty() ||
        !is_utf8(sbatch.input))
        return std::nullopt;
    json job = json::object();
    for (std::size_t i = 1; i < sbatch.command.size(); ++i) {
        std::string_view argument = sbatch.command[i];
        argument.remove_prefix(std::min<std::size_t>(2, argument.size()));
        const auto mark = argument.find('=');
        const auto name = argument.substr(0, mark);
        const auto value = mark == std::string_view::npos ? "" : argument.substr(mark + 1);
        const auto option = std::ranges::find(options, name, &Option::name);
        if (option == options.end() || !add(job, *option, value, dialect))
            return std::nullopt;
    }
    add_tasks(job);
    job["environment"] = environment_of(sbatch, dialect);
    json body = json::object();
    (dialect.script_in_job ? job : body)["script"] = sbatch.input;
    body["job"] = std::move(job);
    return body.dump();
}

}  // namespace berth::sites::slurm_rest
