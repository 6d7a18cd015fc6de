#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Agents' own programs, as npm installs them, under their presets: each starts in a sandbox, sends its first request with the key of the
caller's environment, which it never had, to a stand-in of its API, and tells the user what that answered. Where one is not installed it is
skipped. OSH_AGENTS names a prefix of npm (`npm install -g --prefix DIR PACKAGE...`), which then stands for /usr/local; without
it those of /usr/local and /usr are meant."""
import ctypes
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import http.server

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import OSHCTL  # noqa: E402
from world import World  # noqa: E402

LIMIT = 300
SAYS = "this stand-in serves nobody"
KEYS = {"ANTHROPIC_API_KEY": "sk-ant-api03-4eC39HqLyjWDarjtT1zdp7dcQ0Vx", "OPENAI_API_KEY": "sk-proj-9fJ2kQmZr8sLwXv3TnBc5YpHdEaG",
        "GEMINI_API_KEY": "AIzaSyD4eC39HqLyjWDarjtT1zdp7dcQ0VxKq0", "COPILOT_GITHUB_TOKEN": "github_pat_11AAAAAAA04eC39HqLyjWDarjtT1zd"}
# program, preset, variable of its key, where the key comes, the host that is to get it, how it is asked one thing. Codex asks for a
# websocket, and says that it did not get one.
AGENTS = [
    ("claude", "claude_code", "ANTHROPIC_API_KEY", "x-api-key", "api.anthropic.com", ["-p", "hello"]),
    ("codex", "codex", "OPENAI_API_KEY", "authorization", "api.openai.com",
     ["exec", "--sandbox", "danger-full-access", "--skip-git-repo-check", "hello"]),
    ("gemini", "gemini", "GEMINI_API_KEY", "x-goog-api-key", "generativelanguage.googleapis.com", ["--skip-trust", "-p", "hello"]),
    ("opencode", "opencode", "ANTHROPIC_API_KEY", "x-api-key", "api.anthropic.com", ["run", "-m", "anthropic/claude-sonnet-4-5", "hello"]),
    ("copilot", "copilot", "COPILOT_GITHUB_TOKEN", "authorization", "api.github.com", ["-p", "hello"]),
]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {k.lower(): v for k, v in self.headers.items()}
        with self.server.lock:
            self.server.seen.append((self.command, fields.get("host", ""), self.path, fields))
        body = json.dumps({"type": "error", "message": SAYS, "error": {"type": "invalid_request_error", "code": 400, "status": "INVALID_ARGUMENT",
                                                                        "message": SAYS}}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_HEAD = do_PATCH = do_GET


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context):
        self.seen, self.lock, self.context = [], threading.Lock(), context
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        request.settimeout(120)
        super().finish_request(self.context.wrap_socket(request, server_side=True), client)

    def handle_error(self, *_):
        pass


def preset(name):
    return subprocess.run([os.path.join(BUILD, "oshctl"), "policy", "preset", name], stdout=subprocess.PIPE, text=True, check=True).stdout


def hosts_of(text):
    return [ln.split("host:")[1].split(",")[0].strip() for ln in text.splitlines() if "- {host:" in ln]


class AgentWorld(World):
    def __init__(self):
        super().__init__()
        names = sorted({h for _, p, *_ in AGENTS for h in hosts_of(preset(p))})

        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.write("apis.ext", "subjectAltName=" + ",".join("DNS:" + n for n in names) + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "apis.key", "-out", "apis.csr", "-subj", "/CN=apis")
        openssl("x509", "-req", "-in", "apis.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "apis.ext",
                "-out", "apis.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.dir, "apis.pem"), os.path.join(self.dir, "apis.key"))
        self.apis = Upstream(context)
        with open(self.hosts, "a") as f:
            f.write(f"127.0.0.1:{self.apis.server_port} {' '.join(names)}\n")

    def close(self):
        self.apis.shutdown()
        self.apis.server_close()
        super().close()


def installed():
    """From here on /usr/local is that prefix, for this process and what it starts."""
    prefix = os.environ.get("OSH_AGENTS")
    if prefix and not os.geteuid():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x20000) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        for args in (["--make-rprivate", "/"], ["--bind", prefix, "/usr/local"]):
            subprocess.run(["mount", *args], check=True)


def told(program, text):
    return SAYS in text or (program == "codex" and "ERROR" in text)


def one(t, w, program, policy, variable, field, host, ask):
    path = next((p for p in (f"/usr/local/bin/{program}", f"/usr/bin/{program}") if os.path.exists(p)), None)
    if not path:
        t.skip(program, "it is not installed (OSH_AGENTS names a prefix of npm)")
        return
    text, key = preset(policy), KEYS[variable]
    r = w.run(text, [path, "--version"], timeout=LIMIT)
    t.ok(r.rc == 0 and any(c.isdigit() for c in r.out), f"{program}: starts under its preset", r)
    print(f"# {program}: {(r.out + r.err).strip().splitlines()[:1]}", flush=True)
    w.apis.seen.clear()
    r = w.run(text, [path, *ask], timeout=LIMIT, env={variable: key})
    with w.apis.lock:
        seen = list(w.apis.seen)
    got = [(m, h, p.split("?")[0], f.get(field, "")) for m, h, p, f in seen]
    t.ok(any(h == host and key in v for _, h, _, v in got), f"{program}: the key of the caller's environment comes to {host}", got, r)
    t.ok(all(key not in str(f) for _, h, _, f in seen if h not in hosts_of(text)), f"{program}: and to nobody else", got)
    t.ok(f"{variable} stays outside" in r.err and key not in r.out, f"{program}: it never had it", r)
    t.ok(told(program, r.out + r.err), f"{program}: it tells the user what the API answered", r)
    w.apis.seen.clear()
    rc, out, err = run([OSHCTL, "run", "--socket", w.daemon.bus, "-w", w.work, "--", path, *ask], LIMIT, env={**os.environ, variable: key}, cwd=w.work)
    with w.apis.lock:
        came = any(h == host and key in f.get(field, "") for _, h, _, f in w.apis.seen)
    t.ok(came and told(program, out + err), f"{program}: without a policy the key brings what the agent needs", rc, out[-1500:], err[-1500:])
    denied = sorted({e.name for e in r.events if e.denied and e.kind in ("dns", "connect") and e.name})
    print(f"# {program}: asked {sorted({(m, h, p) for m, h, p, _ in got})}; refused {denied}", flush=True)


def main():
    t = Tap()
    if not shutil.which("openssl"):
        t.skip("agents", "no openssl")
        t.done()
    installed()
    with AgentWorld() as w, w.resident():
        for agent in AGENTS:
            if not sys.argv[1:] or agent[0] in sys.argv[1:]:
                one(t, w, *agent)
    t.done()


if __name__ == "__main__":
    main()
