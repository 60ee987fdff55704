"""What only a real Slurm shows: nodes, GPUs, directives, and what an administrator does to jobs."""

import re

import pytest

from support.waiting import wait_until

pytestmark = pytest.mark.slurm_only


def shown(site, job):
    """scontrol's account of the batch job as a dict."""
    text = site.slurm.run("scontrol", "-o", "-d", "show", "job", job["batch_id"])
    return dict(part.split("=", 1) for part in text.split() if "=" in part)


def batch_state(site, job):
    return site.slurm.states(job["tag"]).get(job["batch_id"])


def started(site, client, **more):
    """A gated job whose payload runs."""
    request, run = site.gated(**more)
    job = client.wait(client.submit(request)["id"], "running")
    run.wait_for_start()
    return client.job(job["id"]), run


def test_the_directives_say_what_was_asked_for(site, client):
    job, run = started(site, client, name="my pilot", resources={"slots": 4, "memory_per_slot_mb": 500, "wall_time_s": 5400})
    found = shown(site, job)
    assert found["JobName"] == job["tag"] and found["Requeue"] == "0"
    assert (found["NumCPUs"], found["MinMemoryCPU"], found["TimeLimit"]) == ("4", "500M", "01:30:00"), found
    assert "my pilot" in site.slurm.run("scontrol", "show", "job", job["batch_id"])
    run.go()
    assert client.finish(job["id"])["state"] == "done"


def test_a_job_runs_on_two_nodes(site, client):
    script = "#!/bin/sh\necho \"$SLURM_JOB_NUM_NODES\"\nsrun --mpi=none sh -c 'echo $SLURMD_NODENAME'\n"
    job = client.run({"script": script, "resources": {"nodes": 2, "slots": 2, "slots_per_node": 1},
                      "environment": {"SLURM_CONF": site.slurm.conf}})
    assert job["state"] == "done", (job, client.file(job["id"], "stderr"))
    lines = client.stdout(job["id"]).split()
    assert lines[0] == "2" and sorted(lines[1:]) == ["n1", "n2"], lines


def test_a_job_gets_its_gpus(site, client):
    script = "#!/bin/sh\necho \"$CUDA_VISIBLE_DEVICES\"\nenv | grep GPU || :\n" \
             "i=0; while [ ! -e \"$GO\" ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done\n"
    request, run = site.counted(script, resources={"gpus": {"count": 2, "model": "a100"}})
    job = client.wait(client.submit(request)["id"], "running")
    assert re.search(r"GRES=gpu:a100:2", site.slurm.run("scontrol", "-d", "show", "job", job["batch_id"]))
    run.go()
    assert client.finish(job["id"])["state"] == "done"
    assert len(client.stdout(job["id"]).split()[0].split(",")) == 2


def test_an_exclusive_job_has_its_node_alone(site, client):
    job, run = started(site, client, resources={"exclusive": True})
    assert shown(site, job)["NumCPUs"] == "32"
    run.go()
    assert client.finish(job["id"])["state"] == "done"


def test_a_job_may_ask_for_an_architecture(site, client):
    job, run = started(site, client, resources={"architecture": "x86_64-v3"})
    assert shown(site, job)["Features"] == "x86_64-v3"
    run.go()
    assert client.finish(job["id"])["state"] == "done"


def test_an_administrator_cancels_a_job(site, client):
    job, run = started(site, client)
    site.slurm.run("scancel", job["batch_id"])
    job = client.finish(job["id"])
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_site"), job
    run.assert_once()


def test_an_administrator_cancels_a_queued_job(site, client):
    job, run, _ = site.waiting(client)
    site.slurm.run("scancel", job["batch_id"])
    job = client.finish(job["id"])
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_site"), job
    run.assert_never()


def test_an_administrator_holds_and_releases_a_job(site, client):
    job, run, let_go = site.waiting(client)
    site.slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "priority=0")
    job = client.wait(job["id"], "held")
    assert job["reason"] == "held_by_site", job
    site.slurm.run("scontrol", "release", job["batch_id"])
    let_go()
    assert client.finish(job["id"])["state"] == "done"
    run.assert_once()


def test_a_suspended_job_is_running_with_that_reason(site, client):
    job, run = started(site, client)
    site.slurm.run("scontrol", "suspend", job["batch_id"])
    wait_until(lambda: client.job(job["id"])["reason"] == "suspended", 20, "the reason suspended")
    assert client.job(job["id"])["state"] == "running"
    site.slurm.run("scontrol", "resume", job["batch_id"])
    run.go()
    assert client.finish(job["id"])["state"] == "done"
    run.assert_once()


def requeue(site, job):
    """As an administrator can although the job was submitted with --no-requeue."""
    site.slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "requeue=1")
    site.slurm.run("scontrol", "requeue", job["batch_id"])


def test_a_requeue_before_the_payload_started_costs_nothing(site, client):
    """The batch job has its node, but its prolog still runs: the fence is free."""
    request, run = site.counted()
    site.slurm.no_start()
    try:
        job = client.submit(request)
        job = wait_until(lambda: (lambda now: now["batch_id"] and now)(client.job(job["id"])), 20, "the batch id")
        wait_until(lambda: batch_state(site, job) == "RUNNING", 20, "Slurm to give it a node")
        requeue(site, job)
    finally:
        site.slurm.start_again()
    # Slurm lets a requeued job wait for two minutes.
    wait_until(lambda: batch_state(site, job) != "COMPLETING", 30, "the requeue")
    if batch_state(site, job) == "PENDING":
        site.slurm.run("scontrol", "update", "jobid=" + job["batch_id"], "starttime=now")
    job = client.finish(job["id"])
    assert job["state"] == "done", job
    run.assert_once()


def test_a_requeue_after_the_payload_started_fails_the_job_and_never_runs_it_again(site, client):
    job, run = started(site, client)
    requeue(site, job)
    job = client.finish(job["id"])
    assert (job["state"], job["reason"]) == ("failed", "requeued_after_start"), job
    wait_until(lambda: batch_state(site, job) in ("CANCELLED", None), 20, "the requeued batch job to be cancelled")
    run.go()
    run.assert_once()


def test_a_job_on_a_node_that_fails_is_lost_with_it(site, client):
    job, run = started(site, client)
    node = shown(site, job)["NodeList"]
    site.slurm.run("scontrol", "update", "nodename=" + node, "state=down", "reason=test")
    try:
        job = client.finish(job["id"])
        assert (job["state"], job["reason"]) == ("failed", "node_lost"), job
        run.assert_once()
    finally:
        run.go()
        # With ReturnToService=2 the node may have come back by itself, then this is an error.
        site.slurm.run("scontrol", "update", "nodename=" + node, "state=resume", check=False)
        wait_until(lambda: "down" not in site.slurm.run("sinfo", "-h", "-n", node, "-p", "grid", "-o", "%t"), 20, "the node")


def test_a_job_that_slurm_will_not_take_is_rejected_with_its_words(make_berth, site):
    """The limits that Slurm reports allow it, an option of the site's does not."""
    berth = make_berth({"batch.slurm": {"bin": "/usr/bin", "environment": {"SLURM_CONF": site.slurm.conf},
                                        "options": {"constraint": "no-such-feature"}}})
    berth.expected_errors.append("rejected")
    client = berth.client()
    job = client.run({"script": "#!/bin/sh\n"})
    assert (job["state"], job["reason"]) == ("failed", "rejected"), job
    assert "feature" in job["detail"], job


def test_a_job_that_takes_too_much_memory_fails_with_that_reason(slurm_with_cgroups, own_site):
    client = own_site(slurm=slurm_with_cgroups).berth.client()
    script = "#!/bin/sh\nexec /usr/bin/python3 -c 'import time; x = bytearray(300000000); time.sleep(60)'\n"
    job = client.run({"script": script, "resources": {"slots": 1, "memory_per_slot_mb": 100}})
    assert (job["state"], job["reason"]) == ("failed", "memory"), job


@pytest.mark.last
def test_history_tells_what_the_queue_has_forgotten(slurm_with_history, own_site):
    """slurmdbd; everything ends while the daemon is away, and squeue has forgotten it before the daemon is back."""
    site = own_site(slurm=slurm_with_history)
    client = site.berth.client()
    request, run = site.gated()
    good = client.submit(request)
    cancelled, cancelled_run = site.gated()
    cancelled = client.submit(cancelled)
    # The payload kills its wrapper, so there is no exit marker, and then itself.
    script = '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\ni=0\nwhile [ ! -e "$GO" ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done\nkill -9 $PPID\n'
    crashed, crashed_run = site.counted(script)
    crashed = client.submit(crashed)
    jobs = [client.wait(job["id"], "running") for job in (good, cancelled, crashed)]
    for one in (run, cancelled_run, crashed_run):
        one.wait_for_start()
    site.berth.stop()
    run.go()
    crashed_run.go()
    site.slurm.run("scancel", jobs[1]["batch_id"])
    wait_until(lambda: site.slurm.count() == 0, 120, "squeue to forget the jobs", 0.5)
    site.berth.start()
    client = site.berth.client()
    assert client.finish(good["id"])["state"] == "done"
    job = client.finish(cancelled["id"])
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_site"), job
    job = client.finish(crashed["id"], 90)
    assert (job["state"], job["source"]) == ("failed", "history"), job
    for one in (run, cancelled_run, crashed_run):
        one.assert_once()
