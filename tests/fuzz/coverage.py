"""Line coverage of each parser by the fuzz targets together.

    coverage.py CHECKOUT BIN PROFILES

BIN has the *_fuzz programs, PROFILES one NAME.profraw for each. Prints a line for each parser and its files; exit status 1 when
a parser is below the demand.
"""

import json
import os
import subprocess
import sys

DEMAND = 80.0

# What turns outside bytes into values. slurm_submit.cpp also builds command lines, which no outside byte reaches: of that file
# only the functions count that are named here.
PARSERS = {
    "token": ["src/auth/token.cpp", "src/auth/claims.cpp", "src/auth/verifier.cpp"],
    "issuer keys": ["src/auth/keys.cpp", "src/auth/discovery.cpp"],
    "JSON limits": ["src/base/strict_json.cpp"],
    "framing gate": ["src/http/framing.cpp", "src/http/chunks.cpp", "src/http/paths.cpp"],
    "configuration": ["src/config/scan.cpp", "src/config/reader.cpp", "src/config/values.cpp", "src/config/units.cpp",
                      "src/config/formats.cpp", "src/config/checks.cpp"],
    "Slurm": ["src/sites/slurm_read.cpp", "src/sites/slurm_limits.cpp", "src/sites/slurm_words.cpp",
              "src/sites/slurm_submit.cpp:read_submit|read_control"],
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Coverage:
    def __init__(self, root, programs, profile):
        first, *others = programs
        self.root = root
        self.arguments = [first, *(text for other in others for text in ("-object", other)), "-instr-profile=" + profile]
        export = json.loads(run("llvm-cov-14", "export", "-summary-only", *self.arguments))
        self.files = {entry["filename"]: entry["summary"]["lines"] for entry in export["data"][0]["files"]}

    def lines(self, name):
        """(covered, all) of a file, or of its functions that match the expression after the colon."""
        path, _, functions = name.partition(":")
        path = os.path.join(self.root, path)
        if not functions:
            return self.files[path]["covered"], self.files[path]["count"]
        text = run("llvm-cov-14", "report", "-show-functions", "-name-regex=" + functions, *self.arguments, path)
        rows = [line.split() for line in text.splitlines() if line.startswith("_Z")]
        # NAME REGIONS MISS COVER LINES MISS COVER ...
        return sum(int(row[4]) - int(row[5]) for row in rows), sum(int(row[4]) for row in rows)


def main():
    root, bin_directory, profiles = (os.path.abspath(path) for path in sys.argv[1:4])
    raw = sorted(name for name in os.listdir(profiles) if name.endswith(".profraw"))
    merged = os.path.join(profiles, "all.profdata")
    run("llvm-profdata-14", "merge", "-sparse", "-o", merged, *(os.path.join(profiles, name) for name in raw))
    programs = [os.path.join(bin_directory, name.replace(".profraw", "_fuzz")) for name in raw]
    coverage = Coverage(os.path.realpath(root), programs, merged)
    below = 0
    for parser, names in PARSERS.items():
        found = {name: coverage.lines(name) for name in names}
        covered, count = (sum(numbers) for numbers in zip(*found.values()))
        percent = 100.0 * covered / max(1, count)
        below += percent < DEMAND
        print("%-14s %5.1f %% of %d lines%s" % (parser, percent, count, "" if percent >= DEMAND else "  BELOW %d %%" % DEMAND))
        for name, (file_covered, file_count) in found.items():
            print("    %-52s %5.1f %%" % (name, 100.0 * file_covered / max(1, file_count)))
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
