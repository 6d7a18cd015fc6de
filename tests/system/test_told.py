#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Landlock refuses to a real sandbox is in its log, once for each path and program, where the kernel's Landlock tells it;
and what a program that restricts itself refuses to itself is not."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, Daemon, Work, landlock_tells  # noqa: E402

PLAIN = "for i in 1 2 3; do /usr/bin/env; done; /usr/bin/head x; echo done"
# Its own rules: no writing. Ours: env does not run.
OWN = r"""
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.syscall(444, struct.pack("Q", 2), 8, 0)
libc.prctl(38, 1, 0, 0, 0)
print("restricted", libc.syscall(446, fd, 0))
for what in (lambda: open("mine", "w"), lambda: os.execv("/usr/bin/env", ["env"])):
    try:
        what()
    except OSError as e:
        print("refused", e.errno)
"""


def told(w, since=0):
    lines = [json.loads(x) for x in w.lines()[since:]]
    return [(x["file"]["name"], x["unmapped"]["rights"], x["osh"]["repeats"], x["count"], x) for x in lines if x["osh"]["event"] == "landlock"]


def sandbox(d, *cmd):
    return run(d.command(*cmd), 200, cwd=d.work.work)


def main():
    t = Tap()
    if not landlock_tells("OSH_VM" in os.environ):
        print("# this kernel's Landlock tells nobody, or this is no virtual machine")
        sys.exit(77)
    text = BASE_POLICY.replace("process: {", "process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/python3]}, ")
    with Work(text) as w, Daemon(w) as d:
        rc, out, err = sandbox(d, "sh", "-c", PLAIN)
        t.ok(rc == 0 and out == "done\n", "what is not listed does not run", rc, out, err)
        got = told(w)
        env = [x for x in got if x[0].endswith("/env")]
        t.ok([x[1:4] for x in env] == [("execute", False, 1), ("execute", True, 3)], "it is on record by its path, once, and how often in the end", got)
        t.ok([x[0].rsplit("/", 1)[1] for x in got if not x[2]].count("head") == 1, "another path by itself", got)
        x = env[0][4] if env else {}
        t.ok(env and x["osh"]["verdict"] == "denied" and x["osh"]["reason"] == "LANDLOCK" and x["class_uid"] == 1001 and
             x["actor"]["process"]["file"]["path"].endswith("sh"), "as a denial, with the reason and who it was", x)
        t.ok("/env" in err and "Landlock" in err, "and the end of the run says so", err)
        since = len(w.lines())
        rc, out, err = sandbox(d, "python3", "-c", OWN)
        t.ok(out.splitlines() == ["restricted 0", "refused 13", "refused 13"], "a program that restricts itself is refused by both", rc, out, err)
        names = [x[0] for x in told(w, since)]
        t.ok(any(n.endswith("/env") for n in names) and not any("mine" in n for n in names), "and only what ours refused is on record", names)
    t.done()


if __name__ == "__main__":
    main()
