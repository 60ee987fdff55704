"""The life of jobs, on every batch plugin."""

import os
import re

import pytest

from support import account
from support.berth import LEAK
from support.client import FINAL
from support.site import COUNTED

HELLO = "#!/bin/sh\necho hello\necho oops >&2\n"
# What the site may add to the environment that was asked for (docs/api.md; the batch system's own
# variables are passed on).
SITE_ADDS = re.compile(r"(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|PWD|OLDPWD|SHLVL|_|BERTH_JOB_ID|MACHINEFEATURES|JOBFEATURES"
                       r"|SITE_NAME|(SLURM|SLURMD|PBS|PMI|PMIX|CUDA|ROCR|ZE|GPU|NVIDIA)_\w*)\Z")


def test_a_job_is_accepted_runs_and_is_done(site, client):
    reply = client.post("/v1/jobs", {"name": "p1", "script": HELLO})
    assert reply.status == 201, reply
    job = reply.json()
    assert reply.headers["location"] == "/v1/jobs/" + job["id"]
    assert (job["name"], job["account"], job["attempts"]) == ("p1", account.NAME, 0)
    job = client.finish(job["id"])
    assert (job["state"], job["exit_code"], job["signal"], job["reason"]) == ("done", 0, None, None), job
    assert job["batch_id"] and job["tag"] and job["attempts"] == 1
    assert job["created"] <= job["started"] <= job["ended"]
    assert client.stdout(job["id"]) == "hello\n"
    assert client.file(job["id"], "stderr") == b"oops\n"


def test_a_job_without_a_name_has_an_empty_one(client):
    assert client.submit({"script": HELLO})["name"] == ""


def test_a_payload_runs_exactly_once(site, client):
    request, run = site.counted()
    assert client.run(request)["state"] == "done"
    run.assert_once()


@pytest.mark.parametrize("status", [1, 3, 127, 255])
def test_a_nonzero_exit_status_fails_the_job(client, status):
    job = client.run({"script": "#!/bin/sh\nexit %d\n" % status})
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "exit_code", status), job


@pytest.mark.parametrize("name, number", [("SEGV", 11), ("KILL", 9), ("TERM", 15)])
def test_death_by_a_signal_fails_the_job(client, name, number):
    job = client.run({"script": "#!/bin/sh\nkill -%s $$\nsleep 5\n" % name})
    assert (job["state"], job["reason"], job["signal"], job["exit_code"]) == ("failed", "signal", number, None), job


def test_arguments_and_environment_arrive_byte_for_byte(client):
    arguments = ["", " ", "a b", "*", "$HOME", "`id`", "a'b\"c", "back\\slash", "new\nline", "-n", "--", "ünï", "tab\tx", "%s"]
    environment = {"EMPTY": "", "QUOTES": "'\"`$(id)`", "SPACES": "  a  b ", "STAR": "*", "UNI": "grüße €", "EQUALS": "a=b",
                   "TAB": "a\tb", "BACK": "\\n", "_x1": "low", "PATH": "/usr/bin:/bin", "COMMA": "a,b;c"}
    script = "#!/bin/sh\n/usr/bin/env -0 >env.txt\n[ $# = 0 ] || printf '%s\\0' \"$@\" >args.txt\n"
    job = client.run({"script": script, "arguments": arguments, "environment": environment})
    assert job["state"] == "done", job
    assert client.file(job["id"], "args.txt").decode().split("\0")[:-1] == arguments
    found = dict(entry.split("=", 1) for entry in client.file(job["id"], "env.txt").decode().split("\0")[:-1])
    assert {name: found.get(name) for name in environment} == environment
    extra = set(found) - set(environment)
    assert LEAK not in extra
    assert not [name for name in extra if not SITE_ADDS.match(name)], sorted(extra)
    assert found["SITE_NAME"] == "e2e site"
    assert found["BERTH_JOB_ID"] == job["id"]


def test_the_payload_starts_in_its_own_directory_with_machine_and_job_features(client):
    script = "#!/bin/sh\npwd\ncat $JOBFEATURES/wall_limit_secs $JOBFEATURES/allocated_cpu $MACHINEFEATURES/total_cpu\n"
    job = client.run({"script": script, "resources": {"slots": 2, "wall_time_s": 600}})
    lines = client.stdout(job["id"]).splitlines()
    assert job["id"] in lines[0]
    assert lines[1:3] == ["600", "2"] and int(lines[3]) > 0, lines


def test_output_is_readable_while_the_job_runs(site, client):
    request, run = site.gated()
    job = client.submit(request)
    client.wait(job["id"], "running")
    run.wait_for_start()
    path = "/v1/jobs/%s/files/stdout" % job["id"]
    part = client.get(path, headers={"Range": "bytes=0-3"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"star", "bytes 0-3/8"), part
    assert client.get(path, headers={"Range": "bytes=-3"}).body == b"ed\n"
    assert client.get(path, headers={"Range": "bytes=8-"}).status == 416
    head = client.request("HEAD", path)
    assert (head.status, head.headers["content-length"]) == (200, "8")
    run.go()
    assert client.finish(job["id"])["state"] == "done"
    assert client.get(path, headers={"Range": "bytes=8-"}).body == b"finished\n"
    run.assert_once()


def test_a_queued_job_is_cancelled_and_never_starts(site, client):
    job, run, let_go = site.waiting(client)
    assert client.act("cancel", job["id"])["cancel_requested"]
    job = client.finish(job["id"])
    assert (job["state"], job["reason"], job["source"]) == ("cancelled", "cancelled_by_user", "store"), job
    if not site.slurm:
        let_go()
    run.assert_never()


def test_a_running_job_is_cancelled(site, client):
    request, run = site.gated()
    job = client.submit(request)
    client.wait(job["id"], "running")
    run.wait_for_start()
    client.act("cancel", job["id"])
    job = client.finish(job["id"])
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled_by_user"), job
    assert client.act("cancel", job["id"])["state"] == "cancelled"
    run.assert_once()


def test_a_cancelled_payload_gets_the_chance_to_clean_up(site, client):
    script = "#!/bin/sh\ntrap 'echo cleaned; exit 0' TERM\necho \"$STAMP\" >>\"$LEDGER\"\ni=0\nwhile [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done\n"
    request, run = site.counted(script)
    job = client.submit(request)
    run.wait_for_start()
    client.act("cancel", job["id"])
    assert client.finish(job["id"])["state"] == "cancelled"
    assert "cleaned" in client.stdout(job["id"])


def test_a_job_that_ended_by_itself_keeps_its_result(client):
    job = client.run({"script": HELLO})
    for verb in ("cancel", "hold", "release"):
        assert client.post("/v1/jobs/%s/%s" % (job["id"], verb)).status == 409
    assert client.job(job["id"])["state"] == "done"


def test_a_queued_job_is_held_and_released(site, client):
    job, run, let_go = site.waiting(client)
    client.act("hold", job["id"])
    job = client.wait(job["id"], "held")
    assert job["reason"] == "held_by_user", job
    assert client.act("hold", job["id"])["state"] == "held"
    let_go()
    client.act("release", job["id"])
    assert client.finish(job["id"])["state"] == "done"
    run.assert_once()


def test_a_running_job_cannot_be_held(site, client):
    request, run = site.gated()
    job = client.submit(request)
    client.wait(job["id"], "running")
    assert client.post("/v1/jobs/%s/hold" % job["id"]).status == 409
    run.go()
    assert client.finish(job["id"])["state"] == "done"


def test_a_count_of_fifty_is_one_array(site, client):
    request, run = site.counted('#!/bin/sh\necho "$BERTH_JOB_ID" >>"$LEDGER"\n', name="burst", count=50)
    entries = client.submit(request)["jobs"]
    assert [entry["status"] for entry in entries] == [201] * 50
    ids = [entry["id"] for entry in entries]
    assert len(set(ids)) == 50
    jobs = [client.finish(job_id, 90) for job_id in ids]
    assert {job["state"] for job in jobs} == {"done"}
    assert len({job["tag"] for job in jobs}) == 1, "more than one batch job"
    assert [job["count_index"] for job in jobs] == list(range(50))
    assert len({job["batch_id"] for job in jobs}) == 50
    assert sorted(run.starts()) == sorted(ids)
    if site.slurm:
        assert len(site.slurm.states(jobs[0]["tag"])) == 50


def test_one_task_of_an_array_is_cancelled_alone(site, client):
    request, run = site.gated(count=3)
    ids = [entry["id"] for entry in client.submit(request)["jobs"]]
    for job_id in ids:
        client.wait(job_id, "running")
    run.wait_for_start(3)
    client.act("cancel", ids[1])
    assert client.finish(ids[1])["state"] == "cancelled"
    run.go()
    assert [client.finish(job_id)["state"] for job_id in ids] == ["done", "cancelled", "done"]


def test_a_script_with_its_own_interpreter_runs_in_it(client):
    job = client.run({"script": "#!/usr/bin/python3\nimport sys\nprint(sys.argv[1:])\n", "arguments": ["x", "y z"]})
    assert client.stdout(job["id"]) == "['x', 'y z']\n"


def test_large_output_arrives_whole(client):
    job = client.run({"script": "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n"})
    assert client.file(job["id"], "stdout") == b"x" * 3000000


def test_a_finished_job_is_deleted_with_its_files(site, client):
    job = client.run({"script": COUNTED, "environment": {"STAMP": "x", "LEDGER": os.devnull}})
    assert os.path.isdir(site.berth.session(job["id"]))
    assert client.request("DELETE", "/v1/jobs/" + job["id"]).status == 204
    for method, path in (("GET", ""), ("GET", "/files"), ("GET", "/files/stdout"), ("DELETE", ""), ("POST", "/cancel")):
        assert client.request(method, "/v1/jobs/%s%s" % (job["id"], path)).status == 404
    assert client.all_jobs() == []
    assert not os.path.exists(site.berth.session(job["id"]))


def test_a_job_that_has_not_ended_is_not_deleted(site, client):
    job = client.submit({"script": HELLO, "files": ["never"]})
    assert client.request("DELETE", "/v1/jobs/" + job["id"]).status == 409
    assert client.job(job["id"])["state"] == "uploading"
    client.act("cancel", job["id"])
    assert client.finish(job["id"])["state"] in FINAL


def test_a_dry_run_shows_everything_and_submits_nothing(site, client):
    before = site.berth.session_names()
    reply = client.post("/v1/jobs?dry_run=true", {"name": "p1", "script": HELLO, "count": 5, "resources": {"wall_time_s": 600}})
    assert reply.status == 200, reply
    (item,) = reply.json()["items"]
    assert item["account"] == account.NAME and item["tag"] is None
    assert item["script"].startswith("#!/bin/sh\n") and "fence" in item["script"]
    if site.slurm:
        assert item["command"][0].endswith("sbatch") and "--no-requeue" in item["command"]
    assert client.all_jobs() == []
    assert site.berth.session_names() == before


def test_a_dry_run_of_a_list_shows_each_refusal(client):
    jobs = [{"script": HELLO}, {"script": HELLO, "queue": "nowhere"}]
    reply = client.post("/v1/jobs?dry_run=true", {"jobs": jobs})
    assert [item["status"] for item in reply.json()["items"]] == [200, 422]
    reply = client.post("/v1/jobs?dry_run=true", jobs[1])
    assert (reply.status, reply.json()["field"]) == (422, "queue"), reply


@pytest.mark.last
def test_the_wall_time_ends_a_job_after_a_warning(site):
    client = site.berth.client("slow")
    job = client.finish(site.slow_job["id"], 150)
    assert (job["state"], job["reason"]) == ("failed", "walltime"), job
    assert "warned" in client.stdout(job["id"])
