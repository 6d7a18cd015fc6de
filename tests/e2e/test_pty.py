#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl run` at a terminal, in real sandboxes of a private oshd: editors, pagers, job control, resize,
redirections, signals. The cases are in pty/cases.py; test_pty_fake.py runs them without the layers."""
import atexit
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "pty"))
import cases  # noqa: E402
import wire  # noqa: E402
from cases import *  # noqa: E402,F401,F403
from tap import run, skip_all  # noqa: E402

STATE = tempfile.mkdtemp(prefix="osh-pty-state-")
SOCKET = os.path.join(STATE, "bus")


def stop():
    daemon.terminate()
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    subprocess.run(["rm", "-rf", STATE])
    cases.done()


def t_resident():
    """The cases above ran under it; where it cannot start they ran embedded."""
    assert resident, "oshd does not listen"


def t_embedded():
    """Without any oshd: one for the length of the run."""
    env = {k: v for k, v in os.environ.items() if k != "OSH_SOCKET"}
    if os.path.exists("/run/osh/bus"):
        raise cases.Skip("an oshd of the system is running")
    r = subprocess.run([os.path.join(wire.BUILD, "oshctl"), "run", "--", "sh", "-c", "echo in; exit 6"],
                       cwd=cases.DIR, env=env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert (r.returncode, r.stdout) == (6, b"in\n"), r


if os.geteuid():
    skip_all("needs root to start an oshd")
daemon = subprocess.Popen([os.path.join(wire.BUILD, "oshd"), "--state", STATE, "--socket", SOCKET],
                          stdin=subprocess.DEVNULL)
atexit.register(stop)
end = time.monotonic() + 30
while not os.path.exists(SOCKET) and daemon.poll() is None and time.monotonic() < end:
    time.sleep(0.05)
resident = os.path.exists(SOCKET)
cases.RUN[:] = [os.path.join(wire.BUILD, "oshctl"), "run"] + (["--socket", SOCKET] if resident else [])
run(globals())
