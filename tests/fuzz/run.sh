#!/bin/bash
# Runs every fuzz target with its kept corpus, two at a time, and measures what they reach.
#
#   run.sh BUILD_DIR SECONDS
#
# BUILD_DIR is a folder of the preset fuzz in which the *_fuzz targets are built:
# ./run-tests.sh --only fuzz does that, and then runs this.
# Fails on a finding (its input is left below BUILD_DIR/run), on a target or a corpus that is
# missing, and when a parser's source is covered too little (coverage.py says which and how much).
set -uo pipefail

[ $# = 2 ] && [ -d "$1/bin" ] && [ "$2" -gt 0 ] 2>/dev/null || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(realpath "$1")
seconds=$2
cd "$(dirname "$0")" || exit 2
work=$build/run

# fuzz_one SOURCE: PART/NAME_fuzz.cpp has its corpus in PART/corpus/NAME. New inputs stay in the
# work folder, so that the tree is not changed. A target's worst input may take 20 s and 2 GB.
fuzz_one() {
    local name corpus
    name=$(basename "$1" _fuzz.cpp)
    corpus=$(dirname "$1")/corpus/$name
    mkdir -p "$work/$name"
    if [ -z "$(ls -A "$corpus" 2>/dev/null)" ]; then
        echo "there is no kept corpus $corpus" >"$work/$name.log"
        echo 1 >"$work/$name.result"
        return
    fi
    LLVM_PROFILE_FILE=$work/profiles/$name.profraw "$build/bin/${name}_fuzz" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=2048 -artifact_prefix="$work/$name-" -print_final_stats=1 "$work/$name" "$corpus" \
        >"$work/$name.log" 2>&1
    echo $? >"$work/$name.result"
}

rm -rf "$work"
mkdir -p "$work/profiles"
mapfile -t sources < <(find . -name '*_fuzz.cpp' | sort)
[ ${#sources[@]} -gt 0 ] || { echo "run.sh: no fuzz target found" >&2; exit 2; }
for source in "${sources[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    fuzz_one "$source" &
done
wait

failed=0
for source in "${sources[@]}"; do
    name=$(basename "$source" _fuzz.cpp)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
    if [ "$(cat "$work/$name.result")" = 0 ]; then
        printf '%-14s %s inputs, no finding\n' "$name" "$runs"
    else
        failed=1
        printf '%-14s FAILED after %s inputs (%s)\n' "$name" "${runs:-no}" "$work/$name.log"
        grep -v '^#' "$work/$name.log" | tail -n 30
    fi
done
echo
/usr/bin/python3 -B coverage.py ../.. "$build/bin" "$work/profiles" || failed=1
exit $failed
