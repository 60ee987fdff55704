"""The account that the daemon and its jobs run as.

Berth refuses to run jobs as root, so a root test run gives the daemon to an unprivileged user:
BERTH_E2E_USER, by default nobody. Everyone else is himself.
"""

import os
import pwd
import shutil

ENTRY = pwd.getpwnam(os.environ.get("BERTH_E2E_USER", "nobody")) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
NAME = ENTRY.pw_name


def prefix():
    """Puts a command under that account."""
    if os.getuid() != 0:
        return []
    return [shutil.which("setpriv"), "--reuid=%d" % ENTRY.pw_uid, "--regid=%d" % ENTRY.pw_gid, "--clear-groups"]


def own(path):
    """Gives a folder and what is in it to that account."""
    if os.getuid() != 0:
        return
    os.chown(path, ENTRY.pw_uid, ENTRY.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), ENTRY.pw_uid, ENTRY.pw_gid, follow_symlinks=False)
