#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Logs that last (docs/logs.md): what is in the files and who reads them, the chain, the next file, a full disk,
osh-audit and oshd killed under load, and `oshctl logs`."""
import collections
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, as_user, run  # noqa: E402
import osh  # noqa: E402
from osh import OSHCTL, Daemon, Work, kill, pids_of, policy, until  # noqa: E402

ANN, BOB = 1778, 1779
FULL = 64 << 20         # OSH_LOG_BYTES
FILES = 8               # OSH_LOG_FILES
TAIL = 77
KINDS = ("denied", "allowed")
ASK = """
import socket, sys, time
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    try: socket.getaddrinfo(sys.argv[1] % i, 1)
    except OSError: pass
    time.sleep(float(sys.argv[4]))
"""


def files(d, uid=0, kind="denied"):
    at = f"{d.state}/log/{uid}"
    return [os.path.join(at, n) for n in sorted(os.listdir(at)) if n.startswith(kind)] if os.path.isdir(at) else []


def stream(d, uid, kind):
    return [x for f in files(d, uid, kind) for x in open(f, "rb").read().rpartition(b"\n")[0].split(b"\n") if x]


def raw(d, uid=0):
    """Every whole line of that user's files, as bytes without newline; both kinds by time."""
    out, streams = [], [stream(d, uid, kind) for kind in KINDS]
    times = [[json.loads(x).get("time", 0) for x in s] for s in streams]
    at = [0] * len(streams)
    while any(a < len(s) for a, s in zip(at, streams)):
        k = min((k for k, s in enumerate(streams) if at[k] < len(s)), key=lambda k: times[k][at[k]])
        out.append(streams[k][at[k]])
        at[k] += 1
    return out


def entries(d, uid=0):
    return [json.loads(x) for x in raw(d, uid)]


def ended(d, uid=0):
    mine = stream(d, uid, "denied")
    return bool(mine) and json.loads(mine[-1])["osh"].get("reason") == "ENDED" if mine and b'"osh"' in mine[-1] else False


def event(x):
    return x.get("osh", {}).get("event")


def chained(d, uid=0):
    """The chain as the page has it, computed here: None, or what is wrong."""
    for kind in KINDS:
        was = None
        for f in files(d, uid, kind):
            for i, line in enumerate(open(f, "rb").read().split(b"\n")[:-1]):
                x = json.loads(line)
                if not i:
                    start = bytes.fromhex(x["osh"]["previous"])
                    if event(x) != "log" or was not in (None, start):
                        return f"{f}: does not follow"
                    was = start
                was = hashlib.sha256(was + line[:1 - TAIL]).digest()
                if line[1 - TAIL:] != b',"chain":"' + was.hex().encode() + b'"}':
                    return f"{f}: line {i + 1}"
    return None


def logs(d, *args, uid=0, verb=("logs",), timeout=60):
    rc, out, err = run([OSHCTL, *verb, "--socket", d.bus, *args], timeout, **as_user(uid))
    return rc, out.splitlines(), err


def sandbox(d, *cmd, name=None, uid=0, log=True, timeout=60):
    w = d.work
    work = os.path.join(w.dir, f"work{uid}")
    if not os.path.isdir(work):
        os.mkdir(work)
        os.chown(work, uid, uid)
    args = [OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--workdir", work]
    args += ["--log", os.path.join(work, "log")] if log else []
    args += ["--name", name] if name else []
    return run([*args, "--", *cmd], timeout, **as_user(uid))


def t_files(t, d):
    rc, _, err = sandbox(d, "getent", "hosts", "denied.test", name="first")
    t.ok(rc == 2, "a run whose question is denied", rc, err)
    t.ok(until(lambda: ended(d)), "its end is in the log that lasts")
    given = open(os.path.join(d.work.dir, "work0", "log"), "rb").read().splitlines()
    kept = raw(d)
    t.ok(sorted(x[:1 - TAIL] + b"}" for x in kept if event(json.loads(x)) != "log") == sorted(given), "the same lines as --log, with a chain",
         kept[-1], given[-1])
    modes = [(os.stat(p).st_mode & 0o7777, os.stat(p).st_uid) for p in (f"{d.state}/log", f"{d.state}/log/0", *files(d, 0, ""))]
    t.ok(modes == [(0o700, 0), (0o700, 0), (0o600, 0), (0o600, 0)], "directories and files are root's alone", modes)
    t.ok({x["osh"]["verdict"] for x in map(json.loads, stream(d, 0, "allowed")) if event(x) != "log"} == {"allowed"} and
         {event(x) for x in map(json.loads, stream(d, 0, "denied")) if x["osh"].get("verdict") == "allowed"} == {"life"},
         "what is allowed has files of its own")
    t.ok(chained(d) is None, "the chain is as the page says", chained(d))
    pid = pids_of("osh-audit")[0]

    def held(end):
        return [n for n in os.listdir(f"/proc/{pid}/fd") if os.path.realpath(f"/proc/{pid}/fd/{n}").endswith(end)]
    t.ok(until(lambda: not held(".jsonl")), "no sandbox, no descriptor of a log", held(".jsonl"))
    p = subprocess.Popen(d.command("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    until(lambda: pids_of("osh-init"))
    mine = held("00000001.jsonl")
    how = [int(open(f"/proc/{pid}/fdinfo/{n}").read().split("flags:\t")[1].split()[0], 8) for n in mine]
    t.ok(how and all(h & os.O_ACCMODE == os.O_WRONLY and h & os.O_APPEND for h in how), "osh-audit has it for appending", how)
    p.communicate()


def t_shown(t, d):
    rc, out, err = logs(d)
    t.ok(rc == 0 and len(out) == len(raw(d)), "oshctl logs shows every line", rc, len(out), err)
    line = next((x for x in out if "denied.test AAAA" in x), "")
    t.ok(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  first +denied +dns +denied\.test AAAA +/usr/bin/getent +- +name is not in", line),
         "time, sandbox, verdict, event, what, program, rule, reason", line)
    rc, out, _ = logs(d, "--json")
    t.ok([x.encode() for x in out] == raw(d), "--json shows the lines as they are")
    rc, out, _ = logs(d, "--json", "--denied", "--sandbox", "first")
    want = [x for x in entries(d) if x.get("container", {}).get("name") == "first" and x["osh"].get("verdict") == "denied"]
    t.ok(want and [json.loads(x) for x in out] == want, "--denied and --sandbox choose", len(out), len(want))
    rc, out, _ = logs(d, "first", "--json", verb=("sandbox", "logs"))
    t.ok(out and all(json.loads(x)["container"]["name"] == "first" for x in out), "a sandbox that has ended keeps its lines")
    t.ok(logs(d, "--sandbox", "fir")[1] == [] and logs(d, "--sandbox", "dns")[1] == [], "a name is the whole name, and no other text")
    rc, out, err = logs(d, "--sandbox", "fir")
    t.ok(rc == 0 and "the log has no such line of a sandbox 'fir'" in err and not logs(d, "--sandbox", "first")[2],
         "a name that nobody had is said", rc, err)
    t.ok(logs(d, "-n", "2", "--json")[1] == [x.decode() for x in raw(d)[-2:]], "-n shows the last")
    cut = entries(d)[3]["time"]
    since = [x for x in entries(d) if x["time"] >= (cut // 1000) * 1000]
    t.ok(len(logs(d, "--since", f"@{cut // 1000}")[1]) == len(since) and logs(d, "--since", "1h")[1] and
         not logs(d, "--until", "1h")[1] and not logs(d, "--since", "@99999999999")[1], "--since and --until choose by time")
    bad = [logs(d, *a)[0] for a in (["--since", "soon"], ["-n", "x"], ["--nope"], ["x"], ["-f", "--until", "now"], ["--verify", "--denied"],
                                    ["--verify", "-n", "1"], ["--verify", "--sandbox", "first"])]
    t.ok(bad == [2] * 8, "what makes no sense is refused", bad)


def t_hostile(t, d):
    """Bytes of a sandbox on the reader's terminal."""
    name = "evil\x1b]0;x\x07\x9b31m\u00e9.test"
    sandbox(d, "python3", "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry: s.connect(sys.argv[1])\nexcept OSError: pass",
            "/tmp/../" + name, name="hostile")
    rc, out, _ = logs(d, "--sandbox", "hostile")
    text = "\n".join(out)
    t.ok("evil\\x1b]0;x\\x07" in text and all(0x20 <= ord(c) < 0x7f or c == "\n" for c in text), "control bytes are shown, not sent", text)
    shell = subprocess.run(["script", "-qec", f"TERM=xterm {OSHCTL} logs --socket {d.bus} --denied --sandbox hostile", "/dev/null"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout
    t.ok(b"\x1b[31mdenied\x1b[0m" in shell and b"\x07" not in shell, "colours on a terminal alone", shell[:300])


def t_users(t, d):
    for uid, host in ((ANN, "ann.test"), (BOB, "bob.test")):
        rc, out, err = sandbox(d, "getent", "hosts", host, uid=uid, name="same")
        t.ok(rc == 2, f"user {uid} runs under a name that others use too", rc, out, err)
    until(lambda: all(ended(d, u) for u in (ANN, BOB)))
    seen = {u: "\n".join(logs(d, uid=u)[1]) for u in (ANN, BOB)}
    t.ok("ann.test" in seen[ANN] and "bob.test" in seen[BOB], "each sees his own", seen)
    t.ok("bob" not in seen[ANN] and "ann" not in seen[BOB] and "first" not in seen[ANN] + seen[BOB], "and nobody else's")
    named = "\n".join(logs(d, "same", "--json", uid=BOB, verb=("sandbox", "logs"))[1])
    t.ok("bob.test" in named and "ann.test" not in named, "nor by a name that another used before")
    for who in (str(ANN), "0", "root", "4294967295"):
        rc, out, err = logs(d, "--user", who, uid=BOB)
        t.ok(rc == 1 and not out and "only root" in err, f"nor by naming {who}", rc, out, err)
    rc = subprocess.run(["cat", files(d, ANN)[0]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, **as_user(BOB)).returncode
    t.ok(rc != 0, "nor by the file's path")
    rc, out, _ = logs(d, "--json")
    times = [json.loads(x)["time"] for x in out if event(json.loads(x)) == "life"]
    t.ok(all(h in "\n".join(out) for h in ("ann.test", "bob.test")) and times == sorted(times), "root sees all, by time")
    rc, out, _ = logs(d, "--user", str(ANN), "--json")
    t.ok([x.encode() for x in out] == raw(d, ANN), "or one's")
    held = subprocess.run(["/usr/bin/python3", "-c", OPENS, OSHCTL, d.bus], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          **as_user(BOB)).stdout.decode()
    t.ok("EACCES" in held and "written" not in held, "what a user holds of it cannot be opened for writing", held)


# The reader itself, stopped while it holds the descriptors: can its owner make more of them?
OPENS = """
import errno, os, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], 'logs', '-f', '--socket', sys.argv[2]], stdout=subprocess.DEVNULL)
for _ in range(100):
    time.sleep(0.05)
    held = [n for n in os.listdir(f'/proc/{p.pid}/fd') if os.readlink(f'/proc/{p.pid}/fd/{n}').endswith('.jsonl')]
    if held: break
for n in held:
    for how in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        try: os.write(os.open(f'/proc/{p.pid}/fd/{n}', how), b'x'); print('written')
        except OSError as e: print(errno.errorcode[e.errno])
p.kill(); p.wait()
"""


def t_verify(t, d):
    rc, out, err = logs(d, "--verify", "--user", "0")
    m = re.match(r"uid 0, denied: (\d+) lines in 1 files, unbroken; the last chain is ([0-9a-f]{64})$", out[0] if out else "")
    t.ok(rc == 0 and m and int(m[1]) == len(stream(d, 0, "denied")) and "uid 0, allowed" in out[1], "--verify: unbroken", rc, out, err)
    known = m[2] if m else ""
    t.ok(logs(d, f"--verify={known}")[0] == 0 and logs(d, "--verify=" + "0" * 64)[0] == 1, "--verify=CHAIN finds the line that has it")
    at = files(d)[0]
    good = open(at, "rb").read()
    lines = good.splitlines(True)
    forged = json.loads(lines[3])
    forged["osh"]["verdict"] = "allowed"
    for what, bad in (("changed", lines[:3] + [lines[3].replace(b'"severity_id":', b'"severity_id":1')] + lines[4:]),
                      ("left out", lines[:3] + lines[4:]), ("moved", lines[:3] + [lines[4], lines[3]] + lines[5:]),
                      ("put in", lines[:3] + [lines[3]] + lines[3:]), ("without a chain", lines[:3] + [b'{"a":1}\n'] + lines[3:])):
        open(at, "wb").write(b"".join(bad))
        rc, out, _ = logs(d, "--verify", "--user", "0")
        t.ok(rc == 1 and "BROKEN" in "".join(out) and re.search("line [45]:", out[0]), f"--verify: a line that is {what}", out[:3])
    open(at, "wb").write(b"".join(lines[:-2]))
    t.ok(logs(d, "--verify", "--user", "0")[0] == 0 and logs(d, f"--verify={known}")[0] == 1,
         "lines missing at the end: only whoever kept the last chain can tell")
    open(at, "wb").write(good)


def t_torn(t, d):
    """A part of a line at the end, as a power cut leaves it."""
    n = len(raw(d))
    with open(files(d)[0], "ab") as f:
        f.write(b'{"class_uid":4003,"cat')
    sandbox(d, "true")
    until(lambda: ended(d))
    t.ok(len(raw(d)) > n and chained(d) is None, "a part of a line at the end is cut off", chained(d))
    with open(files(d)[0], "ab") as f:
        f.write(b'{"no":"chain"}\n')
    sandbox(d, "true")
    until(lambda: len(files(d)) == 2)
    t.ok(len(files(d)) == 2 and entries(d)[-1] and "goes on in another file" in d.errors(),
         "a file that ends in no link of the chain is left, and another begun", files(d))
    rc, out, _ = logs(d, "--verify", "--user", "0")
    t.ok(rc == 1 and "does not follow" in "\n".join(out), "which --verify says", out)


class Follower:
    def __init__(self, d, *args):
        self.out = os.path.join(d.work.dir, "follow")
        with open(self.out, "wb") as f:
            self.p = subprocess.Popen([OSHCTL, "logs", "-f", "--json", "--socket", d.bus, *args], stdout=f, stderr=subprocess.PIPE)

    def waits(self):
        """Has it read all that there is, and waits for more? What comes from then on is new to it."""
        files = [fd for fd, at in osh.held(self.p.pid).items() if at.endswith(".jsonl")]
        sleeps = osh.proc(self.p.pid, "stat").rsplit(")", 1)[-1].split()[:1] == ["S"]
        try:
            at = [int(osh.proc(self.p.pid, f"fdinfo/{fd}").split("pos:")[1].split()[0]) for fd in files]
            return files and sleeps and at == [os.stat(f"/proc/{self.p.pid}/fd/{fd}").st_size for fd in files]
        except (OSError, IndexError):
            return False        # it was closed meanwhile

    def lines(self):
        return open(self.out, "rb").read().splitlines()

    def end(self, sig=signal.SIGINT):
        self.p.send_signal(sig)
        return self.p.wait(10)


def t_follow(t, d):
    f = Follower(d, "-n", "0")
    until(f.waits)
    sandbox(d, "true", name="followed")
    t.ok(until(lambda: any(b'"ENDED"' in x for x in f.lines())), "-f shows what comes", f.lines())
    def named(*names):
        return sorted(x for x in raw(d) if json.loads(x).get("container", {}).get("name") in names)
    t.ok(sorted(f.lines()) == named("followed"), "and nothing else", len(f.lines()))
    d.stop()
    d.start()
    sandbox(d, "true", name="after")
    t.ok(until(lambda: sorted(f.lines()) == named("followed", "after")), "also of the next oshd", f.lines()[-1:])
    t.ok(f.end() == 130 and sorted(f.lines()) == named("followed", "after"), "^C ends it, no line torn")
    p = subprocess.Popen([OSHCTL, "logs", "-f", "--socket", d.bus], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    t.ok(until(lambda: p.poll() is not None) and p.poll() == 0, "nobody reads any longer: it ends", p.poll())
    p.kill()
    t.ok(not p.stderr.read(), "and says nothing of it")


def fill(path, size, number, was):
    """A file of that many bytes in the chain; what the chain then is."""
    n = 0
    with open(path, "wb") as f:
        os.chmod(path, 0o600)
        while n < size:
            x = {"time": 1, "osh": {"event": "log", "file": number, "previous": was.hex()} if not n else {"event": "test"},
                 "fill": "x" * min(60000, size - n)}
            line = json.dumps(x, separators=(",", ":")).encode()[:-1]
            was = hashlib.sha256(was + line).digest()
            n += f.write(line + b',"chain":"' + was.hex().encode() + b'"}\n')
    return was


def t_rotation(t, w):
    """The eighth file is nearly full: it is followed, the first goes, and who follows sees every line once."""
    with Daemon(w) as d:
        os.makedirs(f"{d.state}/log/0", 0o700, exist_ok=True)
        was = bytes(32)
        for i in range(1, FILES + 1):
            was = fill(f"{d.state}/log/0/denied-{i:08}.jsonl", FULL - 400000 if i == FILES else 1000, i, was)
        f = Follower(d, "-n", "0")
        until(f.waits)
        rc, _, err = sandbox(d, "python3", "-c", ASK, "host%d.test", "0", "900", "0", log=False, timeout=120)
        t.ok(rc == 0 and until(lambda: ended(d)), "a run across the end of a file", rc, err)
        names = [os.path.basename(x) for x in files(d)]
        t.ok(names == [f"denied-{i:08}.jsonl" for i in range(2, FILES + 2)], "the next file is there and the oldest gone", names)
        t.ok(os.path.getsize(files(d)[-2]) < FULL + (1 << 20), "the full one hardly grew past its bound", os.path.getsize(files(d)[-2]))
        t.ok(chained(d) is None and logs(d, "--verify")[0] == 0, "the chain goes on in the next file", chained(d))
        mine = [x for x in entries(d) if x.get("container")]
        seq = sorted(x["metadata"]["sequence"] for x in mine)
        t.ok(seq == list(range(len(seq))) and len(seq) > 900, "no line is lost or torn at the switch", len(seq), seq[:5])
        want = sorted(x for x in raw(d) if b'"profiles"' in x)     # ours alone have them
        until(lambda: sorted(f.lines()) == want)
        t.ok(sorted(f.lines()) == want and len(want) > 900, "-f: none missing, none twice", len(f.lines()), len(want))
        f.end()


def t_full_disk(t):
    """The state directory's file system takes nothing for a while."""
    with Work(policy("{host: echo.test, ports: [443]}")) as w:
        d = Daemon(w)
        os.mkdir(d.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "osh-test", d.state], check=True)
        try:
            with d:
                p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--workdir", w.work, "--", "python3", "-u", "-c",
                                      "import socket,sys\nfor x in sys.stdin:\n  a,b,c=x.split()\n  for i in range(int(b),int(c)):\n"
                                      "    try: socket.getaddrinfo(a%i,1)\n    except OSError: pass\n  print('done')"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

                def ask(*what):
                    print(*what, file=p.stdin, flush=True)
                    return p.stdout.readline()
                ask("early%d.test", 0, 5)
                until(lambda: any("early4.test" in str(x) for x in entries(d)))
                with open(f"{d.state}/filler", "wb", buffering=0) as f:
                    try:
                        while f.write(b"x" * 4096):
                            pass
                    except OSError:
                        pass
                ask("late%d.test", 0, 50)
                for _ in range(20):         # allowed ones, which nothing remembers
                    ask("echo.test%.0s", 0, 1)
                time.sleep(1.5)
                t.ok(d.errors().count("(denied) cannot be written") == 1 == d.errors().count("(allowed) cannot be written"), "a full disk is said once", d.errors())
                t.ok(chained(d) is None or "line" in chained(d), "what is there is whole up to a cut")
                os.unlink(f"{d.state}/filler")
                t.ok(until(lambda: len([x for x in entries(d) if "late" in str(x)]) >= 100, 5), "denials are there once there is room again",
                     len([x for x in entries(d) if "late" in str(x)]))
                until(lambda: any(x["class_uid"] == 2004 for x in entries(d)))
                lost = [x for x in entries(d) if x["class_uid"] == 2004]
                t.ok(len(lost) == 1 and lost[0]["count"] >= 1 and "could not be written" in lost[0]["finding_info"]["title"],
                     "a finding says how many lines are missing", lost)
                kept = [x["query"]["hostname"] + x["query"]["type"] for x in entries(d) if event(x) == "dns" and x["osh"]["verdict"] == "denied"]
                t.ok(len(kept) == len(set(kept)) == 110, "each denial once", len(kept), len(set(kept)))
                p.communicate()
                until(lambda: ended(d))
                seen = sorted(x["metadata"]["sequence"] for x in entries(d) if x.get("container") and x["class_uid"] != 2004)
                t.ok(len(seen) == len(set(seen)) and seen[-1] + 1 - len(seen) == lost[0]["count"], "and the numbers agree", seen[-1], len(seen), lost)
                t.ok(chained(d) is None, "the chain is unbroken", chained(d))
        finally:
            subprocess.run(["umount", "-l", d.state], check=False)


def t_killed(t, d, victim, hosts):
    """Under load, again and again. Distinct questions: every one is a denial with a line."""
    n, deaths = 800, 0
    p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", d.work.policy, "--workdir", d.work.work, "--name", "load", "--", "python3",
                          "-c", ASK, hosts, "0", str(n), "0.008"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: hosts.split("%")[0].encode() + b"5." in b"".join(stream(d, 0, "denied")))
    while p.poll() is None and deaths < 12:
        if victim == "oshd":
            d.p.kill()
            d.p.wait()
            d.start()
        else:
            kill(pids_of(victim))
        deaths += 1
        until(lambda: pids_of("osh-audit"), 5)
        time.sleep(0.1)
    p.wait(120)
    name = hosts.split("%")[0]

    def asked():
        return collections.Counter(x["query"]["hostname"] + " " + x["query"]["type"] for x in map(json.loads, stream(d, 0, "denied"))
                                   if event(x) == "dns" and re.match(name + r"\d+\.test$", x["query"]["hostname"]) and not x["osh"]["repeats"])
    until(lambda: len(asked()) == 2 * n, 10)
    twice = sum(asked().values()) - len(asked())
    t.ok(len(asked()) == 2 * n, f"{deaths} times kill -9 {victim}: every denial is in the log", len(asked()), d.errors()[-600:])
    t.ok(deaths > 2 and twice <= deaths, f"{deaths} times kill -9 {victim}: no more than one line twice each time", twice)
    t.ok(chained(d) is None, f"kill -9 {victim}: the chain is unbroken", chained(d))


def t_flood(t, d):
    """Denied at full speed: a line and a count, not a disk full of them."""
    before = sum(map(os.path.getsize, files(d, 0, "")))
    rc, out, _ = sandbox(d, "python3", "-c", "import socket,time\nn=0\nend=time.time()+2\nwhile time.time()<end:\n  s=socket.socket()\n"
                         "  try: s.connect(('198.18.0.99',81))\n  except OSError: pass\n  s.close(); n+=1\nprint(n)", log=False)
    n = int(out or 0)
    until(lambda: ended(d))
    grown = sum(map(os.path.getsize, files(d, 0, ""))) - before
    last = [x for x in entries(d) if event(x) == "connect" and x["osh"]["repeats"]][-1]
    t.ok(n > 5000 and grown < 50000 and last["count"] == n, f"{n} denials are {grown} bytes and an exact count", rc, n, grown, last)


def main():
    t = Tap()
    with Work(policy("{host: echo.test, ports: [443]}")) as w:
        with Daemon(w) as d:
            for case in (t_files, t_shown, t_hostile, t_users, t_verify, t_follow, t_flood):
                case(t, d)
            t_killed(t, d, "osh-audit", "a%d.test")
            t_killed(t, d, "oshd", "d%d.test")
            t_torn(t, d)
    with Work(policy("{host: echo.test, ports: [443]}")) as w:
        t_rotation(t, w)
    t_full_disk(t)
    t.done()


if __name__ == "__main__":
    main()
