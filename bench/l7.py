# SPDX-License-Identifier: Apache-2.0
"""What the rows about requests share: an nginx upstream, an nginx as TLS-terminating reverse proxy with the same
certificate type and a verified, kept upstream leg, and a sandbox whose egress does the same. Costs are CPU time of
the proxy's process, a request; the load is h2load's."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
READ = [p for p in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl", "/etc/services") if os.path.exists(p)]
NAME = "upstream.example"
COMMON = "worker_processes 1; pid {d}/{n}.pid; error_log {d}/{n}.err; events {{ worker_connections 4096; }}\nhttp {{ access_log off; " \
         "client_body_temp_path {d}; proxy_temp_path {d}; fastcgi_temp_path {d}; uwsgi_temp_path {d}; scgi_temp_path {d};\n" \
         "keepalive_requests 100000000; keepalive_timeout 600s; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {d}/leaf.pem; " \
         "ssl_certificate_key {d}/leaf.key; ssl_session_cache shared:a:4m;\n"
UPSTREAM = COMMON + "server {{ listen 127.0.0.1:{port} ssl; root {d}/www; }} }}\n"
PROXY = COMMON + "upstream u {{ server 127.0.0.1:{up}; keepalive 256; keepalive_requests 100000000; }}\nserver {{ listen 127.0.0.1:{port} ssl http2;\n" \
    "location / {{ proxy_pass https://u; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host {name}; proxy_ssl_name {name}; " \
    "proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_trusted_certificate {d}/ca.pem; proxy_ssl_protocols TLSv1.2 TLSv1.3; }} }} }}\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def cpu_us(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1000


def egress_of(pid):
    """The osh-egress below a process of ours."""
    todo = [pid]
    while todo:
        p = todo.pop()
        try:
            if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "osh-egress":
                return p
            todo += children(p)
        except OSError:
            pass
    return None


class Rig:
    def __init__(self):
        self.d = tempfile.mkdtemp(prefix="osh-bench.", dir="/var/tmp")
        os.chmod(self.d, 0o755)
        self.procs = []
        os.makedirs(os.path.join(self.d, "www"))
        os.makedirs(os.path.join(self.d, "work"))
        with open(os.path.join(self.d, "www", "hello"), "w") as f:
            f.write("x" * 1000)
        os.chmod(os.path.join(self.d, "www"), 0o755)
        self.certificates()
        self.up, self.port = free_port(), free_port()
        self.nginx("up", UPSTREAM, port=self.up)
        self.proxy = self.nginx("px", PROXY, port=self.port, up=self.up, name=NAME)
        self.sandbox()

    def certificates(self):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.d, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        with open(os.path.join(self.d, "ext"), "w") as f:
            f.write(f"subjectAltName=DNS:{NAME}\n")
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=osh bench CA")
        openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=" + NAME)
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", "leaf.pem")

    def nginx(self, n, text, **more):
        conf = os.path.join(self.d, n + ".conf")
        with open(conf, "w") as f:
            f.write(text.format(d=self.d, n=n, **more))
        p = subprocess.Popen(["nginx", "-p", self.d, "-c", conf, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        self.procs.append(p)
        for _ in range(500):
            if children(p.pid):
                return children(p.pid)[0]
            time.sleep(0.01)
        raise RuntimeError("nginx does not start: see " + self.d)

    def sandbox(self):
        policy, hosts = os.path.join(self.d, "policy.yaml"), os.path.join(self.d, "hosts")
        with open(policy, "w") as f:
            f.write(f"version: 1\nfilesystem_policy:\n  include_workdir: true\n  read_only: [{', '.join(READ)}]\n  read_write: [/tmp]\n"
                    f"network:\n  - {{host: {NAME}, methods: [GET], paths: [/hello, '/repos/*/issues']}}\n")
        with open(hosts, "w") as f:
            f.write(f"127.0.0.1:{self.up} {NAME}\n")
        self.box = subprocess.Popen(
            [f"{BUILD}/oshctl", "run", "-p", policy, "--workdir", os.path.join(self.d, "work"), "--log", os.path.join(self.d, "log"),
             "--upstream-hosts", hosts, "--upstream-ca", os.path.join(self.d, "ca.pem"), "--",
             "sh", "-c", "while read -r c; do $c 2>&1; echo END; done"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.inside("true")
        self.load(["-n1"], True)
        self.egress = egress_of(self.box.pid) or egress_of(os.getpid())

    def inside(self, command):
        self.box.stdin.write(command + "\n")
        self.box.stdin.flush()
        out = ""
        while (line := self.box.stdout.readline()) not in ("END\n", ""):
            out += line
        return out

    def load(self, options, osh):
        """CPU microseconds of the proxy for each request."""
        n = int(re.search(r"-n ?(\d+)", " ".join(options)).group(1))
        url = f"https://{NAME}:443/hello" if osh else f"https://127.0.0.1:{self.port}/hello"
        command = ["h2load", *options, url]
        pid = getattr(self, "egress", None) if osh else self.proxy
        before = cpu_us(pid) if pid else 0
        out = self.inside(" ".join(command)) if osh else subprocess.run(command, capture_output=True, text=True).stdout
        took = (cpu_us(pid) if pid else 0) - before
        if f" {n} succeeded" not in out or f"{n} 2xx" not in out:
            raise RuntimeError("not every request was answered: " + out[-800:])
        return took / n

    def close(self):
        if getattr(self, "box", None):
            self.box.stdin.close()
            self.box.wait(30)
        for p in self.procs:
            p.terminate()
            p.wait()
        shutil.rmtree(self.d, ignore_errors=True)


def row(options, at_most):
    rounds = max(8, int(sys.argv[1]) // 3)
    for tool in ("nginx", "h2load", "openssl"):
        if not shutil.which(tool):
            print(f"{tool} is not installed")
            return 77
    if os.geteuid():
        print("needs root")
        return 77
    rig = Rig()
    try:
        print("a osh-egress, TLS on both legs, every request judged\nb nginx, TLS on both legs\n"
              f"max {at_most}\nunit us of CPU a request", flush=True)
        for i in range(rounds + 2):
            a, b = rig.load(options, True), rig.load(options, False)
            if i >= 2:
                print(f"A {a}\nB {b}", flush=True)
    finally:
        rig.close()
    return 0
