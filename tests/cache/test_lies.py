"""Content objects from servers that lie, break off, stall and so on: a node has the right bytes, or is sent on in a way
that does not make it drop the proxy."""

import concurrent.futures
import os
import random
import time

import pytest

from lab import cvmfs, origin
from lab.node import CLIENT_TIMEOUT_S
from lab.wire import Connection, frontier_head
from support.waiting import wait_until

SMALL, LARGE = 20_000, 1_500_000  # verified before its first byte is sent; sent while it arrives
SIZES = {"small": SMALL, "large": LARGE}

FAULTS = {
    "wrong first byte": lambda data: origin.wrong_byte(data, "first"),
    "wrong middle byte": lambda data: origin.wrong_byte(data, "middle"),
    "wrong last byte": lambda data: origin.wrong_byte(data, "last"),
    "truncated": lambda data: origin.truncated(data, len(data) // 2),
    "one byte short": lambda data: origin.truncated(data, len(data) - 1),
    "shorter by its own length": lambda data: origin.good(data[:-1]),
    "too long": origin.too_long,
    "stalled head": origin.stalled_head,
    "stalled body": lambda data: origin.stalled_body(data, len(data) // 2),
    "stalled before its last byte": lambda data: origin.stalled_body(data, len(data) - 1),
    "1 KB/s": origin.slow,
    "closed": origin.closed,
    "404": lambda data: origin.status(404),
    "500": lambda data: origin.status(500),
    "503": lambda data: origin.status(503),
    "redirect": lambda data: origin.redirect("/elsewhere"),
    "empty": lambda data: origin.good(b""),
    "an HTML page": lambda data: origin.good(b"<html>log in</html>"),
    "broken chunks": lambda data: origin.chunked(data, whole=False),
    "wrong chunks": lambda data: origin.chunked(origin.flipped(data, 5)),
    "not HTTP": lambda data: raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "two lengths": lambda data: raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "half a head": lambda data: raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half of HTTP/1.0": lambda data: origin.http10(data[:len(data) // 2]),
}
FINE = {"chunked": origin.chunked, "HTTP/1.0": origin.http10}


def raw(data):
    def act(exchange):
        exchange.send(data)
        return False
    return act


class Lab:
    """Objects of their own for each test: a daemon remembers which server had wrong bytes."""

    def __init__(self, stratum, cache, node):
        self.stratum, self.cache, self.make_node = stratum, cache, node
        self.first = stratum.origins[0]
        cache.expected_errors.append("event=stream_failed")
        self.random = random.Random(os.urandom(8))

    def object(self, size, fault=None, servers=1):
        data = self.random.randbytes(size)
        path = self.stratum.put(data)
        if fault is not None:
            for one in self.stratum.origins[:servers]:
                one.behaviours[self.stratum.path(path)] = fault(data)
        return path, data

    def node(self, **more):
        return self.make_node(self.cache, self.first.name, self.stratum.fqrn, **more)

    def heal(self, path):
        for one in self.stratum.origins:
            one.behaviours.pop(self.stratum.path(path), None)

    def has_it(self, path, data):
        """From the cache alone."""
        full = self.stratum.path(path)
        before = [one.count(full) for one in self.stratum.origins]
        answer = self.node().ask(path)
        assert answer.status == 200 and answer.is_hit and answer.body == data
        assert [one.count(full) for one in self.stratum.origins] == before


@pytest.fixture
def make_lab(make_stratum, make_cache, node):
    def make(servers):
        stratum = make_stratum(servers=servers)
        stratum.publish({"/hello": b"hello"})
        return Lab(stratum, make_cache([stratum.settings()]), node)
    return make


@pytest.fixture
def two(make_lab):
    return make_lab(2)


@pytest.fixture
def one(make_lab):
    return make_lab(1)


def in_parallel(works):
    """Stalls take seconds each: all of a test's readings at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(lambda work: work(), works))


def readings(lab, faults, servers):
    """{(fault, size): (path, data, Reading, seconds)}"""
    def work(name, size):
        path, data = lab.object(SIZES[size], faults[name], servers)

        def act():
            began = time.monotonic()
            reading = lab.node().read(path)
            return (name, size), (path, data, reading, time.monotonic() - began)
        return act
    return dict(in_parallel([work(name, size) for name in faults for size in SIZES]))


def problems(found, judge):
    return {key: why for key, value in found.items() if (why := judge(*key, *value))}


def test_with_one_good_server_every_node_has_the_right_bytes(two):
    """At most one failure on the way, which is one that the client repeats: sent bytes cannot be taken back."""
    found = readings(two, FAULTS, 1)

    def judge(name, size, path, data, reading, seconds):
        if not reading.is_right or reading.answer.body != data:
            return repr(reading)
        if size == "small" and reading.failures:
            return "a small one is verified before its first byte goes out: %r" % reading
        if reading.answer.longest_gap_s >= CLIENT_TIMEOUT_S:
            return "%.1f s without a byte" % reading.answer.longest_gap_s
        return None
    bad = problems(found, judge)
    assert not bad, "\n".join("%s: %s" % one for one in bad.items())
    for path, data, _, _ in found.values():
        two.has_it(path, data)
    assert two.cache.check_objects() >= len(found)
    slowest = max(found.items(), key=lambda item: item[1][3])
    retried = sorted("%s (%s)" % key for key, value in found.items() if value[2].failures)
    print("\nslowest: %s (%s), %.1f s; read twice: %s" % (*slowest[0], slowest[1][3], ", ".join(retried)))


def test_with_no_good_server_a_node_is_sent_to_the_next_server_and_nothing_bad_is_stored(one):
    # A whole large object at 1 KB/s takes too long for a test.
    found = readings(one, {name: act for name, act in FAULTS.items() if name != "1 KB/s"}, 1)

    def judge(name, size, path, data, reading, seconds):
        if reading.is_right and reading.answer.body == data:
            return None  # slow is not wrong
        return None if reading.verdict == "next server" else repr(reading)
    bad = problems(found, judge)
    one.cache.check_objects()
    assert not bad, "\n".join("%s: %s" % one for one in bad.items())


def test_nothing_good_is_lost_by_a_fault_and_the_object_comes_when_the_server_is_well_again(one):
    """Wrong bytes make a server distrusted for that object for 10 minutes; everything else is forgotten at once."""
    wrong = {"wrong first byte", "wrong middle byte", "wrong last byte", "shorter by its own length", "empty",
             "an HTML page", "wrong chunks", "half of HTTP/1.0", "too long"}
    stored, data_of_stored = one.object(SMALL)
    assert one.node().get(stored) == data_of_stored
    found = readings(one, {name: act for name, act in FAULTS.items() if name not in wrong and name != "1 KB/s"}, 1)
    for path, data, reading, _ in found.values():
        one.heal(path)
    # A transfer that stalls is given up after a while; until then nodes are sent on.
    for key, (path, data, _, _) in found.items():
        wait_until(lambda: one.node().read(path).is_right, 40, "%s (%s)" % key, 0.5)
    one.has_it(stored, data_of_stored)


def test_unusual_but_right_answers_are_taken(one):
    for fault, (path, data, reading, _) in readings(one, FINE, 1).items():
        assert reading.is_right and not reading.failures, (fault, reading)
        one.has_it(path, data)


def test_a_wrong_server_is_not_asked_again_for_that_object_and_is_for_others(two):
    path, data = two.object(SMALL, FAULTS["wrong middle byte"])
    assert two.node().get(path) == data
    two.cache.admin("/cache/purge", object=cvmfs.split_id(path.replace("data/", "").replace("/", ""))[0])
    before = two.first.count(two.stratum.path(path))
    assert two.node().get(path) == data
    assert two.first.count(two.stratum.path(path)) == before
    other, its_data = two.object(SMALL)
    assert two.node().get(other) == its_data
    assert two.first.count(two.stratum.path(other)) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(two):
    """The second server is asked for the rest only, and the node notices nothing."""
    path, data = two.object(LARGE, lambda data: origin.truncated(data, 1_000_000))
    reading = two.node().read(path)
    assert reading.is_right and not reading.failures and reading.answer.body == data
    full = two.stratum.path(path)
    ranges = [dict(asked.fields).get("Range") for asked in two.stratum.origins[1].asked if asked.target == full]
    assert ranges == ["bytes=1000000-"]


def test_a_server_that_ignores_ranges_may_give_the_rest(two):
    path, data = two.object(LARGE, lambda data: origin.truncated(data, 1_000_000))
    two.stratum.origins[1].behaviours[two.stratum.path(path)] = lambda exchange: exchange.reply(data)
    reading = two.node().read(path)
    assert reading.is_right and not reading.failures and reading.answer.body == data


def test_a_node_that_says_no_cache_has_the_stored_copy_verified(two):
    path, data = two.object(SMALL)
    assert two.node().get(path) == data
    assert two.node().ask(path, no_cache=True).body == data
    assert two.first.count(two.stratum.path(path)) == 1, "the stored copy was right"
    name = path.replace("data/", "").replace("/", "")
    time.sleep(0.3)  # it is written after it was given out
    file = next(os.path.join(folder, one) for folder, _, names in os.walk(two.cache.path) for one in names
                if one.startswith(name))
    with open(file, "r+b") as stored:
        stored.seek(100)
        stored.write(b"rotten")
    answer = two.node().ask(path, no_cache=True)
    assert answer.status == 200 and answer.body == data
    time.sleep(0.3)
    two.has_it(path, data)
    two.cache.check_objects()


def test_files_that_were_damaged_are_found_after_kill_9(two):
    """After an unclean stop every entry is hashed at its first use."""
    objects = [two.object(SMALL) for _ in range(20)] + [two.object(LARGE)]
    for path, data in objects:
        assert two.node().get(path) == data
    time.sleep(0.5)
    two.cache.kill()
    for folder, _, names in os.walk(os.path.join(two.cache.path, "objects")):
        for name in names:
            with open(os.path.join(folder, name), "r+b") as stored:
                stored.truncate(os.path.getsize(stored.name) // 2)
    two.cache.start()
    for path, data in objects:
        reading = two.node().read(path)
        assert reading.is_right and not reading.failures and reading.answer.body == data
    time.sleep(0.5)
    assert two.cache.check_objects() >= len(objects)


def test_long_names_are_passed_on_and_too_long_ones_refused(make_origin, make_cache, node):
    """Frontier's URLs have up to 8 KB."""
    server = make_origin()
    cache = make_cache([], destinations=[server.name])
    path = "/atlr/Frontier/type=frontier_request:1:DEFAULT&encoding=BLOBzip5&p1=" + "x" * 8192
    server.behaviours[path] = lambda exchange: exchange.reply(b"payload", fields=[("Cache-Control", "max-age=100")])
    with Connection(cache.port) as connection:
        for _ in range(2):
            answer = connection.ask(frontier_head(path, server.name))
            assert (answer.status, answer.body) == (200, b"payload")
        assert server.count(path) == 1
    with Connection(cache.port) as connection:
        assert connection.ask(frontier_head("/" + "x" * 40_000, server.name)).status in (414, 431)


@pytest.mark.parametrize("size", SIZES)
def test_a_slow_node_does_not_slow_the_others(two, size):
    """One reads nothing of an object while it arrives; the others have it at once."""
    path, data = two.object(SIZES[size])
    lazy = two.node()
    lazy.connection.send(lazy.head(path))
    began = time.monotonic()
    for _ in range(5):
        assert two.node().get(path) == data
    assert time.monotonic() - began < CLIENT_TIMEOUT_S
    assert lazy.connection.receive().body == data
    assert two.first.count(two.stratum.path(path)) == 1


def test_nodes_that_leave_do_not_end_the_fetch_of_those_who_stay(two):
    path, data = two.object(LARGE, lambda data: origin.slow(data, 600_000))
    leaving = [two.node() for _ in range(5)]
    for node in leaving:
        node.connection.send(node.head(path))
    staying = two.node()
    staying.connection.send(staying.head(path))
    time.sleep(0.5)
    for node in leaving:
        node.connection.close()
    assert staying.connection.receive().body == data
    assert two.first.count(two.stratum.path(path)) == 1
