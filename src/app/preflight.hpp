// What can be known of a configuration before the start, beyond its single values: files that
// would not load, identity rules that cannot work, folders that are not fit. The daemon's start, a
// reload and both checks ask the same.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace berth::app {

struct Finding {
    std::string key;      // as in the file: "api.certificate", "mapping[1].subject"
    std::string message;  // what is wrong and what to do
    bool fatal = true;    // false: worth a warning
};

// Blocking: reads the named files. `account` is the one that the daemon runs as.
std::vector<Finding> preflight(const config::Config& config, const std::string& account);
// "KEY: MESSAGE", with "warning: " where it is one.
std::string to_string(const Finding& finding);

}  // namespace berth::app
