"""What the benchmarks stand on: a Slurm and a berthd of their own, load, and readings of both."""

import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time

from support import account
from support.berth import BIN, Berth, Programs
from support.client import Client
from support.slurm import Slurm
from support.tokens import Issuer
from support.waiting import wait_until

TICKS = os.sysconf("SC_CLK_TCK")
SCRIPT = "#!/bin/sh\nexit 0\n"


class NoContract:
    """The answers are the end-to-end tests' matter; here checking them would be most of the load."""

    def check(self, *_):
        pass

    def check_event(self, _id, _event, data):
        return json.loads(data)


class Lab:
    """`with Lab() as lab`: everything that is started is stopped, and its files are removed."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="berth-bench-")
        os.chmod(self.directory, 0o755)
        self.programs = Programs(self.path("bin"))
        self.issuer = Issuer(self.programs.berthctl, self.path("issuer"))
        account.own(self.issuer.directory)
        self.slurms, self.daemons, self.sessions = [], [], None
        if os.environ.get("BERTH_BENCH_ROOT"):  # another file system for the session roots
            self.sessions = tempfile.mkdtemp(prefix="berth-bench-", dir=os.environ["BERTH_BENCH_ROOT"])
            account.own(self.sessions)
        return self

    def __exit__(self, *_):
        for berth in self.daemons:
            if berth.process is not None and berth.process.poll() is None:
                berth.kill()
        for slurm in self.slurms:
            slurm.resume()
            slurm.stop()
        if not os.environ.get("BERTH_BENCH_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
            if self.sessions:
                shutil.rmtree(self.sessions, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def slurm(self, *options):
        slurm = BenchSlurm(self.path("slurm%d" % len(self.slurms)), "--cpus", "64", *options)
        self.slurms.append(slurm)
        return slurm

    def berth(self, slurm, jobs=None, start=True, **tables):
        """A berthd with the settings of a site, not those of the tests."""
        directory = self.path("berth%d" % len(self.daemons))
        os.makedirs(directory)
        settings = {"jobs": {"poll_interval": "60s", "lookup_window": "300s", "jobs_max_total": 2000000,
                             "jobs_max_per_identity": 2000000, **(jobs or {})}, **tables}
        if self.sessions:
            settings["jobs"]["session_root"] = os.path.join(self.sessions, os.path.basename(directory))
        berth = BenchBerth(self.programs, directory, NoContract(), self.issuer, slurm, settings)
        berth.root = berth.settings["jobs"]["session_root"]
        self.daemons.append(berth)
        return berth.start() if start else berth


class BenchSlurm(Slurm):
    def _controller(self):
        with open(os.path.join(self.directory, "run", "slurmctld.pid"), encoding="utf-8") as file:
            return int(file.read())

    def pause(self):
        """The controller stands still: submissions wait for it."""
        os.kill(self._controller(), signal.SIGSTOP)

    def resume(self):
        try:
            os.kill(self._controller(), signal.SIGCONT)
        except (OSError, ValueError):
            pass

    def clear(self):
        """Removes every batch job, the ended ones too."""
        self.run("scancel", "--user=" + account.NAME)
        wait_until(lambda: not self.run("squeue", "-h", "-o", "%i").split(), 60, "the queue to be empty")

    def pending(self):
        return len(self.run("squeue", "-h", "-r", "-t", "PD", "-o", "%i").split())


class BenchBerth(Berth):
    """Also reads what the daemon has used."""

    def cpu(self):
        """(own, children's) CPU-seconds; children are the batch system's commands."""
        with open("/proc/%d/stat" % self.process.pid, encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        numbers = [int(field) / TICKS for field in fields[11:15]]
        return numbers[0] + numbers[1], numbers[2] + numbers[3]

    def memory_mb(self, peak=False):
        with open("/proc/%d/status" % self.process.pid, encoding="utf-8") as file:
            return int(re.search(("VmHWM" if peak else "VmRSS") + r":\s+(\d+)", file.read()).group(1)) / 1024

    def metric(self, name, **labels):
        """The sum of the series of `name` that have these labels."""
        total = 0.0
        for line in self.observe("/metrics")[1].splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            if found and found.group(1) == name and all('%s="%s"' % pair in (found.group(2) or "")
                                                        for pair in labels.items()):
                total += float(found.group(3))
        return total

    def commands(self):
        """How often each verb of the batch system was run."""
        pattern = r'berth_batch_commands_total\{.*verb="(\w+)".*\} (\d+)'
        counts = {}
        for verb, count in re.findall(pattern, self.observe("/metrics")[1]):
            counts[verb] = counts.get(verb, 0) + int(count)
        return counts

    def query(self, sql, *values):
        """One row of the store, read beside the daemon."""
        store = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.directory, "berth.db"), uri=True)
        try:
            return store.execute(sql, values).fetchone()
        finally:
            store.close()

    def post(self, path, bodies, connections, posts):
        """Runs the load generator; its figures, with the daemon's CPU-seconds."""
        bodies_file = os.path.join(self.directory, "bodies")
        with open(bodies_file, "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(body) + "\n" for body in bodies))
        token_file = os.path.join(self.directory, "bench.token")
        with open(token_file, "w", encoding="utf-8") as file:
            file.write(self.token())
        before = self.cpu()[0]
        done = subprocess.run([os.path.join(BIN, "bench_post"), str(self.port), path, token_file, bodies_file,
                               str(connections), str(posts)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stderr + self.log()[-2000:])
        figures = json.loads(done.stdout)
        figures["cpu_s"] = self.cpu()[0] - before
        figures["seconds"] = figures["last"] - figures["first"]
        return figures

    def bench_client(self, timeout=120):
        return Client(self.port, self.ca_file, NoContract(), self.token(), timeout)


def job(**more):
    """A pilot that stays in the queue: the partition is down."""
    return {"script": SCRIPT, "environment": {"STAMP": "@N@"}, "queue": "held", **more}


def in_time(what, condition, limit=600, pause=0.02):
    """Waits with little load of its own; the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit:
            raise SystemExit("gave up after %d s: %s" % (limit, what))
        time.sleep(pause)
    return time.monotonic() - begun


def median(values):
    return statistics.median(values)


def percentile(values, part):
    values = sorted(values)
    return values[int(part * (len(values) - 1))]


def show(name, *columns):
    print("  %-44s %s" % (name, "   ".join(columns)), flush=True)
