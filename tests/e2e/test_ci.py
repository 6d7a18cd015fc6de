#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The recipe of docs/ci.md: its own script and policies, each stage with what it is for and what it must not do, against
a registry on the loopback that writes down what reaches it."""
import http.server
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap, run  # noqa: E402
from world import World  # noqa: E402

LIMIT = 200
REGISTRY, TOKEN, SECRET = "registry.npmjs.org", "npm_0123456789abcdefSECRET", "what-only-the-job-knows"
URL = f"https://{REGISTRY}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        answer = b"console.log(6 * 7)\n" if self.command == "GET" else b"{}\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, w):
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=w.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.seen = []
        w.write("npm.ext", f"subjectAltName=DNS:{REGISTRY}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "npm.key", "-out", "npm.csr",
                "-subj", "/CN=" + REGISTRY)
        openssl("x509", "-req", "-in", "npm.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "npm.ext", "-out", "npm.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(w.dir, "npm.pem"), os.path.join(w.dir, "npm.key"))
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        with open(w.hosts, "a") as f:
            f.write(f"127.0.0.1:{self.server_port} {REGISTRY}\n")

    def finish_request(self, request, client):
        request.settimeout(LIMIT)
        super().finish_request(self.context.wrap_socket(request, server_side=True), client)

    def handle_error(self, *_):
        pass


class Job:
    """A checkout with the recipe as .osh on its main branch, and a runner's environment."""

    def __init__(self, w):
        self.w, self.at, self.osh = w, os.path.join(w.dir, "checkout"), os.path.join(w.dir, "osh")
        os.mkdir(self.at)
        self.git("init", "-q", "-b", "main")
        shutil.copytree(os.path.join(ROOT, "docs/ci"), os.path.join(self.at, ".osh"))
        self.git("add", ".osh")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "policies")
        self.env = {"PATH": os.path.realpath(BUILD) + ":/usr/bin:/bin:/usr/sbin:/sbin", "HOME": w.dir, "SECRET": SECRET,
                    "NPM_TOKEN": TOKEN, "OSH_RUN_OPTIONS": f"--upstream-hosts {w.hosts} --upstream-ca {w.anchor}"}
        w.write("id_rsa", SECRET)

    def git(self, *a):
        subprocess.run(["git", *a], cwd=self.at, check=True, stdout=subprocess.DEVNULL)

    def prepare(self, ref="main"):
        script = subprocess.run(["git", "show", f"{ref}:.osh/osh-stage"], cwd=self.at, stdout=subprocess.PIPE, check=True).stdout
        path = self.w.write("begin", script.decode())
        return run(["sh", path, "--prepare", ref, self.osh], LIMIT, cwd=self.at, env=self.env)

    def stage(self, name, command, script=None):
        return run([script or os.path.join(self.osh, "osh-stage"), name, "sh", "-c", command], LIMIT, cwd=self.at, env=self.env)


def t_prepare(t, job):
    rc, out, err = job.prepare()
    t.ok(rc == 0 and os.path.exists(job.osh + "/publish.yaml"), "the runner is judged, and policies come from the branch", out, err)
    with open(os.path.join(job.osh, "token"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(TOKEN)
    with open(os.path.join(job.at, ".osh/build.yaml"), "a") as f:      # what a change would like
        f.write(f"network: [{{host: {REGISTRY}}}]\n")
    rc, _, err = job.stage("build", "true", os.path.join(job.at, ".osh/osh-stage"))
    t.ok(rc == 2 and "in the checkout" in err, "a script in the checkout is not taken", rc, err)
    rc, _, err = job.stage("nosuch", "true")
    t.ok(rc == 2 and "no policy" in err, "nor a stage without a policy", rc, err)


def t_works(t, job, reg):
    rc, _, err = job.stage("fetch", f"curl -fsS -o dep.js {URL}/dep/-/dep-1.0.0.tgz")
    t.ok(rc == 0 and reg.seen[-1][:2] == ("GET", "/dep/-/dep-1.0.0.tgz"), "fetch reads a package", rc, err, reg.seen)
    rc, _, err = job.stage("build", "mkdir dist && node dep.js > dist/answer && tar -czf dist/p.tgz dist/answer")
    t.ok(rc == 0 and os.path.exists(job.at + "/dist/p.tgz"), "build makes something of it", rc, err)
    here = os.stat(job.at)
    t.ok(os.stat(job.at + "/dist/p.tgz").st_uid == here.st_uid, "and it belongs to whose checkout it is")
    server = "const s=require('http').createServer((q,r)=>r.end('up')).listen(8080,'127.0.0.1',async()=>{" \
             "console.log(await (await fetch('http://127.0.0.1:8080/')).text());s.close()})"
    rc, out, err = job.stage("test", f"grep -q 42 dist/answer && node -e \"{server}\"")
    t.ok(rc == 0 and "up" in out, "test runs, with a server on its own loopback", rc, out, err)
    rc, _, err = job.stage("publish", f"curl -fsS -T dist/p.tgz -H \"Authorization: Bearer $NPM_TOKEN\" {URL}/mine")
    t.ok(rc == 0 and reg.seen[-1][:3] == ("PUT", "/mine", "Bearer " + TOKEN) and reg.seen[-1][3][:2] == b"\x1f\x8b",
         "publish sends the package, and the registry sees the token", rc, err, [s[:3] for s in reg.seen])


# Every stage, and all of these must fail in it.
NEVER = {
    "reach another host": "curl -sS -m 60 https://allowed.example/hello",
    "reach an address": "curl -sS -m 60 http://127.0.0.1:{port}/hello",
    "read the job's secrets": "env | grep -q '{secret}' || grep -q '{secret}' {home}/id_rsa",
    "read the token": "env | grep -q '{token}' || grep -rq '{token}' {osh} /proc/self/environ",
    "leave a hook in .git": "echo true > .git/hooks/post-checkout",
    "move the branch": "git -c safe.directory='*' commit -q --allow-empty -m x",
    "change a policy": "echo > {osh}/publish.yaml",
}
# And of each stage alone: (what, command, what the registry must not see)
MUST_NOT = [
    ("fetch", "send anything", f"curl -fsS -m 60 -T dep.js {URL}/mine", "PUT"),
    ("fetch", "post anything", f"curl -fsS -m 60 -d @dep.js {URL}/mine", "POST"),
    ("build", "read the registry", f"curl -fsS -m 60 {URL}/dep", "GET"),
    ("build", "publish", f"curl -fsS -m 60 -T dep.js {URL}/mine", "PUT"),
    ("test", "read the registry", f"curl -fsS -m 60 {URL}/dep", "GET"),
    ("test", "publish", f"curl -fsS -m 60 -T dep.js {URL}/mine", "PUT"),
    ("publish", "read the registry", f"curl -fsS -m 60 {URL}/dep", "GET"),
    ("publish", "post", f"curl -fsS -m 60 -d @dep.js {URL}/mine", "POST"),
    ("publish", "send with another program", f"/usr/bin/python3 -c \"import urllib.request as u;"
     f"u.urlopen(u.Request('{URL}/mine',method='PUT',data=b'x'))\"", "PUT"),
]


def t_never(t, job, reg):
    words = {"port": job.w.canary.port, "secret": SECRET, "token": TOKEN, "home": job.w.dir, "osh": job.osh}
    was = len(reg.seen)
    for stage in ("fetch", "build", "test", "publish"):
        tries = "; ".join(f"( {c.format(**words)} ) >/dev/null 2>&1 && echo \"DID: {n}\"" for n, c in NEVER.items())
        rc, out, err = job.stage(stage, tries + "; echo END")
        t.ok("END" in out and "DID" not in out, f"{stage} cannot: " + ", ".join(w.format(**words) for w in NEVER), rc, out, err)
        log = open(f"{job.osh}/logs/{stage}.jsonl").read()
        t.ok("allowed.example" in log, f"and {stage}'s log has the attempt", log[-500:])
    t.ok(len(reg.seen) == was and job.w.canary.counts() == (0, 0), "and nothing of it arrived", reg.seen[was:])


def t_must_not(t, job, reg):
    for stage, what, command, method in MUST_NOT:
        was = len(reg.seen)
        rc, out, err = job.stage(stage, command)
        t.ok(rc not in (0, 124) and not [s for s in reg.seen[was:] if s[0] == method], f"{stage} cannot {what}", rc, out, err,
             reg.seen[was:])


def t_recipes(t):
    for name in ("github.yml", "gitlab-ci.yml"):
        text = open(os.path.join(ROOT, "docs/ci", name)).read()
        stages = re.findall(r"\$OSH/osh-stage (\w+)", text)
        t.ok(stages == ["fetch", "build", "test", "publish"] and "osh-stage | sh -s -- --prepare" in text.replace('"', ""),
             f"{name} prepares, and runs the stages that were tested", stages)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("ci", "needs root")
        t.done()
    w = World()
    reg = Registry(w)
    try:
        job = Job(w)
        t_prepare(t, job)
        t_works(t, job, reg)
        t_never(t, job, reg)
        t_must_not(t, job, reg)
        t_recipes(t)
    finally:
        reg.shutdown()
        w.close()
    t.done()


if __name__ == "__main__":
    main()
