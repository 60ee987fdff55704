"""Which scenario reaches which step. A scenario calls arm(), goes on through the daemon's death, and knows the end."""

import contextlib
import json
import os

from dying import PASSING
from late import REQUEST, LateSubmission
from support import account
from support.waiting import wait_until


def submit(place):
    """A single job, an array, and a list of two kinds; one more job runs all the time."""
    _, let_end = place.running()
    place.arm()
    for more in ({}, {"count": 3}):
        place.post(place.request(**more)[0])
    two = [place.request(resources={"memory_per_slot_mb": size})[0] for size in (100, 120)]
    place.post({"jobs": two})
    let_end()
    place.all_end_done()


def cancel_after_the_restart(place):
    """The outcome of the submission is lost, and the job is cancelled before it is known."""
    place.arm()
    job_id = place.post(place.request(queue="held")[0])[0]
    wait_until(lambda: place.died.is_set(), 60, "the daemon to die")
    place.insistent.act("cancel", job_id)
    job = place.ends(job_id, "cancelled", 0)
    if job["tag"]:
        place.nothing_is_left_in_slurm(job["tag"])


def cancel_queued(place):
    job_id = place.queued()
    place.arm()
    place.insistent.act("cancel", job_id)
    job = place.ends(job_id, "cancelled", 0)
    assert job["reason"] == "cancelled_by_user", job
    place.nothing_is_left_in_slurm(job["tag"])


def cancel_running(place):
    job_id, _ = place.running()
    place.arm()
    place.insistent.act("cancel", job_id)
    job = place.ends(job_id, "cancelled", 1)
    assert job["reason"] == "cancelled_by_user", job
    place.nothing_is_left_in_slurm(job["tag"])


def hold(place):
    job_id = place.queued()
    place.arm()
    place.insistent.act("hold", job_id)
    wait_until(lambda: place.insistent.job(job_id)["state"] == "held", 60, "the state held")
    place.let_start(job_id)
    assert place.insistent.job(job_id)["state"] == "held"
    place.insistent.act("release", job_id)
    place.all_end_done()


def release(place):
    job_id = place.queued()
    place.client.act("hold", job_id)
    place.client.wait(job_id, "held")
    place.let_start(job_id)
    place.arm()
    place.insistent.act("release", job_id)
    place.all_end_done()


def release_once(place):
    """The client does not ask again: what was stored is pursued."""
    job_id = place.queued()
    place.client.act("hold", job_id)
    place.client.wait(job_id, "held")
    place.let_start(job_id)
    place.arm()
    with contextlib.suppress(*PASSING):
        place.client.act("release", job_id)
    place.all_end_done()


def upload(place):
    job_id = place.post(place.request(files=["in", "more/in"])[0])[0]
    place.client.wait(job_id, "uploading")
    place.arm()
    for path in ("in", "more/in"):
        place.insistent.upload(job_id, path, b"content")
    place.all_end_done()
    assert place.insistent.client.file(job_id, "more/in") == b"content"


def forget(place):
    job_id = place.post(place.request()[0])[0]
    place.ends(job_id, "done", 1)
    place.arm()
    place.insistent.forget(job_id)
    place.forgotten.add(job_id)
    wait_until(lambda: not os.path.exists(place.berth.session(job_id)), 30, "the files to go")
    (_, key, _), = place.posts
    reply = place.client.post("/v1/jobs", place.posts[0][0], headers={"Idempotency-Key": key})
    assert reply.status == 410, reply


def take_up(place):
    """The daemon dies when it has just read its store, with jobs that run, wait and are new."""
    running, let_end = place.running()
    queued = place.queued()
    uploading = place.post(place.request(files=["in"])[0])[0]
    place.arm(at_start=True)
    wait_until(lambda: place.died.is_set(), 60, "the daemon to die")
    let_end()
    place.insistent.upload(uploading, "in", b"")
    place.let_start(queued)
    place.all_end_done()


def look_up(place):
    """The daemon died between intent and submission; it dies again when it looks for the batch job."""
    place.berth.order("intent_after")
    place.post(place.request(count=2)[0])
    place.berth.wait_for_death("intent_after")
    place.arm(at_start=True)
    place.all_end_done()


def retention(place):
    """A job that ended long ago is cleaned up, its neighbour is not."""
    old, young = (place.post(place.request()[0])[0] for _ in range(2))
    place.all_end_done()
    place.berth.stop()
    place.make_old(old)
    place.forgotten.add(old)
    place.arm(at_start=True)
    wait_until(lambda: place.died.is_set(), 120, "the daemon to die")
    wait_until(lambda: old not in {job["id"] for job in place.client.all_jobs()}, 120, "the old job to be forgotten", 1)
    assert not os.path.exists(place.berth.session(old))
    assert os.path.exists(place.berth.session(young))


def adopt(place):
    """An attempt that was given up starts after all, while the next one waits."""
    place.berth.stop()
    late = LateSubmission(place)
    place.berth.start()
    late.arm()
    job_id = place.post(place.request(**REQUEST)[0])[0]
    place.client.wait(job_id, "queued", 150)
    second = place.client.job(job_id)["tag"]
    place.arm()
    late.start(job_id)
    job = place.ends(job_id, "done", 1)
    assert job["tag"] != second, job
    place.nothing_is_left_in_slurm(second)


def rejected(place):
    """Slurm refuses the submission; if that is not known after the restart, it is asked again."""
    place.berth.stop()
    place.berth.settings["batch.slurm"]["options"] = {"constraint": "no-such-feature"}
    place.berth.write_config()
    place.berth.expected_errors.append("rejected")
    place.berth.start()
    place.arm()
    job = place.ends(place.post(place.request()[0])[0], "failed", 0)
    assert job["reason"] == "rejected" and "feature" in job["detail"], job


def restore(place):
    """The store is an old backup that does not know a job: its id, and the function that lets it end."""
    berth = place.berth
    backup = os.path.join(berth.directory, "backup.db")
    berth.berthctl("backup", backup)
    job_id, let_end = place.running()
    place.keys_lost.add(job_id)
    berth.stop()
    store = berth.settings["store"]["path"]
    for end in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(store + end)
    os.replace(backup, store)
    account.own(berth.directory)
    berth.start()
    wait_until(lambda: job_id in berth.berthctl("orphans", "sessions").stdout, 60, "the orphan")
    return job_id, let_end


def orphan_tag(berth):
    return wait_until(lambda: [one["tag"] for one in json.loads(berth.berthctl("--json", "orphans").stdout)["orphans"]],
                      60, "the tag")[0]


def orphans(place):
    """The operator adopts what a restored store does not know."""
    berth = place.berth
    _, let_end = restore(place)
    tag = orphan_tag(berth)
    place.arm()
    berth.berthctl("orphans", "adopt", tag, check=False)
    wait_until(place.died.is_set, 60, "the daemon to die")
    berth.berthctl("orphans", "adopt", tag, check=False)  # it may be adopted already
    let_end()
    place.all_end_done()


# Step -> (what is ordered beyond its name, scenario): "@WORD" a program, ":N" the Nth pass.
SCENARIOS = {
    "accept_before": [("", submit)],
    "accept_after": [("", submit), (":2", submit)],
    "adopt": [("", adopt)],
    "adopt_after": [("", orphans)],
    "adopt_before": [("", orphans)],
    "cancel_after": [("", cancel_queued), ("", cancel_running)],
    "cancel_before": [("", cancel_queued)],
    "cancel_sent": [("", cancel_queued), ("", cancel_running)],
    "commit_after": [("", submit), (":3", submit), (":5", submit)],
    "commit_before": [("", submit), (":3", submit), (":5", submit)],
    "events_read": [("", submit)],
    "fence_voided": [("", cancel_queued)],
    "forget_after": [("", forget)],
    "forget_before": [("", forget)],
    "hold_sent": [("", hold)],
    "hold_stored": [("", hold)],
    "intent_after": [("", submit)],
    "intent_before": [("", submit)],
    "looked_up": [("", look_up), (":3", look_up)],
    "marker_read": [("", submit), (":4", submit)],
    "outcome_after": [("", submit), ("", rejected)],
    "outcome_before": [("", submit), ("", cancel_after_the_restart), ("", rejected)],
    "output_read": [("@sbatch", submit), ("@sbatch:2", submit), ("@squeue", submit), ("@scancel", cancel_running)],
    "polled": [("", submit), ("", cancel_running)],
    "release_sent": [("", release)],
    "release_stored": [("", release), ("", release_once)],
    "retention_removed": [("", retention)],
    "retention_stored": [(":2", retention)],
    "session_made": [("", submit), (":2", submit)],
    "spawn_after": [("@sbatch", submit), ("@sbatch:3", submit), ("@sbatch", cancel_after_the_restart),
                    ("@squeue", submit), ("@scancel", cancel_running)],
    "spawn_before": [("@sbatch", submit), ("@scancel", cancel_queued), ("@scontrol", release)],
    "submit_after": [("", submit), (":2", submit)],
    "submit_before": [("", submit), ("", cancel_after_the_restart)],
    "taken_up": [("", take_up)],
    "upload_begun": [("", upload)],
    "upload_finished": [("", upload), (":2", upload)],
    "uploaded_after": [("", upload)],
    "uploaded_before": [("", upload)],
    "verdict_after": [("", submit), (":3", submit)],
    "verdict_before": [("", submit)],
}
