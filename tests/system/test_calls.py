#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Refused socket families and system calls: the errno, the record with its exact count, and that none of
them passes or hangs for good while osh-audit or oshd is stopped, killed or flooded."""
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import Daemon, Work, kill, pids_of, until  # noqa: E402

# One line in, one line out: "socket F T P N" or "call NR A0 A1 A2 N", N times in a row; "thread ..." in
# a further thread; "flood FILE N call ..." in N children until FILE is there, the answer is the sum. Else: the set of results.
AGENT = r"""
import ctypes, errno, os, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def once(w):
    if w[0] == "socket":
        r = libc.socket(*map(int, w[1:4]))
    else:
        r = libc.syscall(int(w[1]), *map(ctypes.c_ulong, map(int, w[2:5])))
    return errno.errorcode[ctypes.get_errno()] if r < 0 else "done"
def do(w, got):
    got.update(once(w) for _ in range(int(w[-1])))
for line in sys.stdin:
    w, got = line.split(), set()
    if w[0] == "thread":
        t = threading.Thread(target=do, args=(w[1:], got)); t.start(); t.join()
    elif w[0] == "flood":
        r, wr = os.pipe()
        for _ in range(int(w[2])):
            if not os.fork():
                n = 0
                while not os.path.exists(w[1]):
                    do([*w[3:], "20"], got); n += 20
                os.write(wr, b"%15d\n" % n); os._exit(0)
        for _ in range(int(w[2])):
            os.wait()
        got = {str(sum(map(int, os.read(r, 65536).split())))}
    else:
        do(w, got)
    print(" ".join(sorted(got)), flush=True)
"""

# what is asked -> errno, event, its aux or system call's name
REFUSED = [
    ("socket 40 1 0", "EAFNOSUPPORT", "socket", 40 << 16 | 1 << 8),      # vsock
    ("socket 38 5 0", "EAFNOSUPPORT", "socket", 38 << 16 | 5 << 8),      # alg
    ("socket 17 3 0", "EAFNOSUPPORT", "socket", 17 << 16 | 3 << 8),      # packet
    ("socket 2 3 1", "EACCES", "socket", 2 << 16 | 3 << 8 | 1),          # raw ICMP
    ("socket 10 2 58", "EACCES", "socket", 10 << 16 | 2 << 8 | 58),      # ICMPv6 echo
    ("socket 16 3 9", "ENOSYS", "socket", 16 << 16 | 3 << 8 | 9),        # audit netlink
    ("call 53 40 1 0", "EAFNOSUPPORT", "socket", 40 << 16 | 1 << 8),     # socketpair: counts as the first row
    ("call 101 0 0 0", "EPERM", "syscall", "ptrace"),
    ("call 165 0 0 0", "EPERM", "syscall", "mount"),
    ("call 272 268435456 0 0", "EPERM", "syscall", "unshare"),
    ("call 56 268435456 0 0", "EPERM", "syscall", "clone"),              # CLONE_NEWUSER
    ("call 308 0 0 0", "EPERM", "syscall", "setns"),
    ("call 321 0 0 0", "EPERM", "syscall", "bpf"),
    ("call 298 0 0 0", "EPERM", "syscall", "perf_event_open"),
    ("call 250 0 0 0", "EPERM", "syscall", "keyctl"),
    ("call 425 1 0 0", "EPERM", "syscall", "io_uring_setup"),
    ("call 323 0 0 0", "EPERM", "syscall", "userfaultfd"),
    ("call 438 0 0 0", "EPERM", "syscall", "pidfd_getfd"),
    ("call 310 1 0 0", "EPERM", "syscall", "process_vm_readv"),
    ("call 313 0 0 0", "EPERM", "syscall", "finit_module"),
    ("call 246 0 0 0", "EPERM", "syscall", "kexec_load"),
    ("call 304 0 0 0", "EPERM", "syscall", "open_by_handle_at"),
    ("call 16 0 21522 0", "EPERM", "syscall", "ioctl"),                  # TIOCSTI
    ("call 91 0 2048 0", "EPERM", "syscall", "fchmod"),                  # set-uid
]
SILENT = [("call 435 0 0 0", "ENOSYS"), ("call 437 0 0 0", "ENOSYS"), ("call 279 0 0 0", "EPERM"),
          ("socket 2 1 262", "EACCES"), ("socket 2 1 0", "done")]


class Agent:
    def __init__(self, command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)

    def ask(self, what):
        self.p.stdin.write(what + "\n")
        self.p.stdin.flush()

    def answer(self, seconds=20):
        """None when there is none in that time."""
        ready = select.select([self.p.stdout], [], [], seconds)[0]
        return self.p.stdout.readline().strip() if ready else None

    def do(self, what):
        self.ask(what)
        return self.answer()

    def end(self):
        try:
            _, err = self.p.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.p.kill()
            _, err = self.p.communicate()
        return self.p.returncode, err


def denials(w):
    """[(event, aux or name, count, repeats, line)] of seccomp's refusals on record."""
    found = []
    for x in map(json.loads, w.lines()):
        o = x.get("osh", {})
        if o.get("reason") == "SYSCALL":
            found.append(("syscall", x["unmapped"]["syscall"], x["count"], o["repeats"], x))
        elif o.get("reason") == "FAMILY":
            found.append(("socket", o["aux"], x["count"], o["repeats"], x))
    return found


def total(w, kind, what):
    """Exact count at the end: the closing record, or the only one."""
    mine = [d for d in denials(w) if d[:2] == (kind, what)]
    first, last = [d for d in mine if not d[3]], [d for d in mine if d[3]]
    return (last or first)[-1][2] if len(first) == 1 and len(last) <= 1 else f"{len(first)} first, {len(last)} closing"


def agent(d):
    return Agent(d.command("python3", "-u", "-c", AGENT))


def t_each(t, w):
    with Daemon(w) as d:
        a = agent(d)
        wrong = {q: got for q, want, *_ in REFUSED for got in [a.do(q + " 3")] if got != want}
        t.ok(not wrong, "each refused call has its errno", wrong)
        wrong = {q: got for q, want in SILENT for got in [a.do(q + " 3")] if got != want}
        t.ok(not wrong, "so have those that are refused without a record", wrong)
        seen = {d[:2] for d in denials(w)}
        t.ok(seen == {r[2:] for r in REFUSED}, "each is on record at once, and nothing else",
             seen ^ {r[2:] for r in REFUSED})
        a.do("thread call 101 0 0 0 2")
        pid = [x[4]["actor"]["process"] for x in denials(w)]
        comm = open(f"/proc/{pid[0]['pid']}/comm").read().strip()
        t.ok(all(p["pid"] == pid[0]["pid"] and p["file"]["path"].startswith("/usr/bin/python3") for p in pid) and
             comm.startswith("python3"), "program and host's pid are named", pid[0], comm)
        a.do("thread call 135 262144 0 0 1")
        last = [x[4]["actor"]["process"] for x in denials(w) if x[1] == "personality"]
        t.ok(len(last) == 1 and last[0]["tid"] != pid[0]["pid"] and
             last[0]["pid"] == (pid[0]["pid"] if has_pidfd_info() else last[0]["tid"]), "a thread is named beside its process", last)
        x = denials(w)[0][4]
        t.ok(x["container"]["name"] and re.fullmatch("[0-9a-f]{64}", x["policy"]["uid"]) and x["action_id"] == 2 and
             x["status_detail"].startswith("socket family"), "sandbox, policy hash and reason are named", x)
        rc, err = a.end()
        t.ok(rc == 0 and "syscall ptrace (/usr/bin/python3" in err and "x5" in err, "the summary tells a person", err)
        want = {r[2:]: 3 for r in REFUSED} | {("socket", 40 << 16 | 1 << 8): 6, ("syscall", "ptrace"): 5}
        wrong = {k: total(w, *k) for k, n in want.items() if total(w, *k) != n}
        t.ok(not wrong, "counts are exact", wrong)


def has_pidfd_info():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 13)


def t_stopped(t, w):
    other = Work()
    with other, Daemon(w) as d:
        a = agent(d)
        a.do("call 101 0 0 0 1")
        first = pids_of("osh-audit")
        os.kill(first[0], signal.SIGSTOP)
        a.ask("socket 40 1 0 2")
        t.ok(a.answer(1) is None, "osh-audit stopped: a refused call waits, it does not pass")
        os.kill(first[0], signal.SIGCONT)
        t.ok(a.answer() == "EAFNOSUPPORT", "and is answered when osh-audit goes on")
        os.kill(first[0], signal.SIGSTOP)
        a.ask("socket 38 5 0 2")
        t.ok(a.answer(0.5) is None, "stopped again")
        kill(first)
        t.ok(a.answer() == "EAFNOSUPPORT", "osh-audit killed while a call waits: the next one answers", d.errors())
        t.ok(a.do("call 101 0 0 0 4") == "EPERM", "and the calls after it")
        second = until(lambda: pids_of("osh-audit"))
        os.kill(second[0], signal.SIGSTOP)
        d.work = other
        b = Agent(d.command("sh", "-c", "timeout -s KILL 1 python3 -c 'import socket; socket.socket(40, 1, 0)'; echo $?"))
        d.work = w
        got = b.answer()
        t.ok(got == "137", "a caller that waits can be killed", got)
        os.kill(second[0], signal.SIGCONT)
        b.end()
        t.ok(a.do("call 101 0 0 0 1") == "EPERM", "and osh-audit goes on", d.errors())
        rc, err = a.end()
        t.ok(rc == 0 and total(w, "syscall", "ptrace") == 6 and total(w, "socket", 38 << 16 | 5 << 8) == 2 and
             total(w, "socket", 40 << 16 | 1 << 8) == 2, "counts are exact over two osh-audits",
             [x[:4] for x in denials(w)])


def listeners():
    """Descriptors of seccomp listeners and tallies that osh's processes hold."""
    held = []
    for pid in [p for r in ("oshd", "osh-launch", "osh-audit") for p in pids_of(r)]:
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue            # it has ended since it was found
        for n in numbers:
            try:
                held.append(f"{pid} {os.readlink(f'/proc/{pid}/fd/{n}')}")
            except OSError:
                pass
    return [x for x in held if "seccomp" in x or "osh-tally" in x]


def t_adopted(t, w):
    with Daemon(w) as d:
        a = agent(d)
        a.do("call 101 0 0 0 2")
        d.p.kill()
        d.p.wait()
        until(lambda: not pids_of("osh-audit"), 10)
        a.ask("call 101 0 0 0 1")
        t.ok(a.answer(1) is None, "oshd and osh-audit gone: a refused call waits")
        d.start()
        t.ok(a.answer() == "EPERM", "the next oshd's osh-audit answers", d.errors())
        t.ok(a.do("call 321 0 0 0 1") == "EPERM", "and takes what follows")
        t.ok(until(lambda: len(listeners()) == 5), "the three that serve it hold the listener", listeners())
        rc, err = a.end()
        t.ok(rc == 0 and total(w, "syscall", "ptrace") == 3, "counts are exact over two oshds", [x[:4] for x in denials(w)])
        t.ok(until(lambda: not listeners(), 2), "nobody holds the listener of a sandbox that has ended", listeners())


def t_flood(t, w):
    quiet = Work()
    with Daemon(w) as d, quiet:
        a, enough = agent(d), os.path.join(w.work, "enough")
        start = time.monotonic()
        a.ask(f"flood {enough} 8 call 101 0 0 0")
        until(lambda: denials(w), 20)
        d.work = quiet
        rc, _, err = run(d.command("python3", "-c", "import socket\ntry: socket.socket(40, 1, 0)\nexcept OSError: pass"), 120)
        d.work = w
        t.ok(rc == 0 and a.answer(0) is None and total(quiet, "socket", 40 << 16 | 1 << 8) == 1,
             "while a flood of refused calls goes on another sandbox starts, is refused and ends", err)
        open(enough, "w").close()
        n = int(a.answer(120) or 0)
        print(f"# {n / (time.monotonic() - start):.0f} refused calls a second, all counted")
        a.do("socket 40 1 0 1")
        rc, err = a.end()
        t.ok(n and total(w, "syscall", "ptrace") == n, f"{n} refusals are counted exactly", total(w, "syscall", "ptrace"))


def t_many(t, w):
    """More distinct refusals than the tally has room for: counted, said, no line each."""
    with Daemon(w) as d:
        a = Agent(d.command("python3", "-c", """
import ctypes
libc = ctypes.CDLL(None)
for f in (1, 2):
    for p in range(256):
        for ty in (3, 4, 5):
            libc.socket(40, ty, p)
"""))
        rc, err = a.end()
        lines = [x for x in denials(w) if x[0] == "socket"]
        rest = sum(x["count"] for x in map(json.loads, w.lines()) if x["class_uid"] == 2004)
        t.ok(rc == 0 and len([x for x in lines if not x[3]]) == 512 and
             sum({x[1]: x[2] for x in lines}.values()) + rest == 1536,
             "refusals beyond the budget are counted in a finding", len(lines), rest, err[-300:])


def t_own_filter(t, w):
    """An agent's own filters: fine, save for one with a listener."""
    with Daemon(w) as d:
        rc, out, err = run(d.command("python3", "-c", """
import ctypes, errno, struct
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000), 8)
prog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(code)), 16)
print(libc.syscall(317, 1, 0, prog), libc.syscall(317, 1, 8, prog), errno.errorcode[ctypes.get_errno()])
"""))
        t.ok(out.strip() == "0 -1 EBUSY", "a filter without a listener loads, one with one is EBUSY", out, err)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("calls", "needs root")
        t.done()
    for fn in (t_each, t_stopped, t_adopted, t_flood, t_many, t_own_filter):
        with Work() as w:
            start = time.monotonic()
            fn(t, w)
            print(f"# {fn.__name__}: {time.monotonic() - start:.1f} s")
    t.done()


if __name__ == "__main__":
    main()
