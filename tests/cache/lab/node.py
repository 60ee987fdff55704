"""A worker node as the cache sees it: a client with a kept connection, its time limits and its reactions."""

from . import cvmfs
from .wire import Broken, Connection, cvmfs_head

CLIENT_TIMEOUT_S = 5


class Node:
    """`server`: "host:port" that the client names; None = the cache itself is its server (reverse form)."""

    def __init__(self, port, server, fqrn, patience_s=30, source=None):
        self.server, self.fqrn = server, fqrn
        self.connection = Connection(port, patience_s, source)
        self.hits = self.asked = 0
        self.slowest_first_byte_s = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def head(self, path, **more):
        target = "/cvmfs/%s/%s" % (self.fqrn, path)
        if self.server is None:
            return cvmfs_head(target, "127.0.0.1:%d" % self.connection.port, proxied=False, **more)
        return cvmfs_head(target, self.server, **more)

    def ask(self, path, **more):
        answer = self.connection.ask(self.head(path, **more))
        self.asked += 1
        self.hits += answer.is_hit
        self.slowest_first_byte_s = max(self.slowest_first_byte_s, answer.first_byte_s or 0)
        return answer

    def get(self, path):
        answer = self.ask(path)
        assert answer.status == 200, (path, answer.status, answer.body[:200])
        return answer.body

    def walk(self):
        return cvmfs.Walk(self.get).repository(self.fqrn)

    def read(self, path):
        """An object as the client reads it: 5 s without a byte of the body, a cut and wrong bytes are failures of the
        proxy, and after two of them in a row the client would drop it for 300 s."""
        failures, no_cache = [], False
        self.connection.patience_s = CLIENT_TIMEOUT_S
        while len(failures) < 2:
            try:
                answer = self.ask(path, no_cache=no_cache)
            except (Broken, OSError) as problem:
                failures.append(str(problem))
                continue
            if not 200 <= answer.status < 300:
                return Reading(failures, answer)
            try:
                cvmfs.check_object(path, answer.body)
                return Reading(failures, answer)
            except AssertionError as problem:
                failures.append(str(problem))
                no_cache = True
        return Reading(failures, None)


class Reading:
    def __init__(self, failures, answer):
        self.failures, self.answer = failures, answer

    @property
    def is_right(self):
        return self.answer is not None and self.answer.status == 200

    @property
    def verdict(self):
        """What the client does next."""
        if self.answer is None:
            return "drops the proxy"
        if self.answer.status == 200:
            return "has it"
        return "next server" if self.answer.status in (400, 404) or self.answer.status >= 500 else "next proxy"

    def __repr__(self):
        return "%s after %s" % (self.verdict, self.failures)
