#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 through a real sandbox, TLS on both legs: curl, nghttp, h2load and gRPC, unmodified, against
nginx and a gRPC server; h2 to h1 and the reverse; denials of single streams; cancels; a rapid reset; frames at random."""
import hashlib
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import pids_of  # noqa: E402
from world import World  # noqa: E402

try:
    import grpc
    from concurrent.futures import ThreadPoolExecutor
except ImportError:
    grpc = None

t = Tap()
NAMES = ["two.example", "one.example", "grpc.example", "short.example"]
POLICY = World.policy("", """network_policies:
  web:
    endpoints:
      - host: two.example
        port: 443
        protocol: rest
        rules: [{allow: {method: "*", path: "/**"}}]
        deny_rules: [{method: "*", path: "/denied**"}]
""" + "".join(f"""      - host: {n}
        port: 443
        protocol: rest
        rules: [{{allow: {{method: "*", path: "/**"}}}}]
""" for n in NAMES[1:]) + '    binaries: [{path: "/**"}]\n')

NGINX = """worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.err; daemon off; user {user};
events {{ worker_connections 1024; }}
http {{ access_log {dir}/access.log; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  ssl_certificate {dir}/leaf.pem; ssl_certificate_key {dir}/leaf.key; root {dir}/www;
  server {{ listen 127.0.0.1:{two} ssl http2; }}
  server {{ listen 127.0.0.1:{short} ssl http2; keepalive_requests 100; }}
}}
"""


class Own(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 over TLS: says what it saw, drips events, counts who left."""
    protocol_version = "HTTP/1.1"
    left = []
    heads = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        Own.heads.append((self.path, [(k.lower(), v) for k, v in self.headers.items()]))
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(5):
                self.chunk(f"data: {i}\n\n".encode())
                time.sleep(0.4)
            self.chunk(b"")
        elif self.path == "/endless":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                while True:
                    self.chunk(b"x" * 1000)
                    time.sleep(0.02)
            except OSError:
                Own.left.append(time.monotonic())
                self.close_connection = True
        else:
            body = b"one says hello\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self):
        h, n = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding"):
            while True:
                k = int(self.rfile.readline(), 16)
                data = self.rfile.read(k)
                self.rfile.readline()
                if not k:
                    break
                h.update(data)
                n += k
        else:
            left = int(self.headers["Content-Length"])
            while left:
                data = self.rfile.read(min(left, 1 << 16))
                h.update(data)
                n += len(data)
                left -= len(data)
        body = f"{n} {h.hexdigest()} {self.headers.get('Content-Length', 'chunked')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST

    def chunk(self, b):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b))
        self.wfile.flush()


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client):
        request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, *_):
        pass


class Rpc:
    """package t, service T: unary, both kinds of streams, an error, and one that never answers."""
    cancelled = threading.Event()

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]

        def up(request, context):
            context.set_trailing_metadata((("x-trailer", "there"),))
            return request.upper()

        def count(request, _):
            for i in range(int(request)):
                yield b"%d" % i

        def total(requests, _):
            return b"%d" % sum(len(r) for r in requests)

        def echo(requests, _):
            for r in requests:
                yield r

        def fails(_, context):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")

        def hangs(_, context):
            context.add_callback(Rpc.cancelled.set)
            while context.is_active():
                time.sleep(0.02)
            return b""
        make = {"Up": grpc.unary_unary_rpc_method_handler(up), "Count": grpc.unary_stream_rpc_method_handler(count),
                "Total": grpc.stream_unary_rpc_method_handler(total), "Echo": grpc.stream_stream_rpc_method_handler(echo),
                "Fails": grpc.unary_unary_rpc_method_handler(fails), "Hangs": grpc.unary_unary_rpc_method_handler(hangs)}
        return make.get(name)


RPC_CLIENT = r"""
import grpc, os, sys, time
cert = open(os.environ["SSL_CERT_FILE"], "rb").read()
c = grpc.secure_channel("grpc.example:443", grpc.ssl_channel_credentials(cert))
uu = lambda m: c.unary_unary("/t.T/" + m)
answer, call = uu("Up").with_call(b"hello", timeout=20)
print("unary", answer.decode(), dict(call.trailing_metadata()).get("x-trailer"))
print("count", sum(int(x) for x in c.unary_stream("/t.T/Count")(b"1000", timeout=20)))
print("total", c.stream_unary("/t.T/Total")((b"x" * 50000 for _ in range(100)), timeout=30).decode())
n, at = 0, time.monotonic()
def turns():
    global n
    while n < 50:
        mine = n
        yield b"turn %d" % n
        while n == mine:
            time.sleep(0.0005)
for r in c.stream_stream("/t.T/Echo")(turns(), timeout=20):
    assert r == b"turn %d" % n, r
    n += 1
print("bidi", n, "quick" if time.monotonic() - at < 8 else "slow")
try:
    uu("Fails")(b"", timeout=20)
except grpc.RpcError as e:
    print("error", e.code().name, e.details())
try:
    uu("Hangs")(b"", timeout=1)
except grpc.RpcError as e:
    print("deadline", e.code().name)
print("big", len(uu("Up")(b"y" * 3000000, timeout=30)))
print("after", uu("Up")(b"still here", timeout=20).decode())
"""

RAPID = r"""
import os, socket, ssl, struct
def frame(t, f, i, p=b""):
    return struct.pack(">I", len(p))[1:] + bytes([t, f]) + struct.pack(">I", i) + p
ctx = ssl.create_default_context()
ctx.set_alpn_protocols(["h2"])
s = ctx.wrap_socket(socket.create_connection(("one.example", 443)), server_hostname="one.example")
assert s.selected_alpn_protocol() == "h2"
s.settimeout(20)
s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
block = b"\x82\x87\x84\x41\x0bone.example"
try:
    for i in range(1, 20000, 2):
        s.sendall(frame(1, 5, i, block) + frame(3, 0, i, struct.pack(">I", 8)))
except OSError:
    pass
got = b""
try:
    while True:
        d = s.recv(65536)
        if not d:
            break
        got += d
except OSError:
    pass
at, last = 0, None
while len(got) - at >= 9:
    n = int.from_bytes(got[at:at + 3], "big")
    if got[at + 3] == 7:
        last = int.from_bytes(got[at + 13:at + 17], "big")
    at += 9 + n
print("goaway", last)
"""

CHAOS = r"""
import os, random, socket, ssl, struct, sys, time
random.seed(int(sys.argv[1]))
end = time.monotonic() + float(sys.argv[2])
def frame(t, f, i, p=b""):
    return struct.pack(">I", len(p))[1:] + bytes([t, f]) + struct.pack(">I", i) + p
def request(host, path, post):
    return (b"\x83" if post else b"\x82") + b"\x87\x04" + bytes([len(path)]) + path + b"\x41" + bytes([len(host)]) + host
def window(i, n):
    return frame(8, 0, i, struct.pack(">I", n))
def step(s, host, sid, live):
    k = random.random()
    if k < .4:
        post = random.random() < .5
        s.sendall(frame(1, 4 if post else 5, sid, request(host, random.choice([b"/hello", b"/big", b"/denied/x", b"/no"]), post)))
        if post:
            live.append(sid)
        return sid + 2
    old = random.randrange(1, sid, 2) if sid > 1 else 0
    if k < .6 and live:
        s.sendall(frame(0, random.choice([0, 0, 1]), live[0], os.urandom(random.choice([0, 1, 1000, 16384]))))
    elif k < .75 and old:
        s.sendall(frame(3, 0, old, struct.pack(">I", random.choice([0, 2, 8]))))
    elif k < .85:
        s.sendall(window(0, 100000) + (window(old, 50000) if old else b""))
    elif k < .9 and live:
        s.sendall(frame(1, 5, live.pop(), b"\x00\x03x-t\x01v"))
    else:
        try:
            s.recv(random.choice([100, 65536]))
        except (TimeoutError, ssl.SSLWantReadError):
            pass
    return sid
ctx = ssl.create_default_context()
ctx.set_alpn_protocols(["h2"])
while time.monotonic() < end:
    host = random.choice(["two.example", "one.example", "short.example"])
    s = ctx.wrap_socket(socket.create_connection((host, 443)), server_hostname=host)
    s.settimeout(0.01)
    sid, live = 1, []
    try:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                  frame(4, 0, 0, b"\0\4" + struct.pack(">I", random.choice([0, 10, 65535, 1 << 20]))))
        for _ in range(random.randint(1, 60)):
            sid = step(s, host.encode(), sid, live)
        time.sleep(random.random() * .05)
    except OSError:
        pass
    s.close()
print("done", flush=True)
"""

DRIP = r"""
import subprocess, time
p = subprocess.Popen(["curl", "-sN", "--http2", "https://one.example/events"], stdout=subprocess.PIPE)
at = []
for line in p.stdout:
    if line.startswith(b"data"):
        at.append(time.monotonic())
gaps = [b - a for a, b in zip(at, at[1:])]
print(len(at), "dripped" if len(gaps) == 4 and min(gaps) > 0.15 else gaps)
"""


class L7:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="osh-h2.", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.work, self.www = os.path.join(self.dir, "work"), os.path.join(self.dir, "www")
        os.mkdir(self.work)
        os.mkdir(self.www)
        self.n = 0
        self.certificates()
        self.files()
        self.servers()

    def certificates(self):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.dir, "ext"), "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in NAMES) + "\n")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test CA")
        openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", "leaf.pem")

    def files(self):
        self.big = os.urandom(1 << 20) * 30
        for where, name, data in ((self.www, "hello", b"two says hello\n"), (self.www, "big", self.big),
                                  (self.work, "upload", self.big), (self.work, "rpc.py", RPC_CLIENT.encode()),
                                  (self.work, "rapid.py", RAPID.encode()), (self.work, "drip.py", DRIP.encode()),
                                  (self.work, "chaos.py", CHAOS.encode())):
            with open(os.path.join(where, name), "wb") as f:
                f.write(data)
            os.chmod(os.path.join(where, name), 0o644)

    def servers(self):
        leaf, key = os.path.join(self.dir, "leaf.pem"), os.path.join(self.dir, "leaf.key")
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(leaf, key)
        self.own = Quiet(("127.0.0.1", 0), Own)
        self.own.context = ctx
        threading.Thread(target=self.own.serve_forever, args=(0.05,), daemon=True).start()
        with socket_on_any_port() as s, socket_on_any_port() as s2:
            two, short = s.getsockname()[1], s2.getsockname()[1]
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX.format(dir=self.dir, two=two, short=short, user="root"))
        self.nginx = subprocess.Popen(["nginx", "-c", conf, "-p", self.dir, "-e", os.path.join(self.dir, "nginx.err")])
        rpc = 1
        if grpc:
            self.rpc = grpc.server(ThreadPoolExecutor(8), handlers=(Handlers(),))
            cred = grpc.ssl_server_credentials([(open(key, "rb").read(), open(leaf, "rb").read())])
            rpc = self.rpc.add_secure_port("127.0.0.1:0", cred)
            self.rpc.start()
        self.hosts = os.path.join(self.dir, "hosts")
        with open(self.hosts, "w") as f:
            f.write(f"127.0.0.1:{two} two.example\n127.0.0.1:{self.own.server_port} one.example\n"
                    f"127.0.0.1:{rpc} grpc.example\n127.0.0.1:{short} short.example\n")

    def run(self, *argv, timeout=120):
        self.n += 1
        p, log = (os.path.join(self.dir, f"{w}-{self.n}") for w in ("policy", "log"))
        with open(p, "w") as f:
            f.write(POLICY)
        rc, out, err = run([os.path.join(BUILD, "oshctl"), "run", "-p", p, "--workdir", self.work, "--log", log,
                            "--upstream-hosts", self.hosts, "--upstream-ca", os.path.join(self.dir, "ca.pem"), "--", *argv],
                           timeout, cwd=self.work)
        events = World.read_log(log)
        return rc, out, err, events

    def sh(self, line, **kw):
        return self.run("sh", "-c", line, **kw)

    def close(self):
        self.nginx.terminate()
        self.nginx.wait()
        self.own.shutdown()
        self.own.server_close()
        if grpc:
            self.rpc.stop(0)
        shutil.rmtree(self.dir, ignore_errors=True)

    def access(self):
        with open(os.path.join(self.dir, "access.log")) as f:
            return f.read().splitlines()


class Handlers(grpc.GenericRpcHandler if grpc else object):
    def service(self, details):
        return Rpc().service(details)


def socket_on_any_port():
    return socket.create_server(("127.0.0.1", 0))


def versions(w):
    rc, out, err, _ = w.sh("""
for v in --http2 --http1.1; do for h in two one; do
  curl -s $v -w '%{http_version} %{http_code}\\n' https://$h.example/hello
done; done""")
    t.ok(out.split("\n")[:8] == ["two says hello", "2 200", "one says hello", "2 200", "two says hello", "1.1 200",
                                "one says hello", "1.1 200"], "curl: h2 and h1 clients, h2 and h1 upstreams", out, err)
    t.ok(all('HTTP/2.0" 200' in ln for ln in w.access()[-2:]), "the upstream that speaks HTTP/2 is asked in HTTP/2", *w.access())


def heads(w):
    Own.heads.clear()
    rc, out, err, _ = w.sh("curl -s --http2 -H 'Cookie: a=1; b=2' -H 'X-Own: v' -H 'TE: trailers' https://one.example/heads")
    got = dict(Own.heads[-1][1]) if Own.heads else {}
    t.ok(got.get("host") == "one.example" and got.get("cookie") == "a=1; b=2" and got.get("x-own") == "v"
         and "transfer-encoding" not in got and not any(k.startswith(":") for k in got),
         "h2 to h1: host from :authority, one cookie field, no framing that was not asked for", got, err)


def bodies(w):
    want = hashlib.sha256(w.big).hexdigest()
    rc, out, err, _ = w.sh("""
curl -s --http2 https://two.example/big | sha256sum
curl -s --http1.1 https://two.example/big | sha256sum
curl -s --http2 -H Expect: --data-binary @upload https://one.example/up
curl -s --http2 -T - https://one.example/up <upload
curl -s --http1.1 -H Expect: -H 'Transfer-Encoding: chunked' -T upload https://one.example/up
curl -s --http2 -H 'Expect: 100-continue' --data-binary @upload https://one.example/up
""")
    lines = out.split("\n")
    size = str(len(w.big))
    t.ok([ln.split()[0] for ln in lines[:2] if ln] == [want, want], "30 MiB down, from h2, to h2 and to h1", out, err)
    t.ok(lines[2:3] == [f"{size} {want} {size}"], "30 MiB up, h2 to h1, with its length", out, err)
    t.ok(lines[3:5] == [f"{size} {want} chunked"] * 2, "30 MiB up of unknown length", out, err)
    t.ok(lines[5:6] == [f"{size} {want} {size}"], "expect: 100-continue over h2", out, err)


def denied(w):
    rc, out, err, ev = w.sh("nghttp -v 'https://two.example/hello?1' https://two.example/denied/x 'https://two.example/hello?2' 2>&1")
    t.ok(out.count(":status: 200") == 2 and out.count(":status: 403") == 1 and out.count("two says hello") == 2,
         "one stream is denied, the others go on", out[-3000:], err)
    t.ok('"policy_denied"' in out and any(e.kind == "http" and e.denied for e in ev), "the denial has its body and its record")
    t.ok(not any("/denied" in ln for ln in w.access()), "no denied request reaches the upstream")


def load(w):
    for n, c, m, url in ((20000, 4, 32, "https://two.example/hello"), (10000, 4, 32, "https://short.example/hello"),
                         (2000, 4, 10, "https://one.example/")):
        rc, out, err, _ = w.sh(f"h2load -n {n} -c {c} -m {m} {url}", timeout=200)
        sums = [ln for ln in out.split("\n") if ln.startswith(("requests:", "status codes:", "finished"))]
        t.ok(any(f"{n} succeeded, 0 failed, 0 errored" in ln for ln in sums), f"h2load: {n} requests to {url}, none failed",
             out[-1500:], err[-500:])
        print("# " + "; ".join(sums), flush=True)


def rpc(w):
    if not grpc:
        t.skip("gRPC", "python3-grpcio is not installed")
        return
    rc, out, err, _ = w.run("/usr/bin/python3", "rpc.py")
    for want in ("unary HELLO there", "count 499500", "total 5000000", "bidi 50 quick", "error FAILED_PRECONDITION not today",
                 "deadline DEADLINE_EXCEEDED", "big 3000000", "after STILL HERE"):
        t.ok(want in out, "gRPC: " + want, out, err[-1500:])
    t.ok(Rpc.cancelled.wait(5), "gRPC: what the client gave up is cancelled upstream")


def streams(w):
    rc, out, err, _ = w.run("/usr/bin/python3", "drip.py")
    t.ok(out.strip() == "5 dripped", "events arrive one by one", out, err)
    Own.left.clear()
    rc, out, err, _ = w.sh("curl -s --http2 -m 1 https://one.example/endless | wc -c; sleep 2")
    t.ok(int(out or 0) > 1000 and Own.left, "who leaves in the middle leaves the upstream as well", out, err)


def attack(w):
    rc, out, err, ev = w.sh("/usr/bin/python3 rapid.py; curl -s --http2 https://one.example/")
    t.ok("goaway 11" in out, "a rapid reset is told to calm down", out, err)
    t.ok("one says hello" in out, "and other connections go on", out, err)
    t.ok(any(e.why == "HTTP_BAD" for e in ev), "and is on record", *[str(e) for e in ev])


def chaos(w):
    """Requests, cancels, windows and ends at random: one egress lives through all of it."""
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.1):
            seen.update(pids_of("osh-egress"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    rc, out, err, ev = w.sh("""curl -s --http2 https://two.example/hello
for i in 1 2 3; do /usr/bin/python3 chaos.py $i 6 & done; wait
curl -s --http2 https://two.example/hello""")
    over.set()
    watcher.join()
    t.ok(out.count("done") == 3 and out.count("two says hello") == 2, "random frames, cancels and ends are survived", out, err)
    t.ok(len(seen) == 1, "by the same egress", seen)


def ready(w):
    rc, out, err, _ = w.sh("true")
    if rc:
        t.skip("HTTP/2 in sandboxes", "this build refuses rules about requests: " + " ".join(err.split())[:120])
    return not rc


w = L7()
try:
    if ready(w):
        for test in (versions, heads, bodies, denied, load, rpc, streams, attack, chaos):
            test(w)
finally:
    w.close()
t.done()
