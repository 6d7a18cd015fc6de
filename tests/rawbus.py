# SPDX-License-Identifier: Apache-2.0
"""The bus by hand, for what no library would send: any size, any descriptors, and nobody reads the answers."""
import array
import os
import socket
import struct

PATH, INTERFACE = "/org/osh/Manager1", "org.osh.Manager1"


def pad(b, to):
    return b + b"\0" * (-len(b) % to)


def text(s):
    return struct.pack("<I", len(s)) + s.encode() + b"\0"


def field(code, kind, value):
    body = bytes([len(value)]) + value.encode() + b"\0" if kind == "g" else struct.pack("<I", value) if kind == "u" else text(value)
    return bytes([code, 1]) + kind.encode() + b"\0" + body


def message(member, signature="", body=b"", n_fds=0, serial=1, flags=0, interface=INTERFACE):
    """A method call. body: arguments as they are on the wire."""
    fields = b""
    for f in [field(1, "o", PATH), field(2, "s", interface), field(3, "s", member)] + \
            ([field(8, "g", signature)] if signature else []) + ([field(9, "u", n_fds)] if n_fds else []):
        fields = pad(fields, 8) + f
    return pad(struct.pack("<BBBBIII", ord("l"), 1, flags, 1, len(body), serial, len(fields)) + fields, 8) + body


LIST = ("a{ss}", struct.pack("<I", 0) + b"\0" * 4)     # no labels: an array of eight-byte pairs, none of them


class Raw:
    """A connection past its handshake."""

    def __init__(self, path, timeout=60):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        self.s.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        self.serial = 0
        got = b""
        while got.count(b"\n") < 3:
            some = self.s.recv(4096)
            if not some:
                raise ConnectionError("no handshake")
            got += some

    def send(self, member, signature="", body=b"", fds=(), says=None, flags=0):
        """says: how many descriptors the head speaks of, if not as many as there are."""
        self.serial += 1
        m = message(member, signature, body, len(fds) if says is None else says, self.serial, flags)
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        n = self.s.sendmsg([m], anc)
        self.s.sendall(m[n:])
        return self.serial

    def get(self, n):
        b = b""
        while len(b) < n:
            some = self.s.recv(n - len(b))
            if not some:
                raise ConnectionError("closed")
            b += some
        return b

    def answer(self):
        """(kind, serial that it answers, everything as bytes): kind 2 = an answer, 3 = an error."""
        head = self.get(16)
        body, _, fields = struct.unpack_from("<III", head, 4)
        rest = self.get(fields + -fields % 8 + body)
        at = rest.find(b"\x05\x01u\0")
        return head[1], struct.unpack_from("<I", rest, at + 4)[0], rest

    def call(self, *a, **k):
        serial = self.send(*a, **k)
        kind, of, rest = self.answer()
        assert of == serial, (of, serial)
        return kind, rest

    def close(self):
        self.s.close()


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
