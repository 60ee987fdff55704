"""Uploads, listings and ranges of a job's files."""

import os
import shutil
import time

from support import account
from support.waiting import wait_until

CAT = "#!/bin/sh\ncat in.txt sub/more.txt\n"


def uploading(client, files=("in.txt", "sub/more.txt"), script=CAT):
    request = {"files": list(files)}
    if script:
        request["script"] = script
    job = client.submit(request)
    return client.wait(job["id"], "uploading")["id"]


def listing(client, job_id):
    reply = client.get("/v1/jobs/%s/files" % job_id)
    assert reply.status == 200, reply
    return {entry["path"]: entry for entry in reply.json()["files"]}


def test_a_job_waits_for_its_declared_files(client):
    job_id = uploading(client)
    assert client.job(job_id)["reason"] == "waiting_for_files"
    assert client.upload(job_id, "in.txt", b"one\n").status == 201
    assert client.upload(job_id, "in.txt", b"two\n").status == 204
    assert client.job(job_id)["state"] == "uploading"
    assert client.upload(job_id, "sub/more.txt", b"three\n").status == 201
    assert client.finish(job_id)["state"] == "done"
    assert client.stdout(job_id) == "two\nthree\n"


def test_the_script_may_be_an_upload(client):
    job_id = uploading(client, ["script"], None)
    assert client.upload(job_id, "script", b"#!/bin/sh\necho uploaded\n").status == 201
    assert client.finish(job_id)["state"] == "done"
    assert client.stdout(job_id) == "uploaded\n"


def test_every_job_of_a_count_waits_for_files_of_its_own(client):
    entries = client.submit({"script": "#!/bin/sh\ncat in.txt\n", "files": ["in.txt"], "count": 2})["jobs"]
    for number, entry in enumerate(entries):
        client.wait(entry["id"], "uploading")
        assert client.upload(entry["id"], "in.txt", b"%d\n" % number).status == 201
    assert [client.finish(entry["id"])["state"] for entry in entries] == ["done", "done"]
    assert [client.stdout(entry["id"]) for entry in entries] == ["0\n", "1\n"]


def test_a_large_upload_arrives_whole(client):
    job_id = uploading(client, ["in.txt"], "#!/bin/sh\ncksum <in.txt\n")
    data = os.urandom(1 << 20) * 20
    assert client.upload(job_id, "in.txt", data).status == 201
    assert client.finish(job_id)["state"] == "done"
    assert client.stdout(job_id).split()[1] == str(len(data))
    assert client.file(job_id, "in.txt") == data


def cut_upload(client, job_id, path):
    """Announces 1000 bytes, sends 500 and leaves."""
    head = "PUT /v1/jobs/%s/files/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n"
    with client.raw() as wire:
        wire.sendall((head % (job_id, path, client.token)).encode() + b"x" * 500)


def test_an_upload_that_is_cut_off_leaves_no_trace(site, client):
    job_id = uploading(client, ["in.txt", "other"], "#!/bin/sh\ncat in.txt\n")
    assert client.upload(job_id, "other", b"").status == 201
    before = listing(client, job_id)
    cut_upload(client, job_id, "in.txt")
    time.sleep(0.3)
    files = os.path.join(site.berth.session(job_id), "files")
    wait_until(lambda: os.listdir(files) == ["other"], 10, "the temporary file to go")
    assert listing(client, job_id) == before
    assert client.job(job_id)["state"] == "uploading"
    assert client.upload(job_id, "in.txt", b"whole\n").status == 201
    assert client.finish(job_id)["state"] == "done"
    assert client.stdout(job_id) == "whole\n"


def test_files_are_listed_with_size_time_and_type(client):
    job = client.run({"script": "#!/bin/sh\nmkdir -p out/deep\necho data >out/deep/a.txt\nln -s /etc/passwd link\necho hi\n"})
    found = listing(client, job["id"])
    assert set(found) == {"stdout", "stderr", "out", "out/deep", "out/deep/a.txt"}, found
    assert (found["out"]["type"], found["out/deep/a.txt"]["type"]) == ("directory", "file")
    assert (found["out/deep/a.txt"]["size"], found["stdout"]["size"], found["stderr"]["size"]) == (5, 3, 0)
    assert client.file(job["id"], "out/deep/a.txt") == b"data\n"
    assert client.request("HEAD", "/v1/jobs/%s/files" % job["id"]).status == 200


def test_links_that_lead_out_and_paths_that_escape_are_refused(client):
    script = "#!/bin/sh\nln -s /etc/passwd absolute\nln -s ../../../../../etc relative\nln -s / up\nmkdir d\nln -s ../../launch d/l\n"
    job_id = client.run({"script": script})["id"]
    for path in ("absolute", "relative/passwd", "up/etc/passwd", "d/l"):
        reply = client.get("/v1/jobs/%s/files/%s" % (job_id, path))
        assert reply.status in (403, 404) and b"root:" not in reply.body, (path, reply)
    for path in ("..", "../launch", "a/../../secret", "%2e%2e/secret", "..%2fsecret", "%2fetc%2fpasswd", "a%00b", "./stdout"):
        reply = client.get("/v1/jobs/%s/files/%s" % (job_id, path))
        assert reply.status == 400, (path, reply)


def test_uploads_through_a_link_do_not_leave_the_directory(site, client):
    target = site.path("target")
    os.mkdir(target)
    account.own(target)
    request, run = site.gated(arguments=[target])
    request["script"] = request["script"].replace("echo started", 'ln -s "$1" out\necho started')
    job_id = client.submit(request)["id"]
    run.wait_for_start()  # before it there is no stdout
    wait_until(lambda: client.job(job_id)["state"] == "running" and client.stdout(job_id), 30, "the payload's start")
    assert client.upload(job_id, "out/x", b"x").status == 403
    assert os.listdir(target) == []
    run.go()
    client.finish(job_id)


def test_berths_own_files_are_out_of_reach(client):
    job_id = client.run({"script": "#!/bin/sh\n"})["id"]
    for name in ("launch", "secret", "fence", "script"):
        assert client.get("/v1/jobs/%s/files/%s" % (job_id, name)).status == 404


def test_a_file_can_be_sent_to_a_running_job_and_removed(site, client):
    request, run = site.gated()
    job_id = client.submit(request)["id"]
    client.wait(job_id, "running")
    run.wait_for_start()
    path = "/v1/jobs/%s/files/late" % job_id
    assert client.upload(job_id, "late", b"late\n").status == 201
    assert client.file(job_id, "late") == b"late\n"
    assert client.request("DELETE", path).status == 204
    assert client.get(path).status == 404
    assert client.request("DELETE", path).status == 404
    for name in ("stdout", "stderr"):
        assert client.upload(job_id, name, b"x").status == 409
        assert client.request("DELETE", "/v1/jobs/%s/files/%s" % (job_id, name)).status == 409
    run.go()
    assert client.finish(job_id)["state"] == "done"
    assert client.upload(job_id, "late", b"x").status == 409


def test_a_directory_is_no_file(client):
    job_id = client.run({"script": "#!/bin/sh\nmkdir -p out\ntouch out/x\n"})["id"]
    assert client.get("/v1/jobs/%s/files/out" % job_id).status == 409
    assert client.request("DELETE", "/v1/jobs/%s/files/out" % job_id).status == 409


def test_a_part_of_a_file_cannot_be_put(client):
    job_id = uploading(client)
    reply = client.request("PUT", "/v1/jobs/%s/files/in.txt" % job_id, b"x", headers={"Content-Range": "bytes 0-0/5"})
    assert (reply.status, reply.json()["field"]) == (400, "Content-Range"), reply
    assert listing(client, job_id) == {}


def test_a_session_directory_that_is_gone_is_said(site, client):
    job_id = uploading(client)
    assert client.upload(job_id, "in.txt", b"x").status == 201
    shutil.rmtree(site.berth.session(job_id))
    assert client.upload(job_id, "sub/more.txt", b"x").status == 410
    assert not os.path.exists(site.berth.session(job_id))
    client.act("cancel", job_id)
    client.finish(job_id)


def test_an_upload_over_the_limit_is_refused_and_leaves_no_trace(make_berth):
    berth = make_berth({"api": {"upload_bytes_max": "1MB"}, "jobs": {"session_bytes_max": "1500kB"}})
    client = berth.client()
    job_id = uploading(client)
    reply, _ = client.send_much("PUT", "/v1/jobs/%s/files/in.txt" % job_id, 1_000_001, {})
    assert reply.status == 413, reply
    assert client.upload(job_id, "in.txt", b"x" * 1_000_000).status == 201
    reply = client.upload(job_id, "sub/more.txt", b"x" * 1_000_000)
    assert reply.status == 413, "the quota of the account: %r" % reply
    assert set(listing(client, job_id)) <= {"in.txt", "sub"}
    assert client.job(job_id)["state"] == "uploading"


def test_an_account_over_its_quota_gets_no_new_jobs_until_it_deletes_some(make_berth):
    berth = make_berth({"jobs": {"session_bytes_max": "1MB"}})
    client = berth.client()
    script = "#!/bin/sh\nhead -c 1500000 /dev/zero >data\n"
    job = client.run({"script": script})
    assert job["state"] == "done", job

    def refusal():
        reply = client.post("/v1/jobs", {"script": script})
        return reply if reply.status == 429 else None

    refused = wait_until(refusal, 30, "the ended job to be measured", 0.5)
    assert "limit" in refused.json()["detail"] and "retry-after" in refused.headers, refused
    for one in client.all_jobs():
        client.finish(one["id"])
        assert client.request("DELETE", "/v1/jobs/" + one["id"]).status == 204
    wait_until(lambda: client.post("/v1/jobs", {"script": "#!/bin/sh\n"}).status == 201, 30, "room again", 0.5)
    assert "berth_account_bytes" in berth.observe("/metrics")[1]


def test_an_upload_cannot_stand_in_the_way_of_a_declared_file(client):
    job_id = uploading(client)  # declares in.txt and sub/more.txt
    for path in ("in.txt/x", "sub"):
        reply = client.upload(job_id, path, b"x")
        assert reply.status == 409 and "declared" in reply.json()["detail"], (path, reply)
    assert client.upload(job_id, "free", b"x").status == 201
    reply = client.upload(job_id, "free/below", b"x")
    assert reply.status == 409 and "is a file" in reply.json()["detail"], reply
    client.act("cancel", job_id)


def test_preconditions_of_files_hold(client):
    job_id = uploading(client)
    target = "/v1/jobs/%s/files/in.txt" % job_id
    octets = {"Content-Type": "application/octet-stream"}
    assert client.request("PUT", target, b"one", headers=dict(octets, **{"If-None-Match": "*"})).status == 201
    assert client.request("PUT", target, b"two", headers=dict(octets, **{"If-None-Match": "*"})).status == 412
    assert client.request("PUT", target, b"two", headers=dict(octets, **{"If-Match": '"no"'})).status == 412
    reply = client.get(target)
    assert reply.body == b"one"
    tag = reply.headers["etag"]
    assert client.get(target, headers={"If-None-Match": tag}).status == 304
    assert client.get(target, headers={"If-None-Match": '"other", ' + tag}).status == 304
    assert client.get(target, headers={"If-None-Match": '"other"'}).status == 200
    assert client.get(target, headers={"If-Match": '"other"'}).status == 412
    client.act("cancel", job_id)
