#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Requests of a real sandbox, looked into: what is forwarded, refused, recorded; what a client reads then;
what happens to bad upstreams, to other protocols, and when the egress is killed."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap  # noqa: E402
from l7_world import BAD, L7World  # noqa: E402
from osh import pids_of, proc, until  # noqa: E402

t = Tap()
SAN = "san" in os.path.relpath(BUILD, ROOT).split(os.sep)       # its memory is no measure
PY = os.path.realpath("/usr/bin/python3")

RULES = """  - {host: allowed.example, methods: [GET, POST], paths: [/hello, /digest, /stream, /trailers, /big, /slow, /cut, /101, /close, "/repos/*/x"]}
""" + "".join(f"  - {{host: {h}, methods: [GET], paths: [/hello]}}\n" for h in BAD)
NAMED = f"""  audit:
    endpoints: [{{host: v4.example, port: 443, protocol: rest, enforcement: audit, access: read-only}}]
    binaries: [{{path: {PY}}}]
  plain:
    endpoints: [{{host: plain.example, port: 80, protocol: rest, access: read-only}}]
    binaries: [{{path: {PY}}}]
  skip:
    endpoints: [{{host: skip.example, port: 443, tls: skip}}]
    binaries: [{{path: {PY}}}]
"""
A = {"host": "allowed.example"}


def req(method, path, host="allowed.example", fields="", body=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n{body}"


def ask(*send, answers=None, to=A, **more):
    return {"to": to, "send": list(send), "answers": answers or [""] * len(send), **more}


class Sandbox:
    """Steps that the client does inside, then the answers and the events."""

    def __init__(self, w):
        self.w, self.policy = w, w.policy(RULES + NAMED)
        shutil.copy(os.path.join(ROOT, "tests/system/l7_client.py"), w.work)

    def steps(self, *steps, timeout=120):
        with open(os.path.join(self.w.work, "steps.json"), "w") as f:
            json.dump(steps, f)
        r = self.w.run(self.policy, [PY, "l7_client.py", "steps.json"], timeout=timeout)
        out = [json.loads(x) for x in r.out.splitlines()]
        if len(out) != len(steps):
            print(f"# {r}")
            out += [{"error": "no answer"}] * (len(steps) - len(out))
        return out, r


def http(r, verdict, **want):
    """Events of requests with that verdict."""
    found = [e for e in r.events if e.kind == "http" and e["osh"]["verdict"] == verdict]
    for k, v in want.items():
        found = [e for e in found if (e.why if k == "why" else e["http_request"].get("http_method") if k == "method"
                                      else e["http_request"]["url"].get(k)) == v]
    return found


def t_requests(box):
    w = box.w
    before = w.l7.connections
    (one, canon, denied, keep, other), r = box.steps(
        ask(req("GET", "/hello"), req("GET", "/repos/7/x?q=hiddenquery"), req("POST", "/digest", body="abc")),
        ask(req("GET", "/a/../hello"), req("GET", "/%68ello"), req("GET", "/repos/a%2fb/x"), req("GET", "/%00")),
        ask(req("DELETE", "/hello"), req("HEAD", "/nope"), req("GET", "/nope?q=hiddenquery"), answers=["", "head", ""]),
        ask(req("POST", "/nope", body="x" * 1000), req("GET", "/hello")),
        ask(req("GET", "/hello", host="other.example"), req("GET", "/hello", host="allowed.example:444"),
            req("GET", "/hello", host="ALLOWED.example:443")))
    t.ok([x.get("status") for x in one] == [200, 200, 200] and one[2]["body"].endswith(hashlib.sha256(b"abc").hexdigest()),
         "allowed requests of one connection go through", one, r)
    t.ok(w.l7.connections - before <= 3, "and upstream connections are used again", w.l7.connections - before)
    t.ok([x.get("status") for x in canon] == [200, 200, 403, 400] and
         [s[1] for s in w.l7.seen[3:5]] == ["/hello", "/hello"], "what is forwarded is the canonical path that was judged; what has none is refused",
         canon, w.l7.seen[3:5])
    t.ok([x.get("status") for x in denied] == [403] * 3 and denied[1]["body"] == "" and
         int(denied[1]["fields"]["content-length"]) > 100, "denied requests are 403, HEAD without a body", denied)
    body = json.loads(denied[0]["body"])
    t.ok(body["error"] == "policy_denied" and body["detail"] == "DELETE /hello not permitted by policy" and body["layer"] == "l7" and
         body["method"] == "DELETE" and body["path"] == "/hello" and body["host"] == "allowed.example" and body["port"] == 443 and
         body["binary"] == PY and body["rule_missing"]["path"] == "/hello" and body["next_steps"] and body["policy"] == "network[0]",
         "the denial says what, where, who, and what can be done", body)
    t.ok([x.get("status") for x in keep] == [403, 200], "a denied request with a body leaves the connection usable", keep)
    t.ok([x.get("status") for x in other] == [421, 421, 200] and
         json.loads(other[0]["body"])["error"] == "request_authority_mismatch", "a Host other than the name dialled is refused", other)
    seen = [s[0:2] for s in w.l7.seen]
    t.ok(("DELETE", "/hello") not in seen and not any("nope" in s[1] for s in seen), "nothing that was denied reached upstream", seen)
    t.ok(all(not {"via", "x-forwarded-for", "connection"} & {k.lower() for k in s[2]} for s in w.l7.seen),
         "no field is added on the way", w.l7.seen[:1])
    ok, no = http(r, "allowed", path="/hello", method="GET"), http(r, "denied", path="/nope", why="REQUEST")
    t.ok(len(ok) == 5 and len(no) >= 3 and http(r, "denied", why="AUTHORITY") and http(r, "denied", why="TARGET_BAD"),
         "every decision is on record", [(e.why, e["http_request"]) for e in r.events if e.kind == "http"])
    t.ok(ok[0]["firewall_rule"]["name"] == "network[0]" and ok[0]["class_uid"] == 4002 and
         ok[0]["actor"]["process"]["file"]["path"] == PY and no[0]["http_response"]["code"] == 403, "with rule, program and status", ok[0], no[0])
    t.ok("hiddenquery" not in json.dumps(r.events) and http(r, "allowed", path="/repos/7/x"), "queries are not")
    t.ok(sum(e.kind == "egress" and not e.denied for e in r.events) == w.l7.connections - before,
         "each upstream connection is on record")


def t_streams(box):
    (pipe, sse, trail, up, wait, chunked, cut, big), r = box.steps(
        ask(req("GET", "/hello") + req("POST", "/digest", body="pipelined") + req("GET", "/nope") + req("GET", "/hello"), answers=[""] * 4),
        {"do": "times", "to": A, "send": req("GET", "/stream"), "n": 4},
        ask(req("GET", "/trailers")),
        {"do": "upload", "to": A, "path": "/digest", "n": 64 << 20},
        ask(req("POST", "/digest", fields="Expect: 100-continue\r\nContent-Length: 3\r\n"), "abc", pause=0.5, answers=["", ""]),
        ask("POST /digest HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n",
            answers=[""], pause=0.1),
        ask(req("GET", "/cut")),
        ask(req("GET", "/big?n=1024"), answers=["hash"]))
    t.ok([x.get("status") for x in pipe] == [200, 200, 403, 200], "pipelined requests are judged and answered in order", pipe, r)
    t.ok(isinstance(sse, list) and sse[0] < 0.25 + sse[1] - 0.1 and sse[3] - sse[0] > 0.6, "a stream of events is not held up", sse)
    t.ok("x-sum: 6" in str(trail[0].get("trailers", "")).lower() and trail[0]["body"] == "abcdef", "trailers come through", trail)
    t.ok(up[0].get("body") == f"{64 << 20} {up[1]}", "64 MiB up arrive unchanged", up)
    t.ok([x.get("status") for x in wait] in ([100, 200],) and wait[1]["body"].startswith("3 "), "100-continue works", wait)
    t.ok(chunked[0].get("body") == "5 " + hashlib.sha256(b"abcde").hexdigest(), "a chunked body arrives whole", chunked)
    t.ok("error" in cut, "an answer that upstream cuts is cut, never shortened", cut)
    t.ok(big[0].get("status") == 200, "64 MiB down arrive", big)


def t_kinds(box):
    w = box.w
    w.l7.seen.clear()
    p = {"host": "plain.example", "port": 80, "tls": False}
    (audit, plain, on_tls, sni, skip, skip_sni, silent, ws, h2c, prior), r = box.steps(
        ask(req("DELETE", "/anything", host="v4.example"), to={"host": "v4.example"}),
        ask(req("GET", "/hello", host="plain.example"), req("POST", "/hello", host="plain.example", body="x"),
            req("GET", "http://plain.example/hello", host="plain.example"), to=p),
        ask(req("GET", "/hello"), to={"host": "allowed.example", "port": 443, "tls": False}),
        ask(req("GET", "/hello"), to={"host": "allowed.example", "sni": "v4.example"}),
        ask(req("GET", "/hello", host="skip.example"), to={"host": "skip.example", "ca": "ca.pem", "sni": "skip.example"}),
        ask(req("GET", "/hello"), to={"host": "skip.example", "ca": "ca.pem", "sni": "allowed.example"}),
        {"do": "silent", "to": {"host": "plain.example", "port": 80, "tls": False}},
        ask(req("GET", "/101", fields="Connection: upgrade\r\nUpgrade: websocket\r\n"), to=A),
        ask(req("GET", "/hello", host="plain.example", fields="Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), to=p),
        ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", to=p))
    t.ok(audit[0].get("status") == 200 and ("DELETE", "/anything") in [s[:2] for s in w.l7.seen] and http(r, "observed", method="DELETE", why="REQUEST"),
         "enforcement: audit sends on and records", audit, r)
    t.ok([x.get("status") for x in plain] == [200, 403, 200], "plain HTTP is judged as well", plain)
    t.ok(on_tls[0].get("status") == 400 and r.has("egress", "PLAIN_ON_TLS"), "plain HTTP on a port for TLS is refused, readably", on_tls)
    t.ok("error" in sni and r.has("egress", "TLS_SNI"), "TLS for another name is refused", sni)
    t.ok(skip[0].get("status") == 200, "tls: skip is relayed: the certificate is upstream's own", skip)
    t.ok("error" in skip_sni, "and its SNI must be the name all the same", skip_sni)
    t.ok(silent[0] in ("", "ConnectionResetError") and 8 < silent[1] < 20 and r.has("egress", "FIRST_BYTES"),
         "who says nothing is refused after a while", silent)
    t.ok(ws[0].get("status") == 101, "a WebSocket opens where the rules allow sending", ws)
    t.ok(h2c[0].get("status") in (400, 403) and prior[0].get("status") in (400, 505), "h2c is refused in both forms", h2c, prior)


def t_bad(box):
    before = sum(len(s.seen) for s in box.w.bad.values())
    answers, r = box.steps(*[ask(req("GET", "/hello", host=h), to={"host": h}) for h in BAD])
    for (host, kind), a in zip(BAD.items(), answers):
        body = json.loads(a[0]["body"]) if isinstance(a, list) else {}
        want = "UPSTREAM" if kind == "down" else "UPSTREAM_CERT"
        t.ok(a[0]["status"] == 502 and body.get("reason") == want and r.has("egress", want),
             f"upstream's certificate or state is bad ({kind}): 502 that says so, and on record", a, r)
        print(f"# {kind}: {body.get('detail')}")
    t.ok(sum(len(s.seen) for s in box.w.bad.values()) == before, "no request reached one of them")


def t_killed(box):
    """In a thread, since the request has to be under way when the egress dies."""
    got = []
    before = len(pids_of("osh-egress"))
    box.w.l7.busy.clear()
    th = threading.Thread(target=lambda: got.append(box.steps(ask(req("GET", "/slow")), ask(req("GET", "/hello")))))
    th.start()
    box.w.l7.busy.wait(120)
    pids = pids_of("osh-egress")
    t.ok(len(pids) == before + 1, "one egress serves the sandbox", pids)
    for p in pids:
        os.kill(p, signal.SIGKILL)
    th.join(200)
    (dead, alive), r = got[0]
    t.ok("error" in dead, "killed with -9: the request under way fails", dead)
    t.ok(isinstance(alive, list) and alive[0]["status"] == 200 and not (set(pids) & set(pids_of("osh-egress"))),
         "and the next connection starts another egress", alive, r)


def memory(pid):
    v = {x.split(":")[0]: int(x.split()[1]) for x in proc(pid, "smaps_rollup").splitlines() if "kB" in x}
    return v.get("Private_Dirty", 0), v.get("Pss", 0)


def t_idle(box):
    n, got = 400, []
    box.w.l7.seen.clear()
    th = threading.Thread(target=lambda: got.append(box.steps(
        ask(req("GET", "/hello"), eof=3),
        {"do": "many", "to": A, "n": n, "send": req("GET", "/hello"), "hold": 4})))
    th.start()
    until(lambda: box.w.l7.seen, 30)
    pid = until(lambda: pids_of("osh-egress"), 10)[0]
    time.sleep(1)
    few = memory(pid)
    seen = len(box.w.l7.seen)
    until(lambda: len(box.w.l7.seen) >= seen + n - 5, 60)
    time.sleep(1.5)
    lot = memory(pid)
    th.join(200)
    each = (lot[0] - few[0]) / n
    print(f"# Private_Dirty idle {few[0]} KiB, Pss {few[1]} KiB; with {n} idle connections {lot[0]} KiB: {each:.1f} KiB each")
    t.ok(got and got[0][0][1] == [n], f"{n} connections at once are answered", got)
    t.ok(SAN or few[0] <= 4096, "an idle egress has at most 4 MiB of its own", few)
    t.ok(SAN or each <= 40, "an idle connection costs at most 40 KiB", each)


def t_limit(box):
    """More connections than a sandbox may have; those that are silent make room."""
    n = 1100
    (many,), r = box.steps({"do": "many", "to": A, "n": n, "send": req("GET", "/hello"), "hold": 0, "each": True}, timeout=200)
    t.ok(many == [n], f"{n} connections one after another, none of them closed: each is answered", many, r)


def t_peers(box):
    p = {"host": "plain.example", "port": 80, "tls": False}
    got, peak = [], [0]
    th = threading.Thread(target=lambda: got.append(box.steps(
        ask(req("GET", "/hello")),
        {"do": "slow", "to": A, "send": req("GET", "/big?n=1600"), "hold": 4},
        {"do": "half", "to": p, "send": req("GET", "/hello", host="plain.example")},
        {"do": "drip", "to": A, "send": req("POST", "/digest", body="drop by drop")},
        ask(req("GET", "/close")), ask(req("GET", "/hello"), req("GET", "/hello"), pause=1.5))))
    th.start()
    until(lambda: len(pids_of("osh-egress")) == 1 and any(s[1].startswith("/big") for s in box.w.l7.seen), 30)
    pid = (pids_of("osh-egress") + [0])[0]
    for _ in range(30):
        peak[0] = max(peak[0], memory(pid)[0])
        time.sleep(0.1)
    th.join(300)
    (_, slow, half, drip, _, again), r = got[0]
    t.ok(slow[0].get("status") == 200 and (SAN or peak[0] < 6144), f"a reader that stops stops its upstream: {peak[0]} KiB at most", slow, r)
    t.ok(half[0].get("status") == 200, "a half-closed client gets its answer", half)
    t.ok(drip[0].get("body", "").startswith("12 "), "a request may come byte by byte", drip)
    t.ok([x.get("status") for x in again] == [200, 200], "an upstream that closed its connection is dialled again", again)


def main():
    if os.geteuid():
        t.skip("requests", "needs root")
        t.done()
    with L7World() as w:
        box = Sandbox(w)
        r = subprocess.run([os.path.join(BUILD, "oshctl"), "policy", "compile", "-o", "/dev/null", "/dev/stdin"], input=box.policy.encode(), capture_output=True)
        if b"OSH150" in r.stderr + r.stdout:
            t.skip("requests", "this build does not enforce rules about requests")
            t.done()
        with w.resident():
            for fn in (t_requests, t_streams, t_kinds, t_bad, t_killed, t_idle, t_peers, t_limit):
                if len(sys.argv) < 2 or fn.__name__ in sys.argv[1:]:
                    fn(box)
    t.done()


main()
