"""The OpenAPI document itself: whole, closed, and what the issue asks of it. Needs no daemon."""

import json
import re

import jsonschema
import pytest

from support.client import STATES
from support.contract import DOCUMENT, Contract, ContractError

METHODS = ("get", "head", "post", "put", "delete")
# Types whose members are the client's or the document's own.
OPEN_SCHEMAS = [("JobRequest", "environment")]


@pytest.fixture(scope="module")
def contract():
    return Contract()


def walk(node, path=()):
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, path + (key,))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, path + (index,))


def operations(document):
    for template, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield template, method, item[method]


def schemas(document):
    """Every place that holds a schema, with its path."""
    for name, schema in document["components"]["schemas"].items():
        yield ("schemas", name), schema
    for path, node in walk(document):
        if path and path[-1] == "schema":
            yield path, node


def test_every_reference_has_a_target(contract):
    for path, node in walk(contract.document):
        if isinstance(node, dict) and "$ref" in node:
            assert contract.resolver.resolve(node["$ref"])[1] is not None, path


def test_every_component_is_used(contract):
    text = json.dumps(contract.document)
    for kind in ("schemas", "responses", "headers"):
        for name in contract.document["components"][kind]:
            if name == "MethodNotAllowed":
                continue  # of rule (4) in the description: every path has it
            assert '"#/components/%s/%s"' % (kind, name) in text, name


def test_every_schema_is_valid_under_draft_2020_12(contract):
    for path, schema in schemas(contract.document):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_object_is_closed(contract):
    for name, top in contract.document["components"]["schemas"].items():
        for path, node in walk(top):
            if isinstance(node, dict) and node.get("type") == "object":
                if any(name == owner and path[-1:] == (member,) for owner, member in OPEN_SCHEMAS):
                    continue
                assert node.get("additionalProperties") is False, (name, path)
                assert set(node["required"]) <= set(node["properties"]), (name, path)


def test_examples_fit_their_schemas(contract):
    count = 0
    for _, _, operation in operations(contract.document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for name, example in content.get("examples", {}).items():
                assert contract.errors(example["value"], content["schema"]) == [], name
                for one in example["value"].get("jobs", []):
                    assert contract.accepts(one, "JobRequest")
                count += 1
    assert count >= 4


def test_every_operation_has_an_id_a_scope_and_the_common_answers(contract):
    ids = [operation["operationId"] for _, _, operation in operations(contract.document)]
    assert len(ids) == len(set(ids))
    for template, method, operation in operations(contract.document):
        where = method + " " + template
        codes = set(operation["responses"])
        assert {"429", "500", "503"} <= codes, where
        if operation["x-scope"]:
            assert {"401", "403"} <= codes, where
            assert set(operation["x-scope"]) <= {"compute." + verb for verb in ("read", "create", "modify", "cancel")}
        else:
            assert operation["security"] == [], where
        assert ("415" in codes) == ("application/json" in operation.get("requestBody", {}).get("content", {})), where


def test_path_parameters_are_declared(contract):
    for template, item in contract.document["paths"].items():
        declared = {parameter["name"] for parameter in item.get("parameters", [])}
        assert declared == set(re.findall(r"\{([^}]+)\}", template)), template


def test_literal_paths_win_over_parameters(contract):
    assert contract.find("POST", "/v1/jobs/status")[0] == "/v1/jobs/status"
    assert contract.find("GET", "/v1/jobs/0123")[0] == "/v1/jobs/{id}"
    assert contract.find("GET", "/v1/jobs/0123/files/a/b")[0] == "/v1/jobs/{id}/files/{path}"
    assert contract.find("GET", "/v1/nothing") == (None, None)


def test_states_are_those_of_the_client(contract):
    assert contract.schema("State")["enum"] == STATES


JOB = {
    "id": "0" * 22, "name": "p1", "state": "queued", "reason": None, "detail": None, "exit_code": None, "signal": None,
    "batch_id": "12_3", "tag": "babcdefghijklmn", "count_index": 3, "attempts": 1, "queue": "grid", "account": "grid1",
    "project": None, "cancel_requested": False, "created": "2026-11-23T10:50:00.000Z", "updated": "2026-11-23T10:50:01.000Z",
    "started": None, "ended": None, "source": "queue", "age_s": 0.5,
}


def test_a_job_fits_and_a_job_with_more_or_less_does_not(contract):
    assert contract.errors(JOB, contract.schema("Job")) == []
    assert not contract.accepts(dict(JOB, colour="red"), "Job")
    for name in JOB:
        assert not contract.accepts({key: value for key, value in JOB.items() if key != name}, "Job")


@pytest.mark.parametrize("change", [
    {"state": "unknown"}, {"reason": "because"}, {"exit_code": 256}, {"exit_code": -1}, {"exit_code": "0"}, {"signal": 0},
    {"id": "0" * 21}, {"id": "z" * 22}, {"tag": "babc"}, {"created": "2026-11-23T10:50:00Z"}, {"created": None},
    {"created": "2026-11-23T10:50:00.000Z\n"}, {"age_s": -1}, {"source": "rumour"}, {"count_index": "3"},
])
def test_a_job_with_a_wrong_value_does_not_fit(contract, change):
    assert not contract.accepts(dict(JOB, **change), "Job")


@pytest.mark.parametrize("request_", [
    {"script": "#!/bin/sh\n"},
    {"files": ["script"]},
    {"script": "x", "name": "a b", "environment": {"_A1": "tab\tand ünïcode"}, "arguments": ["", "a\nb"], "count": 10000},
    {"script": "x", "files": ["a/b.c", "..a", ".hidden", "a b"], "resources": {"gpus": {"count": 0}}},
])
def test_a_good_request_fits(contract, request_):
    assert contract.errors(request_, contract.schema("JobRequest")) == []


@pytest.mark.parametrize("request_", [
    {}, {"script": ""}, {"files": ["data"]}, {"script": 5}, {"script": "a\0b"}, {"script": "x", "colour": "red"},
    {"script": "x", "name": "a\n"}, {"script": "x", "name": "a\nb"}, {"script": "x", "name": ""}, {"script": "x", "name": " a"},
    {"script": "x", "name": "a" * 201}, {"script": "x", "name": None},
    {"script": "x", "environment": {"1A": "x"}}, {"script": "x", "environment": {"A-B": "x"}},
    {"script": "x", "environment": {"A": "x\n"}}, {"script": "x", "environment": {"A": "x\0"}}, {"script": "x", "environment": {"A": 1}},
    {"script": "x", "arguments": ["a\0"]}, {"script": "x", "arguments": "a"}, {"script": "x", "arguments": ["a"] * 1001},
    {"script": "x", "count": 0}, {"script": "x", "count": 10001}, {"script": "x", "count": 1.5}, {"script": "x", "count": "2"},
    {"script": "x", "files": ["../x"]}, {"script": "x", "files": ["/x"]}, {"script": "x", "files": ["a//b"]},
    {"script": "x", "files": ["a/./b"]}, {"script": "x", "files": ["a/.."]}, {"script": "x", "files": ["stdout"]},
    {"script": "x", "files": [""]}, {"script": "x", "files": ["a\n"]}, {"script": "x", "files": ["a", "a"]},
    {"script": "x", "queue": "--uid=0"}, {"script": "x", "queue": ""}, {"script": "x", "resources": {"nodes": 0}},
    {"script": "x", "resources": {"nodes": -1}}, {"script": "x", "resources": {"nodes": 10**9}}, {"script": "x", "resources": {"cores": 1}},
    {"script": "x", "resources": {"gpus": {"model": "a100"}}}, {"script": "x", "resources": {"gpus": {"count": 1, "kind": "x"}}},
    {"script": "x", "resources": {"exclusive": "yes"}}, {"script": "x", "resources": {"architecture": "a b"}},
])
def test_a_bad_request_does_not_fit(contract, request_):
    assert not contract.accepts(request_, "JobRequest")


PROBLEM = json.dumps({"type": "urn:berth:problem:not_found", "title": "Not found", "status": 404, "detail": "No such job."}).encode()
KIND = {"content-type": "application/problem+json"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("method, path, status, headers, body", [
    ("GET", "/v1/nothing", 200, JSON, b"{}"),
    ("DELETE", "/v1/jobs", 200, JSON, b"{}"),
    ("GET", "/v1/jobs", 418, KIND, PROBLEM),
    ("GET", "/v1/jobs", 404, KIND, PROBLEM),
    ("GET", "/v1/jobs/0", 404, JSON, PROBLEM),
    ("GET", "/v1/jobs/0", 404, dict(KIND, **{"x-more": "1"}), PROBLEM),
    ("GET", "/v1/jobs/0", 404, KIND, PROBLEM.replace(b"404", b"409")),
    ("GET", "/v1/jobs/0", 404, KIND, PROBLEM.replace(b"not_found", b"conflict")),
    ("GET", "/v1/jobs/0", 404, KIND, PROBLEM[:-1] + b', "more": 1}'),
    ("GET", "/v1/jobs/0", 404, KIND, b"not json"),
    ("GET", "/v1/jobs/0", 401, KIND, PROBLEM.replace(b"404", b"401").replace(b"not_found", b"unauthorized")),
    ("GET", "/v1/jobs/0", 503, KIND, PROBLEM.replace(b"404", b"503").replace(b"not_found", b"unavailable")),
    ("HEAD", "/v1/jobs/0", 404, KIND, PROBLEM),
    ("DELETE", "/v1/jobs/0", 204, {}, b"x"),
    ("GET", "/v1/jobs", 200, JSON, b'{"jobs": []}'),
])
def test_an_answer_outside_the_document_is_found(contract, method, path, status, headers, body):
    with pytest.raises(ContractError):
        contract.check(method, path, status, headers, body)


@pytest.mark.parametrize("method, path, status, headers, body", [
    ("GET", "/v1/jobs/0", 404, KIND, PROBLEM),
    ("GET", "/v1/nothing", 404, KIND, PROBLEM),
    ("HEAD", "/v1/jobs/0", 404, KIND, b""),
    ("DELETE", "/v1/jobs/0", 204, {}, b""),
    ("GET", "/v1/jobs", 200, JSON, b'{"jobs": [], "next": null}'),
    ("PATCH", "/v1/jobs", 501, dict(KIND, connection="close"),
     PROBLEM.replace(b"404", b"501").replace(b"not_found", b"invalid")),
])
def test_an_answer_of_the_document_passes(contract, method, path, status, headers, body):
    contract.check(method, path, status, headers, body)


def test_the_document_is_plain_json_without_duplicate_members():
    def unique(pairs):
        assert len(pairs) == len(dict(pairs)), [name for name, _ in pairs]
        return dict(pairs)
    with open(DOCUMENT, encoding="utf-8") as file:
        assert json.load(file, object_pairs_hook=unique)["openapi"].startswith("3.1")
