// Slurm with slurmrestd: submissions and cancels are requests, the rest is commands.
//
// Requests save a process for each submission. Queue and history are read by squeue and sacct all
// the same: slurmrestd answers with all records of all users, or, asked for changes since a time,
// with "none" or all of them (22.05.8), at ten times the cost. Hold and release stay commands,
// because the answer to an array's is an error when it worked. What a request cannot say goes
// through sbatch.
//
// Threads: the control loop's only.
// Lifetime: the runner, clock and metrics outlive it; it outlives every call.
#pragma once

#include "net/http_client.hpp"
#include "sites/host.hpp"
#include "sites/rest_token.hpp"
#include "sites/slurm.hpp"
#include "sites/slurm_rest.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::sites {

struct RestSettings {
    std::string server = {};       // "http://host:port" (with a token) or "unix:/path" (without)
    std::string version = "auto";  // or "v0.0.38"
    std::string account = {};      // the daemon's own, by name
    std::chrono::seconds time_limit{60};  // of a request; slurmctld's own is 10 s
};

class RestBatch final : public jobs::BatchSystem {
public:
    RestBatch(boost::asio::io_context& loop, SlurmSettings slurm, RestSettings settings,
              CommandRunner& runner, HostSettings host, Clock& clock, Metrics& metrics);

    std::string_view name() const override { return slurm_.name(); }
    boost::asio::awaitable<jobs::SubmitOutcome> submit(jobs::SubmitIntent intent) override;
    // sbatch with what the request asks for.
    std::vector<std::string> preview(const jobs::SubmitIntent& intent) const override {
        return commands_.preview(intent);
    }
    Async<jobs::QueueSnapshot> poll(std::vector<std::string> accounts) override {
        return commands_.poll(std::move(accounts));
    }
    Async<jobs::QueueSnapshot> look_up(std::vector<std::string> tags, WallTime since) override {
        return commands_.look_up(std::move(tags), since);
    }
    Async<void> cancel(jobs::BatchTarget target) override;
    Async<void> hold(jobs::BatchTarget target) override {
        return commands_.hold(std::move(target));
    }
    Async<void> release(jobs::BatchTarget target) override {
        return commands_.release(std::move(target));
    }
    Async<jobs::SiteLimits> limits() override;

private:
    // Settles which version is spoken; costs requests until one has been found.
    Async<slurm_rest::Dialect> find_dialect();
    boost::asio::awaitable<net::HttpAnswer> ask(std::string verb, net::HttpCall call);
    net::HttpCall call(std::string method, std::string path, std::string body) const;
    Async<void> cancel_by_request(jobs::BatchTarget target);
    bool needs_token() const { return !settings_.server.starts_with("unix:"); }

    Slurm slurm_;
    CommandBatch commands_;
    RestSettings settings_;
    HostSettings host_;
    std::vector<std::string> rejections_;
    Clock& clock_;
    Metrics& metrics_;
    RestToken token_;
    Lanes lanes_;
    net::HttpClient client_;
    std::optional<slurm_rest::Dialect> dialect_ = {};
};

}  // namespace berth::sites
