"""Small signed repositories with whatever a test needs in them: revisions, expired whitelists, foreign names, wrong keys.
The large ones in data/ were made by the real server tools."""

import datetime
import functools
import hashlib
import os
import sqlite3
import struct
import tempfile
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from . import cvmfs

TABLES = """
CREATE TABLE catalog (md5path_1 INTEGER, md5path_2 INTEGER, parent_1 INTEGER, parent_2 INTEGER, hardlinks INTEGER, hash BLOB,
  size INTEGER, mode INTEGER, mtime INTEGER, flags INTEGER, name TEXT, symlink TEXT, uid INTEGER, gid INTEGER, xattr BLOB,
  mtimens INTEGER);
CREATE TABLE chunks (md5path_1 INTEGER, md5path_2 INTEGER, offset INTEGER, size INTEGER, hash BLOB);
CREATE TABLE nested_catalogs (path TEXT, sha1 TEXT, size INTEGER);
CREATE TABLE properties (key TEXT, value TEXT);
"""


@functools.cache
def make_key(name):
    """The same one for the same name: it takes a while to make one."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def make_certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(7).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2)).sign(key, hashes.SHA256()))


def sign_plainly(key, text):
    """The bare text in a PKCS #1 block of type 1, without DigestInfo: what whitelists have."""
    size = key.key_size // 8
    block = b"\0\1" + b"\xff" * (size - 3 - len(text)) + b"\0" + text
    numbers = key.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


def path_numbers(path):
    return struct.unpack("<qq", hashlib.md5(path.encode()).digest())


class Publisher:
    """`files`: what the repository's folder has on a server, by name. `publish` makes a new revision of them."""

    def __init__(self, fqrn):
        self.fqrn = fqrn
        self.master, self.signer = make_key("master"), make_key("signer")
        certificate = make_certificate(self.signer)
        self.fingerprint = certificate.fingerprint(hashes.SHA1()).hex(":").upper()
        self.files = {}
        self.certificate = self.add(zlib.compress(certificate.public_bytes(serialization.Encoding.PEM)), "X")
        self.files[".cvmfswhitelist"] = self.whitelist()
        self.revision = 0

    def add(self, data, letter=""):
        name = cvmfs.object_id("sha1", data)
        self.files[cvmfs.object_path(name, letter)] = data
        return name

    def whitelist(self, fqrn=None, expires_days=30, master=None):
        now = datetime.datetime.utcnow()
        stamp = lambda time: time.strftime("%Y%m%d%H%M%S")
        text = "%s\nE%s\nN%s\n%s\n" % (stamp(now), stamp(now + datetime.timedelta(days=expires_days)), fqrn or self.fqrn,
                                       self.fingerprint)
        line = hashlib.sha1(text.encode()).hexdigest().encode()
        return text.encode() + b"--\n" + line + b"\n" + sign_plainly(master or self.master, line)

    def manifest(self, root, revision, published_s, fqrn=None, signer=None):
        text = "C%s\nB%d\nRd41d8cd98f00b204e9800998ecf8427e\nD240\nS%d\nGno\nAno\nN%s\nX%s\nT%d\n" % (
            root, 16384, revision, fqrn or self.fqrn, self.certificate, published_s)
        line = hashlib.sha1(text.encode()).hexdigest().encode()
        signature = (signer or self.signer).sign(line, padding.PKCS1v15(), hashes.SHA1())
        return text.encode() + b"--\n" + line + b"\n" + signature

    def publish(self, contents, revision=None):
        """`contents`: {"/name": bytes}. Returns the manifest, which is in `files`, too."""
        self.revision = revision or self.revision + 1
        self.root = self.add(zlib.compress(self.catalog(contents)), "C")
        made = self.manifest(self.root, self.revision, 1_700_000_000 + self.revision)
        self.files[".cvmfspublished"] = made
        return made

    def catalog(self, contents):
        handle, name = tempfile.mkstemp(suffix=".catalog")
        os.close(handle)
        database = sqlite3.connect(name)
        database.executescript(TABLES)
        row = "INSERT INTO catalog VALUES (?, ?, ?, ?, 1, ?, ?, ?, 0, ?, ?, '', 0, 0, NULL, 0)"
        database.execute(row, (*path_numbers(""), 0, 0, None, 4096, 0o40755, cvmfs.DIRECTORY, ""))
        for path, data in contents.items():
            name_hash = bytes.fromhex(self.add(zlib.compress(data)))
            database.execute(row, (*path_numbers(path), *path_numbers(""), name_hash, len(data), 0o100644, cvmfs.FILE,
                                   path[1:]))
        database.executemany("INSERT INTO properties VALUES (?, ?)", [("schema", "2.5"), ("schema_revision", "7"),
                                                                      ("revision", str(self.revision))])
        database.commit()
        database.close()
        with open(name, "rb") as file:
            data = file.read()
        os.remove(name)
        return data
