#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of calls of models: exact whatever runs at once, shared by a user's sandboxes, kept while egress and oshd die and over
their restart; a refusal says which limit and when, and is on record."""
import json
import os
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from models_world import ModelsWorld  # noqa: E402
from osh import kill, pids_of, until  # noqa: E402

t = Tap()
OSHCTL = os.path.join(BUILD, "oshctl")
URL = "https://inference.local"
LIMIT = 200
POLICY = """inference:
  routes:
    - {name: claude, api: anthropic, provider: claude}
    - {name: gpt, api: openai, provider: gpt}
  limits: [%s]
  prices: [{model: "claude-*", input: 1, output: 10}]
"""


def curl(model="claude-a", tokens=20, more="", path="/v1/messages", **fields):
    q = json.dumps({"model": model, "max_tokens": tokens, "messages": [], **fields})
    return f"curl -sS -m 100 -w ' %{{http_code}} ' {more} -H 'content-type: application/json' -d '{q}' {URL}{path}"


LIST = "curl -sS -m 100 -o /dev/null "      # of models; it also lets streams go on that wait


def go(w, limits, script, options=()):
    return w.go(script, POLICY % limits, options)


def codes(text):
    return re.findall(r" (\d\d\d) ", text)


def refused(r, why="BUDGET"):
    """How many calls are on record as refused, all alike: the last line has the count of them."""
    return max((e.get("count", 1) for e in r.events if e.kind == "http" and e.why == why and e.denied), default=0)


def requests(w):
    """Without a resident oshd: counted in memory, for the one run."""
    r = go(w, "{requests: 3, per: minute}", "; ".join([curl()] * 3 + [curl(more="-D /tmp/h"), "cat /tmp/h", f"curl -sS -w ' %{{http_code}} ' {URL}/v1/models"]))
    c = codes(r.out)
    t.ok(c[:4] == ["200", "200", "200", "429"], "three calls a minute: the fourth is refused", r)
    wait = re.search(r"retry-after: (\d+)", r.out)
    t.ok(wait and 0 < int(wait.group(1)) <= 66, "with the time after which there is room", r)
    t.ok('"limit_used_up"' in r.out and "3 requests a minute of this sandbox, line" in r.out, "and it says which limit that is", r)
    t.ok(refused(r) == 1 and any("3 requests a minute" in json.dumps(e) for e in r.events if e.why == "BUDGET"), "it is on record", r)
    t.ok(c[-1] == "200", "lists of models are not counted", c)
    posts = [p for m, p, *_ in w.came() if m == "POST"]
    t.ok(len(posts) == 3, "and the backend has seen three calls", posts)
    again = go(w, "{requests: 3, per: minute}", curl())
    t.ok(codes(again.out) == ["200"], "another run has its own count", again)
    w.came()


def sizes(w):
    r = go(w, "{tokens: 1000, per: day}", curl(tokens=2000) + "; " + curl(tokens=20))
    t.ok(codes(r.out) == ["403", "200"] and '"call_too_large"' in r.out and refused(r, "BUDGET_SIZE") == 1, "a call that may use more than there is at all", r)
    r = go(w, "{money: 0.001, per: day}", curl(model="gpt-4", path="/v1/chat/completions") + "; " + curl(tokens=20))
    t.ok(codes(r.out) == ["403", "200"] and '"model_without_price"' in r.out and refused(r, "PRICE") == 1, "a model without a price, where money is limited", r)
    r = go(w, "{requests: 1, per: day, route: gpt}", "; ".join([curl(), curl(), curl(model="g", path="/v1/chat/completions"), curl(model="g", path="/v1/chat/completions")]))
    t.ok(codes(r.out) == ["200", "200", "200", "429"], "a limit of one route counts its calls alone", r)
    r = go(w, "{requests: 9, per: day, of: user}", "true")
    t.ok(r.rc != 0 and "resident" in r.err, "a limit of a user is refused where nobody counts it", r)
    w.came()


def tokens(w):
    """33 each (11 in, 22 out), and each asks for up to 100 and some."""
    r = go(w, "{tokens: 1000, per: day}", "; ".join([curl(tokens=100)] * 32))
    n, first = codes(r.out).count("200"), codes(r.out)[:20]
    t.ok(first == ["200"] * 20 and n * 33 <= 1000 and n * 33 + 100 + 33 + 60 > 1000, "what was used takes the place of what was taken", n, r)
    r = go(w, "{money: 0.001, per: day}", "; ".join([curl(tokens=20)] * 6))       # 11 + 220 millionths of it each
    t.ok(codes(r.out) == ["200"] * 4 + ["429"] * 2 or codes(r.out) == ["200"] * 3 + ["429"] * 3, "and money is what the tokens cost", r)
    t.ok("0.001 of money a day of this sandbox" in r.out, "it says so", r)
    w.came()


def at_once(w):
    for limit, most in (("{requests: 10, per: day}", 10), ("{tokens: 1000, per: minute}", 1000 // (100 + 10))):
        r = go(w, limit, curl(tokens=100, more="-Z --parallel-max 40 -o '/tmp/#1'", path="/v1/messages?n=[1-40]"))
        c, n = codes(r.out), len(w.came())
        t.ok(c.count("200") == n and c.count("429") == 40 - n and refused(r) == 40 - n, f"forty at once: {limit}", c, r)
        t.ok(n == most if "requests" in limit else 1 <= n * 33 <= 1000, "as many as there are, to one", n, limit)


def restarts(w):
    """A user's count: two sandboxes, an oshd that ends and one that is killed."""
    user = "{requests: 6, per: day, of: user}"
    with w.resident() as d:
        a = go(w, user, curl() + "; " + curl())
        b = go(w, user, curl())
        t.ok(codes(a.out) + codes(b.out) == ["200"] * 3, "half of what a user has, by two sandboxes", a, b)
        d.stop()
        d.start()
        c = go(w, user, curl())
        d.p.send_signal(signal.SIGKILL)
        d.p.wait()
        d.start()
        e = go(w, user, curl() + "; " + curl() + "; " + curl())
        t.ok(codes(c.out) + codes(e.out) == ["200"] * 3 + ["429"], "six in all: nothing is forgotten, by a restart or a kill", c, e)
        t.ok("of all sandboxes of the user" in e.out, "it says whose limit that is", e)
        x = go(w, "{requests: 6, per: day}", curl())
        t.ok(codes(x.out) == ["200"], "a sandbox' own count is another one", x)
    w.came()


def deaths(w):
    """One sandbox that goes on while its egress, oshd, and both die."""
    with w.resident() as d:
        done = {}
        script = curl() + "; touch did0; " + "".join(
            f"while [ ! -e go{i} ]; do sleep 0.1; done; {curl()}; touch did{i}; " for i in (1, 2, 3))
        th = threading.Thread(target=lambda: done.update(r=go(w, "{requests: 3, per: day}", script)))
        th.start()

        def did(i):
            return until(lambda: os.path.exists(os.path.join(w.work, f"did{i}")) or not th.is_alive(), 100)

        def next_one(i):
            open(os.path.join(w.work, f"go{i}"), "w").close()
            return did(i)
        ok = did(0)
        kill(pids_of("osh-egress"))
        ok = ok and next_one(1)
        d.p.send_signal(signal.SIGKILL)
        d.p.wait()
        d.start()
        ok = ok and next_one(2)
        kill(pids_of("osh-egress"))
        d.p.send_signal(signal.SIGKILL)     # before it has heard of that, or after
        d.p.wait()
        d.start()
        ok = ok and next_one(3)
        th.join(LIMIT)
        r = done.get("r")
        t.ok(ok and r and codes(r.out) == ["200"] * 3 + ["429"], "a sandbox' count outlives its egress and oshd", ok, r)
    w.came()


def created(w):
    """A day's count of a created sandbox is there at its next start, and goes with it."""
    p = w.write("created.yaml", w.policy("", (POLICY % "{requests: 2, per: day}").replace(", provider: claude", "").replace(", provider: gpt", "")))
    with w.resident() as d:
        def ctl(*a):
            return run([OSHCTL, *a, "--socket", d.bus], LIMIT)

        def call():
            rc, out, err = run([OSHCTL, "sandbox", "exec", "--socket", d.bus, "-T", "box", "--", "/bin/sh", "-c", curl()], LIMIT)[:3]
            return codes(out) or (rc, out, err)
        rc, out, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "box", "-p", p, "-w", w.work], LIMIT)[:3]
        t.ok(rc == 0, "a sandbox is created", rc, out, err)
        first = call()
        got = run([OSHCTL, "sandbox", "get", "box", "--socket", d.bus], LIMIT)[1]
        t.ok("1 of 2 requests a day of this sandbox" in got, "sandbox get says what is used", got)
        ctl("sandbox", "stop", "box")
        d.stop()
        d.start()
        ctl("sandbox", "start", "box")
        rest = [call(), call()]
        t.ok([first, *rest] == [["200"], ["200"], ["429"]], "its count is there after a stop, another oshd and a start", first, rest)
        ctl("sandbox", "delete", "-f", "box")
        db = os.path.join(d.state, "osh.db")
        d.stop()
        left = subprocess.run([sys.executable, "-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM count').fetchone()[0])", db],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout.strip()
        t.ok(left == "0", "and goes with the sandbox", left)
    w.came()


def away(w):
    """Killed between question and answer, or gone: calls wait, and the next oshd answers."""
    with w.resident() as d:
        done = {}
        script = curl() + "; touch up; while [ ! -e go ]; do sleep 0.1; done; " + curl()
        th = threading.Thread(target=lambda: done.update(r=go(w, "{requests: 5, per: day}", script)))
        th.start()
        up = until(lambda: os.path.exists(os.path.join(w.work, "up")) or not th.is_alive(), 100)
        d.p.send_signal(signal.SIGKILL)
        d.p.wait()
        open(os.path.join(w.work, "go"), "w").close()
        until(lambda: False, 0.5)
        waited = len(w.came())
        d.start()
        th.join(LIMIT)
        r = done.get("r")
        t.ok(up and r and codes(r.out) == ["200", "200"] and waited == 1 and len(w.came()) == 1, "a call waits for the next oshd", waited, r)


def policies(w):
    """Another policy finds the counts as they are, while a stream goes on that they count."""
    new = w.write("next.yaml", w.policy("", POLICY % "{requests: 4, tokens: 400, per: day}"))
    with w.resident() as d:
        done = {}
        script = (curl(more="-N -o /tmp/held", stream=True, metadata={"hold": True}) + " & until [ -s /tmp/held ]; do sleep 0.1; done; "
                  + curl() + "; " + curl()
                  + "; touch two; while [ ! -e new ]; do sleep 0.1; done; " + LIST + URL + "/v1/models; wait; " + curl() + "; " + curl())
        th = threading.Thread(target=lambda: done.update(r=go(w, "{requests: 2, tokens: 1000, per: day}", script, ["--name", "box"])))
        th.start()
        two = until(lambda: os.path.exists(os.path.join(w.work, "two")) and w.models.waiting.is_set() or not th.is_alive(), 100)
        rc, _, err = run([OSHCTL, "policy", "set", "box", "-p", new, "--wait", "--socket", d.bus], LIMIT)[:3]
        use = run([OSHCTL, "sandbox", "get", "box", "--socket", d.bus], LIMIT)[1]
        open(os.path.join(w.work, "new"), "w").close()
        th.join(LIMIT)
        r = done.get("r")
        t.ok(two and rc == 0 and r and codes(r.out)[:2] == ["200", "429"], "a stream is counted: a third call is one too many", rc, err, r)
        t.ok("2 of 4 requests a day of this sandbox" in use, "another policy is in force, and finds what was used", use)
        t.ok(r and codes(r.out)[2:] == ["200"] * 3, "the stream ends well, and a limit that was raised has room", r)
    w.came()


def main():
    with ModelsWorld() as w:
        for fn in (requests, sizes, tokens, at_once, restarts, deaths, created, away, policies):
            for name in os.listdir(w.work):
                if name.startswith(("did", "go", "up", "two", "new")):
                    os.unlink(os.path.join(w.work, name))
            fn(w)
    t.done()


main()
