// What is kept how long: files, jobs, remembered answers.
#include "jobs/engine.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch_max = 500;  // jobs in one turn
// Soon, for daemons that are restarted often; not at once, for clocks that are set after a boot.
constexpr std::chrono::seconds first_wait{60};

struct Removal {
    std::string account, job_id;
};

void remove_sessions(SessionFiles* files, std::vector<Removal> sessions) {
    for (const auto& session : sessions) {
        auto removed = files->remove(session.account, session.job_id);
        if (!removed && removed.error().kind != ErrorKind::not_found)
            log::warning("session_not_removed",
                         {{"job", session.job_id}, {"error", removed.error().message}});
    }
}

}  // namespace

asio::awaitable<void> Engine::retention() {
    co_await sleep_for(std::min(first_wait, settings_.retention_interval));
    for (;;) {
        for (const bool files_only : {true, false}) {
            for (;;) {
                auto removed = co_await remove_ended(files_only);
                if (!removed || *removed < batch_max)
                    break;
            }
        }
        const auto now = parts_.clock.wall();
        forget_old_attempts(now - settings_.keep_attempts);
        auto swept =
            co_await parts_.store.sweep(now - settings_.keep_keys, now - settings_.keep_attempts);
        if (!swept)
            log::warning("sweep_failed", {{"error", swept.error().message}});
        co_await sleep_for(settings_.retention_interval);
    }
}

// As the store's sweep does: of jobs that are not final, attempts stay.
void Engine::forget_old_attempts(WallTime before) {
    std::erase_if(attempts_, [&](const auto& entry) {
        const auto& row = entry.second.row;
        const auto is_active = [&](JobSeq seq) { return job(seq) != nullptr; };
        return row.updated < before && std::ranges::none_of(row.jobs, is_active);
    });
}

Async<std::size_t> Engine::remove_ended(bool files_only) {
    const auto kept = files_only ? settings_.keep_files : settings_.keep_jobs;
    auto rows =
        co_await parts_.store.ended_before(parts_.clock.wall() - kept, files_only, batch_max);
    if (!rows)
        co_return rows.error();
    if (rows->empty())
        co_return std::size_t{0};
    std::vector<Removal> sessions;
    std::vector<JobSeq> seqs;
    for (const auto& row : *rows) {
        sessions.push_back({row.account, row.id});
        seqs.push_back(row.seq);
    }
    co_await offload(parts_.disk, remove_sessions, &parts_.files, std::move(sessions));
    kill_point("retention_removed");
    const auto count = seqs.size();
    Result<void> done;
    if (files_only) {
        done = co_await parts_.store.mark_files_removed(std::move(seqs));
    } else {
        Changes changes;
        changes.forget = std::move(seqs);
        done = co_await commit(std::move(changes));
    }
    if (!done)
        co_return done.error();
    kill_point("retention_stored");
    log::info("retention", {{"jobs", count}, {"files_only", files_only ? 1 : 0}});
    co_return count;
}

}  // namespace berth::jobs
