// Submissions per second into a real Slurm, by sbatch and by slurmrestd, in one run:
//
//   submit_rate [COUNT [ROUNDS]]
//
// Eight at a time, into a partition that starts nothing; the rounds of both alternate.
#include "base/ids.hpp"
#include "contract/batch/slurm_fixture.hpp"
#include "sites/rest_batch.hpp"

#include <boost/asio/detached.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>

using namespace berth;

namespace {

constexpr unsigned width = 8;

double cpu_seconds() {
    double sum = 0;
    for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage use{};
        ::getrusage(who, &use);
        for (const auto& part : {use.ru_utime, use.ru_stime})
            sum += static_cast<double>(part.tv_sec) + static_cast<double>(part.tv_usec) / 1e6;
    }
    return sum;
}

struct Work {
    unsigned left;
    unsigned accepted = 0;
    unsigned running = width;
};

boost::asio::awaitable<void> submit_some(jobs::BatchSystem& batch, Work& work) {
    while (work.left > 0) {
        --work.left;
        jobs::SubmitIntent intent;
        intent.tag = "brate" + random_base32(10);
        intent.wrapper = "#!/bin/sh\nexit 0\n";
        intent.directory = "/tmp";
        intent.queue = "held";
        intent.resources.wall_time_s = 600;
        const auto outcome = co_await batch.submit(std::move(intent));
        if (outcome.kind == jobs::SubmitOutcome::Kind::accepted)
            ++work.accepted;
    }
    --work.running;
}

void measure(const char* name, jobs::BatchSystem& batch, boost::asio::io_context& loop,
             unsigned count) {
    Work work{count};
    const auto cpu = cpu_seconds();
    const auto begun = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < width; ++i)
        boost::asio::co_spawn(loop, submit_some(batch, work), boost::asio::detached);
    test::run_until(
        loop, [&] { return work.running == 0; }, std::chrono::seconds(600));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf("%-8s %u of %u accepted, %.0f/s, %.2f ms of CPU each (commands included)\n", name,
                work.accepted, count, work.accepted / took.count(),
                (cpu_seconds() - cpu) * 1000 / count);
}

}  // namespace

int main(int count, char** arguments) {
    const auto number = [&](int at, int otherwise) {
        const int given = count > at ? std::atoi(arguments[at]) : otherwise;
        return static_cast<unsigned>(std::max(1, given));
    };
    test::RealSlurm slurm;
    if (slurm.conf().empty()) {
        std::fprintf(stderr, "no Slurm: %s\n", slurm.log().c_str());
        return 1;
    }
    boost::asio::io_context loop(1);
    SystemClock clock;
    Metrics metrics;
    sites::OwnAccountRunner runner;
    sites::SlurmSettings settings;
    settings.environment = {{"SLURM_CONF", slurm.conf()}};
    sites::CommandBatch commands(loop, std::make_unique<sites::Slurm>(settings), runner,
                                 sites::HostSettings(), clock, metrics);
    sites::RestSettings rest;
    rest.server = slurm.rest_server();
    sites::RestBatch requests(loop, settings, rest, runner, sites::HostSettings(), clock, metrics);
    for (unsigned round = 0; round < number(2, 3); ++round) {
        measure("sbatch", commands, loop, number(1, 1000));
        measure("request", requests, loop, number(1, 1000));
    }
    return 0;
}
