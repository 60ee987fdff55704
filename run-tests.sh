#!/bin/bash
# Every test of Berth, from a fresh Debian 12: ./run-tests.sh [--quick] [--no-install] [--only STEP]
#
# Safe to run again. What the tests start (a real Slurm among it) they stop; no service of the
# machine is started or changed.
set -uo pipefail

usage() {
    cat <<'TEXT'
usage: ./run-tests.sh [--quick] [--no-install] [--only STEP]

The steps, in this order:
  install    the Debian packages that are missing
  release    GCC release build; unit, integration, contract, end-to-end and fault tests, lints, short benchmarks
  asan       GCC build with AddressSanitizer and UBSan; unit and integration tests
  tsan       GCC build with ThreadSanitizer; the tests of what uses threads
  clang      all libraries and the unit tests compile with clang 14, warnings are errors
  fuzz       libFuzzer targets for 30 s each with the kept corpus; line coverage of each parser

  --quick        install and release only
  --no-install   skip the packages
  --only STEP    one step (it can be repeated)

The last line is "N passed, N failed". The exit status is 0 when nothing failed.
TEXT
}

steps=(install release asan tsan clang fuzz)
only=()
skip_install=0
while [ $# -gt 0 ]; do
    case $1 in
    --quick) steps=(install release) ;;
    --no-install) skip_install=1 ;;
    --only)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $2 in install | release | asan | tsan | clang | fuzz) only+=("$2") ;; *) usage >&2; exit 2 ;; esac
        shift
        ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ ${#only[@]} -eq 0 ] || steps=("${only[@]}")

cd "$(dirname "$0")" || exit 1
fuzz_seconds=30
jobs=$(nproc)

packages="libboost1.81-dev libssl-dev nlohmann-json3-dev libspdlog-dev libcurl4-openssl-dev libsqlite3-dev
    libcli11-dev libtomlplusplus-dev zlib1g-dev libsystemd-dev libgtest-dev libgmock-dev libbenchmark-dev
    cmake ninja-build g++ ccache pkg-config clang-14 clang-tidy-14 clang-format-14 llvm-14 libclang-rt-14-dev
    slurmctld slurmd slurm-client munge slurmdbd slurmrestd mariadb-server slurm-wlm-basic-plugins
    slurm-wlm-mysql-plugin slurm-wlm-jwt-plugin busybox dash curl jq openssl procps iproute2 git
    python3 python3-jsonschema python3-yaml python3-pytest python3-cryptography python3-jwt python3-seccomp
    systemd libfaketime libseccomp-dev strace wrk ca-certificates nginx-light apache2-bin"

passed=0
failed=0
times=()

say() { printf '    %s\n' "$*"; }
count() { # count RESULT WHAT: one check of this script's own
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$2"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "run-tests: this needs root, and there is no sudo: $*" >&2
        return 1
    fi
}

# Debian starts a service when its package is installed, unless policy-rc.d says 101. munge, MariaDB
# and Slurm of the machine are not wanted here: the tests start their own.
install_missing() {
    local policy=/usr/sbin/policy-rc.d made=0 result
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy || return 1
        made=1
    fi
    as_root apt-get -q update &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
    result=$?
    [ $made = 0 ] || as_root rm -f $policy
    return $result
}

step_install() {
    local missing=() package
    for package in $packages; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "all packages are there"
        return 0
    fi
    say "installing: ${missing[*]}"
    install_missing "${missing[@]}" >build/install.log 2>&1
    local result=$?
    if [ $result != 0 ]; then
        tail -n 20 build/install.log
        echo "run-tests: the packages could not be installed; see build/install.log" >&2
    fi
    return $result
}

build() { # build PRESET [TARGET...]
    local preset=$1
    shift
    cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 || {
        cat "build/$preset.configure.log"
        count 1 "configure preset $preset"
        return 1
    }
    if [ $# -gt 0 ]; then set -- --target "$@"; fi
    if ! cmake --build --preset "$preset" "$@" >"build/$preset.build.log" 2>&1; then
        grep -E -A8 '^FAILED|error:' "build/$preset.build.log" | head -n 60
        count 1 "build preset $preset (build/$preset.build.log)"
        return 1
    fi
}

# Runs ctest in a build folder and adds up its summary line.
test_build() { # test_build FOLDER CTEST_ARGUMENTS...
    local folder=$1 log summary
    shift
    log=$(mktemp)
    ctest --test-dir "$folder" --output-on-failure --no-tests=error "$@" 2>&1 | tee "$log"
    # "97% tests passed, 1 tests failed out of 38"
    summary=$(sed -n 's/^.*tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*$/\1 \2/p' "$log" | tail -n 1)
    rm -f "$log"
    if [ -z "$summary" ]; then
        count 1 "ctest in $folder gave no summary"
        return
    fi
    failed=$((failed + ${summary% *}))
    passed=$((passed + ${summary#* } - ${summary% *}))
}

step_release() {
    build release || return
    test_build build/release -LE 'contract|e2e|fault|bench-smoke' -j "$jobs"
    # These start daemons and a Slurm of their own and mostly wait: two at a time are as sound as one.
    test_build build/release -L 'contract|e2e|fault|bench-smoke' -j 2
}

# The names of a build's tests are those of their targets.
test_targets() { # test_targets FOLDER CTEST_ARGUMENTS...
    local folder=$1
    shift
    ctest --test-dir "$folder" -N "$@" | sed -n 's/^ *Test *#[0-9]*: //p'
}

step_asan() {
    cmake --preset asan >build/asan.configure.log 2>&1
    local targets
    mapfile -t targets < <(test_targets build/asan -L 'unit|integration')
    if [ ${#targets[@]} -eq 0 ]; then
        count 1 "the preset asan has no unit and integration tests (build/asan.configure.log)"
        return
    fi
    build asan "${targets[@]}" || return
    UBSAN_OPTIONS=print_stacktrace=1 test_build build/asan -L 'unit|integration' -j "$jobs"
}

# What has threads, pools or state between loops: every integration test but the wrapper's, the
# store, the key cache, log and metrics. The other rooms are functions of values.
step_tsan() {
    cmake --preset tsan >build/tsan.configure.log 2>&1
    local targets
    mapfile -t targets < <(test_targets build/tsan -L integration -E '^wrapper_test$')
    if [ ${#targets[@]} -eq 0 ]; then
        count 1 "the preset tsan has no integration tests (build/tsan.configure.log)"
        return
    fi
    targets+=(base_test auth_test store_contract_test)
    build tsan "${targets[@]}" || return
    test_build build/tsan -R "^($(IFS='|' && echo "${targets[*]}"))\$" -j "$jobs"
}

step_clang() {
    cmake --preset clang >build/clang.configure.log 2>&1
    local libraries
    mapfile -t libraries < <(cmake --build --preset clang --target help 2>/dev/null |
        sed -n 's/^\(berth_[a-z0-9_]*\): phony$/\1/p')
    if [ ${#libraries[@]} -eq 0 ]; then
        count 1 "the preset clang has no libraries (build/clang.configure.log)"
        return
    fi
    local tests
    mapfile -t tests < <(test_targets build/clang -L unit)
    build clang "${libraries[@]}" "${tests[@]}" && count 0 "clang" &&
        say "${#libraries[@]} libraries and ${#tests[@]} unit test programs compile without a warning"
}

step_fuzz() {
    local targets log=build/fuzz.run.log
    mapfile -t targets < <(find tests/fuzz -name '*_fuzz.cpp' -exec basename {} .cpp \; | sort)
    build fuzz "${targets[@]}" || return
    tests/fuzz/run.sh build/fuzz $fuzz_seconds 2>&1 | tee "$log"
    count "${PIPESTATUS[0]}" "fuzz targets or their line coverage ($log)"
    passed=$((passed + $(grep -c ', no finding$' "$log")))
}

mkdir -p build
echo "Berth tests: ${steps[*]}. Builds below build/; the tests use the loopback interface and"
echo "temporary folders, and stop what they start."
for step in "${steps[@]}"; do
    [ "$step" = install ] && [ $skip_install = 1 ] && continue
    printf '\n==> %s\n' "$step"
    begin=$SECONDS
    if ! "step_$step" && [ "$step" = install ]; then
        count 1 "install"
        break
    fi
    took=$((SECONDS - begin))
    times+=("$(printf '%-8s %3d min %02d s' "$step" $((took / 60)) $((took % 60)))")
    say "$step took $took s"
done

printf '\n==> summary\n'
for line in "${times[@]}"; do say "$line"; done
say "total    $(printf '%3d min %02d s' $((SECONDS / 60)) $((SECONDS % 60)))"
echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
