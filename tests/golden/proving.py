# SPDX-License-Identifier: Apache-2.0
"""Policies in a few words, and what `oshctl policy prove` says of them; for test_prove*.py."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402, F401

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


def routes(*rows, more="", fs=FS, net=""):
    lines = "".join(f"    - {{{r}}}\n" for r in rows)
    return f"version: 1\n{fs}inference:\n{more}  routes:\n{lines}{net}"


A = "name: a, api: openai, host: a.example.net"
LOCAL = "name: here, api: openai, host: here.example.net"
MARKED = "network_policies: {m: {endpoints: [{host: api.openai.com, port: 443, protocol: rest, access: full, route: inference}], binaries: [/usr/bin/curl]}}\n"
USR = "filesystem_policy: {read_only: [/usr]}\n"


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
    return rc, json.loads(out) if out.strip() else {"findings": [], "result": err, "unknown": err}, again


def categories(answer):
    return {f["category"] for f in answer["findings"]}
