# SPDX-License-Identifier: Apache-2.0
"""Upstream servers for tests of what is looked into: one that answers by path and remembers what it
saw, and ones whose certificates are bad, each in its own way."""
import hashlib
import http.server
import os
import socket
import ssl
import subprocess
import threading
import time

from world import World

BAD = {"expired.example": "expired", "wrong.example": "wrong", "self.example": "self", "down.example": "down"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *_):
        pass

    def body(self):
        h, n = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                h.update(self.rfile.read(size))
                self.rfile.readline()
                n += size
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
        left = int(self.headers.get("Content-Length", 0))
        while left:
            d = self.rfile.read(min(left, 1 << 16))
            if not d:
                break
            h.update(d)
            left -= len(d)
            n += len(d)
        return n, h.hexdigest()

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        for k, v in fields.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunks(self, pieces, trailer=b""):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for p in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(p), p))
            self.wfile.flush()
        self.wfile.write(b"0\r\n" + trailer + b"\r\n")

    def do(self):
        path = self.path.split("?")[0]
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), self.client_address[1]))
        if path == "/digest":
            n, digest = self.body()
            self.answer(b"%d %s" % (n, digest.encode()))
        elif path == "/stream":
            def slowly():
                for i in range(4):
                    yield b"data: %d\n\n" % i
                    time.sleep(0.3)
            self.chunks(slowly())
        elif path == "/trailers":
            self.chunks([b"abc", b"def"], b"X-Sum: 6\r\n")
        elif path == "/big":
            self.chunks(os.urandom(1 << 16) for _ in range(int(self.path.split("=")[1])))
        elif path == "/slow":
            self.server.busy.set()
            time.sleep(20)
            self.answer(b"late")
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
        elif path == "/close":          # says nothing of it, and closes a moment later
            self.answer(b"soon")
            self.wfile.flush()
            time.sleep(0.5)
            self.close_connection = True
        elif path == "/101":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            self.wfile.flush()
            while d := self.connection.recv(100):
                self.connection.sendall(d.upper())
            self.close_connection = True
        else:
            self.body()
            self.answer(b"seen %s %s\n" % (self.command.encode(), self.path.encode()))

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.do
        raise AttributeError(name)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    handler = Handler

    def __init__(self, context):
        self.seen, self.context, self.busy, self.connections = [], context, threading.Event(), 0
        super().__init__(("127.0.0.1", 0), self.handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        self.connections += 1
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, *_):
        pass


class L7World(World):
    """World, with its names on servers of our own, and the bad ones."""

    def __init__(self):
        super().__init__()
        self.l7 = Server(self.context("leaf"))
        self.l7_plain = Server(None)
        self.bad = {}
        self._bad_leaves()
        lines = [f"127.0.0.1:{self.l7.server_port} allowed.example v4.example git.example registry.example skip.example",
                 f"127.0.0.1:{self.l7_plain.server_port} plain.example", "127.0.0.1:1 down.example"]
        for host, kind in BAD.items():
            if kind != "down":
                self.bad[host] = Server(self.context(kind))
                lines.append(f"127.0.0.1:{self.bad[host].server_port} {host}")
        with open(self.hosts, "w") as f:
            f.write("\n".join(lines) + "\n")

    def context(self, name):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(os.path.join(self.dir, name + ".pem"), os.path.join(self.dir, name + ".key"))
        return c

    def _bad_leaves(self):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", "self.key", "-out", "self.pem", "-days", "2", "-subj", "/CN=self.example",
                "-addext", "subjectAltName=DNS:self.example")
        for name, san, when in (("expired", "expired.example", ["-days", "-1"]), ("wrong", "other.example", ["-days", "2"])):
            openssl("req", *ec, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + san)
            with open(os.path.join(self.dir, "ext"), "w") as f:
                f.write(f"subjectAltName=DNS:{san}\n")
            openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", *when,
                    "-extfile", "ext", "-out", name + ".pem")

    def close(self):
        for s in (self.l7, self.l7_plain, *self.bad.values()):
            s.shutdown()
            s.server_close()
        super().close()
