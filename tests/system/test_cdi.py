#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CDI specifications: of several vendors, as their tools write them; malformed ones, which name the field; what none of them gets."""
import copy
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 240
LOOK = """
import os, errno
for top, dirs, files in os.walk("/dev"):
    for f in files:
        p = os.path.join(top, f)
        if f in ("null", "zero", "full", "random", "urandom", "tty") or os.path.islink(p) or "/pts" in top or "/osh" in top:
            continue
        for how, flags in (("r", os.O_RDONLY), ("w", os.O_WRONLY)):
            try:
                os.close(os.open(p, flags))
            except OSError as e:
                print(p, how, errno.errorcode[e.errno])
print("ENV", sorted(k + "=" + v for k, v in os.environ.items() if k.startswith("CDI_") or k == "LD_LIBRARY_PATH"))
try:
    print("FILE", open("/opt/driver/lib/libx.so").read().strip())
    open("/opt/driver/lib/libx.so", "w")
except OSError as e:
    print("FILE", errno.errorcode[e.errno])
"""
NODES = {**gpus.NODES, "nvidia-caps/nvidia-cap21": (238, 21), "nvidia-caps/nvidia-cap22": (238, 22),
         "nvidia-caps/nvidia-cap30": (238, 30), "nvidia-caps/nvidia-cap31": (238, 31), "dri/card0": (226, 500),
         "dri/renderD128": (226, 501), "dri/card1": (226, 502), "dri/renderD129": (226, 503), "kfd": (505, 0),
         "accel/accel0": (507, 0), "other/x": (506, 7)}
NVIDIA = """---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
      major: 195
      minor: 1
      permissions: rw
- name: "1:0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
    - path: /dev/nvidia-caps/nvidia-cap21
    - path: /dev/nvidia-caps/nvidia-cap22
- name: "1:1"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
    - path: /dev/nvidia-caps/nvidia-cap30
    - path: /dev/nvidia-caps/nvidia-cap31
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
containerEdits:
  env:
  - CDI_DRIVER=nvidia
  deviceNodes:
  - path: /dev/nvidiactl
  - path: /dev/nvidia-uvm
  - path: /dev/nvidia-uvm-tools
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib]
  mounts:
  - hostPath: LIB
    containerPath: /opt/driver/lib/libx.so
    options: [ro, nosuid, nodev, bind]
"""
AMD = {"cdiVersion": "0.6.0", "kind": "amd.com/gpu", "devices": [
    {"name": str(i), "containerEdits": {"deviceNodes": [
        {"path": "/dev/kfd", "hostPath": "/dev/kfd", "type": "c", "permissions": "rw"},
        {"path": f"/dev/dri/card{i}", "permissions": "rw"}, {"path": f"/dev/dri/renderD{128 + i}", "permissions": "rwm"}]}}
    for i in range(2)], "containerEdits": {}}
INTEL = {"cdiVersion": "0.5.0", "kind": "intel.com/npu", "annotations": {"made": "by hand"}, "devices": [
    {"name": "n0", "annotations": {}, "containerEdits": {
        "env": ["CDI_NPU=n0", "LD_LIBRARY_PATH=/opt/driver"],
        "deviceNodes": [{"path": "/dev/accel/accel0", "permissions": "r", "fileMode": 438, "uid": 0, "gid": 0}]}}]}
OTHER = {"cdiVersion": "0.3.0", "kind": "vendor.example/dev.ice", "devices": [
    {"name": "x", "containerEdits": {"deviceNodes": [{"path": "/dev/renamed", "hostPath": "/dev/other/x"}]}}]}
ONE = {"cdiVersion": "0.6.0", "kind": "vendor.example/bad", "devices": [
    {"name": "x", "containerEdits": {"deviceNodes": [{"path": "/dev/other/x"}],
                                     "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/opt/x"}], "env": ["A=b"],
                                     "hooks": [{"hookName": "prestart", "path": "/bin/true"}]}}]}
# Where the value is put, what, and the field that the message names.
BAD = [
    ("cdiVersion", "9.0.0", "cdiVersion"), ("cdiVersion", None, "cdiVersion"), ("kind", "novendor", "kind"), ("kind", 5.5, "kind"),
    ("kinds", "x", "kinds: unknown field"), ("devices", {}, "devices: must be a list"),
    ("devices.0.name", "a b", "devices[0].name"), ("devices.0.name", None, "devices[0].name: is missing"),
    ("devices.0.containerEdits", None, "devices[0].containerEdits: is missing"),
    ("devices.0.containerEdits.gpus", 1, "devices[0].containerEdits.gpus: unknown field"),
    ("devices.0.containerEdits.deviceNodes.0.path", "/etc/shadow", "devices[0].containerEdits.deviceNodes[0].path"),
    ("devices.0.containerEdits.deviceNodes.0.path", "/dev/../dev/mem", "deviceNodes[0].path"),
    ("devices.0.containerEdits.deviceNodes.0.path", "dev/other/x", "deviceNodes[0].path"),
    ("devices.0.containerEdits.deviceNodes.0.hostPath", "/etc/hostname", "deviceNodes[0]: '/etc/hostname' is no character device"),
    ("devices.0.containerEdits.deviceNodes.0.type", "b", "deviceNodes[0].type"),
    ("devices.0.containerEdits.deviceNodes.0.major", 1, "deviceNodes[0]: '/dev/other/x' is 506:7"),
    ("devices.0.containerEdits.deviceNodes.0.minor", "x", "deviceNodes[0].minor"),
    ("devices.0.containerEdits.deviceNodes.0.permissions", "rx", "deviceNodes[0].permissions"),
    ("devices.0.containerEdits.mounts.0.hostPath", "/no/such", "mounts[0]: '/no/such'"),
    ("devices.0.containerEdits.mounts.0.containerPath", None, "mounts[0].containerPath: is missing"),
    ("devices.0.containerEdits.mounts.0.options", ["rw"], "mounts[0].options[0]"),
    ("devices.0.containerEdits.mounts.0.type", "tmpfs", "mounts[0].type"),
    ("devices.0.containerEdits.env.0", "NOVALUE", "env[0]"), ("devices.0.containerEdits.env", "A=b", "env: must be a list"),
    ("devices.0.containerEdits.additionalGids", [0], "additionalGids"), ("devices.0.containerEdits.netDevices", [], "netDevices"),
]


def changed(spec, where, value):
    spec = copy.deepcopy(spec)
    at, (*way, last) = spec, [int(k) if k.isdigit() else k for k in where.split(".")]
    for k in way:
        at = at[k]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return spec


class Machine:
    def __init__(self, d):
        self.d = d

    def run(self, gpu, code=LOOK, policy=""):
        w = self.d.work
        p = w.write("gpu.yaml", BASE_POLICY + policy)
        return run([OSHCTL, "run", "--socket", self.d.bus, "-p", p, "-w", w.work, "--gpu", gpu, "--", "python3", "-c", code], LIMIT)

    def list(self):
        rc, out, err = run([OSHCTL, "gpu", "list", "--json", "--socket", self.d.bus], LIMIT)
        return {g["name"]: g for g in json.loads(out)} if rc == 0 else {}, err


def nodes(r):
    """{node: what opening it for reading and writing gave}"""
    found = {}
    for ln in r[1].splitlines():
        if ln.startswith("/dev/"):
            path, how, what = ln.split()
            found.setdefault(path[5:], {})[how] = what
    return found


def let(*names):
    return {n: {"r": "ENXIO", "w": "ENXIO"} for n in names}


def t_vendors(t, m):
    common = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
    got, err = m.list()
    want = {"nvidia.com/gpu=0", "nvidia.com/gpu=1:0", "nvidia.com/gpu=all", "amd.com/gpu=1", "intel.com/npu=n0",
            "vendor.example/dev.ice=x"}
    t.ok(want <= set(got), "the list has the devices of all vendors", sorted(got), err)
    t.ok("hooks are not run" in err and "nvidia.yaml" in err, "and says that hooks are not run", err)
    r = m.run("nvidia.com/gpu=0")
    t.ok(r[0] == 0 and nodes(r) == let("nvidia0", *common), "NVIDIA's, in YAML: the nodes of one device, and of all", r)
    t.ok("FILE driver" in r[1] and "FILE EROFS" in r[1], "its file, for reading", r)
    t.ok("CDI_DRIVER=nvidia" in r[1], "its variable", r)
    r = m.run("amd.com/gpu=1")
    t.ok(r[0] == 0 and nodes(r) == let("kfd", "dri/card1", "dri/renderD129"), "AMD's, in JSON", r)
    r = m.run("intel.com/npu=n0")
    t.ok(r[0] == 0 and nodes(r) == {"accel/accel0": {"r": "ENXIO", "w": "EPERM"}}, "rights are those of the specification", r)
    t.ok("CDI_NPU=n0" in r[1] and "LD_LIBRARY_PATH=/opt/driver" in r[1], "variables in every command", r)
    r = m.run("vendor.example/dev.ice=x")
    t.ok(r[0] == 0 and nodes(r) == let("renamed"), "another name inside than outside", r)
    r = m.run("nvidia.com/gpu=0,amd.com/gpu=0")
    t.ok(r[0] == 0 and nodes(r) == let("nvidia0", *common, "kfd", "dri/card0", "dri/renderD128"), "of two vendors at once", r)


def t_alone(t, m):
    w = m.d.work

    def create(name, gpu):
        return run([OSHCTL, "sandbox", "create", "--socket", m.d.bus, "-n", name, "-p", w.policy, "-w", w.work, "--gpu", gpu], LIMIT)

    t.ok(create("part", "nvidia.com/gpu=1:0")[0] == 0, "a part of a GPU")
    r = m.run("nvidia.com/gpu=1:0")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "is one sandbox's alone", r)
    r = m.run("nvidia.com/gpu=1:1")
    t.ok(r[0] == 0 and "nvidia-caps/nvidia-cap30" in nodes(r) and "nvidia-caps/nvidia-cap21" not in nodes(r),
         "another part is another's", r)
    for whole in ("nvidia.com/gpu=1", "nvidia1", "nvidia.com/gpu=all"):
        r = m.run(whole)
        t.ok(r[0] == 125 and "another sandbox's" in r[2], f"nobody has the whole meanwhile ({whole})", r)
    t.ok(m.run("nvidia.com/gpu=0")[0] == 0, "what is of the driver is nobody's")
    run([OSHCTL, "sandbox", "delete", "-f", "part", "--socket", m.d.bus], LIMIT)
    t.ok(m.run("nvidia.com/gpu=1")[0] == 0, "afterwards the whole is free")


def t_malformed(t, m):
    missing = []
    for where, value, field in BAD:
        gpus.spec("zz-bad.json", changed(ONE, where, value) if "." in where or value is None or where in ONE else {**ONE, where: value})
        got, err = m.list()
        if "vendor.example/bad=x" in got or field not in err or "zz-bad.json:" not in err or "intel.com/npu=n0" not in got:
            missing.append((where, value, err))
    t.ok(not missing, f"{len(BAD)} malformed ones name file and field, and leave the others", *missing)
    r = m.run("vendor.example/bad=x")
    t.ok(r[0] == 125 and "zz-bad.json" in r[2], "who asks for such a device hears why it is not there", r)
    for text in ("", "[", "a: &x 1\n", "{}", "\0", '{"cdiVersion": "0.5.0"', "- 1\n"):
        gpus.spec("zz-bad.json", text)
        got, err = m.list()
        t.ok("intel.com/npu=n0" in got and "zz-bad.json" in err, f"{text!r} is no specification", err)
    gpus.spec("zz-bad.json", ONE)
    t.ok("vendor.example/bad=x" in m.list()[0], "well formed it is one")
    r = m.run("vendor.example/bad=x", "print(open('/opt/x').read() == open('/opt/x').read())")
    t.ok(r[0] == 0 and "True" in r[1], "and gives what it says", r)


def t_whose(t, m):
    path = os.path.join(gpus.CDI, "zz-bad.json")
    for what, change, back in (("group may write", lambda: os.chmod(path, 0o664), lambda: os.chmod(path, 0o644)),
                               ("is a user's", lambda: os.chown(path, 1000, 1000), lambda: os.chown(path, 0, 0))):
        change()
        got, err = m.list()
        t.ok("vendor.example/bad=x" not in got and "root's alone" in err, f"one that {what} counts for nothing", err)
        back()
    gpus.spec("zz-mem.json", changed(changed(ONE, "kind", "vendor.example/mem"), "devices.0.containerEdits.deviceNodes.0",
                                     {"path": "/dev/mem", "hostPath": "/dev/null"}))
    got, err = m.list()
    t.ok("intel.com/npu=n0" in got and "deviceNodes[0]: '/dev/null' is memory" in err,
         "memory and its like are nobody's, whatever a specification says", err)
    gpus.spec("zz-mem.json", changed(changed(ONE, "kind", "vendor.example/mem"), "devices.0.containerEdits.mounts.0.containerPath",
                                     "/usr/lib/osh-x"))
    r = m.run("vendor.example/mem=x")
    t.ok(r[0] == 125 and "listed tree" in r[2], "nothing is hidden by its mounts", r)
    os.unlink(os.path.join(gpus.CDI, "zz-mem.json"))


def t_hooks(t, m):
    """Of every kind, by programs that would leave a trace: one of root's, and one that the sandbox itself has in its directory."""
    w, kinds = m.d.work, ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    trace = os.path.join(w.work, "hook-ran")
    hooks = []
    for name in (os.path.join(w.dir, "hook-of-root"), os.path.join(w.work, "hook-of-its-own")):
        with open(name, "w") as f:
            f.write(f"#!/bin/sh\necho $0 >> {trace}\n")
        os.chmod(name, 0o755)
        hooks += [{"hookName": k, "path": name, "args": [name], "timeout": 5} for k in kinds]
    gpus.spec("zz-hooks.json", {**ONE, "kind": "vendor.example/hooks", "containerEdits": {"hooks": hooks},
                                "devices": [{"name": "x", "containerEdits": {"hooks": hooks, "env": ["HOOKED=1"]}}]})
    got, err = m.list()
    t.ok("vendor.example/hooks=x" in got and "hooks are not run" in err and "zz-hooks.json" in err, "a device with hooks is one, and the list says that they are not run", err)
    r = m.run("vendor.example/hooks=x", "import os; print(os.environ['HOOKED'])")
    t.ok(r[0] == 0 and "1" in r[1].split() and not os.path.exists(trace), "its other edits count, and no hook of any kind was run, whosever it is",
         r, os.path.exists(trace) and open(trace).read())
    os.unlink(os.path.join(gpus.CDI, "zz-hooks.json"))


def t_planted(t, m):
    """Specifications that a sandbox could write: in its directory, and where a link of root's leads there."""
    w = m.d.work
    text = json.dumps({**ONE, "kind": "vendor.example/planted"})
    for place in ("etc/cdi", "run/cdi", ".config/cdi", "."):
        at = os.path.join(w.work, place)
        os.makedirs(at, exist_ok=True)
        with open(os.path.join(at, "planted.json"), "w") as f:
            f.write(text)
        os.chown(os.path.join(at, "planted.json"), 1000, 1000)
    link = os.path.join(gpus.CDI, "zz-link.json")
    os.symlink(os.path.join(w.work, "planted.json"), link)
    got, err = m.list()
    t.ok("vendor.example/planted=x" not in got and "intel.com/npu=n0" in got, "what lies in a sandbox' directory is no specification, nor by a link", sorted(got), err)
    r = m.run("vendor.example/planted=x")
    t.ok(r[0] == 125 and "vendor.example/planted=x" in r[2], "and gives nothing", r)
    os.unlink(link)


def main():
    if os.geteuid():
        print("1..0 # SKIP needs root")
        return 0
    t = Tap()
    gpus.machine(NODES)
    with Work() as w, Daemon(w) as d:
        lib = w.write("libx.so", "driver\n")
        gpus.spec("nvidia.yaml", NVIDIA.replace("LIB", lib))
        gpus.spec("amd.json", AMD)
        gpus.spec("intel.json", INTEL)
        gpus.spec("other.json", OTHER)
        m = Machine(d)
        for step in (t_vendors, t_alone, t_malformed, t_whose, t_hooks, t_planted):
            step(t, m)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
