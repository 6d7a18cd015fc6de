#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules about content that come while calls of models are under way: nothing that was asked under another policy goes to a backend
that the new one has not been asked about, whatever becomes of the one that has it. And what a rule finds in a path, or in the
name of a model, is on record nowhere."""
import json
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from models_world import ModelsWorld  # noqa: E402
from osh import OSHCTL, until  # noqa: E402

t = Tap()
URL = "https://inference.local"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"


class Holder:
    """A backend that takes connections and what they say, and answers nothing; `drop` closes them."""

    def __init__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port, self.got, self.open = self.s.getsockname()[1], b"", []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c = self.s.accept()[0]
            except OSError:
                return
            self.open.append(c)
            threading.Thread(target=self.read, args=(c,), daemon=True).start()

    def read(self, c):
        try:
            while d := c.recv(65536):
                self.got += d
        except OSError:
            pass

    def drop(self):
        for c in self.open:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()
        self.open, self.got = [], b""


def ctl(d, *args):
    return run([OSHCTL, *args, "--socket", d.bus], 100)[:3]


def ask(text, path="/v1/chat/completions", model="m"):
    q = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})
    return f"curl -sS -m 90 -d '{q}' -H 'content-type: application/json' {URL}{path}; echo"


CLOUD = "    - {name: gpt, api: openai, provider: gpt}\n"
HELD = "    - {name: held, api: ollama, host: hold.example, tls: false, local: true}\n"
STUCK = "    - {name: stuck, api: openai, host: hold.example, local: true}\n"
REFUSE = "  privacy: [{name: p, patterns: [\"blue falcon\"], action: refuse}]\n"
LOCAL = REFUSE.replace("refuse", "local")
REDACT = REFUSE.replace("refuse", "redact")
PAIR = """  privacy:
    - {name: a, patterns: [falcon], action: redact}
    - {name: b, patterns: ["blue falcon"], action: local}
"""


def inference(routes, more="", fallback=True):
    return "inference:\n" + ("  fallback: true\n" if fallback else "") + more + "  routes:\n" + routes


def under_way(w, d, h, before, after, text="blue falcon"):
    """A call that the backend has and does not answer; then the other policy (None: no other); then the backend goes away."""
    done = {}
    next_one = w.write("next.yaml", w.policy("", after)) if after else None
    h.drop()
    w.came()
    th = threading.Thread(target=lambda: done.update(r=w.run(w.policy("", before), ["/bin/sh", "-c", ask(text)], options=[*w.providers, "--name", "box"])))
    th.start()
    there = until(lambda: h.got or not th.is_alive(), 10) and bool(h.got)
    said = h.got
    rc = ctl(d, "policy", "set", "box", "-p", next_one, "--wait") if after else (0,)
    h.drop()
    th.join(150)
    r = done.get("r")
    t.ok(there and rc[0] == 0 and r, f"control: it is under way, and the policy changes ({'-' if not after else 'set'})", rc, r)
    return r, w.came(w.models), said


def goes_away(w, d, h):
    r, got, _ = under_way(w, d, h, inference(CLOUD.replace("gpt,", "other,", 1) + HELD, "  privacy: [{name: p, patterns: [nothing], action: local}]\n"), None, "nothing")
    t.ok(not got and "upstream_failed" in r.out, "where a rule leaves a call local routes alone, no other has it when that fails", r, got)
    r, got, _ = under_way(w, d, h, inference(HELD + CLOUD), None)
    t.ok(len(got) == 1 and "a word" in r.out, "control: by one policy the next route has the call of a backend that goes away", r, got)
    for what, more in (("refuses it", REFUSE), ("would replace something", REDACT)):
        r, got, _ = under_way(w, d, h, inference(HELD), inference(CLOUD + HELD, more))
        t.ok(not got and '"REVOKED"' in r.out and r.has("http", "REVOKED"), f"a policy that {what} ends a call that waits for its answer", r, got)
    r, got, _ = under_way(w, d, h, inference(HELD), inference(CLOUD + HELD, LOCAL))
    t.ok(not got and "upstream_failed" in r.out, "one that leaves it local routes alone lets it wait; its end is no other backend's beginning", r, got)
    r, got, _ = under_way(w, d, h, inference(HELD.replace(", local: true", "")), inference(CLOUD + HELD.replace(", local: true", "") + STUCK, LOCAL))
    t.ok(not got and '"REVOKED"' in r.out, "where its backend is not local it ends", r, got)
    for more in ("", REFUSE):
        r, got, _ = under_way(w, d, h, inference(HELD), inference(CLOUD + HELD, more), "nothing of that kind")
        t.ok(not got and "upstream_failed" in r.out, "what was asked under another policy goes to no second backend", r, got)


def twice(w, d, h):
    """Replaced, and not sent yet: judged again it would be another text."""
    two = inference(CLOUD + STUCK, PAIR)
    r, got, said = under_way(w, d, h, two, two)
    t.ok(said[:1] == b"\x16", "control: it waits for the handshake of the local backend", said[:20])
    t.ok(not got and '"REVOKED"' in r.out and "send it again" in r.out, "a call with something replaced that is not sent yet is not judged by what is left", r, got)
    two = inference(CLOUD + STUCK, PAIR.replace("[falcon]", "[zebra]"))
    r, got, said = under_way(w, d, h, two, two)
    t.ok(said[:1] == b"\x16" and not got and "REVOKED" not in r.out and not r.has("http", "REVOKED"), "control: one with nothing replaced is judged anew", r, got)


STREAM = r"""
import socket, ssl, sys
s = ssl.create_default_context().wrap_socket(socket.create_connection(("inference.local", 443), timeout=100), server_hostname="inference.local")
def chunk(b):
    s.sendall(b"%x\r\n%s\r\n" % (len(b), b))
s.sendall(b"POST /model/x/invoke HTTP/1.1\r\nHost: inference.local\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
chunk(b'{"prompt": "the first')
print("sent", flush=True)
sys.stdin.readline()
try:
    chunk(b' and the blue falcon"}')
    s.sendall(b"0\r\n\r\n")
    print(s.recv(65536).decode(), flush=True)
except OSError as e:
    print(e, flush=True)
"""


def streamed(w, d, h):
    """A body that nobody had to read goes by as it comes; a rule about content ends that."""
    before = inference("    - {name: b, api: bedrock, host: hold.example, tls: false}\n", "", False)
    w.write("work/stream.py", STREAM)
    h.drop()
    log = os.path.join(w.dir, "streamed.log")
    p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.write("s.yaml", w.policy("", before)), "--workdir", w.work, "--name", "box",
                          "--log", log, "--", "python3", "stream.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    sent = p.stdout.readline()
    there = until(lambda: b"the first" in h.got, 10)
    rc = ctl(d, "policy", "set", "box", "-p", w.write("next.yaml", w.policy("", before.replace("  routes:", REFUSE + "  routes:"))), "--wait")
    out = p.communicate("\n", 100)[0]
    t.ok(sent == "sent\n" and there and rc[0] == 0, "control: a body streams to its backend", rc, h.got)
    t.ok(b"falcon" not in h.got, "where rules about content come, the rest of it does not follow", h.got, out)
    t.ok(any(e.kind == "http" and e.why == "REVOKED" for e in w.read_log(log)), "and that is on record", out)
    h.drop()


def on_record(w, d, h):
    here = "    - {name: here, api: ollama, host: ollama.example, tls: false, local: true}\n"
    local = "  privacy: [{name: keys, kinds: [secrets], action: local}]\n"
    script = f"curl -sS {URL}/v1/models/{AWS}; echo; " + ask("x", model=AWS)
    r = w.run(w.policy("", inference(CLOUD + here, local)), ["/bin/sh", "-c", script], options=w.providers)
    got, calls = w.came(w.local), [e["unmapped"] for e in r.events if e.kind == "inference"]
    t.ok(len(got) == 2 and AWS in got[0][1] and AWS.encode() in got[1][3], "a call with a secret for a name goes to a local route", r, got)
    t.ok(AWS not in json.dumps(r.events), "and neither its path nor the model is on record", r.events)
    t.ok([c.get("model") for c in calls] == ["[redacted]"] * 2 and [c.get("model_asked") for c in calls][1] == "[redacted]", "but that there was one", calls)
    r = w.run(w.policy("", inference(CLOUD + here, local + "  models: [m]\n")), ["/bin/sh", "-c", script], options=w.providers)
    t.ok(r.out.count('"model_not_allowed"') == 2 and AWS not in r.out + json.dumps(r.events) and not w.came(), "nor in the refusal of a model", r)
    script = f"curl -sS {URL}/v1/models/{AWS}; echo; curl -sS -d '{{}}' {URL}/model/{AWS}/invoke; curl -sS -d '[' {URL}/model/{AWS}/invoke"
    bedrock = "    - {name: b, api: bedrock, host: models.example}\n"
    r = w.run(w.policy("", inference(CLOUD + bedrock, local.replace("local", "refuse"))), ["/bin/sh", "-c", script], options=w.providers)
    t.ok(r.out.count('"content_refused"') == 2 and r.out.count('"content_unclear"') == 1 and r.out.count('"path":"[redacted]"') == 3 and not w.came(),
         "what is refused for its path says so without it", r)
    t.ok(AWS not in r.out + json.dumps(r.events) and r.has("http", "PRIVATE"), "in the answer, and on record", r)


def main():
    with ModelsWorld() as w:
        h = Holder()
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{h.port} hold.example\n")
        with w.resident() as d:
            for fn in (goes_away, twice, streamed, on_record):
                fn(w, d, h)
        h.s.close()
        h.drop()
    t.done()


main()
