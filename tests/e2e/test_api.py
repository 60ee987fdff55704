"""Lists, bulk calls, long polls, events and the documents, on every batch plugin."""

import json
import threading
import time
import urllib.parse

import pytest

from support.client import FINAL
from support.waiting import wait_until

OK = "#!/bin/sh\n"
BAD = "#!/bin/sh\nexit 1\n"
ABSENT = "0" * 22


def parked(client, name="p", count=3):
    """Jobs that stay as they are: nobody uploads their file."""
    return [client.submit({"name": name, "script": OK, "files": ["never"]})["id"] for _ in range(count)]


def test_jobs_are_listed_newest_first(client):
    ids = parked(client)
    assert [job["id"] for job in client.all_jobs()] == ids[::-1]


def test_a_list_is_filtered_by_state_and_name(client):
    done = client.run({"name": "good", "script": OK})["id"]
    failed = client.run({"name": "bad", "script": BAD})["id"]
    (other,) = parked(client, "good", 1)
    client.wait(other, "uploading")
    find = lambda query: {job["id"] for job in client.all_jobs(query)}
    assert find("state=done") == {done}
    assert find("state=done,failed") == {done, failed}
    assert find("state=done&state=uploading") == {done, other}
    assert find("state=held") == set()
    assert find("name=good") == {done, other}
    assert find("name=good&state=done") == {done}
    assert find("name=goo") == set()


def test_a_list_is_filtered_by_the_time_of_the_last_change(client):
    first = client.run({"script": OK})
    time.sleep(0.01)
    second = client.run({"script": OK})
    find = lambda since: {job["id"] for job in client.all_jobs("since=" + urllib.parse.quote(since))}
    assert find(second["updated"]) == {second["id"]}
    assert find(first["updated"]) == {first["id"], second["id"]}
    assert find("2099-01-01T00:00:00Z") == set()


def test_pages_join_to_the_whole_list_while_new_jobs_come(client):
    ids = parked(client, count=7)
    page = client.get("/v1/jobs?limit=3").json()
    assert [job["id"] for job in page["jobs"]] == ids[:3:-1]
    parked(client, count=2)
    seen = page["jobs"]
    while page["next"]:
        page = client.get("/v1/jobs?limit=3&cursor=" + urllib.parse.quote(page["next"])).json()
        seen += page["jobs"]
    assert [job["id"] for job in seen] == ids[::-1]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_last_page_has_no_cursor_also_when_it_is_full(client, count):
    ids = parked(client, count=count)
    sizes, page = [], {"next": ""}
    while page["next"] is not None:
        cursor = "&cursor=" + page["next"] if page["next"] else ""
        page = client.get("/v1/jobs?limit=3" + cursor).json()
        sizes.append(len(page["jobs"]))
    assert sum(sizes) == len(ids) and sizes == [3] * (count // 3) + [1] * (count % 3), sizes


def test_many_jobs_are_read_at_once_in_request_order(client):
    ids = parked(client)
    reply = client.post("/v1/jobs/status", {"ids": [ids[2], ABSENT, ids[0], "../x"]})
    assert reply.status == 200, reply
    entries = reply.json()["jobs"]
    assert [entry["id"] for entry in entries] == [ids[2], ABSENT, ids[0], "../x"]
    assert [entry.get("status") for entry in entries] == [None, 404, None, 404]


def test_a_list_is_submitted_with_a_result_for_each(site, client):
    good, first = site.counted()
    good2, second = site.counted(count=2)
    reply = client.post("/v1/jobs", {"jobs": [good, {"script": OK, "queue": "nowhere"}, good2, {"script": 5}]})
    assert reply.status == 201, reply
    entries = reply.json()["jobs"]
    assert [(entry["item"], entry["status"]) for entry in entries] == [(0, 201), (1, 422), (2, 201), (2, 201), (3, 422)]
    assert (entries[1]["problem"]["field"], entries[4]["problem"]["field"]) == ("queue", "script")
    assert "location" not in reply.headers
    ids = [entry["id"] for entry in entries if "id" in entry]
    assert [client.finish(job_id)["state"] for job_id in ids] == ["done"] * 3
    first.assert_once()
    assert second.starts() == [second.stamp] * 2
    assert len(client.all_jobs()) == 3


def test_a_list_of_one_answers_as_a_list(client):
    (entry,) = client.submit({"jobs": [{"script": OK}]})["jobs"]
    assert entry["status"] == 201
    client.finish(entry["id"])


def test_a_list_in_which_everything_is_refused_has_the_status_of_the_first(client):
    reply = client.post("/v1/jobs", {"jobs": [{"script": OK, "queue": "nowhere"}, {"name": "x"}]})
    assert reply.status == 422, reply
    assert [entry["status"] for entry in reply.json()["jobs"]] == [422, 422]
    assert client.all_jobs() == []


def test_many_jobs_are_held_released_and_cancelled_at_once(client):
    ids = parked(client) + [ABSENT]
    for verb in ("hold", "release", "cancel"):
        reply = client.post("/v1/jobs/" + verb, {"ids": ids})
        assert reply.status == 200, reply
        entries = reply.json()["jobs"]
        assert [entry["id"] for entry in entries] == ids
        assert [entry["status"] for entry in entries] == [202, 202, 202, 404], (verb, entries)
    for job_id in ids[:3]:
        assert client.finish(job_id)["reason"] == "cancelled_by_user"


def test_a_long_poll_answers_when_the_state_changes(site, client):
    request, run = site.gated()
    job_id = client.submit(request)["id"]
    client.wait(job_id, "running")
    run.wait_for_start()
    answer = {}

    def poll():
        with_wait = "/v1/jobs/%s?wait=30s&state_not=running" % job_id
        answer["job"] = client.clone().get(with_wait, timeout=40).json()
        answer["at"] = time.monotonic()

    waiter = threading.Thread(target=poll)
    waiter.start()
    time.sleep(0.5)
    assert not answer
    run.go()
    begin = time.monotonic()
    waiter.join(30)
    assert answer["job"]["state"] in FINAL + ["staging_out"]
    assert answer["at"] - begin < 10


def test_a_long_poll_ends_after_its_time_with_the_job_as_it_is(client):
    (job_id,) = parked(client, count=1)
    client.wait(job_id, "uploading")
    for query in ("wait=1s&state_not=uploading", "wait=1"):
        begin = time.monotonic()
        reply = client.get("/v1/jobs/%s?%s" % (job_id, query))
        assert reply.json()["state"] == "uploading"
        assert 0.9 < time.monotonic() - begin < 5
    begin = time.monotonic()
    assert client.get("/v1/jobs/%s?wait=30s&state_not=done,failed" % job_id).json()["state"] == "uploading"
    assert time.monotonic() - begin < 5, "the state differed already"


def test_events_tell_every_change_of_ones_own_jobs(site, client):
    stream = client.events()
    other = site.berth.client("somebody-else")
    foreign = other.submit({"script": OK})["id"]
    job_id = client.submit({"script": OK})["id"]
    events = stream.until(job_id, "done")
    stream.close()
    assert {event["job"] for event in events} == {job_id}
    assert events[0]["state"] == "accepted"
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert other.finish(foreign)["state"] == "done"


def test_events_are_resumed_without_a_gap(client):
    stream = client.events()
    job_id = client.submit({"script": OK})["id"]
    events = stream.until(job_id, "done")
    stream.close()
    middle = len(events) // 2
    for last, expected in ((events[middle - 1]["seq"], events[middle:]), (0, events)):
        again = client.events(last)
        assert again.until(job_id, "done") == expected
        again.close()


def test_events_agree_with_the_job(client):
    stream = client.events()
    job_id = client.submit({"script": BAD})["id"]
    last = stream.until(job_id, "failed")[-1]
    stream.close()
    job = client.job(job_id)
    assert (last["state"], last["reason"], last["time"]) == (job["state"], job["reason"], job["updated"])


def test_every_answer_says_its_source_and_age(client):
    job = client.run({"script": OK})
    assert job["source"] in ("marker", "queue", "history", "event") and job["age_s"] < 60, job
    (job_id,) = parked(client, count=1)
    assert client.job(job_id)["source"] == "store"


def test_the_site_tells_queues_limits_and_what_nodes_reach(site, client):
    found = client.get("/v1/site").json()
    queues = {queue["name"]: queue for queue in found["queues"]}
    assert found["batch"]["plugin"] == site.berth.settings["jobs"]["batch"]
    assert found["limits"]["count_max"] == 10000
    if site.slurm:
        assert {"grid", "short", "long", "whole"} <= set(queues)
        assert queues["grid"]["default"] and queues["grid"]["nodes_max"] in (2, None)
        assert queues["short"]["wall_time_max_s"] == 1800
        assert (queues["grid"]["gpus_per_node_max"], queues["grid"]["gpu_models"]) == (2, ["a100"])
        assert "x86_64-v3" in queues["grid"]["architectures"]
    else:
        assert len(queues) == 1
        assert next(iter(queues.values()))["slots_max"] == 4


def test_the_document_is_served_as_it_is_in_the_source(client, contract):
    with open(contract.path, "rb") as file:
        assert client.clone(None).get("/openapi.json").json() == json.load(file)


def test_health_is_told_without_a_token(site, client):
    stranger = client.clone(None)
    assert stranger.get("/health/live").json() == {"status": "ok"}
    assert stranger.get("/health/ready").json()["status"] in ("ok", "degraded")
    names = {entry["name"]: entry for entry in stranger.get("/health").json()["dependencies"]}
    assert names["store"]["state"] == "ok" and "batch" in names, names
    assert {entry["error"] for entry in names.values()} == {None}
    assert site.berth.observe("/health/live")[0] == 200
    assert site.berth.observe("/health")[0] == 200


def test_methods_and_paths_that_do_not_exist(client):
    assert client.get("/v1/nothing").status == 404
    assert client.get("/").status == 404
    reply = client.request("DELETE", "/v1/jobs")
    assert reply.status == 405 and {"GET", "POST"} <= set(reply.headers["allow"].replace(" ", "").split(",")), reply
    assert client.request("PUT", "/v1/site", b"").status == 405
    assert client.request("PATCH", "/v1/jobs", b"").status == 405
    assert client.request("TRACE", "/v1/jobs").status == 501
    assert client.request("HEAD", "/v1/jobs").status == 200


def test_one_connection_serves_many_requests(client):
    (job_id,) = parked(client, count=1)
    client.job(job_id)
    first = client.connection.sock
    for _ in range(20):
        client.job(job_id)
        assert client.get("/v1/jobs/" + ABSENT).status == 404
    assert client.connection.sock is first


def test_a_path_that_is_written_out_wins_over_one_with_a_parameter(client):
    for target, allowed in (("/v1/jobs/status", "POST"), ("/v1/jobs/cancel", "POST"), ("/v1/jobs", "GET, POST")):
        reply = client.request("DELETE", target)
        assert reply.status == 405, reply
        assert set(reply.headers["allow"].split(", ")) >= set(allowed.split(", ")), reply.headers
    for method in ("PATCH", "OPTIONS"):
        assert client.request(method, "/v1/jobs").status == 405


def test_an_unknown_query_parameter_is_refused_everywhere(client):
    for target in ("/health", "/health/ready", "/openapi.json", "/v1/site"):
        assert client.get(target + "?x=1").status == 400, target


def test_the_start_of_a_running_job_is_told_while_it_runs(site, client):
    request, run = site.gated()
    job = client.submit(request)
    run.wait_for_start()
    started = wait_until(lambda: client.job(job["id"])["started"], 20, "the start time")
    run.go()
    # The wrapper's own time, in whole seconds, takes the place of the time at which the start was seen.
    ended = client.finish(job["id"])
    assert ended["created"] <= ended["started"] <= started, (ended, started)
