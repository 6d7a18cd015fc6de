#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The package under a real systemd, in namespaces on this kernel: tests/vm/systemd/test_package.py, which the virtual machine
runs too."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT  # noqa: E402
from sdbox import Box  # noqa: E402

TEST = os.path.join(ROOT, "tests/vm/systemd/test_package.py")

if os.path.basename(BUILD) != "build":
    print("1..0 # SKIP a build for tests is never packed")
    sys.exit(77)
p = subprocess.run([f"{ROOT}/dist/deb"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
if p.returncode:
    print(f"1..1\nnot ok 1 - the package is built\n# {p.stdout}")
    sys.exit(1)
lines = 0
with Box() as box:
    for n in range(1, 4):
        status, out, err = box.run(TEST, timeout=550, env={"OSH_BOOT": str(n), "PYTHONDONTWRITEBYTECODE": "1"})
        for line in out.splitlines():       # one count for all boots
            m = re.match(r"(not ok|ok) \d+ (.*)", line)
            lines += bool(m)
            print(f"{m.group(1)} {lines} {m.group(2)}" if m else line if line.startswith("#") else "# " + line)
        if err:
            print("# " + err.replace("\n", "\n# "))
        if status != 75:
            break
        box.halt()
        box.boot()
        print("# rebooted")
print(f"1..{lines}")
sys.exit(status)
