#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for oshd, for tests of oshctl's terminal side alone: answers Run on a private socket and
starts osh-init in a pid namespace of its own, with no other confinement. `fake_oshd.py SOCKET [HOW]`;
HOW: `refuse` answers with an error, `hangup` closes, `summary` writes one with control bytes in it,
`die` leaves as soon as the sandbox runs."""
import os
import socket
import struct
import subprocess
import sys

import wire


def pad(b, n):
    return b + b"\0" * (-len(b) % n)


def string(text):
    return struct.pack("<I", len(text)) + text.encode() + b"\0"


def handshake(conn):
    seen = b""
    while b"BEGIN\r\n" not in seen:
        more = conn.recv(1)
        if not more:
            sys.exit(0)
        seen += more
    data = b"DATA\r\n" if b"DATA" in seen else b""
    conn.sendall(data + b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")


class Reader:
    """Values of a little-endian D-Bus body."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def align(self, n):
        self.at += -self.at % n

    def u32(self):
        self.align(4)
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def text(self):
        n = self.u32()
        self.at += n + 1
        return self.data[self.at - n - 1:self.at - 1].decode()

    def signature(self):
        n = self.data[self.at]
        self.at += n + 2
        return self.data[self.at - n - 1:self.at - 1].decode()


def receive(conn):
    """(serial, body, fds) of the one call."""
    data, fds = b"", []
    while True:
        more, got, _, _ = socket.recv_fds(conn, 65536, 24)
        if not more:
            sys.exit(0)
        data += more
        fds += got
        if len(data) >= 16:
            body, serial, fields = struct.unpack_from("<III", data, 4)
            start = 16 + fields + -fields % 8
            if len(data) >= start + body:
                return serial, data[start:start + body], fds


def parse_run(body, fds):
    r = Reader(body)
    call = {"name": r.text(), "bundle": fds[r.u32()], "control": fds[r.u32()], "workdir_fd": fds[r.u32()]}
    end = r.u32()
    r.align(8)
    end += r.at
    while r.at < end:
        r.align(8)
        key = r.text()
        call[key] = r.text() if r.signature() == "s" else fds[r.u32()]
    return call


def answer(conn, serial, kind, signature, body, error=None):
    fields = b"\x05\x01u\0" + struct.pack("<I", serial)
    if error:
        fields = pad(fields, 8) + b"\x04\x01s\0" + string(error)
    fields = pad(fields, 8) + b"\x08\x01g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
    conn.sendall(pad(struct.pack("<BBBBIII", ord("l"), kind, 1, 1, len(body), 1, len(fields)) + fields, 8)
                 + body)


def serve(conn, how):
    handshake(conn)
    serial, body, fds = receive(conn)
    call = parse_run(body, fds)
    if how == "hangup":
        return
    if how == "refuse":
        answer(conn, serial, 3, "s", string("no room \x1b[31mtoday"), "org.osh.Error.Failed")
        return

    manager, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wire.open_session(manager, call["control"], wire.ENDS | wire.TIED)

    def third():
        os.dup2(far.fileno(), 3)
        os.set_inheritable(3, True)
    init = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
                             os.path.join(wire.BUILD, "osh-init")], preexec_fn=third, stdin=subprocess.DEVNULL,
                            pass_fds=(3, manager.fileno()) if how == "die" else (3,))   # as osh-launch keeps it
    os.close(call["control"])
    far.close()
    answer(conn, serial, 2, "su", pad(string("fake"), 4) + struct.pack("<I", 1))
    if how == "die":
        os._exit(0)
    init.wait()
    if how == "summary":
        os.write(call["summary"], b"denied: evil.example \x1b]0;owned\x07 (3 times)\n")


def main():
    path, how = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    while True:
        conn = listener.accept()[0]
        if os.fork() == 0:
            listener.close()
            serve(conn, how)
            os._exit(0)
        conn.close()
        try:                            # reap what has ended; the loop is as long as the test
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


main()
