#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a sandbox is started without is said to whoever starts it, is in its log and in what `sandbox get` shows: paths that
are skipped, a layer that does not live, limits that nothing keeps."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, kill  # noqa: E402
from test_doctor import refuse  # noqa: E402

LIMIT = 200
GONE, ODD = "/nowhere/at/all", "/nowhere/\u00e9t\u00e9"
POLICY = BASE_POLICY.replace("read_only: [", f"read_only: [{GONE}, '{ODD}', ")
STRICT = BASE_POLICY.replace("process: {", "process: {exec: {mode: strict, allow: ['/usr/**']}, ")
LANDLOCK = 444
t = Tap()


def without(log):
    """What the log says of it."""
    try:
        lines = [json.loads(ln) for ln in open(log)]
    except OSError:
        lines = []
    return [o["osh"]["detail"] for o in lines if o.get("osh", {}).get("reason") == "WITHOUT"]


def of_a_run(w, policy, box=(), **kw):
    log = os.path.join(w.dir, f"run-{t.n}.jsonl")
    rc, out, err = run([*box, OSHCTL, "run", "-p", policy, "-w", w.work, "--log", log, "--", "true"], LIMIT, **kw)
    return rc, err, without(log)


def runs(w):
    rc, err, log = of_a_run(w, w.write("gone.yaml", POLICY))
    t.ok(rc == 0 and err.count("\n") == 1 and "warning: not there, and left out: " + GONE in err and "t\\xc3\\xa9" in err, "a path that is skipped is said", rc, err)
    t.ok(len(log) == 2 and any(GONE in x for x in log), "and is in the log", log)
    rc, err, log = of_a_run(w, w.policy)
    t.ok(rc == 0 and not err and not log, "nothing is said where nothing is left out", err, log)
    rc, _, err = run([OSHCTL, "run", "-w", w.work, "--", "true"], LIMIT)
    t.ok(rc == 0 and "left out" not in err, "nor of what a preset lists for other distributions", err)
    rc, err, log = of_a_run(w, w.policy, preexec_fn=refuse(LANDLOCK))
    t.ok(rc == 0 and "warning: Landlock: does not live on this kernel" in err and any("Landlock" in x for x in log), "a layer that does not live is said, and is in the log", rc, err, log)
    rc, out, _ = run([OSHCTL, "doctor", "--json"], LIMIT)
    lsm = any(f["name"] == "bpf-lsm" and f["state"] == "works" for f in json.loads(out)["features"])
    rc, err, log = of_a_run(w, w.write("strict.yaml", STRICT))
    t.ok(rc == 0 and ("ld.so PROGRAM" in err) != lsm and bool(log) != lsm, "so is what strict exec leaves open without the LSM", rc, err, log)


def limits(w):
    """No hierarchy of v1, and of v2 none where a controller is on: nothing keeps the limits that every sandbox has."""
    hide = "grep ' - cgroup ' /proc/self/mountinfo | cut -d' ' -f5 | while read -r m; do umount -l \"$m\" || exit 1; done; exec \"$@\""
    box = ["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh"]
    rc, out, _ = run([*box, OSHCTL, "doctor", "--json"], LIMIT)
    lack = {f["name"] for f in json.loads(out)["features"] if f["state"] == "lacks"} & {"limit-tasks", "limit-memory"}
    rc, err, log = of_a_run(w, w.policy, box)
    said = {name for name, word in (("limit-tasks", "resources.pids"), ("limit-memory", "resources.memory")) if f"warning: {word}: this machine has no controller" in err}
    t.ok(rc == 0 and said == lack and len(log) == len(lack), f"limits that nothing keeps are said, as doctor does ({len(lack)} here)", rc, err, log, lack)
    if lack:
        rc, err, log = of_a_run(w, w.write("asked.yaml", BASE_POLICY + "resources: {pids: 100}\n"), box)
        t.ok(rc == 125 and "resources.pids" in err, "one that the policy asks for is refused", rc, err)


def created(w):
    with Daemon(w) as d:
        def ctl(*words):
            return run([OSHCTL, *words[:2], "--socket", d.bus, *words[2:]], LIMIT)

        def row():
            rc, out, _ = ctl("sandbox", "get", "box", "--json")
            return sorted(json.loads(out).get("warnings", [])) if rc == 0 else None
        policy, log = w.write("gone.yaml", POLICY), os.path.join(w.dir, "box.jsonl")
        rc, out, err = ctl("sandbox", "create", "-n", "box", "-p", policy, "-w", w.work, "--log", log, "--json")
        said = sorted(json.loads(out)["warnings"]) if rc == 0 else []
        t.ok(len(said) == 2 and said[0].startswith(GONE + ": ") and GONE in err, "who creates one is told, also as JSON", rc, out, err)
        t.ok(row() == said, "sandbox get shows it", row())
        t.ok(sorted(without(log)) == said, "and its log", without(log))
        kill([d.p.pid])
        d.p.wait()
        d.start()
        t.ok(row() == said, "also the next oshd", row())
        rc, _, err = ctl("sandbox", "stop", "box")
        t.ok(rc == 0 and not err, "a stop says nothing", err)
        rc, _, err = ctl("sandbox", "start", "box")
        t.ok(rc == 0 and GONE in err, "a start says it again", rc, err)
        rc, _, err = ctl("sandbox", "restart", "box")
        t.ok(rc == 0 and GONE in err, "and a restart", rc, err)
        ctl("sandbox", "delete", "-f", "box")
        rc, _, err = run([OSHCTL, "run", "--socket", d.bus, "-p", policy, "-w", w.work, "--", "true"], LIMIT)
        t.ok(rc == 0 and GONE in err, "a run of a resident oshd's as well", rc, err)


with Work() as work:
    runs(work)
    limits(work)
    created(work)
t.done()
