#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`assert`: claims that hold, claims that a request refutes; and findings that are accepted."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import BYPASS, EXFIL, OSHCTL, PLAIN, Tap, categories, net, prove, rest, run  # noqa: E402

POST = rest("{allow: {method: GET, path: '/**'}}, {allow: {method: POST, path: /a/*}}")
# (claim, is it refuted by a policy with POST and a home that can be read?)
CLAIMS = (
    ("never: {host: api.example.com, method: [POST, PUT]}", True),
    ("never: {host: api.example.com, method: [put, DELETE]}", False),
    ("never: {host: api.example.com, method: POST, path: '/a/b*'}", True),
    ("never: {host: api.example.com, method: POST, path: '/b/**'}", False),
    ("never: {host: '*.example.org'}", False),
    ("never: {host: '**.com', method: POST, binaries: [/usr/bin/curl]}", True),
    ("never: {method: POST, binaries: [/usr/bin/wget]}", False),
    ("never: {port: 80}", False),
    ("never_reach: {host: '*.example.com'}", True),
    ("never_reach: {host: '*.pastebin.com'}", False),
    ("never_reach: {host: api.example.com, port: 443, binaries: ['/usr/bin/c*']}", True),
    ("never_reach: {host: api.example.com, binaries: ['/usr/bin/d*']}", False),
    ("never_read_and_send: {read: '/home/*/.ssh/**'}", True),
    ("never_read_and_send: {read: '/root/**'}", False),
    ("never_read_and_send: {read: '/home/**', method: PUT}", False),
    ("never_read_and_send: {read: '/home/**', host: x.example.com}", False),
)


def claims(t):
    policy = net(POST, fs="filesystem_policy: {read_only: [/usr, /home]}\n")
    rc, answer, again = prove(policy + "assert:\n" + "".join(f"  - {c}\n" for c, _ in CLAIMS))
    first = policy.count("\n") + 2
    refuted = {f["line"] - first for f in answer["findings"] if f["category"] == "assert"}
    for n, (claim, wrong) in enumerate(CLAIMS):
        t.ok((n in refuted) == wrong, f"{'refuted' if wrong else 'proved'}: {claim}", answer)
    t.ok(rc == 1 and not again, "each refutation is a request that eval allows", *again)
    plain = net(PLAIN, fs="filesystem_policy: {read_only: [/usr]}\n")
    a = prove(plain + "assert: [{never: {host: api.example.com, method: GET}}]\n")[1]
    t.ok(categories(a) == {"assert"}, "where nobody looks, every request can be made", a)


def accepted(t):
    policy = net(PLAIN, "host: b.example.com, port: 443", fs="filesystem_policy: {read_only: [/usr, /home]}\n")

    def left(entry):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump([entry], f)
            f.flush()
            os.chmod(f.name, 0o644)
            rc, a, _ = prove(policy, "--accept", f.name)
        return rc, sorted(x["where"] for x in a["findings"]), a.get("accepted")
    one = {"category": EXFIL, "where": "api.example.com:443", "reason": "ours", "expires": "9998-12-31"}
    both = {"category": EXFIL, "reason": "ours", "expires": "9998-12-31"}
    a, b = "api.example.com:443", "b.example.com:443"
    t.ok(left(one) == (1, [b], 1), "an accepted finding is left out, others stay", left(one))
    t.ok(left(both) == (0, [], 2), "a category everywhere: proved", left(both))
    t.ok(left(dict(both, expires="2020-01-01")) == (1, [a, b], 0), "one that expired is none")
    t.ok(left(dict(both, program="/usr/bin/wget")) == (1, [a, b], 0), "another program's is none")
    t.ok(left(dict(both, category=BYPASS)) == (1, [a, b], 0), "another category is none")
    for key in ("reason", "expires", "category"):
        t.ok(left({k: v for k, v in one.items() if k != key}) == (1, [], None), f"without '{key}' the file is refused")
    for what, entry in (("a key that is misspelt", dict(both, were="api.example.com:443")), ("a place that is no text", dict(one, where=1)),
                        ("an empty reason", dict(one, reason=" ")), ("a day that there is not", dict(one, expires="2031-13-01")),
                        ("a date that is none", dict(one, expires="----------")), ("an entry that is none", "x")):
        t.ok(left(entry) == (1, [], None), f"{what}: the file is refused", left(entry))
    for what, entry, word in (("expired", dict(one, expires="2020-01-01"), "expired on 2020-01-01"),
                              ("never found", dict(one, where="c.example.com:443"), "nothing like it")):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump([entry], f)
            f.flush()
            os.chmod(f.name, 0o644)
            a = prove(policy, "--accept", f.name)[1]
        t.ok(len(a["stale"]) == 1 and word in a["stale"][0], f"one that {what} is said to be so", a.get("stale"))


ENTRY = '{"category": "exfiltration", "reason": "x", "expires": "2030-02-01"}'
FILES = (           # option, text, what is said of each line and column
    ("accept", f'[{ENTRY},\n {{"category": "e", "reason": "]}}\\"", "expires": "2030-02-30"}}]', [":2:2: error[OSH109]: 'expires' is missing, or no day"]),
    ("accept", '{"x": ["accepted", [1]],\n "accepted": [{"were": "a"},\n\t{"category": "e"}]}', [":2:15: error[OSH109]: unknown key 'were'", ":3:2: error[OSH109]: 'reason' is missing"]),
    ("accept", '[{"category": 1}]', [":1:2: error[OSH109]: 'category' is no text"]),
    ("accept", '[{"category": "e"\n, "reason": oops}]', [":2:16: error[OSH101]: invalid token near 'oops'"]),
    ("accept", '{"category": "e"}', [":1:1: error[OSH106]: neither a list nor an object with 'accepted'"]),
    ("accept", "", [":1:1: error[OSH101]"]),
    ("credentials", '[{"name": "x", "target_hosts": ["a b"]},\n{"target_hosts": ["a.example"]}, 7]', [":1:2: error[OSH109]: 'a b' is no host", ":2:1: error[OSH109]: 'name' is missing", ":2:34: error[OSH109]: not an object"]),
    ("credentials", '{"credentials": [\n{"name": "x"}]}', [":2:1: error[OSH109]: 'target_hosts' is missing"]),
)


def places(t):
    """What is wrong with a file that is not the policy is said with its name, line and column."""
    with tempfile.TemporaryDirectory() as d:
        policy, file = os.path.join(d, "p.yaml"), os.path.join(d, "given.json")
        with open(policy, "w") as f:
            f.write(net(PLAIN))
        for option, text, want in FILES:
            with open(file, "w") as f:
                f.write(text)
            rc, out, err = run([OSHCTL, "policy", "prove", f"--{option}", file, policy], 60)[:3]
            said = [ln for ln in err.splitlines() if ": error[" in ln]
            t.ok(rc == 1 and not out and len(said) == len(want) and all(s.startswith(file + w) for s, w in zip(said, want)) and "= hint: each is {" in err,
                 f"{option}: {want[0]}", rc, out, err)
        with open(file, "w") as f:
            f.write("[" + "7," * 300000 + "7]")
        rc, _, err = run([OSHCTL, "policy", "prove", "--accept", file, policy], 60)[:3]
        t.ok(rc == 1 and ":1:2: error" in err and len(err) < 100000, "of many, some are told, and soon", rc, err[:300], err[-300:])


def main():
    t = Tap()
    places(t)
    claims(t)
    accepted(t)
    t.done()


if __name__ == "__main__":
    main()
