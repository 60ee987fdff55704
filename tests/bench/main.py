"""Runs one benchmark. Its figures are facts of one run on one machine; nothing here passes or fails by time."""

import argparse
import importlib
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

NAMES = ["accepts", "burst", "drain", "done_delay", "scale", "soak"]


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--smoke", action="store_true", help="a small run that only shows that it works")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.runs = 1
    print("%s: %d cores, Linux %s, load %.1f" % (arguments.name, os.cpu_count(), platform.release(), os.getloadavg()[0]))
    importlib.import_module(arguments.name).run(arguments)


if __name__ == "__main__":
    main()
