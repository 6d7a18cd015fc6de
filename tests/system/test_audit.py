#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""osh-audit as oshd starts it: real ring buffers filled by a small BPF program, lanes filled here, the
tables, the control socket. Order, exact counts, findings, and that no log's owner can hold up the others."""
import array
import ctypes
import errno
import fcntl
import hashlib
import json
import mmap
import os
import re
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
t = Tap()
EVENT, NAMED, SLOT, TAIL = 88, 344, 96, 64
LANES, EACH = 2, 16384
DNS, CONNECT, EGRESS = 1, 2, 8
DENY, ALLOW = 0, 1


def number(path, prefix, name):
    """Place of REASON(name, ...) or of an enumerator: the contract's own files are the source."""
    n = 0
    with open(os.path.join(ROOT, path)) as f:
        for line in f:
            if line.startswith(prefix):
                if line[len(prefix):].split(",")[0].strip() == name:
                    return n
                n += 1
    raise KeyError(name)


def why(name):
    return number("include/osh/reasons.def", "REASON(", name)


def message(name):
    with open(os.path.join(ROOT, "include/osh/msg.h")) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read().split("enum osh_msg_type {")[1], flags=re.S)
    return [w.strip() for w in text.split("}")[0].split(",")].index("OSH_MSG_" + name)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    r = libc.syscall(321, cmd, buf, 128)
    if r < 0:
        raise OSError(ctypes.get_errno(), f"bpf {cmd}")
    return r


def make_map(kind, key, value, n, flags=0):
    return bpf(0, struct.pack("IIIII", kind, key, value, n, flags))


def put(fd, key, value):
    k, v = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    bpf(2, struct.pack("IIQQQ", fd, 0, ctypes.addressof(k), ctypes.addressof(v), 0))


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, dst | src << 4, off, imm)


def producer(cell, ring, size, flags):
    """A program that outputs the first `size` bytes of array `cell` into `ring`."""
    code = b"".join([
        insn(0x62, 10, off=-4), insn(0xbf, 2, 10), insn(0x07, 2, imm=-4),
        insn(0x18, 1, 1, imm=cell), insn(0), insn(0x85, imm=1),
        insn(0x55, 0, off=1), insn(0x95), insn(0xbf, 2), insn(0x18, 1, 1, imm=ring), insn(0),
        insn(0xb7, 3, imm=size), insn(0xb7, 4, imm=flags), insn(0x85, imm=130),
        insn(0xb7, 0), insn(0x95)])
    c, lic = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(5, struct.pack("IIQQ", 1, len(code) // 8, ctypes.addressof(c), ctypes.addressof(lic)))


def bundle(rule=b"rule-one"):
    strings = b"\0" + rule + b"\0"
    meta = struct.pack("12I", 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)
    rules = struct.pack("IIII", 1, 17, 0, 0)
    body, table = b"", b""
    at = 80 + 3 * 16
    for kind, entry, data in ((1, 1, strings), (2, 48, meta), (9, 16, rules)):
        body = body.ljust(-(-(at + len(body)) // 8) * 8 - at, b"\0")
        table += struct.pack("IIII", kind, entry, at + len(body), len(data) // entry)
        body += data
    rest = table + body
    rest = rest.ljust(-(-len(rest) // 8) * 8, b"\0")
    head = struct.pack("IIII", 0x2b68736f, 2, 80 + len(rest), 3)
    fd = os.memfd_create("bundle", 3)
    os.write(fd, head + hashlib.sha256(rest).digest() + b"\xab" * 32 + rest)
    fcntl.fcntl(fd, 1033, 2 | 4 | 8)
    return fd


def event(sandbox, kind=CONNECT, verdict=ALLOW, reason="ALLOWED", ip="198.18.0.5", port=443,
          rule=1, ident=3, name=b"", comm=b"curl", aux=1, host=1, generation=1):
    addr = b"\0" * 16
    if ip:
        addr = socket.inet_pton(socket.AF_INET6, ip) if ":" in ip else b"\0" * 10 + b"\xff\xff" + socket.inet_aton(ip)
    return struct.pack("QIIHBBIIIIIIHH16sII16s", time.clock_gettime_ns(time.CLOCK_BOOTTIME), sandbox, generation,
                       kind, verdict, why(reason), 4242, 4243, 1000, ident, rule, aux, port,
                       10 if ip and ":" in ip else 2 if ip else 0, addr, host, len(name), comm) + name.ljust(256, b"\0")


def denial_key(ev):
    f = struct.unpack("QIIHBBIIIIIIHH16sII16s", ev[:EVENT])
    return struct.pack("IHBBII16sII", f[1], f[3], f[5], 0, f[9], f[15], f[14], f[11], f[12])


class Lanes:
    """What bpf/lane.bpf.h does, one writer a lane."""
    def __init__(self):
        self.slots, self.tails = make_map(2, 4, SLOT, LANES * EACH, 1 << 10), make_map(2, 4, TAIL, LANES, 1 << 10)
        self.slot = mmap.mmap(self.slots, LANES * EACH * SLOT)
        self.tail = mmap.mmap(self.tails, mmap.PAGESIZE)
        self.head = [0] * LANES

    def tail_of(self, lane):
        return struct.unpack_from("Q", self.tail, lane * TAIL)[0]

    def take(self, lane, ev):
        """The record of a program that was interrupted before its last store."""
        while self.head[lane] - self.tail_of(lane) >= EACH:
            time.sleep(0.001)
        n = self.head[lane]
        at = (lane * EACH + n % EACH) * SLOT
        self.slot[at + 8:at + SLOT] = ev[:EVENT]
        self.head[lane] = n + 1
        return at, n + 1

    def put(self, ev, lane=0, repeat=1):
        for _ in range(repeat):
            struct.pack_into("Q", self.slot, *self.take(lane, ev))


class Audit:
    def __init__(self):
        self.lanes = Lanes()
        self.deny, self.allow = make_map(27, 0, 0, 1 << 22), make_map(27, 0, 0, 1 << 22)
        self.denials = make_map(1, 40, 24, 65536, 1)
        self.idents, self.addrs = make_map(1, 8, 344, 64, 1), make_map(1, 8, 272, 64, 1)
        self.boxes, self.cell = make_map(2, 4, 80, 64), make_map(2, 4, NAMED, 1)
        self.progs = {DENY: producer(self.cell, self.deny, NAMED, 2),
                      ALLOW: producer(self.cell, self.allow, EVENT, 1)}
        put(self.idents, struct.pack("II", 7, 3), b"\0" * 88 + b"/usr/bin/curl".ljust(256, b"\0"))
        put(self.addrs, struct.pack("II", 7, 5), b"\0" * 16 + b"api.example".ljust(256, b"\0"))
        self.start()

    def start(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(120)
        self.err = tempfile.TemporaryFile()
        fds = [theirs.fileno(), self.deny, self.allow, self.denials, self.idents, self.addrs, self.boxes,
               self.boxes, self.boxes, self.lanes.slots, self.lanes.tails]     # no programs of tasks

        def arrange():
            high = [os.dup2(fd, 500 + i) for i, fd in enumerate(fds)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i, inheritable=True)
            os.closerange(3 + len(fds), 600)
        self.p = subprocess.Popen([os.path.join(BUILD, "osh-audit"), "1900020000", "embedded"], preexec_fn=arrange,
                                  close_fds=False, stdin=subprocess.DEVNULL, stderr=self.err)
        theirs.close()

    def emit(self, ev, count=1, repeat=1):
        if ev[18] == ALLOW and not ev[EVENT - 20]:      # without a name
            self.lanes.put(ev, repeat=repeat)
            return
        put(self.cell, struct.pack("I", 0), ev)
        verdict = ALLOW if ev[18] == ALLOW else DENY     # AUDIT takes the deny lane
        if verdict == DENY:
            now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            put(self.denials, denial_key(ev), struct.pack("QQQ", count, now, now))
        data = ctypes.create_string_buffer(64)
        bpf(10, struct.pack("IIIIQQI", self.progs[verdict], 0, 64, 0, ctypes.addressof(data), 0, repeat))

    def box(self, slot, sandbox, denials=0, drops=0, overflow=0, net6="::"):
        put(self.boxes, struct.pack("I", slot), struct.pack("IIQQ16s6IQQ", sandbox, 1, 0, 0, socket.inet_pton(socket.AF_INET6, net6), 0, 0,
                                                            0, 0, denials, 0, drops, overflow))

    def heard(self):
        """Has it taken every message? It acts on one before it reads events again."""
        n = array.array("i", [0])
        fcntl.ioctl(self.control, termios.TIOCOUTQ, n)
        return n[0] == 0

    def add(self, sandbox, slot=0, log=-1, summary=-1, name=b"box"):
        peer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        b = bundle()
        fds = [b, theirs.fileno()] + [f for f in (log, summary) if f >= 0]
        m = struct.pack("IIIIIIIII64s", message("AUDIT_ADD"), 100, sandbox, 1000, slot, log >= 0,
                        summary >= 0, 0, 1, name)
        try:
            socket.send_fds(self.control, [m], fds)
        except OSError as e:
            self.err.seek(0)
            raise RuntimeError(f"osh-audit is gone: {self.p.poll()} {self.err.read().decode()}") from e
        os.close(b)
        theirs.close()
        return peer

    def journal(self, kind, fd=-1, file=1, size=0, uid=1000):
        """A file of the user's log; -1 = oshd has none to give."""
        m = struct.pack("IIIIIIQ32s", message("AUDIT_JOURNAL"), 64, uid, kind, file if fd >= 0 else 0, 0, size, b"\0" * 32)
        socket.send_fds(self.control, [m], [fd] if fd >= 0 else [])
        if fd >= 0:
            os.close(fd)

    def end(self, sandbox):
        self.control.send(struct.pack("IIII8Q", message("AUDIT_END"), 80, sandbox, 0, *8 * [0]))
        got = self.control.recv(4096)
        return struct.unpack("IIII", got)[::2] == (message("AUDIT_ENDED"), sandbox)

    def stop(self):
        self.control.close()
        rc = self.p.wait(120)
        self.err.seek(0)
        return rc, self.err.read().decode()


def log_file():
    return tempfile.NamedTemporaryFile(mode="r", prefix="osh-audit-test-")


def life(f):
    """What the log says of the sandbox itself."""
    f.seek(0)
    return [x["osh"]["reason"] for x in map(json.loads, f.read().splitlines())
            if x.get("osh", {}).get("event") == "life"]


def lines(f):
    f.seek(0)
    whole = f.read().rpartition("\n")[0]      # a line may be half written at this moment
    return [x for x in map(json.loads, whole.splitlines()) if x.get("osh", {}).get("event") != "life"]


def until(cond, secs=60):
    end = time.monotonic() + secs
    while time.monotonic() < end:
        if cond():
            return True
        time.sleep(0.002)
    return False


def append(f):
    return os.open(f.name, os.O_WRONLY | os.O_APPEND)


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(x.rstrip("\n").split(":\t", 1) for x in f if ":\t" in x)


def t_lines():
    a, f = Audit(), log_file()
    peer = a.add(7, 3, append(f))
    a.box(3, 7, denials=2)
    start = time.time()
    a.emit(event(7))
    a.emit(event(7, DNS, DENY, "NAME_UNKNOWN", ip=None, port=0, rule=0, aux=28,
                 name=b'evil"\\\x1b[31m\xff.example'), count=12)
    t.ok(until(lambda: len(lines(f)) == 2), "allowed and denied are written while the sandbox lives")
    s = status(a.p.pid)
    t.ok(s["Uid"].split()[0] == "1900020000" and s["CapEff"] == "0" * 16 and s["Seccomp"] == "2" and
         s["NoNewPrivs"] == "1", "it runs with a uid of its own, no capability, a call filter", s)
    got = {x["osh"]["event"]: x for x in lines(f)}
    c, d = got["connect"], got["dns"]
    t.ok(c["class_uid"] == 4001 and c["category_uid"] == 4 and c["activity_id"] == 1 and c["type_uid"] == 400101 and
         c["action_id"] == 1 and c["disposition_id"] == 1 and c["severity_id"] == 1 and
         c["metadata"]["version"].startswith("1.") and c["metadata"]["product"]["name"] == "osh" and
         {"host", "security_control", "container"} <= set(c["metadata"]["profiles"]),
         "the required OCSF fields are there", c)
    f.seek(0)
    times = [json.loads(x)["time"] for x in f]
    t.ok(times and all(abs(x / 1000 - start) < 60 for x in times), "time is the epoch's in every line, the first included",
         times, start)
    t.ok(abs(c["time"] / 1000 - start) < 5, "time is the epoch's, in milliseconds", c["time"], start)
    t.ok(c["actor"]["process"]["pid"] == 4242 and c["actor"]["process"]["file"]["path"] == "/usr/bin/curl" and
         c["dst_endpoint"] == {"hostname": "api.example", "ip": "198.18.0.5", "port": 443} and
         c["firewall_rule"]["name"] == "rule-one" and c["firewall_rule"]["uid"] == "17" and
         c["policy"]["uid"] == "ab" * 32 and c["container"] == {"name": "box", "uid": "7"},
         "sandbox, policy hash, rule, program, pid and destination are named", c)
    t.ok(d["class_uid"] == 4003 and d["action_id"] == 2 and d["query"]["type"] == "AAAA" and
         d["query"]["hostname"] == 'evil"\\\x1b[31m\xff.example' and d["osh"]["reason"] == "NAME_UNKNOWN",
         "a hostile name stays inside its string", d)
    peer.send(struct.pack("II", message("RECORD"), 8 + NAMED) +
              event(99, CONNECT, DENY, "ADDR_PRIVATE", ip="10.0.0.1", name=b"api.example"))
    t.ok(until(lambda: len(lines(f)) == 3) and lines(f)[2]["container"]["uid"] == "7" and
         lines(f)[2]["osh"]["event"] == "egress", "an egress' record is its own sandbox's, whatever it says")
    t.ok(a.end(7), "END is answered")
    last = lines(f)[-1]
    t.ok(len(lines(f)) == 4 and last["count"] == 12 and last["osh"]["event"] == "dns", "repeats are reported with their exact count", last)
    a.emit(event(7))
    rc, err = a.stop()
    t.ok(rc == 0 and len(lines(f)) == 4, "what comes after the end is nobody's", rc, err)
    t.ok(life(f) == ["STARTED", "ENDED"], "the log says when the sandbox started and ended", life(f))


def t_reload():
    """A new policy: on record with its hash; each event is named by the policy that decided it."""
    a, f = Audit(), log_file()
    a.add(7, 3, append(f))
    a.box(3, 7)
    a.emit(event(7))
    until(lambda: len(lines(f)) == 1)

    def policy(generation, in_force, rule):
        b = bundle(rule)
        socket.send_fds(a.control, [struct.pack("IIIIII", message("AUDIT_POLICY"), 24, 7, generation, in_force, 0)], [b])
        os.close(b)

    policy(2, 0, b"rule-none")
    policy(2, 0, b"rule-two")
    until(a.heard)      # one message a round
    a.emit(event(7, generation=2))
    t.ok(until(lambda: len(lines(f)) == 2) and life(f) == ["STARTED"], "a policy that is being loaded is no event", life(f))
    policy(2, 1, b"rule-two")
    t.ok(until(lambda: life(f) == ["STARTED", "RELOADED"]), "a reload is on record", life(f))
    for generation in (1, 2, 9):
        a.emit(event(7, generation=generation))
    t.ok(until(lambda: len(lines(f)) == 5), "events go on")
    everything = [json.loads(x) for x in open(f.name)]
    first, early, reload, late, now, other = everything[1:7]
    t.ok(first["firewall_rule"]["name"] == late["firewall_rule"]["name"] == "rule-one" and late["policy"]["uid"] == "ab" * 32,
         "what the old policy decided has its rule, also when it comes late", first, late)
    t.ok(early["firewall_rule"]["name"] == now["firewall_rule"]["name"] == "rule-two",
         "what the new policy decides has its rule, also before its coming is told; the last bundle counts", early, now)
    t.ok(reload["osh"]["reason"] == "RELOADED" and reload["osh"]["generation"] == 2 and reload["policy"]["uid"] == "ab" * 32,
         "the reload's line has the new generation and hash", reload)
    t.ok("firewall_rule" not in other and not other.get("policy", {}).get("uid"),
         "an event of an unknown generation gets no rule and no hash", other)
    policy(3, 0, b"rule-three")
    policy(3, 1, b"rule-three")
    policy(4, 0, b"rule-four")
    until(a.heard)
    for generation in (1, 2, 3, 4):
        a.emit(event(7, generation=generation))
    until(lambda: len(lines(f)) == 9)
    names = [e.get("firewall_rule", {}).get("name") for e in map(json.loads, open(f.name)) if e["osh"]["event"] == "connect"][-4:]
    t.ok(names == [None, "rule-two", "rule-three", "rule-four"], "three policies are held, no more", names)
    t.ok(a.end(7), "END is answered")
    rc, err = a.stop()
    t.ok(rc == 0, "it ends well", rc, err)


def t_requests():
    a, f, s = Audit(), log_file(), log_file()
    peer = a.add(7, 3, append(f), append(s))

    def http(verdict, reason, method, path, status=0, flags=2, detail=b"", aux=1, kind=None):
        ev = event(99, number("include/osh/events.def", "EVENT(", "HTTP") if kind is None else kind, verdict,
                   reason, ip=None, name=b"api.example", aux=aux)
        body = ev + struct.pack("HH28s512s160s", status, flags, method, path, detail)
        peer.send(struct.pack("II", message("REQUEST"), 8 + len(body)) + body)

    http(ALLOW, "ALLOWED", b"GET", b"/repos/o/r")
    http(DENY, "REQUEST", b"POST", b"/x\x1b[31m\xff", 403, aux=2)
    http(DENY, "REQUEST", b"POST", b"/x\x1b[31m\xff", 403, aux=2)
    http(DENY, "REQUEST", b"POST", b"/y", 403, aux=3)
    http(DENY, "TLS_SNI", b"", b"", detail=b"other.example", kind=EGRESS)
    http(2, "REQUEST", b"M" * 28, b"p" * 512, flags=1, aux=4, kind=None)
    t.ok(until(lambda: len(lines(f)) == 5), "a line a decision; repeats only count", len(lines(f)))
    ok, no, other, tls, seen = lines(f)[:5]
    t.ok(ok["class_uid"] == 4002 and ok["activity_id"] == 3 and ok["action_id"] == 1 and "http_response" not in ok and
         ok["http_request"] == {"http_method": "GET", "url": {"scheme": "https", "hostname": "api.example",
                                                              "path": "/repos/o/r", "port": 443}},
         "an allowed request: method and url", ok)
    t.ok(no["activity_id"] == 6 and no["http_response"] == {"code": 403} and no["osh"]["reason"] == "REQUEST" and
         no["http_request"]["url"]["path"] == "/x\x1b[31m\xff", "a denied one: the status too, and bytes stay inside", no)
    t.ok(other["http_request"]["url"]["path"] == "/y", "another path is another denial")
    t.ok(tls["class_uid"] == 4001 and tls["osh"]["detail"] == "other.example" and "http_request" not in tls,
         "a connection that came to nothing says why", tls)
    t.ok(seen["osh"]["verdict"] == "observed" and seen["osh"]["cut"] and seen["activity_id"] == 99 and
         seen["http_request"]["http_method"] == "M" * 27, "text is bounded and its cut is said", seen)
    a.end(7)
    last = lines(f)[-1]
    t.ok(last["count"] == 2 and last["http_request"]["http_method"] == "POST", "the closing line has method and path too", last)
    s.seek(0)
    t.ok("http POST api.example/y" in s.read(), "and so has the summary")
    a.stop()


def t_budget():
    """An egress' distinct denials: paths have no end, records do."""
    a, f = Audit(), log_file()
    peer = a.add(7, 3, append(f))
    peer.settimeout(120)
    n = 2048 + 100          # OSH_DENIALS_EACH, and more
    for i in range(n):
        ev = event(99, number("include/osh/events.def", "EVENT(", "HTTP"), DENY, "REQUEST", ip=None, name=b"api.example", aux=i)
        body = ev + struct.pack("HH28s512s160s", 403, 2, b"GET", b"/%d" % i, b"")
        peer.send(struct.pack("II", message("REQUEST"), 8 + len(body)) + body)
    a.box(3, 7)
    t.ok(a.end(7), "END is answered")
    got = lines(f)
    t.ok(len([x for x in got if x["class_uid"] == 4002]) == 2048, "past a sandbox's budget an egress' denials have no line", len(got))
    t.ok([x["count"] for x in got if x["class_uid"] == 2004] == [100], "but are counted", got[-1])
    a.stop()


def t_journal():
    """The user's log: asked for while there is none, and when a file is full."""
    a, no, yes = Audit(), log_file(), log_file()
    for kind in (0, 1):
        a.journal(kind)
    a.add(7, 3)
    a.emit(event(7, CONNECT, DENY, "PORT", port=22))
    a.emit(event(7), repeat=3)
    wants = {struct.unpack("IIIIII", a.control.recv(4096)) for _ in range(2)}
    t.ok(wants == {(message("AUDIT_WANT"), 24, 1000, k, 0, 0) for k in (0, 1)}, "no file: it is asked for, of each kind", wants)
    a.journal(0, append(no))
    a.journal(1, append(yes))
    t.ok(until(lambda: len(lines(no)) == 3), "what was denied meanwhile is there", lines(no))
    opened, missing, denied = lines(no)
    t.ok(opened["osh"]["event"] == "log" and missing["class_uid"] == 2004 and missing["count"] == 1 and denied["dst_endpoint"]["port"] == 22,
         "after what the file is, and how many lines are missing", opened, missing, denied)
    t.ok(until(lambda: len(lines(yes)) == 2) and lines(yes)[1]["count"] == 3, "what was allowed meanwhile is counted", lines(yes))
    full = log_file()
    a.journal(1, append(full), 2, (64 << 20) + 1)
    a.emit(event(7))
    want = struct.unpack("IIIIII", a.control.recv(4096))
    t.ok(want == (message("AUDIT_WANT"), 24, 1000, 1, 2, 0) and until(lambda: len(lines(full)) == 1),
         "a full file: the next is asked for, and until it comes the old one is written", want)
    a.journal(1, append(full), 3, 128 << 20)
    a.emit(event(7))
    time.sleep(0.2)
    t.ok(len(lines(full)) == 1, "but not to more than twice its size", len(lines(full)))
    a.journal(1, append(yes), 4, os.path.getsize(yes.name))
    t.ok(until(lambda: len(lines(yes)) == 3) and lines(yes)[2]["count"] == 1, "what that leaves out is said in the next", lines(yes)[2:])
    rc, err = a.stop()
    t.ok(rc == 0, "it ends well", rc, err)
    a = Audit()
    a.journal(2)
    t.ok(a.p.wait(120) == 0, "a kind that there is not ends it")


def t_order():
    """A restart: the rings are full before the sandboxes are announced."""
    a, f = Audit(), log_file()
    for i in range(50):
        a.emit(event(7, DNS, DENY, "NAME_UNKNOWN", ip=None, name=b"n%d.example" % i, aux=i))
        a.emit(event(7))
    time.sleep(0.2)
    a.add(7, 3, append(f))
    t.ok(until(lambda: len(lines(f)) == 100), "events before the announcement wait for it", len(lines(f)))
    names = [x["query"]["hostname"] for x in lines(f) if "query" in x]
    t.ok(names == [f"n{i}.example" for i in range(50)], "in their order")
    a.stop()


def t_lanes():
    a, f = Audit(), log_file()
    a.add(7, 3, append(f))
    ports = lambda: [x["dst_endpoint"]["port"] for x in lines(f)]  # noqa: E731
    for i in range(200):
        a.lanes.put(event(7, port=i + 1), lane=i % 2)
    t.ok(until(lambda: len(lines(f)) == 200), "both lanes are read", len(lines(f)))
    t.ok([p for p in ports() if p % 2] == list(range(1, 200, 2)) and sorted(ports()) == list(range(1, 201)),
         "each in its order, each record once")
    last = a.lanes.take(0, event(7, port=301))
    a.lanes.put(event(7, port=302))
    a.lanes.put(event(7, port=303), lane=1)
    t.ok(until(lambda: 303 in ports()) and not {301, 302} & set(ports()),
         "an unfinished record holds up what comes after it in its lane, and no other lane")
    struct.pack_into("Q", a.lanes.slot, *last)
    t.ok(until(lambda: ports()[-2:] == [301, 302]), "and is written when it is finished", ports()[-3:])
    a.p.kill()
    a.p.wait()
    for i in range(50):
        a.lanes.put(event(7, port=400 + i), lane=i % 2)
    a.start()
    a.add(7, 3, append(f))
    t.ok(until(lambda: len(lines(f)) == 253) and sorted(ports()[203:]) == list(range(400, 450)),
         "killed with -9: the next one goes on where it stopped", len(lines(f)))
    a.p.kill()
    a.p.wait()
    struct.pack_into("Q", a.lanes.tail, 0, 1 << 40)
    a.start()
    a.add(7, 3, append(f))
    until(lambda: life(f).count("STARTED") == 3)
    a.lanes.put(event(7, port=500))
    t.ok(until(lambda: ports()[-1] == 500), "a tail without sense is mended by the next one", ports()[-2:])
    rc, err = a.stop()
    t.ok(rc == 0 and "out of step" in err, "and said", err)


def t_findings():
    a, f, s = Audit(), log_file(), log_file()
    a.add(7, 3, append(f), append(s))
    a.box(3, 7, denials=3, drops=5, overflow=9)
    a.emit(event(7, DNS, DENY, "NAME_UNKNOWN", ip=None, port=0, name=b"evil\x1b]0;x\x07.example"), count=12)
    a.emit(event(7, CONNECT, DENY, "PORT", port=22))
    ghost = event(7, CONNECT, DENY, "PORT", port=25)
    put(a.denials, denial_key(ghost), struct.pack("QQQ", 4, 0, 1))
    t.ok(a.end(7), "END is answered")
    all_ = lines(f)
    found = [x for x in all_ if x["class_uid"] == 2004]
    t.ok(sorted(x["count"] for x in found) == [5, 9] and all(x["finding_info"]["uid"] for x in found),
         "lost allow records and denials beyond the budget are findings", found)
    t.ok(any(x.get("dst_endpoint", {}).get("port") == 25 and x["count"] == 4 for x in all_),
         "a denial that found no room in the ring is on record with its count")
    s.seek(0)
    text = s.read()
    t.ok("x12: name is not in the policy" in text and "api.example:22" in text and
         "\x1b" not in text and "\x07" not in text and text.count("\n") <= 14, "the summary is short and clean", text)
    s2 = log_file()
    a.add(8, 4, -1, append(s2))
    a.emit(event(8))
    a.emit(event(8, 6, DENY, "UNIX_PATH", ip=None, name=b"/var/run/nscd/socket"))
    a.emit(event(8, 7, 2, "PATH_LONG", ip=None, name=b"/x"))
    a.end(8)
    t.ok(s2.read() == "", "nothing denied, nothing said; a lost identity and the C library's probes are no denials")
    s3 = log_file()
    a.add(8, 4, -1, append(s3))
    for aux in (1, 28):
        a.emit(event(8, DNS, DENY, "NAME_UNKNOWN", ip=None, port=0, name=b"two.example", aux=aux), count=2)
    a.end(8)
    text = s3.read()
    t.ok("4 denials" in text and text.count("\n") == 3 and "explain -p POLICY 'dns two.example'" in text, "A and AAAA of one name are one line", text)
    s4, log = log_file(), log_file()
    a.add(7, 3, append(log), append(s4))
    a.box(3, 7, net6="fde2:30fc:a588::")
    for ip in ("198.18.0.5", "fde2:30fc:a588::5", "fd00::5", "fd00::6", "fd01::6"):
        a.emit(event(7, CONNECT, DENY, "BINARY", ip=ip))
    a.end(7)
    text = s4.read()
    t.ok("api.example:443 (/usr/bin/curl) x2: " in text and "fd00::5" in text and text.count("\n") == 6,
         "the two addresses of one name are one line, those of others are not", text)
    names = {x["dst_endpoint"]["ip"]: x["dst_endpoint"].get("hostname") for x in lines(log)}
    t.ok([ip for ip in names if names[ip] == "api.example"] == ["198.18.0.5", "fde2:30fc:a588::5"] and len(names) == 5,
         "and in the log those of others have no name of a sandbox's", names)
    s5 = log_file()
    a.add(7, 3, -1, append(s5))
    for which, count in ((2, 1), (1, 3), (1, 4)):
        a.control.send(struct.pack("IIIIQ", message("AUDIT_LIMIT"), 24, 7, which, count))
    a.end(7)
    text = s5.read()
    t.ok(text == "osh: limit resources.pids: a process or thread was refused x7\nosh: limit resources.memory: a program was ended\n",
         "limits that were met are told, with their keys", text)
    a.stop()


def t_blocked():
    """One caller's log is a pipe that nobody reads; another's disk is full."""
    a, f = Audit(), log_file()
    r, w = os.pipe()
    a.add(8, 4, w, name=b"stuck")
    full = os.open("/dev/full", os.O_WRONLY)
    a.add(9, 5, full, name=b"full")
    a.add(7, 3, append(f))
    for i in range(300):
        a.emit(event(8, DNS, DENY, "NAME_UNKNOWN", ip=None, name=b"x" * 250, aux=i))
    a.emit(event(9))
    start = time.monotonic()
    a.emit(event(7))
    t.ok(until(lambda: len(lines(f)) == 1, 5), f"a full pipe holds up nobody else ({time.monotonic() - start:.3f} s)")
    os.set_blocking(r, False)
    got = b""
    while True:
        try:
            got += os.read(r, 1 << 20)
        except BlockingIOError:
            break
    t.ok(len(got) > 30000 and all(json.loads(x) for x in got.splitlines()), "the pipe has whole lines up to where it was full")
    t.ok(a.end(8) and a.end(9), "both ends are reported")
    tail = b""
    while select.select([r], [], [], 0)[0] and (d := os.read(r, 1 << 20)):
        tail += d
    t.ok(b"could not be written" in tail, "what was lost is said once the pipe takes bytes again", tail[-300:])
    rc, err = a.stop()
    t.ok(rc == 0 and "sandbox full: the log cannot be written" in err and "sandbox stuck" in err, "and on stderr", err)


def t_speed():
    a, f = Audit(), log_file()
    a.add(7, 3, append(f))
    a.box(3, 7)
    until(lambda: False, 0.1)
    n = 40000
    start = time.monotonic()
    a.emit(event(7), repeat=n)

    size, last = 0, time.monotonic()        # until the file stops growing; reading it would cost the same CPU
    while time.monotonic() - last < 1:
        now = os.stat(f.name).st_size
        if now != size:
            size, last = now, time.monotonic()
        time.sleep(0.002)
    took = last - start
    t.ok(len(lines(f)) == n, f"{n} allows at once are all written")
    print(f"# {n / took:.0f} lines a second, one write each")
    a.end(7)
    took = []
    for i in range(200):
        g = log_file()
        a.add(100 + i, 3, append(g))
        a.box(3, 100 + i, denials=1)
        a.emit(event(100 + i))
        a.emit(event(100 + i, CONNECT, DENY, "PORT"), count=2)
        time.sleep(0.002)
        start = time.monotonic()
        a.end(100 + i)
        took.append(time.monotonic() - start)
    took.sort()
    print(f"# END with a denial to report: median {statistics.median(took) * 1e6:.0f} us, "
          f"p95 {took[190] * 1e6:.0f} us")
    t.ok(statistics.median(took) < 0.5, "END is answered at once")
    a.stop()


def t_flood():
    """The lane of one sandbox never runs dry; the control socket still gets its turn."""
    a, f = Audit(), log_file()
    a.add(7, 3, append(f))
    pid = os.fork()
    if not pid:
        try:
            while True:
                a.emit(event(7), repeat=20000)
        finally:
            os._exit(0)
    try:
        time.sleep(0.3)
        g = log_file()
        a.add(8, 4, append(g))
        start = time.monotonic()
        ok = a.end(8)
        took = time.monotonic() - start
        floods = os.waitpid(pid, os.WNOHANG) == (0, 0)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    t.ok(ok and floods, f"a flood of one sandbox does not hold up another's end ({took:.2f} s)")
    a.p.kill()
    a.p.wait()


def main():
    if os.geteuid():
        t.skip("audit", "needs root")
        t.done()
    try:
        os.close(make_map(27, 0, 0, 4096))
    except OSError as e:
        if e.errno not in (errno.EPERM, errno.EINVAL):
            raise
        t.skip("audit", "no BPF ring buffer here")
        t.done()
    for fn in (t_lines, t_reload, t_requests, t_budget, t_journal, t_order, t_lanes, t_findings, t_blocked, t_speed, t_flood):
        fn()
    t.done()


main()
