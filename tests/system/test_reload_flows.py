#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What lives while the policy changes: what both policies allow goes on, byte for byte and on the same connection;
what the new one forbids is closed when `policy set` returns, and is on record."""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import l7_world  # noqa: E402
from lib import BUILD, Tap, run  # noqa: E402
from osh import Daemon, kill, pids_of, until  # noqa: E402

OSHCTL = os.path.join(BUILD, "oshctl")
RELOADS = int(os.environ.get("RELOADS", "100"))
DEATHS = int(os.environ.get("DEATHS", "12"))
BLOCK = 8192

# In the sandbox: one thread a kind. `start KIND`, `status` (counts, and how it ended), `peers` on stdin.
AGENT = r"""
import http.client, json, os, socket, ssl, struct, subprocess, sys, threading, time
tls = ssl.create_default_context()
state = {}
def bulk(say, kind):
    s = socket.create_connection(('bulk.example', 7000), timeout=10)
    f, n = s.makefile('rb'), 0
    while True:
        b = f.read(8192)
        if len(b) < 8192:
            raise EOFError
        if struct.unpack_from('!Q', b)[0] != n or b[8:] != bytes([n & 255]) * 8184:
            raise ValueError('bytes are wrong')
        n += 1
        say()
def upload(say, kind):
    s = socket.create_connection(('up.example', 7001), timeout=10)
    n = 0
    while True:
        s.sendall(struct.pack('!Q', n) + bytes(1016))
        if s.recv(1) != b'+':
            raise EOFError
        n += 1
        say()
        time.sleep(0.002)
def keep(say, kind):
    c = http.client.HTTPSConnection('allowed.example', 443, timeout=10, context=tls)
    c.connect()
    c.auto_open = 0
    while True:
        c.request('GET', '/keep')
        r = c.getresponse()
        r.read()
        if r.status != 200:
            raise ValueError(r.status)
        say()
        time.sleep(0.002)
def plain(say, kind):
    c = http.client.HTTPConnection('plain.example', 80, timeout=10)
    c.connect()
    c.auto_open = 0
    while True:
        c.request('POST', '/plain', b'x' * 3000)
        r = c.getresponse()
        r.read()
        if r.status != 200:
            raise ValueError(r.status)
        say()
        time.sleep(0.002)
def sse(say, kind):
    c = http.client.HTTPSConnection('v4.example', 443, timeout=10, context=tls)
    c.request('GET', '/sse')
    r, n = c.getresponse(), 0
    while True:
        line = r.readline()
        if not line:
            raise EOFError
        if line.strip():
            if line != b'data: %d\n' % n:
                raise ValueError(line)
            n += 1
            say()
def h2(say, kind):
    p = subprocess.Popen(['curl', '-sSN', '--http2', 'https://git.example/sse'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    n = 0
    for line in p.stdout:
        if line.strip():
            if line != b'data: %d\n' % n:
                raise ValueError(line)
            n += 1
            say()
    raise EOFError(p.stderr.read().decode().strip())
def ws(say, kind):
    s = socket.create_connection(('registry.example', 443), timeout=10)
    s = tls.wrap_socket(s, server_hostname='registry.example')
    f = s.makefile('rb')
    s.sendall(b'GET /ws HTTP/1.1\r\nHost: registry.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
              b'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
    status = f.readline().split()[1].decode()
    while f.readline().strip():
        pass
    if status != '101':
        raise ValueError(status)
    while True:
        s.sendall(b'\x81\x85\0\0\0\0hello')
        b = f.read(7)
        if len(b) < 7:
            raise EOFError
        if b != b'\x81\x05hello':
            raise ValueError(b)
        say()
        time.sleep(0.002)
def run(kind):
    def say():
        state[kind][0] += 1
    try:
        globals()[kind](say, kind)
    except Exception as e:
        state[kind][1] = f'{type(e).__name__}: {e}'
for line in sys.stdin:
    words = line.split()
    if words[0] == 'start':
        state[words[1]] = [0, None]
        threading.Thread(target=run, args=(words[1],), daemon=True).start()
        print('ok', flush=True)
    elif words[0] == 'get':
        try:
            c = http.client.HTTPSConnection(words[1], 443, timeout=10, context=tls)
            c.request('GET', words[2])
            print(c.getresponse().status, flush=True)
        except Exception as e:
            print(type(e).__name__, flush=True)
    else:
        print(json.dumps(state), flush=True)
"""


class Handler(l7_world.Handler):
    def do(self):
        if self.path == "/sse":
            def events():
                n = 0
                while True:
                    yield b"data: %d\n\n" % n
                    n += 1
                    time.sleep(0.01)
            try:
                self.chunks(events())
            except OSError:
                self.server.left += 1
            self.close_connection = True
        elif self.path == "/ws":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            self.wfile.flush()
            while len(head := self.rfile.read(6)) == 6:     # short frames of a client
                data = bytes(x ^ head[2 + i % 4] for i, x in enumerate(self.rfile.read(head[1] & 127)))
                self.wfile.write(bytes([head[0], len(data)]) + data)
                self.wfile.flush()
            self.close_connection = True
        else:
            super().do()


def raw_server(talk):
    s = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(c):
        try:
            talk(c)
        except OSError:
            pass
        c.close()

    def serve():
        while True:
            c = s.accept()[0]
            threading.Thread(target=one, args=(c,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]


def pour(c):
    n = 0
    while True:
        c.sendall(struct.pack("!Q", n) + bytes([n & 255]) * (BLOCK - 8))
        n += 1
        time.sleep(0.001)


def drink(c):
    f = c.makefile("rb")
    n = 0
    while len(b := f.read(1024)) == 1024:
        if struct.unpack_from("!Q", b)[0] != n:
            return
        n += 1
        c.sendall(b"+")


def rest(host, path, port=443, method="GET"):
    return (f"      - host: {host}\n        port: {port}\n        protocol: rest\n"
            f"        rules: [{{allow: {{method: {method}, path: {path}}}}}]\n")


PARTS = {
    "bulk": "      - {host: bulk.example, port: 7000}\n",
    "upload": "      - {host: up.example, port: 7001}\n",
    "keep": rest("allowed.example", "/keep"),
    "plain": rest("plain.example", "/plain", 80, "POST"),
    "sse": rest("v4.example", "/sse"),
    "h2": rest("git.example", "/sse"),
    "ws": "      - {host: registry.example, port: 443, protocol: websocket, path: /ws, access: read-write}\n",
}
KINDS = list(PARTS)


def policy(w, parts, others=(), binaries="/**"):
    """`others` come first, so that every number of a rule and a host is another one."""
    text = "".join(f"  {kind}:\n    endpoints:\n{part}    binaries: [{{path: \"{binaries}\"}}]\n" for kind, part in
                   [(f"o{i}", rest(o, "/x")) for i, o in enumerate(others)] + list(parts.items()))
    return w.policy("", "network_policies:\n" + text)


class Box:
    def __init__(self, w, d, name, text):
        self.w, self.d, self.name, self.n = w, d, name, 0
        self.log = os.path.join(w.dir, f"log-{name}.jsonl")
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.write(name + ".yaml", text), "--name", name,
                                   "--workdir", w.work, "--log", self.log, "--", "python3", "-u", "-c", AGENT],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.p.stdin.write(" ".join(words) + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def state(self):
        return json.loads(self.ask("status"))

    def moves(self, kinds, seconds=10):
        """Does each of them make headway?"""
        was = self.state()
        return until(lambda: all(self.state()[k][0] > was[k][0] + 3 for k in kinds), seconds)

    def start(self, *kinds):
        for k in kinds:
            self.ask("start", k)
        return until(lambda: all(self.state()[k][0] > 3 for k in kinds), 15)

    def set(self, text):
        self.n += 1
        return run([OSHCTL, "policy", "set", self.name, "-p", self.w.write(f"{self.name}-next.yaml", text), "--wait",
                    "--socket", self.d.bus], 30)

    def events(self):
        return [json.loads(line) for line in open(self.log)]

    def revoked(self):
        return [e for e in self.events() if e.get("osh", {}).get("reason") == "REVOKED"]

    def end(self):
        try:
            self.p.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.communicate()


def go_on(t, w, d):
    """Two policies that differ in everything but what is used."""
    two = [policy(w, PARTS, ["aaa.example", "zzz.example"]),
           policy(w, dict(reversed(PARTS.items())), [f"n{i}.example" for i in range(20)])]
    b = Box(w, d, "goes-on", policy(w, PARTS))
    t.ok(b.start(*KINDS), "every kind of connection", b.state(), d.errors())
    bad = []
    for i in range(RELOADS):
        rc, out, err = b.set(two[i % 2])
        if rc or f"generation {i + 2} " not in out:
            bad.append((i, out, err))
        if i % 20 == 0 and not b.moves(KINDS):
            bad.append((i, b.state()))
            break
    t.ok(not bad, f"{RELOADS} reloads with all of them alive", bad[:2], d.errors()[-800:])
    t.ok(b.moves(KINDS), "all go on", b.state())
    state = b.state()
    for k in KINDS:
        t.ok(state[k][1] is None, f"{k}: on the same connection, in order", state[k])
    t.ok(not b.revoked(), "nothing was taken back", b.revoked()[:2])
    kept = {k: v[0] for k, v in state.items()}
    print(f"# {kept}")
    b.end()


def closed(t, b, kind, what, text, words, end=None):
    """`kind` ends with the reload and with a record, everything else goes on."""
    others = [k for k in KINDS if k != kind]
    before = len(b.revoked())
    rc, _, err = b.set(text)
    at_once = until(lambda: b.state()[kind][1], 2)
    state = b.state()
    t.ok(rc == 0 and at_once and (end or "") in (state[kind][1] or ""), f"{what}: closed", err, state[kind])
    t.ok(b.moves(others) and not any(b.state()[k][1] for k in others), f"{what}: the others go on", b.state())
    if words is not None:
        new = lambda: b.revoked()[before:]   # noqa: E731
        t.ok(until(lambda: any(all(x in json.dumps(e) for x in words) for e in new()), 5), f"{what}: on record",
             [(e.get("osh"), e.get("dst_endpoint"), e.get("http_request")) for e in new()])


def forbidden(t, w, d):
    whole = policy(w, PARTS)
    b = Box(w, d, "forbidden", whole)
    t.ok(b.start(*KINDS), "every kind of connection", b.state(), d.errors())

    def without(kind):
        return policy(w, {k: v for k, v in PARTS.items() if k != kind}, ["aaa.example"])

    def instead(kind, part):
        return policy(w, {**PARTS, kind: part}, ["aaa.example"])

    hosts = {"bulk": "bulk.example", "upload": "up.example", "keep": "allowed.example", "plain": "plain.example",
             "sse": "v4.example", "h2": "git.example", "ws": "registry.example"}

    def again(kind):
        rc, _, err = b.set(whole)
        t.ok(rc == 0 and b.start(kind), f"{kind}: allowed again, and works", err, b.state()[kind])

    for kind in KINDS:
        closed(t, b, kind, f"{kind}: its endpoint goes", without(kind), [hosts[kind]])
        again(kind)
    for kind, part, what, words, end in (
            ("bulk", rest("bulk.example", "/x", 7000), "is to be looked into", ["bulk.example", "look into it"], None),
            ("sse", rest("v4.example", "/other"), "its path goes", ["v4.example", "/sse"], None),
            ("h2", rest("git.example", "/other"), "its path goes", ["git.example", "/sse"], None),
            ("ws", PARTS["ws"].replace("read-write", "read-only"), "its messages are to be judged",
             ["registry.example", "/ws", "messages"], None),
            ("ws", PARTS["ws"].replace("path: /ws", "path: /other"), "its path goes", None, None),     # counted with that
            ("keep", rest("allowed.example", "/other"), "its next request is denied", None, "ValueError: 403"),
            ("plain", rest("plain.example", "/plain", 80, "GET"), "its next method is denied", None, "ValueError: 403")):
        closed(t, b, kind, f"{kind}: {what}", instead(kind, part), words, end)
        again(kind)
    # Looked into no more: what can be read is allowed, and goes on.
    rc, _, err = b.set(instead("keep", "      - {host: allowed.example, port: 443}\n"))
    t.ok(rc == 0 and b.moves(KINDS), "a connection that was looked into goes on where requests do not matter any more", err, b.state())
    rc, _, err = b.set(policy(w, PARTS, binaries="/usr/bin/curl"))
    gone = [k for k in KINDS if k != "h2"]
    t.ok(rc == 0 and until(lambda: all(b.state()[k][1] for k in gone), 3), "another program is listed: its connections end",
         err, b.state())
    t.ok(b.moves(["h2"]) and not b.state()["h2"][1], "those of the program that is listed go on", b.state()["h2"])
    b.end()


FIRST = """
import http.client, ssl, sys, time
tls = ssl.create_default_context()
while True:
    try:
        c = http.client.HTTPSConnection('allowed.example', 443, timeout=10, context=tls)
        c.request('GET', '/keep')
        got = str(c.getresponse().status)
    except Exception as e:
        got = type(e).__name__
    open('got', 'w').write(got)
    time.sleep(0.05)
"""


def first_rule(t, w, d):
    """The first rule of all, and the first that looks into TLS, where there was none."""
    b = Box(w, d, "first-rule", w.policy(""))
    t.ok(b.ask("get", "allowed.example", "/keep") == "gaierror", "no endpoint: the name is unknown")
    rc, _, err = b.set(policy(w, {"bulk": PARTS["bulk"]}))
    t.ok(rc == 0 and b.start("bulk"), "the first endpoint, on a port that none had", err, d.errors())
    rc, _, err = b.set(policy(w, PARTS))
    t.ok(rc == 0 and b.moves(["bulk"]) and b.ask("get", "allowed.example", "/keep") == "200",
         "the first that looks into TLS, in a run that began without: its programs trust the certificate", err, d.errors()[-800:])
    b.end()
    os.chmod(w.work, 0o777)
    rc, out, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "lasting", "-p", w.write("lasting.yaml", w.policy("")),
                        "-w", w.work, "--", "python3", "-c", FIRST], 30)
    got = os.path.join(w.work, "got")

    def says(what):
        return until(lambda: os.path.exists(got) and open(got).read() == what, 10)
    t.ok(rc == 0 and says("gaierror"), "a sandbox that was created, without an endpoint", out, err, d.errors()[-800:])
    rc, _, err = run([OSHCTL, "policy", "set", "lasting", "-p", w.write("l2.yaml", policy(w, PARTS)), "--wait", "--socket", d.bus], 30)
    t.ok(rc == 0 and says("200"), "its first rule about requests: its programs trust the certificate", err, open(got).read())
    rc, _, err = run([OSHCTL, "policy", "set", "lasting", "-p", w.write("l3.yaml", w.policy("")), "--wait", "--socket", d.bus], 30)
    t.ok(rc == 0 and says("gaierror"), "and none again", err, open(got).read())
    run([OSHCTL, "sandbox", "delete", "lasting", "-f", "--socket", d.bus], 30)


def deaths(t, w, d):
    """Whoever dies at whatever moment of a reload: one policy or the other, whole; what both allow lives on."""
    def text(path):
        return policy(w, {"bulk": PARTS["bulk"], "keep": PARTS["keep"], "v4": rest("v4.example", path)}, ["aaa.example"] * (path == "/b"))

    def egress():
        return pids_of("osh-egress")

    def whole(b, want=None):
        got = tuple(b.ask("get", "v4.example", p) for p in ("/a", "/b"))
        return got == want if want else got in (("200", "403"), ("403", "200")) and got

    b = Box(w, d, "deaths", text("/a"))
    t.ok(b.start("bulk", "keep") and whole(b, ("200", "403")), "before anything dies", b.state(), d.errors())
    lives = lambda: b.moves(["bulk", "keep"]) and not any(x[1] for x in b.state().values())   # noqa: E731
    setting = lambda path: subprocess.Popen([OSHCTL, "policy", "set", "deaths", "-p", w.write("d.yaml", text(path)), "--wait",   # noqa: E731
                                             "--socket", d.bus], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (pid,) = egress()
    os.kill(pid, signal.SIGSTOP)
    p = setting("/b")
    time.sleep(0.5)
    t.ok(p.poll() is None, "an egress that is stopped is waited for")
    d.p.kill()
    d.p.wait()
    p.wait(30)
    d.start()
    os.kill(pid, signal.SIGCONT)
    t.ok(lives() and whole(b, ("200", "403")), "kill -9 of oshd before its egress was ready: the old policy, and flows live", b.state())
    rc, _, err = b.set(text("/b"))
    t.ok(rc == 0 and lives() and whole(b, ("403", "200")) and egress() == [pid],
         "the next oshd reloads the same egress, and flows live", err, b.state(), d.errors()[-600:])
    os.kill(pid, signal.SIGSTOP)
    rc, _, err = b.set(text("/a"))
    t.ok(rc == 0 and "does not follow" in d.errors() and whole(b, ("200", "403")) and egress() != [pid],
         "one that does not answer in time is ended, and the policy comes into force", err, d.errors()[-600:])
    t.ok(all(x[1] for x in b.state().values()) and b.start("bulk", "keep"), "its connections ended with it; new ones work", b.state())
    bad, seen = [], set()
    for i in range(DEATHS):
        path = ("/a", "/b")[i % 2]
        p = setting(path)
        time.sleep(random.uniform(0, 0.02))
        d.p.kill()
        d.p.wait()
        p.wait(30)
        time.sleep(0.15)        # longer than the egress goes without a look
        alone = whole(b)
        d.start()
        then = whole(b)
        seen.add(then == (("200", "403"), ("403", "200"))[i % 2])
        rc, out, err = b.set(text(path))
        if not alone or not then or rc or not whole(b, (("200", "403"), ("403", "200"))[i % 2]) or not lives():
            bad.append((i, alone, then, rc, err, b.state(), d.errors()[-800:]))
            break
    t.ok(not bad, f"kill -9 of oshd at {DEATHS} moments: one policy, whole, and flows live through it", bad)
    t.ok(len(seen) == 2, "some of them before the flip, some after", seen)
    bad = []
    for i in range(DEATHS):
        path = ("/a", "/b")[i % 2]
        whole(b)                # one lives
        p = setting(path)
        time.sleep(random.uniform(0, 0.012))
        kill(egress())
        if p.wait(30) or not until(lambda: whole(b, (("200", "403"), ("403", "200"))[i % 2]), 5):
            bad.append((i, p.returncode, whole(b), d.errors()[-800:]))
            break
    t.ok(not bad, f"kill -9 of the egress at {DEATHS} moments: the new policy is in force when the caller hears", bad)
    b.end()


def main():
    t = Tap()
    l7_world.Server.handler, l7_world.Server.left = Handler, 0
    wanted = sys.argv[1:]
    with l7_world.L7World() as w:
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{raw_server(pour)} bulk.example\n127.0.0.1:{raw_server(drink)} up.example\n")
        with Daemon(w, "--upstream-hosts", w.hosts, "--upstream-ca", w.anchor) as d:
            for part in (go_on, forbidden, first_rule, deaths):
                if not wanted or part.__name__ in wanted:
                    part(t, w, d)
    t.done()


main()
