#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl inference`: which route of its policy a sandbox' calls go to first is changed while streams are under way. They go on, the
next call goes the new way, and nothing goes anywhere or asks for anything that the policy does not let it. It outlives the egress,
oshd and a stop; it is its owner's to change; it is on record."""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from models_world import ModelsWorld  # noqa: E402
from osh import OSHCTL, kill, pids_of, until  # noqa: E402

LIMIT = 200
t = Tap()
POLICY = """inference:
  models: ["claude-*", "local-*"]
  fallback: true
  routes:
    - {name: first, api: anthropic, provider: claude, model: "claude-*"}
    - {name: other, api: anthropic, provider: gpt, host: models.example}
    - {name: fixed, api: anthropic, provider: gpt, host: models.example, path: /fixed, as: claude-fixed}
"""
PATHS = """inference:
  aliases: {up: "..", over: "a/../b"}
  routes:
    - {name: b, api: bedrock, provider: cloud, host: bedrock-runtime.eu-west-1.amazonaws.com}
    - {name: o, api: openai, provider: gpt}
"""
# Asks once for each line that it reads; `hold` begins a stream that waits, `end` waits for its end.
CLIENT = r"""
import json, ssl, socket, sys, threading
context = ssl.create_default_context()
def ask(q):
    s = context.wrap_socket(socket.create_connection(("inference.local", 443), timeout=100), server_hostname="inference.local")
    raw = json.dumps(q).encode()
    s.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: inference.local\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(raw), raw))
    return s
def read(s, until):
    got = b""
    while until not in got:
        d = s.recv(65536)
        if not d:
            break
        got += d
    return got
held = []
print("ready", flush=True)
for line in sys.stdin:
    word, model = line.split()
    if word == "hold":
        held.append(ask({"model": model, "stream": True, "max_tokens": 5, "metadata": {"hold": True}}))
        print("first" if b"message_start" in read(held[-1], b"message_start") else "none", flush=True)
    elif word == "end":
        print("end" if b"message_stop" in read(held.pop(0), b"message_stop") else "cut", flush=True)
    else:
        print("done" if b"message_stop" in read(ask({"model": model, "stream": True, "max_tokens": 5}), b"message_stop") else "failed", flush=True)
"""


class Box:
    """A created sandbox, or a run, that asks when it is told."""

    def __init__(self, w, d):
        self.w, self.d = w, d

    def ctl(self, *args, user=()):
        return run([*user, OSHCTL, *args, "--socket", self.d.bus], 60)[:3]

    def client(self, *command):
        self.p = subprocess.Popen([OSHCTL, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self.p.stdout.readline() == "ready\n"

    def tell(self, word, model="claude-a"):
        self.p.stdin.write(f"{word} {model}\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def went(self):
        """Who got what since the last time."""
        return [(f["host"], p, json.loads(b)["model"]) for _, p, f, b in self.w.came()]

    def end(self):
        self.p.stdin.close()
        return self.p.wait(60)


FIRST, OTHER, FIXED = ("api.anthropic.com", "/v1/messages"), ("models.example", "/v1/messages"), ("models.example", "/fixed/v1/messages")


def changed(w, d):
    b = Box(w, d)
    p, log = w.write("p.yaml", w.policy("", POLICY)), os.path.join(w.dir, "change.log")
    w.write("work/client.py", CLIENT)
    up = b.client("run", "--socket", d.bus, "-p", p, "--workdir", w.work, "--name", "box", "--log", log, *w.providers, "--", "python3", "client.py")
    t.ok(up and b.tell("ask") == "done" and b.went() == [(*FIRST, "claude-a")], "without a choice the policy's order holds")
    held = b.tell("hold")
    r = b.ctl("inference", "set", "box", "--route", "other")
    t.ok(held == "first" and r[0] == 0 and b.tell("ask") == "done", "a route is chosen in the middle of a stream", held, r)
    w.models.go.set()
    t.ok(b.tell("end") == "end", "which goes on to its end")
    t.ok(b.went() == [(*FIRST, "claude-a"), (*OTHER, "claude-a")], "and the next call of the same program goes the new way")
    r = b.ctl("inference", "get", "box", "--json")
    got = json.loads(r[1]) if r[0] == 0 else {}
    t.ok(got.get("route") == "other" and got.get("model") == "" and got.get("in-policy") is True and got.get("routes") == ["first", "other", "fixed"]
         and got.get("by") == os.getuid(), "get says so", r)
    t.ok(abs(got.get("set", 0) - time.time() * 1e6) < 600e6, "and when", r)
    r = b.ctl("inference", "list", "--json")
    t.ok(r[0] == 0 and [x["name"] for x in json.loads(r[1])] == ["box"], "list, too", r)
    r = b.ctl("inference", "list")
    t.ok(r[0] == 0 and "other" in r[1] and "first, other, fixed" in r[1], "and for people", r)
    r = b.ctl("inference", "set", "box", "--route", "first", "--model", "claude-b")
    t.ok(r[0] == 0 and b.tell("ask") == "done" and b.went() == [(*FIRST, "claude-b")], "another model, too", r)
    r = b.ctl("inference", "set", "box", "--route", "fixed")
    t.ok(r[0] == 0 and b.tell("ask") == "done" and b.went() == [(*FIXED, "claude-fixed")], "a route's own name for models stays", r)
    refused(b)
    r = b.ctl("inference", "delete", "box")
    t.ok(r[0] == 0 and b.tell("ask") == "done" and b.went() == [(*FIRST, "claude-a")], "delete takes it back", r)
    r = b.ctl("inference", "delete", "box")
    t.ok(r[0] == 1 and "no route was chosen" in r[2], "once", r)
    t.ok(b.end() == 0, "the program saw nothing of it but its answers")
    said = [e["osh"].get("detail") for e in w.read_log(log) if e.kind == "life" and e.why == "CHOSEN"]
    t.ok(said == [f"route other, by uid {os.getuid()}", f"route first, model claude-b, by uid {os.getuid()}", f"route fixed, by uid {os.getuid()}",
                  f"route first, model gpt-4, by uid {os.getuid()}", f"route other, model local-x, by uid {os.getuid()}",
                  f"no route any more, by uid {os.getuid()}"], "each change is on record, and who did it", said)
    routes = [e["unmapped"]["route"] for e in w.read_log(log) if e.kind == "inference"]
    t.ok(routes[:3] == ["first", "other", "first"] and "fixed" in routes, "and each call with the route that took it", routes)


def refused(b):
    for args, status, words in ((("--route", "nobody"), 1, "no route 'nobody'"), (("--route", "fixed", "--model", "claude-b"), 1, "whatever the caller asks for"),
                                (("--route", "first", "--model", "a b"), 1, "no name of a model"), (("--model", "claude-b"), 2, "usage")):
        r = b.ctl("inference", "set", "box", *args)
        t.ok(r[0] == status and words in r[2].lower(), f"refused: {' '.join(args)}", r)
    r = b.ctl("inference", "set", "nobody", "--route", "first")
    t.ok(r[0] == 1 and "no sandbox of yours" in r[2], "and a sandbox that is none", r)
    t.ok(b.tell("ask") == "done" and b.went() == [(*FIXED, "claude-fixed")], "what was refused changed nothing")
    r = b.ctl("inference", "set", "box", "--route", "first", "--model", "gpt-4")
    t.ok(r[0] == 0 and b.tell("ask") == "done" and b.went() == [(*FIRST, "claude-a")], "a model that the policy does not let be asked for is not", r)
    t.ok(b.tell("ask", "gpt-4") == "failed" and not b.went(), "and a call that is not allowed is not made one that is")
    r = b.ctl("inference", "set", "box", "--route", "other", "--model", "local-x")
    t.ok(r[0] == 0 and b.tell("ask", "local-x") == "done" and b.went() == [(*OTHER, "local-x")], "a model of that route alone", r)


def strangers(w, d):
    b = Box(w, d)
    if os.getuid():
        t.skip("a stranger", "needs root")
        return
    b.client("run", "--socket", d.bus, "-p", w.write("p.yaml", w.policy("", POLICY)), "--workdir", w.work, "--name", "hers", *w.providers, "--",
             "python3", "client.py")
    as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    for args in (("set", "hers", "--route", "other"), ("get", "hers"), ("delete", "hers")):
        r = b.ctl("inference", *args, user=as_nobody)
        t.ok(r[0] == 1 and "no sandbox of yours is called 'hers'" in r[2], f"to a stranger it does not exist: {args[0]}", r)
    r = b.ctl("inference", "set", "--all", "--route", "other", user=as_nobody)
    t.ok(r[0] == 1 and "no sandbox of yours that runs has a route 'other'" in r[2], "not by --all either", r)
    r = b.ctl("inference", "list", "--json", user=as_nobody)
    t.ok(r[0] == 0 and json.loads(r[1]) == [], "and is not listed", r)
    t.ok(b.tell("ask") == "done" and b.went() == [(*FIRST, "claude-a")], "nothing changed")
    r = b.ctl("inference", "set", "--all", "--route", "other")
    t.ok(r[0] == 0 and b.tell("ask") == "done" and b.went() == [(*OTHER, "claude-a")], "her own --all does", r)
    r = b.ctl("inference", "set", "hers", "--all", "--route", "other")
    t.ok(r[0] == 2, "a name beside --all is none", r)
    b.end()


def labelled(w, d):
    b, p = Box(w, d), w.write("p.yaml", w.policy("", POLICY))
    for name, *labels in (("red", "-l", "team=red", "-l", "stage=test"), ("blue", "-l", "team=blue", "-l", "stage=test"), ("none",)):
        b.ctl("sandbox", "create", "--name", name, "-p", p, "--workdir", w.work, *labels, *w.providers)

    def chosen():
        return {x["name"]: x["route"] for x in json.loads(b.ctl("inference", "list", "--json")[1])}
    r = b.ctl("inference", "set", "-l", "team=red", "--route", "other")
    t.ok(r[0] == 0 and chosen() == {"red": "other", "blue": "", "none": ""}, "those with a label go another way, and no others", r, chosen())
    r = b.ctl("inference", "set", "-l", "stage=test", "-l", "team=blue", "--route", "fixed")
    t.ok(r[0] == 0 and chosen() == {"red": "other", "blue": "fixed", "none": ""}, "of two labels a sandbox has to have both", r, chosen())
    r = b.ctl("inference", "set", "-l", "team=green", "--route", "other")
    t.ok(r[0] == 1 and "runs and has such labels has a route 'other'" in r[2] and chosen() == {"red": "other", "blue": "fixed", "none": ""},
         "where none has it, that is said", r)
    for args in (("red", "-l", "team=red"), ("-l", "team"), ("--default", "-l", "team=red")):
        r = b.ctl("inference", "set", *args, "--route", "other")
        t.ok(r[0] == 2, f"used wrongly: {' '.join(args)}", r)
    for name in ("red", "blue", "none"):
        b.ctl("sandbox", "delete", "-f", name)


def lasting(w, d):
    """kill -9 of the egress and of oshd, and a stop and a start."""
    b = Box(w, d)
    r = b.ctl("sandbox", "create", "--name", "kept", "-p", w.write("p.yaml", w.policy("", POLICY)), "--workdir", w.work, *w.providers)
    c = b.ctl("inference", "set", "kept", "--route", "other")
    t.ok(r[0] == 0 and c[0] == 0, "chosen before anything was called", r, c)

    def fresh(what):
        ok = b.client("sandbox", "exec", "--socket", d.bus, "-i", "kept", "--", "python3", "client.py")
        said = b.tell("ask")
        got = b.went()
        t.ok(ok and said == "done" and got == [(*OTHER, "claude-a")], what, said, got)
        b.end()
    fresh("it is true of the first call")
    was = pids_of("osh-egress")
    kill(was)
    until(lambda: not set(was) & set(pids_of("osh-egress")), 20)
    fresh("it outlives the egress")
    d.p.kill()
    d.p.wait()
    d.start()
    r = b.ctl("inference", "get", "kept", "--json")
    t.ok(r[0] == 0 and json.loads(r[1])["route"] == "other", "it outlives oshd", r)
    fresh("and holds there")
    kill(pids_of("osh-egress"))
    d.p.kill()
    d.p.wait()
    d.start()
    fresh("and both of them")
    r = [b.ctl("sandbox", v, "kept")[0] for v in ("stop", "start")]
    fresh(f"and a stop and a start {r}")
    p = w.write("without.yaml", w.policy("", POLICY.replace("    - {name: other", "    - {name: another").replace("fallback: true", "fallback: false")))
    r = b.ctl("policy", "set", "kept", "-p", p, "--wait")
    ok = b.client("sandbox", "exec", "--socket", d.bus, "-i", "kept", "--", "python3", "client.py")
    said, got = b.tell("ask"), b.went()
    t.ok(r[0] == 0 and ok and said == "done" and got == [(*FIRST, "claude-a")], "where the policy has no such route it is as if none were chosen", r, said, got)
    r = b.ctl("inference", "get", "kept", "--json")
    t.ok(r[0] == 0 and json.loads(r[1])["in-policy"] is False, "and get says that", r)
    r = b.ctl("inference", "set", "kept", "--route", "another")
    t.ok(r[0] == 1 and "fallback: true" in r[2], "a policy whose first route alone takes a call has nothing to choose", r)
    b.end()
    r = b.ctl("sandbox", "delete", "-f", "kept")
    t.ok(r[0] == 0, "it is deleted with its choice", r)


def deaf(w, d):
    """An egress that does not take it is ended: whoever is answered has it."""
    b = Box(w, d)
    up = b.client("run", "--socket", d.bus, "-p", w.write("p.yaml", w.policy("", POLICY)), "--workdir", w.work, "--name", "deaf", *w.providers, "--",
                  "python3", "client.py")
    said = b.tell("ask")
    was = pids_of("osh-egress")
    for pid in was:
        os.kill(pid, signal.SIGSTOP)
    r = b.ctl("inference", "set", "deaf", "--route", "other")
    gone = until(lambda: not set(was) & set(pids_of("osh-egress")), 20)
    t.ok(up and said == "done" and r[0] == 0 and gone, "an egress that does not answer is ended", r, was)
    b.went()
    t.ok(b.tell("ask") == "done" and b.went() == [(*OTHER, "claude-a")], "and the next one begins with the choice")
    b.end()


CONTROL = 15                        # 3 + OSH_EFD_CONTROL


def shut_control(pid):
    """Ends its connection to oshd, as closing it would."""
    process = os.pidfd_open(pid)
    copy = ctypes.CDLL(None, use_errno=True).syscall(438, process, CONTROL, 0)     # pidfd_getfd(2)
    os.close(process)
    if copy < 0:
        return False
    with socket.socket(fileno=copy) as c:
        c.shutdown(socket.SHUT_RDWR)
    return True


def mute(w, d):
    """An egress that has closed its socket hears of no choice, so it is not left to take calls the old way."""
    if os.getuid():
        t.skip("a closed socket", "needs root")
        return
    b = Box(w, d)
    up = b.client("run", "--socket", d.bus, "-p", w.write("p.yaml", w.policy("", POLICY)), "--workdir", w.work, "--name", "mute", *w.providers, "--",
                  "python3", "client.py")
    said = b.tell("ask")
    was = pids_of("osh-egress")
    shut = [shut_control(pid) for pid in was]
    got = b.ctl("inference", "get", "mute")          # oshd has read the end by then
    still = set(was) <= set(pids_of("osh-egress"))
    r = b.ctl("inference", "set", "mute", "--route", "other")
    gone = not set(was) & set(pids_of("osh-egress"))
    t.ok(up and said == "done" and shut == [True] and got[0] == 0 and still, "control: an egress without its socket goes on", shut, got)
    t.ok(r[0] == 0 and gone, "one that cannot hear is ended before the command is", r, was)
    b.went()
    t.ok(b.tell("ask") == "done" and b.went() == [(*OTHER, "claude-a")], "and the next one begins with the choice")
    b.end()


def paths(w, d):
    """A name that is sent in a path is one, whoever says it: the caller, an alias, or a choice."""
    b = Box(w, d)
    r = b.ctl("sandbox", "create", "--name", "paths", "-p", w.write("paths.yaml", w.policy("", PATHS)), "--workdir", w.work, *w.providers)
    t.ok(r[0] == 0, "a sandbox whose backend has models in paths", r)

    def ask(model):
        r = run([OSHCTL, "sandbox", "exec", "--socket", d.bus, "paths", "--", "curl", "-sS", "--path-as-is", "-m", "60", "-d", "{}", "-H", "content-type: application/json",
                  f"https://inference.local/model/{model}/invoke"], 100)[:3]
        return r, [p for _, p, *_ in w.came()]
    for model, want in (("..", ["/model/m/invoke"]), ("a/../b", ["/model/m/invoke"]), ("a//b", ["/model/m/invoke"]), ("n", ["/model/n/invoke"])):
        r = b.ctl("inference", "set", "paths", "--route", "b", "--model", model)
        said, got = ask("m")
        t.ok(r[0] == 0 and got == want, f"--model {model}: {want[0]}", r, said, got)
    b.ctl("inference", "delete", "paths")
    for model in ("up", "over", "%2E%2E", "a%2F..%2Fb"):
        said, got = ask(model)
        t.ok(not got, f"nothing is sent for {model}", said, got)
    said, got = ask("m")
    t.ok(got == ["/model/m/invoke"], "control: what is a name is sent", said, got)
    b.ctl("sandbox", "delete", "-f", "paths")


def stormy(w, d):
    """Changes while calls come: each call goes to one of the two, whole."""
    b = Box(w, d)
    up = b.client("run", "--socket", d.bus, "-p", w.write("p.yaml", w.policy("", POLICY)), "--workdir", w.work, "--name", "storm", *w.providers, "--",
                  "python3", "client.py")
    over, bad = threading.Event(), []

    def change():
        n = 0
        while not over.is_set():
            r = b.ctl("inference", "set", "storm", "--route", ("first", "other")[n % 2])
            if r[0]:
                bad.append(r)
            n += 1
    th = threading.Thread(target=change)
    th.start()
    said = [b.tell("ask") for _ in range(60)]
    over.set()
    th.join()
    got = b.went()
    t.ok(up and said == ["done"] * 60 and not bad and len(got) == 60 and {g[0] for g in got} == {FIRST[0], OTHER[0]}, "sixty calls while it changes all the time",
         said.count("done"), bad[:2], len(got))
    b.end()


def main():
    with ModelsWorld() as w, w.resident() as d:
        for fn in (changed, strangers, labelled, lasting, deaf, mute, paths, stormy):
            fn(w, d)
    t.done()


main()
