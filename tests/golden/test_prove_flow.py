#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl policy prove --with`: what one sandbox reads and another one sends, by a volume or by files of the host. Each thing
that such a way needs has two questions that differ in it alone, of which one has a finding; and every request that is told
is put to `policy explain` under the policy that it is told of."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import OSHCTL, strict  # noqa: E402
from lib import Tap, run  # noqa: E402

NET = "network: [{host: api.example.com}]\n"


def fs(ro="", rw="", workdir=False, more=""):
    """A policy without a network; /usr may be read."""
    return (f"version: 1\nfilesystem_policy: {{include_workdir: {str(workdir).lower()}, read_only: [/usr{', ' + ro if ro else ''}]"
            f"{', read_write: [' + rw + ']' if rw else ''}}}\n{more}")


def box(policy, *volumes, workdir="/work/p", name=None):
    return policy, volumes, workdir, name


KEYS = box(fs("/home/u"), "out:/out")
SEND = box(fs(more=NET), "out:/in:ro")
REST = "network_policies: {{a: {{endpoints: [{{host: api.example.com, port: 443, protocol: rest, rules: [{0}]}}], binaries: [/usr/bin/curl]}}}}\n"
GET = REST.format("{allow: {method: GET, path: /x}}")
DENIED = REST.format("{allow: {method: GET, path: /x}}], deny_rules: [{method: '*', path: '/**'}")
TOKEN = GET.replace("rules:", "credential: pat, rules:")
PRIVATE = "network: [{host: db.corp, allowed_ips: [10.0.0.0/8]}]\n"
ROUTE = "inference: {binaries: [/usr/bin/a], routes: [{name: a, api: openai, host: a.example.net}]}\n"

TO_GPU = "inference: {routes: [{name: g, api: openai, sandbox: gpu, port: 8000}]}\n"
SERVE = "serve: [{port: 8000, to: [agent]}]\n"
AGENT, LEAVE = fs("/home/u", more=TO_GPU), "assert: [{never_leave: {}}]\n"


def gpu(more=NET, serve=SERVE, name="gpu"):
    return box(fs(more=more + serve), name=name)


# (what it needs, sandboxes that have it, sandboxes that have not)
NEEDS = (
    ("a volume in common", (KEYS, SEND), (KEYS, box(fs(more=NET), "other:/in"))),
    ("volumes at all", (KEYS, SEND), (box(fs("/home/u")), SEND)),
    ("a volume that may be written", (KEYS, SEND), (box(fs("/home/u"), "out:/out:ro"), box(fs(more=NET), "out:/in"))),
    ("something secret", (KEYS, SEND), (box(fs(), "out:/out"), SEND)),
    ("a variable is secret, too", (box(fs(more="process: {env: {pass: [GH_TOKEN]}}\n"), "out:/out"), SEND),
     (box(fs(more="process: {env: {pass: [LANG]}}\n"), "out:/out"), SEND)),
    ("somewhere to send it", (KEYS, SEND), (KEYS, box(fs(), "out:/in"))),
    ("a request that goes through", (KEYS, box(fs(more=GET), "out:/in")), (KEYS, box(fs(more=DENIED), "out:/in"))),
    ("a program that may send", (KEYS, box(fs(more=GET + strict("/usr/bin/curl")), "out:/in")),
     (KEYS, box(fs(more=GET + strict("/usr/bin/wget")), "out:/in"))),
    ("a route that takes it", (KEYS, box(fs(more=ROUTE), "out:/in")), (KEYS, box(fs(more=ROUTE.replace("/usr/bin", "/opt")), "out:/in"))),
    ("what is answered for a credential", (box(fs(more=TOKEN), "out:/out"), box(fs(more=NET), "out:/in")),
     (box(fs(more=GET), "out:/out"), box(fs(more=NET), "out:/in"))),
    ("what a private network answers", (box(fs(more=PRIVATE), "out:/out"), box(fs(more=NET), "out:/in")),
     (box(fs(more=PRIVATE.replace("10.0.0.0/8", "8.8.8.0/24")), "out:/out"), box(fs(more=NET), "out:/in"))),
    ("a route to a sandbox", (box(AGENT), gpu()), (box(fs("/home/u")), gpu())),
    ("and that it serves", (box(AGENT), gpu()), (box(AGENT), gpu(serve=""))),
    ("at that port", (box(AGENT), gpu()), (box(AGENT), gpu(serve=SERVE.replace("8000", "8001")))),
    ("which sandbox it is", (box(AGENT), gpu(name=None)), (box(AGENT), gpu(name="other"))),
    ("who calls", (box(AGENT, name="agent"), gpu()), (box(AGENT, name="other"), gpu())),
    ("somewhere to send what was called", (box(AGENT), gpu()), (box(AGENT), gpu(more=""))),
    ("what is answered comes back, too", (box(fs(more=TO_GPU + NET)), box(fs("/home/u", more=SERVE), name="gpu")),
     (box(fs(more=TO_GPU + NET)), box(fs("/home/u"), name="gpu"))),
    ("a third one behind the one that serves", (box(AGENT), box(fs(more=SERVE), "v:/v", name="gpu"), box(fs(more=NET), "v:/v")),
     (box(AGENT), box(fs(more=SERVE), "v:/v:ro", name="gpu"), box(fs(more=NET), "v:/v"))),
    ("the order of the policies is none", (SEND, KEYS), (SEND, box(fs(), "out:/out"))),
    ("a tree that one writes and the other reads", (box(fs("/home/u", "/srv/s")), box(fs("/srv", more=NET))),
     (box(fs("/home/u", "/srv/s")), box(fs("/srv/t", more=NET)))),
    ("writing, where both read", (box(fs("/home/u", "/srv/s")), box(fs("/srv/s", more=NET))),
     (box(fs("/home/u, /srv/s")), box(fs("/srv/s", more=NET)))),
    ("the working directory of both", (box(fs("/home/u", workdir=True)), box(fs(workdir=True, more=NET))),
     (box(fs("/home/u", workdir=True)), box(fs(workdir=True, more=NET), workdir="/work/q"))),
    ("one's working directory in the other's list", (box(fs("/home/u", workdir=True)), box(fs("/work", more=NET), workdir="/work/q")),
     (box(fs("/home/u", workdir=True)), box(fs("/wor", more=NET), workdir="/work/q"))),
    ("below /tmp, what both list", (box(fs("/home/u", "/tmp/s")), box(fs("/tmp/s", more=NET))),
     (box(fs("/home/u", "/tmp")), box(fs("/tmp", more=NET)))),
    ("below the home likewise", (box(fs("/home/u", "/sandbox/s")), box(fs("/sandbox/s", more=NET))),
     (box(fs("/home/u", "/sandbox")), box(fs("/sandbox", more=NET)))),
    ("a device that keeps what is written", (box(fs("/home/u", "/dev/shm/s")), box(fs(rw="/dev/shm/s", more=NET))),
     (box(fs("/home/u", "/dev/null, /dev/zero, /dev/urandom")), box(fs(rw="/dev/null, /dev/zero, /dev/urandom", more=NET)))),
    ("what deny leaves of a tree", (box(fs("/home/u", "/srv/s").replace("]}\n", "], deny: ['/srv/s/*.key']}\n")), box(fs("/srv/s", more=NET))),
     (box(fs("/home/u", "/srv/s").replace("]}\n", "], deny: [/srv/s]}\n")), box(fs("/srv/s", more=NET)))),
    ("the programs that a tree is for", (box(fs("/home/u", "{path: /srv/s, binaries: [/usr/bin/a]}", more=strict("/usr/bin/a", "/usr/bin/b"))),
                                         box(fs("/srv", more=NET))),
     (box(fs("/home/u", "{path: /srv/s, binaries: [/usr/bin/a]}", more=strict("/usr/bin/b"))), box(fs("/srv", more=NET)))),
    ("the programs that may read it there", (box(fs("/home/u", "/srv/s")),
                                             box(fs("{path: /srv, binaries: [/usr/bin/a]}", more=NET + strict("/usr/bin/a")))),
     (box(fs("/home/u", "/srv/s")), box(fs("{path: /srv, binaries: [/usr/bin/a]}", more=NET + strict("/usr/bin/b"))))),
    ("a third one between them", (KEYS, box(fs(), "out:/x", "on:/y"), box(fs(more=NET), "on:/in")),
     (KEYS, box(fs(), "out:/x", "on:/y:ro"), box(fs(more=NET), "on:/in"))),
    ("which may only hand it on by a file", (KEYS, box(fs(rw="/srv/s"), "out:/x"), box(fs("/srv", more=NET))),
     (KEYS, box(fs("/srv/s"), "out:/x"), box(fs("/srv", more=NET)))),
)


def prove(boxes, *options):
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        args, files = [], {}
        for n, (policy, volumes, workdir, name) in enumerate(boxes):
            file = os.path.join(d, f"{n}.yaml")
            with open(file, "w") as f:
                f.write(policy)
            files[file] = workdir
            args += (["--with", file] if n else []) + ["-w", workdir] + (["--sandbox", name] if name else []) + [x for v in volumes for x in ("--volume", v)]
        first = next(iter(files))
        rc, out, err = run([OSHCTL, "policy", "prove", "--json", *options, *args, first], 300)[:3]
        answer = json.loads(out) if out.strip() else {"findings": [], "unknown": err, "result": err}
        wrong = []
        for q in (q for f in answer["findings"] for q in f["requests"]):
            more = ["--binary", q["binary"]] if q["binary"] else []
            a = run([OSHCTL, "policy", "explain", "--json", "-p", q["policy"], "-w", files[q["policy"]], *more, q["request"]], 60)[1]
            if not a.strip() or json.loads(a)["decision"] != "allow":
                wrong.append((q, a))
    return rc, answer, wrong


def needs(t):
    for what, have, have_not in NEEDS:
        rc, a, wrong = prove(have)
        t.ok(rc == 1 and a["unknown"] is None and {f["category"] for f in a["findings"]} == {"flow"}, f"{what}: found", rc, a)
        t.ok(not wrong and len({q["policy"] for f in a["findings"] for q in f["requests"]}) > 1 or "GH_TOKEN" in str(have),
             f"{what}: explain says yes to each step, under its policy", *wrong, a)
        rc, a, _ = prove(have_not)
        t.ok(rc == 0 and a["result"] == "proved", f"{what}: proved without", rc, a)


def told(t):
    a = prove((KEYS, SEND))[1]
    f = a["findings"][0]
    t.ok(f["where"] == "api.example.com:443" and f["policy"].endswith("1.yaml") and f["line"] == 3, "where it leaves, in the policy of who sends", f)
    t.ok("'out'" in f["says"] and "/out under" in f["says"] and "/in under" in f["says"], "which volume, and where each has it", f)
    f = prove((KEYS, box(fs(more=ROUTE), "out:/in")))[1]["findings"]
    t.ok([(x["where"], x["line"]) for x in f] == [("a.example.net:443", 3)] and "by route 'a'" in f[0]["says"], "a backend that it goes to", f)
    both = box(fs("/home", more=NET), "out:/in")
    f = prove((box(fs("/home/u/.ssh, /root/.aws"), "out:/out"), box(fs("/root/.aws", more=NET), "out:/in")))[1]["findings"]
    t.ok([x["requests"][0]["request"].split("/.")[0] for x in f] == ["open /home/u"], "rather what who sends cannot read itself", f)
    f = prove((KEYS, both))[1]["findings"]
    t.ok(len(f) == 1, "but also what both can read; who reads and sends alone is no flow", f)
    known = prove((KEYS, SEND))[1]["findings"][0]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as out:
        json.dump([{"category": "flow", "where": known["where"], "reason": "ours", "expires": "9998-12-31"}], out)
        out.flush()
        os.chmod(out.name, 0o644)
        rc, a, _ = prove((KEYS, SEND), "--accept", out.name)
    t.ok(rc == 0 and a["accepted"] == 1, "one that is accepted is left out", rc, a)
    text = fs(more="network_middlewares: {a: {name: x}}\n")
    rc, a, _ = prove((KEYS, box(text, "out:/in")))
    t.ok(rc in (1, 3) and a["result"] != "proved", "another policy that is refused, or has a key without a model: not proved", rc, a)


# What a claim needs to be shown: (what, sandboxes where it is, sandboxes where it is not).
ME = box(AGENT + LEAVE, name="agent")
BOTH = "serve: [{port: 8000, to: [agent, other]}]\n"
OTHER, OPEN = fs(more=TO_GPU), fs(more=TO_GPU + NET)
SERVER = box(fs("/home/u", more=SERVE + LEAVE), name="gpu")
CLAIMS = (
    ("the policy of the sandbox that is called", (ME, gpu(more="")), (ME, gpu(more="", name=None))),
    ("its having no way out", (ME, gpu(more="")), (ME, gpu())),
    ("nor by a route of its own", (ME, gpu(more="")), (ME, gpu(more=ROUTE))),
    ("nor to one of which nothing is said", (ME, gpu(more="")), (ME, gpu(more=TO_GPU.replace("gpu,", "else,")))),
    ("nor by a volume", (ME, box(fs(more=SERVE), "v:/v", name="gpu"), box(fs(), "v:/v")),
     (ME, box(fs(more=SERVE), "v:/v", name="gpu"), box(fs(more=NET), "v:/v"))),
    ("the caller's having none", (ME, gpu(more="")), (box(AGENT + NET + LEAVE, name="agent"), gpu(more=""))),
    ("who has which name", (ME, gpu(more="")), (box(AGENT + LEAVE), gpu(more=""))),
    ("the policies of all that the one which is called answers", (ME, gpu(more="", serve=BOTH), box(OTHER, name="other")), (ME, gpu(more="", serve=BOTH))),
    ("by their names", (ME, gpu(more="", serve=BOTH), box(OTHER, name="other")), (ME, gpu(more="", serve=BOTH), box(OTHER))),
    ("and no pattern, whoever is given", (ME, gpu(more="")), (ME, gpu(more="", serve=SERVE.replace("agent", '"agen?"')))),
    ("nor one beside a name", (ME, gpu(more="")), (ME, gpu(more="", serve=SERVE.replace("agent", 'agent, "agent-*"')))),
    ("nor at another port", (ME, gpu(more="")), (ME, gpu(more="", serve=SERVE[:-2] + ', {port: 9000, to: ["*"]}]\n'))),
    ("and none of these with a way out", (ME, gpu(more="", serve=BOTH), box(OTHER, name="other")), (ME, gpu(more="", serve=BOTH), box(OPEN, name="other"))),
    ("one that is let in and does not call may have one", (ME, gpu(more="", serve=BOTH), box(fs(more=NET), name="other")),
     (ME, gpu(more="", serve=BOTH), box(OPEN, name="other"))),
    ("likewise of those behind it", (ME, box(fs(more=SERVE), "v:/v", name="gpu"), box(fs(), "v:/v")),
     (ME, box(fs(more=SERVE), "v:/v", name="gpu"), box(fs(more=SERVE.replace("agent", '"*"')), "v:/v"))),
    ("of one that serves, the callers' policies", (SERVER, box(OTHER, name="agent")), (SERVER, box(OTHER, name="other"))),
    ("and their having no way out", (SERVER, box(OTHER, name="agent")), (SERVER, box(OPEN, name="agent"))),
    ("nor one by what they serve", (SERVER, box(OTHER, name="agent")), (SERVER, box(OTHER + SERVE.replace("agent", "more"), name="agent"))),
    ("nor by a volume of theirs", (SERVER, box(OTHER, "v:/v", name="agent"), box(fs(), "v:/v")),
     (SERVER, box(OTHER, "v:/v", name="agent"), box(fs(more=NET), "v:/v"))),
)


def claims(t):
    for what, shown, refuted in CLAIMS:
        rc, a, _ = prove(shown)
        t.ok(rc == 0 and a["result"] == "proved", f"never_leave: {what}: shown", rc, a)
        rc, a, wrong = prove(refuted)
        t.ok(rc == 1 and a["unknown"] is None and "assert" in {f["category"] for f in a["findings"]}, f"never_leave: {what}: refuted", rc, a)
        t.ok(not wrong, f"never_leave: {what}: explain says yes to what is told", *wrong)
    f = [f for f in prove((box(AGENT + LEAVE), gpu(name=None)))[1]["findings"] if f["category"] == "assert"]
    t.ok(len(f) == 1 and "is not shown" in f[0]["says"] and "sandbox 'gpu'" in f[0]["says"], "and it is said which policy is missing", f)
    for who, to in (("other", BOTH), ("agent-*", BOTH.replace("other", '"agent-*"'))):
        f = [f for f in prove((ME, gpu(more="", serve=to)))[1]["findings"] if f["category"] == "assert"]
        t.ok([(x["where"], x["policy"][-6:], x["line"]) for x in f] == [(who, "1.yaml", 3)] and "is not shown" in f[0]["says"] and f"'{who}'" in f[0]["says"],
             f"and that {who} is answered, and where that stands", f)


def alone(t):
    """One that serves, without the policies of those that it lets in."""
    for name, policy, options in (("serves, and has no endpoint", fs(more=SERVE + LEAVE), ()),
                                  ("a claim about some programs", fs(more=SERVE + LEAVE.replace("{}", "{binaries: [/usr/bin/a]}")), ()),
                                  ("a pattern", fs(more=SERVE.replace("agent", '"*"') + LEAVE), ()),
                                  ("against a base", fs(more=SERVE + LEAVE), ("--base",))):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(policy)
            f.flush()
            os.chmod(f.name, 0o644)
            rc, out = run([OSHCTL, "policy", "prove", "--json", *options, *[f.name] * len(options), f.name], 60)[:2]
            found = [x for x in json.loads(out)["findings"] if x["category"] == "assert"]
            t.ok(rc == 1 and [x["line"] for x in found] == [3] and "is not shown" in found[0]["says"], f"never_leave, alone: {name}: not shown", rc, out)
            t.ok(all(run([OSHCTL, "policy", "explain", "-p", f.name, q["request"]], 60)[0] == 0 for q in found[0]["requests"]) and found[0]["requests"],
                 f"never_leave, alone: {name}: explain says who comes in", found)
    rc, a, _ = prove((box(fs(more=SERVE.replace("agent", '"*"'))), box(fs())))
    t.ok(rc == 0 and a["result"] == "proved", "who claims nothing may serve anybody", rc, a)


def documented(t):
    """The two policies that docs/prover.md shows the claim of."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/inference.md")) as f:
        text = f.read()
    serves, calls = (text.split(f"```yaml\n# {name}.yaml", 1)[1].split("\n", 1)[1].split("```", 1)[0] for name in ("gpu", "agent"))
    rc, a, _ = prove((box(calls + LEAVE, name="agent-1"), box(serves, name="gpu")))
    t.ok(rc == 0 and a["result"] == "proved", "the policies of the documentation: shown", rc, a)
    rc, a, _ = prove((box(calls + LEAVE, name="agent-1"), box(serves.replace("[agent-1]", '["agent-*"]'), name="gpu")))
    t.ok(rc == 1 and "agent-*" in a["findings"][0]["says"], "and not with a pattern", rc, a)


def wrongly(t):
    for volume in ("out", "out:in", ":/x", "out:/", "out:/a/../b", "out:/a//b", "out:/a/", "out:ro"):
        rc, a, _ = prove((KEYS, box(fs(more=NET), volume)))
        t.ok(rc == 2 and not a["findings"] and "want NAME:/PATH" in a["unknown"], f"volume '{volume}': used wrongly", rc, a)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(fs())
        f.flush()
        os.chmod(f.name, 0o644)
        for options in (["--base", f.name], ["--graph", "dot"], ["--with", f.name] * 8):
            rc = run([OSHCTL, "policy", "prove", *options, "--with", f.name, f.name], 60)[0]
            t.ok(rc == 2, f"{' '.join(options)[:20]} with --with: used wrongly", rc)
        rc = run([OSHCTL, "policy", "prove", "--volume", "out:/out", f.name], 60)[0]
        t.ok(rc == 2, "a volume of one sandbox alone: used wrongly", rc)
        many = [x for i in range(15) for x in ("--volume", f"v{i}:/v{i}")]
        rc = run([OSHCTL, "policy", "prove", *many, "--with", f.name, f.name], 60)[0]
        t.ok(rc == 0, "fifteen volumes of one sandbox", rc)
        rc = run([OSHCTL, "policy", "prove", *many, "--volume", "w:/w", "--with", f.name, f.name], 60)[0]
        t.ok(rc == 2, "and no more", rc)
        rc = run([OSHCTL, "policy", "prove", *["--with", f.name] * 8, f.name], 300)[0]
        t.ok(rc == 0, "nine sandboxes that share nothing: proved", rc)
        rc = run([OSHCTL, "policy", "prove", "--with", f.name + "x", f.name], 60)[0]
        t.ok(rc == 1, "a policy that is not there: refused", rc)


def main():
    t = Tap()
    needs(t)
    told(t)
    claims(t)
    alone(t)
    documented(t)
    wrongly(t)
    t.done()


if __name__ == "__main__":
    main()
