# SPDX-License-Identifier: Apache-2.0
"""The client of test_http1.py: run inside a sandbox with `clear` or `tls` and the names of cases; prints
one JSON object a case. Everything is written by hand, so that nothing is repaired on the way.
"""
import hashlib
import json
import os
import re
import selectors
import socket
import ssl
import sys
import time

HOST = "raw.example"
HEAD = f"Host: {HOST}\r\n"
SECOND = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
BIG = int(open("big").read()) if os.path.exists("big") else 2 << 30
BLOCK = bytes(range(256)) * 4096
TLS = sys.argv[1:2] == ["tls"]
CONTEXT = ssl.create_default_context() if TLS else None


def unescape(s):
    out, i = b"", 0
    plain = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "H": HEAD.encode(), "E": b"\r\n", "G": SECOND.encode()}
    while i < len(s):
        if s[i] != "\\":
            out, i = out + s[i].encode("latin1"), i + 1
        elif s[i + 1] == "x":
            out, i = out + bytes([int(s[i + 2:i + 4], 16)]), i + 4
        elif s[i + 1] == "*":
            m = re.match(r"(\d+)\(([^)]*)\)", s[i + 2:])
            out, i = out + int(m[1]) * unescape(m[2]), i + 2 + m.end()
        else:
            out, i = out + plain[s[i + 1]], i + 2
    return out


def dial(timeout=20):
    s = socket.create_connection((HOST, 443 if TLS else 80), timeout)
    s.settimeout(timeout)
    if TLS:     # no option: that the sandbox's own root is trusted is part of what is tested
        s = CONTEXT.wrap_socket(s, server_hostname=HOST, suppress_ragged_eofs=False)
    return s


def rest(s):
    """All that comes; the flag says whether it ended in order."""
    got = b""
    try:
        while True:
            d = s.recv(1 << 16)
            if not d:
                return got, True
            got += d
    except socket.timeout:
        return got + b"<timeout>", False
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        return got, False


def send(s, data):
    try:
        s.sendall(data if isinstance(data, bytes) else data.encode())
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass


def answer(f, interim=False):
    """Status, fields and body of one answer from a buffered reader."""
    status, fields = int(f.readline().split()[1]), {}
    while status == 100 and interim:
        f.readline()
        status = int(f.readline().split()[1])
    while (line := f.readline().rstrip(b"\r\n")):
        k, v = line.decode("latin1").split(":", 1)
        fields[k.lower()] = v.strip()
    body = b""
    if "content-length" in fields:
        body = f.read(int(fields["content-length"]))
    elif "chunked" in fields.get("transfer-encoding", ""):
        while (n := int(f.readline(), 16)):
            body += f.read(n)
            f.readline()
        while (line := f.readline().rstrip(b"\r\n")):
            k, v = line.decode("latin1").split(":", 1)
            fields["trailer " + k.lower()] = v.strip()
    return status, fields, body


def digest(n):
    h = hashlib.sha256()
    while n:
        k = min(n, len(BLOCK))
        h.update(BLOCK[:k])
        n -= k
    return h.hexdigest()


def get(path, more=""):
    return f"GET {path} HTTP/1.1\r\n{HEAD}{more}\r\n"


def in_corpus():
    bad, n = [], 0
    for line in open("vectors.txt"):
        line = line.rstrip("\n")
        if not line or line[0] == "#":
            continue
        status, name, text = line.split(" ", 2)
        n += 1
        s = dial(10)
        send(s, unescape(text.replace("a.example", HOST)))
        got, ended = rest(s)
        s.close()
        if name == "tls-hello" and not TLS:         # the first bytes decide that this is TLS, which is refused
            good = b"HTTP/1.1 2" not in got and b"<timeout>" not in got
        else:
            good = got.startswith(f"HTTP/1.1 {status} ".encode()) and got.count(b"HTTP/1.1 ") == 1 and ended
        if not good:
            bad.append(f"{name}: {got[:200]!r} ended {ended}")
    return n >= 250 and not bad, [n] + bad[:20]


def in_pipeline():
    s = dial()
    send(s, "".join(get(f"/echo/{i}") for i in range(50)) + get("/echo/last", "Connection: close\r\n"))
    f = s.makefile("rb")
    got = [answer(f)[2].decode() for _ in range(51)]
    return got == [f"/echo/{i}" for i in range(50)] + ["/echo/last"] and f.read() == b"", got[:5]


def in_bytewise():
    s = dial()
    for b in get("/echo/slow"):
        send(s, b)
        time.sleep(0.002)
    return answer(s.makefile("rb"))[2] == b"/echo/slow", ""


def in_half_closed():
    s = dial()
    send(s, get("/echo/half"))
    s.shutdown(socket.SHUT_WR)
    got, ended = rest(s)
    return got.endswith(b"/echo/half") and ended, got


def in_sse():
    s = dial()
    send(s, get("/sse"))
    f = s.makefile("rb")
    while f.readline().strip():
        pass
    times = []
    for _ in range(4):
        n = int(f.readline(), 16)
        f.read(n + 2)
        times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:])]
    return all(0.1 < g < 0.6 for g in gaps), gaps


def in_trailers():
    s = dial()
    f = s.makefile("rb")
    send(s, f"POST /sink HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: te\r\n\r\n"
            "5\r\nhello\r\n0\r\nX-Check: up\r\n\r\n")
    a = answer(f)
    return a[0] == 200 and b"x-check=up" in a[2] and a[1].get("trailer x-check") == "down", a


def in_continue():
    s = dial()
    f = s.makefile("rb")
    send(s, f"PUT /sink HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    first = answer(f)[0]
    send(s, "hello")
    a = answer(f)
    send(s, f"PUT /early HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    b = answer(f)
    return (first, a[0], b[0], b[1].get("connection")) == (100, 200, 403, "close"), (first, a, b)


def in_early():
    """A body that nobody reads: its sender gets the answer all the same."""
    s = dial()
    send(s, f"POST /early HTTP/1.1\r\n{HEAD}Content-Length: 8000000\r\n\r\n")
    send(s, b"x" * 4000000)
    time.sleep(0.2)
    send(s, b"x" * 4000000)
    a = answer(s.makefile("rb"))
    return a[0] == 403 and a[1].get("connection") == "close", a


def in_old():
    s = dial()
    send(s, f"GET /chunked HTTP/1.0\r\n{HEAD}Connection: keep-alive\r\n\r\n")
    got, ended = rest(s)
    return b"transfer-encoding" not in got.lower() and got.endswith(b"\r\n\r\nhello") and ended, got


def in_cut():
    s = dial()
    send(s, get("/cut"))
    got, ended = rest(s)
    t = dial()
    send(t, get("/cut-chunked"))
    got2, ended2 = rest(t)
    return not ended and not ended2 and b"0\r\n\r\n" not in got2, (got, ended, got2, ended2)


def in_until_close():
    s = dial()
    send(s, get("/until-close"))
    f = s.makefile("rb")
    a = answer(f)
    send(s, get("/echo/after"))
    return a[2] == b"x" * 100000 and answer(f)[2] == b"/echo/after", a[1]


def in_desync():
    """An upstream that answers twice: its second answer is never anybody's."""
    out = []
    for path in ("/twice", "/head-body", "/no-content-body", "/interim-flood", "/unasked-101", "/cl-cl", "/cl-te", "/lf"):
        s = dial()
        f = s.makefile("rb")
        try:
            send(s, ("HEAD" if path == "/head-body" else "GET") + get(path)[3:])
            if path == "/head-body":
                status = int(f.readline().split()[1])
                while f.readline().strip():
                    pass
            else:
                status = answer(f, True)[0]
            time.sleep(0.05)
            send(s, get("/echo/next"))
            out.append((path, status, answer(f)[2].decode()))
        except (ValueError, IndexError, OSError) as e:
            out.append((path, repr(e)))
    want = {"/twice": 200, "/head-body": 200, "/no-content-body": 204}
    return all(o[1:] == (want.get(o[0], 502), "/echo/next") for o in out), out


def in_slow_reader():
    s = dial()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    send(s, get("/size/300000"))
    f = s.makefile("rb", 0)
    while b"\r\n\r\n" not in (head := s.recv(4000, socket.MSG_PEEK)):
        pass
    s.recv(head.index(b"\r\n\r\n") + 4)
    h, n = hashlib.sha256(), 0
    while n < 300000:
        d = f.read(32768)
        if not d:
            break
        h.update(d)
        n += len(d)
        time.sleep(0.002)
    return h.hexdigest() == digest(300000), n


def in_many():
    """500 connections at once, four requests on each."""
    sel, left, wrong = selectors.DefaultSelector(), 500, 0
    for i in range(left):
        s = dial(60)
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ, [i, 0, b""])
        send(s, get(f"/echo/{i}-0"))
    end = time.monotonic() + 120
    while left and time.monotonic() < end:
        for key, _ in sel.select(5):
            s, st = key.fileobj, key.data
            try:
                d = s.recv(65536)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                d = b""
            st[2] += d
            if d and not st[2].endswith(f"/echo/{st[0]}-{st[1]}".encode()):
                continue
            wrong += not d
            st[1], st[2] = st[1] + 1, b""
            if not d or st[1] == 4:
                sel.unregister(s)
                s.close()
                left -= 1
            else:
                send(s, get(f"/echo/{st[0]}-{st[1]}"))
    return not left and not wrong, (left, wrong)


def in_down():
    s = dial(60)
    send(s, get(f"/size/{BIG}"))
    f = s.makefile("rb")
    while f.readline().strip():
        pass
    n, buf, t = 0, bytearray(1 << 20), time.monotonic()
    while n < BIG and (k := f.readinto1(buf)):
        if buf[0] != n % 256 or buf[k - 1] != (n + k - 1) % 256:
            return False, n
        n += k
    return n == BIG, f"{n >> 20} MiB, {n / 1e6 / (time.monotonic() - t):.0f} MB/s"


def in_up():
    s = dial(60)
    t = time.monotonic()
    send(s, f"POST /sink HTTP/1.1\r\n{HEAD}Content-Length: {BIG}\r\n\r\n")
    n = 0
    while n < BIG:
        s.sendall(BLOCK[:min(len(BLOCK), BIG - n)])
        n += len(BLOCK)
    a = answer(s.makefile("rb"))
    return a[0] == 200 and a[2].startswith(b"%d " % BIG), f"{a[2][:40]}, {n / 1e6 / (time.monotonic() - t):.0f} MB/s"


def in_websocket():
    """What follows 101 is passed both ways as it is: here frames, whole and cut."""
    s = dial()
    send(s, get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
    f = s.makefile("rb")
    a = answer(f)
    frame = b"\x81\x85\x01\x02\x03\x04igohn"
    for part in (frame, frame[:3], frame[3:]):
        send(s, part)
        time.sleep(0.05)
    got = f.read(2 * len(frame))
    return a[0] == 101 and a[1].get("upgrade") == "websocket" and got == frame * 2, (a, got)


def in_idle():
    """Left open and silent, to be measured from outside."""
    conns = [dial() for _ in range(200)]
    for s in conns:
        send(s, get("/echo/idle"))
    for s in conns:
        answer(s.makefile("rb"))
    print("idle", flush=True)
    time.sleep(3)
    return True, ""


if __name__ == "__main__":
    for case in sys.argv[2:]:
        try:
            ok, detail = globals()["in_" + case]()
        except Exception as e:  # noqa: BLE001  one case must not hide the others
            ok, detail = False, repr(e)
        print(json.dumps({"name": case, "ok": bool(ok), "detail": str(detail)[:1500]}), flush=True)
