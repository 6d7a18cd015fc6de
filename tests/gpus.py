# SPDX-License-Identifier: Apache-2.0
"""A machine with GPUs that nobody has: character devices of NVIDIA's and DRM's numbers in a /dev of this process' own mount
namespace, where no driver answers, so that an open which is let through says ENXIO. And a /run/cdi."""
import atexit
import ctypes
import json
import os
import stat
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
NODES = {"nvidia0": (195, 0), "nvidia1": (195, 1), "nvidiactl": (195, 255), "nvidia-uvm": (511, 0), "nvidia-uvm-tools": (511, 1)}
CDI = "/run/cdi"


def sh(*cmd):
    subprocess.run(cmd, check=True)


def node(path, major, minor):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
    os.chmod(path, 0o666)


def machine(nodes=None, where="/tmp/osh-gpus-dev"):
    """From here on /dev has them. None: NODES."""
    made = not os.path.isdir(CDI)
    os.makedirs(CDI, exist_ok=True)
    pid = os.getpid()
    if made:
        atexit.register(lambda: os.getpid() == pid and os.path.isdir(CDI) and subprocess.run(["umount", CDI], check=False) and
                        os.rmdir(CDI))
    if LIBC.unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    sh("mount", "--make-rprivate", "/")
    where = f"{where}-{pid}"
    os.mkdir(where)
    sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", where)
    for name, numbers in {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
                          **(NODES if nodes is None else nodes)}.items():
        node(os.path.join(where, name), *numbers)
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(where, name))
        if os.path.isdir("/dev/" + name):
            sh("mount", "--rbind", "/dev/" + name, os.path.join(where, name))
    for name, to in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(to, os.path.join(where, name))
    sh("mount", "--move", where, "/dev")
    os.rmdir(where)
    sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", CDI)


def driver(cards, version="535.129.03"):
    """/proc/driver/nvidia as the driver writes it. cards: [(uuid, {(gpu instance, compute instance or None): minor of its capability})]."""
    sh("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/proc/driver")
    put("version", f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Thu Oct  5 11:21:51 UTC 2023\nGCC version:  gcc\n")
    for i, (uuid, parts) in enumerate(cards):
        put(f"gpus/0000:0{i + 1}:00.0/information", f"Model: \t\t NVIDIA Stand-in {i}\nIRQ:   \t\t 16\nGPU UUID: \t {uuid}\n"
            f"Bus Type: \t PCIe\nDevice Minor: \t {i}\n")
        for (gi, ci), minor in parts.items():
            put(f"capabilities/gpu{i}/mig/gi{gi}/" + (f"ci{ci}/" if ci is not None else "") + "access",
                f"DeviceFileMinor: {minor}\nDeviceFileMode: 438\nDeviceFileModify: 1\n")


def put(name, text):
    path = os.path.join("/proc/driver/nvidia", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def standins(where):
    """Libraries as the driver's, of tests/system/gpu: {nvml: path, cuda: path}, by the names that they are loaded by."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "system/gpu")
    made = {"nvml": os.path.join(where, "libnvidia-ml.so.1"), "cuda": os.path.join(where, "libcuda.so.1")}
    for name, path in made.items():
        sh(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-I", top, "-o", path, os.path.join(top, name + ".c"))
        os.chmod(path, 0o755)
    return made


def used(text):
    """What tests/tools/gpu_use.c says: {"nvml": {uuid: "ok"}, "cuda": {"-": "error=100"}}"""
    got = {"nvml": {}, "cuda": {}}
    for word in (ln.split() for ln in text.splitlines()):
        if len(word) == 3 and word[0] in got:
            got[word[0]][word[1]] = word[2]
    return got


def spec(name, content):
    """A specification of root's; a text, or what becomes JSON."""
    path = os.path.join(CDI, name)
    with open(path, "w") as f:
        f.write(content if isinstance(content, str) else json.dumps(content))
    os.chmod(path, 0o644)
    return path
