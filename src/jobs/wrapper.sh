# The node wrapper: what the batch system runs around a pilot. POSIX sh; dash and busybox run it.
#
# The lines above this one are written by berthd (jobs/launch.cpp):
#   berth_tag      the attempt; also the batch job's name
#   berth_root     the session root on the shared file system
#   berth_session  the session directory, or "" for an array: then line INDEX + 1 of
#                  $berth_root/attempts/$berth_tag is it
#   berth_node     URL of the node door, or ""
#   berth_beat     seconds between two heartbeats
#   berth_output   most bytes of stdout and of stderr that are kept
#
# Exit status: that of the payload; 0 if another start won the fence; 101 if the session directory
# cannot be reached, 102 if the fence cannot be made or read, 103 if the launch file is missing.
# In these three cases the payload was not started.

umask 077
LC_ALL=C
export LC_ALL
SLURM_EXPORT_ENV=ALL  # sbatch --export=NONE would pass on to steps of the payload (sbatch(1))
export SLURM_EXPORT_ENV

berth_index=${SLURM_ARRAY_TASK_ID:-${PBS_ARRAY_INDEX:-${PBS_ARRAYID:-${BERTH_ARRAY_INDEX:-}}}}
if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
    berth_batch=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
else
    berth_batch=${SLURM_JOB_ID:-${PBS_JOBID:-${BERTH_BATCH_ID:-none}}}
fi
if [ -z "$berth_session" ]; then
    [ -n "$berth_index" ] || exit 101
    berth_session=$(sed -n "$((berth_index + 1))p" "$berth_root/attempts/$berth_tag" 2>/dev/null)
    [ -n "$berth_session" ] || exit 101
fi
cd "$berth_session" 2>/dev/null || exit 101

# ---- the start fence: one start of one attempt may run the payload, whatever happens elsewhere.
# What counts is what readlink says, never the exit status of ln: on NFS the reply of a link that
# was made can be lost.
berth_nonce=$(od -An -N10 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n')
[ ${#berth_nonce} -eq 20 ] || exit 102
berth_own=$berth_tag:$berth_batch:$berth_nonce
berth_try=0
while :; do
    ln -s "$berth_own" fence 2>/dev/null
    berth_owner=$(readlink fence 2>/dev/null)
    [ "$berth_owner" = "$berth_own" ] && break
    [ -n "$berth_owner" ] && exit 0
    [ -d "$berth_session" ] || exit 101
    berth_try=$((berth_try + 1))
    [ "$berth_try" -lt 6 ] || exit 102
    sleep "$berth_try"
done

# ---- news: a file in the events directory is the durable way, a POST to the node door the quick
# one. Both are hints; the evidence is the fence and the exit marker.
berth_tell() {
    # Not ":": a failed redirection of a special built-in ends the shell (POSIX 2.8.1).
    true 2>/dev/null >"$berth_root/events/$berth_tag.${berth_index:-0}.$berth_nonce.$1"
    if [ -n "$berth_node" ] && [ -r "$berth_session/secret" ] && command -v curl >/dev/null 2>&1; then
        # The secret goes by standard input: an argument would show in ps.
        { printf 'header = "Authorization: Bearer '; cat "$berth_session/secret"; printf '"\n'; } |
            curl -s -m 5 --noproxy '*' -o /dev/null -X POST -K - \
                "$berth_node/berth/v1/events/$1?tag=$berth_tag&index=${berth_index:-0}" 2>/dev/null
    fi
    return 0
}

berth_started=$(date +%s)
berth_told=
berth_payload=
berth_watch=

# Writes the exit marker; a full or slow file system is tried again for about a minute.
berth_mark() {
    berth_try=0
    while :; do
        {
            echo "code=$1"
            echo "told=$berth_told"
            echo "started=$berth_started"
            echo "ended=$(date +%s)"
            echo "nonce=$berth_nonce"
        } 2>/dev/null >"$berth_session/exit.tmp" &&
            mv -f "$berth_session/exit.tmp" "$berth_session/exit.$berth_nonce" 2>/dev/null && break
        berth_try=$((berth_try + 1))
        [ "$berth_try" -lt 10 ] || return 1
        sleep "$berth_try"
    done
    sync "$berth_session/exit.$berth_nonce" 2>/dev/null
    return 0
}

# ---- the launch file sets the positional parameters to the payload's environment and command.
# What the batch system gives its jobs is passed on; nothing else is inherited.
set --
for berth_name in $(awk 'BEGIN { for (n in ENVIRON)
    if (n ~ /^(SLURM|PBS|PMI|PMIX|CUDA|ROCR|ZE|GPU|NVIDIA)_[A-Za-z0-9_]*$/) print n }'); do
    eval "berth_value=\$$berth_name"
    set -- "$@" "$berth_name=$berth_value"
done
# A shell without job control has its background commands ignore INT and QUIT (POSIX 2.11), and what
# is ignored at the start cannot be trapped. GNU env can undo that; elsewhere TERM goes for INT.
berth_signals=
env --default-signal=INT,QUIT true 2>/dev/null && berth_signals=--default-signal=INT,QUIT
[ -r ./launch ] || { berth_mark 103; berth_tell ended; exit 103; }
. ./launch

# ---- HEP Software Foundation TN-2016-02: machine and job features
berth_features() {
    mkdir -p machinefeatures jobfeatures || return
    getconf _NPROCESSORS_ONLN >machinefeatures/total_cpu 2>/dev/null ||
        grep -c '^processor' /proc/cpuinfo >machinefeatures/total_cpu 2>/dev/null
    echo "$berth_started" >jobfeatures/jobstart_secs
    echo "$berth_tag" >jobfeatures/job_id
    [ "${berth_slots:-0}" -gt 0 ] && echo "$berth_slots" >jobfeatures/allocated_cpu
    if [ "${berth_wall:-0}" -gt 0 ]; then
        echo "$berth_wall" >jobfeatures/wall_limit_secs
        echo $((berth_wall * ${berth_slots:-1})) >jobfeatures/cpu_limit_secs
        echo $((berth_started + berth_wall)) >jobfeatures/shutdowntime_job
    fi
    [ "${berth_memory:-0}" -gt 0 ] && echo $((berth_memory * 1024 * 1024)) >jobfeatures/max_rss_bytes
    chmod -R go+rX machinefeatures jobfeatures
}
berth_features 2>/dev/null

# ---- signals for the batch job are for the payload; the marker says which came
berth_forward() {
    case $1 in TERM | INT | XCPU) berth_told=$1 ;; esac
    berth_interrupted=1
    berth_pass=$1
    [ "$1$berth_signals" = INT ] && berth_pass=TERM
    [ -n "$berth_payload" ] && kill -s "$berth_pass" "$berth_payload" 2>/dev/null
}
trap 'berth_forward TERM' TERM
trap 'berth_forward INT' INT
trap 'berth_forward USR1' USR1
trap 'berth_forward USR2' USR2
trap 'berth_forward HUP' HUP
trap 'berth_forward XCPU' XCPU 2>/dev/null

# Heartbeats, and the cap on output: of a stream above it the last half is kept.
berth_cap() {
    berth_size=$(wc -c <"files/$1" 2>/dev/null) || return
    [ "$berth_size" -gt "$berth_output" ] || return
    tail -c $((berth_output / 2)) "files/$1" >"$1.cut" 2>/dev/null &&
        { echo "[berth: $berth_size bytes, only the last part is kept]"; cat "$1.cut"; } >"files/$1"
    rm -f "$1.cut"
}
berth_watcher() {
    trap 'kill "$berth_sleep" 2>/dev/null; exit 0' TERM
    trap '' INT USR1 USR2 HUP
    berth_wait=$((berth_beat / 2 + $(od -An -N2 -tu2 /dev/urandom) % (berth_beat / 2 + 1)))
    while :; do
        berth_slice=$berth_wait
        while [ "$berth_slice" -gt 0 ]; do
            sleep 30 &
            berth_sleep=$!
            wait "$berth_sleep"
            berth_slice=$((berth_slice - 30))
            kill -0 $$ 2>/dev/null || exit 0 # the wrapper was killed: nobody else ends this
            berth_cap stdout
            berth_cap stderr
        done
        berth_tell alive
        berth_wait=$berth_beat
    done
}

# A TERM that came before this line ends the start here: nothing has run yet.
berth_code=143
if [ -z "$berth_told" ]; then
    berth_tell started
    cd files 2>/dev/null || { berth_mark 101; berth_tell ended; exit 101; }
    "$@" >>stdout 2>>stderr </dev/null &
    berth_payload=$!
    # A signal that came between the two lines above has reached nobody yet.
    [ -z "$berth_told" ] || berth_forward "$berth_told"
    cd "$berth_session" || :
    berth_watcher </dev/null >/dev/null 2>&1 &
    berth_watch=$!
    # A trap cuts a wait short, with 128 + n; the next one gives the payload's own status, also when
    # the payload ended at the signal. Only if the first had it already does the next one know
    # nothing: 127, without a process.
    berth_again=0
    while :; do
        berth_interrupted=0
        berth_there=1
        kill -0 "$berth_payload" 2>/dev/null || berth_there=0
        wait "$berth_payload"
        berth_status=$?
        [ "$berth_again$berth_there$berth_status" = 10127 ] && break
        berth_code=$berth_status
        [ "$berth_interrupted" = 1 ] || break
        berth_again=1
    done
    kill "$berth_watch" 2>/dev/null
    berth_cap stdout
    berth_cap stderr
fi
trap '' TERM INT USR1 USR2 HUP
berth_mark "$berth_code"
berth_tell ended
exit "$berth_code"
