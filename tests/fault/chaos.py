"""Clients that do not give up, a daemon that is killed again and again, and the count of all payloads in the end."""

import collections
import os
import queue
import random
import secrets
import shutil
import sqlite3
import threading
import time

from chaos_clients import PATIENCE, PAYLOAD, Clients, kinds
from dying import steps
from late import REQUEST, LateSubmission
from scenarios import orphan_tag, restore
from support import account
from support.client import FINAL
from support.waiting import wait_until

WORKERS = 12
LONG = 100  # kills from which on every step must be hit
STANDING = PAYLOAD + 'while [ ! -e "$GO" ] && [ $((i += 1)) -lt 18000 ]; do sleep 0.2; done\n'
# These need a minute without a kill, and an old job or a submission that comes late.
QUIET = ["adopt", "retention_removed", "retention_stored"]
# These need a store that has been restored: after all the others.
ADOPTION = ["adopt_before", "adopt_after"]


class Chaos(Clients):
    """`place`: the daemon to kill; `seed` chooses all that is random but for the machine's own part."""

    def __init__(self, place, kills, jobs, seed):
        self.place, self.berth, self.kills, self.jobs = place, place.berth, kills, jobs
        self.random = random.Random(seed)
        self.ledger = os.path.join(place.shared, "starts")
        os.mkdir(self.ledger)
        account.own(self.ledger)
        self.late = LateSubmission(place)
        self.go = os.path.join(place.shared, "go")
        self.lock = threading.Lock()
        self.accepted, self.cancelled, self.forgotten = [], set(), set()
        self.left_alone = []  # jobs that no client asks for any more
        self.planned = 0
        self.killed = 0
        self.problems = []
        self.counts = collections.Counter()  # (state, starts) -> jobs
        self.last_steps, self.ordered = collections.Counter(), collections.Counter()
        self.states = []  # of each kill: {state: jobs}

    # ---- the killer

    def stand(self):
        """One job in each of four states, so that every kill finds them."""
        insistent = self.place.insistent
        running = insistent.submit(self.request(STANDING), secrets.token_hex(8))[0]
        self.uploading = insistent.submit(self.request(files=["in"]), secrets.token_hex(8))[0]
        self.held = insistent.submit(self.request(queue="held"), secrets.token_hex(8))[0]
        self.queued = insistent.submit(self.request(queue="held"), secrets.token_hex(8))[0]
        self.accepted += [running, self.uploading, self.held, self.queued]
        for job_id, state in ((running, "running"), (self.held, "queued"), (self.queued, "queued")):
            self.place.client.wait(job_id, state)
        insistent.act("hold", self.held)
        self.place.client.wait(self.held, "held")

    def end_standing(self):
        open(self.go, "w", encoding="utf-8").close()
        self.place.insistent.upload(self.uploading, "in", b"")
        self.place.insistent.act("release", self.held)
        for job_id in (self.held, self.queued):
            self.place.let_start(job_id)

    def quiet_step(self):
        """Spread over a long run."""
        due = self.killed * 4 // self.kills if self.kills >= LONG else 0
        left = [step for step in QUIET[:due] if not self.ordered[step]]
        return left[0] if left else None

    def kill_once(self):
        """At a random moment, at a step that few kills have hit so far, or in the middle of a start."""
        way = self.random.random()
        if way < 0.1:
            self.berth.kill()
            self.berth.spawn()
            time.sleep(self.random.random() * 0.6)
            self.berth.kill()
            return
        if way < 0.45:
            self.random_wait(3.3)
            self.berth.kill()
            return
        at_start = way < 0.55
        if at_start:
            self.berth.kill()
        else:
            self.random_wait(0.3)
        hit = self.last_steps + self.ordered
        rare = sorted((hit[step], self.random.random(), step) for step in set(steps()) - set(QUIET + ADOPTION))
        order = ",".join(step for _, _, step in rare[:self.random.choice([2, 6])])
        self.berth.order("%s:%d" % (order, 1 if at_start else self.random.choice([1, 1, 2, 5])))
        if at_start:
            self.berth.spawn()
        deadline = time.monotonic() + 4
        while not self.berth.has_died() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.berth.has_died():
            self.ordered[self.berth.wait_for_death(order)] += 1
        else:
            self.berth.kill()
        self.berth.withdraw()

    def kill_in_quiet(self, step):
        """A kill at a step that needs some time before it."""
        if step == "adopt":
            self.late.arm()
            job_id = self.place.insistent.submit(self.request(**REQUEST), secrets.token_hex(8))[0]
            with self.lock:
                self.accepted.append(job_id)
            wait_until(self.late.tag, 120, "the submission that is late")
            wait_until(lambda: self.place.insistent.job(job_id)["tag"] not in (None, "", self.late.tag()), 120, "the next attempt", 1)
            self.until(self.place.insistent, job_id, ["queued"])
            self.berth.order(step)
            self.late.start(job_id)
        else:
            old = self.left_alone.pop(0)
            self.until(self.place.insistent, old, ["done"])
            self.berth.stop()
            self.place.make_old(old)
            self.forgotten.add(old)
            self.berth.order(step)
            self.berth.spawn()
        self.ordered[self.berth.wait_for_death(step, 150)] += 1
        self.berth.withdraw()

    def kill_in_adoption(self):
        """The operator adopts the job of a restored store, until it is done; its payload goes on and is not started again."""
        job_id, let_end = restore(self.place)
        for step in ADOPTION:
            tag = orphan_tag(self.berth)
            self.berth.order(step)
            self.berth.berthctl("orphans", "adopt", tag, check=False)
            self.ordered[self.berth.wait_for_death(step)] += 1
            self.berth.withdraw()
            self.berth.start()
        let_end()
        self.place.ends(job_id, "done", 1)
        assert self.place.starts()[job_id] == 1

    def random_wait(self, most):
        time.sleep(self.random.random() * most)

    def look_at_store(self):
        """The states in which the kill found the jobs: of a copy, the daemon's own is left as it is."""
        copy = os.path.join(self.place.shared, "copy.db")
        for end in ("", "-wal"):
            source = self.berth.settings["store"]["path"] + end
            if os.path.exists(source):
                shutil.copy(source, copy + end)
        store = sqlite3.connect(copy)
        try:
            return dict(store.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        finally:
            store.close()
            for end in ("", "-wal", "-shm"):
                if os.path.exists(copy + end):
                    os.unlink(copy + end)

    def run(self):
        plan = queue.Queue()
        apart = 5 if self.kills >= LONG else 4  # of stand(), and the late one
        for entry in kinds(self.random, self.jobs - apart):
            plan.put(entry)
        self.stand()
        workers = [threading.Thread(target=self.work, args=(plan,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        try:
            while self.killed < self.kills and not self.problems:
                ordered = sum(self.ordered.values())
                quiet = self.quiet_step()
                if quiet:
                    self.kill_in_quiet(quiet)
                else:
                    self.kill_once()
                if ordered == sum(self.ordered.values()):
                    self.last_steps[self.berth.last_step()] += 1
                self.states.append(self.look_at_store())
                self.killed += 1
                self.berth.start()
            assert not self.problems, self.problems
            self.end_standing()
        except BaseException as problem:
            self.problems.append(repr(problem))
            raise
        finally:
            for worker in workers:
                worker.join()
        assert not self.problems, self.problems

    # ---- the count

    def starts(self, job_id):
        path = os.path.join(self.ledger, job_id)
        if not os.path.exists(path):
            return 0
        with open(path, encoding="utf-8") as file:
            lines = file.read().split()
        assert set(lines) == {job_id}
        return len(lines)

    def settled(self):
        jobs = {job["id"]: job for job in self.place.client.all_jobs("limit=500")}
        # The old ones go with the first clean-up, a minute after the last start.
        return all(job["state"] in FINAL for job in jobs.values()) and self.forgotten.isdisjoint(jobs) and jobs

    def check(self):
        """No job is missing or made twice, and the starts of each are what its end says."""
        jobs = wait_until(self.settled, PATIENCE, "every job to end", 2)
        assert len(set(self.accepted)) == len(self.accepted) == self.jobs
        assert set(jobs) == set(self.accepted) - self.forgotten
        wrong = []
        for job_id in self.accepted:
            state = jobs[job_id]["state"] if job_id in jobs else "forgotten"
            starts = self.starts(job_id)
            self.counts[state, starts] += 1
            if state in ("done", "forgotten"):
                right = starts == 1
            else:
                # The fence tells whether a start has won before the cancel.
                fence = os.path.join(self.berth.session(job_id), "fence")
                won = os.path.lexists(fence) and not os.readlink(fence).startswith("void:")
                right = state == "cancelled" and job_id in self.cancelled and starts <= won
            if not right:
                wrong.append((starts, jobs.get(job_id, job_id)))
        assert not wrong, (len(wrong), wrong[:10])

    def never_hit(self):
        return sorted(set(steps()) - set(self.last_steps + self.ordered))

    def report(self):
        """What the kills hit, and how the jobs ended."""
        few = min(map(len, self.states), default=0)
        lines = ["%d kills, %d jobs accepted; each kill found jobs in at least %d states"
                 % (self.killed, len(self.accepted), few)]
        found = collections.Counter(state for states in self.states for state in states)
        lines.append("kills that found jobs in a state: " + ", ".join("%s %d" % one for one in found.most_common()))
        lines.append("%-20s %18s %12s" % ("step", "last before a kill", "died at it"))
        for step in sorted(set(steps())):
            lines.append("%-20s %18d %12d" % (step, self.last_steps[step], self.ordered[step]))
        lines.append("%-20s %18d" % ("(none yet)", self.last_steps[""]))
        lines += ["%4d jobs %s, payload started %d times" % (count, state, starts)
                  for (state, starts), count in sorted(self.counts.items())]
        lines += ["problem: " + problem for problem in self.problems]
        return "\n".join(lines)
