#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A streamed call of a model, from the request to the first event: out of a sandbox by inference.local, and the direct way, in turns.
Both are the same client with a connection that is kept, to the same stand-in, in TLS that is verified."""
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from models_world import ModelsWorld  # noqa: E402

EACH = 20       # calls of one sample; the sample is their median
POLICY = """inference:
  models: ["claude-*"]
  routes:
    - {name: claude, api: anthropic, provider: claude, as: claude-there}
"""
CLIENT = r"""
import json, socket, ssl, statistics, sys, time
address, port, name, ca, key, n = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] or None, sys.argv[5], int(sys.argv[6])
raw = socket.create_connection((address, port), timeout=60)
raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s = ssl.create_default_context(cafile=ca).wrap_socket(raw, server_hostname=name)
body = json.dumps({"model": "claude-a", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "x" * 4000}]}).encode()
q = (f"POST /v1/messages HTTP/1.1\r\nHost: {name}\r\nx-api-key: {key}\r\nanthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n"
     f"Content-Length: {len(body)}\r\n\r\n").encode() + body
def one():
    t, got = time.perf_counter_ns(), b""
    s.sendall(q)
    while b"message_start" not in got:
        got += s.recv(65536) or sys.exit("closed")
    t = time.perf_counter_ns() - t
    while not got.endswith(b"\r\n0\r\n\r\n"):
        got += s.recv(65536) or sys.exit("closed")
    return t / 1000
print("ready", flush=True)
for line in sys.stdin:
    print(statistics.median(one() for _ in range(n)), flush=True)
"""


def start(argv, **kw):
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kw)
    if p.stdout.readline() != "ready\n":
        sys.exit(f"{argv[0]} does not begin")
    return p


def sample(p):
    p.stdin.write("\n")
    p.stdin.flush()
    return float(p.stdout.readline())


def main():
    if os.geteuid():
        print("wants root")
        sys.exit(77)
    rounds, ours, direct = int(sys.argv[1]), [], []
    with ModelsWorld() as w, w.resident() as d:
        w.write("work/client.py", CLIENT)
        p = w.write("policy.yaml", w.policy("", POLICY))
        osh = start([os.path.join(ROOT, "build/oshctl"), "run", "--socket", d.bus, "-p", p, "--workdir", w.work, "--log", os.path.join(w.dir, "log"),
                     *w.providers, "--", "python3", "client.py", "inference.local", "443", "inference.local", "", "sk-none", str(EACH)], cwd=w.work)
        plain = start([sys.executable, os.path.join(w.work, "client.py"), "127.0.0.1", str(w.models.server_port), "api.anthropic.com", w.anchor, "sk-none",
                       str(EACH)])
        print("a what osh adds to the direct way, to the first streamed byte\nb a millisecond\nunit us\nmax 1")
        for i in range(rounds + 1):
            a, b = sample(osh), sample(plain)
            if i:
                ours.append(a)
                direct.append(b)
                print(f"A {a - b}\nB 1000", flush=True)
        for p in (osh, plain):
            p.stdin.close()
            p.wait(30)
    a, b = statistics.median(ours), statistics.median(direct)
    print(f"note by osh {a:.0f} us, directly {b:.0f} us: {a / b:.2f} times, {a - b:.0f} us more")


main()
