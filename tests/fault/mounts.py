"""File systems that are read-only, small, or not there. They need root and the right to mount."""

import contextlib
import os
import subprocess

import pytest

from support import account


def may_mount():
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(not may_mount(), reason="needs root and the right to mount")


def in_own_namespace(berth):
    """The daemon gets a mount namespace of its own; change it with inside()."""
    plain = berth.command
    berth.command = lambda *arguments: ["unshare", "--mount", "--propagation", "private", *plain(*arguments)]


def inside(berth, *command):
    subprocess.run(["nsenter", "--mount", "--target", str(berth.process.pid), *command], check=True, capture_output=True, timeout=30)


def read_only(berth, path):
    inside(berth, "mount", "--bind", path, path)
    inside(berth, "mount", "-o", "remount,bind,ro", path)


def read_write(berth, path):
    inside(berth, "mount", "-o", "remount,bind,rw", path)


@contextlib.contextmanager
def small_disk(path, size):
    """A tmpfs of `size` bytes at `path`."""
    os.makedirs(path, exist_ok=True)
    options = "size=%d,mode=0755,uid=%d,gid=%d" % (size, account.ENTRY.pw_uid, account.ENTRY.pw_gid)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "berth-test", path], check=True, capture_output=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)


def fill(path):
    """Takes all space that is left at `path`; returns the file to remove."""
    filler = os.path.join(path, "filler")
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler
