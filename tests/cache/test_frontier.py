"""Frontier's conditions data: HTTP/1.0 clients, validators, ages, errors, and what is never given out."""

import email.utils
import time

import pytest

from lab import origin
from lab.wire import Broken, Connection, frontier_head

QUERY = "/atlr/Frontier/type=frontier_request:1:DEFAULT&encoding=BLOBzip5&p1=eNoLdvVxdQ5RcPb3C"
PAYLOAD = b"<?xml version='1.0'?><frontier version='3.43'><payload type='frontier_request'>AAAA</payload></frontier>" * 20
ERROR = b"<?xml version='1.0'?><frontier version='3.43'><payload><quality error='1' code='2'/></payload></frontier>"
EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
MODIFIED = "Mon, 05 Oct 2026 10:00:00 GMT"


def date(offset_s=0):
    return email.utils.formatdate(time.time() + offset_s, usegmt=True)


class Frontier:
    """A server, a cache, and the answers in the order in which they are given; the last one repeats."""

    def __init__(self, server, cache):
        self.server, self.cache = server, cache
        self.path = QUERY

    def says(self, *acts):
        acts = list(acts)
        self.server.behaviours[self.path] = lambda exchange: (acts.pop(0) if len(acts) > 1 else acts[0])(exchange)

    def ask(self, control="max-stale=1", more=(), path=None, connection=None):
        head = frontier_head(path or self.path, self.server.name, control, more)
        if connection is not None:
            return connection.ask(head)
        with Connection(self.cache.port, 20) as fresh:
            return fresh.ask(head)

    def ask_at_once(self, count, control="max-stale=1", more=()):
        connections = [Connection(self.cache.port, 20) for _ in range(count)]
        for connection in connections:
            connection.send(frontier_head(self.path, self.server.name, control, more))
        answers = [connection.receive() for connection in connections]
        for connection in connections:
            connection.close()
        return answers

    @property
    def asked(self):
        return [one for one in self.server.asked if one.target == self.path]

    def sent_fields(self, at=-1):
        return {key.lower(): value for key, value in self.asked[at].fields}


def payload(body=PAYLOAD, control="max-age=600", modified=MODIFIED, fields=()):
    more = [("Content-Type", "text/xml"), ("Date", date())] + list(fields)
    more += [("Cache-Control", control)] if control else []
    more += [("Last-Modified", modified)] if modified else []
    return lambda exchange: exchange.reply(body, fields=more)


def revalidated(body=PAYLOAD, control="max-age=600", modified=MODIFIED, fields=()):
    """304 when the date is equal, as the servlet compares it."""
    def act(exchange):
        if exchange.get("If-Modified-Since") != modified:
            return payload(body, control, modified, fields)(exchange)
        exchange.head(304, fields=[("Date", date()), ("Cache-Control", control)] + list(fields))
        return True
    return act


def slowly(act, seconds=0.5):
    def slow(exchange):
        time.sleep(seconds)
        return act(exchange)
    return slow


@pytest.fixture
def frontier(make_origin, make_cache):
    server = make_origin()
    cache = make_cache([], [server.name])
    cache.expected_errors.append("event=stream_failed")
    return Frontier(server, cache)


def test_an_http_1_0_client_keeps_its_connection_and_gets_lengths(frontier):
    frontier.says(payload())
    with Connection(frontier.cache.port) as connection:
        for _ in range(3):
            answer = frontier.ask(connection=connection)
            assert answer.body == PAYLOAD and int(answer.get("Content-Length")) == len(PAYLOAD)
            assert answer.get("Connection").lower() == "keep-alive" and answer.get("Transfer-Encoding") is None
        assert connection.connects == 1
    assert len(frontier.asked) == 1
    assert frontier.sent_fields()["x-frontier-id"].startswith("tests 1.0")


def test_a_chunked_answer_reaches_an_http_1_0_client_whole(frontier):
    frontier.says(origin.chunked(PAYLOAD))
    for _ in range(2):
        answer = frontier.ask()
        assert answer.body == PAYLOAD and answer.get("Transfer-Encoding") is None
    assert len(frontier.asked) == 1


def test_a_large_answer_without_a_length_is_passed_on_and_ended_by_the_close(frontier):
    """Larger than an entry may be: streamed to an HTTP/1.0 client."""
    large = b"0123456789abcdef" * (40 << 16)
    frontier.says(origin.chunked(large, sizes=(65536,)))
    answer = frontier.ask()
    assert answer.body == large and not answer.reusable


def test_age_is_exact(frontier):
    frontier.says(payload(fields=[("Age", "100")]))
    assert 100 <= int(frontier.ask().get("Age")) <= 101
    time.sleep(2)
    assert 102 <= int(frontier.ask().get("Age")) <= 103
    assert len(frontier.asked) == 1


def test_an_age_counts_from_the_servers_date(frontier):
    frontier.says(lambda exchange: exchange.reply(PAYLOAD, fields=[("Date", date(-50)), ("Cache-Control", "max-age=600")]))
    assert 50 <= int(frontier.ask().get("Age")) <= 51


def test_what_is_too_old_by_its_age_is_asked_for_again(frontier):
    frontier.says(payload(control="max-age=100", fields=[("Age", "99")]))
    frontier.ask("max-stale=0")
    time.sleep(2.3)
    frontier.ask("max-stale=0")
    assert len(frontier.asked) == 2


def test_a_client_with_the_same_copy_gets_304_from_the_cache(frontier):
    frontier.says(payload())
    frontier.ask()
    answer = frontier.ask(more=["If-Modified-Since: " + MODIFIED])
    assert (answer.status, answer.body) == (304, b"") and answer.get("Last-Modified") == MODIFIED
    assert int(answer.get("Age")) <= 2 and answer.get("Cache-Control") == "max-age=600"
    older = frontier.ask(more=["If-Modified-Since: Mon, 05 Oct 2025 10:00:00 GMT"])
    assert (older.status, older.body) == (200, PAYLOAD)
    assert len(frontier.asked) == 1


def test_a_cold_conditional_request_fetches_the_whole_for_all(frontier):
    """The client's validator is its own: the server is asked without it, so that the answer can be kept."""
    frontier.says(revalidated())
    assert frontier.ask(more=["If-Modified-Since: " + MODIFIED]).status == 304
    assert "if-modified-since" not in frontier.sent_fields()
    assert frontier.ask().body == PAYLOAD
    assert len(frontier.asked) == 1


def test_a_stale_copy_is_revalidated_and_the_304_renews_it(frontier):
    frontier.says(revalidated(control="max-age=1", fields=[("X-Turn", "new")]))
    frontier.ask("max-stale=0")
    time.sleep(2.2)
    renewed = frontier.ask("max-stale=0")
    assert (renewed.status, renewed.body) == (200, PAYLOAD) and int(renewed.get("Age")) <= 1
    assert frontier.sent_fields()["if-modified-since"] == MODIFIED
    assert renewed.get("Content-Length") == str(len(PAYLOAD)) and renewed.get("Content-Type") == "text/xml"
    assert len(frontier.asked) == 2
    again = frontier.ask("max-stale=0")
    assert again.body == PAYLOAD and len(frontier.asked) == 2, "the 304 has made it fresh"


def test_new_data_replaces_the_old(frontier):
    newer = "Tue, 06 Oct 2026 10:00:00 GMT"
    frontier.says(payload(control="max-age=1"), revalidated(b"new data", "max-age=600", newer))
    frontier.ask()
    time.sleep(2.2)
    for _ in range(2):
        answer = frontier.ask("max-stale=0")
        assert (answer.body, answer.get("Last-Modified")) == (b"new data", newer)
    assert len(frontier.asked) == 2
    assert frontier.ask(more=["If-Modified-Since: " + MODIFIED]).body == b"new data"


def test_a_soft_refresh_asks_the_server_and_transfers_nothing(frontier):
    frontier.says(revalidated())
    frontier.ask()
    answer = frontier.ask("max-age=0")
    assert answer.body == PAYLOAD and len(frontier.asked) == 2
    assert frontier.sent_fields()["if-modified-since"] == MODIFIED


@pytest.mark.parametrize("more", [["Pragma: no-cache"], ["Pragma: no-cache", "If-Modified-Since: " + MODIFIED]])
def test_pragma_no_cache_wins_beside_another_cache_control(frontier, more):
    """Level 2 of a refresh; RFC 9111 would have a cache ignore Pragma here, and Frontier would be stuck."""
    frontier.says(payload(b"first"), payload(b"second", modified="Tue, 06 Oct 2026 10:00:00 GMT"))
    assert frontier.ask().body == b"first"
    assert frontier.ask("max-stale=1", more).body == b"second"
    assert len(frontier.asked) == 2
    assert frontier.ask().body == b"second", "everybody has the new one"
    assert len(frontier.asked) == 2


def test_a_little_late_is_fine_for_who_says_so(frontier):
    frontier.says(payload(control="max-age=1"))
    frontier.ask()
    time.sleep(2.3)
    assert frontier.ask("max-stale=30").body == PAYLOAD and len(frontier.asked) == 1
    assert frontier.ask("max-stale=0").body == PAYLOAD and len(frontier.asked) == 2


@pytest.mark.parametrize("fault", ["503", "500", "closed", "refused", "truncated", "chunks that break off", "stalled head"])
def test_an_old_copy_is_served_when_the_server_fails_and_permits_it(frontier, fault):
    frontier.says(payload(control="max-age=1, stale-if-error=60"))
    frontier.ask()
    if fault == "refused":
        frontier.server.close()
    else:
        frontier.says({"503": origin.status(503), "500": origin.status(500), "closed": origin.closed(None),
                       "truncated": origin.truncated(PAYLOAD, 100), "stalled head": origin.stalled_head(None),
                       "chunks that break off": origin.chunked(PAYLOAD, whole=False)}[fault])
    time.sleep(2.2)
    answer = frontier.ask("max-stale=0")
    assert (answer.status, answer.body) == (200, PAYLOAD)
    assert int(answer.get("Age")) >= 2


@pytest.mark.parametrize("control", ["max-age=1", "max-age=1, stale-if-error=60, must-revalidate", "max-age=1, stale-if-error=1"])
def test_it_is_not_when_the_server_does_not_permit_it(frontier, control):
    frontier.says(payload(control=control), origin.status(503))
    frontier.ask()
    time.sleep(3.2)
    assert frontier.ask("max-stale=0").status == 503


def test_an_error_inside_a_200_lives_as_long_as_it_says(frontier):
    frontier.says(payload(ERROR, "max-age=2", EPOCH), payload())
    assert frontier.ask("max-stale=0").body == ERROR
    assert frontier.ask("max-stale=0").body == ERROR
    assert len(frontier.asked) == 1
    time.sleep(3.1)
    assert frontier.ask("max-stale=0").body == PAYLOAD


def test_an_overload_is_kept_as_long_as_it_says(frontier):
    fields = [("Cache-Control", "max-age=2")]
    frontier.says(lambda exchange: exchange.reply(b"overloaded", 503, fields), payload())
    assert [frontier.ask("max-stale=0").status for _ in range(3)] == [503] * 3
    assert len(frontier.asked) == 1
    time.sleep(3.1)
    assert frontier.ask("max-stale=0").body == PAYLOAD


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_an_error_without_a_lifetime_is_not_kept(frontier, status):
    frontier.says(origin.status(status), payload())
    assert frontier.ask().status == status
    assert frontier.ask().body == PAYLOAD


CUTS = {
    "chunks that break off": lambda data: origin.chunked(data, whole=False),
    "half of a counted body": lambda data: origin.truncated(data, len(data) // 2),
    "one byte missing": lambda data: origin.truncated(data, len(data) - 1),
    "the last chunk's end missing": lambda data: cut_before_the_end(data),
}


def cut_before_the_end(data):
    def act(exchange):
        exchange.head(200, fields=[("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=600")])
        exchange.send(b"%x\r\n%s\r\n0\r\n" % (len(data), data))
        return False
    return act


@pytest.mark.parametrize("size", [len(PAYLOAD), 3_000_000, 40_000_000], ids=["small", "large", "passed on"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_answer_is_never_given_as_whole_nor_kept(frontier, cut, size):
    body = (PAYLOAD * (size // len(PAYLOAD) + 1))[:size]
    frontier.says(CUTS[cut](body), payload(body))
    for protocol in ("HTTP/1.0", "HTTP/1.1"):
        head = frontier_head(frontier.path, frontier.server.name).replace(b"HTTP/1.0\r\n", protocol.encode() + b"\r\n")
        with Connection(frontier.cache.port, 20) as connection:
            try:
                answer = connection.ask(head)
                assert answer.status == 502 or answer.body == body, "a cut answer was given as whole"
            except (Broken, OSError):
                pass  # a reset, after which the client asks anew
    assert frontier.ask().body == body


def test_a_hundred_at_once_cost_one_request(frontier):
    frontier.says(slowly(payload()))
    answers = frontier.ask_at_once(100)
    assert {answer.body for answer in answers} == {PAYLOAD}
    assert len(frontier.asked) == 1


def test_a_hundred_at_once_cost_one_revalidation(frontier):
    frontier.says(revalidated(control="max-age=1"), slowly(revalidated()))
    frontier.ask()
    time.sleep(2.2)
    answers = frontier.ask_at_once(100, "max-stale=0")
    assert {answer.body for answer in answers} == {PAYLOAD} and {answer.status for answer in answers} == {200}
    assert len(frontier.asked) == 2


def test_a_hundred_refreshes_at_once_cost_few_requests(frontier):
    """Soft refreshes that wait for one another need no further request: the answer is new for all of them."""
    frontier.says(revalidated(), slowly(revalidated()))
    frontier.ask()
    answers = frontier.ask_at_once(100, "max-age=0")
    assert {answer.body for answer in answers} == {PAYLOAD}
    assert len(frontier.asked) <= 3


def test_those_who_wait_go_on_when_the_first_one_leaves(frontier):
    frontier.says(slowly(payload(), 1))
    first = Connection(frontier.cache.port)
    first.send(frontier_head(frontier.path, frontier.server.name))
    time.sleep(0.2)
    others = [Connection(frontier.cache.port) for _ in range(10)]
    for one in others:
        one.send(frontier_head(frontier.path, frontier.server.name))
    time.sleep(0.2)
    first.close()
    assert {one.receive().body for one in others} == {PAYLOAD}
    assert len(frontier.asked) <= 2
    for one in others:
        one.close()


def test_the_failure_of_a_shared_request_is_everybodys_at_once(frontier):
    """A hundred clients of a dead server must not queue for one time-out after another."""
    frontier.says(slowly(origin.closed(None), 1))
    began = time.monotonic()
    assert {answer.status for answer in frontier.ask_at_once(30)} <= {502, 504}
    assert time.monotonic() - began < 10


def test_only_if_cached_never_asks_the_server(frontier):
    frontier.says(payload())
    assert frontier.ask("only-if-cached").status == 504
    assert not frontier.asked
    frontier.ask()
    assert frontier.ask("only-if-cached").body == PAYLOAD


def test_head_says_what_get_would_and_keeps_nothing(frontier):
    """This server sends a body all the same, which must not be taken for the answer to what comes next."""
    frontier.says(lambda exchange: exchange.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), payload())
    head = frontier_head(frontier.path, frontier.server.name).replace(b"GET ", b"HEAD ", 1)
    with Connection(frontier.cache.port) as connection:
        answer = connection.ask(head, "HEAD")
        assert answer.status == 200 and answer.body == b""
    for _ in range(2):
        assert frontier.ask().body == PAYLOAD


def test_servers_have_entries_of_their_own(make_origin, make_cache):
    servers = [make_origin(), make_origin()]
    cache = make_cache([], [server.name for server in servers])
    for i, server in enumerate(servers):
        server.behaviours[QUERY] = payload(b"of server %d" % i)
    for _ in range(2):
        for i, server in enumerate(servers):
            assert Frontier(server, cache).ask().body == b"of server %d" % i
    assert [server.count(QUERY) for server in servers] == [1, 1]
