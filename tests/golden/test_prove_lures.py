#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each row of lures.def: a policy by which one of its files may be written has the finding, and says who runs it."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import WORK, Tap, prove  # noqa: E402

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../userspace/prove/lures.def")


def file_of(glob):
    """One that the first of its patterns means."""
    while "{" in glob:
        glob = re.sub(r"\{([^{},]*)[^{}]*\}", r"\1", glob)
    path = glob if glob.startswith("/") else f"{WORK}/{glob}"
    return path.replace("**", "d").replace("*", "w")


def says(path):
    a = prove(f"version: 1\nfilesystem_policy: {{read_only: [/usr], read_write: ['{path}']}}\n")[1]
    return [f["says"] for f in a["findings"] if f["category"] == "persistence"], a


def main():
    t = Tap()
    with open(TABLE) as f:
        rows = re.findall(r'^LURE\("([^"]+)",\s*"([^"]+)"\)$', f.read(), re.M)
    t.ok(len(rows) >= 20, "the table is read", len(rows))
    for who, glob in rows:
        said, a = says(file_of(glob))
        t.ok(f"may be written, and is run by {who}" in said and a["unknown"] is None, f"{who}: {file_of(glob)}", a)
    said, a = says("/home/u/neighbour")
    t.ok(not said and a["unknown"] is None, "and what is beside them is none", a)
    t.done()


if __name__ == "__main__":
    main()
