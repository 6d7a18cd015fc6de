#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A sandbox takes all that it gets of what the kernel counts: descriptors, inotify, pipes, signals, message queues, names,
descriptors in flight, keys, terminals, events of asynchronous files, huge pages. Each time another sandbox gets what it asks for, and oshd starts a new one."""
import contextlib
import json
import os
import resource
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
USER = 1807
POLICY = BASE_POLICY + "network: [{host: '*.wild.test', port: 80}]\n"
BOMBED = POLICY + "resources: {pids: 96, memory: 512Mi, files: 900}\n"

# take() until the kernel refuses, in 24 processes at once, and hold it all. "one" takes one.
HEAD = """
import array, ctypes, errno, fcntl, os, select, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
held = []
def must(r):
    if r < 0:
        n = ctypes.get_errno()
        raise OSError(n, os.strerror(n))
    held.append(r)
"""
TAIL = """
def some(most):
    n = 0
    try:
        while n < most:
            take()
            n += 1
    except OSError as e:
        return n, e.errno or 1
    return n, 0
if sys.argv[1] == "one":
    n, code = some(1)
    print(n, code)
    sys.exit(0)
ends, kids = os.pipe(), []
for i in range(24):
    kids.append(os.fork())
    if not kids[-1]:
        n, code = some(20000)
        os.write(ends[1], b"%d %d\\n" % (n, code))
        signal.pause()
got = os.fdopen(ends[0])
rows = [tuple(map(int, got.readline().split())) for i in range(24)]
print(sum(r[0] for r in rows), min(r[1] for r in rows), flush=True)
sys.stdin.readline()
for k in kids: os.kill(k, 9)
"""
TAKES = {
    "descriptors": "def take(): held.append(os.dup(0))",
    "inotify instances": "def take(): must(libc.inotify_init1(0))",
    "inotify watches": """
def take():
    if not held: must(libc.inotify_init1(0))
    name = "/tmp/w%d.%d" % (os.getpid(), len(held))
    open(name, "w").close()
    must(libc.inotify_add_watch(held[0], name.encode(), 2))
    if len(held) > 2000: raise OSError(errno.ENOSPC, "")
""",
    "pipes": """
def take():
    a, b = os.pipe()
    held.append((a, b))
    fcntl.fcntl(b, 1031, 1 << 20)
""",
    "pending signals": """
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
def take():
    must(libc.sigqueue(os.getpid(), 40, ctypes.c_void_p(0)))
""",
    "message queues": """
def take():
    must(libc.mq_open(b"/q%d.%d" % (os.getpid(), len(held)), os.O_RDWR | os.O_CREAT, 0o600, None))
""",
    "descriptors in flight": """
def take():
    a, b = socket.socketpair()
    held.append((a, b))
    a.setblocking(False)
    socket.send_fds(a, [b"x"], [a.fileno()] * 20)
""",
    "epoll": """
def take():
    e = select.epoll()
    held.append(e)
    e.register(os.eventfd(0), 1)
""",
    "terminals": "def take(): held.append(os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY))",
    "asynchronous files": """
def take():
    must(libc.syscall(206, 1024, ctypes.byref(ctypes.c_ulong(0))))
""",
    "huge pages": """
libc.mmap.restype = ctypes.c_ssize_t
def take():
    must(libc.mmap(None, 1 << 21, 3, 0x40022, -1, 0))
    ctypes.memset(held[-1], 1, 1)
""",
    "keys": """
def take():
    must(libc.syscall(248, b"user", b"x%d" % len(held), b"y", 1, -3))
""",
    "names": """
def take():
    try:
        socket.getaddrinfo("n%d-%d.wild.test" % (os.getpid(), len(held)), 80)
        held.append(1)
    except socket.gaierror:
        raise OSError(1, "") from None
""",
}
REFUSED = ("keys", "message queues", "asynchronous files", "huge pages")     # nobody gets any: seccomp, Landlock
POOL = "/proc/sys/vm/nr_overcommit_hugepages"


class Box:
    def __init__(self, d, name, text, who=None):
        w, self.d, self.name, self.who = d.work, d, name, who or {}
        work = os.path.join(w.dir, "work-" + name)
        os.mkdir(work)
        if who:
            os.chown(work, who["user"], who["group"])
        self.made = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", name, "-p", w.write(name + ".yaml", text), "-w", work],
                        LIMIT, **self.who)

    def argv(self, *command):
        return [OSHCTL, "sandbox", "exec", "--socket", self.d.bus, "-T", self.name, "--", *command]

    def take(self, what):
        """Until it is let go: the process, and what it got."""
        p = subprocess.Popen(self.argv("python3", "-c", HEAD + TAKES[what] + TAIL, "all"), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, **self.who)
        line = p.stdout.readline().split()
        return p, [int(x) for x in line] if len(line) == 2 else None

    def one(self, what):
        return run(self.argv("python3", "-c", HEAD + TAKES[what] + TAIL, "one"), LIMIT, **self.who)

    def delete(self):
        run([OSHCTL, "sandbox", "delete", "-f", "--socket", self.d.bus, self.name], LIMIT, **self.who)


def each(t, d, bomb, other):
    for what in TAKES:
        p, got = bomb.take(what)
        want = got and (got[0] == 0 if what in REFUSED else got[0] > 20) and got[1] != 0
        t.ok(want, f"{what}: a sandbox takes until it is refused", got)
        rc, out, err = other.one(what)
        t.ok(rc == 0 and out.split()[0] == ("0" if what in REFUSED else "1"), f"{what}: another gets what it asks for", rc, out, err)
        rc, out, err = run(d.command("echo", "new"), LIMIT)
        t.ok(rc == 0 and out == "new\n" and d.p.poll() is None, f"{what}: a new one starts, and oshd is there", rc, err, d.errors())
        p.communicate("\n", timeout=LIMIT)


@contextlib.contextmanager
def pool():
    """Huge pages that the machine has for whoever asks, while this lasts. Says whether it has."""
    try:
        with open(POOL) as f:
            was = f.read()
        with open(POOL, "w") as f:
            f.write("16")
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        with open(POOL, "w") as f:
            f.write(was)


def outside(what):
    """What a process beside any sandbox gets of it."""
    rc, out, err = run(["/usr/bin/python3", "-c", HEAD + TAKES[what] + TAIL, "one"], LIMIT, cwd="/")
    return int(out.split()[0]) if rc == 0 else err


def shares(t, d):
    """The sandbox of a user who is not root has his uid, and what the kernel counts by that it shares with him."""
    who = {"user": USER, "group": USER, "extra_groups": []}
    box = Box(d, "his", BOMBED.replace("process: {run_as_user: sandbox}\n", ""), who)
    what = "pending signals"
    p, got = box.take(what)
    t.ok(got and got[0] > 20 and got[1], f"{what}: a user's sandbox takes until it is refused", box.made, got)
    rc, out, err = run(["/usr/bin/python3", "-c", HEAD + TAKES[what] + TAIL, "one"], LIMIT, cwd="/", **who)
    t.ok(rc == 0 and out.split()[0] == "1", f"{what}: half of them stay his", rc, out, err)
    p.communicate("\n", timeout=LIMIT)
    rc, out, err = run(box.argv("bash", "-c", "ulimit -Hi; ulimit -Hq"), LIMIT, **who)
    have = [resource.getrlimit(r)[0] // 2 for r in (resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE)]
    t.ok(rc == 0 and [int(x) for x in out.split()] == have, "nothing inside raises that again", rc, out, err, have)
    box.delete()


def main():
    t = Tap()
    if os.geteuid():
        t.skip("exhaustion", "needs root")
        t.done()
    with Work() as w:
        with Daemon(w) as d:
            bomb, other = Box(d, "bomb", BOMBED), Box(d, "other", POLICY)
            t.ok(bomb.made[0] == 0 and other.made[0] == 0, "two sandboxes", bomb.made, other.made)
            with pool() as has:
                t.ok(not has or outside("huge pages") == 1, "a process outside gets a huge page", outside("huge pages"))
                each(t, d, bomb, other)
            rc, out, err = run([OSHCTL, "sandbox", "get", "bomb", "--json", "--socket", d.bus], LIMIT)
            t.ok(rc == 0 and json.loads(out)["state"] == "running", "it lives on itself", rc, err)
            shares(t, d)
            bomb.delete()
            other.delete()
    t.done()


if __name__ == "__main__":
    main()
