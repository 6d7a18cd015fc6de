# SPDX-License-Identifier: Apache-2.0
"""osh's messages (include/osh/msg.h) and the pid 1 that speaks them, for tests that stand in for
oshctl or for oshd. Type numbers are counted from the header, so that a new row cannot shift them."""
import array
import fcntl
import os
import re
import select
import socket
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"))


def _types():
    text = open(os.path.join(ROOT, "include/osh/msg.h")).read()
    body = re.search(r"enum osh_msg_type \{(.*?)\n\};", text, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return {name: i for i, name in enumerate(re.findall(r"\bOSH_MSG_(\w+)", body))}


TYPES = _types()
TTY, FDS, BACK, MODES, INHERIT, BASE = 1, 14, 16, 32, 64, 128
ENDS, TIED, TERMINAL = 1, 2, 4


def FD(n):
    return 2 << n


def send(sock, kind, payload, fds=()):
    msg = struct.pack("=II", TYPES[kind], 8 + len(payload)) + payload
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([msg], anc)


def open_session(manager, fd, flags):
    send(manager, "INIT_OPEN", struct.pack("=II", flags, 0), [fd])


def recv(sock, timeout=120):
    """(name, payload, fds), or None when the peer closed. A timeout is an error."""
    if not select.select([sock], [], [], timeout)[0]:
        raise TimeoutError("no message")
    try:
        msg, fds, _, _ = socket.recv_fds(sock, 4096, 24)
    except ConnectionResetError:
        return None
    if not msg:
        return None
    kind = struct.unpack_from("=I", msg)[0]
    return next(k for k, v in TYPES.items() if v == kind), msg[8:], fds


def memfd(data, seal=True):
    fd = os.memfd_create("spec", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, data)
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0x2 | 0x4 | 0x8)
    return fd


def spec(argv, env=(), cwd="/", flags=FDS, size=(24, 80), data=None, argc=None, envc=None, nbytes=None):
    """Payload and memfd bytes of OSH_MSG_INIT_SPEC."""
    blob = data if data is not None else b"".join(
        os.fsencode(s) + b"\0" for s in list(argv) + list(env) + [cwd])
    head = struct.pack("=IIIII4H3I20s", len(argv) if argc is None else argc,
                       len(env) if envc is None else envc,
                       len(blob) if nbytes is None else nbytes, flags, 0o022,
                       size[0], size[1], 0, 0, 0, 0, 0, b"")
    return head, blob


class Init:
    """build/osh-init as pid 1 of a pid namespace made by unshare(1)."""

    def __init__(self, pidns=True, uid=0):
        self.manager, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        cmd = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] if pidns else []
        cmd += ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                "--no-new-privs"] if uid else []
        self.sock = self.open(ENDS | TIED)  # before it lives, as oshd does
        fd = other.fileno()

        def third():
            os.dup2(fd, 3)
            os.set_inheritable(3, True)
        # What it finds in its environment is for every command.
        self.proc = subprocess.Popen(cmd + ["env", "-i", os.path.join(BUILD, "osh-init")], preexec_fn=third,
                                     pass_fds=(3,), stdin=subprocess.DEVNULL, close_fds=True)
        other.close()

    def open(self, flags=0):
        """A new session; our end of its socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        open_session(self.manager, theirs.fileno(), flags)
        theirs.close()
        return ours

    def start(self, argv, stdio=None, seal=True, **kw):
        head, blob = spec(argv, **kw)
        fd = memfd(blob, seal)
        null = os.open("/dev/null", os.O_RDWR)
        flags = kw.get("flags", FDS)
        fds = [fd] + [(stdio or {}).get(n, null) for n in range(3) if flags & FD(n)]
        send(self.sock, "INIT_SPEC", head, fds)
        os.close(fd)
        os.close(null)

    def expect(self, kind):
        got = recv(self.sock)
        if got is None or got[0] != kind:
            raise AssertionError("expected %s, got %r" % (kind, got))
        return got

    def value(self, kind):
        return struct.unpack_from("=Ii", self.expect(kind)[1])[1]

    def error(self):
        body = self.expect("INIT_ERROR")[1]
        return body[8:].split(b"\0")[0].decode()

    def signal(self, sig):
        send(self.sock, "INIT_SIGNAL", struct.pack("=Ii", 0, sig))

    def eof(self):
        return recv(self.sock) is None

    def close(self):
        """Ends the session; the exit status of osh-init."""
        self.sock.close()
        try:
            return self.proc.wait(120)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            raise
        finally:
            self.manager.close()
