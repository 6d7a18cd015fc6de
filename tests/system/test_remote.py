#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`oshctl -H HOST`, against a real sshd on the loopback of a network namespace of its own, with keys and
configuration of its own; no service of the host is started or touched."""
import json
import os
import random
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, policy, until  # noqa: E402

PORT = 2222
NASTY = ["", " ", "'", '"', "\\", "$HOME", "`id`", "$(id)", "a;b", "a&b", "a|b", "*", "~", "!", "#x", "-p", "--", "\n", "\t", "a\nb",
         "\x1b[31m", "\u00e9", "%s", "=x", "{a,b}", "\\'", "'\\''", "x" * 5000]


class Sshd:
    def __init__(self, w, d):
        self.dir = os.path.join(w.dir, "ssh")
        os.mkdir(self.dir, 0o700)
        for key in ("host", "user", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.at(key)], check=True)
        shutil.copy(self.at("user.pub"), self.at("authorized"))
        with open(self.at("config"), "w") as f:
            f.write(f"Port {PORT}\nListenAddress 127.0.0.1\nListenAddress ::1\nHostKey {self.at('host')}\nPidFile none\nUsePAM no\n"
                    f"AuthorizedKeysFile {self.at('authorized')}\nStrictModes no\nPermitRootLogin prohibit-password\n"
                    f"PasswordAuthentication no\nSetEnv PATH={os.path.realpath(BUILD)}:/usr/bin:/bin OSH_SOCKET={d.bus}\n")
        with open(self.at("known"), "w") as f:
            for name in (f"[127.0.0.1]:{PORT}", f"[::1]:{PORT}", "box"):
                f.write(name + " " + open(self.at("host.pub")).read())
        with open(self.at("client"), "w") as f:
            f.write(f"Host box\n HostName 127.0.0.1\n Port {PORT}\n User root\n HostKeyAlias box\nHost *\n IdentityFile {self.at('user')}\n"
                    f" IdentitiesOnly yes\n UserKnownHostsFile {self.at('known')}\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n"
                    " BatchMode yes\n")
        os.mkdir(self.at("bin"))
        with open(self.at("bin/ssh"), "w") as f:
            f.write(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{self.at('asked')}\nexec /usr/bin/ssh -F {self.at('client')} \"$@\"\n")
        os.chmod(self.at("bin/ssh"), 0o755)
        os.makedirs("/run/sshd", 0o755, exist_ok=True)
        self.p = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", self.at("config")], stdin=subprocess.DEVNULL,
                                  stderr=open(self.at("log"), "w"))

    def at(self, name):
        return os.path.join(self.dir, name)

    def __enter__(self):
        if not until(lambda: "listening on ::1" in open(self.at("log")).read(), 10):
            raise RuntimeError("sshd does not start: " + open(self.at("log")).read())
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OSH_")}
        return {**env, "PATH": self.at("bin") + ":" + env["PATH"], **more}

    def ctl(self, *args, host="root@127.0.0.1:2222", data=None, cwd=None, **more):
        args = [OSHCTL, *(["-H", host] if host else []), *args]
        p = subprocess.run(args, input=data, stdin=subprocess.DEVNULL if data is None else None, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, cwd=cwd, env=self.env(**more), timeout=60, check=False)
        return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def t_runs(t, s, w):
    at = ("-p", os.path.basename(w.policy), "-w", w.work)
    rc, out, err = s.ctl("run", *at, "--", "sh", "-c", "echo out; echo err >&2; exit 7", cwd=w.dir)
    t.ok((rc, out) == (7, b"out\n") and "err" in err, "a run on the other host, with a policy of this one", rc, out, err)
    got = [s.ctl("run", *at, "--", "sh", "-c", f"exit {n}", cwd=w.dir)[0] for n in (0, 1, 125, 254)]
    t.ok(got == [0, 1, 125, 254], "exit statuses are passed on", got)
    rc, _, err = s.ctl("run", *at, "--", "sh", "-c", "exit 255", cwd=w.dir)
    t.ok(rc == 254 and "ended with 255" in err, "255 of the command is told apart from ssh's", rc, err)
    rc, out, err = s.ctl("run", *at, "--", "printf", "%s\\0", *NASTY, cwd=w.dir)
    t.ok(rc == 0 and out.split(b"\0")[:-1] == [x.encode() for x in NASTY], "no shell on the way reads an argument", out, err)
    rng = random.Random(11)
    for _ in range(5):
        words = ["".join(chr(rng.choice([rng.randrange(1, 128), 39, 34, 92, 36, 10, 33])) for _ in range(rng.randrange(60))) for _ in range(20)]
        rc, out, err = s.ctl("run", *at, "--", "printf", "%s\\0", *words, cwd=w.dir)
        if out.split(b"\0")[:-1] != [x.encode() for x in words]:
            break
    t.ok(rc == 0 and out.split(b"\0")[:-1] == [x.encode() for x in words], "nor any of a hundred random ones", words, out, err)
    data = random.Random(5).randbytes(1 << 20)
    rc, out, err = s.ctl("run", *at, "--", "cat", data=data, cwd=w.dir)
    t.ok(rc == 0 and out == data, "stdin and stdout carry any bytes", rc, len(out), err)


def t_policies(t, s, w):
    rc, _, err = s.ctl("run", "-p", "nowhere.yaml", "--", "true", cwd=w.dir)
    t.ok(rc == 1 and "nowhere.yaml' here" in err and "remote:" in err, "a policy that is not here is said so", rc, err)
    rc, _, err = s.ctl("run", "-p", "remote:" + w.policy, "-w", w.work, "--", "true")
    t.ok(rc == 0, "remote:PATH is a policy of the other host", rc, err)
    w.write("bad.yaml", "version: 1\nfilesystem_polic: {}\n")
    rc, _, err = s.ctl("run", "-p", "bad.yaml", "--", "true", cwd=w.dir)
    t.ok(rc == 125 and "bad.yaml:2:" in err, "mistakes are shown by the name and line that it has here", rc, err)
    rc, out, err = s.ctl("policy", "explain", "--policy=" + os.path.basename(w.policy), "CONNECT echo.test:443", cwd=w.dir)
    here = run([OSHCTL, "policy", "explain", "-p", w.policy, "CONNECT echo.test:443"])
    t.ok((rc, out.decode()) == here[:2], "policy explain answers as here", rc, out, err, here)
    big = w.write("big.yaml", open(w.policy).read() + "# " + "x" * 100000 + "\n")
    rc, _, err = s.ctl("run", "-p", big, "--", "true")
    t.ok(rc == 1 and "copy the policy there" in err, "one that is too large says what to do", rc, err)
    p = subprocess.Popen([OSHCTL, "-H", "box", "run", "-p", w.policy, "-w", w.work, "-e", "WORD=swordfish", "--", "sh", "-c", "echo up; read x"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=s.env())
    p.stdout.readline()
    word = open(s.at("asked")).read().split("--remote ")[1].strip().encode()
    shown = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if word[:200] in open(f"/proc/{pid}/cmdline", "rb").read():
                shown.append(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            pass
    t.ok(all(x.endswith("/ssh") for x in shown), "the other host's process list does not show what came", shown)
    p.communicate(b"\n")


def t_living(t, s, w, d):
    at = os.path.basename(w.policy)
    rc, _, err = s.ctl("sandbox", "create", "-n", "made", "-l", "team=a", "-w", w.work, "-p", at, cwd=w.dir)
    t.ok(rc == 0, "sandbox create with a policy of this host", rc, err)
    rc, out, err = s.ctl("sandbox", "exec", "-i", "made", "--", "cat", data=b"through", cwd=w.dir)
    t.ok((rc, out) == (0, b"through"), "exec in it, with stdin", rc, out, err)
    rc, _, err = s.ctl("sandbox", "exec", "made", "--", "getent", "hosts", "asked.test")
    t.ok(rc == 2, "its exit status", rc, err)
    w.write("next.yaml", open(w.policy).read() + "  - {host: other.test, ports: [443]}\n")
    rc, out, err = s.ctl("policy", "set", "made", "-p", "next.yaml", "--wait", cwd=w.dir)
    t.ok(rc == 0 and b"made" in out, "policy set with a policy of this host", rc, out, err)
    rc, out, err = s.ctl("policy", "get", "made")
    t.ok(rc == 0 and out == open(os.path.join(w.dir, "next.yaml"), "rb").read(), "which the other host keeps", rc, out, err)
    rc, _, err = s.ctl("sandbox", "delete", "-f", "made")
    t.ok(rc == 0, "delete", rc, err)

    def lines():
        return s.ctl("sandbox", "logs", "made", "--json")[1].decode()
    t.ok(until(lambda: '"ENDED"' in lines()) and "asked.test" in lines() and '"RELOADED"' in lines(),
         "what it did is in the log after it was deleted", lines()[-500:])
    here = run([OSHCTL, "sandbox", "logs", "made", "--denied", "--socket", d.bus])
    t.ok(here[0] == 0 and "asked.test" in here[1], "there too", here)


def t_hosts(t, s, w):
    for host in ("box", f"root@[::1]:{PORT}", f"127.0.0.1:{PORT}"):
        rc, out, err = s.ctl("policy", "preset", "list", host=host)
        t.ok(rc == 0 and b"default" in out, f"-H {host}", rc, err)
    rc, out, _ = s.ctl("policy", "preset", "list", host=None, OSH_HOST="box")
    t.ok(rc == 0 and b"default" in out and "box" in open(s.at("asked")).read(), "OSH_HOST is the same")
    rc = s.ctl("policy", "preset", "list", host="box", OSH_HOST="nowhere.invalid")[0]
    t.ok(rc == 0, "and -H goes before it")
    for args in (["-Hbox"], ["--host=box"], ["--host", "box"]):
        t.ok(s.ctl(*args, "policy", "preset", "list", host=None)[0] == 0, " ".join(args))
    for why, host in (("no such port", "root@127.0.0.1:9"), ("a host whose key is not known", f"root@127.0.0.2:{PORT}"),
                      ("a user who may not", f"nobody@127.0.0.1:{PORT}")):
        rc, _, err = s.ctl("policy", "preset", "list", host=host)
        t.ok(rc == 125 and "ssh failed" in err, f"{why}: 125, and it is said", rc, err)
    os.unlink(s.at("asked"))
    for host in (f"-oProxyCommand=touch {w.dir}/pwned", f"x@-oProxyCommand=touch {w.dir}/pwned", f"$(touch {w.dir}/pwned)", "a b", "a\nb", " "):
        rc, _, err = s.ctl("policy", "preset", host=host)
        if rc != 2 or os.path.exists(s.at("asked")):
            break
    t.ok(rc == 2 and not os.path.exists(s.at("asked")) and not os.path.exists(w.dir + "/pwned"),
         "what could be an option or a command never reaches ssh", host, rc, err)
    rc, _, err = s.ctl(host="box")
    t.ok(rc == 2 and "usage" in err, "no verb is no call")


def t_terminal(t, s, w):
    line = f"{OSHCTL} -H box run -p {w.policy} -w {w.work} -- sh -c 'test -t 0 && test -t 1 && echo is a tty; exit 3'"
    p = subprocess.run(["script", "-qec", line, "/dev/null"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=s.env(TERM="xterm"),
                       timeout=60, check=False)
    t.ok(b"is a tty" in p.stdout and p.returncode == 3, "a terminal here is one there", p.returncode, p.stdout)


def t_logs(t, s, d):
    rc, out, err = s.ctl("logs", "--json", "--denied")
    here = run([OSHCTL, "logs", "--json", "--denied", "--socket", d.bus])
    t.ok(rc == 0 and out.decode() == here[1] and all(json.loads(x) for x in out.splitlines()), "its log, from here", rc, err)
    p = subprocess.Popen([OSHCTL, "-H", "box", "logs", "-f", "-n", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=s.env())
    p.stdout.readline()
    p.terminate()
    t.ok(until(lambda: p.poll() is not None, 10), "ended here, ssh ends too", p.poll())
    p.kill()


def main():
    t = Tap()
    if not os.path.exists("/usr/sbin/sshd"):
        print("no sshd: apt-get install openssh-server")
        sys.exit(77)
    with Work(policy("{host: echo.test, ports: [443]}")) as w, Daemon(w) as d, Sshd(w, d) as s:
        t_runs(t, s, w)
        t_policies(t, s, w)
        t_living(t, s, w, d)
        t_hosts(t, s, w)
        t_terminal(t, s, w)
        t_logs(t, s, d)
    t.done()


if __name__ == "__main__":
    if sys.argv[1:] != ["inside"]:
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$1" inside', sys.executable, __file__])
    main()
