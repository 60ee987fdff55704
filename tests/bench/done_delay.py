"""From the end of a payload to the client that sees `done` over SSE, beside many active jobs and a slow queue poll."""

import os
import threading
import time

from lab import Lab, in_time, job, percentile, show
from support import account

# The payload's last act; the file system's own clock is finer than a wait, and the same machine's.
PAYLOAD = '#!/bin/sh\nsleep "$NAP"\ndate +%s.%N >"$ENDED"\n'


class Watcher(threading.Thread):
    """Notes when each job's `done` arrives."""

    def __init__(self, berth):
        super().__init__(daemon=True)
        self.stream, self.seen = berth.bench_client().events(), {}
        self.start()

    def run(self):
        try:
            while True:
                event = self.stream.next_event(3600)
                if event is None:
                    return
                if event["state"] in ("done", "failed", "cancelled"):
                    self.seen[event["job"]] = (time.time(), event["state"])
        except OSError:
            return


def follow(berth, folder, count, pause):
    """Pilots that end one after another, `pause` apart; the delays in seconds."""
    watcher = Watcher(berth)
    client = berth.bench_client()
    ends = {}
    for i in range(count):
        path = os.path.join(folder, str(len(os.listdir(folder))) + "-%d" % i)
        job_id = client.submit({"script": PAYLOAD, "environment": {"ENDED": path, "NAP": str(1 + i % 3)},
                                "queue": "grid", "resources": {"memory_per_slot_mb": 10}})["id"]
        ends[job_id] = path
        time.sleep(pause)
    in_time("every job's end to be seen", lambda: all(job_id in watcher.seen for job_id in ends), 300)
    delays = []
    for job_id, path in ends.items():
        seen, state = watcher.seen[job_id]
        if state != "done":
            raise SystemExit("a job ended as " + state)
        with open(path, encoding="utf-8") as file:
            delays.append(seen - float(file.read()))
    client.close()
    return delays


def report(name, delays):
    show(name, "median %.3f s (under 1)" % percentile(delays, 0.5), "p99 %.3f s (under 2)" % percentile(delays, 0.99),
         "longest %.3f s" % max(delays), "%d jobs" % len(delays))


def run(arguments):
    waiting, count, pause, watch = (50, 5, 0.1, 3) if arguments.smoke else (5000, 300, 0.4, 180)
    with Lab() as lab:
        slurm = lab.slurm("--nodes", "1")
        folder = lab.path("ended")
        os.makedirs(folder)
        account.own(folder)
        for name, node_url in (("the wrapper tells the node door", None), ("events directory only", "")):
            berth = lab.berth(slurm, {} if node_url is None else {"node_url": node_url})
            berth.post("/v1/jobs", [dict(job(), count=waiting)], 1, 1)
            known = "SELECT count(*) FROM jobs WHERE state = 'queued'"
            in_time("the queue to be full", lambda: berth.query(known)[0] >= waiting, pause=0.2)
            begun, before = time.monotonic(), berth.commands()
            report("%s, %d active" % (name, waiting), follow(berth, folder, count, pause))
            # The jobs that are followed end within the interval; the others stay, and one client more is of no account.
            time.sleep(max(0, watch - (time.monotonic() - begun)))
            after = berth.commands()
            used = {verb: after[verb] - before.get(verb, 0) for verb in after
                    if verb in ("poll", "look_up", "history") and after[verb] > before.get(verb, 0)}
            intervals = (time.monotonic() - begun) / 60
            show("  queue commands", "%.1f per poll interval of 60 s (1 to 3)" % (sum(used.values()) / intervals),
                 ", ".join("%s %d" % pair for pair in sorted(used.items())), "in %.0f s" % (60 * intervals))
            berth.kill()
            slurm.clear()
