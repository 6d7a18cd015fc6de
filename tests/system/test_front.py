#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-front: what one user may have under way, what happens without descriptors, what is left when it is killed.
All the while somebody else is served."""
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, exe, kill, pids_of, until  # noqa: E402
from rawbus import LIST, Raw, become, text  # noqa: E402

UID, OTHER = 1777, 1778
FLOODS = 60


def served(d, uid=0):
    return run([OSHCTL, "sandbox", "list", "--socket", d.bus], 60, preexec_fn=lambda: become(uid) if uid else None)[0] == 0


def front(d):
    """Its osh-front alone: not those of connections."""
    return [p for p in pids_of("osh-front") if exe(p)[1] == d.p.pid]


def rss(pid):
    return int(next(x.split()[1] for x in open(f"/proc/{pid}/status") if x.startswith("VmRSS")))


def ticks(pid):
    f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(f[11]) + int(f[12])


def flood(bus, reads):
    """Calls on FLOODS connections: 10 000 on each and not an answer read, or one after the other without end."""
    become(UID)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    all_ = [Raw(bus) for _ in range(FLOODS)]
    if reads == "never":
        for r in all_:
            r.s.settimeout(0.2)
            try:
                for _ in range(10000):
                    r.send("List", *LIST)
            except TimeoutError:
                pass
        print("sent", flush=True)
        signal.pause()
    for i in range(1 << 60):
        if i == 1:
            print("sent", flush=True)
        for r in all_:
            r.send("List", *LIST)
        for r in all_:
            r.answer()


def hostile(t, d):
    for reads, what in (("never", "10 000 calls on each of 60 connections, no answer read"), ("all", "calls without end on 60")):
        before = rss(d.p.pid)
        p = subprocess.Popen([sys.executable, __file__, d.bus, reads], stdout=subprocess.PIPE, text=True)
        try:
            ok = p.stdout.readline() == "sent\n"
            t.ok(ok and all(served(d, uid) for uid in (0, OTHER, 0, OTHER)), f"{what}: others are served", ok, d.errors())
            t.ok(rss(d.p.pid) - before < 32768, "and oshd keeps none of it", before, rss(d.p.pid))
        finally:
            p.kill()
            p.wait()


def subordinate(bus, uid):
    """A call of `uid` from a user namespace that has it, as somebody with subordinate ids makes one; says what came of it."""
    own, theirs = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.write(own[1], b"x" if ctypes.CDLL(None).unshare(0x10000000) == 0 else b"-")
        os.read(theirs[0], 1)
        try:
            become(1)
            os.write(own[1], bytes([Raw(bus).call("List", *LIST)[0]]))
        except (OSError, ConnectionError):
            os.write(own[1], b"r")
        os._exit(0)
    os.read(own[0], 1)
    for kind in ("uid", "gid"):
        with open(f"/proc/{pid}/{kind}_map", "w") as f:
            f.write(f"0 0 1\n1 {uid} 1\n")
    os.write(theirs[1], b"x")
    answer = os.read(own[0], 1)
    os.waitpid(pid, 0)
    for fd in own + theirs:
        os.close(fd)
    return answer


def many_names(t, d):
    """A share is a user's: whoever has 65536 subordinate ids would have as many shares."""
    t.ok(served(d, 165537), "a user is served")
    t.ok(subordinate(d.bus, 165537) == b"r", "and not from a user namespace, where he may be somebody's subordinate id")
    t.ok(until(lambda: "another user namespace" in d.errors(), 5), "with the reason in the daemon's log", d.errors())


def bounds(t, d):
    r = Raw(d.bus)
    kind, rest = r.call("Get", "s", text("n" * 200000))
    t.ok(kind == 3 and b"Error.Limit" in rest and b"no more than 131072" in rest, "a long call is refused with the bound", rest)
    null = os.open("/dev/null", os.O_RDONLY)
    kind, rest = r.call("List", *LIST, fds=[null] * 20)
    t.ok(kind == 3 and b"more than 16 descriptors" in rest, "and one with many descriptors", rest)
    kind, rest = r.call("List", *LIST, fds=[os.eventfd(0)])
    t.ok(kind == 3 and b"Error.Invalid" in rest and b"descriptor 1" in rest, "and one that is neither file nor socket", rest)
    kind, rest = r.call("List", *LIST)
    t.ok(kind == 2, "the same connection is served after them", rest)
    r.send("List", *LIST, flags=1)
    t.ok(r.call("List", *LIST)[0] == 2, "one that wants no answer gets none, and is waited for all the same")
    r.close()


def no_spin(t, pid, connect, what):
    calls = [connect() for _ in range(8)]
    before = ticks(pid)
    time.sleep(2)
    used = ticks(pid) - before
    t.ok(used < 20 and exe(pid)[0], f"{what} without descriptors does not spin", used)
    return calls


def without_descriptors(t, d):
    was = resource.prlimit(d.p.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(d.p.pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{d.p.pid}/fd")), was[1]))
    for p in no_spin(t, d.p.pid, lambda: subprocess.Popen(
            [OSHCTL, "sandbox", "list", "--socket", d.bus], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), "oshd"):
        p.wait(60)
    resource.prlimit(d.p.pid, resource.RLIMIT_NOFILE, was)
    t.ok(until(lambda: served(d), 20), "and goes on with some", d.errors())


def door_without_descriptors(t, w, name, limit, listens):
    """By hand: a limit that it cannot raise, or a socket from which no connection ever comes, and it is readable."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(w.dir, name))
    if listens:
        listener.listen(64)
    listener.setblocking(False)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def arrange():
        a, b = os.dup2(listener.fileno(), 200), os.dup2(theirs.fileno(), 201)
        os.dup2(a, 3)
        os.dup2(b, 4)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    p = subprocess.Popen([os.path.join(BUILD, "osh-front"), "1900020003"], preexec_fn=arrange, pass_fds=(3, 4),
                         stdin=subprocess.DEVNULL)

    def connect():
        s = socket.socket(socket.AF_UNIX)
        if listens:
            s.connect(os.path.join(w.dir, name))
        return s
    try:
        until(lambda: "Seccomp:\t2" in open(f"/proc/{p.pid}/status").read(), 20)
        calls = no_spin(t, p.pid, connect, f"osh-front ({name})")
        for s in calls:
            s.close()
        listener.close()
        theirs.close()
        ours.close()
        t.ok(p.wait(60) == 0, "and ends when oshd does")
    finally:
        p.kill()
        p.wait()


def killed(t, d):
    old = front(d)
    held = Raw(d.bus)
    t.ok(len(old) == 1, "one osh-front", old)
    status = open(f"/proc/{old[0]}/status").read()
    t.ok(all(x in status for x in ("Uid:\t1900020003", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2")),
         "unprivileged and confined", status)
    kill(old)
    try:
        gone = held.s.recv(1) == b""
    except OSError:
        gone = True
    t.ok(gone, "killed: its connections end with it")
    t.ok(until(lambda: front(d) and front(d) != old and served(d), 20), "another is there", d.errors())
    os.kill(d.p.pid, signal.SIGKILL)
    d.p.wait()
    t.ok(until(lambda: not pids_of("osh-front") or not front(d), 20), "oshd killed: it goes with it")
    d.start()
    t.ok(served(d) and len(front(d)) == 1, "and the next oshd has its own")


def main():
    t = Tap()
    with Work() as w, Daemon(w) as d:
        for part in (bounds, many_names, hostile, without_descriptors, killed):
            part(t, d)
    with Work() as w:
        door_without_descriptors(t, w, "one left", 8, True)
        door_without_descriptors(t, w, "none to accept", 64, False)
    t.done()


if __name__ == "__main__":
    flood(*sys.argv[1:]) if len(sys.argv) > 1 else main()
