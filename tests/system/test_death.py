#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each process: what then holds (docs/architecture.md, "What dies and what then holds")."""
import os
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, leftovers, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, kill, pids_of, policy, until  # noqa: E402

import socketserver  # noqa: E402

ROLES = ("oshctl", "oshd", "osh-front", "osh-launch", "osh-init", "osh-egress", "osh-audit")
PROBE = """
import socket, sys, time
for line in sys.stdin:
    what = line.split()
    try:
        s = socket.create_connection((what[0], int(what[1])), timeout=60)
        s.sendall(b'ping\\n')
        print('got', s.recv(100).decode().strip(), flush=True)
    except Exception as e:
        print('failed', type(e).__name__, flush=True)
"""


class Echo(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"pong " + self.rfile.readline())

    def handle_error(self, *_):
        pass                            # an egress was killed under a connection

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Agent:
    """A program in the sandbox that tries connections when asked."""

    def __init__(self, command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)

    def try_(self, host, port):
        try:
            self.p.stdin.write(f"{host} {port}\n")
            self.p.stdin.flush()
            return self.p.stdout.readline().strip()
        except BrokenPipeError:
            return "gone"

    def end(self):
        try:
            out, err = self.p.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self.p.kill()
            out, err = self.p.communicate()
        return self.p.returncode, out, err


def mine(found, marks):
    """Others may run osh beside us: only what carries one of our marks counts."""
    return sorted(x for x in found if any(m in x for m in marks))


def nothing_left(*marks):
    return until(lambda: not any(pids_of(r) for r in ROLES) and not mine(leftovers(), marks), 5)


def embedded(t, w):
    for victim in ("oshctl", "osh-init", "oshd", "osh-launch"):
        p = subprocess.Popen([OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "sleep", "100"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ok = until(lambda: pids_of("osh-init"), 20)
        t.ok(ok, f"embedded run is up before {victim} dies")
        marks = [f"/run-{pid}-" for pid in pids_of("oshd")] + [w.dir]
        kill([p.pid] if victim == "oshctl" else pids_of(victim)[:1])
        gone = until(lambda: not pids_of("osh-init"))
        t.ok(gone, f"kill -9 {victim} of an embedded run: the sandbox ends")
        if not gone:
            kill(pids_of("oshctl"))
        out = p.communicate(timeout=120)[0]
        t.ok(nothing_left(*marks), f"kill -9 {victim} of an embedded run: nothing is left",
             mine(leftovers(), marks), *map(pids_of, ROLES), out)


def resident(t, w, echo):
    d = Daemon(w, "--upstream-hosts", w.write("hosts", f"127.0.0.1:{echo.port} echo.test\n"))
    with d:
        a = Agent(d.command("python3", "-u", "-c", PROBE))
        t.ok(a.try_("echo.test", 443) == "got pong ping", "a connection before anything dies")
        asked_in_vain(t, d, a)
        kill(pids_of("osh-egress"))
        t.ok(until(lambda: a.try_("echo.test", 443) == "got pong ping", 5),
             "kill -9 osh-egress: the next connection gets a new one")
        t.ok(a.try_("other.test", 443).startswith("failed"), "kill -9 osh-egress: nothing bypasses")
        kill(pids_of("osh-audit"))
        t.ok(a.try_("echo.test", 443) == "got pong ping", "kill -9 osh-audit: the agent lives")
        t.ok(a.try_("second.test", 443).startswith("failed"), "kill -9 osh-audit: a denial stays one")
        t.ok(until(lambda: any("second.test" in ln for ln in w.lines()), 5),
             "kill -9 osh-audit: what happened meanwhile is on record", *w.lines()[-3:])
        kill(pids_of("osh-launch"))
        t.ok(a.try_("echo.test", 443) == "got pong ping", "kill -9 osh-launch: the agent lives")
        rc, out, err = until(lambda: (lambda r: r if r[0] == 0 else None)(run(d.command("true"))), 5) or \
            run(d.command("true"))
        t.ok(rc == 0, "kill -9 osh-launch: new sandboxes start", out, err, d.errors())
        front(t, d, a)
        rc, _, err = a.end()
        t.ok(rc == 0, "the agent ends well", err)


def sockets(pid):
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except OSError:
            pass
    return n


def asked_in_vain(t, d, a):
    """An osh-launch that was asked for an egress and dies before it has read that. While one lives, or is asked for, oshd has a
    socket to it."""
    had = sockets(d.p.pid)
    kill(pids_of("osh-egress"))
    t.ok(until(lambda: not pids_of("osh-egress") and sockets(d.p.pid) < had, 20), "no egress is there", had, sockets(d.p.pid))
    none = sockets(d.p.pid)
    launch = pids_of("osh-launch")
    for pid in launch:
        os.kill(pid, signal.SIGSTOP)
    said = []
    waits = threading.Thread(target=lambda: said.append(a.try_("echo.test", 443)))
    waits.start()
    t.ok(until(lambda: sockets(d.p.pid) > none, 20), "a connection waits, and oshd has asked for one", none, sockets(d.p.pid))
    kill(launch)
    waits.join(120)
    t.ok(said == ["got pong ping"], "kill -9 osh-launch that was asked for an egress: the next one starts it", said, d.errors())


def front(t, d, a):
    """Its own callers hear that it has gone; oshd, the sandbox and whoever calls next notice nothing else."""
    was = pids_of("osh-front")
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(120)
    s.connect(d.bus)
    s.sendall(b"\0AUTH EXTERNAL\r\n")
    t.ok(s.recv(64), "a caller is connected before osh-front dies")
    kill(was)
    try:
        cut = s.recv(64) == b""
    except ConnectionResetError:
        cut = True
    s.close()
    t.ok(cut, "kill -9 osh-front: its caller's connection ends")
    t.ok(a.try_("echo.test", 443) == "got pong ping", "kill -9 osh-front: the agent lives")
    t.ok(a.try_("fourth.test", 443).startswith("failed"), "kill -9 osh-front: still enforced")
    t.ok(until(lambda: d.answers() and not set(was) & set(pids_of("osh-front")) and d.p.poll() is None, 5),
         "kill -9 osh-front: another is started, by the same oshd", d.errors())
    rc, out, err = run(d.command("true"))
    t.ok(rc == 0, "kill -9 osh-front: new sandboxes start", out, err, d.errors())


def stopped(t, w):
    """A process that is stopped looks alive: nothing may hang on it for good."""
    with Daemon(w) as d:
        rc, _, err = run(d.command("true"))
        t.ok(rc == 0, "a run before osh-audit is stopped", err)
        audit = pids_of("osh-audit")
        for pid in audit:
            os.kill(pid, signal.SIGSTOP)
        rc, _, err = run(d.command("true"), timeout=120)
        t.ok(rc == 0, "osh-audit stopped: a run still ends", rc, err)
        t.ok(until(lambda: pids_of("osh-audit") and not set(audit) & set(pids_of("osh-audit")), 25),
             "osh-audit stopped: it is replaced", d.errors())
        before = len(w.lines())
        rc, _, err = run(d.command("true"))
        t.ok(rc == 0 and until(lambda: len(w.lines()) > before, 3), "and the next run is on record", err)


def adopted(t, w, echo):
    d = Daemon(w, "--upstream-hosts", w.write("hosts", f"127.0.0.1:{echo.port} echo.test\n"))
    with d:
        a = Agent(d.command("python3", "-u", "-c", PROBE))
        t.ok(a.try_("echo.test", 443) == "got pong ping", "a connection before oshd dies")
        d.p.kill()
        d.p.wait()
        t.ok(a.try_("echo.test", 443) == "got pong ping", "kill -9 oshd: the sandbox still works")
        t.ok(a.try_("other.test", 443).startswith("failed"), "kill -9 oshd: still enforced")
        d.start()
        t.ok(a.try_("echo.test", 443) == "got pong ping", "the next oshd adopts: still works")
        t.ok(a.try_("third.test", 443).startswith("failed"), "the next oshd adopts: still enforced")
        t.ok(until(lambda: any("third.test" in ln for ln in w.lines()), 5),
             "the next oshd adopts: denials reach the same log", d.errors())
        kill(pids_of("osh-egress"))
        t.ok(until(lambda: a.try_("echo.test", 443) == "got pong ping", 5),
             "the next oshd starts a new egress for an adopted sandbox", d.errors())
        rc, _, err = a.end()
        t.ok(rc == 0, "the adopted sandbox ends well", err)
        t.ok(until(lambda: not pids_of("osh-egress"), 3), "its egress goes with it")


def unmanaged(t, w):
    with Daemon(w) as d:
        p = subprocess.Popen(d.command("sleep", "100"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        ok = until(lambda: pids_of("osh-init"), 20)
        t.ok(ok, "a run is up before oshd and osh-launch die")
        kill(pids_of("oshd") + pids_of("osh-launch"))
        t.ok(until(lambda: not pids_of("osh-init")),
             "kill -9 oshd and osh-launch: without anyone who manages it the sandbox ends")
        p.communicate(timeout=120)
        d.p.wait()
        d.start()
        rc, out, err = run(d.command("true"))
        t.ok(rc == 0, "and the next start works", out, err, d.errors())


def all_at_once(t, w):
    d = Daemon(w)
    with d:
        a = Agent(d.command("python3", "-u", "-c", PROBE))
        until(lambda: pids_of("osh-init"), 10)
        for _ in range(2):
            for role in ROLES:
                kill(pids_of(role))
        a.end()
        d.p.wait()
        d.start()
        rc, out, err = run(d.command("true"))
        t.ok(rc == 0, "all dead at once: the next start works", out, err, d.errors())
    t.ok(nothing_left(w.dir, d.instance()), "all dead at once: the next start and stop leave nothing",
         mine(leftovers(), [w.dir, d.instance()]))


def main():
    t = Tap()
    with Work(policy("{host: echo.test, ports: [443]}")) as w:
        echo = Echo()
        embedded(t, w)
        resident(t, w, echo)
        stopped(t, w)
        adopted(t, w, echo)
        unmanaged(t, w)
        all_at_once(t, w)
    t.done()


if __name__ == "__main__":
    main()
