#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Requests through the egress against other proxies that end TLS on both legs, in the same run.

`bench/l7.py ROW ROUNDS`. Everybody talks to the same upstream (nginx, TLS, keep-alive, verified), is loaded by
the same wrk, and is measured by the kernel's count of its own processor time (/proc/PID/schedstat), so a busy
machine slows all alike. The load for the egress comes out of a sandbox, as it does in life.
"""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from osh import Daemon, pids_of, until  # noqa: E402

HOST = "bench.example"
CLIENTS = 32
READ = [p for p in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl", "/etc/passwd", "/etc/nsswitch.conf")
        if os.path.exists(p)]
NGINX = """worker_processes 1; daemon off; pid {d}/{name}.pid; error_log {d}/{name}.err;
events {{ worker_connections 4096; }}
http {{ access_log {log}; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3; uwsgi_temp_path {d}/t4; scgi_temp_path {d}/t5;
  ssl_certificate {d}/leaf.pem; ssl_certificate_key {d}/leaf.key; ssl_protocols TLSv1.2 TLSv1.3;
  {more} }}
"""
SERVE = """server { listen 127.0.0.1:%d ssl; location / { return 200 "hello from the upstream of the bench\\n"; } }"""
PROXY = """upstream up { server 127.0.0.1:%d; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }
  server { listen 127.0.0.1:%d ssl; location / { proxy_pass https://up; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host %s; proxy_ssl_verify on; proxy_ssl_trusted_certificate %s; proxy_ssl_name %s; proxy_ssl_server_name on; } }"""


def cannot(why):
    print(why)
    sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def cpu_us(pids):
    """Processor time of all threads, in microseconds."""
    ns = 0
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
                ns += int(f.read().split()[0])
    return ns / 1000


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(c) for c in f.read().split()]


class Rig:
    def __init__(self):
        for tool in ("nginx", "wrk", "openssl"):
            if not shutil.which(tool) and not os.path.exists(f"/usr/sbin/{tool}"):
                cannot(f"{tool} is not installed")
        if os.geteuid():
            cannot("wants root")
        self.dir = tempfile.mkdtemp(prefix="osh-bench.", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.work = os.path.join(self.dir, "work")
        os.mkdir(self.work)
        self.procs = []
        self.certificates()
        self.up = free_port()
        self.nginx("upstream", "off", SERVE % self.up, self.up)
        self.hosts = self.write("hosts", f"127.0.0.1:{self.up} {HOST}\n")
        self.policy = self.write("policy.yaml", "version: 1\nfilesystem_policy:\n  include_workdir: true\n"
                                 f"  read_only: [{', '.join(READ)}]\n  read_write: [/tmp, /dev/null]\nnetwork_policies:\n  bench:\n"
                                 f"    endpoints: [{{host: {HOST}, port: 443, protocol: rest, access: read-only}}]\n"
                                 "    binaries: [{path: /usr/bin/wrk}, {path: /usr/bin/python3*}]\n")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def certificates(self):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.write("leaf.ext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1\n")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bench CA")
        openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={HOST}")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "leaf.ext", "-out", "leaf.pem")
        self.ca = os.path.join(self.dir, "ca.pem")

    def spawn(self, argv, port):
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.dir)
        self.procs.append(p)
        if not until(lambda: listening(port), 20):
            sys.exit(f"{argv[0]} does not listen")
        return p

    def nginx(self, name, log, more, port):
        conf = self.write(name + ".conf", NGINX.format(d=self.dir, name=name, log=log, more=more))
        return self.spawn(["nginx", "-e", os.path.join(self.dir, name + ".err"), "-c", conf], port)

    def close(self):
        for p in self.procs:
            p.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Load:
    """One wrk block: requests done, p50 in microseconds."""

    def __init__(self, out):
        done = re.search(r"(\d+) requests in", out)
        p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", out)
        if not done or not int(done.group(1)) or "Non-2xx" in out or "Socket errors" in out:
            sys.exit(f"wrk: {out[-600:]}")
        self.n = int(done.group(1))
        self.p50 = float(p50.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6}[p50.group(2)] if p50 else 0


def wrk(port, clients, close, seconds):
    url = f"https://{HOST}:443/" if port == 443 else f"https://127.0.0.1:{port}/"
    return ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "20s", *(["-H", "Connection: close"] if close else []), url]


class Peer:
    """A proxy of its own, loaded from outside."""

    def __init__(self, rig, port, pids):
        self.rig, self.port, self.pids = rig, port, pids

    def block(self, clients, close, seconds=1):
        before = cpu_us(self.pids)
        load = Load(subprocess.run(wrk(self.port, clients, close, seconds), capture_output=True, text=True, check=True).stdout)
        load.cpu = (cpu_us(self.pids) - before) / load.n
        return load


class Egress:
    """A sandbox that lives as long as the row; wrk is started in it on a line of its stdin."""

    def __init__(self, rig, stack):
        stack.enter_context(Daemon(rig, "--upstream-hosts", rig.hosts, "--upstream-ca", rig.ca))
        sock = os.path.join(rig.dir, "state", "bus")
        script = "while read -r line; do sh -c \"$line\" 2>&1; echo ==; done"
        self.p = subprocess.Popen([os.path.join(ROOT, "build/oshctl"), "run", "-p", rig.policy, "--workdir", rig.work, "--socket", sock,
                                   "--log", os.path.join(rig.dir, "log"), "--", "/bin/sh", "-c", script],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(self.end)
        Load(self.tell(f"wrk -t1 -c1 -d1s https://{HOST}:443/"))
        self.pids = pids_of("osh-egress")[-1:]
        self.audit = pids_of("osh-audit")[-1:]
        if not self.pids:
            sys.exit("no osh-egress")

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)

    def tell(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        out = []
        for got in self.p.stdout:
            if got == "==\n":
                return "".join(out)
            out.append(got)
        sys.exit("the sandbox ended: " + "".join(out)[-600:])

    def block(self, clients, close, seconds=1):
        before, audit = cpu_us(self.pids), cpu_us(self.audit)
        line = " ".join("'" + a + "'" for a in wrk(443, clients, close, seconds))
        load = Load(self.tell(line))
        load.cpu = (cpu_us(self.pids) - before) / load.n
        load.audit = (cpu_us(self.audit) - audit) / load.n
        return load


def nginx_peer(rig):
    port = free_port()
    p = rig.nginx("proxy", os.path.join(rig.dir, "access.log"), PROXY % (rig.up, port, HOST, rig.ca, HOST), port)
    return Peer(rig, port, children(p.pid))


def mitm_peer(rig):
    if not shutil.which("mitmdump"):
        cannot("mitmdump is not installed")
    port = free_port()
    p = rig.spawn(["mitmdump", "-q", "--mode", f"reverse:https://127.0.0.1:{rig.up}", "--listen-host", "127.0.0.1", "-p", str(port),
                   "--set", "upstream_cert=false", "--set", f"confdir={rig.dir}/mitm", "--set", f"ssl_verify_upstream_trusted_ca={rig.ca}"], port)
    return Peer(rig, port, [p.pid])


def smaps(pid):
    """Private_Dirty and PSS in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    return tuple(int(re.search(key + r":\s+(\d+)", text).group(1)) for key in ("Private_Dirty", "Pss"))


def ratio(a, b, unit, most, notes=()):
    print(f"a {a}\nb {b}\nunit {unit}\nmax {most}")
    for n in notes:
        print("note", n)


def per_request(ours, peer, rounds, close, name, most, clients=CLIENTS, seconds=1):
    ratio(f"osh-egress, processor time per {'connection' if close else 'request'}", f"{name}, the same load", "us", most)
    audit = []
    for i in range(rounds + 1):
        a, b = ours.block(clients, close, seconds), peer.block(clients, close, seconds)
        if i:
            print(f"A {a.cpu}\nB {b.cpu}", flush=True)
            audit.append(a.audit)
    print(f"note osh-audit beside it: {sorted(audit)[len(audit) // 2]:.1f} us each; nginx writes its access log itself")


def latency(rig, ours, peer, rounds):
    ratio("osh-egress, p50 added to the direct way, one client", "nginx, the same", "us", 1.2)
    direct = Peer(rig, rig.up, [])
    for i in range(rounds + 1):
        a, b, d = ours.block(1, False).p50, peer.block(1, False).p50, direct.block(1, False).p50
        if i:
            print(f"A {a - d}\nB {b - d}", flush=True)


# Holds TLS connections that have had one request each, until a file goes away.
HOLD = """import os, socket, ssl, time
c = ssl.create_default_context()
held = []
for i in range(%d):
    s = c.wrap_socket(socket.create_connection(('%s', 443)), server_hostname='%s')
    s.sendall(b'GET / HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n')
    s.recv(4096)
    held.append(s)
open('held', 'w').close()
while os.path.exists('held'):
    time.sleep(0.1)
"""


def memory(rig, ours):
    """Both at rest: alone, and what each of many idle TLS connections adds."""
    pid, n, flag = ours.pids[0], 300, os.path.join(rig.work, "held")
    before = smaps(pid)
    print(f"note alone: Private_Dirty {before[0]} KiB (at most 4096), PSS {before[1]} KiB (at most 8192)")
    ratio("osh-egress, Private_Dirty for each idle connection", "what is allowed", "KiB", 1)
    with open(os.path.join(rig.work, "hold.py"), "w") as f:
        f.write(HOLD % (n, HOST, HOST, HOST))
    ours.tell("/usr/bin/python3 hold.py >hold.out 2>&1 &")
    if not until(lambda: os.path.exists(flag), 60):
        sys.exit(open(os.path.join(rig.work, "hold.out")).read())
    time.sleep(1)
    for _ in range(3):
        print(f"A {(smaps(pid)[0] - before[0]) / n}\nB 40")
    os.unlink(flag)


ROWS = {
    "requests": lambda r, a, n: per_request(a, nginx_peer(r), n, False, "nginx", 1.25),
    "connections": lambda r, a, n: per_request(a, nginx_peer(r), n, True, "nginx", 1.25),
    "mitmproxy": lambda r, a, n: per_request(a, mitm_peer(r), min(n, 5), False, "mitmproxy", 0.1, 4, 4),
    "latency": lambda r, a, n: latency(r, a, nginx_peer(r), n),
    "memory": lambda r, a, n: memory(r, a),
}


def main():
    rounds = max(3, min(int(sys.argv[2]), 60) // 4)
    rig = Rig()
    try:
        with contextlib.ExitStack() as stack:
            time.sleep(0.1)
            ROWS[sys.argv[1]](rig, Egress(rig, stack), rounds)
    finally:
        rig.close()


main()
