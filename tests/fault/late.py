"""An sbatch that once answers as if the controller's reply were lost, and whose batch job comes much later."""

import os
import signal
import subprocess

from support import account
from support.waiting import wait_until

# A job of its own kind, for the partition that is down: nothing else shares its batch job.
REQUEST = {"queue": "held", "resources": {"memory_per_slot_mb": 150}}
SBATCH = """#!/bin/sh
case " $* " in *" --mem-per-cpu=150M "*)
    if mv -T "%(late)s.armed" "%(late)s" 2>/dev/null; then
        cat >"%(late)s/script"
        printf '%%s\\n' "$@" >"%(late)s/arguments"
        echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
        exit 1
    fi
esac
exec /usr/bin/sbatch "$@"
"""


class LateSubmission:
    def __init__(self, place):
        """Before the daemon starts: it gets this sbatch, and Slurm's own other commands."""
        self.place = place
        self.late = os.path.join(place.shared, "late")
        programs = os.path.join(place.shared, "bin")
        os.mkdir(programs)
        for name in ("squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr"):
            os.symlink("/usr/bin/" + name, os.path.join(programs, name))
        with open(os.path.join(programs, "sbatch"), "w", encoding="utf-8") as file:
            file.write(SBATCH % {"late": self.late})
        os.chmod(file.name, 0o755)
        account.own(place.shared)
        place.berth.settings["batch.slurm"]["bin"] = programs
        place.berth.write_config()

    def arm(self):
        os.mkdir(self.late + ".armed")
        account.own(self.place.shared)

    def arguments(self):
        with open(os.path.join(self.late, "arguments"), encoding="utf-8") as file:
            return file.read().splitlines()

    def tag(self):
        """Of the attempt that was kept aside; None if there is none yet."""
        if not os.path.exists(os.path.join(self.late, "arguments")):
            return None
        return next(line.split("=", 1)[1] for line in self.arguments() if line.startswith("--job-name="))

    def start(self, job_id):
        """The batch job comes, and has started before the daemon can see it wait: it would cancel it at once."""
        arguments = [line.replace("--partition=held", "--partition=grid") for line in self.arguments()]
        self.place.berth.process.send_signal(signal.SIGSTOP)
        try:
            with open(os.path.join(self.late, "script"), "rb") as script:
                subprocess.run([*account.prefix(), "/usr/bin/sbatch", *arguments], stdin=script, check=True, timeout=60, cwd="/",
                               env={"PATH": "/usr/bin:/bin", "SLURM_CONF": self.place.slurm.conf},
                               stdout=subprocess.DEVNULL)
            fence = os.path.join(self.place.berth.session(job_id), "fence")
            wait_until(lambda: os.path.lexists(fence), 60, "the late start of " + job_id)
        finally:
            self.place.berth.process.send_signal(signal.SIGCONT)
