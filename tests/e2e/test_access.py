"""Who may do what: tokens, scopes, ownership."""

import http.client
import time

import pytest

from support import account
from support.tokens import ALL_SCOPES, Issuer, unsigned, with_claims

OK = "#!/bin/sh\n"
ABSENT = "0" * 22

# Every operation with a scope, once: method, path, body, the scopes of which one is enough.
OPERATIONS = [
    ("POST", "/v1/jobs", {"script": OK}, ["create"]),
    ("POST", "/v1/jobs?dry_run=true", {"script": OK}, ["create"]),
    ("GET", "/v1/jobs", None, ["read"]),
    ("GET", "/v1/jobs/{id}", None, ["read"]),
    ("POST", "/v1/jobs/status", {"ids": [ABSENT]}, ["read"]),
    ("GET", "/v1/jobs/{id}/files", None, ["read"]),
    ("HEAD", "/v1/jobs/{id}/files", None, ["read"]),
    ("GET", "/v1/jobs/{id}/files/x", None, ["read"]),
    ("HEAD", "/v1/jobs/{id}/files/x", None, ["read"]),
    ("GET", "/v1/events", None, ["read"]),
    ("GET", "/v1/site", None, ["read"]),
    ("POST", "/v1/jobs/{id}/hold", None, ["modify"]),
    ("POST", "/v1/jobs/{id}/release", None, ["modify"]),
    ("POST", "/v1/jobs/hold", {"ids": [ABSENT]}, ["modify"]),
    ("POST", "/v1/jobs/release", {"ids": [ABSENT]}, ["modify"]),
    ("PUT", "/v1/jobs/{id}/files/x", b"x", ["modify", "create"]),
    ("DELETE", "/v1/jobs/{id}/files/y", None, ["modify"]),
    ("POST", "/v1/jobs/{id}/cancel", None, ["cancel"]),
    ("POST", "/v1/jobs/cancel", {"ids": [ABSENT]}, ["cancel"]),
    ("DELETE", "/v1/jobs/{id}", None, ["cancel"]),
]


def test_the_table_names_every_operation_with_a_scope(contract):
    documented = {(method.upper(), template, tuple(operation["x-scope"]))
                  for template, item in contract.document["paths"].items()
                  for method, operation in item.items() if method != "parameters" and operation["x-scope"]}
    table = {(method, contract.find(method, path.split("?")[0])[0], tuple("compute." + verb for verb in verbs))
             for method, path, _, verbs in OPERATIONS}
    assert table == documented


@pytest.mark.parametrize("method, path, body, verbs", OPERATIONS, ids=["%s %s" % row[:2] for row in OPERATIONS])
def test_each_verb_needs_its_own_scope(site, client, method, path, body, verbs):
    owner = site.berth.client("scoped")
    job_id = owner.submit({"script": OK, "files": ["x", "never"]})["id"]
    owner.wait(job_id, "uploading")
    target = path.replace("{id}", job_id)
    others = " ".join("compute." + verb for verb in ("read", "create", "modify", "cancel") if verb not in verbs)
    near = " ".join("compute.%sX compute.%s:/ Compute.%s" % (verb, verb, verb) for verb in verbs)
    for scope in (others, others + " compute.* compute " + near):
        reply = site.berth.client("scoped", scope=scope).request(method, target, body)
        assert reply.status == 403, (scope, reply)
        assert "insufficient_scope" in reply.headers["www-authenticate"]
    if path == "/v1/events":
        site.berth.client("scoped", scope="compute.read").events().close()
    else:
        for verb in verbs:
            allowed = site.berth.client("scoped", scope="compute." + verb)
            assert allowed.request(method, target, body).status not in (401, 403), verb
    owner.post("/v1/jobs/cancel", {"ids": [job_id]})


def test_after_the_uploads_a_file_needs_the_modify_scope(site):
    request, run = site.gated()
    owner = site.berth.client("scoped-later")
    job_id = owner.submit(request)["id"]
    owner.wait(job_id, "running")
    assert site.berth.client("scoped-later", scope="compute.create").upload(job_id, "x", b"x").status == 403
    run.go()
    owner.finish(job_id)


def test_without_a_capability_nothing_is_permitted(site):
    for scope in ("openid", "storage.read:/", "compute.readX"):
        client = site.berth.client("nothing", scope=scope)
        assert client.get("/v1/jobs").status == 403


def test_a_job_of_somebody_else_does_not_exist(site, client):
    request, run = site.gated()
    job_id = client.submit(request)["id"]
    client.wait(job_id, "running")
    other = site.berth.client("somebody-else")
    for method, path, body in [("GET", "", None), ("DELETE", "", None), ("POST", "/cancel", None), ("POST", "/hold", None),
                               ("POST", "/release", None), ("GET", "/files", None), ("GET", "/files/stdout", None),
                               ("PUT", "/files/x", b"x"), ("DELETE", "/files/stdout", None)]:
        reply = other.request(method, "/v1/jobs/%s%s" % (job_id, path), body)
        assert reply.status == 404, (method, path, reply)
        absent = other.request(method, "/v1/jobs/%s%s" % (ABSENT, path), body)
        assert absent.body.replace(ABSENT.encode(), job_id.encode()) == reply.body, "the answers tell the difference"
    assert job_id not in [job["id"] for job in other.all_jobs()]
    for verb in ("status", "cancel", "hold", "release"):
        assert other.post("/v1/jobs/" + verb, {"ids": [job_id]}).json()["jobs"][0]["status"] == 404
    run.go()
    assert client.finish(job_id)["state"] == "done"


def test_an_account_wide_identity_sees_and_acts_on_all_jobs_of_the_account(site, client):
    request, run = site.gated()
    job_id = client.submit(request)["id"]
    client.wait(job_id, "running")
    operator = site.berth.client("operator")
    assert operator.job(job_id)["id"] == job_id
    assert job_id in [job["id"] for job in operator.all_jobs("state=running")]
    stream = operator.events()
    operator.act("cancel", job_id)
    assert operator.finish(job_id)["state"] == "cancelled"
    assert stream.until(job_id, "cancelled")
    stream.close()
    run.go()


@pytest.fixture
def bad_tokens(site, base, programs, tmp_path):
    """Tokens that are wrong in one way each."""
    berth = site.berth
    good = berth.token("alice")
    head, body, signature = good.split(".")
    stranger = Issuer(programs.berthctl, str(tmp_path / "stranger"), "https://stranger.example.org/")
    forger = Issuer(programs.berthctl, str(tmp_path / "forger"), berth.issuer.url)
    expiring = berth.issuer.token("alice", berth.audience, lifetime=1)
    time.sleep(1.1)
    return {
        "not a token": "hello",
        "two parts": head + "." + body,
        "unsigned": unsigned(good),
        "another subject": with_claims(good, sub="operator"),
        "more scopes": with_claims(good, scope=ALL_SCOPES + " x"),
        "a broken signature": ".".join([head, body, signature[:-6] + "AAAAAA"]),
        "an unknown issuer": stranger.token("alice", berth.audience),
        "a key of somebody else": forger.token("alice", berth.audience),
        "expired": expiring,
        "for another audience": berth.issuer.token("alice", "https://other.example.org"),
        "for nearly our audience": berth.issuer.token("alice", berth.audience + "/"),
        "too long": good + "x" * 20000,
    }


def test_a_bad_token_is_refused_with_a_challenge(site, bad_tokens):
    for name, token in bad_tokens.items():
        for method, path, body in (("GET", "/v1/jobs", None), ("POST", "/v1/jobs", {"script": OK})):
            reply = site.berth.client_with(token).request(method, path, body)
            assert reply.status == 401 or (name == "too long" and reply.status == 431), (name, reply)
            if reply.status == 401:
                assert "invalid_token" in reply.headers["www-authenticate"], name
                assert "alice" not in reply.headers["www-authenticate"] and b"alice" not in reply.body


def test_without_a_token_the_challenge_names_no_error(site):
    reply = site.berth.client_with(None).get("/v1/jobs")
    assert reply.status == 401 and "error" not in reply.headers["www-authenticate"], reply


def test_a_token_counts_only_in_the_authorization_header(site):
    client = site.berth.client_with(None)
    assert client.get("/v1/jobs?access_token=" + site.berth.token("alice")).status == 401
    basic = {"Authorization": "Basic " + site.berth.token("alice")}
    assert client.get("/v1/jobs", headers=basic).status == 401


@pytest.mark.parametrize("second", ["Authorization: Bearer x", "Content-Type: text/plain", "Host: other", "Content-Length: 2"])
def test_a_field_that_may_come_once_and_comes_twice_is_refused(client, second):
    head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n" \
           "Content-Length: 2\r\n%s\r\n\r\n{}" % (client.token, second)
    with client.raw() as wire:
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_stream_ends_when_its_token_expires(site):
    token = site.berth.issuer.token("short", site.berth.audience, lifetime=3)
    client = site.berth.client_with(token)
    stream = client.events()
    begin = time.monotonic()
    assert stream.next_event(15) is None
    assert time.monotonic() - begin < 10
    stream.close()


def test_an_unmapped_identity_and_a_banned_one_are_refused(make_berth, issuer):
    berth = make_berth({"mapping": [{"issuer": issuer.name, "subject": "known", "account": account.NAME}],
                        "ban": [{"issuer": issuer.name, "subject": "banned"}]})
    assert berth.client("known").get("/v1/jobs").status == 200
    assert berth.client("unknown").get("/v1/jobs").status == 403
    assert berth.client("banned").get("/v1/jobs").status == 403


def test_a_mapping_narrows_the_queues(site, make_berth, issuer):
    queue = site.berth.client().get("/v1/site").json()["queues"][0]["name"]
    berth = make_berth({"mapping": [{"issuer": issuer.name, "account": account.NAME, "queues": ["other"]}]})
    client = berth.client()
    reply = client.post("/v1/jobs", {"script": OK, "queue": queue})
    assert (reply.status, reply.json()["field"]) == (422, "queue"), reply
    assert client.all_jobs() == []


def test_a_limit_on_active_jobs_is_429_until_one_has_ended(make_berth, issuer):
    mapping = {"issuer": issuer.name, "account": account.NAME, "jobs_max": 2}
    client = make_berth({"mapping": [mapping]}).client()
    parked = {"script": OK, "files": ["never"]}
    ids = [client.submit(parked)["id"] for _ in range(2)]
    assert client.post("/v1/jobs", parked).status == 429
    reply = client.post("/v1/jobs", {"jobs": [parked, parked]})
    assert reply.status == 429 and [entry["status"] for entry in reply.json()["jobs"]] == [429, 429], reply
    client.act("cancel", ids[0])
    client.finish(ids[0])
    reply = client.post("/v1/jobs", {"jobs": [parked, parked]})
    assert [entry["status"] for entry in reply.json()["jobs"]] == [201, 429], reply
    assert client.post("/v1/jobs", dict(parked, count=2)).status == 429
    assert len(client.all_jobs()) == 3


def test_a_hint_at_the_node_door_without_the_jobs_secret_changes_nothing(site, client):
    request, run = site.gated()
    job = client.wait(client.submit(request)["id"], "running")
    run.wait_for_start()
    target = "/berth/v1/events/ended?tag=%s&index=0" % client.job(job["id"])["tag"]
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer " + client.token}):
        door = http.client.HTTPConnection("127.0.0.1", site.berth.node_port, timeout=10)
        door.request("POST", target, b"", headers)
        assert 400 <= door.getresponse().status < 500
        door.close()
    assert client.job(job["id"])["state"] == "running"
    run.go()
    assert client.finish(job["id"])["state"] == "done"
