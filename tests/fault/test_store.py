"""The store's disk is full, its file is damaged, or it comes back from a backup."""

import glob
import json
import os
import random
import sqlite3
import subprocess
import time

import pytest

import mounts
from support import account
from support.waiting import wait_until

PATIENCE = 90
OFFSETS = int(os.environ.get("BERTH_FAULT_OFFSETS", "8"))
SEED = int(os.environ.get("BERTH_FAULT_SEED", "1"))


def dependency(site, name):
    found = json.loads(site.berth.observe("/health")[1])["dependencies"]
    return next(one for one in found if one["name"] == name)


def own_row(site, client, name, state, gated=True, start=True):
    site.slurm.plan(name, start=start)
    request, run = (site.gated if gated else site.counted)(name=name, resources={"wall_time_s": 3600 + 60 * next(site.numbers)})
    job_id = client.submit(request)["id"]
    client.wait(job_id, state, PATIENCE)
    if state == "running":
        run.wait_for_start()
    return job_id, run


# ---- full


@mounts.needs_mount
def test_a_full_disk_refuses_new_jobs_only_until_there_is_space(scripted_site):
    disks = []

    def prepare(berth):
        folder = os.path.join(berth.directory, "disk")
        disks.append(mounts.small_disk(folder, 8 << 20))
        disks[0].__enter__()
        berth.settings["store"] = {"path": os.path.join(folder, "berth.db"), "free_bytes_min": "1B"}
        berth.write_config()

    site = scripted_site(prepare=prepare)
    site.berth.expected_errors.append("store_failed")
    try:
        client = site.berth.client()
        queued, queued_run = own_row(site, client, "queued", "queued", gated=False, start=False)
        running, running_run = own_row(site, client, "running", "running")
        filler = mounts.fill(os.path.join(site.berth.directory, "disk"))

        def refused():
            return client.post("/v1/jobs", {"script": "#!/bin/sh\n# %s\n" % ("x" * 60000)}).status == 503

        wait_until(refused, PATIENCE, "a refusal", 0.01)
        before = len(client.all_jobs())
        assert client.job(queued)["state"] == "queued" and client.job(running)["state"] == "running"
        wait_until(lambda: dependency(site, "store")["state"] != "ok" if refused() else False, PATIENCE, "health to say it")
        running_run.go()
        time.sleep(3)  # its end cannot be written
        assert len(client.all_jobs()) == before, "a refused job is not kept"
        os.unlink(filler)
        assert client.finish(running, PATIENCE)["state"] == "done"
        wait_until(lambda: client.post("/v1/jobs", {"script": "#!/bin/sh\n"}).status == 201, PATIENCE, "new work to be taken")
        wait_until(lambda: dependency(site, "store")["state"] == "ok", PATIENCE, "health to say it")
        site.slurm.run_to_end(site.slurm.tasks("queued")[0])
        assert client.finish(queued, PATIENCE)["state"] == "done"
        for run in (queued_run, running_run):
            run.assert_once()
        site.berth.stop()
    finally:
        site.berth.stop()
        disks[0].__exit__(None, None, None)


# ---- damaged


def database(site):
    return os.path.join(site.berth.directory, "berth.db")


def keep(site):
    """{suffix: bytes} of the store's files."""
    kept = {}
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(database(site) + suffix):
            with open(database(site) + suffix, "rb") as file:
                kept[suffix] = file.read()
    return kept


def put_back(site, kept):
    for path in glob.glob(database(site) + "*"):
        if not path.endswith(".lock"):
            os.unlink(path)
    for suffix, content in kept.items():
        with open(database(site) + suffix, "wb") as file:
            file.write(content)
    account.own(site.berth.directory)


def integrity(path):
    with sqlite3.connect(path) as connection:
        try:
            return connection.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return str(error)


def judge_start(site, offset):
    """A start with damaged files: it is refused in words, or the store is whole. True if it was refused."""
    berth = site.berth
    log = len(berth.log())
    berth.spawn()

    def decided():
        if berth.process.poll() is not None:
            return "ended"
        try:
            return "ready" if berth.observe("/health/ready")[0] == 200 else None
        except OSError:
            return None

    what = wait_until(decided, 60, "a start with the file cut at %d" % offset)
    words = berth.log()[log:]
    if what == "ready":
        berth.stop()
        assert integrity(database(site)) == "ok", "it runs on a damaged store that was cut at %d" % offset
        return False
    assert berth.process.returncode in (1, 2), (offset, berth.process.returncode, words)
    assert berth.directory in words and "docs/operate.md" in words, (offset, words)
    return True


@pytest.mark.parametrize("how", ["after a clean end", "after kill -9", "after kill -9, the log"])
def test_a_store_that_was_cut_is_refused_in_words_or_whole(scripted_site, how):
    site = scripted_site()
    site.berth.expected_errors.append("")
    client = site.berth.client()
    for number in range(20):
        client.submit({"script": "#!/bin/sh\n# %s\n" % (str(number) * 3000), "files": ["in"]})
    if how == "after a clean end":
        site.berth.stop()
    else:
        site.berth.kill()
    kept = keep(site)
    suffix = "-wal" if how.endswith("log") else ""
    if suffix:
        assert kept[suffix], "there is a log"
    size = len(kept[suffix])
    chosen = random.Random(SEED)
    offsets = [0, 1, 99, 4096, size - 4096, size - 1] + [chosen.randrange(size) for _ in range(OFFSETS)]
    refused = 0
    for offset in offsets:
        put_back(site, dict(kept, **{suffix: kept[suffix][:offset]}))
        refused += judge_start(site, offset)
    print("%s: %d of %d cuts refused" % (how, refused, len(offsets)))
    if not suffix:
        assert refused >= len(offsets) - 1
    put_back(site, kept)
    site.berth.start()
    assert len(site.berth.client().all_jobs()) == 20


# ---- restored


def orphans(site):
    return site.berth.berthctl("orphans").stdout


def test_a_restored_backup_knows_its_jobs_and_lists_the_later_ones_as_orphans(scripted_site):
    """docs/operate.md, "Backup and restore"."""
    site = scripted_site()
    site.berth.expected_errors.append("")
    client = site.berth.client()
    old, old_run = own_row(site, client, "old", "running")
    backup = os.path.join(site.berth.directory, "backup.db")
    site.berth.berthctl("backup", backup)
    late, late_run = own_row(site, client, "late", "running")
    waiting, waiting_run = own_row(site, client, "waiting", "queued", start=False)
    tags = {job_id: client.job(job_id)["tag"] for job_id in (late, waiting)}
    site.berth.kill()
    with open(database(site), "r+b") as file:
        file.truncate(5000)
    assert judge_start(site, 5000), "it ran on a damaged store"

    for suffix in ("-wal", "-shm"):
        if os.path.exists(database(site) + suffix):
            os.unlink(database(site) + suffix)
    subprocess.run(["install", "-m", "0600", "-o", account.NAME, backup, database(site)] if os.getuid() == 0 else
                   ["install", "-m", "0600", backup, database(site)], check=True)
    site.berth.start()

    client.close()
    assert [job["id"] for job in client.all_jobs()] == [old]
    assert client.get("/v1/jobs/" + late).status == 404
    wait_until(lambda: all(tag in orphans(site) for tag in tags.values()), PATIENCE, "the orphans to be listed")
    time.sleep(3)
    states = [site.slurm.tasks(name)[0]["state"] for name in ("late", "waiting")]
    assert states == ["RUNNING", "PENDING"], "an orphan is never cancelled by itself"
    site.berth.berthctl("orphans", "cancel", tags[waiting])
    site.slurm.wait_for_end(site.slurm.tasks("waiting")[0], "CANCELLED")
    waiting_run.assert_never()
    for run in (old_run, late_run):
        run.go()
    assert client.finish(old, PATIENCE)["state"] == "done"
    site.slurm.wait_for_end(site.slurm.tasks("late")[0], "COMPLETED")
    for run in (old_run, late_run):
        run.assert_once()
