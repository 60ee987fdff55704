"""Whole repositories, made by the real server tools, read through the cache from real web servers."""

import os
import time

import pytest

from conftest import KEYS, repository
from lab.node import Node


class Site:
    """Two servers and a cache that knows all repositories on both."""

    def __init__(self, first, second, cache):
        self.first, self.second, self.cache = first, second, cache

    def walk(self, fqrn, server):
        with Node(self.cache.port, server and server.name, fqrn) as reader:
            walked = reader.walk()
            assert reader.connection.connects == 1, "the cache did not keep the connection"
        walked.hits, walked.slowest_s = reader.hits, reader.slowest_first_byte_s
        return walked

    def objects_asked(self, fqrn):
        return self.first.objects_asked(fqrn) + self.second.objects_asked(fqrn)

    def walk_without_upstream(self, fqrn, server):
        before = self.objects_asked(fqrn)
        walked = self.walk(fqrn, server)
        assert self.objects_asked(fqrn) == before, "the servers were asked for objects again"
        assert walked.hits == len(walked.paths)
        return walked


@pytest.fixture
def site(samples, public_keys, make_web, make_cache):
    first, second = make_web(samples), make_web(samples)
    return Site(first, second, make_cache([repository(fqrn, [first, second], public_keys[fqrn]) for fqrn in KEYS]))


@pytest.mark.parametrize("fqrn", KEYS)
def test_a_repository_is_read_cold_then_warm_then_after_restarts_and_from_the_other_server(site, fqrn):
    cold = site.walk(fqrn, site.first)
    unique = len(set(cold.paths))
    assert cold.files > 100 and site.objects_asked(fqrn) == unique, "each object is fetched once"
    assert not site.second.objects_asked(fqrn)
    warm = site.walk_without_upstream(fqrn, site.first)
    assert (warm.paths, warm.bytes) == (cold.paths, cold.bytes)
    site.walk_without_upstream(fqrn, site.second)
    site.walk_without_upstream(fqrn, None)
    assert site.cache.check_objects() >= unique
    site.cache.stop()
    site.cache.start()
    site.walk_without_upstream(fqrn, site.first)
    site.cache.kill()
    site.cache.start()
    site.walk_without_upstream(fqrn, site.second)
    print("\n%s: %d files, %d objects (%d unique), %.1f MB; slowest first byte cold %.0f ms, warm %.0f ms" % (
        fqrn, cold.files, len(cold.paths), unique, cold.bytes / 1e6, cold.slowest_s * 1000, warm.slowest_s * 1000))


def test_an_apache_serves_as_well(samples, public_keys, make_web, make_cache, node):
    apache = make_web(samples, "apache2")
    cache = make_cache([repository("sw.example.org", [apache], public_keys["sw.example.org"])])
    for _ in range(2):
        walked = node(cache, apache.name, "sw.example.org").walk()
        assert apache.objects_asked("sw.example.org") == len(set(walked.paths))


def test_a_dead_first_server_is_not_noticed(site):
    site.first.stop()
    walked = site.walk("sw.example.org", site.first)
    # The certificate has come from the first one, with the manifest that the cache asks for when it starts.
    assert site.second.objects_asked("sw.example.org") >= len(set(walked.paths)) - 1
    assert walked.slowest_s < 5


def test_a_server_that_dies_in_mid_walk_is_not_noticed(site):
    with Node(site.cache.port, site.first.name, "rmd160.example.org") as reader:
        plain_get, count = reader.get, 0

        def get(path):
            nonlocal count
            count += 1
            if count == 100:
                site.first.stop()
            return plain_get(path)
        reader.get = get
        reader.walk()
    assert site.second.objects_asked("rmd160.example.org") > 100


def test_without_any_server_everything_stored_is_served_and_health_says_so(samples, public_keys, make_web, make_cache, node):
    fqrn = "sw.example.org"
    servers = [make_web(samples, manifest_age_s=1) for _ in range(2)]
    cache = make_cache([repository(fqrn, servers, public_keys[fqrn])])
    walked = node(cache, servers[0].name, fqrn).walk()
    assert not cache.is_offline(fqrn)
    for server in servers:
        server.stop()
    time.sleep(1.3)  # the manifest is stale now
    for named in (servers[0].name, servers[1].name, None):
        reader = node(cache, named, fqrn)
        assert reader.walk().paths == walked.paths and reader.hits == len(walked.paths)
    assert cache.is_offline(fqrn)


def test_the_objects_of_two_repositories_with_equal_content_are_fetched_once(samples, public_keys, make_web, make_cache,
                                                                             node):
    """The name of the repository is not in the key: a copy under another name is a copy."""
    copied = os.path.join(samples, "cvmfs", "copy.example.org")
    if not os.path.exists(copied):
        os.symlink("sw.example.org", copied)
    server = make_web(samples)
    cache = make_cache([repository(fqrn, [server], public_keys["sw.example.org"])
                        for fqrn in ("sw.example.org", "copy.example.org")])
    walked = node(cache, server.name, "sw.example.org").walk()
    reader = node(cache, server.name, "copy.example.org")
    assert all(reader.ask(path).is_hit for path in walked.paths)
    assert cache.check_objects() == len(set(walked.paths))
