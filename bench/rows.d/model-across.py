#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A streamed call of a model that another sandbox serves, from the request to the first event: by inference.local out of one sandbox
into the other, and the same client and server without any sandbox, in turns. And a long answer, whole."""
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

EACH = 20               # calls of one sample; the sample is their median
LONG = 32 << 20         # octets of a long answer
SERVES = BASE_POLICY + "serve: [{port: 8000, to: [agent]}]\n"
CALLS = BASE_POLICY + "inference:\n  routes:\n    - {name: near, api: openai, sandbox: model, port: 8000}\n"
SERVER = r"""
import http.server, json, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = 'HTTP/1.1', True, 0
    def log_message(self, *_):
        pass
    def do_POST(self):
        long = json.loads(self.rfile.read(int(self.headers['content-length']))).get('max_tokens') == 2
        head = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
        if long:
            self.wfile.write(head + b'Content-Length: %d\r\n\r\n' % len(LONG))
            self.wfile.write(LONG)
            return
        self.wfile.write(head + b'Transfer-Encoding: chunked\r\n\r\n')
        for text in (b'data: {"first": 1}\n\n', b'data: [DONE]\n\n'):
            self.wfile.write(b'%x\r\n%s\r\n' % (len(text), text))
        self.wfile.write(b'0\r\n\r\n')
event = b'data: {"choices": [{"delta": {"content": "' + b'x' * 940 + b'"}}]}\n\n'
LONG = event * (int(sys.argv[1]) // len(event))
s = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[2])), Page)
print(s.server_port, flush=True)
s.serve_forever()
"""
CLIENT = r"""
import json, socket, ssl, statistics, sys, time
host, port, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def dial():
    s = socket.create_connection((host, port), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ssl.create_default_context().wrap_socket(s, server_hostname=host) if port == 443 else s
s = dial()
def ask(tokens):
    body = json.dumps({"model": "m", "stream": True, "max_tokens": tokens, "messages": [{"role": "user", "content": "x" * 4000}]}).encode()
    s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
def more():
    return s.recv(1 << 18) or sys.exit("closed")
def first():
    t, got = time.perf_counter_ns(), b""
    ask(1)
    while b'"first"' not in got:
        got += more()
    t = time.perf_counter_ns() - t
    while not got.endswith(b"\r\n0\r\n\r\n"):
        got += more()
    return t / 1000
def whole():
    t, got = time.perf_counter_ns(), b""
    ask(2)
    while b"\r\n\r\n" not in got:
        got += more()
    head, rest = got.split(b"\r\n\r\n", 1)
    if b"200 OK" not in head:
        sys.exit(head.decode())
    length = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), None)
    have, tail = len(rest), rest[-16:]
    while (have < length) if length is not None else not tail.endswith(b"\r\n0\r\n\r\n"):
        x = more()
        have, tail = have + len(x), (tail + x)[-16:]
    return (time.perf_counter_ns() - t) / 1000
print("ready", flush=True)
for line in sys.stdin:
    print(statistics.median(first() for _ in range(n)) if line == "first\n" else whole(), flush=True)
"""


def start(argv, **kw):
    """(process, its first line)"""
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kw)
    said = p.stdout.readline().strip()
    if not said:
        sys.exit(f"{argv[0]} does not begin")
    return p, said


def sample(p, what):
    p.stdin.write(what + "\n")
    p.stdin.flush()
    return float(p.stdout.readline())


def inside(d, name, policy, *command):
    work = os.path.join(d.work.dir, "work-" + name)
    os.makedirs(work, exist_ok=True)
    return start([OSHCTL, "run", "--socket", d.bus, "-p", d.work.write(name + ".yaml", policy), "--name", name, "--workdir", work, "--log",
                  os.path.join(d.work.dir, name + ".log"), "--", *command])


def main():
    if os.geteuid():
        print("wants root")
        sys.exit(77)
    rounds, times = int(sys.argv[1]), {"first": ([], []), "whole": ([], [])}
    with Work() as w, Daemon(w) as d:
        model, _ = inside(d, "model", SERVES, "python3", "-c", SERVER, str(LONG), "8000")
        osh, _ = inside(d, "agent", CALLS, "python3", "-c", CLIENT, "inference.local", "443", str(EACH))
        server, port = start([sys.executable, "-c", SERVER, str(LONG), "0"])
        plain, _ = start([sys.executable, "-c", CLIENT, "127.0.0.1", port, str(EACH)])
        print("a what osh adds to the direct way, to the first streamed byte\nb a millisecond\nunit us\nmax 1")
        for i in range(rounds + 1):
            for what, (ours, direct) in times.items():
                a, b = sample(osh, what), sample(plain, what)
                if i:
                    ours.append(a)
                    direct.append(b)
                    if what == "first":
                        print(f"A {a - b}\nB 1000", flush=True)
        for p in (osh, plain, server, model):
            p.stdin.close()
            p.terminate()
            p.wait(30)
    (a, b), (c, e) = ([statistics.median(x) for x in times[what]] for what in ("first", "whole"))
    print(f"note across {a:.0f} us, directly and without TLS {b:.0f} us: {a - b:.0f} us more")
    print(f"note an answer of {LONG >> 20} MiB: across {LONG / c:.0f} MB/s, directly and without TLS {LONG / e:.0f} MB/s: {c / e:.1f} times as long")


main()
