"""What the job tests stand on: a daemon with one batch plugin, and payloads whose runs can be counted."""

import itertools
import os

from . import account
from .waiting import wait_until

# Appends its stamp to the ledger: a line for each start of the payload.
COUNTED = '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\n'
# Also waits for a file, so that a test decides when it ends. Gives up after two minutes.
GATED = COUNTED + """echo started
i=0
while [ ! -e "$GO" ] && [ $i -lt 6000 ]; do sleep 0.1; i=$((i + 1)); done
echo finished
"""


class Site:
    def __init__(self, plugin, berth, shared):
        self.plugin, self.berth, self.slurm, self.shared = plugin, berth, berth.slurm, shared
        os.makedirs(shared)
        account.own(shared)
        self.numbers = itertools.count(1)
        self.slow_job = None  # of test_wall_time; submitted early, because Slurm counts minutes

    def path(self, name):
        return os.path.join(self.shared, "%s-%d" % (name, next(self.numbers)))

    def counted(self, script=COUNTED, stamp=None, **more):
        """A request whose runs are counted; returns (request, run)."""
        run = Run(self.path("ledger"), self.path("go"), stamp or "run-%d" % next(self.numbers))
        request = {"script": script, "environment": {"STAMP": run.stamp, "LEDGER": run.ledger, "GO": run.gate}}
        request.update(more)
        return request, run

    def gated(self, **more):
        return self.counted(GATED, **more)

    def waiting(self, client):
        """A counted job that stays queued, and a function that lets it start."""
        if self.slurm:
            request, run = self.counted(queue="held")  # a partition that is down
            job = client.submit(request)
            job = client.wait(job["id"], "queued")
            return job, run, lambda: self.slurm.run(
                "scontrol", "update", "jobid=" + client.job(job["id"])["batch_id"], "partition=grid")
        blocker, gate = self.gated(resources={"slots": 4})
        client.wait(client.submit(blocker)["id"], "running")
        request, run = self.counted()
        job = client.submit(request)
        return client.wait(job["id"], "queued"), run, gate.go


class Run:
    """The trace that payloads leave in the ledger."""

    def __init__(self, ledger, gate, stamp):
        self.ledger, self.gate, self.stamp = ledger, gate, stamp

    def go(self):
        with open(self.gate, "w", encoding="utf-8"):
            pass

    def starts(self):
        if not os.path.exists(self.ledger):
            return []
        with open(self.ledger, encoding="utf-8") as file:
            return file.read().split()

    def wait_for_start(self, count=1):
        wait_until(lambda: len(self.starts()) >= count, 30, "%d starts in %s" % (count, self.ledger))

    def assert_once(self):
        assert self.starts() == [self.stamp], self.starts()

    def assert_never(self):
        assert self.starts() == []
