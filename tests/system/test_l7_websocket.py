#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WebSockets through the egress: messages of the client are judged one by one, pieces put together, and
what the server says passes. A raw client in a sandbox, a raw server outside."""
import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from world import World  # noqa: E402

HOST = "ws.wild.example"
PYTHON = os.path.realpath("/usr/bin/python3")
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

POLICY = f"""  r:
    binaries: [{PYTHON}]
    endpoints:
      - {{host: {HOST}, port: 80, protocol: websocket, path: /chat, access: read-only}}
      - {{host: {HOST}, port: 80, protocol: websocket, path: /both, access: read-write}}
      - {{host: {HOST}, port: 80, protocol: websocket, path: /audit, access: read-only, enforcement: audit}}
      - host: {HOST}
        port: 80
        protocol: websocket
        path: /gql
        graphql_max_body_bytes: 2000
        rules:
          - allow: {{method: GET, path: /gql}}
          - allow: {{operation_type: subscription, fields: [news]}}
        deny_rules: [{{operation_type: "*", fields: [secret]}}]
"""

# Runs in the sandbox. Cases in, a line of what came back each: [status, [frames], how it ended].
CLIENT = r"""
import base64, json, os, socket, struct
def frame(op, data, fin=True, mask=True, rsv=0):
    data = data.encode() if isinstance(data, str) else data
    n = len(data)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | op])
    top = 0x80 if mask else 0
    head += bytes([top | n]) if n < 126 else bytes([top | 126]) + struct.pack("!H", n) if n < 65536 else bytes([top | 127]) + struct.pack("!Q", n)
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + bytes(c ^ key[i & 3] for i, c in enumerate(data))
def read(f, n):
    b = f.read(n)
    if len(b) < n:
        raise EOFError
    return b
def one(case):
    s = socket.create_connection((case["host"], 80), timeout=10)
    f = s.makefile("rb")
    s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n" % (case["path"], case["host"],
               base64.b64encode(os.urandom(16)).decode())).encode())
    status = f.readline().split()[1].decode()
    while f.readline().strip():
        pass
    got = []
    if status != "101":
        return [status, got, "-"]
    raw = b"".join(frame(*a, **k) for a, k in case["send"])
    step = case["step"] or max(len(raw), 1)
    try:
        for i in range(0, len(raw), step):
            s.sendall(raw[i:i + step])
    except OSError:
        pass
    try:
        while len(got) < case["want"]:
            b = read(f, 2)
            n = b[1] & 127
            if n == 126:
                n, = struct.unpack("!H", read(f, 2))
            got.append([b[0] & 15, read(f, n).decode("latin-1")])
        end = "open"
    except EOFError:
        end = "end"
    except OSError as e:
        end = type(e).__name__
    s.close()
    return [status, got, end]
for line in open("cases"):
    print(json.dumps(one(json.loads(line))), flush=True)
"""


class Server:
    """Answers each data message with its text, pings with pongs; remembers what it was asked and told."""

    def __init__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.heads, self.heard = [], []
        self.extension = False
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c = self.s.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        f = c.makefile("rb")
        try:
            head = {}
            path = f.readline().split()[1].decode()
            while (line := f.readline()).strip():
                k, v = line.decode().split(":", 1)
                head[k.lower()] = v.strip()
            self.heads.append((path, head))
            accept = base64.b64encode(hashlib.sha1((head["sec-websocket-key"] + GUID).encode()).digest()).decode()
            more = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if "forced" in path else ""
            c.sendall((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{more}"
                       f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
            self.frames(path, c, f)
        except (OSError, EOFError, IndexError, ValueError, KeyError):
            pass
        c.close()

    def frames(self, path, c, f):
        while len(b := f.read(2)) == 2:
            n = b[1] & 127
            if n == 126:
                n, = struct.unpack("!H", f.read(2))
            elif n == 127:
                n, = struct.unpack("!Q", f.read(8))
            key = f.read(4) if b[1] & 128 else b"\0\0\0\0"
            data = bytes(x ^ key[i & 3] for i, x in enumerate(f.read(n)))
            self.heard.append((path, b[0], data.decode("latin-1")))
            if b[0] & 15 == 9:
                c.sendall(bytes([0x8a, len(data)]) + data)
            elif b[0] & 15 in (0, 1, 2):
                head = bytes([b[0], len(data)]) if len(data) < 126 else bytes([b[0], 126]) + struct.pack("!H", len(data))
                c.sendall(head + data)


def sub(field, kind="subscribe"):
    return json.dumps({"id": "1", "type": kind, "payload": {"query": "subscription {%s}" % field}})


INIT = json.dumps({"type": "connection_init"})


def send(*frames):
    return [[list(a), k] for *a, k in frames]


def cases():
    """name, path, frames, bytes a write, frames to wait for, want: status, number of answers, ending, reason on record."""
    text = lambda s, **k: (1, s, k)
    return [
        ("messages are relayed where all are allowed", "/both", send(text("hello"), text("x" * 60000)), 0, 2, ("101", 2, "open", None)),
        ("a message is denied by read-only", "/chat", send(text("hello")), 0, 1, ("101", 0, "!", "REQUEST")),
        ("a piece of one is enough to deny it", "/chat", send(text("hel", fin=False)), 0, 1, ("101", 0, "!", "REQUEST")),
        ("binary is no way around", "/chat", send((2, "hello", {})), 0, 1, ("101", 0, "!", "REQUEST")),
        ("pings pass", "/chat", send((9, "p1", {}), (9, "p2", {})), 0, 2, ("101", 2, "open", None)),
        ("audit records and forwards", "/audit", send(text("hello"), text("again")), 0, 2, ("101", 2, "open", "REQUEST")),
        ("an allowed operation", "/gql", send(text(INIT), text(sub("news"))), 0, 2, ("101", 2, "open", None)),
        ("byte by byte, in pieces, with a ping between", "/gql",
         send((1, sub("news")[:20], {"fin": False}), (9, "p", {}), (0, "", {"fin": False}), (0, sub("news")[20:], {})), 1, 2,
         ("101", 2, "open", None)),
        ("a field that is not listed", "/gql", send(text(sub("other"))), 0, 1, ("101", 0, "!", "GRAPHQL")),
        ("a field that is denied", "/gql", send(text(sub("secret", "start"))), 0, 1, ("101", 0, "!", "GRAPHQL")),
        ("hidden in pieces", "/gql", send((1, sub("news secret")[:60], {"fin": False}), (0, sub("news secret")[60:], {})), 0, 1,
         ("101", 0, "!", "GRAPHQL")),
        ("no operation at all", "/gql", send(text("hello")), 0, 1, ("101", 0, "!", "GRAPHQL_BAD")),
        ("longer than what is read", "/gql", send(text(sub("news" + " " * 3000))), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("not masked", "/gql", send(text(sub("news"), mask=False)), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("compressed", "/gql", send(text("xx", rsv=4)), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("a piece of nothing", "/gql", send((0, sub("news"), {})), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("a message in a message", "/gql", send((1, "{", {"fin": False}), text(sub("news"))), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("after the close", "/gql", send((8, "", {}), text(sub("news"))), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("an unknown frame", "/gql", send((3, "x", {})), 0, 1, ("101", 0, "!", "HTTP_BAD")),
        ("a path that no rule has", "/none", send(), 0, 0, ("403", 0, "-", "REQUEST")),
        ("an extension that nobody offered", "/gql?forced", send(), 0, 0, ("502", 0, "-", "UPSTREAM_HTTP")),
    ]


def main():
    t = Tap()
    if os.geteuid():
        t.skip("WebSockets through the egress", "needs root")
        t.done()
    with World() as w:
        up = Server()
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{up.port} {HOST}\n")
        with open(os.path.join(w.work, "client.py"), "w") as f:
            f.write(CLIENT)
        with w.resident():
            for name, path, frames, step, want, (status, n, end, why) in cases():
                with open(os.path.join(w.work, "cases"), "w") as f:
                    json.dump({"host": HOST, "path": path, "send": frames, "step": step, "want": want}, f)
                up.heard.clear()
                r = w.run(w.policy(POLICY), [PYTHON, "client.py"], timeout=60)
                got = json.loads(r.out) if r.out.startswith("[") else ["", [], ""]
                whys = [e.why for e in r.events if e.kind == "http" and e.why != "ALLOWED"]
                good = got[0] == status and len(got[1]) == n and (got[2] == end or (end == "!" and got[2] not in ("open", "timeout", "TimeoutError")))
                good &= whys == ([why] if why else []) or (why and set(whys) == {why})
                if end == "!" and "denied" not in name:
                    good &= not any("news" in h[2] or "secret" in h[2] for h in up.heard)
                t.ok(good, name, got, whys, up.heard, r.err[-300:])
        paths = dict((p, h) for p, h in up.heads)
        t.ok("sec-websocket-extensions" in paths["/both"] and "sec-websocket-extensions" not in paths["/gql"],
             "extensions are offered only where messages are not read")
        up.s.close()
    t.done()


main()
