#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where osh cannot work, `make demo`, `make test`, `oshctl run` and `oshd` stop at once, say what is missing
and leave nothing. The places: containers without their capabilities, without a writable cgroup v2, in a user
namespace, and a caller who is not root. An older kernel: tests/vm/run."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, cgroup2, leftovers, run  # noqa: E402
from osh import OSHCTL, OSHD, Work  # noqa: E402

DOCKER = "+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot," \
         "+mknod,+audit_write,+setfcap"


def places():
    """name: (wrapper, what preflight must say, what oshd must say)"""
    cg = cgroup2()
    return {
        "no capabilities": ("setpriv --bounding-set=-all", "CAP_SYS_ADMIN is missing", "missing:.* CAP_SYS_ADMIN"),
        "a container's default capabilities": (f"setpriv --bounding-set=-all,{DOCKER}", "CAP_SYS_ADMIN is missing",
                                               "missing: CAP_NET_ADMIN CAP_SYS_PTRACE CAP_SYS_ADMIN;"),
        "a user namespace": ("unshare -Ur", "inside a user namespace", "inside a user namespace"),
        "a read-only cgroup v2": (f"unshare -m sh -c 'mount -o remount,bind,ro {cg} && exec \"$@\"' sh",
                                  "cannot make a cgroup", "make cgroup .*Read-only file system"),
        "no cgroup v2": (f"unshare -m sh -c 'umount -R {cg} && exec \"$@\"' sh", "no cgroup v2 hierarchy is mounted",
                         "no cgroup v2 hierarchy is mounted"),
        "no BTF": ("unshare -m sh -c 'mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$@\"' sh",
                   "kernel has no BTF", "BTF"),
        "not root": ("setpriv --reuid 65534 --regid 65534 --clear-groups", "needs root", "root"),
    }


def said(t, name, command, want, leave):
    """Runs it; it must fail and say `want`."""
    before, start = leftovers(), time.monotonic()
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    rc, out, err = run(["sh", "-c", command], 300, cwd=ROOT, env=env)
    took = time.monotonic() - start
    left = {x for x in leftovers() - before if leave in x}
    t.ok(rc not in (0, 124) and re.search(want, out + err) and not left,
         f"{name}: stops and says what is missing", f"status {rc}, {took:.1f} s", out, err, *left)


def t_places(t, w):
    q = f"{OSHCTL} run -p {w.policy} --workdir {w.work} -- true"
    for name, (box, pre, osh) in places().items():
        if name == "no cgroup v2" and not same_tree():
            t.skip(name, "cgroup v2 holds other mounts here")
            continue
        said(t, f"preflight, {name}", f"{box} tests/preflight", pre + r"(.|\n)*stopped; nothing was changed", w.dir)
        for target in ("demo", "test", "bench"):
            said(t, f"make {target}, {name}", f"{box} make --no-print-directory {target}", pre, w.dir)
        said(t, f"oshctl run, {name}", f"{box} {q}", osh, w.dir)
        said(t, f"oshd, {name}", f"{box} timeout 200 {OSHD} --state {w.dir}/state", osh, w.dir)


def same_tree():
    rc, _, _ = run(["unshare", "-m", "umount", "-R", cgroup2()], 10)
    return rc == 0


def t_each_capability(t, w):
    """One capability less: osh works, or both say which it was."""
    rc, out, _ = run(["setpriv", "--list-caps"], 10)
    needed, unsaid = [], []
    for name in out.split():
        box = ["setpriv", f"--bounding-set=-{name}"]
        rc, _, err = run([*box, OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "true"], 30)
        if rc == 0:
            continue
        needed.append(name)
        _, _, pre = run([*box, os.path.join(ROOT, "tests/preflight")], 30)
        if f"CAP_{name.upper()} is missing" not in pre or f"missing: CAP_{name.upper()};" not in err:
            unsaid.append((name, err, pre))
    t.ok(not unsaid and "sys_admin" in needed, "what needs a capability names it", needed, *unsaid)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("early stop", "needs root")
        t.done()
    rc, out, err = run([os.path.join(ROOT, "tests/preflight")], 30)
    t.ok(rc == 0 and out + err == "", "here nothing is missing, and nothing is said", out, err)
    with Work() as w:
        t_places(t, w)
        t_each_capability(t, w)
    t.done()


if __name__ == "__main__":
    main()
