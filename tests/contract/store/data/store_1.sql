PRAGMA application_id = 1651668072;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attempt_jobs(
    tag TEXT NOT NULL, idx INTEGER NOT NULL, job INTEGER NOT NULL,
    PRIMARY KEY(tag, idx)) WITHOUT ROWID;
CREATE TABLE attempts(
    tag TEXT PRIMARY KEY, state TEXT NOT NULL, array INTEGER NOT NULL, batch_id TEXT NOT NULL,
    cluster TEXT NOT NULL, account TEXT NOT NULL, message TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE events(
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, time INTEGER NOT NULL,
    from_state TEXT NOT NULL, to_state TEXT NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL,
    detail TEXT NOT NULL);
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
INSERT INTO "jobs" VALUES(1,'01jzzzzzzzaaaaaaaaaaaa','https://issuer.example.org','robot','grid1','','p','grid','',1,1,'secret','5ec',1800000000000,'done','none','',0,0,'1','bdhpqaaaaaaaaa1',NULL,1,0,0,1,'marker',1800000000000,1800000000000,1800000000000,1800000001000,0);
INSERT INTO "jobs" VALUES(2,'01jzzzzzzzbbbbbbbbbbbb','https://issuer.example.org','robot','grid1','','p','grid','',1,1,'secret','5ec',1800000000000,'running','none','',NULL,0,'2','bdhpqaaaaaaaaa2',NULL,1,0,0,1,'marker',1800000000000,1800000000000,1800000000000,NULL,0);
CREATE TABLE key_jobs(key_row INTEGER NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY(key_row, job_id))
    WITHOUT ROWID;
CREATE TABLE keys(
    id INTEGER PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL,
    status INTEGER NOT NULL, reply TEXT NOT NULL, location TEXT NOT NULL, deleted INTEGER NOT NULL,
    created INTEGER NOT NULL, UNIQUE(issuer, subject, key));
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('instance','dhpq');
CREATE TABLE requests(id INTEGER PRIMARY KEY, body TEXT NOT NULL, script_hash TEXT NOT NULL);
INSERT INTO "requests" VALUES(1,'{"name":"p"}','h');
CREATE TABLE scripts(hash TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "scripts" VALUES('h',X'23212F62696E2F73680A');
CREATE INDEX jobs_of_identity ON jobs(issuer, subject, seq);
CREATE INDEX jobs_of_account ON jobs(account, seq);
CREATE INDEX jobs_active ON jobs(seq) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_ended ON jobs(ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_request ON jobs(request);
CREATE INDEX events_of_job ON events(job);
CREATE INDEX attempts_by_id ON attempts(batch_id);
CREATE INDEX attempts_of_job ON attempt_jobs(job);
CREATE INDEX keys_of_job ON key_jobs(job_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',2);
COMMIT;
