// What a batch job runs, as text: the node wrapper with its parameters, and a job's launch file.
// Pure functions; every value is quoted for the shell.
#pragma once

#include "jobs/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::jobs {

struct WrapperSettings {
    std::string root;      // session root, the same path on the nodes
    std::string node_url;  // of the node door; "" = none
    unsigned heartbeat_s = 300;
    std::uint64_t output_bytes_max = 100'000'000;
    // What the site adds to every pilot's environment.
    std::vector<std::pair<std::string, std::string>> environment = {};
};

// The complete batch script of an attempt. `session` is the session directory, "" for an array.
std::string wrapper_script(const WrapperSettings& settings, std::string_view tag,
                           std::string_view session);

// The launch file: sourced by the wrapper, it makes "$@" the payload's environment and command.
std::string launch_file(const WrapperSettings& settings, const Request& request,
                        std::string_view job_id);

}  // namespace berth::jobs
