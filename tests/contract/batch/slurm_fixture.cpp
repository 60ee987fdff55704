#include "contract/batch/slurm_fixture.hpp"

#include "base/text.hpp"
#include "net/subprocess.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace berth::test {

RealSlurm::RealSlurm() {
    ::chmod(folder_.path().c_str(), 0755);  // started by root, its daemons belong to others
    const auto output = call("start");
    const auto mark = output.rfind("SLURM_CONF=");
    if (mark != std::string::npos)
        conf_ = trim(output.substr(mark + 11));
}

RealSlurm::~RealSlurm() {
    call("stop");
}

bool RealSlurm::is_installed() {
    return ::access("/usr/bin/sbatch", X_OK) == 0 && ::access("/usr/sbin/slurmctld", X_OK) == 0 &&
           ::access("/usr/sbin/munged", X_OK) == 0 && ::access("/usr/sbin/slurmrestd", X_OK) == 0;
}

std::string RealSlurm::call(const std::string& verb) {
    net::Command command;
    command.arguments = {"/bin/bash", BERTH_SLURM_SCRIPT, verb, folder_.path() + "/s"};
    if (verb == "start")
        command.arguments.insert(command.arguments.end(),
                                 {"--nodes", "2", "--cpus", "8", "--gpus", "--dbd", "--rest"});
    command.environment = {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}, {"HOME", "/"}};
    // The daemons leave the group by setsid; the time limit is for the script alone.
    command.time_limit = std::chrono::seconds(120);
    boost::asio::io_context loop(1);
    const auto result = run_on(loop, net::run(std::move(command)), std::chrono::seconds(150));
    log_ += result.error;
    return result.output;
}

}  // namespace berth::test
