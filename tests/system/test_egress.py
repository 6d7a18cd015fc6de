#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-egress in its real cage: judging, resolving, guarding addresses, relaying, and ending.

Two network namespaces, as in life: the listener is in the sandbox's, the egress dials from another.
SO_MARK is set by the client itself, since no connect hook is attached here.
"""
import atexit
import ctypes
import hashlib
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, cgroup2  # noqa: E402

PORT = 443
GOOD = "11.22.33.44"        # any address that is not special; it exists only in our namespace
MARK = 0x80000000 | 3 << 17
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
t = Tap()


def netns(fd=None):
    r = libc.unshare(CLONE_NEWNET) if fd is None else libc.setns(fd, CLONE_NEWNET)
    if r:
        raise OSError(ctypes.get_errno(), "network namespace")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def sh(line):
    subprocess.run(line, shell=True, check=True)


inner = outer = -1


def in_sandbox(fn):
    os.close(netns(inner))
    try:
        return fn()
    finally:
        os.close(netns(outer))


# ---- the upstream world


def serve(addr, port, fn):
    s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen(1024)

    def one(c):
        try:
            fn(c)
        except OSError:
            pass
        c.close()

    def loop():
        while True:
            c, _ = s.accept()
            threading.Thread(target=one, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def echo(c):
    while True:
        d = c.recv(65536)
        if not d:
            return
        c.sendall(d)


def eof(c):
    """Until the peer's end; gives the digest."""
    h, buf = hashlib.sha256(), bytearray(1 << 20)
    view, n = memoryview(buf), 0
    while True:
        k = c.recv_into(buf)
        if not k:
            return h.hexdigest(), n
        h.update(view[:k])
        n += k


BLOCK = os.urandom(1 << 20)


def pour(c, n):
    h = hashlib.sha256()
    for _ in range(n):
        c.sendall(BLOCK)
        h.update(BLOCK)
    return h.hexdigest()


seen = {}


def upstream(c):
    """First line says what to do."""
    f = b""
    while not f.endswith(b"\n"):
        d = c.recv(1)
        if not d:
            return
        f += d
    verb, *args = f.decode().split()
    if verb == "echo":
        echo(c)
    elif verb == "digest":              # client half-closes, we answer afterwards
        c.sendall(("%s %d" % eof(c)).encode())
    elif verb == "pour":                # we half-close first, the client answers afterwards
        want = pour(c, int(args[0]))
        c.shutdown(socket.SHUT_WR)
        seen["pour"] = (want, c.recv(100))
    elif verb == "reset":
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif verb == "wait-reset":
        c.sendall(b"ready")
        try:
            seen["reset"] = c.recv(10)
        except ConnectionResetError:
            seen["reset"] = "reset"
    elif verb == "slow":
        c.sendall(b"ready")
        seen["go"].wait(30)
        c.sendall(("%s %d" % eof(c)).encode())


ANSWERS = {
    "b.test": ([GOOD], []),
    "many.test": (["10.1.2.3"], []),
    "pin.test": ([GOOD], []),
    "priv.test": (["10.9.0.1"], []),
    "w30.wild.test": (["169.254.169.254"], []),
    "w31.wild.test": None,                              # NXDOMAIN
    "w32.wild.test": "silence",
    "w33.wild.test": ([GOOD], "silence"),
    "w34.wild.test": (["11.22.33.99"], []),             # no route
    "w35.wild.test": (["11.22.33.99", GOOD], []),
    "w36.wild.test": ([], ["64:ff9b::7f00:1", "::ffff:169.254.169.254", "2002:7f00:1::1"]),
    "w37.wild.test": "truncated",
    "w38.wild.test": (["127.0.0.1", GOOD], ["::1"]),
    "w39.wild.test": ([], ["2600::1"]),
    "w40.wild.test": (["0.0.0.0"], ["fe80::1"]),
}
asked = []


def answer(q, tcp=False):
    name, i = [], 12
    while q[i]:
        name.append(q[i + 1:i + 1 + q[i]].decode())
        i += q[i] + 1
    name, qtype = ".".join(name), struct.unpack(">H", q[i + 1:i + 3])[0]
    if not tcp:
        asked.append((name, qtype))
    a = ANSWERS.get(name)
    if a == "silence" or (isinstance(a, tuple) and a[1] == "silence" and qtype == 28):
        return None
    if a == "truncated":
        a = ([GOOD], []) if tcp else "tc"
    rrs = b""
    rcode, tc = 0, 0
    n = 0
    if a is None:
        rcode = 3
    elif a == "tc":
        tc = 0x0200
    else:
        for x in a[0] if qtype == 1 else a[1]:
            raw = socket.inet_pton(socket.AF_INET if qtype == 1 else socket.AF_INET6, x)
            rrs += b"\xc0\x0c" + struct.pack(">HHIH", qtype, 1, 60, len(raw)) + raw
            n += 1
    return q[:2] + struct.pack(">HHHHH", 0x8180 | tc | rcode, 1, n, 0, 0) + q[12:i + 5] + rrs


def dns():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 53))

    def loop():
        while True:
            q, peer = u.recvfrom(2000)
            a = answer(q)
            if a:
                u.sendto(a, peer)
    threading.Thread(target=loop, daemon=True).start()

    def one(c):
        n = struct.unpack(">H", c.recv(2, socket.MSG_WAITALL))[0]
        a = answer(c.recv(n, socket.MSG_WAITALL), True)
        c.sendall(struct.pack(">H", len(a)) + a)
        c.recv(1)
    serve("127.0.0.1", 53, one)


# ---- the sandbox's side


class Rig:
    def __init__(self, hosts, resolv="nameserver 127.0.0.1\n"):
        self.records, self.pid = [], 0
        self.dir = tempfile.TemporaryDirectory()
        for name, text in (("hosts", hosts), ("resolv", resolv)):
            with open(os.path.join(self.dir.name, name), "w") as f:
                f.write(text)
        self.cgroup = os.path.join(cgroup2(), f"osh-egress-test-{os.getpid()}")
        os.makedirs(self.cgroup, exist_ok=True)
        self.listener = in_sandbox(self.listen)
        self.p = subprocess.Popen(
            [os.path.join(BUILD, "tests/tools/egress_rig"), os.path.join(BUILD, "osh-egress"),
             self.cgroup, os.path.join(self.dir.name, "hosts"),
             os.path.join(self.dir.name, "resolv"), str(PORT), str(self.listener.fileno())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[self.listener.fileno()])
        atexit.register(self.end)       # a test that is ended leaves no cgroup
        threading.Thread(target=self.read, daemon=True).start()
        self.until(lambda: self.pid)

    @staticmethod
    def listen():
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::", PORT))
        s.listen(1024)
        s.setblocking(False)
        return s

    def read(self):
        for line in self.p.stdout:
            line = line.decode().strip()
            if line.startswith("pid "):
                self.pid = int(line[4:])
            else:
                self.records.append(line)

    def until(self, cond, secs=120):
        end = time.monotonic() + secs
        while time.monotonic() < end:
            if cond():
                return True
            time.sleep(0.005)
        return False

    def say(self, c):
        self.p.stdin.write(c.encode())
        self.p.stdin.flush()

    def record(self, *words, secs=20):
        """Waits for a record with these words; takes it."""
        def hit():
            for r in list(self.records):
                if all(w in r.split() for w in words):
                    self.records.remove(r)
                    return True
            return False
        return self.until(hit, secs)

    def end(self):
        if self.p.poll() is None:
            self.say("q")
        rc = self.p.wait(20)
        if self.listener.fileno() < 0:
            return rc
        self.listener.close()
        self.dir.cleanup()
        for _ in range(200):
            try:
                os.rmdir(self.cgroup)
                break
            except OSError:
                time.sleep(0.01)
        return rc


def client(dst, mark=MARK, timeout=120):
    def make():
        s = socket.socket(socket.AF_INET6 if ":" in dst else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", mark))
        return s
    s = in_sandbox(make)
    s.settimeout(timeout)
    s.connect((dst, PORT))
    return s


def addr(i):
    return socket.inet_ntoa(struct.pack(">I", 0xc6120000 + i))


def cut(s):
    """True if the connection ends in a reset and no byte comes."""
    try:
        got = s.recv(10)
        return f"got {got}"
    except ConnectionResetError:
        return True
    except OSError as e:
        return str(e)


def refused(dst, *words, mark=MARK, secs=100):
    start = time.monotonic()
    try:
        how = cut(client(dst, mark))
    except ConnectionResetError:
        how = True
    took = time.monotonic() - start
    return how is True and took < secs and rig.record("deny", *words)


def echoes(dst, text=b"hello"):
    s = client(dst)
    s.sendall(b"echo\n" + text)
    got = b""
    while len(got) < len(text):
        d = s.recv(100)
        if not d:
            break
        got += d
    s.close()
    return got == text


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        v = f.read().rsplit(")", 1)[1].split()
    return int(v[11]) + int(v[12])


def t_cage():
    rig.until(lambda: status(rig.pid)["Seccomp"] == "2")        # the last step of its start
    s, zero = status(rig.pid), "0000000000000000"
    uid = 1900014000
    t.ok(s["Uid"].split() == [str(uid)] * 4 and s["Gid"].split() == [str(uid)] * 4 and
         not s["Groups"].strip(), "the egress has a uid and gid of its own and no groups", s)
    t.ok(all(s[c] == zero for c in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")),
         "it holds no capability and can gain none")
    t.ok(s["NoNewPrivs"] == "1" and s["Seccomp"] == "2", "no_new_privs and a syscall filter are on")
    t.ok(os.listdir(f"/proc/{rig.pid}/root") == [], "its root is empty")
    t.ok(s["NSpid"].split()[-1] == "1", "it is pid 1 of its own pid namespace")
    same = [n for n in ("mnt", "pid", "ipc", "uts", "cgroup")
            if os.readlink(f"/proc/{rig.pid}/ns/{n}") == os.readlink(f"/proc/self/ns/{n}")]
    t.ok(not same, "no namespace is shared but net and user", same)
    with open(os.path.join(rig.cgroup, "cgroup.procs")) as f:
        t.ok(str(rig.pid) in f.read().split(), "it lives in the cgroup that it was given")


def t_judge():
    t.ok(echoes(addr(1)) and rig.record("allow", "ALLOWED", "a.test", "::ffff:127.0.0.1", "8001",
                                        "aux=443", "rule=1", "id=7"),
         "an operator's address is dialled, loopback and port included, and recorded", rig.records)
    t.ok(echoes("fd00:5a00:1::1") and rig.record("allow", "a.test"), "the IPv6 synthetic address works")
    t.ok(refused(addr(1), "MARK", mark=0), "mark 0 is closed")
    t.ok(refused(addr(1), "MARK", mark=MARK & 0x7fffffff), "a mark without the judged bit is closed")
    t.ok(refused(addr(1), "MARK", mark=0x80000000 | 4 << 17), "another generation's mark is closed")
    t.ok(refused(addr(50000), "DEST_UNKNOWN"), "an address without a name is refused")
    t.ok(refused(addr(21), "DEST_UNKNOWN", "other.test"), "a name that the bundle lacks is refused")
    t.ok(refused(addr(22), "DEST_UNKNOWN"), "a name too deep for the wildcard is refused")
    t.ok(refused("198.51.100.1", "DEST_UNKNOWN"), "a literal outside all networks is refused")
    t.ok(refused("fd00:5a00:2::1", "DEST_UNKNOWN"), "another sandbox's IPv6 prefix is refused")
    t.ok(echoes("10.8.0.1") and rig.record("allow", "::ffff:10.8.0.1", "443"), "a listed network is dialled as it is")
    t.ok(refused("10.8.0.2", "ADDR_NOT_LISTED"), "a private literal outside allowed_ips is refused")


def t_resolve():
    slow = {}

    def silent():
        start = time.monotonic()
        slow["how"] = cut(client(addr(32), timeout=200))
        slow["took"] = time.monotonic() - start
    th = threading.Thread(target=silent)
    th.start()
    t.ok(echoes(addr(2)) and rig.record("allow", "b.test", "::ffff:" + GOOD, "443"), "a public answer is dialled", rig.records)
    t.ok(refused(addr(3), "ADDR_PRIVATE", "many.test", "::ffff:10.1.2.3"), "a private answer is refused")
    t.ok(refused(addr(4), "ADDR_NOT_LISTED", "pin.test"), "allowed_ips also restricts public answers")
    t.ok(echoes(addr(5)) and rig.record("allow", "priv.test", "::ffff:10.9.0.1"), "allowed_ips opens a private answer")
    t.ok(refused(addr(30), "ADDR_FORBIDDEN", "::ffff:169.254.169.254"), "a metadata answer is refused")
    t.ok(refused(addr(31), "RESOLVE", "w31.wild.test", secs=8), "NXDOMAIN upstream is RESOLVE, without a wait")
    start = time.monotonic()
    t.ok(echoes(addr(33)) and time.monotonic() - start < 8, "an unanswered AAAA does not hold up the A answer")
    t.ok(refused(addr(34), "UPSTREAM", "::ffff:11.22.33.99", secs=8), "an unreachable address is UPSTREAM, without a wait")
    t.ok(echoes(addr(35)) and rig.record("allow", "w35.wild.test", "::ffff:" + GOOD), "the next address is tried")
    t.ok(refused(addr(36), "ADDR_FORBIDDEN", "w36.wild.test"), "NAT64, mapped and 6to4 wrappings are unwrapped")
    t.ok(echoes(addr(37)), "a truncated answer is asked for again over TCP")
    t.ok(echoes(addr(38)) and rig.record("deny", "ADDR_FORBIDDEN", "w38.wild.test") and
         rig.record("allow", "w38.wild.test", "::ffff:" + GOOD), "one bad answer among good ones is dropped and recorded")
    t.ok(echoes(addr(39)) and rig.record("allow", "w39.wild.test", "2600::1"), "an IPv6 upstream works")
    t.ok(refused(addr(40), "ADDR_FORBIDDEN"), "unspecified and link-local answers are refused")
    before = len(asked)
    t.ok(all(echoes(addr(2)) for _ in range(20)) and len(asked) == before, "answers are cached for their time to live")
    ANSWERS["w45.wild.test"] = ([GOOD], [])
    socks = [client(addr(45)) for _ in range(50)]
    for s in socks:
        s.sendall(b"echo\nx")
    good = all(s.recv(1) == b"x" for s in socks)
    t.ok(good and asked.count(("w45.wild.test", 1)) == 1, "fifty askers at once cause one question",
         asked.count(("w45.wild.test", 1)))
    for s in socks:
        s.close()
    th.join(200)
    t.ok(slow.get("how") is True and slow["took"] < 100 and rig.record("deny", "RESOLVE", "w32.wild.test"),
         "a silent resolver is RESOLVE within the limit", slow)


def t_ends():
    s = client(addr(1))
    s.sendall(b"digest\nabc")
    s.shutdown(socket.SHUT_WR)
    got = s.makefile("rb").read().decode()
    t.ok(got == hashlib.sha256(b"abc").hexdigest() + " 3", "the client's half-close passes and the answer comes back", got)
    s = client(addr(1))
    s.sendall(b"pour 1\n")
    got, n = eof(s)
    s.sendall(b"thanks")
    s.close()
    rig.until(lambda: "pour" in seen)
    t.ok(n == 1 << 20 and seen.get("pour") == (got, b"thanks"), "the upstream's half-close passes and the client goes on")
    s = client(addr(1))
    s.sendall(b"reset\n")
    t.ok(cut(s) is True, "an upstream reset is a reset for the client")
    s = client(addr(1))
    s.sendall(b"wait-reset\n")
    s.recv(5)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    t.ok(rig.until(lambda: seen.get("reset") == "reset", 5), "a client reset is a reset for the upstream", seen)


def t_bulk():
    mib = int(os.environ.get("OSH_BULK_MIB", "1024"))
    s = client(addr(1))
    start = time.monotonic()
    s.sendall(b"digest\n")
    want = pour(s, mib)
    s.shutdown(socket.SHUT_WR)
    got = s.makefile("rb").read().decode()
    up = mib / 1024 / (time.monotonic() - start)
    t.ok(got == f"{want} {mib << 20}", f"{mib} MiB up arrive unchanged")
    seen.pop("pour", None)
    s = client(addr(1))
    start = time.monotonic()
    s.sendall(f"pour {mib}\n".encode())
    got, n = eof(s)
    down = mib / 1024 / (time.monotonic() - start)
    s.sendall(b"ok")
    s.close()
    rig.until(lambda: "pour" in seen)
    t.ok(n == mib << 20 and seen["pour"][0] == got, f"{mib} MiB down arrive unchanged")
    print(f"# python at both ends, GiB/s: up {up:.2f}, down {down:.2f}")
    seen["go"] = threading.Event()
    s = client(addr(1))
    s.sendall(b"slow\n")
    s.recv(5)
    s.setblocking(False)
    sent, h, idle = 0, hashlib.sha256(), 0
    while idle < 5:
        try:
            n = s.send(BLOCK[:65536])
            h.update(BLOCK[:n])
            sent += n
            idle = 0
        except BlockingIOError:
            select.select([], [s], [], 0.1)
            idle += 1
    t.ok(sent < 64 << 20, f"a reader that stops stops the sender, after {sent >> 10} KiB")
    before = cpu(rig.pid)
    time.sleep(1)
    t.ok(cpu(rig.pid) - before <= 2, "a stalled connection costs no time", cpu(rig.pid) - before)
    seen["go"].set()
    s.settimeout(20)
    s.shutdown(socket.SHUT_WR)
    t.ok(s.makefile("rb").read().decode() == f"{h.hexdigest()} {sent}", "and nothing is lost when it goes on")


def t_many():
    socks = []
    for _ in range(500):
        s = client(addr(1))
        s.sendall(b"echo\n")
        socks.append(s)
    bad = 0
    for rnd in range(3):
        for i, s in enumerate(socks):
            s.sendall(b"%d/%d " % (rnd, i))
        for i, s in enumerate(socks):
            bad += s.recv(100) != b"%d/%d " % (rnd, i)
    t.ok(bad == 0, "500 connections at once keep their bytes apart", bad)
    with open(f"/proc/{rig.pid}/status") as f:
        rss = [line.split()[1] for line in f if line.startswith("VmRSS")][0]
    fds = len(os.listdir(f"/proc/{rig.pid}/fd"))
    before = cpu(rig.pid)
    time.sleep(1)
    t.ok(cpu(rig.pid) - before <= 2, "500 idle connections cost no time")
    t.ok(fds < 1100, "an idle connection holds two descriptors", fds)
    print(f"# resident with 500 connections: {rss} KiB")
    for s in socks:
        s.close()
    t.ok(rig.until(lambda: len(os.listdir(f"/proc/{rig.pid}/fd")) < 100, 5), "and all are given back")
    t.ok(rig.until(lambda: sum("allow" in r for r in rig.records) >= 500), "each left a record")


def t_limit():
    socks = [client(addr(1)) for _ in range(1024)]
    for s in socks:
        s.sendall(b"echo\nx")
    ok = all(s.recv(1) == b"x" for s in socks)
    t.ok(ok and refused(addr(1), "LIMIT"), "connection 1025 is refused with a reason", ok)
    for s in socks:
        s.close()
    t.ok(rig.until(lambda: len(os.listdir(f"/proc/{rig.pid}/fd")) < 100, 5) and echoes(addr(1)), "and there is room again afterwards")


def t_audit():
    rig.records.clear()
    rig.say("p")
    time.sleep(0.2)
    done = 0
    for _ in range(4000):
        try:
            s = client(addr(1), 0, timeout=5)
            if cut(s) is not True:
                break
        except ConnectionResetError:
            pass
        except OSError:
            break
        done += 1
    t.ok(50 < done < 1000, f"with audit stopped nothing is accepted once the kernel keeps no more for it ({done})")
    waiting = client(addr(1))
    waiting.sendall(b"echo\nx")
    waiting.settimeout(0.5)
    t.ok(cut(waiting) == "timed out", "not even an allowed connection")
    rig.say("c")
    waiting.settimeout(120)
    t.ok(waiting.recv(1) == b"x", "and it goes on when audit does")
    t.ok(rig.until(lambda: sum("MARK" in r for r in rig.records) >= done), "no record was lost",
         done, len(rig.records))
    live = client(addr(1))
    live.sendall(b"echo\nx")
    live.recv(1)
    rig.say("x")
    t.ok(cut(live) is True and rig.until(lambda: "gone" in rig.records, 5), "audit dead: the egress ends, its connections are reset")
    try:
        s = client(addr(1), timeout=1)
        s.sendall(b"echo\nx")
        how = s.recv(1)
    except OSError as e:
        how = str(e)
    t.ok(how == "timed out", "and nothing gets past it", how)
    t.ok(rig.end() == 1, "it says so in its exit status")


def t_end():
    global rig
    rig = Rig("127.0.0.1:8001 a.test\n")
    live = client(addr(1))
    live.sendall(b"echo\nx")
    live.recv(1)
    rc = rig.end()
    t.ok(rc == 0 and cut(live) is True, "the end of the sandbox is the end of its egress", rc)
    rig = Rig("127.0.0.1:8001 a.test\n127.0.0.1:99999 b.test\n")
    t.ok(rig.until(lambda: "gone" in rig.records, 5) and rig.record("deny", "INTERNAL"),
         "a bad line of the operator's file refuses to start, on record", rig.records)
    rig.end()
    rig = Rig("", "")
    t.ok(refused(addr(2), "RESOLVE", secs=1), "without a nameserver no name resolves")
    rig.end()


def main():
    global inner, outer, rig
    if os.geteuid():
        t.skip("egress", "needs root")
        t.done()
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    inner = netns()
    sh("ip link set lo up; ip route add local 198.18.0.0/15 dev lo; ip route add local 198.51.100.0/24 dev lo;"
       "ip route add local 10.8.0.0/16 dev lo; ip -6 route add local fd00:5a00::/32 dev lo;"
       "echo 1 > /proc/sys/net/ipv4/tcp_fwmark_accept")
    outer = netns()
    sh("ip link set lo up; for a in %s 10.9.0.1 10.8.0.1 10.8.0.2; do ip addr add $a/32 dev lo; done;"
       "ip -6 addr add 2600::1/128 dev lo nodad" % GOOD)
    serve("127.0.0.1", 8001, upstream)
    for a in (GOOD, "10.9.0.1", "10.8.0.1", "10.8.0.2", "2600::1"):
        serve(a, PORT, upstream)
    serve("127.0.0.1", PORT, upstream)      # reached only if the guard fails
    dns()
    rig = Rig("# operator\n127.0.0.1:8001 A.Test alias.test\n")
    try:
        for fn in (t_cage, t_judge, t_resolve, t_ends, t_bulk, t_many, t_limit, t_audit, t_end):
            fn()
    finally:
        rig.end()
    t.done()


main()
