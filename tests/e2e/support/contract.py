"""The OpenAPI document as a judge: every reply of the server is held to it.

check() raises ContractError for a path, method, status, header or body that the document does not
have. Its schemas are closed, so a new member in a reply is a fault as well.
"""

import json
import os
import re

import jsonschema

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "..", "src", "api", "openapi.json")

# Fields that any HTTP reply may have; all others must be in the document.
ORDINARY_FIELDS = {
    "connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding",
    "cache-control", "strict-transport-security", "x-content-type-options",
}
# Answers of the message reader, before any route is known; the connection ends with them.
READER_STATUSES = {400, 408, 414, 417, 431, 501, 505}
STATUS_OF_TYPE = {
    "invalid": {400, 405, 408, 414, 416, 417, 431, 501, 505}, "unauthorized": {401}, "forbidden": {403}, "not_found": {404},
    "conflict": {409, 412}, "gone": {410}, "too_large": {413}, "unsupported_media": {415}, "unprocessable": {422},
    "rejected": {422}, "too_many": {429}, "internal": {500}, "unavailable": {503}, "timed_out": {503}, "slow_client": {408},
}


class ContractError(AssertionError):
    pass


def strict_patterns(node):
    """`$` of ECMA 262 is the end of the text; Python's also matches before a last newline."""
    if isinstance(node, dict):
        return {
            key: re.sub(r"\$$", r"\\Z", value)
            if key == "pattern" and isinstance(value, str)
            else strict_patterns(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [strict_patterns(value) for value in node]
    return node


class Contract:
    def __init__(self, path=DOCUMENT):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.document = strict_patterns(json.load(file))
        self.resolver = jsonschema.RefResolver.from_schema(self.document)
        self.seen = set()  # (method, path template, status) of all checked replies
        self.templates = [(self._regex(template), template) for template in self.document["paths"]]
        # A literal segment wins over a parameter: /v1/jobs/status is no job.
        self.templates.sort(key=lambda pair: [part.startswith("{") for part in pair[1].split("/")])

    @staticmethod
    def _regex(template):
        text = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
        text = text.replace("{path}", "(?P<path>.+)").replace("{id}", "(?P<id>[^/]+)")
        return re.compile(text + r"\Z")

    def resolve(self, node):
        while "$ref" in node and len(node) == 1:
            _, node = self.resolver.resolve(node["$ref"])
        return node

    def schema(self, name):
        return self.document["components"]["schemas"][name]

    def errors(self, value, schema):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [
            "%s: %s" % ("/".join(map(str, error.absolute_path)) or "(top)", error.message[:400])
            for error in validator.iter_errors(value)
        ]

    def accepts(self, value, name):
        return not self.errors(value, self.schema(name))

    def find(self, method, path):
        """The template and operation; the operation is None when the path lacks the method."""
        for regex, template in self.templates:
            if regex.match(path):
                item = self.document["paths"][template]
                operation = item.get(method.lower())
                if operation is None and method == "HEAD":
                    operation = item.get("get")
                return template, operation
        return None, None

    def check(self, method, path, status, headers, body):
        """`headers`: a dict with names in lower case; `body`: bytes, or None for a stream."""
        where = "%s %s -> %d" % (method, path, status)
        template, operation = self.find(method, path)
        self.seen.add((method, template, status))
        response = self._response(where, template, operation, status)
        self._check_headers(where, response, headers)
        self._check_body(where, method, status, response, headers, body)

    def _response(self, where, template, operation, status):
        shared = self.document["components"]["responses"]
        if template is None:
            if status not in READER_STATUSES | {404}:
                raise ContractError(where + ": this path is not in the document")
            return shared["NotFound"]
        if operation is None:
            if status not in READER_STATUSES | {405}:
                raise ContractError(where + ": the document has no such method here")
            return shared["MethodNotAllowed"] if status == 405 else shared["NotFound"]
        if str(status) not in operation["responses"]:
            if status in READER_STATUSES:
                return shared["NotFound"]
            raise ContractError(where + ": undocumented status")
        return self.resolve(operation["responses"][str(status)])

    def _check_headers(self, where, response, headers):
        documented = {name.lower(): self.resolve(spec) for name, spec in response.get("headers", {}).items()}
        for name, spec in documented.items():
            if name not in headers:
                if spec.get("required"):
                    raise ContractError("%s: no field %s" % (where, name))
                continue
            value = headers[name]
            if spec["schema"].get("type") == "integer" and re.fullmatch(r"\d+", value):
                value = int(value)
            for error in self.errors(value, spec["schema"]):
                raise ContractError("%s: field %s: %s" % (where, name, error))
        for name in headers:
            if name not in documented and name not in ORDINARY_FIELDS:
                raise ContractError("%s: undocumented field %s" % (where, name))

    def _check_body(self, where, method, status, response, headers, body):
        kind = headers.get("content-type", "").split(";")[0].strip()
        if body is None:
            if kind not in response["content"]:
                raise ContractError("%s: content type %r" % (where, kind))
            return
        if method == "HEAD" or status == 204:
            if body:
                raise ContractError(where + ": a body where none may be")
            return
        content = response.get("content", {})
        if not content:
            if body:
                raise ContractError("%s: undocumented body %r" % (where, body[:200]))
            return
        if kind not in content:
            raise ContractError("%s: content type %r, documented are %s" % (where, kind, sorted(content)))
        if not kind.endswith("json"):
            return
        try:
            value = json.loads(body.decode("utf-8"))
        except ValueError as error:
            raise ContractError("%s: %s in %r" % (where, error, body[:200])) from error
        for error in self.errors(value, content[kind].get("schema", {})):
            raise ContractError("%s: %s\n%s" % (where, error, body[:2000].decode("utf-8", "replace")))
        self._check_problems(where, status, kind, value)

    def _check_problems(self, where, status, kind, value):
        """What a schema cannot say: the type, the status and the HTTP status fit each other."""
        found = [(status, value)] if kind == "application/problem+json" else []
        if isinstance(value, dict):
            for entry in value.get("jobs", []) + value.get("items", []):
                if isinstance(entry, dict) and "problem" in entry:
                    found.append((entry["status"], entry["problem"]))
        for expected, problem in found:
            name = problem["type"].rsplit(":", 1)[1]
            if problem["status"] != expected or expected not in STATUS_OF_TYPE[name]:
                raise ContractError("%s: status %d in a place for %d: %s" % (where, problem["status"], expected, problem))

    def check_event(self, event_id, event_name, data):
        value = json.loads(data)
        if event_name != "job" or str(value.get("seq")) != event_id:
            raise ContractError("event %r, id %r: %s" % (event_name, event_id, data))
        for error in self.errors(value, self.schema("Event")):
            raise ContractError("event %s: %s" % (data, error))
        return value

    def never_seen(self):
        """Documented answers that no test has provoked, for the summary."""
        for template, item in self.document["paths"].items():
            for method in ("get", "head", "post", "put", "delete"):
                for status in item.get(method, {}).get("responses", {}):
                    if (method.upper(), template, int(status)) not in self.seen:
                        yield "%s %s %s" % (method.upper(), template, status)
