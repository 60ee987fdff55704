#include "jobs/usage.hpp"

#include "base/log.hpp"

#include <cstdint>

namespace berth::jobs {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch_max = 200;  // directories in one turn
constexpr int retry_after_s = 300;

struct Place {
    std::string account, job_id;
};

std::vector<Result<Usage>> measure_all(SessionFiles* files, std::vector<Place> places) {
    std::vector<Result<Usage>> results;
    results.reserve(places.size());
    for (const auto& place : places)
        results.push_back(files->measure(place.account, place.job_id));
    return results;
}

}  // namespace

UsageKeeper::UsageKeeper(Parts parts, UsageSettings settings)
    : parts_(parts), settings_(settings), tasks_(parts.loop) {
    parts_.metrics.describe("berth_account_bytes",
                            "Bytes in the session directories of ended jobs, and uploads.");
    parts_.metrics.describe("berth_account_files",
                            "Files in the session directories of ended jobs, and uploads.");
}

Async<void> UsageKeeper::start() {
    auto loaded = co_await refresh();
    if (loaded)
        tasks_.spawn("usage", measurer());
    co_return loaded;
}

asio::awaitable<void> UsageKeeper::stop() {
    co_await tasks_.stop();
}

asio::awaitable<void> UsageKeeper::measurer() {
    for (;;) {
        auto measured = co_await measure_some();
        auto refreshed = co_await refresh();
        const bool more = measured && *measured == batch_max;
        if (!measured || !refreshed)
            log::warning("usage_not_measured", {{"error", measured ? refreshed.error().message
                                                                   : measured.error().message}});
        const auto pause = more ? std::chrono::milliseconds(10) : settings_.interval;
        co_await sleep_for(pause);
    }
}

Async<std::size_t> UsageKeeper::measure_some() {
    auto rows = co_await parts_.store.unmeasured(batch_max);
    if (!rows)
        co_return rows.error();
    if (rows->empty())
        co_return std::size_t{0};
    std::vector<Place> places;
    for (const auto& row : *rows)
        places.push_back({row.account, row.id});
    auto found = co_await offload(parts_.disk, measure_all, &parts_.files, std::move(places));
    std::vector<SessionUsage> sessions;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        const bool gone = !found[i] && found[i].error().kind == ErrorKind::not_found;
        if (!found[i] && !gone)
            co_return std::move(found[i].error()).within("measure " + (*rows)[i].id);
        sessions.push_back({(*rows)[i].seq, gone ? Usage() : *found[i]});
    }
    auto stored = co_await parts_.store.set_usage(std::move(sessions));
    if (!stored)
        co_return stored.error();
    for (const auto& row : *rows) {
        auto& of_account = uploaded_[row.account];
        of_account.erase(row.id);
        if (of_account.empty())
            uploaded_.erase(row.account);
    }
    co_return rows->size();
}

Async<void> UsageKeeper::refresh() {
    auto stored = co_await parts_.store.usage_by_account();
    if (!stored)
        co_return stored.error();
    measured_ = std::move(*stored);
    for (const auto& [account, usage] : by_account()) {
        parts_.metrics.set("berth_account_bytes", {{"account", account}},
                           static_cast<double>(usage.bytes));
        parts_.metrics.set("berth_account_files", {{"account", account}},
                           static_cast<double>(usage.files));
    }
    co_return Result<void>();
}

std::map<std::string, Usage> UsageKeeper::by_account() const {
    auto all = measured_;
    for (const auto& [account, jobs] : uploaded_) {
        for (const auto& [id, usage] : jobs) {
            all[account].bytes += usage.bytes;
            all[account].files += usage.files;
        }
    }
    return all;
}

void UsageKeeper::uploaded(const std::string& account, const std::string& job_id,
                           std::uint64_t bytes) {
    auto& usage = uploaded_[account][job_id];
    usage.bytes += bytes;
    ++usage.files;
}

Result<std::uint64_t> UsageKeeper::room(const std::string& account) const {
    Usage usage;
    if (const auto found = measured_.find(account); found != measured_.end())
        usage = found->second;
    if (const auto jobs = uploaded_.find(account); jobs != uploaded_.end()) {
        for (const auto& [id, more] : jobs->second) {
            usage.bytes += more.bytes;
            usage.files += more.files;
        }
    }
    const bool bytes = settings_.bytes_max != 0 && usage.bytes >= settings_.bytes_max;
    const bool files = settings_.files_max != 0 && usage.files >= settings_.files_max;
    if (!bytes && !files)
        return settings_.bytes_max == 0 ? UINT64_MAX : settings_.bytes_max - usage.bytes;
    const auto [held, most] = bytes ? std::pair(usage.bytes, settings_.bytes_max)
                                    : std::pair(usage.files, settings_.files_max);
    Error refusal{
        ErrorKind::too_many,
        "the jobs of this account hold " + std::to_string(held) + (bytes ? " bytes" : " files") +
            " here, and " + std::to_string(most) +
            " is the limit; delete jobs that have ended, or wait until their files expire"};
    refusal.retry_after_s = retry_after_s;
    return refusal;
}

}  // namespace berth::jobs
