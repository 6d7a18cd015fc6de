#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A caller without rights swaps a symbolic link and a directory under a listed path while root builds his
sandbox: nothing is made outside of it. (Root once made the directories of the view through such a link.)"""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from osh import OSHCTL, Daemon, Work  # noqa: E402

UID = 1777
PADS = 120                      # listed paths between the two, so that the swap falls between them
SECONDS = 6
MOST_SECONDS = 90               # until the race was met, on a slow processor
RENAMEAT2, AT_FDCWD, EXCHANGE = 316, -100, 2

POLICY = """version: 1
filesystem_policy:
  include_workdir: true
  read_only: [/usr, /lib, /lib64, /bin, {mine}/a/x{pads}, {mine}/a/made/below]
landlock: {{compatibility: best_effort}}
"""


def give(path):
    for at, _, _ in os.walk(path):
        os.chown(at, UID, UID)


def swap(mine, stop):
    libc = ctypes.CDLL(None)
    while not stop.is_set():
        libc.syscall(RENAMEAT2, AT_FDCWD, f"{mine}/a".encode(), AT_FDCWD, f"{mine}/link".encode(), EXCHANGE)
        time.sleep(0.0003)


def main():
    t = Tap()
    base = tempfile.mkdtemp(prefix="osh-link.", dir="/var/tmp" if os.path.isdir("/var/tmp") else None)
    os.chmod(base, 0o755)
    mine, root_s = os.path.join(base, "mine"), os.path.join(base, "roots")
    os.makedirs(os.path.join(root_s, "x"))
    os.makedirs(os.path.join(mine, "a/made/below"))
    os.makedirs(os.path.join(mine, "a/x"))
    for i in range(PADS):
        os.mkdir(f"{mine}/pad{i}")
    give(mine)
    os.symlink(root_s, f"{mine}/link")
    os.lchown(f"{mine}/link", UID, UID)
    stop, kinds = threading.Event(), set()
    text = POLICY.format(mine=mine, pads="".join(f", {mine}/pad{i}" for i in range(PADS)))
    racer = threading.Thread(target=swap, args=(mine, stop))
    try:
        with Work(text) as w, Daemon(w) as d:
            os.chown(w.work, UID, UID)
            racer.start()
            began = time.monotonic()
            while (time.monotonic() < began + (SECONDS if len(kinds) > 1 else MOST_SECONDS) and
                   os.listdir(root_s) == ["x"]):
                p = subprocess.run(["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", OSHCTL, "run",
                                    "--socket", d.bus, "-p", w.policy, "--workdir", w.work, "--", "/bin/true"],
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
                kinds.add(p.returncode)
        t.ok(kinds <= {0, 125} and len(kinds) == 2, "the race is met: some starts are refused, others not", kinds)
        t.ok(os.listdir(root_s) == ["x"], "root made nothing through the link", os.listdir(root_s))
    finally:
        stop.set()
        if racer.ident:
            racer.join()
        shutil.rmtree(base)
    t.done()


if __name__ == "__main__":
    main()
