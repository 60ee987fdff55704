"""TLS servers on loopback that misbehave in known ways, for the tests of the key fetcher.

usage: issuer_server.py FOLDER. Makes a CA and certificates in FOLDER with openssl, prints one
line of JSON with the ports, and serves until it is killed.
"""
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(sys.argv[1])


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=FOLDER, check=True, capture_output=True)


def certificate(name, names, *dates):
    """A certificate of the CA for the alternative names; `dates` as for "openssl ca"."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    (FOLDER / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.crt",
            "-extfile", f"{name}.ext", "-notext", *(dates or ("-days", "2")))


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


def make_certificates():
    make_ca("ca")
    make_ca("stranger")
    (FOLDER / "index.txt").write_text("")
    (FOLDER / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\ncertificate=ca.crt\n"
        "private_key=ca.key\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
        "[p]\ncommonName=supplied\n")
    certificate("good", "DNS:localhost,IP:127.0.0.1")
    certificate("wrong", "DNS:other.example")
    certificate("expired", "DNS:localhost,IP:127.0.0.1",
                "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")


def send(peer, text, pause=0.0):
    data = text.encode()
    if not pause:
        peer.sendall(data)
        return
    for i in range(len(data)):
        peer.sendall(data[i:i + 1])
        time.sleep(pause)


def answer(peer):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = peer.recv(4096)
        if not piece:
            return
        head += piece
    path = head.split(b" ")[1].decode()
    ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: max-age=0\r\n"
    body = '{"path": "%s"}' % path
    if path.startswith("/redirect/"):
        _, _, status, place = path.split("/", 3)
        targets = {"same": "/ok", "http": "http://127.0.0.1:1/", "file": "file:///etc/passwd",
                   "internal": "https://169.254.169.254/"}
        send(peer, f"HTTP/1.1 {status} R\r\nLocation: {targets[place]}\r\nContent-Length: 0\r\n\r\n")
    elif path == "/slow-head":
        send(peer, ok + "\r\n", pause=0.2)
    elif path == "/slow-body":
        send(peer, ok + "Content-Length: 1000\r\n\r\n")
        send(peer, "x" * 1000, pause=0.2)
    elif path == "/huge":
        send(peer, ok + "Content-Length: 4000000\r\n\r\n" + "x" * 4000000)
    elif path == "/endless":
        send(peer, ok + "Transfer-Encoding: chunked\r\n\r\n")
        while True:
            send(peer, "4000\r\n" + "x" * 0x4000 + "\r\n")
    elif path == "/long-head":
        send(peer, ok + "".join(f"X-{i}: {'y' * 1000}\r\n" for i in range(200)) + "\r\n")
    elif path == "/cut":
        send(peer, ok + "Content-Length: 100\r\n\r\n{")
    elif path == "/echo":
        send(peer, ok + f"Content-Type: text/plain\r\nContent-Length: {len(head)}\r\n\r\n" +
             head.decode())
    elif path == "/missing":
        send(peer, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n")
    elif path == "/html":
        send(peer, ok + "Content-Type: text/html\r\nContent-Length: 2\r\n\r\n{}")
    else:
        file = FOLDER / "www" / path.lstrip("/").replace("/", "_")
        if file.exists():
            body = file.read_text()
        send(peer, ok + "Content-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}")


def serve(listener, context):
    def one(raw):
        try:
            with (context.wrap_socket(raw, server_side=True) if context else raw) as peer:
                if context is None:
                    time.sleep(60)  # a peer that never says anything
                else:
                    answer(peer)
        except OSError:
            pass

    while True:
        raw, _ = listener.accept()
        threading.Thread(target=one, args=(raw,), daemon=True).start()


def start(name, certificate_name=None, version=None):
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate_name:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FOLDER / f"{certificate_name}.crt", FOLDER / f"{certificate_name}.key")
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
    threading.Thread(target=serve, args=(listener, context), daemon=True).start()
    return name, listener.getsockname()[1]


if __name__ == "__main__":
    make_certificates()
    (FOLDER / "www").mkdir()
    ports = dict([
        start("good", "good"), start("wrong", "wrong"), start("expired", "expired"),
        start("stranger", "stranger"), start("old", "good", ssl.TLSVersion.TLSv1_1),
        start("silent"),
    ])
    print(json.dumps(ports), flush=True)
    while True:
        time.sleep(3600)
