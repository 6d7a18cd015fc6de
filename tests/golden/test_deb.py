#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what `make install` installs and Debian's own files, nothing else; it depends on every library that is
linked; lintian has nothing to say; the same input gives the same package. tests/system/test_service.py installs it."""
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap, run  # noqa: E402

t = Tap()
OURS = {"usr/share/doc/osh/changelog.gz", "usr/share/doc/osh/copyright", "usr/share/lintian/overrides/osh"}


def build():
    rc, out, err = run([f"{ROOT}/dist/deb"], timeout=250)
    if rc:
        t.ok(False, "the package is built", out, err)
        t.done()
    return os.path.join(ROOT, out.strip())


def files(top):
    return {os.path.relpath(os.path.join(d, f), top) for d, _, fs in os.walk(top) for f in fs}


def contents(deb, tmp):
    subprocess.run([f"{ROOT}/dist/install", BUILD], check=True, cwd=ROOT, env={
        **os.environ, "DESTDIR": f"{tmp}/install", "PREFIX": "/usr", "UNITDIR": "/lib/systemd/system"})
    subprocess.run(["dpkg-deb", "-x", deb, f"{tmp}/deb"], check=True)
    have = {f[:-3] if "/man/" in f else f for f in files(f"{tmp}/deb")}
    want = files(f"{tmp}/install") | OURS
    t.ok(have == want, "it holds what make install installs, and Debian's own files", "lacks", sorted(want - have), "more",
         sorted(have - want))
    _, out, _ = run(["dpkg-deb", "-c", deb])
    odd = [ln for ln in out.splitlines() if not re.match(r"(-rw-r--r--|-rwxr-xr-x|drwxr-xr-x|lrwxrwxrwx) root/root ", ln)]
    t.ok(not odd, "all of it root's, nothing set-uid, nothing for others to write", odd)
    top = f"{tmp}/control"
    subprocess.run(["dpkg-deb", "-e", deb, top], check=True)
    t.ok(not os.path.exists(f"{top}/conffiles") and not os.path.isdir(f"{tmp}/deb/etc"), "nothing in /etc")
    script = open(f"{top}/postinst").read()
    t.ok("systemd-sysusers" in script and "systemd-tmpfiles" in script, "its scripts make the group and the directory", script)


def depends(deb, tmp):
    _, out, _ = run(["dpkg-deb", "-f", deb, "Depends"])
    named = {re.split(r"[ (|]", d.strip())[0] for d in out.split(",")}
    lacks = set()
    for d, _, fs in os.walk(f"{tmp}/deb/usr"):
        for f in fs:
            at = os.path.join(d, f)
            if os.path.islink(at) or open(at, "rb").read(4) != b"\x7fELF":
                continue
            for lib in re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "-d", at])[1]):
                owners = {ln.split(":")[0] for ln in run(["dpkg", "-S", f"*/{lib}"])[1].splitlines() if ln.endswith("/" + lib)}
                if not owners & named:
                    lacks.add(f"{f}: {lib} of {owners}")
    t.ok(not lacks, "it depends on the package of every library that a program of it needs", lacks)
    t.ok("systemd" in named, "and on systemd")


deb = build()
with tempfile.TemporaryDirectory(prefix="osh-deb-") as tmp:
    contents(deb, tmp)
    depends(deb, tmp)
rc, out, err = run(["lintian", "--tag-display-limit", "0", "--display-info", "--pedantic", "--allow-root", deb], timeout=250)
said = out.splitlines()
t.ok(not said, "lintian has nothing to say", rc, *said, err)
first = hashlib.sha256(open(deb, "rb").read()).hexdigest()
t.ok(hashlib.sha256(open(build(), "rb").read()).hexdigest() == first, "built again it is the same, byte for byte")
t.done()
