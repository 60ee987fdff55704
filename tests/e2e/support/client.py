"""A client of the API that trusts nothing: each reply is checked against the OpenAPI document."""

import http.client
import json
import select
import socket
import ssl
import time
import urllib.parse

STATES = ["accepted", "uploading", "staging_in", "ready", "submitting", "queued", "held", "running",
          "staging_out", "done", "failed", "cancelled"]
FINAL = ["done", "failed", "cancelled"]
BEFORE_START = ["accepted", "uploading", "staging_in", "ready", "submitting", "queued", "held"]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:1500].decode("utf-8", "replace"))


class Client:
    """One keep-alive connection with one token. Not for several threads; clone() makes another."""

    def __init__(self, port, ca_file, contract, token=None, timeout=30):
        self.port, self.ca_file, self.contract, self.token, self.timeout = port, ca_file, contract, token, timeout
        self.context = ssl.create_default_context(cafile=ca_file)
        self.connection = None

    def clone(self, token="same"):
        return Client(self.port, self.ca_file, self.contract, self.token if token == "same" else token, self.timeout)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def _connect(self, timeout):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def headers(self, extra=None):
        result = {} if self.token is None else {"Authorization": "Bearer " + self.token}
        result.update(extra or {})
        return result

    def request(self, method, target, body=None, headers=None, timeout=None):
        """`body`: bytes as they are, anything else as JSON."""
        headers = self.headers(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        fresh = self.connection is None
        try:
            reply = self._send(method, target, body, headers, timeout)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            # The server may close an idle connection at any time; only that is repeated.
            self.close()
            if fresh:
                raise
            reply = self._send(method, target, body, headers, timeout)
        path = urllib.parse.urlsplit(target).path
        self.contract.check(method, path, reply.status, reply.headers, reply.body)
        return reply

    def _send(self, method, target, body, headers, timeout):
        if self.connection is None:
            self.connection = self._connect(timeout or self.timeout)
        self.connection.sock.settimeout(timeout or self.timeout)
        try:
            self.connection.request(method, target, body, headers)
            response = self.connection.getresponse()
            data = response.read()
        except Exception:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Reply(response.status, lower(response.getheaders()), data)

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def post(self, target, body=None, **more):
        return self.request("POST", target, body, **more)

    # ---- verbs of a workload manager; each fails unless the server agrees

    def submit(self, request, key=None):
        reply = self.post("/v1/jobs", request, headers={"Idempotency-Key": key} if key else None)
        assert reply.status == 201, reply
        return reply.json()

    def job(self, job_id):
        reply = self.get("/v1/jobs/" + job_id)
        assert reply.status == 200, reply
        return reply.json()

    def wait(self, job_id, states, timeout=60):
        """Long polls until the job is in one of `states`; fails when it ends in another one."""
        states = [states] if isinstance(states, str) else list(states)
        others = ",".join(state for state in STATES if state not in states and state not in FINAL)
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            wait = max(1, min(20, int(left)))
            reply = self.get("/v1/jobs/%s?wait=%ds&state_not=%s" % (job_id, wait, others), timeout=wait + 20)
            assert reply.status == 200, reply
            job = reply.json()
            if job["state"] in states:
                return job
            assert job["state"] not in FINAL, "waited for %s: %s" % (states, job)
            assert left > 0, "waited %d s for %s: %s" % (timeout, states, job)

    def finish(self, job_id, timeout=60):
        return self.wait(job_id, FINAL, timeout)

    def run(self, request, timeout=60):
        return self.finish(self.submit(request)["id"], timeout)

    def act(self, verb, job_id):
        reply = self.post("/v1/jobs/%s/%s" % (job_id, verb))
        assert reply.status == 202, reply
        return reply.json()

    def file(self, job_id, path):
        reply = self.get("/v1/jobs/%s/files/%s" % (job_id, path))
        assert reply.status == 200, reply
        return reply.body

    def stdout(self, job_id):
        return self.file(job_id, "stdout").decode()

    def upload(self, job_id, path, data):
        return self.request("PUT", "/v1/jobs/%s/files/%s" % (job_id, path), data,
                            headers={"Content-Type": "application/octet-stream"})

    def all_jobs(self, query=""):
        jobs, cursor = [], None
        while True:
            more = query + ("&cursor=" + urllib.parse.quote(cursor) if cursor else "")
            reply = self.get("/v1/jobs?" + more.lstrip("&"))
            assert reply.status == 200, reply
            page = reply.json()
            jobs += page["jobs"]
            cursor = page["next"]
            if cursor is None:
                return jobs

    def events(self, last=None):
        return EventStream(self, last)

    def raw(self, version=None):
        """A TLS socket of its own, for what http.client would not send."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        context = ssl.create_default_context(cafile=self.ca_file)
        if version:
            context.maximum_version = version
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def send_much(self, method, target, size, headers):
        """Sends a body of `size` bytes and stops as soon as an answer comes, as curl does."""
        # TLS 1.2: a session ticket of 1.3 would make the socket readable before any answer.
        with self.raw(ssl.TLSVersion.TLSv1_2) as wire:
            lines = ["%s %s HTTP/1.1" % (method, target), "Host: 127.0.0.1", "Content-Length: %d" % size]
            lines += ["%s: %s" % field for field in self.headers(headers).items()]
            wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            piece, sent = b"x" * 65536, 0
            try:
                while sent < size and not select.select([wire], [], [], 0)[0]:
                    wire.sendall(piece[:size - sent])
                    sent += len(piece)
            except OSError:
                pass  # closed by the server; its answer may still be read
            response = http.client.HTTPResponse(wire, method=method)
            response.begin()
            reply = Reply(response.status, lower(response.getheaders()), response.read())
        self.contract.check(method, urllib.parse.urlsplit(target).path, reply.status, reply.headers, reply.body)
        return reply, sent


class EventStream:
    """Server-sent events of one connection; iterate with next_event()."""

    def __init__(self, client, last=None):
        self.contract = client.contract
        self.connection = client._connect(client.timeout)
        headers = client.headers({"Accept": "text/event-stream"})
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", "/v1/events", None, headers)
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.contract.check("GET", "/v1/events", 200, lower(self.response.getheaders()), None)

    def next_event(self, timeout=20):
        """The next event's data, or None at the end of the stream."""
        self.socket.settimeout(timeout)
        fields = {}
        while True:
            line = self.response.readline()
            if not line:
                return None
            line = line.rstrip(b"\r\n").decode()
            if line and not line.startswith(":"):
                name, _, value = line.partition(":")
                fields[name] = value[1:] if value.startswith(" ") else value
            elif not line and "data" in fields:
                return self.contract.check_event(fields.get("id"), fields.get("event"), fields["data"])
            elif not line:
                fields = {}  # a lone "retry:" or "id:" block

    def until(self, job_id, state, timeout=60):
        """Collects the events up to the one in which the job reaches `state`."""
        deadline = time.monotonic() + timeout
        events = []
        while True:
            event = self.next_event(max(0.1, deadline - time.monotonic()))
            assert event is not None, "the stream ended after %s" % events
            events.append(event)
            if event["job"] == job_id and event["state"] == state:
                return events

    def close(self):
        self.connection.close()


def lower(fields):
    return {name.lower(): value for name, value in fields}
