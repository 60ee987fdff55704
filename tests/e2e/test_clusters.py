"""Two real clusters under one slurmdbd, and a daemon that submits to whichever can run the job (-M)."""

import os

import pytest

from support.slurm import Slurm
from support.waiting import wait_until

pytestmark = pytest.mark.slurm_only
PLUGINS = ["slurm"]
LARGE = {"slots": 10}  # does not fit on the first cluster, whose only node has 8 CPUs


@pytest.fixture(scope="session")
def second(base, slurm_with_history):
    slurm = Slurm(os.path.join(base, "second"), "--nodes", "1", "--cpus", "32", "--min-job-age", "2",
                  "--cluster", "second", "--join", slurm_with_history.directory)
    yield slurm
    slurm.stop()


@pytest.fixture
def two(second, slurm_with_history, own_site):
    return own_site({"batch.slurm": {"clusters": ["testbed", "second"]}}, slurm=slurm_with_history)


def test_the_queues_of_both_clusters_are_one_list_with_the_larger_limits(two):
    client = two.berth.client()
    listed = wait_until(lambda: client.get("/v1/site").json()["queues"], 20, "the limits")
    queues = {queue["name"]: queue for queue in listed}
    assert set(queues) == {"grid", "short", "long", "whole", "held"}
    assert queues["grid"]["slots_per_node_max"] == 32, queues["grid"]
    assert "grid" in two.berth.berthctl("check").stdout


def test_a_job_goes_to_the_cluster_where_it_fits_and_is_followed_there(two, second):
    client = two.berth.client()
    request, run = two.gated(resources=LARGE)
    job = client.wait(client.submit(request)["id"], "running")
    run.wait_for_start()
    assert second.states(job["tag"]) == {job["batch_id"]: "RUNNING"} and two.slurm.states(job["tag"]) == {}
    wait_until(lambda: client.job(job["id"])["source"] == "queue", 20, "the queue's word")
    assert client.stdout(job["id"]) == "started\n"
    run.go()
    assert client.finish(job["id"])["state"] == "done"
    assert client.stdout(job["id"]) == "started\nfinished\n"
    run.assert_once()


def test_one_task_of_an_array_is_cancelled_on_its_own_cluster(two, second):
    """The first cluster has an array of the same user, too; the two may have the same id."""
    client = two.berth.client()
    here, here_run = two.gated(count=2)
    there, there_run = two.gated(count=2, resources=LARGE)
    here, there = ([entry["id"] for entry in client.submit(request)["jobs"]] for request in (here, there))
    for job_id in here + there:
        client.wait(job_id, "running")
    client.act("cancel", there[1])
    assert client.finish(there[1])["state"] == "cancelled"
    tag = client.job(there[0])["tag"]
    wait_until(lambda: "RUNNING" in second.states(tag).values(), 20, "the other task")
    for run in (here_run, there_run):
        run.go()
    assert [client.finish(job_id)["state"] for job_id in here + there[:1]] == ["done"] * 3


def test_a_waiting_job_is_held_released_and_cancelled_on_its_cluster(two, second):
    client = two.berth.client()
    blocker, gate = two.gated(resources={"slots": 32})
    client.wait(client.submit(blocker)["id"], "running")
    request, run = two.counted(resources=LARGE)
    job = client.wait(client.submit(request)["id"], "queued")
    client.act("hold", job["id"])
    client.wait(job["id"], "held")
    wait_until(lambda: "JobHeldUser" in second.run("squeue", "-h", "--name", job["tag"], "-o", "%r"), 20, "the hold")
    client.act("release", job["id"])
    client.wait(job["id"], "queued")
    client.act("cancel", job["id"])
    job = client.finish(job["id"])
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
    wait_until(lambda: set(second.states(job["tag"]).values()) <= {"CANCELLED"}, 20, "the batch job to go")
    gate.go()
    run.assert_never()


def test_the_history_of_both_clusters_tells_how_jobs_ended(two, second):
    client = two.berth.client()
    here, here_run = two.gated()
    there, there_run = two.gated(resources=LARGE)
    jobs = [client.wait(client.submit(request)["id"], "running") for request in (here, there)]
    for run in (here_run, there_run):
        run.wait_for_start()
    two.berth.stop()
    two.slurm.run("scancel", jobs[0]["batch_id"])
    second.run("scancel", jobs[1]["batch_id"])
    for slurm in (two.slurm, second):
        wait_until(lambda: slurm.count() == 0, 120, "squeue to forget the jobs", 0.5)
    two.berth.start()
    client = two.berth.client()
    for job in jobs:
        job = client.finish(job["id"])
        assert (job["state"], job["reason"], job["source"]) == ("cancelled", "cancelled_by_site", "history"), job
