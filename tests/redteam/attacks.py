# SPDX-License-Identifier: Apache-2.0
"""Runs attack files. An attack is tests/redteam/<group>_<name>.sh, read by sh outside and inside:

    # SPDX line, then the technique and its number in the catalogue
    POLICY=web            # key of POLICIES below; default web
    EXPECT='errno=EACCES' # extended regular expression on the attack's output, inside
    EVENT='connect DEST_UNKNOWN'  # kind and reason(s, A|B) on record; "none" where the thing is simply absent
    DENY=guarded          # a row of filesystem_policy.deny
    ALONE='seccomp'       # layers each of which alone stops it: without one it succeeds (test_without.py); default none
    LSM='kind REASON'     # with LSM programs it is stopped without those layers as well, and this is on record
    NET=yes               # a network attack: repeated with every BPF program left out, and without egress
    control() { ...; }    # the same outside the sandbox: must succeed, else the attack proves nothing
    attack() { ...; }     # must fail

Variables of vars() below are set in both. `attempt` is tests/tools/attempt.c.
"""
import fnmatch
import glob
import os
import re
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, run  # noqa: E402
from world import rule  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FIELD = re.compile(r"^(POLICY|EXPECT|EVENT|NET|NEEDS|DENY|ALONE|LSM)=(.*)$", re.M)

POLICIES = {
    "web": rule("web", ["allowed.example", "v6.example"], ["/usr/bin/curl"]),
    "any": rule("web", ["allowed.example", "v6.example"]),
    "requests": ("  web:\n    endpoints: [{host: allowed.example, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /hello}}]}]\n"
                 "    binaries: [{path: /usr/bin/curl}]\n"),
    "wild": rule("web", ["allowed.example", "*.wild.example"], ["/usr/bin/curl"]),
}


class Attack:
    def __init__(self, path):
        with open(path) as f:
            text = f.read()
        self.path, self.name = path, os.path.basename(path)[:-3]
        self.field = {k: shlex.split(v, comments=True)[0] if v.strip() else "" for k, v in FIELD.findall(text)}
        self.policy = POLICIES[self.field.get("POLICY", "web")]
        self.net = self.field.get("NET") == "yes"
        if "EXPECT" not in self.field or "EVENT" not in self.field:
            raise ValueError(f"{self.name}: EXPECT and EVENT are needed")

    def script(self, w, which):
        """A file that both sides can read: the variables, the attack, one call."""
        shutil.copy(self.path, os.path.join(w.work, self.name + ".sh"))
        path = os.path.join(w.work, f"{self.name}-{which}.run")
        with open(path, "w") as f:
            for k, v in vars_of(w).items():
                f.write(f"{k}={shlex.quote(str(v))}\n")
            f.write(f"attempt() {{ {shlex.quote(w.attempt)} \"$@\"; }}\n. {shlex.quote(os.path.join(w.work, self.name + '.sh'))}\n"
                    f"{which}\n")
        return path

    def control(self, w):
        """(worked, output); outside, as root."""
        rc, out, err = run(["sh", self.script(w, "control")], 200, cwd=w.work)
        return rc == 0, out + err

    def inside(self, w, **kw):
        return w.run(w.policy(self.policy, deny=self.field.get("DENY")), ["sh", self.script(w, "attack")], **kw)

    def event_missing(self, r):
        """Empty when the record is as promised."""
        want = self.field["EVENT"]
        if want == "none":
            return ""
        kind, whys = want.split()
        return "" if any(r.has(kind, y) for y in whys.split("|")) else f"no event {want}"


def vars_of(w):
    return {"ADDRESS": w.address, "PORT": w.canary.port, "TLS4": w.tls4.server_port, "TLS6": w.tls6.server_port,
            "BUS": w.daemon.bus if w.daemon else "", "SECRET": w.secret, "HOSTPID": w.outsider, "WORK": w.work, "WORLD": w.dir, "CA": w.ca, "ATTEMPT": w.attempt}


def all_attacks(only=()):
    """Attacks in order; `only` are names or patterns of names, each of which must stand for something."""
    names = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "*_*.sh")))
    names = [n for n in names if not n.startswith("test_")]
    for pattern in only:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"no attack is called {pattern}")
    return [Attack(os.path.join(HERE, n + ".sh")) for n in names
            if not only or any(fnmatch.fnmatchcase(n, pattern) for pattern in only)]


def hooks(where=()):
    """BPF program names of hooks.def, in order."""
    with open(os.path.join(ROOT, "include/osh/hooks.def")) as f:
        rows = re.findall(r"^HOOK\((\w+),\s*(\w+),\s*(\w+)\)", f.read(), re.M)
    return [p for _, p, at in rows if not where or at in where]
