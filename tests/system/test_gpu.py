#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPUs for sandboxes: the nodes that were granted and no others, to one sandbox at a time, until it has ended, whoever dies.
The devices are made up, of NVIDIA's numbers: an open that is let through says ENXIO, as no driver is there."""
import json
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from lib import Tap, cgroup2, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, kill, late, pids_of, until  # noqa: E402

LIMIT = 240
LOOK = "import os\n" + """
for n in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "dri/renderD128"):
    try:
        os.close(os.open("/dev/" + n, os.O_RDWR))
        print(n, "OPEN")
    except OSError as e:
        print(n, os.strerror(e.errno) if e.errno not in (2, 6, 1, 13) else {2: "ENOENT", 6: "ENXIO", 1: "EPERM", 13: "EACCES"}[e.errno])
"""
MKNOD = """
import os
for where in ("/tmp/n", "/dev/n", "/dev/shm/n"):
    try:
        os.mknod(where, 0o20666, os.makedev(195, 0))
        print("MADE")
    except OSError as e:
        print("refused")
"""


TOUCH = """
import os
try:
    os.utime("/dev/nvidia0")
    print("TOUCHED")
except OSError as e:
    print("EROFS" if e.errno == 30 else e)
"""


# A descriptor of a GPU's node, for whoever connects; and who does.
HOLDS = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1].replace("@", chr(0), 1))
s.listen()
fd = os.open("/dev/nvidia0", os.O_PATH)
print("up", flush=True)
while True:
    c = s.accept()[0]
    try:
        socket.send_fds(c, [b"x"], [fd])
    except OSError:
        pass
"""
TAKES = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1].replace("@", chr(0), 1))
    got = socket.recv_fds(s, 1, 1)[1]
    print("GOT", os.minor(os.fstat(got[0]).st_rdev) if got else "nothing")
except OSError as e:
    print("refused", e.errno)
"""


class Machine:
    def __init__(self, d):
        self.d, self.w = d, d.work

    def run(self, gpu, code=LOOK, policy=""):
        w = self.w
        p = w.write("gpu.yaml", BASE_POLICY + policy)
        return run([OSHCTL, "run", "--socket", self.d.bus, "-p", p, "-w", w.work, *(["--gpu", gpu] if gpu else []), "--",
                    "python3", "-c", code], LIMIT)

    def create(self, name, gpu):
        return run([OSHCTL, "sandbox", "create", "--socket", self.d.bus, "-n", name, "-p", self.w.policy, "-w", self.w.work,
                    "--gpu", gpu], LIMIT)

    def ctl(self, *args):
        return run([OSHCTL, *args, "--socket", self.d.bus], LIMIT)

    def list(self):
        rc, out, err = self.ctl("gpu", "list", "--json")
        return {g["name"]: g for g in json.loads(out)} if rc == 0 else {"error": err}

    def holders(self):
        return {n: (g["state"], g["sandboxes"]) for n, g in self.list().items()}


def seen(result):
    return dict(ln.rsplit(" ", 1) for ln in result[1].splitlines() if " " in ln)


def only(result, *granted):
    """Were these let through, with what all users of the driver open, and was nothing else there?"""
    s = seen(result)
    through = {*granted, *(("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools") if any("nvidia" in g for g in granted) else ())}
    return result[0] == 0 and len(s) == 6 and all(s[n] == ("ENXIO" if n in through else "ENOENT") for n in s)


def t_list(t, m):
    got = m.list()
    t.ok(list(got) == ["nvidia0", "nvidia1", "renderD128"] and all(g["state"] == "free" and not g["sandboxes"] for g in got.values()),
         "the list has whole devices, all free", got)
    t.ok(got["nvidia0"]["nodes"] == ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"],
         "with the nodes that one needs", got)
    rc, out, err = m.ctl("gpu", "list")
    t.ok(rc == 0 and "nvidia1" in out and "free" in out, "and for people", out, err)


def t_granted(t, m):
    r = m.run(None)
    t.ok(r[0] == 0 and set(seen(r).values()) == {"ENOENT"}, "without a grant no node is there", r)
    r = m.run("nvidia1")
    t.ok(only(r, "nvidia1"), "by name: that one, and what all users of the driver open", r)
    r = m.run("renderD128")
    t.ok(only(r, "dri/renderD128"), "another vendor's: its own node alone", r)
    r = m.run("all")
    t.ok(only(r, "nvidia0", "nvidia1", "dri/renderD128"), "all of them", r)
    r = m.run(None, policy="gpu: {devices: [0]}\n")
    t.ok(only(r, "nvidia0"), "by the policy, with an index", r)
    r = m.run("nvidia1", policy="gpu: {devices: [0]}\n")
    t.ok(only(r, "nvidia1"), "the option comes before the policy", r)
    r = m.run("nvidia0", MKNOD)
    t.ok(r[0] == 0 and r[1].split() == ["refused"] * 3, "none is made, also not of a number that was granted", r)


def t_untouched(t, m):
    was = os.stat("/dev/nvidia0")
    r = m.run("nvidia0", TOUCH)
    now = os.stat("/dev/nvidia0")
    t.ok(r[0] == 0 and r[1] == "EROFS\n" and (was.st_mtime_ns, was.st_mode) == (now.st_mtime_ns, now.st_mode),
         "what may be written to is the device: its node stays as it is", r)


def t_group(t, m):
    """A caller's group that owns a granted node is kept, and nobody outside gets it by a program that is made inside."""
    w, group, uid = m.w, 4321, 1815
    who = {"user": uid, "group": uid, "extra_groups": [group]}
    work = os.path.join(w.dir, "his")
    os.mkdir(work)
    os.chown(work, uid, uid)
    os.chown("/dev/nvidia1", 0, group)
    os.chmod("/dev/nvidia1", 0o660)
    policy = w.write("his.yaml", BASE_POLICY.replace("process: {run_as_user: sandbox}\n", ""))

    def his(*options):
        return run([OSHCTL, "run", "--socket", m.d.bus, "-p", policy, "-w", work, *options, "--", "sh", "-c",
                    f"id -G; cp /bin/true p; chgrp {group} p; chmod 2755 p; stat -c '%g %a' p; rm p"], LIMIT, cwd=work, **who)
    r = his("--gpu", "nvidia1")
    t.ok(r[1].split() == [str(uid), str(group), str(group), "755"], "with a device its group, and no set-group-id program of it", r)
    r = his()
    t.ok(r[1].split()[:2] == [str(uid), str(uid)], "without one neither", r)
    os.chown("/dev/nvidia1", 0, 0)
    os.chmod("/dev/nvidia1", 0o666)


def t_refused(t, m):
    for what, want in (("nvidia7", "no GPU 'nvidia7'"), ("vendor.com/gpu=0", "no GPU 'vendor.com/gpu=0'"), ("4", "3 of 3 GPUs are free"),
                       ("0", "--gpu"), ("a b", "--gpu"), (",", "--gpu"), ("share", "--gpu"), ("1,nvidia0", "--gpu")):
        r = m.run(what)
        t.ok(r[0] == 125 and want in r[2], f"--gpu '{what}' is refused, and says why", r)
    r = m.run(None, policy="gpu: {devices: [a b]}\n")
    t.ok(r[0] == 125 and "no name of a device" in r[2], "so is a name in a policy that is none", r)


def has_dmem():
    with open(os.path.join(cgroup2(), "cgroup.controllers")) as f:
        return "dmem" in f.read().split()


def t_memory(t, m):
    """Where the kernel lacks the controller that is the reason; where it has it, that no driver counts these."""
    has = has_dmem()
    why = "its driver does not count" if has else "no controller 'dmem'"
    print(f"# the kernel {'has' if has else 'lacks'} the controller dmem")
    r = m.run("nvidia0", policy="resources: {gpu_memory: 1Gi}\n")
    t.ok(r[0] == 125 and "resources.gpu_memory" in r[2] and "'nvidia0'" in r[2] and why in r[2],
         "a limit of its memory that nobody can keep is refused by name", r)
    rc, out, err = run([OSHCTL, "doctor", "--json", "--socket", m.d.bus], LIMIT)
    said = {f["name"]: f for f in json.loads(out)["features"]}["limit-gpu-memory"] if out else {}
    t.ok(said.get("state") == ("works" if has else "lacks") and bool(said.get("fix")) != has, "and doctor knows whether the kernel could", rc, said, err)
    t.ok(m.holders()["nvidia0"] == ("free", []), "and the GPU is free again", m.holders())
    r = run([*m.d.command("true", options=("--gpu", "renderD128", "--gpu-memory", "64Mi"))], LIMIT)
    t.ok(r[0] == 125 and "resources.gpu_memory" in r[2] and "'renderD128'" in r[2], "so is the option", r)
    r = m.run(None, "print('up')", policy="resources: {gpu_memory: 1Gi}\n")
    t.ok(r[0] == 0 and r[1] == "up\n", "who has no GPU takes no memory of one", r)


def t_turns(t, m):
    rounds = [tuple(sorted(n for n, s in seen(m.run("1")).items() if s == "ENXIO" and n in ("nvidia0", "nvidia1", "dri/renderD128")))
              for _ in range(6)]
    t.ok(len(set(rounds[:3])) == 3 and rounds[:3] == rounds[3:], "a count gives each in turn", rounds)


def t_alone(t, m):
    t.ok(m.create("one", "nvidia0")[0] == 0, "a sandbox has one")
    t.ok(m.holders()["nvidia0"] == ("exclusive", ["one"]), "which the list says", m.holders())
    r = m.run("nvidia0")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "nobody else gets it", r)
    r = m.run("nvidia0,share")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "nor shares what was not shared", r)
    r = m.run("2")
    t.ok(only(r, "nvidia1", "dri/renderD128"), "a count is of what is free", r)
    r = m.run("3")
    t.ok(r[0] == 125 and "2 of 3 GPUs are free" in r[2], "or refused, and nothing is kept of it", r)
    t.ok(m.holders()["nvidia1"] == ("free", []), "nothing is kept of a refusal", m.holders())
    r = m.run("nvidia1")
    t.ok(only(r, "nvidia1"), "beside it another has its own, and not that one", r)
    rc, out, err = run(
        [OSHCTL, "sandbox", "exec", "--socket", m.d.bus, "-T", "one", "--", "python3", "-c", LOOK], LIMIT)
    t.ok(only((rc, out, err), "nvidia0"), "and what comes later into it has the same", out, err)
    t.ok(m.ctl("sandbox", "stop", "one")[0] == 0 and m.holders()["nvidia0"] == ("free", []), "stopped: free again", m.holders())
    r = m.run("nvidia0")
    t.ok(only(r, "nvidia0"), "for the next", r)
    t.ok(m.ctl("sandbox", "start", "one")[0] == 0 and m.holders()["nvidia0"][0] == "exclusive", "started: it has it again", m.holders())
    t.ok(m.ctl("sandbox", "delete", "-f", "one")[0] == 0 and m.holders()["nvidia0"] == ("free", []), "deleted: free", m.holders())


def t_at_once(t, m):
    """osh-launch and osh-audit have copies and last words of a sandbox that has ended: nobody waits for these."""
    m.create("slow", "nvidia0")
    with late("osh-launch", "osh-audit"):
        kill(pids_of("osh-init"))
        t.ok(until(lambda: m.holders()["nvidia0"] == ("free", []), 10), "ended: free, whoever is late", m.holders())
    m.ctl("sandbox", "delete", "-f", "slow")
    with late("osh-launch"):
        r = m.run("nvidia0", policy="resources: {gpu_memory: 1Gi}\n")
        t.ok(r[0] == 125 and m.holders()["nvidia0"] == ("free", []), "refused: free", r, m.holders())


def t_handed(t, m):
    """Who has one listens in the directory that both have, and by an abstract name; who has none connects."""
    def inside(name, code, where):
        return [OSHCTL, "sandbox", "exec", "--socket", m.d.bus, "-T", name, "--", "python3", "-c", code, where]
    for where in (os.path.join(m.w.work, "hands-on"), "@osh-test-hands-on"):
        if os.path.exists(where):
            os.unlink(where)
        t.ok(m.create("holds", "nvidia0")[0] == 0 and m.create("wants", "nvidia1")[0] == 0, "two sandboxes, of one directory")
        holder = subprocess.Popen(inside("holds", HOLDS, where), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        t.ok(holder.stdout.readline() == "up\n", "one of them holds a descriptor of its GPU for others")
        r = run(inside("holds", TAKES, where), LIMIT)
        if where[0] == "@":
            t.ok(r[1] == "GOT 0\n", "within it that is handed on", r)
        else:
            t.ok(r[1].startswith("refused"), "nobody connects by a name in a directory of outside", r)
        r = run(inside("wants", TAKES, where), LIMIT)
        t.ok(r[1].startswith("refused"), "the other sandbox does not get it", r)
        for name in ("holds", "wants"):
            m.ctl("sandbox", "delete", "-f", name)
        holder.communicate(timeout=LIMIT)


def t_shared(t, m):
    t.ok(m.create("a", "nvidia0,share")[0] == 0 and m.create("b", "nvidia0,share")[0] == 0, "two share one")
    t.ok(m.holders()["nvidia0"][0] == "shared" and sorted(m.holders()["nvidia0"][1]) == ["a", "b"], "the list has both", m.holders())
    t.ok(m.run("nvidia0")[0] == 125, "nobody has it alone meanwhile")
    m.ctl("sandbox", "delete", "-f", "a")
    t.ok(m.run("nvidia0")[0] == 125 and m.holders()["nvidia0"] == ("shared", ["b"]), "nor while the other is left", m.holders())
    m.ctl("sandbox", "delete", "-f", "b")
    t.ok(only(m.run("nvidia0"), "nvidia0"), "then somebody has")


def t_killed(t, m):
    m.create("dies", "nvidia0")
    inits = pids_of("osh-init")
    kill(inits)
    t.ok(inits and until(lambda: m.holders()["nvidia0"] == ("free", []), 30), "osh-init killed: free", m.holders())
    m.ctl("sandbox", "delete", "-f", "dies")
    m.create("stays", "nvidia0")
    m.d.p.send_signal(signal.SIGKILL)
    m.d.p.wait()
    m.d.start()
    t.ok(until(lambda: m.holders().get("nvidia0") == ("exclusive", ["stays"]), 30), "oshd killed: the next one knows who has it", m.holders())
    r = m.run("nvidia0")
    t.ok(r[0] == 125 and "another sandbox's" in r[2], "and gives it to nobody else", r)
    m.ctl("sandbox", "delete", "-f", "stays")
    t.ok(until(lambda: m.holders()["nvidia0"] == ("free", []), 30), "until its end", m.holders())


def t_run_killed(t, m):
    """A run's is free whoever was killed: its client, everybody at once, or an oshd that was its alone."""
    def held(by):
        return until(lambda: m.holders().get("nvidia1") == by, 30)
    p = subprocess.Popen(m.d.command("sleep", "1000", options=("-n", "client", "--gpu", "nvidia1")), stdin=subprocess.DEVNULL)
    t.ok(held(("exclusive", ["client"])), "a run has one", m.holders())
    p.kill()
    p.wait()
    t.ok(held(("free", [])), "its client killed: free", m.holders())
    p = subprocess.Popen(m.d.command("sleep", "1000", options=("-n", "all", "--gpu", "nvidia1")), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    held(("exclusive", ["all"]))
    kill([m.d.p.pid, *pids_of("osh-launch"), *pids_of("osh-init")])
    m.d.p.wait()
    m.d.start()
    p.wait()
    t.ok(held(("free", [])), "oshd, osh-launch and osh-init killed at once: free", m.holders())
    p = subprocess.Popen([OSHCTL, "run", "-p", m.w.policy, "-w", m.w.work, "--gpu", "nvidia1", "--", "sleep", "1000"], stdin=subprocess.DEVNULL)
    t.ok(held(("exclusive", ["(another oshd's)"])), "a run with an oshd of its own has one", m.holders())
    p.kill()
    p.wait()
    t.ok(held(("free", [])), "killed: free", m.holders())


def t_two_daemons(t, m):
    with Work() as w, Daemon(w) as other:
        n = Machine(other)
        m.create("here", "nvidia0")
        r = n.run("nvidia0")
        t.ok(r[0] == 125 and "another sandbox's" in r[2], "another oshd of the machine does not give it away", r)
        t.ok(n.holders()["nvidia0"] == ("exclusive", ["(another oshd's)"]), "and says so", n.holders())
        m.ctl("sandbox", "delete", "-f", "here")
        t.ok(only(n.run("nvidia0"), "nvidia0"), "then it does")


def t_none(t, m):
    """From here on the machine has none."""
    for name in ("nvidia0", "nvidia1", "dri/renderD128"):
        os.unlink("/dev/" + name)
    for what in ("all", "1"):
        r = m.run(what)
        t.ok(r[0] == 125 and "this machine has no GPU" in r[2], f"--gpu {what} where there is none is refused", r)
    rc, out, err = m.ctl("gpu", "list")
    t.ok(rc == 0 and "no GPUs: neither /dev/nvidia0" in err, "and the list says where it looked", out, err)


def main():
    if os.geteuid():
        print("1..0 # SKIP needs root")
        return 0
    gpus.machine({**gpus.NODES, "dri/renderD128": (226, 500)})
    t = Tap()
    with Work() as w, Daemon(w) as d:
        m = Machine(d)
        for step in (t_list, t_granted, t_untouched, t_group, t_refused, t_memory, t_turns, t_alone, t_at_once, t_handed, t_shared, t_killed, t_run_killed, t_two_daemons, t_none):
            step(t, m)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
