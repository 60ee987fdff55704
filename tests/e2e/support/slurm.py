"""A real Slurm of the tests' own, started by tests/support/slurm.sh on loopback."""

import os
import subprocess

SCRIPT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "support", "slurm.sh"))
PROLOG = """#!/bin/sh
# Keeps batch jobs between their allocation and their first command while the file is there.
i=0
while [ -e "%s" ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done
exit 0
"""


class Slurm:
    def __init__(self, directory, *options):
        self.directory = directory
        done = subprocess.run([SCRIPT, "start", directory, *options], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        last = done.stdout.strip().splitlines()[-1]
        assert last.startswith("SLURM_CONF="), done.stdout
        self.conf = last.split("=", 1)[1]
        self.rest = "--rest" in options

    def settings(self):
        """[batch.slurm]. With tokens where that can be: SlurmUser's own would act for everybody, so Berth refuses it."""
        settings = {"bin": "/usr/bin", "environment": {"SLURM_CONF": self.conf}}
        if not self.rest:
            return settings
        url = "unix:%s/run/rest.sock" % self.directory
        if os.getuid() == 0:
            port = int(self.run("scontrol", "show", "config").split("SlurmctldPort")[1].split()[1])
            url = "http://127.0.0.1:%d" % (port + 3)
        return dict(settings, interface="rest", rest_url=url)

    def add_prolog(self):
        """From now on no_start() keeps batch jobs from running."""
        self.prolog_wait = os.path.join(self.directory, "etc", "prolog.wait")
        script = os.path.join(self.directory, "etc", "prolog.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(PROLOG % self.prolog_wait)
        os.chmod(script, 0o755)
        with open(self.conf, "a", encoding="utf-8") as file:
            file.write("Prolog=%s\n" % script)
        self.run("scontrol", "reconfigure")

    def no_start(self):
        with open(self.prolog_wait, "w", encoding="utf-8"):
            pass

    def start_again(self):
        if os.path.exists(self.prolog_wait):
            os.unlink(self.prolog_wait)

    def run(self, *command, check=True):
        """A Slurm command as the administrator (or, without root, as the only user)."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=30,
                              env=dict(os.environ, SLURM_CONF=self.conf))
        assert done.returncode == 0 or not check, (command, done.stdout, done.stderr)
        return done.stdout

    def states(self, tag):
        """{batch id: state word} of the batch jobs with this name, ended ones included."""
        text = self.run("squeue", "-h", "-r", "-t", "all", "--name", tag, "-o", "%i %T")
        return dict(line.split() for line in text.splitlines())

    def count(self):
        return len(self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i").split())

    def stop(self):
        subprocess.run([SCRIPT, "stop", self.directory, "--purge"], timeout=60, check=False)
