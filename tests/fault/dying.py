"""A berthd that dies at its steps, the list of these steps, and a client that does not give up."""

import http.client
import os
import re
import signal
import time

from support import account
from support.berth import SOURCE, Berth
from support.waiting import wait_until

PROGRAM = "berthd-dying"
HALF = 1024  # of the file that is shared with the daemon, see kill_point_dying.cpp
CALL = re.compile(r'\bkill_point\(\s*"([^"]*)"')
# The daemon is away, or has refused for the moment.
PASSING = (OSError, http.client.HTTPException)


def steps():
    """Every step of the daemon, as often as it is in the sources."""
    found = []
    for folder, _, files in os.walk(os.path.join(SOURCE, "src")):
        for name in files:
            if name.endswith((".cpp", ".hpp")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    found += CALL.findall(file.read())
    return sorted(found)


class DyingBerth(Berth):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.kill_file = os.path.join(self.directory, "kill")
        with open(self.kill_file, "wb") as file:
            file.write(bytes(2 * HALF))
        account.own(self.directory)

    def environment(self):
        return {**super().environment(), "BERTH_KILL_FILE": self.kill_file}

    def _write(self, data, offset):
        with open(self.kill_file, "r+b", buffering=0) as file:
            file.seek(offset)
            file.write(data)

    def order(self, step):
        """The daemon dies at the next pass of "STEP,STEP@WORD:N", see kill_point_dying.cpp."""
        text = step.encode()
        assert len(text) < HALF - 1, step
        self.withdraw()
        self._write(text.ljust(HALF - 1, b"\0"), 1)
        self._write(b"!", 0)

    def withdraw(self):
        self._write(b"\0", 0)

    def last_step(self):
        with open(self.kill_file, "rb") as file:
            return file.read()[HALF:].rstrip(b"\0").decode()

    def has_died(self):
        return self.process.poll() is not None

    def wait_for_death(self, order, timeout=60):
        """The daemon has died by itself, as with kill -9, and at a step of the order; which one."""
        wait_until(self.has_died, timeout, "the death at " + order)
        assert self.process.returncode == -signal.SIGKILL, self.log()[-3000:]
        deaths = re.findall(r"^kill_point: died at (\w+)$", self.log(), re.M)
        steps_of = [re.split("[@:]", one)[0] for one in order.split(",")]
        assert deaths and deaths[-1] in steps_of, (deaths, self.log()[-3000:])
        return deaths[-1]


def insist(call, timeout=120):
    """The first answer of `call` that is final: it is repeated while the daemon is away, or says 429 or 5xx."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            reply = call()
            if reply.status < 500 and reply.status != 429:
                return reply
            problem = repr(reply)
        except PASSING as error:
            problem = repr(error)
        assert time.monotonic() < deadline, "no answer in %d s: %s" % (timeout, problem)
        time.sleep(0.1)


class Insistent:
    """The verbs of a client that repeats each request until it has an answer. For one thread."""

    def __init__(self, client, timeout=120):
        self.client, self.timeout = client, timeout

    def _insist(self, method, target, *wanted, **more):
        reply = insist(lambda: self.client.request(method, target, **more), self.timeout)
        assert reply.status in wanted, (method, target, reply)
        return reply

    def submit(self, request, key):
        """The ids of the jobs that the request made."""
        made = self._insist("POST", "/v1/jobs", 201, body=request, headers={"Idempotency-Key": key}).json()
        if "jobs" not in made:
            return [made["id"]]
        assert all(entry["status"] == 201 for entry in made["jobs"]), made
        return [entry["id"] for entry in made["jobs"]]

    def act(self, verb, job_id):
        """202, or 409 when the job has moved on: repeated, the first answer may be lost."""
        return self._insist("POST", "/v1/jobs/%s/%s" % (job_id, verb), 202, 409).status

    def forget(self, job_id):
        return self._insist("DELETE", "/v1/jobs/" + job_id, 204, 404).status

    def upload(self, job_id, path, data):
        return self._insist("PUT", "/v1/jobs/%s/files/%s" % (job_id, path), 201, 204, 409, body=data,
                            headers={"Content-Type": "application/octet-stream"}).status

    def job(self, job_id):
        return self._insist("GET", "/v1/jobs/" + job_id, 200).json()
