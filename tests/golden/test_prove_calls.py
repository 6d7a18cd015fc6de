#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Calls of models, at random: what the prover proves of policies with routes, eval never routes."""
import json
import os
import random
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import OSHCTL, USR, WORK, Tap, routes, run  # noqa: E402

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
        rows.append(f"name: r{i}, api: {rng.choice(APIS)}, host: r{i}.example.net" + (", local: true" if i == 1 else "") +
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
    yield "never_leave: {}", lambda q, a: a not in (None, "r1")
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
        out, err = run([OSHCTL, "policy", "prove", "--json", "-w", WORK, f.name], 300)[1:3]
        told = [json.loads(a) for a in run([OSHCTL, "policy", "eval", "-p", f.name], 300, stdin=lines)[1].splitlines()]
    a = json.loads(out) if out.strip() else {"findings": [], "unknown": err}
    first = text.count("\n") + 2
    refuted = {f["line"] - first for f in a["findings"] if f["category"] == "assert"}
    taken = [(q, e["route"]) for q, e in zip(asked, told) if e["decision"] == "route"]
    missed = [(c, q, r) for n, (c, fits) in enumerate(said) if n not in refuted for q, r in taken if fits(q, r)]
    t.ok(not missed and a["unknown"] is None and len(told) == len(asked),
         f"policy {seed}: {len(taken)} of {len(asked)} calls are taken, {len(refuted)} of {len(said)} claims refuted", whole, missed[:3], a["unknown"],
         len(told))
    return len(taken), len(refuted)


def at_random(t, rounds):
    seen = {compare(t, seed) for seed in range(rounds)}
    t.ok(len(seen) >= rounds // 2, "the policies are of many kinds", seen)


def main():
    t = Tap()
    at_random(t, 16)
    t.done()


if __name__ == "__main__":
    main()
