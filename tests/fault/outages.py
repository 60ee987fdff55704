"""Parts of a real Slurm that stop and come back; everything is addressed by the pid files of tests/support/slurm.sh."""

import os
import signal
import subprocess

from support.waiting import wait_until


def alive(pid):
    """Not for a zombie: its parent may be a shell that does not wait."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def kill(pid, number=signal.SIGKILL):
    if pid is not None and alive(pid):
        os.kill(pid, number)
    if pid is not None and number == signal.SIGKILL:
        wait_until(lambda: not alive(pid), 20, "the end of process %d" % pid)


class Daemon:
    """One daemon of a support.slurm.Slurm."""

    def __init__(self, slurm, pid_file, *command, environment=None):
        self.slurm, self.command, self.environment = slurm, command, environment or {}
        self.pid_file = os.path.join(slurm.directory, pid_file)

    def pid(self):
        with open(self.pid_file, encoding="utf-8") as file:
            return int(file.read())

    def stop(self):
        os.kill(self.pid(), signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid(), signal.SIGCONT)

    def kill(self):
        kill(self.pid())

    def start(self):
        environment = dict(os.environ, SLURM_CONF=self.slurm.conf, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        subprocess.run(self.command, check=True, timeout=60, env=dict(environment, **self.environment),
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def controller(slurm):
    return Daemon(slurm, "run/slurmctld.pid", "slurmctld")


def node(slurm, name):
    return Daemon(slurm, "run/slurmd-%s.pid" % name, "slurmd", "-N", name)


def database(slurm):
    return Daemon(slurm, "run/slurmdbd.pid", "slurmdbd",
                  environment={"LD_PRELOAD": os.path.join(slurm.directory, "run", "loopback.so")})


def munge(slurm):
    folder = os.path.join(slurm.directory, "munge")
    return Daemon(slurm, "munge/munged.pid", "munged", "--force", "--socket=%s/socket" % folder,
                  "--key-file=%s/key" % folder, "--log-file=%s/munged.log" % folder, "--pid-file=%s/munged.pid" % folder,
                  "--seed-file=%s/seed" % folder, "--num-threads=4")


def answers(slurm):
    """Whether the controller answers and has its nodes."""
    try:
        done = subprocess.run(["sinfo", "-h", "-p", "grid", "-t", "idle,mix,alloc", "-o", "%t"], capture_output=True, text=True,
                              timeout=20, env=dict(os.environ, SLURM_CONF=slurm.conf))
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())
