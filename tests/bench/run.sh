#!/bin/sh
# One benchmark: run.sh NAME [--smoke] [--runs N]; docs/performance.md says what each shows.
# The build is taken from BERTH_BIN, or from build/release/bin of this checkout.
cd "$(dirname "$0")" || exit 1
BERTH_BIN=${BERTH_BIN:-$(cd ../.. && pwd)/build/release/bin}
# Session roots lie in memory, in the place of a shared file system whose work is its servers'; the
# store lies below TMPDIR, on a disk with a true fsync. BERTH_BENCH_ROOT names another place.
BERTH_BENCH_ROOT=${BERTH_BENCH_ROOT-/dev/shm}
export BERTH_BIN BERTH_BENCH_ROOT PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 main.py "$@"
