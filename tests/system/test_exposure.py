#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-egress, osh-audit and osh-front are no units: oshd and osh-launch start them, and they confine themselves. So that they
can be judged as units are, this measures what holds of the living processes (their identity, capabilities, root, and the
system call filter that the kernel has of them, which is followed for every call), writes it down in systemd's words, and has
`systemd-analyze security` judge that: 2.0 at most. Marks that it leaves are those of docs/service.md."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, run  # noqa: E402
from osh import Daemon, Work, pids_of, policy, until  # noqa: E402

BOUND = 2.0
NATIVE, I386, X32 = 0xC000003E, 0x40000003, 0x40000000
LAST = 512                          # no call of x86-64 has a number above
ALLOW = (0x7FFF0000, 0x7FFC0000)    # and the one that logs
t = Tap()
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
seccomp = ctypes.CDLL("libseccomp.so.2")


def filters(pid):
    """The process' filters as the kernel has them: lists of (code, jt, jf, k)."""
    if libc.ptrace(0x4206, pid, None, None) < 0:                # SEIZE
        raise OSError(ctypes.get_errno(), "ptrace")
    libc.ptrace(0x4207, pid, None, None)                        # INTERRUPT
    os.waitpid(pid, 0x40000000)                                 # __WALL
    found = []
    try:
        while True:
            n = libc.ptrace(0x420C, pid, len(found), None)      # SECCOMP_GET_FILTER
            if n < 0:
                break
            text = ctypes.create_string_buffer(n * 8)
            libc.ptrace(0x420C, pid, len(found), text)
            found.append([struct.unpack_from("=HBBI", text, 8 * i) for i in range(n)])
    finally:
        libc.ptrace(17, pid, None, None)                        # DETACH
    return found


def results(prog, nr, arch, args):
    """Every action that one filter can give: an argument that is None may be anything."""
    data = {0: nr, 4: arch, 8: None, 12: None}
    for i in range(6):
        a = args[i] if i < len(args) else None
        data[16 + 8 * i] = None if a is None else a & 0xFFFFFFFF
        data[20 + 8 * i] = None if a is None else a >> 32
    got, seen, todo = set(), set(), [(0, None, (None,) * 16)]
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        pc, a, mem = state
        code, jt, jf, k = prog[pc]
        kind = code & 7
        if kind == 6:               # ret
            got.add(k & 0xFFFF0000 if code & 0x18 == 0 else (a or 0) & 0xFFFF0000)
        elif kind == 0:             # ld: absolute, immediate or scratch
            mode = code & 0xE0
            todo.append((pc + 1, data[k] if mode == 0x20 else k if mode == 0 else mem[k], mem))
        elif kind == 2:             # st
            todo.append((pc + 1, a, mem[:k] + (a,) + mem[k + 1:]))
        elif kind == 4:             # alu
            op = {0x50: lambda x: x & k, 0x40: lambda x: x | k, 0x70: lambda x: x >> k}[code & 0xF0]
            todo.append((pc + 1, None if a is None else op(a), mem))
        elif code & 0xF0 == 0:      # ja
            todo.append((pc + 1 + k, a, mem))
        else:
            test = {0x10: lambda x: x == k, 0x20: lambda x: x > k, 0x30: lambda x: x >= k, 0x40: lambda x: bool(x & k)}[code & 0xF0]
            for way in (True, False) if a is None else (test(a),):
                todo.append((pc + 1 + (jt if way else jf), a, mem))
    return got


class Process:
    def __init__(self, pid):
        self.status = dict(ln.split(":\t", 1) for ln in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in ln)
        self.filters = filters(pid)
        self.calls = {self.name(n) for n in range(LAST) if self.may(n)}
        self.root_empty = os.listdir(f"/proc/{pid}/root/") == [] and os.statvfs(f"/proc/{pid}/root/").f_flag & os.ST_RDONLY

    @staticmethod
    def name(nr):
        p = seccomp.seccomp_syscall_resolve_num_arch
        p.restype = ctypes.c_char_p
        return (p(ctypes.c_uint32(NATIVE), nr) or b"%d" % nr).decode()

    @staticmethod
    def number(name):
        return seccomp.seccomp_syscall_resolve_name(name.encode())

    def may(self, nr, *args, arch=NATIVE):
        """Is there any way that all filters let it through?"""
        return bool(self.filters) and all(results(f, nr, arch, args) & set(ALLOW) for f in self.filters) or not self.filters

    def ask(self, name, *args):
        return self.may(self.number(name), *args)


# What opens, makes, changes or executes anything by its name. (newfstatat and statx tell attributes alone.)
BY_NAME = """open openat openat2 creat open_by_handle_at name_to_handle_at execve execveat rename renameat renameat2 link linkat
symlink symlinkat unlink unlinkat mkdir mkdirat rmdir mknod mknodat chmod fchmodat fchmodat2 chown lchown fchownat truncate
utime utimes utimensat futimesat setxattr lsetxattr removexattr lremovexattr mount umount2 pivot_root chroot chdir open_tree
move_mount fsopen fsmount fsconfig fspick mount_setattr swapon acct uselib inotify_add_watch fanotify_mark""".split()
SPACES = {"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000,
          "user": 0x10000000, "uts": 0x04000000}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}


def in_words(p):
    """What holds of the process as lines of a unit, each because it was measured."""
    s, lines = p.status, ["ExecStart=/bin/true"]
    none = all(int(s[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapAmb"))
    uids = set(s["Uid"].split())
    if len(uids) == 1 and uids != {"0"}:
        lines.append(f"User={uids.pop()}")
    if s["NoNewPrivs"] == "1":
        lines.append("NoNewPrivileges=yes")
        if none:                    # and an exec gives none
            lines.append("CapabilityBoundingSet=")
    lines.append("SystemCallFilter=" + " ".join(sorted(c for c in p.calls if not c.isdigit())))
    if not any(p.may(n, arch=I386) or p.may(n | X32) for n in range(LAST)):
        lines.append("SystemCallArchitectures=native")
    if not p.ask("socket"):
        lines += ["RestrictAddressFamilies=none"] + ([] if p.ask("connect") or p.ask("bind") else ["PrivateNetwork=yes"])
    else:
        lines.append("RestrictAddressFamilies=" + " ".join(
            [n for n, f in FAMILIES.items() if p.ask("socket", f)] +
            [f"AF_{f}" for f in range(64) if f not in FAMILIES.values() and p.ask("socket", f)]))
    spaces = [n for n, flag in SPACES.items() if p.ask("clone", flag) or p.ask("unshare", flag) or p.ask("setns") or p.ask("clone3")]
    lines.append("RestrictNamespaces=" + (" ".join(spaces) or "yes"))
    if not p.ask("mmap", None, None, 6) and not p.ask("mprotect", None, None, 4) and not p.ask("pkey_mprotect", None, None, 4) and \
            not p.ask("shmat", None, None, 0o100000):
        lines.append("MemoryDenyWriteExecute=yes")
    if not p.calls & {"sched_setscheduler", "sched_setattr"}:
        lines.append("RestrictRealtime=yes")
    if not p.ask("personality"):
        lines.append("LockPersonality=yes")
    by_name = p.calls & set(BY_NAME)
    if not by_name and not p.calls & {"fchmod"}:
        lines.append("RestrictSUIDSGID=yes")
    if not by_name and none:
        # No file of the host's can be opened, by any name: stronger than what these lines do.
        lines += ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "DevicePolicy=strict",
                  "ProtectProc=invisible", "ProcSubset=pid", "ProtectKernelTunables=yes", "ProtectControlGroups=yes",
                  "PrivateMounts=yes"]
    if p.root_empty:
        lines.append("RootDirectory=/empty")
    for key, calls in (("ProtectClock", "clock_settime settimeofday adjtimex clock_adjtime"), ("ProtectKernelLogs", "syslog"),
                       ("ProtectKernelModules", "init_module finit_module delete_module"),
                       ("ProtectHostname", "sethostname setdomainname")):
        if none and not p.calls & set(calls.split()) and not by_name:
            lines.append(f"{key}=yes")
    if not p.calls & {"keyctl", "add_key", "request_key"}:
        lines.append("KeyringMode=private")
    if not p.calls & {"shmget", "semget", "msgget", "mq_open"}:
        lines.append("RemoveIPC=yes")
    if not by_name or int(s["Umask"], 8) & 0o77 == 0o77:
        lines.append("UMask=0077")
    return lines, by_name


def told(name):
    text = open(f"{ROOT}/docs/service.md").read().split(f"### {name}\n", 1)
    rows = re.findall(r"^\| (`.*?`) \|(?= )", text[1].split("\n### ", 1)[0] if len(text) > 1 else "", re.M)
    return {n for r in rows for n in re.findall(r"`([^`]*)`", r.replace("\\|", "|"))}


def exposure(name, lines):
    """(level, marks that are left) of a unit with these lines"""
    with tempfile.TemporaryDirectory() as d:
        at = f"{d}/{name}.service"
        with open(at, "w") as f:
            f.write("[Service]\n" + "\n".join(lines) + "\n")
        _, out, err = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", at])
        rows = json.loads(run(["systemd-analyze", "security", "--offline=yes", "--json=short", at])[1])
    level = re.search(r"Overall exposure level for .*: ([0-9.]+)", out)
    return float(level.group(1)) if level else 10.0, {r["name"] for r in rows if r["set"] is False and r["exposure"]}


def judge(name, pid):
    p = Process(pid)
    t.ok(p.filters and p.status["Seccomp"] == "2", f"{name}: the kernel gives out {len(p.filters)} filters")
    lines, by_name = in_words(p)
    t.ok(not by_name, f"{name}: no call that opens, makes or executes anything by a name", by_name)
    level, left = exposure(name, lines)
    t.ok(level <= BOUND, f"{name}: exposure {level}, at most {BOUND}", sorted(left))
    t.ok(left == told(name), f"{name}: docs/service.md says why of all {len(left)} marks that are left, and of no other",
         "left", sorted(left), "told", sorted(told(name)))


def main():
    with Work(policy("{host: web.test, ports: [443]}")) as w, Daemon(w) as d:
        # The first connection starts the egress; where it leads to does not matter.
        p = subprocess.Popen(d.command("bash", "-c", "exec 3<>/dev/tcp/web.test/443; echo up; read x"), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.ok(p.stdout.readline() == "up\n", "a sandbox connects") or t.done()
        for name in ("osh-egress", "osh-audit", "osh-front"):
            until(lambda: pids_of(name), 20)
            judge(name, pids_of(name)[0])
        level, _ = exposure("osh-launch", in_words(Process(pids_of("osh-launch")[0]))[0])
        t.ok(level > 8, f"osh-launch, which confines itself in nothing, is seen to: {level}")
        p.communicate("\n", timeout=60)
    t.done()


main()
