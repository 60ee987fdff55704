// The engine: brings every accepted job to its end, exactly as DESIGN and docs/architecture.md
// say: intent before act, evidence before conclusion, and always from the store after a crash.
//
// It knows the jobs that are not final in memory; the store knows all. Memory may be ahead of the
// store only while a commit runs, commits keep their order, and nothing outside (a submission, an
// event, an answer) happens before the commit that it depends on is durable.
//
// Threads: the control loop. Lifetime: stop() must end before the engine dies; all references
// outlive it.
#pragma once

#include "base/async.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/tasks.hpp"
#include "jobs/adoption.hpp"
#include "jobs/batch.hpp"
#include "jobs/decide.hpp"
#include "jobs/event_bus.hpp"
#include "jobs/launch.hpp"
#include "jobs/limits.hpp"
#include "jobs/session.hpp"
#include "jobs/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::jobs {

struct EngineSettings {
    std::chrono::seconds poll_interval{60};
    std::chrono::seconds poll_interval_max{300};
    std::chrono::seconds limits_interval{300};
    std::chrono::milliseconds look_up_interval{10'000};  // of what was not found
    std::chrono::milliseconds coalesce_window{100};      // equal jobs within it share an array
    bool coalesce = true;
    unsigned submit_width = 8;               // commands at a time; more are prepared meanwhile
    unsigned commands_per_minute_max = 600;  // polls, look-ups and cancels; not submissions
    std::chrono::seconds upload_timeout{3600};
    std::chrono::seconds retry_delay{10};  // after a failed attempt; doubles up to 5 minutes
    DecideSettings decide = {};
    WrapperSettings wrapper = {};
    PlacementRules placement = {};
    std::chrono::hours keep_jobs{24 * 30};
    std::chrono::hours keep_files{24 * 7};
    std::chrono::hours keep_keys{24 * 14};
    // Of given-up and voided attempts: a batch job that shows up with one is cancelled.
    std::chrono::hours keep_attempts{24 * 30};
    std::chrono::seconds retention_interval{600};
};

class Engine {
public:
    struct Parts {
        boost::asio::io_context& loop;
        boost::asio::thread_pool& disk;
        Store& store;
        SessionFiles& files;
        BatchSystem& batch;
        Clock& clock;
        Metrics& metrics;
        EventBus& bus;
    };

    Engine(Parts parts, EngineSettings settings);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Loads what is active and begins to work. Errors: unavailable (store, session root).
    Async<void> start();
    boost::asio::awaitable<void> stop();
    // Settings that may change while it runs (everything but the wrapper's root).
    void reload(EngineSettings settings);

    // Jobs that have just become durable.
    void add(std::vector<JobRow> rows);

    // What a client or operator wants. Each is durable when it returns.
    // Errors: not_found (not active), conflict, unavailable.
    Async<void> cancel(JobSeq seq, CancelBy who);
    // The same for many in one commit; those that are not active are left out.
    Async<void> cancel_all(std::vector<JobSeq> seqs, CancelBy who);
    Async<void> hold(JobSeq seq);
    Async<void> release(JobSeq seq);
    // The session directory exists: from here on it is never made anew.
    Async<void> session_made(JobSeq seq);
    // All declared files are there.
    Async<void> uploaded(JobSeq seq);

    // The status of an active job with the freshest `source` and `observed`; null when not active.
    const JobRow* find(JobSeq seq) const;
    // News by the node door: true if the secret fits the job of that attempt.
    bool hint(const std::string& tag, unsigned index, const std::string& kind,
              const std::string& secret_hash);

    const SiteLimits& limits() const { return limits_; }
    Async<void> refresh_limits();
    const EngineSettings& settings() const { return settings_; }

    // While drained no new jobs are taken; those that were go on. Durable.
    Async<void> drain(bool on);
    bool drained() const { return drained_; }

    std::size_t active() const { return jobs_.size(); }
    std::size_t active_of(const std::string& issuer, const std::string& subject) const;
    std::map<std::pair<std::string, std::string>, std::size_t> counts() const;  // state, queue

    struct BatchHealth {
        bool ok = false;
        bool asked = false;  // false until the first answer or failure
        std::string message = {};
        SteadyTime last_success = {};
        WallTime last_success_wall = {};
        std::chrono::milliseconds poll_interval{0};
    };
    const BatchHealth& batch_health() const { return batch_health_; }
    bool store_ok() const { return unsaved_.empty(); }
    const std::string& files_problem() const {
        return files_problem_.empty() ? events_problem_ : files_problem_;
    }
    // What the last listing of the events directory took, or the present one has taken so far.
    std::chrono::milliseconds files_delay() const;

    // Batch jobs whose tag has this store's form but which it does not know (a restored backup).
    struct Orphan {
        BatchRecord record;
        WallTime first_seen;
    };
    const std::map<std::string, Orphan>& orphans() const { return orphans_; }
    Async<void> cancel_orphan(std::string tag);
    // Takes up attempts that the store does not know from what their session directories say; the
    // tags need not be those of orphans. It goes on when its caller leaves.
    // Errors: conflict (another one is under way), unavailable (session root).
    Async<Adoption> adopt_orphans(std::vector<std::string> tags);
    // Session directories of jobs that the store does not know. Reads all of the session root.
    Async<StraySessions> stray_sessions();

private:
    struct Job {
        JobRow row;
        Observation batch = {};
        std::string fence_nonce = {};
        SteadyTime fence_seen = {}, marker_seen = {};
        std::uint64_t fence_looks = 0;  // answered ones
        SteadyTime not_before = {};     // of the next attempt
        SteadyTime upload_until = {};
        SteadyTime cancel_sent = {};
        SteadyTime told = {};          // hold or release; an older look does not show it yet
        SteadyTime queued_since = {};  // in ready_
        std::multimap<SteadyTime, JobSeq>::iterator recheck = {};
        bool has_recheck = false;
        bool evaluating = false;
        bool submitting_now = false;    // a submission works on it; its outcome is not in yet
        bool marked_meanwhile = false;  // there was news while the submission worked on it
        bool in_ready = false;
        // Other attempts of this job that the batch system still shows, and whether they wait.
        std::map<std::pair<std::string, std::optional<unsigned>>, bool> losers = {};
    };
    struct Attempt {
        AttemptRow row;
        SteadyTime started = {};  // command start or daemon start, the later
        SteadyTime cancel_sent = {};
    };

    // engine.cpp: state in memory and in the store
    Async<void> commit(Changes changes);
    void set_status(Changes& changes, Job& job, Status next);
    void forget_final(const std::vector<JobSeq>& seqs);
    boost::asio::awaitable<void> save_unsaved();
    Job* job(JobSeq seq);
    Attempt* attempt(const std::string& tag);
    void mark_dirty(JobSeq seq);
    void await_upload(Job& job);
    void recheck_after(Job& job, std::chrono::milliseconds delay);
    boost::asio::awaitable<void> housekeeping();

    // engine_submit.cpp
    using Group = std::vector<JobSeq>;
    void make_ready(Job& job);
    boost::asio::awaitable<void> submitter();
    // More than can run at one time: a place that is free has not to wait for this one.
    bool many_in_hand() const { return submissions_ > settings_.submit_width; }
    Group next_group();
    std::chrono::milliseconds window_of(std::uint64_t directives) const;
    boost::asio::awaitable<void> submit_group(Group group);
    boost::asio::awaitable<Group> prepare(Group group, std::string& tag, bool array,
                                          std::shared_ptr<const Request>& request);
    std::vector<StoredRequest> keep_made(Changes& changes, std::vector<StoredRequest> wanted,
                                         const std::vector<Result<void>>& made);
    boost::asio::awaitable<std::vector<Result<void>>> make_sessions(
        const std::vector<StoredRequest>& wanted, std::string tag, bool array);
    SessionInput session_input(const JobRow& row, const StoredRequest& stored) const;
    void preparation_failed(Changes& changes, Job& job, const Error& error);
    Async<void> record_intent(Group group, std::string tag, bool array);
    SubmitIntent make_intent(const Group& group, const std::string& tag, bool array,
                             std::shared_ptr<const Request> request);
    boost::asio::awaitable<void> record_outcome(std::string tag, SubmitOutcome outcome);
    void reject_job(Changes& changes, Job& job, const SubmitOutcome& outcome);
    void accept_attempt(Changes& changes, Attempt& attempt, const std::string& batch_id,
                        const std::string& cluster);
    void put_back(Changes& changes, Job& job, Reason reason, std::string detail);
    std::string make_tag() const;

    // engine_watch.cpp: polls, look-ups, events
    boost::asio::awaitable<void> poller();
    boost::asio::awaitable<void> looker();
    boost::asio::awaitable<void> event_reader();
    boost::asio::awaitable<void> apply_snapshot(QueueSnapshot snapshot,
                                                std::set<std::string> asked_tags, bool is_poll);
    void apply_record(Changes& changes, Attempt& owner, const BatchRecord& record, unsigned index,
                      const QueueSnapshot& snapshot, std::set<JobSeq>& shown);
    void duplicate(Job& job, const BatchRecord& record);
    void observe(Job& job, const BatchRecord& record, const QueueSnapshot& snapshot);
    void observe_missing(Job& job, SteadyTime asked);
    boost::asio::awaitable<void> check_unknown_tag(BatchRecord record);
    void superseded(Attempt& attempt, const BatchRecord& record);
    std::vector<std::string> accounts() const;
    void poll_failed(const Error& error);

    // engine_evaluate.cpp: evidence to verdict to act
    boost::asio::awaitable<void> evaluator();
    boost::asio::awaitable<void> evaluate(std::vector<JobSeq> seqs);
    void evaluate_unsubmitted(Changes& changes, Job& job);
    void act_on(Changes& changes, Job& job, const SessionView& view, std::vector<JobSeq>& to_void);
    void act_between_attempts(Changes& changes, Job& job, const SessionView& view,
                              std::vector<JobSeq>& to_void);
    void settle(Changes& changes, Job& job, const Verdict& verdict);
    void adopt(Changes& changes, Job& job, const Fence& fence);
    void close_attempt(Changes& changes, const std::string& tag, AttemptState state);

    // engine_adopt.cpp: attempts that the store does not know
    struct AdoptionRun;
    struct Seat {
        std::string job_id;
        bool array = false;
        bool doubled = false;  // a second session claims it
    };
    using Seats = std::map<unsigned, Seat>;  // of an attempt, by index
    struct Draft {
        AttemptRow row = {};
        std::vector<NewJob> fresh = {};
        std::vector<JobSeq> known = {};  // jobs that move to the attempt
    };
    bool is_own_tag(const std::string& tag) const;
    boost::asio::awaitable<void> run_adoption(std::shared_ptr<AdoptionRun> run);
    boost::asio::awaitable<std::set<std::string>> adoptable(std::set<std::string> tags,
                                                            Adoption& adoption);
    Async<std::map<std::string, Seats>> find_seats(std::set<std::string> tags, Adoption& adoption);
    boost::asio::awaitable<void> adopt_attempt(std::string tag, Seats seats, Adoption& adoption);
    boost::asio::awaitable<void> adopter();

    // engine_take_up.cpp: one of them
    Adoption::Left place(Draft& draft, unsigned index, const Seat& seat,
                         Result<FoundSession> session, const std::vector<JobRow>& stored);
    boost::asio::awaitable<void> take_up(Draft draft, Adoption& adoption);
    void move_to(Changes& changes, Job& job, const AttemptRow& row);

    // engine_control.cpp: cancel, hold, release of batch jobs
    void want_batch_cancel(const std::string& tag, std::optional<unsigned> index,
                           bool only_waiting = false);
    BatchTarget target_of(const Job& job);
    boost::asio::awaitable<void> canceller();
    // Waits until one more command is within the budget per minute.
    boost::asio::awaitable<void> command_slot();

    // retention.cpp
    boost::asio::awaitable<void> retention();
    Async<std::size_t> remove_ended(bool files_only);
    void forget_old_attempts(WallTime before);

    Parts parts_;
    EngineSettings settings_;
    TaskGroup tasks_;
    std::string tag_prefix_;

    std::unordered_map<JobSeq, std::unique_ptr<Job>> jobs_;
    std::unordered_map<std::string, Attempt> attempts_;
    std::map<std::pair<std::string, std::string>, std::size_t> owners_;  // active jobs of each
    std::multimap<SteadyTime, JobSeq> rechecks_;
    std::map<std::uint64_t, std::deque<JobSeq>> ready_;  // by directives
    std::deque<std::uint64_t> ready_order_;              // round robin over ready_
    std::map<std::uint64_t, SteadyTime> bursts_;         // when a large group was sent
    std::set<JobSeq> dirty_;
    std::set<JobSeq> unsaved_;
    std::set<std::string> to_look_up_;
    // Whether it goes only if it still waits.
    std::map<std::pair<std::string, std::optional<unsigned>>, bool> to_cancel_;
    std::map<std::string, Orphan> orphans_;
    bool adopting_ = false;
    std::map<std::string, std::set<JobSeq>> to_adopt_;  // tags that the fences of these jobs name
    std::set<std::string> unadoptable_;                 // such tags that no session names

    SiteLimits limits_;
    BatchHealth batch_health_;
    std::string files_problem_;     // of the last session directories
    std::string events_problem_;    // of the last listing
    SteadyTime events_asked_ = {};  // of the listing under way
    SteadyTime::duration events_took_ = {};
    SteadyTime daemon_start_ = {};
    std::deque<SteadyTime> command_times_;
    unsigned submissions_ = 0;
    SteadyTime submit_pause_until_ = {};
    std::chrono::milliseconds submit_pause_{0};  // doubles while the batch system is full
    bool drained_ = false;
    Wakeup ready_wakeup_, dirty_wakeup_, poll_wakeup_, look_wakeup_, cancel_wakeup_, adopt_wakeup_;
};

}  // namespace berth::jobs
