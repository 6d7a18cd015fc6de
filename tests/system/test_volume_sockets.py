#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two sandboxes that share volumes share files and no sockets."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

POLICY = BASE_POLICY.replace("process:", "  read_write: [/tmp]\nprocess:")
LISTEN = """
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
try:
    s.bind(sys.argv[1])
except OSError as e:
    sys.exit(type(e).__name__)
s.listen(5)
os.chmod(sys.argv[1], 0o777)
if os.fork():
    os._exit(0)
os.setsid()
for i in (0, 1, 2):
    os.close(i)
time.sleep(60)
"""
CONNECT = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print('connected')
except OSError as e:
    print(type(e).__name__)
"""


def main():
    t = Tap()
    with Work(POLICY) as w, Daemon(w) as d:
        def ctl(*args):
            rc, out, err = run([OSHCTL, "sandbox", args[0], "--socket", d.bus, *args[1:]], 60)
            return rc, out.strip(), err

        def python(name, code, *args):
            return ctl("exec", "-T", name, "--", "python3", "-c", code, *args)
        for name in ("one", "two"):
            rc, out, err = ctl("create", "-n", name, "-p", w.policy, "-w", w.work, "--volume", "v:/data", "--volume", "h:/sandbox/v")
            t.ok(rc == 0, f"{name}: created with two volumes", rc, err, d.errors())
        rc, out, err = python("one", "open('/data/f', 'w').write('x'); open('/sandbox/v/f', 'w').write('y')")
        rc, out, err = python("two", "print(open('/data/f').read() + open('/sandbox/v/f').read())")
        t.ok(out == "xy", "files are shared", rc, out, err)
        rc, out, err = python("one", LISTEN, "/data/s")
        t.ok(rc == 1 and "PermissionError" in err, "no socket is made in a volume", rc, out, err)
        rc, out, err = python("one", LISTEN, "/tmp/s")
        t.ok(rc == 0 and python("one", CONNECT, "/tmp/s")[1] == "connected", "one's own are its own", rc, out, err)
        t.ok(python("two", CONNECT, "/tmp/s")[1] == "FileNotFoundError", "and not the other's")
        rc, out, err = python("one", LISTEN, "/sandbox/s")
        t.ok(rc == 0 and python("one", CONNECT, "/sandbox/s")[1] == "connected", "in the home that lasts too", rc, out, err)
        python("one", LISTEN, "/sandbox/v/s")
        t.ok(python("two", CONNECT, "/sandbox/v/s")[1] == "PermissionError", "a name that leads through a volume in the home is refused")
        for name in ("one", "two"):
            ctl("delete", "-f", name)
    t.done()


main()
