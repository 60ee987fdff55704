#!/bin/sh
# Fails when a C++ source of the checkout is not formatted as .clang-format says.
# Usage: format_check.sh CHECKOUT [FILE...]; without files, all that git tracks or would track.
set -eu
cd "$1"
shift
tool=${CLANG_FORMAT:-clang-format-14}
if [ $# -gt 0 ]; then
    exec "$tool" --dry-run -Werror "$@"
fi
list=$(mktemp)
trap 'rm -f "$list"' EXIT
git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' >"$list"
test -s "$list" # no source found is a fault of this check
xargs -0 -n 50 "$tool" --dry-run -Werror <"$list"
