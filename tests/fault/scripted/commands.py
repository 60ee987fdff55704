#!/usr/bin/python3 -SE
"""A Slurm 22.05 that does what a test wrote down: sbatch, squeue, sacct, scancel, scontrol, sinfo and sacctmgr by the name
that it is called by. What it prints has the form that the real ones were seen to print (tests/unit/sites/data).

Its state is the folder $SCRIPTED_SLURM, see scripted/slurm.py. It runs the node wrapper as a node would, so that fences,
markers and payloads are real.
"""

import calendar
import fcntl
import json
import os
import signal
import sys
import time

HOME = os.environ["SCRIPTED_SLURM"]
ENDED = ("COMPLETED", "FAILED", "CANCELLED")
RUN_LIMIT_S = 180
TIMED_OUT = "Socket timed out on send/recv operation"


class State:
    """The controller's memory, locked while it is open."""

    def __enter__(self):
        self.lock = open(os.path.join(HOME, "lock"), "a", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        with open(os.path.join(HOME, "state.json"), encoding="utf-8") as file:
            self.data = json.load(file)
        return self.data

    def __exit__(self, *failure):
        temporary = os.path.join(HOME, "state.new")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.data, file)
        os.rename(temporary, os.path.join(HOME, "state.json"))
        self.lock.close()


def fail(text, code=1):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    os._exit(code)


def option(name):
    """The value of --name=value, "" for --name alone, None without it."""
    for argument in sys.argv[1:]:
        if argument == "--" + name or argument.startswith("--" + name + "="):
            return argument.partition("=")[2]
    return None


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def hang():
    time.sleep(60)
    os._exit(1)


def task_id(task):
    return task["id"] if task["index"] is None else "%s_%d" % (task["id"], task["index"])


def find(data, wanted):
    return [task for task in data["tasks"] if wanted in (task_id(task), task["id"])]


# ---- submissions


def indices():
    text = option("array")
    if text is None:
        return [None]
    first, _, last = text.partition("-")
    return list(range(int(first), int(last) + 1))


def add(data, script, plan, behaviour):
    batch_id = str(data["next_id"])
    data["next_id"] += 1
    path = os.path.join(HOME, "script." + batch_id)
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    chosen = indices()[:plan.get("part")] if behaviour == "part" else indices()
    for index in chosen:
        data["tasks"].append({
            "id": batch_id, "index": index, "tag": option("job-name"), "comment": option("comment"), "user": "own",
            "state": "PENDING", "reason": "Priority", "status": 0, "submit": int(time.time()), "start": 0, "end": 0,
            "restarts": 0, "hidden": behaviour.startswith("late"), "in_queue": True, "in_history": True, "pid": 0,
            "directory": option("chdir")})
    return batch_id


def sbatch():
    script = sys.stdin.read()
    with State() as data:
        plan = data["plans"].get(option("comment"), {})
        behaviour = plan["submit"].pop(0) if plan.get("submit") else "accept"
        data["submissions"].append({"comment": option("comment"), "tag": option("job-name"), "behaviour": behaviour})
        made = []
        if behaviour not in ("fail", "hang", "refuse"):
            made = [add(data, script, plan, behaviour) for _ in range(2 if behaviour.startswith("twice") else 1)]
        auto = [task_id(task) for task in data["tasks"] if task["id"] in made] if plan.get("start", True) else []
    for one in auto:
        run_detached(one)
    if behaviour == "refuse":
        fail("sbatch: error: invalid partition specified: grid\n"
             "sbatch: error: Batch job submission failed: Invalid partition name specified")
    if behaviour == "fail":
        fail("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)")
    if behaviour.endswith("error"):
        fail("sbatch: error: Batch job submission failed: " + TIMED_OUT)
    if behaviour == "banner":
        say("*** Welcome to cluster 42 ***\nYour project has 1000 hours left.\n")
    if behaviour in ("accept", "id_hang", "banner", "twice", "part"):
        say(made[0])
    if behaviour == "banner":
        say("\nsbatch: please see https://example.org/news\nNews of day 17")
    if behaviour.endswith("hang"):
        hang()


# ---- nodes


def run_detached(wanted):
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.closerange(3, 64)
        run(wanted)
        os._exit(0)


def run(wanted):
    """What slurmd does with a batch job: runs the script and reports its end."""
    with State() as data:
        task = find(data, wanted)[0]
        if task["state"] in ENDED:
            return
        environment = dict(os.environ, SLURM_JOB_ID=task["id"], SLURM_JOB_NAME=task["tag"])
        if task["index"] is not None:
            environment.update(SLURM_ARRAY_JOB_ID=task["id"], SLURM_ARRAY_TASK_ID=str(task["index"]))
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(task["directory"])
            os.execve("/bin/sh", ["sh", os.path.join(HOME, "script." + task["id"])], environment)
        task.update(state="RUNNING", reason="None", start=int(time.time()), pid=child)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(RUN_LIMIT_S)
    status = os.waitpid(child, 0)[1]
    with State() as data:
        task = find(data, wanted)[0]
        if task["state"] != "CANCELLED":
            task["state"] = "FAILED" if status else "COMPLETED"
        task.update(status=status, end=int(time.time()), pid=0, in_queue=not task.get("forget_at_end", False))


# ---- questions


def wanted_tasks(data):
    names = (option("name") or "").split(",") if option("name") else None
    for task in data["tasks"]:
        if task["hidden"] or (names is not None and task["tag"] not in names):
            continue
        if (option("me") is not None or option("user") is not None) and task["user"] != "own":
            continue
        yield task


def squeue():
    with State() as data:
        if data["rules"].get("squeue_fails"):
            fail("slurm_load_jobs error: " + TIMED_OUT)
        for task in wanted_tasks(data):
            if not task["in_queue"]:
                continue
            node = "n1" if task["start"] else ""
            say("|".join(str(part) for part in (
                task_id(task), task["id"], "N/A" if task["index"] is None else task["index"], task["state"], task["status"],
                task["restarts"], 4294901730, task["user"], task["submit"], task["start"] or "N/A", task["end"] or "N/A",
                node, task["reason"], task["tag"])) + "|")


def sacct():
    with State() as data:
        if data["rules"].get("sacct_fails"):
            fail("sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:"
                 "localhost:6819: Connection refused\nsacct: error: Problem talking to the database: Connection refused")
        since = calendar.timegm(time.strptime(option("starttime"), "%Y-%m-%dT%H:%M:%S"))
        for task in wanted_tasks(data):
            if not task["in_history"] or (task["end"] and task["end"] < since):
                continue
            code = "%d:%d" % (task["status"] >> 8, task["status"] & 127)
            say("|".join(str(part) for part in (
                task_id(task), task["id"], task["state"] + (" by 0" if task["state"] == "CANCELLED" else ""), code,
                task["submit"], task["start"] or "Unknown", task["end"] or "Unknown", task["user"],
                "n1" if task["start"] else "None assigned", task["reason"], task["tag"])))


def recorded(name):
    with open(os.path.join(HOME, name), encoding="utf-8") as file:
        say(file.read().rstrip("\n"))


def sinfo():
    recorded("sinfo.txt")


def sacctmgr():
    recorded("qos.txt")


# ---- control


def scancel():
    wanted = sys.argv[-1]
    with State() as data:
        data["cancels"].append(wanted)
        for task in find(data, wanted):
            if option("name") is not None and task["tag"] != option("name"):
                continue
            if task["state"] in ENDED or option("state") not in (None, task["state"]):
                continue
            if task["pid"]:
                os.killpg(task["pid"], signal.SIGTERM)
            task.update(state="CANCELLED", end=int(time.time()))


def scontrol():
    if "config" in sys.argv:
        return recorded("show-config.txt")
    if "partition" in sys.argv:
        return recorded("show-partition.txt")
    return fail("scontrol: error: not in the script: " + " ".join(sys.argv[1:]))


def main():
    name = os.path.basename(sys.argv[0])
    if name == "run":
        return run_detached(sys.argv[1])
    return {"sbatch": sbatch, "squeue": squeue, "sacct": sacct, "scancel": scancel, "scontrol": scontrol, "sinfo": sinfo,
            "sacctmgr": sacctmgr}[name]()


main()
