"""The test's side of the scripted Slurm: what its commands are to do, and what they did."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess

from support import account
from support.waiting import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "..", "..", "unit", "sites", "data")
COMMANDS = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr", "run"]
ENDED = ("COMPLETED", "FAILED", "CANCELLED")


class ScriptedSlurm:
    """state.json: tasks (one for each batch job or array task), plans (by the comment of a submission, which is the client's
    name of the job), rules (for all), submissions and cancels (what was asked).

    A plan: "submit": what the next submissions do, in their order; "start": whether batch jobs start by themselves.
      accept, banner      a batch job is made and its id printed, with other lines around it
      hang, fail, refuse  none is made: the command hangs, its connection failed, Slurm refused
      accept_hang, accept_error, id_hang    one is made; no answer, an error, the id and no end
      twice, twice_hang   two are made with one tag; the id of the first, no answer
      late_error, late_hang    one is made that no question shows before reveal()
      part                an array of which only the first plan["part"] tasks are made
    """

    def __init__(self, directory):
        self.directory = directory
        self.bin, self.home = (os.path.join(directory, name) for name in ("bin", "state"))
        os.makedirs(self.bin)
        os.makedirs(self.home)
        program = os.path.join(self.bin, "commands.py")
        shutil.copy(os.path.join(HERE, "commands.py"), program)
        for name in COMMANDS:
            os.symlink(program, os.path.join(self.bin, name))
        for name in ("show-config", "show-partition", "sinfo", "qos"):
            shutil.copy(os.path.join(RECORDED, "slurm-22.05.8-%s.txt" % name), os.path.join(self.home, name + ".txt"))
        with open(os.path.join(self.home, "show-config.txt"), "a", encoding="utf-8") as file:
            file.write("AccountingStorageType   = accounting_storage/slurmdbd\n")
        with open(os.path.join(self.home, "state.json"), "w", encoding="utf-8") as file:
            json.dump({"next_id": 100, "tasks": [], "plans": {}, "rules": {}, "submissions": [], "cancels": []}, file)
        with open(os.path.join(self.home, "lock"), "w", encoding="utf-8"):
            pass
        account.own(directory)
        os.chmod(directory, 0o755)
        self.conf = os.path.join(directory, "slurm.conf")

    def settings(self):
        """The table batch.slurm; sbatch may take 4 s."""
        return {"bin": self.bin, "environment": {"SCRIPTED_SLURM": self.home}, "submit_timeout": "4s"}

    @contextlib.contextmanager
    def state(self):
        with open(os.path.join(self.home, "lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = os.path.join(self.home, "state.json")
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            yield data
            with open(path, "w", encoding="utf-8") as file:
                json.dump(data, file)
            account.own(self.home)

    # ---- what is to happen

    def plan(self, comment, *submit, start=True, **more):
        with self.state() as data:
            data["plans"][comment] = {"submit": list(submit), "start": start, **more}

    def rule(self, **rules):
        with self.state() as data:
            data["rules"].update(rules)

    def change(self, task, **fields):
        with self.state() as data:
            for one in data["tasks"]:
                if (one["id"], one["index"], one["tag"]) == (task["id"], task["index"], task["tag"]):
                    one.update(fields)

    def reveal(self, comment):
        for task in self.tasks(comment):
            self.change(task, hidden=False)

    def add_foreign(self, batch_id):
        """Another user's batch job with an id that one of ours had."""
        with self.state() as data:
            data["tasks"].append(dict(data["tasks"][0], id=batch_id, index=None, tag="someone", comment="foreign",
                                      user="mallory", state="RUNNING", start=1795433995, end=0, pid=0, hidden=False,
                                      in_queue=True, in_history=True))

    def start(self, task):
        name = task["id"] if task["index"] is None else "%s_%d" % (task["id"], task["index"])
        subprocess.run([*account.prefix(), os.path.join(self.bin, "run"), name], check=True, timeout=30,
                       env={"SCRIPTED_SLURM": self.home, "PATH": "/usr/bin:/bin"})

    def run_to_end(self, task):
        self.start(task)
        self.wait_for_end(task)

    # ---- what happened

    def tasks(self, comment):
        with self.state() as data:
            return [task for task in data["tasks"] if task["comment"] == comment]

    def task(self, task):
        return next(one for one in self.tasks(task["comment"])
                    if (one["id"], one["index"], one["tag"]) == (task["id"], task["index"], task["tag"]))

    def submissions(self, comment):
        with self.state() as data:
            return [one for one in data["submissions"] if one["comment"] == comment]

    def cancels(self):
        with self.state() as data:
            return data["cancels"]

    def wait_for_tasks(self, comment, count=1, timeout=60):
        wait_until(lambda: len(self.tasks(comment)) >= count, timeout, "%d batch jobs of %s" % (count, comment))
        return self.tasks(comment)

    def wait_for_end(self, task, state=None, timeout=60):
        wait_until(lambda: self.task(task)["state"] in ENDED and not self.task(task)["pid"], timeout, "the end of %s" % task)
        assert state is None or self.task(task)["state"] == state, self.task(task)

    def stop(self):
        with self.state() as data:
            for task in data["tasks"]:
                if task["pid"]:
                    with contextlib.suppress(OSError):
                        os.killpg(task["pid"], signal.SIGKILL)
