#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the prover proves, eval never allows: random policies, and every request of a small world put to eval. A claim that
one of them breaks must be refuted. (That what is refuted is really allowed, the prover asks eval itself.)"""
import itertools
import json
import os
import random
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402

OSHCTL = os.path.abspath(os.path.join(BUILD, "oshctl"))
HOSTS = ("a.x.org", "b.x.org", "c.a.x.org")
HOST_PATTERNS = ("a.x.org", "b.x.org", "'*.x.org'", "'**.x.org'")
METHODS = ("GET", "HEAD", "POST", "PUT")
PATHS = ("/", "/a", "/a/", "/a/b", "/ab", "/b/a", "/a/b/c")
PATH_PATTERNS = ("/a", "'/a/*'", "'/a/**'", "'/**'", "'/a*'", "'/*/b'", "'/?'", "'/[ab]/**'")
PROGRAMS = ("/usr/bin/p", "/usr/bin/q")
QUERIES = ({}, {"k": ["v"]}, {"k": ["v.w"]})
QUERY_PATTERNS = ("v", "'v*'", "'**'")


def rule(rng, wrap):
    query = f", query: {{k: {rng.choice(QUERY_PATTERNS)}}}" if rng.random() < .3 else ""
    body = f"{{method: {rng.choice(METHODS + ('chr(42)',))}, path: {rng.choice(PATH_PATTERNS)}{query}}}"
    body = body.replace("chr(42)", "'*'")
    return f"{{allow: {body}}}" if wrap else body


def endpoint(rng):
    text = f"host: {rng.choice(HOST_PATTERNS)}, port: 443"
    if rng.random() < .15:
        return text
    text += f", protocol: rest, enforcement: {rng.choice(('enforce', 'enforce', 'audit'))}"
    text += f", rules: [{', '.join(rule(rng, True) for _ in range(rng.randint(1, 3)))}]" if rng.random() < .7 else \
        f", access: {rng.choice(('read-only', 'read-write', 'full'))}"
    if rng.random() < .5:
        text += f", deny_rules: [{', '.join(rule(rng, False) for _ in range(rng.randint(1, 2)))}]"
    return text


def policy(rng):
    out = "version: 1\nfilesystem_policy: {read_only: [/usr]}\nnetwork_policies:\n"
    for i in range(rng.randint(1, 3)):
        programs = rng.sample(PROGRAMS, rng.randint(1, 2))
        out += f"  r{i}:\n    endpoints:\n" + "".join(f"      - {{{endpoint(rng)}}}\n" for _ in range(rng.randint(1, 2)))
        out += f"    binaries: [{', '.join('{path: ' + p + '}' for p in programs)}]\n"
    return out


def claims():
    """(YAML, what of the small world it is about)"""
    for host, method in itertools.product(HOSTS, ("GET", "POST")):
        yield f"never: {{host: {host}, method: {method}}}", (lambda q, h=host, m=method: q["host"] == h and q["method"] == m)
    for path in ("/a", "/a/b", "/b/a"):
        yield f"never: {{host: a.x.org, path: {path}}}", (lambda q, p=path: q["host"] == "a.x.org" and q["path"] == p)
    for program in PROGRAMS:
        yield (f"never: {{method: PUT, binaries: [{program}]}}",
               lambda q, b=program: q["method"] == "PUT" and q["binary"] == b)


def world():
    for h, m, p, b, k in itertools.product(HOSTS, METHODS, PATHS, PROGRAMS, QUERIES):
        yield {"host": h, "port": 443, "method": m, "path": p, "binary": b, "query": k}


def compare(t, seed):
    rng = random.Random(seed)
    said, wanted = list(claims()), list(world())
    text = policy(rng)
    whole = text + "assert:\n" + "".join(f"  - {c}\n" for c, _ in said)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(whole)
        f.flush()
        os.chmod(f.name, 0o644)
        rc, out, err = run([OSHCTL, "policy", "prove", "-w", "/w", "--json", f.name], 300)[:3]
        lines = "".join(json.dumps({"stage": s, "request": q}) + "\n" for q in wanted for s in ("l4", "l7"))
        with tempfile.TemporaryFile("w+") as asked:
            asked.write(lines)
            asked.seek(0)
            told = run([OSHCTL, "policy", "eval", "-p", f.name], 300, stdin=asked)[1]
    answers = [json.loads(a) for a in told.splitlines()]
    if not out.strip():
        return None
    answer = json.loads(out)
    first = text.count("\n") + 2
    refuted = {f["line"] - first for f in answer["findings"] if f["category"] == "assert"}
    sent = [q for q, l4, l7 in zip(wanted, answers[::2], answers[1::2])
            if l4["decision"] == "allow" and (l7["decision"] == "allow" or l7.get("audit") or
                                              l7["reason_id"] == "NOT_INSPECTED")]
    missed = [(c, q) for n, (c, fits) in enumerate(said) for q in sent if fits(q) and n not in refuted]
    t.ok(not missed and answer["unknown"] is None and len(answers) == 2 * len(wanted),
         f"policy {seed}: {len(sent)} of {len(wanted)} requests are sent, {len(refuted)} of {len(said)} claims refuted",
         whole, missed[:3], answer["unknown"], err)
    return len(sent), len(refuted)


def main():
    t = Tap()
    seen = [s for s in (compare(t, n) for n in range(40)) if s]
    t.ok(len(seen) >= 20 and len({s for s in seen}) >= 10, "the policies are of many kinds", seen)
    t.done()


if __name__ == "__main__":
    main()
