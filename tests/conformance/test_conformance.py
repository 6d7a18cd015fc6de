#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our cases, and OpenShell's where there are any ($OSH_CONFORMANCE, or beside the tree): every one ok, a listed
divergence, or later."""
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(HERE))
from lib import Tap  # noqa: E402

loader = importlib.machinery.SourceFileLoader("conformance_run", os.path.join(HERE, "run"))
runner = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(runner)
OURS = os.path.join(HERE, "cases.jsonl")
FLIP = {"allow": "deny", "deny": "allow", "canonical": "reject", "reject": "canonical",
        "route": "deny",
        "accept_policy": "reject_policy", "reject_policy": "accept_policy"}


def judge(t, name, path):
    out = io.StringIO()
    counts = runner.run(path, out=out)
    bad = [ln for ln in out.getvalue().splitlines() if " DIFFERS" in ln]
    t.ok(not bad, f"{name}: {counts['ok']} ok, {counts['divergence']} divergences, {counts['later']} later", *bad)
    return counts


def main():
    t = Tap()
    counts = judge(t, "our cases", OURS)
    t.ok(counts["ok"] >= 60 and not counts["divergence"] and not counts["later"], "our cases say what osh means")
    theirs, why = runner.find()
    if theirs and not os.path.exists(theirs):
        t.ok(False, f"OSH_CONFORMANCE={theirs} is there")
    elif theirs:
        counts = judge(t, "OpenShell's cases", theirs)
        t.ok(counts["ok"] > 100, "most of them agree")
    else:
        t.skip("OpenShell's cases", why)
    with open(OURS) as f, tempfile.NamedTemporaryFile("w", suffix=".jsonl") as wrong:
        cases = [json.loads(ln) for ln in f][::9]
        for c in cases:
            c["expected"] = FLIP[c["expected"]]
            wrong.write(json.dumps(c) + "\n")
        wrong.flush()
        counts = runner.run(wrong.name, out=io.StringIO())
        t.ok(counts["DIFFERS"] == len(cases), "the runner sees every decision that is turned round", counts)
    t.done()


if __name__ == "__main__":
    main()
