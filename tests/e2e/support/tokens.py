"""A token issuer of its own, made by `berthctl issuer` at run time."""

import base64
import json
import os
import subprocess

ALL_SCOPES = "compute.read compute.create compute.modify compute.cancel"


class Issuer:
    def __init__(self, berthctl, directory, url="https://tokens.example.org/", name="e2e"):
        self.berthctl, self.directory, self.url, self.name = berthctl, directory, url, name
        self._run("init", directory, "--url", url, "--name", name)
        self.keys_file = os.path.join(directory, "jwks.json")
        assert os.path.isfile(self.keys_file)

    def _run(self, *arguments):
        done = subprocess.run([self.berthctl, "issuer", *arguments], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()

    def token(self, subject, audience, scope=ALL_SCOPES, lifetime=3600, groups=None):
        more = ["--groups", ",".join(groups)] if groups else []
        return self._run("token", self.directory, "--subject", subject, "--audience", audience, "--scope", scope,
                         "--lifetime", str(lifetime), *more)


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encode(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def with_claims(token, **claims):
    """The token with other claims under its old signature."""
    head, body, signature = token.split(".")
    return ".".join([head, encode(dict(decode(body), **claims)), signature])


def unsigned(token):
    head, body, _ = token.split(".")
    return ".".join([encode(dict(decode(head), alg="none")), body, ""])
