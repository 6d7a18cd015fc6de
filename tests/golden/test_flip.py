#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The change that `policy explain` proposes, made in the file: eval then says the opposite. Policies are written as
JSON, which is YAML; the proposals are read by the small reader below, which knows what they are made of."""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CTL = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"), "oshctl")


class Flow:
    """{a: b, c: [d, "e"]} and plain words."""

    def __init__(self, text):
        self.s, self.i = text, 0

    def space(self):
        while self.i < len(self.s) and self.s[self.i] == " ":
            self.i += 1

    def value(self, stops=",]}"):
        self.space()
        if self.s[self.i] in "{[":
            return self.group()
        if self.s[self.i] == '"':
            text, self.i = json.JSONDecoder().raw_decode(self.s, self.i)
            return text
        m = re.compile(rf"[^{re.escape(stops)}]*").match(self.s, self.i)
        self.i = m.end()
        word = m.group().strip()
        return int(word) if word.isdigit() else {"true": True}.get(word, word)

    def group(self):
        close = {"{": "}", "[": "]"}[self.s[self.i]]
        out = {} if close == "}" else []
        self.i += 1
        while self.s[self.i] != close:
            one = self.value(":" if close == "}" else ",]")
            if close == "}":
                self.i += 1
                out[one] = self.value()
            else:
                out.append(one)
            self.space()
            if self.s[self.i] == ",":
                self.i += 1
                self.space()
        self.i += 1
        return out


def block(lines):
    """Indented mappings and lists; the last element of a list may go on below."""
    out = [] if lines[0].lstrip().startswith("- ") else {}
    indent = len(lines[0]) - len(lines[0].lstrip())
    while lines and len(lines[0]) - len(lines[0].lstrip()) == indent:
        text = lines.pop(0).lstrip()
        if text.startswith("#"):
            return "#"
        if text.startswith("- ") and text[2] != "{":
            lines.insert(0, " " * (indent + 2) + text[2:])
            out.append(block(lines))
        elif text.startswith("- "):
            out.append(Flow(text[2:]).value())
        else:
            f = Flow(text)
            key = f.value(":")
            f.i += 1
            f.space()
            out[key] = f.value("#") if f.i < len(f.s) else block(lines)
    return out


def merge(policy, change, how):
    """A mapping with `host` names an endpoint of the list, in `serve` one with `port` an entry; anything else is a value."""
    for key, value in change.items():
        if value == "#":
            del policy[key]
        elif isinstance(value, dict) and key in policy and isinstance(policy[key], dict):
            merge(policy[key], value, how)
        elif key in ("endpoints", "network") and key in policy and how != "add":
            merge_places(policy[key], value, how)
        elif key == "endpoints":
            merge_places(policy[key], value, how)
        elif key == "serve" and [s for s in policy[key] if s["port"] == value[0]["port"]]:
            merge_served(policy[key], value[0], how)
        elif how == "add" and isinstance(value, list):
            policy[key] = policy.get(key, []) + value
        elif how == "remove" and isinstance(value, list):
            policy[key] = [v for v in policy[key] if v not in value]
            if not policy[key]:
                del policy[key]
        elif how == "remove":
            del policy[key]
        else:
            policy[key] = value


def merge_places(places, wanted, how):
    for one in wanted:
        at = next(p for p in places if p.get("host") == one["host"])
        rest = {k: v for k, v in one.items() if k != "host"}
        if how == "remove" and set(rest) == {"ports"} and at.get("ports", [at.get("port")]) == rest["ports"]:
            places.remove(at)
            continue
        if "ports" in rest and "port" in at:
            at["ports"] = [at.pop("port")]
        merge(at, rest, how)


def merge_served(entries, wanted, how):
    """Without names an entry is none."""
    at = next(s for s in entries if s["port"] == wanted["port"])
    merge(at, {"to": wanted["to"]}, how)
    if "to" not in at:
        entries.remove(at)


def explain(policy, request, binary, tmp):
    path = os.path.join(tmp, "policy.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(policy, f, indent=1)
    out = subprocess.run([CTL, "policy", "explain", "--json", "-p", path, "-w", "/w", "--binary", binary, request],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True, timeout=60)
    assert out.stdout, (request, out.stderr, json.dumps(policy))
    return json.loads(out.stdout)


def endpoint(host, **more):
    return {"host": host, "port": 443, **more}


def policy():
    http = [{"allow": {"method": "GET", "path": "/a/*", "query": {"tag": "v1*"}}}, {"allow": {"method": "POST", "path": "/b"}}]
    return {"version": 1, "network_policies": {
        "web": {"binaries": ["/usr/bin/curl"], "endpoints": [
            endpoint("rest.example.com", protocol="rest", rules=http, deny_rules=[
                {"method": "GET", "path": "/a/no", "query": {"tag": {"any": ["v1x", "v1y"]}}}]),
            endpoint("ro.example.com", protocol="rest", access="read-only"),
            endpoint("rw.example.com", protocol="rest", access="read-write"),
            endpoint("typo.example.com", protocol="rest", access="readonly"),
            endpoint("ws.example.com", protocol="websocket", access="read-only")]},
        "graph": {"binaries": ["/usr/bin/curl"], "endpoints": [
            endpoint("gql.example.com", protocol="graphql", rules=[
                {"allow": {"operation_type": "query", "fields": ["viewer", "repository"]}},
                {"allow": {"operation_type": "mutation", "operation_name": "AddStar"}}],
                     deny_rules=[{"operation_type": "query", "fields": ["secret*"]}]),
            endpoint("gqlro.example.com", protocol="graphql", access="read-only")]},
        "calls": {"binaries": ["/usr/bin/curl"], "endpoints": [
            endpoint("rpc.example.com", protocol="json-rpc", rules=[{"allow": {"method": "eth_call"}}],
                     deny_rules=[{"method": "eth_sign"}]),
            endpoint("mcp.example.com", protocol="mcp", rules=[{"allow": {"method": "initialize"}},
                                                              {"allow": {"tool": {"any": ["read_*", "list"]}}}],
                     deny_rules=[{"tool": "read_secret"}]),
            endpoint("known.example.com", protocol="mcp", mcp={"allow_all_known_mcp_methods": True})]},
        "lan": {"binaries": ["/usr/bin/curl"], "endpoints": [
            endpoint("db.example.com", allowed_ips=["10.1.0.0/16", "10.2.0.0/16"]),
            endpoint("plain.example.com")]}},
        "network": [{"host": "short.example.com", "methods": ["GET"], "paths": ["/x"]}],
        "serve": [{"port": 8000, "to": ["agent", "a*", "other"]}, {"port": 8001, "to": ["only"]}]}


# (request, verdict now, what the proposal must say; None = nothing can turn it around)
CASES = (
    ("GET https://rest.example.com/a/b?tag=v2", "deny", 'query: {"tag": "v2"}'),
    ("GET https://rest.example.com/a/b?tag=v1a", "allow", 'query: {"tag": "v1a"}'),
    ("GET https://rest.example.com/a/b?tag=v%31&tag=%26+x", "deny", '{any: ["v1", "& x"]}'),
    ("GET https://rest.example.com/a/no?tag=v1x", "deny", "deny_rules"),
    ("GET https://rest.example.com/a/b?tag=%2A", "deny", "network"),
    ("PUT https://rest.example.com/b", "deny", "method: PUT"),
    ("POST https://rest.example.com/b", "allow", "deny_rules"),
    ("GET https://short.example.com/y", "deny", "network"),
    ("POST https://ro.example.com/p", "deny", "methods: [POST]"),
    ("POST https://ro.example.com/p%2A", "deny", "access: read-write"),
    ("DELETE https://rw.example.com/p%2A", "deny", "access: full"),
    ("POST https://rw.example.com/p%2A", "allow", "access: read-only"),
    ("GET https://typo.example.com/p%2A", "deny", "access: read-only"),
    ("WEBSOCKET_TEXT https://ws.example.com/s", "deny", "access: read-write"),
    ("POST https://gql.example.com/graphql graphql query Q viewer", "allow", "deny_rules"),
    ("POST https://gql.example.com/graphql graphql query - viewer,user", "deny", "fields: "),
    ("POST https://gql.example.com/graphql graphql query - secretKeys", "deny", "deny_rules"),
    ("POST https://gql.example.com/graphql graphql mutation AddStar addStar", "allow", "operation_name"),
    ("POST https://gql.example.com/graphql graphql mutation Drop deleteRepo", "deny", "operation_type: mutation"),
    ("POST https://gql.example.com/graphql graphql subscription", "deny", "operation_type: subscription"),
    ("POST https://gql.example.com/graphql", "deny", None),
    ("POST https://gqlro.example.com/graphql graphql mutation A b", "deny", "access: read-write"),
    ("POST https://gqlro.example.com/graphql graphql subscription A b", "deny", "access: full"),
    ("POST https://rpc.example.com/ call eth_call", "allow", "eth_call"),
    ("POST https://rpc.example.com/ call eth_send", "deny", "rules: [{allow: {method: \"eth_send\"}}]"),
    ("POST https://rpc.example.com/ call eth_sign", "deny", "eth_sign"),
    ("POST https://mcp.example.com/mcp call tools/call read_file", "allow", "tool: \"read_file\""),
    ("POST https://mcp.example.com/mcp call tools/call write_file", "deny", "tool: \"write_file\""),
    ("POST https://mcp.example.com/mcp call tools/call read_secret", "deny", "deny_rules"),
    ("POST https://mcp.example.com/mcp call tools/list", "deny", "tools/list"),
    ("POST https://mcp.example.com/mcp call tools/call bad/name", "deny", None),
    ("POST https://known.example.com/mcp call tools/call x", "allow", "deny_rules"),
    ("POST https://known.example.com/mcp call vendor/thing", "deny", "rules"),
    ("connect /usr/bin/curl db.example.com:443 at 10.3.0.1", "deny", "10.3.0.1"),
    ("connect /usr/bin/curl db.example.com:443 at 10.1.0.1", "allow", "10.1.0.0/16"),
    ("connect /usr/bin/curl db.example.com:443 at 9.9.9.9", "deny", "9.9.9.9"),
    ("connect /usr/bin/curl plain.example.com:443 at 10.0.0.7", "deny", "nowhere else"),
    ("connect /usr/bin/curl plain.example.com:443 at fd00::1", "deny", "fd00::1"),
    ("connect /usr/bin/curl plain.example.com:443 at 169.254.169.254", "deny", None),
    ("connect /usr/bin/wget plain.example.com:443", "deny", "binaries"),
    ("connect /usr/bin/wget plain.example.com:443 tainted", "deny", "taint: ignore"),
    ("connect /usr/bin/curl plain.example.com:8443", "deny", "ports"),
    ("connect /usr/bin/curl nothere.example.com:443", "deny", "network"),
    ("serve 8000 agent", "allow", 'to: ["a*", "agent"]'),
    ("serve 8000 batch", "deny", 'to: ["batch"]'),
    ("serve 8001 only", "allow", '{port: 8001, to: ["only"]}'),
    ("serve 9000 agent", "deny", '{port: 9000, to: ["agent"]}'),
    ("serve 9000 a?ent", "deny", None),
    ("serve 9000 a_b", "deny", None),
)


def main():
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for n, (request, want, says) in enumerate(CASES, 1):
            changed = policy()
            was = explain(changed, request, "/usr/bin/curl", tmp)
            yaml = "\n".join(step["yaml"] for step in was["change"])
            why = []
            if was["decision"] != want:
                why.append(f"{was['decision']}: {was['reason']}")
            if bool(was["change"]) != (says is not None) or (says and says not in yaml):
                why.append("proposes " + json.dumps(was["change"]))
            for step in was["change"] if not why else []:
                merge(changed, block(step["yaml"].rstrip("\n").split("\n")), step["action"])
            if not why and was["change"]:
                now = explain(changed, request, "/usr/bin/curl", tmp)
                if now["decision"] == want:
                    why.append("still " + now["decision"] + " after\n" + yaml)
            bad += bool(why)
            print("not ok" if why else "ok", n, "-", want, request)
            for text in why:
                print("# " + text.replace("\n", "\n# "))
    print(f"1..{len(CASES)}")
    return bool(bad)


sys.exit(main())
