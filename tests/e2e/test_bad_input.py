"""Every bad input gets a clear 4xx that names the field, and leaves no trace."""

import json

import pytest

OK = "#!/bin/sh\n"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def traceless(site, client):
    """After the test there is no job, no batch job and no file more than before."""
    files = site.berth.session_names()
    batch_jobs = site.slurm.count() if site.slurm else 0
    yield client
    assert client.all_jobs() == []
    assert site.berth.session_names() <= files
    if site.slurm:
        assert site.slurm.count() <= batch_jobs


def job(**members):
    return dict({"script": OK}, **members)


def resources(**members):
    return job(resources=members)


def refused(client, status, field, reply):
    assert reply.status == status, reply
    problem = reply.json()
    assert problem.get("field") == field, problem
    assert len(problem["detail"]) > 10, problem


@pytest.mark.parametrize("body", [
    b"", b"{", b"{}}", b"\xff\xfe{}", b'{"script": "x"} x', b'{"script": NaN}', b"{'script': 'x'}", b'{"script": "x",}',
    b'{"script": "x", "script": "y"}', b'{"script": "\\ud800"}', b'{"script": "\xc0\xaf"}', b'{"script": "a\nb"}',
    b'{"resources":' * 20 + b"1" + b"}" * 20, b"[" * 100000, b'{"count": 01}', b'\xef\xbb\xbf{"script": "x"}',
    b'{"script": "x", "\\u0073cript": "y"}', b"\0",
])
def test_malformed_json(traceless, body):
    reply = traceless.request("POST", "/v1/jobs", body, JSON)
    assert reply.status == 400, reply


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"script"', b"true", b'[{"script": "x"}]'])
def test_a_body_that_is_no_object(traceless, body):
    assert traceless.request("POST", "/v1/jobs", body, JSON).status == 422


@pytest.mark.parametrize("headers", [
    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
])
def test_other_media_than_json(traceless, headers):
    assert traceless.request("POST", "/v1/jobs", json.dumps(job()).encode(), headers).status == 415


BAD_MEMBERS = [
    # unknown members
    (job(colour="red"), "colour"), (job(Script="x"), "Script"), (resources(cores=4), "resources.cores"),
    (resources(gpus={"count": 1, "type": "a100"}), "resources.gpus.type"), (job(jobs_=1), "jobs_"),
    # wrong types
    ({"script": 5}, "script"), ({"script": None}, "script"), ({"script": ["a"]}, "script"), (job(name=7), "name"),
    (job(name=None), "name"), (job(arguments="a"), "arguments"), (job(arguments=["a", 5]), "arguments[1]"),
    (job(environment=["A=1"]), "environment"), (job(environment={"A": 1}), "environment.A"),
    (job(environment={"A": None}), "environment.A"), (job(queue=1), "queue"), (job(project=[]), "project"),
    (job(count="3"), "count"), (job(count=1.5), "count"), (job(count=True), "count"), (job(files="in"), "files"),
    (job(files=[5]), "files[0]"), (job(resources=[]), "resources"), (resources(nodes="1"), "resources.nodes"),
    (resources(slots=None), "resources.slots"), (resources(exclusive="yes"), "resources.exclusive"),
    (resources(gpus=1), "resources.gpus"), (resources(gpus={"count": "1"}), "resources.gpus.count"),
    (resources(gpus={"model": "a100"}), "resources.gpus.count"), (resources(architecture=1), "resources.architecture"),
    # script
    ({}, "script"), ({"name": "x"}, "script"), ({"files": ["data"]}, "script"), ({"script": ""}, "script"),
    ({"script": "a\0b"}, "script"),
    # names
    (job(name=""), "name"), (job(name=" a"), "name"), (job(name="a\nb"), "name"), (job(name="a\n"), "name"),
    (job(name="a\0"), "name"), (job(name="ü"), "name"), (job(name="x" * 201), "name"), (job(name="a\x7f"), "name"),
    # environment and arguments
    (job(environment={"A": "x\ny"}), "environment.A"), (job(environment={"A": "x\n"}), "environment.A"),
    (job(environment={"A": "x\0y"}), "environment.A"), (job(environment={"A": "x" * 65537}), "environment.A"),
    (job(environment={"BERTH_JOB_ID": "x"}), "environment.BERTH_JOB_ID"), (job(environment={"BERTH_": ""}), "environment.BERTH_"),
    (job(environment={"JOBFEATURES": "/"}), "environment.JOBFEATURES"),
    (job(environment={"MACHINEFEATURES": "/"}), "environment.MACHINEFEATURES"),
    (job(arguments=["a", "b\0"]), "arguments[1]"), (job(arguments=["x"] * 1001), "arguments"),
    (job(environment={"A%d" % n: "" for n in range(1001)}), "environment"),
    (job(environment={"A%d" % n: "x" * 65000 for n in range(20)}), "environment"),
    # queue and project: never an option of a command
    (job(queue=""), "queue"), (job(queue="nowhere"), "queue"), (job(queue="--uid=0"), "queue"), (job(queue="a b"), "queue"),
    (job(queue="grid\n"), "queue"), (job(project="-x"), "project"), (job(project="a;b"), "project"),
    # count
    (job(count=0), "count"), (job(count=-5), "count"), (job(count=10001), "count"), (job(count=2**63), "count"),
    # files
    (job(files=["../x"]), "files[0]"), (job(files=["ok", "/etc/passwd"]), "files[1]"), (job(files=["a//b"]), "files[0]"),
    (job(files=["a/../b"]), "files[0]"), (job(files=["."]), "files[0]"), (job(files=[""]), "files[0]"),
    (job(files=["a\nb"]), "files[0]"), (job(files=["a\0b"]), "files[0]"), (job(files=["stdout"]), "files[0]"),
    (job(files=["a", "a"]), "files[1]"), (job(files=["x%d" % n for n in range(1001)]), "files"),
    (job(files=["x" * 1025]), "files[0]"),
    # resources out of any range
    (resources(nodes=0), "resources.nodes"), (resources(nodes=-1), "resources.nodes"), (resources(nodes=10**6), "resources.nodes"),
    (resources(nodes=2**64), "resources.nodes"), (resources(slots=0), "resources.slots"), (resources(slots=-8), "resources.slots"),
    (resources(slots=10**12), "resources.slots"), (resources(slots_per_node=0), "resources.slots_per_node"),
    (resources(memory_per_slot_mb=-1), "resources.memory_per_slot_mb"),
    (resources(memory_per_slot_mb=10**15), "resources.memory_per_slot_mb"), (resources(wall_time_s=0), "resources.wall_time_s"),
    (resources(wall_time_s=-60), "resources.wall_time_s"), (resources(wall_time_s=10**10), "resources.wall_time_s"),
    (resources(wall_time_s=60.5), "resources.wall_time_s"), (resources(warning_s=-1), "resources.warning_s"),
    (resources(gpus={"count": -1}), "resources.gpus.count"), (resources(gpus={"count": 10**9}), "resources.gpus.count"),
    (resources(gpus={"count": 1, "model": "a100:8,fpga"}), "resources.gpus.model"),
    (resources(architecture="x86_64&fast"), "resources.architecture"), (resources(architecture=""), "resources.architecture"),
    # resources that contradict each other
    (resources(nodes=1, slots=8, slots_per_node=4), "resources.slots_per_node"), (resources(nodes=2, slots=1), "resources.slots"),
    (resources(wall_time_s=60, warning_s=60), "resources.warning_s"),
]


@pytest.mark.parametrize("body, field", BAD_MEMBERS, ids=["%s: %.60s" % (field, json.dumps(body)) for body, field in BAD_MEMBERS])
def test_a_bad_member(traceless, body, field):
    refused(traceless, 422, field, traceless.post("/v1/jobs", body))


@pytest.mark.parametrize("name", ["1A", "A-B", "", "A B", "A=B", "ü", "A\0", "x" * 256, "BASH_FUNC_x%%"])
def test_a_bad_environment_name(traceless, name):
    reply = traceless.post("/v1/jobs", job(environment={name: "x"}))
    assert reply.status == 422 and reply.json()["field"].startswith("environment"), reply


def test_a_number_too_large_for_any_type(traceless):
    reply = traceless.request("POST", "/v1/jobs", b'{"script": "x", "count": 1e400}', JSON)
    assert reply.status in (400, 422), reply


OVER_LOCAL = [
    (resources(slots=5), "resources.slots"), (resources(nodes=2), "resources.nodes"),
    (resources(slots=4, memory_per_slot_mb=1001), "resources.memory_per_slot_mb"),
    (resources(gpus={"count": 1}), "resources.gpus.count"), (resources(architecture="vax"), "resources.architecture"),
]
# Two nodes with 32 cores, 64 GB and two GPUs of model a100 each; "short" ends after 30 minutes, "long" has one node. sbatch takes
# many of these and lets them pend for ever.
OVER_SLURM = [
    (job(queue="short", resources={"wall_time_s": 1801}), "resources.wall_time_s"), (resources(nodes=3), "resources.nodes"),
    (resources(wall_time_s=3 * 86400), "resources.wall_time_s"), (job(queue="long", resources={"nodes": 2}), "resources.nodes"),
    (resources(slots=65), "resources.slots"), (resources(slots=33, slots_per_node=33), "resources.slots_per_node"),
    (job(queue="long", resources={"slots": 33}), "resources.slots"),
    (resources(memory_per_slot_mb=64001), "resources.memory_per_slot_mb"), (resources(gpus={"count": 3}), "resources.gpus.count"),
    (resources(gpus={"count": 1, "model": "h100"}), "resources.gpus.model"),
    (resources(architecture="aarch64"), "resources.architecture"),
]


@pytest.mark.parametrize("number", range(max(len(OVER_LOCAL), len(OVER_SLURM))))
def test_resources_over_the_limit_of_the_queue(site, traceless, number):
    table = OVER_SLURM if site.slurm else OVER_LOCAL
    if number >= len(table):
        return
    body, field = table[number]
    refused(traceless, 422, field, traceless.post("/v1/jobs", body))


@pytest.mark.parametrize("body, field", [
    ({"jobs": []}, "jobs"), ({"jobs": {}}, "jobs"), ({"jobs": None}, "jobs"), ({"jobs": [job()], "name": "x"}, "name"),
    ({"jobs": [job()] * 1001}, "jobs"), ({"jobs": [job(count=6000)] * 2}, "jobs"),
])
def test_a_bad_list(traceless, body, field):
    refused(traceless, 422, field, traceless.post("/v1/jobs", body))


def test_a_list_in_which_every_item_is_bad(traceless):
    reply = traceless.post("/v1/jobs", {"jobs": [5, job(colour="red"), {"jobs": []}]})
    assert reply.status == 422, reply
    fields = [entry["problem"].get("field") for entry in reply.json()["jobs"]]
    assert fields[1:] == ["colour", "jobs"], reply


def test_a_script_over_the_limit(traceless):
    refused(traceless, 413, "script", traceless.post("/v1/jobs", {"script": "#" * ((1 << 20) + 1)}))


def test_a_body_of_a_hundred_megabytes_is_refused_before_it_was_read(traceless):
    reply, sent = traceless.send_much("POST", "/v1/jobs", 100_000_000, JSON)
    assert reply.status == 413, reply
    assert sent < 50_000_000, "the server swallowed %d bytes" % sent


def test_a_hundred_megabytes_are_refused_without_the_body_when_the_client_asks_first(traceless):
    with traceless.raw() as wire:
        head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n" \
               "Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n" % traceless.token
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("query, field", [
    ("state=sleeping", "state"), ("state=done,", "state"), ("since=yesterday", "since"), ("since=2026-11-23", "since"),
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-1", "limit"), ("limit=ten", "limit"), ("cursor=nonsense", "cursor"),
    ("colour=red", "colour"), ("limit=5&limit=6", "limit"),
    ("name=%zz", "name"), ("name=%", "name"), ("name=%ff", "name"), ("name=%00", "name"), ("name=a&state=%c3", "state"),
])
def test_a_bad_query_of_the_list(client, query, field):
    refused(client, 400, field, client.get("/v1/jobs?" + query))


def test_a_bad_query_elsewhere(traceless):
    absent = "/v1/jobs/" + "0" * 22
    refused(traceless, 400, "dry_run", traceless.post("/v1/jobs?dry_run=maybe", job()))
    refused(traceless, 400, "colour", traceless.post("/v1/jobs?colour=red", job()))
    for query, field in (("wait=1h", "wait"), ("wait=-1", "wait"), ("wait=1s&state_not=sleeping", "state_not"),
                         ("state_not=queued", "state_not"), ("wait=%zz", "wait"), ("%ff=1", "%ff")):
        refused(traceless, 400, field, traceless.get(absent + "?" + query))
    refused(traceless, 400, "Last-Event-ID", traceless.get("/v1/events", headers={"Last-Event-ID": "x"}))


@pytest.mark.parametrize("path", ["/v1/jobs/%00", "/v1/jobs/..%2f..", "/v1/jobs/%zz", "/v1/jobs/a%5cb", "/v1/../etc/passwd"])
def test_a_path_that_two_readers_could_read_in_two_ways(client, path):
    assert client.get(path).status == 400


@pytest.mark.parametrize("job_id", ["0", "x" * 22, "0" * 23, "-1", "1;id", "%27", "0" * 2000])
def test_an_id_that_is_none(client, job_id):
    assert client.get("/v1/jobs/" + job_id).status == 404


@pytest.mark.parametrize("body, field", [
    ({}, "ids"), ({"ids": []}, "ids"), ({"ids": "x"}, "ids"), ({"ids": ["0"] * 1001}, "ids"), ({"ids": ["0", 5]}, "ids[1]"),
    ({"ids": ["0"], "force": True}, "force"), ({"ids": ["x" * 65]}, "ids[0]"), ({"ids": [""]}, "ids[0]"),
])
@pytest.mark.parametrize("verb", ["status", "cancel", "hold", "release"])
def test_a_bad_list_of_ids(client, verb, body, field):
    refused(client, 422, field, client.post("/v1/jobs/" + verb, body))
