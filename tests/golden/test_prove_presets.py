#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every preset through the prover: what is found is what docs/prover.md has in its table and explains, no more and no less."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import OSHCTL, WORK  # noqa: E402
from lib import Tap, run  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PRESETS = sorted(f[:-5] for f in os.listdir(os.path.join(ROOT, "policy-compiler/presets")) if f.endswith(".yaml"))


def table():
    """preset -> (categories, hosts), of the section about presets"""
    with open(os.path.join(ROOT, "docs/prover.md")) as f:
        section = f.read().split("## The presets")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) ?\| (.*?) ?\|$", section, re.M)
    return {name: (set(re.findall(r"`(\w+)`", c)), set(re.findall(r"`([\w.*-]+)`", h))) for name, c, h in rows}, section


def main():
    t = Tap()
    rows, section = table()
    t.ok(sorted(rows) == PRESETS, "docs/prover.md has a row for each preset", set(rows) ^ set(PRESETS))
    for name in PRESETS:
        rc, out, err = run([OSHCTL, "policy", "prove", "--json", "-w", WORK, f"preset:{name}"], 300)[:3]
        a = json.loads(out) if out.strip() else {"findings": [], "unknown": err}
        others = [f for f in a["findings"] if f["category"] != "persistence"]
        found = {f["category"] for f in others}, {f["where"].rsplit(":", 1)[0] for f in others}
        t.ok(rc == 1 and a["unknown"] is None and found == rows.get(name, (set(), set())),
             f"{name}: what is found is what the table has", rc, found, rows.get(name), a["unknown"])
        t.ok(all(f["where"].startswith(WORK) for f in a["findings"] if f["category"] == "persistence"),
             f"{name}: persistence is the working directory's", [f["where"] for f in a["findings"]])
        rc, out, _ = run([OSHCTL, "policy", "prove", "--base", f"preset:{name}", "-w", WORK, f"preset:{name}"], 300)[:3]
        t.ok(rc == 0, f"{name}: not wider than itself", rc, out)
        t.ok(f"`{name}`" in section.split("\n- ", 1)[1] or name in ("claude_code", "codex", "copilot", "cursor", "gemini", "opencode"),
             f"{name}: explained")
    t.done()


if __name__ == "__main__":
    main()
