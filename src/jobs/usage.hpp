// What each account holds in session directories, for its quota.
//
// A session directory is measured once, soon after its job has ended; the store adds up. Until
// then the job counts with what was uploaded to it, as far as this process has seen it: a healthy
// job's directory is never scanned, and the payload's standard output is capped anyway.
//
// Threads: the control loop. Lifetime: stop() must end before it dies; all parts outlive it.
#pragma once

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "base/tasks.hpp"
#include "jobs/session.hpp"
#include "jobs/store.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <map>
#include <string>

namespace berth::jobs {

struct UsageSettings {
    std::uint64_t bytes_max = 0;  // of one account; 0 = no limit
    std::uint64_t files_max = 0;  // folders and links count, too
    std::chrono::milliseconds interval{5000};
};

class UsageKeeper {
public:
    struct Parts {
        boost::asio::io_context& loop;
        boost::asio::thread_pool& disk;
        Store& store;
        SessionFiles& files;
        Metrics& metrics;
    };

    UsageKeeper(Parts parts, UsageSettings settings);
    UsageKeeper(const UsageKeeper&) = delete;
    UsageKeeper& operator=(const UsageKeeper&) = delete;

    // Reads what the store knows and begins to measure. Errors: unavailable.
    Async<void> start();
    boost::asio::awaitable<void> stop();
    void reload(UsageSettings settings) { settings_ = settings; }

    // The bytes that the account may still bring.
    // Errors: too_many when it is at a limit; the sentence says at which.
    Result<std::uint64_t> room(const std::string& account) const;
    void uploaded(const std::string& account, const std::string& job_id, std::uint64_t bytes);
    std::map<std::string, Usage> by_account() const;

private:
    boost::asio::awaitable<void> measurer();
    Async<std::size_t> measure_some();
    Async<void> refresh();

    Parts parts_;
    UsageSettings settings_;
    TaskGroup tasks_;
    std::map<std::string, Usage> measured_;                         // by account
    std::map<std::string, std::map<std::string, Usage>> uploaded_;  // by account and job id
};

}  // namespace berth::jobs
