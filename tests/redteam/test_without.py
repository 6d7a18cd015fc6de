#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The attacks of this directory again with one of their own layers left out, for each layer in turn: the mount view, Landlock,
noexec mounts, the filter of system calls, nftables, the dropping of capabilities, the device program. Each still fails; where one layer alone
holds, the attack says so (ALONE), and then it must succeed without that layer, so that the word stays true, unless this
kernel refuses it to every user. LSM programs, where they live, are a further layer: LSM says that they hold it then.
Needs a test build (`make TEST=1`), which is made here.
`test_without.py [LAYER=PATTERN...]` runs some; in the virtual machine only what LSM programs are to hold."""
import fnmatch
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["OSH_BUILD"] = "build/test"
import attacks  # noqa: E402
import stage  # noqa: E402
from lib import Tap, run, test_build  # noqa: E402

# Which attacks are run without a layer, by `make redteam-full`. Those that run as root, with capabilities, are the ones that touch
# nothing lasting.
LAYERS = {
    "view": "file_* engine_* proc_* dev_*",
    "landlock": "file_* proc_* net_* engine_* exec_* dev_*",
    "noexec": "exec_*",
    "seccomp": "file_* proc_* net_* dev_*",
    "nft": "net_* dns_*",
    "caps": "proc_[bfikpu]* net_[ilmprtv]* dev_*",
    "osh_device": "dev_*",
}


def lsm_lives(w):
    """Only where they do, a pattern may be denied (tests/system/test_deny.py)."""
    return w.run(w.policy("", deny="'**/*.never'"), ["true"]).rc == 0


def stopped(a, w):
    before = attacks.arrived(w)
    r = a.inside(w)
    return r.rc not in (0, 124, 125) and "ok" not in r.out.split() and attacks.arrived(w) == before, r


def kernel_refuses(a, w):
    """Also to a user outside of any sandbox: a sysctl of this machine."""
    rc, out, _ = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs",
                      "sh", a.script(w, "attack")], 30, cwd=w.work)
    return rc != 0 and "ok" not in out.split()


def one(t, w, a, layer, lsm):
    a.control(w)        # some make here what the attack is about
    good, r = stopped(a, w)
    if layer not in alone(a):
        t.ok(good, f"without {layer}: {a.name} is still denied", r)
    elif lsm and "LSM" in a.field:
        t.ok(good and r.has(*a.field["LSM"].split()), f"without {layer}: {a.name} is denied by LSM programs, {a.field['LSM']}", r)
    elif good and kernel_refuses(a, w):
        t.ok(True, f"without {layer}: {a.name} is refused by this kernel to every user")
    else:
        t.ok(not good and r.rc != 125, f"without {layer}: {a.name} succeeds, as it says", r)


def alone(a):
    return a.field.get("ALONE", "").split()


def own(a, layer):
    """Is it a lock of this attack's? What CI runs: the rest is left to `make redteam-full`."""
    event = a.field["EVENT"].split()[0]
    return layer in alone(a) or {
        "view": event == "none" and a.name.startswith("file_") or a.name.startswith("dev_"),
        "landlock": a.name.startswith(("file_", "exec_")) or event == "unix", "osh_device": True,
        "noexec": True, "seccomp": event in ("syscall", "socket"), "nft": a.net or event == "sendmsg", "caps": event == "none"}[layer]


def wanted(a, layer):
    if os.environ.get("OSH_VM"):    # time there is dear: what LSM programs hold
        return layer in alone(a) and "LSM" in a.field
    return any(fnmatch.fnmatchcase(a.name, p) for p in LAYERS[layer].split())


def in_ci(a, layer):
    return wanted(a, layer) and own(a, layer)


def main():
    t = Tap()
    only = [x.split("=", 1) for x in sys.argv[1:]]
    test_build(t)
    with attacks.staged() as w:
        for layer in LAYERS:
            with w.resident(env={"OSH_TEST_OFF": layer}):
                lsm = lsm_lives(w)
                for a in attacks.all_attacks():
                    if in_ci(a, layer) if not only else any(o == layer and fnmatch.fnmatchcase(a.name, p) for o, p in only):
                        one(t, w, a, layer, lsm)
    t.done()


if __name__ == "__main__":
    stage.enter()
    main()
