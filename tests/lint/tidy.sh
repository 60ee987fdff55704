#!/bin/bash
# clang-tidy over the sources of src/, with the checks of .clang-tidy; a finding fails.
#
#   tidy.sh BUILD_DIR             what is changed against HEAD: the sources, and those that include a changed header
#   tidy.sh BUILD_DIR --all       every source of src/ (about 6 s of one core for each)
#   tidy.sh BUILD_DIR FILE...     these sources
#
# BUILD_DIR is a configured folder of the preset clang (nothing needs to be built in it):
#   cmake --preset clang && tests/lint/tidy.sh build/clang --all
# JOBS sets how many run at a time (default: all cores), CLANG_TIDY another program.
set -euo pipefail

tool=${CLANG_TIDY:-clang-tidy-14}
[ $# -ge 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(realpath "$1")
shift
[ -f "$build/compile_commands.json" ] || { echo "tidy: no compile_commands.json in $build" >&2; exit 2; }
cd "$(dirname "$0")/../.."

listed() { git ls-files --cached --others --exclude-standard -- "$@"; }

changed() {
    local header
    { git diff --name-only --diff-filter=d HEAD -- src; git ls-files --others --exclude-standard -- src; } |
        while read -r name; do
            case $name in
            *.cpp) echo "$name" ;;
            *.hpp)
                header=${name#src/}
                listed 'src/*.cpp' | xargs grep -lF "#include \"$header\"" || true
                ;;
            esac
        done | sort -u
}

if [ $# -eq 0 ]; then
    mapfile -t files < <(changed)
elif [ "$1" = --all ]; then
    mapfile -t files < <(listed 'src/*.cpp')
    [ ${#files[@]} -gt 0 ] || { echo "tidy: no source found" >&2; exit 2; }
else
    files=("$@")
fi
[ ${#files[@]} -gt 0 ] || { echo "tidy: no source is changed"; exit 0; }
for file in "${files[@]}"; do
    grep -qF "$PWD/$file\"" "$build/compile_commands.json" || {
        echo "tidy: $file is not built in $build; configure it again" >&2
        exit 2
    }
done
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" "$tool" --quiet -p "$build"
echo "tidy: ${#files[@]} sources, no finding"
