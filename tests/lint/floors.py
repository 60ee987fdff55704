"""Checks who may include whom (docs/architecture.md): includes point to lower floors only, rooms on
one floor do not see each other, and each outside library stays in its rooms.

Usage: floors.py CHECKOUT
"""
import os
import re
import sys

import tree

FLOORS = {
    'base': 0,
    'http': 1,
    'auth': 2, 'jobs': 2, 'staging': 2, 'cache': 2, 'relay': 2,
    'net': 3,
    'store': 4, 'sites': 4, 'transfers': 4,
    'api': 5,
    'config': 6,
    'app': 7,
}

# What an include begins with, and the rooms or files of src/ that may have it.
LIBRARIES = {
    'boost/beast': (),
    'boost/asio/ssl': ('net', 'base/asio.cpp'),
    'openssl/': ('net', 'auth', 'cache', 'base/asio.cpp'),
    'curl/': ('net',),
    'sqlite3': ('store', 'cache'),
    'zlib.h': ('cache', 'store/object_files.cpp'),
    'spdlog/': ('base/log.cpp',),
    'fmt/': ('base/log.cpp',),
    'toml++/': ('config',),
    'CLI/': ('app',),
    'gtest/': (),
    'gmock/': (),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def check_own(room, target):
    """What is wrong with an include of a file of this tree, or None."""
    other = target.split('/')[0]
    if other == 'berth':
        return None  # include/berth knows only the standard library
    if '/' not in target or other not in FLOORS:
        return f'"{target}" does not begin with a room of src/'
    if other == room or FLOORS[other] < FLOORS[room]:
        return None
    if FLOORS[other] == FLOORS[room]:
        return f'{room} includes "{target}": rooms on one floor do not see each other'
    return f'{room} (floor {FLOORS[room]}) includes "{target}" (floor {FLOORS[other]}): not below'


def check_library(path, room, target):
    for start, homes in LIBRARIES.items():
        if target.startswith(start) and room not in homes and path not in homes:
            where = ' and '.join(homes) if homes else 'no room'
            return f'<{target}> belongs to {where}'
    return None


def check_source(path, text):
    """The faults of one source; `path` begins below src/. Yields (line, message)."""
    room = path.split('/')[0]
    if room not in FLOORS:
        yield 1, f'{room} has no floor; add it to FLOORS'
        return
    for match in INCLUDE.finditer(text):
        kind, target = match.groups()
        fault = check_own(room, target) if kind == '"' else check_library(path, room, target)
        if fault:
            yield text.count('\n', 0, match.start(2)) + 1, fault


def check_public(text):
    """include/berth is floor 0: nothing of this tree but itself, and only the standard library."""
    for match in INCLUDE.finditer(text):
        kind, target = match.groups()
        if (kind == '"' and not target.startswith('berth/')) or (kind == '<' and '/' in target):
            line = text.count('\n', 0, match.start(2)) + 1
            yield line, f'a public header includes {target}'


def check_tree(root):
    faults = []
    for name in tree.files(root, ('.hpp', '.cpp', '.h', '.c')):
        if not name.startswith(('src/', 'include/')):
            continue
        with open(os.path.join(root, name), encoding='utf-8') as file:
            text = file.read()
        found = check_public(text) if name.startswith('include/') else check_source(name[4:], text)
        faults += [f'{name}:{line}: {message}' for line, message in found]
    return faults


if __name__ == '__main__':
    sys.exit(tree.run(check_tree))
