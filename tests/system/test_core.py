#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A crash inside makes the kernel run no program of the host. Where /proc/sys/kernel/core_pattern is a pipe, as systemd and
distributions have it, that program gets the memory of whatever crashed, as root, and a limit of 0 does not stop it."""
import contextlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import Daemon, Work, until  # noqa: E402

LIMIT = 240
PATTERN = "/proc/sys/kernel/core_pattern"
# CRASH(how, name): what is tried before the crash, and what the helper is told of it.
CRASH = """
import ctypes, os, resource, sys
libc, four = ctypes.CDLL(None, use_errno=True), (ctypes.c_ulong * 2)(0, 0)
try:
    if sys.argv[1] == "none": resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.argv[1] == "all": resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
    if sys.argv[1] == "old": libc.syscall(302, 0, 4, four, four)
    if sys.argv[1] == "raw": libc.syscall(160, 4, four)
    if sys.argv[1] == "high": libc.syscall(302, 0, ctypes.c_ulong(4 | 1 << 32), four, None)
except (OSError, ValueError):
    pass
libc.prctl(15, sys.argv[2].encode())
os.abort()
"""
WAYS = ("as-it-is", "none", "all", "old", "raw", "high")


@contextlib.contextmanager
def helper(w):
    """A pipe as the pattern: a list of the names of what crashed, or None where there can be none."""
    said, program = os.path.join(w.dir, "said"), os.path.join(w.dir, "help")
    with open(said, "w"):
        pass
    with open(program, "w") as f:
        f.write(f"#!/bin/sh\ncat >/dev/null\necho \"$1\" >>{said}\n")
    os.chmod(program, 0o755)
    with open(PATTERN) as f:
        was = f.read()
    try:
        with open(PATTERN, "w") as f:
            f.write(f"|{program} %e")
    except OSError:
        yield None
        return
    try:
        yield lambda: open(said).read().split()
    finally:
        with open(PATTERN, "w") as f:
            f.write(was)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("crashes", "needs root")
        t.done()
    with Work() as w, Daemon(w) as d, helper(w) as said:
        if not said:
            t.skip("crashes", "the pattern of core files cannot be set here")
            t.done()
        run(["/usr/bin/python3", "-c", CRASH, "none", "osh-before"], LIMIT, cwd="/")
        if not until(lambda: "osh-before" in said(), 20):
            t.skip("crashes", "this kernel runs no program for a crash outside")
            t.done()
        for how in WAYS:
            rc, out, err = run(d.command("python3", "-c", CRASH, how, "osh-" + how), LIMIT)
            t.ok(rc == 134, f"{how}: what crashes inside ends by its signal", rc, out, err)
        run(["/usr/bin/python3", "-c", CRASH, "none", "osh-after"], LIMIT, cwd="/")
        t.ok(until(lambda: "osh-after" in said(), 20), "outside the host's program runs", said())
        inside = [n for n in said() if n in {"osh-" + h for h in WAYS}]
        t.ok(not inside, "for nothing that crashed inside it did", inside)
        rc, out, err = run(d.command("bash", "-c", "ulimit -c 0 && ulimit -c unlimited && echo fine"), LIMIT)
        t.ok(rc == 0 and out == "fine\n", "and programs that set the limit go on", rc, out, err)
    t.done()


if __name__ == "__main__":
    main()
