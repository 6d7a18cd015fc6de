#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Routes that serve the same model share its calls, by turns or by what they have under way, each by its weight; a backend that
failed gets none for a while, a route that was chosen gets all, and each call is on record with the route that took it."""
import collections
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from models_world import ModelsWorld  # noqa: E402
from osh import until  # noqa: E402

LIMIT = 300
t = Tap()
POLICY = """inference:
  models: ["claude-*"]
  fallback: true
  balance: %s
  routes:
    - {name: one, api: anthropic, provider: claude}
    - {name: three, api: anthropic, provider: gpt, host: models.example, weight: 3}
    - {name: none, api: anthropic, provider: gpt, host: models.example, path: /none, model: "other-*"}
"""
SICK = """inference:
  fallback: true
  balance: round_robin
  routes:
    - {name: sick, api: anthropic, provider: claude, as: sick-model, weight: 5}
    - {name: dead, api: anthropic, host: dead.example}
    - {name: well, api: anthropic, provider: gpt, host: models.example}
"""
# Argument: how many streams are begun and held, one after the other; then all are let go on, and as many come one after another.
CLIENT = r"""
import json, socket, ssl, sys
context = ssl.create_default_context()
def ask(q, method=b"POST", path=b"/v1/messages"):
    s = context.wrap_socket(socket.create_connection(("inference.local", 443), timeout=100), server_hostname="inference.local")
    raw = json.dumps(q).encode() if q else b""
    s.sendall(b"%s %s HTTP/1.1\r\nHost: inference.local\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
              % (method, path, len(raw), raw))
    return s
def read(s, word):
    got = b""
    while word not in got and (d := s.recv(65536)):
        got += d
    return word in got
held, good = [], 0
for i in range(int(sys.argv[1])):
    held.append(ask({"model": "claude-a", "stream": True, "max_tokens": 5, "metadata": {"hold": True}}))
    good += read(held[-1], b"message_start")
print("held", good, flush=True)
sys.stdin.readline()
print("good", sum(read(s, b"message_stop") for s in held) + sum(read(ask({"model": "claude-a", "max_tokens": 5}), b"a word") for _ in range(int(sys.argv[2]))))
"""


def routes(r):
    return [e["unmapped"]["route"] for e in r.events if e.kind == "inference"]


def one_after_the_other(w):
    w.write("work/client.py", CLIENT)
    for how in ("round_robin", "least_busy"):
        r = w.run(w.policy("", POLICY % how), ["/bin/sh", "-c", "echo | python3 client.py 0 40"], options=w.providers)
        n, came = collections.Counter(routes(r)), collections.Counter(f["host"] for *_, f, _ in w.came())
        t.ok("good 40" in r.out and n == {"one": 10, "three": 30}, f"{how}: forty calls by weight", n, r)
        t.ok(came == {"api.anthropic.com": 10, "models.example": 30}, "and so they came", came)
        seen = routes(r)
        t.ok(all(collections.Counter(seen[i:i + 4]) == {"one": 1, "three": 3} for i in range(0, 40, 4)), "in turns, not in rows", seen)
    r = w.run(w.policy("", (POLICY % "round_robin").replace("  balance: round_robin\n", "").replace(", weight: 3", "")),
              ["/bin/sh", "-c", "echo | python3 client.py 0 4"], options=w.providers)
    t.ok(routes(r) == ["one"] * 4, "without `balance` the first takes them all", r)
    w.came()
    r = w.run(w.policy("", POLICY % "round_robin"), ["/bin/sh", "-c", "for i in 1 2 3 4; do curl -sS -m 60 https://inference.local/v1/models; done"],
              options=w.providers)
    t.ok(set(routes(r)) == {"one"} and len(routes(r)) == 4, "lists of models are asked of the first all the same", r)
    w.came()


def under_way(w):
    """Held streams count, those that are over do not."""
    even = (POLICY % "least_busy").replace("weight: 3", "weight: 1")
    for text, want in ((POLICY % "least_busy", {"one": 3, "three": 9}), (even, {"one": 6, "three": 6})):
        script = "{ until [ -e go ]; do sleep 0.1; done; echo; } | python3 client.py 12 4 & until [ -e all ]; do sleep 0.1; done; touch go; wait"
        for name in ("go", "all"):
            if os.path.exists(os.path.join(w.work, name)):
                os.unlink(os.path.join(w.work, name))
        done = {}
        th = threading.Thread(target=lambda: done.update(r=w.run(w.policy("", text), ["/bin/sh", "-c", script], options=w.providers)))
        th.start()
        until(lambda: w.models.held == 12 or not th.is_alive(), 60)
        at = collections.Counter(f["host"] for *_, f, _ in w.models.seen)
        w.models.go.set()
        w.write("work/all", "")
        th.join()
        r = done["r"]
        names = {"one": "api.anthropic.com", "three": "models.example"}
        t.ok(at == {names[k]: v for k, v in want.items()}, f"twelve streams held at once go {want}", at, r)
        t.ok("held 12" in r.out and "good 16" in r.out, "and end well", r)
        w.came()


def failing(w):
    r = w.run(w.policy("", SICK), ["/bin/sh", "-c", "echo | python3 client.py 0 6"], options=w.providers)
    seen = routes(r)
    t.ok("good 6" in r.out and seen.count("well") == 6, "where backends fail their share goes to who is well", seen, r)
    t.ok(seen.count("sick") == 1 and seen.count("dead") == 1, "and each of them is asked once, not for every call", seen)
    w.came()


def chosen(w):
    w.write("work/client.py", CLIENT)
    script = "{ touch up; until [ -e go ]; do sleep 0.1; done; echo; } | python3 client.py 0 8"
    for name in ("go", "up"):
        if os.path.exists(os.path.join(w.work, name)):
            os.unlink(os.path.join(w.work, name))
    done = {}
    with w.resident() as d:
        th = threading.Thread(target=lambda: done.update(r=w.run(w.policy("", POLICY % "round_robin"), ["/bin/sh", "-c", script],
                                                                 options=[*w.providers, "--name", "box"])))
        th.start()
        until(lambda: os.path.exists(os.path.join(w.work, "up")) or not th.is_alive(), 60)
        rc, _, err = run([os.path.join(BUILD, "oshctl"), "inference", "set", "box", "--route", "one", "--socket", d.bus], 60)[:3]
        w.write("work/go", "")
        th.join()
    t.ok(rc == 0 and routes(done["r"]) == ["one"] * 8, "a route that was chosen takes all", err, done["r"])
    w.came()


def told(w):
    for text, words in (((POLICY % "round_robin").replace("fallback: true", "fallback: false"), "add `fallback: true`"),
                        ((POLICY % "round_robin").replace("  balance: round_robin\n", ""), "a weight says nothing without 'balance'"),
                        (POLICY % "fast", "round_robin"), ((POLICY % "least_busy").replace("weight: 3", "weight: 0"), "weight")):
        p = w.write("bad.yaml", w.policy("", text))
        rc, out, err = run([os.path.join(BUILD, "oshctl"), "policy", "check", p], 60)[:3]
        t.ok(rc == 1 and words in out + err, f"refused: {words}", rc, out, err)
    p = w.write("good.yaml", w.policy("", POLICY % "least_busy"))
    rc, out, err = run([os.path.join(BUILD, "oshctl"), "policy", "check", p, "--json"], 60)[:3]
    t.ok(rc == 0, "and nothing is said of a good one", rc, out, err)


def main():
    with ModelsWorld() as w:
        for fn in (one_after_the_other, under_way, failing, chosen, told):
            fn(w)
    t.done()


main()
