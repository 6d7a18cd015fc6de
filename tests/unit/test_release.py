#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is installed has no switch that leaves out a layer (OSH_TEST_OFF): no name of one in its bytes, no code of it.
The same search finds both in the test build's own object, so it would find them; and a test build is not installed."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, run  # noqa: E402

CODE = re.compile(r"\b(off_from_env|leave_layer|LEFT_OUT\w*)\b")


def installed():
    """What of the build is installed to be executed."""
    with open(os.path.join(ROOT, "dist/files.list")) as f:
        return re.findall(r"^755\s+@B@/(\S+)", f.read(), re.M)


def traces(path):
    """What in a file belongs to the switch: its variable's name, and functions by the symbol table."""
    with open(path, "rb") as f:
        found = ["OSH_TEST_OFF"] if b"OSH_TEST_OFF" in f.read() else []
    rc, out, err = run(["nm", path])
    return found + CODE.findall(out) + ([] if out or rc == 0 else [err])


def make(*args):
    p = subprocess.run(["make", "--no-print-directory", *args], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=250)
    return p.returncode, p.stdout


def main():
    t = Tap()
    programs = installed()
    t.ok({"oshctl", "oshd", "osh-launch"} <= set(programs), "what is installed is known", programs)
    for p in programs:
        path = os.path.join(ROOT, "build", p)
        found = traces(path) if os.path.exists(path) else ["was not built"]
        t.ok(not found, f"{p} has no switch that leaves out a layer", found)
    objects = "build/test/userspace/oshd/off.o", "build/test/userspace/oshctl/bus_find.o"
    rc, out = make("TEST=1", *objects)
    t.ok(rc == 0 and all("OSH_TEST_OFF" in traces(os.path.join(ROOT, o)) for o in objects) and
         "off_from_env" in traces(os.path.join(ROOT, objects[0])), "the search finds it where it is", out)
    for build in ("TEST=1", "SAN=1"):
        rc, out = make("-n", build, "install", "DESTDIR=/nonexistent")
        t.ok(rc != 0 and "never installed" in out, f"make {build} install refuses", out[-500:])
    rc, out = make("-n", "install", "DESTDIR=/nonexistent")
    t.ok(rc == 0 and "build/test" not in out, "make install takes the ordinary build", out[-500:])
    t.done()


if __name__ == "__main__":
    main()
