#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make redteam-full`: every attack with every layer, then with each layer left out in turn, and docs/redteam.md, which says
what stopped it and what is on record, and lists the promises that have one lock. Needs root and a test build, which is made
here; takes ten minutes on a quiet machine, and says all the while where it is. One attack takes 200 seconds at most.
`full.py NAME...` runs some and writes nothing."""
import os
import platform
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["OSH_BUILD"] = "build/test"
import attacks  # noqa: E402
import stage  # noqa: E402
from lib import ROOT, Tap, test_build  # noqa: E402
from test_without import LAYERS, alone, kernel_refuses, lsm_lives, stopped, wanted  # noqa: E402

GROUPS = {"file": "Files", "net": "The network", "dns": "DNS", "dev": "Devices", "proc": "Processes and the kernel", "cred": "Credentials",
          "l7": "Requests", "across": "Other sandboxes", "engine": "The engine itself"}
# Whose word an event is: the layer that answered, and the one that wrote it down.
ANSWERS = {"dns": "DNS program", "connect": "connect hook", "sendmsg": "sendmsg hook", "bind": "bind hook", "unix": "unix socket hook",
           "socket": "socket family filter", "syscall": "seccomp", "exec": "exec hook", "file": "LSM", "map": "LSM", "task": "LSM", "landlock": "Landlock", "device": "device program",
           "egress": "egress", "http": "egress", "serve": "oshd", "life": "the end of the sandbox"}
WHAT = {"view": "the mount view", "landlock": "Landlock", "noexec": "mounts without execution", "seccomp": "the system call filter",
        "nft": "nftables", "caps": "the dropping of capabilities", "osh_device": "the device program"}
BEGUN = time.monotonic()


def cell(text):
    return text.replace("|", "\\|")


def technique(a):
    """The head of the file."""
    with open(a.path) as f:
        lines = [ln[2:].strip() for ln in f.read().splitlines()[1:] if ln.startswith("# ") and "shellcheck" not in ln]
    return " ".join(lines)


class Row:
    def __init__(self, a):
        self.attack, self.skip, self.seen, self.errno, self.without = a, "", "", "", {}
        self.broke = []         # what the test itself could not do

    def first(self, w):
        """With every layer."""
        worked, text = self.attack.control(w)
        if not worked:
            self.skip = text.split("SKIP", 1)[1].strip().splitlines()[0] if "SKIP" in text else "its control failed"
            return
        good, r = stopped(self.attack, w)
        wanted_event = self.attack.field["EVENT"]
        events = [str(e) for e in sorted(r.events, key=lambda e: not e.denied)]
        self.seen = "" if wanted_event == "none" else next((e for e in events if re.search(rf"\b{e.split('/')[1]}\b", wanted_event)), "MISSING")
        m = re.search(r"errno=\w+|eai=\w+|rcode=\d+|\"error\":\"(\w+)\"", r.out + r.err)
        self.errno = (m.group(1) or m.group(0)) if m else ""
        self.without["none"] = good

    def again(self, w, layer, lsm):
        """Without one layer: True where it is stopped all the same."""
        self.attack.control(w)
        good, r = stopped(self.attack, w)
        if r.rc in (124, 125):
            self.broke.append(f"without {layer}: no answer: {r.rc} {r.err[-300:]}")
            return
        if good and layer in alone(self.attack) and not (lsm and "LSM" in self.attack.field) and kernel_refuses(self.attack, w):
            return      # this kernel refuses it to every user: says nothing of the layer
        self.without[layer] = good

    def answered(self):
        """The layer that stopped it: whose event it is, else the one without which it works, else that it is not there."""
        if self.seen:
            return ANSWERS.get(self.seen.split("/")[0], self.seen.split("/")[0])
        if self.attack.name.startswith("across_") and "errno" not in self.attack.field["EXPECT"]:
            return "egress"     # what is said on a stream is its alone to judge; not all of that is worth a line
        single = [y for y, good in self.without.items() if not good]
        return single[0] if single else "view" if "ENOENT" in self.attack.field["EXPECT"] else "kernel's own rights"

    def line(self):
        if self.skip:
            return f"| {self.attack.name} | {cell(technique(self.attack))} | not run: {cell(self.skip)} | | |"
        single = [y for y, good in self.without.items() if not good]
        holds = "**" + ", ".join(single) + " alone**" if single else "each of " + ", ".join(y for y in self.without if y != "none") \
            if len(self.without) > 1 else "–"
        return f"| {self.attack.name} | {cell(technique(self.attack))} | {self.answered()} {self.errno} | {self.seen or '–'} | {holds} |"


def document(rows, lsm):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    single = [r for r in rows if not r.skip and not all(r.without.values())]
    ran = [r for r in rows if not r.skip]
    text = f"""# The red team's table

Written by `make redteam-full` (`tests/redteam/full.py`); do not edit. Linux {platform.release()}, {"with" if lsm else "without"} LSM programs,
commit {commit}. {len(rows)} attacks, {len(ran)} ran here; all of them work outside a sandbox, and {sum(r.without["none"] for r in ran)} were stopped with every layer.

- *stopped by*: the layer that answered, and how. "kernel's own rights" is what an unprivileged user of any namespace is refused.
- *on record*: the event; – where the thing is simply not there, so that nobody is asked.
- *may be left out*: each layer that was left out, one at a time, while the attack still failed. In bold: a promise with one
  lock here, which without that layer alone is broken. {len(single)} of {len(ran)} have one lock on this kernel.
"""
    for key, title in GROUPS.items():
        mine = [r for r in rows if r.attack.name.startswith(key + "_")]
        text += f"\n## {title} ({len(mine)})\n\n| attack | technique | stopped by | on record | may be left out |\n|---|---|---|---|---|\n"
        text += "\n".join(r.line() for r in mine) + "\n"
    return text


def single_locks(rows):
    """The promises that one layer keeps here, layer by layer."""
    text = "\n## Promises with one lock\n\nWithout the layer named, and every other in place, these work:\n\n"
    for layer in LAYERS:
        mine = [r for r in rows if not r.skip and not r.without.get(layer, True)]
        if mine:
            text += f"- **{WHAT[layer]}**: " + "; ".join(f"{technique(r.attack).rstrip('.')} (`{r.attack.name}`)" for r in mine) + ".\n"
    return text


def each(rows, what, act):
    """act(row) for each; says where it is, since nothing else is heard for minutes."""
    for i, r in enumerate(rows):
        if i % 50 == 0:
            print(f"# {time.monotonic() - BEGUN:.0f} s: {what}, attack {i + 1} of {len(rows)}", flush=True)
        act(r)


def main():
    t = Tap()
    test_build(t)
    with attacks.staged() as w:
        rows = [Row(a) for a in attacks.all_attacks(sys.argv[1:])]
        with w.resident():
            lsm = lsm_lives(w)
            each(rows, "with every layer", lambda r: r.first(w))
        for layer in LAYERS:
            with w.resident(env={"OSH_TEST_OFF": layer}):
                mine = [r for r in rows if not r.skip and wanted(r.attack, layer)]
                each(mine, f"without {layer}", lambda r, layer=layer: r.again(w, layer, lsm))
        for r in rows:
            if r.skip:
                t.skip(r.attack.name, r.skip)
                continue
            t.ok(r.without["none"] and r.seen != "MISSING", f"{r.attack.name}: stopped and on record", r.errno, r.seen)
            broken = {y for y, good in r.without.items() if not good and y != "none"}
            t.ok(broken <= set(alone(r.attack)), f"{r.attack.name}: has the locks that it says", broken)
            if r.broke:
                t.ok(False, f"{r.attack.name}: was tried without each layer", *r.broke)
    if not sys.argv[1:]:
        with open(os.path.join(ROOT, "docs/redteam.md"), "w") as f:
            f.write(document(rows, lsm) + single_locks(rows))
    t.done()


if __name__ == "__main__":
    stage.enter()
    main()
