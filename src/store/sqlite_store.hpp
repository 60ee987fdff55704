// jobs::Store on SQLite: WAL, synchronous=FULL, one writer with group commit.
//
// What is waiting when the writer becomes free is written in one transaction with one fsync; each
// caller's changes are a savepoint of it, so that one caller's fault spares the others. Reads use
// a connection of their own and see what is durable.
//
// Threads: calls on the control loop; two threads of its own. Lifetime: outlives its callers'
// waits; close() before it dies.
#pragma once

#include "base/clock.hpp"
#include "base/files.hpp"
#include "jobs/store.hpp"
#include "store/database.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace berth::store {

struct SqliteSettings {
    std::string path;
    std::uint64_t free_bytes_min = 0;  // new jobs are refused when less is free
};

class SqliteStore final : public jobs::Store {
public:
    // Opens, checks and migrates the file, and takes its lock.
    // Errors: conflict (another daemon has it), invalid (not ours, newer), unavailable.
    static Result<std::unique_ptr<SqliteStore>> open(boost::asio::io_context& loop,
                                                     SqliteSettings settings);
    ~SqliteStore() override;

    Async<std::vector<jobs::EventRow>> commit(jobs::Changes changes) override;
    jobs::JobSeq next_seq() override { return next_seq_++; }
    std::string instance() const override { return instance_; }
    Async<std::optional<jobs::JobRow>> job(std::string id) override;
    Async<std::vector<jobs::JobRow>> jobs(std::vector<std::string> ids) override;
    Async<std::vector<jobs::JobRow>> list(jobs::JobFilter filter) override;
    Async<std::optional<jobs::JobRow>> job_by_tag(std::string tag_or_batch_id) override;
    Async<std::vector<jobs::StoredRequest>> requests(std::vector<jobs::JobSeq> seqs) override;
    Async<std::optional<jobs::KeyRow>> key(std::string issuer, std::string subject,
                                           std::string key) override;
    Async<std::vector<jobs::EventRow>> events(jobs::JobFilter who, std::int64_t after,
                                              std::size_t limit) override;
    Async<std::vector<jobs::EventRow>> job_events(jobs::JobSeq seq) override;
    Async<std::vector<jobs::JobRow>> active_jobs() override;
    Async<std::vector<jobs::AttemptRow>> live_attempts(WallTime voided_since) override;
    Async<std::int64_t> last_event() override;
    Async<std::vector<jobs::JobRow>> ended_before(WallTime before, bool files_only,
                                                  std::size_t limit) override;
    Async<void> mark_files_removed(std::vector<jobs::JobSeq> seqs) override;
    Async<std::vector<jobs::JobRow>> unmeasured(std::size_t limit) override;
    Async<void> set_usage(std::vector<jobs::SessionUsage> sessions) override;
    Async<std::map<std::string, jobs::Usage>> usage_by_account() override;
    Async<void> sweep(WallTime keys_before, WallTime attempts_before) override;
    Async<std::string> note(std::string name) override;
    Async<void> set_note(std::string name, std::string value) override;
    Async<void> backup(std::string path) override;
    Health health() const override;
    void set_free_bytes_min(std::uint64_t bytes) { free_bytes_min_ = bytes; }

private:
    struct Pending;

    SqliteStore(boost::asio::io_context& loop, SqliteSettings settings, Descriptor lock);
    void start_writer();
    static void write_all_pending(SqliteStore* store, std::vector<std::shared_ptr<Pending>> work);
    void write_group(std::vector<std::shared_ptr<Pending>>& work);
    Result<void> check_space();
    // Runs function(database, arguments...) on the reader's or the writer's thread.
    template <class Value, class Function>
    Async<Value> read(Function function);
    Async<void> write(std::function<void(Database&)> function);

    boost::asio::io_context& loop_;
    std::string path_;
    std::atomic<std::uint64_t> free_bytes_min_;
    Descriptor lock_;
    std::unique_ptr<Database> writer_, reader_;
    std::string instance_;
    jobs::JobSeq next_seq_ = 1;
    std::vector<std::shared_ptr<Pending>> waiting_;
    bool writing_ = false;
    bool due_ = false;  // not all who wait may go on waiting
    mutable std::mutex health_mutex_;
    Health health_;
    boost::asio::thread_pool writer_pool_{1}, reader_pool_{1};
};

}  // namespace berth::store
