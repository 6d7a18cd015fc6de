#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-launch in a mount and a network namespace of its own, as its unit has it: sandboxes are made of the machine's
directories, egresses dial from the machine's network, and osh-launch itself stays where neither is."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, held, pids_of, until  # noqa: E402

LIMIT = 240
# What a unit with ProtectSystem=, ProtectKernelTunables=, ProtectHome= and PrivateNetwork= starts in; $1 is hidden there.
BOX = """mount -t tmpfs tmpfs "$1" && mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && shift && exec "$@" """
FETCH = """
import socket
s = socket.create_connection(("machine.example", 80), 60)
print(s.recv(64).decode())
"""


class Launcher:
    """Connections to `path` are osh-launches in namespaces of their own."""

    def __init__(self, state, hidden, *args):
        self.path, self.errors = os.path.join(state, "launcher"), os.path.join(state, "..", "launcher.err")
        with open(self.errors, "w") as err:
            self.p = subprocess.Popen(["unshare", "-m", "-n", "sh", "-c", BOX, "sh", hidden, "systemd-socket-activate", "-a", "--seqpacket",
                                       "-l", self.path, os.path.join(BUILD, "osh-launch"), "--dir", state, *args],
                                      stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        until(lambda: os.path.exists(self.path), 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()
        os.unlink(self.path)


def server():
    """On the machine's loopback, which a namespace of osh-launch's own has not."""
    s = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                s.accept()[0].send(b"from the machine")
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return s


def namespaces(pid):
    return [os.readlink(f"/proc/{pid}/ns/{n}") for n in ("mnt", "net")]


def run_in(d, w, home, code, policy=BASE_POLICY):
    p = w.write("policy.yaml", policy)
    return run([OSHCTL, "run", "--socket", d.bus, "-p", p, "-w", home, "--log", w.log, "--", "python3", "-c", code], LIMIT)


def t_machine(t, w, state, hidden, hosts):
    me = os.getpid()
    net = BASE_POLICY + "network:\n  - {host: machine.example, port: 80}\n"
    with Launcher(state, hidden, "--mounts", f"/proc/{me}", "--network", f"/proc/{me}/ns/net") as at, \
            Daemon(w, "--launcher", at.path, "--upstream-hosts", hosts) as d:
        pid = pids_of("osh-launch")[0]
        own = namespaces(pid)
        t.ok(not set(own) & set(namespaces(me)), "osh-launch has a mount and a network namespace of its own", own)
        rc, out, err = run_in(d, w, hidden, "print(open('note').read()); open('made', 'w')")
        t.ok(rc == 0 and out == "of the machine\n" and os.path.exists(hidden + "/made"),
             "a sandbox has a directory that is hidden from osh-launch, to read and to write", out, err, open(at.errors).read())
        rc, out, err = run_in(d, w, hidden, FETCH, net)
        t.ok(rc == 0 and out == "from the machine\n", "an egress dials from the machine's network", out, err, open(at.errors).read(), d.errors())

        def spares():
            return {x for x in held(pid).values() if x.startswith("net:")} - {own[1], namespaces(me)[1]}
        t.ok(until(spares, 20), "the next sandbox' network is made ahead, with the machine's /proc/sys", held(pid))
        rc, out, err = run_in(d, w, hidden, FETCH, net)
        t.ok(rc == 0 and out == "from the machine\n", "and works", out, err)
        t.ok(namespaces(pid) == own, "osh-launch came back to its own", namespaces(pid), own)

        # The mount table that counts is the machine's, as it is now.
        os.mkdir(hidden + "/p")
        subprocess.run(["mount", "-t", "proc", "proc", hidden + "/p"], check=True)
        try:
            rc, _, err = run_in(d, w, w.work, "1", BASE_POLICY.replace("[/usr,", f"[{hidden}, /usr,"))
        finally:
            subprocess.run(["umount", hidden + "/p"], check=True)
        t.ok(rc != 0 and "/p" in err and "proc" in err, "a proc that was mounted since below a listed tree is found", rc, err)


def t_without(t, w, state, hidden, hosts):
    """Each option left out: the tests above see the difference."""
    me = os.getpid()
    with Launcher(state, hidden, "--network", f"/proc/{me}/ns/net") as at, \
            Daemon(w, "--launcher", at.path, "--upstream-hosts", hosts) as d:
        rc, out, err = run_in(d, w, hidden, "print(open('note').read())")
        t.ok(rc != 0 and "machine" not in out, "without --mounts the directory is not to be had, and no sandbox starts", out, err)
    with Launcher(state, hidden, "--mounts", f"/proc/{me}") as at, Daemon(w, "--launcher", at.path, "--upstream-hosts", hosts) as d:
        rc, out, _ = run_in(d, w, hidden, FETCH, BASE_POLICY + "network:\n  - {host: machine.example, port: 80}\n")
        t.ok(rc != 0 and not out, "without --network the machine's network is not", out)


def t_wrong(t, w, state, hidden):
    launch = os.path.join(BUILD, "osh-launch")
    for args, said in ((["--mounts", "/proc/0"], "--mounts '/proc/0'"), (["--network", "/proc/0/ns/net"], "--network '/proc/0/ns/net'"),
                       (["--mounts", w.dir], "/ns/mnt'")):
        rc, _, err = run(["sh", "-c", 'exec "$@" 3</dev/null', "sh", launch, "--dir", state, *args], 60)
        t.ok(rc == 1 and said in err, f"{' '.join(args)}: does not start, and says which", rc, err)
    rc, _, err = run([launch, "--embedded", "--mounts", "/proc/self"], 60)
    t.ok(rc == 2 and "usage" in err, "they are for one that a service manager starts", rc, err)
    rc, _, err = run(["sh", "-c", 'exec "$@" 3</dev/null', "sh", launch, "--dir", state, "--mounts", "/proc/self", "--network", hidden + "/note"], 60)
    t.ok(rc == 1, "a file that is no namespace is none later either", rc, err)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("osh-launch in namespaces of its own", "needs root")
        t.done()
    base = "/var/tmp" if os.path.isdir("/var/tmp") else None      # a sandbox has its own /tmp
    hidden, s = tempfile.mkdtemp(prefix="osh-hidden-", dir=base), server()
    os.chmod(hidden, 0o755)
    with open(hidden + "/note", "w") as f:
        f.write("of the machine")
    try:
        for test in (t_machine, t_without):
            with Work() as w:
                state = os.path.join(w.dir, "state")
                os.mkdir(state, 0o755)
                test(t, w, state, hidden, w.write("hosts", f"127.0.0.1:{s.getsockname()[1]} machine.example\n"))
        with Work() as w:
            t_wrong(t, w, w.dir, hidden)
    finally:
        s.close()
        shutil.rmtree(hidden, ignore_errors=True)
    t.done()


if __name__ == "__main__":
    main()
