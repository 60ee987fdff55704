"""Fixtures of the cache's end-to-end tests."""

import os
import shutil
import tarfile
import tempfile

import pytest

from lab import cvmfs
from lab.daemon import Cache
from lab.node import Node
from lab.origin import Origin
from lab.publish import Publisher, public_pem
from lab.web import WebServer
from support.berth import BIN, Programs

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = {"sw.example.org": "sw.pub", "rmd160.example.org": "rmd160.pub", "shake128.example.org": "shake128.pub"}


def pytest_configure(config):
    config.failed_tests = 0


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    item.config.failed_tests += report.failed


@pytest.fixture(scope="session")
def base(request):
    """A folder that other accounts can enter, with a short path: unix sockets have 108 bytes."""
    directory = tempfile.mkdtemp(prefix="berth-cache-")
    os.chmod(directory, 0o755)
    yield directory
    if request.config.failed_tests or os.environ.get("BERTH_E2E_KEEP"):
        print("\nkept: " + directory)
    else:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def programs(base):
    assert os.path.exists(os.path.join(BIN, "berthd")), "build berthd first, or set BERTH_BIN"
    return Programs(os.path.join(base, "bin"))


@pytest.fixture(scope="session")
def samples(base):
    """The document root of a stratum-1 with the repositories of data/: sha1 with two revisions, rmd160, shake128."""
    root = os.path.join(base, "www")
    with tarfile.open(os.path.join(HERE, "data", "repositories.tar.xz")) as archive:
        archive.extractall(os.path.join(root, "cvmfs"))
    return root


@pytest.fixture(scope="session")
def public_keys(base):
    """Where the daemon's account can read them."""
    folder = os.path.join(HERE, "..", "unit", "cache", "data")
    return {fqrn: shutil.copy(os.path.join(folder, name), base) for fqrn, name in KEYS.items()}


@pytest.fixture
def make_web(base):
    """make(root, kind="nginx", manifest_age_s=61) -> a running WebServer."""
    made = []

    def make(root, kind="nginx", **more):
        made.append(WebServer(tempfile.mkdtemp(prefix=kind, dir=base) + "/server", root, kind, **more))
        os.chmod(os.path.dirname(made[-1].folder), 0o755)
        return made[-1].start()

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_origin():
    """make() -> an Origin; files are added to it by the test."""
    made = []

    def make():
        made.append(Origin())
        return made[-1]

    yield make
    for origin in made:
        origin.close()


def started(directory, programs, *arguments, **more):
    os.chmod(directory, 0o755)
    cache = Cache(programs, directory, *arguments, **more)
    return cache.start()


@pytest.fixture
def make_cache(base, programs):
    """make(repositories, destinations=[], settings={}) -> a running Cache; it is judged in the end."""
    made = []

    def make(*arguments, **more):
        made.append(started(tempfile.mkdtemp(prefix="c", dir=base), programs, *arguments, **more))
        return made[-1]

    yield make
    problems = []
    for cache in made:
        try:
            cache.finish()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def node():
    """make(cache, server, fqrn) -> a Node with a connection of its own."""
    made = []

    def make(cache, server, fqrn, **more):
        made.append(Node(cache.port, server, fqrn, **more))
        return made[-1]

    yield make
    for one in made:
        one.connection.close()


def repository(fqrn, servers, key):
    return {"name": fqrn, "servers": ["http://%s/cvmfs/%s" % (server.name, fqrn) for server in servers],
            "public_keys": [key]}


class Stratum:
    """A repository that the test publishes, on scripted servers."""

    def __init__(self, directory, fqrn, origins):
        self.fqrn, self.origins = fqrn, origins
        self.publisher = Publisher(fqrn)
        self.key_file = os.path.join(directory, fqrn + ".pub")
        with open(self.key_file, "wb") as file:
            file.write(public_pem(self.publisher.master))
        os.chmod(self.key_file, 0o644)

    def path(self, name):
        return "/cvmfs/%s/%s" % (self.fqrn, name)

    def publish(self, contents, **more):
        made = self.publisher.publish(contents, **more)
        self.spread()
        return made

    def spread(self):
        for origin in self.origins:
            origin.files.update({self.path(name): data for name, data in self.publisher.files.items()})

    def put(self, data, letter=""):
        """An object on all servers; returns its path in the repository."""
        path = cvmfs.object_path(cvmfs.object_id("sha1", data), letter)
        for origin in self.origins:
            origin.files[self.path(path)] = data
        return path

    def settings(self):
        return repository(self.fqrn, self.origins, self.key_file)


@pytest.fixture
def make_stratum(base, make_origin):
    """make(fqrn, servers=2) -> a Stratum."""
    def make(fqrn="lab.example.org", servers=2):
        directory = tempfile.mkdtemp(prefix="k", dir=base)
        os.chmod(directory, 0o755)
        return Stratum(directory, fqrn, [make_origin() for _ in range(servers)])
    return make
