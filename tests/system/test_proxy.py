#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The operator's HTTP proxy: every name goes through it by CONNECT, but for those that --upstream-hosts gives or calls direct."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from world import World  # noqa: E402

t = Tap()


class Proxy:
    """Answers CONNECT: names of `routes` lead to a port on the loopback; `mode` misbehaves."""

    def __init__(self, routes):
        self.routes, self.asked, self.mode = routes, [], ""
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        head = b""
        while b"\r\n\r\n" not in head:
            got = c.recv(4096)
            if not got:
                return c.close()
            head += got
        target = head.split(b" ")[1].decode()
        self.asked.append(head.decode())
        port = self.routes.get(target)
        if self.mode == "garbage":
            c.sendall(b"SSH-2.0-hello\r\n\r\n")
        elif self.mode == "silent":
            c.recv(1)
        elif not port:
            c.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n")
        else:
            u = socket.create_connection(("127.0.0.1", port))
            # the answer in two pieces, the second together with what the server says first
            c.sendall(b"HTTP/1.1 200 Connection est")
            first = u.recv(4096) if self.mode == "banner" else b""
            c.sendall(b"ablished\r\nVia: test\r\n\r\n" + first)
            threading.Thread(target=self.pump, args=(u, c), daemon=True).start()
            return self.pump(c, u)
        c.close()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def banner_server():
    """Speaks first, then echoes a line."""
    s = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            c.sendall(b"220 ready\n")
            c.sendall(b"you said " + c.recv(100))
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    return s


POLICY = """network_policies:
  l7:
    endpoints: [{host: allowed.example, port: 443, protocol: rest, access: read-only}]
    binaries: [{path: /usr/bin/curl}]
  l4:
    endpoints: [{host: git.example, port: 443}, {host: denied.example, port: 443}, {host: api.wild.example, port: 443},
                {host: v4.example, port: 443, allowed_ips: [10.0.0.0/8]}, {host: plain.example, port: 2525}]
    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/python3*}]
"""


def main():
    with World() as w:
        tls, banner = w.tls4.server_port, banner_server()
        p = Proxy({"allowed.example:443": tls, "git.example:443": tls, "plain.example:2525": banner.getsockname()[1]})
        with open(w.hosts, "w") as f:
            f.write(f"127.0.0.1:{p.port} @proxy\n@direct .wild.example other.example\n")
        policy, ca = w.policy("", POLICY), ["--upstream-ca", os.path.join(w.dir, "ca.pem")]

        def go(script):
            p.asked.clear()
            return w.run(policy, ["/bin/sh", "-c", script], options=ca)
        r = go("curl -sS -m 20 https://allowed.example/hello; curl -sS -m 20 -d x https://allowed.example/hello")
        t.ok("hello from outside" in r.out and "policy_denied" in r.out, "a host that is looked into is reached through the proxy", r)
        t.ok(p.asked and all(a.startswith("CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n") for a in p.asked),
             "the proxy is asked for the name and nothing else", p.asked)
        r = go("curl -sS -m 20 --cacert ca.pem https://git.example/hello")
        t.ok("hello from outside" in r.out and len(p.asked) == 1, "a host that is not looked into too", r, p.asked)
        r = go("curl -sS -m 20 --cacert ca.pem https://denied.example/hello; echo rc $?")
        t.ok("rc 0" not in r.out and r.has("egress", "PROXY"), "what the proxy refuses is refused, with the reason", r, p.asked)
        r = go("curl -sS -m 20 --cacert ca.pem https://api.wild.example/hello; echo rc $?")
        t.ok("rc 0" not in r.out and not p.asked and not r.has("egress", "PROXY"), "a name that is called direct is not asked of it", r, p.asked)
        r = go("curl -sS -m 20 --cacert ca.pem https://v4.example/hello; echo rc $?")
        t.ok("rc 0" not in r.out and not p.asked and r.has("egress", "ADDR_NOT_LISTED"), "a host with allowed_ips is not left to the proxy", r, p.asked)
        p.mode = "banner"
        r = go("python3 -c \"import socket; s = socket.create_connection(('plain.example', 2525), 20); print(s.recv(100)); "
               "s.sendall(b'hi'); print(s.recv(100))\"")
        t.ok("220 ready" in r.out and "you said hi" in r.out, "bytes that come right behind the proxy's answer are not lost", r)
        p.mode = "garbage"
        r = go("curl -sS -m 20 --cacert ca.pem https://git.example/hello; echo rc $?")
        t.ok("rc 0" not in r.out and r.has("egress", "PROXY"), "an answer that is no HTTP is a refusal", r)
        p.mode = "silent"
        r = go("curl -sS -m 25 --cacert ca.pem https://git.example/hello; echo rc $?")
        t.ok("rc 0" not in r.out and r.has("egress", "UPSTREAM"), "a silent proxy is given up", r)
        for bad in ("127.0.0.1 @proxy\n", "127.0.0.1:1 @proxy\n127.0.0.1:2 @proxy\n", "@direct\n", "@direct a..b\n"):
            with open(w.hosts, "w") as f:
                f.write(bad)
            r = go("curl -sS -m 5 --cacert ca.pem https://git.example/hello; echo rc $?")
            t.ok("rc 0" not in r.out and not p.asked, f"a bad line leads nowhere: {bad.strip()!r}", r)
        p.s.close()
        banner.close()


main()
t.done()
