#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The model has every key of the language that keys.def calls MODEL: each has a question here, which is answered rightly, and wrongly
(or not at all) by a model without that key. Sections and lists are taken away whole: one of what lies below must be missed."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, BYPASS, CURL, EXFIL, FS, LOCAL, MARKED, PLAIN, SSH, USR, WORK, net, rest, routes, strict  # noqa: E402
from lib import BUILD, Tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WITHOUT = os.path.abspath(os.path.join(BUILD, "tests/tools/prove_without"))
E, R, D = "network_policies.endpoints.", "network_policies.endpoints.rules.allow.", "network_policies.endpoints.deny_rules."
GQL = "host: h.example.com, port: 443, protocol: graphql, rules: [{allow: {%s}}]"
MCP = "host: h.example.com, port: 443, protocol: mcp, rules: [{allow: {%s}}]"
GET, ALL = "{allow: {method: GET, path: '/**'}}", "{allow: {method: '*', path: '/**'}}"


def claim(text, policy):
    return policy + f"assert: [{{{text}}}]\n"


def never(text, *endpoints, **kw):
    return claim("never: {%s}" % text, net(*endpoints, **kw))


# key: (category, is there a finding of it?, policy[, word of that finding])
QUESTIONS = {
    "filesystem_policy.include_workdir": (EXFIL, True, net(PLAIN)),
    "filesystem_policy.read_only": (EXFIL, True, net(PLAIN, fs="filesystem_policy: {read_only: [/usr, /home]}\n")),
    "filesystem_policy.read_only.path": (EXFIL, False, net(PLAIN, fs=USR)),
    "filesystem_policy.read_only.binaries": (EXFIL, False, net(PLAIN, fs=SSH, more=strict("/usr/bin/curl"))),
    "filesystem_policy.read_write": (EXFIL, True, net(PLAIN, fs="filesystem_policy: {read_only: [/usr], read_write: [/home]}\n")),
    "filesystem_policy.read_write.path": (EXFIL, False, net(PLAIN, fs="filesystem_policy: {read_only: [/usr], read_write: [/tmp]}\n")),
    "filesystem_policy.read_write.binaries": (EXFIL, False, net(
        PLAIN, fs="filesystem_policy: {read_only: [/usr], read_write: [{path: /home/u, binaries: [/usr/bin/a]}]}\n", more=strict("/usr/bin/curl"))),
    "filesystem_policy.deny": ("persistence", False, "version: 1\nfilesystem_policy: {read_only: [/usr], read_write: [/work/p/.git], "
                               "deny: ['.git/**/hooks/**', '.git/**/config']}\n"),
    "process.env.pass": (EXFIL, True, net(PLAIN, fs=USR, more="process: {env: {pass: [GH_TOKEN]}}\n")),
    "process.env.set": (EXFIL, True, net(PLAIN, fs=USR, more="process: {env: {set: {GH_TOKEN: x}}}\n")),
    "process.exec.mode": ("unreachable_rule", True, net(PLAIN, more=strict("/usr/bin/wget"))),
    "process.exec.allow": (EXFIL, False, net(PLAIN, more=strict("/usr/bin/wget"))),
    E + "host": ("assert", False, claim("never_reach: {host: b.example.com}", net(PLAIN))),
    E + "port": ("assert", False, claim("never_reach: {host: api.example.com, port: 80}", net(PLAIN))),
    E + "ports": ("assert", False, claim("never_reach: {host: api.example.com, port: 80}", net("host: api.example.com, ports: [443, 8443]"))),
    E + "protocol": ("assert", False, never("method: POST", rest(GET))),
    E + "tls": ("redundant_rule", False, net(PLAIN + ", tls: skip", PLAIN + ", tls: skip")),
    E + "enforcement": (BYPASS, True, net(rest(GET, more=", enforcement: audit"))),
    E + "path": ("assert", False, never("path: '/a/**'", rest(ALL, more=", path: '/b/**'"))),
    E + "allowed_ips": ("private_reach", True, net("host: db.corp, port: 443, allowed_ips: [10.0.0.0/8]")),
    E + "access": (EXFIL, True, net("host: a.example.com, port: 443, protocol: rest, access: full")),
    E + "rules": (EXFIL, True, net(rest(GET))),
    R + "method": ("assert", False, never("method: POST", rest(GET))),
    R + "path": ("assert", False, never("path: /b", rest("{allow: {method: GET, path: '/a/*'}}"))),
    R + "query": ("unreachable_rule", True, net(rest("{allow: {method: GET, path: /x, query: {q: a}}}", "{method: GET, path: /x, query: {q: a}}"))),
    R + "query.any": ("unreachable_rule", True, net(rest("{allow: {method: GET, path: /x, query: {q: {any: [a, b]}}}}",
                                                         "{method: GET, path: /x, query: {q: {any: [a, b]}}}"))),
    R + "operation_type": ("unreachable_rule", True, net(GQL % "operation_type: query" + ", deny_rules: [{operation_type: query}]")),
    R + "operation_name": ("unreachable_rule", True, net(GQL % "operation_type: query, operation_name: a"
                                                         + ", deny_rules: [{operation_type: query, operation_name: a}]")),
    R + "fields": ("unreachable_rule", True, net(GQL % "operation_type: query, fields: [a]" + ", deny_rules: [{operation_type: query, fields: [a]}]")),
    E + "deny_rules": ("assert", False, never("method: POST", rest(ALL, "{method: POST, path: '/**'}"))),
    D + "method": ("unreachable_rule", False, net(rest("{allow: {method: GET, path: /x}}", "{method: POST, path: /x}"))),
    D + "path": ("unreachable_rule", False, net(rest("{allow: {method: GET, path: /x}}", "{method: GET, path: /y}"))),
    D + "query": ("unreachable_rule", False, net(rest("{allow: {method: GET, path: /x}}", "{method: GET, path: /x, query: {q: a}}"))),
    D + "query.any": ("assert", True, never("path: /x", rest("{allow: {method: GET, path: /x, query: {q: '*'}}}",
                                                             "{method: GET, path: /x, query: {q: {any: [a, b]}}}"))),
    D + "operation_type": ("unreachable_rule", False, net(GQL % "operation_type: query" + ", deny_rules: [{operation_type: mutation}]")),
    D + "operation_name": ("unreachable_rule", False, net(GQL % "operation_type: query" + ", deny_rules: [{operation_type: query, operation_name: a}]")),
    D + "fields": ("unreachable_rule", False, net(GQL % "operation_type: query" + ", deny_rules: [{operation_type: query, fields: [a]}]")),
    E + "allow_encoded_slash": ("assert", True, never("path: '/a%2Fb'", rest(GET, more=", allow_encoded_slash: true"))),
    E + "credential_binding": ("credential_reach", True, net(rest(GET, more=", credential_binding: {provider: p}"))),
    E + "credential": ("credential_reach", True, net(rest(GET, more=", credential: p")) + "credentials: {p: {provider: github}}\n"),
    E + "route": ("assert", True, claim("never_call: {binaries: [/usr/bin/curl]}", routes(A, more="  binaries: [/usr/bin/a]\n", net=MARKED))),
    E + "websocket_credential_rewrite": ("redundant_rule", False, net(*[rest(GET, more=", websocket_credential_rewrite: true")] * 2), "without it exactly"),
    E + "request_body_credential_rewrite": ("redundant_rule", False, net(*[rest(GET, more=", request_body_credential_rewrite: true")] * 2), "without it exactly"),
    E + "graphql_persisted_queries": ("redundant_rule", False, net(
        (GQL % "operation_type: query").replace("}}]", "}}, {allow: {operation_type: query, fields: [a]}}]") + ", persisted_queries: allow_registered, "
        "graphql_persisted_queries: {abc: {operation_type: query, fields: [a]}}")),
    E + "mcp.allow_all_known_mcp_methods": ("redundant_rule", True, net(
        "host: h.example.com, port: 443, protocol: mcp, mcp: {allow_all_known_mcp_methods: true}, rules: [{allow: {method: tools/list}}]")),
    "network_policies.binaries.path": ("assert", False, claim("never_reach: {host: api.example.com, binaries: [/usr/bin/wget]}", net(PLAIN))),
    "network_policies.binaries.sha256": ("assert", True, claim(
        "never_reach: {host: api.example.com}", net(PLAIN, binaries="    binaries: [{path: /usr/bin/curl, sha256: %s}]\n" % ("a" * 64)))),
    "network_policies.binaries.inherit": ("assert", True, claim(
        "never_reach: {host: api.example.com, binaries: [/usr/bin/sh]}", net(PLAIN, binaries="    binaries: [{path: /usr/bin/make, inherit: true}]\n"))),
    "dns.wildcard_names": ("dns_channel", True, net('host: "*.example.com", port: 443') + "dns: {wildcard_names: 7}\n", "7 names"),
    "inference.routes.model": ("unreachable_rule", False, routes(LOCAL + ", model: 'x*'", A)),
    "inference.routes.provider": ("credential_reach", True, routes(A + ", provider: p")),
    "inference.routes.api": ("assert", False, claim("never: {host: a.example.net, path: '/v1/**'}", routes(A.replace("openai", "bedrock"), LOCAL))),
    "inference.routes.host": ("assert", False, claim("never_call: {host: b.example.net}", routes(A))),
    "inference.routes.port": ("assert", False, claim("never_call: {port: 8443}", routes(A))),
    "inference.routes.allowed_ips": ("private_reach", True, routes(A + ", allowed_ips: [10.0.0.0/8]")),
    "inference.models": ("assert", False, claim("never: {host: a.example.net, method: POST}", routes(A + ", model: 'x*'", more="  models: [y]\n"))),
    "inference.fallback": ("assert", True, claim("never_call: {except: [here]}", routes(LOCAL, A, more="  fallback: true\n"))),
    "inference.aliases": ("assert", True, claim("never: {host: a.example.net, method: POST}",
                                                routes(A + ", model: b", more="  models: [b]\n  aliases: {b: a, a: b}\n"))),
    "inference.privacy.action": ("assert", True, claim("never: {host: here.example.net, method: POST}", routes(
        A, LOCAL + ", local: true", more="  privacy: [{name: keys, kinds: [secrets], action: local}]\n"))),
    "assert.never": ("assert", True, never("method: GET", PLAIN)),
    "assert.never_reach": ("assert", True, claim("never_reach: {host: api.example.com}", net(PLAIN))),
    "assert.never_read_and_send": ("assert", True, claim("never_read_and_send: {read: '/work/**'}", net(PLAIN))),
    "assert.never_call": ("assert", True, claim("never_call: {}", routes(A))),
    "assert.never_leave": ("assert", True, claim("never_leave: {}", net(PLAIN))),
    "assert.never_leave.binaries": ("assert", False, claim("never_leave: {binaries: [/usr/bin/wget]}", net(PLAIN))),
    "inference.routes.sandbox": ("assert", True, claim("never_leave: {}", routes("name: a, api: openai, sandbox: gpu, port: 8000"))),
    "inference.routes.local": ("assert", False, claim("never_leave: {}", routes(A + ", local: true"))),
    "serve.to": ("assert", True, claim("never_leave: {}", f"version: 1\n{USR}serve: [{{port: 8000, to: [agent]}}]\n")),
    "assert.never.host": ("assert", False, never("host: b.example.com", PLAIN)),
    "assert.never.port": ("assert", False, never("port: 80", PLAIN)),
    "assert.never.method": ("assert", False, never("method: POST", rest(GET))),
    "assert.never.path": ("assert", False, never("path: /b", rest("{allow: {method: GET, path: /a}}"))),
    "assert.never.binaries": ("assert", False, never("binaries: [/usr/bin/wget]", PLAIN)),
    "assert.never_call.except": ("assert", False, claim("never_call: {except: [a]}", routes(A))),
    "assert.never_call.host": ("assert", False, claim("never_call: {host: b.example.net}", routes(A))),
    "assert.never_call.port": ("assert", False, claim("never_call: {port: 80}", routes(A))),
    "assert.never_call.binaries": ("assert", False, claim("never_call: {binaries: [/usr/bin/b]}", routes(A, more="  binaries: [/usr/bin/a]\n"))),
}
for kind, more in (("never_reach", ""), ("never_read_and_send", "read: '/work/**', ")):
    for what, text in (("host", "host: b.example.com"), ("port", "host: api.example.com, port: 80"), ("binaries", "host: api.example.com, binaries: [/usr/bin/wget]")):
        QUESTIONS[f"assert.{kind}.{what}"] = ("assert", False, claim(f"{kind}: {{{more}{text}}}", net(PLAIN)))
READ = "never_read_and_send: {read: '/work/**', %s}"
QUESTIONS["assert.never_read_and_send.method"] = ("assert", False, claim(READ % "method: POST", net(rest(GET))))
QUESTIONS["assert.never_read_and_send.path"] = ("assert", False, claim(READ % "path: /b", net(rest("{allow: {method: GET, path: /a}}"))))
QUESTIONS["assert.never_read_and_send.read"] = ("assert", False, claim("never_read_and_send: {read: '/home/**'}", net(PLAIN)))
# Against an older policy: (key, new, old), of which the new one gives more.
TOOL = MCP % "method: tools/call, tool: 'a b'"
BASE = {key: ("capability_expansion", True, new, old) for key, new, old in (
    ("credentials.provider", *(net(rest(GET, more=", credential: p")) + f"credentials: {{p: {{provider: {x}}}}}\n" for x in ("github", "gitlab"))),
    ("network_policies.taint", net(PLAIN) + "    taint: ignore\n", net(PLAIN)),
    (R + "tool", net(MCP % "method: tools/call, tool: 'a*'"), net(MCP % "method: tools/call, tool: a")),
    (D + "tool", *(net(MCP % "method: tools/call" + f", deny_rules: [{{method: tools/call, tool: {x}}}]") for x in ("ab", "a"))),
    (E + "mcp.strict_tool_names", *(net(TOOL + f", mcp: {{strict_tool_names: {x}}}") for x in ("false", "true"))),
)}
# Other spellings of one term, which the compiler makes of them: {as written: the term}
SAME = {E + "ports": E + "port", E + "credential_binding.provider": E + "credential_binding"}
SAME |= {f"network.{k}": E + k for k in ("host", "port", "ports", "allowed_ips", "credential")}
SAME |= {f"network.binaries.{k}": f"network_policies.binaries.{k}" for k in ("path", "sha256", "inherit")}
SAME |= {f"inference.binaries.{k}": f"network_policies.binaries.{k}" for k in ("path", "sha256", "inherit")}
SAME |= {"network.taint": "network_policies.taint", "network.methods": R + "method", "network.paths": R + "path"}
for at in (R, D):
    SAME |= {at + "tool.any": at + "tool", at + "params.name": at + "tool", at + "params.name.any": at + "tool"}


def prove(policy, without, base=None):
    with tempfile.TemporaryDirectory() as d:
        names = [os.path.join(d, n) for n in ("p.yaml", "base.yaml")]
        for name, text in zip(names, (policy, base or "")):
            with open(name, "w") as f:
                f.write(text)
        more = ["--base", "base.yaml"] if base else []
        r = subprocess.run(["sh", "-c", 'exec "$@" 3<p.yaml 4<base.yaml', "sh", WITHOUT, "--json", "--workdir", WORK, *more, "p.yaml"],
                           cwd=d, env={"OSH_WITHOUT": without, "PATH": os.environ["PATH"]}, capture_output=True, timeout=300, text=True)
    return json.loads(r.stdout) if r.stdout.strip() else {"findings": [], "unknown": r.stderr}


def answered(question, without, base=None):
    """Is it answered as it must be? And the answer."""
    category, there, policy, *word = question
    a = prove(policy, without, base)
    found = [f for f in a["findings"] if f["category"] == category and (not word or word[0] in f["says"])]
    return a["unknown"] is None and bool(found) == there, a


def ask(key, without):
    if key in BASE:
        category, there, policy, base = BASE[key]
        return answered((category, there, policy), without, base)
    return answered(QUESTIONS[key], without)


def main():
    t = Tap()
    with open(os.path.join(HERE, "../../userspace/prove/keys.def")) as f:
        model = re.findall(r'^KEY\("([^"]+)", MODEL\)', f.read(), re.M)
    leaves = {**QUESTIONS, **BASE}
    right = {key: ask(key, "") for key in leaves}
    for key, (ok, a) in right.items():
        t.ok(ok, f"{key}: its question is answered", [(f["category"], f["says"]) for f in a["findings"] if f["category"] != "persistence"], a["unknown"])
    missed = {}
    for key in leaves:
        missed[key] = not ask(key, SAME.get(key, key))[0]
        t.ok(missed[key], f"{key}: and is not by a model without it")
    for key in model:
        if key in leaves:
            continue
        below = [k for k in leaves if k.startswith(key + ".")]
        alias = SAME.get(key) or [v for k, v in SAME.items() if k.startswith(key + ".")]
        if below:
            t.ok(not all(ask(k, key)[0] for k in below), f"{key}: and what lies below is missed without it", below)
        else:
            t.ok(alias and all(missed.get(k) for k in ([alias] if isinstance(alias, str) else alias)), f"{key}: has a question", alias)
    t.ok(not set(leaves) - set(model), "and there is none for what is not in the model", set(leaves) - set(model))
    t.done()


if __name__ == "__main__":
    main()
