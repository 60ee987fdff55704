"""One berthd with its own certificate, configuration, store and session root, on free ports."""

import http.client
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess

from . import account
from .client import Client
from .waiting import wait_until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BIN = os.path.abspath(os.environ.get("BERTH_BIN", os.path.join(SOURCE, "build", "release", "bin")))
# In the daemon's environment; must never be seen by a job.
LEAK = "BERTH_E2E_LEAK"

ports_given = set()


def free_port():
    """Below the ephemeral range, so that no outgoing connection takes it before its use; never the same again."""
    while True:
        port = random.randrange(20000, 32000)
        if port in ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports_given.add(port)
                return port
            except OSError:
                continue


def make_certificate(directory):
    """A CA and a certificate for 127.0.0.1 and localhost, valid for two days."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Berth test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", *key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=localhost")
    with open(os.path.join(directory, "san.cnf"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "san.cnf", "-out", "tls.crt")


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join("%s = %s" % (key, toml(entry)) for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(entry) for entry in value) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


class Programs:
    """berthd and berthctl at a place where the daemon's account can run them."""

    def __init__(self, directory, berthd="berthd"):
        self.berthd, self.berthctl = (os.path.join(BIN, name) for name in (berthd, "berthctl"))
        if os.getuid() == 0:
            # The build may lie below a home directory that is closed to other accounts.
            os.makedirs(directory)
            self.berthd, self.berthctl = (shutil.copy(program, directory) for program in (self.berthd, self.berthctl))


class Berth:
    """`slurm`: a support.slurm.Slurm, or None for the local plugin. `settings`: {"table": {key: value}} over the
    defaults; a list makes repeated tables. `launcher`: a command put before berthd's own."""

    def __init__(self, programs, directory, contract, issuer, slurm=None, settings=None, launcher=None):
        self.programs, self.directory, self.contract = programs, directory, contract
        self.issuer, self.slurm = issuer, slurm
        self.launcher = launcher or []
        os.makedirs(os.path.join(directory, "root"))
        make_certificate(directory)
        self.port, self.observe_port, self.node_port = free_port(), free_port(), free_port()
        self.audience = "https://127.0.0.1:%d" % self.port
        self.root = os.path.join(directory, "root")
        self.config_file = os.path.join(directory, "berth.toml")
        self.log_file = os.path.join(directory, "berthd.log")
        self.ca_file = os.path.join(directory, "ca.crt")
        self.settings = self._defaults()
        for table, keys in (settings or {}).items():
            if isinstance(keys, list):
                self.settings[table] = keys
            else:
                self.settings.setdefault(table, {}).update(keys)
        self.write_config()
        account.own(directory)
        self.process = None
        self.expected_errors = []  # regular expressions of log lines with level=error
        self.tokens = {}

    def _defaults(self):
        path = lambda name: os.path.join(self.directory, name)
        node = "127.0.0.1:%d" % self.node_port
        settings = {
            "roles": {"gateway": True, "cache": False, "staging": False, "relay": False},
            "api": {"listen": ["127.0.0.1:%d" % self.port], "certificate": path("tls.crt"), "key": path("tls.key"),
                    "audience": [self.audience], "drain_timeout": "2s"},
            "observe": {"listen": ["127.0.0.1:%d" % self.observe_port]},
            "admin": {"socket": path("admin.sock")},
            # Test machines may have little disk.
            "store": {"path": path("berth.db"), "free_bytes_min": "1MB"},
            "tokens": {"state_path": path("keys")},
            "jobs": {"session_root": self.root, "batch": "slurm" if self.slurm else "local", "accounts": "own",
                     "node_url": "http://" + node, "poll_interval": "2s", "lookup_window": "15s"},
            "issuer": [{"name": self.issuer.name, "url": self.issuer.url, "keys_file": self.issuer.keys_file}],
            "mapping": [
                {"issuer": self.issuer.name, "subject": "operator", "account": account.NAME, "account_wide": True},
                {"issuer": self.issuer.name, "account": account.NAME},
            ],
            "node": {"listen": [node], "networks": ["127.0.0.0/8"]},
            "site": {"environment": {"SITE_NAME": "e2e site"}},
        }
        if self.slurm:
            settings["batch.slurm"] = self.slurm.settings()
        else:
            settings["batch.local"] = {"slots": 4, "spool": path("local"), "memory_mb": 4000}
        return settings

    def write_config(self, extra=""):
        lines = []
        for table, keys in self.settings.items():
            for one in keys if isinstance(keys, list) else [keys]:
                lines.append(("[[%s]]" if isinstance(keys, list) else "[%s]") % table)
                lines += ["%s = %s" % (key, toml(value)) for key, value in one.items()]
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n" + extra)

    # ---- life

    def command(self, *arguments):
        return [*account.prefix(), *self.launcher, self.programs.berthd, "--config", self.config_file, *arguments]

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.directory, LEAK: "secret-of-the-daemon"}

    def spawn(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment(), cwd=self.directory)

    def start(self):
        self.spawn()
        try:
            wait_until(self._ready, 30, "berthd to be ready")
        except AssertionError as error:
            self.kill()
            raise AssertionError("%s; its log ends:\n%s" % (error, self.log()[-3000:])) from None
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("berthd ended with %d" % self.process.returncode)
        try:
            return self.observe("/health/ready")[0] == 200
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        """SIGTERM; the daemon must drain and exit with 0."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("berthd did not stop:\n" + self.log()[-4000:]) from None
        assert code == 0, "exit status %d:\n%s" % (code, self.log()[-4000:])

    def finish(self):
        """The end of a test's use: stops the daemon and judges its log."""
        self.stop()
        self.check_log()

    def check_log(self):
        bad = [line for line in self.log().splitlines()
               if re.search(r"\blevel=error\b|Sanitizer|runtime error:", line)
               and not any(re.search(expected, line) for expected in self.expected_errors)]
        assert not bad, "unexpected errors in the log:\n" + "\n".join(bad[:20])

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    # ---- doors

    def token(self, subject="alice", **more):
        key = (subject, tuple(sorted(more.items())))
        if key not in self.tokens:
            self.tokens[key] = self.issuer.token(subject, more.pop("audience", self.audience), **more)
        return self.tokens[key]

    def client(self, subject="alice", **more):
        return Client(self.port, self.ca_file, self.contract, self.token(subject, **more))

    def client_with(self, token):
        return Client(self.port, self.ca_file, self.contract, token)

    def observe(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.observe_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def berthctl(self, *arguments, check=True):
        command = [*account.prefix(), self.programs.berthctl, "--config", self.config_file, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=self.environment())
        assert done.returncode == 0 or not check, (shlex.join(command), done.stdout, done.stderr)
        return done

    def restore(self, backup):
        """Puts a backup in the place of the store, as docs/operate.md says; the daemon must not run."""
        store = self.settings["store"]["path"]
        for end in ("-wal", "-shm"):
            if os.path.exists(store + end):
                os.remove(store + end)
        shutil.copy(backup, store)
        account.own(store)

    def session_names(self):
        """Everything below the session root that belongs to jobs, for "leaves no trace"."""
        found = set()
        for part in ("jobs", "scripts", "attempts"):
            for folder, folders, files in os.walk(os.path.join(self.root, part)):
                found.update(os.path.join(folder, name) for name in folders + files)
        return found

    def session(self, job_id):
        return os.path.join(self.root, "jobs", job_id[-2:], job_id)
