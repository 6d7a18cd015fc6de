#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A reload that names addresses and programs of a writable tree which the start did not know: routes come
before the flip and go after it, files are opened in the sandbox's view, nothing that was laid there leads
elsewhere, and what both policies allow never fails."""
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, kill, pids_of, proc  # noqa: E402

if os.environ.get("REACH_NET") != "own":    # addresses of its own, on a loopback of its own
    if os.getuid():
        print("1..0 # SKIP needs root")
        sys.exit(77)
    os.environ["REACH_NET"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])

BOTH, NEXT = "10.77.0.7", "10.77.0.8"
AGENT = """
import os, shutil, socket, subprocess, sys, time
def tcp(host):
    try:
        with socket.create_connection((host, 80), timeout=10) as s:
            s.settimeout(10)
            s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
            return s.recv(12).decode().split()[1]
    except OSError as e:
        return type(e).__name__
def tool(name, host):
    r = subprocess.run(['./' + name, '-c', 'exec 3<>/dev/tcp/%s/80' % host], capture_output=True)
    return 'ok' if r.returncode == 0 else 'denied'
def loop(seconds, host):
    end, seen = time.monotonic() + float(seconds), set()
    while time.monotonic() < end:
        seen.add(tcp(host))
    return sorted(seen)
def replace(name):
    shutil.copy('/usr/bin/bash', 'new')
    os.rename('new', name)
    return 'replaced'
def link(to, name):
    os.symlink(to, name)
    return 'linked'
held = []
def hold(name):
    held.append(open(name, 'r+b'))
    return 'held'
def let_go():
    held.clear()
    return 'let go'
for line in sys.stdin:
    w = line.split()
    print(globals()[w[0]](*w[1:]), flush=True)
"""


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def policy(work, hosts, programs=(os.path.realpath("/usr/bin/python3"),)):
    text = BASE_POLICY
    if not hosts:
        return text
    binaries = ", ".join("{path: %s}" % (p if p.startswith("/") else os.path.join(work, p)) for p in programs)
    points = ", ".join("{host: %s, port: 80, allowed_ips: [%s]}" % (h, h) for h in hosts)
    return text + f"network_policies:\n  x:\n    endpoints: [{points}]\n    binaries: [{binaries}]\n"


class Sandbox:
    def __init__(self, w, d, name, text):
        self.w, self.d, self.name, self.n = w, d, name, 0
        before = set(pids_of("osh-init"))
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.write(name + ".yaml", text), "--name", name,
                                   "--workdir", w.work, "--", "python3", "-u", "-c", AGENT], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ask("let_go")
        self.init = (set(pids_of("osh-init")) - before).pop()

    def tell(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        self.p.stdin.flush()

    def hear(self):
        return self.p.stdout.readline().strip()

    def ask(self, *words):
        self.tell(*words)
        return self.hear()

    def set(self, hosts, *programs):
        self.n += 1
        path = self.w.write(f"{self.name}-{self.n}.yaml", policy(self.w.work, hosts, *programs))
        rc, out, err = run([OSHCTL, "policy", "set", self.name, "-p", path, "--wait", "--socket", self.d.bus], 30)
        return rc, err

    def routes(self):
        out = subprocess.run(["nsenter", f"--net=/proc/{self.init}/ns/net", "ip", "route", "show", "table", "local"],
                             capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"local (10\.77\.0\.\d+) ", out))

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)


def routes(t, w, d):
    s = Sandbox(w, d, "routes", policy(w.work, []))
    t.ok(s.ask("tcp", BOTH) == "PermissionError" and s.routes() == set(), "no endpoint: denied, and no route")
    rc, err = s.set([BOTH])
    t.ok(rc == 0 and s.ask("tcp", BOTH) == "200", "the first address of all is reached after a reload", err, d.errors())
    t.ok(s.ask("tcp", NEXT) == "PermissionError" and s.routes() == {BOTH}, "and no other")
    s.tell("loop", 4, BOTH)
    bad = [r for r in (s.set([BOTH, NEXT] if i % 2 else [NEXT, BOTH] if i % 3 else [BOTH]) for i in range(24)) if r[0]]
    seen = s.hear()
    t.ok(not bad and seen == "['200']", "24 reloads under traffic: what every policy allows never fails", bad[:1], seen)
    rc, err = s.set([NEXT])
    t.ok(rc == 0 and s.routes() == {NEXT}, "the route of the old policy alone has gone at the answer", err, s.routes())
    t.ok(s.ask("tcp", NEXT) == "200" and s.ask("tcp", BOTH) == "PermissionError", "and what it led to is denied")
    rc, err = s.set([])
    t.ok(rc == 0 and s.routes() == set() and s.ask("tcp", NEXT) == "PermissionError", "back to nothing", err, s.routes())
    rc, err = s.set(["10.77.0.0/28"])
    t.ok(rc == 0 and s.ask("tcp", BOTH) == s.ask("tcp", NEXT) == "200", "a network", err, d.errors())
    s.end()


def programs(t, w, d):
    env = "/usr/bin/env"
    s = Sandbox(w, d, "programs", policy(w.work, [BOTH], [env]))
    for name in ("tool", "other"):
        s.ask("replace", name)
    t.ok(s.ask("tool", "tool", BOTH) == "denied", "a program of the working directory that is not listed: denied")
    rc, err = s.set([BOTH], [env, "tool"])
    t.ok(rc == 0 and s.ask("tool", "tool", BOTH) == "ok", "listed by a reload: it connects", err, d.errors())
    t.ok(s.ask("tool", "other", BOTH) == "denied", "another is denied")
    rc, err = s.set([BOTH], [env])
    t.ok(rc == 0 and s.ask("tool", "tool", BOTH) == "denied", "listed no more: denied", err)
    rc, err = s.set([BOTH], [env, "tool"])
    t.ok(rc == 0 and s.ask("tool", "tool", BOTH) == "ok", "and listed again", err)
    s.ask("replace", "tool")
    t.ok(s.ask("tool", "tool", BOTH) == "denied", "another file in its place is another program")
    rc, err = s.set([BOTH], [env, "tool", "other"])
    t.ok(rc == 0 and s.ask("tool", "tool", BOTH) == "denied" and s.ask("tool", "other", BOTH) == "ok",
         "a reload that lists it still does not take the new file for it", err)
    s.ask("link", "/usr/bin/bash", "laid")
    s.ask("link", "other", "laid2")
    rc, err = s.set([BOTH], [env, "laid", "laid2"])
    t.ok(rc == 0 and s.ask("tool", "laid", BOTH) == s.ask("tool", "other", BOTH) == s.ask("tool", "laid2", BOTH) == "denied",
         "links that the agent laid where a program is listed give nothing to what they lead to", err)
    s.ask("replace", "busy")
    s.ask("hold", "busy")
    rc, err = s.set([NEXT], [env, "busy"])
    t.ok(rc == 1 and "open for writing" in err, "a program that is open for writing: refused, with the reason", rc, err)
    rc, err = s.set([BOTH], [env, "other"])
    t.ok(rc == 0 and s.ask("tool", "other", BOTH) == "ok" and NEXT not in s.routes(), "and the next reload works", err, s.routes())
    t.ok(s.ask("let_go") == "let go" and s.set([BOTH], [env, "busy"])[0] == 0 and s.ask("tool", "busy", BOTH) == "ok",
         "closed: listed")
    s.end()


def deaths(t, w, d):
    """Whatever dies between the routes and the flip: one policy or the other, and the next reload works."""
    s = Sandbox(w, d, "deaths", policy(w.work, [BOTH], ["/usr/bin/env"]))
    shutil.copy("/usr/bin/bash", os.path.join(w.work, "kept"))
    rc, err = s.set([BOTH], ["kept"])
    t.ok(rc == 0 and s.ask("tool", "kept", BOTH) == "ok", "before anything dies", err)
    os.kill(d.p.pid, 9)
    d.p.wait()
    d.start()
    t.ok(s.ask("tool", "kept", BOTH) == "ok", "kill -9 of oshd: the program is still known", d.errors())
    for pid in pids_of("osh-launch"):
        if d.state in proc(pid, "cmdline") and "Uid:\t0\t" in proc(pid, "status"):
            kill([pid])
    ok = False
    for _ in range(50):     # another osh-launch is being started
        rc, err = s.set([BOTH, NEXT], ["kept", "tool"])
        ok = rc == 0
        if ok:
            break
    t.ok(ok and s.ask("tool", "kept", NEXT) == "ok" and s.routes() == {BOTH, NEXT}, "kill -9 of osh-launch: it works again",
         err, d.errors())
    s.end()


def main():
    t = Tap()
    wanted = sys.argv[1:]
    subprocess.run("ip link set lo up; for a in 7 8; do ip addr add 10.77.0.$a/32 dev lo; done", shell=True, check=True)
    for host in (BOTH, NEXT):
        server = http.server.ThreadingHTTPServer((host, 80), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with Work() as w, Daemon(w) as d:
        os.chmod(w.work, 0o777)
        for part in (routes, programs, deaths):
            if not wanted or part.__name__ in wanted:
                part(t, w, d)
    t.done()


main()
