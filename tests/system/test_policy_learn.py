#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy learn` with real runs: what was denied is learnt from the log, and the second run works; what must not be
learnt is not. The log is a file, then that of a created sandbox."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, until  # noqa: E402
from world import World  # noqa: E402

CURL = os.path.realpath("/usr/bin/curl")
t = Tap()

INSPECTED = f"""  pub:
    endpoints: [{{host: allowed.example, port: 443, protocol: rest, rules: [{{allow: {{method: GET, path: /pub/other}}}}]}}]
    binaries: [{CURL}]
"""
ASK = """
curl -sS https://allowed.example/pub/page
curl -sS --cacert ca.pem https://v4.example/pub/page
curl -sS http://plain.example/pub/page
curl -sS -m 5 http://10.1.2.3/
echo x >/usr/bin/ls
true
"""


def learn(w, policy, *where):
    rc, out, err = run([OSHCTL, "policy", "learn", "-w", w.work, "-p", policy, *where], 60)
    new = w.write("learnt.yaml", out)
    return rc, out, err, new


def whys(w, policy, *where):
    found = json.loads(run([OSHCTL, "policy", "learn", "-w", w.work, "-p", policy, "--json", *where], 60)[1])
    return {(x["kind"], x["because_id"]) for x in found["left_out"]}, found


def rounds(w):
    """Until a run denies nothing that is learnt: the name, then its port; each is one round."""
    text, pages = w.policy(INSPECTED), []
    for n in range(4):
        r = w.run(text, ["sh", "-c", ASK])
        pages.append(r.out.count("the public page"))
        policy, log = os.path.join(w.dir, f"policy.yaml-{w.n}"), os.path.join(w.dir, f"log.jsonl-{w.n}")
        rc, out, err, new = learn(w, policy, "--log", log)
        left, found = whys(w, policy, "--log", log)
        if not n:
            t.ok(rc == 1 and pages[0] == 0, "the first run reads no page", rc, r, err)
            t.ok(("connect", "ADDRESS_PRIVATE") in left, "an address of the inside is left out, and said", left, err)
            t.ok(not found["of_another_policy"], "the log is of this policy", found["of_another_policy"])
            t.ok(run([OSHCTL, "policy", "check", new], 60)[0] == 0, "what was learnt is a policy", out)
        if not found["proposed"]:
            break
        text = out
    t.ok(pages[-1] == 3 and len(pages) <= 4, f"run, learn, run: pages {pages}", r, out, err)
    t.ok("/usr/bin/ls" not in out.split("learnt_")[0] and "10.1.2.3" not in text and "read_write: [/tmp, /dev/null]" in text, "nothing else is in the policy", text)
    r = w.run(text, ["sh", "-c", "curl -sS https://allowed.example/pub/private/page; python3 -c 'import socket; socket.create_connection((\"v4.example\", 443))'"])
    t.ok("the private page" not in r.out and "Permission denied" in r.err + r.out, "another path and another program are denied as before", r)
    return text


def created(w):
    """The log of a created sandbox, by its name, after its end."""
    with w.resident() as d:
        os.environ["OSH_SOCKET"] = d.bus
        policy = w.write("created.yaml", w.policy(INSPECTED))
        rc, _, err = run([OSHCTL, "sandbox", "create", "-n", "learner", "-p", policy, "-w", w.work, "--", "sh", "-c", ASK], 60)
        until(lambda: "ended" in run([OSHCTL, "sandbox", "logs", "learner", "--json"], 60)[1].split("status_detail")[-1], 60)
        rc2, out, err2, _ = learn(w, policy, "learner")
        t.ok(not rc and rc2 == 1 and "learnt_curl" in out and "host: v4.example" in out and "method: GET, path: /pub/page" in out, "the log of a sandbox by its name", rc, err, rc2, out, err2)
        rc, out, err, _ = learn(w, policy, "nobody")
        t.ok(rc == 0 and out == w.policy(INSPECTED), "a name that the log has not: nothing to learn", rc, out, err)
        run([OSHCTL, "sandbox", "delete", "-f", "learner"], 60)
        del os.environ["OSH_SOCKET"]


def main():
    with World() as w:
        rounds(w)
        created(w)
    t.done()


if __name__ == "__main__":
    main()
