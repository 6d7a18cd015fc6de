#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which endpoints take a credential, and what its API lets it do there."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import USR, Tap, categories, net, prove  # noqa: E402

def credentials(t):
    pat = [{"name": "pat", "type": "github-pat", "scopes": ["repo"], "target_hosts": ["api.github.com"]}]
    gist = [dict(pat[0], scopes=["gist"])]
    other = [dict(pat[0], target_hosts=["api.gitlab.com"])]
    read = net("host: api.github.com, port: 443, protocol: rest, access: read-only")
    full = net("host: api.github.com, port: 443, protocol: rest, access: full")
    plain = net("host: api.github.com, port: 443")

    def says(policy, creds):
        a = prove(policy, creds=creds)[1]
        return " ".join(f["says"] for f in a["findings"] if f["category"] == "credential_reach")
    t.ok("read_code" in says(read, pat) and "create_issue" not in says(read, pat),
         "credential reach: what its API lets it do through a read-only endpoint", says(read, pat))
    t.ok("create_issue" in says(full, pat) and "create_gist" not in says(full, pat), "and through an open one",
         says(full, pat))
    t.ok("create_gist" in says(full, gist) and "create_issue" not in says(full, gist), "by the scopes that it has",
         says(full, gist))
    t.ok(not says(full, other), "a credential for another host is not used here")
    t.ok("l7_bypass_credentialed" in categories(prove(plain, creds=pat)[1])
         and "l7_bypass_credentialed" not in categories(prove(plain, creds=other)[1]),
         "a plain connection to a host that a credential is for")
    bound = net("host: api.github.com, port: 443, protocol: rest, access: full, credential: gh",
                more="credentials: {gh: {provider: github}}\n")
    a = prove(bound)[1]
    t.ok(any(f.get("credential") == "gh" for f in a["findings"]), "a credential that the egress puts in", a)


def says_of(api, hosts, scopes, more):
    """What the credential is said to be used for, at these hosts."""
    ends = [f"host: {h}, port: 443, protocol: rest, {more}" for h in hosts]
    creds = [{"name": "c", "type": api + "-token", "scopes": scopes, "target_hosts": hosts}]
    a = prove(net(*ends, fs=USR), creds=creds)[1]
    said = " ".join(f["says"] for f in a["findings"] if f["category"] == "credential_reach")
    return set(re.findall(r"(\w+) \(\w+\)", said)) if a["unknown"] is None else a["unknown"]


def registry(t):
    """Each row of each API: told where its request goes through with its scope, and not otherwise."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../userspace/prove/apis.def")) as f:
        rows = re.findall(r'^CAP\("(\w+)",\s*"([^"]+)",\s*"(\w+)",\s*"([^"]+)",\s*"(\w+)",\s*"(\w+)",\s*"([^"]+)"\)$', f.read(), re.M)
    t.ok({r[0] for r in rows} >= {"github", "gitlab", "npm", "pypi", "aws", "slack"} and len(rows) > 30, "the APIs that there must be", len(rows))
    for api in sorted({r[0] for r in rows}):
        mine = [r for r in rows if r[0] == api]
        hosts = sorted({r[1].replace("**", "b.s3.eu-west-1") for r in mine})
        every = {r[4] for r in mine}
        got = says_of(api, hosts, [], "access: full")
        t.ok(got == every, f"{api}: all that it can do, where everything goes through", got, every)
        got, want = says_of(api, hosts, [], "access: read-only"), {r[4] for r in mine if r[2] == "GET"}
        t.ok(got == want, f"{api}: reading alone", got, want)
        for scope in sorted({r[6] for r in mine}):
            got, want = says_of(api, hosts, [scope], "access: full"), {r[4] for r in mine if r[6] == scope}
            t.ok(got == want, f"{api}: with scope {scope}", got, want)
        for row in mine:
            rule = "{method: %s, path: '%s'}" % (row[2], row[3])
            others = {r[4] for r in mine if r[4] != row[4]}
            got = says_of(api, hosts, [row[6]], f"access: full, deny_rules: [{rule}]")
            same = [r for r in mine if r[4] == row[4] and r != row]
            t.ok(got <= others | ({row[4]} if same else set()), f"{api}: not {row[2]} {row[3]} where that is denied", got)


def main():
    t = Tap()
    credentials(t)
    registry(t)
    t.done()


if __name__ == "__main__":
    main()
