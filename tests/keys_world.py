# SPDX-License-Identifier: Apache-2.0
"""World with a server that stands for the APIs of providers, remembers what credential came, and says it back
when asked; and searches for a key in processes and files, outside and inside."""
import glob
import http.server
import json
import os
import ssl
import subprocess
import threading

from lib import ROOT
from osh import exe, pids_of
from world import World

def every_profile():
    """{type: profile}"""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "policy-compiler/profiles/*.json"))):
        with open(path) as f:
            found[os.path.basename(path)[:-5]] = json.load(f)
    return found


def profiles():
    """{type: profile}, of those that know agents."""
    return {name: p for name, p in every_profile().items() if p.get("agents")}


NAMES = sorted({"api.acme.example", "other.acme.example"} | {h for p in every_profile().values() for h in p["record"].get("hosts", [])})
OURS = ["oshctl", "oshd", "osh-front", "osh-launch", "osh-init", "osh-egress", "osh-audit"]

# Environment, command lines, memory of every process that may be read, and every file that can be opened. The key
# comes reversed on stdin, so that the search itself is not what it finds.
SEARCH = r"""
import base64, os, sys
key = sys.stdin.read().strip()[::-1].encode()
needles = [key, base64.b64encode(key)[:-4]]
found = []
def look(what, data):
    if any(n in data for n in needles):
        found.append(what)
for pid in filter(str.isdigit, os.listdir('/proc')):
    for name in ('environ', 'cmdline'):
        try: look(f'/proc/{pid}/{name}', open(f'/proc/{pid}/{name}', 'rb').read())
        except OSError: pass
    if int(pid) == os.getpid():
        continue
    try:
        mem = open(f'/proc/{pid}/mem', 'rb', 0)
        for line in open(f'/proc/{pid}/maps'):
            a, b = (int(x, 16) for x in line.split()[0].split('-'))
            try: mem.seek(a); look(f'/proc/{pid}/mem', mem.read(min(b - a, 1 << 24)))
            except (OSError, ValueError, OverflowError): pass
    except OSError: pass
for top in ('/tmp', '/run', '/sandbox', '/dev/shm', os.getcwd(), '/etc', '/var', '/dev'):
    for d, _, files in os.walk(top):
        for f in files:
            p = os.path.join(d, f)
            try:
                if os.path.isfile(p): look(p, open(p, 'rb').read(1 << 22))
            except OSError: pass
print('found', sorted(set(found)))
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        fields = {k.lower(): v for k, v in self.headers.items()}
        with self.server.lock:
            self.server.seen.append((fields.get("host", ""), self.path, fields))
        body = b"fine\n"
        if self.path == "/echo":
            body = (fields.get("x-api-key", "") + fields.get("authorization", "")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cert, key):
        self.seen, self.lock = [], threading.Lock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        request.settimeout(60)
        super().finish_request(self.context.wrap_socket(request, server_side=True), client)

    def handle_error(self, *_):
        pass


class KeysWorld(World):
    def __init__(self):
        super().__init__()

        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.write("api.ext", "subjectAltName=" + ",".join("DNS:" + n for n in NAMES) + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "api.key", "-out", "api.csr",
                "-subj", "/CN=" + NAMES[0])
        openssl("x509", "-req", "-in", "api.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "api.ext", "-out", "api.pem")
        self.api = Server(os.path.join(self.dir, "api.pem"), os.path.join(self.dir, "api.key"))
        with open(self.hosts, "a") as f:
            f.write(f"127.0.0.1:{self.api.server_port} {' '.join(NAMES)}\n")
        self.search = os.path.join(self.work, "search.py")
        with open(self.search, "w") as f:
            f.write(SEARCH)

    def agent(self, name, script):
        """A program of that name in the working directory."""
        path = os.path.join(self.work, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + script + "\n")
        os.chmod(path, 0o755)
        return path

    def came(self, field, path=None):
        with self.api.lock:
            return [f.get(field) for _, p, f in self.api.seen if path in (None, p)]

    def close(self):
        self.api.shutdown()
        self.api.server_close()
        super().close()


def memory(pid):
    """What can be read of a process' memory, with its environment and command line. It may end meanwhile."""
    data = b""
    for name in ("environ", "cmdline"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as f:
                data += f.read()
        except OSError:
            pass
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as mem, open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                a, b = (int(x, 16) for x in line.split()[0].split("-"))
                try:
                    mem.seek(a)
                    data += mem.read(min(b - a, 1 << 25))
                except (OSError, ValueError, OverflowError):
                    pass
    except OSError:
        pass
    return data


def holders(key, names=None):
    """Which of this build's processes have the key anywhere in their memory."""
    found = set()
    for name in names or OURS:
        for pid in pids_of(name):
            if key.encode() in memory(pid):
                found.add(name)
    return found


__all__ = ["KeysWorld", "every_profile", "profiles", "holders", "memory", "exe"]
