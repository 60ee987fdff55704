// The daemon's program: arguments, configuration, then Daemon.
#include "app/daemon.hpp"
#include "app/preflight.hpp"
#include "base/log.hpp"

#include <pwd.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>

namespace {

std::string own_account() {
    const auto* entry = ::getpwuid(::geteuid());
    return entry == nullptr ? std::string() : entry->pw_name;
}

int run(const std::string& file, bool check_only) {
    const auto account = own_account();
    auto loaded = berth::config::load_file(file, account);
    for (const auto& problem : loaded.problems)
        std::fprintf(stderr, "%s\n", berth::config::to_string(problem).c_str());
    if (!loaded.problems.empty())
        return 2;
    bool fatal = false;
    for (const auto& finding : berth::app::preflight(loaded.config, account)) {
        fatal = fatal || finding.fatal;
        std::fprintf(stderr, "%s: %s\n", file.c_str(), to_string(finding).c_str());
    }
    if (fatal)
        return 2;
    if (check_only) {
        std::printf("%s: no problem found\n", file.c_str());
        return 0;
    }
    berth::log::set_level(berth::app::log_level(loaded.config));
    if (auto opened = berth::log::set_audit_file(loaded.config.log.audit_file); !opened) {
        std::fprintf(stderr, "berthd: %s\n", opened.error().message.c_str());
        return 1;
    }
    berth::app::Daemon daemon(file, std::move(loaded.config), account);
    return daemon.run();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App arguments{"Berth: a gateway for pilots at an HPC centre"};
    std::string file = "/etc/berth/berth.toml";
    bool check_only = false;
    arguments.add_option("--config", file, "configuration file")->capture_default_str();
    arguments.add_flag("--check-config", check_only, "only check the configuration");
    arguments.set_version_flag("--version", BERTH_VERSION);
    CLI11_PARSE(arguments, argc, argv);
    try {
        return run(file, check_only);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "berthd: %s\n", error.what());
        return 1;
    }
}
