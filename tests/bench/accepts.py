"""Durable accepts over HTTPS: keep-alive, token checked, the reply after fsync."""

from lab import Lab, job, median, show


def measure(berth, bodies, connections, posts, jobs_per_post):
    commits = berth.metric("berth_store_transactions_total")
    figures = berth.post("/v1/jobs", bodies, connections, posts)
    if set(figures["statuses"]) != {"201"}:
        raise SystemExit("not all posts were accepted: %s" % figures["statuses"])
    jobs = posts * jobs_per_post
    figures["jobs_s"] = jobs / figures["seconds"]
    figures["cpu_ms"] = 1000 * figures["cpu_s"] / jobs
    figures["commits"] = berth.metric("berth_store_transactions_total") - commits
    return figures


def report(name, runs, target):
    rate = median([run["jobs_s"] for run in runs])
    wanted = " (%.2f x %d/s)" % (rate / target, target) if target else ""
    show(name, "%6.0f jobs/s%s" % (rate, wanted),
         "%.2f ms CPU/job" % median([run["cpu_ms"] for run in runs]),
         "%d fsyncs for %d posts" % (runs[-1]["commits"], runs[-1]["posts"]),
         "p50 %.0f ms p99 %.0f ms" % (median([run["p50_ms"] for run in runs]), median([run["p99_ms"] for run in runs])))


def run(arguments):
    bulk, singles = (2, 64) if arguments.smoke else (100, 4000)
    many = {"jobs": [job() for _ in range(100)]}
    kinds = [("bulk of 100, 4 connections", [many], 4, bulk, 100, 4000),
             ("single posts, 64 connections", [job()], 64, singles, 1, 1000),
             ("single posts, 1 connection", [job()], 1, singles // 8, 1, None)]
    with Lab() as lab:
        slurm = lab.slurm("--nodes", "1")
        for title, stands in (("the batch system takes nothing meanwhile", True), ("jobs go on into Slurm", False)):
            print(title)
            for name, bodies, connections, posts, per_post, target in kinds:
                runs = []
                for _ in range(arguments.runs):
                    berth = lab.berth(slurm)
                    if stands:
                        slurm.pause()
                    runs.append(measure(berth, bodies, connections, posts, per_post))
                    berth.kill()
                    slurm.resume()
                    slurm.clear()
                report(name, runs, target)
