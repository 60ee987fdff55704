#include "store/request_json.hpp"
#include "store/rows_sql.hpp"
#include "store/sqlite_store.hpp"

#include <map>

namespace berth::store {

using berth::jobs::AttemptRow;
using berth::jobs::EventRow;
using berth::jobs::JobFilter;
using berth::jobs::JobRow;
using berth::jobs::JobSeq;
using berth::jobs::KeyRow;
using berth::jobs::StoredRequest;

namespace {

std::optional<WallTime> time_or_null(const Statement& row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(from_ms(row.number(column)));
}

EventRow read_event(const Statement& row) {
    EventRow event{.seq = row.number(0), .job_seq = row.number(1)};
    event.job_id = row.text(2);
    event.issuer = row.text(3);
    event.subject = row.text(4);
    event.account = row.text(5);
    event.time = from_ms(row.number(6));
    event.from = jobs::state_from(row.text(7)).value_or(jobs::State::accepted);
    event.to = jobs::state_from(row.text(8)).value_or(jobs::State::accepted);
    event.reason = jobs::reason_from(row.text(9)).value_or(jobs::Reason::none);
    event.source = jobs::source_from(row.text(10)).value_or(jobs::Source::store);
    event.detail = row.text(11);
    return event;
}

class ReadTransaction {
public:
    explicit ReadTransaction(Database& database) : database_(database) { run("BEGIN"); }
    ReadTransaction(const ReadTransaction&) = delete;
    ReadTransaction& operator=(const ReadTransaction&) = delete;
    ~ReadTransaction() { run("COMMIT"); }

private:
    // Without one, each statement is a transaction of its own, and reports what is wrong.
    void run(const char* sql) {
        try {
            database_.prepare(sql).run();
        } catch (const DatabaseError&) {
            return;
        }
    }

    Database& database_;
};

#define BERTH_EVENT_QUERY                                                               \
    "SELECT e.seq, e.job, j.id, j.issuer, j.subject, j.account, e.time, e.from_state, " \
    "e.to_state, e.reason, e.source, e.detail FROM events e JOIN jobs j ON j.seq = e.job "

std::vector<JobRow> all_jobs(Statement& statement) {
    std::vector<JobRow> rows;
    while (statement.step())
        rows.push_back(read_job(statement));
    return rows;
}

bool fits(const JobFilter& filter, const JobRow& row) {
    const bool state = filter.states.empty() ||
                       std::find(filter.states.begin(), filter.states.end(), row.status.state) !=
                           filter.states.end();
    return state && (!filter.since || row.status.updated >= *filter.since) &&
           (filter.name.empty() || row.name == filter.name);
}

std::vector<JobRow> fitting(Statement& statement, const JobFilter& filter) {
    std::vector<JobRow> rows;
    while (rows.size() < filter.limit && statement.step()) {
        auto row = read_job(statement);
        if (fits(filter, row))
            rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<JobRow> list_jobs(Database& database, const JobFilter& filter) {
    const bool by_account = !filter.account.empty();
    if (filter.everyone) {
        auto all = database.prepare("SELECT " BERTH_JOB_COLUMNS
                                    " FROM jobs j WHERE j.seq < ? ORDER BY j.seq DESC");
        all.bind(filter.before == 0 ? INT64_MAX : filter.before);
        return fitting(all, filter);
    }
    auto statement = database.prepare(
        by_account ? "SELECT " BERTH_JOB_COLUMNS
                     " FROM jobs j WHERE j.account = ? AND j.seq < ? ORDER BY j.seq DESC"
                   : "SELECT " BERTH_JOB_COLUMNS
                     " FROM jobs j WHERE j.issuer = ? AND j.subject = ? AND j.seq < ? "
                     "ORDER BY j.seq DESC");
    if (by_account)
        statement.bind(filter.account);
    else
        statement.bind(filter.issuer).bind(filter.subject);
    statement.bind(filter.before == 0 ? INT64_MAX : filter.before);
    return fitting(statement, filter);
}

std::vector<StoredRequest> read_requests(Database& database, const std::vector<JobSeq>& seqs) {
    auto statement = database.prepare(
        "SELECT j.id, j.secret, r.id, r.body, r.script_hash, s.body FROM jobs j JOIN requests r "
        "ON r.id = j.request LEFT JOIN scripts s ON s.hash = r.script_hash WHERE j.seq = ?");
    auto brief = database.prepare("SELECT id, secret, request FROM jobs WHERE seq = ?");
    std::map<std::int64_t, StoredRequest> known;  // by request row: jobs of one `count` share it
    std::vector<StoredRequest> result;
    for (const auto seq : seqs) {
        Statement& first = brief;
        first.bind(seq);
        if (!first.step()) {
            first.run();
            continue;
        }
        StoredRequest stored{.seq = seq, .id = first.text(0)};
        stored.secret = first.text(1);
        const auto request = first.number(2);
        first.run();
        auto shared = known.find(request);
        if (shared == known.end()) {
            statement.bind(seq);
            if (!statement.step())
                throw DatabaseError{11, "a job has no request"};
            StoredRequest loaded;
            loaded.request = std::make_shared<const jobs::Request>(
                from_json(statement.text(3), statement.text(5)));
            loaded.script_hash = statement.text(4);
            statement.run();
            shared = known.emplace(request, std::move(loaded)).first;
        }
        stored.request = shared->second.request;
        stored.script_hash = shared->second.script_hash;
        result.push_back(std::move(stored));
    }
    return result;
}

std::optional<KeyRow> read_key(Database& database, const std::string& issuer,
                               const std::string& subject, const std::string& key) {
    auto statement = database.prepare(
        "SELECT rowid, body_hash, status, reply, location, deleted, created FROM keys WHERE "
        "issuer = ? AND subject = ? AND key = ?");
    statement.bind(issuer).bind(subject).bind(key);
    if (!statement.step())
        return std::nullopt;
    KeyRow row{.issuer = issuer, .subject = subject, .key = key};
    row.body_hash = statement.text(1);
    row.status = static_cast<int>(statement.number(2));
    row.reply = statement.text(3);
    row.location = statement.text(4);
    row.deleted = statement.number(5) != 0;
    row.created = from_ms(statement.number(6));
    auto members = database.prepare("SELECT job_id FROM key_jobs WHERE key_row = ? LIMIT 1");
    members.bind(statement.number(0));
    while (members.step())
        row.job_ids.push_back(members.text(0));
    return row;
}

std::vector<AttemptRow> read_attempts(Database& database, WallTime voided_since) {
    auto statement = database.prepare(
        "SELECT tag, state, array, batch_id, cluster, account, message, created, updated FROM "
        "attempts WHERE (state IN ('given_up', 'voided') AND updated >= ?) OR tag IN (SELECT a.tag "
        "FROM attempt_jobs a JOIN jobs j ON j.seq = a.job WHERE j.state NOT IN ('done', 'failed', "
        "'cancelled'))");
    statement.bind(to_ms(voided_since));
    auto members = database.prepare("SELECT job FROM attempt_jobs WHERE tag = ? ORDER BY idx");
    std::vector<AttemptRow> rows;
    while (statement.step()) {
        AttemptRow row{.tag = statement.text(0)};
        row.state =
            jobs::attempt_state_from(statement.text(1)).value_or(jobs::AttemptState::unknown);
        row.array = statement.number(2) != 0;
        row.batch_id = statement.text(3);
        row.cluster = statement.text(4);
        row.account = statement.text(5);
        row.message = statement.text(6);
        row.created = from_ms(statement.number(7));
        row.updated = from_ms(statement.number(8));
        members.bind(row.tag);
        while (members.step())
            row.jobs.push_back(members.number(0));
        members.run();
        rows.push_back(std::move(row));
    }
    return rows;
}

std::optional<JobRow> find_by_tag(Database& database, const std::string& wanted) {
    auto statement = database.prepare(
        "SELECT " BERTH_JOB_COLUMNS
        " FROM jobs j JOIN attempt_jobs a ON a.job = j.seq JOIN attempts t ON t.tag = a.tag WHERE "
        "t.tag = ?1 OR t.batch_id = ?1 OR j.seq IN (SELECT a2.job FROM attempts t2 JOIN "
        "attempt_jobs a2 ON a2.tag = t2.tag WHERE t2.array = 1 AND ?1 = t2.batch_id || '_' || "
        "a2.idx AND t2.batch_id = substr(?1, 1, instr(?1, '_') - 1)) "
        "ORDER BY (j.batch_id = ?1) DESC, t.created DESC LIMIT 1");
    statement.bind(wanted);
    if (!statement.step())
        return std::nullopt;
    return read_job(statement);
}

}  // namespace

JobRow read_job(const Statement& row) {
    JobRow job{.seq = row.number(0), .id = row.text(1)};
    job.issuer = row.text(2);
    job.subject = row.text(3);
    job.account = row.text(4);
    job.batch_account = row.text(5);
    job.name = row.text(6);
    job.queue = row.text(7);
    job.project = row.text(8);
    job.directives = static_cast<std::uint64_t>(row.number(9));
    job.secret_hash = row.text(10);
    job.created = from_ms(row.number(11));
    auto& status = job.status;
    status.state = jobs::state_from(row.text(12)).value_or(jobs::State::failed);
    status.reason = jobs::reason_from(row.text(13)).value_or(jobs::Reason::none);
    status.detail = row.text(14);
    if (!row.is_null(15))
        status.exit_code = static_cast<int>(row.number(15));
    status.signal = static_cast<int>(row.number(16));
    status.batch_id = row.text(17);
    status.tag = row.text(18);
    if (!row.is_null(19))
        status.index = static_cast<unsigned>(row.number(19));
    status.attempts = static_cast<unsigned>(row.number(20));
    status.cancel = static_cast<jobs::CancelBy>(row.number(21));
    status.hold = row.number(22) != 0;
    status.session_made = row.number(23) != 0;
    status.source = jobs::source_from(row.text(24)).value_or(jobs::Source::store);
    status.updated = from_ms(row.number(25));
    status.observed = from_ms(row.number(26));
    status.started = time_or_null(row, 27);
    status.ended = time_or_null(row, 28);
    return job;
}

template <class Value, class Function>
Async<Value> SqliteStore::read(Function function) {
    const auto guarded = [](Database* database, Function work) -> Result<Value> {
        // One transaction: one view of the store, and its locks are taken once.
        const ReadTransaction transaction(*database);
        try {
            return work(*database);
        } catch (const DatabaseError& error) {
            return error.error();
        }
    };
    co_return co_await offload(reader_pool_, guarded, reader_.get(), std::move(function));
}

Async<std::optional<JobRow>> SqliteStore::job(std::string id) {
    auto work = [id = std::move(id)](Database& database) -> std::optional<JobRow> {
        auto statement =
            database.prepare("SELECT " BERTH_JOB_COLUMNS " FROM jobs j WHERE j.id = ?");
        statement.bind(id);
        if (!statement.step())
            return std::nullopt;
        return read_job(statement);
    };
    co_return co_await read<std::optional<JobRow>>(std::move(work));
}

Async<std::vector<JobRow>> SqliteStore::jobs(std::vector<std::string> ids) {
    auto work = [ids = std::move(ids)](Database& database) {
        auto statement =
            database.prepare("SELECT " BERTH_JOB_COLUMNS " FROM jobs j WHERE j.id = ?");
        std::vector<JobRow> rows;
        for (const auto& id : ids) {
            statement.bind(id);
            if (statement.step())
                rows.push_back(read_job(statement));
            statement.run();
        }
        return rows;
    };
    co_return co_await read<std::vector<JobRow>>(std::move(work));
}

Async<std::vector<JobRow>> SqliteStore::list(JobFilter filter) {
    auto work = [filter = std::move(filter)](Database& database) {
        return list_jobs(database, filter);
    };
    co_return co_await read<std::vector<JobRow>>(std::move(work));
}

Async<std::optional<JobRow>> SqliteStore::job_by_tag(std::string tag_or_batch_id) {
    auto work = [wanted = std::move(tag_or_batch_id)](Database& database) {
        return find_by_tag(database, wanted);
    };
    co_return co_await read<std::optional<JobRow>>(std::move(work));
}

Async<std::vector<StoredRequest>> SqliteStore::requests(std::vector<JobSeq> seqs) {
    auto work = [seqs = std::move(seqs)](Database& database) {
        return read_requests(database, seqs);
    };
    co_return co_await read<std::vector<StoredRequest>>(std::move(work));
}

Async<std::optional<KeyRow>> SqliteStore::key(std::string issuer, std::string subject,
                                              std::string key) {
    auto work = [issuer = std::move(issuer), subject = std::move(subject), key = std::move(key)](
                    Database& database) { return read_key(database, issuer, subject, key); };
    co_return co_await read<std::optional<KeyRow>>(std::move(work));
}

Async<std::vector<EventRow>> SqliteStore::events(JobFilter who, std::int64_t after,
                                                 std::size_t limit) {
    auto work = [who = std::move(who), after, limit](Database& database) {
        auto statement = database.prepare(
            BERTH_EVENT_QUERY
            "WHERE e.seq > ?1 AND ((j.issuer = ?2 AND j.subject = ?3) OR j.account = ?4) "
            "ORDER BY e.seq LIMIT ?5");
        statement.bind(after).bind(who.issuer).bind(who.subject).bind(who.account);
        statement.bind(static_cast<std::int64_t>(limit));
        std::vector<EventRow> rows;
        while (statement.step())
            rows.push_back(read_event(statement));
        return rows;
    };
    co_return co_await read<std::vector<EventRow>>(std::move(work));
}

Async<std::vector<EventRow>> SqliteStore::job_events(JobSeq seq) {
    auto work = [seq](Database& database) {
        auto statement = database.prepare(BERTH_EVENT_QUERY "WHERE e.job = ? ORDER BY e.seq");
        statement.bind(seq);
        std::vector<EventRow> rows;
        while (statement.step())
            rows.push_back(read_event(statement));
        return rows;
    };
    co_return co_await read<std::vector<EventRow>>(std::move(work));
}

Async<std::vector<JobRow>> SqliteStore::active_jobs() {
    auto work = [](Database& database) {
        auto statement = database.prepare(
            "SELECT " BERTH_JOB_COLUMNS
            " FROM jobs j WHERE j.state NOT IN ('done', 'failed', 'cancelled') ORDER BY j.seq");
        return all_jobs(statement);
    };
    co_return co_await read<std::vector<JobRow>>(std::move(work));
}

Async<std::vector<AttemptRow>> SqliteStore::live_attempts(WallTime voided_since) {
    auto work = [voided_since](Database& database) {
        return read_attempts(database, voided_since);
    };
    co_return co_await read<std::vector<AttemptRow>>(std::move(work));
}

Async<std::string> SqliteStore::note(std::string name) {
    auto work = [name = std::move(name)](Database& database) -> std::string {
        auto statement = database.prepare("SELECT value FROM meta WHERE key = ?");
        statement.bind("note:" + name);
        return statement.step() ? statement.text(0) : std::string();
    };
    co_return co_await read<std::string>(std::move(work));
}

Async<std::int64_t> SqliteStore::last_event() {
    auto work = [](Database& database) -> std::int64_t {
        auto statement = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
        return statement.step() ? statement.number(0) : 0;
    };
    co_return co_await read<std::int64_t>(std::move(work));
}

Async<std::vector<JobRow>> SqliteStore::ended_before(WallTime before, bool files_only,
                                                     std::size_t limit) {
    auto work = [before, files_only, limit](Database& database) {
        auto statement = database.prepare(
            files_only ? "SELECT " BERTH_JOB_COLUMNS
                         " FROM jobs j WHERE j.ended < ? AND j.files_removed = 0 ORDER BY j.ended "
                         "LIMIT ?"
                       : "SELECT " BERTH_JOB_COLUMNS
                         " FROM jobs j WHERE j.ended < ? ORDER BY j.ended LIMIT ?");
        statement.bind(to_ms(before)).bind(static_cast<std::int64_t>(limit));
        return all_jobs(statement);
    };
    co_return co_await read<std::vector<JobRow>>(std::move(work));
}

Async<std::vector<JobRow>> SqliteStore::unmeasured(std::size_t limit) {
    auto work = [limit](Database& database) {
        auto statement = database.prepare("SELECT " BERTH_JOB_COLUMNS
                                          " FROM jobs j WHERE j.ended IS NOT NULL AND "
                                          "j.session_made = 1 AND j.files_removed = 0 AND "
                                          "j.files_count IS NULL ORDER BY j.seq LIMIT ?");
        statement.bind(static_cast<std::int64_t>(limit));
        return all_jobs(statement);
    };
    co_return co_await read<std::vector<JobRow>>(std::move(work));
}

Async<std::map<std::string, berth::jobs::Usage>> SqliteStore::usage_by_account() {
    using Sums = std::map<std::string, berth::jobs::Usage>;
    auto work = [](Database& database) {
        auto statement = database.prepare("SELECT account, bytes, files FROM usage");
        Sums sums;
        while (statement.step())
            sums[statement.text(0)] = {.bytes = static_cast<std::uint64_t>(statement.number(1)),
                                       .files = static_cast<std::uint64_t>(statement.number(2))};
        return sums;
    };
    co_return co_await read<Sums>(std::move(work));
}

}  // namespace berth::store
