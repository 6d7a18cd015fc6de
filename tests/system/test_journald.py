#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the daemon sends to journald, as journald would get it: a socket of our own at its place, in a mount namespace of the
test's. What was denied and what became of sandboxes, with fields that no name of an agent's can add to; the log holds the same
lines; a journald that reads nothing holds nobody up; and where oshd's words go elsewhere, nothing is sent."""
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, until  # noqa: E402

LIMIT = 240
SOCKET = "/run/systemd/journal/socket"
LIBC = ctypes.CDLL(None, use_errno=True)
POLICY = BASE_POLICY + "network:\n  - {host: allowed.example, ports: [443]}\n"
NASTY = "/run/x\nOSH_REASON=ALLOWED\nPRIORITY=0\n"
DENIED = ("import socket\nfor name in ('denied.example', 'allowed.example'):\n"
          "    try: socket.getaddrinfo(name, 443)\n    except OSError: pass\n"
          f"s = socket.socket(socket.AF_UNIX)\ntry: s.connect({NASTY!r})\nexcept OSError: pass\n")


def fields(data):
    """A message of the native protocol: {field: value}; a field that comes twice is an error, as none of ours does."""
    got, at = {}, 0
    while at < len(data):
        nl = data.index(b"\n", at)
        name, eq, value = data[at:nl].partition(b"=")
        at = nl + 1
        if not eq:
            n = int.from_bytes(data[at:at + 8], "little")
            value, at = data[at + 8:at + 8 + n], at + 8 + n + 1
            assert data[at - 1:at] == b"\n", data
        assert name.decode() not in got, (name, data)
        got[name.decode()] = value.decode(errors="backslashreplace")
    return got


class Journald:
    """At its place; reads on until told not to."""

    def __init__(self):
        if LIBC.unshare(0x20000) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
        os.makedirs(os.path.dirname(SOCKET))
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        self.got, self.reads = [], threading.Event()
        self.reads.set()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            self.reads.wait()
            data = self.s.recv(1 << 18)
            self.reads.wait()
            self.got.append(fields(data))

    def of(self, **want):
        return [m for m in list(self.got) if all(m.get("OSH_" + k.upper()) == v for k, v in want.items())]


class Service(Daemon):
    """As systemd starts it: its stderr is what JOURNAL_STREAM says."""

    def start(self):
        err = os.path.join(self.work.dir, "oshd.err")
        open(err, "a").close()
        st = os.stat(err)
        self.env = {"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"}
        return super().start()


def log_of(path):
    with open(path, errors="replace") as f:
        return [json.loads(ln) for ln in f]


def t_denials(t, w, d, j):
    w.log = os.path.join(w.dir, "denials.jsonl")
    rc, _, err = run(d.command("python3", "-c", DENIED, options=("-n", "agent")), LIMIT)
    until(lambda: j.of(sandbox="agent", reason="ENDED"), 20)
    mine = j.of(sandbox="agent")
    dns = j.of(sandbox="agent", event="dns", verdict="denied")
    t.ok(rc == 0 and dns and dns[0]["OSH_NAME"] == "denied.example" and dns[0]["OSH_REASON"] == "NAME_UNKNOWN" and
         dns[0]["OSH_USER"] == "0" and dns[0]["OSH_PROGRAM"].startswith("/usr/bin/python3") and dns[0]["PRIORITY"] == "5" and
         dns[0]["SYSLOG_IDENTIFIER"] == "osh-audit" and "denied.example" in dns[0]["MESSAGE"], "a question that is refused, with its fields", rc, err, mine)
    unix = j.of(sandbox="agent", event="unix", name=NASTY)
    t.ok(unix and unix[0]["OSH_REASON"] != "ALLOWED" and unix[0]["PRIORITY"] == "5" and
         "\n" not in unix[0]["MESSAGE"], "a name with lines of its own adds no field, and breaks no message", unix)
    life = [m["OSH_REASON"] for m in j.of(sandbox="agent", event="life")]
    t.ok(life == ["STARTED", "ENDED"], "the life of the sandbox", life)
    t.ok(not j.of(verdict="allowed", event="dns") and not j.of(sandbox="agent", event="exec", verdict="allowed"), "what is allowed is not sent", mine)
    said = {(o["metadata"]["sequence"], o["osh"]["event"], o["osh"]["reason"]) for o in log_of(w.log)
            if o.get("osh", {}).get("verdict") in ("denied", "observed") or o.get("osh", {}).get("event") == "life"}
    sent = {(int(m["OSH_SEQUENCE"]), m["OSH_EVENT"], m["OSH_REASON"]) for m in mine if "OSH_SEQUENCE" in m}
    t.ok(said and said == sent, "the same lines, by their numbers, as in the log", said ^ sent)


def t_own_words(t, w, d, j):
    """oshd about a sandbox, not only osh-audit about decisions."""
    policy = w.write("wall.yaml", BASE_POLICY + "resources: {wall: 1s}\n")
    run([OSHCTL, "run", "--socket", d.bus, "-n", "late", "-p", policy, "-w", w.work, "--", "sleep", "1000"], LIMIT)
    got = until(lambda: [m for m in j.of(sandbox="late") if m["SYSLOG_IDENTIFIER"] == "oshd"], 20)
    t.ok(got and got[0]["OSH_USER"] == "0" and "resources.wall" in got[0]["MESSAGE"], "oshd's own words about a sandbox have its fields", got, j.got[-5:])
    t.ok("resources.wall" not in d.errors(), "and are not on its stderr as well", d.errors())
    t.ok(until(lambda: j.of(sandbox="late", reason="LIMIT", event="life"), 20), "the limit that ended it is an event of its own", j.of(sandbox="late"))


def t_provider(t, w, d, j):
    key = w.write("acme.key", "secret-of-acme-0123456789\n")
    rc, _, err = run([OSHCTL, "provider", "create", "acme", "--socket", d.bus, "--type", "generic", "--host", "api.acme.example", "--env", "ACME_KEY",
                      "--from-file", key], LIMIT)
    got = until(lambda: j.of(event="provider", provider="acme"), 20)
    t.ok(rc == 0 and got and got[0]["OSH_REASON"] == "create" and got[0]["OSH_BY"] == "0", "what was done to a stored credential", rc, err, got)
    t.ok("secret-of-acme" not in str(j.got), "and nothing of the secret")


def t_stuck(t, w, d, j):
    """journald reads nothing: whatever fills its socket, sandboxes go on, and the log has it all."""
    j.reads.clear()
    w.log = os.path.join(w.dir, "stuck.jsonl")
    code = "import socket\nfor i in range(400):\n    try: socket.getaddrinfo('n%d.example' % i, 443)\n    except OSError: pass\nprint('through')"
    rc, out, err = run(d.command("python3", "-c", code, options=("-n", "stuck")), LIMIT)
    denied = [o for o in log_of(w.log) if o.get("osh", {}).get("event") == "dns"]
    t.ok(rc == 0 and out == "through\n" and len(denied) >= 200, "a journald that reads nothing holds nobody up", rc, err, len(denied))
    j.reads.set()
    run(d.command("true", options=("-n", "after")), LIMIT)
    after = until(lambda: j.of(sandbox="after", reason="ENDED"), 20)
    missed = sum(int(m.get("OSH_MISSED", 0)) for m in j.got)
    sent = [m for m in j.of(sandbox="stuck") if m.get("OSH_EVENT") == "dns"]
    t.ok(after and missed and len(sent) < len(denied), "what it did not take is counted, and said with the next", missed, len(sent), len(denied))


def t_elsewhere(t, j):
    """The same daemon whose stderr is a file."""
    with Work(POLICY) as w, Daemon(w, env={"JOURNAL_STREAM": "1:1"}) as d:
        n = len(j.got)
        policy = w.write("wall.yaml", BASE_POLICY + "resources: {wall: 1s}\n")
        run([OSHCTL, "run", "--socket", d.bus, "-n", "file", "-p", policy, "-w", w.work, "--", "sleep", "1000"], LIMIT)
        t.ok(until(lambda: "sandbox file: its time was over" in d.errors(), 20), "elsewhere they are lines on stderr", d.errors())
        t.ok(len(j.got) == n and not j.of(sandbox="file"), "and journald gets nothing", j.got[n:])


def main():
    t = Tap()
    if os.geteuid():
        t.skip("journald", "needs root")
        t.done()
    j = Journald()
    with Work(POLICY) as w, Service(w) as d:
        for case in (t_denials, t_own_words, t_provider, t_stuck):
            case(t, w, d, j)
    t_elsewhere(t, j)
    t.done()


if __name__ == "__main__":
    main()
