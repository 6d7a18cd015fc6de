#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every console example of docs/policy.md says what the program says; a line of three dots stands for any lines. The
examples of files are files for them, by the name in their first line, and every one has no error."""
import os
import re
import subprocess
import sys
import tempfile

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
build = os.path.join(root, os.environ.get("OSH_BUILD", "build"))
text = open(os.path.join(root, "docs/policy.md"), encoding="utf-8").read()
files = re.findall(r"```yaml\n((?:.*\n)*?)```", text)
blocks = re.findall(r"```console\n((?:.*\n)*?)```", text)
examples = [pair for b in blocks for pair in re.findall(r"\$ oshctl (.*)\n((?:(?!\$ ).*\n)*)", b)]
bad = n = 0


def say(good, what, got=""):
    global bad, n
    n, bad = n + 1, bad + (not good)
    print("ok" if good else "not ok", n, "-", what)
    if not good:
        print("# " + got.replace("\n", "\n# "))


def run(args, cwd):
    return subprocess.run(f"{build}/oshctl {args}", shell=True, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)


with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    os.symlink(os.path.join(root, "tests"), os.path.join(tmp, "tests"))
    for i, body in enumerate(files):
        name = re.match(r"# (\w+\.yaml)\n", body)
        name = name.group(1) if name else f"example{i}.yaml"
        with open(os.path.join(tmp, name), "w", encoding="utf-8") as f:
            f.write(body)
        p = run(f"policy check {name}", tmp)
        say(p.returncode == 0, f"{name} has no error", p.stderr.decode())
    for args, want in examples:
        got = run(args, tmp).stdout.decode()
        pattern = "".join("(?:.*\n)*?" if line == "\u2026\n" else re.escape(line) for line in want.splitlines(True))
        say(re.fullmatch(pattern, got), "oshctl " + args, got)
say(len(examples) >= 5 and len(files) >= 3, "there are examples")
print(f"1..{n}")
sys.exit(bool(bad))
