#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The package on a machine with systemd: installed, started, used by an unprivileged user, activated, watched, upgraded
under living sandboxes, restored after a reboot, purged; stored credentials and doctor behind the units' filters. Runs as
root with systemd as process 1: in the virtual machine, and in namespaces by tests/system/test_service.py. Exit status 75
asks for a reboot; OSH_BOOT counts them from 1."""
import glob
import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
import osh  # noqa: E402
from keys_world import KeysWorld, holders  # noqa: E402
from lib import ROOT, Tap, run  # noqa: E402

osh.REAL = "/usr/libexec/osh"       # whose processes are searched: those that are installed
t = Tap()
USER = "ann"
KEY, KEY2 = "acme-live-4eC39HqLyjWDarjtT1zdp7dc", "acme-live-Zx81kLmNoPqRsTuVwXyZ0123"
DROP_IN = "/run/systemd/system/oshd.service.d"
PATIENCE = 240                      # for what hangs
BUS = ["org.osh.Manager1", "/org/osh/Manager1", "org.osh.Manager1"]
PTRACE, CLOCK_SETTIME, SETHOSTNAME = 101, 227, 170

if open("/proc/1/comm").read() != "systemd\n":
    print("# process 1 is not systemd")
    sys.exit(77)


def sh(*cmd, timeout=PATIENCE, **kw):
    rc, out, err = run(list(cmd), timeout=timeout, **kw)
    return rc, out.strip(), err.strip()


def in_namespaces():
    return sh("systemd-detect-virt", "--container")[0] == 0


def prop(unit, name):
    return sh("systemctl", "show", "-P", name, unit)[1]


def until(cond, what, *more):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if cond():
            return t.ok(True, what)
        time.sleep(0.2)
    return t.ok(False, what, *[m() if callable(m) else m for m in more])


def journal():
    return sh("journalctl", "--no-pager", "-q", "-n", "40", "-u", "oshd", "-u", "osh-launch@*")[1]


def as_user(*cmd, **kw):
    """With the user's own groups and no others, as after a login."""
    return sh("setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--reset-env", *cmd, cwd=home(), **kw)


def home():
    return pwd.getpwnam(USER).pw_dir


def package():
    found = glob.glob(f"{ROOT}/build/osh_*.deb")
    if not found:
        print("# no package was built: make deb")
        sys.exit(77)
    return found[0]


def install():
    rc, out, err = sh("dpkg", "-i", package())
    t.ok(rc == 0, "the package installs, and all that it depends on is there", out, err)
    t.ok(prop("oshd", "ActiveState") == "active", "oshd runs", sh("systemctl", "status", "--no-pager", "oshd")[1], journal())
    t.ok(prop("oshd", "UnitFileState") == "enabled", "and will after a reboot")
    sh("systemctl", "stop", "oshd", "oshd.socket")
    rc, _, err = sh("systemctl", "start", "oshd")
    t.ok(rc == 0 and prop("oshd", "ActiveState") == "active", "systemctl start oshd", err, journal())
    maker = sh("systemctl", "list-units", "--plain", "--no-legend", "osh-launch@*")[1].split()
    for unit in ("oshd.service", maker[0] if maker else "none"):
        rc, out, _ = sh("systemd-analyze", "security", "--no-pager", unit)
        level = re.search(r"Overall exposure level for .*: ([0-9.]+)", out)
        t.ok(level and float(level.group(1)) <= 6.0, f"systemd's own judgement of {unit.split('@')[0]} as it runs: 6.0 at most", out[-400:])


def unprivileged():
    groups = as_user("id", "-nG")[1].split()
    t.ok(groups == [USER], f"{USER} is in no special group", groups)
    rc, out, err = as_user("oshctl", "run", "--", "sh", "-c", "id -u; echo written > kept; cat kept; ls /root")
    t.ok(out.splitlines()[:2] == [str(pwd.getpwnam(USER).pw_uid), "written"], "runs a command with the default preset", out, err,
         journal())
    t.ok(open(home() + "/kept").read() == "written\n", "which wrote in the directory that it was started in")
    rc, out, err = as_user("oshctl", "run", "--", "sh", "-c", "cat /etc/shadow || cat /var/lib/osh/osh.db")
    t.ok(rc != 0 and not out, "and sees nothing of the host's", out)


def on_record():
    """What a filter of a unit's would answer before the sandbox's own does."""
    probe = ("import ctypes, socket; c = ctypes.CDLL(None); [c.syscall(n, 0, 0, 0, 0) for n in (%d, %d, %d)]\n"
             "try: socket.socket(40, 1)\nexcept OSError: pass" % (PTRACE, CLOCK_SETTIME, SETHOSTNAME))
    log = home() + "/log"
    rc, out, err = as_user("oshctl", "run", "--log", log, "--", "/usr/bin/python3", "-c", probe)
    text = open(log).read() if os.path.exists(log) else ""
    calls = {json.loads(ln).get("unmapped", {}).get("syscall") for ln in text.splitlines()}
    t.ok({"ptrace", "clock_settime", "sethostname"} <= calls and '"socket"' in text,
         "refused calls and families are on record: no unit's filter answers first", rc, err, calls)
    in_journal(log)


def in_journal(log):
    """The same in the journal, with fields, as the unit's."""
    want = {o["metadata"]["sequence"]: o["osh"]["reason"] for o in map(json.loads, open(log)) if o.get("osh", {}).get("verdict") == "denied"}
    name = json.loads(open(log).readline())["container"]["name"]
    sh("journalctl", "--sync")
    _, out, err = sh("journalctl", "-q", "--no-pager", "-o", "json", "_SYSTEMD_UNIT=oshd.service", "OSH_UNIT=oshd", f"OSH_SANDBOX={name}",
                     f"OSH_USER={pwd.getpwnam(USER).pw_uid}", "OSH_VERDICT=denied")
    got = {int(m["OSH_SEQUENCE"]): m["OSH_REASON"] for m in map(json.loads, out.splitlines())}
    t.ok(want and got == want, "each denial is in the journal too: found by the fields of sandbox, user and verdict", want, got, err)
    _, out, _ = sh("journalctl", "-q", "--no-pager", "-o", "json", f"OSH_SANDBOX={name}", "OSH_EVENT=life")
    t.ok({m["OSH_REASON"] for m in map(json.loads, out.splitlines())} >= {"STARTED", "ENDED"}, "so are its start and its end", out)


def confinement():
    pid = prop("oshd", "MainPID")
    status = dict(ln.split(":\t", 1) for ln in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in ln)
    t.ok(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and int(status["CapBnd"], 16) < int(
        open("/proc/1/status").read().split("CapBnd:\t")[1].split()[0], 16), "oshd has a filter and few capabilities")
    other = [n for n in ("mnt", "net") if os.readlink(f"/proc/{pid}/ns/{n}") != os.readlink(f"/proc/1/ns/{n}")]
    t.ok(other == ["mnt", "net"], "a mount and a network namespace of its own", other)
    mounts = {ln.split()[4]: ln.split()[5].split(",") for ln in open(f"/proc/{pid}/mountinfo")}
    t.ok("ro" in mounts["/"] and "rw" in mounts["/var/lib/osh"], "and writes to nothing but its own", sorted(mounts)[:40])
    maker = osh.pids_of("osh-launch")[0]
    other = [n for n in ("mnt", "net") if os.readlink(f"/proc/{maker}/ns/{n}") not in
             (os.readlink(f"/proc/1/ns/{n}"), os.readlink(f"/proc/{pid}/ns/{n}"))]
    mounts = {ln.split()[4]: ln.split()[5].split(",") for ln in open(f"/proc/{maker}/mountinfo")}
    t.ok(other == ["mnt", "net"] and "ro" in mounts["/"] and "ro" in mounts["/sys"] and "rw" in mounts["/run/osh"] and not
         os.listdir(f"/proc/{maker}/root/home"), "osh-launch has its own too, and homes are in neither", other, sorted(mounts)[:40])
    cgroups = {os.path.basename(prop(u, "ControlGroup")) for u in ["oshd"]} | set(os.listdir("/sys/fs/cgroup/osh.slice"))
    t.ok("oshd.service" in cgroups and any(c.startswith("oshd.abi") for c in cgroups), "all of osh is in osh.slice", cgroups)
    t.ok(sh("journalctl", "-q", "--no-pager", "-n", "1", "OSH_UNIT=oshd", "-o", "json")[0] == 0, "the journal has the field OSH_UNIT")


def activation():
    sh("systemctl", "stop", "oshd")
    t.ok(prop("oshd", "ActiveState") == "inactive", "oshd is stopped", journal())
    rc, out, err = as_user("oshctl", "run", "--", "echo", "woken")
    t.ok(rc == 0 and out == "woken" and prop("oshd", "ActiveState") == "active", "a caller's connection starts it", out, err, journal())
    sh("systemctl", "stop", "oshd")
    rc, out, err = as_user("busctl", "--system", "--timeout=300", "call", *BUS, "List", "a{ss}", "0")
    t.ok(rc == 0 and out.startswith("aa{sv}") and prop("oshd", "ActiveState") == "active",
         "a call on the system bus starts it, and is answered", out, err, journal())
    rc, out, err = as_user("busctl", "--system", "call", *BUS, "Stop", "su", "x", "0")
    t.ok(rc != 0, "the bus takes no call that changes anything", out, err)


def doctor():
    rc, out, err = as_user("oshctl", "doctor", "--json")
    found = json.loads(out or "{}")
    lacks = [(f["name"], f["state"], f["note"]) for f in found.get("features", []) if f["weight"] == "needed" and f["state"] != "works"]
    t.ok(found and not lacks and not found["unasked"], "doctor finds through the service what sandboxes start with", rc, err, lacks)
    missing = {p["promise"] for p in found.get("promises", []) if p["state"] != "kept"}
    # Namespaces on a machine with cgroup v1 have no controllers of v2.
    t.ok(missing <= ({"no more than its share"} if in_namespaces() else set()), "and every promise is kept", *[p for p in found.get("promises", []) if p["promise"] in missing])


def upstream(w):
    """The operator's word where hosts are: a drop-in. What it names lies where the unit sees it."""
    os.makedirs("/etc/osh-test", exist_ok=True)
    os.makedirs(DROP_IN, exist_ok=True)
    shutil.copy(w.hosts, "/etc/osh-test/hosts")
    shutil.copy(w.anchor, "/etc/osh-test/ca.pem")
    with open(DROP_IN + "/test.conf", "w") as f:
        f.write("[Service]\nExecStart=\nExecStart=/usr/libexec/osh/oshd --launcher /run/osh/launcher "
                "--upstream-hosts /etc/osh-test/hosts --upstream-ca /etc/osh-test/ca.pem\n")


def anew(what):
    sh("systemctl", "daemon-reload")
    rc, _, err = sh("systemctl", "restart", "oshd")
    t.ok(rc == 0 and prop("oshd", "ActiveState") == "active", what, err, journal())


def own(name, text):
    """A file of the user's in the user's home."""
    path = os.path.join(home(), name)
    with open(path, "w") as f:
        f.write(text)
    shutil.chown(path, USER, USER)
    return path


def asks(w, what, key, more=""):
    """A run that sends one request with the stored provider, and then searches all that it can read."""
    w.api.seen.clear()
    policy = own("policy.yaml", w.policy("  api:\n    endpoints: [{host: api.acme.example, port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"))
    rc, out, err = as_user("oshctl", "run", "-p", policy, "--provider", "acme", "--", "sh", "-c",
                           f'echo "$ACME_KEY"; curl -sS -m 200 -H "x-api-key: $ACME_KEY" https://api.acme.example/x; {more or "true"}')
    t.ok(rc == 0 and out.startswith("osh-acme-") and w.came("x-api-key") == [key], what, rc, out, err, w.api.seen, journal())
    return out


def stored():
    """A stored credential behind the unit's filters: sealed, opened and given to an egress by children of oshd."""
    with KeysWorld() as w:
        upstream(w)
        anew("oshd starts with hosts of the operator's")
        key = own("acme.key", KEY + "\n")
        rc, out, err = as_user("oshctl", "provider", "create", "acme", "--type", "generic", "--host", "api.acme.example", "--env", "ACME_KEY",
                               "--header", "x-api-key", "--from-file", key)
        t.ok(rc == 0, "a user stores a credential", out, err, journal())
        os.unlink(key)
        own("search.py", open(w.search).read())
        out = asks(w, "a run uses it: upstream gets the key", KEY, f"python3 search.py <<E\n{KEY[::-1]}\nE")
        t.ok("found []" in out, "and it is nowhere in the sandbox", out)
        t.ok(holders(KEY) == set(), "nor in any process of osh's that is left", holders(KEY))
        as_credential(w)
        rc, out, err = as_user("oshctl", "provider", "rotate", "acme", "--from-file", own("acme.key", KEY2 + "\n"))
        t.ok(rc == 0, "it is rotated", out, err, journal())
        asks(w, "the next run goes with the new one", KEY2)
        rc, out, err = as_user("oshctl", "provider", "delete", "acme")
        t.ok(rc == 0, "and deleted", out, err)
    shutil.rmtree(DROP_IN)
    shutil.rmtree("/etc/credstore.encrypted", ignore_errors=True)
    shutil.rmtree("/etc/osh-test")
    anew("oshd starts as it was installed")


def as_credential(w):
    """The commands of docs/providers.md, with the key of this machine."""
    if in_namespaces():
        return t.skip("the key as a credential of systemd's", "a systemd in namespaces gives its services none; the virtual machine's does")
    sealed = "/etc/credstore.encrypted/osh.provider-key"
    os.makedirs(os.path.dirname(sealed), mode=0o700, exist_ok=True)
    rc, _, err = sh("systemd-creds", "encrypt", "--with-key=host", "--name=osh.provider-key", "/var/lib/osh/provider.key", sealed)
    os.unlink("/var/lib/osh/provider.key")
    t.ok(rc == 0, "the key becomes a credential of systemd's", err)
    anew("oshd starts with it")
    asks(w, "which opens what was sealed before", KEY)
    t.ok(not os.path.exists("/var/lib/osh/provider.key"), "and no key is left on disk as it is")


class Living:
    """A sandbox with a command that waits for a line, and one that was created: both have to notice nothing."""

    def __init__(self):
        self.p = subprocess.Popen(["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--reset-env", "oshctl", "run",
                                   "--", "sh", "-c", "echo up; read x; echo got $x"], cwd=home(), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.ok(self.p.stdout.readline() == "up\n", "a command runs")
        rc, out, err = as_user("oshctl", "sandbox", "create", "--name", "stays")
        t.ok(rc == 0, "a sandbox is created", out, err)
        as_user("oshctl", "sandbox", "exec", "stays", "--", "sh", "-c", "echo $$ > /tmp/mark")

    def goes_on(self, when):
        rc, out, err = as_user("oshctl", "sandbox", "exec", "stays", "--", "cat", "/tmp/mark")
        t.ok(rc == 0 and out.isdigit(), f"{when}: the created sandbox goes on", rc, out, err, journal())
        t.ok(self.p.poll() is None, f"{when}: the command goes on")

    def end(self):
        out, err = self.p.communicate("on\n", timeout=PATIENCE)
        t.ok(out == "got on\n" and self.p.returncode == 0, "and ends as it would have", out, err)


def watchdog(living):
    was, n = prop("oshd", "MainPID"), int(prop("oshd", "NRestarts"))
    sh("systemctl", "kill", "--kill-who=main", "--signal=STOP", "oshd")
    until(lambda: int(prop("oshd", "NRestarts")) > n and prop("oshd", "ActiveState") == "active" and
          prop("oshd", "MainPID") not in ("0", was), "a stopped oshd is killed by the watchdog and started again", journal)
    living.goes_on("after the watchdog")


def upgrade(living):
    was = prop("oshd", "MainPID")
    rc, out, err = sh("dpkg", "-i", package())
    t.ok(rc == 0, "the package is installed again, as an upgrade is", out, err)
    until(lambda: prop("oshd", "ActiveState") == "active" and prop("oshd", "MainPID") not in ("0", was),
          "its oshd replaces the one that ran", journal)
    living.goes_on("after the upgrade")


def restored():
    until(lambda: prop("oshd", "ActiveState") == "active", "after a reboot oshd runs", journal)
    until(lambda: as_user("oshctl", "sandbox", "exec", "stays", "--", "echo", "back")[1] == "back",
          "and has started again what was created", lambda: as_user("oshctl", "sandbox", "list"), journal)
    rc, out, _ = as_user("oshctl", "sandbox", "exec", "stays", "--", "cat", "/sandbox/home-file")
    t.ok(out == "kept", "with its home", out)


def left():
    found = [f for f in ("/var/lib/osh", "/run/osh", "/sys/fs/bpf/osh", "/usr/libexec/osh", "/usr/bin/oshctl", "/usr/share/osh",
                         "/usr/share/doc/osh", "/sys/fs/cgroup/osh.slice") if os.path.lexists(f)]
    for top in ("/lib/systemd/system", "/etc/systemd/system", "/var/lib/systemd/deb-systemd-helper-enabled", "/usr/share/dbus-1",
                "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d"):
        for d, subs, files in os.walk(top):
            found += [os.path.join(d, f) for f in files + subs if re.match(r"osh(d|-launch)?[.@]|org\.osh", f)]
    found += [g.gr_name for g in grp.getgrall() if g.gr_name.startswith("osh")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            comm = open(f"/proc/{pid}/comm").read().strip()
        except OSError:
            continue
        found += [f"process {comm} {pid}"] if comm.startswith("osh") and comm != "osh-vm" else []
    return found


def purge():
    rc, out, err = sh("dpkg", "-r", "osh")
    t.ok(rc == 0, "the package is removed", out, err)
    t.ok(os.path.exists("/var/lib/osh/osh.db"), "which keeps what was created")
    rc, out, err = sh("dpkg", "--purge", "osh")
    t.ok(rc == 0, "and purged", out, err)
    until(lambda: not left(), "which leaves nothing", lambda: "\n".join(left()))


if os.environ.get("OSH_BOOT", "1") == "1":
    if not any(u.pw_name == USER for u in pwd.getpwall()):
        subprocess.run(["useradd", "-m", USER], check=True)
    install()
    unprivileged()
    on_record()
    confinement()
    activation()
    doctor()
    stored()
    living = Living()
    watchdog(living)
    upgrade(living)
    living.end()
    as_user("oshctl", "sandbox", "exec", "stays", "--", "sh", "-c", "echo kept > /sandbox/home-file")
    if t.bad:
        t.done()
    print(f"1..{t.n}", flush=True)      # a plan a boot
    sys.exit(75)
restored()
purge()
t.done()
