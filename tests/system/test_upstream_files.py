#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The operator's files about upstreams, where something is wrong with them: `oshctl run` says where, and starts nothing; neither does oshd with
what it is given for every sandbox, unless some live already."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, OSHD, Daemon, Work  # noqa: E402

POLICY = "version: 1\nfilesystem_policy: {include_workdir: true, read_only: [/usr, /bin, /lib, /lib64]}\n"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CASES = (           # option, content, what is said after the file's name
    ("hosts", "127.0.0.1 a.example\nb.example 127.0.0.1\n", ":2: not ADDR, ADDR:PORT or [ADDR]:PORT"),
    ("hosts", "# fine\n\n127.0.0.1:443 a..b\n", ":3: not a host name"),
    ("hosts", "127.0.0.1\n", ":1: address without a name"),
    ("hosts", "127.0.0.1:1 @proxy\n127.0.0.1:2 @proxy\n", ":2: a second @proxy"),
    ("hosts", "127.0.0.1 a\0b\n", ":1: not a host name"),
    ("hosts", "#" * (300 << 10), ": more than 262144 bytes"),
    ("ca", "", ": holds no certificate in PEM"),
    ("ca", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", ": holds no certificate in PEM"),
    ("ca", PEM[:40], ": holds no certificate in PEM"),
    ("ca", "x" * (3 << 20), ": more than 2097152 bytes"),
)


def lives_on(t, file):
    """A file that became bad ends no oshd that has sandboxes: nobody would manage them."""
    open(file, "w").write("127.0.0.1 a.example\n")
    with Work() as w, Daemon(w, "--upstream-hosts", file) as d:
        p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--workdir", w.work, "--name", "lives", "--", "sh", "-c",
                              "echo began; read x; echo ended"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        began = p.stdout.readline()
        d.p.kill()
        d.p.wait()
        open(file, "w").write("127.0.0.1\n")
        d.start()
        said = d.errors()
        t.ok(began == "began\n" and f"{file}:1: address without a name" in said and "; it goes on" in said, "a next oshd says what is wrong, and goes on", said)
        rc, out, err = run([OSHCTL, "sandbox", "get", "lives", "--socket", d.bus, "--json"])
        t.ok(rc == 0 and "running" in out, "with the sandbox that lives", rc, out, err)
        out, _ = p.communicate("\n", 60)
        t.ok(p.returncode == 0 and out == "ended\n", "to its own end", p.returncode, out)


def main():
    t = Tap()
    with tempfile.TemporaryDirectory() as d:
        policy, file = os.path.join(d, "p.yaml"), os.path.join(d, "given")
        open(policy, "w").write(POLICY)

        def start(option, text):
            open(file, "w").write(text)
            return run([OSHCTL, "run", "-p", policy, f"--upstream-{option}", file, "--", "/bin/echo", "ran"], cwd=d)

        for option, text, says in CASES:
            rc, out, err = start(option, text)
            t.ok(rc == 125 and f"{file}{says}" in err and not out, f"{option}: {says.lstrip(': 0123456789')}", rc, out, err)
        for option, text in (("hosts", ""), ("hosts", "127.0.0.1 a.example\r\n"), ("ca", "# a comment\n" + PEM)):
            rc, out, err = start(option, text)
            t.ok(rc == 0 and out == "ran\n", f"{option}: what is right is taken", rc, out, err)
        for option, text, says in CASES:
            open(file, "w").write(text)
            rc, out, err = run([OSHD, "--state", os.path.join(d, "state"), f"--upstream-{option}", file], 60)
            t.ok(rc == 1 and err.startswith(f"oshd: {file}{says}") and err.count("\n") == 1,
                 f"oshd does not start: {option}: {says.lstrip(': 0123456789')}", rc, out, err)
        for option, text in (("hosts", "127.0.0.1:9 @proxy\n" + "127.0.0.1 a.example b.example\n" * 5000), ("ca", PEM)):
            open(file, "w").write(text)
            with Work() as w, Daemon(w, f"--upstream-{option}", file) as daemon:
                rc, out, err = run([OSHCTL, "run", "--socket", daemon.bus, "-p", w.policy, "-w", w.work, "--", "echo", "ran"])
                t.ok(rc == 0 and out == "ran\n", f"oshd: {option}: what is right is taken", rc, out, err)
        lives_on(t, file)
    t.done()


main()
