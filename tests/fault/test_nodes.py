"""Nodes that fail between the fence and the payload, in mid-payload, or lose their session directory."""

import os
import shutil
import signal
import subprocess

import pytest

import outages
from support import account
from support.site import GATED
from support.waiting import wait_until

pytestmark = pytest.mark.slurm_only
PATIENCE = 120
# The wrapper calls getconf after it has the fence and before it starts the payload.
DEADLY = """#!/bin/sh
if [ -e "%(folder)s/deadly" ]; then
    touch "%(folder)s/died"
    kill -9 $PPID
    exit 1
fi
exec /usr/bin/getconf "$@"
"""
# ln on a shared file system, by what the file "answer" in its folder says.
LN = """#!/bin/sh
case $(cat "%(folder)s/answer" 2>/dev/null) in
lost) /bin/ln "$@"; exit 1 ;;
late) (sleep 0.5; /bin/ln "$@") >/dev/null 2>&1 & exit 1 ;;
taken) /bin/ln -s "another:1:00000000000000000000" fence; exit 0 ;;
never) exit 0 ;;
*) exec /bin/ln "$@" ;;
esac
"""


@pytest.fixture
def tools(base):
    """A folder at the head of the PATH of every batch job."""
    folder = os.path.join(base, "tools")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, text in (("getconf", DEADLY), ("ln", LN)):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text % {"folder": folder})
        os.chmod(path, 0o755)
    account.own(folder)
    os.chmod(folder, 0o755)
    return folder


@pytest.fixture
def tool_site(own_site, slurm, tools):
    environment = {"SLURM_CONF": slurm.conf, "PATH": tools + ":/usr/bin:/bin"}
    return own_site({"batch.slurm": {"environment": environment}, "jobs": {"poll_interval": "1s"}})


def put(folder, name, text=""):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def started(site, client, **more):
    request, run = site.gated(**more)
    job = client.wait(client.submit(request)["id"], "running")
    run.wait_for_start()
    return client.job(job["id"]), run


def children(pid):
    """All processes below `pid`, the deepest first."""
    found = []
    try:
        threads = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return found
    for thread in threads:
        try:
            with open("/proc/%d/task/%s/children" % (pid, thread), encoding="utf-8") as file:
                direct = [int(word) for word in file.read().split()]
        except OSError:
            continue
        for child in direct:
            found += children(child) + [child]
    return found


def step_of(slurm, batch_id):
    """The slurmstepd of a batch job of this Slurm."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                line = file.read().replace(b"\0", b" ").decode()
            with open("/proc/%s/environ" % name, "rb") as file:
                ours = b"SLURM_CONF=" + slurm.conf.encode() in file.read().split(b"\0")
        except OSError:
            continue
        if ours and "[%s.batch]" % batch_id in line:
            return int(name)
    return None


def test_a_wrapper_that_is_killed_after_the_fence_starts_nothing_and_is_not_started_again(tool_site, tools):
    client = tool_site.berth.client()
    put(tools, "deadly")
    request, run = tool_site.counted()
    job = client.finish(client.submit(request)["id"], PATIENCE)
    assert os.path.exists(os.path.join(tools, "died"))
    assert (job["state"], job["reason"], job["signal"], job["attempts"]) == ("failed", "signal", 9, 1), job
    run.assert_never()
    assert list(tool_site.slurm.states(job["tag"])) == [job["batch_id"]]


def test_a_wrapper_that_is_killed_in_mid_payload_has_run_it_once(tool_site):
    client = tool_site.berth.client()
    job, run = started(tool_site, client)
    step = step_of(tool_site.slurm, job["batch_id"])
    [wrapper] = [pid for pid in children(step) if parent(pid) == step]
    os.kill(wrapper, signal.SIGKILL)
    job = client.finish(job["id"], PATIENCE)
    assert (job["state"], job["reason"], job["signal"], job["attempts"]) == ("failed", "signal", 9, 1), job
    run.go()
    run.assert_once()


def parent(pid):
    """None for one that has ended since it was listed."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def test_a_node_that_dies_in_mid_payload_loses_the_job_and_nothing_runs_twice(tool_site):
    """slurmd, its step and all processes of the job are killed; slurmd comes back and knows nothing of it."""
    slurm, client = tool_site.slurm, tool_site.berth.client()
    job, run = started(tool_site, client)
    name = slurm.run("squeue", "-h", "-j", job["batch_id"], "-o", "%N").strip()
    node = outages.node(slurm, name)
    step = step_of(slurm, job["batch_id"])
    node.kill()
    for pid in [step, *reversed(children(step))]:  # from above, so that no wrapper sees its payload die
        outages.kill(pid)
    # slurmctld finds it out itself after SlurmdTimeout, 300 s.
    slurm.run("scontrol", "update", "nodename=" + name, "state=down", "reason=test")
    job = client.finish(job["id"], PATIENCE)
    assert (job["state"], job["reason"], job["attempts"]) == ("failed", "node_lost", 1), job
    node.start()
    slurm.run("scontrol", "update", "nodename=" + name, "state=resume", check=False)
    wait_until(lambda: "idle" in slurm.run("sinfo", "-h", "-n", name, "-p", "grid", "-o", "%t"), 60, "the node")
    run.go()
    assert client.run({"script": "#!/bin/sh\n"}, PATIENCE)["state"] == "done"
    run.assert_once()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_requeue_never_starts_a_payload_a_second_time(tool_site, when):
    """Slurm is forced to take the batch job as one that it may start again."""
    slurm, client = tool_site.slurm, tool_site.berth.client()
    if when == "before":
        slurm.no_start()
    try:
        request, run = tool_site.gated()
        job = client.submit(request)
        wait_until(lambda: client.job(job["id"])["batch_id"], 30, "the batch job")
        job = client.job(job["id"])
        if when == "after":
            run.wait_for_start()
        wait_until(lambda: slurm.states(job["tag"]).get(job["batch_id"]) == "RUNNING", 30, "Slurm to start it")
        slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "requeue=1")
        slurm.run("scontrol", "requeue", job["batch_id"])
    finally:
        slurm.start_again()
    if when == "before":
        wait_until(lambda: slurm.states(job["tag"]).get(job["batch_id"]) != "COMPLETING", 30, "the end of the first start")
        slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "starttime=now", check=False)
        run.go()
        job = client.finish(job["id"], PATIENCE)
        assert (job["state"], job["reason"]) == ("done", None), job
    else:
        job = client.finish(job["id"], PATIENCE)
        assert (job["state"], job["reason"]) == ("failed", "requeued_after_start"), job
        run.go()
    run.assert_once()


# ---- ln on the shared file system


@pytest.mark.parametrize("answer", ["lost", "late"])
def test_a_job_starts_once_when_the_reply_of_ln_is_lost(tool_site, tools, answer):
    client = tool_site.berth.client()
    put(tools, "answer", answer)
    request, run = tool_site.counted()
    job = client.finish(client.submit(request)["id"], PATIENCE)
    assert (job["state"], job["attempts"]) == ("done", 1), job
    run.assert_once()


def test_a_job_does_not_start_when_ln_only_says_that_it_made_the_link(tool_site, tools):
    """Three attempts end before the start, and none of them may run the payload later."""
    client = tool_site.berth.client()
    put(tools, "answer", "never")
    request, run = tool_site.counted()
    job_id = client.submit(request)["id"]
    wait_until(lambda: client.job(job_id)["attempts"] == 2, PATIENCE, "the second attempt")
    run.assert_never()
    put(tools, "answer", "plain")
    assert client.finish(job_id, PATIENCE)["state"] == "done"
    run.assert_once()


def test_a_job_does_not_start_when_ln_says_yes_but_another_start_holds_the_link(tool_site, tools):
    client = tool_site.berth.client()
    put(tools, "answer", "taken")
    request, run = tool_site.counted()
    job = client.finish(client.submit(request)["id"], PATIENCE)
    assert (job["state"], job["reason"]) == ("failed", "session_lost"), job
    run.assert_never()


# ---- the session directory is deleted


def test_a_session_directory_that_is_deleted_before_the_start_starts_nothing(tool_site):
    client = tool_site.berth.client()
    job, run, let_go = tool_site.waiting(client)
    shutil.rmtree(tool_site.berth.session(job["id"]))
    let_go()
    job = client.finish(job["id"], PATIENCE)
    assert (job["state"], job["reason"], job["attempts"]) == ("failed", "session_lost", 1), job
    run.assert_never()
    wait_until(lambda: tool_site.slurm.states(job["tag"])[job["batch_id"]] in ("FAILED", "CANCELLED"), 60, "the batch job's end")


def test_a_session_directory_that_is_deleted_after_the_start_ends_the_job(tool_site):
    client = tool_site.berth.client()
    job, run = started(tool_site, client)
    subprocess.run(["rm", "-rf", tool_site.berth.session(job["id"])], check=True)
    job = client.finish(job["id"], PATIENCE)
    assert (job["state"], job["reason"]) == ("failed", "session_lost"), job
    wait_until(lambda: tool_site.slurm.states(job["tag"])[job["batch_id"]] not in ("PENDING", "RUNNING", "COMPLETING"), 60,
               "the batch job's end")
    run.assert_once()


def test_a_job_whose_directory_is_deleted_before_its_submission_is_not_made_anew(tool_site):
    client = tool_site.berth.client()
    request, run = tool_site.counted(GATED, files=["in"])
    job = client.wait(client.submit(request)["id"], "uploading")
    assert client.upload(job["id"], "other", b"x").status == 201
    shutil.rmtree(tool_site.berth.session(job["id"]))
    client.upload(job["id"], "in", b"x")
    job = client.job(job["id"])
    if job["state"] != "uploading":
        job = client.finish(job["id"], PATIENCE)
        assert (job["state"], job["reason"]) == ("failed", "session_lost"), job
    run.assert_never()
