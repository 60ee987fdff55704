"""Manifests and whitelists: what is taken, what is refused, and what is served when the servers have nothing good."""

import os
import shutil
import time

import pytest

from conftest import HERE, repository
from lab import cvmfs, origin
from lab.publish import make_key
from lab.wire import Broken
from support.waiting import wait_until

FQRN = "lab.example.org"
# Longer than the manifests' max-age of 1 s.
OUTDATED_S = 1.3


def revision_of(document):
    return int(cvmfs.read_manifest(document)["S"])


class Lab:
    def __init__(self, stratum, cache, reader):
        self.stratum, self.cache, self.reader = stratum, cache, reader

    def revision(self):
        return revision_of(self.reader.get(".cvmfspublished"))

    def later(self):
        time.sleep(OUTDATED_S)
        return self.revision()

    def replace(self, name, data):
        for one in self.stratum.origins:
            one.files[self.stratum.path(name)] = data


@pytest.fixture
def lab(make_stratum, make_cache, node):
    """A repository with revision 5 on two servers, read once."""
    stratum = make_stratum(FQRN)
    stratum.publish({"/hello": b"five"}, revision=5)
    cache = make_cache([stratum.settings()])
    made = Lab(stratum, cache, node(cache, stratum.origins[0].name, FQRN))
    assert made.revision() == 5 and made.reader.walk().files == 1
    return made


def test_the_two_revisions_of_the_sample_are_seen_after_max_age_and_never_backwards(samples, base, public_keys, make_web,
                                                                                   make_cache, node):
    """Real manifests on a real server; only its max-age is shorter."""
    fqrn = "sw.example.org"
    root = os.path.join(base, "two-revisions")
    folder = os.path.join(root, "cvmfs", fqrn)
    shutil.copytree(os.path.join(samples, "cvmfs", fqrn), folder, symlinks=True)
    manifest = os.path.join(folder, ".cvmfspublished")
    first = os.path.join(HERE, "..", "unit", "cache", "data", "sw.published.1")
    second = shutil.copy(manifest, os.path.join(root, "second"))
    shutil.copy(first, manifest)
    server = make_web(root, manifest_age_s=2)
    cache = make_cache([repository(fqrn, [server], public_keys[fqrn])])
    reader = node(cache, server.name, fqrn)
    assert reader.walk().revision == 1
    shutil.copy(second, manifest)
    wait_until(lambda: revision_of(reader.get(".cvmfspublished")) == 2, 10, "revision 2")
    assert reader.walk().revision == 2
    shutil.copy(first, manifest)
    for _ in range(4):
        time.sleep(0.8)
        assert revision_of(reader.get(".cvmfspublished")) == 2


def test_a_fresh_manifest_is_not_asked_for_again_and_an_old_one_once_for_all_nodes(lab, node):
    server = lab.stratum.origins[0]
    path = lab.stratum.path(".cvmfspublished")
    before = server.count(path)
    for one in lab.stratum.origins:
        one.manifest_age_s = 60
    time.sleep(OUTDATED_S)
    readers = [node(lab.cache, server.name, FQRN) for _ in range(20)]
    for reader in readers:
        reader.connection.send(reader.head(".cvmfspublished"))
    assert {revision_of(reader.connection.receive().body) for reader in readers} == {5}
    assert server.count(path) == before + 1
    answer = lab.reader.ask(".cvmfspublished")
    assert answer.get("Cache-Control") == "max-age=60" and int(answer.get("Age")) <= 2
    assert server.count(path) == before + 1


def test_a_new_revision_is_taken_and_an_older_one_refused_even_after_kill_9(lab):
    lab.stratum.publish({"/hello": b"six"}, revision=6)
    assert lab.later() == 6
    lab.stratum.publish({"/hello": b"five again"}, revision=5)
    assert lab.later() == 6
    lab.cache.kill()
    lab.cache.start()
    try:
        answer = lab.reader.ask(".cvmfspublished")
    except Broken:
        answer = lab.reader.ask(".cvmfspublished")
    assert answer.status >= 500 or revision_of(answer.body) == 6


def test_forget_revision_is_the_way_back(lab):
    lab.stratum.publish({"/hello": b"two"}, revision=2)
    assert lab.later() == 5
    lab.cache.admin("/cache/forget-revision", repository=FQRN)
    assert lab.later() == 2


BAD = {
    "manifest signed by another key": lambda publisher: {
        ".cvmfspublished": publisher.manifest(publisher.root, 9, 1_800_000_000, signer=make_key("stranger"))},
    "manifest with a flipped bit": lambda publisher: {
        ".cvmfspublished": origin.flipped(publisher.manifest(publisher.root, 9, 1_800_000_000), 30)},
    "manifest with a flipped bit in its signature": lambda publisher: {
        ".cvmfspublished": origin.flipped(publisher.manifest(publisher.root, 9, 1_800_000_000), -1)},
    "manifest of another repository": lambda publisher: {
        ".cvmfspublished": publisher.manifest(publisher.root, 9, 1_800_000_000, fqrn="evil.example.org")},
    "whitelist that has expired": lambda publisher: {
        ".cvmfspublished": publisher.manifest(publisher.root, 9, 1_800_000_000),
        ".cvmfswhitelist": publisher.whitelist(expires_days=-1)},
    "whitelist signed by another master key": lambda publisher: {
        ".cvmfspublished": publisher.manifest(publisher.root, 9, 1_800_000_000),
        ".cvmfswhitelist": publisher.whitelist(master=make_key("stranger"))},
    "whitelist of another repository": lambda publisher: {
        ".cvmfspublished": publisher.manifest(publisher.root, 9, 1_800_000_000),
        ".cvmfswhitelist": publisher.whitelist(fqrn="evil.example.org")},
    "an HTML page": lambda publisher: {".cvmfspublished": b"<html><body>Login here</body></html>"},
    "nothing": lambda publisher: {".cvmfspublished": b""},
    "half a manifest": lambda publisher: {".cvmfspublished": publisher.files[".cvmfspublished"][:90]},
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_not_good_is_refused_and_the_next_server_asked(lab, what):
    """Both documents of the first server are bad; the second one has a new revision."""
    bad = BAD[what](lab.stratum.publisher)
    lab.stratum.publish({"/hello": b"six"}, revision=6)
    for name, data in bad.items():
        lab.stratum.origins[0].files[lab.stratum.path(name)] = data
    assert lab.later() == 6
    assert cvmfs.signed_text(lab.reader.get(".cvmfswhitelist"))[2] == "N" + FQRN
    assert lab.reader.walk().files == 1


@pytest.mark.parametrize("what", BAD)
def test_when_all_servers_have_bad_ones_the_last_good_one_is_served(lab, what):
    bad = BAD[what](lab.stratum.publisher)
    good_list = lab.reader.get(".cvmfswhitelist")
    for name, data in bad.items():
        lab.replace(name, data)
    assert lab.later() == 5
    assert lab.reader.get(".cvmfswhitelist") == good_list
    assert lab.reader.walk().files == 1


@pytest.mark.parametrize("what", BAD)
def test_a_bad_one_is_not_accepted_by_a_cache_that_had_none(make_stratum, make_cache, node, what):
    stratum = make_stratum(FQRN, servers=1)
    stratum.publish({"/hello": b"one"})
    for name, data in BAD[what](stratum.publisher).items():
        stratum.origins[0].files[stratum.path(name)] = data
    cache = make_cache([stratum.settings()])
    reader = node(cache, stratum.origins[0].name, FQRN)
    for name in (".cvmfspublished", ".cvmfswhitelist"):
        assert reader.ask(name).status in (404, 502, 503, 504), "a host failure for the client"


@pytest.mark.parametrize("fault", ["stalled head", "stalled body", "closed", "500", "404", "redirect", "truncated", "slow"])
@pytest.mark.parametrize("both", [False, True], ids=["one server", "both servers"])
def test_a_manifest_comes_within_the_clients_patience(lab, fault, both):
    """5 s without a byte and the client drops the proxy. The last good one does when all servers are ill."""
    lab.stratum.publish({"/hello": b"six"}, revision=6)
    path = lab.stratum.path(".cvmfspublished")
    data = lab.stratum.publisher.files[".cvmfspublished"]
    act = {"stalled head": origin.stalled_head(data), "stalled body": origin.stalled_body(data, 100),
           "closed": origin.closed(data), "500": origin.status(500), "404": origin.status(404),
           "redirect": origin.redirect("/elsewhere"), "truncated": origin.truncated(data, 100),
           "slow": origin.slow(data, 40)}[fault]
    for one in lab.stratum.origins if both else lab.stratum.origins[:1]:
        one.behaviours[path] = act
    time.sleep(OUTDATED_S)
    lab.reader.connection.patience_s = 5
    assert lab.revision() in ([5] if both else [5, 6])
    if not both:
        wait_until(lambda: lab.revision() == 6, 30, "the new revision, which the second server has", 0.5)


def test_without_servers_the_repository_is_offline_and_comes_back(lab):
    for one in lab.stratum.origins:
        one.behaviours["*"] = origin.closed(None)
        one.drop_connections()
    assert lab.later() == 5
    assert lab.cache.is_offline(FQRN)
    lab.stratum.publish({"/hello": b"six"}, revision=6)
    for one in lab.stratum.origins:
        one.behaviours.clear()
    wait_until(lambda: lab.revision() == 6, 30, "the repository to be back", 0.5)
    assert not lab.cache.is_offline(FQRN)


def test_a_restart_without_servers_serves_the_last_good_manifest(lab):
    lab.reader.walk()
    for one in lab.stratum.origins:
        one.behaviours["*"] = origin.closed(None)
        one.drop_connections()
    lab.cache.stop()
    lab.cache.start()
    lab.reader.connection.close()
    assert lab.reader.walk().revision == 5
