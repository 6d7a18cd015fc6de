#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oshctl's terminal side against a stand-in for oshd and the real osh-init: the same cases as
test_pty.py without a sandbox's layers, and what a misbehaving oshd does to a caller."""
import atexit
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "pty"))
import cases  # noqa: E402
import wire  # noqa: E402
from cases import *  # noqa: E402,F401,F403
from tap import run, skip_all  # noqa: E402

OSHCTL = os.environ.get("OSHCTL", os.path.join(wire.BUILD, "oshctl"))
daemons = []


def start(how=""):
    path = os.path.join(cases.DIR, "bus" + how)
    p = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "pty", "fake_oshd.py"), path, how])
    daemons.append(p)
    end = time.monotonic() + 20
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)
    return path


def with_daemon(how, *cmd):
    return subprocess.run([OSHCTL, "run", "--socket", start(how), "--", *cmd], timeout=30,
                          capture_output=True, stdin=subprocess.DEVNULL)


def t_daemon_refuses():
    r = with_daemon("refuse", "true")
    assert r.returncode == 125 and r.stderr == b"oshctl: no room \\x1b[31mtoday\n", r


def t_daemon_hangs_up():
    r = with_daemon("hangup", "true")
    assert r.returncode == 125 and b"oshd" in r.stderr, r


def t_daemon_dies_meanwhile():
    r = with_daemon("die", "sh", "-c", "sleep 0.3; exit 8")
    assert r.returncode == 8, r


def t_summary_cannot_steer_the_terminal():
    r = with_daemon("summary", "true")
    assert r.returncode == 0, r
    assert r.stderr == b"denied: evil.example \\x1b]0;owned\\x07 (3 times)\n", r


def t_no_daemon():
    r = subprocess.run([OSHCTL, "run", "--socket", "/nowhere/bus", "--", "true"], capture_output=True)
    assert r.returncode == 125 and b"/nowhere/bus" in r.stderr, r


def t_used_wrongly():
    for bad in ([], ["--gpu"], ["--provider"], ["--nonsense"],
                ["-e", "=x", "--", "true"], ["-e", "", "--", "true"], ["--"]):
        r = subprocess.run([OSHCTL, "run", *bad], capture_output=True)
        assert r.returncode == 2, (bad, r)


def stop():
    for p in daemons:
        p.kill()
        p.wait()
    cases.done()


if os.geteuid():
    skip_all("needs root to make a pid namespace")
atexit.register(stop)
cases.RUN[:] = [OSHCTL, "run", "--socket", start()]
run(globals())
