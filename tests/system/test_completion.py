#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The tab key in real shells: bash, zsh and fish on a terminal, with sandboxes that live."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work  # noqa: E402

LIMIT = 120                     # for a shell that hangs
GLUE = os.path.join(ROOT, "userspace/oshctl/completion")

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"PS1='READY> '; source {GLUE}/oshctl.bash"),
    "zsh": (["zsh", "-f", "-i"], f"PS1='READY> '; bindkey -e; fpath=({GLUE} $fpath); autoload -Uz compinit; compinit -u -D"),
    "fish": (["fish", "--no-config", "-i"], f"function fish_prompt; echo 'READY> '; end; source {GLUE}/oshctl.fish"),
}
CASES = [
    ("oshctl pol", "oshctl policy"),
    ("oshctl doc", "oshctl doctor"),
    ("oshctl sandbox conn", "oshctl sandbox connect"),
    ("oshctl sandbox stop living", "oshctl sandbox stop living-one"),
    ("oshctl sandbox stop idle-a idle-b", "oshctl sandbox stop idle-a idle-b-too"),
    ("oshctl logs --sandbox living", "oshctl logs --sandbox living-one"),
    ("oshctl volume delete cach", "oshctl volume delete cache"),
    ("oshctl run --upstream-h", "oshctl run --upstream-hosts"),
    ("oshctl run -p mypol", "oshctl run -p mypolicy.yaml"),
    ("oshctl run --policy=mypol", "oshctl run --policy=mypolicy.yaml"),
    ("oshctl run -p preset:cod", "oshctl run -p preset:codex"),
    ("oshctl run --policy=preset:cod", "oshctl run --policy=preset:codex"),
    ("oshctl policy preset cod", "oshctl policy preset codex"),
    ("oshctl run -w subdir", "oshctl run -w subdirectory/"),
    ("oshctl run -p x -- sha256s", "oshctl run -p x -- sha256sum"),
    ("oshctl run -p x -- git mypol", "oshctl run -p x -- git mypolicy.yaml"),
    ("oshctl help doc", "oshctl help doctor"),
]


class Shell:
    def __init__(self, name, cwd, env):
        argv, begin = SHELLS[name]
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)
        self.said = b""
        self.send("stty cols 250 rows 50\r")
        self.send(begin + "\r")
        self.ask("ready", "one")

    def send(self, text):
        os.write(self.fd, text.encode())

    def ask(self, keys, mark):
        """Types keys; Ctrl-A and an echo before them; what is echoed is what the shell made of them."""
        self.said = b""
        self.send(f"\x15{keys}\x01echo G''OT-{mark}: \x05\r")
        want, end = re.compile(rb"GOT-%s: ([^\r\n]*?) *\r" % mark.encode()), time.monotonic() + LIMIT
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.said += os.read(self.fd, 65536)
                except OSError:
                    break
            m = want.search(re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>(][B0]?|\x1b\][^\x07]*\x07", b"", self.said))
            if m:
                return m.group(1).decode(errors="replace").strip()
        return "nothing"

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def t_shell(t, name, w, env):
    sh = Shell(name, w.dir, env)
    try:
        for i, (typed, want) in enumerate(CASES):
            got = sh.ask(typed + "\t", f"m{i}")
            t.ok(got.rstrip("/") == want.rstrip("/"), f"{name}: {typed}", got, sh.said[-2000:])
    finally:
        sh.close()


def main():
    t = Tap()
    if os.geteuid():
        t.skip("completion", "needs root: a daemon with sandboxes")
        t.done()
    with Work() as w, Daemon(w) as d:
        for name, more in (("living-one", ["--volume", "cache:/home/cache"]), ("idle-a", []), ("idle-b-too", [])):
            rc, _, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", name, "-p", w.policy, "-w", w.work, *more],
                             LIMIT)
            t.ok(rc == 0, f"sandbox {name} lives", err)
        w.write("mypolicy.yaml", "version: 1\n")
        os.mkdir(os.path.join(w.dir, "subdirectory"))
        env = {"PATH": os.path.realpath(BUILD) + ":/usr/bin:/bin", "OSH_SOCKET": d.bus, "HOME": w.dir, "TERM": "xterm",
               "LANG": "C.UTF-8"}
        for name in SHELLS:
            if shutil.which(name):
                t_shell(t, name, w, env)
            else:
                t.skip(name, "is not installed (tests/deps.list)")
    t.done()


if __name__ == "__main__":
    main()
