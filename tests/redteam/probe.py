#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes that no ordinary client sends; attacks run it outside and inside, as attempt.c.

    probe.py dns SERVER PORT NAME TYPE [edns=BYTES] [opcode=N] [count=N] [class=N] [tcp]
    probe.py tls WANT HOST PORT SNI BYTES...      # one connection, TLS, HTTP/1.1; \\r \\n \\0 \\xHH in BYTES
    probe.py tcp WANT HOST PORT BYTES...          # without TLS

`dns` prints `rcode=N answers=N` and works when there is an answer. The others print what comes back, and work
when it holds WANT. Each of BYTES is sent by itself, after what the one before brought."""
import codecs
import os
import socket
import ssl
import struct
import sys

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "NAPTR": 35, "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255, "CAA": 257, "PRIVATE": 65280}


def name_of(text):
    out = b""
    for label in text.rstrip(".").split("."):
        out += bytes([len(label)]) + label.encode("latin-1")
    return out + b"\0"


def question(name, kind, opts):
    n, extra = int(opts.get("count", 1)), b""
    if "edns" in opts:
        body = os.urandom(int(opts["edns"]))
        option = struct.pack(">HH", 65001, len(body)) + body
        extra = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option
    head = struct.pack(">HHHHHH", 0x6f73, 0x0100 | int(opts.get("opcode", 0)) << 11, n, 0, 0, bool(extra))
    return head + (name_of(name) + struct.pack(">HH", TYPES[kind], int(opts.get("class", 1)))) * n + extra


def dns(server, port, name, kind, *words):
    opts = dict(w.split("=") if "=" in w else (w, "1") for w in words)
    q = question(name, kind, opts)
    kind = socket.SOCK_STREAM if "tcp" in opts else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind) as s:
        s.settimeout(5)
        s.connect((server, int(port)))
        s.sendall(struct.pack(">H", len(q)) + q if "tcp" in opts else q)
        a = s.recv(4096)[2 if "tcp" in opts else 0:]
    answers = struct.unpack(">H", a[6:8])[0]
    print(f"rcode={a[3] & 15} answers={answers}")
    return answers > 0 or (a[3] & 15 == 0 and "opcode" in opts)


def talk(s, want, pieces):
    got = b""
    for p in pieces:
        s.sendall(codecs.decode(p, "unicode_escape").encode("latin-1"))
        s.settimeout(15)
        while True:         # what there is: until a pause, the end, or what was wanted
            try:
                d = s.recv(65536)
            except (TimeoutError, ssl.SSLError):
                break
            got += d
            if not d or want.encode() in got or p is not pieces[-1]:
                break
            s.settimeout(3)
    print(got.decode("latin-1"))
    return want.encode() in got


def tls(want, host, port, sni, *pieces):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_alpn_protocols(["http/1.1"])
    with socket.create_connection((host, int(port)), 10) as plain:
        with c.wrap_socket(plain, server_hostname=sni or None) as s:
            return talk(s, want, pieces)


def tcp(want, host, port, *pieces):
    with socket.create_connection((host, int(port)), 10) as s:
        return talk(s, want, pieces)


def main():
    try:
        worked = {"dns": dns, "tls": tls, "tcp": tcp}[sys.argv[1]](*sys.argv[2:])
    except OSError as e:
        print(f"error={e}")
        worked = False
    sys.exit(0 if worked else 1)


if __name__ == "__main__":
    main()
