#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stored providers: made by their user, sealed on disk, in no answer, backup or memory of ours as they are; used by
runs and created sandboxes, also after a reboot; rotated, attached and detached while a sandbox runs.
"""
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from keys_world import OURS, KeysWorld, holders, memory  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, kill, pids_of, until  # noqa: E402

t = Tap()
KEY, KEY2, KEY3 = "acme-live-4eC39HqLyjWDarjtT1zdp7dc", "acme-live-Zx81kLmNoPqRsTuVwXyZ0123", "acme-live-third-9876543210abcdef"
ACME = ["--type", "generic", "--host", "api.acme.example", "--env", "ACME_KEY", "--header", "x-api-key"]
PLAIN = "  api:\n    endpoints: [{host: api.acme.example, port: 443}, {host: other.acme.example, port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"
NAMED = PLAIN.replace("port: 443}", "port: 443, protocol: rest, access: full, credential: acme}", 1)
ASK = "curl -sS -m 60 -H 'x-api-key: mine' https://api.acme.example"


class Ctl:
    def __init__(self, w, uid=0):
        self.w, self.who = w, {"user": uid, "group": uid, "extra_groups": []} if uid else {}

    def __call__(self, *args, timeout=120, **kw):
        words = 1 if args[0] in ("run", "backup") else 2
        return run([OSHCTL, *args[:words], "--socket", self.w.daemon.bus, *args[words:]], timeout, cwd="/", **self.who, **kw)

    def row(self, name):
        rc, out, _ = self("sandbox", "get", name, "--json")
        return json.loads(out) if rc == 0 else {}


def main():
    with KeysWorld() as w:
        with w.resident() as d:
            c = Ctl(w)
            make(w, d, c)
            on_disk(w, d, c)
            used(w, c)
            users(w, d)
            lasting(w, d, c)
            live(w, d, c)
            delete(w, c)
            on_record(d)
        credential(w)


def make(w, d, c):
    secret = w.write("acme.key", KEY + "\n")
    rc, out, err = c("provider", "create", "acme", *ACME, "--from-file", secret)
    t.ok(rc == 0 and not out, "a provider is made of a file", out, err)
    rc, _, err = c("provider", "create", "acme", *ACME, "--from-file", secret)
    t.ok(rc == 1 and "rotate" in err, "a name is one of each user's", err)
    p = subprocess.run([OSHCTL, "provider", "create", "piped", "--type", "openai", "--stdin", "--socket", d.bus], input=KEY2, capture_output=True, text=True, timeout=60)
    rc, _, err = c("provider", "create", "github", "--from-env=SOME_TOKEN", env=dict(os.environ, SOME_TOKEN=KEY3))
    t.ok(p.returncode == 0 and rc == 0, "or comes on standard input, or in a variable", p.stderr, err)
    rc, out, _ = c("provider", "list", "--json")
    rows = {r["name"]: r for r in json.loads(out)}
    t.ok({n: r["type"] for n, r in rows.items()} == {"acme": "generic", "piped": "openai", "github": "github"}, "the list has them", out)
    rc, text, _ = c("provider", "get", "acme")
    rc2, js, _ = c("provider", "get", "acme", "--json")
    record = json.loads(json.loads(js)["record"])
    t.ok(rc == rc2 == 0 and record["hosts"] == ["api.acme.example"] and record["placement"]["header"] == "x-api-key", "one is shown with its record", text, js)
    rc, table, _ = c("provider", "list")
    t.ok(not any(k in out + text + js + table for k in (KEY, KEY2, KEY3)), "and without its secret")
    bad = {
        "no type of provider": ("x", "--type", "nothing", "--from-file", secret),
        "wants to know its hosts": ("x", "--type", "generic", "--from-file", secret),
        "8 to 4096 bytes": ("x", *ACME, "--from-file", w.write("short", "seven77\n")),
        "not set": ("x", *ACME, "--from-env=NOT_THERE_AT_ALL"),
        "no header that may": ("x", *ACME, "--header", "host", "--from-file", secret),
        "letters, digits": ("x y", *ACME, "--from-file", secret),
        "not a regular file": ("x", *ACME, "--from-file", "/dev/zero"),
    }
    for word, args in bad.items():
        rc, _, err = c("provider", "create", *args)
        t.ok(rc == 1 and word in err, f"refused: {word}", err)
    rc, _, err = c("provider", "create", "x", *ACME)
    t.ok(rc == 2, "a secret must come from somewhere", err)


def on_disk(w, d, c):
    key = os.path.join(d.state, "provider.key")
    st = os.stat(key)
    t.ok(st.st_mode & 0o777 == 0o600 and st.st_uid == 0 and st.st_size == 32, "the key is a file of root's, for nobody else to read")
    with open(key, "rb") as f:
        raw = f.read()
    backup = os.path.join(w.dir, "backup.db")
    rc, _, err = c("backup", backup)
    found, names = [], []
    for top, _, files in os.walk(d.state):
        for name in files:
            path = os.path.join(top, name)
            if os.path.isfile(path):
                names.append(name)
                data = open(path, "rb").read()
                found += [(name, k[:9]) for k in (KEY, KEY2, KEY3) if k.encode() in data]
                if name != "provider.key" and raw in data:
                    found.append((name, "key"))
    data = open(backup, "rb").read()
    t.ok(rc == 0 and not found and "osh.db" in names, "no secret lies on disk as it is", err, found)
    t.ok(b"api.acme.example" in data and raw not in data and not any(k.encode() in data for k in (KEY, KEY2, KEY3)),
         "a backup has the records, no secret and not the key")
    t.ok(holders(KEY) | holders(KEY2) | holders(KEY3) == set(), "and no process of ours keeps one", holders(KEY))
    t.ok(not any(raw in memory(p) for n in OURS for p in pids_of(n)), "nor the key")


def used(w, c):
    w.api.seen.clear()
    r = w.run(w.policy(PLAIN), ["sh", "-c", f'echo "$ACME_KEY"; {ASK}/a; {ASK}/echo; curl -sS -m 60 -H "x-api-key: $ACME_KEY" https://other.acme.example/b'],
              options=["--provider", "acme"])
    t.ok(r.out.startswith("osh-acme-") and w.came("x-api-key", "/a") == [KEY], "a run uses it by its name", r, w.api.seen)
    t.ok(KEY not in w.came("x-api-key", "/b") and KEY not in r.out and r.has("http", "ECHO"), "other hosts do not get it, and answers do not say it", r, w.api.seen)
    w.api.seen.clear()
    r = w.run(w.policy(NAMED), ["sh", "-c", ASK + "/n"], options=["--provider", "acme"])
    t.ok(w.came("x-api-key") == [KEY], "a policy that names it as well", r)
    r = w.run(w.policy(PLAIN), ["true"], options=["--provider", "nobody"])
    t.ok(r.rc == 125 and "no provider of yours" in r.err, "one that is not there is said", r)
    r = w.run(w.policy(NAMED), ["true"])
    t.ok(r.rc == 125 and "--provider acme" in r.err, "and one that is missing", r)


def users(w, d):
    ann, bob, root = Ctl(w, 1801), Ctl(w, 1802), Ctl(w)
    key = w.write("ann.key", KEY2)
    os.chmod(key, 0o644)
    rc, _, err = ann("provider", "create", "acme", *ACME, "--from-file", key)
    t.ok(rc == 0, "another user may have one of that name", err)
    answers = {what: bob("provider", *what.split()) for what in ("get acme", "delete acme", "get acme --user 1801", "delete acme --user 1801")}
    t.ok(all(rc == 1 and "no provider of yours" in err for rc, _, err in answers.values()) and bob("provider", "list", "--json")[1] == "[]\n",
         "a third one's is not said to exist", answers)
    rc, out, _ = root("provider", "list", "--json")
    t.ok({(r["name"], r["uid"]) for r in json.loads(out)} >= {("acme", 0), ("acme", 1801)}, "root sees all", out)
    rc, out, _ = root("provider", "get", "acme", "--user", "1801", "--json")
    t.ok(rc == 0 and json.loads(out)["uid"] == 1801, "and names whose", out)
    t.ok(root("provider", "delete", "acme", "--user", "1801")[0] == 0 and ann("provider", "list", "--json")[1] == "[]\n" and
         root("provider", "get", "acme")[0] == 0, "and deletes that one alone")
    rc, _, err = ann("sandbox", "create", "-n", "anns", "-w", "/var/tmp", "-p", w.write("ann.yaml", BASE_POLICY))
    mine = bob("provider", "create", "own", *ACME, "--from-file", key)
    t.ok(rc == 0 and mine[0] == 0, "ann has a sandbox, and bob a provider", err, mine)
    for what in (("attach", "anns", "own"), ("detach", "anns", "own")):
        rc, _, err = bob("provider", *what)
        t.ok(rc == 1 and "no sandbox of yours" in err, f"bob's is not {what[0]}ed to ann's", err)
    rc, _, err = root("provider", "attach", "anns", "own")
    t.ok(rc == 1 and "no provider of yours" in err, "nor by root: a sandbox has its owner's alone", err)
    ann("sandbox", "delete", "-f", "anns")
    bob("provider", "delete", "own")
    rcs = [bob("provider", "create", f"p{i}", *ACME, "--from-file", key)[0] for i in range(65)]
    rc, _, err = bob("provider", "create", "more", *ACME, "--from-file", key)
    t.ok(rcs.count(0) == 64 and rc == 1 and "no more than 64" in err, "a user has at most 64", rcs, err)
    t.ok(bob("provider", "delete", *[f"p{i}" for i in range(64)])[0] == 0, "and deletes several at once")


def reboot(d):
    """All of osh dies at once: nothing of the kernel's is left to be adopted."""
    kill([d.p.pid])
    d.p.wait()
    for name in ("osh-launch", "osh-audit", "osh-egress", "osh-init"):
        kill(pids_of(name))
    until(lambda: not pids_of("osh-init"), 60)
    d.start()


def asks(w, c, name, path):
    """What upstream gets from a command in that sandbox."""
    w.api.seen.clear()
    rc, out, err = c("sandbox", "exec", name, "--", "sh", "-c", f"{ASK}{path}; echo; echo $ACME_KEY")
    return w.came("x-api-key", path), out + err


def lasting(w, d, c):
    pol = w.write("lasting.yaml", w.policy(NAMED))
    rc, _, err = c("sandbox", "create", "-n", "stays", "-p", pol, "-w", w.work, "--provider", "acme")
    t.ok(rc == 0, "a created sandbox has it", err)
    got, text = asks(w, c, "stays", "/1")
    t.ok(got == [KEY] and "osh-acme-" in text, "and uses it", got, text)
    t.ok(c.row("stays").get("providers") == ["acme"], "its row names it", c.row("stays"))
    rc, _, err = c("provider", "delete", "acme")
    t.ok(rc == 1 and "detach" in err, "what a sandbox has is not deleted", err)
    t.ok(c("sandbox", "stop", "stays")[0] == 0 and c("sandbox", "start", "stays")[0] == 0, "stopped, and started")
    t.ok(asks(w, c, "stays", "/2")[0] == [KEY], "it has it again")
    reboot(d)
    t.ok(until(lambda: c.row("stays").get("state") == "running", 60), "after a reboot it runs again", c.row("stays"), d.errors()[-500:])
    t.ok(asks(w, c, "stays", "/3")[0] == [KEY], "and nobody had to give it anything")
    kill([d.p.pid])
    d.p.wait()
    d.start()
    until(lambda: c.row("stays").get("state") == "running", 60)
    t.ok(asks(w, c, "stays", "/4")[0] == [KEY], "adopted by the next oshd it goes on")


def stdin_rotate(w, secret):
    return subprocess.run([OSHCTL, "provider", "rotate", "acme", "--stdin", "--socket", w.daemon.bus], input=secret, capture_output=True, text=True, timeout=60)


def live(w, d, c):
    log = w.write("rotate.log", "")
    p = subprocess.Popen([OSHCTL, "run", "--socket", w.daemon.bus, "-p", w.write("live.yaml", w.policy(PLAIN)), "-w", w.work, "--provider", "acme", "-n", "arun",
                          "--", "sh", "-c", f"while [ ! -e stop ]; do {ASK}/loop >/dev/null; sleep 0.1; done"], stdin=subprocess.DEVNULL, stderr=open(log, "w"))
    try:
        t.ok(until(lambda: len(w.came("x-api-key", "/loop")) > 3, 60), "a run asks again and again", open(log).read())
        r = stdin_rotate(w, KEY2)
        with w.api.lock:
            w.api.seen.clear()
        t.ok(r.returncode == 0 and until(lambda: len(w.came("x-api-key", "/loop")) > 5, 60), "rotated meanwhile", r.stderr)
        came = w.came("x-api-key", "/loop")
        t.ok(came.count(KEY2) >= len(came) - 1 and came[-1] == KEY2, "its next requests go with the new secret", came)
        t.ok(asks(w, c, "stays", "/r")[0] == [KEY2], "those of a created sandbox, too")
        t.ok(c("sandbox", "restart", "stays")[0] == 0 and asks(w, c, "stays", "/s")[0] == [KEY2], "also after a restart")
        old, _ = asks(w, c, "stays", "/t")
        t.ok(holders(KEY2, ["oshd", "osh-launch", "osh-init", "osh-audit", "oshctl"]) == set(), "the egress alone has it")
    finally:
        open(os.path.join(w.work, "stop"), "w").close()
        try:
            p.wait(60)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGTERM)
            p.wait(60)
    t.ok(p.returncode == 0, "and the run went on to its end", open(log).read())
    crashes(w, d, c)
    building(w, c)
    attach(w, c)


def crashes(w, d, c):
    """An egress that says nothing, and an oshd that ended between its database and those it had to tell."""
    asks(w, c, "stays", "/z1")
    egress = pids_of("osh-egress")
    for pid in egress:
        os.kill(pid, signal.SIGSTOP)
    r = stdin_rotate(w, KEY)
    t.ok(egress and r.returncode == 0, "an egress that does not answer is ended, and the rotation goes on", r.stderr)
    t.ok(asks(w, c, "stays", "/z2")[0] == [KEY], "the next one has the new secret")
    kept = os.path.join(w.dir, "kept.db")
    c("backup", kept)
    t.ok(stdin_rotate(w, KEY2).returncode == 0 and asks(w, c, "stays", "/z3")[0] == [KEY2], "rotated again")
    kill([d.p.pid])
    d.p.wait()
    for name in ("osh.db", "osh.db-wal", "osh.db-shm"):
        if os.path.exists(os.path.join(d.state, name)):
            os.unlink(os.path.join(d.state, name))
    shutil.copy(kept, os.path.join(d.state, "osh.db"))
    os.chmod(os.path.join(d.state, "osh.db"), 0o600)
    d.start()
    until(lambda: c.row("stays").get("state") == "running", 60)
    t.ok(until(lambda: asks(w, c, "stays", "/z4")[0] == [KEY], 60), "the next oshd tells what is stored to those that live", d.errors()[-400:])
    t.ok(stdin_rotate(w, KEY2).returncode == 0, "and goes on")


def building(w, c):
    """A sandbox that is being built when its credential is rotated."""
    c("sandbox", "stop", "stays")
    launch = pids_of("osh-launch")
    for pid in launch:
        os.kill(pid, signal.SIGSTOP)
    p = subprocess.Popen([OSHCTL, "sandbox", "start", "--socket", w.daemon.bus, "stays"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    begun = until(lambda: c.row("stays").get("state") == "starting", 60)
    r = stdin_rotate(w, KEY)
    for pid in launch:
        os.kill(pid, signal.SIGCONT)
    err = p.communicate(timeout=120)[1]
    t.ok(begun and r.returncode == 0 and p.returncode == 0, "rotated while a sandbox is being built", r.stderr, err)
    t.ok(asks(w, c, "stays", "/b")[0] == [KEY], "it begins with the new secret")
    t.ok(stdin_rotate(w, KEY2).returncode == 0, "and it goes back")


def attach(w, c):
    plain, named = w.write("plain.yaml", w.policy(PLAIN)), w.write("named.yaml", w.policy(NAMED))
    other = w.write("other.yaml", w.policy("  api:\n    endpoints: [{host: other.acme.example, port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"))
    t.ok(c("policy", "set", "stays", "-p", other)[0] == 0 and asks(w, c, "stays", "/u")[0] == [], "a policy without it")
    rc, _, err = c("policy", "set", "stays", "-p", named)
    t.ok(rc == 0 and asks(w, c, "stays", "/v")[0] == [KEY2], "and it comes back with the next one", err)
    c("policy", "set", "stays", "-p", other)
    rc, _, err = c("policy", "set", "stays", "-p", plain)
    t.ok(rc == 0 and asks(w, c, "stays", "/vv")[0] == [KEY2], "or with one that lists its host, as at a start", err)
    rc, _, err = c("provider", "detach", "stays", "acme")
    t.ok(rc == 0 and c.row("stays").get("providers") == [], "detached, whatever the policy says", err, c.row("stays"))
    got, text = asks(w, c, "stays", "/vvv")
    t.ok(got == [] and "credential_endpoint_mismatch" in text, "requests that want it are refused", got, text)
    t.ok(c("policy", "set", "stays", "-p", plain)[0] == 0 and asks(w, c, "stays", "/vvvv")[0] == ["mine"], "the next policy lets them go without")
    rc, _, err = c("policy", "set", "stays", "-p", named)
    t.ok(rc == 1 and "provider attach stays acme" in err, "one that names it says what to do", err)
    rc, out, err = c("provider", "attach", "stays", "acme")
    t.ok(rc == 0 and out.startswith("ACME_KEY=osh-acme-"), "attached while it runs; the placeholder is told", out, err)
    t.ok(not err and asks(w, c, "stays", "/at-once")[0] == [KEY2], "and the host that the policy in force lists takes it at once", err)
    rc, _, err = c("policy", "set", "stays", "-p", named)
    t.ok(rc == 0 and asks(w, c, "stays", "/w")[0] == [KEY2], "and the policy takes it without a new start", err)
    r = stdin_rotate(w, "seven77")
    t.ok(r.returncode == 1 and "8 to 4096" in r.stderr and asks(w, c, "stays", "/x")[0] == [KEY2], "a rotation that is refused changes nothing", r.stderr)
    r = stdin_rotate(w, KEY3)
    w.api.seen.clear()
    rc, out, err = c("sandbox", "exec", "stays", "--", "curl", "-sS", "-m", "60", "-H", "x-say: " + KEY2, "https://api.acme.example/echo")
    t.ok(r.returncode == 0 and KEY3 not in out and KEY2 not in out, "the new secret is guarded like the old one", out, err)
    c("sandbox", "stop", "stays")
    t.ok(c("provider", "detach", "stays", "acme")[0] == 0, "of one that is stopped it is taken away as well")
    rc, _, err = c("sandbox", "start", "stays")
    t.ok(rc == 1 and "provider 'acme'" in err, "which then says what it lacks", err)
    t.ok(c("provider", "attach", "stays", "acme")[0] == 0 and c("sandbox", "start", "stays")[0] == 0 and asks(w, c, "stays", "/y")[0] == [KEY3], "and given")


def on_record(d):
    """What was done with them is in their owners' logs, refusals and values are not."""
    def deeds(uid):
        found, text = [], ""
        at = os.path.join(d.state, "log", str(uid))
        for name in sorted(os.listdir(at)) if os.path.isdir(at) else []:
            text += open(os.path.join(at, name), errors="replace").read()
        for line in text.splitlines():
            o = json.loads(line)
            if o.get("osh", {}).get("event") == "provider":
                found.append((o["osh"]["deed"], o["entity"]["name"], o["actor"]["user"]["uid"], o.get("container", {}).get("name"),
                              o["class_uid"], o["osh"]["owner"]))
        return found, text
    mine, text = deeds(0)
    t.ok([x[:2] for x in mine][:3] == [("create", "acme"), ("create", "piped"), ("create", "github")], "each provider that was made is on record", mine)
    t.ok(("rotate", "acme", "0", None, 3004, 0) in mine, "so are rotations", mine)
    t.ok(("attach", "acme", "0", "stays", 3004, 0) in mine and ("detach", "acme", "0", "stays", 3004, 0) in mine, "what was attached and detached", mine)
    t.ok(any(x[0] == "delete" for x in mine) and not any(x[1] == "x" for x in mine), "and deleted; what was refused is not", mine)
    anns, more = deeds(1801)
    t.ok(anns[:2] == [("create", "acme", "1801", None, 3004, 1801), ("delete", "acme", "0", None, 3004, 1801)],
         "of a user without a sandbox, too, with who did it", anns)
    rc, out, err = run([OSHCTL, "logs", "--socket", d.bus], 120)
    rc2, said, why = run([OSHCTL, "logs", "--socket", d.bus, "--verify"], 120)
    t.ok(rc == rc2 == 0 and "rotate acme by uid 0" in out, "oshctl logs shows it, and the chain holds", rc, rc2, err, said, why)
    t.ok(not any(k in text + more for k in (KEY, KEY2, KEY3)), "and no value is in it")


def delete(w, c):
    t.ok(c("sandbox", "delete", "-f", "stays")[0] == 0 and c("provider", "delete", "acme")[0] == 0, "with its last sandbox it may go")
    t.ok(c("provider", "get", "acme")[0] == 1, "and is gone")


def credential(w):
    """systemd's credential in place of the file; another key opens nothing, and says so."""
    creds = os.path.join(w.dir, "creds")
    os.mkdir(creds, 0o700)
    at = os.path.join(creds, "osh.provider-key")
    with open(at, "wb") as f:
        f.write(os.urandom(32))
    os.chmod(at, 0o400)
    with w.resident(env={"CREDENTIALS_DIRECTORY": creds}) as d:
        c = Ctl(w)
        c("provider", "create", "acme", *ACME, "--from-file", w.write("acme.key", KEY))
        w.api.seen.clear()
        r = w.run(w.policy(PLAIN), ["sh", "-c", ASK + "/c"], options=["--provider", "acme"])
        t.ok(w.came("x-api-key") == [KEY] and not os.path.exists(os.path.join(d.state, "provider.key")), "a systemd credential is the key where there is one", r)
        os.chmod(at, 0o600)
        with open(at, "wb") as f:
            f.write(os.urandom(32))
        r = w.run(w.policy(PLAIN), ["true"], options=["--provider", "acme"])
        t.ok(r.rc == 125 and "sealed with another key" in r.err, "another key opens nothing, and that is said", r)
        os.unlink(at)
        r = w.run(w.policy(PLAIN), ["true"], options=["--provider", "acme"])
        t.ok(r.rc == 125 and "key of the stored credentials is not there" in r.err, "none at all, too", r)


main()
t.done()
