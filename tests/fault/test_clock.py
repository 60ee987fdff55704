"""The clock of the daemon's machine jumps by an hour while jobs are in every state. Only berthd is deceived."""

import glob
import os
import time

import pytest

from support import account
from support.waiting import wait_until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
KILLS_ITSELF = '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\nkill -9 $PPID\nkill -9 $$\n'
PATIENCE = 90

pytestmark = pytest.mark.skipif(not os.path.exists(FAKETIME), reason="libfaketime is not installed")


class Clock:
    """The offset of the daemon's clock; its monotonic clock goes on, as that of a kernel does."""

    def __init__(self, berth):
        self.file = os.path.join(berth.directory, "clock")
        self.jump(0)
        # After the change of the account: libfaketime's semaphore belongs to the first that uses it.
        berth.launcher = ["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME_TIMESTAMP_FILE=" + self.file, "FAKETIME_NO_CACHE=1",
                          "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]

    @staticmethod
    def kill(berth):
        """kill -9, and what libfaketime then leaves behind."""
        pid = berth.process.pid
        berth.kill()
        for left in glob.glob("/dev/shm/*faketime_*_%d" % pid):
            os.unlink(left)

    def jump(self, seconds):
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write("%+d\n" % seconds)
        os.rename(self.file + ".new", self.file)
        account.own(os.path.dirname(self.file))


@pytest.fixture
def token(monkeypatch, issuer):
    """make(berth): a token for two hours to both sides of now."""
    def make(berth):
        with monkeypatch.context() as context:
            context.setenv("LD_PRELOAD", FAKETIME)
            context.setenv("FAKETIME", "-2h")
            return issuer.token("alice", berth.audience, lifetime=5 * 3600)
    return make


@pytest.fixture
def clocked(scripted_site, token):
    clocks = []
    site = scripted_site(prepare=lambda berth: clocks.append(Clock(berth)))
    return site, clocks[0], site.berth.client_with(token(site.berth))


def jobs_in_every_state(site, client):
    """{name: (job id, run)}; the batch job of "queued" waits for the test."""
    jobs = {}
    site.slurm.plan("queued", start=False)
    site.slurm.plan("held", start=False)
    for name, state, gated, more in (("uploading", "uploading", False, {"files": ["in"]}), ("queued", "queued", False, {}),
                                     ("running", "running", True, {}), ("held", "uploading", False, {"files": ["in"]})):
        number = next(site.numbers)
        request, run = (site.gated if gated else site.counted)(name=name, resources={"wall_time_s": 3600 + 60 * number}, **more)
        job_id = client.submit(request)["id"]
        client.wait(job_id, state)
        jobs[name] = (job_id, run)
    client.act("hold", jobs["held"][0])
    jobs["running"][1].wait_for_start()
    return jobs


EXPECTED = {"uploading": "uploading", "queued": "queued", "running": "running", "held": "uploading"}


def states(client, jobs):
    found = {}
    for name, (job_id, _) in jobs.items():
        job = client.job(job_id)
        assert job["age_s"] >= 0, job
        found[name] = job["state"]
    return found


def finish(site, client, jobs):
    for name in ("uploading", "held"):
        assert client.upload(jobs[name][0], "in", b"x").status == 201
    client.act("release", jobs["held"][0])
    for name in ("queued", "held"):
        [task] = site.slurm.wait_for_tasks(name)
        site.slurm.run_to_end(task)
    jobs["running"][1].go()
    for name, (job_id, run) in jobs.items():
        job = client.finish(job_id, PATIENCE)
        assert (job["state"], job["exit_code"]) == ("done", 0), (name, job)
        assert job["created"] <= job["ended"] or name != "queued", job
        run.assert_once()


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_changes_no_state_and_everything_goes_on(clocked, jump):
    site, clock, client = clocked
    jobs = jobs_in_every_state(site, client)
    expected = dict(EXPECTED, held=states(client, jobs)["held"])
    clock.jump(jump)
    assert client.run({"script": "#!/bin/sh\n"}, PATIENCE)["state"] == "done"
    client.act("hold", jobs["uploading"][0])  # makes the engine judge it anew
    client.act("release", jobs["uploading"][0])
    for _ in range(6):
        assert states(client, jobs) == expected
        time.sleep(1)
    clock.jump(0)
    assert client.run({"script": "#!/bin/sh\n"}, PATIENCE)["state"] == "done"
    assert states(client, jobs) == expected
    finish(site, client, jobs)


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_job_that_was_submitted_by_another_clock_is_found_in_history(clocked, jump):
    """sacct is asked from a time on, and that of Slurm is not the daemon's."""
    site, clock, client = clocked
    clock.jump(jump)
    site.slurm.plan("forgotten", start=False)
    request, run = site.counted(KILLS_ITSELF, name="forgotten")
    job_id = client.submit(request)["id"]
    client.wait(job_id, "queued", PATIENCE)
    [task] = site.slurm.tasks("forgotten")
    site.slurm.change(task, forget_at_end=True)
    site.slurm.run_to_end(task)
    job = client.finish(job_id, PATIENCE)
    assert (job["state"], job["reason"], job["source"]) == ("failed", "signal", "history"), job
    run.assert_once()


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_restart_with_another_clock_loses_nothing(clocked, jump):
    site, clock, client = clocked
    jobs = jobs_in_every_state(site, client)
    clock.kill(site.berth)
    clock.jump(jump)
    site.berth.start()
    client.close()
    wait_until(lambda: states(client, jobs)["running"] == "running", 30, "the running job")
    # The declared files may count as late: of a restart only the wall clock tells how long it took.
    for name in ("uploading", "held"):
        jobs.pop(name)
    assert states(client, jobs) == {"queued": "queued", "running": "running"}
    clock.jump(0)
    site.slurm.run_to_end(site.slurm.tasks("queued")[0])
    jobs["running"][1].go()
    for job_id, run in jobs.values():
        assert client.finish(job_id, PATIENCE)["state"] == "done"
        run.assert_once()
