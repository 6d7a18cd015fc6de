#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The presets that look inside, with unmodified clients: git clones and fetches from a real smart-HTTP server and
cannot push; npm, pip and go read from a mirror that their own variables name, below its path and by GET alone."""
import http.server
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import threading
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap  # noqa: E402
from world import World  # noqa: E402

HOSTS = ["github.com", "npm.corp.example", "go.corp.example", "pip.corp.example"]


class Handler(http.server.BaseHTTPRequestHandler):
    """github.com is git's own http-backend, the mirrors are files in memory."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        host = self.headers.get("Host", "").split(":")[0]
        self.server.seen.append((self.command, host, self.path))
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if host == "github.com":
            return self.backend(body)
        data = self.server.files.get((host, self.path))
        return self.reply(200 if data is not None else 404, {"Content-Type": "text/html" if self.path.endswith("/") else
                                                             "application/octet-stream"}, data or b"no such file\n")

    do_POST = do_PUT = do_HEAD = do_GET

    def reply(self, status, fields, data):
        self.send_response(status)
        for k, v in fields.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def backend(self, body):
        path, _, query = self.path.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.server.git, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "t", "REMOTE_ADDR": "127.0.0.1",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
               "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        out = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=env, check=False).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        fields = dict(ln.split(": ", 1) for ln in head.decode().split("\r\n") if ": " in ln)
        self.reply(int(fields.pop("Status", "200").split()[0]), fields, data)


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context, git):
        self.seen, self.context, self.git, self.files = [], context, git, {}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        super().finish_request(self.context.wrap_socket(request, server_side=True), client)

    def handle_error(self, *_):
        pass


class PresetWorld(World):
    def __init__(self):
        super().__init__()
        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.dir, "p.ext"), "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in HOSTS) + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "p.key", "-out", "p.csr", "-subj", "/CN=x")
        openssl("x509", "-req", "-in", "p.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "p.ext", "-out", "p.pem")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.path.join(self.dir, "p.pem"), os.path.join(self.dir, "p.key"))
        self.up = Upstream(tls, os.path.join(self.dir, "git"))
        with open(self.hosts, "w") as f:
            f.write(f"127.0.0.1:{self.up.server_port} {' '.join(HOSTS)}\n")
        self.repository()

    def repository(self):
        """git/o/r.git, which takes pushes from whoever reaches it."""
        bare, src = os.path.join(self.up.git, "o/r.git"), os.path.join(self.dir, "gsrc")
        env = dict(os.environ, HOME=self.dir, GIT_CONFIG_NOSYSTEM="1")
        for cmd in (["git", "init", "-q", "-b", "main", src],
                    ["git", "-C", src, "-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "--allow-empty", "-m", "one"],
                    ["git", "clone", "-q", "--bare", src, bare], ["git", "-C", bare, "config", "http.receivepack", "true"]):
            subprocess.run(cmd, check=True, env=env, stdin=subprocess.DEVNULL)

    def preset(self, name, **env):
        """The preset as oshctl resolves it, here and now."""
        return subprocess.run([os.path.join(BUILD, "oshctl"), "policy", "preset", name], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=True, cwd=self.work, env=dict(os.environ, **env)).stdout

    def close(self):
        self.up.shutdown()
        self.up.server_close()
        super().close()


def github(t, w):
    if not os.path.exists("/usr/bin/git"):
        t.skip("github-clone", "/usr/bin/git is not installed")
        return
    policy = w.preset("github-clone")
    script = ("git clone -q https://github.com/o/r.git /tmp/c && cd /tmp/c && git log --format=%s && git fetch -q && echo fetched;"
              "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two; git push -q origin main && echo pushed; true")
    r = w.run(policy, ["sh", "-c", script], timeout=120)
    t.ok("one" in r.out and "fetched" in r.out, "github-clone: git clones and fetches", r)
    t.ok("pushed" not in r.out and "403" in r.err, "github-clone: and cannot push", r)
    t.ok(w.up.seen and not any("receive-pack" in path for _, _, path in w.up.seen), "no request to push left the sandbox", w.up.seen)
    head = subprocess.run(["git", "-C", os.path.join(w.up.git, "o/r.git"), "log", "--format=%s"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.split()
    t.ok(head == ["one"], "the repository is as it was", head)
    t.ok(any(e.kind == "http" and e.denied for e in r.events), "the push is on record", r)
    r = w.run(w.preset("github-readonly"), ["sh", "-c", script], timeout=120)
    t.ok("fetched" in r.out and "pushed" not in r.out, "github-readonly: the same", r)


def npm(t, w):
    if not shutil.which("npm") or not os.path.exists("/usr/bin/node"):
        t.skip("npm", "npm is not installed")
        return
    tgz = io.BytesIO()
    with tarfile.open(fileobj=tgz, mode="w:gz") as f:
        for path, data in (("package/package.json", b'{"name":"osh-stand-in","version":"1.0.0","main":"i.js"}'), ("package/i.js", b"module.exports = 42\n")):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            f.addfile(info, io.BytesIO(data))
    base = "https://npm.corp.example/api/npm"
    doc = {"name": "osh-stand-in", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
        "name": "osh-stand-in", "version": "1.0.0", "dist": {"tarball": base + "/osh-stand-in/-/osh-stand-in-1.0.0.tgz"}}}}
    w.up.files["npm.corp.example", "/api/npm/osh-stand-in"] = json.dumps(doc).encode()
    w.up.files["npm.corp.example", "/api/npm/osh-stand-in/-/osh-stand-in-1.0.0.tgz"] = tgz.getvalue()
    policy = w.preset("npm", NPM_CONFIG_REGISTRY=base + "/")
    r = w.run(policy, ["sh", "-c", "mkdir -p /tmp/p && cd /tmp/p && echo '{}' > package.json && "
                       "npm install --no-fund --no-audit osh-stand-in && node -p \"require('osh-stand-in')\""], timeout=180)
    t.ok("42" in r.out, "npm: installs from the mirror that its variable names", r)
    ask = "fetch(process.argv[1],{method:process.argv[2]}).then(r=>console.log(r.status),e=>console.log('no connection'))"
    answers = w.run(policy, ["sh", "-c", f"f() {{ node -e \"{ask}\" $1 $2; }}; f {base}/osh-stand-in GET; f {base}/osh-stand-in PUT; "
                             "f https://npm.corp.example/other GET; f https://registry.npmjs.org/left-pad GET"], timeout=120)
    t.ok(answers.out.split("\n")[:4] == ["200", "403", "403", "no connection"],
         "npm: reads below the mirror's path, publishes nothing, and knows no other registry", answers)
    t.ok(not any(m == "PUT" or p == "/other" for m, _, p in w.up.seen), "neither left the sandbox", w.up.seen)


def go(t, w):
    program = next((p for p in ("/usr/local/go/bin/go",) if os.path.exists(p)), None)
    real = program or (os.path.realpath("/usr/bin/go") if os.path.exists("/usr/bin/go") else None)
    if not real:
        t.skip("go", "go is not installed")
        return
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("m.example/x@v1.0.0/go.mod", "module m.example/x\n")
        f.writestr("m.example/x@v1.0.0/x.go", "package x\n")
    for name, data in (("list", b"v1.0.0\n"), ("v1.0.0.info", b'{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}'),
                       ("v1.0.0.mod", b"module m.example/x\n"), ("v1.0.0.zip", z.getvalue())):
        w.up.files["go.corp.example", "/goproxy/m.example/x/@v/" + name] = data
    policy = w.preset("go", GOPROXY="https://go.corp.example/goproxy,direct", GOSUMDB="off")
    r = w.run(policy, ["sh", "-c", f"cd /tmp && GOFLAGS=-mod=mod GOPATH=/tmp/g GOCACHE=/tmp/gc {real} mod download -json m.example/x@v1.0.0"], timeout=180)
    t.ok('"Version": "v1.0.0"' in r.out and '"Error"' not in r.out, "go: downloads a module from the mirror", r)


def pip(t, w):
    if subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        t.skip("pip", "pip is not installed")
        return
    z, name = io.BytesIO(), "osh_stand_in-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("osh_stand_in.py", "x = 42\n")
        f.writestr("osh_stand_in-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: osh-stand-in\nVersion: 1.0.0\n")
        f.writestr("osh_stand_in-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        f.writestr("osh_stand_in-1.0.0.dist-info/RECORD", "")
    w.up.files["pip.corp.example", "/root/simple/osh-stand-in/"] = f'<a href="../../packages/{name}">{name}</a>\n'.encode()
    w.up.files["pip.corp.example", "/root/packages/" + name] = z.getvalue()
    policy = w.preset("pip", PIP_INDEX_URL="https://pip.corp.example/root/simple/")
    r = w.run(policy, ["sh", "-c", "/usr/bin/python3 -m pip install -q --no-cache-dir --target /tmp/t osh-stand-in && "
                       "PYTHONPATH=/tmp/t /usr/bin/python3 -c 'import osh_stand_in as o; print(o.x)'"], timeout=180)
    t.ok("42" in r.out, "pip: installs from the mirror that its variable names, files beside the index included", r)


def main():
    t = Tap()
    with PresetWorld() as w:
        github(t, w)
        npm(t, w)
        pip(t, w)
        go(t, w)
        t.ok(sum(w.canary.counts()) == 0, "nothing went where it was not listed")
    t.done()


if __name__ == "__main__":
    main()
