#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every console example of docs/policy.md says what the program says; a line of three dots stands for any lines."""
import os
import re
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
build = os.path.join(root, os.environ.get("OSH_BUILD", "build"))
text = open(os.path.join(root, "docs/policy.md"), encoding="utf-8").read()
examples = re.findall(r"```console\n\$ oshctl (.*)\n((?:.*\n)*?)```", text)
bad = 0
for n, (args, want) in enumerate(examples, 1):
    got = subprocess.run(f"{build}/oshctl {args}", shell=True, cwd=root, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, timeout=60, check=False).stdout.decode()
    pattern = "".join("(?:.*\n)*?" if line == "\u2026\n" else re.escape(line) for line in want.splitlines(True))
    good = re.fullmatch(pattern, got)
    bad += not good
    print("ok" if good else "not ok", n, "- oshctl", args.split("'")[0])
    if not good:
        print("# " + got.replace("\n", "\n# "))
print("not ok" if len(examples) < 2 else "ok", len(examples) + 1, "- there are examples")
print(f"1..{len(examples) + 1}")
sys.exit(bool(bad) or len(examples) < 2)
