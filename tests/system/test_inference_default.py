#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl inference set --default`: which route a user's sandboxes begin with. It is of those that start afterwards and whose policy
has such a route, runs and created ones; what was chosen for one sandbox goes before it; it widens nothing; it outlives oshd; it is
its user's alone; each start is on record with it, and one that could not begin with it says so."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from models_world import ModelsWorld  # noqa: E402
from osh import OSHCTL  # noqa: E402

LIMIT = 200
t = Tap()
POLICY = """inference:
  models: ["claude-*", "local-*"]
  fallback: true
  routes:
    - {name: first, api: anthropic, provider: claude, model: "claude-*"}
    - {name: other, api: anthropic, provider: gpt, host: models.example}
"""
ASK = ["curl", "-sS", "-m", "60", "-H", "content-type: application/json", "https://inference.local/v1/messages", "-d"]
FIRST, OTHER = "api.anthropic.com", "models.example"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


class Place:
    def __init__(self, w, d):
        self.w, self.d, self.n = w, d, 0
        self.policy = w.write("p.yaml", w.policy("", POLICY))
        self.log = os.path.join(w.dir, "default.log")

    def ctl(self, *args, user=()):
        return run([*user, OSHCTL, *args, "--socket", self.d.bus], 60)[:3]

    def body(self, model):
        return json.dumps({"model": model, "max_tokens": 5, "messages": []})

    def went(self):
        return [(f["host"], json.loads(b)["model"]) for _, _, f, b in self.w.came()]

    def run(self, model="claude-a", policy=None):
        """One call of a run of its own: what it said, and where it went."""
        r = run([OSHCTL, "run", "--socket", self.d.bus, "-p", policy or self.policy, "--workdir", self.w.work, "--log", self.log,
                 *self.w.providers, "--", *ASK, self.body(model)], 60)[:3]
        return r, self.went()

    def inside(self, name):
        r = run([OSHCTL, "sandbox", "exec", "--socket", self.d.bus, name, "--", *ASK, self.body("claude-a")], 60)[:3]
        return r, self.went()

    def said(self, why):
        return [e["osh"].get("detail") for e in self.w.read_log(self.log) if e.kind == "life" and e.why == why]


def runs(p):
    r, got = p.run()
    t.ok(r[0] == 0 and got == [(FIRST, "claude-a")], "without a default the policy's order holds", r, got)
    r = p.ctl("inference", "get", "--default", "--json")
    t.ok(r[0] == 0 and json.loads(r[1]) == {"route": "", "model": ""}, "get says that there is none", r)
    r = p.ctl("inference", "delete", "--default")
    t.ok(r[0] == 1 and "no default was set" in r[2], "and none is taken back", r)
    r = p.ctl("inference", "set", "--default", "--route", "other")
    t.ok(r[0] == 0, "a default is set while nothing runs", r)
    r, got = p.run()
    t.ok(r[0] == 0 and got == [(OTHER, "claude-a")], "the next run begins with it", r, got)
    t.ok(p.said("CHOSEN") == [f"route other, by uid {os.getuid()} as default"], "which is on record", p.said("CHOSEN"))
    r = p.ctl("inference", "get", "--default", "--json")
    got = json.loads(r[1]) if r[0] == 0 else {}
    t.ok(got.get("route") == "other" and got.get("model") == "" and got.get("set"), "get says it", r)
    r = p.ctl("inference", "list")
    t.ok(r[0] == 0 and "(default)" in r[1] and "other" in r[1], "list, too", r)
    r = p.ctl("inference", "list", "--json")
    t.ok(r[0] == 0 and json.loads(r[1]) == [], "in JSON it lists sandboxes alone", r)
    r = p.ctl("inference", "set", "--default", "--route", "first", "--model", "claude-b")
    t.ok(r[0] == 0 and p.run()[1] == [(FIRST, "claude-b")], "with a model it is asked for", r)
    p.ctl("inference", "set", "--default", "--route", "first", "--model", "gpt-4")
    t.ok(p.run()[1] == [(FIRST, "claude-a")], "but not for one that the policy does not let be asked for")
    r, got = p.run("gpt-4")
    t.ok("model_not_allowed" in r[1] and not got, "nor is a call that is not allowed made one that is", r, got)


def other_policies(p):
    """A policy that has no such route, or none to choose, keeps its order, and says so where it has routes at all."""
    p.ctl("inference", "set", "--default", "--route", "nowhere")
    before = len(p.said("CHOSEN"))
    r, got = p.run()
    t.ok(r[0] == 0 and got == [(FIRST, "claude-a")] and "no route 'nowhere'" in r[2], "a policy without such a route keeps its order, and the caller hears it", r, got)
    said = p.said("WITHOUT")
    t.ok(any("no route 'nowhere'" in x for x in said) and len(p.said("CHOSEN")) == before, "which is on record", said)
    p.ctl("inference", "set", "--default", "--route", "other")
    one = p.w.write("one.yaml", p.w.policy("", POLICY.replace("  fallback: true\n", "")))
    r, got = p.run(policy=one)
    t.ok(r[0] == 0 and got == [(FIRST, "claude-a")] and "fallback: true" in r[2], "so does one whose first route alone takes a call", r, got)
    r = run([OSHCTL, "run", "--socket", p.d.bus, "-p", p.w.write("none.yaml", p.w.policy("")), "--workdir", p.w.work, "--", "true"], 60)[:3]
    t.ok(r[0] == 0 and "default" not in r[2], "one without models has nothing to say", r)
    for args, words in ((("--route", "a b"), "no name of a route"), (("--route", ""), "no name of a route"), (("--route", "x" * 64), "no name of a route"),
                        (("--route", "first", "--model", "a b"), "no name of a model")):
        r = p.ctl("inference", "set", "--default", *args)
        t.ok(r[0] == 1 and words in r[2], f"refused: {args}", r)
    for args in (("set", "--default"), ("set", "--default", "--all", "--route", "other"), ("set", "box", "--default", "--route", "other"),
                 ("get", "--default", "box"), ("delete", "--default", "box")):
        r = p.ctl("inference", *args)
        t.ok(r[0] == 2, f"used wrongly: {' '.join(args)}", r)
    t.ok(json.loads(p.ctl("inference", "get", "--default", "--json")[1])["route"] == "other", "which changed nothing")


def created(p):
    """A choice for one sandbox goes before; a copy of the default is looked at anew at each start."""
    r = p.ctl("sandbox", "create", "--name", "box", "-p", p.policy, "--workdir", p.w.work, *p.w.providers)
    got = p.inside("box")
    t.ok(r[0] == 0 and got[1] == [(OTHER, "claude-a")], "a created one begins with it, too", r, got)
    r = p.ctl("inference", "get", "box", "--json")
    t.ok(r[0] == 0 and json.loads(r[1])["default"] is True, "get of it says whence it has it", r)
    p.ctl("inference", "set", "--default", "--route", "first", "--model", "claude-b")
    got = p.inside("box")
    t.ok(got[1] == [(OTHER, "claude-a")], "another default changes nothing of what runs", got)
    p.d.p.kill()
    p.d.p.wait()
    p.d.start()
    got = p.inside("box")
    t.ok(got[1] == [(OTHER, "claude-a")], "not for the next oshd either", got)
    r = [p.ctl("sandbox", v, "box")[0] for v in ("stop", "start")]
    got = p.inside("box")
    t.ok(r == [0, 0] and got[1] == [(FIRST, "claude-b")], "its next start has it, which has outlived oshd", r, got)
    r = p.ctl("inference", "delete", "box")
    got = p.inside("box")
    t.ok(r[0] == 0 and got[1] == [(FIRST, "claude-a")], "delete NAME is the policy's order while it runs", r, got)
    p.ctl("inference", "set", "box", "--route", "other")
    r = [p.ctl("sandbox", v, "box")[0] for v in ("stop", "start")]
    got = p.inside("box")
    t.ok(r == [0, 0] and got[1] == [(OTHER, "claude-a")], "what was chosen for it goes before the default", r, got)
    r = p.ctl("inference", "get", "box", "--json")
    t.ok(r[0] == 0 and json.loads(r[1])["default"] is False, "and get says that", r)
    p.ctl("inference", "delete", "box")
    p.ctl("sandbox", "stop", "box"), p.ctl("sandbox", "start", "box")
    r = p.ctl("inference", "delete", "--default")
    p.ctl("sandbox", "stop", "box"), p.ctl("sandbox", "start", "box")
    got = p.inside("box")
    t.ok(r[0] == 0 and got[1] == [(FIRST, "claude-a")], "without a default a start has the policy's order again", r, got)
    p.ctl("sandbox", "delete", "-f", "box")


def strangers(p):
    if os.getuid():
        t.skip("a stranger", "needs root")
        return
    r = p.ctl("inference", "set", "--default", "--route", "other", user=NOBODY)
    t.ok(r[0] == 0, "everybody has a default of his own", r)
    r, got = p.run()
    t.ok(r[0] == 0 and got == [(FIRST, "claude-a")], "which is no one else's", r, got)
    r = p.ctl("inference", "get", "--default", "--json")
    t.ok(json.loads(r[1])["route"] == "", "nor shown to anybody else, root included", r)
    r = p.ctl("inference", "get", "--default", "--json", user=NOBODY)
    t.ok(json.loads(r[1])["route"] == "other", "but to him", r)
    p.ctl("inference", "delete", "--default", user=NOBODY)


def alone(p):
    """Without a resident oshd there is no state: its run has the policy's order."""
    if os.getuid():
        t.skip("a run without a resident oshd", "needs root")
        return
    p.ctl("inference", "set", "--default", "--route", "other")
    r = run([OSHCTL, "run", "-p", p.policy, "--workdir", p.w.work, "--upstream-hosts", p.w.hosts, "--upstream-ca", p.w.anchor, *p.w.providers, "--",
             *ASK, p.body("claude-a")], 60)[:3]
    got = p.went()
    t.ok(r[0] == 0 and got == [(FIRST, "claude-a")], "a run without a resident oshd has the policy's order", r, got)
    p.ctl("inference", "delete", "--default")


def main():
    with ModelsWorld() as w, w.resident() as d:
        p = Place(w, d)
        for fn in (runs, other_policies, created, strangers, alone):
            fn(p)
    t.done()


main()
