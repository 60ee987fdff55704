#include "store/schema.hpp"

#include "base/ids.hpp"

#include <iterator>
#include <string>

namespace berth::store {

namespace {

constexpr const char* version_1 = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE scripts(hash TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE requests(id INTEGER PRIMARY KEY, body TEXT NOT NULL, script_hash TEXT NOT NULL);
CREATE TABLE jobs(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    issuer TEXT NOT NULL, subject TEXT NOT NULL, account TEXT NOT NULL, batch_account TEXT NOT NULL,
    name TEXT NOT NULL, queue TEXT NOT NULL, project TEXT NOT NULL,
    directives INTEGER NOT NULL, request INTEGER NOT NULL, secret TEXT NOT NULL,
    secret_hash TEXT NOT NULL, created INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    exit_code INTEGER, signal INTEGER NOT NULL,
    batch_id TEXT NOT NULL, tag TEXT NOT NULL, idx INTEGER, attempts INTEGER NOT NULL,
    cancel INTEGER NOT NULL, hold INTEGER NOT NULL, session_made INTEGER NOT NULL,
    source TEXT NOT NULL, updated INTEGER NOT NULL, observed INTEGER NOT NULL,
    started INTEGER, ended INTEGER, files_removed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX jobs_of_identity ON jobs(issuer, subject, seq);
CREATE INDEX jobs_of_account ON jobs(account, seq);
CREATE INDEX jobs_active ON jobs(seq) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_ended ON jobs(ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_request ON jobs(request);
CREATE TABLE events(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, time INTEGER NOT NULL,
    from_state TEXT NOT NULL, to_state TEXT NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE INDEX events_of_job ON events(job);
CREATE TABLE attempts(
    tag TEXT PRIMARY KEY, state TEXT NOT NULL, array INTEGER NOT NULL, batch_id TEXT NOT NULL,
    cluster TEXT NOT NULL, account TEXT NOT NULL, message TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX attempts_by_id ON attempts(batch_id);
CREATE TABLE attempt_jobs(
    tag TEXT NOT NULL, idx INTEGER NOT NULL, job INTEGER NOT NULL,
    PRIMARY KEY(tag, idx)) WITHOUT ROWID;
CREATE INDEX attempts_of_job ON attempt_jobs(job);
CREATE TABLE keys(
    id INTEGER PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL,
    status INTEGER NOT NULL, reply TEXT NOT NULL, location TEXT NOT NULL, deleted INTEGER NOT NULL,
    created INTEGER NOT NULL, UNIQUE(issuer, subject, key));
CREATE TABLE key_jobs(key_row INTEGER NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY(key_row, job_id))
    WITHOUT ROWID;
CREATE INDEX keys_of_job ON key_jobs(job_id);
)sql";

// What each account holds in session directories.
constexpr const char* version_2 = R"sql(
ALTER TABLE jobs ADD COLUMN files_bytes INTEGER;
ALTER TABLE jobs ADD COLUMN files_count INTEGER;
CREATE INDEX jobs_unmeasured ON jobs(seq) WHERE ended IS NOT NULL AND session_made = 1 AND
    files_removed = 0 AND files_count IS NULL;
CREATE TABLE usage(account TEXT PRIMARY KEY, bytes INTEGER NOT NULL, files INTEGER NOT NULL)
    WITHOUT ROWID;
)sql";

// The step to version i + 1.
constexpr const char* steps[] = {version_1, version_2};
static_assert(std::size(steps) == schema_version);

std::int64_t number(Database& database, const char* sql) {
    auto statement = database.prepare(sql);
    return statement.step() ? statement.number(0) : 0;
}

}  // namespace

Result<void> migrate(Database& database) {
    // 'brth' as application_id tells our files from others (sqlite.org/fileformat2.html 1.3.10).
    constexpr std::int64_t application_id = 0x62727468;
    const auto version = number(database, "PRAGMA user_version");
    const auto application = number(database, "PRAGMA application_id");
    const auto tables = number(database, "SELECT count(*) FROM sqlite_master");
    if (tables > 0 && application != application_id)
        return Error{ErrorKind::invalid, "the file is an SQLite database, but not a Berth store"};
    if (version > schema_version)
        return Error{ErrorKind::invalid,
                     "the store was written by a newer version of Berth (schema " +
                         std::to_string(version) + ", this one knows " +
                         std::to_string(schema_version) + "); install that version"};
    if (version == schema_version)
        return {};
    database.execute("BEGIN IMMEDIATE");
    for (auto step = version; step < schema_version; ++step)
        database.execute(steps[step]);
    if (version == 0)
        database.prepare("INSERT INTO meta VALUES ('instance', ?)").bind(random_base32(4)).run();
    database.execute("PRAGMA application_id = " + std::to_string(application_id));
    database.execute("PRAGMA user_version = " + std::to_string(schema_version));
    database.execute("COMMIT");
    return {};
}

}  // namespace berth::store
