#include "store/request_json.hpp"
#include "store/rows_sql.hpp"

#include <map>
#include <unordered_map>

namespace berth::store {

namespace {

std::optional<std::int64_t> ms(const std::optional<WallTime>& time) {
    return time ? std::optional(to_ms(*time)) : std::nullopt;
}

void bind_status(Statement& statement, const jobs::Status& status) {
    const auto exit_code =
        status.exit_code ? std::optional<std::int64_t>(*status.exit_code) : std::nullopt;
    const auto index = status.index ? std::optional<std::int64_t>(*status.index) : std::nullopt;
    statement.bind(to_string(status.state)).bind(to_string(status.reason)).bind(status.detail);
    statement.bind(exit_code).bind(status.signal).bind(status.batch_id).bind(status.tag);
    statement.bind(index).bind(status.attempts).bind(static_cast<int>(status.cancel));
    statement.bind(status.hold ? 1 : 0).bind(status.session_made ? 1 : 0);
    statement.bind(to_string(status.source)).bind(to_ms(status.updated));
    statement.bind(to_ms(status.observed)).bind(ms(status.started)).bind(ms(status.ended));
}

class Writer {
public:
    explicit Writer(Database& database) : database_(database) {}

    void add_job(const jobs::NewJob& job) {
        const auto request = request_row(job);
        const auto& row = job.row;
        auto insert = database_.prepare(
            "INSERT INTO jobs(seq, id, issuer, subject, account, batch_account, name, queue, "
            "project, directives, request, secret, secret_hash, created, state, reason, detail, "
            "exit_code, signal, batch_id, tag, idx, attempts, cancel, hold, session_made, source, "
            "updated, observed, started, ended) VALUES "
            "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
        insert.bind(row.seq).bind(row.id).bind(row.issuer).bind(row.subject).bind(row.account);
        insert.bind(row.batch_account).bind(row.name).bind(row.queue).bind(row.project);
        insert.bind(static_cast<std::int64_t>(row.directives)).bind(request).bind(job.secret);
        insert.bind(row.secret_hash).bind(to_ms(row.created));
        bind_status(insert, row.status);
        insert.run();
        owner_ = {
            .job_id = row.id, .issuer = row.issuer, .subject = row.subject, .account = row.account};
        owner_seq_ = row.seq;
        add_event(row.seq, row.status.state, row.status);
    }

    // `is_last`: no later change in the same commit is of this job, so this one is what stays.
    void change_status(const jobs::StatusChange& change, bool is_last) {
        if (is_last)
            update_status(change);
        if (change.event)
            add_event(change.seq, change.from, change.status);
    }

    void update_status(const jobs::StatusChange& change) {
        auto update = database_.prepare(
            "UPDATE jobs SET state = ?, reason = ?, detail = ?, exit_code = ?, signal = ?, "
            "batch_id = ?, tag = ?, idx = ?, attempts = ?, cancel = ?, hold = ?, session_made = ?, "
            "source = ?, updated = ?, observed = ?, started = ?, ended = ? WHERE seq = ?");
        bind_status(update, change.status);
        update.bind(change.seq).run();
    }

    void add_attempt(const jobs::AttemptRow& row) {
        auto insert = database_.prepare("INSERT INTO attempts VALUES (?,?,?,?,?,?,?,?,?)");
        insert.bind(row.tag).bind(to_string(row.state)).bind(row.array ? 1 : 0);
        insert.bind(row.batch_id).bind(row.cluster).bind(row.account).bind(row.message);
        insert.bind(to_ms(row.created)).bind(to_ms(row.updated)).run();
        auto member = database_.prepare("INSERT INTO attempt_jobs VALUES (?,?,?)");
        std::int64_t index = 0;
        for (const auto job : row.jobs)
            member.bind(row.tag).bind(index++).bind(job).run();
    }

    void change_attempt(const jobs::AttemptRow& row) {
        auto update = database_.prepare(
            "UPDATE attempts SET state = ?, batch_id = ?, cluster = ?, message = ?, updated = ? "
            "WHERE tag = ?");
        update.bind(to_string(row.state)).bind(row.batch_id).bind(row.cluster).bind(row.message);
        update.bind(to_ms(row.updated)).bind(row.tag).run();
    }

    void add_key(const jobs::KeyRow& row) {
        auto insert = database_.prepare(
            "INSERT INTO keys(issuer, subject, key, body_hash, status, reply, location, deleted, "
            "created) VALUES (?,?,?,?,?,?,?,?,?)");
        insert.bind(row.issuer).bind(row.subject).bind(row.key).bind(row.body_hash);
        insert.bind(row.status).bind(row.reply).bind(row.location).bind(row.deleted ? 1 : 0);
        insert.bind(to_ms(row.created)).run();
        const auto key = database_.last_insert_id();
        auto member = database_.prepare("INSERT OR IGNORE INTO key_jobs VALUES (?,?)");
        for (const auto& id : row.job_ids)
            member.bind(key).bind(id).run();
    }

    void forget(jobs::JobSeq seq) {
        mark_files_removed(database_, {seq});
        database_
            .prepare(
                // The time for which a key outlives its jobs begins now.
                "UPDATE keys SET deleted = 1, reply = '', created = max(created, "
                "CAST(strftime('%s', 'now') AS INTEGER) * 1000) WHERE rowid IN (SELECT key_row "
                "FROM key_jobs k JOIN jobs j ON j.id = k.job_id WHERE j.seq = ?)")
            .bind(seq)
            .run();
        database_.prepare("DELETE FROM events WHERE job = ?").bind(seq).run();
        database_.prepare("DELETE FROM jobs WHERE seq = ?").bind(seq).run();
    }

    std::vector<jobs::EventRow> take_events() { return std::move(events_); }

private:
    // Jobs of one `count` share their request; equal scripts are kept once.
    std::int64_t request_row(const jobs::NewJob& job) {
        const auto known = requests_.find(job.request.get());
        if (known != requests_.end())
            return known->second;
        if (!job.script_hash.empty())
            database_.prepare("INSERT OR IGNORE INTO scripts VALUES (?,?)")
                .bind(job.script_hash)
                .bind(job.request->script)
                .run();
        database_.prepare("INSERT INTO requests(body, script_hash) VALUES (?,?)")
            .bind(to_json(*job.request))
            .bind(job.script_hash)
            .run();
        return requests_[job.request.get()] = database_.last_insert_id();
    }

    void add_event(jobs::JobSeq job, jobs::State from, const jobs::Status& status) {
        auto insert = database_.prepare(
            "INSERT INTO events(job, time, from_state, to_state, reason, source, detail) "
            "VALUES (?,?,?,?,?,?,?)");
        insert.bind(job).bind(to_ms(status.updated)).bind(to_string(from));
        insert.bind(to_string(status.state)).bind(to_string(status.reason));
        insert.bind(to_string(status.source)).bind(status.detail).run();
        jobs::EventRow event{.seq = database_.last_insert_id(), .job_seq = job};
        event.time = status.updated;
        event.from = from;
        event.to = status.state;
        event.reason = status.reason;
        event.source = status.source;
        event.detail = status.detail;
        name_owner(event);
        events_.push_back(std::move(event));
    }

    // The steps of one job come in a row, so the last owner is remembered.
    void name_owner(jobs::EventRow& event) {
        if (owner_seq_ != event.job_seq)
            read_owner(event.job_seq);
        event.job_id = owner_.job_id;
        event.issuer = owner_.issuer;
        event.subject = owner_.subject;
        event.account = owner_.account;
    }

    void read_owner(jobs::JobSeq seq) {
        owner_ = {};
        owner_seq_ = seq;
        auto owner =
            database_.prepare("SELECT id, issuer, subject, account FROM jobs WHERE seq = ?");
        owner.bind(seq);
        if (owner.step())
            owner_ = {.job_id = owner.text(0),
                      .issuer = owner.text(1),
                      .subject = owner.text(2),
                      .account = owner.text(3)};
    }

    struct Owner {
        std::string job_id = {}, issuer = {}, subject = {}, account = {};
    };

    Database& database_;
    std::map<const jobs::Request*, std::int64_t> requests_;
    std::vector<jobs::EventRow> events_;
    Owner owner_;
    jobs::JobSeq owner_seq_ = 0;
};

}  // namespace

void mark_files_removed(Database& database, const std::vector<jobs::JobSeq>& seqs) {
    auto subtract = database.prepare(
        "UPDATE usage SET bytes = bytes - j.files_bytes, files = files - j.files_count FROM jobs j "
        "WHERE j.seq = ? AND j.files_removed = 0 AND j.files_count IS NOT NULL AND "
        "usage.account = j.account");
    auto mark = database.prepare("UPDATE jobs SET files_removed = 1 WHERE seq = ?");
    for (const auto seq : seqs) {
        subtract.bind(seq).run();
        mark.bind(seq).run();
    }
}

void set_usage(Database& database, const std::vector<jobs::SessionUsage>& sessions) {
    auto add = database.prepare(
        "INSERT INTO usage SELECT account, ?2, ?3 FROM jobs WHERE seq = ?1 AND files_removed = 0 "
        "AND files_count IS NULL ON CONFLICT (account) DO UPDATE SET bytes = bytes + "
        "excluded.bytes, files = files + excluded.files");
    auto measured = database.prepare(
        "UPDATE jobs SET files_bytes = ?2, files_count = ?3 WHERE seq = ?1 AND "
        "files_count IS NULL");
    for (const auto& session : sessions) {
        const auto bytes = static_cast<std::int64_t>(session.usage.bytes);
        const auto files = static_cast<std::int64_t>(session.usage.files);
        add.bind(session.seq).bind(bytes).bind(files).run();
        measured.bind(session.seq).bind(bytes).bind(files).run();
    }
}

std::vector<jobs::EventRow> write_changes(Database& database, const jobs::Changes& changes) {
    Writer writer(database);
    for (const auto& job : changes.new_jobs)
        writer.add_job(job);
    for (const auto& attempt : changes.new_attempts)
        writer.add_attempt(attempt);
    for (const auto& attempt : changes.attempts)
        writer.change_attempt(attempt);
    std::unordered_map<jobs::JobSeq, const jobs::StatusChange*> last;
    for (const auto& status : changes.statuses)
        last[status.seq] = &status;
    for (const auto& status : changes.statuses)
        writer.change_status(status, last[status.seq] == &status);
    if (changes.key)
        writer.add_key(*changes.key);
    for (const auto seq : changes.forget)
        writer.forget(seq);
    return writer.take_events();
}

}  // namespace berth::store
