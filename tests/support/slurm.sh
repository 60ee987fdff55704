#!/bin/bash
# A real Slurm on the loopback interface for tests: no systemd, nothing of the machine's own Slurm or munge is touched.
#
#   slurm.sh start DIR [--nodes N] [--cpus C] [--port BASE] [--dbd] [--gpus] [--rest] [--min-job-age S] [--scheduler PARAMETERS] [--cgroups]
#                      [--max-array-size N] [--max-job-count N] [--cluster NAME] [--join DIR]
#   slurm.sh stop DIR [--purge]
#
# start prints SLURM_CONF=DIR/etc/slurm.conf as its last line. Everything lies under DIR, whose path must be short (unix sockets).
# As root the folders above DIR must be open to all (mktemp -d makes 0700): munged refuses anything else.
#   --nodes 2  --cpus 32   slurmd daemons n1..nN on this host, each with C invented CPUs and 2000 MB per CPU
#   --port BASE            first of 8 + N ports; without it a free range is searched
#   --dbd                  also mariadbd and slurmdbd, so that sacct works
#   --gpus                 each node has two invented GPUs, gpu:a100
#   --cgroups              memory limits are enforced (task/cgroup; as root, where the memory controller can be had)
#   --rest                 also slurmrestd: on 127.0.0.1:BASE+3 for tokens (scontrol token), and on DIR/run/rest.sock without them,
#                          for the account that runs this script
#   --cluster testbed      the cluster's name
#   --join DIR             a further cluster: uses the munge and the slurmdbd of the Slurm in DIR, which was started with --dbd and is
#                          stopped after this one
# Partitions: grid (default), short (30 min), long (n1 only), whole (exclusive), held (down: jobs stay pending).
#
# As root Slurm runs as the user "slurm" and jobs run as whoever submitted them, any user of the machine; as an ordinary user
# everything belongs to that user. Needs slurmctld, slurmd, slurm-client, munge; with --dbd also slurmdbd, mariadb-server, cc; with --rest
# also slurmrestd, slurm-wlm-jwt-plugin.
set -eu
PATH=$PATH:/usr/sbin:/sbin
umask 022

fail() { echo "slurm.sh: $*" >&2; exit 1; }

# Every TCP port in use, whatever its state, one hexadecimal number per line.
used_ports() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk 'NR > 1 { n = split($2, a, ":"); print a[n] }'; }

# Below the kernel's ephemeral range, so that no outgoing connection takes one between the check and the use.
free_base() {
  local need=$1 used base port hex ok
  used=" $(used_ports | tr '\n' ' ')"
  for _ in $(seq 1 200); do
    base=$((10000 + RANDOM % 2200 * 10)); ok=1
    for port in $(seq "$base" $((base + need))); do
      hex=$(printf '%04X' "$port")
      case $used in *" $hex "*) ok=0; break;; esac
    done
    [ $ok = 1 ] && { echo "$base"; return 0; }
  done
  return 1
}

wait_port() {
  for _ in $(seq 1 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.1
  done
  fail "port $1 ($2) did not open; see $DIR/log"
}

own() { if [ "$(id -u)" = 0 ]; then chown "$@"; fi; }

jwt_conf() { printf 'AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=%s\n' "$DIR/state/jwt.key"; }

write_conf() {
  local host accounting gres= task=task/none
  host=$(hostname -s)
  accounting="AccountingStorageType=accounting_storage/none"
  [ $DBD = 1 ] && accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$MUNGE/socket
AccountingStoreFlags=job_comment"
  printf 'CgroupPlugin=autodetect\nIgnoreSystemd=yes\n' > "$DIR/etc/cgroup.conf"
  if [ $CGROUPS = 1 ]; then
    task=task/cgroup
    printf 'ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=0\n' >> "$DIR/etc/cgroup.conf"
  fi
  cat > "$DIR/etc/slurm.conf" <<X
ClusterName=$CLUSTER
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=$SLURM_USER
SlurmdUser=$ME
AuthType=auth/munge
AuthInfo=socket=$MUNGE/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd-%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=$task
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=5$SCHEDULER
PriorityType=priority/basic
ReturnToService=2
MaxJobCount=$MAX_JOB_COUNT
MaxArraySize=$MAX_ARRAY_SIZE
MinJobAge=$MIN_JOB_AGE
KillWait=5
InactiveLimit=0
Waittime=0
PropagateResourceLimits=NONE
$accounting
X
  if [ $REST = 1 ]; then
    jwt_conf >> "$DIR/etc/slurm.conf"
    (umask 077; head -c 32 /dev/urandom > "$DIR/state/jwt.key")
    own "$SLURM_USER:" "$DIR/state/jwt.key"
  fi
  if [ $GPUS = 1 ]; then
    # gres/gpu wants device files; any character device will do, nothing opens them.
    echo "GresTypes=gpu" >> "$DIR/etc/slurm.conf"
    echo "NodeName=n[1-$NODES] Name=gpu Type=a100 File=/dev/tty[0-1]" > "$DIR/etc/gres.conf"
    gres="Gres=gpu:a100:2"
  fi
  for i in $(seq 1 "$NODES"); do
    echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 3 + i)) CPUs=$CPUS RealMemory=$((CPUS * 2000)) Feature=x86_64,x86_64-v3 $gres State=UNKNOWN"
  done >> "$DIR/etc/slurm.conf"
  cat >> "$DIR/etc/slurm.conf" <<X
PartitionName=grid Nodes=ALL Default=YES MaxTime=2-00:00:00 DefaultTime=01:00:00 DefMemPerCPU=100 State=UP
PartitionName=short Nodes=ALL MaxTime=00:30:00 DefaultTime=00:05:00 DefMemPerCPU=100 PriorityTier=10 State=UP
PartitionName=long Nodes=n1 MaxTime=7-00:00:00 DefaultTime=1-00:00:00 DefMemPerCPU=100 State=UP
PartitionName=whole Nodes=ALL OverSubscribe=EXCLUSIVE MaxTime=1-00:00:00 DefaultTime=01:00:00 State=UP
PartitionName=held Nodes=ALL MaxTime=UNLIMITED DefaultTime=1-00:00:00 DefMemPerCPU=100 State=DOWN
X
}

start_munge() {
  if [ ! -s "$DIR/munge/key" ]; then
    (umask 077; head -c 1024 /dev/urandom > "$DIR/munge/key")
  fi
  munged --socket="$DIR/munge/socket" --key-file="$DIR/munge/key" --log-file="$DIR/munge/munged.log" \
    --pid-file="$DIR/munge/munged.pid" --seed-file="$DIR/munge/seed" --num-threads=4
}

# slurmdbd 22.05 has no option for its address and listens on all of them; this shim turns a bind to the wildcard into loopback.
build_shim() {
  cat > "$DIR/run/loopback.c" <<'X'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
int bind(int fd, const struct sockaddr *address, socklen_t size) {
  int (*real)(int, const struct sockaddr *, socklen_t) = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
  if (address && address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in v4;
    memcpy(&v4, address, sizeof v4);
    if (v4.sin_addr.s_addr == htonl(INADDR_ANY)) {
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return real(fd, (const struct sockaddr *)&v4, sizeof v4);
    }
  }
  if (address && address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
    static const unsigned char mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) {
      memcpy(&v6.sin6_addr, mapped, sizeof mapped);
      return real(fd, (const struct sockaddr *)&v6, sizeof v6);
    }
  }
  return real(fd, address, size);
}
X
  cc -shared -fPIC -O1 -o "$DIR/run/loopback.so" "$DIR/run/loopback.c" -ldl
}

start_database() {
  local user=$ME secret
  [ "$(id -u)" = 0 ] && user=mysql
  secret=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
  mkdir -p "$DIR/mysql" "$DIR/run/my"; own "$user:" "$DIR/mysql" "$DIR/run/my"
  if [ ! -d "$DIR/mysql/mysql" ]; then
    mariadb-install-db --no-defaults --user="$user" --tmpdir="$DIR/run/my" --datadir="$DIR/mysql" --auth-root-authentication-method=normal \
      --skip-test-db > "$DIR/log/mysql-install.log" 2>&1
  fi
  setsid mariadbd --no-defaults --user="$user" --tmpdir="$DIR/run/my" --datadir="$DIR/mysql" --socket="$DIR/run/my/s" --pid-file="$DIR/run/my/mariadbd.pid" \
    --bind-address=127.0.0.1 --port=$((PORT + 2)) --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=2 --log-error="$DIR/run/my/err.log" < /dev/null > /dev/null 2>&1 &
  wait_port $((PORT + 2)) mariadbd
  mariadb --no-defaults -uroot -S "$DIR/run/my/s" -e "CREATE DATABASE IF NOT EXISTS slurm_acct_db;
    CREATE OR REPLACE USER 'slurm'@'127.0.0.1' IDENTIFIED BY '$secret'; CREATE OR REPLACE USER 'slurm'@'localhost' IDENTIFIED BY '$secret';
    GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1'; GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
  rm -f "$DIR/etc/slurmdbd.conf"
  (umask 077; cat > "$DIR/etc/slurmdbd.conf" <<X
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 1))
SlurmUser=$SLURM_USER
LogFile=$DIR/log/slurmdbd.log
PidFile=$DIR/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 2))
StorageUser=slurm
StoragePass=$secret
StorageLoc=slurm_acct_db
X
    if [ $REST = 1 ]; then jwt_conf >> "$DIR/etc/slurmdbd.conf"; fi
  )
  own "$SLURM_USER:" "$DIR/etc/slurmdbd.conf"
  build_shim
  LD_PRELOAD="$DIR/run/loopback.so" slurmdbd  # finds slurmdbd.conf beside SLURM_CONF
  wait_port $((PORT + 1)) slurmdbd
}

# slurmrestd 22.05 refuses root and SlurmUser unless the check is off. Without slurmdbd its plug-in would wait for it.
start_rest() {
  local user=()
  [ "$(id -u)" = 0 ] && user=(-u nobody -g nogroup)
  SLURMRESTD_SECURITY=disable_user_check SLURM_JWT=daemon setsid slurmrestd "${user[@]}" -a rest_auth/jwt -s openapi/v0.0.38 -t 10 \
    "127.0.0.1:$((PORT + 3))" < /dev/null > "$DIR/log/rest-tcp.log" 2>&1 &
  echo $! > "$DIR/run/rest-tcp.pid"
  SLURMRESTD_SECURITY=disable_user_check setsid slurmrestd -a rest_auth/local -s openapi/v0.0.38 -t 10 \
    "unix:$DIR/run/rest.sock" < /dev/null > "$DIR/log/rest-unix.log" 2>&1 &
  echo $! > "$DIR/run/rest-unix.pid"
  wait_port $((PORT + 3)) slurmrestd
}

nodes_up() { sinfo -h -N -p grid -t idle,mix,alloc -o %N 2>/dev/null | sort -u | wc -l; }

start() {
  NODES=2 CPUS=32 PORT= DBD=0 GPUS=0 REST=0 CGROUPS=0 MIN_JOB_AGE=300 SCHEDULER= MAX_ARRAY_SIZE=10001 MAX_JOB_COUNT=100000 CLUSTER=testbed JOIN=
  while [ $# -gt 0 ]; do
    case $1 in
      --nodes) NODES=$2; shift 2;;
      --cpus) CPUS=$2; shift 2;;
      --port) PORT=$2; shift 2;;
      --min-job-age) MIN_JOB_AGE=$2; shift 2;;
      --max-array-size) MAX_ARRAY_SIZE=$2; shift 2;;
      --max-job-count) MAX_JOB_COUNT=$2; shift 2;;
      --cluster) CLUSTER=$2; shift 2;;
      --join) JOIN=$(cd "$2" && pwd); DBD=1; shift 2;;
      --scheduler) SCHEDULER=,$2; shift 2;;
      --dbd) DBD=1; shift;;
      --gpus) GPUS=1; shift;;
      --cgroups) CGROUPS=1; shift;;
      --rest) REST=1; shift;;
      *) fail "unknown option $1";;
    esac
  done
  ME=$(id -un); SLURM_USER=$ME
  [ "$(id -u)" = 0 ] && SLURM_USER=slurm
  [ -n "$PORT" ] || PORT=$(free_base $((8 + NODES))) || fail "no free ports"
  mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
  [ ${#DIR} -le 80 ] || fail "the path $DIR is too long for unix sockets"
  mkdir -p "$DIR"/{etc,run,log,munge,state,spool}
  chmod 755 "$DIR" "$DIR"/{etc,run,log,munge}
  own "$SLURM_USER:" "$DIR"/{log,run,state,spool}
  MUNGE=${JOIN:-$DIR}/munge DBD_PORT=$((PORT + 1))
  [ -z "$JOIN" ] || DBD_PORT=$(sed -n 's/^AccountingStoragePort=//p' "$JOIN/etc/slurm.conf")
  write_conf
  export SLURM_CONF=$DIR/etc/slurm.conf
  trap '[ $? = 0 ] || stop' EXIT
  if [ -z "$JOIN" ]; then
    start_munge
    if [ $DBD = 1 ]; then start_database; fi
  fi
  slurmctld || fail "slurmctld did not start; see $DIR/log/slurmctld.log"
  for i in $(seq 1 "$NODES"); do mkdir -p "$DIR/spool/n$i"; slurmd -N "n$i" || fail "slurmd n$i did not start; see $DIR/log/slurmd-n$i.log"; done
  wait_port "$PORT" slurmctld
  for _ in $(seq 1 150); do
    [ "$(nodes_up)" = "$NODES" ] && break
    sleep 0.1
  done
  [ "$(nodes_up)" = "$NODES" ] || fail "only $(nodes_up) of $NODES nodes are up; see $DIR/log"
  if [ $REST = 1 ]; then start_rest; fi
  echo "SLURM_CONF=$SLURM_CONF"
}

# The recorded processes that still live and still are what was started: a pid that was reused since is left alone.
alive() {
  local file pid
  for file in "$@"; do
    pid=$(cat "$file" 2>/dev/null) || continue
    case $(cat "/proc/$pid/comm" 2>/dev/null) in munged|slurmd|slurmctld|slurmdbd|slurmrestd|mariadbd) echo "$pid";; esac
  done
}

end() {
  local pid
  for pid in $(alive "$@"); do kill -TERM "$pid" 2>/dev/null || true; done
  for _ in $(seq 1 100); do
    [ -z "$(alive "$@")" ] && return 0
    sleep 0.1
  done
  for pid in $(alive "$@"); do kill -KILL "$pid" 2>/dev/null || true; done
}

# A slurmstepd outlives its slurmd and writes no pid file; its environment names our configuration. Its batch job may be
# suspended, so both are killed outright.
end_steps() {
  local process child
  for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ] || continue
    { tr '\0' '\n' < "$process/environ"; } 2>/dev/null | grep -qxF "SLURM_CONF=$DIR/etc/slurm.conf" || continue
    for child in $(cat "$process"/task/*/children 2>/dev/null); do
      kill -KILL -- "-$child" 2>/dev/null || kill -KILL "$child" 2>/dev/null || true
    done
    kill -KILL "${process#/proc/}" 2>/dev/null || true
  done
}

stop() {
  [ -d "$DIR" ] || return 0
  DIR=$(cd "$DIR" && pwd)
  export SLURM_CONF=$DIR/etc/slurm.conf
  timeout 5 scancel --state=RUNNING,PENDING,SUSPENDED 2>/dev/null || true
  end "$DIR"/run/rest-*.pid
  end "$DIR"/run/slurmd-*.pid "$DIR/run/slurmctld.pid"
  end_steps
  # Empty ones only: another instance may have nodes of these names.
  if grep -qs task/cgroup "$DIR/etc/slurm.conf"; then
    find /sys/fs/cgroup -depth -type d -path '*/slurm_n[0-9]*' -exec rmdir {} + 2>/dev/null || true
  fi
  end "$DIR/run/slurmdbd.pid"
  end "$DIR/run/my/mariadbd.pid" "$DIR/munge/munged.pid"
  if [ "${1:-}" = --purge ]; then rm -rf "$DIR"; fi
}

[ $# -ge 2 ] || fail "usage: slurm.sh start|stop DIR [options]"
COMMAND=$1 DIR=$2; shift 2
case $COMMAND in
  start) start "$@";;
  stop) stop "$@";;
  *) fail "unknown command $COMMAND";;
esac
