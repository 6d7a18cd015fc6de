#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy learn`: what a log says was denied is allowed by the policy that is printed, nothing else is, and a log
whose names were chosen by an enemy adds nothing. The lines are made here, as osh-audit writes them."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402

OSHCTL = os.path.abspath(os.path.join(BUILD, "oshctl"))
T0 = 1795387310000
t = Tap()

POLICY = """# the author's own words
version: 1
filesystem_policy:
  read_only: [/usr, /bin, /lib]   # all of it
  read_write:
    # scratch
    - /tmp
    - /srv/out
network_policies:
  # the one that is looked into
  api:
    endpoints:
      - {host: api.example.com, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /v1/items}}, {allow: {method: GET, path: /q, query: {a: b}}}],
         deny_rules: [{method: DELETE, path: "/**"}]}
    binaries: [/usr/bin/curl]
  op:
    endpoints: [{host: gql.example.com, port: 443, protocol: graphql, access: read-only}]
    binaries: [/usr/bin/curl]
  lan:
    endpoints: [{host: db.example.com, port: 5432, allowed_ips: [10.1.0.0/16]}]
    binaries: [/usr/bin/psql]
assert:
  - never_reach: {host: "*.pastebin.com"}
  - never: {host: api.example.com, method: PUT}
"""


def base(event, reason, verdict="denied", program="/usr/bin/curl", count=1, repeats=False, at=0, aux=0, **more):
    one = {"class_uid": 4001, "time": T0 + at, "container": {"name": "box", "uid": "1"}, "status_detail": "x", "count": count,
           "osh": {"event": event, "verdict": verdict, "reason": reason, "generation": 1, "aux": aux, "repeats": repeats}}
    if program:
        one["actor"] = {"process": {"pid": 1, "tid": 1, "name": "x", "file": {"path": program, "name": "x", "type_id": 1}}}
    one.update(more)
    return one


def connect(host, port=443, reason="BINARY", ip="198.18.0.9", event="connect", **more):
    end = {"hostname": host, "ip": ip, "port": port} if host else {"ip": ip, "port": port}
    return base(event, reason, dst_endpoint=end, **more)


def dns(name, reason="NAME_UNKNOWN", **more):
    return base("dns", reason, query={"hostname": name, "type": "A"}, dst_endpoint={"name": "osh", "port": 53}, **more)


def request(method, path, host="api.example.com", port=443, reason="REQUEST", **more):
    return base("http", reason, http_request={"http_method": method, "url": {"scheme": "https", "hostname": host, "path": path, "port": port}}, **more)


def landlock(path, rights, **more):
    return base("landlock", "LANDLOCK", aux=rights, file={"name": path, "type_id": 1}, **more)


def execd(path):
    return base("exec", "EXEC_STRICT", process={"pid": 1, "path": path})


READ, WRITE, MAKE = 1 << 2, 1 << 1, 1 << 8


class Case:
    def __init__(self, where, policy, lines, *words, raw=None):
        self.policy = os.path.join(where, "policy.yaml")
        self.log = os.path.join(where, "log")
        self.where = where
        with open(self.policy, "wb") as f:
            f.write(policy if isinstance(policy, bytes) else policy.encode())
        with open(self.log, "wb") as f:
            f.write(raw if raw is not None else b"".join(json.dumps(x).encode() + b"\n" for x in lines))
        p = subprocess.run([OSHCTL, "policy", "learn", "-p", self.policy, "-w", "/work/p", "--log", self.log, *words], timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.rc, self.out, self.err = p.returncode, p.stdout.decode(), p.stderr.decode()
        rc, out, _ = self.ctl("learn", "-p", self.policy, "-w", "/work/p", "--log", self.log, "--json", *words)
        self.json = json.loads(out) if out else None
        self.same = rc == self.rc and (not out or "--additions" in words or self.json["policy"].encode("latin-1") == p.stdout)

    def ctl(self, *words):
        return run([OSHCTL, "policy", *words], 120)

    def new(self):
        path = os.path.join(self.where, "new.yaml")
        with open(path, "wb") as f:
            f.write(self.out.encode())
        return path

    def why(self):
        return [x["because_id"] for x in self.json["left_out"]] if self.json else None


def question(it):
    place = f"{it['host']}:{it.get('port', 443)}" if "host" in it else ""
    path = f'"{it["path"]}"' if " " in it.get("path", "") else it.get("path")
    return {"dns": lambda: "dns " + it["host"], "connect": lambda: "connect " + place,
            "request": lambda: f"{it['method']} https://{place}{it['path']}", "read": lambda: f"open {path} read",
            "write": lambda: f"open {path} write", "exec": lambda: f"exec {path}"}[it["kind"]]()


def explained(c, policy, it):
    """Put by another verb, to another reading of the printed text."""
    words = ["explain", "-p", policy, "-w", "/work/p", "--json", question(it)]
    if it.get("binary"):
        words[1:1] = ["--binary", it["binary"]]
    rc, out, err = c.ctl(*words)
    return json.loads(out)["decision"] if out else f"{rc}: {err}"


def sound(c, name, left, n=None):
    """The printed policy is one, allows each that is proposed, denies what is left out, and keeps its author's lines."""
    ok = c.same and c.json is not None and sorted(c.why()) == sorted(left) and c.rc == (1 if left else 0)
    ok = ok and (n is None or len(c.json["proposed"]) == n)
    if ok:
        new = c.new()
        ok = c.ctl("check", new)[0] == 0
        ok = ok and all(explained(c, c.policy, it) == "deny" and explained(c, new, it) == "allow" for it in c.json["proposed"])
        ok = ok and all(explained(c, new, it) == "deny" for it in c.json["left_out"] if it["because_id"] in
                        ("DENY_RULE", "ASSERT", "NAME_LOCAL", "NAME_DATA", "ADDRESS_PRIVATE", "QUERY", "INSPECTED", "SECRET", "RUN_OUTSIDE"))
        with open(c.policy, encoding="utf-8", newline="") as f:
            text = iter("".join(c.out.split()))
            ok = ok and all(x in text for x in "".join(f.read().split()))       # nothing of it is gone or changes places
    t.ok(ok, name, c.rc, c.err, c.out[-2000:], json.dumps(c.json["left_out"] if c.json else None))


WANT = """network_policies:
  learnt_curl:
    binaries: [/usr/bin/curl]
    endpoints:
      - {host: api.example.com, port: 443, protocol: rest, rules: [
          # denied once, 2026-11-22 22:41:56 UTC
          {allow: {method: POST, path: /v1/items}},
          # denied 3 times, 2026-11-22 22:41:55 to 2026-11-22 22:41:57 UTC
          {allow: {method: GET, path: /v1/items/7}},
          ]}
      # denied 5 times, 2026-11-22 22:41:50 to 2026-11-22 22:41:52 UTC
      - {host: cdn.example.net, port: 8443}
      # denied 2 times, 2026-11-22 22:41:50 UTC: the name was asked for; port 443 is taken for granted
      - {host: www.example.org, port: 443}
  learnt_wget:
    binaries: [/usr/bin/wget]
    endpoints:
      # denied once, 2026-11-22 22:41:50 UTC
      - {host: cdn.example.net, port: 8443}
filesystem_policy:
  read_only:
    # denied once, 2026-11-22 22:41:50 UTC
    - "/srv/data/a b"
  read_write:
    # denied once, 2026-11-22 22:41:50 UTC
    - /srv/data/log.txt
"""


def usual(where):
    lines = [connect("cdn.example.net", 8443, "PORT"), connect("cdn.example.net", 8443, "PORT", ip="fd00::1"),
             connect("cdn.example.net", 8443, "PORT", count=4, repeats=True, at=2000),
             connect("cdn.example.net", 8443, "BINARY", program="/usr/bin/wget"),
             dns("www.example.org"), dns("WWW.example.org."),
             request("GET", "/v1/items/7", at=5000), request("GET", "/v1/items/7", count=3, repeats=True, at=7000),
             request("POST", "/v1/items", at=6000, verdict="observed"),
             landlock("/srv/data/a b", READ), landlock("/srv/data/log.txt", WRITE),
             request("GET", "/v1/items"), connect("cdn.example.net", verdict="allowed"),
             base("unix", "UNIX_PATH", dst_endpoint={"name": "/var/run/nscd/socket"}), connect("api.example.com", reason="UPSTREAM", event="egress"),
             {"class_uid": 2004, "time": T0, "finding_info": {"title": "x", "uid": "y"}, "count": 3}]
    c = Case(where, POLICY, lines)
    sound(c, "connections, names, requests and paths are proposed, each exactly", [], 7)
    t.ok(c.json["additions"] == WANT, "as text: below its program, with how often and when", c.json["additions"])
    t.ok(len(c.json["allowed"]) == 1 and c.json["not_by_policy"] == 2, "what the policy allows already, and what it did not cause, is told apart",
         json.dumps(c.json["allowed"]), c.json["not_by_policy"])
    t.ok("  read_only: [\n" in c.out and ", /bin, /lib]   # all of it" in c.out and "- /srv/out" in c.out, "into the lists that are there", c.out)
    only = Case(where, POLICY, lines, "--additions")
    t.ok(only.out == WANT, "--additions: they alone", only.out)
    again = Case(where, c.out, lines)
    t.ok(again.rc == 0 and again.out == c.out and not again.json["proposed"], "with the learnt policy there is no more to learn", again.out)
    rc, out, _ = run(["sh", "-c", f"exec {OSHCTL} policy learn -p {c.policy} -w /work/p --log - <{c.log}"], 60)
    t.ok(rc == 0 and out == again.out, "a log from standard input", rc)
    t.ok(again.json["of_another_policy"] == 16 - 2 and "note: 14 denials are of another policy" in again.err, "denials under another text are told", again.err)
    with open(c.policy, "rb") as f:
        uid = hashlib.sha256(f.read()).hexdigest()
    mine = Case(where, c.out, [dict(x, policy={"name": "policy", "uid": uid}) for x in lines])
    t.ok(not mine.json["of_another_policy"] and "note" not in mine.err, "and those under this one are not", mine.err)
    some = Case(where, POLICY, lines, "--since", f"@{T0 // 1000 + 5}")
    t.ok([x["kind"] for x in some.json["proposed"]] == ["request", "request"], "--since: what came before is not looked at", some.out)
    with open(os.path.join(where, "old.yaml"), "w") as f:
        f.write(POLICY)
    rc, out, err = c.ctl("diff", "-w", "/work/p", f.name, c.new())
    t.ok("newly allowed" in out and "newly denied" not in out and "changed:" not in out, "policy diff: more is allowed, nothing else changed", out, err)


STRICT = "process: {exec: {mode: strict, allow: [/usr/bin/sh]}}\n"
SHORT = "network:\n  - host: a.example.com\n"
FORMS = (
    ("short form alone", SHORT),
    ("without a newline at its end", SHORT.rstrip("\n")),
    ("JSON", json.dumps({"version": 1, "network_policies": {"a": {"endpoints": [{"host": "a.example.com", "port": 443}], "binaries": ["/usr/bin/x"]}}})),
    ("JSON with empty lists", '{"version": 1, "network_policies": {}, "filesystem_policy": {"read_only": [], "read_write": []}}'),
    ("with a byte order mark", b"\xef\xbb\xbf" + POLICY.encode()),
    ("with CRLF", POLICY.replace("\n", "\r\n")),
    ("with line breaks of other kinds in comments", "# a\u2028# b\u0085# c\r# d\n" + POLICY),
    ("that ends its document", "---\n" + SHORT + "...\n"),
    ("that ends in comments", POLICY + "# network_policies: {}\n#   - x\n"),
    ("with sections in other orders", "network_policies:\n\n  # c\n\n    a:\n        binaries: [/usr/bin/x]\n        endpoints:\n"
     "        - host: a.example.com\n          port: 443\nfilesystem_policy:\n    read_only:\n    - /usr\nversion: 1\n"),
    ("with a learnt rule", "version: 1\nnetwork_policies:\n  learnt_curl: {endpoints: [{host: a.example.com, port: 443}], binaries: [/usr/bin/curl]}\n"),
    ("with rules for executing", "version: 1\n" + STRICT + "filesystem_policy: {read_only: [/usr]}\n"),
)


def forms(where):
    lines = [connect("b.example.com", 8443, "DEST_UNKNOWN"), dns("c.example.com"), request("GET", "/x", host="d.example.com"),
             landlock("/srv/in", READ), landlock("/srv/log", WRITE)]
    for name, policy in FORMS:
        c = Case(where, policy, lines + ([execd("/usr/bin/true")] if "exec" in str(policy) else []))
        sound(c, f"a policy {name}", [], 6 if "exec" in str(policy) else 5)
    c = Case(where, "version: 1\nnetwork_policies: # none\n  {a: {endpoints: [{host: a.example.com, port: 443}], binaries: [/usr/bin/x]}}\n", lines)
    sound(c, "a policy with brackets on a line of their own", [], 5)


def left_out(where):
    data = "mzxw6ytboi2gk3tunfxw4zlboj2ca"
    cases = (
        ("DENY_RULE", request("DELETE", "/v1/items/7", reason="REQUEST_DENIED")), ("DENY_RULE", request("DELETE", "/v1/items/8")),
        ("ASSERT", connect("x.pastebin.com", reason="DEST_UNKNOWN")), ("ASSERT", dns("x.pastebin.com")), ("ASSERT", request("PUT", "/v1/items")),
        ("QUERY", request("GET", "/q")), ("BODY", request("POST", "/graphql", host="gql.example.com")), ("BODY", request("POST", "/graphql", host="gql.example.com", reason="GRAPHQL")),
        ("INSPECTED", connect("api.example.com", program="/usr/bin/wget")), ("ADDRESS_PRIVATE", connect("db.example.com", 5432)),
        ("INSPECTED", connect("api.example.com", 80, "PORT")), ("ADDRESS_PRIVATE", connect("db.example.com", 80, "PORT")),
        ("ADDRESS_PRIVATE", connect(None, 80, "DEST_UNKNOWN", ip="192.168.0.1")), ("ADDRESS_SPECIAL", connect(None, 80, "DEST_UNKNOWN", ip="169.254.169.254")),
        ("ADDRESS_SPECIAL", connect(None, 80, "DEST_UNKNOWN", ip="::ffff:127.0.0.1")), ("ADDRESS_SPECIAL", connect(None, 80, "DEST_UNKNOWN", ip="198.18.0.7")),
        ("ADDRESS_PRIVATE", connect("w.example.com", event="egress", reason="ADDR_PRIVATE", ip="10.0.0.1")),
        ("NAME_LOCAL", dns("metadata.google.internal")), ("NAME_LOCAL", dns("printer")), ("NAME_LOCAL", dns("nas.local")), ("NAME_LOCAL", dns("1.0.0.127.in-addr.arpa")),
        ("NAME_DATA", dns(f"{data}.evil.example")), ("NAME_DATA", dns("deadbeefcafe0123.evil.example")), ("NAME_DATA", dns("qzxwvbnmkrtplfghjkl.evil.example")),
        ("NAME_DATA", connect("a" * 50 + ".evil.example", reason="DEST_UNKNOWN")), ("NAME_DATA", dns(".".join(["abcd"] * 22))),
        ("PORT", connect("b.example.com", 10250, "DEST_UNKNOWN")), ("NO_PROGRAM", connect("b.example.com", program=None)), ("NO_PROGRAM", dns("b.example.com", program=None)),
        ("NO_PROGRAM", connect("b.example.com", reason="NO_IDENTITY")), ("INJECTED", connect("b.example.com", reason="TAINTED")),
        ("PROGRAM_WRITABLE", connect("b.example.com", program="/srv/out/tool")), ("PROGRAM_WRITABLE", connect("b.example.com", program="/tmp/x")),
        ("PROGRAM_WRITABLE", connect("b.example.com", program="/sandbox/.local/bin/x")), ("PROGRAM_UNLISTED", connect("b.example.com", program="/work/p/tool")),
        ("PATTERN", connect("b.example.com", program="/usr/bin/*")), ("PATTERN", request("GET", "/v1/*")), ("PATTERN", landlock("/srv/{a,b}", READ)),
        ("CUT", dict(request("GET", "/v1/it"), osh=dict(request("GET", "/")["osh"], cut=True))),
        ("UNREADABLE", request("GET", "/v1/../x")), ("UNREADABLE", request("GET", "/v1?x=y")), ("UNREADABLE", request("G T", "/v1")), ("UNREADABLE", dns("a.example\n- host: b")),
        ("SECRET", landlock("/home/u/.ssh/id_rsa", READ)), ("SECRET", landlock("/home/u/p/.env", READ)), ("SECRET", landlock("/etc/shadow", READ)),
        ("RUN_OUTSIDE", landlock("/home/u/.bashrc", WRITE)), ("RUN_OUTSIDE", landlock("/usr/bin/x", WRITE)), ("RUN_OUTSIDE", landlock("/srv/r/.git/config", WRITE)),
        ("RUN_OUTSIDE", landlock("/elsewhere/p/Makefile", WRITE)), ("RUN_OUTSIDE", landlock("/srv/p/.github/workflows/x.yml", WRITE)),
        ("DIRECTORY", landlock("/srv/data", MAKE)), ("RESERVED", base("file", "FILE_DENIED", file={"name": "/x", "type_id": 1})),
        ("NOT_A_RULE", base("sendmsg", "UDP", dst_endpoint={"ip": "1.1.1.1", "port": 53})), ("NOT_A_RULE", base("syscall", "SYSCALL", unmapped={"syscall": "mount"})),
        ("NOT_A_RULE", base("http", "CREDENTIAL", http_request={"http_method": "GET", "url": {"hostname": "h", "port": 1}})), ("NOT_A_RULE", dns("x", "NAME_BAD")),
    )
    for why, one in cases:
        c = Case(where, POLICY, [one])
        t.ok(c.rc == 1 and c.why() == [why] and c.out == POLICY and "left out: " in c.err and ", because " in c.err and not c.json["additions"] and c.same,
             f"left out, {why}: {json.dumps(one)[120:300]}", c.rc, c.why(), c.out, c.err)
    many = [dns(f"{w}{v}.evil.example") for w in ("alpha", "beta", "gamma", "delta") for v in ("red", "blue", "green", "grey", "pink")]
    c = Case(where, POLICY, many + [dns("ok.example.org")])
    sound(c, "many names of one domain, and one of another", ["NAMES_MANY"] * 20, 1)
    c = Case(where, POLICY, [c2 for _, c2 in cases])
    t.ok(c.rc == 1 and not c.json["proposed"] and c.out == POLICY, "all of them together", c.rc, c.err)
    c = Case(where, POLICY, [connect("api.example.com", program="/usr/bin/wget"), request("GET", "/w", program="/usr/bin/wget"), dns("b.example.com", program=None), connect("b.example.com")])
    sound(c, "what an addition allows, too, without harm is none that is left out", [], 4)
    c = Case(where, POLICY, [dns("b.example.com"), dns("b.example.com", program="/tmp/x"), connect("b.example.com", program="/tmp/x")])
    t.ok(len(c.json["proposed"]) == 1 and c.why() == ["PROGRAM_WRITABLE"] * 2 and "host: b.example.com" in c.out and "/tmp/x" not in c.out,
         "a name that a program asked for whose rule is left out, and one whose rule is not", c.why(), c.out)
    c = Case(where, STRICT + "version: 1\nfilesystem_policy: {read_only: [/usr], read_write: [/usr/local/w], deny: [/usr/local/w/no]}\n",
             [execd("/usr/local/w/x"), execd("/opt/x"), landlock("/usr/local/w/no", WRITE)])
    t.ok(sorted(c.why()) == ["NOT_A_RULE", "PROGRAM_WRITABLE", "RESERVED"], "programs that may be written, or are not there; denied paths", c.why(), c.err)
    c = Case(where, "version: 1\nassert: [{never_leave: {}}]\n", [dns("b.example.com")])
    t.ok(c.why() == ["ASSERT"] and c.json["left_out"][0]["line"] == 2 and "policy.yaml:2)" in c.err, "the line of the assert", c.why(), c.err)
    c = Case(where, "version: 1\nfilesystem_policy: {read_only: [/usr, /srv/k]}\nassert: [{never_read_and_send: {read: \"/srv/k/**\"}}]\n",
             [dns("b.example.com")])
    t.ok(c.why() == ["ASSERT"], "what sends beside a secret that can be read", c.why(), c.err)
    c = Case(where, "version: 1\nassert: [{never_read_and_send: {read: \"/srv/k/**\"}}]\n", [dns("b.example.com"), landlock("/srv/k/a", READ)])
    sound(c, "a secret that cannot be read is not made readable, and the rest is learnt", ["ASSERT"], 1)


def hostile(where):
    evil = ("a.example.com\nnetwork_policies: {}", "a.example.com, port: 1}, {host: '*'", "*.example.com", "**", "a.example.com # x", "a.example.com\u0085x",
            "\"", "a.example.com\\", "a\u2028b.example.com", "{{x}}", "&a", "!!str x", "a.example.com: x", "\x1b[31mred.example.com", "\u00e9.example.com",
            "\u202ecom.example", "a..example.com", "-", "a.example.com:443")
    lines = []
    for n, text in enumerate(evil):
        path = "/" + text
        lines += [dns(text), connect(text, reason="DEST_UNKNOWN"), connect("ok.example.com", program=path), request("GET", path), request(text, "/v1"),
                  landlock(path, READ), landlock(path, WRITE), execd(path), base(text, text), base("unix", "UNIX_PATH", dst_endpoint={"name": text})]
        del n
    c = Case(where, POLICY, [x for x in lines if "\u2028" not in json.dumps(x, ensure_ascii=False) and "\u202e" not in json.dumps(x, ensure_ascii=False)])
    ok = c.rc == 1 and c.json is not None
    new = c.new()
    ok = ok and c.ctl("check", new)[0] == 0 and all("*" not in it.get("path", "") for it in c.json["proposed"])
    t.ok(ok and {x["kind"] for x in c.json["proposed"]} <= {"connect", "read", "write", "request"}, "names that are YAML add nothing but themselves", c.rc, c.err[-2000:],
         json.dumps(c.json["proposed"] if c.json else None)[:3000])
    bad = [it for it in c.json["proposed"] if '"' not in it.get("path", "") and explained(c, new, it) != "allow"]
    hosts = {it.get("host") for it in c.json["proposed"]} - {None}
    t.ok(not bad and hosts <= {"ok.example.com", "api.example.com"}, "and mean what was denied", hosts, bad)
    t.ok(not any(b < 32 and b != 10 or b > 126 for b in c.err.encode()), "no byte that steers a terminal")
    for name, raw in (("no JSON", b"hello\n"), ("an array", b"[]\n"), ("a member twice", b'{"class_uid":1,"class_uid":1,"time":1}\n'), ("another object", b"{}\n"),
                      ("a character that no log has", json.dumps(dns("a\u2028b")).encode()), ("a half", json.dumps(dns("a.b.example")).encode()[:-9]),
                      ("a NUL", json.dumps(dns("a\0b")).encode()), ("a line without an end", b"x" * 200000), ("a text that is a number", json.dumps(dns(7)).encode()),
                      ("a negative count", json.dumps(dns("a.b.example", count=-1)).encode()), ("a deep one", b"[" * 60000 + b"\n")):
        raw = json.dumps(dns("ok.example.com")).encode() + b"\n" + raw
        c = Case(where, POLICY, [], raw=raw)
        t.ok(c.rc == 1 and not c.out and c.json is None and f"{c.log}:2: " in c.err and c.err.count("\n") == 1, f"malformed, with its line: {name}", c.rc, c.out[:300], c.err[:600])


def bounds(where):
    lines = [connect("api.example.net", 1000 + n % 50000, "PORT", program=f"/usr/bin/p{n}") for n in range(5000)]
    c = Case(where, POLICY, lines)
    t.ok(c.rc == 1 and c.json["left_out_beyond"] == 5000 - 4096 and "904 more, because there are more distinct denials" in c.err,
         "more distinct denials than are looked at are counted", c.rc, c.err[-500:])
    n = len(c.json["proposed"])
    t.ok(n + len(c.json["left_out"]) == 4096 and c.ctl("check", c.new())[0] == 0, "and the others decided", n)
    c = Case(where, POLICY, [request("GET", f"/p/{n}") for n in range(2000)])
    sound(c, "many requests are one endpoint", [], None) if len(c.json["proposed"]) < 50 else t.ok(
        c.rc == 0 and len(c.json["proposed"]) == 2000 and c.json["additions"].count("host:") == 1 and c.ctl("check", c.new())[0] == 0, "many requests are one endpoint", c.rc, c.err[-500:])
    wrong = (["-p", c.policy], ["--log", c.log], ["-p", c.policy, "--log", c.log, "box"], ["-p", c.policy, "a", "b"], ["-p", c.policy, "--log", c.log, "-w", "x"])
    for words in wrong:
        rc, out, err = c.ctl("learn", *words)
        t.ok(rc == 2 and not out and err, f"used wrongly: {words[0::2]}", rc, out, err)
    rc, out, err = c.ctl("learn", "-p", c.policy, "--log", "/nonexistent")
    t.ok(rc == 1 and not out and "cannot open log" in err, "a log that is not there", rc, err)
    c = Case(where, "version: 1\nnetwork: {", [dns("a.b.example")])
    t.ok(c.rc == 1 and not c.out and "policy.yaml:" in c.err, "a wrong policy: its mistakes", c.rc, c.err)
    c = Case(where, POLICY, [])
    t.ok(c.rc == 0 and c.out == POLICY, "nothing denied: the policy as it was", c.rc, c.err)
    with open("/dev/full", "w") as full:
        rc = subprocess.run([OSHCTL, "policy", "learn", "-p", c.policy, "--log", "/dev/null"], stdout=full, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode
    t.ok(rc == 1, "nothing can be written: it fails", rc)


def main():
    with tempfile.TemporaryDirectory() as where:
        for part in (usual, forms, left_out, hostile, bounds):
            part(where)
    t.done()


if __name__ == "__main__":
    main()
