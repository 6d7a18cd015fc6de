#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl sandbox forward`: ports of this machine's loopback that lead to a sandbox's, for their user alone."""
import hashlib
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, as_user, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

NOBODY, OTHER = pwd.getpwnam("nobody").pw_uid, 65533
POLICY = BASE_POLICY.replace("process:", "  read_write: [/tmp]\nprocess:")
HTTP, DIGEST, FIRST, SIX, NONE = 8000, 8001, 8002, 8003, 8009
AGENT = r"""
import hashlib, http.server, socket, sys, threading
count = {'n': 0}
def serve(port, fn, family=socket.AF_INET, host='127.0.0.1'):
    s = socket.socket(family)
    s.bind((host, port))
    s.listen(200)
    def loop():
        while True:
            c = s.accept()[0]
            count['n'] += 1
            threading.Thread(target=fn, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
def digest(c):          # answers when the other side has said everything
    h, n = hashlib.sha256(), 0
    while True:
        b = c.recv(65536)
        if not b:
            break
        h.update(b)
        n += len(b)
    c.sendall(('%d %s' % (n, h.hexdigest())).encode())
    c.close()
def first(c):           # has said everything at once, and still listens
    c.sendall(b'welcome')
    c.shutdown(socket.SHUT_WR)
    n = 0
    while True:
        b = c.recv(65536)
        if not b:
            break
        n += len(b)
    count['heard'] = n
    c.close()
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        count['n'] += 1
        body = b'inside ' + self.path.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
page = http.server.ThreadingHTTPServer(('127.0.0.1', 8000), Page)
page.request_queue_size = 200
threading.Thread(target=page.serve_forever, daemon=True).start()
serve(8001, digest)
serve(8002, first)
serve(8003, digest, socket.AF_INET6, '::1')
for line in sys.stdin:
    print(count.get(line.strip(), 0), flush=True)
"""


class Sandbox:
    def __init__(self, w, d, name, uid):
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--name", name, "--workdir", w.work,
                                   "--", "python3", "-u", "-c", AGENT], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **as_user(uid))
        self.ask("n")

    def ask(self, what):
        self.p.stdin.write(what + "\n")
        self.p.stdin.flush()
        return int(self.p.stdout.readline())

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)


class Forward:
    """The verb in the background; `ports` are those that it listens on."""

    def __init__(self, d, name, uid, *args):
        self.err = open(os.path.join(d.work.dir, f"forward-{time.monotonic_ns()}"), "w+")
        self.p = subprocess.Popen([OSHCTL, "sandbox", "forward", "--socket", d.bus, *[a for a in args if a.startswith("--")],
                                   name, *[a for a in args if not a.startswith("--")]], text=True, stdout=subprocess.PIPE,
                                  stderr=self.err, **as_user(uid))
        self.lines = [self.p.stdout.readline() for _ in args]
        self.ports = [int(m.group(1)) for m in (re.match(r"\S*:(\d+) -> ", x) for x in self.lines) if m]

    def said(self):
        return open(self.err.name).read()

    def end(self):
        self.p.send_signal(signal.SIGINT)
        rc = self.p.wait(10)
        self.err.close()
        return rc


def client(port, data=b"", host="127.0.0.1", family=socket.AF_INET):
    """All of data, the end of it, and what comes back until the end."""
    reset = []

    def send(s):
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except ConnectionResetError as e:
            reset.append(e)     # the kernel says it once, to whichever of the two asks first

    with socket.socket(family) as s:
        s.settimeout(20)
        s.connect((host, port))
        sender = threading.Thread(target=send, args=(s,), daemon=True)
        sender.start()
        got = b""
        while True:
            b = s.recv(65536)
            if not b:
                break
            got += b
        sender.join(20)
        if reset:
            raise reset[0]
        return got


OTHERS = r"""
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
got = set()
for i in range(int(sys.argv[3])):
    s = socket.socket()
    s.settimeout(10)
    try:
        s.connect(('127.0.0.1', int(sys.argv[1])))
        s.sendall(b'GET /stolen HTTP/1.0\r\n\r\n')
        if sys.argv[4] == 'close':
            s.close()
            continue
        got.add(s.recv(100))
    except OSError as e:
        got.add(type(e).__name__)
    s.close()
print(sorted(map(str, got)))
"""


def other(port, uid, n=1, how="wait"):
    return subprocess.run([sys.executable, "-c", OTHERS, str(port), str(uid), str(n), how], capture_output=True, text=True, timeout=60).stdout


def reached(t, d, s, name, uid):
    who = "a user" if uid else "root"
    f = Forward(d, name, uid, f"0:{HTTP}", f"127.0.0.1:0:{DIGEST}", f"[::1]:0:{DIGEST}", f"0:{FIRST}", f"0:{SIX}", f"0:{NONE}")
    t.ok(len(f.ports) == 6, f"{who}: says where it listens", f.lines, f.said())
    http, digest, six, first, in_six, none = f.ports
    got = subprocess.run(["curl", "-s", "-m", "10", f"http://127.0.0.1:{http}/page"], capture_output=True, text=True, **as_user(uid)).stdout
    t.ok(got == "inside /page", f"{who}: an HTTP server inside is reached", got, f.said())
    if not uid:
        bytes_both_ways(t, s, f, digest, six, first, in_six, none)
    before = s.ask("n")
    t.ok("HTTP" not in other(http, OTHER, 3) and f"uid {OTHER} is refused" in f.said(), f"{who}: another user is refused, and it is said", f.said())
    other(http, OTHER, 60, "close")
    if uid:
        t.ok("HTTP" not in other(http, 0, 3) and "uid 0 is refused" in f.said(), f"{who}: root is another too", f.said())
    time.sleep(0.3)
    t.ok(s.ask("n") == before, f"{who}: not a byte of theirs came in, not from one who closed at once either", s.ask("n"), before, f.said())
    t.ok(f.end() == 0, f"{who}: ends when it is interrupted")
    t.ok(not until(lambda: connects(http), 0.2), f"{who}: and nothing listens any more")


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


def bytes_both_ways(t, s, f, digest, six, first, in_six, none):
    data = os.urandom(8 << 20)
    want = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
    t.ok(client(digest, data) == want, "8 MiB in, the end of them, and an answer after it: half close", f.said())
    t.ok(client(six, data[:1000], "::1", socket.AF_INET6).startswith(b"1000 "), "over IPv6")
    t.ok(client(in_six, data[:1000]).startswith(b"1000 "), "to a server that has ::1 alone")
    t.ok(client(first, data) == b"welcome" and until(lambda: s.ask("heard") == len(data), 5),
         "a server that ended its half still hears everything", s.ask("heard"))
    try:
        got = client(none)
    except OSError as e:
        got = type(e).__name__
    t.ok(got == "ConnectionResetError" and "Connection refused" in f.said(), "no server there: reset, and said", got, f.said())
    done, threads = [], []
    for i in range(100):
        def one(i=i):
            done.append(client(digest, data[i:i + 200_000]) == f"200000 {hashlib.sha256(data[i:i + 200_000]).hexdigest()}".encode())
        threads.append(threading.Thread(target=one))
    for x in threads:
        x.start()
    for x in threads:
        x.join(60)
    t.ok(done == [True] * 100, "100 connections at once, each its own", len(done), done.count(True), f.said())
    held = [socket.create_connection(("127.0.0.1", digest), 10) for _ in range(100)]
    t.ok(client(digest, b"x").startswith(b"1 "), "and 100 that say nothing hold up nobody", f.said())
    for x in held:
        x.close()


def unix(t, w, d):
    mine = os.path.join(w.dir, "mine")
    os.mkdir(mine, 0o755)
    os.chown(mine, NOBODY, NOBODY)
    path = os.path.join(mine, "s")
    f = Forward(d, "nobodys", NOBODY, f"--unix={path}:{DIGEST}")
    t.ok(os.stat(path).st_mode & 0o777 == 0o600 and os.stat(path).st_uid == NOBODY, "a unix socket is its user's alone", oct(os.stat(path).st_mode))
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'abc'); "
            "s.shutdown(1); print(s.recv(100).decode())")
    got = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, **as_user(NOBODY))
    t.ok(got.stdout.startswith("3 "), "and leads inside", got, f.said())
    got = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, **as_user(OTHER))
    t.ok("PermissionError" in got.stderr, "another user cannot connect", got)
    got = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    t.ok("3 " not in got.stdout and "uid 0 is refused" in f.said(), "root can, and is refused", got, f.said())
    t.ok(f.end() == 0 and not os.path.exists(path), "it goes with the verb")
    os.chmod(mine, 0o777)
    rc, out, err = run([OSHCTL, "sandbox", "forward", "--socket", d.bus, f"--unix={path}:1", "nobodys"], 10, **as_user(NOBODY))
    t.ok(rc == 1 and "others may change" in err, "not in a directory that others may write", rc, err)
    rc, out, err = run([OSHCTL, "sandbox", "forward", "--socket", d.bus, f"--unix={w.policy}:1", "nobodys"], 10)
    t.ok(rc == 1 and "something is there" in err and os.path.getsize(w.policy), "and never in the place of something", rc, err)


def refusals(t, d):
    def forward(*args, uid=NOBODY):
        return run([OSHCTL, "sandbox", "forward", "--socket", d.bus, *args], 10, **as_user(uid))
    for args in (["nobodys", "0.0.0.0:8080:80"], ["nobodys", "10.0.0.1:8080:80"], ["nobodys", "8080"], ["nobodys", "1:0"],
                 ["nobodys", "70000:80"], ["nobodys", "1:2:3"], ["nobodys", ":80"]):
        rc, out, err = forward(*args)
        t.ok(rc == 1 and ("wanted" in err or "127.0.0.1" in err), f"{args[1]}: refused", rc, err)
    t.ok(forward("nobodys")[0] == 2, "no port: usage")
    rc, out, err = forward("roots", "0:80")
    t.ok(rc == 1 and "no sandbox" in err and not out, "another user's sandbox is none, and nothing listens for it", rc, out, err)


def main():
    t = Tap()
    with Work(POLICY) as w, Daemon(w) as d:
        os.chmod(w.work, 0o777)
        a, b = Sandbox(w, d, "roots", 0), Sandbox(w, d, "nobodys", NOBODY)
        reached(t, d, a, "roots", 0)
        reached(t, d, b, "nobodys", NOBODY)
        unix(t, w, d)
        refusals(t, d)
        f = Forward(d, "roots", 0, f"0:{HTTP}")
        a.end()
        until(lambda: "has ended" in f.said() or "no sandbox" in f.said() or (connects(f.ports[0]) and False), 5)
        t.ok("no sandbox" in f.said() or "has ended" in f.said(), "the sandbox has ended: said", f.said())
        f.end()
        f = Forward(d, "nobodys", NOBODY, f"0:{HTTP}")
        d.p.kill()
        d.p.wait()
        d.start()
        got = subprocess.run(["curl", "-s", "-m", "10", f"http://127.0.0.1:{f.ports[0]}/again"], capture_output=True, text=True,
                             **as_user(NOBODY)).stdout
        t.ok(got == "inside /again", "oshd is another one meanwhile: it goes on", got, f.said())
        f.end()
        b.end()
    t.done()


main()
