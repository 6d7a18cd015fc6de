#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What bounds osh-prove: out of time or memory is "unknown" and 3, never proved; whatever the caller's own limits are; many
rules get an answer, however their hosts meet."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import OSHCTL, WORK  # noqa: E402
from lib import BUILD, Tap, run  # noqa: E402

CPU, MEMORY = 120, 2 << 30


def many(n, wildcard=""):
    """n rules of one endpoint each, every second of which is looked into."""
    out = "version: 1\nfilesystem_policy: {read_only: [/usr, /home]}\nnetwork_policies:\n"
    if wildcard:
        out += (f"  w:\n    endpoints: [{{host: '{wildcard}', port: 8443, protocol: rest, access: read-only}}]\n"
                "    binaries: [{path: /usr/bin/p}]\n")
    for i in range(n):
        rules = ", protocol: rest, rules: [{allow: {method: GET, path: '/v/**'}}, {allow: {method: POST, path: /up/*}}]" if i % 2 else ""
        out += f"  r{i}:\n    endpoints: [{{host: h{i}.example.com, port: 443{rules}}}]\n    binaries: [{{path: /usr/bin/p{i % 11}}}]\n"
    return out


def ask(text, limit=""):
    """(exit status, the JSON answer), under a limit of the shell's."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(text)
        f.flush()
        os.chmod(f.name, 0o644)
        rc, out, err = run(["sh", "-c", f"{limit}\nexec \"$@\"", "sh", OSHCTL, "policy", "prove", "--json", "-w", WORK, f.name], 900)[:3]
    return rc, json.loads(out) if out.strip() else {"findings": [], "result": err, "unknown": None}


def limits_of(t):
    """As the kernel has them, of the program while it works."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(many(2000))
        f.flush()
        os.chmod(f.name, 0o644)
        child = subprocess.Popen([OSHCTL, "policy", "prove", "-w", WORK, f.name], stdout=subprocess.DEVNULL)
        seen, until = {}, time.monotonic() + 120
        last = "Max cpu time" if BUILD.endswith("san") else "Max address space"
        while seen.get(last, ["unlimited"])[0] == "unlimited" and child.poll() is None and time.monotonic() < until:
            try:
                with open(f"/proc/{child.pid}/task/{child.pid}/children") as c:
                    pid = c.read().split()[0]
                with open(f"/proc/{pid}/limits") as lines:
                    seen = {x[:26].strip(): x[26:].split() for x in lines}
            except (OSError, IndexError):
                pass
        child.kill()
        child.wait()
    t.ok(seen.get("Max cpu time", [0])[0] == str(CPU), f"{CPU} seconds of processor time", seen)
    if not BUILD.endswith("san"):
        t.ok(seen.get("Max address space", [0])[0] == str(MEMORY), "2 GiB of memory", seen)


def out_of_memory(t):
    """Less and less of it, until there is too little: whatever it is that fails, the answer is whole or unknown."""
    for kib in range(120000, 8000, -8000):
        rc, a = ask(many(2), f"ulimit -v {kib}")
        if rc == 3:
            break
        if rc != 1 or a["unknown"] is not None or len(a["findings"]) < 2:
            t.ok(False, f"{kib} KiB: the whole answer", rc, a)
    t.ok(rc == 3 and a["result"] == "unknown" and not a["findings"], "out of memory: unknown, and 3", kib, rc, a["unknown"])


def main():
    t = Tap()
    rc, a = ask(many(2000), "ulimit -t 1")
    t.ok(rc == 3 and a["result"] == "unknown" and not a["findings"], "out of time: unknown, and 3", rc, a["unknown"], a["result"])
    if not BUILD.endswith("san"):
        out_of_memory(t)
    rc, a = ask("version: 1\nfilesystem_policy: {read_only: [/usr]}\n", "ulimit -t 1")
    t.ok(rc == 0 and a["result"] == "proved", "what ends within its bounds is answered", rc, a)
    for what, text in (("200 rules", many(200)), ("200 rules under one wildcard", many(200, "*.example.com"))):
        rc, a = ask(text)
        hosts = {f["where"] for f in a["findings"] if f["category"] == "exfiltration"}
        t.ok(rc == 1 and a["unknown"] is None and len(hosts) >= 200, f"{what}: answered", rc, a["unknown"], len(hosts))
    limits_of(t)
    t.done()


if __name__ == "__main__":
    main()
