"""What the node door refuses, and what nobody can put into the cache for others."""

import os
import tempfile
import time

import pytest

from conftest import Stratum, started
from lab.origin import Origin
from lab.wire import AGENT, Connection, cvmfs_head, raw, statuses

FQRN = "lab.example.org"


class Place:
    """One daemon for the whole file; each test has paths of its own."""

    def __init__(self, stratum, cache):
        self.stratum, self.cache, self.port = stratum, cache, cache.port
        self.server = stratum.origins[0]

    def file(self, path, body=b"what the server has"):
        """Cached by its URL, not by a hash."""
        self.server.files[path] = body
        return path

    def ask(self, request, source=None, method="GET"):
        with Connection(self.port, 10, source) as connection:
            return connection.ask(request, method)

    def get(self, path, more=(), host=None, method="GET"):
        """In absolute form; `host`: what the Host field says instead."""
        lines = ["%s http://%s%s HTTP/1.1" % (method, self.server.name, path), "Host: " + (host or self.server.name),
                 "User-Agent: " + AGENT, *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def asked_of(self, path):
        return [one for one in list(self.server.asked) if one.target.startswith(path)]


@pytest.fixture(scope="module")
def place(base, programs):
    directory = tempfile.mkdtemp(prefix="r", dir=base)
    os.chmod(directory, 0o755)
    origin = Origin()
    stratum = Stratum(directory, FQRN, [origin])
    stratum.publish({"/hello": b"hello"})
    os.makedirs(directory + "/cache")
    cache = started(directory + "/cache", programs, [stratum.settings()], [origin.name],
                    {"node": {"networks": ["127.0.0.0/28"]}})
    try:
        yield Place(stratum, cache)
    finally:
        cache.finish()
        origin.close()


def test_a_node_from_another_network_is_sent_to_its_next_proxy(place):
    for request in (cvmfs_head(place.stratum.path(".cvmfspublished"), place.server.name), place.get("/files/any")):
        assert place.ask(request, source="127.0.0.77").status == 403
    assert place.ask(cvmfs_head(place.stratum.path(".cvmfspublished"), place.server.name), source="127.0.0.9").status == 200


@pytest.mark.parametrize("authority", [
    "127.0.0.1:1", "127.0.0.1", "localhost:PORT", "other.example.org", "127.1:PORT", "2130706433:PORT", "0x7f000001:PORT",
    "0177.0.0.1:PORT", "[::ffff:127.0.0.1]:PORT", "[::1]:PORT", "127.0.0.1:0PORT", "127.0.0.1.:PORT", "169.254.169.254",
    "127.0.0.1:PORT@evil.example.org", "evil.example.org@127.0.0.1:PORT", "127.0.0.1:99999", "127.0.0.1:", ":PORT", ""])
def test_a_destination_that_is_not_permitted_is_refused(place, authority):
    """Other spellings of a permitted one included: what is compared is what is connected to."""
    authority = authority.replace("PORT", str(place.server.port))
    paths = ("/files/secret", "/cvmfs/other.example.org/.cvmfspublished", place.stratum.path("data/00/" + "0" * 38))
    for path in paths:
        reply = raw(place.port, ("GET http://%s%s HTTP/1.1\r\nHost: h\r\n\r\n" % (authority, path)).encode(), 0.5)
        assert statuses(reply)[0] in (400, 403), reply
    assert not any(place.asked_of(path) for path in paths)


@pytest.mark.parametrize("target", ["127.0.0.1:PORT", "127.0.0.1:443", "other.example.org:443", "127.0.0.1:22"])
def test_there_are_no_tunnels(place, target):
    target = target.replace("PORT", str(place.server.port))
    request = "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)
    reply = raw(place.port, request.encode() + place.get("/files/tunnelled"), 0.5)
    assert statuses(reply)[0] in (403, 405, 501), reply
    assert b"200" not in reply.split(b"\r\n")[0]


@pytest.mark.parametrize("scheme,status", [("https", 403), ("HTTPS", 403), ("ftp", 400), ("file", 400), ("ws", 400)])
def test_only_plain_http_is_fetched(place, scheme, status):
    request = "GET %s://%s/files/any HTTP/1.1\r\nHost: h\r\n\r\n" % (scheme, place.server.name)
    assert statuses(raw(place.port, request.encode(), 0.5))[0] in (status, 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PURGE", "PATCH", "PROPFIND", "get"])
def test_only_get_and_head_reach_a_server(place, method):
    path = place.file("/files/method-" + method)
    assert place.ask(place.get(path, ["Content-Length: 0"] if method in ("POST", "PUT") else [], method=method)).status in (
        400, 405, 501)
    assert not place.asked_of(path)
    assert place.ask(place.get(path)).body == b"what the server has", "nothing was kept of it"


def test_no_client_can_remove_objects(place):
    data = b"kept" * 100
    path = place.stratum.path(place.stratum.put(data))
    assert place.ask(cvmfs_head(path, place.server.name)).body == data
    for method in ("DELETE", "PURGE"):
        place.ask(place.get(path, method=method))
    assert place.ask(cvmfs_head(path, place.server.name)).is_hit


TE, CL = "Transfer-Encoding: ", "Content-Length: "
# Each is refused and the connection closed: what follows is never a second request.
FRAMING = {
    "gzip, then a length": TE + "gzip\r\n" + CL + "5",
    "gzip": TE + "gzip",
    "identity": TE + "identity",
    "xchunked": TE + "xchunked",
    "chunked, gzip": TE + "chunked, gzip",
    "chunked, chunked": TE + "chunked, chunked",
    "identity, then chunked in a second field": TE + "identity\r\n" + TE + "chunked",
    "two fields chunked": TE + "chunked\r\n" + TE + "chunked",
    "vertical tab": TE + "\x0bchunked",
    "trailing comma": TE + "chunked,",
    "quoted": TE + '"chunked"',
    "length, then chunked": CL + "5\r\n" + TE + "chunked",
    "chunked, then length": TE + "chunked\r\n" + CL + "5",
    "differing lengths": CL + "5\r\n" + CL + "6",
    "equal lengths": CL + "5\r\n" + CL + "5",
    "list of lengths": CL + "5, 5",
    "length with zeros": CL + "005",
    "length with a sign": CL + "+5",
    "hexadecimal length": CL + "0x5",
    "empty length": CL,
    "overflow": CL + "18446744073709551616",
    "folded": "X: a\r\n b",
    "folded coding": "Transfer-Encoding:\r\n chunked",
    "space before the colon": "Content-Length : 5",
    "empty name": ": x",
    "no colon": "Content-Length 5",
    "bare LF": "X: y\nContent-Length: 5",
    "bare CR": "X: y\rContent-Length: 5",
    "NUL": "X: a\0b",
    "second Host": "Host: other",
    "body of a GET": CL + "5",
    "chunked body of a GET": TE + "chunked",
}
HEADS = {
    "HTTP/0.9": "GET http://SERVER/files/x\r\n\r\n",
    "HTTP/1.10": "GET http://SERVER/files/x HTTP/1.10\r\nHost: h\r\n\r\n",
    "HTTP/1.2": "GET http://SERVER/files/x HTTP/1.2\r\nHost: h\r\n\r\n",
    "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no Host": "GET http://SERVER/files/x HTTP/1.1\r\n\r\n",
    "two spaces": "GET  http://SERVER/files/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "tab": "GET\thttp://SERVER/files/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "raw UTF-8": "GET http://SERVER/files/\xe9 HTTP/1.1\r\nHost: h\r\n\r\n",
    "fragment": "GET http://SERVER/files/x#y HTTP/1.1\r\nHost: h\r\n\r\n",
    "bare LF": "GET http://SERVER/files/x HTTP/1.1\nHost: h\n\n",
    "space in the path": "GET http://SERVER/files/x y HTTP/1.1\r\nHost: h\r\n\r\n",
    "chunked in HTTP/1.0": "GET http://SERVER/files/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


def is_refused_and_closed(place, request, path="/files/x"):
    smuggled = "/smuggled/%d" % time.monotonic_ns()
    reply = raw(place.port, request + place.get(smuggled), 2)
    found = statuses(reply)
    assert len(found) == 1 and found[0] in (400, 403, 405, 414, 431, 501, 505), reply[:300]
    time.sleep(0.02)
    assert not place.asked_of(smuggled), "what came behind it was taken for a request"
    assert not place.asked_of(path)


@pytest.mark.parametrize("name", FRAMING)
def test_what_could_be_framed_in_two_ways_is_refused(place, name):
    """The rows measured with Boost.Beast 1.81, and classes of request smuggling."""
    request = "GET http://%s/files/x HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (place.server.name, place.server.name, FRAMING[name])
    is_refused_and_closed(place, request.encode("latin-1"))


@pytest.mark.parametrize("name", HEADS)
def test_an_ill_formed_request_line_is_refused(place, name):
    is_refused_and_closed(place, HEADS[name].replace("SERVER", place.server.name).encode("latin-1"))


def test_too_large_heads_are_refused_and_cost_nothing(place):
    path = place.file("/files/large-head")
    before = place.cache.rss_mb()
    for more in (["X-Large: " + "x" * 100_000], ["X-%d: y" % i for i in range(5000)], ["Cookie: " + "a=b;" * 20_000]):
        reply = raw(place.port, place.get(path, more), 2)
        assert not reply or statuses(reply)[0] in (400, 431)
    assert not place.asked_of(path)
    assert place.cache.rss_mb() < before + 50


def test_pipelined_requests_are_answered_in_their_order(place):
    paths = [place.file("/files/pipelined-%d" % i, b"body %d" % i) for i in range(5)]
    with Connection(place.port) as connection:
        connection.send(b"".join(place.get(path) for path in paths))
        assert [connection.receive().body for _ in paths] == [b"body %d" % i for i in range(5)]


# ---- what one client does must not change what others get

def test_the_target_counts_and_not_the_host_field(place):
    path = place.file("/files/host")
    for host in ("evil.example.org", "127.0.0.1:1", place.server.name):
        assert place.ask(place.get(path, host=host)).body == b"what the server has"
    asked = place.asked_of(path)
    assert len(asked) <= 1 or all(dict(one.fields)["Host"] == place.server.name for one in asked)
    assert dict(asked[0].fields)["Host"] == place.server.name


def echo(exchange):
    """A server that lets unusual fields decide what it says."""
    names = ("x-forwarded-host", "x-forwarded-proto", "x-original-url", "x-rewrite-url", "x-http-method-override", "forwarded",
             "x-host", "x-forwarded-server", "cookie", "accept-language", "origin")
    said = sorted("%s=%s" % (key.lower(), value) for key, value in exchange.fields if key.lower() in names)
    return exchange.reply(("said: " + "; ".join(said)).encode(), fields=[("Cache-Control", "max-age=600")])


@pytest.mark.parametrize("field", [
    "X-Forwarded-Host: evil.example.org", "X-Original-URL: /evil", "X-Rewrite-URL: /evil", "X-HTTP-Method-Override: DELETE",
    "Forwarded: host=evil.example.org", "X-Host: evil.example.org", "X-Forwarded-Server: evil", "X-Forwarded-Proto: gopher"])
def test_fields_that_are_not_in_the_key_cannot_poison_an_answer(place, field):
    path = "/files/poison-" + field.split(":")[0]
    place.server.behaviours[path] = echo
    place.ask(place.get(path, [field]))
    assert place.ask(place.get(path)).body == b"said: ", "another client sees what the first one sent"


def test_an_answer_to_authorization_is_nobody_elses(place):
    path = "/files/private"
    place.server.behaviours[path] = lambda exchange: exchange.reply(
        ("for " + (exchange.get("Authorization") or "nobody")).encode(), fields=[("Cache-Control", "max-age=600")])
    assert place.ask(place.get(path, ["Authorization: Bearer secret"])).body == b"for Bearer secret"
    assert place.ask(place.get(path)).body == b"for nobody"
    assert place.ask(place.get(path, ["Authorization: Bearer other"])).body != b"for Bearer secret"


def test_authorization_of_several_at_once_is_not_mixed(place):
    path = "/files/private-slow"

    def act(exchange):
        time.sleep(0.3)
        return exchange.reply(("for " + (exchange.get("Authorization") or "nobody")).encode(),
                              fields=[("Cache-Control", "max-age=600")])
    place.server.behaviours[path] = act
    connections = [Connection(place.port) for _ in range(6)]
    for i, connection in enumerate(connections):
        connection.send(place.get(path, ["Authorization: Bearer %d" % i] if i % 2 else []))
    bodies = [connection.receive().body for connection in connections]
    for i, body in enumerate(bodies):
        # What everybody gets will do for one who has shown a token, too.
        assert body in (b"for nobody", b"for Bearer %d" % i if i % 2 else b"for nobody")
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("field", ["Set-Cookie: id=1", "Cache-Control: private, max-age=600", "Cache-Control: no-store",
                                   "Vary: *", "Vary: Accept-Language, Accept-Encoding"])
def test_an_answer_for_one_client_is_not_kept(place, field):
    path = "/files/not-kept-" + field.replace(" ", "").replace(":", "-").replace(",", "-").replace("*", "star")
    name, value = field.split(": ")
    fields = [(name, value)] + ([("Cache-Control", "max-age=600")] if name != "Cache-Control" else [])
    place.server.behaviours[path] = lambda exchange: exchange.reply(b"one", fields=fields)
    for _ in range(3):
        assert place.ask(place.get(path)).body == b"one"
    assert len(place.asked_of(path)) == 3


@pytest.mark.parametrize("first", ["bytes=0-3", "bytes=5-", "bytes=-4", "bytes=0-1,4-5", "bytes=100-", "lines=1-2", "bytes=x"])
def test_a_part_is_never_taken_for_the_whole(place, first):
    path = "/files/range-" + first.replace("=", "-").replace(",", "-")
    body = b"0123456789"

    def act(exchange):
        if exchange.get("Range") is None:
            return exchange.reply(body, fields=[("Cache-Control", "max-age=600")])
        return exchange.reply(body[:4], 206, [("Content-Range", "bytes 0-3/10"), ("Cache-Control", "max-age=600")])
    place.server.behaviours[path] = act
    place.ask(place.get(path, ["Range: " + first]))
    assert place.ask(place.get(path)).body == body
    data = b"content object " * 50
    object_path = place.stratum.path(place.stratum.put(data + first.encode()))
    place.ask(place.get(object_path, ["Range: " + first]))
    assert place.ask(place.get(object_path)).body == data + first.encode()


def test_a_server_that_gives_a_part_unasked_is_not_believed(place):
    path = "/files/unasked-part"
    place.server.behaviours[path] = lambda exchange: exchange.reply(
        b"0123", 206, [("Content-Range", "bytes 0-3/10"), ("Cache-Control", "max-age=600")])
    place.ask(place.get(path))
    place.server.behaviours.pop(path)
    place.file(path, b"0123456789")
    assert place.ask(place.get(path)).body == b"0123456789"


# %2e is a dot, %63 a c, %2f a slash; what is served is what was meant, or nothing.
@pytest.mark.parametrize("form", ["/cvmfs/{f}/../{f}/{o}", "/cvmfs/{f}/%2e%2e/{f}/{o}", "/cvmfs/{f}/%2E./{f}/{o}", "/%63vmfs/{f}/{o}",
                                  "/cvmfs/{f}//{o}", "/cvmfs/{f}/./{o}", "/cvmfs/{f}/{o};x=y", "/cvmfs/{f}/{o}?x=y",
                                  "/cvmfs%2f{f}/{o}", "/cvmfs/{f}/{o}%00", "/cvmfs/{f}/{o}%0d%0aX:y", "/cvmfs/{f}\\{o}",
                                  "/cvmfs/{f}/{o}/", "/x/cvmfs/{f}/{o}", "/cvmfs/other.example.org/../{f}/{o}"])
@pytest.mark.parametrize("reverse", [False, True], ids=["absolute", "origin"])
def test_other_spellings_of_a_path_never_give_wrong_bytes(place, form, reverse):
    data = ("object of " + form).encode() * 20
    name = place.stratum.put(data)
    target = form.format(f=FQRN, o=name)
    # Whatever the server says to the unusual spelling must not be kept under the hash.
    place.server.behaviours[target] = lambda exchange: exchange.reply(b"poison", fields=[("Cache-Control", "max-age=600")])
    server = "" if reverse else "http://" + place.server.name
    reply = raw(place.port, ("GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (server, target, place.server.name)).encode(), 0.5)
    if statuses(reply)[0] == 200:
        assert reply.endswith(b"poison") or reply.endswith(data)
    assert place.ask(cvmfs_head(place.stratum.path(name), place.server.name)).body == data


def test_a_hash_in_the_path_of_another_server_is_verified_too(place):
    """Whoever names a server that lies gets nothing into the shared entry."""
    name = place.stratum.put(b"the right one" * 30)
    full = place.stratum.path(name)
    place.server.behaviours["/evil" + full] = lambda exchange: exchange.reply(b"poison")
    reply = raw(place.port, place.get("/evil" + full), 0.5)
    assert not reply.endswith(b"poison")
    assert place.ask(cvmfs_head(full, place.server.name)).body == b"the right one" * 30


def test_an_answer_with_two_lengths_or_split_fields_is_not_passed_on(place):
    for i, head in enumerate(["Content-Length: 4\r\nContent-Length: 5", "Content-Length: 4\r\nTransfer-Encoding: chunked",
                              "X: a\r\n folded\r\nContent-Length: 4", "Content-Length: 4\nX: y", "X y\r\nContent-Length: 4",
                              "Content-Length: -4", "Transfer-Encoding: gzip, chunked, gzip"]):
        path = "/files/answer-%d" % i

        def act(exchange, head=head):
            exchange.send(("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n%s\r\n\r\nbody" % head).encode())
            return False
        place.server.behaviours[path] = act
        assert place.ask(place.get(path)).status == 502, head
        place.server.behaviours.pop(path)
        place.file(path)
        assert place.ask(place.get(path)).body == b"what the server has", head


def test_hop_by_hop_fields_stay_on_their_hop(place):
    path = "/files/hops"
    place.server.behaviours[path] = lambda exchange: exchange.reply(
        b"x", fields=[("Connection", "X-Private"), ("X-Private", "1"), ("Proxy-Authenticate", "Basic"), ("Keep-Alive", "9"),
                      ("Cache-Control", "max-age=600"), ("X-Public", "2")])
    for _ in range(2):
        answer = place.ask(place.get(path, ["Connection: X-Mine, Keep-Alive", "X-Mine: 1", "Proxy-Authorization: Basic eA==",
                                            "TE: trailers", "Upgrade: h2c", "X-Frontier-Id: 3"]))
        assert (answer.get("X-Private"), answer.get("Proxy-Authenticate"), answer.get("X-Public")) == (None, None, "2")
    fields = {key.lower(): value for key, value in place.asked_of(path)[0].fields}
    assert not {"x-mine", "proxy-authorization", "te", "upgrade", "proxy-connection"} & set(fields)
    assert fields["x-frontier-id"] == "3"
