#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What oshd owes to a service manager: sockets that it is given, readiness and watchdog, an osh-launch that is not its
child. systemd-socket-activate and a socket of our own stand in for systemd; tests/system/test_service.py has the real one."""
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHD, Daemon, Work, kill, pids_of, until  # noqa: E402

t = Tap()
SLOW = 4 if os.environ.get("OSH_VM") else 1


def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])


def listens(path):
    """The file alone is there a moment earlier, and refuses."""
    with open("/proc/net/unix") as f:
        return any(ln.split()[-1] == path and ln.split()[3] == "00010000" for ln in f)


class Activated(Daemon):
    """Started by its first caller, and again by the next one after it has ended."""

    def start(self):
        os.makedirs(self.state, mode=0o755, exist_ok=True)
        err = open(os.path.join(self.work.dir, "oshd.err"), "a")
        self.p = subprocess.Popen(["systemd-socket-activate", "-l", self.bus, OSHD, "--state", self.state],
                                  stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        err.close()
        until(lambda: listens(self.bus), 20)
        return self


class Notify:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, work):
        self.path = os.path.join(work.dir, "notify")
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(self.path)

    def wait(self, word, seconds):
        end = time.monotonic() + seconds * SLOW
        self.before = []
        while time.monotonic() < end:
            self.s.settimeout(max(0.05, end - time.monotonic()))
            try:
                said = self.s.recv(4096).decode().splitlines()
                if word in said:
                    return True
                self.before += said
            except socket.timeout:
                pass
        return False

    def drain(self):
        self.s.setblocking(False)
        try:
            while self.s.recv(4096):
                pass
        except BlockingIOError:
            pass


def activation():
    with Work(BASE_POLICY) as w, Activated(w) as d:
        t.ok(not pids_of("oshd"), "a socket that is listened at starts nothing by itself")
        rc, out, err = run(d.command("echo", "hello"), timeout=60 * SLOW)
        t.ok(rc == 0 and out == "hello\n", "the first caller starts oshd, and is served", out, err, d.errors())
        t.ok(d.p.pid in pids_of("oshd"), "by the process that was given the socket")
        ino = os.stat(d.bus).st_ino
        d.p.terminate()
        d.p.wait(30 * SLOW)
        t.ok(os.path.exists(d.bus) and os.stat(d.bus).st_ino == ino, "an oshd that ends leaves the socket that it was given")


def refused():
    """Whatever else it was given would be served by nobody, and callers would wait for ever."""
    with Work(BASE_POLICY) as w:
        state = os.path.join(w.dir, "state")
        os.mkdir(state, 0o755)
        for name, listen in (("another path", ["-l", f"{w.dir}/elsewhere"]), ("a datagram socket", ["-d", "-l", f"{state}/bus"]),
                             ("two", ["-l", f"{state}/bus", "-l", f"{w.dir}/second"])):
            p = subprocess.Popen(["systemd-socket-activate", *listen, OSHD, "--state", state], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            at = listen[-1]
            until(lambda: os.path.exists(at) if "-d" in listen else listens(at), 20)
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if "-d" in listen else socket.SOCK_STREAM)
            s.connect(at)
            if "-d" in listen:
                s.send(b"x")
            try:
                out, _ = p.communicate(timeout=60 * SLOW)
            except subprocess.TimeoutExpired:
                p.kill()
                out, _ = p.communicate()
            t.ok(p.returncode == 1 and "a stream socket that listens at" in out, f"a start with {name} is refused", out)
            s.close()
            for f in (f"{state}/bus", f"{w.dir}/elsewhere", f"{w.dir}/second"):
                if os.path.exists(f):
                    os.unlink(f)


def watchdog():
    with Work(BASE_POLICY) as w:
        n = Notify(w)
        d = Daemon(w, env={"NOTIFY_SOCKET": n.path, "WATCHDOG_USEC": "2000000"})
        d.p = subprocess.Popen([OSHD, "--state", d.state], stdin=subprocess.DEVNULL, env={**os.environ, **d.env},
                               stderr=open(os.path.join(w.dir, "oshd.err"), "a"))
        try:
            t.ok(n.wait("READY=1", 30), "oshd says when it is ready", d.errors())
            t.ok("WATCHDOG=1" not in n.before, "and nothing before that starts systemd's clock, however long it takes", n.before)
            t.ok(d.answers(), "and it is: it answers")
            t.ok(n.wait("WATCHDOG=1", 30), "it says that its loop goes round")
            os.kill(d.p.pid, signal.SIGSTOP)
            n.drain()
            t.ok(not n.wait("WATCHDOG=1", 3 / SLOW), "and, stopped, says nothing: a watchdog would end it")
            os.kill(d.p.pid, signal.SIGCONT)
            t.ok(n.wait("WATCHDOG=1", 30), "it goes on as if nothing had been")
        finally:
            d.stop()
            n.s.close()


class Launcher:
    """osh-launch.socket: each connection is an osh-launch."""

    def __init__(self, work, state):
        self.path = os.path.join(state, "launcher")
        err = open(os.path.join(work.dir, "launcher.err"), "a")
        self.p = subprocess.Popen(["systemd-socket-activate", "-a", "--seqpacket", "-l", self.path,
                                   os.path.join(BUILD, "osh-launch"), "--dir", state],
                                  stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        err.close()
        until(lambda: os.path.exists(self.path), 20)

    def end(self):
        self.p.kill()
        self.p.wait()
        if os.path.exists(self.path):
            os.unlink(self.path)


def launcher():
    with Work(BASE_POLICY) as w:
        state = os.path.join(w.dir, "state")
        os.mkdir(state, 0o755)
        at = Launcher(w, state)
        d = Daemon(w, "--launcher", at.path)
        try:
            d.start()
            first = pids_of("osh-launch")
            t.ok(len(first) == 1 and parent(first[0]) != d.p.pid, "osh-launch comes from the socket, and is not oshd's child",
                 first, d.errors())
            long = subprocess.Popen(d.command("sh", "-c", "echo up; read x; echo $x"), stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            t.ok(long.stdout.readline() == "up\n", "it makes sandboxes")
            d.p.kill()
            d.p.wait()
            os.unlink(d.bus)
            d.start()
            t.ok(pids_of("osh-launch") == first, "the next oshd finds the same one again", pids_of("osh-launch"))
            kill(first)
            t.ok(until(lambda: pids_of("osh-launch") and pids_of("osh-launch") != first, 30),
                 "killed, another one comes from the socket", d.errors())
            rc, out, err = run(d.command("echo", "again"), timeout=60 * SLOW)
            t.ok(rc == 0 and out == "again\n", "and works", out, err, d.errors())
            long.stdin.write("still here\n")
            long.stdin.close()
            t.ok(long.stdout.read() == "still here\n" and long.wait(30 * SLOW) == 0, "what ran noticed none of it",
                 long.stderr.read())
            second = pids_of("osh-launch")
            d.stop()
            t.ok(until(lambda: not set(pids_of("osh-launch")) & set(second), 20), "oshd's end is its end", d.errors())
            left = set(os.listdir(state)) & {"bus"} | {f for f in os.listdir(state) if f.startswith("launch-")}
            t.ok(not left, "no socket stays but the given one", left)
        finally:
            d.stop()
            at.end()


def broken_launcher():
    """One that ends at once, and one that is not there: said in one line that names the unit."""
    with Work(BASE_POLICY) as w:
        state = os.path.join(w.dir, "state")
        os.mkdir(state, 0o755)
        path = os.path.join(state, "launcher")
        rc, _, err = run([OSHD, "--state", state, "--launcher", path], timeout=60 * SLOW)
        t.ok(rc == 1 and "osh-launch.socket" in err, "without the socket: which unit to look at", err)
        p = subprocess.Popen(["systemd-socket-activate", "-a", "--seqpacket", "-l", path, "/bin/false"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists(path), 20)
        rc, _, err = run([OSHD, "--state", state, "--launcher", path], timeout=60 * SLOW)
        t.ok(rc == 1 and "ended at once" in err, "one that ends at once: where to read why", err)
        p.kill()
        p.wait()


for test in (activation, refused, watchdog, launcher, broken_launcher):
    test()
t.done()
