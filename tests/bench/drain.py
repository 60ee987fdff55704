"""2,000 accepted jobs that differ in their directives, brought into Slurm, against bare sbatch 8-wide."""

import os
import subprocess
import sys
import time

from lab import Lab, in_time, job, median, show
from support import account

WIDTH = 8


def bodies(count):
    """Equal pilots but for wall time and memory: no two share an array."""
    return [{"jobs": [job(resources={"wall_time_s": 60 * (1 + i % 50), "memory_per_slot_mb": 10 + i // 50})
                      for i in range(start, min(start + 1000, count))]} for start in range(0, count, 1000)]


def bare(slurm, berth, count):
    """sbatch by xargs, with the options and the script that Berth would use; its seconds."""
    client = berth.bench_client()
    one = client.post("/v1/jobs?dry_run=true", job(resources={"wall_time_s": 60, "memory_per_slot_mb": 10})).json()
    client.close()
    berth.kill()
    script = os.path.join(berth.directory, "bare.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(one["items"][0]["script"])
    lines = []
    for i in range(count):
        own = {"--time=": "--time=%d" % (1 + i % 50), "--mem-per-cpu=": "--mem-per-cpu=%dM" % (10 + i // 50),
               "--job-name=": "--job-name=bbare%010d" % i}
        lines.append(" ".join(next((to for of, to in own.items() if word.startswith(of)), word)
                              for word in one["items"][0]["command"][1:]) + " " + script)
    begun = time.monotonic()
    done = subprocess.run([*account.prefix(), "xargs", "-P", str(WIDTH), "-L", "1", one["items"][0]["command"][0]],
                          input="\n".join(lines) + "\n", capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "SLURM_CONF": slurm.conf})
    took = time.monotonic() - begun
    if done.returncode != 0 or slurm.pending() != count:
        raise SystemExit("sbatch: " + done.stderr[-2000:])
    slurm.clear()
    return took


def drain(lab, slurm, count):
    """From the moment at which the controller answers to the last job that is in Slurm."""
    berth = lab.berth(slurm)
    slurm.pause()
    lists = bodies(count)
    figures = berth.post("/v1/jobs", lists, 1, len(lists))
    assert figures["statuses"] == {"201": len(lists)}, figures
    cpu = berth.cpu()
    begun = time.time()
    slurm.resume()
    known = "SELECT count(*), max(updated) FROM attempts WHERE state = 'accepted'"
    in_time("all jobs to be in Slurm", lambda: berth.query(known)[0] >= count, pause=0.2)
    took = berth.query(known)[1] / 1000 - begun
    used = berth.cpu()
    assert slurm.pending() == count
    berth.kill()
    slurm.clear()
    return {"took": took, "own_ms": 1000 * (used[0] - cpu[0]) / count, "sbatch_ms": 1000 * (used[1] - cpu[1]) / count}


def with_new_slurm(lab, measure):
    """Slurm keeps ended jobs for minutes and grows slower by them."""
    slurm = lab.slurm("--nodes", "1")
    try:
        return measure(slurm)
    finally:
        slurm.stop()


def run(arguments):
    count = 50 if arguments.smoke else 2000
    with Lab() as lab:
        bares, drains = [], []
        for _ in range(arguments.runs):  # in turns: the machine may change
            bares.append(with_new_slurm(lab, lambda slurm: bare(slurm, lab.berth(slurm), count)))
            drains.append(with_new_slurm(lab, lambda slurm: drain(lab, slurm, count)))
    show("bare sbatch, %d wide" % WIDTH, "%.0f jobs/s" % (count / median(bares)))
    show("Berth", "%.0f jobs/s" % (count / median([one["took"] for one in drains])),
         "%.2f of bare sbatch (at least 0.9)" % (median([plain / one["took"] for plain, one in zip(bares, drains)])),
         "own CPU %.2f ms/job (at most 0.8)" % median([one["own_ms"] for one in drains]),
         "sbatch itself %.2f ms/job" % median([one["sbatch_ms"] for one in drains]))
    sys.stdout.flush()
