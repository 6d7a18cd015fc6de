#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every type of provider: stored by its name alone it brings its hosts, and a run with it reaches them. AWS: each request is
signed for the service and the region that its host says, and the keys are nowhere inside."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from keys_world import KeysWorld, every_profile, holders  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import OSHCTL  # noqa: E402

t = Tap()
LIMIT = 120
WITHOUT = {"generic"}           # whose hosts nobody knows
SECRET = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE0123456", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
          "AWS_SESSION_TOKEN": "session-4eC39HqLyjWDarjtT1zdp7dc"}


def table():
    for name, p in every_profile().items():
        hosts = p["record"].get("hosts", [])
        good = all(re.fullmatch(r"(\*\.)?([a-z0-9-]+\.)+[a-z]+", h) for h in hosts) and len(set(hosts)) == len(hosts)
        t.ok(good and bool(hosts) == (name not in WITHOUT) and p["description"], f"{name}: says what it is, and where it lies", hosts)
        t.ok(name in WITHOUT or all(b.startswith("/") for b in p["binaries"]), f"{name}: its programs have paths", p["binaries"])


def ctl(w, *words, env=None):
    return run([OSHCTL, *words[:2], "--socket", w.daemon.bus, *words[2:]], LIMIT, env={**os.environ, **(env or {})})


def stored(w):
    key = w.write("some.key", "key-4eC39HqLyjWDarjtT1zdp7dcQ0Vx\n")
    for name, p in every_profile().items():
        how = ["--from-env"] if p.get("secret") else ["--from-file", key]
        rc, out, err = ctl(w, "provider", "create", name, *how, env=SECRET)
        if name in WITHOUT:
            t.ok(rc == 1 and "wants to know its hosts" in err, f"{name}: asks for hosts", err)
            continue
        _, js, _ = ctl(w, "provider", "get", name, "--json")
        has = json.loads(json.loads(js)["record"])["hosts"] if js else []
        t.ok(rc == 0 and has == p["record"]["hosts"], f"{name}: stored by its name, with its hosts", out, err, has)
        host = has[-1].replace("*.", "some.") if has else "none"
        rc, out, err = run([OSHCTL, "run", "--socket", w.daemon.bus, "-w", w.work, "--provider", name, "--", "getent", "hosts", host], LIMIT)
        t.ok(rc == 0 and host in out, f"{name}: without a policy a run can name {host}", rc, out, err)


def signed(w):
    """What came of the last request: [(key id, region, service)], and whether the token did."""
    found = []
    for f in w.came("authorization"):
        m = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request, SignedHeaders=\S+, Signature=[0-9a-f]{64}$", f or "")
        found.append(m.groups() if m else f)
    return found, w.came("x-amz-security-token")


def aws(w):
    hosts = {"sts.amazonaws.com": ("us-east-1", "sts"), "sts.eu-west-1.amazonaws.com": ("eu-west-1", "sts"),
             "bedrock-runtime.us-west-2.amazonaws.com": ("us-west-2", "bedrock")}
    ends = ", ".join(f"{{host: {h}, port: 443}}" for h in hosts)
    policy = w.policy(f"  aws:\n    endpoints: [{ends}]\n    binaries: [{{path: /usr/bin/curl}}]\n")
    for host, (region, service) in hosts.items():
        w.api.seen.clear()
        r = w.run(policy, ["sh", "-c", f"env; curl -sS -m 60 -d a=b https://{host}/"], options=["--provider", "aws"])
        got, tokens = signed(w)
        t.ok(got == [(SECRET["AWS_ACCESS_KEY_ID"], region, service)] and tokens == [SECRET["AWS_SESSION_TOKEN"]] and r.out.endswith("fine\n"),
             f"{host}: signed for {service} in {region}", got, r)
        t.ok(not any(v in r.out + r.err + str(r.events) for k, v in SECRET.items() if k != "AWS_ACCESS_KEY_ID"), "and the keys are nowhere inside", r)
    t.ok(holders(SECRET["AWS_SECRET_ACCESS_KEY"]) == set(), "nor in any process of ours that is left")


def main():
    table()
    if os.geteuid():
        t.skip("profiles in use", "needs root")
        t.done()
    with KeysWorld() as w, w.resident():
        stored(w)
        aws(w)
    t.done()


if __name__ == "__main__":
    main()
