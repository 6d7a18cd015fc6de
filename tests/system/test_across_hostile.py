#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An egress that was taken over asks oshd for other sandboxes, and does what it likes with the stream that it gets: this test has its
socket to oshd. It gets to no sandbox and no port but those of which both policies say so."""
import array
import ctypes
import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, pids_of, steal, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

LIBC = ctypes.CDLL(None, use_errno=True)
PORT, OTHER = 8000, 8001
ASKED = 128             # connections that an egress may ask for in a second
HEADER = open(os.path.join(ROOT, "include/osh/msg.h")).read()
TYPES = re.findall(r"^\t(OSH_MSG_\w+),", HEADER, re.M)
ASK, GOT, NOT = (TYPES.index("OSH_MSG_ACROSS_" + x) for x in ("ASK", "GOT", "NOT"))
FDS = re.search(r"enum osh_egress_fd \{(.*?)\};", HEADER, re.S).group(1)
CONTROL = 3 + re.findall(r"OSH_EFD_\w+", FDS).index("OSH_EFD_CONTROL")
REASONS = ["NONE"] + re.findall(r"^REASON\((\w+)", open(os.path.join(ROOT, "include/osh/reasons.def")).read(), re.M)[1:]
SERVER = r"""
import socket, threading
def serve(port):
    s = socket.create_server(('127.0.0.1', port))
    while True:
        c = s.accept()[0]
        threading.Thread(target=talk, args=(c, port), daemon=True).start()
def talk(c, port):
    while True:
        got = c.recv(65536)
        if not got:
            break
        c.sendall(b'%d ' % port + got)
for port in (8000, 8001):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
print('ready', flush=True)
input()
"""


def start(d, name, policy, *command, uid=0):
    work = os.path.join(d.work.dir, "work-" + name)
    os.makedirs(work, exist_ok=True)
    os.chown(work, uid, uid)
    p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", d.work.write(name + ".yaml", policy), "--name", name, "--workdir", work,
                          "--log", os.path.join(work, "log"), "--", *command], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, **({"user": uid, "group": uid, "extra_groups": []} if uid else {}))
    while p.stdout.readline().strip() not in ("ready", ""):
        pass
    return p


class Egress:
    def __init__(self):
        self.pid = until(lambda: pids_of("osh-egress"), 10)[0]
        os.kill(self.pid, signal.SIGSTOP)
        self.s = steal(self.pid, CONTROL)
        self.call = 1 << 60

    def send(self, name, port=PORT, size=None, kind=ASK):
        self.call += 1
        raw = struct.pack("=IIIIQ64s", kind, 88, 7, port, self.call, name)
        raw = raw if size is None else struct.pack("=II", kind, size) + raw[8:size]
        self.s.send(raw)

    def answer(self, wait=10):
        self.s.settimeout(wait)
        data, anc, _, _ = self.s.recvmsg(4096, socket.CMSG_SPACE(64))
        fds = array.array("i")
        for level, kind, raw in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(raw[:len(raw) - len(raw) % 4])
        kind, _, _, why, _, text = struct.unpack("=IIIIQ120s", data[:144])
        return kind, REASONS[why], text.split(b"\0")[0].decode(), [socket.socket(fileno=f) for f in fds]

    def ask(self, name, port=PORT):
        self.send(name, port)
        return self.answer()


def refused(what):
    try:
        what()
        return None
    except OSError as e:
        return e.errno


def talks(s, text=b"hello"):
    s.settimeout(10)
    s.sendall(text)
    return s.recv(100)


def asked(t, e):
    kind, why, text, fds = e.ask(b"gpu")
    t.ok(kind == GOT and why == "ALLOWED" and len(fds) == 1, "what both policies say is given", kind, why, text)
    s = fds[0]
    s.settimeout(10)
    t.ok(s.family == socket.AF_UNIX and s.type == socket.SOCK_STREAM and s.recv(1) == b"\0" and talks(s) == b"8000 hello",
         "a unix stream, behind which that port answers", s.family, s.type)
    tcp = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(OTHER), socket.inet_aton("127.0.0.1"))
    got = [LIBC.connect(s.fileno(), tcp, len(tcp)), LIBC.connect(s.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)]
    t.ok(got == [-1, -1] and talks(s, b"again") == b"8000 again", "it cannot be connected elsewhere", got)
    errs = [refused(lambda: s.listen(1)), refused(lambda: s.bind("\0x" + str(os.getpid())) or s.listen(1))]
    t.ok(None not in errs, "nor listen", errs)
    with open("/dev/null") as null:
        end = refused(lambda: socket.send_fds(s, [b"x"], [null.fileno()])) or \
            refused(lambda: None if s.recv(100) in (b"", b"8000 x") and s.recv(100) == b"" else None)
        t.ok(end in (None, errno.EPERM, errno.ECONNRESET, errno.EAGAIN), "a descriptor that is sent on it goes no further", end)
    s.close()
    for name, port, want in ((b"gpu", OTHER, "REVOKED"), (b"quiet", PORT, "PEER_CLOSED"), (b"away", PORT, "PEER_AWAY"), (b"theirs", PORT, "PEER_AWAY"),
                             (b"agent", PORT, "REVOKED"), (b"other", PORT, "REVOKED"), (b"gpu.sandbox.local", PORT, "REVOKED"), (b"", PORT, "REVOKED"),
                             (b"gpu", 0, "REVOKED"), (b"gpu", PORT + 65536, "REVOKED"), (b"gp*", PORT, "REVOKED"), (b"gpu\n", PORT, "REVOKED")):
        kind, why, text, fds = e.ask(name, port)
        t.ok(kind == NOT and why == want and not fds, f"{name.decode()!r} port {port}: not", kind, why, text)


def on_record(t, d):
    def lines(name, reason):
        with open(os.path.join(d.work.dir, "work-" + name, "log")) as f:
            return [e for e in map(json.loads, f) if e.get("osh", {}).get("event") == "serve" and e["osh"]["reason"] == reason]
    t.ok(until(lambda: lines("gpu", "ALLOWED"), 10), "who came in is on record")
    got = until(lambda: lines("quiet", "PEER_CLOSED"), 10)
    t.ok(got and got[0]["src_endpoint"]["name"] == "agent", "and who was not let in, where he was not", got)


def flooded(t, d, e):
    n, began = 0, time.monotonic()
    for _ in range(8):      # many at once: oshd's second is not spent waiting for us
        for _ in range(100):
            e.send(b"quiet")
        n += sum(e.answer()[1] == "LIMIT" for _ in range(100))
    most = ASKED * (int(time.monotonic() - began) + 2)
    t.ok(n and 800 - n <= most, "one that asks without end is not served", n, most)
    time.sleep(1.1)
    streams = [e.ask(b"gpu")[3] for _ in range(100)]
    time.sleep(1.1)
    streams += [e.ask(b"gpu")[3] for _ in range(100)]
    firsts = []
    for s in streams:
        s[0].settimeout(10)
        firsts.append(s[0].recv(1))
    t.ok(firsts.count(b"\0") == 128 and all(f != b"\0" for f in firsts[128:]), "one caller has half of the places at most", firsts)
    r = run([OSHCTL, "sandbox", "exec", "--socket", d.bus, "gpu", "--", "/bin/true"], 60)
    t.ok(r[0] == 0, "and its owner's commands start all the same", r)
    for s in streams:
        s[0].close()
    time.sleep(1.1)

    def place():
        with e.ask(b"gpu")[3][0] as s:
            s.settimeout(60)
            return s.recv(1) == b"\0"
    t.ok(until(place, 10), "places are free again where somebody leaves")


def unread(t, d, e):
    """It does not read what it asked for, and says what nobody says."""
    end = None
    e.s.setblocking(False)
    for _ in range(3000):
        end = refused(lambda: e.send(b"quiet"))
        if end and end != errno.EAGAIN:
            break
        time.sleep(0.001)
    t.ok(until(lambda: e.pid not in pids_of("osh-egress"), 20), "one that does not read is ended", end, d.errors()[-300:])


def malformed(t, d):
    e = Egress()
    e.send(b"gpu", size=40)
    t.ok(until(lambda: e.pid not in pids_of("osh-egress"), 20), "one whose message has another size is ended")


CALL = ["sh", "-c", "echo ready; while read x; do curl -sS -m 20 https://inference.local/v1/models >/dev/null 2>&1; echo done; done"]


def main():
    t = Tap()
    with Work() as w, Daemon(w) as d:
        serve = "serve: [{port: %d, to: [%s]}]\n"
        routes = "inference:\n  routes:\n" + "".join(f"    - {{name: {n}, api: openai, sandbox: {n}, port: {PORT}}}\n" for n in ("gpu", "quiet", "away", "theirs"))
        box = [start(d, "gpu", BASE_POLICY + serve % (PORT, "agent"), "python3", "-c", SERVER),
               start(d, "quiet", BASE_POLICY + serve % (PORT, "someone"), "python3", "-c", SERVER),
               start(d, "other", BASE_POLICY + serve % (PORT, '"*"'), "python3", "-c", SERVER),
               start(d, "theirs", BASE_POLICY + serve % (PORT, '"*"'), "python3", "-c", SERVER, uid=65534),
               start(d, "agent", BASE_POLICY + routes, *CALL)]

        def call():
            box[-1].stdin.write("\n")
            box[-1].stdin.flush()
        call()
        box[-1].stdout.readline()
        e = Egress()
        asked(t, e)
        on_record(t, d)
        flooded(t, d, e)
        unread(t, d, e)
        call()
        malformed(t, d)
        for p in box:
            p.kill()
            p.wait(30)
    t.done()


main()
