#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Requests through real sockets: what the egress answers a raw client in a sandbox, and what is on record,
against `oshctl policy eval` about the same policy and request. Random policies and requests; OSH_SEED.
"""
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap  # noqa: E402
from osh import Daemon  # noqa: E402
from world import World  # noqa: E402

PLAIN, TLS = ("l7.wild.example", 80), ("registry.example", 443)
POLICIES, REQUESTS = 12, 40
PYTHON = os.path.realpath("/usr/bin/python3")
rnd = random.Random(int(os.environ.get("OSH_SEED", "20267")))
pick = rnd.choice

PATHS = ["/a", "/a/*", "/a/**", "/**", "/repos/*/b", "/{a,b}/x?", "/[ab]/**", "/**/b", "/*/x.git", "/repos/**",
         "/a/b", "/", "/a%20b", "/a%2Fb"]
SEGMENTS = ["a", "b", "repos", "x.git", "xy", "a%20b"]
ODD = ["", ".", "..", "%2e%2E", "a;p=1", "..;x", "a%2Fb", "%61", "%zz", "b%25"]
VALUES = ["1", "1.2", "foo-a", "foo-a.b", "", "a b", "x&y"]
GLOBS = ["1", "1.*", "1*", "**", "foo-*", "{1,a*}", "*"]
METHODS = ["GET", "POST", "HEAD", "DELETE", "PUT", "OPTIONS", "PATCH"]
FIELDS = ["viewer", "node", "deleteX"]
CALLS = ["tools/call", "tools/list", "initialize", "x.y", "evil"]

# In the sandbox: one connection a request, since a refusal may end it. Lines of JSON in, statuses out.
CLIENT = """
import json, socket, ssl, sys
for line in open("requests"):
    q = json.loads(line)
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
    if sys.argv[2] == "443":
        s = ssl.create_default_context().wrap_socket(s, server_hostname=sys.argv[1])
    s.sendall(q.encode("latin-1"))
    s.settimeout(20)
    head = b""
    while b"\\r\\n" not in head:
        part = s.recv(65536)
        if not part:
            break
        head += part
    print(head.split(b" ")[1].decode() if head else "-", flush=True)
    s.close()
"""


class Upstream:
    """Says 200 to any request, and counts them."""

    def __init__(self, context=None):
        self.context = context
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.n = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c = self.s.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            c = self.context.wrap_socket(c, server_side=True) if self.context else c
            f = c.makefile("rb")
            while f.readline():
                n = 0
                while (line := f.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        n = int(line.split(b":")[1])
                f.read(n)
                self.n += 1
                c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except OSError:
            pass
        c.close()


def http_rule():
    r = {"method": pick(METHODS[:5] + ["*"]), "path": pick(PATHS)}
    if rnd.random() < 0.3:
        r["query"] = {"k": pick([pick(GLOBS), {"any": [pick(GLOBS), pick(GLOBS)]}])}
    return r


def gql_rule():
    r = {"operation_type": pick(["query", "mutation", "*"])}
    if rnd.random() < 0.5:
        r["fields"] = [pick(FIELDS), pick(["*", "delete*", "node"])]
    return r


def rpc_rule(mcp):
    if mcp and rnd.random() < 0.5:
        return {"tool": pick(["read_*", "*", "write"])}
    return {"method": pick(CALLS[:4])}


def rule(protocol):
    return {"rest": http_rule, "graphql": gql_rule}.get(protocol, lambda: rpc_rule(protocol == "mcp"))()


def endpoint(sorts, where):
    protocol, path, audit, slash = pick(sorts)
    e = {"host": where[0], "port": where[1], "protocol": protocol}
    if path:
        e["path"] = path
    if audit:
        e["enforcement"] = "audit"
    if slash:
        e["allow_encoded_slash"] = True
    if protocol in ("rest", "graphql") and rnd.random() < 0.4:
        e["access"] = pick(["read-only", "read-write", "full"])
    else:
        e["rules"] = [{"allow": rule(protocol)} for _ in range(rnd.randint(1, 3))]
    if rnd.random() < 0.4:
        e["deny_rules"] = [rule(protocol) for _ in range(rnd.randint(1, 2))]
    return e


def random_policy(where):
    sorts = [(pick(["rest", "rest", "graphql", "json-rpc", "mcp"]), pick(["", "", "/a/**", "/repos/**", "/**/b"]),
              rnd.random() < 0.25, rnd.random() < 0.3) for _ in range(rnd.randint(1, 3))]
    rules = {f"{pick('cab')}{i}": {"binaries": [PYTHON], "endpoints": [endpoint(sorts, where) for _ in range(rnd.randint(1, 3))]}
             for i in range(rnd.randint(1, 3))}
    # JSON is YAML, but a line an endpoint lets the record be held against the line that eval names.
    out = ""
    for name, r in rules.items():
        out += f"  {name}:\n    binaries: {json.dumps(r['binaries'])}\n    endpoints:\n"
        out += "".join(f"      - {json.dumps(e)}\n" for e in r["endpoints"])
    return out


def body_of(method):
    """Bytes, and what they mean to eval."""
    if method != "POST" or rnd.random() < 0.25:
        return "", {}
    kind = rnd.random()
    if kind < 0.4:
        ops = [{"operation_type": pick(["query", "mutation"]), "operation_name": "", "persisted_query": False,
                "fields": [pick(FIELDS) for _ in range(rnd.randint(1, 2))]} for _ in range(pick([1, 1, 2]))]
        docs = [{"query": f"{o['operation_type']} {{ x: {' '.join(o['fields'])} {{id}} }}"} for o in ops]
        return json.dumps(docs if len(docs) > 1 else docs[0]), {"graphql": {"operations": ops}}
    if kind < 0.9:
        calls = [{"method": pick(CALLS), "params": {}} for _ in range(pick([1, 1, 2]))]
        for c in calls:
            if c["method"] == "tools/call":
                c["params"] = {"name": pick(["read_a", "write", "rm"])}
        msgs = [dict(c, jsonrpc="2.0", id=1) for c in calls]
        return json.dumps(msgs if len(msgs) > 1 else msgs[0]), {"jsonrpc": calls}
    return "{\"query\": 1, \"query\": 2}", {}


def random_request(where):
    method = pick(METHODS)
    path = "".join("/" + (pick(SEGMENTS) if rnd.random() < 0.85 else pick(ODD)) for _ in range(rnd.randint(1, 3)))
    query = {}
    pairs = [(pick(["k", "v"]), pick(VALUES)) for _ in range(pick([0, 0, 1, 2]))]
    for k, v in pairs:
        query.setdefault(k, []).append(v)
    target = path + ("?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in pairs) if pairs else "")
    body, means = body_of(method)
    means.setdefault("graphql", {"error": "unread", "operations": []} if method in ("GET", "POST") else None)
    if "jsonrpc" not in means:
        means["jsonrpc"] = {"error": "unread"} if method == "POST" else {"receive_stream": True}
    wire = f"{method} {target} HTTP/1.1\r\nHost: {where[0]}\r\nConnection: close\r\n"
    if method in ("POST", "PUT", "PATCH"):
        wire += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return wire + "\r\n" + body, dict({"host": where[0], "port": where[1], "binary": PYTHON, "method": method,
                                       "path": path, "query": query}, **means)


def ask_eval(path, questions):
    lines = "".join(json.dumps({"stage": "l7", "request": q}) + "\n" for q in questions)
    p = subprocess.run([os.path.join(BUILD, "oshctl"), "policy", "eval", "-p", path], input=lines, text=True,
                       capture_output=True, timeout=60)
    return p.returncode, [json.loads(ln) for ln in p.stdout.splitlines()]


def agrees(want, status):
    if want["decision"] == "allow" or want.get("audit"):
        return status == "200"
    return status == ("400" if want["reason_id"] == "TARGET_BAD" else "403")


def recorded(want, request, events):
    """A denial by a rule is on record under that rule, with the path that was judged."""
    if want["decision"] != "deny" or want["reason_id"] == "TARGET_BAD" or not want.get("rule"):
        return True
    for e in events:
        http = e.get("http_request", {})
        if http.get("http_method") == request["method"] and e.why == want["reason_id"] and \
                http.get("url", {}).get("path", "") == want["canonical"] and \
                e.get("firewall_rule", {}).get("name") == want["rule"]:
            return True
    return False


def one_policy(w, t, tally, where):
    pairs = [random_request(where) for _ in range(REQUESTS)]
    path = os.path.join(w.dir, "l7.yaml")
    while True:
        text = w.policy(random_policy(where))
        with open(path, "w") as f:
            f.write(text)
        rc, wants = ask_eval(path, [q for _, q in pairs])
        if not rc and wants:
            break                   # the others contradict themselves
    with open(os.path.join(w.work, "requests"), "w") as f:
        f.writelines(json.dumps(wire) + "\n" for wire, _ in pairs)
    r = w.run(text, [PYTHON, "client.py", where[0], str(where[1])], timeout=120)
    got = r.out.split()
    bad = []
    for (wire, q), want, status in zip(pairs, wants, got):
        what = "audited" if want.get("audit") else want["decision"]
        tally[what] = tally.get(what, 0) + 1
        if not agrees(want, status) or not recorded(want, q, r.events):
            bad.append(f"{wire!r}: {status}, eval says {want}")
    return t.ok(len(got) == REQUESTS and not bad, f"{REQUESTS} requests {'in TLS ' if where == TLS else ''}are answered and recorded as eval says",
                *bad[:3], *([] if len(got) == REQUESTS and not bad else [text[-3000:], r]))


def coded_bodies(w, t):
    """What a server would decode before it reads it is not judged as it stands."""
    host, body = PLAIN[0], '{"jsonrpc":"2.0","id":1,"method":"x.y"}'
    wires = [f"POST /rpc HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n{more}"
             f"Content-Length: {len(body)}\r\n\r\n{body}"
             for more in ("", "Content-Encoding: identity\r\n", "Content-Encoding: deflate\r\n",
                          "Content-Encoding: identity\r\nContent-Encoding: deflate\r\n",
                          "Content-Type: application/json; charset=utf-7\r\n")]
    with open(os.path.join(w.work, "requests"), "w") as f:
        f.writelines(json.dumps(wire) + "\n" for wire in wires)
    r = w.run(w.policy(f"  r:\n    binaries: [{PYTHON}]\n    endpoints: [{{host: {host}, port: 80, protocol: json-rpc, "
                       "rules: [{allow: {method: x.y}}]}]\n"), [PYTHON, "client.py", *map(str, PLAIN)], timeout=60)
    got = r.out.split()
    t.ok(got[:2] == ["200", "200"] and len(got) == 5 and not {"200", "-"} & set(got[2:]),
         "a body that is coded, or typed twice, is not judged", got, r)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("requests through real sockets", "needs root")
        t.done()
    tally = {}
    with World() as w:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.path.join(w.dir, "leaf.pem"), os.path.join(w.dir, "leaf.key"))
        ups = Upstream(), Upstream(tls)
        with open(w.hosts, "w") as f:
            f.writelines(f"127.0.0.1:{u.port} {where[0]}\n" for u, where in zip(ups, (PLAIN, TLS)))
        with open(os.path.join(w.work, "client.py"), "w") as f:
            f.write(CLIENT)
        with Daemon(w, "--upstream-hosts", w.hosts, "--upstream-ca", w.ca) as w.daemon:
            for i in range(POLICIES):
                if not one_policy(w, t, tally, (PLAIN, TLS)[i % 2]):
                    break
            n = sum(u.n for u in ups)
            coded_bodies(w, t)
        w.daemon = None
        t.ok(n == tally.get("allow", 0) + tally.get("audited", 0) > POLICIES and ups[1].n > 3,
             f"exactly what may reaches the upstreams: {n} of {sum(tally.values())}", tally)
        for u in ups:
            u.s.close()
    t.done()


main()
