#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`process.exec: strict` and the taint of mapped code, in a real sandbox. What is not listed does not run, whatever the way;
with LSM programs that is on record, holds with Landlock, the filter and noexec mounts left out too, and a loader started by
name is no way round. With them as well, a program that maps code of a file that the sandbox can write loses the rules that
are for it. Those parts need a test build (`make TEST=1`), which is made here."""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
os.environ["OSH_BUILD"] = "build/test"
from lib import Tap, test_build  # noqa: E402
from world import World, rule  # noqa: E402

PYTHON = os.path.realpath("/usr/bin/python3")
LOADER = "/lib64/ld-linux-x86-64.so.2"
LISTED = ["/bin/sh", "/usr/bin/true", "/usr/bin/env", "/usr/bin/touch", PYTHON]
STRICT = "process: {exec: {mode: strict, allow: [%s]}}\n" % ", ".join(LISTED)
MEMORY = ('import os; f = os.memfd_create("code", 0); os.write(f, open("/usr/bin/true", "rb").read()); '
          'os.execve(f, ["true"], {})')
MAP = 'import mmap; f = open("%s", "rb"); mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE)'
CONNECT = 'import socket; socket.create_connection(("allowed.example", 443), 20); print("connected")'

# want, what is on record with LSM programs, what is done. "lsm": refused where these live.
TRIES = (
    ("yes", "", "/usr/bin/true"),
    ("yes", "", "exec /usr/bin/env /usr/bin/true"),
    ("yes", "", f"{PYTHON} -c 'import json'"),
    ("no", "exec EXEC_STRICT", "/usr/bin/id"),
    ("no", "exec EXEC_STRICT", "./program"),
    ("no", "exec EXEC_STRICT", "./script"),
    ("no", "exec EXEC_STRICT", "exec /usr/bin/env /usr/bin/id"),
    ("no", "exec EXEC_STRICT", f"{PYTHON} -c '{MEMORY}'"),
    ("no", "map MAPPED", f"{PYTHON} -c '{MAP % 'program'}'"),
    ("lsm", "exec EXEC_STRICT", f"{LOADER} /usr/bin/id"),
    ("lsm", "exec EXEC_STRICT", f"exec /usr/bin/env {LOADER} /usr/bin/true"),
)


def fill(w):
    shutil.copy("/usr/bin/true", os.path.join(w.work, "program"))
    path = os.path.join(w.work, "script")
    with open(path, "w") as f:
        f.write("#!/usr/bin/true\n")
    os.chmod(path, 0o755)


def tries(t, w, lsm, how, alone=False):
    """What Landlock or a mount refuses first is not on record: LSM programs are not asked then."""
    for want, record, cmd in TRIES:
        r = w.run(w.policy("", STRICT), ["sh", "-c", cmd + "; exit $?"])
        runs = want == "yes" or (want == "lsm" and not lsm)
        t.ok((r.rc == 0) == runs and r.rc != 125, f"{how}: {'runs' if runs else 'does not run'}: {cmd[:70]}", r)
        if lsm and not runs and (alone or want == "lsm"):
            t.ok(r.has(*record.split()), f"{how}: on record as {record}: {cmd[:50]}", r)


def taint(t, w):
    """A rule for python alone: it holds until code that somebody inside may have written is mapped."""
    policy = w.policy(rule("web", ["allowed.example"], [PYTHON]))
    for name, first, good in (("nothing", "", True), ("code of /usr", MAP % "/usr/bin/true", True),
                              ("code that can be written", MAP % "program", False)):
        r = w.run(policy, [PYTHON, "-c", "; ".join(filter(None, (first, CONNECT)))])
        t.ok(("connected" in r.out) == good, f"{name} is mapped: {'connects' if good else 'does not connect'}", r)
        t.ok(r.has("connect", "ALLOWED" if good else "MAPPED") and r.has("map", "MAPPED") != good, f"{name}: on record", r)
    r = w.run(policy.replace("    binaries:", "    taint: ignore\n    binaries:"), [PYTHON, "-c", MAP % "program" + "; " + CONNECT])
    t.ok("connected" in r.out, "where the rule says taint: ignore it connects", r)
    threads = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); "
    r = w.run(policy, [PYTHON, "-c", threads + MAP % "program" + "; " + CONNECT])
    t.ok("connected" not in r.out and r.has("connect", "MAPPED"), "with threads it does not connect", r)
    r = w.run(policy, [PYTHON, "-c", MAP % "program" + f"; import os; os.execv('{PYTHON}', ['{PYTHON}', '-c', '''{CONNECT}'''])"])
    t.ok("connected" in r.out, "executed anew it connects", r)


def main():
    t = Tap()
    test_build(t)
    with World() as w:
        fill(w)
        with w.resident():
            lsm = w.run(w.policy("", deny="'**/*.never'"), ["true"]).rc == 0
            t.ok(lsm or not os.environ.get("OSH_VM"), f"LSM programs {'live' if lsm else 'do not live'} here")
            tries(t, w, lsm, "all layers")
            for bad, why in (("", "nothing runs"), ("'/usr/bin/t*'", "DIR/**")):
                r = w.run(w.policy("", "process: {exec: {mode: strict, allow: [%s]}}\n" % bad), ["true"])
                t.ok(r.rc == 125 and why in r.err, f"a list that cannot be kept refuses to start: [{bad}]", r)
            if lsm:
                taint(t, w)
        if not os.environ.get("OSH_VM"):    # time there is dear, and this is the same everywhere
            with w.resident(env={"OSH_TEST_OFF": "LSM"}):
                tries(t, w, False, "without LSM programs")
        if lsm:
            with w.resident(env={"OSH_TEST_OFF": "landlock,seccomp,noexec"}):
                tries(t, w, True, "LSM programs alone", True)
    t.done()


if __name__ == "__main__":
    main()
