# SPDX-License-Identifier: Apache-2.0
"""A small internet on the loopback for the demo, the red team and the end-to-end tests: a test CA,
web servers on IPv4 and IPv6 under stand-in names (`--upstream-hosts`), canaries that count what
reaches them, and `run()`, which starts a command under a policy and reads its log.
"""
import contextlib
import functools
import http.server
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time

from lib import BUILD, ROOT, run
from osh import Daemon

STAGE = bool(os.environ.get("OSH_STAGE"))    # tests/redteam/stage.py: the ports are ours, and the ones that the world uses
NAMES = ["allowed.example", "denied.example", "git.example", "registry.example", "v4.example", "v6.example",
         "api.wild.example", "plain.example"]
SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/etc/nsswitch.conf",
          "/etc/passwd", "/etc/group", "/etc/ssl"]


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("http://"):     # as its proxy
            self.path = "/" + self.path.split("/", 3)[3]
        self.server.seen.append((self.headers.get("Host", ""), self.path))
        method = self.headers.get("X-HTTP-Method-Override", self.command)
        if method != "GET":
            self.say(f"done {method}\n".encode())
        elif self.path == "/hello":
            self.say(b"hello from outside\n")
        elif self.path.startswith("/echo"):     # as a server's error page repeats what it was sent
            self.say(f"key {self.headers.get('x-api-key')} path {self.path}\n".encode())
        else:
            super().do_GET()

    def do_other(self):
        self.server.seen.append((self.headers.get("Host", ""), self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("User-Agent") == "elsewhere" and self.headers["Host"].startswith("allowed"):
            self.send_response(307)
            self.send_header("Location", "https://denied.example" + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.say(f"done {self.command}\n".encode())

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_PROPFIND = do_other


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def __init__(self, family, address, port, directory, context):
        self.address_family = family
        self.seen = []
        self.context = context
        super().__init__((address, port), functools.partial(Handler, directory=directory))
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        request.settimeout(120)
        if self.context:          # in the connection's own thread: a slow client stops nobody else
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, *_):
        pass


class Canary:
    """Counts TCP connections and datagrams that reach a port of the host. Nothing ever should."""

    def __init__(self):
        self.tcp = self.udp = 0
        self.t = socket.create_server(("0.0.0.0", 0))
        self.port = self.t.getsockname()[1]
        self.u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.u.bind(("0.0.0.0", self.port))
        for f in (self._tcp, self._udp):
            threading.Thread(target=f, daemon=True).start()

    def _tcp(self):
        while True:
            try:
                self.t.accept()[0].close()
            except OSError:
                return
            self.tcp += 1

    def _udp(self):
        while True:
            try:
                self.u.recvfrom(4096)
            except OSError:
                return
            self.udp += 1

    def counts(self):
        time.sleep(0.05)
        return self.tcp, self.udp


class Resolver:
    """A DNS server of the host that answers every question, over UDP and TCP. None inside may reach it."""

    def __init__(self):
        self.t = socket.create_server(("0.0.0.0", 53 if STAGE else 0))
        self.port = self.t.getsockname()[1]
        self.u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.u.bind(("0.0.0.0", self.port))
        for f in (self._tcp, self._udp):
            threading.Thread(target=f, daemon=True).start()

    @staticmethod
    def answer(q):
        """One record of the type asked for, which says nothing, or that the name is this machine."""
        end = 12
        while end < len(q) and q[end]:
            end += 1 + q[end]
        kind, first = q[end + 1:end + 3], q[12:end + 5]
        data = b"\0" * 15 + b"\1" if kind == b"\0\x1c" else b"\x7f\0\0\1"
        return (q[:2] + b"\x84\0\0\1\0\1\0\0\0\0" + first + b"\xc0\x0c" + kind + b"\0\1\0\0\0\0\0" + bytes([len(data)]) + data)

    def _tcp(self):
        while True:
            try:
                with self.t.accept()[0] as s:
                    a = self.answer(s.recv(4096)[2:])
                    s.sendall(len(a).to_bytes(2, "big") + a)
            except OSError:
                if self.t.fileno() < 0:
                    return

    def _udp(self):
        while True:
            try:
                q, who = self.u.recvfrom(4096)
                self.u.sendto(self.answer(q), who)
            except OSError:
                if self.u.fileno() < 0:
                    return


def host_address():
    """An IPv4 address of this machine that is not loopback, else 127.0.0.1. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


class Event(dict):
    """One line of --log. kind and why are the ABI's words ("connect", "DEST_UNKNOWN")."""

    def __init__(self, obj):
        super().__init__(obj)
        extra = obj.get("osh", {})
        self.kind = extra.get("event", "")
        self.why = extra.get("reason", "")
        self.denied = extra.get("verdict", "") == "denied"
        self.name = obj.get("query", {}).get("hostname", "") or obj.get("dst_endpoint", {}).get("hostname", "")

    def __str__(self):
        return f"{self.kind}/{self.why}"


class Result:
    def __init__(self, rc, out, err, events):
        self.rc, self.out, self.err, self.events = rc, out, err, events

    def has(self, kind, why):
        return any(e.kind == kind and e.why == why for e in self.events)

    def __str__(self):
        ev = "".join(f"\n  {e} {e.name} {e.get('actor', {}).get('process', {}).get('name', '')} aux {e.get('osh', {}).get('aux')}" for e in self.events[-15:])
        return f"exit status {self.rc}\nstdout: {self.out[-1500:]}\nstderr: {self.err[-1500:]}\nevents: {ev}"


class World:
    def __init__(self):
        base = "/var/tmp" if os.path.isdir("/var/tmp") else None     # not /tmp: the sandbox has its own
        self.dir = tempfile.mkdtemp(prefix="osh-world.", dir=base)
        os.chmod(self.dir, 0o755)
        self.work = os.path.join(self.dir, "work")
        self.www = os.path.join(self.dir, "www")
        for d in (self.work, os.path.join(self.www, "pub", "private"), os.path.join(self.dir, "home", ".ssh")):
            os.makedirs(d)
        for name, text in (("pub/page", "the public page\n"), ("pub/private/page", "the private page\n")):
            with open(os.path.join(self.www, name), "w") as f:
                f.write(text)
        self.secret = os.path.join(self.dir, "home", ".ssh", "id_ed25519")
        with open(self.secret, "w") as f:
            f.write("not a real key\n")
        self.attempt = os.path.join(self.work, "attempt")
        shutil.copy(os.path.join(BUILD, "tests/tools/attempt"), self.attempt)
        self.procs = []
        self.daemon = None
        self._certificates()
        self._servers()
        self.canary, self.dns = Canary(), Resolver()
        self.address = host_address()
        self.outsider = self.spawn(["sleep", "1000"]).pid
        self.n = 0

    # -- servers ---------------------------------------------------------------------------------
    def _certificates(self):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.dir, "leaf.ext"), "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in NAMES) + "\n")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=osh test CA")
        openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=allowed.example")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "leaf.ext", "-out", "leaf.pem")
        self.anchor = os.path.join(self.dir, "ca.pem")      # the operator's, where the egress opens TLS
        self.ca = os.path.join(self.work, "ca.pem")
        shutil.copy(os.path.join(self.dir, "ca.pem"), self.ca)

    def _servers(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.path.join(self.dir, "leaf.pem"), os.path.join(self.dir, "leaf.key"))
        here = "0.0.0.0" if STAGE else "127.0.0.1"
        self.tls4 = Server(socket.AF_INET, here, 443 if STAGE else 0, self.www, tls)
        self.tls6 = Server(socket.AF_INET6, "::" if STAGE else "::1", 443 if STAGE else 0, self.www, tls)
        self.plain = Server(socket.AF_INET, here, 80 if STAGE else 0, self.www, None)
        self.more = [Server(socket.AF_INET6, "::", 80, self.www, None), Server(socket.AF_INET, here, 853, self.www, tls)] if STAGE else []
        four, six = (f"127.0.0.1:{self.tls4.server_port}", f"[::1]:{self.tls6.server_port}")
        lines = [f"{four} {n}" for n in NAMES if n not in ("v6.example", "plain.example")]
        lines += [f"{six} v6.example", f"127.0.0.1:{self.plain.server_port} plain.example"]
        self.hosts = os.path.join(self.dir, "hosts")
        with open(self.hosts, "w") as f:
            f.write("\n".join(lines) + "\n")

    def git_repository(self):
        """www/repo.git, readable over plain file transfer."""
        src, dst = os.path.join(self.dir, "src"), os.path.join(self.www, "repo.git")
        env = dict(os.environ, HOME=self.dir, GIT_CONFIG_NOSYSTEM="1")
        for cmd in (["git", "init", "-q", "-b", "main", src],
                    ["git", "-C", src, "-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "--allow-empty", "-m", "one"],
                    ["git", "clone", "-q", "--bare", src, dst], ["git", "-C", dst, "update-server-info"]):
            subprocess.run(cmd, check=True, env=env, stdin=subprocess.DEVNULL)

    def npm_package(self, name="osh-stand-in"):
        """A registry with one package, as npm reads it."""
        d = os.path.join(self.www, "npm")
        os.makedirs(d, exist_ok=True)
        tgz = os.path.join(d, name + "-1.0.0.tgz")
        with tarfile.open(tgz, "w:gz") as t:
            body = json.dumps({"name": name, "version": "1.0.0", "main": "i.js"}).encode()
            for path, data in (("package/package.json", body), ("package/i.js", b"module.exports = 42\n")):
                info = tarfile.TarInfo(path)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
        url = f"https://registry.example/npm/{name}-1.0.0.tgz"
        with open(os.path.join(self.www, name), "w") as f:
            json.dump({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {
                "1.0.0": {"name": name, "version": "1.0.0", "dist": {"tarball": url}}}}, f)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def requests(self):
        return self.tls4.seen + self.tls6.seen + self.plain.seen

    def spawn(self, argv):
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.procs.append(p)
        return p

    # -- sandboxes -------------------------------------------------------------------------------
    @staticmethod
    def policy(rules, more="", deny=None, read_only=()):
        """Text of a policy: system directories read only, the working directory, `rules` by rule()."""
        ro = ", ".join(p for p in [*SYSTEM, *read_only] if os.path.exists(p))
        lines = rules.splitlines(keepends=True)
        short = "".join(ln for ln in lines if ln.startswith("  - "))
        named = "".join(ln for ln in lines if not ln.startswith("  - "))
        return (f"version: 1\nfilesystem_policy:\n  include_workdir: true\n  read_only: [{ro}]\n  read_write: [/tmp, /dev/null]\n" + (f"  deny: [{deny}]\n" if deny else "")
                + ("network:\n" + short if short else "") + ("network_policies:\n" + named if named else "") + more)

    def run(self, policy, argv, timeout=200, options=(), env=None):
        self.n += 1
        if self.daemon:
            where = ["--socket", self.daemon.bus]
        else:
            where = ["--upstream-hosts", self.hosts, "--upstream-ca", self.anchor]
        p, log = (os.path.join(self.dir, f"{what}-{self.n}") for what in ("policy.yaml", "log.jsonl"))
        with open(p, "w") as f:
            f.write(policy)
        rc, out, err = run([os.path.join(BUILD, "oshctl"), "run", "-p", p, "--workdir", self.work, "--log", log,
                            *where, *options, "--", *argv], timeout, env=dict(os.environ, **(env or {})), cwd=self.work)
        return Result(rc, out, err, self.read_log(log))

    @contextlib.contextmanager
    def resident(self, env=None):
        """run() inside uses a resident oshd of this world, which starts sandboxes in milliseconds."""
        with Daemon(self, "--upstream-hosts", self.hosts, "--upstream-ca", self.anchor, env=env) as self.daemon:
            yield self.daemon
        self.daemon = None
        shutil.rmtree(os.path.join(self.dir, "state"), ignore_errors=True)

    @staticmethod
    def read_log(path):
        events = []
        if os.path.exists(path):
            with open(path, errors="replace") as f:
                for line in f:
                    events.append(Event(json.loads(line)))
        return events

    def close(self):
        for p in self.procs:
            p.kill()
            p.wait()
        for s in (self.tls4, self.tls6, self.plain, *self.more):
            s.shutdown()
            s.server_close()
        for s in (self.canary, self.dns):
            s.t.close()
            s.u.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def rule(name, hosts, binaries=()):
    """YAML of one network policy: hosts are "name" or "name:port"; no binaries: any program, the short form."""
    pairs = [h.rsplit(":", 1) if ":" in h else (h, 443) for h in hosts]
    ends = ", ".join(f"{{host: '{h}', port: {p}}}" for h, p in pairs)
    if not binaries:
        return "".join(f"  - {{host: '{h}', ports: [{p}]}}\n" for h, p in pairs)
    bins = "    binaries: [" + ", ".join("{path: %s}" % b for b in binaries) + "]\n"
    return f"  {name}:\n    endpoints: [{ends}]\n{bins}"


__all__ = ["World", "Result", "Event", "rule", "ROOT", "BUILD", "NAMES"]
