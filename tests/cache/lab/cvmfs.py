"""A reader of CernVM-FS repositories over HTTP: manifest, certificate, whitelist, catalogs, objects. Every byte is verified."""

import hashlib
import re
import sqlite3
import zlib

ALGORITHMS = ["sha1", "rmd160", "shake128"]
CONTENT = re.compile(r"data/([0-9a-f]{2})/([0-9a-f]{38})(-rmd160|-shake128)?([A-Z]?)$")
EXTERNAL, FILE, DIRECTORY, LINK, CHUNKED = 128, 4, 1, 8, 64


def digest(algorithm, data):
    if algorithm == "rmd160":
        return hashlib.new("ripemd160", data).hexdigest()
    if algorithm == "shake128":
        return hashlib.shake_128(data).hexdigest(20)
    return hashlib.sha1(data).hexdigest()


def split_id(text):
    """"0123...-rmd160" -> its digits and its algorithm."""
    digits, _, algorithm = text.partition("-")
    return digits, algorithm or "sha1"


def object_path(text, letter=""):
    digits, algorithm = split_id(text)
    return "data/%s/%s%s%s" % (digits[:2], digits[2:], "" if algorithm == "sha1" else "-" + algorithm, letter)


def object_id(algorithm, data):
    return digest(algorithm, data) + ("" if algorithm == "sha1" else "-" + algorithm)


def check_object(path, data):
    found = CONTENT.search(path)
    digits, algorithm = found[1] + found[2], (found[3] or "-sha1")[1:]
    assert digest(algorithm, data) == digits, "%s: these are not the bytes that it is named after" % path
    return data


def signed_text(document):
    """The lines of a manifest or whitelist; the hash line must fit."""
    at = document.index(b"--\n")
    text, rest = document[:at], document[at + 3:]
    line = rest.split(b"\n", 1)[0].decode()
    digits, algorithm = split_id(line)
    assert digest(algorithm, text) == digits, "the hash line does not fit the text"
    return text.decode().splitlines()


def read_manifest(document):
    return {line[0]: line[1:] for line in signed_text(document)}


class Walk:
    """What a walk over a whole repository found; `get(path)` gives the bytes below the repository's URL."""

    def __init__(self, get):
        self.get = get
        self.paths = []  # content objects, in the order of the requests
        self.bytes = 0
        self.files = 0   # whose contents had the size that the catalog says
        self.revision = 0

    def object(self, text, letter=""):
        path = object_path(text, letter)
        data = check_object(path, self.get(path))
        self.paths.append(path)
        self.bytes += len(data)
        return data

    def repository(self, fqrn):
        """The order of a client that mounts, then of one that reads everything."""
        manifest = read_manifest(self.get(".cvmfspublished"))
        assert manifest["N"] == fqrn
        self.revision = int(manifest["S"])
        assert b"BEGIN CERTIFICATE" in zlib.decompress(self.object(manifest["X"], "X"))
        assert signed_text(self.get(".cvmfswhitelist"))[2] == "N" + fqrn
        self.catalog(manifest["C"])
        for key, letter in (("H", "H"), ("M", "M")):
            if key in manifest:
                self.object(manifest[key], letter)
        return self

    def catalog(self, text):
        database = sqlite3.connect(":memory:")
        database.deserialize(zlib.decompress(self.object(text, "C")))
        try:
            nested = [row[0] for row in database.execute("SELECT sha1 FROM nested_catalogs ORDER BY path")]
            self.objects(database)
        finally:
            database.close()
        for one in nested:
            self.catalog(one)

    def objects(self, database):
        files = database.execute("SELECT md5path_1, md5path_2, hash, flags, size FROM catalog WHERE flags & ? AND NOT "
                                 "flags & ?", (FILE, EXTERNAL)).fetchall()
        for first, second, name, flags, size in files:
            if flags & LINK == LINK:
                continue
            tag = ALGORITHMS[flags >> 8 & 7]
            parts = [(name, size, "")]
            if flags & CHUNKED:
                parts = [(chunk, bytes_, "P") for chunk, bytes_ in database.execute(
                    "SELECT hash, size FROM chunks WHERE md5path_1 = ? AND md5path_2 = ? ORDER BY offset", (first, second))]
                assert sum(part[1] for part in parts) == size
            for part, bytes_, letter in parts:
                data = self.object(part.hex() + ("" if tag == "sha1" else "-" + tag), letter)
                assert len(data if flags >> 11 & 7 else zlib.decompress(data)) == bytes_
            self.files += 1
