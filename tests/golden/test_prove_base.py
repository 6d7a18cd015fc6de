#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy prove --base`: what a policy allows and an older one does not, each with a request to which explain says
yes under the one and no under the other; rules that change nothing; and keys of the language that have no model."""
import json
import os
import random
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, FS, LOCAL, OSHCTL, PLAIN, WORK, net, prove, rest, routes, strict  # noqa: E402
from lib import Tap, run  # noqa: E402
import test_prove_random as small  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GET = rest("{allow: {method: GET, path: '/**'}}")
USR = "filesystem_policy: {read_only: [/usr]}\n"


def against(new, old):
    """(exit status, answer, [(request, explain's word on the new, on the old)])"""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        files = [os.path.join(d, n) for n in ("new.yaml", "old.yaml")]
        for f, text in zip(files, (new, old)):
            with open(f, "w") as out:
                out.write(text)
        rc, out, err = run([OSHCTL, "policy", "prove", "-w", WORK, "--json", "--base", files[1], files[0]], 300)[:3]
        answer = json.loads(out) if out.strip() else {"findings": [], "result": err, "unknown": err}
        said = []
        for q in (q for f in answer["findings"] for q in f["requests"]):
            args = ["--binary", q["binary"]] if q["binary"] else []
            args += ["--ancestor", q["ancestor"]] if "ancestor" in q else []
            words = []
            for f in files:
                a = run([OSHCTL, "policy", "explain", "-p", f, "-w", WORK, "--json", *args, q["request"]], 60)[1]
                got = json.loads(a) if a.strip() else {"decision": "none", "audit": False}
                words.append(got["decision"] == "allow" or got.get("audit", False))
            said.append((q["request"], *words))
    return rc, answer, said


# (what is wider, old, new, what a finding says or is about)
V = "version: 1\n" + FS
PRIVACY = "  privacy: [{name: keys, kinds: [secrets], patterns: [abc], action: %s}]\n"
WIDER = (
    ("a host", net(PLAIN), net(PLAIN, "host: b.example.com, port: 443"), "newly reached"),
    ("a wildcard", net(PLAIN), net('host: "*.example.com", port: 443'), "newly reached"),
    ("a port", net(PLAIN), net("host: api.example.com, ports: [443, 8443]"), ":8443"),
    ("a program", net(PLAIN), net(PLAIN, binaries="    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/wget}]\n"),
     "newly reached"),
    ("any program", net(PLAIN), "version: 1\n" + FS + "network: [{host: api.example.com, port: 443}]\n", "newly reached"),
    ("an ancestor", net(PLAIN), net(PLAIN, binaries="    binaries: [{path: /usr/bin/curl, inherit: true}]\n"), "newly reached"),
    ("nobody looks any more", net(GET), net(PLAIN), "nothing does any more"),
    ("a method", net(GET), net(rest("{allow: {method: GET, path: '/**'}}, {allow: {method: PUT, path: /x}}")), "PUT is newly"),
    ("a path", net(rest("{allow: {method: GET, path: '/a/*'}}")), net(rest("{allow: {method: GET, path: '/a/**'}}")),
     "GET is newly"),
    ("a query", net(rest("{allow: {method: GET, path: /a, query: {q: x}}}")),
     net(rest("{allow: {method: GET, path: /a, query: {q: 'x*'}}}")), "GET is newly"),
    ("a deny rule that is gone", net(rest("{allow: {method: '*', path: '/**'}}", "{method: DELETE, path: /x}")),
     net(rest("{allow: {method: '*', path: '/**'}}")), "DELETE is newly"),
    ("audit mode", net(GET), net(rest("{allow: {method: GET, path: '/**'}}", more=", enforcement: audit")), "POST is newly"),
    ("an encoded slash", net(GET), net(rest("{allow: {method: GET, path: '/**'}}", more=", allow_encoded_slash: true")),
     "GET is newly"),
    ("a GraphQL field", net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, fields: [a]}}]"),
     net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, fields: [a, b]}}]"), "newly sent"),
    ("a tool", net("host: h.example.com, port: 443, protocol: mcp, rules: [{allow: {method: tools/call, tool: a}}]"),
     net("host: h.example.com, port: 443, protocol: mcp, rules: [{allow: {method: tools/call, tool: 'a*'}}]"), "newly sent"),
    ("addresses", net("host: db.corp, port: 443, allowed_ips: [10.1.0.0/16]"),
     net("host: db.corp, port: 443, allowed_ips: [10.0.0.0/8]"), "at this address"),
    ("a tainted program", net(PLAIN), net(PLAIN) + "    taint: ignore\n", "newly reached"),
    ("a credential", net(GET) + "credentials: {gh: {provider: github}}\n",
     net(rest("{allow: {method: GET, path: '/**'}}", more=", credential: gh")) + "credentials: {gh: {provider: github}}\n",
     "credential 'gh'"),
    ("a tree", net(PLAIN, fs=USR), net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /srv]}\n"), "newly read"),
    ("a tree for one program", "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /srv, binaries: [/usr/bin/a]}]}\n",
     "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /srv, binaries: [/usr/bin/a, /usr/bin/b]}]}\n", "newly read"),
    ("a tree to write", net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /srv]}\n"),
     net(PLAIN, fs="filesystem_policy: {read_only: [/usr], read_write: [/srv]}\n"), "newly written"),
    ("an entry of deny that is gone", "version: 1\nfilesystem_policy: {read_write: [/srv], deny: ['/srv/*.key']}\n",
     "version: 1\nfilesystem_policy: {read_write: [/srv]}\n", "newly written"),
    ("the working directory", net(PLAIN, fs=USR), net(PLAIN), WORK),
    ("a program to run", net(PLAIN, more=strict("/usr/bin/curl")), net(PLAIN, more=strict("/usr/bin/curl", "/usr/bin/sh")),
     "newly executed"),
    ("a variable", "version: 1\n" + USR, "version: 1\n" + USR + "process: {env: {pass: [GH_TOKEN]}}\n", "$GH_TOKEN"),
    ("a limit", "version: 1\n" + USR + "resources: {memory: 1Gi}\n", "version: 1\n" + USR + "resources: {memory: 2Gi}\n",
     "resources.memory"),
    ("a limit that is gone", "version: 1\n" + USR + "resources: {pids: 9}\n", "version: 1\n" + USR, "resources.pids"),
    ("a device", "version: 1\n" + USR, "version: 1\n" + USR + "gpu: {count: 1}\n", "gpu"),
    ("more names", net(PLAIN) + "dns: {wildcard_names: 4}\n", net(PLAIN) + "dns: {wildcard_names: 5}\n", "dns.wildcard_names"),
    ("a route", routes(LOCAL + ", model: 'x*'"), routes(LOCAL + ", model: 'x*'", A), "newly taken by route 'a'"),
    ("another backend", routes(A), routes(A.replace("a.example.net", "b.example.net")), "to b.example.net:443"),
    ("its port", routes(A), routes(A + ", port: 8443"), "to a.example.net:8443"),
    ("its addresses", routes(A), routes(A + ", allowed_ips: [10.0.0.0/8]"), "at 10."),
    ("more of its addresses", routes(A + ", allowed_ips: [10.1.0.0/16]"), routes(A + ", allowed_ips: [10.0.0.0/15]"), "at 10.0."),
    ("its credential", routes(A), routes(A + ", provider: p"), "newly taken"),
    ("a model that is asked for", routes(A, more="  models: [x]\n"), routes(A, more="  models: ['x*']\n"), "newly"),
    ("a model that a route serves", routes(LOCAL, A + ", model: x"), routes(LOCAL + ", model: 'x*'", A), "newly taken by route 'a'"),
    ("another model in place of the caller's", routes(A + ", as: x"), routes(A + ", as: y"), "newly taken"),
    ("a name that means another model", routes(A, more="  aliases: {n: x}\n"), routes(A, more="  aliases: {n: y}\n"), "newly taken"),
    ("the next route where one fails", routes(LOCAL, A), routes(LOCAL, A, more="  fallback: true\n"), "newly taken by route 'a'"),
    ("a limit of calls", routes(A, more="  limits: [{requests: 5, per: day}]\n"), routes(A, more="  limits: [{requests: 6, per: day}]\n"), "inference.limits"),
    ("one of a user", routes(A, more="  limits: [{tokens: 5, per: day, of: user}]\n"), routes(A, more="  limits: [{tokens: 5, per: day}]\n"), "inference.limits"),
    ("one that is gone", routes(A, more="  limits: [{requests: 5, per: day}, {tokens: 9, per: minute, route: a}]\n"),
     routes(A, more="  limits: [{requests: 5, per: day}]\n"), "inference.limits"),
    ("what tokens cost", routes(A, more="  limits: [{money: 5, per: day}]\n  prices: [{model: x, input: 1, output: 2}]\n"),
     routes(A, more="  limits: [{money: 5, per: day}]\n  prices: [{model: x, input: 1, output: 1.5}]\n"), "inference.prices"),
    ("routes of other sandboxes", V, V + "serve: [{port: 8000, to: [a]}]\n", "serve"),
    ("of more of them", V + "serve: [{port: 8000, to: [a]}]\n", V + "serve: [{port: 8000, to: ['a*']}]\n", "serve"),
    ("to another port", V + "serve: [{port: 8000, to: ['*']}]\n", V + "serve: [{port: 8000, to: ['*']}, {port: 8001, to: [a]}]\n", "serve"),
    ("a rule about content that is gone", routes(A, more=PRIVACY % "refuse"), routes(A), "inference.privacy"),
    ("one that lets a call go on", routes(A, more=PRIVACY % "refuse"), routes(A, more=PRIVACY % "redact"), "inference.privacy"),
    ("one that looks for less", routes(A, more=PRIVACY % "refuse"), routes(A, more=PRIVACY.replace("secrets", "aws") % "refuse"), "inference.privacy"),
    ("a rule about content that keeps calls here", routes(A, LOCAL + ", local: true"), routes(A, LOCAL + ", local: true", more=PRIVACY % "local"),
     "newly taken by route 'here', to here.example.net:443, where a rule"),
    ("a route that was local", routes(A + ", local: true"), routes(A), "inference.routes.local"),
    ("one of another name", routes(A + ", local: true"), routes(A.replace("name: a", "name: b")), "newly taken by route 'b'"),
    ("what stayed on the machine", routes(A + ", local: true", more="  local_only: true\n"), routes(A + ", local: true"), "inference.local_only"),
    ("who may call", routes(A, more="  binaries: [/usr/bin/a]\n"), routes(A), "newly sent"),
    ("a user", "version: 1\n" + USR + "process: {run_as_user: sandbox}\n", "version: 1\n" + USR + "process: {run_as_user: 1000}\n",
     "process.run_as_user"),
    ("a kernel that lacks something", "version: 1\n" + USR + "landlock: {compatibility: hard_requirement}\n",
     "version: 1\n" + USR + "landlock: {compatibility: best_effort}\n", "landlock.compatibility"),
)
# What takes something else instead is wider the other way round, too.
BOTH_WAYS = ("a user", "a rule about content that keeps calls here", "one of a user", "what tokens cost", "its addresses", "another backend", "its port", "its credential", "another model in place of the caller's", "a name that means another model",
             "a model that a route serves")
SETTINGS = ("$", "resources.", "gpu", "dns.", "process.run_as", "landlock.", "inference.limits", "inference.prices", "inference.privacy", "inference.routes.local", "inference.local_only")


def wider(t):
    for what, old, new, word in WIDER:
        rc, a, said = against(new, old)
        told = [f["where"] + " " + f["says"] for f in a["findings"]]
        t.ok(rc == 1 and a["unknown"] is None and {f["category"] for f in a["findings"]} == {"capability_expansion"}
             and any(word in x for x in told), f"wider: {what}", rc, a)
        # explain has no word for a credential: osh-prove asked eval itself.
        # Nor for whether anybody looks into a connection.
        # And where a call is taken is not asked of it.
        if what not in ("a tainted program", "a credential", "nobody looks any more") and "newly taken" not in str(told):
            t.ok(all(n and not o for _, n, o in said) and (said or word.startswith(SETTINGS)),
                 f"wider: {what}: explain says yes, and no under the base", *said)
        rc, a, _ = against(old, old)
        t.ok(rc == 0 and a["result"] == "proved", f"wider: {what}: not against itself", rc, a)
        if what not in BOTH_WAYS:
            rc, a, _ = against(old, new)
            t.ok(rc == 0 and a["result"] == "proved", f"wider: {what}: what is narrower is proved", rc, a)


def blind(t):
    """Where one value cannot show all there is to see, nothing is proved."""
    q = "{{allow: {{method: GET, path: /a, query: {{q: {0}}}}}}}"
    either = net(rest(q.format("{any: [x, y]}")))
    each = net(rest(q.format("x") + ", " + q.format("y")))
    rc, a, _ = against(either, each)
    t.ok(rc == 3 and "several values" in (a["unknown"] or ""), "two values in one request that two rules took one by one: unknown", rc, a)
    g = "host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, fields: [%s]}}%s]"
    rc, a, _ = against(net(g % ("a, b", "")), net(g % ("a", ", {allow: {operation_type: query, fields: [b]}}")))
    t.ok(rc == 3, "two fields in one operation: unknown", rc, a)
    rc, a, _ = against(each, each.replace("x", "z"))
    t.ok(rc == 1 and a["unknown"] is None, "rules of one value each are compared", rc, a)
    refused = against("version: 1\n" + USR, "version: 1\nnonsense: 1\n")
    t.ok(refused[0] == 1 and not refused[1]["findings"], "a base that is refused: 1, and nothing is said to be proved", refused)
    claim = net(PLAIN) + "assert: [{never_reach: {host: api.example.com}}]\n"
    rc, a, _ = against(claim, claim)
    t.ok(rc == 1 and [f["category"] for f in a["findings"]] == ["assert"], "what the policy says of itself is asked all the same", a)


# (what, policy, lines of `redundant_rule`, counted from the first endpoint)
A, B = "{allow: {method: GET, path: '/a/**'}}", "{allow: {method: GET, path: /a/b}}"
REDUNDANT = (
    ("an endpoint that another one holds", net('host: "*.example.com", port: 443', PLAIN), [1]),
    ("of two that are the same the first is kept", net(PLAIN, PLAIN), [1]),
    ("programs that the other one does not have", net('host: "*.example.com", port: 443')
     + f"  b:\n    endpoints:\n      - {{{PLAIN}}}\n    binaries: [{{path: /usr/bin/wget}}]\n", []),
    ("a port more", net('host: "*.example.com", port: 443', "host: api.example.com, ports: [443, 444]"), []),
    ("a rule that another one holds", net(rest(f"{A}, {B}")), [0]),
    ("a rule that stands for itself", net(rest(f"{A}, {{allow: {{method: PUT, path: /a/b}}}}")), []),
    ("HEAD beside GET", net(rest("{allow: {method: GET, path: /x}}, {allow: {method: HEAD, path: /x}}")), [0]),
    ("a deny rule that takes nothing away", net(rest(A, "{method: DELETE, path: '/a/**'}")), [0]),
    ("a deny rule that does", net(rest(A, "{method: GET, path: '/a/c/**'}")), []),
    ("a deny rule behind a wider one", net(rest(A, "{method: GET, path: '/a/c/**'}, {method: GET, path: '/a/c/d'}")), [0]),
    ("what only records is a difference", net(rest(A, more=", enforcement: audit")), []),
    ("a field", net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query}}, "
                    "{allow: {operation_type: query, fields: [a]}}]"), [0]),
    ("a tool", net("host: h.example.com, port: 443, protocol: mcp, rules: [{allow: {method: tools/call, tool: 'a*'}}, "
                   "{allow: {method: tools/call, tool: ab}}]"), [0]),
    ("one that puts a credential in", net('host: "*.example.com", port: 443, protocol: rest, access: full, credential: gh',
                                          "host: api.example.com, port: 443, protocol: rest, access: full, credential: gh")
     + "credentials: {gh: {provider: github}}\n", []),
    ("two values that one rule takes together", net(rest("{allow: {method: GET, path: /a, query: {q: x}}}, {allow: {method: GET, "
     "path: /a, query: {q: y}}}, {allow: {method: GET, path: /a, query: {q: {any: [x, y]}}}}")), []),
)


def redundant(t):
    for what, policy, lines in REDUNDANT:
        first = next(n for n, line in enumerate(policy.splitlines(), 1) if line.startswith("      - "))
        a = prove(policy)[1]
        got = sorted(f["line"] - first for f in a["findings"] if f["category"] == "redundant_rule")
        t.ok(got == lines and a.get("unknown", a) is None, f"redundant: {what}", got, a)


def asked(policy):
    """eval's answers to the small world of test_prove_random."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f, tempfile.TemporaryFile("w+") as q:
        f.write(policy)
        f.flush()
        os.chmod(f.name, 0o644)
        q.writelines(json.dumps({"stage": s, "request": r}) + "\n" for r in small.world() for s in ("l4", "l7"))
        q.seek(0)
        out = run([OSHCTL, "policy", "eval", "-p", f.name], 300, stdin=q)[1]
    answers = [json.loads(x) for x in out.splitlines()]
    return [(a["decision"], b["decision"], b.get("audit"), b["reason_id"] == "NOT_INSPECTED") for a, b in zip(answers[::2], answers[1::2])]


def without(policy, lines):
    return "".join(x for n, x in enumerate(policy.splitlines(True), 1) if n not in lines)


def drop(policy, lines):
    return re.sub(r"  r\d:\n    endpoints:\n    binaries:.*\n", "", without(policy, lines))


def at_random(t, rounds):
    """Policies of one endpoint a line: without those that are said to change nothing, eval answers the same, and neither
    policy is wider than the other; without any other one of them is."""
    n = compared = 0
    for seed in range(rounds):
        text = small.policy(random.Random(seed))
        where = {i for i, x in enumerate(text.splitlines(), 1) if x.startswith("      - ")}
        a = prove(text)[1]
        gone = {f["line"] for f in a["findings"] if f["category"] == "redundant_rule" and "exactly the same" in f["says"]}
        dead = {f["line"] for f in a["findings"] if f["category"] == "unreachable_rule"}
        if len(where) < 2 or len(gone) == len(where) or a.get("unknown", "refused"):
            continue
        if gone:
            n += 1
            t.ok(asked(text) == asked(drop(text, gone)), f"redundant: policy {seed} without {len(gone)} of {len(where)} endpoints", text)
        if compared >= 60 or len(where - gone) < 2:
            continue
        for line in sorted(where - dead):
            less = drop(text, gone | {line})
            wide = [against(x, y)[0] for x, y in ((text, less), (less, text))]
            compared += 1
            t.ok(line in gone and 1 not in wide or line not in gone and (1 in wide or 3 in wide or ": audit" in text),
                 f"redundant: policy {seed}, the endpoint of line {line} is {'no' if line in gone else 'a'} difference", wide, text)
    t.ok(n >= 15 and compared >= 60, "policies with redundant endpoints came up", n, compared)


def keys(t):
    rc, a, _ = prove("version: 1\n" + USR + "network_middlewares: {a: {middleware: x}}\n")
    with open(os.path.join(HERE, "../../userspace/prove/keys.def")) as f:
        rows = dict(re.findall(r'^KEY\("([^"]+)", (\w+)\)', f.read(), re.M))
    unknown = {k for k, how in rows.items() if how == "UNKNOWN" and "." not in k}
    t.ok(unknown == {"network_middlewares"} and rc == 1 and not a["findings"], "what has no model is refused by the language", rc, a, unknown)
    schema = json.loads(run([OSHCTL, "policy", "schema"], 60)[1])
    top = set(schema["properties"])
    t.ok(top == {k for k in rows if "." not in k}, "each section of the language has its row", top ^ {k for k in rows if "." not in k})


def main():
    t = Tap()
    wider(t)
    blind(t)
    redundant(t)
    at_random(t, 120)
    keys(t)
    t.done()


if __name__ == "__main__":
    main()
