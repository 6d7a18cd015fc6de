#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TLS that is looked into: unmodified clients trust the sandbox's root without any option, the root stays the
same when the egress or oshd is killed, and neither a wrong name nor a bad upstream passes."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from osh import held, kill, pids_of, until  # noqa: E402
from world import BUILD, World, rule  # noqa: E402

HELLO = "hello from outside"
URL = "https://allowed.example/hello"
JAVA = """import java.net.*; import java.net.http.*;
public class G { public static void main(String[] a) throws Exception {
 System.out.println(new String(new URL(a[0]).openStream().readAllBytes()));
 System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(),
	HttpResponse.BodyHandlers.ofString()).body()); }}
"""
GO = """package main
import ("fmt"; "io"; "net/http"; "os")
func main() { r, err := http.Get(os.Args[1]); if err != nil { fmt.Println(err); os.Exit(1) }
	b, _ := io.ReadAll(r.Body); fmt.Print(string(b)) }
"""
# The certificate that the program is shown, and the root that it is told to trust.
SEEN = ("openssl x509 -in /dev/osh/root.pem -noout -fingerprint; "
        "openssl s_client -connect allowed.example:443 -servername allowed.example -verify_return_error"
        " </dev/null 2>/dev/null | grep -m1 'Verify return code'")


def opened(*hosts):
    """Rules for any program, which are about requests."""
    return "".join(f"  - {{host: {h}, methods: [GET, HEAD]}}\n" for h in hosts)


def py(code):
    return f"/usr/bin/python3 -c \"{code}\""


def clients(w):
    """name, program or module that must exist, command, what the output must hold"""
    yield "curl, HTTP/2", "curl", f"curl -sS -w '%{{http_version}}' {URL}", HELLO + "\n2"
    yield "curl, HTTP/1.1", "curl", f"curl -sS --http1.1 -w '%{{http_version}}' {URL}", HELLO + "\n1.1"
    yield "curl, TLS 1.2", "curl", f"curl -sS --tls-max 1.2 {URL}", HELLO
    yield "curl without a variable", "curl", f"env -i /usr/bin/curl -sS {URL}", HELLO
    yield "wget", "wget", f"wget -q -O - {URL}", HELLO
    yield "python urllib", "python3", py(f"import urllib.request as u; print(u.urlopen('{URL}').read().decode())"), HELLO
    yield "python requests", "py:requests", py(f"import requests; print(requests.get('{URL}').text)"), HELLO
    yield "python httpx", "py:httpx", py(f"import httpx; print(httpx.get('{URL}').text)"), HELLO
    yield "node fetch", "node", f"node -e \"fetch('{URL}').then(r=>r.text()).then(console.log,e=>console.log(e,e.cause))\"", HELLO
    yield "node https", "node", f"node -e \"require('https').get('{URL}',r=>r.on('data',d=>console.log(''+d)))\"", HELLO
    yield "git clone", "git", ("git clone -q https://git.example/repo.git /tmp/r && git -C /tmp/r log --oneline"), " one"
    yield "npm install", "npm", (
        "mkdir -p /tmp/p && cd /tmp/p && echo '{}' > package.json && npm install --no-audit --no-fund --no-update-notifier"
        " --cache /tmp/npm --registry https://registry.example/ osh-stand-in 2>&1 && node -p \"require('osh-stand-in')\""), "42"
    yield "pip install", "py:pip", (
        "/usr/bin/python3 -m pip install -q --no-cache-dir --disable-pip-version-check --target /tmp/pip"
        " --index-url https://registry.example/simple/ osh-wheel 2>&1 &&"
        " PYTHONPATH=/tmp/pip /usr/bin/python3 -c 'import osh_wheel; print(osh_wheel.x)'"), "42"
    yield "java", os.path.join(w.work, "G.class"), f"$(readlink -f /usr/bin/java) -cp {w.work} G {URL}", HELLO + "\n\n" + HELLO
    yield "go", os.path.join(w.work, "get"), f"{w.work}/get {URL}", HELLO


def present(what):
    if what.startswith("py:"):
        return not subprocess.run(["/usr/bin/python3", "-c", "import " + what[3:]], capture_output=True, check=False).returncode
    return shutil.which(what) or os.path.exists(what)


def prepare(w):
    w.git_repository()
    w.npm_package()
    d = os.path.join(w.www, "simple", "osh-wheel")
    os.makedirs(d)
    name = "osh_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(d, name), "w") as z:
        z.writestr("osh_wheel.py", "x = 42\n")
        info = "osh_wheel-1.0.dist-info/"
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: osh-wheel\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", f"osh_wheel.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n")
    with open(os.path.join(d, "index.html"), "w") as f:
        f.write(f'<a href="{name}">{name}</a>\n')
    for program, name, text in (("javac", "G.java", JAVA), ("go", "get.go", GO)):
        if not shutil.which(program):
            continue
        with open(os.path.join(w.work, name), "w") as f:
            f.write(text)
        cmd = [program, name] if program == "javac" else [program, "build", "-o", "get", name]
        env = dict(os.environ, HOME=w.dir, GOCACHE=os.path.join(w.dir, "go"), GOFLAGS="-mod=mod", CGO_ENABLED="0")
        subprocess.run(cmd, cwd=w.work, env=env, check=False, capture_output=True, timeout=300)


def trusted(t, w, policy):
    for name, needs, command, want in clients(w):
        if not present(needs):
            t.skip(name, f"{os.path.basename(needs)} is not installed")
            continue
        r = w.run(policy, ["sh", "-c", command], timeout=120)
        t.ok(r.rc == 0 and want in r.out, name, r)
    r = w.run(policy, ["sh", "-c", "echo $SSL_CERT_FILE $NODE_EXTRA_CA_CERTS"], options=["-e", "SSL_CERT_FILE=/mine"])
    t.ok(r.out.split() == ["/mine", "/dev/osh/root.pem"], "what the user sets stays", r)
    r = w.run(policy, ["sh", "-c", "for f in /dev/osh/* /etc/ssl/certs/ca-certificates.crt; do (: >> $f) 2>/dev/null && echo WRITTEN; done;"
                       " cmp /dev/osh/ca.pem /etc/ssl/certs/ca-certificates.crt && grep -c PRIVATE /dev/osh/*.pem"])
    t.ok("WRITTEN" not in r.out and ":0" in r.out and ":1" not in r.out, "the trusted files are read-only, without a key", r)


def foreign_root(w):
    """A root that has signed nothing here."""
    path = os.path.join(w.work, "foreign.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=foreign root", "-keyout", os.path.join(w.work, "foreign.key"), "-out", path],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def refused(t, w, policy):
    before = len(w.requests())
    fetch = ["curl", "-sS", "-w", " %{http_code}", URL]
    r = w.run(policy, fetch, options=["--upstream-ca", w.write("none.pem", "")])
    t.ok(r.rc == 125 and "none.pem: holds no certificate" in r.err, "a file of roots without one is refused before anything runs", r)
    r = w.run(policy, fetch, options=["--upstream-ca", foreign_root(w)])
    t.ok(r.rc == 0 and "502" in r.out and "does not verify" in r.out, "an upstream that nobody vouches for: 502 with the reason", r)
    t.ok(any(e.why == "UPSTREAM_CERT" and e.denied for e in r.events), "and an event", r)
    r = w.run(policy.replace("allowed.example", "other.example"), ["curl", "-sS", "-w", " %{http_code}", "https://other.example/hello"],
              options=["--upstream-hosts", w.wrong_name])
    t.ok("502" in r.out and "hostname mismatch" in r.out, "an upstream of another name: 502 with the reason", r)
    t.ok(len(w.requests()) == before, "neither has seen a request")
    r = w.run(policy, ["sh", "-c", "curl -sS --connect-to other.example:443:allowed.example:443 https://other.example/hello"])
    t.ok(r.rc == 35 and any(e.why == "TLS_SNI" for e in r.events), "another name in the client hello is refused", r)
    r = w.run(policy, ["sh", "-c", "openssl s_client -connect allowed.example:443 -noservername </dev/null 2>&1 | grep -i alert"])
    t.ok("unrecognized name" in r.out, "no name in the client hello is refused", r)
    r = w.run(policy, ["sh", "-c", "curl -sS -w ' %{http_code}' http://allowed.example:443/hello"])
    t.ok("PLAIN_ON_TLS" in r.out, "plain HTTP on the port for TLS is refused, readably", r)


def skipped(t, w):
    closed = "  c:\n    endpoints: [{host: allowed.example, port: 443, tls: skip}]\n    binaries: [{path: /**}]\n"
    r = w.run(w.policy(closed), ["sh", "-c", f"ls /dev/osh; curl -sS --cacert {w.ca} -v {URL} 2>&1"])
    t.ok(HELLO in r.out and "osh test CA" in r.out, "tls: skip goes through closed, with the upstream's own certificate", r)
    t.ok("root.pem" not in r.out, "and brings no root", r)
    r = w.run(w.policy(rule("all", ["allowed.example"])), ["sh", "-c", "ls /dev/osh; env | grep -c /dev/osh"])
    t.ok("root.pem" not in r.out and "0" in r.out.split(), "a policy that looks into nothing brings no root", r)


def memory_holds(pid, needle):
    """Does any readable page of that process hold these bytes? None = it has gone."""
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                at, rights = line.split()[:2]
                if rights[0] != "r" or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    continue
                begin, end = (int(x, 16) for x in at.split("-"))
                if end - begin > 1 << 28:  # a sanitizer's shadow, of somebody else's tests
                    continue
                try:
                    mem.seek(begin)
                    if needle in mem.read(end - begin):
                        return True
                except (OSError, ValueError, OverflowError):
                    pass
            return False
    except OSError:
        return None


def children(pid):
    below = []
    for p in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            parent = int(open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            below += [p, *children(p)]
    return below


def find_key(pid):
    for fd, target in held(pid).items():
        if "osh-root" in target:
            with open(f"/proc/{pid}/fd/{fd}", "rb") as f:
                return f.read()[8:40]
    return None


def key_stays(t, d):
    """The key is in one memfd and in the egress, and nowhere else."""
    key = find_key(d.p.pid)
    t.ok(key and len(set(key)) > 8, "the key lies in a memfd of oshd's")
    egress = pids_of("osh-egress")
    t.ok(len(egress) == 1 and memory_holds(egress[0], key), "the egress has it")
    others = sum((pids_of(n) for n in ("osh-launch", "osh-audit", "osh-init", "oshctl")), [])
    others += sum((children(p) for p in pids_of("osh-init")), [])
    t.ok(memory_holds(d.p.pid, key) is False and len(others) > 3 and not any(memory_holds(p, key) for p in others),
         "oshd has it not, nor any other process of osh's or of the sandbox")
    fds = held(egress[0]).values()
    t.ok(not any("osh-root" in fd or "osh-anchors" in fd for fd in fds), "and the egress has let go of the descriptor", "\n".join(fds))


def same_root(t, w, policy):
    """Killed in the middle: what comes next has the same root, and a running program trusts it still."""
    with w.resident() as d:
        go, out = os.path.join(w.work, "go"), os.path.join(w.work, "out")
        script = f"{SEEN}; while ! [ -e {go}1 ]; do sleep 0.1; done; {SEEN}; while ! [ -e {go}2 ]; do sleep 0.1; done; {SEEN}"
        p = subprocess.Popen([os.path.join(BUILD, "oshctl"), "run", "-p", w.write("same.yaml", policy), "--workdir", w.work, "--socket", d.bus,
                              "--", "sh", "-c", f"({script}) > {out}"], stdin=subprocess.DEVNULL)

        def told(n):
            return os.path.exists(out) and open(out).read().count("Verify return code") >= n
        t.ok(until(lambda: told(1), 20), "a program is served", open(out).read() if os.path.exists(out) else "")
        key_stays(t, d)
        kill(pids_of("osh-egress"))
        open(go + "1", "w").close()
        t.ok(until(lambda: told(2), 20), "and served again after its egress was killed")
        os.kill(d.p.pid, signal.SIGKILL)
        d.p.wait()
        d.start()
        kill(pids_of("osh-egress"))
        open(go + "2", "w").close()
        t.ok(until(lambda: told(3), 20), "and again, by an egress that the next oshd started", d.errors())
        p.wait(120)
        lines = open(out).read().splitlines()
        t.ok(len(set(lines)) == 2 and lines[1].endswith("0 (ok)"), "with the same root throughout", "\n".join(lines))


def main():
    t = Tap()
    with World() as w:
        prepare(w)
        policy = w.policy(opened("allowed.example", "git.example", "registry.example"))
        for d in glob.glob("/etc/java-*"):  # OpenJDK keeps its settings there
            policy = policy.replace("read_only: [", f"read_only: [{d}, ", 1)
        if w.run(policy, ["true"]).rc:
            t.skip("TLS that is looked into", "this build refuses such policies")
            t.done()
        trusted(t, w, policy)
        w.wrong_name = os.path.join(w.dir, "hosts-wrong")
        with open(w.wrong_name, "w") as f:
            f.write(f"127.0.0.1:{w.tls4.server_port} other.example\n")
        refused(t, w, policy)
        skipped(t, w)
        same_root(t, w, policy)
    t.done()


if __name__ == "__main__":
    main()
