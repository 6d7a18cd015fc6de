#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an agent does to the supervisor that it sees, process 1, and to everybody at once: kill, stop, crash, trace it. From
inside nothing of it works; then the same by root from outside does, to the same process. And the listener of the system call
filter, by which refused calls are answered, is open outside and nowhere inside."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import BASE_POLICY, Daemon, Work, held, pids_of, proc, until  # noqa: E402

INSIDE = """
import os, signal, subprocess, sys
def state(pid):
    return open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()[0]
def say(*words):
    print(*words, flush=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for name in ('KILL', 'STOP', 'SEGV', 'ABRT', 'TERM'):
    try:
        os.kill(1, getattr(signal, 'SIG' + name))
        if name == 'TERM':
            os.kill(-1, signal.SIGTERM)
    except OSError as e:
        pass
    say(name, 'dead' if not os.path.exists('/proc/1/stat') else 'stopped' if state(1) in 'Tt' else 'lives')
say('trace', subprocess.run(['./attempt', 'ptrace', '1'], stdout=subprocess.PIPE, text=True).stdout.strip())
found = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        found += [os.readlink('/proc/%s/fd/%s' % (pid, fd)) for fd in os.listdir('/proc/%s/fd' % pid)]
    except OSError:
        pass
say('listener', any('seccomp' in x for x in found))
say('core', [x for x in os.listdir('.') if x.startswith('core')])
say('ready')
sys.stdin.read()
"""


def stopped(pid):
    return proc(pid, "stat").rsplit(")", 1)[-1].split()[:1] in (["T"], ["t"])


def inside(t, p):
    said = {}
    for line in p.stdout:
        if line.strip() == "ready":
            break
        word, rest = line.strip().split(" ", 1)
        said[word] = rest
    for name in ("KILL", "STOP", "SEGV", "ABRT", "TERM"):
        t.ok(said.get(name) == "lives", f"inside: SIG{name} to process 1 does nothing to it", said)
    t.ok(said.get("trace") == "errno=EPERM", "inside: process 1 is not traced", said)
    t.ok(said.get("listener") == "False", "inside: the filter's listener is nowhere", said)
    t.ok(said.get("core") == "[]", "inside: nothing of the supervisor's memory lies about", said)


def outside(t, pid):
    t.ok(any("seccomp" in x for k in pids_of("osh-launch") + pids_of("osh-audit") for x in held(k).values()), "outside: somebody holds the listener")
    rc, out, _ = run([os.path.join(BUILD, "tests/tools/attempt"), "ptrace", str(pid)])
    t.ok(rc == 0 or "EPERM" in out, "outside: root traces it, or this machine's root may not trace", out)
    os.kill(pid, 19)
    t.ok(until(lambda: stopped(pid), 5), "outside: SIGSTOP stops it")
    os.kill(pid, 18)
    t.ok(until(lambda: not stopped(pid), 5), "outside: SIGCONT lets it go on")
    os.kill(pid, 9)


def main():
    t = Tap()
    with Work(BASE_POLICY) as w, Daemon(w) as d:
        with open(os.path.join(BUILD, "tests/tools/attempt"), "rb") as f, open(os.path.join(w.work, "attempt"), "wb") as to:
            to.write(f.read())
        os.chmod(os.path.join(w.work, "attempt"), 0o755)
        before = set(pids_of("osh-init"))
        p = subprocess.Popen(d.command("python3", "-c", INSIDE), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        inside(t, p)
        mine = set(pids_of("osh-init")) - before
        if t.ok(len(mine) == 1, "the supervisor is found from outside", mine):
            outside(t, mine.pop())
            t.ok(until(lambda: p.poll() is not None, 20), "outside: SIGKILL ends it, and the sandbox with it")
        p.kill()
        p.communicate()
    t.done()


if __name__ == "__main__":
    main()
