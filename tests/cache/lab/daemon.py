"""A berthd with the role cache alone: no certificates, no tokens, no batch system."""

import json
import os
import re
import subprocess

from support import account
from support.berth import Berth, free_port

from . import cvmfs


class Cache(Berth):
    """`repositories`: [{"name", "servers", "public_keys"}]; `settings` as for Berth."""

    def __init__(self, programs, directory, repositories, destinations=(), settings=None):
        self.programs, self.directory = programs, directory
        self.slurm, self.launcher, self.process, self.expected_errors = None, [], None, []
        os.makedirs(directory, exist_ok=True)
        self.port, self.observe_port = free_port(), free_port()  # of the node door, and for monitoring
        self.config_file = os.path.join(directory, "berth.toml")
        self.log_file = os.path.join(directory, "berthd.log")
        self.path = os.path.join(directory, "objects")
        self.socket = os.path.join(directory, "admin.sock")
        self.settings = {
            "roles": {"gateway": False, "cache": True},
            "node": {"listen": ["127.0.0.1:%d" % self.port], "networks": ["127.0.0.0/8"]},
            "observe": {"listen": ["127.0.0.1:%d" % self.observe_port]},
            "admin": {"socket": self.socket},
            "cache": {"path": self.path, "size": "1GB", "memory": "100MB", "free_bytes_min": "0B",
                      "destinations": list(destinations)},
            "cache.repository": repositories,
        }
        for table, keys in (settings or {}).items():
            self.settings.setdefault(table, {}).update(keys)
        self.write_config()
        account.own(directory)

    def metric(self, name, **labels):
        """The sum over all series of that name that have these labels."""
        total = 0.0
        for line in self.observe("/metrics")[1].splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            if found and found[1] == name and all('%s="%s"' % pair in (found[2] or "") for pair in labels.items()):
                total += float(found[3])
        return total

    def health(self):
        return json.loads(self.observe("/health")[1])

    def is_offline(self, fqrn):
        """What health and metrics say of a repository; they must agree."""
        entry = next(one for one in self.health()["dependencies"] if one["name"] == "repository:" + fqrn)
        offline = entry["state"] != "ok"
        assert self.metric("berth_cache_offline", repository=fqrn) == offline, entry
        return offline

    def admin(self, path, **body):
        """What an operator's program asks at the admin socket."""
        done = subprocess.run([*account.prefix(), "curl", "--silent", "--fail-with-body", "--max-time", "60", "--unix-socket",
                               self.socket, "--json", json.dumps(body), "http://berth" + path], text=True, capture_output=True,
                              check=False, env=self.environment())
        assert done.returncode == 0, (path, body, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def rss_mb(self):
        with open("/proc/%d/status" % self.process.pid, encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024

    def check_objects(self):
        """Hashes every object file; returns how many there are. Names are the digest and two digits for the algorithm."""
        count = 0
        for folder, _, names in os.walk(os.path.join(self.path, "objects")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                assert any(cvmfs.digest(one, data) == name[:40] for one in cvmfs.ALGORITHMS), "a damaged object: " + name
                count += 1
        return count
