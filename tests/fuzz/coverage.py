"""Line coverage of each parser's sources by the fuzz targets together.

    coverage.py CHECKOUT BIN PROFILES

BIN has the *_fuzz programs, PROFILES one NAME.profraw for each. Prints a line for each source; exit status 1 when one of them is
below the demand.
"""

import json
import os
import subprocess
import sys

DEMAND = 80.0

# What turns outside bytes into values.
PARSERS = [
    "src/api/request_json.cpp",
    "src/auth/base64url.cpp",
    "src/auth/claims.cpp",
    "src/auth/discovery.cpp",
    "src/auth/keys.cpp",
    "src/auth/token.cpp",
    "src/auth/verifier.cpp",
    "src/base/networks.cpp",
    "src/base/strict_json.cpp",
    "src/cache/content.cpp",
    "src/cache/freshness.cpp",
    "src/cache/inflate.cpp",
    "src/cache/manifest.cpp",
    "src/cache/names.cpp",
    "src/cache/request.cpp",
    "src/cache/tree_path.cpp",
    "src/config/checks.cpp",
    "src/config/document.cpp",
    "src/config/formats.cpp",
    "src/config/reader.cpp",
    "src/config/scan.cpp",
    "src/config/units.cpp",
    "src/config/values.cpp",
    "src/http/authority.cpp",
    "src/http/chunks.cpp",
    "src/http/field_line.cpp",
    "src/http/framing.cpp",
    "src/http/paths.cpp",
    "src/http/range.cpp",
    "src/http/response_head.cpp",
    "src/sites/slurm_limits.cpp",
    "src/sites/slurm_read.cpp",
    "src/sites/slurm_rest_read.cpp",
    "src/sites/slurm_submit.cpp",
    "src/sites/slurm_words.cpp",
    "src/store/catalog_database.cpp",
    "src/store/catalog_reader.cpp",
    "src/store/catalog_tables.cpp",
    "src/store/catalog_walk.cpp",
]

# Sources in which only some functions see outside bytes: these count, or all but these.
ONLY = {"src/sites/slurm_submit.cpp": ["read_submit", "find_id"]}  # the others build command lines
WITHOUT = {
    "src/config/document.cpp": ["load_file"],  # reads the file that parse() is given
    "src/sites/slurm_limits.cpp": ["show", "config", "token", "limits"],  # build command lines
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def is_one_of(symbol, functions):
    # A name in a mangled symbol follows its length: 11read_submit.
    return any("%d%s" % (len(name), name) in symbol for name in functions)


class Coverage:
    def __init__(self, root, build, programs, profile):
        first, *others = programs
        self.root = root
        self.arguments = [first, *(text for other in others for text in ("-object", other)), "-instr-profile=" + profile]
        export = json.loads(run("llvm-cov-14", "export", "-summary-only", *self.arguments))
        # A compiler cache may have made the names relative to the build.
        self.files = {os.path.realpath(os.path.join(build, entry["filename"])): entry for entry in export["data"][0]["files"]}

    def functions(self, path):
        """(symbol, lines, lines missed) of each function; a lambda's symbol begins with that of its function."""
        recorded = self.files[path]["filename"]
        same = "-path-equivalence=%s,%s" % (os.path.dirname(recorded), os.path.dirname(path))
        text = run("llvm-cov-14", "report", "-show-functions", same, *self.arguments, path)
        # NAME REGIONS MISS COVER LINES MISS COVER ...; a static function's name is FILE:SYMBOL.
        rows = [line.split() for line in text.splitlines() if "_Z" in line]
        return [(row[0], int(row[4]), int(row[5])) for row in rows]

    def lines(self, name):
        """(covered, all) of what counts in a source."""
        path = os.path.join(self.root, name)
        summary = self.files[path]["summary"]["lines"]
        covered, count = summary["covered"], summary["count"]
        if name in ONLY:
            rows = [row for row in self.functions(path) if is_one_of(row[0], ONLY[name])]
            return sum(row[1] - row[2] for row in rows), sum(row[1] for row in rows)
        if name in WITHOUT:
            rows = [row for row in self.functions(path) if is_one_of(row[0], WITHOUT[name])]
            return covered - sum(row[1] - row[2] for row in rows), count - sum(row[1] for row in rows)
        return covered, count


def main():
    root, bin_directory, profiles = (os.path.abspath(path) for path in sys.argv[1:4])
    raw = sorted(name for name in os.listdir(profiles) if name.endswith(".profraw"))
    merged = os.path.join(profiles, "all.profdata")
    run("llvm-profdata-14", "merge", "-sparse", "-o", merged, *(os.path.join(profiles, name) for name in raw))
    programs = [os.path.join(bin_directory, name.replace(".profraw", "_fuzz")) for name in raw]
    coverage = Coverage(os.path.realpath(root), os.path.dirname(bin_directory), programs, merged)
    below = 0
    for name in PARSERS:
        covered, count = coverage.lines(name)
        percent = 100.0 * covered / max(1, count)
        below += percent < DEMAND
        note = "" if percent >= DEMAND else "  BELOW %d %%" % DEMAND
        print("%-30s %5.1f %% of %3d lines%s" % (name, percent, count, note))
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
