#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy prove`: what it finds and what it proves. Each input of the model has two policies that differ in that
input alone, of which one has a finding; and every request that is told is asked again, of `policy explain`."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import BYPASS, CURL, EXFIL, FS, OSHCTL, PLAIN, SSH, Tap, WORK, categories, net, prove, rest, run, strict  # noqa: E402

# (input of the model, category, policy that has the finding, policy that has not)
INPUTS = (
    ("files that can be read", EXFIL, net(PLAIN), net(PLAIN, fs="filesystem_policy: {read_only: [/usr]}\n")),
    ("which program a file is for", EXFIL, net(PLAIN, fs=SSH, more=strict("/usr/bin/curl", "/usr/bin/ssh")),
     net(PLAIN, fs=SSH, more=strict("/usr/bin/curl"))),
    ("the environment", EXFIL, net(PLAIN, fs="filesystem_policy: {read_only: [/usr]}\n",
                                   more="process: {env: {pass: [GH_TOKEN]}}\n"),
     net(PLAIN, fs="filesystem_policy: {read_only: [/usr]}\n", more="process: {env: {pass: [LANG]}}\n")),
    ("programs of a rule", EXFIL, net(PLAIN), net(PLAIN, binaries="    binaries: []\n")),
    ("programs that may run", EXFIL, net(PLAIN, more=strict("/usr/bin/curl")),
     net(PLAIN, more=strict("/usr/bin/wget"))),
    ("programs that can be read", EXFIL, net(PLAIN),
     net(PLAIN, binaries="    binaries: [{path: /opt/x/curl}]\n")),
    ("patterns of programs", EXFIL,
     net(PLAIN, binaries='    binaries: [{path: "/usr/lib/**/x"}]\n', more=strict('"/usr/lib/a*/**"')),
     net(PLAIN, binaries='    binaries: [{path: "/usr/lib/**/x"}]\n', more=strict('"/usr/lib/a*/y"'))),
    ("helpers of a program", EXFIL,
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/git}]\n", more=strict("/usr/lib/git-core/git-remote-http")),
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/gitk}]\n",
         more=strict("/usr/lib/git-core/git-remote-http"))),
    ("ancestors that run", EXFIL,
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n",
         more=strict("/usr/bin/make", "/usr/bin/sh")),
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n", more=strict("/usr/bin/sh"))),
    ("programs that an ancestor starts", "assert",
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n")
     + "assert: [{never_reach: {host: api.example.com, binaries: [/usr/bin/sh]}}]\n",
     net(PLAIN, binaries="    binaries: [{path: /usr/bin/make}]\n")
     + "assert: [{never_reach: {host: api.example.com, binaries: [/usr/bin/sh]}}]\n"),
    ("ports", EXFIL, net(PLAIN), net("host: api.example.com, port: 2379")),
    ("methods", EXFIL, net(rest("{allow: {method: POST, path: /x}}", "{method: GET, path: /x}")),
     net(rest("{allow: {method: POST, path: /x}}", "{method: POST, path: /x}"))),
    ("GET is also HEAD", EXFIL, net(rest("{allow: {method: GET, path: /x}}", "{method: HEAD, path: /x}")),
     net(rest("{allow: {method: GET, path: /x}}", "{method: GET, path: /x}"))),
    ("paths, as languages", EXFIL, net(rest("{allow: {method: GET, path: /a/*}}", "{method: GET, path: /a/b*}")),
     net(rest("{allow: {method: GET, path: /a/*}}", '{method: GET, path: "/a/**"}'))),
    ("escapes in paths", EXFIL, net(rest("{allow: {method: GET, path: /a%20b}}", "{method: GET, path: /a%21b}")),
     net(rest("{allow: {method: GET, path: /a%20b}}", "{method: GET, path: /a%20*}"))),
    ("the top of a denied subtree", EXFIL, net(rest("{allow: {method: GET, path: /a}}", '{method: GET, path: "/b/**"}')),
     net(rest("{allow: {method: GET, path: /a}}", '{method: GET, path: "/a/**"}'))),
    ("files with a space in their names", EXFIL, net(PLAIN, fs="filesystem_policy: {read_only: [/usr, '/home/a b']}\n"),
     net(PLAIN, fs="filesystem_policy: {read_only: [/usr, '/etc/a b']}\n")),
    ("files whose names are not ASCII", EXFIL, net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /home/é]}\n"),
     net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /etc/é]}\n")),
    ("values with a space", EXFIL,
     net(rest("{allow: {method: GET, path: /x, query: {q: 'a b*'}}}", "{method: GET, path: /x, query: {q: 'a bc*'}}")),
     net(rest("{allow: {method: GET, path: /x, query: {q: 'a b*'}}}", "{method: GET, path: /x, query: {q: 'a ?*'}}"))),
    ("values that a URL has escaped", EXFIL,
     net(rest("{allow: {method: GET, path: /x, query: {q: 'a&%+é*'}}}", "{method: GET, path: /x, query: {q: 'b*'}}")),
     net(rest("{allow: {method: GET, path: /x, query: {q: 'a&%+é*'}}}", "{method: GET, path: /x, query: {q: 'a*'}}"))),
    ("queries", EXFIL,
     net(rest("{allow: {method: GET, path: /x, query: {q: a*}}}", "{method: GET, path: /x, query: {q: ab*}}")),
     net(rest("{allow: {method: GET, path: /x, query: {q: a*}}}", "{method: GET, path: /x, query: {q: a*}}"))),
    ("hosts, as languages", EXFIL,
     net(rest("{allow: {method: GET, path: /x}}", host='"*.example.com"'),
         rest("{allow: {method: GET, path: /y}}", "{method: '*', path: '/**'}", host='"b*.example.com"')),
     net(rest("{allow: {method: GET, path: /x}}", host='"*.example.com"'),
         rest("{allow: {method: GET, path: /y}}", "{method: '*', path: '/**'}", host='"**.example.com"'))),
    ("which endpoint a path belongs to", EXFIL,
     net(rest("{allow: {method: GET, path: '/g/**'}}"), "host: api.example.com, port: 443, protocol: json-rpc, "
         "path: /g/x, rules: [{allow: {method: ping}}], deny_rules: [{method: ping}]"),
     net(rest("{allow: {method: GET, path: '/g/**'}}"), "host: api.example.com, port: 443, protocol: json-rpc, "
         "path: '/g/**', rules: [{allow: {method: ping}}], deny_rules: [{method: ping}]")),
    ("GraphQL fields", EXFIL,
     net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, fields: [a*]}}], "
         "deny_rules: [{operation_type: query, fields: [ab]}]"),
     net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, fields: [a*]}}], "
         "deny_rules: [{operation_type: query, fields: ['a**']}]")),
    ("GraphQL operations", EXFIL,
     net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: mutation}}], "
         "deny_rules: [{operation_type: query}]"),
     net("host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {operation_type: mutation}}], "
         "deny_rules: [{operation_type: mutation}]")),
    ("JSON-RPC methods", EXFIL,
     net("host: h.example.com, port: 443, protocol: json-rpc, rules: [{allow: {method: '*'}}], deny_rules: [{method: a}]"),
     net("host: h.example.com, port: 443, protocol: json-rpc, rules: [{allow: {method: a}}], deny_rules: [{method: a}]")),
    ("WebSocket messages", EXFIL,
     net("host: h.example.com, port: 443, protocol: websocket, rules: [{allow: {method: WEBSOCKET_TEXT, path: /x}}]"),
     net("host: h.example.com, port: 443, protocol: websocket, rules: [{allow: {method: WEBSOCKET_TEXT, path: /x}}], "
         "deny_rules: [{method: WEBSOCKET_TEXT, path: /x}]")),
    ("audit mode", BYPASS, net(rest("{allow: {method: GET, path: /x}}", more=", enforcement: audit")),
     net(rest("{allow: {method: GET, path: /x}}"))),
    ("a plain way beside an inspected one", BYPASS,
     net(rest("{allow: {method: GET, path: /x}}"), "host: api.example.com, port: 8443"),
     net(rest("{allow: {method: GET, path: /x}}"), "host: cdn.example.com, port: 8443")),
    ("addresses that are allowed", "private_reach", net("host: db.corp, port: 443, allowed_ips: [10.0.0.0/8]"),
     net("host: db.corp, port: 443, allowed_ips: [8.8.8.0/24]")),
    ("literal addresses", EXFIL, net("host: 8.8.8.8, port: 443"), net("host: 127.0.0.1, port: 443")),
    ("metadata names", "link_local_reach", net("host: metadata.google.internal, port: 80"),
     net("host: data.google.internal, port: 80")),
    ("files that can be written", "persistence", net(PLAIN), net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /work/p]}\n")),
    ("entries of deny", "persistence", "version: 1\nfilesystem_policy: {read_only: [/usr], read_write: [/work/p/.git], "
     "deny: [.git/hooks/*.sample]}\n", "version: 1\nfilesystem_policy: {read_only: [/usr], read_write: [/work/p/.git], "
     "deny: ['.git/**/hooks/**', '.git/**/config']}\n"),
    ("names under wildcards", "dns_channel", net('host: "*.example.com", port: 443'), net(PLAIN)),
)


def inputs(t):
    for name, category, has, has_not in INPUTS:
        rc, answer, again = prove(has)
        t.ok(rc == 1 and category in categories(answer) and answer["unknown"] is None, f"{name}: found", rc, answer)
        t.ok(not again, f"{name}: explain says yes to what is told", *again)
        rc, answer, again = prove(has_not)
        t.ok(category not in categories(answer) and answer["unknown"] is None
             and rc == (1 if answer["findings"] else 0), f"{name}: proved", rc, answer)


def unreachable(t):
    fine, denied = "host: a.example.com, port: 443, protocol: rest, access: read-only", "deny_rules: [{method: '*', path: '/**'}]"
    for what, policy, dead in (
            ("all is denied", net(PLAIN, f"{fine}, {denied}"), 1),
            ("a port that is never dialled", net(PLAIN, "host: b.example.com, port: 6443"), 1),
            ("an address that is never dialled", net(PLAIN, "host: 127.0.0.1, port: 443"), 1),
            ("programs that may not run", net(PLAIN, more=strict("/usr/bin/wget")), 1),
            ("one that is used", net(PLAIN, fine), 0)):
        a = prove(policy)[1]
        t.ok(len([f for f in a["findings"] if f["category"] == "unreachable_rule"]) == dead, f"unreachable: {what}", a)


def ways(t):
    rc, out, _ = run([OSHCTL, "policy", "prove", "-w", WORK, "--json", "preset:default"], 60)[:3]
    t.ok(rc == 1 and categories(json.loads(out)) == {"persistence"}, "the default preset lets nothing out", rc, out)
    rc, out, _ = run([OSHCTL, "policy", "prove", "-w", WORK, "preset:default"], 60)[:3]
    t.ok(rc == 1 and "/work/p/.git/hooks/" in out, "for people, too", out)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write("version: 1\nfilesystem_policy: {read_only: [/usr]}\n")
        f.flush()
        os.chmod(f.name, 0o644)
        rc, out, _ = run([OSHCTL, "policy", "prove", "-w", WORK, f.name], 60)[:3]
        t.ok(rc == 0 and "proved" in out, "proved: 0", rc, out)
    rc, _, err = run([OSHCTL, "policy", "prove"], 60)[:3]
    t.ok(rc == 2 and "usage" in err, "used wrongly: 2")
    rc, answer, _ = prove("version: 1\nnonsense: 1\n")
    t.ok(rc == 1 and not answer["findings"], "a policy that is refused: 1", rc, answer)
    stars = ", ".join(f"{{method: GET, path: '/**{c}**{d}*{c}{d}**'}}" for c in "abcdefgh" for d in "hijklmno")
    allow = "{allow: {method: GET, path: '/*a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*'}}"
    rc, answer, _ = prove(net(rest(allow, stars)))
    t.ok(rc in (0, 1, 3) and (rc == 3) == (answer["result"] == "unknown"), "patterns that explode: an answer, or 3", rc)


def main():
    t = Tap()
    inputs(t)
    unreachable(t)
    ways(t)
    t.done()


if __name__ == "__main__":
    main()
