"""The files of the checkout that the lints read: what git tracks or would track."""
import os
import subprocess
import sys


def files(root, endings=('',)):
    """Paths under `root`, sorted; without git (an unpacked archive) everything outside build/."""
    command = ['git', '-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = {name.decode() for name in listed.stdout.split(b'\0') if name}
    else:
        names = set()
        for folder, inner, found in os.walk(root):
            inner[:] = [one for one in inner if one not in ('build', '.git', '__pycache__')]
            names.update(os.path.relpath(os.path.join(folder, one), root) for one in found)
    return sorted(name for name in names
                  if name.endswith(tuple(endings)) and os.path.isfile(os.path.join(root, name)))


def run(check_tree):
    """The main program of a lint: prints the faults of the checkout that is named in the call."""
    faults = check_tree(sys.argv[1])
    for fault in faults:
        print(fault)
    return 1 if faults else 0
