// What the API asks of the jobs room: submissions, answers, wishes and files, for one owner.
//
// A job belongs to (issuer, subject); to anyone else it does not exist, unless the mapping rule
// says account-wide. Everything that is answered is durable.
//
// Threads: the control loop. Lifetime: outlives every request; all parts outlive it.
#pragma once

#include "jobs/engine.hpp"
#include "jobs/usage.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace berth::jobs {

struct ServiceSettings {
    std::size_t jobs_max_per_identity = 100'000;  // active ones
    std::size_t jobs_max_total = 1'000'000;       // active ones
    std::size_t files_listed_max = 10'000;
};

// One request of a submission: what was read of it, or why it was refused.
struct SubmitItem {
    Result<Request> request;
    std::string script_hash;  // SHA-256 hex; "" when the script is uploaded
};

struct SubmitCall {
    Owner owner;
    std::vector<SubmitItem> items;
    std::string key = {};        // Idempotency-Key; "" = none
    std::string body_hash = {};  // SHA-256 hex of the exact body
};

struct SubmitResult {
    std::size_t item = 0;  // index in the call
    Result<JobRow> job;
};

// An answer as it goes out, so that it can be given again word for word.
struct Reply {
    int status = 0;
    std::string body;
    std::string location;
};
using Render = std::function<Reply(const std::vector<SubmitResult>&)>;

struct DryRun {
    Owner owner;
    Placement placement;
    std::string script;
    std::vector<std::string> command;
};

struct FileStat {
    std::uint64_t size = 0;
    std::int64_t modified_s = 0;
    std::int64_t modified_ns = 0;
    bool may_grow = true;
};

class Service {
public:
    struct Parts {
        Engine& engine;
        Store& store;
        SessionFiles& files;
        BatchSystem& batch;
        EventBus& bus;
        UsageKeeper& usage;
        Clock& clock;
        boost::asio::io_context& loop;
        boost::asio::thread_pool& disk;
        std::function<std::string(std::string_view)> sha256_hex;
    };

    Service(Parts parts, ServiceSettings settings) : parts_(parts), settings_(settings) {}
    void reload(ServiceSettings settings) { settings_ = settings; }

    // Takes up uploads that were complete when the daemon stopped.
    Async<void> start();

    // The answer that was given under the call's key, if there is one. Errors: as submit().
    Async<std::optional<Reply>> earlier_answer(const SubmitCall& call);
    // Stores the jobs and renders the answer; both durable together with the key.
    // Errors: unprocessable (the key was used with another body), gone (its jobs were forgotten),
    // unavailable (store, or drained). Refusals of single items are in the rendered answer.
    Async<Reply> submit(SubmitCall call, Render render);
    // What would be submitted. Errors: as of one item.
    Result<DryRun> dry_run(const Owner& owner, const Request& request);

    // Errors: not_found.
    Async<JobRow> find(Owner owner, std::string id);
    // In the order of `ids`.
    Async<std::vector<Result<JobRow>>> status(Owner owner, std::vector<std::string> ids);
    Async<std::vector<JobRow>> list(JobFilter filter);
    // Waits until the job's state is not one of `unwanted`, at most `limit`; then as find().
    Async<JobRow> wait(Owner owner, std::string id, std::set<State> unwanted,
                       std::chrono::milliseconds limit);

    enum class Wish { cancel, hold, release };
    // Errors: not_found, conflict (ended, or not in a state for it), unavailable.
    Async<JobRow> wish(Owner owner, std::string id, Wish wish);
    // Cancels many in one commit; one result for each id, as of the single call.
    Async<std::vector<Result<JobRow>>> cancel_many(Owner owner, std::vector<std::string> ids);
    // Forgets an ended job and its files. Errors: not_found, conflict.
    Async<void> forget(Owner owner, std::string id);

    // Files. `path` is relative and clean. Errors: not_found, forbidden, conflict, gone (removed
    // by retention), too_large, unavailable.
    Async<std::vector<FileEntry>> files(Owner owner, std::string id);
    Async<std::pair<Descriptor, FileStat>> open_file(Owner owner, std::string id, std::string path);
    Async<std::unique_ptr<Upload>> begin_upload(Owner owner, std::string id, std::string path);
    // Both on the disk pool. finish_upload returns true for a new file.
    Async<void> write_upload(Upload& upload, std::string bytes);
    Async<bool> finish_upload(Owner owner, std::string id, std::unique_ptr<Upload> upload);
    Async<void> remove_file(Owner owner, std::string id, std::string path);

    Engine& engine() { return parts_.engine; }
    Store& store() { return parts_.store; }
    EventBus& bus() { return parts_.bus; }
    const UsageKeeper& usage() const { return parts_.usage; }
    const ServiceSettings& settings() const { return settings_; }

private:
    Result<void> admit(const Owner& owner, unsigned count, std::size_t admitted) const;
    void make_jobs(const Owner& owner, Request request, const SubmitItem& item, std::size_t index,
                   const Placement& placement, Changes& changes,
                   std::vector<SubmitResult>& results);
    JobRow fresh(JobRow row) const;
    Async<void> check_uploads(JobSeq seq);
    Async<void> fits_declared(JobSeq seq, std::string path);

    Parts parts_;
    ServiceSettings settings_;
    std::set<std::string> keys_in_flight_;
};

bool may_see(const Owner& owner, const JobRow& row);

}  // namespace berth::jobs
