"""The shared file system is read-only, full or slow for a while."""

import json
import os
import subprocess
import threading
import time

import pytest

import mounts
from support.client import BEFORE_START
from support.waiting import wait_until

PATIENCE = 120
# A call of the shared file system; 10 is the value to try by hand, and takes some minutes.
SLOW_S = os.environ.get("BERTH_FAULT_SLOW_S", "0.7")


def root_state(site):
    found = json.loads(site.berth.observe("/health")[1])["dependencies"]
    return next(one for one in found if one["name"] == "session_root")["state"]


def queued(site, client, name):
    site.slurm.plan(name, start=False)
    return submitted(site, client, name, "queued")


def submitted(site, client, name, state, gated=False):
    wall = {"wall_time_s": 3600 + 60 * next(site.numbers)}
    request, run = (site.gated if gated else site.counted)(name=name, resources=wall)
    job_id = client.submit(request)["id"]
    client.wait(job_id, state, PATIENCE)
    return job_id, run


class Before:
    """Jobs that were there before the file system failed."""

    def __init__(self, site, client):
        self.site, self.client = site, client
        self.queued, self.queued_run = queued(site, client, "queued")
        self.cancelled, self.cancelled_run = queued(site, client, "cancelled")
        self.ended, self.ended_run = submitted(site, client, "ended", "running", gated=True)
        self.running, self.running_run = submitted(site, client, "running", "running", gated=True)
        for run in (self.ended_run, self.running_run):
            run.wait_for_start()

    def finish(self):
        client, slurm = self.client, self.site.slurm
        job = client.finish(self.cancelled, PATIENCE)
        assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
        slurm.wait_for_end(slurm.tasks("cancelled")[0], "CANCELLED")
        self.cancelled_run.assert_never()
        slurm.run_to_end(slurm.tasks("queued")[0])
        self.running_run.go()
        for job_id, run in ((self.queued, self.queued_run), (self.running, self.running_run), (self.ended, self.ended_run)):
            job = client.finish(job_id, PATIENCE)
            assert (job["state"], job["exit_code"]) == ("done", 0), job
            run.assert_once()


@mounts.needs_mount
def test_a_read_only_session_root_keeps_new_jobs_waiting_and_old_ones_right(scripted_site):
    site = scripted_site(prepare=mounts.in_own_namespace)
    client = site.berth.client()
    before = Before(site, client)
    mounts.read_only(site.berth, site.berth.root)
    new, new_run = submitted(site, client, "new", ["accepted", "ready"])
    wait_until(lambda: "session directory" in (client.job(new)["detail"] or ""), PATIENCE, "the reason why it waits")
    wait_until(lambda: root_state(site) != "ok", PATIENCE, "health to say it")
    client.act("cancel", before.cancelled)
    before.ended_run.go()
    assert client.finish(before.ended, PATIENCE)["state"] == "done"  # nodes may write
    assert client.job(before.queued)["state"] == "queued"
    assert client.job(before.running)["state"] == "running"
    assert client.job(new)["state"] in BEFORE_START
    assert site.slurm.submissions("new") == []
    mounts.read_write(site.berth, site.berth.root)
    assert client.finish(new, PATIENCE)["state"] == "done"
    new_run.assert_once()
    before.finish()
    wait_until(lambda: root_state(site) == "ok", PATIENCE, "health to say it")


@mounts.needs_mount
def test_a_full_session_root_keeps_new_jobs_waiting_and_no_result_is_lost(scripted_site):
    disks = []

    def prepare(berth):
        disks.append(mounts.small_disk(berth.root, 4 << 20))
        disks[0].__enter__()

    site = scripted_site(prepare=prepare)
    try:
        client = site.berth.client()
        before = Before(site, client)
        filler = mounts.fill(site.berth.root)
        new, new_run = submitted(site, client, "new", ["accepted", "ready"])
        wait_until(lambda: "session directory" in (client.job(new)["detail"] or ""), PATIENCE, "the reason why it waits")
        client.act("cancel", before.cancelled)
        before.ended_run.go()  # its wrapper cannot write the marker yet
        site.slurm.wait_for_tasks("ended")
        assert client.job(before.queued)["state"] == "queued"
        assert client.job(before.running)["state"] == "running"
        assert site.slurm.submissions("new") == []
        os.unlink(filler)
        assert client.finish(new, PATIENCE)["state"] == "done"
        new_run.assert_once()
        before.finish()
    finally:
        site.berth.stop()
        disks[0].__exit__(None, None, None)


@pytest.fixture(scope="module")
def slow_library(base):
    library = os.path.join(base, "slow.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_files.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"], check=True)
    return library


def slow_site(scripted_site, library, seconds):
    """A site and the file that makes its session root slow while it exists."""
    def prepare(berth):
        plain = berth.environment()
        slow = {"LD_PRELOAD": library, "SLOW_ROOT": berth.root, "SLOW_SECONDS": str(seconds),
                "SLOW_FILE": os.path.join(berth.directory, "slow")}
        berth.environment = lambda: {**plain, **slow}

    site = scripted_site(prepare=prepare)
    return site, os.path.join(site.berth.directory, "slow")


class Answers:
    """Asks for status, lists, health and a new job all the time; keeps the longest that an answer took."""

    def __init__(self, site, job_id):
        self.site, self.job_id = site, job_id
        self.longest, self.count, self.failed = 0.0, 0, None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def work(self):
        client = self.site.berth.client()
        request, _ = self.site.counted(name="dry", resources={"wall_time_s": 7200})
        questions = [lambda: client.job(self.job_id), client.all_jobs, lambda: root_state(self.site),
                     lambda: client.post("/v1/jobs?dry_run=true", request)]
        try:
            while not self.stopped.wait(0.05):
                for ask in questions:
                    begun = time.monotonic()
                    ask()
                    self.longest = max(self.longest, time.monotonic() - begun)
                    self.count += 1
        except Exception as error:  # told by the test's own thread
            self.failed = error


def test_a_slow_session_root_is_told_by_health(scripted_site, slow_library):
    site, slow = slow_site(scripted_site, slow_library, 3)
    wait_until(lambda: root_state(site) == "ok", PATIENCE, "the first listing")
    with open(slow, "w", encoding="utf-8"):
        pass
    wait_until(lambda: root_state(site) == "degraded", PATIENCE, "health to say it")
    os.unlink(slow)
    wait_until(lambda: root_state(site) == "ok", PATIENCE, "health to say that it is over")


def test_a_slow_session_root_slows_nothing_but_the_jobs(scripted_site, slow_library):
    site, slow = slow_site(scripted_site, slow_library, SLOW_S)
    client = site.berth.client()
    before = Before(site, client)
    with open(slow, "w", encoding="utf-8"):
        pass
    begun = time.monotonic()
    with Answers(site, before.running) as answers:
        slow_phase(site, client, before)
    os.unlink(slow)
    print("calls of %s s for %.0f s: %d answers, the longest took %.2f s" %
          (SLOW_S, time.monotonic() - begun, answers.count, answers.longest))
    assert answers.failed is None, answers.failed
    if float(SLOW_S) > 5:
        assert answers.longest < float(SLOW_S), "an answer waited for a call"
    before.finish()
    wait_until(lambda: root_state(site) == "ok", PATIENCE, "health to say that it is over")


def slow_phase(site, client, before):
    new = []
    for number in range(3):
        request, run = site.counted(name="new-%d" % number, resources={"wall_time_s": 36000 + 60 * number})
        new.append((client.submit(request)["id"], run))
    # The loop is free while the calls wait: many answers come before the first of these jobs is there.
    for _ in range(10):
        for job_id in (before.queued, before.running):
            client.job(job_id)
    assert all(client.job(job_id)["state"] in BEFORE_START for job_id, _ in new)
    client.act("cancel", before.cancelled)
    before.ended_run.go()
    patience = PATIENCE + 60 * float(SLOW_S)
    if float(SLOW_S) > 5:
        wait_until(lambda: root_state(site) == "degraded", patience, "health to say it")
    assert client.finish(before.ended, patience)["state"] == "done"
    # The payload itself waits for ten minutes only.
    assert client.job(before.running)["state"] in ("running", "done")
    for job_id, run in new:
        assert client.finish(job_id, patience)["state"] == "done"
        run.assert_once()
