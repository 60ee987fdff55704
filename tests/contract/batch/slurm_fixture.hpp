// A real Slurm for the length of a test program; see tests/support/slurm.sh.
#pragma once

#include "integration/sites/run_loop.hpp"

#include <string>

namespace berth::test {

class RealSlurm {
public:
    RealSlurm();
    ~RealSlurm();
    RealSlurm(const RealSlurm&) = delete;
    RealSlurm& operator=(const RealSlurm&) = delete;

    // Are the packages of Slurm on this machine?
    static bool is_installed();
    const std::string& conf() const { return conf_; }  // "" when it did not start
    // slurmrestd on a unix socket, for the account of the test.
    std::string rest_server() const { return "unix:" + folder_.path() + "/s/run/rest.sock"; }
    const std::string& log() const { return log_; }

private:
    std::string call(const std::string& verb);

    TemporaryFolder folder_;
    std::string conf_;
    std::string log_;
};

}  // namespace berth::test
