"""The daemon ends, politely and by kill -9, with jobs in every state; each payload runs exactly once."""

import concurrent.futures
import http.client
import json
import os
import random
import secrets
import time

import pytest

from support.client import FINAL
from support.waiting import wait_until

OK = "#!/bin/sh\n"


def end(berth, how):
    if how == "SIGTERM":
        berth.stop()
    else:
        berth.kill()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_jobs_in_every_state_survive_a_restart(own_site, how):
    site = own_site()
    client = site.berth.client()
    ended = client.run({"script": OK})
    uploading, upload_run = site.counted(files=["in"])
    uploading = client.submit(uploading)["id"]
    # Both end while the daemon is away: one before it left was running, the other is told to end then.
    running, run = site.gated(count=2)
    running = [entry["id"] for entry in client.submit(running)["jobs"]]
    for job_id in running:
        client.wait(job_id, "running")
    run.wait_for_start(2)
    held, held_run = site.counted(files=["in"])
    held = client.submit(held)["id"]
    client.act("hold", held)
    queued, queued_run, let_go = site.waiting(client) if site.slurm else (None, None, None)
    before = {job["id"]: job["state"] for job in client.all_jobs()}

    end(site.berth, how)
    run.go()
    time.sleep(1)
    site.berth.start()

    client = site.berth.client()
    after = {job["id"]: job["state"] for job in client.all_jobs()}
    assert set(after) == set(before)
    assert client.job(ended["id"])["state"] == "done"
    assert after[uploading] == "uploading"
    assert [client.finish(job_id)["state"] for job_id in running] == ["done", "done"]
    assert run.starts() == [run.stamp] * 2
    assert client.upload(uploading, "in", b"").status == 201
    assert client.finish(uploading)["state"] == "done"
    upload_run.assert_once()
    client.act("release", held)
    assert client.upload(held, "in", b"").status == 201
    assert client.finish(held)["state"] == "done"
    held_run.assert_once()
    if queued:
        let_go()
        assert client.finish(queued["id"])["state"] == "done"
        queued_run.assert_once()


def test_a_cancel_that_was_accepted_outlives_the_daemon(own_site):
    site = own_site()
    client = site.berth.client()
    request, run = site.gated()
    job_id = client.submit(request)["id"]
    client.wait(job_id, "running")
    run.wait_for_start()
    client.act("cancel", job_id)
    site.berth.kill()
    site.berth.start()
    job = site.berth.client().finish(job_id)
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
    run.assert_once()


def test_nothing_is_lost_or_run_twice_when_the_daemon_is_killed_again_and_again(own_site):
    """Clients that repeat a post under its key until it is answered, and a daemon that dies meanwhile."""
    site = own_site({"jobs": {"poll_interval": "1s"}})
    random_ = random.Random(7)
    pairs = [site.counted() for _ in range(24)]
    keys = [secrets.token_hex(8) for _ in pairs]
    token = site.berth.token()

    def insist(index):
        request = pairs[index][0]
        client = site.berth.client_with(token)
        for _ in range(400):
            try:
                reply = client.post("/v1/jobs", request, headers={"Idempotency-Key": keys[index]})
            except (OSError, http.client.HTTPException):
                reply = None
            if reply is not None and reply.status == 201:
                return reply.json()["id"]
            time.sleep(0.1)
        raise AssertionError("no answer for request %d" % index)

    def scattered(index):
        time.sleep(index * 0.12)
        return insist(index)

    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        work = [pool.submit(scattered, index) for index in range(len(pairs))]
        for _ in range(4):
            time.sleep(0.2 + random_.random() * 0.8)
            site.berth.kill()
            site.berth.start()
        ids = [one.result() for one in work]
    client = site.berth.client()
    assert len(set(ids)) == len(ids)
    assert {job["id"] for job in client.all_jobs()} == set(ids), "a post made two jobs"
    for job_id, (_, run) in zip(ids, pairs):
        job = client.finish(job_id, 90)
        assert job["state"] == "done", job
        run.assert_once()
    # The same posts again, after everything: still the same jobs.
    assert [insist(index) for index in range(len(pairs))] == ids
    assert len(client.all_jobs()) == len(ids)


def test_jobs_that_a_restored_backup_does_not_know_are_adopted(own_site):
    site = own_site()
    berth, client = site.berth, site.berth.client()
    request, old_run = site.gated()
    old = client.submit(request)["id"]
    client.wait(old, "running")
    backup = os.path.join(berth.directory, "backup.db")
    berth.berthctl("backup", backup)
    request, ended_run = site.counted('#!/bin/sh\necho "$STAMP" >>"$LEDGER"\necho over\nexit 3\n')
    ended = client.run(request)["id"]  # leaves the queue, and stays in the session root
    request, run = site.gated()
    single = client.submit(request)["id"]
    client.wait(single, "running")
    request, array_run = site.gated(count=3)
    tasks = [entry["id"] for entry in client.submit(request)["jobs"]]
    for job_id in tasks[:2]:  # there are four slots
        client.wait(job_id, "running")
    before = {job["id"]: job for job in client.all_jobs()}
    client.close()
    berth.kill()
    berth.restore(backup)
    berth.start()

    client = berth.client()
    assert [job["id"] for job in client.all_jobs()] == [old]
    tags = sorted({before[job_id]["tag"] for job_id in [single, *tasks]})
    listed = lambda: json.loads(berth.berthctl("--json", "orphans").stdout)["orphans"]
    wait_until(lambda: sorted(orphan["tag"] for orphan in listed()) == tags, 20, "the orphans")
    stray = json.loads(berth.berthctl("--json", "orphans", "sessions").stdout)
    assert {entry["job"] for entry in stray["unknown"]} == set(before) - {old}
    for tag in tags:
        text = berth.berthctl("orphans", "adopt", tag).stdout
        assert all(job_id in text for job_id in before if before[job_id]["tag"] == tag), text
    again = berth.berthctl("orphans", "adopt", tags[0], check=False)
    assert again.returncode == 1 and "is known" in again.stdout, again
    assert listed() == []
    berth.berthctl("orphans", "adopt", before[ended]["tag"])
    job = client.finish(ended)
    assert (job["state"], job["exit_code"], client.stdout(ended)) == ("failed", 3, "over\n")
    ended_run.assert_once()

    for payload in (old_run, run, array_run):
        payload.go()
    for job_id in [old, single, *tasks]:
        job = client.finish(job_id)
        assert (job["state"], job["exit_code"]) == ("done", 0), job
        assert (job["tag"], job["batch_id"]) == (before[job_id]["tag"], before[job_id]["batch_id"])
        assert job["created"] == before[job_id]["created"]
        assert client.stdout(job_id) == "started\nfinished\n"
    old_run.assert_once()
    run.assert_once()
    assert array_run.starts() == [array_run.stamp] * 3
    assert "job_adopted" in berth.log()


def test_events_are_resumed_across_a_restart(own_site):
    site = own_site()
    client = site.berth.client()
    request, run = site.gated()
    stream = client.events()
    job_id = client.submit(request)["id"]
    before = stream.until(job_id, "running")
    site.berth.kill()
    stream.close()
    site.berth.start()
    client = site.berth.client()
    stream = client.events(before[-1]["seq"])
    run.go()
    after = stream.until(job_id, "done")
    stream.close()
    assert after[0]["seq"] > before[-1]["seq"]
    everything = client.events(0)
    assert everything.until(job_id, "done") == before + after
    everything.close()


def test_a_client_sees_the_end_long_before_the_next_poll(own_site, capsys):
    """The batch system is asked once a minute; the wrapper's own news make the difference."""
    site = own_site({"jobs": {"poll_interval": "60s"}})
    client = site.berth.client()
    delays = []
    for _ in range(5):
        script = '#!/bin/sh\ni=0\nwhile [ ! -e "$GO" ] && [ $i -lt 1200 ]; do sleep 0.05; i=$((i + 1)); done\ndate +%s.%N\n'
        request, run = site.counted(script)
        job_id = client.submit(request)["id"]
        client.wait(job_id, "running", 90)
        run.go()
        job = client.wait(job_id, "done")
        seen = time.time()
        delays.append(seen - float(client.stdout(job_id)))
        assert job["source"] in ("marker", "event"), job
    with capsys.disabled():
        print("\n%s: payload ended -> client saw done, queue poll of 60 s: median %.3f s, worst %.3f s"
              % (site.plugin, sorted(delays)[2], max(delays)))
    assert max(delays) < 10


def test_an_idle_restart_changes_nothing(own_site):
    site = own_site()
    client = site.berth.client()
    jobs = [client.run({"script": OK}) for _ in range(3)]
    site.berth.stop()
    site.berth.start()
    client = site.berth.client()
    stale = {"age_s"}
    for job in jobs:
        again = client.job(job["id"])
        assert {k: v for k, v in again.items() if k not in stale} == {k: v for k, v in job.items() if k not in stale}
        assert again["state"] in FINAL
    wait_until(lambda: client.get("/health/ready").status == 200, 10, "ready")
