// Mistakes in the configuration of identity, found before the service starts.
#pragma once

#include "auth/mapping.hpp"
#include "auth/settings.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

struct ConfigProblem {
    std::string key;      // "mapping[2].account"; indexes count from 0
    std::string message;  // a sentence that says what to do
    bool fatal = true;    // false: worth a warning
};

// `own_account` is the account that this process runs as when it serves all jobs itself
// (accounts = "own"), else "". It is allowed even if it is a system account, because nothing
// changes user then.
std::vector<ConfigProblem> lint(const AuthSettings& settings, std::span<const MappingRule> rules,
                                std::string_view own_account = {});

// "" or why a job must not run under this name: [a-z_][a-z0-9_-]{0,31}, not root and not an
// account of the system.
std::string account_problem(std::string_view account);

}  // namespace berth::auth
