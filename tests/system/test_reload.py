#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy set` of a running sandbox: after it nothing is judged by the old policy, and a policy
that cannot follow the old one changes nothing."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from l7_world import L7World  # noqa: E402
from lib import BUILD, Tap, run  # noqa: E402
from osh import Daemon, kill, pids_of, until  # noqa: E402
from world import rule  # noqa: E402

OSHCTL = os.path.join(BUILD, "oshctl")
# One line of what to do, one of what came of it. `loop` goes on until it is told to stop.
AGENT = """
import http.client, socket, ssl, subprocess, sys, time
context = ssl.create_default_context()
def tcp(host, port):
    with socket.create_connection((host, int(port)), timeout=60) as s:
        s.settimeout(60)
        s.sendall(b'GET /a HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' % host.encode())
        return s.recv(12).decode().split()[1]
def get(host, path):
    c = http.client.HTTPSConnection(host, 443, timeout=60, context=context)
    c.request('GET', path)
    r = c.getresponse()
    r.read()
    c.close()
    return r.status
known = {}
def cached(host, port):
    at = known.setdefault(host, addr(host) if host not in known else None)
    with socket.create_connection((at, int(port)), timeout=60) as s:
        s.settimeout(60)
        s.sendall(b'GET /a HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' % host.encode())
        return s.recv(12).decode().split()[1]
def addr(host):
    return socket.getaddrinfo(host, 443, socket.AF_INET)[0][4][0]
def attempt(host, port):
    r = subprocess.run(['/usr/bin/bash', '-c', f'exec 3<>/dev/tcp/{host}/{port}'], capture_output=True)
    return 'ok' if r.returncode == 0 else 'denied'
def one(what, *args):
    try:
        return globals()[what](*args)
    except Exception as e:
        return type(e).__name__
for line in sys.stdin:
    words = line.split()
    if words[0] == 'loop':
        end, seen = time.monotonic() + float(words[1]), {}
        while time.monotonic() < end:
            k = str(one(*words[2:]))
            seen[k] = seen.get(k, 0) + 1
        print(sorted(seen.items()), flush=True)
    elif words[0] == 'turn':        # again and again until that comes, and some more
        end, seen, more = time.monotonic() + 200, [], 20
        while time.monotonic() < end and more:
            seen.append(str(one(*words[2:])))
            more -= words[1] in seen
        print(seen[0], sorted(set(seen)), flush=True)
    else:
        print(one(*words), flush=True)
"""


class Agent:
    def __init__(self, w, daemon, name, policy, user=None):
        self.log = os.path.join(w.dir, f"log-{name}.jsonl")
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", daemon.bus, "-p", policy, "--name", name,
                                   "--workdir", w.work, "--log", self.log, "--", "python3", "-u", "-c", AGENT],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=user, group=user,
                                  extra_groups=None if user is None else [])

    def tell(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        self.p.stdin.flush()

    def hear(self):
        return self.p.stdout.readline().strip()

    def ask(self, *words):
        self.tell(*words)
        return self.hear()

    def events(self):
        return [json.loads(line) for line in open(self.log)]

    def end(self):
        try:
            self.p.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.communicate()


class Setter:
    def __init__(self, w, daemon):
        self.w, self.d, self.n = w, daemon, 0

    def __call__(self, name, text, user=None):
        self.n += 1
        path = self.w.write(f"next-{self.n}.yaml", text)
        rc, out, err = run([OSHCTL, "policy", "set", name, "-p", path, "--wait", "--socket", self.d.bus], 120,
                           **({"user": user, "group": user, "extra_groups": []} if user else {}))
        return rc, out, err


NONE = ""
HTTP = rule("a", ["plain.example:80"])
OTHER = rule("b", ["plain.example:8080"])


def l7(paths):
    return f"  - {{host: allowed.example, ports: [443], paths: [{', '.join(paths)}]}}\n"


def hosts_and_ports(t, w, d, set_):
    a = Agent(w, d, "first", w.write("p0.yaml", w.policy(NONE)))
    t.ok(a.ask("tcp", "plain.example", 80) == "gaierror", "no endpoint: the name is unknown")
    rc, out, err = set_("first", w.policy(HTTP))
    t.ok(rc == 0 and "generation 2" in out, "the first endpoint of all is loaded", out, err, d.errors())
    t.ok(a.ask("tcp", "plain.example", 80) == "200", "and works at once", d.errors())
    was = a.ask("addr", "plain.example")
    t.ok(a.ask("tcp", "plain.example", 8080) == "PermissionError", "another port is denied")
    rc, _, err = set_("first", w.policy(OTHER))
    t.ok(rc == 0, "ports change places", err)
    t.ok(a.ask("tcp", "plain.example", 80) == "PermissionError", "the old port is denied")
    t.ok(a.ask("tcp", "plain.example", 8080) == "200", "the new one allowed", d.errors())
    rc, _, err = set_("first", w.policy(rule("x", ["aaa.example"]) + HTTP))
    t.ok(rc == 0 and a.ask("addr", "plain.example") == was != a.ask("addr", "aaa.example"),
         "names keep their addresses, new ones get others", err)
    rc, _, err = set_("first", w.policy(NONE))
    t.ok(rc == 0 and a.ask("tcp", "plain.example", 80) == "gaierror", "without endpoints: denied again", err)
    life = [e["message"] if "message" in e else str(e) for e in a.events() if "policy reloaded" in str(e)]
    t.ok(len(life) == 4, "every reload is on record", len(life))
    hashes = {str(e.get("policy", e)).split("uid")[-1] for e in a.events() if "policy reloaded" in str(e)}
    t.ok(len(hashes) >= 3, "with the policy's hash", hashes)
    a.end()


def programs(t, w, d, set_):
    only = rule("a", ["plain.example:80"], ["/usr/bin/bash"])
    other = rule("a", ["plain.example:80"], ["/usr/bin/env"])
    a = Agent(w, d, "programs", w.write("p1.yaml", w.policy(only)))
    t.ok(a.ask("attempt", "plain.example", 80) == "ok", "a listed program connects", d.errors())
    rc, _, err = set_("programs", w.policy(other))
    t.ok(rc == 0 and a.ask("attempt", "plain.example", 80) == "denied", "no longer listed: denied", err)
    py = os.path.realpath("/usr/bin/python3")
    rc, _, err = set_("programs", w.policy(rule("a", ["plain.example:80"], [py])))
    t.ok(rc == 0 and a.ask("tcp", "plain.example", 80) == "200",
         "a program that runs since before is listed now: it connects", err, d.errors())
    rc, _, err = set_("programs", w.policy(only))
    t.ok(rc == 0 and a.ask("tcp", "plain.example", 80) == "PermissionError", "and is denied again", err)
    a.end()


def paths(t, w, d, set_):
    a = Agent(w, d, "paths", w.write("p2.yaml", w.policy(l7(["/a"]))))
    t.ok(a.ask("get", "allowed.example", "/a") == "200", "a path is allowed", d.errors())
    t.ok(a.ask("get", "allowed.example", "/b") == "403", "another is not")

    def old():
        return sum("/a" in str(x) for x in w.l7.seen)
    first = old()
    a.tell("turn", "403", "get", "allowed.example", "/a")
    t.ok(until(lambda: old() > first + 5), "a client asks for it all the while")
    rc, _, err = set_("paths", w.policy(l7(["/b"])))
    before, was = old(), -1
    for _ in range(20):             # what was sent upstream before may still be read there
        if before == was:
            break
        time.sleep(0.3)
        before, was = old(), before
    t.ok(rc == 0, "the path changes while a client loops", err)
    seen = a.hear()
    t.ok(seen.startswith("200 ") and "'403'" in seen, "requests went from allowed to denied", seen)
    t.ok(old() == before, "after the answer none of the old path left")
    t.ok(a.ask("get", "allowed.example", "/b") == "200", "the new path is allowed")
    a.end()


def wildcards(t, w, d, set_):
    deep, other = rule("a", ["*.wild.example:80"]), rule("b", ["*.other.example:80", "x.wild.example:8080"])
    a = Agent(w, d, "wild", w.write("p7.yaml", w.policy(deep)))
    t.ok(a.ask("cached", "x.wild.example", 80) == "200", "a name under a wildcard", d.errors())
    rc, _, err = set_("wild", w.policy(deep + HTTP))
    t.ok(rc == 0 and a.ask("cached", "x.wild.example", 80) == "200",
         "the wildcard stays: its address works without a question", err, d.errors())
    rc, _, err = set_("wild", w.policy(other))
    t.ok(rc == 0 and a.ask("cached", "x.wild.example", 80) == "PermissionError", "the wildcard goes: denied", err)
    t.ok(a.ask("cached", "x.wild.example", 8080) == "200", "listed by itself now, with the same address", d.errors())
    rc, _, err = set_("wild", w.policy(HTTP))
    t.ok(rc == 0 and a.ask("cached", "x.wild.example", 8080) == "PermissionError", "neither: denied", err)
    rc, _, err = set_("wild", w.policy(deep))
    t.ok(rc == 0 and a.ask("cached", "x.wild.example", 80) == "200", "and again under the wildcard", err, d.errors())
    a.end()


def refusals(t, w, d, set_):
    text = w.policy(HTTP)
    a = Agent(w, d, "fixed", w.write("p3.yaml", text))
    t.ok(a.ask("tcp", "plain.example", 80) == "200", "before the refusals", d.errors())
    for what, bad, word in (
            ("filesystem", text.replace("read_write: [/tmp,", "read_write: [/tmp, /var/tmp,"), "filesystem_policy.read_write"),
            ("workdir", text.replace("include_workdir: true", "include_workdir: false"), "include_workdir"),
            ("environment", text + "process: {env: {set: {A: b}}}\n", "process.env"),
            ("landlock", text + "landlock: {compatibility: hard_requirement}\n", "landlock"),
            ("bad policy", "version: 1\nnonsense: 1\n", "stays in force")):
        rc, _, err = set_("fixed", bad)
        t.ok(rc == 1 and word in err, f"{what}: refused with the reason", rc, err)
    rc, _, err = set_("absent", text)
    t.ok(rc == 1 and "absent" in err, "no such sandbox", err)
    rc, _, err = set_("fixed", text, user=65534)
    t.ok(rc == 1 and "no sandbox of yours" in err, "another user's sandbox is none", rc, err)
    t.ok(a.ask("tcp", "plain.example", 80) == "200", "the old policy is in force all the while", d.errors())
    rc, out, err = set_("fixed", text)
    t.ok(rc == 0 and "generation 2" in out, "no refusal used a generation up", out, err)
    a.end()


def traffic(t, w, d, set_):
    """Odd policies allow the name that even ones do not; both allow the third."""
    both = rule("a", ["plain.example:80"])
    a = Agent(w, d, "traffic", w.write("p4.yaml", w.policy(both)))
    c = Agent(w, d, "witness", w.write("p5.yaml", w.policy(both)))
    t.ok(a.ask("tcp", "plain.example", 80) == c.ask("tcp", "plain.example", 80) == "200", "before the traffic")
    a.tell("loop", 25, "tcp", "plain.example", 80)
    c.tell("loop", 25, "tcp", "plain.example", 80)
    bad, took = [], []
    end = time.monotonic() + 22
    for i in range(50):
        if time.monotonic() > end:
            break
        start = time.monotonic()
        rc, out, err = set_("traffic", w.policy(both + (OTHER if i % 2 else rule("z", [f"n{i}.example"]))))
        took.append(time.monotonic() - start)
        if rc or f"generation {i + 2} " not in out:
            bad.append((i, out, err))
    t.ok(not bad and took, f"{len(took)} reloads under traffic", bad[:2], d.errors())
    seen, witness = a.hear(), c.hear()
    t.ok("PermissionError" not in seen and "gaierror" not in seen and "'200'" in seen,
         "what both policies allow is never denied", seen)
    t.ok(witness.count("(") == 1 and "'200'" in witness, "the sandbox beside it sees nothing of it", witness)
    t.ok(a.ask("tcp", "plain.example", 80) == "200", "and it works after them", d.errors())
    print(f"# {len(took)} reloads, median {sorted(took)[len(took) // 2] * 1000:.0f} ms; {seen}")
    a.end()
    c.end()


def deaths(t, w, d, set_):
    a = Agent(w, d, "deaths", w.write("p6.yaml", w.policy(NONE)))
    a.ask("tcp", "plain.example", 80)
    set_("deaths", w.policy(HTTP))
    t.ok(a.ask("tcp", "plain.example", 80) == "200", "before anything dies")
    rc, _, err = set_("deaths", w.policy(OTHER))
    kill(pids_of("osh-egress"))
    t.ok(rc == 0 and until(lambda: a.ask("tcp", "plain.example", 8080) == "200", 5),
         "kill -9 of the egress after a reload: the next has the new policy", err, d.errors())
    t.ok(a.ask("tcp", "plain.example", 80) == "PermissionError", "and not the old one")
    rc, _, err = set_("deaths", w.policy(HTTP))
    d.p.kill()
    d.p.wait()
    t.ok(a.ask("tcp", "plain.example", 8080) == "PermissionError", "kill -9 of oshd after a reload: enforced", err)
    d.start()
    t.ok(until(lambda: a.ask("tcp", "plain.example", 80) == "200", 5), "the next oshd adopts the new policy", d.errors())
    rc, out, err = set_("deaths", w.policy(OTHER))
    t.ok(rc == 0 and "generation 5" in out, "and reloads it", out, err)
    t.ok(a.ask("tcp", "plain.example", 8080) == "200" and a.ask("tcp", "plain.example", 80) == "PermissionError",
         "which is enforced", d.errors())
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.04):   # at some moment of a reload
        p = subprocess.Popen([OSHCTL, "policy", "set", "deaths", "-p", w.write("k.yaml", w.policy(HTTP)), "--socket", d.bus],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        d.p.kill()
        d.p.wait()
        p.wait(120)
        d.start()
        got = [a.ask("tcp", "plain.example", port) for port in (80, 8080)]
        t.ok(got in (["200", "PermissionError"], ["PermissionError", "200"]),
             f"kill -9 of oshd {delay * 1000:.0f} ms into a reload: one policy or the other", got, d.errors())
        rc, out, err = set_("deaths", w.policy(OTHER))
        t.ok(rc == 0 and a.ask("tcp", "plain.example", 8080) == "200" and
             a.ask("tcp", "plain.example", 80) == "PermissionError", "and the next reload works", out, err, d.errors())
    a.end()


def main():
    t = Tap()
    wanted = sys.argv[1:]
    with L7World() as w:
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{w.l7_plain.server_port} aaa.example x.wild.example\n")
        os.chmod(w.work, 0o777)
        with Daemon(w, "--upstream-hosts", w.hosts, "--upstream-ca", w.anchor) as d:
            for part in (hosts_and_ports, programs, paths, wildcards, refusals, traffic, deaths):
                if not wanted or part.__name__ in wanted:
                    part(t, w, d, Setter(w, d))
    t.done()


main()
