#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `oshctl policy prove` finds really happens: for each kind of finding a policy that has it, the requests that the
prover told, made by a program in a sandbox under that policy, and a look outside at what came of it."""
import json
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from replaying import GET, POST, PRIVATE, PYTHON, SECRET, found_by, own_addresses, own_network, prepare, replay, rest, rules, secret_first  # noqa: E402
from world import Handler, Server, World  # noqa: E402

own_network()
INSIDE = "known-in-the-private-network-alone"
KEY = "sk-replay-0123456789abcdef"
carried = []        # what credentials the servers outside have seen

OTHERS = "  o:\n    binaries: [/usr/bin/git]\n    endpoints: [{0}]\n"
# (kind, endpoints, what else the policy says, base or None, how the secret leaves or None)
KINDS = (
    ("exfiltration", rules("{host: plain.example, port: 80}"), "", None, "a plain connection"),
    ("exfiltration", rules(rest("allowed.example", POST)), "", None, "a body"),
    ("exfiltration", rules(rest("allowed.example", "{allow: {method: GET, path: /hello}}")), "", None, "a URL"),
    ("exfiltration", rules("{host: allowed.example, port: 443, protocol: mcp, rules: [{allow: {method: tools/call, tool: put}}]}"), "", None,
     "a call of a tool"),
    ("exfiltration", rules("{host: allowed.example, port: 443, protocol: graphql, rules: [{allow: {operation_type: mutation, fields: [put]}}]}"), "",
     None, "a GraphQL operation"),
    ("l7_bypass", rules(rest("git.example", GET), "{host: git.example, port: 8443}"), "", None, "another port"),
    ("l7_bypass", rules(rest("registry.example", GET, ", enforcement: audit")), "", None, "audit mode"),
    ("l7_bypass", OTHERS.format(rest("git.example", GET)) + rules("{host: git.example, port: 443}"), "", None, "another program"),
    ("l7_bypass_credentialed", rules("{host: v4.example, port: 443}"), "", None, "a host of a credential"),
    ("credential_reach", rules(rest("v4.example", GET)), "", None, "a host of a credential"),
    ("link_local_reach", rules("{host: metadata.google.internal, port: 80}"), "", None, "a metadata service by its name"),
    ("dns_channel", rules("{host: '*.wild.example', port: 443}"), "", None, "a name that nobody wrote down"),
    ("persistence", "", "", None, "a file that runs outside"),
    ("assert", rules(rest("allowed.example", f"{GET}, {POST}")), "assert: [{never: {host: allowed.example, method: POST}}]\n", None,
     "what must never be"),
    ("assert", rules("{host: plain.example, port: 80}"), "assert: [{never_reach: {host: '*.example'}}]\n", None, "what must never be reached"),
    ("assert", rules("{host: plain.example, port: 80}"), "assert: [{never_read_and_send: {read: '**/.env'}}]\n", None,
     "what must never be read and sent"),
    ("capability_expansion", rules(rest("allowed.example", f"{GET}, {POST}")), "", rules(rest("allowed.example", GET)), "a method more"),
)


def prove(w, policy, base):
    files = [w.write("prove.yaml", policy), w.write("creds.json", json.dumps(
        [{"name": "pat", "target_hosts": ["v4.example"]}]))]
    more = ["--base", w.write("base.yaml", base)] if base else []
    return found_by(["-w", w.work, "--credentials", files[1], *more], files[:1])


def kind(w, t, what, endpoints, more, base, how):
    policy = w.policy(endpoints, more)
    old = w.policy(base) if base else None
    found, said = prove(w, policy, old)
    mine = [f for f in found if f["category"] == what and w.work + "/.git/hooks" in f["where"] + w.work + "/.git/hooks" * (what != "persistence")]
    if not t.ok(mine, f"{what} ({how}): found", said, found):
        return
    # The secret is read first, so that it can be sent; `where` of a name that was made up has no server here.
    requests = secret_first(w, [q["request"] for f in mine[:2] for q in f["requests"]])
    for server in (w.tls4, w.tls6, w.plain):
        server.seen.clear()
    got, r = replay(w, policy, requests)
    seen = [path for _, path in w.requests()]
    fine = [g for g in got if g.startswith(("read ", "written", "status ")) and g not in ("status 403", "status 502")]
    t.ok(len(got) == len(requests) == len(fine), f"{what} ({how}): a program in the sandbox does it", *zip(requests, got), r)
    if what == "exfiltration" or "read and sent" in how:
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


def wider(w, t):
    """Against a base policy: a file that is newly read, a program that newly runs, a variable that is newly passed."""
    tree = os.path.join(w.dir, "tree")
    os.makedirs(os.path.join(tree, "bin"))
    with open(os.path.join(tree, "bin", "x"), "w") as f:
        f.write("#!/bin/sh\n")
    os.chmod(f.name, 0o755)
    base = w.policy("")
    found, said = prove(w, w.policy("", read_only=[tree]), base)
    mine = [f for f in found if f["where"] in (tree, tree + "/bin/x")]
    asked = [q["request"] for f in mine for q in f["requests"]]
    t.ok({q.split()[0] for q in asked} == {"open", "exec"}, "capability_expansion (a file, a program): found", said, found)
    (got, _), (before, _) = (replay(w, p, asked) for p in (w.policy("", read_only=[tree]), base))
    t.ok(got and sorted(got) == ["ran 0", "read bin"] and all(g.startswith("error") for g in before),
         "capability_expansion (a file, a program): it is read and runs, and under the base policy not", asked, got, before)
    passes = w.policy("", "process: {env: {pass: [REPLAY_TOKEN]}}\n")
    found, said = prove(w, passes, base)
    t.ok([f["where"] for f in found] == ["$REPLAY_TOKEN"], "capability_expansion (a variable): found", said, found)
    out = [w.run(p, ["/bin/sh", "-c", "echo =$REPLAY_TOKEN"], env={"REPLAY_TOKEN": SECRET}).out.strip() for p in (passes, base)]
    t.ok(out == ["=" + SECRET, "="], "capability_expansion (a variable): it is there, and under the base policy not", out)


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
    own_addresses()
    note_credentials()
    with World() as w:
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{w.plain.server_port} metadata.google.internal\n127.0.0.1:{w.tls4.server_port} x.wild.example\n")
        prepare(w)
        with w.resident():
            for row in KINDS:
                kind(w, t, *row)
            for one in (proved, wider, private, injected):
                one(w, t)
    t.done()


if __name__ == "__main__":
    main()
