"""What one kill is tried on: a dying daemon on the common Slurm, and payloads whose starts are counted."""

import collections
import itertools
import os
import secrets
import sqlite3
import threading

from dying import DyingBerth, Insistent
from support import account
from support.client import FINAL
from support.waiting import wait_until

# One write of one line: O_APPEND keeps the lines of all payloads apart.
COUNTED = '#!/bin/sh\necho "$BERTH_JOB_ID" >>"$LEDGER"\n'
GATED = COUNTED + 'i=0\nwhile [ ! -e "$GO" ] && [ $i -lt 1200 ]; do sleep 0.1; i=$((i + 1)); done\n'


class Place:
    """The scenario runs in a thread of its own and says when it is ready for the kill."""

    def __init__(self, berth, shared):
        self.berth, self.slurm, self.shared = berth, berth.slurm, shared
        os.makedirs(shared)
        account.own(shared)
        self.ledger = os.path.join(shared, "ledger")
        self.numbers = itertools.count(1)
        self.posts = []  # (request, key, ids)
        self.starts_of = {}  # job id -> how often its payload must have started
        self.forgotten = set()
        self.keys_lost = set()  # jobs that a restored store has taken up again
        self.token = berth.token()
        self.client = berth.client_with(self.token)
        self.insistent = Insistent(self.client)
        self.ready, self.ordered, self.died = threading.Event(), threading.Event(), threading.Event()
        self.at_start = False

    def arm(self, at_start=False):
        """From here on the daemon may die at the step; with `at_start` it is ended and dies in its next start."""
        self.at_start = at_start
        self.ready.set()
        assert self.ordered.wait(60)

    # ---- requests

    def request(self, gated=False, **more):
        """A request and the function that lets its payload end."""
        gate = os.path.join(self.shared, "go-%d" % next(self.numbers))
        environment = {"LEDGER": self.ledger, "GO": gate}
        request = {"script": GATED if gated else COUNTED, "environment": environment, **more}
        return request, lambda: open(gate, "w", encoding="utf-8").close()

    def post(self, request):
        key = secrets.token_hex(8)
        ids = self.insistent.submit(request, key)
        self.posts.append((request, key, ids))
        return ids

    def running(self):
        """The id of a job whose payload has started, and the function that lets it end."""
        request, let_end = self.request(gated=True)
        job_id = self.post(request)[0]
        wait_until(lambda: self.starts()[job_id] == 1, 60, "the start of " + job_id)
        self.client.wait(job_id, "running")
        return job_id, let_end

    def queued(self):
        """The id of a job that waits in a partition which is down."""
        request, _ = self.request(queue="held")
        job_id = self.post(request)[0]
        self.client.wait(job_id, "queued")
        return job_id

    def let_start(self, job_id, insistent=None):
        """Slurm may run the waiting job."""
        ask = (insistent or self.insistent).job
        job = wait_until(lambda: (lambda now: now["batch_id"] and now)(ask(job_id)), 60, "the batch id")
        self.slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "partition=grid")

    def make_old(self, job_id):
        """While the daemon is away: the job ended 40 days ago."""
        store = sqlite3.connect(self.berth.settings["store"]["path"])
        with store:
            store.execute("UPDATE jobs SET ended = ended - 40 * 86400000 WHERE id = ?", (job_id,))
        store.close()
        account.own(self.berth.directory)

    # ---- ends

    def starts(self):
        if not os.path.exists(self.ledger):
            return collections.Counter()
        with open(self.ledger, encoding="utf-8") as file:
            return collections.Counter(file.read().split())

    def ends(self, job_id, state, starts, timeout=150):
        """The job comes to this end, and in the end its payload will have started so often."""
        def ended():
            job = self.insistent.job(job_id)
            return job["state"] in FINAL and job
        job = wait_until(ended, timeout, "the end of " + job_id, 0.3)
        assert job["state"] == state, job
        self.starts_of[job_id] = starts
        return job

    def all_end_done(self):
        """Everything posted so far that has no end yet."""
        for _, _, ids in self.posts:
            for job_id in ids:
                if job_id not in self.starts_of:
                    self.ends(job_id, "done", 1)

    def check(self):
        """No job is unknown, missing, or made twice; every payload started as often as it should have."""
        known = {job_id for _, _, ids in self.posts for job_id in ids}
        assert {job["id"] for job in self.client.all_jobs()} == known - self.forgotten
        for request, key, ids in self.posts:
            if not (self.forgotten | self.keys_lost).intersection(ids):
                assert self.insistent.submit(request, key) == ids
        assert set(self.starts_of) == known
        expected = {job_id: count for job_id, count in self.starts_of.items() if count}
        assert self.starts() == expected

    def nothing_is_left_in_slurm(self, tag):
        def over():
            return all(state not in ("PENDING", "RUNNING") for state in self.slurm.states(tag).values())
        wait_until(over, 60, "the batch jobs of %s to end" % tag, 0.5)


def make_place(programs, directory, contract, issuer, slurm, settings=None):
    settings = {"jobs": {"poll_interval": "1s", "lookup_window": "3s", **(settings or {})}}
    berth = DyingBerth(programs, directory, contract, issuer, slurm, settings)
    return Place(berth, os.path.join(directory, "shared"))
