"""10,000 pilots, each with its own stamp, by `count` and by single posts, against one bare array of sbatch."""

import os
import subprocess
import time

from lab import Lab, in_time, job, median, show
from support import account


def bare_array(slurm, berth, count):
    """The same options and the same wrapper, by hand; its seconds."""
    client = berth.bench_client()
    reply = client.post("/v1/jobs?dry_run=true", dict(job(), count=count))
    planned = reply.json()
    client.close()
    planned = planned["items"][0]
    command = [word if not word.startswith("--array=") else "--array=0-%d" % (count - 1) for word in planned["command"]]
    begun = time.monotonic()
    done = subprocess.run([*account.prefix(), *command], input=planned["script"], capture_output=True, text=True,
                          check=False, env={"PATH": "/usr/bin:/bin", "SLURM_CONF": slurm.conf})
    took = time.monotonic() - begun
    if done.returncode != 0:
        raise SystemExit("sbatch: " + done.stderr)
    slurm.clear()
    return took


def all_in_slurm(berth, count):
    """When the last answer of sbatch came: the store has the time of each attempt's outcome."""
    in_time("all jobs to be in Slurm", lambda: berth.query(
        "SELECT count(*) FROM jobs WHERE batch_id != ''")[0] >= count, pause=0.1)
    return berth.query("SELECT max(updated) FROM attempts")[0] / 1000


def by_count(lab, slurm, count, **more):
    berth = lab.berth(slurm, **more)
    cpu = berth.cpu()[0]
    figures = berth.post("/v1/jobs", [dict(job(), count=count)], 1, 1)
    assert figures["statuses"] == {"201": 1}, figures
    end = all_in_slurm(berth, count)
    return finish(berth, slurm, {"post": figures["seconds"], "from_post": end - figures["first"],
                                 "after_reply": end - figures["last"], "cpu": berth.cpu()[0] - cpu}, count)


def by_posts(lab, slurm, count):
    berth = lab.berth(slurm)
    cpu = berth.cpu()[0]
    figures = berth.post("/v1/jobs", [job()], 64, count)
    assert figures["statuses"] == {"201": count}, figures
    end = all_in_slurm(berth, count)
    return finish(berth, slurm, {"post": figures["seconds"], "from_post": end - figures["first"],
                                 "after_reply": end - figures["last"], "cpu": berth.cpu()[0] - cpu}, count)


def finish(berth, slurm, figures, count):
    figures["pending"] = slurm.pending()
    assert figures["pending"] == count, (figures, count)
    figures["sbatch"] = berth.commands()["submit"]
    berth.kill()
    slurm.clear()
    return figures


def report(name, runs, bare, key):
    value = median([run[key] for run in runs])
    show(name, "%.2f s %s" % (value, {"from_post": "from the post's beginning", "after_reply": "after the last 201"}[key]),
         "%.2f s after the first answer" % median([run["after_reply"] for run in runs]) if key == "from_post"
         else "posts took %.2f s" % median([run["post"] for run in runs]),
         "%.0f x one bare array (%.3f s)" % (value / bare, bare), "%d sbatch" % max(run["sbatch"] for run in runs),
         "%.2f ms CPU/job" % median([1000 * run["cpu"] / run["pending"] for run in runs]))


def tight(lab, count):
    """Smaller limits: arrays are split at MaxArraySize, and what MaxJobCount leaves over waits."""
    arrays = lab.slurm("--nodes", "1", "--max-array-size", str(count // 5 + 1))
    run = by_count(lab, arrays, count)
    show("MaxArraySize %d" % (count // 5 + 1), "%d jobs by %d sbatch" % (run["pending"], run["sbatch"]),
         "%.2f s" % run["from_post"])
    full = lab.slurm("--nodes", "1", "--max-job-count", str(count // 2), "--max-array-size", str(count // 10 + 1))
    berth = lab.berth(full)
    berth.post("/v1/jobs", [dict(job(), count=count)], 1, 1)
    waits = "SELECT count(*) FROM jobs WHERE state = 'ready' AND reason = 'submit_limit'"
    in_time("the rest to wait", lambda: berth.query(waits)[0] > 0, pause=0.2)
    time.sleep(5)
    detail = berth.query("SELECT detail FROM jobs WHERE reason = 'submit_limit' LIMIT 1")[0]
    show("MaxJobCount %d" % (count // 2), "%d are in Slurm, %d wait" % (full.pending(), berth.query(waits)[0]),
         "%d sbatch" % berth.commands()["submit"], "reason submit_limit: %s" % detail)
    berth.kill()


def run(arguments):
    count = 200 if arguments.smoke else 10000
    with Lab() as lab:
        slurm = lab.slurm("--nodes", "1")
        berth = lab.berth(slurm)
        bare = median([bare_array(slurm, berth, count) for _ in range(arguments.runs)])
        berth.kill()
        report("%d by count" % count, [by_count(lab, slurm, count) for _ in range(arguments.runs)], bare, "from_post")
        report("%d single posts, 64 connections" % count, [by_posts(lab, slurm, count) for _ in range(arguments.runs)],
               bare, "after_reply")
        if not arguments.smoke:  # sbatch itself tries for two minutes when Slurm is full
            tight(lab, count)
