#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oshctl doctor on the running kernel: what it says must be what a start then finds. System calls that are taken away
stand for kernels that lack them; boxes, for places where osh cannot work."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, cgroup2, leftovers, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, until  # noqa: E402

LIMIT = 240
ENOSYS = 38
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

# What is taken away: (system call, the feature that must lack then, do sandboxes start all the same?)
CALLS = [
    ("bpf", 321, "bpf", False),
    ("landlock_create_ruleset", 444, "landlock", True),
    ("seccomp", 317, "seccomp-notify", False),
    ("mount_setattr", 442, "mounts", False),
    ("fsopen", 430, "mounts", False),
    ("unshare", 272, "namespaces", False),
]


def refuse(nr):
    """In a child: system call nr fails with ENOSYS, for it and all that it starts."""
    def enter():
        code = [(0x20, 0, 0, 0), (0x15, 0, 1, nr), (0x06, 0, 0, 0x00050000 | ENOSYS), (0x06, 0, 0, 0x7fff0000)]
        text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
        prog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(text)))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, prog, 0, 0):
            os._exit(99)
    return enter


def doctor(box=(), options=(), **kw):
    rc, out, err = run([*box, OSHCTL, "doctor", "--json", *options], LIMIT, **kw)
    try:
        return rc, json.loads(out), err
    except ValueError:
        return rc, {}, err + out


def features(found):
    return {f["name"]: f for f in found.get("features", [])}


def starts(w, box=(), text=None, **kw):
    policy = w.write("asked.yaml", text or BASE_POLICY)
    rc, out, err = run([*box, OSHCTL, "run", "-p", policy, "--workdir", w.work, "--", "true"], LIMIT, **kw)
    return rc == 0, err


def left_over(before):
    """What a probing that has ended left; others may run osh on this machine at the same time."""
    found = {x for x in leftovers() - before if x.startswith("process") and ROOT in x}
    for x in leftovers() - before:
        m = re.search(r"osh.slice/run-(\d+)-", x)
        if x.startswith("mount") or (m and not os.path.exists(f"/proc/{m.group(1)}")):
            found.add(x)
    return found


def t_here(t, w):
    before = leftovers()
    rc, found, err = doctor()
    lacks = [(f["name"], f["note"]) for f in found.get("features", []) if f["weight"] == "needed" and f["state"] != "works"]
    t.ok(rc == 0 and found.get("kept") is True and not lacks, "where sandboxes start, every promise is kept", rc, lacks, err)
    t.ok(all(f["fix"] for f in found["features"] if f["state"] == "lacks"), "every lack has its fix")
    rows = re.findall(r"^HOOK\(\w+,\s*(\w+),\s*(\w+)\)", open(os.path.join(ROOT, "include/osh/hooks.def")).read(), re.M)
    t.ok([(p["name"], p["where"]) for p in found["programs"]] == rows, "each program of hooks.def is tried")
    t.ok(all(p["state"] == "works" for p in found["programs"] if p["where"] not in ("LSM", "GUARD", "TELL")), "and all but LSM programs and such that only tell load")
    until(lambda: not left_over(before))
    left = left_over(before)
    t.ok(not left, "nothing is left behind", *left)
    lsm = features(found)["bpf-lsm"]["state"] == "works"
    deny = BASE_POLICY.replace("include_workdir: true", "include_workdir: true\n  deny: ['*.secret']")
    can, why = starts(w, text=deny)
    t.ok(can == lsm, f"a policy that needs LSM programs {'starts' if lsm else 'is refused'}, as it said", why)
    old = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) < (6, 17)
    new = ["osh_file_setattr"] if old else []          # of a call that came with that kernel
    t.ok({p["state"] for p in found["programs"] if p["where"] in ("LSM", "GUARD") and p["name"] not in new} == ({"works"} if lsm else {"lacks"}),
         "and so it says of each of them")
    t.ok(all(p["state"] == "untried" for p in found["programs"] if p["name"] in new), "but of one whose call the kernel lacks")
    t_told(t, found)


def t_told(t, found):
    """Landlock's tracepoints or the function that it calls: one of the two, and it says which."""
    record = features(found)["landlock-record"]
    ways = {p["name"]: p["state"] for p in found["programs"] if p["where"] == "TELL"}
    function = ways.pop("osh_ll_denial")
    if "by Landlock's tracepoints" in record["note"]:
        good = record["state"] == "works" and set(ways.values()) == {"works"} and function == "untried"
    elif "by the function" in record["note"]:
        good = record["state"] == "works" and set(ways.values()) == {"untried"} and function == "works"
    else:
        good = record["state"] == "lacks" and set(ways.values()) == {"untried"} and record["note"] and \
            function == ("untried" if "neither" in record["note"] else "lacks")
    t.ok(good, "by which way Landlock's refusals are told, or why by none", record, ways, function)
    with open("/sys/kernel/btf/vmlinux", "rb") as types:
        names = types.read()
    t.ok((b"\0btf_trace_landlock_deny_access_fs\0" in names) == ("tracepoints" in record["note"] and record["state"] == "works") and
         (b"\0landlock_log_denial\0" in names) != ("neither" in record["note"]), "as this kernel has it", record)


def t_table(t, _):
    """One table: the promises of docs/architecture.md are those that are tried."""
    text = open(os.path.join(ROOT, "docs/architecture.md")).read().split("## Which layer keeps which promise")[1]
    told = {m.strip() for m in re.findall(r"^\| ([^|]+) \|", text.split("\n## ")[0], re.M)} - {"promise"}
    _, found, err = doctor()
    t.ok(told == {p["promise"] for p in found.get("promises", [])}, "the promises of docs/architecture.md", told, err,
         *[p["promise"] for p in found.get("promises", [])])


def t_calls(t, w):
    for name, nr, feature, want in CALLS:
        rc, found, err = doctor(preexec_fn=refuse(nr))
        f = features(found).get(feature, {})
        can, why = starts(w, preexec_fn=refuse(nr))
        t.ok(f.get("state") == "lacks" and f.get("fix"), f"without {name}: {feature} lacks, and there is a fix", f, err)
        t.ok((rc == 0) == want and can == want,
             f"without {name}: {'sandboxes start, and it says so' if want else 'none starts, and it says so'}", rc, can, why,
             *[p for p in found.get("promises", []) if p["state"] != "kept"])


def t_places(t, w):
    cg = cgroup2()
    places = [
        ("no capabilities", ["setpriv", "--bounding-set=-all"], "capabilities"),
        ("no CAP_NET_ADMIN", ["setpriv", "--bounding-set=-net_admin"], "nft"),
        ("a user namespace", ["unshare", "-Ur"], "own-root"),
        ("a read-only cgroup v2", ["unshare", "-m", "sh", "-c", f"mount -o remount,bind,ro {cg} && exec \"$@\"", "sh"],
         "cgroup"),
        ("no BTF", ["unshare", "-m", "sh", "-c", "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$@\"", "sh"],
         "btf"),
    ]
    for name, box, feature in places:
        rc, found, err = doctor(box)
        f = features(found).get(feature, {})
        can, _ = starts(w, box)
        t.ok(rc == 1 and f.get("state") == "lacks" and f.get("fix") and not can,
             f"{name}: {feature} lacks, and no sandbox starts", rc, f, can, err)
    rc, found, err = doctor(NOBODY)
    t.ok(rc == 1 and found.get("unasked") and features(found)["nft"]["state"] == "untried" and not found["kept"],
         "nobody to ask: what root may try is untried, and nothing is promised", rc, found.get("unasked"), err)


def t_asked(t, w):
    """A resident oshd tries for a caller who may not; who asks again, and at the same time, hears the same."""
    with Daemon(w) as d:
        at = ["--socket", d.bus]
        rc, mine, err = doctor(options=at)
        t.ok(rc == 0 and mine.get("kept"), "oshd tries for root", rc, err, d.errors())
        many = [subprocess.Popen([*NOBODY, OSHCTL, "doctor", "--json", *at], stdout=subprocess.PIPE, text=True)
                for _ in range(4)]
        said = [(json.loads(p.communicate(timeout=LIMIT)[0]), p.returncode) for p in many]
        names = ("promises", "programs", "kept")
        t.ok(all(rc == 0 and all(s[n] == mine[n] for n in names) for s, rc in said), "and the same for a user",
             *[s.get("unasked") for s, _ in said])
        rc, _, err = run(d.command("true"), LIMIT)
        t.ok(rc == 0, "and it goes on serving", err, d.errors())
        t.ok("untried" not in json.dumps([f["state"] for f in mine["features"]]), "nothing is left untried")


def t_text(t, _):
    rc, out, err = run([OSHCTL, "doctor"], LIMIT)
    t.ok(rc == 0 and re.search(r"\d+ promises kept, 0 missing, 0 untried\n$", out), "the text ends with the count", out, err)
    t.ok(not re.search(r"[^\n\x20-\x7e]", out), "plain characters alone")
    rc, _, err = run([OSHCTL, "doctor", "--jsno"], LIMIT)
    t.ok(rc == 2 and "usage: oshctl doctor" in err, "used wrongly: usage", rc, err)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("doctor", "needs root")
        t.done()
    # In the virtual machine, where each doctor takes many seconds: what depends on its kernel.
    cases = (t_here,) if os.environ.get("OSH_VM") else (t_here, t_table, t_calls, t_places, t_asked, t_text)
    with Work() as w:
        for case in cases:
            case(t, w)
    t.done()


if __name__ == "__main__":
    main()
