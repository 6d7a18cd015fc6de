#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions of a living sandbox through oshctl and a resident oshd: `sandbox exec` and `sandbox connect`."""
import atexit
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "e2e", "pty")]
import sdbus  # noqa: E402
import wire  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, proc, until  # noqa: E402
from tap import run, skip_all  # noqa: E402
from term import Term  # noqa: E402

LIMIT = 40
work = daemon = box = None


def words(verb, *args):
    return [OSHCTL, "sandbox", verb, "--socket", daemon.bus, *args]


def ex(*args, **kw):
    """`oshctl sandbox exec ARGS` on the sandbox `box`: put `--` before the command."""
    at = args.index("--")
    kw.setdefault("stdin", None if "input" in kw else subprocess.DEVNULL)
    return subprocess.run(words("exec", *args[:at], "box", *args[at:]), capture_output=True, timeout=LIMIT, **kw)


def popen(*cmd, **kw):
    return subprocess.Popen(words("exec", "box", "--", *cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, **kw)


def term(verb, *args, **kw):
    return Term(words(verb, *args), **kw)


def start_box(name="box", *cmd):
    p = subprocess.Popen(daemon.command(*(cmd or ("sleep", "1000")), options=("-n", name, "-e", "MARK=first")),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert until(lambda: subprocess.run(words("exec", name, "--", "true"), capture_output=True,
                                        stdin=subprocess.DEVNULL).returncode == 0, 20), "the sandbox does not start"
    return p


def inside(pattern):
    """How many processes in the sandbox have it among their arguments."""
    return int(ex("--", "pgrep", "-fc", pattern).stdout or 0)


# --- exec without a terminal --------------------------------------------------------------------------

def t_streams_and_status():
    r = ex("--", "sh", "-c", "cat; echo err >&2; exit 3", input=b"in\n")
    assert (r.returncode, r.stdout, r.stderr) == (3, b"in\n", b"err\n"), r


def t_status_of_signal():
    for sig in (signal.SIGTERM, signal.SIGKILL):
        assert ex("--", "sh", "-c", "kill -%d $$" % sig).returncode == 128 + sig


def t_what_cannot_run():
    r = ex("--", "no-such-program")
    assert r.returncode == 127 and b"no-such-program" in r.stderr, r
    r = ex("--", "/etc/passwd")
    assert r.returncode in (126, 127) and b"/etc/passwd" in r.stderr, r
    r = ex("-w", "/nowhere", "--", "true")
    assert r.returncode == 125 and b"/nowhere" in r.stderr, r


def t_environment_is_that_of_the_run():
    first = ex("--", "sh", "-c", "tr '\\0' '\\n' < /proc/$(pgrep -f 'sleep 1000' | head -n 1)/environ").stdout.split(b"\n")
    ours = ex("--", "env", env=dict(os.environ, SECRET="x")).stdout.split(b"\n")
    assert b"MARK=first" in first and sorted(first) == sorted(ours), (first, ours)
    r = ex("-e", "MARK=second", "-e", "FROM", "-e", "ABSENT", "--", "sh", "-c", "echo $MARK $FROM ${ABSENT-none}",
           env=dict(os.environ, FROM="caller"))
    assert r.stdout == b"second caller none\n", r


def t_directory():
    assert ex("--", "pwd").stdout.decode().strip() == work.work
    r = ex("-w", "/usr/bin", "--", "sh", "-c", "pwd; echo $PWD")
    assert r.stdout == b"/usr/bin\n/usr/bin\n", r
    assert ex("-w", "usr", "--", "true").returncode == 2


def t_in_the_same_sandbox():
    ex("--", "sh", "-c", "echo there > /tmp/note")
    assert ex("--", "cat", "/tmp/note").stdout == b"there\n"
    assert ex("--", "id", "-u").stdout != b"0\n"
    caps = ex("--", "sed", "-n", "s/^CapEff:\t//p;s/^Seccomp:\t//p;s/^NoNewPrivs:\t//p", "/proc/self/status").stdout.split()
    assert caps == [b"0" * 16, b"1", b"2"], caps


def t_timeout():
    start = time.monotonic()
    r = ex("--timeout", "300ms", "--", "sleep", "60")
    assert r.returncode == 124 and time.monotonic() - start < 20, r
    assert ex("--timeout", "60s", "--", "sh", "-c", "exit 5").returncode == 5
    r = ex("--timeout", "200ms", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    assert r.returncode == 124, r
    for bad in ("", "0", "-1s", "5x", "s", "1 s"):
        assert ex("--timeout", bad, "--", "true").returncode == 2, bad


def t_forwarded_signals():
    for s in ("TERM", "INT", "HUP", "USR1"):
        p = popen("sh", "-c", "trap 'echo got; exit 9' %s; echo up; while :; do sleep 0.05; done" % s, start_new_session=True)
        assert p.stdout.readline() == b"up\n"
        p.send_signal(getattr(signal, "SIG" + s))
        assert p.wait(LIMIT) == 9, s
        p.communicate()


def t_many_at_once():
    many = [popen("sh", "-c", "echo %d; exit %d" % (n, n)) for n in range(30)]
    for n, p in enumerate(many):
        out, err = p.communicate(timeout=LIMIT)
        assert (p.returncode, out) == (n, b"%d\n" % n), (n, p.returncode, out, err)


def t_no_more_than_the_limit():
    many = [popen("sh", "-c", "echo up; sleep 777") for _ in range(63)]    # and the one of the run
    for p in many:
        assert p.stdout.readline() == b"up\n"
    r = ex("--", "true")
    assert r.returncode == 125 and b"64 sessions already" in r.stderr, r
    for p in many:
        p.terminate()
    for p in many:
        p.communicate(timeout=LIMIT)
        assert p.returncode == 128 + signal.SIGTERM
    assert ex("--", "true").returncode == 0


def t_killed_client_hangs_up():
    note = os.path.join(work.work, "hup")
    p = popen("sh", "-c", "trap 'echo hup > hup; exit' HUP; echo up; while :; do sleep 0.05; done")
    assert p.stdout.readline() == b"up\n"
    p.kill()
    p.communicate()
    assert until(lambda: os.path.exists(note), 5), "no SIGHUP"
    p = popen("sh", "-c", "trap '' HUP TERM; echo up; sleep 778; sleep 778")
    assert p.stdout.readline() == b"up\n"
    p.kill()
    p.wait()
    assert inside("sleep 778") >= 1
    assert until(lambda: inside("sleep 778") == 0, 15), "who ignores SIGHUP is not killed"
    p.communicate()


def t_killed_client_of_a_terminal_hangs_up():
    t = term("exec", "box", "--", "sh", "-c", "trap '' HUP; echo up; sleep 779; sleep 779")
    t.expect("up")
    t.close()
    assert until(lambda: inside("sleep 779") == 0, 15)


# --- exec with a terminal ------------------------------------------------------------------------------

def t_terminal_of_its_own():
    t = term("exec", "-t", "box", "--", "sh", "-c", "stty size; tty; trap 'stty size; exit 6' WINCH; echo up; "
             "while :; do sleep 0.05; done", size=(31, 97))
    t.expect(r"31 97\r\n/dev/pts/\d+\r\nup")
    t.resize(12, 55)
    t.expect("12 55")
    assert t.wait() == 6 and t.cooked()
    t.close()


def t_no_terminal_where_it_is_not_wanted():
    t = term("exec", "-T", "box", "--", "sh", "-c", "for i in 0 1 2; do test -t $i && echo tty; done; echo none")
    t.expect("none")
    assert t.wait() == 0 and b"tty" not in t.out
    t.close()
    r = ex("-t", "--", "true")
    assert r.returncode == 125 and b"terminal" in r.stderr, r
    assert ex("-t", "-T", "--", "true").returncode == 2


def t_what_is_left_behind_holds_nobody_up():
    for left in ("sleep 780", "yes"):
        start = time.monotonic()
        t = term("exec", "box", "--", "sh", "-c", "(trap '' HUP; exec %s) & sleep 0.1; echo said; exit 3" % left)
        t.expect("said")
        t.expect("\r\n")
        end = time.monotonic()
        while t.status is None and time.monotonic() < end + LIMIT:
            if not t._read(0.02):
                pid, status = os.waitpid(t.pid, os.WNOHANG)
                if pid:
                    t.status = os.waitstatus_to_exitcode(status)
            t.out, t.seen = t.out[-100:], 0
        assert t.status == 3 and time.monotonic() - start < 25, (t.status, time.monotonic() - start)
        t.close()
        ex("--", "pkill", "-9", "-fx", left)


def jobs(command):
    """States of what runs this in sandboxes of ours: they are below our osh-init."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if proc(pid, "cmdline") == command and os.path.realpath(f"/proc/{pid}/cwd").startswith(work.dir):
            found += proc(pid, "stat").rsplit(")", 1)[-1].split()[:1]
    return sorted(found)


def t_keys_stop_jobs_in_two_terminals():
    both = [term("exec", "-e", "PS1=@@ ", "box", "--", "sh", "-i") for _ in range(2)]
    for t in both:
        t.expect("@@ ")
        t.line("sleep 50")
    assert until(lambda: jobs("sleep\0" + "50\0") == ["S", "S"]), jobs("sleep\0" + "50\0")
    for t in both:
        t.send("\x1a")
        t.expect("(Stopped|Suspended)?.*@@ ")
        t.line("jobs; echo =$((20+3))")
        t.expect("(Stopped|Suspended).*=23")
    both[0].line("fg")
    assert until(lambda: jobs("sleep\0" + "50\0") == ["S", "T"]), jobs("sleep\0" + "50\0")
    both[0].send("\x03")
    both[0].expect("@@ ")
    for n, t in enumerate(both):
        t.line("exit %d" % (4 + n))
        t.line("exit %d" % (4 + n))         # dash warns once of stopped jobs
        assert t.wait() == 4 + n
        t.close()


def t_stopped_and_continued_from_outside():
    t = Term(["bash", "--norc", "--noprofile", "-i"], env=dict(os.environ, TERM="xterm", PS1="@@ ", HISTFILE="/dev/null"))
    t.expect("@@ ")
    t.line(" ".join(words("exec", "box", "--", "sh", "-c", "'echo up; read x; echo got=$x; exit 7'")))
    t.expect("up\r\n")
    t.send("\x1a")
    t.expect("Stopped.*@@ ")
    t.line("fg")
    t.line("word")
    t.expect("got=word.*@@ ")
    t.line("echo st$?")
    t.expect("st7")
    t.line("exit")
    t.wait()
    t.close()


# --- connect --------------------------------------------------------------------------------------------

def leave(t, keys="\x10\x11"):
    t.send(keys)
    t.expect("Come back with: oshctl sandbox connect box")
    assert t.wait() == 0 and t.cooked()
    t.close()


def fresh():
    """No terminal is left of a test before."""
    ex("--", "pkill", "-9", "-t", "pts/0,pts/1,pts/2,pts/3")
    assert until(lambda: ex("--", "pgrep", "-t", "pts/0,pts/1,pts/2,pts/3").returncode, 10)


def end_terminal():
    t = term("connect", "--no-replay", "box")
    t.line("exit 5")
    assert t.wait() == 5, t.text()
    t.close()


def t_connect_detach_and_come_back():
    fresh()
    t = term("connect", "box", size=(33, 91))
    t.line("PS1=@; stty -echo; stty size; echo mark$((40+2)); mine=kept")
    t.expect("33 91.*mark42")
    leave(t)
    assert inside("-l") >= 0
    t = term("connect", "box", size=(22, 71))
    t.expect("mark42")                      # the replay
    t.line("stty size; echo $mine")
    t.expect("22 71\r\nkept")
    leave(t)
    t = term("connect", "--no-replay", "--detach-keys", "ctrl-a,d", "box")
    t.line("echo here$((1+1))")
    t.expect("here2")
    assert b"mark42" not in t.out
    t.send("\x10\x11\x01x\x03")             # none of these leave
    time.sleep(0.5)                         # the interrupt throws away what is typed too soon
    t.line("echo and$((1+1))")
    t.expect("and2")
    leave(t, "\x01d")
    end_terminal()


def t_command_of_the_terminal():
    fresh()
    t = term("connect", "box", "--", "sh", "-c", "echo one; read x; echo got=$x; exit 8")
    t.expect("one")
    second = term("connect", "box", "--", "sh", "-c", "echo two")
    second.expect("is not started.*one")
    second.line("word")
    for v in (t, second):
        v.expect("got=word")
        assert v.wait() == 8
        v.close()


def t_several_viewers():
    fresh()
    a = term("connect", "box", "--", "sh", "-c", "stty -echo; echo up; while read x; do echo got=$x; stty size; done",
             size=(30, 100))
    a.expect("up")
    b = term("connect", "box", size=(20, 60))
    w = term("connect", "--watch", "box", size=(10, 40))
    for v in (b, w):
        v.expect("up")
    a.line("from-a")
    for v in (a, b, w):
        v.expect(r"got=from-a\r\n30 100")   # who typed gives the size
    b.line("from-b")
    for v in (a, b, w):
        v.expect(r"got=from-b\r\n20 60")
    w.line("from-w")
    w.resize(11, 41)
    time.sleep(0.3)
    b.line("again")
    for v in (a, b, w):
        v.expect(r"got=again\r\n20 60")
        assert b"from-w" not in v.out
    b.resize(25, 65)
    time.sleep(0.2)
    b.line("resized")
    a.expect(r"got=resized\r\n25 65")
    leave(w)
    a.send("\x04")
    for v in (a, b):
        assert v.wait() == 0
        v.close()


def t_slow_viewer_blocks_nobody():
    fresh()
    out = os.path.join(work.work, "done")
    a = term("connect", "box", "--", "sh", "-c", "echo up; read x; seq 300000; echo end > done; echo the-end; read y")
    a.expect("up")
    slow = subprocess.Popen(words("connect", "box"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    os.read(slow.stdout.fileno(), 2)
    os.kill(slow.pid, signal.SIGSTOP)
    a.line("go")
    while b"the-end" not in a.out[-100:]:
        assert a._read(LIMIT)
    assert os.path.exists(out)
    got = re.findall(rb"\b(\d+)\r\n", a.out)
    assert len(got) == 300000 and b"not shown" not in a.out, (len(got), a.out[-300:])
    os.kill(slow.pid, signal.SIGCONT)
    a.line("")
    assert a.wait() == 0
    a.close()
    seen = slow.communicate(timeout=LIMIT)[0]
    assert slow.returncode == 0 and b"bytes of output are not shown" in seen and b"the-end" in seen, seen[-300:]


def t_driver_that_stops_reading_blocks_nobody():
    fresh()
    a = term("connect", "box", "--", "sh", "-c", "echo up; read x; seq 300000; echo end > done2; read y; exit 3")
    a.expect("up")
    b = term("connect", "--watch", "box")
    a.line("go")
    time.sleep(0.1)
    os.kill(a.pid, signal.SIGSTOP)
    b.expect("300000", timeout=LIMIT)
    assert until(lambda: os.path.exists(os.path.join(work.work, "done2")), LIMIT)
    os.kill(a.pid, signal.SIGCONT)
    leave(b)
    a.line("")
    assert a.wait() == 3
    a.close()


def t_output_of_a_quick_command():
    fresh()
    for _ in range(10):
        r = subprocess.run(words("connect", "box", "--", "sh", "-c", "echo quick; exit 9"), capture_output=True,
                           timeout=LIMIT, stdin=subprocess.DEVNULL)
        assert (r.returncode, r.stdout) == (9, b"quick\r\n"), r


def t_nothing_to_watch():
    fresh()
    r = subprocess.run(words("connect", "--watch", "box"), capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    assert r.returncode == 125 and b"no terminal" in r.stderr, r


# --- who may, and what dies -------------------------------------------------------------------------------

def as_other(*cmd):
    return subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *cmd],
                          capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)


def t_another_user_is_refused():
    for verb in ("exec", "connect"):
        r = as_other(*words(verb, "box", "--", "true"))
        assert r.returncode == 125 and b"no sandbox of yours is called 'box'" in r.stderr, r
    p = subprocess.Popen(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                          OSHCTL, "run", "--socket", daemon.bus, "-p", work.policy, "-n", "theirs", "-w", "/tmp",
                          "--", "sleep", "1000"], stdin=subprocess.DEVNULL)
    try:
        assert until(lambda: as_other(*words("exec", "theirs", "--", "true")).returncode == 0, 20), "not their own either"
        r = subprocess.run(words("exec", "theirs", "--", "id", "-u"), capture_output=True, timeout=LIMIT)
        assert r.stdout == b"65534\n", r     # root sees all
    finally:
        p.kill()
        p.wait()


def opened(flags=0, name="box", make=lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)):
    """Open by hand: (our end, error)."""
    ours, theirs = make()
    with sdbus.Peer(daemon.bus) as p:
        error = p.call("org.osh.Manager1", "Open", "shu", name, theirs.fileno(), flags)
    theirs.close()
    return ours, error


def asked(kind, payload):
    """What becomes of a first message: (name, payload, descriptors)."""
    ours, error = opened()
    assert error[0] is None, error
    wire.send(ours, kind, payload)
    got = wire.recv(ours)
    ours.close()
    return got


def t_what_a_caller_may_open():
    for flags in (wire.ENDS, wire.TIED, wire.ENDS | wire.TERMINAL, 8, 1 << 31):
        _, error = opened(flags)
        assert error[0] == "org.osh.Error.Invalid" and "flags" in error[1], (flags, error)
    for make in (lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
                 lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
                 lambda: (socket.socket(), socket.socket()),
                 lambda: tuple(open(os.devnull, "rb") for _ in range(2))):
        _, error = opened(make=make)
        assert error[0] == "org.osh.Error.Invalid" and "SOCK_SEQPACKET" in error[1], error
    _, error = opened(name="nobodys")
    assert error[0] == "org.osh.Error.NotFound", error
    assert ex("--", "true").returncode == 0


SERVER = """
import socket
s = socket.create_server(("127.0.0.1", 8765))
print("up", flush=True)
c = s.accept()[0]
c.sendall(b"from inside " + c.recv(100))
c.close()
"""


def t_a_port_inside():
    got = asked("INIT_DIAL", struct.pack("=Ii", 0, 8765))
    assert got[0] == "INIT_ERROR" and b"refused" in got[1], got     # not the host's loopback
    p = popen("/usr/bin/python3", "-c", SERVER)
    assert p.stdout.readline() == b"up\n", p.communicate()
    got = asked("INIT_DIAL", struct.pack("=Ii", 0, 8765))
    assert got[0] == "INIT_FD", got
    c = socket.socket(fileno=got[2][0])
    c.sendall(b"and out")
    assert c.recv(100) == b"from inside and out"
    c.close()
    p.communicate(timeout=LIMIT)


def t_a_hosts_port_is_not_the_sandboxs():
    with socket.create_server(("127.0.0.1", 0)) as s:
        got = asked("INIT_DIAL", struct.pack("=Ii", 0, s.getsockname()[1]))
        assert got[0] == "INIT_ERROR", got


def file_inside(path, flags=0):
    return asked("INIT_FILE", struct.pack("=II1024s", flags, 0o755, path.encode()))


def t_files_are_those_of_the_view():
    secret = work.write("secret", "x")
    os.symlink(secret, os.path.join(work.work, "way-out"))
    for path in (secret, os.path.join(work.work, "way-out"), "/root", "/etc/shadow", "/proc/1/root", work.work + "/../secret"):
        got = file_inside(path)
        assert got[0] == "INIT_ERROR", (path, got)
    got = file_inside("/usr/made", 1)
    assert got[0] == "INIT_ERROR", got      # read only
    got = file_inside(os.path.join(work.work, "made"), 1)
    assert got[0] == "INIT_FD", got
    st = os.stat(os.path.join(work.work, "made"))
    assert st.st_mode & 0o777 == 0o755 and st.st_uid == os.stat(work.work).st_uid, st
    os.close(got[2][0])
    ex("--", "sh", "-c", "echo inside > /tmp/own")
    got = file_inside("/tmp/own")
    assert got[0] == "INIT_FD", got
    assert open("/proc/self/fd/%d" % got[2][0]).read() == "inside\n"
    os.close(got[2][0])


PROBE = r'''
import ctypes, os, socket, stat
libc = ctypes.CDLL(None, use_errno=True)
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid == os.getpid():
        continue
    try:
        comm = open("/proc/%d/comm" % pid).read().strip()
        for fd in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            if target.startswith("socket:") or "ptmx" in target:
                print("OPEN", pid, comm, fd, target)
    except PermissionError:
        print("shut", pid)
    except (FileNotFoundError, ProcessLookupError):
        continue                # it has ended
    if os.path.exists("/proc/%d/exe" % pid) and os.access("/proc/%d/mem" % pid, os.R_OK):
        continue
    fd = os.pidfd_open(pid)
    for n in range(3, 12):
        if libc.syscall(438, fd, n, 0) >= 0:
            print("OPEN pidfd_getfd", pid, n)
    os.close(fd)
print("done")
'''


def t_agents_cannot_reach_sessions():
    fresh()
    t = term("connect", "box", "--", "sh", "-c", "echo up; read x")     # a terminal, its seat, this one's seat
    t.expect("up")
    e = term("exec", "box", "--", "/usr/bin/python3", "-c", PROBE)
    e.expect("done")
    out = e.text()
    assert "OPEN" not in out, out
    assert out.count("shut") >= 3, out      # pid 1 and both seats
    e.wait()
    e.close()
    t.line("")
    t.wait()
    t.close()


def t_oshd_killed_in_between():
    fresh()
    p = popen("sh", "-c", "echo up; sleep 1.5; echo late; exit 11")
    assert p.stdout.readline() == b"up\n"
    t = term("connect", "box", "--", "sh", "-c", "echo tty; read x; echo got=$x; exit 12")
    t.expect("tty")
    daemon.p.kill()
    daemon.p.wait()
    t.line("on")
    t.expect("got=on")
    assert t.wait() == 12
    t.close()
    assert ex("--", "true").returncode == 125      # nobody to ask
    daemon.start()
    assert p.wait(LIMIT) == 11 and p.communicate()[0] == b"late\n"
    r = ex("--", "echo", "again")
    assert r.stdout == b"again\n", (r, daemon.errors())


def sandbox(*args, **kw):
    return subprocess.run([OSHCTL, "sandbox", args[0], "--socket", daemon.bus, *args[1:]], capture_output=True,
                          timeout=LIMIT, stdin=subprocess.DEVNULL, **kw)


def t_created_sandboxes_have_sessions():
    r = sandbox("create", "-n", "idle", "-p", work.policy, "-w", work.work, "-e", "MARK=created")
    assert r.returncode == 0, r
    for again in (False, True):
        r = sandbox("exec", "idle", "--", "sh", "-c", "echo $MARK $HOME $PWD", env=dict(os.environ, MARK="caller"))
        assert r.stdout.decode() == "created /sandbox %s\n" % work.work, r
        if not again:
            assert sandbox("restart", "idle").returncode == 0
    p = subprocess.Popen(words("exec", "idle", "--", "sh", "-c", "trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done"),
                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == b"up\n"
    assert sandbox("stop", "idle").returncode == 0
    assert p.wait(LIMIT) == 4               # it had its time
    p.stdout.close()
    assert sandbox("exec", "idle", "--", "true").returncode == 125
    assert sandbox("delete", "idle").returncode == 0


def t_terminal_of_a_created_sandbox():
    r = sandbox("create", "-n", "main", "-p", work.policy, "-w", work.work, "--", "sh", "-c",
                "echo hello; read x; echo got=$x; exit 7")
    assert r.returncode == 0, r
    t = term("connect", "main")
    t.expect("hello")
    t.send("\x10\x11")
    t.expect("Come back")
    t.wait()
    t.close()
    t = term("connect", "main")
    t.expect("hello")
    t.line("word")
    t.expect("got=word")
    assert t.wait() == 7
    t.close()
    assert until(lambda: sandbox("delete", "main").returncode == 0, 10), "it does not end with its command"


def t_end_of_the_run_ends_sessions():
    other = start_box("second", "sh", "-c", "until test -e over; do sleep 0.05; done; exit 6")
    p = subprocess.Popen(words("exec", "second", "--", "sh", "-c", "echo up; sleep 1000"), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == b"up\n"
    open(os.path.join(work.work, "over"), "w").close()
    assert other.wait(LIMIT) == 6
    _, err = p.communicate(timeout=LIMIT)
    assert p.returncode == 128 + signal.SIGKILL and b"killed" in err, (p.returncode, err)
    r = subprocess.run(words("exec", "second", "--", "true"), capture_output=True, timeout=LIMIT)
    assert r.returncode == 125 and b"second" in r.stderr, r


def t_the_run_never_noticed():
    assert box.poll() is None
    box.terminate()
    assert box.wait(LIMIT) == 128 + signal.SIGTERM


def stop():
    if box and box.poll() is None:
        box.kill()
        box.wait()
    daemon.stop()
    work.__exit__()


if os.geteuid():
    skip_all("needs root")
work = Work(BASE_POLICY)
os.chmod(work.work, 0o777)
daemon = Daemon(work)
atexit.register(stop)
daemon.start()
box = start_box()
run(globals())
