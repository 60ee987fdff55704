#!/bin/bash
# From a fresh Debian 12 to the first pilot: ./quickstart.sh [--dir DIR] [--keep] [--no-install]
#
# Safe to run again. It leaves nothing running unless --keep is given, and then it says what.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: ./quickstart.sh [--dir DIR] [--keep] [--no-install]

Installs the packages that are missing, builds Berth, starts it with the local batch plugin and a
development token issuer, and sends a pilot through it over HTTPS.

  --dir DIR      folder for certificates, configuration, store and jobs (default: build/quickstart)
  --keep         let berthd run on at the end
  --no-install   do not install packages
TEXT
}

source_dir=$(cd "$(dirname "$0")" && pwd)
directory=$source_dir/build/quickstart
directory_given=0
keep=0
install=1
while [ $# -gt 0 ]; do
    case $1 in
    --dir)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        mkdir -p "$2" || { echo "quickstart: cannot make the folder $2" >&2; exit 1; }
        directory=$(cd "$2" && pwd)
        directory_given=1
        shift
        ;;
    --keep) keep=1 ;;
    --no-install) install=0 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

# What building and this script need; libgtest-dev and python3 because the build also knows the tests.
packages="g++ cmake ninja-build ccache pkg-config libboost1.81-dev libssl-dev nlohmann-json3-dev
    libspdlog-dev libcurl4-openssl-dev libsqlite3-dev libcli11-dev libtomlplusplus-dev zlib1g-dev
    libsystemd-dev libgtest-dev libgmock-dev python3 ca-certificates curl jq openssl"

step() { printf '\n==> %s\n' "$*"; }
say() { printf '    %s\n' "$*"; }
die() { printf '\nquickstart: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: run as root: $*"
    fi
}

install_packages() {
    local missing=() package
    for package in $packages; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "all packages are there"
        return
    fi
    [ $install = 1 ] || die "these packages are missing (--no-install): ${missing[*]}"
    say "installing: ${missing[*]}"
    as_root apt-get -q update || die "apt-get update failed; is there a network?"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
        "${missing[@]}" || die "apt-get install failed; its last lines say why"
}

# berthd refuses to run jobs as root, so for root everything runs as the user nobody.
if [ "$(id -u)" = 0 ]; then
    account=nobody
    as_account=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
else
    account=$(id -un)
    as_account=(env)
fi

choose_directory() {
    mkdir -p "$directory" || die "cannot make the folder $directory"
    "${as_account[@]}" test -x "$directory" && return
    [ $directory_given = 0 ] || die "the user $account cannot enter $directory; choose another --dir"
    directory=/var/tmp/berth-quickstart
    say "the user $account cannot enter $source_dir/build, so the folder is $directory"
    mkdir -p "$directory"
    [ -O "$directory" ] && [ ! -L "$directory" ] || die "$directory belongs to somebody else; use --dir"
}

# True for the berthd that an earlier run left with --keep, and for no other process.
is_ours() {
    [ -n "$1" ] && [ "$(readlink "/proc/$1/exe" 2>/dev/null)" = "$directory/bin/berthd" ]
}

stop_berthd() {
    local pid
    pid=$(cat "$directory/berthd.pid" 2>/dev/null || true)
    if is_ours "$pid"; then
        kill "$pid"
        for _ in $(seq 1 400); do
            is_ours "$pid" || break
            sleep 0.1
        done
        is_ours "$pid" && die "berthd (process $pid) did not stop within 40 s"
    fi
    rm -f "$directory/berthd.pid"
}

finish() {
    local code=$?
    trap - EXIT
    if [ $code -ne 0 ] && [ -s "$directory/berthd.log" ]; then
        printf '\nThe last lines of %s:\n' "$directory/berthd.log" >&2
        tail -n 5 "$directory/berthd.log" >&2
    fi
    if [ $code -ne 0 ] || [ $keep = 0 ]; then
        stop_berthd
    fi
    exit $code
}

make_certificates() {
    local tls=$directory/tls
    if openssl x509 -checkend 86400 -noout -in "$tls/tls.crt" >/dev/null 2>&1; then
        say "the certificates of an earlier run are still good"
        return
    fi
    mkdir -p "$tls"
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n' >"$tls/san"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
            -keyout "$tls/ca.key" -out "$tls/ca.crt" -subj "/CN=Berth quick start CA" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -keyout "$tls/tls.key" -out "$tls/tls.csr" -subj "/CN=localhost" &&
            openssl x509 -req -in "$tls/tls.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" \
                -CAcreateserial -days 30 -extfile "$tls/san" -out "$tls/tls.crt"
    } >"$tls/openssl.log" 2>&1 || die "openssl could not make certificates; see $tls/openssl.log"
}

# The first port from $1 on that nobody listens at.
free_port() {
    local port=$1 last=$(($1 + 100))
    while [ "$port" -lt "$last" ]; do
        # Column 2 ends with the port in hexadecimal; state 0A is LISTEN.
        if ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
            grep -q "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$port") [0-9A-F:]* 0A "; then
            echo "$port"
            return
        fi
        port=$((port + 1))
    done
    die "no free port from $1 to $last"
}

write_configuration() {
    cat >"$directory/berth.toml" <<TOML
# Written by quickstart.sh. Every other key has its default; docs/configuration.md has them all.
[api]
listen = ["127.0.0.1:$port"]
certificate = "tls/tls.crt"
key = "tls/tls.key"
audience = ["$url"]

[observe]
listen = ["127.0.0.1:$observe_port"]

[admin]
socket = "run/admin.sock"

[store]
path = "state/berth.db"
free_bytes_min = "100MB"

[tokens]
state_path = "state/keys"

[jobs]
session_root = "$directory/jobs"
batch = "local"

[batch.local]
spool = "state/local"

[[issuer]]
name = "quickstart"
url = "https://issuer.quickstart.example.org"
keys_file = "issuer/jwks.json"

[[mapping]]
issuer = "quickstart"
account = "$account"
TOML
}

api() { curl -sS --fail-with-body --max-time 60 --cacert "$directory/tls/ca.crt" -K "$directory/token.header" "$@"; }

start_berthd() {
    "${as_account[@]}" "$directory/bin/berthd" --config "$directory/berth.toml" --check-config ||
        die "the configuration has problems; this is a fault of quickstart.sh"
    # No function here: the process must be berthd itself, so that its id is the one to stop.
    "${as_account[@]}" "$directory/bin/berthd" --config "$directory/berth.toml" \
        </dev/null >"$directory/berthd.log" 2>&1 &
    local pid=$!
    disown
    echo "$pid" >"$directory/berthd.pid"
    for _ in $(seq 1 150); do
        curl -s -f --max-time 2 --cacert "$directory/tls/ca.crt" "$url/health/ready" >/dev/null && return
        kill -0 "$pid" 2>/dev/null || die "berthd ended at its start"
        sleep 0.2
    done
    die "berthd was not ready within 30 s"
}

# The job's state as it changes, until it has ended.
follow() {
    local state='' job
    while :; do
        job=$(api "$url/v1/jobs/$1?wait=30s${state:+&state_not=$state}") || die "cannot read the job: $job"
        [ "$(jq -r .state <<<"$job")" = "$state" ] && continue
        state=$(jq -r .state <<<"$job")
        say "$(jq -r '.updated + "  " + .state + "  (source: " + .source + ")"' <<<"$job")"
        case $state in
        done) return ;;
        failed | cancelled) die "the pilot ended as $state: $(jq -c . <<<"$job")" ;;
        esac
    done
}

echo "Berth quick start: builds Berth here and sends one pilot through it."
echo "It installs Debian packages only if some are missing, listens on 127.0.0.1 only, and writes"
echo "below build/ (or a folder that it names)."

step "packages"
install_packages

step "build (release; the first one takes some minutes)"
cd "$source_dir"
cmake --preset release >/dev/null || die "cmake failed; its messages are above"
cmake --build --preset release --target berthd berthctl || die "the build failed; its messages are above"

step "folder, certificate, token issuer, configuration"
choose_directory
trap finish EXIT
trap 'exit 130' INT TERM
stop_berthd
: >"$directory/berthd.log"
mkdir -p "$directory/bin" "$directory/state" "$directory/run" "$directory/jobs"
install -m 755 build/release/bin/berthd build/release/bin/berthctl "$directory/bin/"
make_certificates
if [ ! -s "$directory/issuer/issuer.json" ]; then
    "$directory/bin/berthctl" issuer init "$directory/issuer" --name quickstart \
        --url https://issuer.quickstart.example.org >/dev/null || die "berthctl issuer init failed"
fi
port=$(free_port 8443)
observe_port=$(free_port 9469)
url=https://127.0.0.1:$port
write_configuration
if [ "$account" = nobody ]; then
    chown nobody:nogroup "$directory/tls/tls.key" "$directory/state" "$directory/run" "$directory/jobs"
    chmod 700 "$directory/state" "$directory/run" "$directory/jobs"
    chmod 711 "$directory/issuer"
fi
say "$directory"

step "berthd as the user $account"
start_berthd
say "berthd is ready at $url (process $(cat "$directory/berthd.pid"))"

step "a token, as a workload manager would bring it"
token=$("$directory/bin/berthctl" issuer token "$directory/issuer" --subject pilot-factory --audience "$url" \
    --scope "compute.read compute.create compute.modify compute.cancel") || die "no token was made"
# In a file, because arguments show in ps.
(umask 077; printf 'header = "Authorization: Bearer %s"\n' "$token" >"$directory/token.header")
say "subject pilot-factory, scopes compute.*, one hour"

step "POST $url/v1/jobs"
job=$(api -H "Content-Type: application/json" -d @- "$url/v1/jobs" <<'JSON'
{"name": "first-pilot",
 "script": "#!/bin/sh\necho \"pilot $BERTH_JOB_ID on $(uname -n) as $(id -un)\"\necho \"stamp: $STAMP\"\nsleep 2\necho done\n",
 "environment": {"STAMP": "quick start"},
 "resources": {"slots": 1, "wall_time_s": 60}}
JSON
) || die "the pilot was refused: $job"
id=$(jq -r .id <<<"$job")
say "201: job $id"

step "the job's life, by long poll"
follow "$id"

step "its standard output: GET $url/v1/jobs/$id/files/stdout"
api "$url/v1/jobs/$id/files/stdout" | sed 's/^/    | /'

step "the operator's view: berthctl status"
"${as_account[@]}" "$directory/bin/berthctl" --config "$directory/berth.toml" status | sed 's/^/    /'

step "where to look next"
say "configuration   $directory/berth.toml"
say "log             $directory/berthd.log"
say "session         $directory/jobs"
say "every operation docs/api.md          every key        docs/configuration.md"
say "a real site     docs/install.md      day to day       docs/operate.md"
if [ $keep = 1 ]; then
    say ""
    say "berthd runs on (--keep). Your token for the next hour is in $directory/token.header:"
    say "  curl --cacert $directory/tls/ca.crt -K $directory/token.header $url/v1/jobs"
    say "  curl http://127.0.0.1:$observe_port/metrics"
    say "Stop it:  kill $(cat "$directory/berthd.pid")"
else
    say ""
    say "berthd is stopped now; with --keep it runs on."
fi
