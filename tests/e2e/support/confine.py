"""Runs a program under the system-call and address-family filters of a systemd unit file.

    confine.py UNIT PROGRAM [ARGUMENTS...]

Reads SystemCallFilter=, SystemCallErrorNumber=, RestrictAddressFamilies= and MemoryDenyWriteExecute= as systemd.exec(5) says,
takes the members of @groups from `systemd-analyze syscall-filter` and installs the same filter with libseccomp. What systemd
does besides (name spaces, capabilities, file systems) is not imitated.
"""

import errno
import os
import re
import socket
import subprocess
import sys

# Kept by systemd in every allow-list, also when a later line takes them out.
ALWAYS = "@default"
PROT_WRITE, PROT_EXEC = 2, 4


def directives(text):
    """(name, value) of the [Service] section, in order, continued lines joined."""
    section, found = None, []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            found.append((name.strip(), value.strip()))
    return found


def members(name, groups):
    """The system calls of a group, groups in it included; a plain name is itself."""
    if not name.startswith("@"):
        return {name}
    if name not in groups:
        text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
        lines = [line.strip() for line in text.splitlines()[1:]]
        groups[name] = set()
        for line in lines:
            if line and not line.startswith("#"):
                groups[name] |= members(line, groups)
    return groups[name]


def is_on(value):
    return value.lower() in ("yes", "true", "on", "1")


class Filter:
    """What the unit asks for. allowed: names of system calls, None = all; families: numbers, None = all."""

    def __init__(self, unit_text):
        self.allowed = self.families = None
        self.denied, self.error, self.no_write_execute = set(), None, False
        groups = {}
        for name, value in directives(unit_text):
            if name == "SystemCallFilter":
                self._calls(value, groups)
            elif name == "SystemCallErrorNumber" and value:
                self.error = getattr(errno, value)
            elif name == "RestrictAddressFamilies":
                self._families(value)
            elif name == "MemoryDenyWriteExecute":
                self.no_write_execute = is_on(value)

    def _calls(self, value, groups):
        if not value:
            self.allowed, self.denied = None, set()
            return
        inverted = value.startswith("~")
        names = set()
        for word in value.lstrip("~").split():
            names |= members(word.split(":")[0], groups)
        if inverted and self.allowed is not None:
            self.allowed -= names
        elif inverted:
            self.denied |= names
        else:
            self.allowed = (self.allowed or members(ALWAYS, groups)) | names

    def _families(self, value):
        if value.startswith("~"):
            raise SystemExit("confine.py: RestrictAddressFamilies=~... is not understood")
        names = set() if value in ("", "none") else set(value.split())
        self.families = (self.families or set()) | {int(getattr(socket, name)) for name in names}

    def install(self):
        import seccomp  # Debian's python3-seccomp

        refuse = seccomp.KILL_PROCESS if self.error is None else seccomp.ERRNO(self.error)
        rules = seccomp.SyscallFilter(refuse if self.allowed is not None else seccomp.ALLOW)
        special = {"socket"} if self.families is not None else set()
        if self.no_write_execute:
            special |= {"mmap", "mprotect", "pkey_mprotect", "shmat"}
        for name in sorted((self.allowed or set()) - special):
            self._add(rules, seccomp.ALLOW, name)
        for name in sorted(self.denied):
            self._add(rules, refuse, name)
        self._sockets(rules, seccomp)
        self._memory(rules, seccomp)
        rules.load()

    @staticmethod
    def _add(rules, action, name, *arguments):
        try:
            rules.add_rule(action, name, *arguments)
        except (ValueError, RuntimeError, OSError):
            pass  # not a call of this architecture

    def _sockets(self, rules, seccomp):
        if self.families is None:
            return
        for family in range(64):
            if family not in self.families:
                self._add(rules, seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
            elif self.allowed is not None:
                self._add(rules, seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, family))

    def _memory(self, rules, seccomp):
        if not self.no_write_execute:
            return
        refuse = seccomp.ERRNO(errno.EPERM)
        both = PROT_WRITE | PROT_EXEC
        masked = lambda argument, mask, value: seccomp.Arg(argument, seccomp.MASKED_EQ, mask, value)
        self._add(rules, refuse, "mmap", masked(2, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            self._add(rules, refuse, name, masked(2, PROT_EXEC, PROT_EXEC))
        self._add(rules, refuse, "shmat", masked(2, 0o100000, 0o100000))  # SHM_EXEC
        if self.allowed is None:
            return
        for value in (0, PROT_WRITE, PROT_EXEC):
            self._add(rules, seccomp.ALLOW, "mmap", masked(2, both, value))
        for name in {"mprotect", "pkey_mprotect"} & self.allowed:
            self._add(rules, seccomp.ALLOW, name, masked(2, PROT_EXEC, 0))
        if "shmat" in self.allowed:
            self._add(rules, seccomp.ALLOW, "shmat", masked(2, 0o100000, 0))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = Filter(file.read())
    wanted.install()
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
