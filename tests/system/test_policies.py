#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad, missing and very large policies: a clear error or a working sandbox, never anything between."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Work, policy  # noqa: E402

BAD = {
    "an unknown key": (BASE_POLICY + "netwrk: []\n", "unknown key 'netwrk'", "did you mean 'network'"),
    "a duplicate key": (BASE_POLICY + "version: 1\n", "OSH1", ":"),
    "an alias": (BASE_POLICY + "network: &a [{host: a.test}]\nnetwork_policies: *a\n", "OSH1", ":"),
    "a key that is not enforced yet": (BASE_POLICY + "network: [{host: '*-x.example.test'}]\n", "not enforced yet: 'this host pattern'", "OSH150"),
    "a host that is no host": (policy("{host: '*.com'}"), "*.com", "OSH1"),
    "no YAML at all": ("\0\0\0", "OSH1", ""),
    "nothing": ("", "OSH1", ""),
    "too many hosts": (policy(*(f"{{host: h{i}.example.test}}" for i in range(60001))), "too many hosts", "60000"),
}


def main():
    t = Tap()
    with Work() as w:
        def sandbox(path, *cmd):
            return run([OSHCTL, "run", "-p", path, "--workdir", w.work, "--", *cmd], timeout=200)

        for name, (text, *words) in BAD.items():
            path = w.write("bad.yaml", text)
            rc, out, err = sandbox(path, "touch", "ran")
            t.ok(rc == 125 and not out and not os.path.exists(os.path.join(w.work, "ran")) and
                 all(x in err for x in words) and err.startswith(path), f"{name}: an error with its place", rc, out, err)
        rc, _, err = sandbox(os.path.join(w.dir, "none.yaml"), "true")
        t.ok(rc == 125 and "No such file" in err, "a missing file", rc, err)
        rc, _, err = sandbox(w.dir, "true")
        t.ok(rc == 125 and err, "a directory as policy", rc, err)
        big = w.write("big.yaml", policy(*(f"{{host: h{i}.example.test}}" for i in range(10000))))
        rc, out, err = sandbox(big, "sh", "-c", "getent hosts h0.example.test h9999.example.test; getent hosts h10000.example.test || echo denied")
        t.ok(rc == 0 and "h9999.example.test" in out and "h0.example.test" in out and out.endswith("denied\n"),
             "10 000 names: first and last resolve, the next does not", rc, out, err)
    t.done()


main()
