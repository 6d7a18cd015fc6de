#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPUs whose driver speaks DRM, as sysfs tells of them: a device has the nodes of its PCI device in /dev/dri and no others, one of
AMD's /dev/kfd as well, and one of NVIDIA's its own nodes besides. The devices and sysfs' links are made up: an open that is let
through says ENXIO, as no driver answers."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
CARDS = [                       # PCI device, driver, number of its nodes
    ("0000:03:00.0", "amdgpu", 0), ("0000:04:00.0", "amdgpu", 1), ("0000:05:00.0", "i915", 2), ("0000:01:00.0", "nvidia", 3)]
DRI = {f"dri/{kind}": (226, minor) for i in range(4) for kind, minor in ((f"card{i}", 500 + i), (f"renderD{128 + i}", 540 + i))}
NODES = {**DRI, "kfd": (505, 0), **{n: gpus.NODES[n] for n in ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")}}
LOOK = f"""
import errno, os
for n in {sorted(NODES)!r}:
    try:
        os.close(os.open("/dev/" + n, os.O_RDWR))
        print(n, "OPEN")
    except OSError as e:
        print(n, errno.errorcode[e.errno])
"""


def sysfs():
    """/sys/class/drm as these drivers would have it."""
    gpus.sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/sys/class")
    for pci, driver, i in CARDS:
        device = f"/sys/class/devices/{pci}"
        os.makedirs(device)
        os.symlink(f"../../drivers/{driver}", device + "/driver")
        for node in (f"card{i}", f"renderD{128 + i}"):
            os.makedirs(f"/sys/class/drm/{node}")
            os.symlink(f"../../devices/{pci}", f"/sys/class/drm/{node}/device")


def t_each(t, d):
    def has(gpu):
        rc, out, err = run([OSHCTL, "run", "--socket", d.bus, "-p", d.work.policy, "-w", d.work.work, *(["--gpu", gpu] if gpu else []), "--",
                            "python3", "-c", LOOK], LIMIT)
        said = dict(ln.split() for ln in out.splitlines())
        through = sorted(n for n, how in said.items() if how != "ENOENT")
        return through, rc == 0 and len(said) == len(NODES) and all(said[n] == "ENXIO" for n in through), err or out

    def only(gpu, *nodes):
        got, good, text = has(gpu)
        t.ok(good and got == sorted(nodes), f"{gpu or 'none'}: {', '.join(nodes) or 'no node'}, and nothing else", got, text)

    only(None)
    only("renderD128", "dri/card0", "dri/renderD128", "kfd")
    only("renderD129", "dri/card1", "dri/renderD129", "kfd")
    only("renderD130", "dri/card2", "dri/renderD130")
    only("nvidia0", "dri/card3", "dri/renderD131", "nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
    only("renderD128,renderD130", "dri/card0", "dri/renderD128", "dri/card2", "dri/renderD130", "kfd")
    only("all", *NODES)


def t_list(t, d):
    rc, out, err = run([OSHCTL, "gpu", "list", "--json", "--socket", d.bus], LIMIT)
    got = {g["name"]: (g.get("pci"), g.get("driver")) for g in json.loads(out)} if rc == 0 else err
    t.ok(list(got) == ["nvidia0", "renderD128", "renderD129", "renderD130"], "one device for each PCI device: NVIDIA's render node is no other one", got)
    t.ok(got["renderD128"] == ("0000:03:00.0", "amdgpu") and got["renderD130"] == ("0000:05:00.0", "i915"), "with PCI device and driver", got)


def t_two(t, d):
    """/dev/kfd is all users' of that driver: each of two has it, and opens its own render node alone."""
    create = [OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "one", "-p", d.work.policy, "-w", d.work.work, "--gpu", "renderD128"]
    rc, _, err = run(create, LIMIT)
    t.ok(rc == 0, "a sandbox has one of AMD's", err)
    rc, out, err = run([OSHCTL, "run", "--socket", d.bus, "-p", d.work.policy, "-w", d.work.work, "--gpu", "renderD129", "--", "python3", "-c", LOOK], LIMIT)
    said = dict(ln.split() for ln in out.splitlines())
    t.ok(rc == 0 and said.get("kfd") == said.get("dri/renderD129") == "ENXIO" and said.get("dri/renderD128") == said.get("dri/card0") == "ENOENT",
         "beside it another has the other one", out, err)
    run([OSHCTL, "sandbox", "delete", "-f", "one", "--socket", d.bus], LIMIT)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("GPUs with DRM", "needs root")
        t.done()
    gpus.machine(NODES)
    sysfs()
    gpus.driver([("GPU-5c1f0000-0000-0000-0000-000000000000", {})])
    with Work() as w, Daemon(w) as d:
        t_list(t, d)
        t_each(t, d)
        t_two(t, d)
    t.done()


if __name__ == "__main__":
    main()
