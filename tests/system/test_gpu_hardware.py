#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real GPU of NVIDIA's: a program computes on the one that its sandbox was given, and can use no other (tests/tools/gpu_use.c, by
the driver's own libraries). Skips, and says why, where there is none, or where the program does not work outside of a sandbox
either. test_gpu_driver.py runs the same program with stand-ins, everywhere."""
import glob
import json
import os
import re
import shutil
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from lib import BUILD, Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
NAMES = {"nvml": "libnvidia-ml.so.1", "cuda": "libcuda.so.1"}
USUAL = ["/usr", "/lib", "/lib64"]


def cards():
    """Nodes that a driver answers for."""
    found = [n for n in glob.glob("/dev/nvidia[0-9]*") if stat.S_ISCHR(os.stat(n).st_mode)]
    return sorted(n for n in found if os.access(n, os.R_OK | os.W_OK))


def library(name):
    """As the dynamic linker of a program outside finds it."""
    for d in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        if d and os.path.exists(os.path.join(d, name)):
            return os.path.realpath(os.path.join(d, name))
    m = re.search(rf"^\s*{re.escape(name)} \(.*x86-64.*\) => (\S+)$", run(["ldconfig", "-p"])[1], re.M)
    return os.path.realpath(m.group(1)) if m else None


def lacks():
    """Why there is nothing to be tested here, and else the libraries and what works outside."""
    if os.geteuid():
        return "needs root", None, None
    if not cards():
        return "this machine has no GPU of NVIDIA's: no /dev/nvidia0", None, None
    if not os.path.exists("/proc/driver/nvidia/version"):
        return "no driver of NVIDIA's is loaded: no /proc/driver/nvidia/version", None, None
    libs = {k: library(n) for k, n in NAMES.items()}
    missing = [NAMES[k] for k, at in libs.items() if not at]
    if missing:
        return "the driver's libraries are not installed: " + ", ".join(missing), None, None
    rc, out, err = run([os.path.join(BUILD, "tests/tools/gpu_use"), libs["nvml"], libs["cuda"]], LIMIT)
    outside = gpus.used(out)
    if rc:
        return f"no GPU works outside of a sandbox either: {outside['cuda'] or out + err}", None, None
    return None, libs, outside


class Machine:
    def __init__(self, d, libs):
        self.d, self.libs = d, libs
        self.tool = os.path.join(d.work.work, "gpu_use")
        shutil.copy(os.path.join(BUILD, "tests/tools/gpu_use"), self.tool)

    def use(self, gpu, execute=None):
        command = [self.tool, self.libs["nvml"], self.libs["cuda"]]
        if execute:
            rc, out, err = run([OSHCTL, "sandbox", "exec", "--socket", self.d.bus, "-T", execute, "--", *command], LIMIT)
        else:
            rc, out, err = run(self.d.command(*command, options=("--gpu", gpu) if gpu else ()), LIMIT)
        return rc, gpus.used(out), out + err

    def rows(self):
        return json.loads(run([OSHCTL, "gpu", "list", "--json", "--socket", self.d.bus], LIMIT)[1] or "[]")


def policy(libs):
    """The driver's libraries may lie where no distribution puts them."""
    more = sorted({d for d in map(os.path.dirname, libs.values()) if not d.startswith(tuple(u + "/" for u in USUAL))})
    return BASE_POLICY.replace("read_only: [", "read_only: [" + "".join(p + ", " for p in more))


def main():
    t = Tap()
    why, libs, outside = lacks()
    if why:
        t.skip("a program computes on a GPU in a sandbox", why)
        t.done()
    works = [u for u, how in outside["cuda"].items() if how == "ok"]
    with Work(policy(libs)) as w, Daemon(w) as d:
        m = Machine(d, libs)
        rows = {g["uuid"]: g for g in m.rows()}
        t.ok(set(works) <= set(rows), "the list has every GPU that works", rows, outside)
        mine = rows.get(works[0], {})
        t.ok(mine.get("driver", "").startswith("nvidia ") and mine.get("memory", 0) > 0, "with its driver, and its memory by the driver's library", mine)
        rc, got, text = m.use(works[0])
        t.ok(rc == 0 and got["cuda"] == {works[0]: "ok"}, "a program computes on the GPU that was given, and finds no other", text)
        t.ok(got["nvml"].get(works[0]) == "ok" and [u for u, how in got["nvml"].items() if how == "ok"] == [works[0]],
             "and the driver's library opens no other", text)
        rc, got, text = m.use(None)
        t.ok(rc == 1 and "ok" not in [*got["cuda"].values(), *got["nvml"].values()], "without one no GPU can be used", text)
        rc, _, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "has", "-p", w.policy, "-w", w.work, "--gpu", works[0]], LIMIT)
        t.ok(rc == 0 and m.use(None, "has")[0] == 0, "a sandbox has it", err)
        rc, _, text = m.use(works[0])
        t.ok(rc == 125 and "another sandbox's" in text, "another does not get it meanwhile", text)
        if len(works) > 1:
            rc, got, text = m.use(works[1])
            t.ok(rc == 0 and got["cuda"] == {works[1]: "ok"}, "beside it, one has another GPU, and that alone", text)
        else:
            t.skip("two sandboxes with a GPU each", "this machine has one GPU")
        run([OSHCTL, "sandbox", "delete", "-f", "--socket", d.bus, "has"], LIMIT)
        t.ok(m.use(works[0])[0] == 0, "and then it is free")
    t.done()


if __name__ == "__main__":
    main()
