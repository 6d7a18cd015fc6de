#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The locks on devices, each alone in a whole sandbox: with the device program alone a GPU that was not given is EPERM, with the
mount view alone it is not there, with neither it is open, so that the others are seen to be what holds. What was given is let
through by each (ENXIO: no driver answers). And on a volume, which outlives its sandbox, no node works, whoever put it there.
Needs a test build, which is made here."""
import json
import os
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
os.environ["OSH_BUILD"] = "build/test"
import gpus  # noqa: E402
from lib import Tap, run, test_build  # noqa: E402
from osh import OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
INSIDE = """
import errno, os
def said(what, f):
    try:
        f()
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
def made(path, minor):
    os.mknod(path, 0o20666, os.makedev(195, minor))
    try:
        os.open(path, os.O_RDWR)
    finally:
        os.unlink(path)
said("given", lambda: os.open("/dev/nvidia0", os.O_RDWR))
said("other", lambda: os.open("/dev/nvidia1", os.O_RDWR))
said("node-given", lambda: made("/tmp/osh-test-node-given", 0))
said("node-other", lambda: made("/tmp/osh-test-node-other", 1))
"""
ON_VOLUME = """
import errno, os
def said(what, f):
    try:
        f()
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
for name, minor in (("given", 0), ("other", 1)):
    said("open-" + name, lambda: os.open("/vol/" + name, os.O_RDWR))
    said("make-" + name, lambda: os.mknod("/vol/made", 0o20666, os.makedev(195, minor)))
said("link", lambda: os.link("/dev/nvidia0", "/vol/linked"))
"""
# What is left out, and then: of what was given, of what was not, of a node that is made and opened; the event on record.
CASES = [
    ("nothing left out", "", "ENXIO", "ENOENT", ("EPERM", "EACCES"), None),
    ("all but the view", "view", "ENXIO", "EPERM", ("EPERM", "EACCES"), "DEVICE"),
    ("all but the device program", "osh_device", "ENXIO", "ENOENT", ("EPERM", "EACCES"), None),
    ("the device program alone", "all,+netns,+osh_device,+GLOBAL", "ENXIO", "EPERM", ("EPERM",), "DEVICE MKNOD"),
    ("the view alone", "all,+netns,+view", "ENXIO", "ENOENT", ("EACCES",), None),
    ("neither", "all,+netns", "ENXIO", "ENXIO", ("ENXIO",), None),
]


def inside(w, d, name, code):
    """What the lines say, and (reason, object) of each event about a device."""
    w.log = os.path.join(w.dir, name + ".jsonl")
    rc, out, err = run(d.command("python3", "-c", code, options=("--gpu", "nvidia0")), LIMIT)
    events = [o for o in map(json.loads, w.lines()) if o.get("osh", {}).get("event") == "device"]
    return rc, dict(ln.split(" ") for ln in out.splitlines()), [(o["osh"]["reason"], o["file"]["name"]) for o in events], out + err


def t_alone(t, what, off, given, other, node, on_record):
    with Work() as w, Daemon(w, env={"OSH_TEST_OFF": off} if off else None) as d:
        rc, said, events, text = inside(w, d, "log", INSIDE)
        if not t.ok(rc == 0 and len(said) == 4, f"{what}: a sandbox with a GPU runs", text):
            return
        t.ok(said["given"] == given, f"{what}: what was given is let through", text)
        t.ok(said["other"] == other, f"{what}: what was not is {other}", text)
        t.ok(said["node-given"] in node and said["node-other"] in node, f"{what}: a node that is made is {' or '.join(node)}", text)
        want = {("DEVICE", "c 195:1")} if on_record else set()
        if on_record and "MKNOD" in on_record:
            want |= {("MKNOD", "c 195:0"), ("MKNOD", "c 195:1")}
        t.ok(set(events) == want, f"{what}: {'on record by number' if on_record else 'nobody was asked, so no event'}", events, text)


def t_volume(t):
    with Work() as w, Daemon(w) as d:
        rc, _, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "keeps", "-p", w.policy, "-w", w.work, "--gpu", "nvidia0",
                          "--volume", "vol:/vol"], LIMIT)
        execute = [OSHCTL, "sandbox", "exec", "--socket", d.bus, "-T", "keeps", "--"]
        run([*execute, "touch", "/vol/here"], LIMIT)
        found = [p for p, _, names in os.walk(d.state) if "here" in names]
        if not t.ok(rc == 0 and len(found) == 1, "a sandbox with a GPU and a volume", err, found):
            return
        for name, minor in (("given", 0), ("other", 1)):
            gpus.node(os.path.join(found[0], name), 195, minor)
        rc, out, err = run([*execute, "python3", "-c", ON_VOLUME], LIMIT)
        said = dict(ln.split(" ") for ln in out.splitlines())
        t.ok(rc == 0 and said.get("open-given") in ("EACCES", "EPERM") and said.get("open-other") in ("EACCES", "EPERM"),
             "a node that somebody left on a volume opens nothing, not even what was given", out, err)
        t.ok(said.get("make-given") in ("EACCES", "EPERM") and said.get("make-other") in ("EACCES", "EPERM"), "none is made there", out, err)
        t.ok(said.get("link") in ("EXDEV", "EACCES", "EPERM"), "nor does a granted one get there by a link", out, err)
        left = [n for n in os.listdir(found[0]) if stat.S_ISCHR(os.lstat(os.path.join(found[0], n)).st_mode)]
        t.ok(sorted(left) == ["given", "other"], "and for the next sandbox nothing is left there", left)
        run([OSHCTL, "sandbox", "delete", "-f", "--socket", d.bus, "keeps"], LIMIT)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("devices", "needs root")
        t.done()
    test_build(t)
    gpus.machine()
    for case in CASES:
        t_alone(t, *case)
    t_volume(t)
    t.done()


if __name__ == "__main__":
    main()
