# SPDX-License-Identifier: Apache-2.0
"""A private oshd for a test, its processes by name, and small policies. Everything ends with `with`."""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lib import BUILD, ROOT

OSHCTL = os.path.join(BUILD, "oshctl")
OSHD = os.path.join(BUILD, "oshd")
REAL = os.path.realpath(BUILD)

BASE_POLICY = """version: 1
filesystem_policy:
  include_workdir: true
  read_only: [/usr, /lib, /lib64, /bin, /sbin, /etc/ssl, /etc/alternatives, /etc/ld.so.cache]
process: {run_as_user: sandbox}
"""


def policy(*endpoints):
    """A base policy plus short-form network entries, given as YAML flow mappings."""
    net = "".join(f"  - {e}\n" for e in endpoints)
    return BASE_POLICY + (("network:\n" + net) if net else "")


def exe(pid):
    try:
        state = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return "" if state[0] == "Z" else os.readlink(f"/proc/{pid}/exe"), int(state[1])
    except OSError:
        return "", 0


OURS = set()    # every osh-init seen below this build's osh-launch: it may be reparented later


def pids_of(name):
    """Living processes of this build's NAME; others may run osh on this machine too."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        path, parent = exe(pid)
        if name == "osh-init":      # executed from a memfd
            if path.startswith("/memfd:osh-init") and \
                    (pid in OURS or exe(parent)[0] == os.path.join(REAL, "osh-launch")):
                OURS.add(pid)
                found.append(pid)
        elif path == os.path.join(REAL, name):
            found.append(pid)
    return sorted(found)


def until(cond, seconds=5.0, step=0.02):
    """Waits for cond(); gives its last value. What must come may be slow in coming, on a busy or an emulated processor;
    less than a second is a look at what must not come."""
    end = time.monotonic() + (seconds if seconds < 1 else max(60, 10 * seconds))
    while True:
        value = cond()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def landlock_tells(lsm):
    """Is what Landlock refuses on record? By its tracepoints, or by a function of its own, where LSM programs live too."""
    with open("/sys/kernel/btf/vmlinux", "rb") as types:
        names = types.read()
    return b"\0btf_trace_landlock_deny_access_fs\0" in names or (lsm and b"\0landlock_log_denial\0" in names)


def held(pid):
    """{number: target} of a process' descriptors, without what is closed and who ends meanwhile."""
    found = {}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                pass
    except OSError:
        pass
    return found


def proc(pid, name):
    """Text of a file in /proc of a process; empty where it has ended."""
    try:
        with open(f"/proc/{pid}/{name}", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@contextlib.contextmanager
def late(*names):
    """This build's processes of these names do nothing meanwhile: whoever is told that something is over was not told too early."""
    pids = [pid for name in names for pid in pids_of(name)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def steal(pid, number):
    """A socket of another process, which may then be spoken on in its place."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    fd = libc.syscall(438, pidfd, number, 0)
    os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=fd)


class Work:
    """A temporary directory with a policy file and a work directory inside."""

    def __init__(self, text=BASE_POLICY):
        self.dir = tempfile.mkdtemp(prefix="osh-test-")
        os.chmod(self.dir, 0o755)
        self.work = os.path.join(self.dir, "work")
        os.mkdir(self.work)
        self.policy = self.write("policy.yaml", text)
        self.log = os.path.join(self.dir, "log.jsonl")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def lines(self):
        try:
            return open(self.log).read().splitlines()
        except OSError:
            return []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)


class Daemon:
    """A resident oshd of its own: --state in the work's directory."""

    def __init__(self, work, *args, env=None):
        self.work, self.args, self.env = work, args, env
        self.oshd = [OSHD]
        self.state = os.path.join(work.dir, "state")
        self.bus = os.path.join(self.state, "bus")
        self.p = None

    def start(self):
        err = open(os.path.join(self.work.dir, "oshd.err"), "a")
        self.p = subprocess.Popen([*self.oshd, "--state", self.state, *self.args], stdin=subprocess.DEVNULL,
                                  stdout=err, stderr=err, env={**os.environ, **(self.env or {})})
        err.close()
        if not until(self.answers, 20):
            raise RuntimeError("oshd does not answer: " + self.errors())
        return self

    def instance(self):
        """The name of its pins: FNV-1a of the directory (userspace/oshd/daemon.c)."""
        h = 2166136261
        for c in os.path.realpath(self.state).encode():
            h = (h ^ c) * 16777619 & 0xffffffff
        return f"oshd-{h:08x}"

    def cgroup(self):
        """The name of its cgroup below osh.slice."""
        limits = open(os.path.join(ROOT, "include/osh/limits.h")).read()
        return self.instance() + ".abi" + re.search(r"#define OSH_ABI (\d+)", limits).group(1)

    def answers(self):
        if self.p.poll() is not None:
            raise RuntimeError("oshd ended: " + self.errors())
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        try:                # to connect is not enough: the osh-front of one that was killed takes a moment to go
            s.connect(self.bus)
            s.sendall(b"\0AUTH EXTERNAL\r\n")
            return bool(s.recv(64))
        except OSError:
            return False
        finally:
            s.close()

    def errors(self):
        return open(os.path.join(self.work.dir, "oshd.err")).read()

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(120)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()

    def command(self, *cmd, options=()):
        w = self.work
        return [OSHCTL, "run", "--socket", self.bus, "-p", w.policy, "--workdir", w.work, "--log", w.log,
                *options, "--", *cmd]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
