#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's GPUs as its driver describes them, without one: its texts in /proc, parts of a GPU (MIG), what its library adds to
`gpu list`, and a program that computes on one GPU and finds no other. Libraries and texts are stand-ins (tests/system/gpu,
tests/gpus.py); test_gpu_hardware.py runs the same program where there is a GPU."""
import json
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from lib import BUILD, Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
UUIDS = [f"GPU-00000000-0000-0000-0000-00000000000{i}" for i in range(2)]
PARTS = {(1, None): 21, (1, 0): 22, (2, None): 30, (2, 0): 31}
CAPS = {f"nvidia-caps/nvidia-cap{m}": (238, m) for m in (1, 2, *PARTS.values())}
LOOK = """
import os
def let_through(path):
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as e:
        return e.errno == 6
found = [os.path.join(top, f) for top, _, names in os.walk("/dev") for f in names if f.startswith("nvidia")]
print(*sorted(p[5:] for p in found if let_through(p)), sep="\\n")
"""
COMMON = ["nvidia-uvm", "nvidia-uvm-tools", "nvidiactl"]


class Machine:
    def __init__(self, d):
        self.d, self.w = d, d.work
        self.libs = gpus.standins(d.work.work)
        self.tool = os.path.join(d.work.work, "gpu_use")
        shutil.copy(os.path.join(BUILD, "tests/tools/gpu_use"), self.tool)

    def run(self, gpu, *command):
        return run(self.d.command(*command, options=("--gpu", gpu) if gpu else ()), LIMIT)

    def nodes(self, gpu):
        r = self.run(gpu, "python3", "-c", LOOK)
        return r[1].split() if r[0] == 0 else r

    def use(self, gpu):
        rc, out, err = self.run(gpu, self.tool, self.libs["nvml"], self.libs["cuda"])
        return rc, gpus.used(out), err

    def list(self, *args, library=False):
        env = {**os.environ, "LD_LIBRARY_PATH": self.w.work} if library else None
        return run([OSHCTL, "gpu", "list", "--socket", self.d.bus, *args], LIMIT, env=env)

    def rows(self, **kw):
        rc, out, err = self.list("--json", **kw)
        return {g["name"]: g for g in json.loads(out)} if rc == 0 else {"error": err}


def t_texts(t, m):
    got = m.rows()
    t.ok(list(got) == ["nvidia0", "nvidia0:1:0", "nvidia0:2:0", "nvidia1"], "whole GPUs and their parts", got)
    t.ok(got["nvidia1"]["uuid"] == UUIDS[1] and got["nvidia1"]["model"] == "NVIDIA Stand-in 1" and got["nvidia1"]["pci"] == "0000:02:00.0" and
         got["nvidia1"]["driver"] == "nvidia 535.129.03" and got["nvidia1"]["kind"] == "gpu", "each with what the driver says of it", got["nvidia1"])
    t.ok(got["nvidia0:1:0"]["kind"] == "part" and got["nvidia0:1:0"]["driver"] == "nvidia 535.129.03", "parts too", got["nvidia0:1:0"])
    rc, out, err = m.list()
    row = re.search(r"^nvidia1 .*$", out, re.M)
    t.ok(rc == 0 and row and all(x in row.group(0) for x in ("free", "NVIDIA Stand-in 1", "nvidia 535.129.03", UUIDS[1])),
         "for people: model, driver and UUID", out, err)
    t.ok("memory" not in got["nvidia1"] and "used" not in out, "without the driver's library nothing is said of memory", got["nvidia1"], out)


def t_library(t, m):
    """In the caller's process, found as its dynamic linker finds it."""
    got = m.rows(library=True)
    t.ok(got["nvidia1"].get("memory") == 8 << 30 and got["nvidia1"].get("memory-used") == 2 << 30 and
         got["nvidia1"].get("driver-version") == "999.42", "with it, memory and the version that it says", got["nvidia1"])
    t.ok("memory" not in got["nvidia0:1:0"], "of a part, whose UUID is not known, it is not asked", got["nvidia0:1:0"])
    rc, out, err = m.list(library=True)
    t.ok(rc == 0 and f"{UUIDS[0]}, 1024 of 8192 MiB used" in out, "for people as well", out, err)


def t_names(t, m):
    for name in (UUIDS[1], "0000:02:00.0", "nvidia1"):
        got = m.nodes(name)
        t.ok(got == sorted(["nvidia1", *COMMON]), f"'{name}' is that GPU, and its capabilities are nobody's", got)


def t_parts(t, m):
    got = m.nodes("nvidia0:1:0")
    t.ok(got == sorted(["nvidia0", "nvidia-caps/nvidia-cap21", "nvidia-caps/nvidia-cap22", *COMMON]), "a part: its two capabilities, and the GPU's node", got)

    def create(name, gpu):
        return run([OSHCTL, "sandbox", "create", "--socket", m.d.bus, "-n", name, "-p", m.w.policy, "-w", m.w.work, "--gpu", gpu], LIMIT)
    t.ok(create("one", "nvidia0:1:0")[0] == 0, "a sandbox has a part")
    r = m.run("nvidia0:1:0", "true")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "which nobody else gets", r)
    r = m.run("nvidia0", "true")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "nor the whole GPU meanwhile", r)
    got = m.nodes("nvidia0:2:0")
    t.ok(got == sorted(["nvidia0", "nvidia-caps/nvidia-cap30", "nvidia-caps/nvidia-cap31", *COMMON]), "the other part is free, and has other capabilities", got)
    run([OSHCTL, "sandbox", "delete", "-f", "--socket", m.d.bus, "one"], LIMIT)
    t.ok(create("whole", "nvidia0")[0] == 0, "when it has gone the whole GPU is free")
    r = m.run("nvidia0:2:0", "true")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "and then no part of it is", r)
    run([OSHCTL, "sandbox", "delete", "-f", "--socket", m.d.bus, "whole"], LIMIT)


def t_program(t, m):
    rc, got, err = m.use("nvidia1")
    t.ok(rc == 0 and got["cuda"] == {UUIDS[1]: "ok"}, "a program computes on the GPU that was given, and finds no other", rc, got, err)
    t.ok(got["nvml"] == {UUIDS[1]: "ok", "-": "error=4"}, "of the other the driver's library says that it is not permitted", got)
    rc, got, err = m.use("2")
    t.ok(rc == 0 and got["cuda"] == {u: "ok" for u in UUIDS}, "with both it works with both", rc, got, err)
    rc, got, err = m.use(None)
    t.ok(rc == 1 and got["cuda"] == {"-": "error=100"} and got["nvml"].get("-", "").startswith("error="), "without one there is none", rc, got, err)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("NVIDIA's texts", "needs root")
        t.done()
    gpus.machine({**gpus.NODES, **CAPS})
    gpus.driver([(UUIDS[0], PARTS), (UUIDS[1], {})])
    with Work(BASE_POLICY) as w, Daemon(w) as d:
        m = Machine(d)
        for case in (t_texts, t_library, t_names, t_parts, t_program):
            case(t, m)
    t.done()


if __name__ == "__main__":
    main()
