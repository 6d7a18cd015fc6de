# SPDX-License-Identifier: Apache-2.0
"""Runs in the sandbox: HTTP by hand over sockets, so that a test says exactly what bytes are sent.
Reads steps as JSON from the file named first, prints one JSON line a step."""
import hashlib
import json
import socket
import ssl
import sys
import time


def connect(host, port=443, tls=True, sni=None, alpn=("http/1.1",), ca=None):
    s = socket.create_connection((host, port), timeout=40)
    if not tls:
        return s
    c = ssl.create_default_context(cafile=ca)
    c.check_hostname = sni is None
    if alpn:
        c.set_alpn_protocols(list(alpn))
    return c.wrap_socket(s, server_hostname=sni or host)


class Answers:
    """Reads answers one after another off a connection."""

    def __init__(self, s):
        self.s, self.buf = s, b""

    def more(self):
        d = self.s.recv(65536)
        self.buf += d
        return d

    def until(self, mark):
        while mark not in self.buf:
            if not self.more():
                raise EOFError(repr(self.buf[:200]))
        head, self.buf = self.buf.split(mark, 1)
        return head

    def exactly(self, n, h=None):
        out = b""
        while n:
            if not self.buf and not self.more():
                raise EOFError("body")
            d, self.buf = self.buf[:n], self.buf[n:]
            n -= len(d)
            if h:
                h.update(d)
            else:
                out += d
        return out

    def one(self, head_only=False, hashed=False):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        f = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
        r = {"status": int(lines[0].split()[1]), "fields": f}
        h = hashlib.sha256() if hashed else None
        if head_only or r["status"] in (204, 304) or r["status"] < 200:
            body = b""
        elif f.get("transfer-encoding") == "chunked":
            body = b""
            while n := int(self.until(b"\r\n"), 16):
                body += self.exactly(n, h)
                self.until(b"\r\n")
            r["trailers"] = self.until(b"\r\n").decode("latin-1")
        elif "content-length" in f:
            body = self.exactly(int(f["content-length"]), h)
        else:
            body = b""
            while d := self.more():
                pass
            body, self.buf = self.buf, b""
        r["body"] = h.hexdigest() if h else body.decode("latin-1")
        return r


def requests(step):
    """One connection; each of step["send"] is text to send, then step["answers"] answers are read."""
    s = connect(**step.get("to", {}))
    a, out = Answers(s), []
    for text in step["send"]:
        s.sendall(text.encode("latin-1"))
        if step.get("pause"):
            time.sleep(step["pause"])
    for kind in step["answers"]:
        out.append(a.one(head_only=kind == "head", hashed=kind == "hash"))
    if step.get("eof"):
        s.settimeout(step["eof"])
        try:
            out.append({"eof": a.buf == b"" and s.recv(1) == b""})
        except OSError as e:
            out.append({"eof": isinstance(e, ConnectionError), "error": repr(e)})
    return out


def upload(step):
    s = connect(**step["to"])
    n, block, h = step["n"], bytes(range(256)) * 256, hashlib.sha256()
    s.sendall(f"POST {step['path']} HTTP/1.1\r\nHost: {step['to']['host']}\r\nContent-Length: {n}\r\n\r\n".encode())
    for _ in range(n // len(block)):
        s.sendall(block)
        h.update(block)
    return [Answers(s).one(), h.hexdigest()]


def half(step):
    """All is said and the sending direction closed before the answer is read."""
    s = connect(**step["to"])
    s.sendall(step["send"].encode())
    if isinstance(s, ssl.SSLSocket):
        return ["a TLS socket of python cannot half-close"]
    s.shutdown(socket.SHUT_WR)
    return [Answers(s).one(), s.recv(1) == b""]


def slow(step):
    """Asks for much, and reads nothing of it for a while."""
    s = connect(**step["to"])
    s.sendall(step["send"].encode())
    time.sleep(step["hold"])
    a = Answers(s)
    return [a.one(hashed=True)]


def drip(step):
    """A request in many small pieces."""
    s = connect(**step["to"])
    for c in step["send"].encode():
        s.sendall(bytes([c]))
        time.sleep(0.005)
    return [Answers(s).one()]


def times(step):
    """When each event of a stream came."""
    s = connect(**step["to"])
    s.sendall(step["send"].encode())
    a, out, start = Answers(s), [], time.monotonic()
    a.until(b"\r\n\r\n")
    for _ in range(step["n"]):
        a.until(b"\n\n")
        out.append(time.monotonic() - start)
    return out


def many(step):
    """Connections that stay open for a while, each with one request done."""
    socks, good = [], 0
    for _ in range(step["n"]):
        s = connect(**step["to"])
        s.sendall(step["send"].encode())
        socks.append(s)
        if step.get("each"):        # answered before the next is opened
            good += Answers(s).one()["status"] == 200
    if not step.get("each"):
        good = sum(Answers(s).one()["status"] == 200 for s in socks)
    time.sleep(step["hold"])
    return [good]


def silent(step):
    s = connect(**step["to"])
    start = time.monotonic()
    try:
        got = s.recv(1).decode("latin-1")
    except OSError as e:
        got = type(e).__name__
    return [got, time.monotonic() - start]


KINDS = {f.__name__: f for f in (requests, upload, half, slow, drip, times, many, silent)}

if __name__ == "__main__":
    for step in json.load(open(sys.argv[1])):
        try:
            print(json.dumps(KINDS[step.pop("do", "requests")](step)), flush=True)
        except Exception as e:      # the test decides what an error means
            print(json.dumps({"error": f"{type(e).__name__}: {e}"}), flush=True)
