#include "store/sqlite_store.hpp"

#include "base/kill_point.hpp"
#include "base/log.hpp"
#include "store/file_check.hpp"
#include "store/rows_sql.hpp"
#include "store/schema.hpp"

#include <sqlite3.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>

#include <fcntl.h>

#include <cerrno>
#include <chrono>

namespace berth::store {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds share_wait{10};

}  // namespace

// One commit() in wait. Owned by its caller and by the writer, whoever ends last.
struct SqliteStore::Pending {
    Pending(asio::io_context& loop, jobs::Changes wanted)
        : changes(std::move(wanted)), done_signal(loop, asio::steady_timer::time_point::max()) {}

    jobs::Changes changes;
    Result<std::vector<jobs::EventRow>> result;
    bool taken = false;  // by the writer
    bool done = false;
    asio::steady_timer done_signal;
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(asio::io_context& loop,
                                                       SqliteSettings settings) {
    const auto lock_path = settings.path + ".lock";
    Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock)
        return system_error("open " + lock_path, errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error{ErrorKind::conflict,
                     "another berthd uses the store " + settings.path +
                         "; stop it, or give this one a store of its own ([store] path)"};
    const auto path = settings.path;
    try {
        std::unique_ptr<SqliteStore> store(
            new SqliteStore(loop, std::move(settings), std::move(lock)));
        const bool cut = looks_cut(path);
        store->writer_ = std::make_unique<Database>(path, false);
        auto& writer = *store->writer_;
        if (cut)
            check_pages(writer, path);
        writer.execute("PRAGMA synchronous = FULL");
        // First the check: what is not ours must not be turned into a WAL file.
        if (auto migrated = migrate(writer); !migrated)
            return std::move(migrated.error()).within(path);
        writer.execute("PRAGMA journal_mode = WAL");
        writer.execute("PRAGMA wal_autocheckpoint = 4000");
        writer.execute("PRAGMA cache_size = -16384");
        store->reader_ = std::make_unique<Database>(path, true);
        auto instance = writer.prepare("SELECT value FROM meta WHERE key = 'instance'");
        if (!instance.step())
            return Error{ErrorKind::invalid,
                         path + " has no instance id; restore it from a backup"};
        store->instance_ = instance.text(0);
        auto last = writer.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'");
        store->next_seq_ = last.step() ? last.number(0) + 1 : 1;
        return store;
    } catch (const DatabaseError& error) {
        auto failure = error.error();
        failure.message += " (" + path + "; docs/operate.md tells how to restore a store)";
        return failure;
    }
}

SqliteStore::SqliteStore(asio::io_context& loop, SqliteSettings settings, Descriptor lock)
    : loop_(loop),
      path_(std::move(settings.path)),
      free_bytes_min_(settings.free_bytes_min),
      lock_(std::move(lock)) {}

SqliteStore::~SqliteStore() {
    writer_pool_.join();
    reader_pool_.join();
}

Async<std::vector<jobs::EventRow>> SqliteStore::commit(jobs::Changes changes) {
    auto pending = std::make_shared<Pending>(loop_, std::move(changes));
    waiting_.push_back(pending);
    if (pending->changes.may_wait) {
        pending->done_signal.expires_after(share_wait);
        co_await pending->done_signal.async_wait(asio::as_tuple(asio::use_awaitable));
        pending->done_signal.expires_at(asio::steady_timer::time_point::max());
    }
    due_ = due_ || !pending->taken;
    start_writer();
    while (!pending->done)
        co_await pending->done_signal.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::move(pending->result);
}

void SqliteStore::start_writer() {
    if (writing_ || !due_ || waiting_.empty())
        return;
    writing_ = true;
    due_ = false;
    auto work = std::exchange(waiting_, {});
    for (const auto& pending : work)
        pending->taken = true;
    asio::post(writer_pool_, [this, work = std::move(work)]() mutable {
        write_all_pending(this, std::move(work));
    });
}

// On the writer's thread; the results go back to the loop in one message.
void SqliteStore::write_all_pending(SqliteStore* store,
                                    std::vector<std::shared_ptr<Pending>> work) {
    store->write_group(work);
    asio::post(store->loop_, [store, work = std::move(work)] {
        for (const auto& pending : work) {
            pending->done = true;
            pending->done_signal.cancel();
        }
        store->writing_ = false;
        store->start_writer();
    });
}

void SqliteStore::write_group(std::vector<std::shared_ptr<Pending>>& work) {
    const auto begun = std::chrono::steady_clock::now();
    Health health{.ok = true};
    try {
        const auto space = check_space();
        writer_->execute("BEGIN IMMEDIATE");
        for (const auto& pending : work) {
            if (!space && !pending->changes.new_jobs.empty()) {
                pending->result = space.error();
                continue;
            }
            writer_->execute("SAVEPOINT one");
            try {
                pending->result = write_changes(*writer_, pending->changes);
                writer_->execute("RELEASE one");
            } catch (const DatabaseError& error) {
                if (error.is_fatal())
                    throw;
                pending->result = error.error();
                writer_->execute("ROLLBACK TO one");
                writer_->execute("RELEASE one");
            } catch (const std::exception& error) {  // text that is no UTF-8, for example
                pending->result = Error{ErrorKind::internal, error.what()};
                writer_->execute("ROLLBACK TO one");
                writer_->execute("RELEASE one");
            }
        }
        kill_point("commit_before");
        writer_->execute("COMMIT");
        kill_point("commit_after");
        if (!space)
            health.message = space.error().message;
    } catch (const DatabaseError& error) {
        for (const auto& pending : work)
            pending->result = error.error();
        health = {.ok = false, .message = error.error().message};
        if (sqlite3_get_autocommit(writer_->handle()) == 0)
            sqlite3_exec(writer_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    const std::lock_guard lock(health_mutex_);
    health.commits = health_.commits + 1;
    health.last_commit_s = took.count();
    health_ = health;
}

Result<void> SqliteStore::check_space() {
    struct statvfs space {};
    const auto least = free_bytes_min_.load();
    if (least == 0 || ::statvfs(path_.c_str(), &space) != 0)
        return {};
    const auto free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    if (free >= least)
        return {};
    return Error{ErrorKind::unavailable,
                 "the disk of the store has only " + std::to_string(free >> 20U) +
                     " MiB left; free some space, or lower [store] free_bytes_min"};
}

jobs::Store::Health SqliteStore::health() const {
    const std::lock_guard lock(health_mutex_);
    return health_;
}

Async<void> SqliteStore::write(std::function<void(Database&)> function) {
    const auto guarded = [](Database* database,
                            std::function<void(Database&)> work) -> Result<void> {
        try {
            database->execute("BEGIN IMMEDIATE");
            work(*database);
            database->execute("COMMIT");
            return {};
        } catch (const DatabaseError& error) {
            if (sqlite3_get_autocommit(database->handle()) == 0)
                sqlite3_exec(database->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
            return error.error();
        }
    };
    co_return co_await offload(writer_pool_, guarded, writer_.get(), std::move(function));
}

Async<void> SqliteStore::mark_files_removed(std::vector<jobs::JobSeq> seqs) {
    const auto mark = [seqs = std::move(seqs)](Database& database) {
        store::mark_files_removed(database, seqs);
    };
    std::function<void(Database&)> work = mark;
    co_return co_await write(std::move(work));
}

Async<void> SqliteStore::set_usage(std::vector<jobs::SessionUsage> sessions) {
    const auto add = [sessions = std::move(sessions)](Database& database) {
        store::set_usage(database, sessions);
    };
    std::function<void(Database&)> work = add;
    co_return co_await write(std::move(work));
}

Async<void> SqliteStore::set_note(std::string name, std::string value) {
    const auto put = [name = std::move(name), value = std::move(value)](Database& database) {
        database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)")
            .bind("note:" + name)
            .bind(value)
            .run();
    };
    std::function<void(Database&)> work = put;
    co_return co_await write(std::move(work));
}

Async<void> SqliteStore::sweep(WallTime keys_before, WallTime attempts_before) {
    const auto clean = [keys_before, attempts_before](Database& database) {
        // A key lives as long as its jobs and then until keys_before.
        database
            .prepare(
                "DELETE FROM keys WHERE created < ? AND NOT EXISTS (SELECT 1 FROM key_jobs k "
                "JOIN jobs j ON j.id = k.job_id WHERE k.key_row = keys.rowid)")
            .bind(to_ms(keys_before))
            .run();
        database.execute("DELETE FROM key_jobs WHERE key_row NOT IN (SELECT rowid FROM keys)");
        database
            .prepare(
                "DELETE FROM attempts WHERE updated < ? AND NOT EXISTS (SELECT 1 FROM "
                "attempt_jobs a JOIN jobs j ON j.seq = a.job WHERE a.tag = attempts.tag)")
            .bind(to_ms(attempts_before))
            .run();
        database.execute("DELETE FROM attempt_jobs WHERE tag NOT IN (SELECT tag FROM attempts)");
        database.execute("DELETE FROM requests WHERE id NOT IN (SELECT request FROM jobs)");
        database.execute(
            "DELETE FROM scripts WHERE hash NOT IN (SELECT script_hash FROM requests)");
    };
    std::function<void(Database&)> work = clean;
    co_return co_await write(std::move(work));
}

Async<void> SqliteStore::backup(std::string path) {
    const auto copy = [](Database* database, std::string target) -> Result<void> {
        try {
            database->prepare("VACUUM INTO ?").bind(target).run();
            return {};
        } catch (const DatabaseError& error) {
            return error.error();
        }
    };
    co_return co_await offload(reader_pool_, copy, reader_.get(), std::move(path));
}

}  // namespace berth::store
