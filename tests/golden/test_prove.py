#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy prove`: what it finds and what it proves. Each input of the model has two policies that differ in that
input alone, of which one has a finding; and every request that is told is asked again, of `policy explain`."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402

OSHCTL = os.path.abspath(os.path.join(BUILD, "oshctl"))
WORK = "/work/p"
FS = "filesystem_policy: {include_workdir: true, read_only: [/usr]}\n"
CURL = "    binaries: [{path: /usr/bin/curl}]\n"


def net(*endpoints, binaries=CURL, fs=FS, more=""):
    """A policy with one rule of these endpoints."""
    lines = "".join(f"      - {{{e}}}\n" for e in endpoints)
    return f"version: 1\n{fs}{more}network_policies:\n  a:\n    endpoints:\n{lines}{binaries}"


def rest(rules, deny="", host="api.example.com", more=""):
    deny = f", deny_rules: [{deny}]" if deny else ""
    return f"host: {host}, port: 443, protocol: rest, rules: [{rules}]{deny}{more}"


def strict(*programs, **kw):
    return f"process: {{exec: {{mode: strict, allow: [{', '.join(programs)}]}}}}\n"


PLAIN = "host: api.example.com, port: 443"
SSH = "filesystem_policy: {read_only: [/usr, {path: /home/u/.ssh, binaries: [/usr/bin/ssh]}]}\n"
EXFIL, BYPASS = "exfiltration", "l7_bypass"

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


def raw(text):
    """What is not ASCII stands in JSON byte by byte."""
    return os.fsdecode(text.encode("latin-1"))


def prove(policy, *options, creds=None):
    """(exit status, the JSON answer) of a policy's text."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        file = os.path.join(d, "p.yaml")
        with open(file, "w") as f:
            f.write(policy)
        if creds is not None:
            with open(os.path.join(d, "c.json"), "w") as f:
                json.dump(creds, f)
            options += ("--credentials", f.name)
        rc, out, err = run([OSHCTL, "policy", "prove", "-w", WORK, "--json", *options, file], 300)[:3]
        again = []
        for f in json.loads(out)["findings"] if out.strip() else []:
            for q in f["requests"]:
                args = ["--binary", q["binary"]] if q["binary"] else []
                args += ["--ancestor", q["ancestor"]] if "ancestor" in q else []
                a = run([OSHCTL, "policy", "explain", "-p", file, "-w", WORK, "--json", *args, raw(q["request"])], 60)[1]
                got = json.loads(a) if a.strip() else {"decision": "none", "audit": False}
                if got["decision"] != "allow" and not got["audit"]:
                    again.append((q, got))
    return rc, json.loads(out) if out.strip() else {"findings": [], "result": err}, again


def categories(answer):
    return {f["category"] for f in answer["findings"]}


def inputs(t):
    for name, category, has, has_not in INPUTS:
        rc, answer, again = prove(has)
        t.ok(rc == 1 and category in categories(answer) and answer["unknown"] is None, f"{name}: found", rc, answer)
        t.ok(not again, f"{name}: explain says yes to what is told", *again)
        rc, answer, again = prove(has_not)
        t.ok(category not in categories(answer) and answer["unknown"] is None
             and rc == (1 if answer["findings"] else 0), f"{name}: proved", rc, answer)


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


# What OpenShell's prover passes over: (what, category, a policy with the finding, one without or None)
BLIND = (
    ("exfiltration without a credential", EXFIL, net("host: attacker.example.com, port: 443"), None),
    ("paths of rules", EXFIL, net(rest("{allow: {method: POST, path: /a}}", "{method: POST, path: /b}")),
     net(rest("{allow: {method: POST, path: /a}}", "{method: POST, path: /a}"))),
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
    ("who reads need not be who sends", EXFIL,
     net(PLAIN, fs=SSH, more=strict("/usr/bin/curl", "/usr/bin/ssh")), None),
)


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


def blind(t):
    for what, category, has, has_not in BLIND:
        t.ok(category in categories(prove(has)[1]), f"blind spot: {what}: found")
        if has_not:
            t.ok(category not in categories(prove(has_not)[1]), f"blind spot: {what}: and not without")


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


def routes(*rows, more="", fs=FS, net=""):
    lines = "".join(f"    - {{{r}}}\n" for r in rows)
    return f"version: 1\n{fs}inference:\n{more}  routes:\n{lines}{net}"


A = "name: a, api: openai, host: a.example.net"
LOCAL = "name: here, api: openai, host: here.example.net"
MARKED = "network_policies: {m: {endpoints: [{host: api.openai.com, port: 443, protocol: rest, access: full, route: inference}], binaries: [/usr/bin/curl]}}\n"
USR = "filesystem_policy: {read_only: [/usr]}\n"
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
    credentials(t)
    claims(t)
    blind(t)
    unreachable(t)
    routed(t)
    accepted(t)
    ways(t)
    t.done()


if __name__ == "__main__":
    main()
