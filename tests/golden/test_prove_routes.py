#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routes to models: each input of their model has two policies that differ in it alone, of which one has a finding; and at random, against eval."""
import json
import os
import random
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, EXFIL, FS, LOCAL, MARKED, OSHCTL, USR, Tap, categories, prove, routes, run  # noqa: E402

CALL = "assert: [{never_call: {except: [here]}}]\n"
POSTED = "assert: [{never: {host: a.example.net, method: POST}}]\n"
BED = A.replace("openai", "bedrock")
# (input of the model of routes, category, policy that has the finding, policy that has not)
ROUTES = (
    ("a route", EXFIL, routes(A), routes(A, fs=USR)),
    ("models that may be asked for", "assert", routes(A + ", model: 'x*'", more="  models: ['?y']\n", net=POSTED),
     routes(A + ", model: 'x*'", more="  models: [y]\n", net=POSTED)),
    ("the same in a path", "unreachable_rule", routes(BED + ", model: 'x*'", more="  models: [y]\n"),
     routes(BED + ", model: 'x*'", more="  models: ['?y']\n")),
    ("models that a route serves", "unreachable_rule", routes(LOCAL, A), routes(LOCAL + ", model: 'x*'", A)),
    ("two patterns of models", "unreachable_rule", routes(LOCAL + ", model: ['x*', '[!x]**']", BED + ", model: '?y'").replace("openai", "bedrock"),
     routes(LOCAL + ", model: ['x*', '[!xz]**']", BED + ", model: '?y'").replace("openai", "bedrock")),
    ("names with a slash in a path", "unreachable_rule", routes(LOCAL.replace("openai", "bedrock") + ", model: 'm/*'", BED + ", model: 'm/x'"),
     routes(LOCAL.replace("openai", "bedrock") + ", model: 'm/*'", BED + ", model: 'n/x'")),
    ("aliases", "assert", routes(A + ", model: b", more="  models: [a, b]\n  aliases: {b: a, a: b}\n", net=POSTED),
     routes(A + ", model: b", more="  models: [a, b]\n  aliases: {b: a}\n", net=POSTED)),
    ("aliases in a path", "unreachable_rule", routes(BED + ", model: b", more="  models: [a, b]\n  aliases: {b: a}\n"),
     routes(BED + ", model: b", more="  models: [a, b]\n  aliases: {b: a, a: b}\n")),
    ("the next route where one fails", "assert", routes(LOCAL, A, more="  fallback: true\n", net=CALL), routes(LOCAL, A, net=CALL)),
    ("what a backend speaks", "assert", routes(LOCAL.replace("openai", "anthropic"), A, net=CALL), routes(LOCAL, A, net=CALL)),
    ("a field that tells the API", "assert", routes(LOCAL, A.replace("openai", "anthropic"), net=POSTED.replace("POST", "GET")),
     routes(LOCAL.replace("openai", "anthropic"), A, net=POSTED.replace("POST", "GET"))),
    ("calls that may name no model", "assert", routes(A.replace("openai", "llama") + ", model: x",
                                                      net="assert: [{never: {host: a.example.net, path: /completion}}]\n"),
     routes(A.replace("openai", "llama") + ", model: x", more="  models: [y]\n",
            net="assert: [{never: {host: a.example.net, path: /completion}}]\n")),
    ("who may call", "assert", routes(A, more="  binaries: [/usr/bin/a]\n", net="assert: [{never_call: {binaries: [/usr/bin/a]}}]\n"),
     routes(A, more="  binaries: [/usr/bin/b]\n", net="assert: [{never_call: {binaries: [/usr/bin/a]}}]\n")),
    ("the backend of a claim", "assert", routes(A, net="assert: [{never: {host: '*.example.net'}}]\n"),
     routes(A, net="assert: [{never: {host: '*.example.org'}}]\n")),
    ("its port", "assert", routes(A + ", port: 8443", net="assert: [{never_reach: {host: a.example.net, port: 8443}}]\n"),
     routes(A, net="assert: [{never_reach: {host: a.example.net, port: 8443}}]\n")),
    ("what is read and sent", "assert", routes(A, net="assert: [{never_read_and_send: {read: '/work/**', host: a.example.net}}]\n"),
     routes(A, net="assert: [{never_read_and_send: {read: '/home/**', host: a.example.net}}]\n")),
    ("a call that is none", "assert", routes(A, net="assert: [{never: {host: inference.local, method: POST, path: '/v1/*'}}]\n"),
     routes(A, net="assert: [{never: {host: inference.local, method: POST, path: '/x/**'}}]\n")),
    ("a marked host", "assert", routes(A, more="  binaries: [/usr/bin/a]\n", net=MARKED + "assert: [{never_call: {binaries: [/usr/bin/curl]}}]\n"),
     routes(A, more="  binaries: [/usr/bin/a]\n", net=MARKED.replace(", route: inference", "") + "assert: [{never_call: {binaries: [/usr/bin/curl]}}]\n")),
    ("rules of a marked host", "assert",
     routes(A, more="  binaries: [/usr/bin/a]\n", net=MARKED + "assert: [{never_call: {binaries: [/usr/bin/curl]}}]\n"),
     routes(A, more="  binaries: [/usr/bin/a]\n", net=MARKED.replace("access: full", "access: full, deny_rules: [{method: '*', path: '/v1/**'}]")
            + "assert: [{never_call: {binaries: [/usr/bin/curl]}}]\n")),
    ("a credential", "credential_reach", routes(A + ", provider: p"), routes(A)),
    ("a credential's host, unseen", "l7_bypass_credentialed", routes(A + ", provider: p", net="network: [{host: a.example.net}]\n"),
     routes(A, net="network: [{host: a.example.net}]\n")),
    ("addresses of a backend", "private_reach", routes(A + ", allowed_ips: [10.0.0.0/8]"), routes(A + ", allowed_ips: [8.8.8.0/24]")),
    ("a metadata service", "link_local_reach", routes(A.replace("a.example.net", "metadata.google.internal")), routes(A)),
)


def routed(t):
    for name, category, has, has_not in ROUTES:
        rc, a, again = prove(has)
        t.ok(rc == 1 and category in categories(a) and a["unknown"] is None, f"routes: {name}: found", rc, a, has)
        t.ok(not again, f"routes: {name}: explain says yes to what is told", *again)
        rc, a, _ = prove(has_not)
        t.ok(category not in categories(a) and a["unknown"] is None, f"routes: {name}: and not without", rc, a, has_not)
    rc, a, _ = prove(routes(A + ", model: 'x*'", A.replace("name: a", "name: b"), fs=USR))
    t.ok(rc == 0 and a["result"] == "proved", "routes, and nothing that is secret: proved", rc, a)
    rc, a, _ = prove(routes(LOCAL, fs=USR, net=CALL + "  \n"))
    t.ok(rc == 0 and a["result"] == "proved", "local only: proved", rc, a)
    f = [f for f in prove(routes(A, fs=FS))[1]["findings"] if f["category"] == EXFIL]
    t.ok([(x["where"], x["line"]) for x in f] == [("a.example.net:443", 5)] and "route 'a'" in f[0]["says"], "a backend is where it goes", f)


APIS = ("openai", "openai", "anthropic", "bedrock", "llama")
NAMES = ("x", "xy", "ay", "a;b", "m/n", "z", "[x]")
MODELS = ("x", "'x*'", "'?y'", "'[!x]*'", "'a;b'", "'a?b'", "'[;a]*'", "'m/*'", "'**'", "'\\[x\\]'")
PROGRAMS = ("/usr/bin/p", "/usr/bin/q")
# Where a path has a name: as it is, and with what need not be escaped or is another spelling of it.
SPELLED = {"x": "x", "xy": "xy", "ay": "ay", "a;b": "a%3Bb", "m/n": "m%2Fn", "z": "z", "[x]": "%5Bx%5D"}


def policy(rng):
    def some(of, most):
        return ", ".join(rng.sample(of, rng.randint(1, most)))
    rows = []
    for i in range(rng.randint(1, 3)):
        rows.append(f"name: r{i}, api: {rng.choice(APIS)}, host: r{i}.example.net" +
                    (f", model: [{some(MODELS, 2)}]" if rng.random() < .7 else ""))
    more = f"  models: [{some(MODELS, 3)}]\n" if rng.random() < .5 else ""
    if rng.random() < .5:
        alias = rng.sample(("x", "ay", "m/n", "z", "'a;b'"), 2)
        more += f"  aliases: {{{alias[0]}: {alias[1]}}}\n"
    more += f"  binaries: [{some(PROGRAMS, 2)}]\n" if rng.random() < .3 else ""
    more += "  fallback: true\n" if rng.random() < .2 else ""
    return routes(*rows, more=more, fs=USR)


def claims():
    """(YAML, what of the calls it is about)"""
    for r in ("r0", "r1", "r2"):
        yield f"never: {{host: {r}.example.net}}", lambda q, a, r=r: a == r
        yield f"never: {{host: {r}.example.net, method: GET}}", lambda q, a, r=r: a == r and q["method"] == "GET"
        for path in ("/completion", "/v1/models", "/v1/models/x", "/v1/models/a%3Bb", "/v1/models/m/n", "/model/m%2Fn/invoke", "/model/%5Bx%5D/converse"):
            yield (f"never: {{host: {r}.example.net, path: '{path.replace('[', chr(92) + '[')}'}}",
                   lambda q, a, r=r, p=path: a == r and q["path"] == p)
    yield "never_call: {except: [r0]}", lambda q, a: a not in (None, "r0")
    yield "never_call: {binaries: [/usr/bin/p]}", lambda q, a: a and q["binary"] == "/usr/bin/p"


def calls():
    for binary, anthropic in ((b, a) for b in PROGRAMS for a in (False, True)):
        def one(method, path, model=None):
            q = {"host": "inference.local", "port": 443, "method": method, "path": path, "binary": binary, "anthropic": anthropic}
            return dict(q, model=model) if model else q
        yield one("GET", "/v1/models")
        for name in NAMES:
            for path in ("/v1/chat/completions", "/v1/messages", "/completion"):
                yield one("POST", path, name)
            yield one("GET", "/v1/models/" + SPELLED[name])
            yield one("POST", f"/model/{SPELLED[name]}/invoke")
            yield one("POST", f"/model/{SPELLED[name]}/converse")
        yield one("GET", "/v1/models/m/n")
        yield one("POST", "/completion")
        yield one("POST", "/v1/chat/completions")


def compare(t, seed):
    """What the prover proves of calls, eval never routes; what it refutes, it has asked eval itself."""
    text, said, asked = policy(random.Random(seed)), list(claims()), list(calls())
    whole = text + "assert:\n" + "".join(f"  - {c}\n" for c, _ in said)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f, tempfile.TemporaryFile("w+") as lines:
        f.write(whole)
        f.flush()
        os.chmod(f.name, 0o644)
        lines.write("".join(json.dumps({"stage": "inference", "request": q}) + "\n" for q in asked))
        lines.seek(0)
        told = [json.loads(a) for a in run([OSHCTL, "policy", "eval", "-p", f.name], 300, stdin=lines)[1].splitlines()]
    _, a, again = prove(whole)
    first = text.count("\n") + 2
    refuted = {f["line"] - first for f in a["findings"] if f["category"] == "assert"}
    taken = [(q, e["route"]) for q, e in zip(asked, told) if e["decision"] == "route"]
    missed = [(c, q, r) for n, (c, fits) in enumerate(said) if n not in refuted for q, r in taken if fits(q, r)]
    t.ok(not missed and a["unknown"] is None and len(told) == len(asked) and not again,
         f"policy {seed}: {len(taken)} of {len(asked)} calls are taken, {len(refuted)} of {len(said)} claims refuted", whole, missed[:3], a["unknown"],
         len(told), *again[:2])
    return len(taken), len(refuted)


def at_random(t, rounds):
    seen = {compare(t, seed) for seed in range(rounds)}
    t.ok(len(seen) >= rounds // 2, "the policies are of many kinds", seen)


def main():
    t = Tap()
    routed(t)
    at_random(t, 40)
    t.done()


if __name__ == "__main__":
    main()
