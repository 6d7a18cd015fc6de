#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A caller's log lies on a file system that the caller runs himself and that never answers a write: the
start is refused, and the others' logs go on. (One such log once stopped osh-audit for everybody.)"""
import ctypes
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from osh import OSHCTL, Daemon, Work, until  # noqa: E402

LOOKUP, FORGET, GETATTR, OPEN, WRITE, STATFS, RELEASE, FLUSH, INIT, OPENDIR, POLL, FORGET_MANY = (
    1, 2, 3, 14, 16, 17, 18, 25, 26, 27, 40, 42)


def attributes(node):
    mode = 0o40755 if node == 1 else 0o100666
    return struct.pack("<QQQQQQIIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve(at, never=(), options=""):
    """FUSE with one file `log`: it opens, and that is all. never: what else is not answered."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,{options}".rstrip(",").encode()
    if ctypes.CDLL(None).mount(b"osh-test", at.encode(), b"fuse", 6, options):
        return print("cannot mount", flush=True)
    print("mounted", flush=True)
    answers = {
        INIT: lambda node, rest: struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, 0),
        LOOKUP: lambda node, rest: struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2) if rest == b"log\0" else None,
        GETATTR: lambda node, rest: struct.pack("<QII", 0, 0, 0) + attributes(node),
        OPEN: lambda node, rest: struct.pack("<QII", 1, 1, 0),
        RELEASE: lambda node, rest: b"", FLUSH: lambda node, rest: b"",
    }
    while True:
        try:
            b = os.read(fd, 1 << 20)
        except OSError:
            return None
        _, op, unique, node = struct.unpack_from("<IIQQ", b)
        if op in (WRITE, POLL, FORGET, FORGET_MANY, *never):
            continue
        data = answers.get(op, lambda *_: None)(node, b[40:])
        os.write(fd, struct.pack("<IiQ", 16 + len(data or b""), 0 if data is not None else -2, unique) + (data or b""))


def run(d, w, log):
    p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--workdir", w.work, "--log", log, "--",
                          "/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        return p.wait(120), p.stderr.read()
    except subprocess.TimeoutExpired:
        p.kill()
        return "hangs", ""


def main():
    t = Tap()
    if not os.path.exists("/dev/fuse"):
        t.skip("a log on FUSE", "no /dev/fuse")
        t.done()
    at = tempfile.mkdtemp(prefix="osh-fuse.")
    f = subprocess.Popen([sys.executable, __file__, at], stdout=subprocess.PIPE, text=True)
    try:
        if f.stdout.readline().strip() != "mounted":
            t.skip("a log on FUSE", "FUSE cannot be mounted")
            t.done()
        with Work() as w, Daemon(w) as d:
            rc, err = run(d, w, at + "/log")
            t.ok(rc == 125 and "FUSE" in err, "a log on FUSE is refused", rc, err)
            rc, err = run(d, w, w.log)
            t.ok(rc == 0 and until(lambda: len(w.lines()) > 1), "and the next sandbox has its log", rc, err, w.lines())
            f.kill()                        # first, so that nothing waits for it
            f.wait()
    finally:
        if f.poll() is None:
            f.kill()
            f.wait()
        subprocess.run(["umount", "-l", at], stderr=subprocess.DEVNULL)
        os.rmdir(at)
    t.done()


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) > 1 else main()
