"""A server that lies, breaks off, stalls and so on, path by path; for what real servers cannot be made to do."""

import collections
import socket
import threading
import time

Asked = collections.namedtuple("Asked", "method target fields time")


class Exchange:
    """One request, and the connection to answer it on."""

    def __init__(self, origin, connection, method, target, fields):
        self.origin, self.connection = origin, connection
        self.method, self.target, self.fields = method, target, fields

    def get(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def send(self, data):
        self.connection.sendall(data)

    def head(self, status=200, length=None, version="1.1", fields=()):
        lines = ["HTTP/%s %d Scripted" % (version, status)] + ["%s: %s" % field for field in fields]
        if length is not None:
            lines.append("Content-Length: %d" % length)
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def reply(self, body, status=200, fields=()):
        self.head(status, len(body), fields=fields)
        self.send(body)
        return True

    def stall(self, seconds=30):
        """Until then, or until the test ends or the other side leaves."""
        deadline = time.monotonic() + seconds
        self.connection.settimeout(0.2)
        while time.monotonic() < deadline and not self.origin.closing:
            try:
                if self.connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue


class Origin:
    """`behaviours`: {path: act(exchange)}; an act returns whether the connection stays. Other paths come from `files`."""

    def __init__(self):
        self.behaviours, self.files, self.asked = {}, {}, []
        self.manifest_age_s = 1
        self.closing = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.name = "127.0.0.1:%d" % self.port
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing = True
        self.listener.close()
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def count(self, path):
        return sum(one.target == path for one in list(self.asked))

    def _accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self.lock:
            self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.closing and self._one(connection):
                connection.settimeout(None)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def _one(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = connection.recv(1)  # nothing after the head may be taken
            if not piece:
                return False
            head += piece
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        self.asked.append(Asked(method, target, fields, time.monotonic()))
        exchange = Exchange(self, connection, method, target, fields)
        act = self.behaviours.get(target) or self.behaviours.get("*")
        if act is not None:
            return act(exchange)
        if target not in self.files:
            return exchange.reply(b"not here\n", 404)
        return good(self.files[target])(exchange)


def good(data):
    """What a stratum-1 does, ranges included."""
    def act(exchange):
        wanted = exchange.get("Range")
        control = str(exchange.origin.manifest_age_s) if "/.cvmfs" in exchange.target else "259200"
        fields = [("Cache-Control", "max-age=" + control), ("Content-Type", "application/octet-stream")]
        if wanted is None:
            return exchange.reply(data, fields=fields)
        first = int(wanted.removeprefix("bytes=").split("-")[0])
        more = [("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))]
        return exchange.reply(data[first:], 206, fields + more)
    return act


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def wrong_byte(data, place):
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]
    return good(flipped(data, at))


def truncated(data, size):
    def act(exchange):
        exchange.head(200, len(data))
        exchange.send(data[:size])
        return False
    return act


def too_long(data):
    return lambda exchange: exchange.reply(data + b"more than there is")


def stalled_head(_):
    def act(exchange):
        exchange.stall()
        return False
    return act


def stalled_body(data, size):
    def act(exchange):
        exchange.head(200, len(data))
        exchange.send(data[:size])
        exchange.stall()
        return False
    return act


def slow(data, bytes_per_s=1024):
    def act(exchange):
        exchange.head(200, len(data))
        step = bytes_per_s // 4
        for at in range(0, len(data), step):
            if exchange.origin.closing:
                return False
            exchange.send(data[at:at + step])
            time.sleep(0.25)
        return True
    return act


def closed(_):
    return lambda exchange: False


def status(code):
    return lambda exchange: exchange.reply(b"no\n", code)


def redirect(location):
    return lambda exchange: exchange.reply(b"", 302, [("Location", location)])


def chunked(data, sizes=(1, 7, 4096, 65536), whole=True):
    def act(exchange):
        exchange.head(200, fields=[("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=259200")])
        at, turn = 0, 0
        while at < len(data):
            piece = data[at:at + sizes[turn % len(sizes)]]
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            at, turn = at + len(piece), turn + 1
        if whole:
            exchange.send(b"0\r\n\r\n")
        return whole
    return act


def http10(data):
    """Neither a length nor a mark of the end but that the connection closes."""
    def act(exchange):
        exchange.head(200, version="1.0", fields=[("Content-Type", "application/octet-stream")])
        exchange.send(data)
        return False
    return act
