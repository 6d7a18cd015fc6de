#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl sandbox upload` and `download`: trees both ways, with the owner that belongs there; and a sandbox
that lays links, FIFOs, endless and huge files and odd names, and swaps them while they are copied."""
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, as_user, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

NOBODY = pwd.getpwnam("nobody").pw_uid
POLICY = BASE_POLICY.replace("process:", "  read_write: [/tmp]\nprocess:")
# A hostile tenant: what it is told to lay or to swap, for as long as it is told.
AGENT = r"""
import os, sys, time
os.makedirs('/sandbox/out', exist_ok=True)
os.chdir('/sandbox/out')
def lay():
    os.makedirs('tree/a/b', exist_ok=True)
    open('tree/a/b/file', 'w').write('hello')
    os.chmod('tree/a/b/file', 0o750)
    open('tree/empty', 'w')
    os.makedirs('hostile/in', exist_ok=True)
    open('hostile/good', 'w').write('good')
    os.symlink('/etc/passwd', 'hostile/link')
    os.symlink('..', 'hostile/in/up')
    os.mkfifo('hostile/fifo')
    import socket
    socket.socket(socket.AF_UNIX).bind('hostile/sock')
    open(b'hostile/\x1b[2J\xff\n', 'w').write('odd')
    open('hostile/closed', 'w').write('x'); os.chmod('hostile/closed', 0)
    with open('huge', 'w') as f:
        f.truncate(1 << 40)
        f.seek(1 << 39)
        f.write('middle')
    with open('beyond', 'w') as f:
        f.truncate(1 << 62)
    deep = 'deep'
    os.mkdir(deep)
    at = os.open(deep, os.O_RDONLY)
    for i in range(200):
        os.mkdir('d', dir_fd=at)
        nxt = os.open('d', os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = nxt
    return 'laid'
def grow(seconds):
    end = time.monotonic() + float(seconds)
    with open('growing', 'w') as f:
        while time.monotonic() < end:
            f.write('x' * 65536)
            f.flush()
            if f.tell() > 200 << 20:
                f.seek(0)
    return 'grown'
def shrink(seconds):
    end = time.monotonic() + float(seconds)
    with open('shrinking', 'w') as f:
        while time.monotonic() < end:
            f.truncate(32 << 20)
            f.seek(0)
            f.write('x' * (32 << 20))
            f.flush()
            time.sleep(0.005)
            f.truncate(0)
    return 'shrunk'
def swap(seconds):
    # a directory, a file, a link to the host's secrets, a FIFO: by turns, as fast as it goes
    os.makedirs('race/real', exist_ok=True)
    for i in range(20):
        open(f'race/real/f{i}', 'w').write('inside')
    end = time.monotonic() + float(seconds)
    kinds = [lambda: os.symlink('/etc', 'race/x'), lambda: os.mkdir('race/x'), lambda: os.mkfifo('race/x'),
             lambda: os.symlink('/etc/passwd', 'race/x'), lambda: open('race/x', 'w').write('inside')]
    n = 0
    while time.monotonic() < end:
        kinds[n % len(kinds)]()
        n += 1
        try:
            os.unlink('race/x')
        except OSError:
            try: os.rmdir('race/x')
            except OSError: os.rename('race/x', f'race/moved{n}')
    return 'swapped'
def swap_in(seconds):
    # where an upload goes to: its directories become links
    end = time.monotonic() + float(seconds)
    os.makedirs('/sandbox/in', exist_ok=True)
    while time.monotonic() < end:
        for name in ('/sandbox/in/up', '/sandbox/in/up/sub'):
            try:
                os.rename(name, name + '.was')
                os.symlink('/work-of-another', name)
                os.unlink(name)
                os.rename(name + '.was', name)
            except OSError:
                pass
    return 'swapped'
def see(path):
    st = os.lstat(path)
    return '%o %s %d' % (st.st_mode, 'mine' if st.st_uid == os.getuid() else st.st_uid, st.st_size)
def has(path):
    return os.path.lexists(path)
def sum(path):
    import hashlib
    return hashlib.sha256(open(path, 'rb').read()).hexdigest()
for line in sys.stdin:
    w = line.split()
    try:
        print(globals()[w[0]](*w[1:]), flush=True)
    except Exception as e:
        print(type(e).__name__, e, flush=True)
"""


class Sandbox:
    def __init__(self, w, d, name, uid=0):
        self.w, self.d, self.name, self.uid = w, d, name, uid
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--name", name, "--workdir", w.work,
                                   "--", "python3", "-u", "-c", AGENT], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, **as_user(uid))

    def tell(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        self.p.stdin.flush()

    def hear(self):
        if self.p.poll() is not None:
            raise RuntimeError(self.p.stderr.read())
        return self.p.stdout.readline().strip()

    def ask(self, *words):
        if self.p.poll() is not None:
            raise RuntimeError(self.p.stderr.read())
        self.tell(*words)
        return self.hear()

    def copy(self, verb, *args, limit=60, **more):
        return run([OSHCTL, "sandbox", verb, "--socket", self.d.bus, *more.pop("options", []), self.name, *args], limit,
                   **(more or as_user(self.uid)))

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def make_tree(w, uid):
    src = os.path.join(w.dir, f"src-{uid}")
    os.makedirs(os.path.join(src, "sub/deeper"))
    with open(os.path.join(src, "sub/run.sh"), "w") as f:
        f.write("#!/bin/sh\n")
    os.chmod(os.path.join(src, "sub/run.sh"), 0o4755)
    with open(os.path.join(src, "big"), "wb") as f:
        f.write(os.urandom(3 << 20))
    with open(os.path.join(src, "secret"), "w") as f:
        f.write("s")
    os.chmod(os.path.join(src, "secret"), 0o600)
    os.utime(os.path.join(src, "big"), (1_000_000_000, 1_000_000_000))
    os.symlink("big", os.path.join(src, "link"))
    for d, subs, files in os.walk(src):
        for x in [d] + [os.path.join(d, f) for f in files if not os.path.islink(os.path.join(d, f))]:
            m = mode(x)
            os.chown(x, uid, uid)
            os.chmod(x, m)
    return src


def both_ways(t, w, d, uid):
    who = "a user" if uid else "root"
    s = Sandbox(w, d, f"ways-{uid}", uid)
    src = make_tree(w, uid)
    s.ask("has", "/")
    rc, out, err = s.copy("upload", src, "/sandbox")
    base = "/sandbox/" + os.path.basename(src)
    t.ok(rc == 1 and "link" in err and "symbolic link" in err, f"{who}: a link is left out and said, exit status 1", rc, err, d.errors())
    t.ok("3 files, 3 directories" in err and "1 left out" in err, f"{who}: the summary counts", err)
    t.ok(s.ask("see", base + "/big") == f"100644 mine {3 << 20}", f"{who}: files are the sandbox's own", s.ask("see", base + "/big"))
    t.ok(s.ask("sum", base + "/big") == subprocess.run(["sha256sum", src + "/big"], capture_output=True, text=True).stdout.split()[0],
         f"{who}: whole")
    t.ok(s.ask("see", base + "/sub/run.sh").startswith("100755 mine"), f"{who}: without the set-uid bit",
         s.ask("see", base + "/sub/run.sh"))
    t.ok(s.ask("see", base + "/secret").startswith("100600 mine") and s.ask("see", base + "/sub").startswith("40755 mine"),
         f"{who}: with their permissions")
    t.ok(s.ask("has", base + "/link") == "False", f"{who}: the link is not there")
    rc, out, err = s.copy("upload", src, "/sandbox/two", options=["--links", "--json"])
    got = json.loads(out)
    t.ok(rc == 0 and got["files"] == 3 and got["links"] == 1 and got["left_out"] == 0, f"{who}: --links, --json, a new name", rc, out, err)
    t.ok(s.ask("see", "/sandbox/two/link").startswith("120777"), f"{who}: it is a link there")
    rc, out, err = s.copy("upload", src + "/big", src + "/secret", "/sandbox/made/")
    t.ok(rc == 0 and s.ask("has", "/sandbox/made/secret") == "True", f"{who}: several, into a directory that is made", rc, err)
    to = os.path.join(w.dir, f"to-{uid}")
    os.mkdir(to, 0o755)
    os.chown(to, uid, uid)
    rc, out, err = s.copy("download", base, to)
    back = os.path.join(to, os.path.basename(src))
    t.ok(rc == 0 and not subprocess.run(["diff", "-r", "--no-dereference", "-x", "link", src, back]).returncode,
         f"{who}: and back: the same", rc, err)
    t.ok(os.stat(back + "/big").st_uid == uid and int(os.stat(back + "/big").st_mtime) == 1_000_000_000 and
         mode(back + "/sub/run.sh") == 0o755, f"{who}: theirs who asked, with its time")
    rc, out, err = s.copy("download", base + "/big", os.path.join(to, "renamed"))
    t.ok(rc == 0 and os.path.getsize(os.path.join(to, "renamed")) == 3 << 20, f"{who}: one file under another name", rc, err)
    rc, out, err = s.copy("download", base + "/.", os.path.join(to, "whole/"))
    t.ok(rc == 0 and os.path.exists(os.path.join(to, "whole/sub/run.sh")), f"{who}: what is in a directory, into a new one", rc, err)
    os.symlink("/etc", os.path.join(to, "etc"))
    rc, out, err = s.copy("download", "/nowhere", to)
    t.ok(rc == 1 and "nowhere" in err, f"{who}: what is not there is said", rc, err)
    rc, out, err = s.copy("upload", src + "/secret", w.work)
    t.ok(rc == 0 and os.stat(w.work + "/secret").st_uid == NOBODY and s.ask("see", w.work + "/secret").startswith("100600 mine"),
         f"{who}: in the working directory, files belong to its owner outside, and are the sandbox's inside", rc, err)
    rc, out, err = s.copy("upload", src + "/big", "/usr/lib")
    t.ok(rc == 1 and "Read-only" in err, f"{who}: not where the sandbox may only read", rc, err)
    rc, out, err = s.copy("upload", src + "/big", "/etc/../sandbox/..")
    t.ok(rc == 1, f"{who}: not into the root", rc, err)
    s.end()


def hostile(t, w, d, uid):
    who = "a user" if uid else "root"
    s = Sandbox(w, d, f"hostile-{uid}", uid)
    t.ok(s.ask("lay") == "laid", f"{who}: a hostile tree is laid")
    to = os.path.join(w.dir, f"hostile-to-{uid}")
    os.mkdir(to)
    os.chown(to, uid, uid)
    rc, out, err = s.copy("download", "/sandbox/out/hostile", to)
    got = sorted(os.listdir(os.fsencode(os.path.join(to, "hostile"))))
    t.ok(rc == 1 and got == sorted([b"good", b"in", b"\x1b[2J\xff\n"]), f"{who}: files and directories come, nothing else", rc, got, err)
    t.ok("a FIFO" in err and "a socket" in err and "a symbolic link" in err and "closed: Permission denied" in err,
         f"{who}: what was left out is said, each with its reason", err)
    t.ok("\x1b" not in err and "\xff" not in err, f"{who}: names do not steer the terminal", repr(err))
    rc, out, err = s.copy("download", "/sandbox/out/hostile", to, options=["--json"])
    j = json.loads(out)
    t.ok(rc == 1 and j["left_out"] == len(j["left_out_paths"]) == 5 and
         any(x["path"].endswith("/fifo") and x["why"] == "a FIFO" for x in j["left_out_paths"]), f"{who}: --json names them", out)
    rc, out, err = s.copy("download", "/dev/zero", "/dev/pts", "/sandbox/out/hostile/fifo", to)
    t.ok(rc == 1 and "/dev/zero: a device" in err and "fifo: a FIFO" in err, f"{who}: a device is not read", rc, err)
    rc, out, err = s.copy("download", "/sandbox/out/hostile/link", to)
    t.ok(rc == 0 and "sandbox:x:" in open(os.path.join(to, "link")).read(), f"{who}: a link that was named leads where the sandbox sees it", rc, err)
    for place in ("/sandbox/out/hostile/in/up", "/sandbox/out/hostile/in/up/new/", "/sandbox/out/hostile/in/up/in/new"):
        rc, out, err = s.copy("upload", "/etc/passwd", place)
        t.ok(rc == 1 and "symbolic link" in err and "'up'" in err, f"{who}: nothing is uploaded through a link that it left: {place}", rc, err)
    t.ok(not any(s.ask("has", "/sandbox/out/hostile/" + x) == "True" for x in ("passwd", "new", "in/new")), f"{who}: and nothing is made there")
    rc, out, err = s.copy("download", "/sandbox/out/huge", to)
    st = os.stat(os.path.join(to, "huge"))
    t.ok(rc == 0 and st.st_size == 1 << 40 and st.st_blocks * 512 < 10 << 20, f"{who}: a huge file with holes costs what is in it", rc, err)
    rc, out, err = s.copy("download", "/sandbox/out/beyond", to, limit=60)
    t.ok(rc in (0, 1) and not [x for x in os.listdir(to) if x.startswith(".osh-copy")], f"{who}: one beyond all bounds ends", rc, err)
    rc, out, err = s.copy("download", "/sandbox/out/deep", to)
    t.ok(rc == 1 and "too deep" in err, f"{who}: too deep is said", rc, err[-300:])
    s.tell("grow", 3)
    until(lambda: s.copy("download", "/sandbox/out/growing", to)[0] in (0, 1) and
          os.path.exists(os.path.join(to, "growing")), 2)
    rc, out, err = s.copy("download", "/sandbox/out/growing", to, limit=20)
    t.ok(rc in (0, 1), f"{who}: a file that grows has an end", rc, err)
    s.hear()
    s.tell("shrink", 4)
    seen = set()
    until(lambda: (seen.add(s.copy("download", "/sandbox/out/shrinking", to, limit=20)[2]),
                   any("became shorter" in x for x in seen))[1], 3.5)
    t.ok(any("became shorter" in x for x in seen) and "Traceback" not in s.hear(), f"{who}: one that becomes shorter is left out", seen)
    races(t, w, s, who, to)
    s.end()


def races(t, w, s, who, to):
    secret = open("/etc/passwd").read()
    s.tell("swap", 8)
    end, rounds, bad = time.monotonic() + 6, 0, []
    while time.monotonic() < end:
        shutil.rmtree(os.path.join(to, "race"), ignore_errors=True)
        rc, out, err = s.copy("download", "/sandbox/out/race", to, limit=20)
        rounds += 1
        if rc not in (0, 1):
            bad.append((rc, err))
        for d, subs, files in os.walk(os.path.join(to, "race")):
            for f in files + subs:
                p = os.path.join(d, f)
                if os.path.islink(p) or (os.path.isfile(p) and (not stat.S_ISREG(os.lstat(p).st_mode) or open(p).read() not in ("inside", ""))):
                    bad.append(p)
                if f == "passwd":
                    bad.append(p)
    t.ok(s.hear() == "swapped" and not bad and rounds > 2, f"{who}: {rounds} downloads while names are swapped: nothing but what lies there", bad[:3])
    up = os.path.join(w.dir, f"up-{s.uid}")
    os.makedirs(os.path.join(up, "up/sub"), exist_ok=True)
    for i in range(50):
        open(os.path.join(up, f"up/sub/f{i}"), "w").write("mine")
    subprocess.run(["chown", "-R", str(s.uid), up], check=True)
    outside = os.path.join(w.dir, "outside")
    before = sorted(os.listdir(w.dir))
    s.tell("swap_in", 6)
    end, rounds, bad = time.monotonic() + 4, 0, []
    while time.monotonic() < end:
        rc, out, err = s.copy("upload", os.path.join(up, "up"), "/sandbox/in/", limit=20)
        rounds += 1
        if rc not in (0, 1):
            bad.append((rc, err))
    t.ok(s.hear() == "swapped" and not bad and rounds > 2 and not os.path.exists(outside) and open("/etc/passwd").read() == secret and
         sorted(os.listdir(w.dir)) == before, f"{who}: {rounds} uploads while their directories become links", bad[:3])


def local(t, w, d):
    """What lies where a download goes to: nothing is written through it."""
    s = Sandbox(w, d, "local", NOBODY)
    s.ask("lay")
    to = os.path.join(w.dir, "local-to")
    os.makedirs(os.path.join(to, "tree"))
    target = os.path.join(w.dir, "precious")
    with open(target, "w") as f:
        f.write("precious")
    os.chown(target, NOBODY, NOBODY)
    os.symlink(target, os.path.join(to, "tree/empty"))
    os.symlink(w.dir, os.path.join(to, "tree/a"))
    subprocess.run(["chown", "-hR", f"{NOBODY}:{NOBODY}", to], check=True)
    rc, out, err = s.copy("download", "/sandbox/out/tree", to)
    t.ok(rc == 1 and "a: something that is no directory is in its place" in err, "a link in a directory's place is not followed", rc, err)
    t.ok(open(target).read() == "precious" and not os.path.islink(os.path.join(to, "tree/empty")) and
         not os.path.exists(os.path.join(w.dir, "b")), "one in a file's place is replaced, never written through")
    old = os.umask(0o077)
    rc, out, err = s.copy("download", "/sandbox/out/tree/a/b/file", os.path.join(to, "masked"))
    os.umask(old)
    t.ok(rc == 0 and mode(os.path.join(to, "masked")) == 0o700, "permissions are those that the umask leaves", rc, err)
    rc, out, err = s.copy("download", "/sandbox/out/tree", "/root")
    t.ok(rc == 1 and "Permission denied" in err, "with the rights of who asks", rc, err)
    rc, out, err = s.copy("upload", "/etc/shadow", "/sandbox")
    t.ok(rc == 1 and "Permission denied" in err, "upload too", rc, err)
    other = 65533
    rc, out, err = s.copy("download", "/sandbox/out/tree", to, **as_user(other))
    t.ok(rc == 1 and "no sandbox" in err, "another user's sandbox is none", rc, err)
    rc, out, err = s.copy("download", "/sandbox/out/tree", os.path.join(w.dir, "of-root"), user=0)
    t.ok(rc == 0 and os.stat(os.path.join(w.dir, "of-root/a/b/file")).st_uid == 0, "root may, and what it gets is root's", rc, err)
    of_group = w.write("work/of-group", "secret")
    os.chown(of_group, 0, 54321)
    os.chmod(of_group, 0o040)
    rc, out, err = s.copy("download", of_group, os.path.join(w.dir, "got"), user=0, extra_groups=[54321])
    t.ok(rc == 1 and not os.path.exists(os.path.join(w.dir, "got")), "root's own groups open nothing inside", rc, err)
    s.end()
    rc, out, err = s.copy("download", "/sandbox/out/tree", to)
    t.ok(rc == 1 and "no sandbox" in err, "and none when it has ended", rc, err)


def interrupt(t, w, d):
    s = Sandbox(w, d, "interrupt")
    src = os.path.join(w.dir, "large")
    with open(src, "wb") as f:
        f.truncate(1)
    subprocess.run(["dd", "if=/dev/zero", f"of={src}", "bs=1M", "count=600", "status=none"], check=True)
    s.ask("has", "/")
    p = subprocess.Popen([OSHCTL, "sandbox", "upload", "--socket", d.bus, "interrupt", src, "/tmp"], stderr=subprocess.PIPE)
    until(lambda: s.ask("has", f"/tmp/.osh-copy-{p.pid}-1") == "True", 5)
    p.send_signal(signal.SIGINT)
    rc = p.wait(20)
    t.ok(rc == 130 and s.ask("has", f"/tmp/.osh-copy-{p.pid}-1") == s.ask("has", "/tmp/large") == "False",
         "interrupted: nothing half is left", rc, p.stderr.read())
    s.end()


def main():
    t = Tap()
    wanted = sys.argv[1:]
    with Work(POLICY) as w, Daemon(w) as d:
        os.chown(w.work, NOBODY, NOBODY)
        for uid in (0, NOBODY):
            for part in (both_ways, hostile):
                if not wanted or part.__name__ in wanted:
                    part(t, w, d, uid)
        for part in (local, interrupt):
            if not wanted or part.__name__ in wanted:
                part(t, w, d)
    t.done()


main()
