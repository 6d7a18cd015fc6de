#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What another prover passes over is found here, each with a policy."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, BYPASS, EXFIL, PLAIN, SSH, USR, Tap, categories, net, prove, rest, strict  # noqa: E402

SH = "assert: [{never_reach: {host: api.example.com, binaries: [/usr/bin/sh]}}]\n"
TOKEN = rest("{allow: {method: GET, path: '/**'}}", more=", credential: pat")
OUT = "host: collect.example.com, port: 443, protocol: rest, access: read-only"
CALLS = "inference: {routes: [{%s}]}\n" % A
# What OpenShell's prover passes over: (what, category, a policy with the finding, one without or None)
BLIND = (
    ("exfiltration without a credential", EXFIL, net("host: attacker.example.com, port: 443"), None),
    ("paths of rules", EXFIL, net(rest("{allow: {method: POST, path: /a}}", "{method: POST, path: /b}")),
     net(rest("{allow: {method: POST, path: /a}}", "{method: POST, path: /a}"))),
    ("queries of rules", EXFIL, net(rest("{allow: {method: GET, path: /a, query: {q: a*}}}", "{method: GET, path: /a, query: {q: ab*}}")),
     net(rest("{allow: {method: GET, path: /a, query: {q: ab*}}}", "{method: GET, path: /a, query: {q: a*}}"))),
    ("deny rules", EXFIL, net("host: a.example.com, port: 443, protocol: rest, access: full"),
     net("host: a.example.com, port: 443, protocol: rest, access: full, deny_rules: [{method: '*', path: '/**'}]")),
    ("audit is not enforced", BYPASS,
     net("host: a.example.com, port: 443, protocol: rest, access: read-only, enforcement: audit"),
     net("host: a.example.com, port: 443, protocol: rest, access: read-only, enforcement: enforce")),
    ("an inspected GET carries data", EXFIL, net("host: a.example.com, port: 443, protocol: rest, access: read-only"), None),
    ("what can be read decides", EXFIL, net(PLAIN), net(PLAIN, fs="filesystem_policy: {read_only: [/usr]}\n")),
    ("protocols other than REST", EXFIL,
     net("host: m.example.com, port: 443, protocol: mcp, rules: [{allow: {method: tools/call, tool: 'put_*'}}]"), None),
    ("patterns of programs", EXFIL, net(PLAIN, binaries='    binaries: [{path: "/usr/lib/*/agent"}]\n'), None),
    ("names as a channel", "dns_channel", net('host: "**.example.com", port: 443'), None),
    ("programs that no registry knows", EXFIL, net(PLAIN, binaries="    binaries: [{path: /usr/bin/zzz}]\n"), None),
    ("git over an inspected connection is inspected", BYPASS,
     net(rest("{allow: {method: GET, path: '/**'}}", host="github.com"), "host: github.com, port: 22",
         binaries="    binaries: [{path: /usr/bin/git}]\n"),
     net(rest("{allow: {method: GET, path: '/**'}}", host="github.com"),
         binaries="    binaries: [{path: /usr/bin/git}]\n")),
    ("who started a program", "assert", net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n") + SH,
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n", more=strict("/usr/bin/sh")) + SH),
    ("from one endpoint to another, by a credential", EXFIL, net(TOKEN, OUT, fs=USR), net(TOKEN, fs=USR)),
    ("and no further than somebody takes it", EXFIL, net(TOKEN, OUT, fs=USR),
     net(TOKEN, OUT + ", deny_rules: [{method: '*', path: '/**'}]", fs=USR)),
    ("back to where it is from is nowhere", EXFIL, net(TOKEN, OUT, fs=USR), net(TOKEN, OUT.replace("collect.example.com, port: 443", "api.example.com, port: 8443"), fs=USR)),
    ("what lies open is no secret", EXFIL, net(TOKEN, OUT, fs=USR), net(TOKEN.replace(", credential: pat", ""), OUT, fs=USR)),
    ("from a private network to elsewhere", EXFIL, net("host: db.corp, port: 443, allowed_ips: [10.0.0.0/8]", OUT, fs=USR),
     net("host: db.corp, port: 443, allowed_ips: [8.8.8.0/24]", OUT, fs=USR)),
    ("by way of a model", EXFIL, net(TOKEN, fs=USR) + CALLS, net(TOKEN.replace(", credential: pat", ""), fs=USR) + CALLS),
    ("who reads need not be who sends", EXFIL,
     net(PLAIN, fs=SSH, more=strict("/usr/bin/curl", "/usr/bin/ssh")), None),
)

HERE = "filesystem_policy: {include_workdir: true, read_only: [/usr], read_write: [/tmp]}\n"
# Where secrets that may lie anywhere are looked for: (what, the part of the policy about files, working directory, is one read?)
PLACES = (
    ("a working directory below /tmp is the host's", HERE, "/tmp/p", True),
    ("and one where programs lie", HERE, "/usr/src/p", True),
    ("and one that the policy does not include is not", HERE.replace("include_workdir: true, ", ""), "/tmp/p", False),
    ("/tmp itself is the sandbox's own", HERE, "/tmp", False),
    ("what is listed below /tmp is the host's", HERE.replace("/usr]", "/usr, /tmp/q]"), "/work/p", True),
    ("and what is listed below the home", "filesystem_policy: {read_only: [/usr, /sandbox/q]}\n", "/work/p", True),
    ("nothing where programs lie", "filesystem_policy: {read_only: [/usr, /usr/lib/q]}\n", "/work/p", False),
)


def places(t):
    for what, fs, workdir, there in PLACES:
        a = prove(net(PLAIN, fs=fs), "-w", workdir)[1]
        t.ok((EXFIL in categories(a)) == there and a["unknown"] is None, f"where secrets are: {what}", a)


def blind(t):
    for what, category, has, has_not in BLIND:
        _, a, again = prove(has)
        t.ok(category in categories(a) and a["unknown"] is None, f"blind spot: {what}: found", a)
        t.ok(not again, f"blind spot: {what}: explain says yes to what is told", *again)
        if has_not:
            a = prove(has_not)[1]
            t.ok(category not in categories(a) and a["unknown"] is None, f"blind spot: {what}: and not without", a)


def both(t):
    """What is answered for a credential is told of beside a secret that can be read, not instead of it."""
    for what, policy, place in (("an endpoint", net(TOKEN, OUT), "collect.example.com:443"), ("a backend", net(TOKEN) + CALLS, "a.example.net:443")):
        _, a, again = prove(policy)
        f = [f for f in a["findings"] if f["category"] == EXFIL and f["where"] == place]
        t.ok(len(f) == 1 and ".env can be read" in f[0]["says"] and "and so can what api.example.com:443 answers for credential 'pat'" in f[0]["says"],
             f"a secret file and an answer, to {what}: one finding says both", a)
        t.ok(f and {q["request"].split()[0] for q in f[0]["requests"]} >= {"open", "GET"} and len(f[0]["requests"]) == 3 and not again,
             f"a secret file and an answer, to {what}: with the requests of each", f, again)
        _, a, _ = prove(policy.replace(", credential: pat", ""))
        t.ok(all("so can" not in f["says"] for f in a["findings"]), f"and to {what} without a credential of one alone", a)
    a = prove(net(TOKEN))[1]
    t.ok(all("so can" not in f["says"] for f in a["findings"]), "and not back to where it is from", a)


def main():
    t = Tap()
    blind(t)
    both(t)
    places(t)
    t.done()


if __name__ == "__main__":
    main()
