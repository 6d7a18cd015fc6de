#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-init as pid 1 of a plain pid namespace: the command's life, signals, orphans, the terminal,
hostile specs, and that an agent of the same uid cannot reach the control socket."""
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "pty"))
import wire  # noqa: E402
from tap import run, skip_all  # noqa: E402

ENV = ["PATH=/usr/bin:/bin", "A=1"]


def sh(text):
    return ["sh", "-c", text]


def ended(status):
    return os.waitstatus_to_exitcode(status)


def run_once(argv, **kw):
    """Starts argv with stdout on a pipe; (exit code, output)."""
    i = wire.Init()
    r, w = os.pipe()
    i.start(argv, env=ENV, stdio={1: w, 2: w}, **kw)
    os.close(w)
    assert i.value("INIT_STARTED") > 1
    code = ended(i.value("INIT_EXITED"))
    assert i.eof()
    out = os.read(r, 65536)
    os.close(r)
    i.close()
    return code, out.decode()


def refused(i, want):
    text = i.error()
    assert want in text, text
    assert i.eof()
    assert i.close() == 125


def t_status():
    assert run_once(["true"]) == (0, "")
    assert run_once(sh("echo hi; exit 7")) == (7, "hi\n")
    assert run_once(sh("kill -USR1 $$"))[0] == -signal.SIGUSR1


def t_arguments():
    code, out = run_once(["printf", "%s|", "a b", "", "*"], cwd="/usr")
    assert (code, out) == (0, "a b||*|"), out
    assert run_once(sh("pwd; echo $A; umask"), cwd="/usr")[1] == "/usr\n1\n0022\n"
    assert run_once(["env"])[1] == "PATH=/usr/bin:/bin\nA=1\n"


def t_descriptors():
    out = run_once(sh("ls -l /proc/self/fd"))[1]
    assert "socket" not in out, out
    names = sorted(line.split()[8] for line in out.splitlines()[1:])
    assert names == ["0", "1", "2", "3"], out      # 3 is ls' own directory


def t_clean_signals():
    out = run_once(["sed", "-n", "/^Sig[BIC]/p", "/proc/self/status"])[1]
    assert all(int(line.split()[1], 16) == 0 for line in out.splitlines()), out


def t_not_found():
    for argv, want, text in ((["no-such-program"], 127, "No such file or directory; filesystem_policy has to list it"),
                             (["/etc/passwd"], 126, "Permission denied"),
                             (["/usr"], 126, "Permission denied")):
        i = wire.Init()
        i.start(argv, env=ENV)
        assert text in i.error()
        assert ended(i.value("INIT_EXITED")) == want
        i.close()


def t_bad_directory():
    i = wire.Init()
    i.start(["true"], env=ENV, cwd="/nowhere")
    assert "'/nowhere': No such file or directory; filesystem_policy has to list it" in i.error()
    assert ended(i.value("INIT_EXITED")) == 125
    i.close()


def t_signals():
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL):
        i = wire.Init()
        i.start(["sleep", "60"], env=ENV)
        i.expect("INIT_STARTED")
        i.signal(sig)
        assert ended(i.value("INIT_EXITED")) == -sig or sig == signal.SIGQUIT
        i.close()


def t_signal_group():
    i = wire.Init()
    i.start(sh("sleep 60 | sleep 60; exit 3"), env=ENV)
    i.expect("INIT_STARTED")
    time.sleep(0.2)
    i.signal(signal.SIGTERM)
    assert ended(i.value("INIT_EXITED")) == -signal.SIGTERM
    i.close()


def t_stop_continue():
    i = wire.Init()
    i.start(["sleep", "0.3"], env=ENV)
    i.expect("INIT_STARTED")
    i.signal(signal.SIGTSTP)
    assert i.value("INIT_STOPPED") == signal.SIGTSTP
    i.signal(signal.SIGCONT)
    assert ended(i.value("INIT_EXITED")) == 0
    i.close()


def t_forbidden_signal():
    for sig in (signal.SIGSEGV, 0, -1, 64, 4096):
        i = wire.Init()
        i.start(["sleep", "60"], env=ENV)
        i.expect("INIT_STARTED")
        i.signal(sig)
        assert i.eof(), "signal %d was taken" % sig
        assert i.close() == 125


def t_orphans():
    # 300 orphans, more than one turn of the reaper; none may be left as a zombie.
    out = run_once(sh("for i in $(seq 300); do (true &) ; done; sleep 0.5; "
                      "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"))[1]
    assert out == "0\n", out


def t_ends_with_command():
    r, w = os.pipe()
    i = wire.Init()
    i.start(sh("setsid sleep 300 & trap '' TERM HUP; exit 5"), env=ENV, stdio={1: w})
    os.close(w)
    i.expect("INIT_STARTED")
    assert ended(i.value("INIT_EXITED")) == 5
    assert select.select([r], [], [], 120)[0] and os.read(r, 1) == b"", "a process lives on"
    os.close(r)
    i.close()


def t_ends_with_oshctl():
    r, w = os.pipe()
    i = wire.Init()
    i.start(sh("trap '' TERM HUP INT; setsid sleep 300 & sleep 300"), env=ENV, stdio={1: w})
    os.close(w)
    i.expect("INIT_STARTED")
    i.sock.close()
    assert select.select([r], [], [], 120)[0] and os.read(r, 1) == b"", "a process lives on"
    os.close(r)
    i.proc.wait(120)


def t_agent_cannot_reach_pid1():
    probe = r'''
import os, ctypes, signal, time
libc = ctypes.CDLL(None, use_errno=True)
for what in ("fd", "mem", "environ", "maps", "root", "cwd"):
    try:
        os.listdir("/proc/1/fd") if what == "fd" else \
            os.readlink("/proc/1/" + what) if what in ("root", "cwd") else open("/proc/1/" + what, "rb").read(1)
        print("OPEN", what)
    except OSError as e:
        pass
pidfd = os.pidfd_open(1)
if libc.syscall(438, pidfd, 3, 0) >= 0:
    print("OPEN pidfd_getfd")
if libc.ptrace(16, 1, 0, 0) == 0:
    print("OPEN ptrace")
print("done")
'''
    # root's CAP_SYS_PTRACE would open everything: init and agent run as nobody
    i = wire.Init(uid=65534)
    r, w = os.pipe()
    i.start(["/usr/bin/python3", "-c", probe], env=ENV, stdio={1: w, 2: w})
    os.close(w)
    i.expect("INIT_STARTED")
    assert ended(i.value("INIT_EXITED")) == 0
    out = os.read(r, 65536).decode()
    os.close(r)
    i.close()
    assert out == "done\n", out


def t_agent_signals_pid1():
    code, out = run_once(sh("for s in TERM KILL STOP INT HUP CHLD TTOU USR1 SEGV; do kill -$s 1; done; "
                            "sleep 0.1; echo alive"))
    assert (code, out) == (0, "alive\n"), (code, out)


def t_bad_specs():
    good = b"true\0PATH=/bin\0/\0"
    for kw, want in (({"data": b""}, "announced"),
                     ({"data": good[:-1]}, "cut off"),
                     ({"data": b"true\0PATH=/bin\0"}, "fewer"),
                     ({"data": good + b"x\0"}, "directory"),
                     ({"data": b"true\0PATH=/bin\0rel\0"}, "directory"),
                     ({"data": b"true\0PATH\0/\0"}, "NAME=value"),
                     ({"data": b"true\0=x\0/\0"}, "NAME=value"),
                     ({"data": good, "argc": 0}, "arguments"),
                     ({"data": good, "flags": wire.FDS | wire.BASE}, "no other flags"),
                     ({"data": good, "flags": wire.FDS | wire.INHERIT}, "environment"),
                     ({"data": good, "argc": 0xffffffff}, "arguments"),
                     ({"data": good, "argc": 262144, "envc": 262144}, "fewer"),
                     ({"data": good, "nbytes": 4096}, "announced"),
                     ({"data": good, "nbytes": 1 << 31}, "announced"),
                     ({"data": good, "flags": wire.FDS | 256}, "unknown flags"),
                     ({"data": good, "flags": wire.FD(1)}, "stdio"),
                     ({"data": good, "seal": False}, "sealed")):
        i = wire.Init()
        i.start(["true"], env=["PATH=/bin"], **kw)
        refused(i, want)


def t_bad_messages():
    for kind, payload in (("INIT_SIGNAL", b"\0" * 8), ("INIT_SPEC", b"\0" * 8), ("RECORD", b"")):
        i = wire.Init()
        wire.send(i.sock, kind, payload)
        refused(i, "not a command")
    i = wire.Init()
    head, blob = wire.spec(["true"])
    fd = wire.memfd(blob)
    wire.send(i.sock, "INIT_SPEC", head, [fd, fd])
    os.close(fd)
    refused(i, "descriptors")


def t_only_pid1():
    i = wire.Init(pidns=False)
    assert i.eof()
    assert i.close() == 125


def t_ends_with_its_manager():
    i = wire.Init()
    i.start(["sleep", "60"], env=ENV)
    i.expect("INIT_STARTED")
    i.manager.close()
    assert i.eof()
    assert i.close() == 125
    i = wire.Init()                     # before there is a command
    i.manager.close()
    assert i.eof()
    assert i.close() == 125


def pty_init(argv, flags=wire.TTY, **kw):
    i = wire.Init()
    i.start(argv, env=ENV + ["TERM=dumb"], flags=flags, **kw)
    master = i.expect("INIT_PTY")[2][0]
    i.expect("INIT_STARTED")
    return i, master


def read_all(master):
    out = b""
    while select.select([master], [], [], 120)[0]:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        out += more
    return out.decode()


def t_pty():
    i, m = pty_init(sh("stty size; tty; test -t 0 -a -t 1 -a -t 2 && echo all; echo x > /dev/tty; "
                       "ps -o pgid=,tpgid= -p $$"), size=(33, 101))
    out = read_all(m).split("\r\n")
    assert out[0] == "33 101" and out[1].startswith("/dev/pts/") and out[2:4] == ["all", "x"], out
    assert len(set(out[4].split())) == 1, out       # our group is the foreground
    assert ended(i.value("INIT_EXITED")) == 0
    os.close(m)
    i.close()


def read_line(fd):
    """A pty may hand out a line in pieces."""
    got = b""
    while not got.endswith(b"\n"):
        assert select.select([fd], [], [], 120)[0], got
        got += os.read(fd, 100)
    return got


def t_pty_resize_and_keys():
    # os.write: a handler may come in the middle of a print. No shell loop: dash starts programs by
    # vfork, and one stopped in between cannot be waited for.
    i, m = pty_init(["/usr/bin/python3", "-c", "import os, signal\n"
                     "signal.signal(signal.SIGWINCH, lambda *a: os.write(1, b'%d %d\\n' % tuple(os.get_terminal_size(1))[::-1]))\n"
                     "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
                     "os.write(1, b'up\\n')\nwhile 1: signal.pause()"])
    assert read_line(m) == b"up\r\n"
    fcntl.ioctl(m, termios.TIOCSWINSZ, struct.pack("4H", 5, 66, 0, 0))
    assert read_line(m) == b"5 66\r\n"
    os.write(m, b"\x1a")
    assert i.value("INIT_STOPPED") == signal.SIGTSTP
    i.signal(signal.SIGCONT)
    os.write(m, b"\x03")
    assert ended(i.value("INIT_EXITED")) == -signal.SIGINT
    os.close(m)
    i.close()


def t_pty_beside_pipe():
    r, w = os.pipe()
    i, m = pty_init(sh("test -t 0 && test -t 2 && ! test -t 1 && echo piped"),
                    flags=wire.TTY | wire.FD(1), stdio={1: w})
    os.close(w)
    assert os.read(r, 100) == b"piped\n"
    assert ended(i.value("INIT_EXITED")) == 0
    os.close(r)
    os.close(m)
    i.close()


def t_pty_behind():
    i, m = pty_init(sh("echo out; read x; echo got $x"), flags=wire.TTY | wire.BACK)
    assert i.value("INIT_STOPPED") == signal.SIGTTIN
    os.write(m, b"word\n")
    i.signal(signal.SIGCONT)
    out = read_all(m)
    assert "got word" in out, out
    assert ended(i.value("INIT_EXITED")) == 0
    os.close(m)
    i.close()


if os.geteuid():
    skip_all("needs root to make a pid namespace")
run(globals())
