#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a user has stored, root looks at: the text of a policy may hold any bytes, since oshd reads none of it, and none of them
steers root's terminal. In a pipe they are what they were."""
import fcntl
import os
import pty
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work  # noqa: E402
from rawbus import Raw, become, pad, text  # noqa: E402

LIMIT, UID = 240, 1813
HOSTILE = b"version: 1\t# f\xc3\xbcr\n# \033]0;pwned\007\033[2J \x9b5n \xc2\x9b5n \x7f \0 end\n"
SHOWN = "version: 1\t# f\u00fcr\r\n# ?]0;pwned??[2J ?5n ??5n ? ? end\r\n"


def memory(data):
    fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


def set_policy(bus, name, bundle, source):
    """PolicySet as the user, by hand: oshctl sends what its compiler has read."""
    pid = os.fork()
    if not pid:
        become(UID)
        entry = text("source") + b"\x01h\0"
        entry = pad(entry, 4) + struct.pack("<I", 1)
        head = pad(text(name), 4) + struct.pack("<II", 0, len(entry))
        kind, rest = Raw(bus).call("PolicySet", "sha{sv}", pad(head, 8) + entry, [memory(bundle), memory(source)])
        if kind != 2:
            print("#", rest)
        os._exit(kind != 2)
    return os.waitpid(pid, 0)[1] == 0


def on_terminal(argv):
    pid, master = pty.fork()
    if not pid:
        os.execv(argv[0], argv)
    got = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:
            break
        if not some:
            break
        got += some
    os.waitpid(pid, 0)
    os.close(master)
    return got


def main():
    t = Tap()
    if os.geteuid():
        t.skip("what root looks at", "needs root")
        t.done()
    who = {"user": UID, "group": UID, "extra_groups": []}
    with Work() as w, Daemon(w) as d:
        work = os.path.join(w.dir, "his")
        os.mkdir(work)
        os.chown(work, UID, UID)
        policy = w.write("his.yaml", BASE_POLICY.replace("process: {run_as_user: sandbox}\n", ""))
        made = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "his", "-p", policy, "-w", work], LIMIT, cwd=work, **who)
        bundle = os.path.join(w.dir, "bundle")
        rc, _, err = run(["sh", "-c", f"{OSHCTL} policy get his --bundle --socket {d.bus} >{bundle}"], LIMIT)
        t.ok(made[0] == 0 and rc == 0, "a user has a sandbox", made, err)
        with open(bundle, "rb") as f:
            t.ok(set_policy(d.bus, "his", f.read(), HOSTILE), "and stores a text that nobody reads")
        rc, _, err = run(["sh", "-c", f"{OSHCTL} policy get his --socket {d.bus} >{bundle}"], LIMIT)
        with open(bundle, "rb") as f:
            t.ok(rc == 0 and f.read() == HOSTILE, "root gets it as it is", rc, err)
        got = on_terminal([OSHCTL, "policy", "get", "his", "--socket", d.bus])
        t.ok(got == SHOWN.encode(), "on a terminal without what would steer it", got)
    t.done()


if __name__ == "__main__":
    main()
