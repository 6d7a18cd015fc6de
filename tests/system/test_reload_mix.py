#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two policies in turn under the traffic of several clients. What both allow is never denied; each answer is of one of
the two, whole: path, credential and program of port agree; and once `policy set` has returned the other one decides
nothing more."""
import bisect
import collections
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import Daemon, pids_of, until  # noqa: E402
from world import World  # noqa: E402

OSHCTL = os.path.join(BUILD, "oshctl")
RELOADS = int(os.environ.get("RELOADS", "1000"))
HOST = "allowed.example"
KEYS = {"alpha": "sk-alpha-0123456789abcdef", "beta": "sk-beta-fedcba9876543210"}

# In the sandbox. Each line: when it began and ended, the client, what was asked, what came of it.
AGENT = r"""
import http.client, os, socket, ssl, subprocess, sys, threading, time
tls = ssl.create_default_context()
out = open('traffic', 'w', buffering=1 << 16)
lock, going = threading.Lock(), True
now = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
def note(t0, who, what, got):
    with lock:
        out.write(f'{t0:.6f} {now():.6f} {who} {what} {got}\n')
def https(who, fresh, paths):
    c = None
    while going:
        for path in paths:
            t0 = now()
            try:
                if c is None:
                    c = http.client.HTTPSConnection('allowed.example', 443, timeout=20, context=tls)
                c.request('GET', path)
                r = c.getresponse()
                body = r.read().decode().split()
                note(t0, who, path, f'{r.status}:{body[0] if r.status == 200 else "-"}')
                if fresh or r.getheader('connection') == 'close':
                    c.close()
                    c = None
            except Exception as e:
                note(t0, who, path, type(e).__name__)
                c = None
def post(who):
    c = None
    while going:
        t0 = now()
        try:
            if c is None:
                c = http.client.HTTPSConnection('allowed.example', 443, timeout=20, context=tls)
            c.request('POST', '/both/post', b'x' * 200000)
            r = c.getresponse()
            body = r.read().decode().split()
            note(t0, who, '/both/post', f'{r.status}:{body[0] if r.status == 200 else "-"}')
        except Exception as e:
            note(t0, who, '/both/post', type(e).__name__)
            c = None
def h2(who):
    while going:
        t0 = now()
        p = subprocess.run(['curl', '-sS', '--http2', '-Z', '--parallel-max', '8', '-w', '\n%{http_code} %{http_version}\n',
                            'https://allowed.example/both/[1-40]'], capture_output=True, text=True)
        got = collections_of(p.stdout.split('\n'))
        note(t0, who, '/both/h2', f'{p.returncode}:{got}')
def collections_of(lines):
    kinds = {}
    for x in lines:
        if x.strip():
            k = x.split()[0]
            kinds[k] = kinds.get(k, 0) + 1
    return ','.join(f'{k}={v}' for k, v in sorted(kinds.items()))
def raw(who, port):
    while going:
        t0 = now()
        try:
            with socket.create_connection(('plain.example', port), timeout=20) as s:
                s.sendall(b'GET / HTTP/1.1\r\nHost: plain.example\r\nConnection: close\r\n\r\n')
                got = s.recv(12).decode().split()
                note(t0, who, f'port-{port}', got[1] if len(got) > 1 else 'empty')
        except Exception as e:
            note(t0, who, f'port-{port}', type(e).__name__)
        time.sleep(0.001)
threads = [threading.Thread(target=f, args=a) for f, *a in (
    (https, 'keep', False, ['/both/x', '/a/x', '/b/x']), (https, 'keep2', False, ['/both/y']), (https, 'fresh', True, ['/both/z', '/a/z', '/b/z']),
    (post, 'post'), (h2, 'h2'), (raw, 'raw', 80), (raw, 'raw8080', 8080))]
for t in threads:
    t.start()
sys.stdin.readline()
going = False
for t in threads:
    t.join()
out.close()
print('done', flush=True)
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        name = next((n for n, k in KEYS.items() if k == key), "none")
        body = f"{name} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, context):
        self.context = context
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, *_):
        pass


def policy(w, mine, other, path, port, first):
    """`first` moves every number of a host and a rule."""
    rest = "protocol: rest, rules: [{allow: {method: '*', path: /both/**}}, {allow: {method: GET, path: /%s/**}}]"
    text = (f"  {first}:\n    endpoints: [{{host: {first}.example, port: 443}}]\n    binaries: [{{path: '/**'}}]\n" if first else "")
    text += (f"  api:\n    endpoints:\n      - {{host: {HOST}, port: 443, credential: {mine}, {rest % path}}}\n"
             f"      - {{host: v4.example, port: 443, credential: {other}, {rest % path}}}\n    binaries: [{{path: '/**'}}]\n"
             "  plain:\n    endpoints:\n      - {host: plain.example, port: 80}\n" +
             (f"      - {{host: plain.example, port: {port}}}\n" if port else "") + "    binaries: [{path: '/**'}]\n")
    return w.policy("", "network_policies:\n" + text)


def providers(w):
    out = []
    for name, key in KEYS.items():
        w.write(name + ".key", key + "\n")
        os.chmod(os.path.join(w.dir, name + ".key"), 0o600)
        path = w.write(name + ".json", json.dumps({"hosts": [HOST, "v4.example"], "secret_file": name + ".key",
                                                  "placement": {"header": "authorization", "prefix": "Bearer "}}))
        os.chmod(path, 0o600)
        out += ["--provider", f"{name}={path}"]
    return out


WANT = {    # by policy: what comes of it
    "A": {"both": "200:alpha", "a": "200:alpha", "b": "403:-", "port-80": "200", "port-8080": "200"},
    "B": {"both": "200:beta", "a": "403:-", "b": "200:beta", "port-80": "200", "port-8080": "PermissionError"},
}


def kind_of(what):
    return what.split("/")[1] if what.startswith("/") else what


def in_force(turns, t0, t1):
    """Policies that may have decided between the two moments: turns are (called, returned, policy)."""
    i = bisect.bisect_right([r for _, r, _ in turns], t0) - 1   # the last that had returned when it began
    out = {turns[i][2]}
    for called, _, p in turns[i + 1:]:
        if called > t1:
            break
        out.add(p)
    return out


def check(t, lines, turns):
    seen, denied, mixed, stale, cut = collections.Counter(), [], [], [], collections.Counter()
    sure = collections.Counter()
    for line in lines:
        a, b, who, what, got = line.split()
        kind, may = kind_of(what), in_force(turns, float(a), float(b))
        seen[who] += 1
        if who == "h2":
            good = got.startswith("0:200=40,") and set(x.split("=")[0] for x in got[2:].split(",")) <= {"200", "alpha", "beta"}
            if not good:
                denied.append(line)
            elif len(may) == 1 and f"{'alpha' if may == {'A'} else 'beta'}=40" not in got:
                stale.append(line)
            continue
        allowed = {WANT[p][kind] for p in may}
        sure[who] += len(may) == 1
        if got in allowed:
            continue
        if kind in ("both", "port-80"):
            (mixed if got.startswith("200") else denied).append((line, may))
        elif len(may) == 2 and not got.startswith(("200", "403")):
            cut[who, got] += 1          # one policy forbids it, and came into force while it was under way
        else:
            (stale if got in (WANT["A"][kind], WANT["B"][kind]) else mixed).append((line, may))
    t.ok(not denied, "what both policies allow is never denied, and never cut", len(denied), denied[:3])
    t.ok(not mixed, "every answer is of one policy", len(mixed), mixed[:3])
    t.ok(not stale, "after the answer the old policy decides nothing", len(stale), stale[:3])
    t.ok(all(seen[w] > 5 for w in ("keep", "keep2", "fresh", "post", "h2", "raw", "raw8080")) and sum(sure.values()) > 100,
         "there was traffic, and enough of it between the reloads", seen, sure)
    print(f"# requests {dict(seen)}; with one policy possible {dict(sure)}; cut by a reload {dict(cut)}")


def main():
    t = Tap()
    with World() as w:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(w.dir, "leaf.pem"), os.path.join(w.dir, "leaf.key"))
        up, plain = Upstream(context), Upstream(None)
        with open(w.hosts, "w") as f:
            f.write(f"127.0.0.1:{up.server_port} {HOST} v4.example\n127.0.0.1:{plain.server_port} plain.example\n")
        texts = {"A": policy(w, "alpha", "beta", "a", 8080, None), "B": policy(w, "beta", "alpha", "b", None, "aaa")}
        files = {p: w.write(p + ".yaml", x) for p, x in texts.items()}
        with Daemon(w, "--upstream-hosts", w.hosts, "--upstream-ca", w.anchor) as d:
            agent = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", files["A"], "--name", "mix", "--workdir", w.work,
                                      "--log", os.path.join(w.dir, "mix.jsonl"), *providers(w), "--", "python3", "-c", AGENT],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            traffic = os.path.join(w.work, "traffic")
            until(lambda: os.path.exists(traffic) and os.path.getsize(traffic) > 0, 20)
            turns, bad, took, egress = [(0.0, 0.0, "A")], [], [], pids_of("osh-egress")

            def now():
                return time.clock_gettime(time.CLOCK_BOOTTIME)
            for i in range(RELOADS):
                p = "BA"[i % 2]
                t0 = now()
                rc, out, err = run([OSHCTL, "policy", "set", "mix", "-p", files[p], "--wait", "--socket", d.bus], 30)
                turns.append((t0, now(), p))
                took.append(turns[-1][1] - t0)
                if rc or f"generation {i + 2} " not in out:
                    bad.append((i, out, err))
                    break
                if i % 4 == 3:
                    time.sleep(0.03)
            t.ok(not bad, f"{RELOADS} reloads under traffic", bad, d.errors()[-1500:])
            t.ok(len(egress) == 1 and pids_of("osh-egress") == egress and "does not follow" not in d.errors(),
                 "one egress lived through all of them", egress, pids_of("osh-egress"), d.errors()[-800:])
            time.sleep(0.3)
            agent.stdin.write("\n")
            agent.stdin.flush()
            t.ok(agent.stdout.readline().strip() == "done", "the clients end in order")
            agent.communicate(timeout=20)
            check(t, open(traffic).read().splitlines(), turns)
            print(f"# a reload of the caller's: median {sorted(took)[len(took) // 2] * 1000:.1f} ms, p99 {sorted(took)[len(took) * 99 // 100] * 1000:.1f} ms")
        up.shutdown()
        plain.shutdown()
    t.done()


main()
