"""A store with 100,000 active and 1,000,000 ended jobs: memory, status of 1,000 ids, start to ready."""

import os
import random
import shutil
import sqlite3
import stat
import time

from lab import Lab, in_time, median, show
from support import account

ARRAY = 5000  # half of the active jobs are in arrays of this size, the others are batch jobs of their own

FILL = """
CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < :all) SELECT i FROM c;
INSERT INTO scripts VALUES (:hash, CAST('#!/bin/sh' || char(10) AS BLOB));
INSERT INTO requests(id, body, script_hash) SELECT i, '{"name":"pilot","queue":"held"}', :hash FROM n WHERE i <= :all / 100 + 1;
INSERT INTO jobs(seq, id, issuer, subject, account, batch_account, name, queue, project, directives, request, secret,
    secret_hash, created, state, reason, detail, exit_code, signal, batch_id, tag, idx, attempts, cancel, hold,
    session_made, source, updated, observed, started, ended)
  SELECT i, printf('01%020d', i), :issuer, 'alice', :account, '', 'pilot', 'held', '', i % 50, 1 + i / 100,
    printf('%032d', i), printf('%064d', i), :now - 1000 * (:all - i), 'done', '', '', 0, 0, CAST(i AS TEXT),
    printf('b%s%010d', :instance, i), NULL, 1, 0, 0, 1, 'marker', :now, :now, :now, :now FROM n;
UPDATE jobs SET state = 'queued', source = 'queue', exit_code = NULL, started = NULL, ended = NULL WHERE seq > :ended;
UPDATE jobs SET idx = (seq - :ended - 1) % :array, batch_id = (seq - (seq - :ended - 1) % :array) || '_' || ((seq - :ended - 1) % :array),
    tag = printf('b%s%010d', :instance, seq - (seq - :ended - 1) % :array) WHERE seq > :ended AND seq <= :in_arrays;
INSERT INTO attempts SELECT DISTINCT tag, CASE WHEN seq <= :ended THEN 'over' ELSE 'accepted' END, idx IS NOT NULL,
    CASE WHEN instr(batch_id, '_') THEN substr(batch_id, 1, instr(batch_id, '_') - 1) ELSE batch_id END, '', account, '',
    :now, :now FROM jobs;
INSERT INTO attempt_jobs SELECT tag, coalesce(idx, 0), seq FROM jobs;
"""
STEPS = [("accepted", "accepted"), ("accepted", "ready"), ("ready", "submitting"), ("submitting", "queued"),
         ("queued", "running"), ("running", "done")]


def fill(path, berth, ended, active):
    """Rows for the schema that berthd itself has made."""
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("PRAGMA cache_size = -500000")
    indexes = store.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        store.execute("DROP INDEX " + name)
    values = {"all": ended + active, "ended": ended, "in_arrays": ended + active // 2, "array": min(ARRAY, active // 2),
              "hash": "ab" * 32, "issuer": berth.issuer.url, "account": account.NAME, "now": int(time.time() * 1000),
              "instance": store.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()[0]}
    store.execute("BEGIN")
    for statement in FILL.split(";\n"):
        if statement.strip():
            store.execute(statement, values)
    for source, target in STEPS:
        last = ended if target in ("running", "done") else ended + active
        store.execute("INSERT INTO events(job, time, from_state, to_state, reason, source, detail) "
                      "SELECT i, ?, ?, ?, '', 'store', '' FROM n WHERE i <= ?", (values["now"], source, target, last))
    store.execute("COMMIT")
    for _, sql in indexes:
        store.execute(sql)
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows = store.execute("SELECT id, batch_id, tag FROM jobs WHERE seq > ?", (ended,)).fetchall()
    store.close()
    account.own(berth.directory)
    return rows


def make_sessions(berth, rows):
    for job_id, _, _ in rows:
        os.makedirs(os.path.join(berth.session(job_id), "files"))
    account.own(berth.root)


def stand_in(lab, slurm, rows):
    """Slurm's own commands, but squeue prints a queue in which all active jobs wait."""
    folder = lab.path("slurm-bin")
    os.makedirs(folder)
    for name in ("sbatch", "scancel", "scontrol", "sacct", "sinfo", "sacctmgr"):
        if shutil.which(name):
            os.symlink(shutil.which(name), os.path.join(folder, name))
    with open(os.path.join(folder, "queue"), "w", encoding="utf-8") as file:
        for _, batch_id, tag in rows:
            array, _, index = batch_id.partition("_")
            file.write("|".join([array if not index else array, array if index else "N/A", index or "N/A", "PENDING", "0",
                                 "0", "4294901000", account.NAME, "1795777777", "N/A", "N/A", "", "Priority", tag]) + "|\n")
    program = os.path.join(folder, "squeue")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexec cat %s/queue\n" % folder)
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return folder


def statuses(berth, ended, active, posts):
    """Status of 1,000 ids in one request; ended and active ones."""
    pick = random.Random(7)
    bodies = [{"ids": ["01%020d" % pick.randrange(first, last) for _ in range(1000)]}
              for first, last in ((1, ended), (ended + 1, ended + active)) for _ in range(10)]
    for name, part in (("ended", bodies[:10]), ("active", bodies[10:])):
        figures = berth.post("/v1/jobs/status", part, 1, posts)
        if set(figures["statuses"]) != {"200"}:
            raise SystemExit("status: %s" % figures["statuses"])
        show("status of 1,000 %s jobs" % name, "p50 %.1f ms" % figures["p50_ms"], "p99 %.1f ms (under 50)" % figures["p99_ms"],
             "%.1f ms CPU" % (1000 * figures["cpu_s"] / posts))


def run(arguments):
    ended, active, posts = (2000, 400, 20) if arguments.smoke else (1000000, 100000, 300)
    with Lab() as lab:
        slurm = lab.slurm("--nodes", "1")
        berth = lab.berth(slurm)
        berth.stop()
        path = os.path.join(berth.directory, "berth.db")
        rows = fill(path, berth, ended, active)
        make_sessions(berth, rows)
        berth.settings["batch.slurm"]["bin"] = stand_in(lab, slurm, rows)
        berth.write_config()
        show("store", "%d active, %d ended jobs" % (active, ended), "%.0f MB" % (os.path.getsize(path) / 1e6))
        starts = []
        for _ in range(arguments.runs):
            begun = time.monotonic()
            berth.start()
            starts.append(time.monotonic() - begun)
            if len(starts) < arguments.runs:
                berth.kill()
        show("start to ready", "%.1f s (under 10)" % median(starts))
        in_time("the first poll", lambda: berth.commands().get("poll", 0) > 0, 120, 0.2)
        time.sleep(1 if arguments.smoke else 60)
        show("resident memory", "%.0f MB (under 300)" % berth.memory_mb(), "highest %.0f MB" % berth.memory_mb(True))
        statuses(berth, ended, active, posts)
        show("resident memory afterwards", "%.0f MB" % berth.memory_mb(), "jobs still active: %d"
             % berth.query("SELECT count(*) FROM jobs WHERE state = 'queued'")[0])
        berth.kill()
