"""What the clients of the chaos test post and do while the daemon is killed: they repeat all until it is answered."""

import queue
import secrets
import time

from dying import Insistent
from support.client import FINAL
from support.waiting import wait_until

PATIENCE = 600  # seconds for one answer, and for the ends after the last kill
# Each payload has a file of its own; a start is a line in it.
PAYLOAD = '#!/bin/sh\necho "$BERTH_JOB_ID" >>"$LEDGER/$BERTH_JOB_ID"\nsleep "$NAP"\n'


def kinds(random_, jobs):
    """What is posted: (kind, number of jobs), together `jobs`."""
    while jobs > 0:
        kind = random_.choice(["single"] * 4 + ["upload", "cancel"] * 2 + ["list", "count", "hold", "waiting", "forget"])
        size = {"list": random_.randint(2, 5), "count": random_.choice([2, 3, 5, 20])}.get(kind, 1)
        size = min(size, jobs)
        yield kind, size
        jobs -= size


class Clients:
    """The half of Chaos that posts; it shares its members."""

    def request(self, script=PAYLOAD, **more):
        nap = "%.1f" % self.random.choice([0, 0, 0.5, 1, 3])
        return {"script": script, "environment": {"LEDGER": self.ledger, "NAP": nap, "GO": self.go}, **more}

    def work(self, plan):
        insistent = Insistent(self.berth.client_with(self.place.token), PATIENCE)
        while not self.problems:
            try:
                kind, size = plan.get_nowait()
            except queue.Empty:
                return
            self.keep_pace(size)
            try:
                self.post(insistent, kind, size)
            except BaseException as problem:
                self.problems.append("%s of %d: %r" % (kind, size, problem))
                raise

    def keep_pace(self, size):
        """The last job is posted when about the last kill is due."""
        with self.lock:
            at = self.planned
            self.planned += size
        while at * self.kills > (self.killed + 2) * self.jobs and not self.problems:
            time.sleep(0.05)

    def post(self, insistent, kind, size):
        if kind == "list":
            body = {"jobs": [self.request(resources={"memory_per_slot_mb": self.random.choice([100, 110, 120])})
                             for _ in range(size)]}
        else:
            more = {"count": {"count": size}, "upload": {"files": ["in"]}, "hold": {"files": ["in"]}, "waiting": {"queue": "held"}}
            body = self.request(**more.get(kind, {}))
        key = secrets.token_hex(8)
        ids = insistent.submit(body, key)
        with self.lock:
            self.accepted += ids
        pause = self.random.random() * 6
        if kind == "upload":
            time.sleep(pause)
            insistent.upload(ids[0], "in", b"content")
        elif kind == "hold":
            insistent.act("hold", ids[0])
            insistent.upload(ids[0], "in", b"content")
            time.sleep(pause)
            insistent.act("release", ids[0])
        elif kind == "waiting":
            self.until(insistent, ids[0], ["queued"])
            insistent.act("hold", ids[0])
            time.sleep(pause)
            self.place.let_start(ids[0], insistent)
            insistent.act("release", ids[0])
        elif kind == "cancel":
            time.sleep(self.random.choice([0, 0.1, pause]))
            self.cancelled.add(ids[0])
            insistent.act("cancel", ids[0])
        elif kind == "forget":
            self.until(insistent, ids[0], FINAL)
            self.forgotten.add(ids[0])
            insistent.forget(ids[0])
        assert kind == "forget" or insistent.submit(body, key) == ids, "the same post made other jobs"
        if kind == "single":
            self.left_alone += ids

    @staticmethod
    def until(insistent, job_id, states):
        wait_until(lambda: insistent.job(job_id)["state"] in states, PATIENCE, "%s to be in %s" % (job_id, states), 1)
