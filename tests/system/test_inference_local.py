#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Backends that are to be on this machine: one that is not gets no byte, whatever its name resolves to; what a rule about content
leaves local routes alone goes nowhere else. In a network namespace of its own, with another machine behind a veth device."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from models_world import ModelsWorld, Server  # noqa: E402
from osh import OSHCTL  # noqa: E402

URL = "https://inference.local"
KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
HERE, FAR, PORT = "192.0.2.2", "192.0.2.77", 8080
ROUTE = "    - {name: %s, api: ollama, host: %s.example, tls: false%s}\n"
# Another machine: an answer to each request, and on stdout what came of each connection.
OTHER = """
import socket, subprocess, sys
print("ready", flush=True)
sys.stdin.readline()
for a in ("link set lo up", "addr add %s/24 dev osh-in", "link set osh-in up"):
    subprocess.run(["ip", *a.split()], check=True)
s = socket.create_server(("%s", %d))
print("up", flush=True)
while True:
    c = s.accept()[0]
    c.settimeout(10)
    try:
        got = c.recv(65536)
    except OSError:
        got = b""
    if got:
        c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 15\\r\\nConnection: close\\r\\n\\r\\n{"far": "away"}')
    c.close()
    print(len(got), flush=True)
""" % (FAR, FAR, PORT)


def go(w, script, routes, more=""):
    return w.go(script, "inference:\n  routes:\n" + routes + more)


def ask(text="hello", path="/api/chat"):
    return f"curl -sS -m 60 -d '{json.dumps({'model': 'm', 'messages': [{'content': text}]})}' {URL}{path}; echo; "


def routes(*rows):
    return "".join(ROUTE % r for r in rows)


def promised(t, w, far, near):
    r = go(w, ask(), routes(("a", "far", "")))
    t.ok('"far"' in r.out and int(far.stdout.readline()) > 0, "control: a backend on another machine answers", r)
    r = go(w, ask(), routes(("a", "far", ", local: true")))
    t.ok('"upstream_not_local"' in r.out and far.stdout.readline() == "0\n", "one that is to be local, and is not, gets no byte", r)
    t.ok(r.has("egress", "NOT_LOCAL"), "and that is on record", r)
    r = go(w, ask(), routes(("a", "ollama", ", local: true")))
    t.ok('"done": true' in r.out and len(w.came(w.local)) == 1, "on the loopback it is spoken to", r)
    r = go(w, ask(), routes(("a", "near", ", local: true")), "  local_only: true\n")
    t.ok('"done": true' in r.out and len(w.came(near)) == 1, "and at an address of this machine", r)
    r = go(w, ask() + ask(), routes(("a", "two", ", local: true")))
    t.ok('"upstream_not_local"' in r.out and far.stdout.readline() == far.stdout.readline() == "0\n" and r.has("egress", "NOT_LOCAL"),
         "nor does a second address of its name, where the one here does not answer", r)
    r = go(w, ask() + ask(), routes(("a", "far", ", local: true"), ("b", "ollama", "")), "  fallback: true\n")
    t.ok(r.out.count('"done": true') == 2 and far.stdout.readline() == "0\n" and len(w.came(w.local)) == 2,
         "it counts as one that failed: with fallback the next route has the call", r)


LOCAL = "  privacy: [{name: keys, kinds: [secrets], action: local}, {name: mail, kinds: [email], action: redact}]\n"


def content(t, w, far):
    two = routes(("a", "far", ""), ("b", "ollama", ", local: true"))
    r = go(w, ask(KEY + " of a@b.example"), two, LOCAL)
    got = w.came(w.local)
    t.ok('"done": true' in r.out and len(got) == 1 and json.loads(got[0][3])["messages"] == [{"content": KEY + " of [redacted: mail]"}],
         "what a rule leaves local routes alone goes to the first of these", r, got)
    said = [e["osh"].get("detail") for e in r.events if e.kind == "http"]
    t.ok(said == ["rule keys (local): 1, rule mail (redact): 1; route b, model m"] and KEY not in json.dumps(r.events), "and says so", said)
    r = go(w, ask(), two, LOCAL)
    t.ok('"far"' in r.out and int(far.stdout.readline()) > 0, "anything else to the first of all", r)
    r = go(w, ask(KEY, "/v1/messages"), two + "    - {name: c, api: anthropic, provider: claude}\n", LOCAL)
    t.ok('"model_not_served"' in r.out and "rule keys (local): 1" in r.out and not w.came(), "where no local route serves it, it is refused", r)
    r = go(w, ask(KEY), routes(("a", "dead", ", local: true"), ("b", "far", "")), LOCAL + "  fallback: true\n")
    t.ok('"upstream_unreachable"' in r.out, "nor does it go elsewhere where the local one fails", r)
    r = go(w, ask(), two, LOCAL)
    t.ok('"far"' in r.out and int(far.stdout.readline()) > 0, "in between nothing came there", r)


def chosen(t, w, far):
    """A choice of another route, for one sandbox or as the default, moves nothing that is to stay here."""
    two = routes(("b", "ollama", ", local: true"), ("a", "far", ""))
    policy = w.write("two.yaml", w.policy("", "inference:\n  routes:\n" + two + LOCAL + "  fallback: true\n"))
    with w.resident() as d:
        def ctl(*args):
            return run([OSHCTL, *args, "--socket", d.bus], 60)[:3]

        def inside(text):
            return run([OSHCTL, "sandbox", "exec", "--socket", d.bus, "box", "--", "/bin/sh", "-c", ask(text)], 60)[1]
        made = [ctl("inference", "set", "--default", "--route", "a"), ctl("sandbox", "create", "--name", "box", "-p", policy, "--workdir", w.work, *w.providers)]
        r = inside("hello")
        t.ok([m[0] for m in made] == [0, 0] and '"far"' in r and int(far.stdout.readline()) > 0, "control: the route elsewhere is the default", made, r)
        r = inside(KEY)
        t.ok('"done": true' in r and len(w.came(w.local)) == 1, "what a rule leaves local routes alone goes to these nevertheless", r)
        made = ctl("inference", "set", "box", "--route", "a", "--model", "m2")
        r = inside(KEY)
        t.ok(made[0] == 0 and '"done": true' in r and len(w.came(w.local)) == 1, "and where that route was chosen for the sandbox, with another model", made, r)
        r = inside("hello")
        t.ok('"far"' in r and int(far.stdout.readline()) > 0, "in between nothing came elsewhere", r)


def main():
    if os.environ.get("OSH_TEST_NETNS") != "1":
        os.execvpe("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__)], {**os.environ, "OSH_TEST_NETNS": "1"})

    def ip(a):
        return subprocess.run(["ip", *a.split()], stderr=subprocess.PIPE, text=True)
    ip("link set lo up")
    made = ip("link add osh-out type veth peer name osh-in")
    if made.returncode:
        print("no veth device: " + made.stderr.strip())
        sys.exit(77)
    far = subprocess.Popen(["unshare", "-n", sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t = Tap()
    try:
        far.stdout.readline()
        for a in (f"link set osh-in netns {far.pid}", f"addr add {HERE}/24 dev osh-out", "link set osh-out up"):
            ip(a)
        far.stdin.write("\n")
        far.stdin.flush()
        t.ok(far.stdout.readline() == "up\n", "there is another machine")
        with ModelsWorld() as w:
            near = Server(None, HERE)
            with open(w.hosts, "a") as f:
                f.write(f"{FAR}:{PORT} far.example\n{HERE}:{near.server_port} near.example\n127.0.0.1:1 two.example\n{FAR}:{PORT} two.example\n")
            promised(t, w, far, near)
            content(t, w, far)
            chosen(t, w, far)
            near.shutdown()
            near.server_close()
    finally:
        far.kill()
        far.wait()
    t.done()


main()
