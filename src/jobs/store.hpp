// The port for what must survive a crash.
//
// Threads: the control loop; implementations do their waiting elsewhere. commit() returns when
// its changes are durable; changes of one commit become visible together or not at all. Commits
// take effect in the order in which they were called.
#pragma once

#include "base/async.hpp"
#include "jobs/rows.hpp"
#include "jobs/session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::jobs {

struct NewJob {
    JobRow row = {};                              // row.seq is given by the store, see next_seq()
    std::shared_ptr<const Request> request = {};  // `script` is kept once per content
    std::string script_hash = {};                 // SHA-256 of the script, hex; "" when uploaded
    std::string secret = {};  // the node secret in clear, for the session directory
};

struct StatusChange {
    JobSeq seq = 0;
    Status status = {};
    bool event = false;  // append `from` -> status.state to the events
    State from = State::accepted;
};

// One durable step. Everything in it is written in one transaction.
struct Changes {
    std::vector<NewJob> new_jobs = {};
    std::vector<StatusChange> statuses = {};
    std::vector<AttemptRow> new_attempts = {};
    std::vector<AttemptRow> attempts = {};  // state, batch_id, cluster, message, updated
    std::optional<KeyRow> key = {};
    std::vector<JobSeq> forget = {};  // with events; keys that name them answer 410
    // Nobody is in a hurry: for some milliseconds it may wait for others, to share their fsync.
    bool may_wait = false;
};

struct JobFilter {
    std::string issuer = {}, subject = {};
    std::string account = {};  // not empty: all jobs of the account instead of the identity's
    bool everyone = false;     // for operators: of all identities
    std::vector<State> states = {};
    std::optional<WallTime> since = {};  // updated at or after
    std::string name = {};
    JobSeq before = 0;  // paging: only jobs with a smaller seq; 0 = from the newest
    std::size_t limit = 100;
};

// What a submission needs of a job.
struct StoredRequest {
    JobSeq seq = 0;
    std::string id = {};
    std::shared_ptr<const Request> request = {};
    std::string script_hash = {};
    std::string secret = {};
};

struct SessionUsage {
    JobSeq seq = 0;
    Usage usage = {};
};

class Store {
public:
    virtual ~Store() = default;

    // Errors: unavailable (disk full, file damaged); then nothing of `changes` is kept. On success
    // the events that were appended, with their numbers.
    virtual Async<std::vector<EventRow>> commit(Changes changes) = 0;

    // Numbers for new jobs; never given twice, also not after a restart.
    virtual JobSeq next_seq() = 0;
    // 4 characters of a-z2-7 that differ from store to store.
    virtual std::string instance() const = 0;

    virtual Async<std::optional<JobRow>> job(std::string id) = 0;
    virtual Async<std::vector<JobRow>> jobs(std::vector<std::string> ids) = 0;  // found ones only
    virtual Async<std::vector<JobRow>> list(JobFilter filter) = 0;              // newest first
    virtual Async<std::optional<JobRow>> job_by_tag(std::string tag_or_batch_id) = 0;
    virtual Async<std::vector<StoredRequest>> requests(std::vector<JobSeq> seqs) = 0;
    virtual Async<std::optional<KeyRow>> key(std::string issuer, std::string subject,
                                             std::string key) = 0;
    // Events with a number above `after`, oldest first; filters as in JobFilter (issuer, subject
    // or account).
    virtual Async<std::vector<EventRow>> events(JobFilter who, std::int64_t after,
                                                std::size_t limit) = 0;
    virtual Async<std::vector<EventRow>> job_events(JobSeq seq) = 0;

    // At start: every job that is not final, and every attempt that may still matter: of jobs
    // that are not final, or given up or voided at or after `voided_since`.
    virtual Async<std::vector<JobRow>> active_jobs() = 0;
    virtual Async<std::vector<AttemptRow>> live_attempts(WallTime voided_since) = 0;
    virtual Async<std::int64_t> last_event() = 0;

    // Retention: final jobs that ended before `before`, oldest first.
    virtual Async<std::vector<JobRow>> ended_before(WallTime before, bool files_only,
                                                    std::size_t limit) = 0;
    virtual Async<void> mark_files_removed(std::vector<JobSeq> seqs) = 0;
    // Usage: final jobs whose session directories have not been measured, oldest first.
    virtual Async<std::vector<JobRow>> unmeasured(std::size_t limit) = 0;
    virtual Async<void> set_usage(std::vector<SessionUsage> sessions) = 0;
    // The sums of what was measured and is still there.
    virtual Async<std::map<std::string, Usage>> usage_by_account() = 0;
    // Removes keys and old attempts that nothing needs any more.
    virtual Async<void> sweep(WallTime keys_before, WallTime attempts_before) = 0;

    // Small facts about the service itself that outlive it; "" when there is none of that name.
    virtual Async<std::string> note(std::string name) = 0;
    virtual Async<void> set_note(std::string name, std::string value) = 0;

    // Copies the whole store into a new file while work goes on.
    virtual Async<void> backup(std::string path) = 0;

    struct Health {
        bool ok = true;             // false: the last write failed
        std::string message = {};   // why; with ok: why new jobs are refused
        std::uint64_t commits = 0;  // transactions, each with one fsync
        double last_commit_s = 0;
    };
    virtual Health health() const = 0;
};

}  // namespace berth::jobs
