# SPDX-License-Identifier: Apache-2.0
"""What test scripts and the runner share: paths, TAP output, what a test may leave behind.

Scripts do `from lib import ...` after putting tests/ on sys.path (see docs/hacking.md).
"""
import glob
import os
import signal
import subprocess
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def told_to_end(signum, frame):
    """The ordinary way: what the test made is removed by `with`, `finally` and atexit. Where it hung is said first."""
    said = "".join(traceback.format_stack(frame)[-8:]).splitlines()
    os.write(1, "".join(f"# {ln}\n" for ln in ["told to end, was in:", *said]).encode(errors="replace"))
    sys.exit(128 + signum)


def crashed(kind, value, tb):
    """A test that ends by an exception is a failed test that says why, on a reader's first lines."""
    print(f"not ok - ended by {kind.__name__}: " + (str(value).splitlines() or [""])[0][:300])
    for ln in "".join(traceback.format_exception(kind, value, tb)).splitlines()[-18:]:
        print("# " + ln)
    sys.stdout.flush()


signal.signal(signal.SIGTERM, told_to_end)
sys.excepthook = crashed

BUILD = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"))


def cgroup2():
    """Mount point of the cgroup v2 hierarchy; it is not always /sys/fs/cgroup."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ", 1)
            if right.split()[0] == "cgroup2":
                return left.split()[4]
    return None


class Tap:
    """Counts and prints; `with Tap() as t: t.ok(cond, "what")`. Exit status by t.done()."""

    def __init__(self):
        self.n = self.bad = 0

    def _line(self, good, text):
        self.n += 1
        self.bad += not good
        print(f"{'' if good else 'not '}ok {self.n} - {text}", flush=True)
        return good

    def ok(self, good, text, *more):
        self._line(bool(good), text)
        if not good:
            for m in more:
                for line in str(m).splitlines()[:40]:
                    print("# " + line, flush=True)
        return bool(good)

    def skip(self, text, why):
        self._line(True, f"{text} # SKIP {why}")

    def done(self):
        print(f"1..{self.n}", flush=True)
        sys.exit(1 if self.bad else 0)


def test_build(t):
    """Makes build/test, whose layers OSH_TEST_OFF leaves out. In the virtual machine it came along."""
    if os.environ.get("OSH_VM"):
        return
    p = subprocess.run(["make", "--no-print-directory", "-j2", "TEST=1", "all", "tools"], cwd=ROOT, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if not t.ok(p.returncode == 0, "a test build is made", p.stdout[-2000:]):
        t.done()


def leftovers():
    """Everything osh could leave on a machine, as a set of printable lines."""
    found = set()
    for n in glob.glob("/run/netns/*"):
        found.add("netns " + os.path.basename(n))
    top = cgroup2()
    if top:
        for d, subs, _ in os.walk(top):
            for s in subs:
                if "osh" in os.path.join(d, s)[len(top):]:
                    found.add("cgroup " + os.path.join(d, s)[len(top):])
    with open("/proc/self/mountinfo") as f:
        for line in f:
            found.add("mount " + line.split()[4])
    for d, subs, files in os.walk("/sys/fs/bpf"):
        for s in subs + files:
            if not s.endswith(".debug"):
                found.add("pin " + os.path.join(d, s))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if exe.startswith(ROOT + "/build") and not exe.startswith(ROOT + "/build/vm"):     # of this tree; not a guest's root being made
            found.add(f"process {os.path.basename(exe)} pid {pid}")
    return found


def old_cgroups():
    """What osh makes in hierarchies of cgroup v1, where a controller is bound to one. The next run of an oshd takes away what one
    that was killed left there, so this is asked of a whole run and not after each test."""
    return set("cgroup " + d for d in glob.glob("/sys/fs/cgroup/*/osh.*") if "slice" not in d)


def as_user(uid):
    """For run() and Popen(): as that user, who is in no other group; 0 = as whoever we are."""
    return {"user": uid, "group": uid, "extra_groups": []} if uid else {}


def run(args, timeout=200, **kw):
    """subprocess.run with output as text, never a traceback for a timeout: rc 124 then."""
    try:
        p = subprocess.run(args, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=kw.pop("stdin", subprocess.DEVNULL), errors="replace", **kw)
        return p.returncode, p.stdout, p.stderr
    except subprocess.TimeoutExpired as e:
        out = (e.stdout or b""), (e.stderr or b"")
        return 124, *(o.decode(errors="replace") if isinstance(o, bytes) else o for o in out)
