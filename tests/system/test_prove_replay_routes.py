#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `oshctl policy prove` finds of routes to models really happens: the calls that it tells of are made in a sandbox under
the policy, and the backend of the route has what came. What is said to lead to no backend leads to none."""
import json
import os
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from models_world import KEYS, ModelsWorld  # noqa: E402
from replaying import PRIVATE, PYTHON, SECRET, found_by, own_addresses, own_network, prepare, replay, secret_first  # noqa: E402

# Names are resolved by this test's server, since addresses of the operator's list may be private.
own_network("--mount", "--propagation", "private")
LOCAL = "{name: local, api: ollama, host: ollama.example, tls: false}"
GPT = "{name: gpt, api: openai, provider: gpt, model: 'gpt-*'}"
CORP = "{name: corp, api: ollama, host: models.corp, port: %d, tls: false, allowed_ips: [%s]}"
METADATA = "{name: meta, api: ollama, host: metadata.google.internal, tls: false}"
MARKED = ("network_policies:\n  m:\n    binaries: [%s]\n    endpoints: [{host: api.openai.com, port: 443, protocol: rest, "
          "rules: [{allow: {method: %s, path: '/v1/**'}}], route: inference}]\n")
NOBODY = "  binaries: [/usr/bin/nobody]\n"


def routes(*rows, more="", claims=""):
    return f"inference:\n{more}  routes:\n" + "".join(f"    - {r}\n" for r in rows) + claims


# (what, category, what the policy says of routes, whose server sees it)
WAYS = (
    ("a body", "exfiltration", routes(LOCAL), "local"),
    ("a body, with a credential", "exfiltration", routes(GPT), "models"),
    ("a marked host", "exfiltration", routes(GPT, more=NOBODY, claims=MARKED % (PYTHON, "POST")), "models"),
    ("a list of models, by a field", "exfiltration", routes(GPT, more=NOBODY, claims=MARKED % (PYTHON, "GET")), "models"),
    ("a backend behind one that fails", "exfiltration",
     routes("{name: dead, api: ollama, host: dead.example, tls: false}", LOCAL, more="  fallback: true\n"), "local"),
    ("a name of a model that is another", "exfiltration", routes(LOCAL.replace("}", ", model: real}"), more="  models: [real]\n  aliases: {fast: real}\n"), "local"),
    ("a provider", "credential_reach", routes(GPT), "models"),
    ("a backend by a metadata service's name", "link_local_reach", routes(METADATA), "local"),
    ("never_call", "assert", routes(GPT, LOCAL, claims="assert: [{never_call: {except: [gpt]}}]\n"), "local"),
    ("never, of a backend", "assert", routes(LOCAL, claims="assert: [{never: {host: ollama.example, method: POST}}]\n"), "local"),
    ("never_reach, of a backend", "assert", routes(LOCAL, claims="assert: [{never_reach: {host: ollama.example}}]\n"), "local"),
    ("never_read_and_send, of a backend", "assert",
     routes(LOCAL, claims="assert: [{never_read_and_send: {read: '**/.env', host: ollama.example}}]\n"), "local"),
)


def place(w, server):
    return {"local": (w.local, ("ollama.example:80", "metadata.google.internal:80")), "models": (w.models, ("api.openai.com:443",))}[server]


def prove(w, policy, base=None):
    more = ["--base", w.write("base.yaml", base)] if base else []
    return found_by(["-w", w.work, *more], [w.write("prove.yaml", policy)])


def asked_of(f):
    return [q["request"] for q in f["requests"]]


def way(w, t, what, category, says, server):
    policy = w.policy("", says)
    found, said = prove(w, policy)
    to, places = place(w, server)
    claim = category == "assert"
    mine = [f for f in found if f["category"] == category and (claim or f["where"] in places)]
    if not t.ok(mine, f"{what}: {category} is found", said, found):
        return
    w.came()
    # Whatever is asked about, it is the secret that goes.
    asked = secret_first(w, ["open /.env read", *(q for q in asked_of(mine[0]) if not q.startswith("open"))])
    got, r = replay(w, policy, asked, w.providers)
    came = w.came(to)
    t.ok(got[1:] == ["status 200"], f"{what}: a program in the sandbox makes that call", *zip(asked, got), r)
    t.ok(any(SECRET in path + str(fields) or SECRET.encode() in body for _, path, fields, body in came), f"{what}: the secret is at the backend", came)
    if category == "credential_reach":
        t.ok(mine[0]["credential"] == "gpt" and any("Bearer " + KEYS["gpt"] == f.get("authorization") for *_, f, _ in came) and
             KEYS["gpt"] not in r.out + r.err, f"{what}: with the key, which the sandbox has not", mine, came)


def no_way(w, t):
    """Which route takes nothing, and what is proved of all of them."""
    policy = w.policy("", routes(LOCAL, LOCAL.replace("local", "second").replace("ollama.example", "unused.example"),
                                 claims="assert: [{never_reach: {host: unused.example}}]\n"))
    found, said = prove(w, policy)
    idle = [f for f in found if f["category"] == "unreachable_rule"]
    t.ok([f["where"] for f in idle] == ["unused.example:80"] and "assert" not in {f["category"] for f in found}, "a route that takes nothing: found", said, found)
    calls = ["POST https://inference.local/api/chat model m", "POST https://inference.local/v1/chat/completions model m", "GET https://inference.local/api/tags model -"]
    w.came()
    got, r = replay(w, policy, [*calls, "POST https://inference.local/elsewhere model m", "connect unused.example:80"])
    t.ok(got[:3] == ["status 200"] * 3 and got[3] == "status 403" and got[4].startswith("error") and len(w.came(w.local)) == 3,
         "and each call goes to the one before it", got, r)


def more_than(w, t):
    """A route that the base policy has not: the call that is told of is taken, and under the base it is not."""
    base = w.policy("", routes(GPT))
    policy = w.policy("", routes(GPT, LOCAL))
    found, said = prove(w, policy, base)
    mine = [f for f in found if f["category"] == "capability_expansion" and "route 'local'" in f["says"]]
    if not t.ok(mine, "a route more than the base policy has: found", said, found):
        return
    w.came()
    got, r = replay(w, policy, asked_of(mine[0]), w.providers)
    t.ok(got == ["status 200"] and len(w.came(w.local)) == 1, "it takes the call", got, r)
    got, r = replay(w, base, asked_of(mine[0]), w.providers)
    t.ok(got == ["status 403"] and not w.came(), "and under the base policy nobody does", got, r)


class Names:
    """A server of names, which says that each name is the private address."""

    def __init__(self):
        self.u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.u.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                q, who = self.u.recvfrom(4096)
            except OSError:
                return
            end = 12 + q[12:].index(b"\0") + 5
            one = q[end - 4:end - 2] == b"\0\1"
            rr = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(PRIVATE)
            self.u.sendto(q[:2] + struct.pack(">HHHHH", 0x8180, 1, one, 0, 0) + q[12:end] + rr * one, who)


def private(w, t):
    """A backend at an address of a private network, which allowed_ips lets through, or not."""
    server = socket.create_server((PRIVATE, 0))
    seen = []

    def serve():
        while True:
            s = server.accept()[0]
            seen.append(s.recv(65536))
            s.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            s.close()
    threading.Thread(target=serve, daemon=True).start()
    port = server.getsockname()[1]
    policy = w.policy("", routes(CORP % (port, "10.77.0.0/16")))
    found, said = prove(w, policy)
    mine = [f for f in found if f["category"] == "private_reach"]
    if not t.ok([f["where"] for f in mine] == [f"models.corp:{port}"], "a backend in a private network: found", said, found):
        return
    got, r = replay(w, policy, asked_of(mine[0]))
    t.ok(got == ["status 200"] and len(seen) == 1, "the backend there takes the call", got, seen, r)
    other = w.policy("", routes(CORP % (port, "192.0.2.0/24")))
    t.ok("private_reach" in str(prove(w, w.policy("", routes(CORP % (port, "192.168.0.0/16"))))[0]), "of another private network: found, too")
    got, r = replay(w, other, asked_of(mine[0]))
    t.ok(got == ["status 403"] and len(seen) == 1 and r.has("egress", "ADDR_NOT_LISTED"), "and where it may not be at that address, it is not called", got, seen, r)


def chain(w, t):
    """What a credential gives goes on to a backend, where nothing secret can be read."""
    ends = ("network_policies:\n  a:\n    binaries: [%s]\n    endpoints: [{host: api.openai.com, port: 443, protocol: rest, "
            "rules: [{allow: {method: GET, path: '/v1/**'}}], credential: gpt}]\n" % PYTHON)
    says = routes(LOCAL, claims=ends)
    found, said = prove(w, "version: 1\nfilesystem_policy: {read_only: [/usr]}\n" + says)
    mine = [f for f in found if f["category"] == "exfiltration" and f["where"] == "ollama.example:80"]
    if not t.ok(mine and "credential 'gpt'" in mine[0]["says"], "from an endpoint with a credential to a backend: found", said, found):
        return
    first, second = asked_of(mine[0])
    w.came()
    got, r = replay(w, w.policy("", says), [first, "keep what was answered", second], w.providers)
    came = w.came(w.local)
    t.ok(got == [got[0], "kept", "status 200"] and got[0].startswith("status ") and any(b'\\"object\\"' in body for *_, body in came),
         "what was answered for the credential is at the backend", got, came, r)


def flow(w, t):
    """What one sandbox reads and hands on, another one sends by a route."""
    shared = os.path.join(w.dir, "shared")
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    tmp = "read_write: [/tmp, "
    reader, sender = w.policy("").replace(tmp, f"{tmp}{shared}, "), w.policy("", routes(LOCAL), read_only=[shared])
    files = [w.write("reader.yaml", reader), w.write("sender.yaml", sender)]
    found, said = found_by(["-w", w.work, "--with", files[1], "-w", "/nowhere"], files[:1])
    mine = [f for f in found if f["category"] == "flow" and f["where"] == "ollama.example:80"]
    if not t.ok(mine and "route 'local'" in mine[0]["says"], "from one sandbox to another, and by a route: found", said, found):
        return
    first, then = ([q["request"] for q in mine[0]["requests"] if q["policy"] == f] for f in files)
    w.came()
    got, r = replay(w, reader, [f"open {w.work}/.env read", *first[1:]])
    t.ok([g.split()[0] for g in got] == ["read", "written"], "one reads it, and writes it down", first, got, r)
    got, r = replay(w, sender, then)
    t.ok(got == ["read " + SECRET, "status 200"] and any(SECRET.encode() in body for *_, body in w.came(w.local)), "the other one's backend has it",
         then, got, r)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("calls of models that are told of", "needs root")
        t.done()
    own_addresses()
    with ModelsWorld() as w:
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{w.local.server_port} metadata.google.internal\n")
        prepare(w)
        resolv = w.write("resolv.conf", "nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")], check=True)
        names = Names()
        with w.resident():
            for row in WAYS:
                way(w, t, *row)
            for one in (no_way, more_than, private, chain, flow):
                one(w, t)
        names.u.close()
    t.done()


if __name__ == "__main__":
    main()
