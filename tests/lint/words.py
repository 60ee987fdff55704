"""Fails on words that must not be in the tree: marks of unfinished work, and absolute paths of
somebody's home or working folder.

Usage: words.py CHECKOUT
"""
import os
import re
import sys

import tree

# Taken apart, so that this file does not find itself.
MARKS = ('TO' 'DO', 'FIX' 'ME', 'X' 'XX')
FOLDERS = ('ho' 'me', 'wo' 'rk', 'ro' 'ot', 'Us' 'ers')

FORBIDDEN = [
    (re.compile(r'\b(' + '|'.join(MARKS) + r')\b'), 'a mark of unfinished work'),
    # Behind "+ " a quoted path goes on from a folder that the code has made.
    (re.compile(r'(?<![\w.:$)}/-])(?<!\+ ")/(' + '|'.join(FOLDERS) + r')/\w'), 'the path of a private folder'),
]


def check_text(text):
    """Yields (line, message) for each forbidden word."""
    for number, line in enumerate(text.split('\n'), 1):
        for pattern, message in FORBIDDEN:
            found = pattern.search(line)
            if found:
                yield number, f'"{found.group(0)}" is {message}'


def check_tree(root):
    faults = []
    for name in tree.files(root):
        with open(os.path.join(root, name), 'rb') as file:
            content = file.read()
        if b'\0' in content:
            continue
        text = content.decode('utf-8', 'replace')
        faults += [f'{name}:{line}: {message}' for line, message in check_text(text)]
    return faults


if __name__ == '__main__':
    sys.exit(tree.run(check_tree))
