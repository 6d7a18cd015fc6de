#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Created sandboxes from create to delete: every verb, every answer, what stays over a stop and over a reboot,
what a killed oshd leaves for the next, and the API as sd-bus tools see it."""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
import osh  # noqa: E402
from osh import BASE_POLICY, OSHCTL, OSHD, Daemon, Work, kill, pids_of  # noqa: E402
from sdbus import Peer  # noqa: E402

POLICY = BASE_POLICY.replace("read_only:", "read_write: [/sandbox]\n  read_only:")


def until(cond, seconds=30, step=0.02):
    return osh.until(cond, seconds, step)


class Ctl:
    """oshctl sandbox VERB against one daemon, as one user."""

    def __init__(self, d, user=None, groups=()):
        self.d, self.more = d, {} if user is None else {"user": user, "group": user, "extra_groups": list(groups)}

    def __call__(self, verb, *args, timeout=60):
        return run([OSHCTL, "sandbox", verb, "--socket", self.d.bus, *args], timeout, cwd="/", **self.more)

    def create(self, *args, w=None):
        w = w or self.d.work
        return self("create", "-p", w.policy, "-w", w.work, *args)

    def get(self, name):
        rc, out, _ = self("get", name, "--json")
        return json.loads(out) if rc == 0 else {}

    def state(self, name):
        return self.get(name).get("state")

    def names(self, *args):
        rc, out, _ = self("list", "--json", *args)
        return sorted(r["name"] for r in json.loads(out)) if rc == 0 else None


def verbs(t, d, c):
    rc, out, err = c.create("-n", "one", "-l", "team=a", "-l", "stage=test")
    t.ok(rc == 0 and out == "one\n", "create prints the name", out, err, d.errors())
    row = c.get("one")
    t.ok(row.get("state") == "running" and row.get("wanted") and row.get("kind") == "created" and row.get("uid") == os.geteuid(),
         "and it runs", row)
    t.ok({"name", "kind", "uid", "state", "created", "started", "workdir", "policy-revision", "wanted", "command", "labels",
          "volumes", "id", "generation"} <= set(row), "get --json has its keys", sorted(row))
    t.ok(row["labels"] == {"team": "a", "stage": "test"} and row["workdir"] == d.work.work and row["command"] is False,
         "and what was asked for", row)
    rc, out, err = c.create("-n", "one")
    t.ok(rc == 1 and "'one' is taken" in err, "a name is taken once", err)
    rc, out, err = c.create()
    t.ok(rc == 0 and out.startswith("box-"), "without a name one is chosen", out, err)
    t.ok(c("delete", out.strip(), "-f")[0] == 0, "delete -f ends one that runs")
    rc, _, err = c("start", "one")
    t.ok(rc == 1 and "is running" in err, "what runs is not started", err)
    rc, _, err = c("delete", "one")
    t.ok(rc == 1 and "stop it first" in err and c.state("one") == "running", "nor deleted without force", err)
    was = c.get("one")["id"]
    t.ok(c("restart", "one")[0] == 0 and c.get("one")["id"] != was and c.state("one") == "running", "restart gives another")
    t.ok(c("stop", "one")[0] == 0, "stop")
    row = c.get("one")
    t.ok(row["state"] == "stopped" and row["reason"] == "stopped" and not row["wanted"] and "id" not in row, "it is said", row)
    t.ok(c("stop", "one")[0] == 0, "stop of what is stopped is done")
    t.ok(c("restart", "one")[0] == 0 and c.state("one") == "running", "restart of what is stopped starts it")
    t.ok(c("stop", "one")[0] == 0 and c("start", "one")[0] == 0 and c.state("one") == "running", "start")
    rc, out, _ = c("list")
    lines = out.splitlines()
    t.ok(rc == 0 and lines[0].split() == ["NAME", "STATE", "EXIT", "OWNER", "AGE", "LABELS"] and
         lines[1].split()[:2] == ["one", "running"] and "stage=test,team=a" in lines[1], "list is a table", out)
    t.ok(c("stop", "one")[0] == 0 and c("delete", "one")[0] == 0 and c.names() == [], "delete takes it away")
    rc, _, err = c("get", "one")
    t.ok(rc == 1 and "no sandbox of yours is called 'one'" in err, "then nobody knows it", err)
    for verb in ("start", "stop", "restart", "delete"):
        t.ok(c(verb, "nobody")[0] == 1, f"{verb} of one that is not there fails")


def mistakes(t, d, c):
    bad = [(("-n", "UPPER"), "a sandbox name"), (("-n", "-x"), "a sandbox name"), (("-n", "a" * 64), "too long"),
           (("--volume", "v"), "want NAME:/PATH"), (("--volume", "v:relative"), "want NAME:/PATH"),
           (("--volume", "a:/x", "--volume", "b:/x"), "two volumes at"),
           (("-l", "a b=c"), "visible ASCII"), (("-l", "k=" + "v" * 300), "bytes"),
           (("-n", "no", "--", "/nonexistent"), "cannot run '/nonexistent'")]
    for args, text in bad:
        rc, _, err = c.create(*args)
        t.ok(rc == 1 and text in err, f"create {' '.join(args)[:40]}: {text}", rc, err)
    t.ok(c.names() == [], "and nothing of them stays", c.names())
    t.ok(os.listdir(os.path.join(d.state, "sandboxes")) == [], "no home either", os.listdir(d.state))
    for args in (("create", "-l", "novalue"), ("list", "extra"), ("get",), ("stop", "x", "-t", "soon"), ("prune", "name"),
                 ("label", "x"), ("start", "x", "-f")):
        t.ok(c(*args)[0] == 2, f"used wrongly: {' '.join(args)}")


def command(t, d, c):
    rc, out, err = c.create("-n", "job", "-e", "GREETING=hello", "--", "sh", "-c",
                            'echo "$GREETING $(pwd)" > out; test -t 0 && echo tty >> out; exit 7')
    t.ok(rc == 0, "create with a command", err)
    t.ok(until(lambda: c.state("job") == "stopped"), "the sandbox ends with it", c.get("job"))
    row = c.get("job")
    t.ok(row.get("exit-status") == 7 and "status 7" in row.get("reason", "") and not row["wanted"], "its status is kept", row)
    said = open(os.path.join(d.work.work, "out")).read()
    t.ok(said == f"hello {d.work.work}\ntty\n", "it had its environment, directory and a terminal", said)
    os.unlink(os.path.join(d.work.work, "out"))
    t.ok(c("start", "job")[0] == 0 and until(lambda: os.path.exists(os.path.join(d.work.work, "out"))),
         "start runs it again", c.get("job"))
    t.ok(until(lambda: c.state("job") == "stopped") and c.get("job")["exit-status"] == 7, "and keeps the status again")
    c.create("-n", "killed", "--", "sh", "-c", "kill -9 $$")
    t.ok(until(lambda: c.get("killed").get("exit-status") == 137), "a signal is 128 and its number", c.get("killed"))
    c.create("-n", "polite", "--", "sh", "-c", "trap 'echo bye > bye; exit 3' TERM; echo > polite; while :; do sleep 0.1; done")
    until(lambda: os.path.exists(os.path.join(d.work.work, "polite")))
    t.ok(c("stop", "polite", "-t", "20")[0] == 0 and os.path.exists(os.path.join(d.work.work, "bye")),
         "stop is SIGTERM first", c.get("polite"))
    t.ok(c.get("polite").get("exit-status") == 3 and c.get("polite")["reason"] == "stopped", "with its status", c.get("polite"))
    c.create("-n", "deaf", "--", "sh", "-c", "trap '' TERM; echo > deaf; while :; do sleep 0.1; done")
    until(lambda: os.path.exists(os.path.join(d.work.work, "deaf")))
    start = time.monotonic()
    t.ok(c("stop", "deaf", "-t", "1")[0] == 0 and 0.5 < time.monotonic() - start, "and SIGKILL when the time is up")
    rc, out, _ = c("prune")
    t.ok(rc == 0 and sorted(out.split()) == ["deaf", "job", "killed", "polite"], "prune deletes what is stopped", out)


def files(t, d, c):
    """A home of its own, volumes that are shared, and what restarting one of three does to the others."""
    args = ("--volume", "common:/common", "--volume", "look:/look:ro")
    for n in ("a", "b", "c"):
        rc, _, err = c.create("-n", n, *args, "--", "sh", "-c",
                              f'echo {n} >> /sandbox/home; echo {n} >> /common/all; echo x 2>/dev/null > /look/x || echo ro > ro-{n}; '
                              f'cp /sandbox/home home-{n}; cat /common/all > all-{n}; while :; do sleep 1; done')
        t.ok(rc == 0, f"three share a volume: {n}", err, d.errors())
    work = d.work.work

    def text(name):
        try:
            return open(os.path.join(work, name)).read()
        except OSError:
            return ""
    t.ok(until(lambda: text("all-c").split() == ["a", "b", "c"]), "what one writes there the next one reads", text("all-c"))
    t.ok(text("ro-a") == "ro\n" and text("home-a") == "a\n" and text("home-b") == "b\n", "a read-only one, and a home each")
    t.ok(sorted(c.get("a")["volumes"]) == ["common:/common", "look:/look:ro"], "get says which", c.get("a")["volumes"])
    ids = {n: c.get(n)["id"] for n in "abc"}
    t.ok(c("restart", "b", "-t", "0")[0] == 0, "restart one of three")
    t.ok(c.get("a")["id"] == ids["a"] and c.get("c")["id"] == ids["c"] and c.get("b")["id"] != ids["b"] and
         [c.state(n) for n in "abc"] == ["running"] * 3, "and two were left running")
    t.ok(until(lambda: text("home-b") == "b\nb\n"), "a home outlives its runs", text("home-b"))
    t.ok(until(lambda: text("all-b").split() == ["a", "b", "c", "b"]), "and so does a volume", text("all-b"))
    t.ok(c("stop", "a", "b", "c", "-t", "0")[0] == 0, "stop takes several")
    rc, out, _ = run([OSHCTL, "volume", "list", "--socket", d.bus, "--json"])
    t.ok(rc == 0 and json.loads(out) == [{"name": n, "uid": 0, "sandboxes": 3} for n in ("common", "look")], "volume list", out)
    rc, out, _ = run([OSHCTL, "volume", "list", "--socket", d.bus])
    t.ok(rc == 0 and [x.split() for x in out.splitlines()[1:]] == [["common", "root", "3"], ["look", "root", "3"]], "as a table", out)
    rc, _, err = run([OSHCTL, "volume", "delete", "--socket", d.bus, "common"])
    t.ok(rc == 1 and "used by 3" in err, "a volume that is used is not deleted", err)
    c.create("-n", "other", "--volume", "spare:/spare")
    c("delete", "-f", "other")
    rc, _, err = run([OSHCTL, "volume", "delete", "--socket", d.bus, "spare"])
    t.ok(rc == 0 and len(os.listdir(os.path.join(d.state, "volumes"))) == 2, "one that is not is, with its files", err)
    t.ok(run([OSHCTL, "volume", "delete", "--socket", d.bus, "spare"])[0] == 1, "once")
    rc, out, _ = c("prune", "--volumes")
    t.ok(rc == 0 and sorted(out.split()) == ["a", "b", "c"], "prune --volumes", out)
    left = [os.listdir(os.path.join(d.state, x)) for x in ("sandboxes", "volumes")]
    t.ok(left == [[], []], "nothing of homes and volumes stays", left)


def labels(t, _, c):
    for n, stage in (("l1", "dev"), ("l2", "dev"), ("l3", "prod")):
        c.create("-n", n, "-l", f"stage={stage}", "-l", f"n={n}")
    t.ok(c.names("-l", "stage=dev") == ["l1", "l2"], "list selects by a label")
    t.ok(c.names("-l", "stage=dev", "-l", "n=l2") == ["l2"], "by all of several")
    t.ok(c.names("-l", "stage=none") == [], "and perhaps none")
    t.ok(c("label", "l2", "stage=prod", "new=1", "n-")[0] == 0 and c.get("l2")["labels"] == {"new": "1", "stage": "prod"},
         "label sets and removes", c.get("l2"))
    t.ok(c("label", "l2", "=x")[0] == 1 and c("label", "l2", "a b=x")[0] == 1, "a bad one is refused")
    c("stop", "l1", "l2", "-t", "0")
    rc, out, _ = c("prune", "-l", "stage=prod")
    t.ok(rc == 0 and out.split() == ["l2"] and c.names() == ["l1", "l3"], "prune takes stopped ones of that label alone", out)
    c("delete", "-f", "l1", "l3")


def everything(d):
    """All of osh dies at once, as at a reboot: nothing of the kernel's is left to be adopted."""
    kill([d.p.pid])
    d.p.wait()
    for name in ("osh-launch", "osh-audit", "osh-egress", "osh-init"):
        kill(pids_of(name))
    until(lambda: not pids_of("osh-init"))


def reboot(t, d, c):
    work = d.work.work
    c.create("-n", "up", "-l", "k=v", "--volume", "kept:/kept", "--", "sh", "-c",
             "echo up >> /sandbox/f; echo up >> /kept/f; cat /sandbox/f /kept/f > up; while :; do sleep 1; done")
    c.create("-n", "idle")
    c.create("-n", "down")
    c("stop", "down")
    gone = os.path.join(d.work.dir, "gone")
    os.mkdir(gone)
    c("create", "-p", d.work.policy, "-w", gone, "-n", "homeless")
    until(lambda: os.path.exists(os.path.join(work, "up")))
    os.rmdir(gone)
    os.unlink(os.path.join(work, "up"))
    before = c.get("up")
    everything(d)
    d.start()
    t.ok(until(lambda: c.state("up") == "running" and c.state("idle") == "running", 10), "after a reboot what ran runs again",
         c.get("up"), c.get("idle"), d.errors())
    t.ok(c.state("down") == "stopped" and c.get("down")["reason"] == "stopped", "what was stopped stays so")
    t.ok(until(lambda: c.state("homeless") == "stopped") and "gone" in c.get("homeless").get("reason", ""),
         "what cannot start says why", c.get("homeless"))
    after = c.get("up")
    same = ("name", "uid", "created", "labels", "volumes", "workdir", "policy-revision")
    t.ok(all(before[k] == after[k] for k in same), "names, labels and policy are the same", before, after)
    t.ok(until(lambda: os.path.exists(os.path.join(work, "up")) and
               open(os.path.join(work, "up")).read() == "up\nup\nup\nup\n"), "and so are its files")


def adoption(t, d, c):
    ids = {n: c.get(n).get("id") for n in ("up", "idle")}
    kill([d.p.pid])
    d.p.wait()
    d.start()
    t.ok({n: c.get(n).get("id") for n in ids} == ids and c.state("up") == "running", "a killed oshd: the next one adopts them", ids)
    t.ok(c("restart", "up", "-t", "0")[0] == 0 and c.get("up")["id"] != ids["up"], "and steers them")
    # a command that ends while no oshd lives
    end = os.path.join(d.work.work, "end")
    c.create("-n", "short", "--", "sh", "-c", "while [ ! -e end ]; do sleep 0.05; done; exit 5")
    init = set(pids_of("osh-init"))
    kill([d.p.pid])
    d.p.wait()
    open(end, "w").close()
    until(lambda: len(pids_of("osh-init")) < len(init))
    d.start()
    t.ok(until(lambda: c.get("short").get("exit-status") == 5) and c.state("short") == "stopped",
         "one that ended meanwhile is not started again, and its status is known", c.get("short"), d.errors())
    os.unlink(end)
    # stopped and started again by the system's manager
    d.stop()
    d.start()
    t.ok(until(lambda: c.state("up") == "running" and c.state("idle") == "running", 10),
         "an oshd that is ended takes no wish back: the next one starts what ran", c.get("up"), d.errors())
    t.ok(c.state("short") == "stopped", "and nothing else")
    c("delete", "-f", "up", "idle", "down", "homeless", "short")


def killed_at_each_step(t, d, c):
    """oshd is killed while a verb is under way, a little later each time: the next one knows what to do."""
    bad = []
    for i in range(24):
        name, verb = f"k{i}", ("create", "stop", "start", "delete")[i % 4]
        if verb != "create":
            c.create("-n", name)
        if verb == "start":
            c("stop", name, "-t", "0")
        args = ["create", "-p", d.work.policy, "-w", d.work.work, "-n", name] if verb == "create" else \
               ["delete", "-f", name] if verb == "delete" else [verb, name]
        p = subprocess.Popen([OSHCTL, "sandbox", args[0], "--socket", d.bus, *args[1:]], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(0.002 * (i // 4) ** 2 + 0.003)
        kill([d.p.pid])
        d.p.wait()
        acknowledged = p.wait() == 0
        d.start()
        until(lambda n=name: c.state(n) in ("running", "stopped", None), 10)
        state = c.state(name)
        if acknowledged and state != {"create": "running", "stop": "stopped", "start": "running", "delete": None}[verb]:
            bad.append((i, verb, state, "acknowledged"))
        if state not in ("running", "stopped", None) or (state is None and verb not in ("create", "delete")):
            bad.append((i, verb, state))
        if state and c("delete", "-f", name)[0]:
            bad.append((i, verb, state, "cannot be deleted"))
    t.ok(not bad, "oshd killed within create, stop, start and delete: resolved by the next, 24 times", bad, d.errors())
    until(lambda: not os.listdir(os.path.join(d.state, "sandboxes")))
    t.ok(os.listdir(os.path.join(d.state, "sandboxes")) == [], "and no home is left behind")


def races(t, d, c):
    """Verbs that come while another is under way: each is answered by what is true."""
    def start(*args):
        return subprocess.Popen([OSHCTL, "sandbox", args[0], "--socket", d.bus, *args[1:]], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def end(p):
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err
    hold, ready = os.path.join(d.work.work, "hold"), os.path.join(d.work.work, "ready")
    slow = ("--", "sh", "-c", "trap 'while [ -e hold ]; do sleep 0.05; done; exit 0' TERM; echo > ready; while :; do sleep 0.05; done")

    def up(fresh=True):
        """It runs, and will not end on SIGTERM before let()."""
        if os.path.exists(ready):
            os.unlink(ready)
        open(hold, "w").close()
        if fresh:
            c.create("-n", "slow", *slow)
        else:
            c("start", "slow")
        until(lambda: os.path.exists(ready))

    def let():
        os.unlink(hold)
    up()
    stop = start("stop", "slow", "-t", "60")
    until(lambda: c.state("slow") == "stopping")
    rc, _, err = c("create", "-p", d.work.policy, "-w", d.work.work, "-n", "slow")
    t.ok(rc == 1 and "taken" in err, "stopping: its name is taken", err)
    again = start("start", "slow")
    t.ok(until(lambda: c.state("slow") == "restarting"), "stopping + start = restarting", c.state("slow"))
    t.ok(c("delete", "slow")[0] == 1, "restarting + delete: refused")
    let()
    t.ok(end(stop)[0] == 0 and end(again)[0] == 0 and c.state("slow") == "running", "both are answered, and it runs")
    one, two = start("restart", "slow"), start("restart", "slow")
    both = (end(one), end(two), c.state("slow"))
    done = [rc == 0 or "is starting: it cannot restart now" in err for rc, _, err in both[:2]]
    t.ok(all(done) and 0 in (both[0][0], both[1][0]) and both[2] == "running",
         "two restarts at once: both are done, or one comes when it starts already and is told", *both, d.errors())
    c("stop", "slow", "-t", "0")
    up(False)
    bounce = start("restart", "slow", "-t", "60")
    until(lambda: c.state("slow") == "restarting")
    stop = start("stop", "slow", "-t", "60")
    until(lambda: c.state("slow") == "stopping")
    let()
    rc, _, err = end(bounce)
    t.ok(end(stop)[0] == 0 and rc == 1 and "stopped" in err and c.state("slow") == "stopped",
         "restarting + stop: stopped, and the restart says so", rc, err, c.get("slow"))
    up(False)
    stop = start("stop", "slow", "-t", "60")
    until(lambda: c.state("slow") == "stopping")
    gone = start("delete", "slow")
    until(lambda: c.state("slow") == "deleting")
    let()
    t.ok(end(gone)[0] == 0 and end(stop)[0] == 0 and c.names() == [], "stopping + delete: both are done")
    up()
    bounce = start("restart", "slow", "-t", "60")
    until(lambda: c.state("slow") == "restarting")
    t.ok(c("delete", "-f", "slow")[0] == 0 and end(bounce)[0] == 1 and c.names() == [], "restarting + delete -f: gone")
    let()
    c.create("-n", "frozen", "--", "sh", "-c", "while :; do sleep 1; done")
    init = [p for p in pids_of("osh-init")]
    for p in init:
        os.kill(p, signal.SIGSTOP)
    t.ok(c("stop", "frozen", "-t", "0")[0] == 0, "an osh-init that does not answer is ended all the same", d.errors())
    c("delete", "frozen")
    c.create("-n", "lost")
    kill(pids_of("osh-init"))
    t.ok(until(lambda: c.state("lost") == "stopped") and "killed" in c.get("lost")["reason"], "osh-init killed: stopped, and why",
         c.get("lost"))
    t.ok(c("start", "lost")[0] == 0 and c("delete", "-f", "lost")[0] == 0, "and it can be started again")


def runs(t, d, c):
    p = subprocess.Popen(d.command("sleep", "30", options=("--name", "arun")), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.ok(until(lambda: c.state("arun") == "running"), "list and get show runs too", c.names())
    t.ok(c.get("arun").get("kind") == "run" and c.names("-l", "a=b") == [], "as such, without labels", c.get("arun"))
    rc, _, err = c("stop", "arun")
    t.ok(rc == 1 and "is a run" in err, "and steer none", err)
    t.ok(c.create("-n", "arun")[0] == 1, "its name is taken")
    p.terminate()
    p.wait()
    ends = [run(d.command("true", options=("--name", "again")))[::2] for _ in range(5)]
    t.ok(not any(rc for rc, _ in ends), "and free as soon as its oshctl has ended", ends)
    c.create("-n", "held")
    rc, _, err = run(d.command("true", options=("--name", "held")))
    t.ok(rc == 125 and "taken" in err, "a created one's is for a run", err)
    c("stop", "held")
    t.ok(run(d.command("true", options=("--name", "held")))[0] == 125, "also while it is stopped")
    c("delete", "held")


def secrets(t, d, c):
    w = d.work
    key = w.write("key", "s3cret-of-the-test\n")
    record = w.write("test.json", json.dumps({"hosts": ["api.example"], "placement": {"header": "x-key"}, "secret_file": key, "env": ["TEST_KEY"]}))
    policy = w.write("cred.yaml", POLICY + "network:\n  - {host: api.example, ports: [443], paths: ['/**'], credential: test}\n")
    args = ("-n", "keyed", "-p", policy, "-w", w.work)
    rc, _, err = c("create", *args)
    t.ok(rc == 1 and "--provider" in err, "a policy with a credential wants it", err)
    rc, _, err = c("create", *args, "--provider", f"test={record}", "--", "sh", "-c",
                   'echo "$TEST_KEY" >> keys; while :; do sleep 1; done')
    if not t.ok(rc == 0, "and is created with it", err):
        return
    keys = os.path.join(w.work, "keys")
    t.ok(until(lambda: os.path.exists(keys)) and "s3cret" not in open(keys).read(), "the sandbox holds a placeholder")
    t.ok(c("restart", "keyed", "-t", "0")[0] == 0 and until(lambda: len(open(keys).read().split()) == 2),
         "a restart needs it no more: oshd keeps it in memory")
    everything(d)
    d.start()
    t.ok(until(lambda: c.state("keyed") == "stopped") and "--provider" in c.get("keyed").get("reason", ""),
         "after a reboot it says what to give", c.get("keyed"), d.errors())
    rc, _, err = c("start", "keyed", "--provider", f"test={record}")
    t.ok(rc == 0 and until(lambda: len(open(keys).read().split()) == 3), "and starts with that", err)
    t.ok(len(set(open(keys).read().split())) == 1, "its placeholder is the same at every start", open(keys).read())
    disk = subprocess.run(["grep", "-r", "-l", "s3cret-of-the-test", d.state], capture_output=True, text=True, check=False).stdout
    t.ok(disk == "", "the secret is nowhere on disk", disk)
    c("delete", "-f", "keyed")


def api(t, d, c):
    """The interface as any client of sd-bus sees it on the private socket."""
    c.create("-n", "seen")
    with Peer(d.bus) as p:
        _, xml = p.call("org.freedesktop.DBus.Introspectable", "Introspect")
        missing = [m for m in ("Run", "Create", "Start", "Stop", "Restart", "Delete", "Prune", "List", "Get", "Label", "PolicySet")
                   if f'<method name="{m}">' not in xml]
        t.ok(not missing, "the interface can be introspected", missing, xml)
        t.ok('<arg type="a{sv}" name="options" direction="in"/>' in xml, "with names of arguments", xml)
        for member, types, args, want in (
                ("Get", "s", ("unseen",), "NotFound"), ("Start", "sa{sv}", ("seen", 0), "Busy"),
                ("Delete", "sb", ("seen", 0), "Busy"), ("Stop", "su", ("unseen", 0), "NotFound"),
                ("Start", "sa{sv}", ("seen", 1, "nonsense", "s", "x"), "Busy"),
                ("Restart", "sua{sv}", ("seen", 0, 1, "nonsense", "s", "x"), "Invalid"),
                ("Label", "sa{ss}as", ("seen", 0, 33, *("k",) * 33), "Limit"),
                ("Label", "sa{ss}as", ("seen", 1, "bad key", "x", 0), "Invalid")):
            name, text = p.call("org.osh.Manager1", member, types, *args)
            t.ok(name == "org.osh.Error." + want and text, f"{member} {args}: {want}", name, text)
        name, _ = p.call("org.osh.Manager1", "Get", "u", 1)
        t.ok(name == "org.freedesktop.DBus.Error.InvalidArgs", "wrong types are refused", name)
        name, _ = p.call("org.osh.Manager1", "Label", "sa{ss}as", "seen", 1, "k", "v", 0)
        t.ok(name is None and c.get("seen")["labels"] == {"k": "v"}, "and right ones work", name)
        end, far = os.pipe()
        refused = {p.call("org.osh.Manager1", "Run", "shhha{sv}", "", end, end, end, 0)[0] for _ in range(60)}
        rc, _, err = run([OSHCTL, "run", "--socket", d.bus, "-p", d.work.policy, "--", "true"], 20, cwd=d.work.work)
        t.ok(rc == 0 and len(refused) == 1 and None not in refused, "runs that are refused take no name from one without", refused, err)
        os.close(end)
        os.close(far)
    c("delete", "-f", "seen")


def system_bus(t, w):
    """A bus daemon of the test's own; oshd reads there, and changes nothing."""
    conf = w.write("bus.conf", f"""<busconfig><type>system</type><listen>unix:path={w.dir}/sysbus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>""")
    os.chmod(w.dir, 0o755)
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={conf}", "--nofork", "--nosyslog", "--nopidfile"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"unix:path={w.dir}/sysbus"
    env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}
    until(lambda: os.path.exists(f"{w.dir}/sysbus"))

    def call(method, *args, user=None):
        return run(["dbus-send", f"--bus={address}", "--print-reply", "--dest=org.osh.Manager1", "/org/osh/Manager1",
                    f"org.osh.Manager1.{method}", *args], 20, **({} if user is None else {"user": user}))
    try:
        with Daemon(w, env={"DBUS_SYSTEM_BUS_ADDRESS": address}) as d:
            c = Ctl(d)
            c.create("-n", "onbus", "-l", "k=v")
            until(lambda: call("Get", "string:onbus")[0] == 0, 10)
            rc, out, err = call("Get", "string:onbus")
            t.ok(rc == 0 and 'string "onbus"' in out, "Get on the system bus", out, err, d.errors())
            rc, out, err = call("List", "dict:string:string:k,v")
            t.ok(rc == 0 and "onbus" in out, "List on the system bus", out, err)
            rc, out, err = call("List", "dict:string:string:k,v", user=65534)
            t.ok(rc == 0 and "onbus" not in out, "another user sees nothing of it there", out, err)
            rc, out, err = call("Get", "string:onbus", user=65534)
            t.ok(rc and "NotFound" in err, "and is told that there is none", err)
            rc, out, err = call("Stop", "string:onbus", "uint32:0")
            t.ok(rc and "UnknownMethod" in err and c.state("onbus") == "running", "nothing there changes anything", err)
            rc, out, err = run(["busctl", f"--address={address}", "call", "org.osh.Manager1", "/org/osh/Manager1",
                                "org.osh.Manager1", "Get", "h", "0"], 20)
            t.ok(rc and "descriptor" in err.lower(), "the bus gives oshd no descriptor of a caller's", out, err)
            bus.kill()
            bus.wait()
            t.ok(c.state("onbus") == "running", "a bus that ends is no matter", d.errors())
            c("delete", "-f", "onbus")
    finally:
        bus.kill()
        bus.wait()
    t.ok(env["DBUS_SYSTEM_BUS_ADDRESS"] == address, "oshd starts without one, in every other case of this test")


def embedded(t, w):
    rc, _, err = run([OSHCTL, "sandbox", "list", "--socket", os.path.join(w.dir, "none")], 10)
    t.ok(rc == 1 and "no oshd at" in err, "without a resident oshd it is said", err)


def survivors(t, d, c):
    reboot(t, d, c)
    adoption(t, d, c)


PARTS = [verbs, mistakes, command, files, labels, runs, api, secrets, races, survivors, killed_at_each_step]


def main():
    t = Tap()
    only = set(sys.argv[1:])
    with Work(POLICY) as w, Daemon(w) as d:
        c = Ctl(d)
        for part in PARTS:
            if not only or part.__name__ in only:
                part(t, d, c)
                if c.names() != []:
                    t.ok(False, f"{part.__name__} leaves nothing", c.names())
                    c("delete", "-f", *c.names())
    for part in (system_bus, embedded):
        if not only or part.__name__ in only:
            with Work(POLICY) as w:
                part(t, w)
    t.ok(os.path.exists(OSHD), "done")
    t.done()


if __name__ == "__main__":
    main()
