// Rows for the tests of stores.
#pragma once

#include "base/ids.hpp"
#include "jobs/store.hpp"

#include <memory>
#include <string>

namespace berth::test {

inline const WallTime day{std::chrono::seconds(1'800'000'000)};

inline jobs::NewJob new_job(jobs::Store& store, const std::string& subject = "robot",
                            const std::string& script = "#!/bin/sh\n") {
    jobs::Request request;
    request.name = "pilot";
    request.script = script;
    request.arguments = {"a b", "\xc3\xa9", ""};
    request.environment = {{"B", "1"}, {"A", "it's\n2"}};
    request.queue = "grid";
    request.project = "p";
    request.count = 3;
    request.files = {"in.dat"};
    request.resources.nodes = 2;
    request.resources.slots = 8;
    request.resources.gpus.count = 1;
    request.resources.gpus.model = "a100";
    request.resources.exclusive = true;
    request.resources.warning_s = 60;
    jobs::NewJob job;
    job.row.seq = store.next_seq();
    job.row.id = make_job_id(to_ms(day));
    job.row.issuer = "https://issuer.example.org";
    job.row.subject = subject;
    job.row.account = "grid1";
    job.row.batch_account = "atlas";
    job.row.name = "pilot";
    job.row.queue = "grid";
    job.row.project = "p";
    job.row.directives = 0xffff'ffff'ffff'fff0;
    job.row.secret_hash = "5ec";
    job.row.created = day;
    job.row.status.updated = day;
    job.row.status.observed = day;
    job.request = std::make_shared<const jobs::Request>(request);
    job.script_hash = "hash of " + script;
    job.secret = "node secret";
    return job;
}

inline jobs::Changes with_job(jobs::NewJob job) {
    jobs::Changes changes;
    changes.new_jobs.push_back(std::move(job));
    return changes;
}

inline jobs::Changes with_status(const jobs::JobRow& row, jobs::Status next) {
    jobs::Changes changes;
    changes.statuses.push_back(
        {.seq = row.seq, .status = std::move(next), .event = true, .from = row.status.state});
    return changes;
}

}  // namespace berth::test
