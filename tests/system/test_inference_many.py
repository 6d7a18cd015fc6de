#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two hundred streams of one sandbox at once: no backend says its second event before all two hundred have said their first, each
caller reads what its own backend said, and each is on record once. By connections of their own, and on few that all share."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from models_world import ModelsWorld  # noqa: E402

LIMIT = 300
N = 200
t = Tap()
POLICY = """inference:
  models: ["claude-*", "gpt-*"]
  routes:
    - {name: claude, api: anthropic, provider: claude, model: "claude-*"}
    - {name: gpt, api: openai, provider: gpt, model: "gpt-*"}
"""
# Each thread reads its first event; when all have, the last one lets the backends go on. None may have ended by then.
CLIENT = r"""
import json, socket, ssl, sys, threading
N, path, model = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context()
all_here = threading.Barrier(N, timeout=200)
lock, bad = threading.Lock(), []

def ask(method, path, raw=b""):
    s = context.wrap_socket(socket.create_connection(("inference.local", 443), timeout=200), server_hostname="inference.local")
    s.sendall(b"%s %s HTTP/1.1\r\nHost: inference.local\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
              % (method, path.encode(), len(raw), raw))
    return s

def one(i):
    tag = f"<stream {i}>"
    got = b""
    try:
        s = ask(b"POST", path, json.dumps({"model": model, "stream": True, "metadata": {"hold": True, "tag": tag * 500}}).encode())
        while b"data: " not in got:
            got += s.recv(65536) or sys.exit("no first event")
        if not all_here.wait():
            ask(b"GET", "/v1/models").recv(65536)
        while d := s.recv(65536):
            got += d
        text = got.decode()
        if text.count("<stream ") != 500 or text.count(tag) != 500 or not text.rstrip().endswith("0"):
            raise ValueError(text[:300])
    except BaseException as e:
        with lock:
            bad.append(f"{i}: {e!r} {got[:200]}")

threads = [threading.Thread(target=one, args=(i,)) for i in range(N)]
for th in threads:
    th.start()
for th in threads:
    th.join()
print(f"good {N - len(bad)}", *bad[:3])
"""


def calls(r):
    """Of models, on record; lists of models left out."""
    return [e["unmapped"] | e["api"]["response"] for e in r.events if e.kind == "inference" and e["unmapped"].get("model")]


def on_record(r, tokens):
    c = calls(r)
    return len(c) == N and all((x["tokens_in"], x["tokens_out"], x["tokens_counted"], x["code"]) == (*tokens, True, 200) for x in c)


def own_connections(w):
    w.write("work/many.py", CLIENT)
    for path, model, tokens in (("/v1/messages", "claude-a", (11, 22)), ("/v1/chat/completions", "gpt-4", (41, 42))):
        r = w.run(w.policy("", POLICY), ["python3", "many.py", str(N), path, model], timeout=LIMIT, options=w.providers)
        held, got = w.models.held, w.came()
        t.ok(r.out == f"good {N}\n", f"{N} streams of {path}: each reads its own to the end", r)
        t.ok(held == N and len([x for x in got if x[0] == "POST"]) == N, "all of them were open at once", held, len(got))
        t.ok(on_record(r, tokens), "each is on record, with its own tokens", len(calls(r)), calls(r)[:2])


def shared_connections(w):
    lines = []
    for i in range(N):
        body = {"model": "claude-a", "stream": True, "metadata": {"hold": N, "tag": f"<stream {i}>" * 500}}
        w.write(f"work/body{i}", json.dumps(body))
        lines.append(f'url = "https://inference.local/v1/messages"\ndata = "@body{i}"\nheader = "content-type: application/json"\noutput = "out{i}"\n')
    w.write("work/all", "next\n".join(lines))
    script = f"curl -sS --http2 -m 200 -Z --parallel-max {N} -K all; echo rc $?"
    r = w.run(w.policy("", POLICY), ["/bin/sh", "-c", script], timeout=LIMIT, options=w.providers)
    held, got = w.models.held, w.came()
    bad = []
    for i in range(N):
        path = os.path.join(w.work, f"out{i}")
        with open(path) if os.path.exists(path) else open(os.devnull) as f:
            text = f.read()
        if text.count("<stream ") != 500 or text.count(f"<stream {i}>") != 500 or "message_stop" not in text:
            bad.append((i, text[:200]))
    t.ok(r.out == "rc 0\n" and not bad, f"{N} streams by HTTP/2: each reads its own to the end", len(bad), bad[:2], r)
    t.ok(held == N and len(got) == N, "all of them were open at once", held, len(got))
    t.ok(on_record(r, (11, 22)), "each is on record", len(calls(r)))


def main():
    with ModelsWorld() as w:
        for fn in (own_connections, shared_connections):
            fn(w)
    t.done()


main()
