#include "jobs/launch.hpp"

#include "base/text.hpp"
#include "jobs/session.hpp"
#include "jobs/wrapper_text.hpp"

namespace berth::jobs {

namespace {

void assign(std::string& text, std::string_view name, std::string_view value) {
    text += name;
    text += '=';
    text += shell_quote(value);
    text += '\n';
}

void parameter(std::string& text, std::string_view name, std::string_view value) {
    text += " \\\n    ";
    text += shell_quote(std::string(name) + "=" + std::string(value));
}

// A variable of the node itself, kept when it has a value there.
void inherited(std::string& text, std::string_view name, std::string_view fallback) {
    text += " \\\n    \"";
    text += name;
    text += "=${";
    text += name;
    text += ":-";
    text += fallback;
    text += "}\"";
}

}  // namespace

std::string wrapper_script(const WrapperSettings& settings, std::string_view tag,
                           std::string_view session) {
    std::string text = "#!/bin/sh\n";
    assign(text, "berth_tag", tag);
    assign(text, "berth_root", settings.root);
    assign(text, "berth_session", session);
    assign(text, "berth_node", settings.node_url);
    assign(text, "berth_beat", std::to_string(settings.heartbeat_s));
    assign(text, "berth_output", std::to_string(settings.output_bytes_max));
    text += wrapper_text;
    return text;
}

std::string launch_file(const WrapperSettings& settings, const Request& request,
                        std::string_view job_id) {
    const auto& resources = request.resources;
    const auto session = settings.root + "/" + session_path(job_id);
    std::string text;
    assign(text, "berth_slots", std::to_string(resources.slots));
    assign(text, "berth_wall", std::to_string(resources.wall_time_s));
    const auto memory_mb =
        static_cast<std::uint64_t>(resources.memory_per_slot_mb) * resources.slots;
    assign(text, "berth_memory", std::to_string(memory_mb));
    text += "set -- env -i $berth_signals \"$@\"";
    inherited(text, "PATH", "/usr/local/bin:/usr/bin:/bin");
    inherited(text, "HOME", "/");
    inherited(text, "USER", "$(id -un 2>/dev/null)");
    inherited(text, "LOGNAME", "$(id -un 2>/dev/null)");
    inherited(text, "SHELL", "/bin/sh");
    inherited(text, "TMPDIR", "/tmp");
    for (const auto& [name, value] : settings.environment)
        parameter(text, name, value);
    for (const auto& [name, value] : request.environment)
        parameter(text, name, value);
    parameter(text, "BERTH_JOB_ID", job_id);
    parameter(text, "MACHINEFEATURES", session + "/machinefeatures");
    parameter(text, "JOBFEATURES", session + "/jobfeatures");
    text += " \\\n    ";
    text += shell_quote(session + (request.script.empty() ? "/files/script" : "/script"));
    for (const auto& argument : request.arguments) {
        text += " \\\n    ";
        text += shell_quote(argument);
    }
    text += '\n';
    return text;
}

}  // namespace berth::jobs
