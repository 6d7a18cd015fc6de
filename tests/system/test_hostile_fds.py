#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Descriptors whose close() waits for whoever made them: a file of a user's own FUSE that never answers, a TCP socket
that lingers, and such a socket queued in a session's. One of them once stopped oshd for every user."""
import os
import socket
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import test_hostile_log as fuse  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, until  # noqa: E402
from rawbus import LIST, Raw, become, text  # noqa: E402

UID = 1777


def others_served(d):
    return run([OSHCTL, "sandbox", "list", "--socket", d.bus], 30)[0] == 0


def lingering():
    """Nobody reads at its other end, and close() of the last descriptor waits for ten minutes that somebody does."""
    listener = socket.create_server(("127.0.0.1", 0))
    a = socket.create_connection(listener.getsockname())
    b, _ = listener.accept()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    a.setblocking(False)
    try:
        while True:
            a.send(bytes(65536))
    except BlockingIOError:
        pass
    return a, (b, listener)


def queued():
    """A session's socket in which a lingering one waits to be read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    a, rest = lingering()
    socket.send_fds(ours, [b"x"], [a.fileno()])
    a.close()
    return theirs, (ours, *rest)


def streamed():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    a, rest = lingering()
    socket.send_fds(ours, [b"x"], [a.fileno()])
    a.close()
    return theirs, (ours, *rest)


OPEN = ("shu", text("none") + b"\0" * 3 + struct.pack("<II", 0, 0))


def attacker(bus, what, at):
    """Sends it, keeps no descriptor of it, and stays."""
    become(UID)
    s = None
    if what == "early":         # before the handshake, and gone
        s = socket.socket(socket.AF_UNIX)
        s.connect(bus)
        fd, keep = lingering()
        try:
            socket.send_fds(s, [b"\0"], [fd.fileno()])
            print("sent", flush=True)
            fd.close()          # which may wait, if nobody else has it any more
        except OSError:
            keep = keep, fd     # the kernel refuses it, and closing it waits here
        s.close()
    else:
        r = Raw(bus)
        fd, keep = {"fuse": lambda: (open(at + "/log", "ab", buffering=0), ()), "tcp": lingering, "queue": queued,
                    "stream": streamed}[what]()
        args = OPEN if what in ("queue", "stream") else LIST
        r.send("Open" if args is OPEN else "List", *args, fds=[fd.fileno()], says=None if args is OPEN else 0)
        print("sent", flush=True)
        if what != "fuse":      # closing that one waits here too
            fd.close()
        if what == "queue":
            r.answer()
        r.close()
    print("sent", flush=True)
    sys.stdin.read()


def main():
    t = Tap()
    at = tempfile.mkdtemp(prefix="osh-fuse.")
    os.chmod(at, 0o755)
    f = subprocess.Popen([sys.executable, __file__, "fuse", at], stdout=subprocess.PIPE, text=True)
    running = []
    try:
        mounted = f.stdout.readline().strip() == "mounted"
        with Work() as w, Daemon(w) as d:
            for what, name in (("tcp", "a lingering socket"), ("queue", "one queued in a session's socket"),
                               ("stream", "one queued in a stream"), ("early", "one before the handshake"),
                               ("fuse", "a file whose close is never answered")):
                if what == "fuse" and not mounted:
                    t.skip(name, "FUSE cannot be mounted")
                    continue
                p = subprocess.Popen([sys.executable, __file__, d.bus, what, at], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
                running.append(p)
                sent = p.stdout.readline().strip()
                t.ok(sent == "sent" and all(others_served(d) for _ in range(3)), f"{name}: others are served", sent)
            t.ok(until(lambda: others_served(d), 20) and "ended" not in d.errors(), "and go on being served", d.errors())
            f.kill()            # first, so that nothing waits for it
            f.wait()
            for p in running:
                p.kill()
                p.wait()
    finally:
        if f.poll() is None:
            f.kill()
            f.wait()
        for p in running:
            if p.poll() is None:
                p.kill()
        subprocess.run(["umount", "-l", at], stderr=subprocess.DEVNULL)
        os.rmdir(at)
    t.done()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        fuse.serve(sys.argv[2], never=(fuse.FLUSH,), options="allow_other")
    else:
        attacker(*sys.argv[1:]) if len(sys.argv) > 1 else main()
