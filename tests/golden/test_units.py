#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where, twice and away again; the units: known to systemd, confined, and every mark that
`systemd-analyze security` leaves explained in docs/service.md."""
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap, run  # noqa: E402

BOUND = {"oshd.service": 6.0, "osh-launch@.service": 6.0}       # exposure, at most
UNITS = ["oshd.service", "oshd.socket", "osh-launch.socket", "osh-launch@.service", "osh.slice"]
EXECUTABLE = ["bin/oshctl"] + ["libexec/osh/" + p for p in ("oshd", "osh-front", "osh-launch", "osh-init", "osh-egress", "osh-audit")]
PLAIN = ["lib/systemd/system/" + u for u in UNITS] + [
    "lib/sysusers.d/osh.conf", "lib/tmpfiles.d/osh.conf", "share/dbus-1/system.d/org.osh.Manager1.conf",
    "share/dbus-1/system-services/org.osh.Manager1.service", "share/doc/osh/README.md", "share/doc/osh/service.md"]
t = Tap()


def make(target, **env):
    p = subprocess.run([f"{ROOT}/dist/install", *(["--remove"] if target == "uninstall" else []), BUILD], cwd=ROOT,
                       env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode == 0 or t.ok(False, target, p.stdout)


def tree(top):
    """path -> (mode, size or target) of every file below."""
    found = {}
    for d, _, files in os.walk(top):
        for f in files:
            at = os.path.join(d, f)
            st = os.lstat(at)
            found[os.path.relpath(at, top)] = (oct(st.st_mode), os.readlink(at) if os.path.islink(at) else st.st_size)
    return found


def installs(top):
    make("install", DESTDIR=top, PREFIX="/usr")
    first = tree(top)
    missing = [f for f in EXECUTABLE if first.get("usr/" + f, ("",))[0] != "0o100755"]
    missing += [f for f in PLAIN if first.get("usr/" + f, ("",))[0] != "0o100644"]
    t.ok(not missing, "make install: every program, unit and page with its mode", missing)
    presets = {f for f in first if f.startswith("usr/share/osh/presets/")}
    t.ok(len(presets) == len(os.listdir(f"{ROOT}/policy-compiler/presets")), "and every preset", presets)
    t.ok(os.path.realpath(f"{top}/usr/sbin/oshd") == f"{top}/usr/libexec/osh/oshd",
         "sbin/oshd leads to it wherever the tree lies")
    make("install", DESTDIR=top, PREFIX="/usr")
    t.ok(tree(top) == first, "a second time changes nothing, and leaves nothing half done")
    open(f"{top}/usr/share/other", "w").close()
    make("uninstall", DESTDIR=top, PREFIX="/usr")
    t.ok(list(tree(top)) == ["usr/share/other"], "make uninstall: all of it goes, and nothing else", list(tree(top)))
    own = [d for d, _, _ in os.walk(top) if os.path.basename(d) == "osh"]
    t.ok(not own, "its directories too", own)


def verified(top):
    """Where the programs are, so that systemd finds all that the units name."""
    make("install", PREFIX=top, DESTDIR="")
    for u in UNITS:
        name = u.replace("@", "@1")
        at = f"{top}/lib/systemd/system/{u}"
        if "@" in u:
            shutil.copy(at, f"{top}/{name}")
            at = f"{top}/{name}"
        status, out, err = run(["systemd-analyze", "verify", "--man=no", at], env={
            **os.environ, "SYSTEMD_UNIT_PATH": f"{top}/lib/systemd/system:"}, timeout=120)
        mine = [ln for ln in (out + err).splitlines() if "osh" in ln]
        t.ok(status == 0 and not mine, f"systemd-analyze verify {u}", "\n".join(mine))
    text = open(f"{top}/lib/systemd/system/oshd.service").read()
    t.ok(f"ExecStart={top}/libexec/osh/oshd " in text, "a unit names the program where it was put")


def marks(unit):
    """(exposure, what systemd still marks)"""
    at = f"{ROOT}/systemd/{unit}"
    _, out, err = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", at], timeout=120)
    level = re.search(r"Overall exposure level for .*: ([0-9.]+)", out)
    rows = json.loads(run(["systemd-analyze", "security", "--offline=yes", "--json=short", at], timeout=120)[1])
    return float(level.group(1)) if level else t.ok(False, unit, out, err) or 10.0, \
        [r["name"] for r in rows if r["set"] is False and r["exposure"]]


def explained(unit):
    """The marks that docs/service.md has in the table of that unit, short forms (`~x` after `Key=~y`) filled in."""
    text = open(f"{ROOT}/docs/service.md").read()
    part = text.split(f"### {unit}\n", 1)[1].split("\n### ", 1)[0]
    names = set()
    for row in re.findall(r"^\| (`.*?`) \|(?= )", part, re.M):
        key = ""
        for n in re.findall(r"`([^`]*)`", row.replace("\\|", "|")):
            key = n.split("~")[0] if "~" in n and not n.startswith("~") else key
            names.add(key + n if n.startswith("~") else n)
    return names


def confined():
    for unit in [u for u in UNITS if u.endswith(".service")]:
        level, left = marks(unit)
        if unit in BOUND:
            t.ok(level <= BOUND[unit], f"{unit}: exposure {level}, at most {BOUND[unit]}")
        told = explained(unit)
        t.ok(not set(left) - told, f"{unit}: docs/service.md says why of all {len(left)} marks", set(left) - told)
        t.ok(not told - set(left), f"{unit}: and of nothing that is not marked", told - set(left))


def reasons():
    """A directive that confines has a comment above it, or is the next line of one that has."""
    keys = ["Protect*", "Private*", "Restrict*", "SystemCall*", "Capability*", "NoNewPrivileges", "Memory*", "Lock*", "IPAddress*",
            "Device*", "UMask", "KeyringMode", "ReadWritePaths", "ProcSubset", "Limit*", "OOM*", "Watchdog*", "Restart"]
    for unit in UNITS:
        bare, said = [], False
        for line in open(f"{ROOT}/systemd/{unit}"):
            if not line.strip() or line.startswith("["):
                said = False
            elif line.startswith("#"):
                said = True
            elif not said and any(fnmatch.fnmatch(line.split("=")[0], k) for k in keys):
                bare.append(line.strip())
        t.ok(not bare, f"{unit}: every directive has its reason", bare)


with tempfile.TemporaryDirectory(prefix="osh-units-") as tmp:
    for part in ("a", "b"):
        os.mkdir(f"{tmp}/{part}")
    installs(f"{tmp}/a")
    verified(f"{tmp}/b")
confined()
reasons()
t.done()
