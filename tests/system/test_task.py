#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What LSM programs refuse besides files, in a real sandbox: sockets of the host that are reached by a link, memory of
another process inside, descriptors that somebody outside sends. What a sandbox does with its own works as ever. Where the
programs do not live, the same work goes on, and what only they refuse is let through, as docs/architecture.md says."""
import array
import ctypes
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, Daemon, Work, landlock_tells, pids_of, until  # noqa: E402
import subprocess  # noqa: E402

OWN = r"""
import array, os, signal, socket, subprocess, sys
def sockets(kind, address):
    s = socket.socket(socket.AF_UNIX, kind); s.bind(address)
    c = socket.socket(socket.AF_UNIX, kind)
    if kind == socket.SOCK_DGRAM:
        c.sendto(b"x", address); return s.recv(1) == b"x"
    s.listen(); c.connect(address); return True
a, b = socket.socketpair()
d, e = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
def passed(fd):
    socket.send_fds(a, [b"x"], [fd])
    return len(socket.recv_fds(b, 1, 1)[1]) == 1
child = subprocess.Popen(["sleep", "60"])
checks = {
    "a socket below /tmp": sockets(socket.SOCK_STREAM, "/tmp/s"),
    "datagrams below /tmp": sockets(socket.SOCK_DGRAM, "/tmp/d"),
    "an abstract socket": sockets(socket.SOCK_SEQPACKET, "\0own"),
    "a pair": a.send(b"y") == 1 and b.recv(1) == b"y",
    "a pair for datagrams": d.send(b"y") == 1 and e.recv(1) == b"y",
    "a file is passed on": passed(os.open("/usr", os.O_RDONLY)),
    "memory is passed on": passed(os.memfd_create("m")),
    "a socket is passed on": passed(d.fileno()),
    "a process inside is passed on": passed(os.pidfd_open(child.pid)),
    "another's environment is read": open(f"/proc/{child.pid}/environ", "rb").read() is not None,
    "its own memory is opened": open("/proc/self/mem", "rb") is not None,
    "a child is signalled": child.send_signal(signal.SIGTERM) is None and child.wait() == -signal.SIGTERM,
}
for what, good in checks.items():
    print("good" if good else "bad", what)
"""

TRIES = r"""
import os, socket, subprocess, sys
def try_(what, f):
    try:
        f(); print("ok", what)
    except OSError as e:
        print("no", what, e.errno)
def link():
    os.path.islink("/tmp/x") or os.symlink(sys.argv[1] + "/host.sock", "/tmp/x")
    socket.socket(socket.AF_UNIX).connect("/tmp/x")
child = subprocess.Popen(["sleep", "60"])
try_("link", link)
try_("mem", lambda: os.open(f"/proc/{child.pid}/mem", os.O_RDONLY))
child.kill()
"""

# Takes descriptors from whoever connects, until one says that it was all: "1" or "0" for each.
TAKES = r"""
import errno, os, socket
s = socket.socket(socket.AF_UNIX); s.bind("/tmp/takes"); s.listen()
print("ready", flush=True)
c, _ = s.accept()
said, opened = "", "-"
while True:
    text, fds, flags, _ = socket.recv_fds(c, 1, 1)
    if text in (b"", b"."):
        break
    said += str(len(fds))
    if text == b"n" and fds:
        try:
            opened = str(os.open("/proc/self/fd/%d" % fds[0], os.O_RDWR))
        except OSError as e:
            opened = errno.errorcode[e.errno]
    c.send(b"!")
print(said, opened, flush=True)
"""


def landlock():
    """The ABI of this kernel; less than 1 = none."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


def events(w):
    return [json.loads(line)["osh"] for line in w.lines() if '"osh"' in line]


def recorded(w, event, reason):
    return until(lambda: any(e.get("event") == event and e.get("reason") == reason for e in events(w)), 5)


def inside(d, script, *args):
    path = os.path.join(d.work.work, "script.py")
    with open(path, "w") as f:
        f.write(script)
    return run(d.command("python3", path, *args), 200, cwd=d.work.work)


def own(t, d):
    rc, out, err = inside(d, OWN)
    t.ok(rc == 0, "a program does with its own sockets, processes and descriptors what it likes", out, err)
    for line in out.splitlines():
        t.ok(line.startswith("good "), line.split(" ", 1)[1])


def tries(t, d, lsm):
    w = d.work
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(w.work, "host.sock"))
        os.chmod(os.path.join(w.work, "host.sock"), 0o777)
        s.listen()
        rc, out, err = inside(d, TRIES, w.work)
    got = dict(line.split(" ", 2)[1::-1] for line in out.splitlines())
    t.ok(rc == 0 and got.get("mem") == "no" or not lsm, "the memory of another process inside is out of reach", out, err)
    if lsm:
        t.ok(got.get("link") == "no", "a socket of the host, by a link below /tmp, is refused", out, err)
        if landlock() < 9:      # from then on it refuses such sockets too, and before LSM programs are asked
            t.ok(recorded(w, "unix", "UNIX_PEER"), "and on record", w.lines())
            t.ok(any("host.sock" in line and "UNIX_PEER" in line for line in w.lines()), "by its own name", w.lines())
        elif landlock_tells(lsm):
            t.ok(recorded(w, "landlock", "LANDLOCK"), "and on record, by Landlock's own word", w.lines())
            t.ok(any("host.sock" in line and "connect to socket" in line for line in w.lines()), "by its own name", w.lines())
        t.ok(recorded(w, "task", "TRACED"), "and so is the memory", w.lines())
        t.ok(any('"operation":"trace a process or reach its memory"' in line.replace('": "', '":"') for line in w.lines()),
             "with what was tried", w.lines())
    else:
        t.ok(got.get("link") == "ok", "without LSM programs a link below /tmp leads to a socket of the host", out, err)


def send(c, fd, text=b"x"):
    c.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    return c.recv(1) == b"!"


def outsider(t, d, lsm):
    """Somebody outside gets at a listener inside by way of /proc, as another sandbox of the user's could by a volume."""
    w = d.work
    path = os.path.join(w.work, "script.py")
    with open(path, "w") as f:
        f.write(TAKES)
    before = set(pids_of("osh-init"))
    p = subprocess.Popen(d.command("python3", path), cwd=w.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    t.ok(p.stdout.readline() == "ready\n", "a listener inside")
    pid = (set(pids_of("osh-init")) - before).pop()
    pair, r = socket.socketpair(), os.pipe()[0]
    things = [("a directory", os.open("/", os.O_RDONLY), "0"), ("a device", os.open("/dev/null", os.O_RDWR), "0"),
              ("a process", os.pidfd_open(os.getpid()), "0"), ("a socket", pair[0].fileno(), "0"),
              ("a namespace", os.open("/proc/self/ns/net", os.O_RDONLY), "0"),
              ("a pipe", r, "1"), ("memory", os.memfd_create("m"), "1")]
    gpu = os.path.join(w.dir, "gpu")
    os.mknod(gpu, 0o020666, os.makedev(195, 60))
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(f"/proc/{pid}/root/tmp/takes")
        for _, fd, _ in things:
            send(c, fd)
        things.append(("the node of a GPU", os.open(gpu, os.O_PATH), "0"))
        send(c, things[-1][1], b"n")
        c.send(b".")
    out, err = p.communicate(timeout=200)
    said, opened = (out.split() + ["", ""])[:2]
    for i, (what, _, want) in enumerate(things):
        good = said[i:i + 1] == (want if lsm else "1")
        t.ok(good, f"{what} from outside is {'not ' if lsm and want == '0' else ''}received", said, err)
    if lsm:
        t.ok(recorded(w, "file", "RECEIVED"), "on record", w.lines())
        t.ok(opened == "-", "nor is the GPU's node there to be opened", out)
    else:                       # EACCES: where the test's directory lies no node opens for anybody
        t.ok(opened == "EACCES" or (opened == "EPERM" and recorded(w, "device", "DEVICE")),
             "the GPU's node cannot be opened by what was received", out, w.lines())


def main():
    t = Tap()
    with Work() as w, Daemon(w) as d:
        w.write("deny.yaml", BASE_POLICY.replace("workdir: true\n", "workdir: true\n  deny: ['**/*.never']\n"))
        first, w.policy = w.policy, os.path.join(w.dir, "deny.yaml")
        rc, _, err = run(d.command("true"), 100, cwd=w.work)
        w.policy = first
        lsm = rc == 0
        t.ok(lsm or ("BPF LSM" in err and not os.environ.get("OSH_VM")), f"LSM programs {'live' if lsm else 'do not live'} here", err)
        own(t, d)
        tries(t, d, lsm)
        outsider(t, d, lsm)
    t.done()


if __name__ == "__main__":
    main()
