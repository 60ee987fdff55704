"""Idempotency keys: one answer for one body, whatever the network does."""

import concurrent.futures
import json
import secrets

import pytest

from support.site import COUNTED


def key():
    return secrets.token_hex(8)


def post(client, body, name):
    headers = {"Idempotency-Key": name, "Content-Type": "application/json"}
    return client.request("POST", "/v1/jobs", body if isinstance(body, bytes) else json.dumps(body).encode(), headers)


def test_the_same_body_gets_the_same_answer_and_one_job(site, client):
    request, run = site.counted()
    name = key()
    first = post(client, request, name)
    assert first.status == 201, first
    job_id = first.json()["id"]
    assert client.finish(job_id)["state"] == "done"
    again = post(client, request, name)
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert len(client.all_jobs()) == 1
    run.assert_once()


def test_another_body_under_the_same_key_is_refused(client):
    name = key()
    assert post(client, b'{"script": "#!/bin/sh\\n"}', name).status == 201
    for body in (b'{"script": "#!/bin/sh\\n", "name": "x"}', b'{"script":"#!/bin/sh\\n"}', b'{"jobs": 5}'):
        reply = post(client, body, name)
        assert (reply.status, reply.json()["field"]) == (422, "Idempotency-Key"), reply
    assert len(client.all_jobs()) == 1


def test_a_key_belongs_to_its_identity(site, client):
    name, body = key(), {"script": "#!/bin/sh\n"}
    mine = post(client, body, name).json()["id"]
    theirs = post(site.berth.client("somebody-else"), body, name).json()["id"]
    assert mine != theirs


def test_after_delete_the_key_is_gone_for_good(client):
    name, body = key(), {"script": "#!/bin/sh\n"}
    job_id = post(client, body, name).json()["id"]
    client.finish(job_id)
    assert client.request("DELETE", "/v1/jobs/" + job_id).status == 204
    for _ in range(2):
        reply = post(client, body, name)
        assert (reply.status, reply.json()["old_id"]) == (410, job_id), reply
    assert client.all_jobs() == []


def test_parallel_duplicates_make_one_job(site, client):
    request, run = site.counted()
    name = key()
    clients = [client.clone() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda one: post(one, request, name), clients))
    assert {reply.status for reply in replies} == {201}, replies
    assert len({reply.body for reply in replies}) == 1
    assert client.finish(replies[0].json()["id"])["state"] == "done"
    assert len(client.all_jobs()) == 1
    run.assert_once()


def test_a_count_is_repeated_as_a_whole(site, client):
    request, run = site.counted('#!/bin/sh\necho "$BERTH_JOB_ID" >>"$LEDGER"\n', count=5)
    name = key()
    first = post(client, request, name)
    assert post(client, request, name).body == first.body
    ids = [entry["id"] for entry in first.json()["jobs"]]
    assert [client.finish(job_id)["state"] for job_id in ids] == ["done"] * 5
    assert sorted(run.starts()) == sorted(ids)


def test_per_item_refusals_are_repeated_too(client):
    body = {"jobs": [{"script": "#!/bin/sh\n"}, {"script": "#!/bin/sh\n", "queue": "nowhere"}]}
    name = key()
    first = post(client, body, name)
    assert first.status == 201
    assert post(client, body, name).body == first.body
    assert len(client.all_jobs()) == 1


@pytest.mark.parametrize("body, status", [
    (b"{", 400), (b'{"script": 5}', 422), (b'{"script": "x", "queue": "nowhere"}', 422),
    (b'{"jobs": [{"script": "x", "queue": "nowhere"}]}', 422),
])
def test_an_answer_that_created_nothing_leaves_the_key_free(client, body, status):
    name = key()
    assert post(client, body, name).status == status
    assert post(client, {"script": COUNTED}, name).status == 201


def test_a_dry_run_keeps_no_key(client):
    name = key()
    body = {"script": "#!/bin/sh\n"}
    reply = client.post("/v1/jobs?dry_run=true", dict(body, name="dry"), headers={"Idempotency-Key": name})
    assert reply.status == 200
    assert post(client, body, name).status == 201


def test_without_a_key_each_post_is_a_job_of_its_own(client):
    body = {"script": "#!/bin/sh\n"}
    assert client.submit(body)["id"] != client.submit(body)["id"]


@pytest.mark.parametrize("name", ["", "a b", "ü".encode().decode("latin-1"), "x" * 256])
def test_a_malformed_key_is_refused(client, name):
    reply = post(client, {"script": "#!/bin/sh\n"}, name)
    assert (reply.status, reply.json()["field"]) == (400, "Idempotency-Key"), reply
    assert client.all_jobs() == []
