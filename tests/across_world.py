# SPDX-License-Identifier: Apache-2.0
"""Sandboxes that serve models, stand-ins for them, and sandboxes that call them; for test_across*.py."""
import json
import os
import subprocess

from lib import run
from osh import BASE_POLICY, OSHCTL, until

PORT, OTHER = 8000, 8001
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
