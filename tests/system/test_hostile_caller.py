#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Callers who take more than their share, or prepare the ground: connections, garbage on the bus, a
state directory that somebody else can write, two runs side by side."""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, OSHD, Daemon, Work  # noqa: E402
from rawbus import LIST, message  # noqa: E402

UID = 1777
CALLS = """
import os, select, socket, sys, time
os.setgroups([]); os.setresgid(UID, UID, UID); os.setresuid(UID, UID, UID)
held, said = [], {}
for i in range(100):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)
    s.settimeout(60)
for s in held:
    try:
        s.sendall(b"\\0AUTH EXTERNAL\\r\\nDATA\\r\\nBEGIN\\r\\n" + bytes.fromhex(sys.argv[2]))
        b = b""
        while b"{sv}" not in b and b"close one" not in b and (some := s.recv(4096)): b += some
    except OSError: b = b""
    what = "answer" if b"aa{sv}" in b else "why" if b"close one" in b else "nothing"
    said[what] = said.get(what, 0) + 1
print(said.get("answer", 0), said.get("why", 0), said.get("nothing", 0), flush=True)
for s in held:
    try: s.sendall(os.urandom(4096))
    except OSError: pass
sys.stdin.read()
""".replace("UID", str(UID))


def main():
    t = Tap()
    with Work() as w, Daemon(w) as d:
        p = subprocess.Popen([sys.executable, "-c", CALLS, d.bus, message("List", *LIST).hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        served, told, shut = map(int, p.stdout.readline().split())
        t.ok(served == 64, "of a hundred connections of one user 64 are served", served)
        t.ok(told == 8 and served + told + shut == 100, "some of the others hear why, the rest are closed", told, shut)
        rc, out, err = run(d.command("id", "-u"), 30)
        t.ok(rc == 0, "others are served beside them, and after garbage", rc, err)
        p.communicate("")
    at = tempfile.mkdtemp(prefix="osh-state.")
    try:
        os.chmod(at, 0o777)
        rc, out, err = run([OSHD, "--state", at], 20)
        t.ok(rc == 1 and "nobody else's" in err, "a state directory that others can write is refused", rc, err)
        os.chmod(at, 0o755)
        os.chown(at, UID, UID)
        rc, out, err = run([OSHD, "--state", at], 20)
        t.ok(rc == 1 and "nobody else's" in err, "and one that is another's", rc, err)
    finally:
        subprocess.run(["rm", "-rf", at], check=False)
    with Work() as w:
        env = {k: v for k, v in os.environ.items() if k != "OSH_SOCKET"}
        both = [subprocess.Popen([OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "sh", "-c",
                                  "id -u; grep processes /proc/self/limits; read x"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
        said = [(p.stdout.readline().strip(), p.stdout.readline().strip()) for p in both]
        for p in both:
            p.communicate("\n")
        t.ok(said[0][0] != said[1][0] and all(s[0].isdigit() for s in said), "two runs have two uids", said)
        t.ok("8192" in said[0][1], "and a bound on their tasks", said)
    t.done()


if __name__ == "__main__":
    main()
