#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A model that is served in one sandbox and called from another: by a route of the one's policy and `serve` of the other's, both of
them, and by nothing else. Streams go on, are cut when either policy says so, and nobody takes a cut for an end."""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, kill, pids_of, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

PORT, OTHER = 8000, 8001
NOBODY = 65534
t = Tap()
# A stand-in for a server of models: an answer of either length, and streams that wait for a word on stdin.
SERVER = r"""
import http.server, json, sys, threading
go = threading.Semaphore(0)
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_):
        pass
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"object": "list", "data": [{"id": "%d"}]}' % self.server.server_port)
        self.close_connection = True
    def do_POST(self):
        q = json.loads(self.rfile.read(int(self.headers['content-length'])))
        print('asked', self.path, q['model'], flush=True)
        n = q.get('max_tokens', 1)
        if not q.get('stream'):
            body = json.dumps({'model': q['model'], 'text': 'x' * n, 'usage': {'prompt_tokens': 4, 'completion_tokens': 2}}).encode()
            self.send_response(200)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        if n == 7:              # its end is the connection's
            self.close_connection = True
        else:
            self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        for i in range(n):
            if i == 1:
                go.acquire()
            data = b'data: {"part": %d}\n\n' % i
            self.wfile.write(data if n == 7 else b'%x\r\n%s\r\n' % (len(data), data))
        if n != 7:
            self.wfile.write(b'0\r\n\r\n')
for port in (8000, 8001):
    s = http.server.ThreadingHTTPServer(('127.0.0.1', port), Page)
    s.request_queue_size = 200
    threading.Thread(target=s.serve_forever, daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    go.release()
"""
ROUTE = "    - {name: %s, api: openai, sandbox: %s, port: %d}\n"


def routes(*rows, more=""):
    return BASE_POLICY + "inference:\n  routes:\n" + "".join(ROUTE % r for r in rows) + more


def serve(to, port=PORT):
    return BASE_POLICY + (f"serve: [{{port: {port}, to: {json.dumps(to)}}}]\n" if to else "")


class Box:
    """A run: what it says on stdout is read line by line, what it reads are lines."""

    def __init__(self, d, name, policy, *command, uid=0):
        self.d, self.name = d, name
        self.log = os.path.join(d.work.dir, name + ".log")
        if uid:
            self.log = os.path.join(d.work.dir, "work-" + name, "log")
        work = os.path.join(d.work.dir, "work-" + name)
        os.makedirs(work, exist_ok=True)
        os.chown(work, uid, uid)
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", d.work.write(name + ".yaml", policy), "--name", name, "--workdir", work, "--log", self.log,
                                   "--", *command], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  **({"user": uid, "group": uid, "extra_groups": []} if uid else {}))
        self.uid = uid

    def read(self):
        return self.p.stdout.readline().strip()

    def tell(self, text=""):
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()

    def set(self, policy):
        return run([OSHCTL, "policy", "set", "--socket", self.d.bus, self.name, "-p", self.d.work.write(self.name + "-2.yaml", policy)], 60)

    def end(self):
        self.p.kill()
        self.p.wait(30)
        until(lambda: run([OSHCTL, "sandbox", "get", "--socket", self.d.bus, self.name], 30)[0] != 0, 20)

    def events(self):
        try:
            with open(self.log) as f:
                return [json.loads(x) for x in f if x.endswith("\n")]
        except OSError:
            return []

    def has(self, event, reason, **more):
        def one():
            return [e for e in self.events() if e.get("osh", {}).get("event") == event and e["osh"].get("reason") == reason and
                    all(str(v) in json.dumps(e) for v in more.values())]
        return until(one, 5)


def server(d, to, name="gpu", port=PORT, uid=0, more=""):
    b = Box(d, name, serve(to, port) + more, "python3", "-u", "-c", SERVER, uid=uid)
    while b.read() not in ("ready", ""):
        pass
    return b


CLIENT = r"""
import subprocess, sys
print('ready', flush=True)
held = []
for line in sys.stdin:
    word, n = line.split()
    q = '{"model": "m", "max_tokens": %s, "stream": %s, "messages": []}' % (n, 'true' if word == 'hold' else 'false')
    cmd = ['curl', '-sSN', '-m', '60', '-w', ' status=%{http_code}', '-d', q, 'https://inference.local/v1/chat/completions']
    if word == 'list':
        cmd = ['curl', '-sS', '-m', '60', '-w', ' status=%{http_code}', 'https://inference.local/v1/models']
    if word == 'direct':
        cmd = ['curl', '-sS', '-m', '5', n]
    if word == 'end':
        out, err = held.pop(0).communicate()
        print(repr(out[-60:] + err.replace('\n', ' ')), flush=True)
        continue
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if word == 'hold':
        held.append(p)
        print(p.stdout.readline().strip(), flush=True)
        continue
    out, err = p.communicate()
    print(len(out), out[-900:].replace('\n', ' '), err.strip(), flush=True)
"""


def agent(d, policy, name="agent", uid=0):
    b = Box(d, name, policy, "python3", "-u", "-c", CLIENT, uid=uid)
    while b.read() not in ("ready", ""):
        pass
    return b


def ask(b, word="ask", n=1):
    b.tell(f"{word} {n}")
    return b.read()


def both(d):
    g, a = server(d, ["ag*"]), agent(d, routes(("gpu", "gpu", PORT)))
    r = ask(a)
    t.ok("status=200" in r and '"text": "x"' in r and g.read() == "asked /v1/chat/completions m", "both policies say so: the call is answered", r)
    r = ask(a, n=3000000)
    t.ok(r.startswith("30000"), "three megabytes, too", r[:80])
    g.read()
    t.ok("status=200" in ask(a, "list") and "status=200" in ask(a, "list"), "an answer whose end is the connection's has an end")
    e = g.has("serve", "ALLOWED", caller="agent")
    t.ok(e and e[0]["src_endpoint"] == {"name": "agent"} and e[0]["dst_endpoint"] == {"name": "gpu", "port": PORT}, "the one that serves has it on record", e)
    e = a.has("inference", "ALLOWED", backend="gpu.sandbox.local")
    t.ok(e and e[0]["unmapped"]["tokens_in"] == 4, "and the caller's log has the call", e)
    first = ask(a, "hold", 3)
    g.tell()
    t.ok(first == 'data: {"part": 0}' and '"part": 2}\\n\\n status=200' in ask(a, "end"), "a stream comes as it comes", first)
    r = ask(a, "direct", f"http://gpu.sandbox.local:{PORT}/")
    t.ok("curl:" in r, "no program gets there but by a call", r)
    for addr in ("127.0.0.1", "[::1]"):
        r = ask(a, "direct", f"http://{addr}:{PORT}/")
        t.ok("curl:" in r, f"its own {addr} is its own", r)
    return g, a


def reloaded(g, a):
    first = ask(a, "hold", 3)
    r = g.set(serve(["agent", "b"]))
    g.tell()
    t.ok(r[0] == 0 and first == 'data: {"part": 0}' and "status=200" in ask(a, "end"), "a policy that says so, too, cuts nothing", r)
    for n, what in ((3, "a stream"), (7, "one that ends with its connection")):
        first = ask(a, "hold", n)
        r = g.set(serve(["b"]))
        end = ask(a, "end")
        t.ok(r[0] == 0 and first and "curl:" in end, f"{what} is cut when `serve` does not name its caller any more, and reads no end", r, end)
        r = ask(a)
        t.ok("status=403" in r and "sandbox_not_serving" in r and "serve" in r, "then a call is refused, with the reason", r)
        t.ok(g.set(serve(["agent"]))[0] == 0 and "status=200" in ask(a), "until it is named again")
    t.ok(a.has("egress", "PEER_CLOSED", host="gpu.sandbox.local") and g.has("serve", "PEER_CLOSED", caller="agent"), "both logs have it")
    first = ask(a, "hold", 3)
    r = a.set(routes(("gpu", "gpu", OTHER)))
    t.ok(r[0] == 0 and first and "curl:" in ask(a, "end"), "a stream is cut when no route leads there any more", r)
    r = ask(a)
    t.ok("status=403" in r and "sandbox_not_serving" in r, "another port is not what `serve` names", r)
    r = a.set(routes(("gone", "nobody", PORT), ("gpu", "gpu", PORT), more="  fallback: true\n"))
    r = ask(a)
    t.ok("status=200" in r and a.has("egress", "PEER_AWAY", host="nobody.sandbox.local"), "a sandbox that does not run is a backend that fails", r)


def gone(d, g, a):
    a.set(routes(("gpu", "gpu", PORT)))
    first = ask(a, "hold", 3)
    g.end()
    t.ok(first and "curl:" in ask(a, "end"), "a stream is cut when the sandbox that serves ends")
    r = ask(a)
    t.ok("status=502" in r and "sandbox_not_running" in r, "a call then says that it does not run", r)
    g = server(d, None)
    r = ask(a)
    t.ok("status=403" in r and "sandbox_not_serving" in r, "one of that name that does not serve", r)
    g.end()
    g = server(d, ["agent"])
    t.ok("status=200" in ask(a), "and one that does, which is found by its name")
    g.end()
    g = server(d, ["agent"], uid=NOBODY)
    r = ask(a)
    t.ok("sandbox_not_running" in r and "no sandbox of this user" in r and not [e for e in g.events() if e.get("osh", {}).get("event") == "serve"], "another user's is none", r)
    g.end()


def silent(d, a):
    g = Box(d, "gpu", serve(["agent"]), "sleep", "600")
    until(lambda: "does not run" not in ask(a) and "no sandbox" not in ask(a), 10)
    r = ask(a)
    t.ok("status=502" in r and "upstream_unreachable" in r and "refused" in r, "a port where nobody listens", r)
    g.end()


def killed(d, g, a):
    """oshd and egresses die: what lives goes on, and is cut by the next oshd just as well."""
    first = ask(a, "hold", 3)
    d.p.send_signal(signal.SIGKILL)
    d.p.wait()
    d.start()
    g.tell()
    t.ok(first and "status=200" in ask(a, "end"), "a stream outlives oshd")
    t.ok("status=200" in ask(a), "and the next call goes by the next one")
    first = ask(a, "hold", 3)
    r = g.set(serve(["b"]))
    t.ok(r[0] == 0 and first and "curl:" in ask(a, "end"), "which cuts what the former one had let in", r)
    g.set(serve(["agent"]))
    kill(pids_of("osh-egress"))
    t.ok(until(lambda: "status=200" in ask(a), 20), "another egress goes there, too")


def main():
    with Work() as w, Daemon(w) as d:
        os.chmod(w.dir, 0o755)
        g, a = both(d)
        reloaded(g, a)
        killed(d, g, a)
        gone(d, g, a)
        silent(d, a)
        a.end()
    t.done()


main()
