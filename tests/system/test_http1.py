#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 through a real sandbox and its egress, in the clear, under a policy that looks inside: the
smuggling corpus over real sockets (nothing behind a bad request is ever served), pipelining, streams,
trailers, 100-continue, slow and half-closed peers, desync, 500 connections at once, 2 GiB each way.

The upstream is a few lines of sockets that record every request. The client is this file, run inside.
"""
import hashlib
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time

HOST = "raw.example"
HEAD = f"Host: {HOST}\r\n"
SECOND = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
BIG = int(os.environ.get("OSH_BIG", open("big").read() if os.path.exists("big") else 2 << 30))
BLOCK = bytes(range(256)) * 4096


# ---- inside the sandbox


def unescape(s):
    out, i = b"", 0
    plain = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "H": HEAD.encode(), "E": b"\r\n", "G": SECOND.encode()}
    while i < len(s):
        if s[i] != "\\":
            out, i = out + s[i].encode("latin1"), i + 1
        elif s[i + 1] == "x":
            out, i = out + bytes([int(s[i + 2:i + 4], 16)]), i + 4
        elif s[i + 1] == "*":
            m = re.match(r"(\d+)\(([^)]*)\)", s[i + 2:])
            out, i = out + int(m[1]) * unescape(m[2]), i + 2 + m.end()
        else:
            out, i = out + plain[s[i + 1]], i + 2
    return out


def dial(timeout=20):
    s = socket.create_connection((HOST, 80), timeout)
    s.settimeout(timeout)
    return s


def rest(s):
    """All that comes; the flag says whether it ended in order."""
    got = b""
    try:
        while True:
            d = s.recv(1 << 16)
            if not d:
                return got, True
            got += d
    except (ConnectionResetError, BrokenPipeError):
        return got, False
    except socket.timeout:
        return got + b"<timeout>", False


def send(s, data):
    try:
        s.sendall(data if isinstance(data, bytes) else data.encode())
    except (BrokenPipeError, ConnectionResetError):
        pass


def answer(f, interim=False):
    """Status, fields and body of one answer from a buffered reader."""
    status, fields = int(f.readline().split()[1]), {}
    while status == 100 and interim:
        f.readline()
        status = int(f.readline().split()[1])
    while (line := f.readline().rstrip(b"\r\n")):
        k, v = line.decode("latin1").split(":", 1)
        fields[k.lower()] = v.strip()
    body = b""
    if "content-length" in fields:
        body = f.read(int(fields["content-length"]))
    elif "chunked" in fields.get("transfer-encoding", ""):
        while (n := int(f.readline(), 16)):
            body += f.read(n)
            f.readline()
        while (line := f.readline().rstrip(b"\r\n")):
            k, v = line.decode("latin1").split(":", 1)
            fields["trailer " + k.lower()] = v.strip()
    return status, fields, body


def get(path, more=""):
    return f"GET {path} HTTP/1.1\r\n{HEAD}{more}\r\n"


def in_corpus():
    bad, n = [], 0
    for line in open("vectors.txt"):
        line = line.rstrip("\n")
        if not line or line[0] == "#":
            continue
        status, name, text = line.split(" ", 2)
        n += 1
        s = dial(10)
        send(s, unescape(text.replace("a.example", HOST)))
        got, ended = rest(s)
        s.close()
        if name == "tls-hello":         # the first bytes decide that this is TLS, which is refused
            good = b"HTTP/1.1 2" not in got and b"<timeout>" not in got
        else:
            good = got.startswith(f"HTTP/1.1 {status} ".encode()) and got.count(b"HTTP/1.1 ") == 1 and ended
        if not good:
            bad.append(f"{name}: {got[:200]!r} ended {ended}")
    return n >= 250 and not bad, [n] + bad[:20]


def in_pipeline():
    s = dial()
    send(s, "".join(get(f"/echo/{i}") for i in range(50)) + get("/echo/last", "Connection: close\r\n"))
    f = s.makefile("rb")
    got = [answer(f)[2].decode() for _ in range(51)]
    return got == [f"/echo/{i}" for i in range(50)] + ["/echo/last"] and f.read() == b"", got[:5]


def in_bytewise():
    s = dial()
    for b in get("/echo/slow"):
        send(s, b)
        time.sleep(0.002)
    return answer(s.makefile("rb"))[2] == b"/echo/slow", ""


def in_half_closed():
    s = dial()
    send(s, get("/echo/half"))
    s.shutdown(socket.SHUT_WR)
    got, ended = rest(s)
    return got.endswith(b"/echo/half") and ended, got


def in_sse():
    s = dial()
    send(s, get("/sse"))
    f = s.makefile("rb")
    while f.readline().strip():
        pass
    times = []
    for _ in range(4):
        n = int(f.readline(), 16)
        f.read(n + 2)
        times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:])]
    return all(0.1 < g < 0.6 for g in gaps), gaps


def in_trailers():
    s = dial()
    f = s.makefile("rb")
    send(s, f"POST /sink HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: te\r\n\r\n"
            "5\r\nhello\r\n0\r\nX-Check: up\r\n\r\n")
    a = answer(f)
    return a[0] == 200 and b"x-check=up" in a[2] and a[1].get("trailer x-check") == "down", a


def in_continue():
    s = dial()
    f = s.makefile("rb")
    send(s, f"PUT /sink HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    first = answer(f)[0]
    send(s, "hello")
    a = answer(f)
    send(s, f"PUT /early HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    b = answer(f)
    return (first, a[0], b[0], b[1].get("connection")) == (100, 200, 403, "close"), (first, a, b)


def in_early():
    """A body that nobody reads: its sender gets the answer all the same."""
    s = dial()
    send(s, f"POST /early HTTP/1.1\r\n{HEAD}Content-Length: 8000000\r\n\r\n")
    send(s, b"x" * 4000000)
    time.sleep(0.2)
    send(s, b"x" * 4000000)
    a = answer(s.makefile("rb"))
    return a[0] == 403 and a[1].get("connection") == "close", a


def in_old():
    s = dial()
    send(s, f"GET /chunked HTTP/1.0\r\n{HEAD}Connection: keep-alive\r\n\r\n")
    got, ended = rest(s)
    return b"transfer-encoding" not in got.lower() and got.endswith(b"\r\n\r\nhello") and ended, got


def in_cut():
    s = dial()
    send(s, get("/cut"))
    got, ended = rest(s)
    t = dial()
    send(t, get("/cut-chunked"))
    got2, ended2 = rest(t)
    return not ended and not ended2 and b"0\r\n\r\n" not in got2, (got, ended, got2, ended2)


def in_until_close():
    s = dial()
    send(s, get("/until-close"))
    f = s.makefile("rb")
    a = answer(f)
    send(s, get("/echo/after"))
    return a[2] == b"x" * 100000 and answer(f)[2] == b"/echo/after", a[1]


def in_desync():
    """An upstream that answers twice: its second answer is never anybody's."""
    out = []
    for path in ("/twice", "/head-body", "/no-content-body", "/interim-flood", "/unasked-101", "/cl-cl", "/cl-te", "/lf"):
        s = dial()
        f = s.makefile("rb")
        try:
            send(s, ("HEAD" if path == "/head-body" else "GET") + get(path)[3:])
            if path == "/head-body":
                status = int(f.readline().split()[1])
                while f.readline().strip():
                    pass
            else:
                status = answer(f, True)[0]
            time.sleep(0.05)
            send(s, get("/echo/next"))
            out.append((path, status, answer(f)[2].decode()))
        except (ValueError, IndexError, OSError) as e:
            out.append((path, repr(e)))
    want = {"/twice": 200, "/head-body": 200, "/no-content-body": 204}
    return all(o[1:] == (want.get(o[0], 502), "/echo/next") for o in out), out


def in_slow_reader():
    s = dial()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    send(s, get("/size/3000000"))
    f = s.makefile("rb", 0)
    while b"\r\n\r\n" not in (head := s.recv(4000, socket.MSG_PEEK)):
        pass
    s.recv(head.index(b"\r\n\r\n") + 4)
    h, n = hashlib.sha256(), 0
    while n < 3000000:
        d = f.read(32768)
        if not d:
            break
        h.update(d)
        n += len(d)
        time.sleep(0.002)
    return h.hexdigest() == digest(3000000), n


def in_many():
    """500 connections at once, four requests on each."""
    sel, left, wrong = selectors.DefaultSelector(), 500, 0
    for i in range(left):
        s = dial(60)
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ, [i, 0, b""])
        send(s, get(f"/echo/{i}-0"))
    end = time.monotonic() + 120
    while left and time.monotonic() < end:
        for key, _ in sel.select(5):
            s, st = key.fileobj, key.data
            try:
                d = s.recv(65536)
            except OSError:
                d = b""
            st[2] += d
            if d and not st[2].endswith(f"/echo/{st[0]}-{st[1]}".encode()):
                continue
            wrong += not d
            st[1], st[2] = st[1] + 1, b""
            if not d or st[1] == 4:
                sel.unregister(s)
                s.close()
                left -= 1
            else:
                send(s, get(f"/echo/{st[0]}-{st[1]}"))
    return not left and not wrong, (left, wrong)


def in_down():
    s = dial(60)
    send(s, get(f"/size/{BIG}"))
    f = s.makefile("rb")
    while f.readline().strip():
        pass
    n, buf, t = 0, bytearray(1 << 20), time.monotonic()
    while n < BIG and (k := f.readinto1(buf)):
        if buf[0] != n % 256 or buf[k - 1] != (n + k - 1) % 256:
            return False, n
        n += k
    return n == BIG, f"{n >> 20} MiB, {n / 1e6 / (time.monotonic() - t):.0f} MB/s"


def in_up():
    s = dial(60)
    t = time.monotonic()
    send(s, f"POST /sink HTTP/1.1\r\n{HEAD}Content-Length: {BIG}\r\n\r\n")
    n = 0
    while n < BIG:
        s.sendall(BLOCK[:min(len(BLOCK), BIG - n)])
        n += len(BLOCK)
    a = answer(s.makefile("rb"))
    return a[0] == 200 and a[2].startswith(b"%d " % BIG), f"{a[2][:40]}, {n / 1e6 / (time.monotonic() - t):.0f} MB/s"


def in_idle():
    """Left open and silent, to be measured from outside."""
    conns = [dial() for _ in range(200)]
    for s in conns:
        send(s, get("/echo/idle"))
    for s in conns:
        answer(s.makefile("rb"))
    print("idle", flush=True)
    time.sleep(float(sys.argv[3]))
    return True, ""


# ---- outside


def digest(n):
    h = hashlib.sha256()
    while n:
        k = min(n, len(BLOCK))
        h.update(BLOCK[:k])
        n -= k
    return h.hexdigest()


class Upstream:
    """Records the target of every request it is sent; what it does is in the path."""

    def __init__(self):
        self.seen, self.conns = [], 0
        self.s = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        while True:
            c, _ = self.s.accept()
            self.conns += 1
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        f = c.makefile("rb")
        try:
            while self.request(c, f):
                pass
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
        return getattr(self, "do_" + what.replace("-", "_"))(c, f, fields, path)

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
    endpoints: [{host: raw.example, port: 80, protocol: rest, access: full}]
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
    ("slow_reader", "a slow reader gets every byte"),
    ("many", "500 connections at once"),
    ("down", "2 GiB down"),
    ("up", "2 GiB up"),
]


def private_kib(pid):
    text = open(f"/proc/{pid}/smaps_rollup").read()
    return int(re.search(r"Private_Dirty:\s+(\d+)", text)[1])


def peak_kib(pid):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
    except (OSError, TypeError):
        return 0


def outside():
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    from lib import ROOT, Tap
    from osh import OSHCTL, Daemon, Work, pids_of, until
    t, up = Tap(), Upstream()
    with Work(POLICY) as w:
        check = subprocess.run([OSHCTL, "policy", "check", w.policy], capture_output=True, text=True)
        if "not enforced yet" in check.stdout + check.stderr:
            t.skip("HTTP/1.1 through a sandbox", "this build does not look into connections")
            t.done()
        w.write("work/big", str(BIG))
        hosts = w.write("hosts", f"127.0.0.1:{up.port} {HOST}\n")
        os.chmod(w.work, 0o777)
        shutil.copy(__file__, os.path.join(w.work, "inside.py"))
        shutil.copy(os.path.join(ROOT, "tests/redteam/smuggling/vectors.txt"), w.work)
        with Daemon(w, "--upstream-hosts", hosts) as d:
            run_cases(t, up, w, d, pids_of)
            measure_idle(t, w, d, pids_of, until)
    t.done()


def run_cases(t, up, w, d, pids_of):
    only = sys.argv[1:]
    names = [(n, text) for n, text in CASES if not only or n in only]
    cmd = d.command("/usr/bin/python3", "inside.py", "inside", *[n for n, _ in names])
    peaks = {}
    p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         cwd=w.work)
    results, tail = {}, []
    for line in p.stdout:
        tail.append(line)
        if line.startswith("{"):
            r = json.loads(line)
            results[r["name"]] = r
            peaks[r["name"]] = max([peak_kib(pid) for pid in pids_of("osh-egress")], default=0)
    p.wait()
    for name, text in names:
        r = results.get(name, {"ok": False, "detail": "no result: " + "".join(tail[-8:])})
        t.ok(r["ok"], text, r["detail"])
        if name in ("down", "up"):
            print(f"# {r['detail']}, peak {peaks.get(name, 0)} KiB")
    if not only or "corpus" in only:
        bad = [s for s in up.seen if "smuggled" in s]
        t.ok(not bad, "no request behind a bad one reached the upstream", bad[:10])
        events = [json.loads(line) for line in w.lines()]
        n = sum(e.get("count", 1) for e in events if e["osh"]["reason"] == "HTTP_BAD")
        t.ok(n >= 250, "every bad request is on record", f"{n} in {len(events)} lines")
    if "down" in peaks and "many" in peaks:
        t.ok(peaks["up"] - peaks["many"] < 8192, "2 GiB each way leave the egress no larger than 500 connections did, and 8 MiB",
             peaks)


def measure_idle(t, w, d, pids_of, until):
    if sys.argv[1:] and "idle" not in sys.argv[1:]:
        return
    before = set(pids_of("osh-egress"))
    p = subprocess.Popen(d.command("/usr/bin/python3", "inside.py", "inside", "idle", "3"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True, cwd=w.work)
    line = p.stdout.readline()
    mine = set(pids_of("osh-egress")) - before
    with_conns = max((private_kib(pid) for pid in mine), default=0)
    t.ok("idle" in line and 0 < with_conns < 4096 + 200 * 2 * 4, "200 idle connections in the clear: a few KiB each",
         f"{line} {with_conns} KiB")
    print(f"# {with_conns} KiB private with 200 idle connections")
    p.communicate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        for name in [a for a in sys.argv[2:] if "in_" + a in globals()]:
            try:
                ok, detail = globals()["in_" + name]()
            except Exception as e:  # noqa: BLE001  one case must not hide the others
                ok, detail = False, repr(e)
            print(json.dumps({"name": name, "ok": bool(ok), "detail": str(detail)[:1500]}), flush=True)
    else:
        outside()
