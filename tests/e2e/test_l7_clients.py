#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients whose requests are looked into. None is told of a certificate authority, of a proxy or
of us: curl, wget, git, npm, pip, node and python find what they need in the sandbox's own view."""
import os
import shutil
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap  # noqa: E402
import l7_world  # noqa: E402

RULES = """  - {host: allowed.example, methods: [GET], paths: [/hello, "/big"]}
  - {host: v4.example, methods: [GET, POST], paths: [/hello]}
  - {host: git.example, methods: [GET, POST], paths: [/repo.git/info/refs, /repo.git/git-upload-pack]}
  - {host: registry.example, methods: [GET], paths: [/osh-stand-in, "/npm/*", "/simple/**", "/files/*"]}
"""
HELLO = "seen GET /hello"
URL = "https://allowed.example/hello"


class Handler(l7_world.Handler):
    """Also a git server and two package registries."""

    def do(self):
        path, _, query = self.path.partition("?")
        www = self.server.www
        path += "index.html" if path.endswith("/") else ""
        if path.startswith("/repo.git/"):
            self.git(path, query)
        elif os.path.isfile(os.path.join(www, path[1:])):
            with open(os.path.join(www, path[1:]), "rb") as f:
                self.answer(f.read(), Content_Type="text/html" if path.startswith("/simple") else "application/octet-stream")
        else:
            super().do()

    def git(self, path, query):
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), 0))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        env = {"GIT_PROJECT_ROOT": self.server.www, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
               "CONTENT_LENGTH": str(len(body)), "REMOTE_USER": "u", "REMOTE_ADDR": "127.0.0.1", "PATH": os.environ["PATH"],
               "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        p = subprocess.run(["git", "http-backend"], env=env, input=body, stdout=subprocess.PIPE)
        head, _, rest = p.stdout.partition(b"\r\n\r\n")
        fields = dict(x.split(": ", 1) for x in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        self.answer(rest, status, **fields)


l7_world.Server.handler = Handler


def pip_package(w):
    d = os.path.join(w.www, "files")
    os.makedirs(d)
    wheel = os.path.join(d, "osh_stand_in-1.0-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as z:
        z.writestr("osh_stand_in.py", "ANSWER = 42\n")
        z.writestr("osh_stand_in-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: osh-stand-in\nVersion: 1.0\n")
        z.writestr("osh_stand_in-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr("osh_stand_in-1.0.dist-info/RECORD", "")
    os.makedirs(os.path.join(w.www, "simple", "osh-stand-in"))
    with open(os.path.join(w.www, "simple", "osh-stand-in", "index.html"), "w") as f:
        f.write('<!DOCTYPE html><a href="/files/osh_stand_in-1.0-py3-none-any.whl">osh_stand_in-1.0-py3-none-any.whl</a>')


def python(code):
    return f"/usr/bin/python3 -c \"{code}\""


def cases():
    """name, what must be there, command line, exit status, what the output must hold"""
    yield "curl, HTTP/1.1", "curl", f"curl -sS --http1.1 {URL} {URL}", 0, HELLO
    yield "curl, HTTP/2", "curl", f"curl -sS --http2 -w '%{{http_version}}' {URL}", 0, "\n2"
    yield "curl, many at once", "curl", f"curl -sS -Z {' '.join([URL] * 50)} | grep -c seen", 0, "50"
    yield "curl, a denial", "curl", "curl -sS -X POST -d a=b " + URL, 0, '"error":"policy_denied"'
    yield "curl, a denied upload", "curl", "head -c 3000000 /dev/zero > /tmp/z && curl -sS -T /tmp/z " + URL, 0, '"error":"policy_denied"'
    yield "curl, HTTP/1.1, a denied upload", "curl", "head -c 3000000 /dev/zero > /tmp/z && curl --http1.1 -sS -T /tmp/z " + URL, 0, '"error":"policy_denied"'
    yield "wget", "wget", f"wget -q -O - {URL}", 0, HELLO
    yield "wget, a denial", "wget", "wget -S -O - https://allowed.example/nope 2>&1", 8, "403"
    yield "python urllib", "/usr/bin/python3", python(f"import urllib.request as u; print(u.urlopen('{URL}').read().decode())"), 0, HELLO
    yield "python requests", "py:requests", python(f"import requests as r; s=r.Session(); [s.get('{URL}') for i in range(3)]; print(s.get('{URL}').text); print(s.post('{URL}').json()['error'])"), 0, "policy_denied"
    yield "python httpx", "py:httpx", python(f"import httpx as r; print(r.get('{URL}').text)"), 0, HELLO
    yield "node fetch", "node", f"node -e \"fetch('{URL}').then(r=>r.text()).then(t=>console.log(t))\"", 0, HELLO
    yield "node fetch, a denial", "node", f"node -e \"fetch('{URL}',{{method:'PUT',body:'x'}}).then(r=>r.json()).then(t=>console.log(t.detail))\"", 0, "PUT /hello not permitted by policy"
    yield "node https", "node", f"node -e \"require('https').get('{URL}',r=>r.pipe(process.stdout))\"", 0, HELLO
    yield "git clone over https", "git", "cd /tmp && git clone -q https://git.example/repo.git r && git -C r log --oneline", 0, " one"
    yield "git fetch and an old protocol", "git", "cd /tmp && git -c protocol.version=0 clone -q https://git.example/repo.git o && git -C o fetch -q && echo done", 0, "done"
    yield "git push is denied by its path", "git", ("cd /tmp && git clone -q https://git.example/repo.git p && cd p && git -c user.name=t -c user.email=t@e commit -q "
                                                    "--allow-empty -m two && git push origin HEAD:refs/heads/x 2>&1"), 1, "403"
    yield "npm install", "npm", ("mkdir -p /tmp/p && cd /tmp/p && echo '{}' > package.json && npm install --no-audit --no-fund --no-update-notifier "
                                 "--cache /tmp/npm --registry https://registry.example/ osh-stand-in 2>&1 && node -p \"require('osh-stand-in')\""), 0, "42"
    yield "pip install", "py:pip", ("/usr/bin/python3 -m pip install -q --target /tmp/t --no-cache-dir --disable-pip-version-check --index-url https://registry.example/simple/ "
                                    "osh-stand-in 2>&1 && PYTHONPATH=/tmp/t " + python("import osh_stand_in as o; print(o.ANSWER)")), 0, "42"
    yield "go", "go", ("mkdir -p /tmp/g && cd /tmp/g && echo 'package main\nimport (\"fmt\";\"io\";\"net/http\")\nfunc main(){r,e:=http.Get(\""
                       + URL + "\");if e!=nil{panic(e)};b,_:=io.ReadAll(r.Body);fmt.Println(string(b),r.Proto)}' > m.go && HOME=/tmp GOFLAGS=-mod=mod GOCACHE=/tmp/gc go run m.go"), 0, "HTTP/2"


def there(what):
    if what.startswith("py:"):
        return subprocess.run(["/usr/bin/python3", "-c", "import " + what[3:]], stderr=subprocess.DEVNULL).returncode == 0
    return shutil.which(what)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("clients", "needs root")
        t.done()
    with l7_world.L7World() as w:
        w.git_repository()
        w.npm_package()
        pip_package(w)
        w.l7.www = w.www
        policy = w.policy(RULES)
        r = subprocess.run([os.path.join(BUILD, "oshctl"), "policy", "compile", "-o", "/dev/null", "/dev/stdin"], input=policy.encode(), capture_output=True)
        if b"OSH150" in r.stderr + r.stdout:
            t.skip("clients", "this build does not enforce rules about requests")
            t.done()
        clean = {k: "" for k in os.environ if k.lower().endswith("_proxy")}
        with w.resident():
            for name, what, command, rc, want in cases():
                if len(sys.argv) > 1 and not any(a in name for a in sys.argv[1:]):
                    continue
                if not there(what):
                    t.skip(name, f"{what} is not installed")
                    continue
                r = w.run(policy, ["sh", "-c", command], timeout=120, env=clean)
                t.ok((r.rc == rc or (rc and r.rc)) and want in r.out, name, r)
            seen = [s[:2] for s in w.l7.seen]
            t.ok(not any("nope" in p or "receive-pack" in p and m == "POST" for m, p in seen), "nothing that was denied reached upstream", seen[-5:])
        t.ok(sum(w.canary.counts()) == 0, "nothing went where it was not listed")
    t.done()


if __name__ == "__main__":
    main()
