#!/bin/sh
# One benchmark: run.sh NAME [--smoke] [--runs N]; docs/performance.md says what each shows.
# The build is taken from BERTH_BIN, or from build/release/bin of this checkout.
cd "$(dirname "$0")" || exit 1
BERTH_BIN=${BERTH_BIN:-$(cd ../.. && pwd)/build/release/bin}
export BERTH_BIN PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 main.py "$@"
