// The daemon's own token for slurmrestd: short-lived, renewed at half of its life, in memory only.
//
// Slurm lets a token of root or of SlurmUser act for everybody. Berth never asks for one as such
// an account.
//
// Threads: the control loop's only. Lifetime: runner and clock outlive it; it outlives every call.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "sites/host.hpp"
#include "sites/lanes.hpp"
#include "sites/slurm.hpp"

#include <boost/asio/io_context.hpp>

#include <string>

namespace berth::sites {

class RestToken {
public:
    // `account`: the name of the daemon's own account.
    RestToken(boost::asio::io_context& loop, const Slurm& slurm, std::string account,
              CommandRunner& runner, Clock& clock);

    // Errors: rejected (the account may act for everybody), unavailable, timed_out.
    Async<std::string> get();
    // The server refused it: the next get() asks for another, at most one in ten seconds.
    void discard();

private:
    bool is_fresh() const;
    Async<void> check_account();
    boost::asio::awaitable<Outcome> perform(Action action);

    const Slurm& slurm_;
    std::string account_;
    CommandRunner& runner_;
    Clock& clock_;
    Lanes lanes_;  // one command at a time
    bool account_checked_ = false;
    std::string token_ = {};
    SteadyTime made_ = {};
};

}  // namespace berth::sites
