#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions of osh-init at the level of messages, as pid 1 of a plain pid namespace: what each kind does, that
malformed ones end that session alone, and that no client makes it wait."""
import fcntl
import os
import random
import select
import signal
import socket
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "pty"))
import wire  # noqa: E402
from tap import run, skip_all  # noqa: E402
from wire import FDS, INHERIT, TERMINAL, TTY  # noqa: E402

ENV = ["PATH=/usr/bin:/bin", "A=1", "B=2"]
SESSIONS = 64
REPLAY = 64 << 10


class Idle(wire.Init):
    """Its first session is an idle command, so that nothing ends it."""

    def __init__(self, main=("sleep", "1000")):
        super().__init__()
        self.start(list(main), env=ENV)
        self.expect("INIT_STARTED")

    def alive(self):
        assert self.proc.poll() is None
        s = Session(self)
        s.start(["true"])
        assert s.exit() == 0


def soon(what, seconds=60):
    """What must come true, and may be slow in that."""
    end = time.monotonic() + seconds
    while True:
        try:
            return what()
        except (AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class Session:
    def __init__(self, init, flags=0):
        self.sock = init.open(flags)

    def start(self, argv, stdio=None, env=(), cwd="", flags=FDS | INHERIT, **kw):
        head, blob = wire.spec(argv, env=env, cwd=cwd, flags=flags, **kw)
        fd = wire.memfd(blob)
        null = os.open("/dev/null", os.O_RDWR)
        wire.send(self.sock, "INIT_SPEC", head, [fd] + [(stdio or {}).get(n, null) for n in range(3) if flags & wire.FD(n)])
        os.close(fd)
        os.close(null)

    def output(self, argv, **kw):
        r, w = os.pipe()
        self.start(argv, stdio={1: w, 2: w}, **kw)
        os.close(w)
        code = self.exit()
        out = os.read(r, 65536).decode()
        os.close(r)
        return code, out

    def recv(self):
        return wire.recv(self.sock)

    def expect(self, kind):
        got = self.recv()
        assert got and got[0] == kind, "expected %s, got %r" % (kind, got)
        return got

    def exit(self):
        """Its exit status; what comes before is passed over."""
        while True:
            got = self.recv()
            assert got, "no exit status"
            if got[0] == "INIT_EXITED":
                return os.waitstatus_to_exitcode(struct.unpack_from("=Ii", got[1])[1])

    def error(self):
        body = self.expect("INIT_ERROR")[1]
        assert self.recv() is None
        return struct.unpack_from("=Ii", body)[1], body[8:].split(b"\0")[0].decode()

    def status(self, kind, value):
        wire.send(self.sock, kind, struct.pack("=Ii", 0, value))

    def attach(self, size=(24, 80), flags=0):
        wire.send(self.sock, "INIT_ATTACH", struct.pack("=4HI", *size, 0, 0, flags))

    def size(self, rows, cols):
        wire.send(self.sock, "INIT_SIZE", struct.pack("=4HI", rows, cols, 0, 0, 0))

    def file(self, path, flags=0, mode=0o755):
        wire.send(self.sock, "INIT_FILE", struct.pack("=II1024s", flags, mode, path.encode()))

    def view(self):
        return View(self.expect("INIT_PTY")[2][0])

    def close(self):
        self.sock.close()


class View:
    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)
        self.got = b""

    def until(self, text, timeout=20):
        end = time.monotonic() + timeout
        while text not in self.got:
            assert select.select([self.sock], [], [], max(0, end - time.monotonic()))[0], (text, self.got[-300:])
            more = self.sock.recv(65536)
            assert more, ("ended", text, self.got[-300:])
            self.got += more
        return self.got

    def rest(self):
        while True:
            more = self.sock.recv(65536)
            if not more:
                return self.got
            self.got += more

    def type(self, text):
        self.sock.sendall(text)

    def close(self):
        self.sock.close()


def sh(text):
    return ["sh", "-c", text]


def terminal(i, script):
    s = Session(i, TERMINAL)
    s.start(sh(script), flags=TTY | INHERIT, size=(30, 90))
    return s, s.view()


# --- commands ----------------------------------------------------------------------------------------------

def t_several_commands():
    i = Idle()
    many = [Session(i) for _ in range(20)]
    for n, s in enumerate(many):
        s.start(sh("exit %d" % n))
    assert [s.exit() for s in many] == list(range(20))
    assert all(s.recv() is None for s in many)
    i.close()


def t_environment_is_inherited():
    i = Idle()
    assert Session(i).output(["env"], env=["B=3", "C=4"]) == (0, "PATH=/usr/bin:/bin\nA=1\nB=3\nC=4\n")
    assert Session(i).output(["env"], flags=FDS, env=["PATH=/bin:/usr/bin"], cwd="/") == (0, "PATH=/bin:/usr/bin\n")
    assert Session(i).output(["env"])[1] == "PATH=/usr/bin:/bin\nA=1\nB=2\n", "the base has changed"
    assert Session(i).output(["pwd"], cwd="/usr")[1] == "/usr\n"
    assert Session(i).output(["pwd"])[1] == "/\n"
    i.close()


def t_a_base_without_a_command():
    i = wire.Init()
    other = Session(i)
    other.start(["env"])
    assert "no environment" in other.error()[1]
    b = Session(i)
    head, blob = wire.spec([], env=["PATH=/bin:/usr/bin", "X=y"], cwd="/usr", flags=wire.BASE)
    fd = wire.memfd(blob)
    wire.send(b.sock, "INIT_SPEC", head, [fd])
    assert b.exit() == 0 and b.recv() is None
    out = Session(i).output(sh("env; pwd"))[1]
    assert {"PATH=/bin:/usr/bin", "X=y", "/usr"} <= set(out.split()), out
    i.close()


def t_client_that_goes():
    i = Idle()
    for script, least, most in (("echo up; sleep 300", 0, 4),
                                ("(trap '' HUP; sleep 300; sleep 300) & echo up; wait", 0, 4),  # goes with the leader
                                ("trap '' HUP TERM; echo up; sleep 300; sleep 300", 4, 12)):
        r, w = os.pipe()
        s = Session(i)
        s.start(sh(script), stdio={1: w})
        os.close(w)
        assert os.read(r, 3) == b"up\n"
        start = time.monotonic()
        s.close()
        assert select.select([r], [], [], 20)[0] and os.read(r, 1) == b"", "it lives on"
        assert least <= time.monotonic() - start <= most, time.monotonic() - start
        os.close(r)
    i.alive()
    i.close()


def t_detached_command_goes_on():
    i = Idle()
    r, w = os.pipe()
    s, v = terminal(i, "trap '' HUP; sleep 0.5; echo done > /dev/fd/7")
    s.close()
    v.close()
    s = Session(i)
    s.attach()
    v = s.view()
    assert s.exit() is not None
    os.close(r)
    os.close(w)
    i.close()


def t_ends_flag():
    i = wire.Init()
    i.sock.close()                          # TIED: it ends with its client
    assert i.proc.wait(10) == 125
    i.manager.close()
    i = wire.Init()
    i.start(sh("exit 9"), env=ENV)
    assert i.proc.wait(10) == 9
    kind, body, _ = wire.recv(i.manager)
    assert kind == "INIT_MAIN" and struct.unpack_from("=Ii", body)[1] == 9 << 8
    i.manager.close()


def t_limit_of_sessions():
    i = Idle()
    many = [Session(i) for _ in range(SESSIONS - 1)]
    extra = Session(i)
    assert "64 sessions" in extra.error()[1]
    many.pop().close()
    soon(i.alive)
    i.close()


# --- stop -----------------------------------------------------------------------------------------------

def t_stop():
    r, w = os.pipe()
    i = wire.Init()
    i.start(sh("trap 'sleep 0.3; echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"), env=ENV, stdio={1: w})
    os.close(w)
    i.expect("INIT_STARTED")
    assert os.read(r, 3) == b"up\n"
    start = time.monotonic()
    wire.send(i.manager, "INIT_STOP", struct.pack("=Ii", 0, 10000))
    late = Session(i)
    assert "stopped" in late.error()[1]
    assert os.waitstatus_to_exitcode(i.value("INIT_EXITED")) == 3
    assert i.proc.wait(10) == 3 and time.monotonic() - start < 8
    assert os.read(r, 10) == b"bye\n"
    os.close(r)
    i.manager.close()


def t_stop_has_a_limit():
    r, w = os.pipe()
    i = wire.Init()
    i.start(sh("trap '' TERM HUP; echo up; while :; do sleep 0.05; done"), env=ENV, stdio={1: w})
    os.close(w)
    assert os.read(r, 3) == b"up\n"         # it has got to its trap
    os.close(r)
    start = time.monotonic()
    wire.send(i.manager, "INIT_STOP", struct.pack("=Ii", 0, 700))
    assert i.proc.wait(60) is not None
    took = time.monotonic() - start
    assert took > 0.6, took
    i.manager.close()


def t_stop_of_nobody():
    i = wire.Init()
    b = Session(i)
    head, blob = wire.spec([], env=ENV, cwd="/", flags=wire.BASE)
    wire.send(b.sock, "INIT_SPEC", head, [wire.memfd(blob)])
    assert b.exit() == 0
    start = time.monotonic()
    wire.send(i.manager, "INIT_STOP", struct.pack("=Ii", 0, 20000))
    assert i.proc.wait(10) == 0 and time.monotonic() - start < 8
    i.manager.close()


def t_stop_reaches_the_stopped():
    i = Idle(sh("kill -STOP $$; sleep 1000"))
    time.sleep(0.2)
    start = time.monotonic()
    wire.send(i.manager, "INIT_STOP", struct.pack("=Ii", 0, 20000))
    assert i.proc.wait(10) is not None and time.monotonic() - start < 8
    i.manager.close()


# --- the terminal ---------------------------------------------------------------------------------------

def t_terminal_with_views():
    i = Idle()
    s, v = terminal(i, "stty -echo; echo up; while read x; do echo got-$x; stty size; done; exit 6")
    v.until(b"up\r\n")
    s2 = Session(i)
    s2.attach((11, 44))
    v2 = s2.view()
    v2.until(b"up\r\n")
    v.type(b"one\n")
    v.until(b"got-one\r\n30 90\r\n")
    v2.until(b"got-one\r\n30 90\r\n")
    v2.type(b"two\n")
    v.until(b"got-two\r\n11 44\r\n")
    s2.size(12, 45)                         # not on the way that keys go: it may come after some

    def resized():
        v.got = b""
        v2.type(b"three\n")
        v.until(b"got-three\r\n")
        while not v.got.split(b"got-three\r\n")[1].endswith(b"\r\n"):
            v.got += v.sock.recv(4096)
        assert v.got.endswith(b"12 45\r\n"), v.got
    soon(resized)
    busy = Session(i, TERMINAL)
    busy.start(["true"], flags=TTY | INHERIT)
    assert busy.error()[0] == 16            # EBUSY
    v2.type(b"\x04")
    assert s.exit() == 6 and s2.exit() == 6
    v.rest()
    v2.rest()
    none = Session(i)
    none.attach()
    assert none.error()[0] == 2             # ENOENT
    i.close()


def t_replay():
    i = Idle()
    s, v = terminal(i, "stty -echo; seq 20000; echo end; read x; exit 2")
    v.until(b"end\r\n")
    a = Session(i)
    a.attach()
    got = a.view().until(b"end\r\n")
    assert REPLAY - 4096 < len(got) <= REPLAY and got.startswith(b"1") and got.split(b"\r\n")[0].isdigit(), len(got)
    lines = got.split(b"\r\n")
    assert [int(x) for x in lines[:-2]] == list(range(int(lines[0]), 20001)), "the replay has a hole"
    b = Session(i)
    b.attach(flags=2)
    v2 = b.view()
    assert not select.select([v2.sock], [], [], 0.3)[0], "a replay that nobody asked for"
    v.type(b"x\n")
    assert s.exit() == 2 and v2.rest() == b""
    i.close()


def t_watching():
    i = Idle()
    s, v = terminal(i, "stty -echo; echo up; while read x; do echo got-$x; stty size; done")
    v.until(b"up\r\n")
    w = Session(i)
    w.attach((9, 9), flags=1)
    wv = w.view()
    wv.until(b"up\r\n")
    wv.type(b"forbidden\n\x03\x04")
    w.size(8, 8)
    time.sleep(0.3)
    v.type(b"mine\n")
    wv.until(b"got-mine\r\n30 90\r\n")
    assert b"forbidden" not in wv.got
    i.close()


def t_watching_does_not_resize():
    i = Idle()
    s, v = terminal(i, "trap 'echo now $(stty size)' WINCH; echo up; while :; do sleep 0.05; done")
    v.until(b"up\r\n")
    w = Session(i)
    w.attach((9, 9), flags=1)
    wv = w.view()               # held: a view that is dropped ends its session
    wv.until(b"up\r\n")
    w.size(8, 8)
    time.sleep(0.4)
    wire.send(s.sock, "INIT_SIZE", struct.pack("=4HI", 31, 91, 0, 0, 0))
    v.until(b"now 31 91")
    assert b"now 9 9" not in v.got and b"now 8 8" not in v.got, v.got
    i.close()


def t_who_drives_is_waited_for():
    i = Idle()
    s, v = terminal(i, "stty -echo; echo up; read x; seq 100000; echo the-end; read x")
    v.until(b"up\r\n")
    v.type(b"go\n")
    while b"the-end" not in v.got:
        assert select.select([v.sock], [], [], 20)[0]
        v.got += v.sock.recv(2048)
        time.sleep(0.001)
    assert b"not shown" not in v.got and v.got.count(b"\n") == 100002, v.got.count(b"\n")
    i.close()


def t_views_that_do_not_read():
    i = Idle()
    s, v = terminal(i, "stty -echo; echo up; read x; seq 200000; echo the-end; read x; exit 4")
    v.until(b"up\r\n")
    idle = []
    for flags in (0, 1):
        a = Session(i)
        a.attach((30, 90), flags)
        idle.append((a, a.view()))
    v.type(b"go\n")
    v.until(b"the-end\r\n")
    assert b"not shown" not in v.got
    assert v.got.count(b"\n") == 200002, v.got.count(b"\n")
    v.type(b"\n")
    assert s.exit() == 4
    for a, view in idle:
        assert a.exit() == 4
        got = view.rest()
        assert b"bytes of output are not shown" in got and got.endswith(b"the-end\r\n"), got[-100:]
    i.alive()
    i.close()


def t_nobody_reads():
    i = Idle()
    r, w = os.pipe()
    s = Session(i, TERMINAL)
    start = time.monotonic()
    s.start(sh("seq 300000; exit 3"), flags=TTY | INHERIT)
    assert s.exit() == 3 and time.monotonic() - start < 15
    i.alive()
    os.close(r)
    os.close(w)
    i.close()


def t_last_words_of_a_terminal():
    i = Idle()
    for _ in range(20):
        s, v = terminal(i, "seq 9000; echo last; exit 5")
        assert s.exit() == 5
        got = v.rest()
        assert got.endswith(b"last\r\n") and got.count(b"\n") == 9001, (got[-50:], got.count(b"\n"))
    i.close()


def t_terminal_dies_with_its_seat():
    i = Idle()
    s, v = terminal(i, "echo up; exec sleep 1000")
    v.until(b"up\r\n")
    k = Session(i)
    k.start(sh("kill -9 $(ps -o ppid= -C sleep,1000 | sort -n | tail -n 1)"))
    k.exit()
    s.sock.settimeout(10)
    i.alive()
    i.close()


# --- ports and files --------------------------------------------------------------------------------------

def t_dial():
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        i = Idle()
        server = socket.socket(family)
        server.bind((address, 0))
        server.listen(4)
        s = Session(i)
        s.status("INIT_DIAL", server.getsockname()[1])
        c = socket.socket(fileno=s.expect("INIT_FD")[2][0])
        server.accept()[0].sendall(b"hello")
        assert c.recv(10) == b"hello" and s.recv() is None
        port = server.getsockname()[1]
        server.close()
        s = Session(i)
        s.status("INIT_DIAL", port)
        assert s.error()[0] == 111          # ECONNREFUSED
        i.close()


def t_dial_nonsense():
    i = Idle()
    for port in (0, -1, 65536, -2147483648):
        s = Session(i)
        s.status("INIT_DIAL", port)
        assert "not 1 to 65535" in s.error()[1]
    i.close()


def t_file():
    i = Idle()
    s = Session(i)
    s.file("/etc/passwd")
    fd = s.expect("INIT_FD")[2][0]
    assert os.readlink("/proc/self/fd/%d" % fd) == "/etc/passwd"
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH
    d = "/tmp/osh-init-%d" % os.getpid()
    for _ in range(2):
        s = Session(i)
        s.file(d, 1, 0o4751)
        fd = s.expect("INIT_FD")[2][0]
        assert os.fstat(fd).st_mode & 0o7777 == 0o751
    os.symlink("/etc", d + "/link")
    for path, flags, code in ((d + "/link/passwd", 0, 0), (d + "/link/passwd", 2, 40), (d + "/link", 2, 40), (d + "/link/", 1, 40),
                              (d + "/link/new", 1, 40), (d + "/new/new", 1, 2), (d + "/../" + d[5:], 2, 0), ("/", 2, 0)):
        s = Session(i)
        s.file(path, flags)
        assert s.expect("INIT_FD") if not code else s.error()[0] == code, (path, flags)
    assert os.listdir(d) == ["link"] and not os.path.exists("/etc/new")
    os.unlink(d + "/link")
    os.rmdir(d)
    for path, flags, code in (("/nowhere/x", 0, 2), ("/nowhere/x", 1, 2), ("etc", 0, 22), ("", 0, 22), ("/etc/passwd", 1, 20),
                              ("/" + "x" * 1023, 0, 22), ("/etc", 4, 22),
                              ("/" + "x" * 300, 2, 36)):
        s = Session(i)
        s.file(path, flags)
        got = s.error()
        assert got[0] == code, (path[:20], flags, got)
    i.close()


def t_errands_that_hang_are_ended_with_their_client():
    i = Idle()
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    full = [socket.socket() for _ in range(4)]
    for c in full:                          # a backlog that takes no more
        c.setblocking(False)
        c.connect_ex(server.getsockname())
    time.sleep(0.1)
    many = [Session(i) for _ in range(20)]
    for s in many:
        s.status("INIT_DIAL", server.getsockname()[1])
    i.alive()
    for s in many:
        s.close()

    def alone():
        code, out = Session(i).output(sh("ps -e -o comm= | grep -c osh-init"))
        assert int(out) == 1, out
    soon(alone)
    i.close()


# --- what must not be said ----------------------------------------------------------------------------------

def started(i):
    s = Session(i)
    s.start(["sleep", "1000"])
    s.expect("INIT_STARTED")
    return s


def viewing(i):
    s = Session(i)
    s.attach()
    s.expect("INIT_PTY")
    return s


def t_malformed_messages_end_that_session_alone():
    i = Idle()
    term, v = terminal(i, "while read x; do echo $x; done")
    rnd = random.Random(1)
    for _ in range(400):
        s = rnd.choice((lambda: Session(i), lambda: started(i), lambda: viewing(i)))()
        kind = rnd.choice(sorted(wire.TYPES.values()) + [999, 0xffffffff])
        size = rnd.choice((0, 4, 8, 12, 20, 68, 248, 1032, 4088, rnd.randrange(4088)))
        body = bytes(rnd.choice((0, 0xff, rnd.randrange(256))) for _ in range(size))
        said = len(body) + 8 if rnd.random() < 0.8 else rnd.randrange(1 << 32)
        fds = [0] * rnd.choice((0, 0, 1, 4, 20))
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("%di" % len(fds), *fds))] if fds else []
        s.sock.sendmsg([struct.pack("=II", kind, said) + body], anc)
        s.close()
    v.type(b"still\n")
    v.until(b"still")
    i.alive()
    i.close()


def t_a_first_message_of_each_kind_that_is_wrong():
    i = Idle()
    good = {"INIT_SPEC": 68, "INIT_ATTACH": 12, "INIT_DIAL": 8, "INIT_FILE": 1032}
    for name, size in good.items():
        for n in (0, size - 4, size + 4):
            s = Session(i)
            wire.send(s.sock, name, b"\0" * n)
            assert "not a command" in s.error()[1], (name, n)
        if name != "INIT_SPEC":
            s = Session(i)
            wire.send(s.sock, name, b"\0" * size, [0])
            assert "not a command" in s.error()[1], name
    for name in ("INIT_SIGNAL", "INIT_SIZE", "INIT_OPEN", "INIT_STOP", "INIT_MAIN", "LAUNCH", "NONE"):
        s = Session(i)
        wire.send(s.sock, name, b"\0" * 8)
        assert "not a command" in s.error()[1], name
    s = Session(i)
    s.attach(flags=4)
    assert "unknown flags" in s.error()[1]
    i.alive()
    i.close()


def t_a_session_cannot_manage():
    i = Idle()
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s = started(i)
    wire.open_session(s.sock, b.fileno(), wire.ENDS | wire.TIED)
    assert s.recv() is None
    s = started(i)
    wire.send(s.sock, "INIT_STOP", struct.pack("=Ii", 0, 0))
    assert s.recv() is None
    i.alive()
    i.close()


def t_what_the_manager_must_not_say_ends_the_sandbox():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for kind, body, fds in (("INIT_OPEN", struct.pack("=II", 8, 0), [b.fileno()]),
                            ("INIT_OPEN", struct.pack("=II", 0, 0), []), ("INIT_STOP", struct.pack("=Ii", 0, -1), []),
                            ("INIT_STOP", b"", []), ("INIT_SPEC", b"\0" * 68, []), ("LAUNCH", b"\0" * 8, [])):
        i = Idle()
        wire.send(i.manager, kind, body, fds)
        assert i.proc.wait(10) == 125, kind
        i.manager.close()


def t_a_client_that_does_not_read():
    """Each stop is a message: a full socket is its client's end, and so the command's."""
    i = Idle()
    s = Session(i)
    s.start(["/usr/bin/python3", "-c", "import os\nwhile 1: os.kill(os.getpid(), 19)"])
    pid = struct.unpack_from("=Ii", s.expect("INIT_STARTED")[1])[1]
    k = Session(i)
    k.start(["/usr/bin/python3", "-c", "import os, time\nwhile 1: os.kill(%d, 18); time.sleep(0.0005)" % pid])
    k.expect("INIT_STARTED")
    assert os.waitstatus_to_exitcode(struct.unpack_from("=Ii", k.expect("INIT_EXITED")[1])[1]) == 1     # nobody to continue
    n = 0
    while s.recv():
        n += 1
    assert n > 50, n
    i.alive()
    i.close()


def t_sessions_do_not_leak_into_commands():
    i = Idle()
    keep = [started(i), viewing_of(i)]
    for flags in (FDS | INHERIT, FDS | INHERIT | TTY):
        code, out = Session(i).output(sh("for f in /proc/self/fd/*; do readlink $f; done"), flags=flags)
        assert "socket" not in out and "ptmx" not in out and "signalfd" not in out, out
    assert keep
    i.close()


def viewing_of(i):
    terminal(i, "sleep 1000")
    return viewing(i)


def t_window_size_of_a_pty_session():
    i = Idle()
    s = Session(i)
    s.start(sh("stty size; exit 1"), flags=TTY | INHERIT, size=(5, 7))
    m = s.expect("INIT_PTY")[2][0]
    assert struct.unpack("4H", fcntl.ioctl(m, termios.TIOCGWINSZ, b"\0" * 8))[:2] == (5, 7)
    assert s.exit() == 1
    os.close(m)
    i.close()


def t_jobs_of_two_terminals():
    """Keys stop the one and not the other, and each comes back with its own SIGCONT."""
    i = Idle()
    both = []
    for _ in range(2):
        s = Session(i)
        s.start(["sleep", "0.8"], flags=TTY | INHERIT)
        both.append((s, s.expect("INIT_PTY")[2][0]))
        s.expect("INIT_STARTED")
    os.write(both[0][1], b"\x1a")
    got = both[0][0].expect("INIT_STOPPED")
    assert struct.unpack_from("=Ii", got[1])[1] == signal.SIGTSTP
    assert both[1][0].exit() == 0
    both[0][0].status("INIT_SIGNAL", signal.SIGCONT)
    assert both[0][0].exit() == 0
    i.close()


if os.geteuid():
    skip_all("needs root to make a pid namespace")
run(globals())
