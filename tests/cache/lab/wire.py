"""HTTP as the CernVM-FS client 2.12 and Frontier's client write it, and answers as they are on the wire."""

import socket
import time

AGENT = "cvmfs Fuse 2.12.0"


class Broken(Exception):
    """The answer ended early, or no byte came for too long (`stalled`). `body`: what came of it."""

    def __init__(self, why, body=b"", stalled=False):
        super().__init__(why)
        self.body, self.stalled = body, stalled


class Answer:
    def __init__(self, status, fields, version):
        self.status, self.fields, self.version = status, fields, version
        self.body = b""
        self.first_byte_s = None  # from the request to the first byte of the body
        self.longest_gap_s = 0.0  # without a byte of the body
        self.reusable = True

    def get(self, name, default=None):
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(values) if values else default

    @property
    def is_hit(self):
        return (self.get("X-Cache") or "").startswith("HIT")


def cvmfs_head(path, host=None, proxied=True, no_cache=False, more=()):
    """`host`: the server that the client means; through a proxy its name is in the target."""
    lines = ["GET %s%s HTTP/1.1" % ("http://" + host if proxied else "", path), "Host: " + host, "Accept: */*"]
    if proxied:
        lines.append("Proxy-Connection: Keep-Alive")
    lines += ["Connection: Keep-Alive", "User-Agent: " + AGENT]
    if no_cache:
        lines += ["Pragma: no-cache", "Cache-Control: no-cache"]
    return ("\r\n".join(lines + list(more)) + "\r\n\r\n").encode()


def frontier_head(path, host, control="max-stale=1", more=()):
    lines = ["GET http://%s%s HTTP/1.0" % (host, path), "Host: " + host,
             "X-Frontier-Id: tests 1.0 2.9 1234 reader(1000) A Reader", "Cache-Control: " + control]
    return ("\r\n".join(lines + list(more) + ["Connection: keep-alive"]) + "\r\n\r\n").encode()


class Connection:
    """One kept connection. `patience_s`: how long it waits for the next bytes."""

    def __init__(self, port, patience_s=30, source=None):
        self.port, self.patience_s, self.source = port, patience_s, source
        self.socket = None
        self.rest = b""
        self.connects = 0

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.rest = None, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, request):
        if self.socket is None:
            source = (self.source, 0) if self.source else None
            self.socket = socket.create_connection(("127.0.0.1", self.port), 10, source)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connects += 1
        self.socket.sendall(request)

    def ask(self, request, method="GET"):
        """One exchange; a kept connection that the other side has closed meanwhile is opened again, as curl does."""
        kept = self.socket is not None
        try:
            self.send(request)
            return self.receive(method)
        except (Broken, OSError) as problem:
            self.close()
            if not kept or getattr(problem, "body", b"") or getattr(problem, "stalled", False):
                raise
        self.send(request)
        return self.receive(method)

    def receive(self, method="GET"):
        began = self.last = time.monotonic()
        head = self._until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        answer = Answer(int(status), [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]], version)
        wants_close = (answer.get("Connection") or "").lower() == "close"
        kept_alive = (answer.get("Connection") or "").lower() == "keep-alive"
        answer.reusable = not wants_close and (version == "HTTP/1.1" or kept_alive)
        pieces = []

        def take(piece):
            now = time.monotonic()
            if answer.first_byte_s is None:
                answer.first_byte_s = now - began
            answer.longest_gap_s = max(answer.longest_gap_s, now - self.last)
            self.last = now
            pieces.append(piece)
        try:
            if method != "HEAD" and answer.status not in (204, 304):
                self._body(answer, take)
        except Broken as problem:
            problem.body = b"".join(pieces)
            self.close()
            raise
        answer.body = b"".join(pieces)
        if not answer.reusable:
            self.close()
        return answer

    def _body(self, answer, take):
        if (answer.get("Transfer-Encoding") or "").lower() == "chunked":
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                self._counted(size, take)
                assert self._until(b"\r\n") == b"", "a chunk without its end"
                if size == 0:
                    return
        elif answer.get("Content-Length") is not None:
            self._counted(int(answer.get("Content-Length")), take)
        else:
            answer.reusable = False
            while self.rest or self._more(end_is_fine=True):
                take(self.rest)
                self.rest = b""

    def _counted(self, size, take):
        while size > 0:
            if not self.rest:
                self._more()
            piece, self.rest = self.rest[:size], self.rest[size:]
            size -= len(piece)
            take(piece)

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        head, self.rest = self.rest.split(mark, 1)
        return head

    def _more(self, end_is_fine=False):
        left = self.last + self.patience_s - time.monotonic()
        self.socket.settimeout(max(0.01, left))
        try:
            piece = self.socket.recv(1 << 18)
        except TimeoutError:
            raise Broken("no byte for %.1f s" % self.patience_s, stalled=True) from None
        except OSError as problem:
            raise Broken(str(problem)) from None
        if not piece and not end_is_fine:
            raise Broken("closed by the other side")
        self.rest += piece
        return bool(piece)


def raw(port, request, patience_s=5, source=None):
    """Everything that comes back until the other side closes, or is silent for `patience_s` after some bytes."""
    with Connection(port, patience_s, source) as connection:
        connection.send(request)
        connection.socket.settimeout(patience_s)
        pieces = []
        try:
            while piece := connection.socket.recv(1 << 16):
                pieces.append(piece)
        except OSError:
            pass
        return b"".join(pieces)


def statuses(reply):
    """The status of each answer in what `raw` gave, as far as heads can be told from bodies."""
    found, rest = [], reply
    while rest.startswith(b"HTTP/1."):
        head, _, rest = rest.partition(b"\r\n\r\n")
        found.append(int(head.split(b" ", 2)[1]))
        length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        rest = rest[int(length[0]):] if length else b""
    return found
