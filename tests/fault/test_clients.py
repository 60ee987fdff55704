"""Clients that go away in the middle of a request."""

import contextlib
import os
import socket
import struct

import pytest

from support.berth import Berth
from support.waiting import wait_until

CLIENTS = int(os.environ.get("BERTH_FAULT_CLIENTS", "1000"))
AT_ONCE = 100
GROWTH_KB = 40_000


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def memory_kb(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])


class Rude:
    """Ways to leave: what has been sent by then."""

    def __init__(self, berth, job_id):
        self.client = berth.client()
        self.head = "Host: 127.0.0.1\r\nAuthorization: Bearer %s\r\n" % self.client.token
        self.job_id = job_id

    def texts(self):
        post = "POST /v1/jobs HTTP/1.1\r\n" + self.head + "Content-Type: application/json\r\n"
        return [
            "GET /v1/jo",
            "GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n",
            post + "Content-Length: 5000\r\n\r\n{\"script\": \"#!/bin/sh\\n",
            post + "Transfer-Encoding: chunked\r\n\r\n400\r\n{\"script\": ",
            "GET /v1/jobs HTTP/1.1\r\n" + self.head + "\r\n",
            "GET /v1/jobs/%s?wait=60s HTTP/1.1\r\n" % self.job_id + self.head + "\r\n",
            "GET /v1/events HTTP/1.1\r\n" + self.head + "Accept: text/event-stream\r\n\r\n",
            "PUT /v1/jobs/%s/files/in HTTP/1.1\r\n" % self.job_id + self.head + "Content-Length: 100000\r\n\r\nhalf of it",
        ]

    def connect(self, number):
        """An open connection in the middle of something; every tenth one never gets as far as TLS."""
        if number % 10 == 9:
            plain = socket.create_connection(("127.0.0.1", self.client.port), timeout=30)
            plain.sendall(b"\x16\x03\x01\x02\x00\x01")
            return plain
        wire = self.client.raw()
        texts = self.texts()
        wire.sendall(texts[number % len(texts)].encode())
        return wire


def leave(wire, number):
    """Every other one with a reset."""
    if number % 2:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        wire.close()


@pytest.fixture
def berth(base, programs, contract, issuer):
    made = Berth(programs, os.path.join(base, "clients"), contract, issuer).start()
    yield made
    made.finish()


def wave(rude, first):
    wires = [rude.connect(first + number) for number in range(AT_ONCE)]
    for number, wire in enumerate(wires):
        leave(wire, first + number)


def test_clients_that_leave_in_mid_request_take_nothing_with_them(berth):
    client = berth.client()
    job = client.submit({"script": "#!/bin/sh\n", "files": ["in"]})
    rude = Rude(berth, job["id"])
    pid = berth.process.pid
    before = descriptors(pid)
    wave(rude, 0)  # what is allocated once
    wait_until(lambda: descriptors(pid) <= before + 2, 60, "the descriptors of the first wave")
    memory = memory_kb(pid)
    for first in range(AT_ONCE, CLIENTS, AT_ONCE):
        wave(rude, first)
        assert client.get("/v1/jobs").status == 200
    wait_until(lambda: descriptors(pid) <= before + 2, 60, "the descriptors to return")
    grown = memory_kb(pid) - memory
    print("clients %d, memory +%d kB, descriptors %d -> %d" % (CLIENTS, grown, before, descriptors(pid)))
    assert grown < GROWTH_KB, "%d kB" % grown
    assert len(client.all_jobs()) == 1, "half a request made a job"
    assert client.upload(job["id"], "in", b"whole").status == 201
    assert client.finish(job["id"])["state"] == "done"
