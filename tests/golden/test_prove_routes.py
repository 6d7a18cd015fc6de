#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routes to models: each input of their model has two policies that differ in it alone, of which one has a finding."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, EXFIL, FS, LOCAL, MARKED, USR, Tap, categories, prove, routes  # noqa: E402

CALL = "assert: [{never_call: {except: [here]}}]\n"
LEAVE = "assert: [{never_leave: {}}]\n"
POSTED = "assert: [{never: {host: a.example.net, method: POST}}]\n"
BED = A.replace("openai", "bedrock")
KEEP = "  privacy: [{name: keys, kinds: [secrets], action: %s}]\n"
HERE = LOCAL.replace("openai", "llama") + ", local: true"
KEPT = "assert: [{never: {host: here.example.net, method: POST, path: /v1/chat/completions}}]\n"
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
    ("an alias that leads away in a path", "assert", routes(BED, more="  models: ['..b']\n  aliases: {u: '..b'}\n", net=CALL),
     routes(BED, more="  models: ['..']\n  aliases: {u: '..'}\n", net=CALL)),
    ("a route's name for models that does", "assert", routes(BED + ", as: 'a/..b'", net=CALL), routes(BED + ", as: 'a/../b'", net=CALL)),
    ("the next route where one fails", "assert", routes(LOCAL, A, more="  fallback: true\n", net=CALL), routes(LOCAL, A, net=CALL)),
    ("what a backend speaks", "assert", routes(LOCAL.replace("openai", "anthropic"), A, net=CALL), routes(LOCAL, A, net=CALL)),
    ("a field that tells the API", "assert", routes(LOCAL, A.replace("openai", "anthropic"), net=POSTED.replace("POST", "GET")),
     routes(LOCAL.replace("openai", "anthropic"), A, net=POSTED.replace("POST", "GET"))),
    ("calls that may name no model", "assert", routes(A.replace("openai", "llama") + ", model: x",
                                                      net="assert: [{never: {host: a.example.net, path: /completion}}]\n"),
     routes(A.replace("openai", "llama") + ", model: x", more="  models: [y]\n",
            net="assert: [{never: {host: a.example.net, path: /completion}}]\n")),
    ("what stays on the machine", "assert", routes(LOCAL + ", local: true, model: 'x*'", A, net=LEAVE), routes(LOCAL + ", local: true", A, net=LEAVE)),
    ("the next route where a local one fails", "assert", routes(LOCAL + ", local: true", A, more="  fallback: true\n", net=LEAVE),
     routes(LOCAL + ", local: true", A + ", local: true", more="  fallback: true\n", net=LEAVE)),
    ("what a rule about content keeps here", "assert", routes(A, HERE, more=KEEP % "local", net=KEPT), routes(A, HERE, more=KEEP % "refuse", net=KEPT)),
    ("a route for what is kept here", "unreachable_rule", routes(A, LOCAL + ", local: true", more=KEEP % "redact"),
     routes(A, LOCAL + ", local: true", more=KEEP % "local")),
    ("its model", "assert", routes(A, LOCAL + ", local: true, model: y", more=KEEP % "local" + "  models: [y]\n", net=KEPT),
     routes(A, LOCAL + ", local: true, model: z", more=KEEP % "local" + "  models: [y]\n", net=KEPT)),
    ("the first that is local, for what is kept here", "unreachable_rule",
     routes(A, LOCAL + ", local: true", A.replace("name: a", "name: b") + ", local: true", more=KEEP % "local"),
     routes(A, LOCAL + ", local: true, model: 'x*'", A.replace("name: a", "name: b") + ", local: true", more=KEEP % "local")),
    ("one that is not local, for what is kept here", "unreachable_rule",
     routes(A, A.replace("name: a", "name: b") + ", model: 'x*'", LOCAL + ", local: true", more=KEEP % "local"),
     routes(A, A.replace("name: a", "name: b") + ", model: 'x*', local: true", LOCAL + ", local: true", more=KEEP % "local")),
    ("a credential for what is kept here", "credential_reach", routes(A, LOCAL + ", local: true, provider: p", more=KEEP % "local"),
     routes(A, LOCAL + ", local: true, provider: p", more=KEEP % "refuse")),
    ("addresses for what is kept here", "private_reach", routes(A, LOCAL + ", local: true, allowed_ips: [10.0.0.0/8]", more=KEEP % "local"),
     routes(A, LOCAL + ", local: true, allowed_ips: [10.0.0.0/8]", more=KEEP % "refuse")),
    ("what leaves beside the routes", "assert", routes(A + ", local: true", net=MARKED.replace(", route: inference", "") + LEAVE),
     routes(A + ", local: true", net=MARKED + LEAVE)),
    ("who lets it leave", "assert", routes(A, more="  binaries: [/usr/bin/a]\n", net=LEAVE.replace("{}", "{binaries: [/usr/bin/a]}")),
     routes(A, more="  binaries: [/usr/bin/a]\n", net=LEAVE.replace("{}", "{binaries: [/usr/bin/b]}"))),
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
    says = {f["where"]: f["says"] for f in prove(routes(A, LOCAL + ", local: true", more=KEEP % "local"))[1]["findings"] if f["category"] == EXFIL}
    t.ok(sorted(says) == ["a.example.net:443", "here.example.net:443"] and [w for w in says if "rule about content" in says[w]] == ["here.example.net:443"],
         "and that a rule about content is why explain names another route", says)


def main():
    t = Tap()
    routed(t)
    t.done()


if __name__ == "__main__":
    main()
