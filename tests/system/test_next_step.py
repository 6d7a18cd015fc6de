#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a person reads who is stuck: a program that is not in the sandbox, what was denied, a list with nothing in it. Each
says what to do next, and a name that a sandbox chose is no part of a command to be typed."""
import json
import os
import pwd
import shlex
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 200
t = Tap()


def osh(w, *words, **kw):
    return run([OSHCTL, "run", "-w", w.work, *words], LIMIT, **kw)


def tool(w, name):
    """As an installer of an agent puts it into a home: a link beside other links, a version of its own."""
    home = os.path.join(w.dir, "home")
    there, here = os.path.join(home, "share/versions/1"), os.path.join(home, "bin")
    os.makedirs(there, exist_ok=True)
    os.makedirs(here, exist_ok=True)
    with open(os.path.join(there, name), "w") as f:
        f.write("#!/bin/sh\necho it runs\n")
    os.chmod(f.name, 0o755)
    os.symlink(f"../share/versions/1/{name}", os.path.join(here, name))
    return here, there


def outside(w):
    here, there = tool(w, "claude")
    env = dict(os.environ, PATH=os.environ["PATH"] + ":" + here, HOME=w.dir)
    rc, _, err = osh(w, "--", "claude", env=env)
    t.ok(rc == 127 and f"outside the sandbox it is {here}/claude" in err and f"read_only: [{here}, {there}]" in err and
         "oshctl policy preset claude_code >policy.yaml" in err, "a program in a home: where it is, what shows it, which preset", rc, err)
    policy = w.write("shows.yaml", BASE_POLICY.replace("read_only: [", f"read_only: [{here}, {there}, "))
    for words in (["--", f"{here}/claude"], ["-e", "PATH", "--", "claude"]):
        rc, out, err = osh(w, "-p", policy, *words, env=env)
        t.ok(rc == 0 and out == "it runs\n", f"what was said does it: {words[0]}", rc, out, err)
    rc, _, err = osh(w, "-p", w.policy, "--", "no-such-program", env=env)
    t.ok(rc == 127 and err.count("\n") == 1 and "filesystem_policy has to list it" in err, "one that is nowhere is not outside either", err)
    rc, _, err = osh(w, "-p", w.policy, "--", "claude", env=dict(env, HOME=here))
    t.ok(f"read_only: [{here}/claude, " in err, "a whole home is never what is to be shown", err)
    with open(os.path.join(w.work, "script"), "w") as f:
        f.write("#!/nowhere/sh\n")
    os.chmod(f.name, 0o755)
    rc, _, err = osh(w, "-p", w.policy, "--", "./script")
    t.ok(rc == 127 and "it is there, and its interpreter or loader is not" in err and "outside" not in err,
         "a program whose interpreter is missing is not one that is missing", rc, err)


def denied(w):
    policy = w.write("hosts.yaml", BASE_POLICY + "network:\n  - {host: a.example, port: 443}\n")
    for words, question in ((["curl", "-s", "http://a.example/"], "'connect a.example:80' --binary /usr/bin/curl"),
                            (["curl", "-s", "https://b.example/"], "'dns b.example'"),
                            (["curl", "-s", "https://192.0.2.1/"], "'connect 192.0.2.1:443' --binary /usr/bin/curl")):
        rc, _, err = osh(w, "-p", policy, "--", *words)
        step = [ln for ln in err.splitlines() if "oshctl policy explain" in ln]
        if t.ok(rc and len(step) == 1 and step[0].endswith(" -p POLICY " + question), f"{words[-1]}: the summary names the question", err):
            words = shlex.split(step[0][step[0].index("oshctl"):].replace("POLICY", policy))
            rc, out, err = run([OSHCTL, *words[1:]], LIMIT)
            t.ok(rc == 1 and "denied: " in out and "to allow it" in out, "whose answer says what would allow it", rc, out, err)
    ask = r"""
import socket
server = [ln.split()[1] for ln in open("/etc/resolv.conf") if ln.startswith("nameserver")][0]
s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(b"\1\2\1\0\0\1\0\0\0\0\0\0" + b"\x06x';id;\x07example\0" + b"\0\1\0\1", (server, 53))
s.recv(512)
"""
    _, _, err = osh(w, "-p", policy, "--", "python3", "-c", ask)
    t.ok("  dns x" in err and "explain" not in err, "a name that a shell would read is in no command", err)
    _, _, err = osh(w, "-p", policy, "--", "true")
    t.ok(not err, "nothing denied, nothing said", err)


def once(w):
    rc, _, err = osh(w, "-p", w.policy, "--wall", "1s", "--", "sleep", "1000")
    t.ok(rc == 143 and err.count("its time was over") == 1, "that its time was over is said once", rc, err)


def empty(w):
    with Daemon(w) as d:
        os.environ["OSH_SOCKET"] = d.bus
        for words, says in ((["sandbox", "list"], "no sandboxes; `oshctl sandbox create`"), (["sandbox", "list", "-l", "a=b"], "no sandboxes with such labels"),
                            (["volume", "list"], "no volumes; "), (["provider", "list"], "no stored credentials; `oshctl provider create`"),
                            (["inference", "list"], "no sandbox that runs has routes")):
            rc, out, err = run([OSHCTL, *words], LIMIT)
            t.ok(rc == 0 and out.count("\n") == 1 and says in err, f"{' '.join(words)}: {says}", rc, out, err)
            rc, out, err = run([OSHCTL, *words, "--json"], LIMIT)
            t.ok(rc == 0 and json.loads(out) == [] and not err, "and an empty list in JSON", rc, out, err)
        rc, _, err = run([OSHCTL, "sandbox", "create", "-n", "one", "-p", w.policy, "-w", w.work], LIMIT)
        _, out, err = run([OSHCTL, "policy", "list", "one"], LIMIT)
        me = pwd.getpwuid(os.getuid()).pw_name
        t.ok(rc == 0 and f"  {me} " in out.splitlines()[-1], "policy list says by whom, by name", out, err)
        rc, out, err = run([OSHCTL, "sandbox", "list"], LIMIT)
        t.ok(rc == 0 and not err and out.count("\n") == 2, "nothing is said beside a list", out, err)
        for words in (["exec", "one", "--", "claude"], ["create", "-n", "two", "-p", w.policy, "-w", w.work, "--", "claude"]):
            rc, _, err = run([OSHCTL, "sandbox", *words], LIMIT, env=dict(os.environ, PATH=os.environ["PATH"] + ":" + os.path.join(w.dir, "home/bin")))
            t.ok(rc and "outside the sandbox it is " in err and "read_only: [" in err, f"sandbox {words[0]}: a program in a home", rc, err)
        run([OSHCTL, "sandbox", "delete", "-f", "one", "two"], LIMIT)
        del os.environ["OSH_SOCKET"]


def main():
    with Work() as w:
        for part in (outside, denied, once, empty):
            part(w)
    t.done()


if __name__ == "__main__":
    main()
