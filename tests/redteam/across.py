#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both sides of a call between two sandboxes, as attacks have them (ACROSS=):
`ears` serves what a route may reach and beside it what it may not; `client [PORT]` calls through its route, or that port of the
loopback, again and again on one connection, and tells with each call what the last one was answered; `rogue PORT WHAT` serves,
does what it says there, and prints "ok" where that did something to its client."""
import glob
import http.client
import http.server
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time

KEY = "redteam-callers-own"
CALLS = 60


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("upgrade"):
            self.connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
            self.connection.sendall(b"tunnel " + self.connection.recv(100))
            return
        body = b'{"said": "%s"}' % (b"model" if self.path.endswith("/v1/chat/completions") else b"admin")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST


def ears():
    threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Page).serve_forever, daemon=True).start()
    more = [socket.create_server(("127.0.0.1", 8001)), socket.socket(socket.AF_UNIX)]
    more[1].bind("\0osh-redteam-gpu")
    more[1].listen(8)
    print("ready", flush=True)
    sys.stdin.read()


def client(port):
    conn, got, until = None, "", time.monotonic() + CALLS
    print("ready", flush=True)
    while time.monotonic() < until:
        try:
            if not conn:
                conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20) if port else \
                    http.client.HTTPSConnection("inference.local", timeout=20, context=ssl._create_unverified_context())
            conn.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": [{"role": "user", "content": "got " + got}]}), {
                "content-type": "application/json", "authorization": "Bearer " + KEY, "x-api-key": KEY, "cookie": "a=" + KEY, "proxy-authorization": KEY})
            got = conn.getresponse().read().decode(errors="replace")[:500]
        except (OSError, http.client.HTTPException) as e:
            got, conn = type(e).__name__, None
        time.sleep(0.1)


class Call:
    """One request of a client, read; an answer is bytes."""

    def __init__(self, c):
        self.c, self.text = c, b""
        while b"\r\n\r\n" not in self.text:
            self.more()
        n = int(self.text.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(self.text.split(b"\r\n\r\n", 1)[1]) < n:
            self.more()

    def more(self):
        got = self.c.recv(65536)
        if not got:
            raise ConnectionError
        self.text += got


def answer(text):
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)


def learn(calls):
    """What the client has for others."""
    for call in calls(3):
        if KEY.encode() in call.text:
            return True
        call.c.sendall(answer(b"{}"))
    return False


def second(calls):
    """An answer that nobody asked for, right behind the first or once the connection rests, is taken for that of the next call."""
    for n, call in enumerate(calls(8)):
        if b"smuggled" in call.text:
            return True
        call.c.sendall(answer(b'{"n": 1}') + (answer(b'{"n": "smuggled"}') if n % 2 else b""))
        if not n % 2:
            time.sleep(0.03)
            try:
                call.c.sendall(answer(b'{"n": "smuggled"}'))
            except OSError:
                pass
    return False


def endless(calls):
    """Interim answers without end: whoever reads them all has no time for others."""
    for call in calls(1):
        sent, end = 0, time.monotonic() + 10
        try:
            while time.monotonic() < end and sent < 2000:
                call.c.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </%d>\r\n\r\n" % sent)
                sent += 1
                time.sleep(0.001)
        except OSError:
            pass
        return sent >= 2000
    return False


def carriers():
    """Processes that carry a connection between this sandbox and its callers, as they are seen inside."""
    if "CARRIER" in os.environ:
        return [int(os.environ["CARRIER"])]
    found = []
    for p in glob.glob("/proc/[0-9]*/stat"):
        try:
            stat = open(p).read()
        except OSError:
            continue
        pid, parent = int(stat.split()[0]), int(stat.rsplit(")", 1)[1].split()[1])
        if parent == 1 and pid not in (os.getpid(), os.getppid()):
            found.append(pid)
    print(len(found), "carriers", flush=True)
    return found


def carrier(calls):
    """Its memory and its descriptors: whoever has them speaks to the caller's egress without a server."""
    for call in calls(1):
        for pid in carriers():
            for name in ("mem", "fd", "fdinfo", "environ", "cwd"):
                try:
                    path = f"/proc/{pid}/{name}"
                    _ = os.listdir(path) if name.startswith("fd") else os.readlink(path) if name == "cwd" else os.open(path, os.O_RDWR if name == "mem" else os.O_RDONLY)
                    return True
                except OSError as e:
                    print(name, "errno=" + e.strerror, flush=True)
        call.c.sendall(answer(b"{}"))
    return False


def keep(calls):
    """A stream that goes on after `serve` has taken its caller's name away: who carries it is stopped, so that he hears of nothing."""
    for call in calls(1):
        call.c.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
        for pid in carriers():
            os.kill(pid, signal.SIGSTOP)
        open("withdraw", "w").close()
        while not os.path.exists("withdrawn"):
            time.sleep(0.05)
        for pid in carriers():
            try:
                os.kill(pid, signal.SIGCONT)
            except OSError:
                pass
        try:
            for _ in range(20):
                call.c.sendall(b"data: more\n\n")
                time.sleep(0.05)
            return True
        except OSError:
            pass
    return False


def rogue(port, what):
    s = socket.create_server(("127.0.0.1", port))
    s.settimeout(20)

    def calls(n):
        c = None
        while n > 0:
            try:
                c = c or s.accept()[0]
                c.settimeout(20)
                yield Call(c)
                n -= 1
            except (ConnectionError, socket.timeout) as e:
                if isinstance(e, socket.timeout):
                    print("nobody calls", flush=True)
                    return
                c = None
    good = globals()[what](calls)
    print("ok" if good else "nothing came of it", flush=True)
    return not good


if __name__ == "__main__":
    if sys.argv[1] == "rogue":
        sys.exit(rogue(int(sys.argv[2]), sys.argv[3]))
    (ears if sys.argv[1] == "ears" else lambda: client(int(sys.argv[2]) if len(sys.argv) > 2 else 0))()
