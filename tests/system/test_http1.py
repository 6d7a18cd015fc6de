#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 through a real sandbox and its egress, in the clear and in TLS, under a policy that looks inside:
the smuggling corpus over real sockets (nothing behind a bad request is ever served), pipelining, streams,
trailers, 100-continue, slow and half-closed peers, desync, a WebSocket, 500 connections at once, 2 GiB
each way. The upstream is a few lines of sockets that record every request; the client is http1_inside.py.
"""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from lib import BUILD, ROOT, Tap  # noqa: E402
from osh import OSHCTL, Daemon, Work, held, pids_of, proc  # noqa: E402

HOST = "raw.example"
SAN = "san" in os.path.relpath(BUILD, ROOT).split(os.sep)       # its memory is no measure
BIG = int(os.environ.get("OSH_BIG", 2 << 30))
BLOCK = bytes(range(256)) * 4096


class Upstream:
    """Records the target of every request it is sent; what it does is in the path."""

    def __init__(self, context=None):
        self.seen, self.context = [], context
        self.s = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        while True:
            c, _ = self.s.accept()
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            if self.context:
                c = self.context.wrap_socket(c, server_side=True)
            f = c.makefile("rb")
        except OSError:
            return
        try:
            while self.request(c, f):
                pass
            if self.context:
                c.settimeout(2)
                c.unwrap()
        except (OSError, ValueError, IndexError):
            pass
        f.close()
        c.close()

    def body(self, c, f, fields):
        """Bytes of it, and its trailers."""
        n, trailers = 0, ""
        if "expect" in fields:
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "content-length" in fields:
            left, buf = int(fields["content-length"]), bytearray(1 << 20)
            while left:
                k = f.readinto(memoryview(buf)[:min(left, len(buf))])
                if not k:
                    raise ValueError("cut")
                left -= k
                n += k
        elif "transfer-encoding" in fields:
            while (k := int(f.readline(), 16)):
                n += len(f.read(k))
                f.readline()
            while (line := f.readline().strip()):
                trailers += line.decode().replace(": ", "=") + ";"
        return n, trailers

    def request(self, c, f):
        line = f.readline()
        if not line:
            return False
        path = line.split()[1].decode()
        self.seen.append(line.decode("latin1").strip())
        fields = {}
        while (more := f.readline().strip()):
            k, v = more.decode("latin1").split(":", 1)
            fields[k.lower()] = v.strip()
        what = path.split("/")[1]
        if what == "echo":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path.encode()))
            return True
        return getattr(self, "do_" + what.replace("-", "_"), self.do_sink)(c, f, fields, path)

    def do_size(self, c, f, fields, path):
        n = int(path.split("/")[2])
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
        while n:
            k = min(n, len(BLOCK))
            c.sendall(BLOCK[:k])
            n -= k
        return True

    def do_sink(self, c, f, fields, path):
        n, trailers = self.body(c, f, fields)
        text = f"{n} {trailers}".encode()
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Check: down\r\n\r\n" % (len(text), text))
        return True

    def do_early(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        time.sleep(1)
        return False

    def do_sse(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            c.sendall(b"a\r\ndata: x\r\n\r\n\r\n"[:3] + b"data: abc\n" + b"\r\n")
            time.sleep(0.25)
        c.sendall(b"0\r\n\r\n")
        return True

    def do_chunked(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
        return True

    def do_cut(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        return False

    def do_cut_chunked(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        return False

    def do_until_close(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000)
        return False

    def do_ws(self, c, f, fields, path):
        if fields.get("upgrade") != "websocket" or fields.get("connection") != "upgrade":
            return self.bad(c, b"400 X")
        c.sendall(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while (d := f.read1(65536)):
            c.sendall(d)
        return False

    def do_twice(self, c, f, fields, path):
        a = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        c.sendall(a + b"good" + a + b"evil")
        return True

    def do_head_body(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True

    def do_no_content_body(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True

    def do_interim_flood(self, c, f, fields, path):
        c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
        return True

    def bad(self, c, head):
        c.sendall(b"HTTP/1.1 " + head + b"\r\n\r\nhello")
        return True

    def do_unasked_101(self, c, f, fields, path):
        return self.bad(c, b"101 X\r\nConnection: upgrade\r\nUpgrade: websocket")

    def do_cl_cl(self, c, f, fields, path):
        return self.bad(c, b"200 OK\r\nContent-Length: 5\r\nContent-Length: 5")

    def do_cl_te(self, c, f, fields, path):
        return self.bad(c, b"200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked")

    def do_lf(self, c, f, fields, path):
        return self.bad(c, b"200 OK\nContent-Length: 5")


POLICY = """version: 1
filesystem_policy:
  include_workdir: true
  read_only: [/usr, /lib, /lib64, /bin, /sbin, /etc/ssl, /etc/alternatives, /etc/ld.so.cache]
process: {run_as_user: sandbox}
network_policies:
  web:
    endpoints: [{host: raw.example, ports: [80, 443], protocol: rest, access: full}]
    binaries: [{path: "/**"}]
"""

CASES = [
    ("corpus", "254 smuggling vectors: their status, close, and nothing served behind them"),
    ("pipeline", "51 pipelined requests are answered in order, and the last one closes"),
    ("bytewise", "a request that comes byte by byte"),
    ("half_closed", "a client that half-closes gets its answer"),
    ("sse", "events arrive as they are sent"),
    ("trailers", "trailers pass both ways"),
    ("continue", "100-continue: asked, passed on, and refused"),
    ("early", "an early answer reaches the sender of a large body"),
    ("old", "an HTTP/1.0 client gets no chunks"),
    ("cut", "an answer that is cut does not look whole"),
    ("until_close", "an answer that lasts until the close becomes one that does not"),
    ("desync", "an upstream that answers twice, or breaks HTTP: never the next request's answer"),
    ("websocket", "a WebSocket: asked for, agreed to, and then bytes as they come"),
    ("slow_reader", "a slow reader gets every byte"),
    ("many", "500 connections at once"),
    ("down", "2 GiB down (in TLS half of one)"),
    ("up", "2 GiB up (in TLS half of one)"),
]


def private_kib(pid):
    got = re.search(r"Private_Dirty:\s+(\d+)", proc(pid, "smaps_rollup"))
    return int(got[1]) if got else 0


def peak_kib(pid):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
    except (OSError, TypeError):
        return 0


def certificate(w):
    """Files of an authority and of a server that it knows."""
    def openssl(*a):
        subprocess.run(["openssl", *a], cwd=w.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    w.write("leaf.ext", f"subjectAltName=DNS:{HOST}\n")
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=osh test CA")
    openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={HOST}")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "leaf.ext", "-out", "leaf.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(w.dir, "leaf.pem"), os.path.join(w.dir, "leaf.key"))
    return context


def outside():
    t = Tap()
    only = sys.argv[1:]
    with Work(POLICY) as w:
        check = subprocess.run([OSHCTL, "policy", "check", w.policy], capture_output=True, text=True)
        if "not enforced yet" in check.stdout + check.stderr:
            t.skip("HTTP/1.1 through a sandbox", "this build does not look into connections")
            t.done()
        os.chmod(w.work, 0o777)
        shutil.copy(os.path.join(HERE, "http1_inside.py"), w.work)
        shutil.copy(os.path.join(ROOT, "tests/redteam/smuggling/vectors.txt"), w.work)
        for mode, context in (("clear", None), ("tls", certificate(w))):
            if not {"clear", "tls"} & set(only) or mode in only:
                run_mode(t, w, mode, Upstream(context), [n for n in only if n not in ("clear", "tls")])
    t.done()


def run_mode(t, w, mode, up, only):
    """A daemon each, so that the memory of one does not hide in that of the other."""
    hosts = w.write("hosts", f"127.0.0.1:{up.port} {HOST}\n")
    w.write("work/big", str(BIG if mode == "clear" else BIG // 4))     # one machine does both ends and the middle
    with Daemon(w, "--upstream-hosts", hosts, "--upstream-ca", os.path.join(w.dir, "ca.pem")) as d:
        run_cases(t, up, w, d, mode, [n for n, _ in CASES if not only or n in only])
        if not only or "idle" in only:
            measure_idle(t, w, d, mode)


# What python's TLS cannot do: end one direction alone, look at bytes and leave them.
CLEAR_ONLY = {"half_closed", "slow_reader"}


def run_cases(t, up, w, d, mode, names):
    names = [n for n in names if mode == "clear" or n not in CLEAR_ONLY]
    p = subprocess.Popen(d.command("/usr/bin/python3", "http1_inside.py", mode, *names), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=w.work)
    results, peaks, tail = {}, {}, []
    for line in p.stdout:
        tail.append(line)
        if line.startswith("{"):
            r = json.loads(line)
            results[r["name"]] = r
            peaks[r["name"]] = max([peak_kib(pid) for pid in pids_of("osh-egress")] + list(peaks.values()), default=0)
    p.wait()
    for name in names:
        r = results.get(name, {"ok": False, "detail": "no result: " + "".join(tail[-8:])})
        t.ok(r["ok"], f"{mode}: {dict(CASES)[name]}", r["detail"])
        if name in ("down", "up"):
            print(f"# {r['detail']}, peak {peaks.get(name, 0)} KiB")
    if "corpus" in names:
        bad = [s for s in up.seen if "smuggled" in s]
        t.ok(not bad, f"{mode}: no request behind a bad one reached the upstream", bad[:10])
        events = [json.loads(line) for line in w.lines()]
        n = sum(e.get("count", 1) for e in events if e["osh"]["reason"] == "HTTP_BAD")
        t.ok(n >= 250, f"{mode}: every bad request is on record", f"{n} in {len(events)} lines")
    if "up" in peaks and "many" in peaks:
        t.ok(SAN or peaks["up"] - peaks["many"] < 8192, f"{mode}: 2 GiB each way take no memory, beside what 500 connections did",
             peaks)


def measure_idle(t, w, d, mode):
    before = set(pids_of("osh-egress"))
    p = subprocess.Popen(d.command("/usr/bin/python3", "http1_inside.py", mode, "idle"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True, cwd=w.work)
    line = p.stdout.readline()
    mine = set(pids_of("osh-egress")) - before
    kib, conns = max(((private_kib(pid), len(held(pid)) - 12) for pid in mine), default=(0, 0))
    t.ok("idle" in line and conns >= 200 and (SAN or 0 < kib < 4096 + conns * 40),
         f"{mode}: idle connections, both legs counted, take at most 40 KiB each, and 4 MiB", f"{line} {kib} KiB, {conns}")
    print(f"# {kib} KiB private with {conns} idle connections")
    p.communicate()


if __name__ == "__main__":
    outside()
