"""A real Slurm whose controller, database or munge goes away for a while, with jobs in every state."""

import os
import subprocess
import time

import pytest

import outages
from support import account
from support.waiting import wait_until

pytestmark = pytest.mark.slurm_only
# Longer than Slurm's own time-out for a message (10 s), so that commands fail and do not only wait.
OUTAGE_S = float(os.environ.get("BERTH_FAULT_OUTAGE_S", "15"))
BURST = 24
# slurmctld writes its state within 5 s. What it has not written is lost with it: it gives the same ids again, and takes
# what nodes report of the old batch jobs for the new ones.
SAVED_S = 7
WIDTH = 4
JOBS = {"submit_width": WIDTH, "poll_interval": "1s", "poll_interval_max": "5s", "unknown_grace": "20s", "lookup_window": "15s"}
KILLS_ITSELF = """#!/bin/sh
echo "$STAMP" >>"$LEDGER"
i=0
while [ ! -e "$GO" ] && [ $i -lt 6000 ]; do sleep 0.1; i=$((i + 1)); done
kill -9 $PPID
kill -9 $$
"""
# Counts the submissions that run at one time, by the names in a folder.
SBATCH = """#!/bin/sh
touch "%(folder)s/running/$$"
ls "%(folder)s/running" | wc -l >>"%(folder)s/counts"
/usr/bin/sbatch "$@"
code=$?
rm -f "%(folder)s/running/$$"
exit $code
"""


def counting_commands(folder):
    """A folder with Slurm's commands, of which sbatch notes how many run at one time."""
    os.makedirs(os.path.join(folder, "running"))
    for name in ("squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr"):
        os.symlink("/usr/bin/" + name, os.path.join(folder, name))
    path = os.path.join(folder, "sbatch")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SBATCH % {"folder": folder})
    os.chmod(path, 0o755)
    account.own(folder)
    os.chmod(folder, 0o755)
    return folder


def widest(folder):
    """0 where nothing was submitted by command."""
    if not os.path.exists(os.path.join(folder, "counts")):
        return 0
    with open(os.path.join(folder, "counts"), encoding="utf-8") as file:
        return max(int(line) for line in file)


class Population:
    """Jobs in every state that a job can be in when the batch system goes away."""

    def __init__(self, site, client):
        self.site, self.client = site, client
        self.runs = {}
        self.ids = {}
        self._add("uploading", "uploading", files=["in"])
        self._add("queued", "queued", queue="held")
        self._add("to cancel", "queued", queue="held")
        self._add("held", "queued", queue="held")
        client.act("hold", self.ids["held"])
        client.wait(self.ids["held"], "held")
        for name in ("ends in the outage", "ends after it", "cancelled in it"):
            self._add(name, "running", gated=True)
            self.runs[name].wait_for_start()

    def _add(self, name, state, gated=False, **more):
        request, self.runs[name] = (self.site.gated if gated else self.site.counted)(**more)
        self.ids[name] = self.client.submit(request)["id"]
        self.client.wait(self.ids[name], state)

    def state(self, name):
        return self.client.job(self.ids[name])["state"]

    def assert_states(self):
        expected = {"uploading": "uploading", "queued": "queued", "held": "held", "ends after it": "running"}
        assert {name: self.state(name) for name in expected} == expected

    def let_go(self, name):
        batch_id = self.client.job(self.ids[name])["batch_id"]
        self.site.slurm.run("scontrol", "update", "jobid=" + batch_id, "partition=grid")

    def finish(self):
        """Every job to its end, once the batch system answers."""
        client = self.client
        assert client.upload(self.ids["uploading"], "in", b"x").status == 201
        client.act("release", self.ids["held"])
        client.wait(self.ids["held"], "queued")
        for name in ("queued", "held"):
            self.let_go(name)
        self.runs["ends after it"].go()
        for name in ("uploading", "queued", "held", "ends after it"):
            job = client.finish(self.ids[name], 120)
            assert (job["state"], job["reason"], job["exit_code"]) == ("done", None, 0), (name, job)
            self.runs[name].assert_once()
        job = client.finish(self.ids["to cancel"], 120)
        assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
        self.runs["to cancel"].assert_never()
        job = client.finish(self.ids["cancelled in it"], 120)
        assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
        self.runs["cancelled in it"].assert_once()


def burst(site, client):
    """Jobs that differ in their directives, so that each is a submission of its own."""
    jobs = []
    for number in range(BURST):
        request, run = site.counted(resources={"wall_time_s": 3600 + 60 * number})
        jobs.append((client.submit(request)["id"], run))
    return jobs


def outage(site, client, population, begin, end):
    """What must hold while the batch system is away, and afterwards; the burst comes in between."""
    aged = client.job(population.ids["queued"])["age_s"]
    begin()
    try:
        started = time.monotonic()
        jobs = burst(site, client)
        population.runs["ends in the outage"].go()
        client.act("cancel", population.ids["cancelled in it"])
        client.act("cancel", population.ids["to cancel"])
        job = client.finish(population.ids["ends in the outage"])
        assert (job["state"], job["exit_code"]) == ("done", 0), job  # by its marker, which needs no Slurm
        while time.monotonic() - started < OUTAGE_S:
            population.assert_states()
            for job_id, _ in jobs[::8]:
                job = client.job(job_id)
                assert job["state"] in ("accepted", "ready", "submitting"), job
            time.sleep(1)
        assert client.job(population.ids["queued"])["age_s"] > aged + OUTAGE_S / 2
        wait_until(lambda: '"name":"batch","state":"down"' in site.berth.observe("/health")[1], 90, "health to say it")
        population.assert_states()
    finally:
        end()
    wait_until(lambda: outages.answers(site.slurm), 60, "Slurm to answer")
    for job_id, run in jobs:
        job = client.finish(job_id, 180)
        assert (job["state"], job["exit_code"]) == ("done", 0), job
        run.assert_once()
    population.finish()
    population.runs["ends in the outage"].assert_once()


@pytest.fixture
def counted_site(own_site, base, slurm):
    folder = counting_commands(os.path.join(base, "commands-%d" % time.monotonic_ns()))
    site = own_site({"jobs": JOBS, "batch.slurm": {"bin": folder, "environment": {"SLURM_CONF": slurm.conf}}})
    site.commands = folder
    return site


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_controller_that_is_away_changes_no_state_and_what_waits_is_drained_at_the_width(counted_site, how):
    site, client = counted_site, counted_site.berth.client()
    population = Population(site, client)
    controller = outages.controller(site.slurm)
    if how == "stopped":
        outage(site, client, population, controller.stop, controller.go_on)
    else:
        time.sleep(SAVED_S)
        outage(site, client, population, controller.kill, controller.start)
    assert widest(site.commands) <= WIDTH


def test_a_munge_that_is_away_changes_no_state(counted_site):
    if counted_site.plugin == "slurm-rest":
        pytest.skip("slurmrestd has a token, and submits without munge")
    site, client = counted_site, counted_site.berth.client()
    population = Population(site, client)
    daemon = outages.munge(site.slurm)
    outage(site, client, population, daemon.kill, daemon.start)
    assert widest(site.commands) <= WIDTH


def test_without_the_database_nothing_counts_as_lost(own_site, slurm_with_history):
    """The queue has forgotten the job and history does not answer: that is no evidence, however long it lasts."""
    site = own_site({"jobs": {"unknown_grace": "3s", "poll_interval": "1s", "poll_interval_max": "2s"}}, slurm=slurm_with_history)
    client = site.berth.client()
    request, run = site.counted(KILLS_ITSELF)
    job = client.wait(client.submit(request)["id"], "running")
    run.wait_for_start()
    site.berth.stop()  # else it would see the end in the queue
    run.go()
    wait_until(lambda: site.slurm.count() == 0, 120, "squeue to forget the job", 0.5)
    database = outages.database(site.slurm)
    database.kill()
    try:
        site.berth.start()
        with pytest.raises(AssertionError, match="waited"):
            client.wait(job["id"], ["done", "failed", "cancelled"], 30)
        assert client.job(job["id"])["state"] == "running"
    finally:
        database.start()
    job = client.finish(job["id"], 120)
    assert (job["state"], job["reason"], job["source"]) == ("failed", "signal", "history"), job
    run.assert_once()
