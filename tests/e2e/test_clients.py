#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients reach listed hosts, with no proxy variable and no library of ours: curl, git over
https, node, npm, python, wget, dig and a static musl program; over IPv4 and IPv6. The test CA reaches
them by each client's own option, from a file in the working directory."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from world import World, rule  # noqa: E402

RULES = rule("all", ["allowed.example", "git.example", "registry.example", "v4.example", "v6.example", "plain.example:80"])

PYTHON = "import urllib.request as u; print(u.urlopen('{url}', timeout=30).read().decode())"
NODE = "fetch('{url}').then(r=>r.text()).then(t=>console.log(t),e=>{{console.log(e,e.cause);process.exit(1)}})"

MUSL = r"""
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct addrinfo *ai, want = { .ai_socktype = SOCK_STREAM };
	char buf[4096];
	int fd, n;

	if (argc < 2 || getaddrinfo(argv[1], "80", &want, &ai)) { puts("no such name"); return 1; }
	for (; ai; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_STREAM, 0);
		if (connect(fd, ai->ai_addr, ai->ai_addrlen)) { perror("connect"); close(fd); continue; }
		dprintf(fd, "GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]);
		while ((n = read(fd, buf, sizeof buf)) > 0) fwrite(buf, 1, n, stdout);
		return 0;
	}
	return 1;
}
"""


def cases(w):
    """name, program that must exist, command line for sh, what the output must hold"""
    hello = "hello from outside"
    for fam, host in (("IPv4", "v4.example"), ("IPv6 upstream", "v6.example")):
        url = f"https://{host}/hello"
        yield f"curl, {fam}", "curl", f"curl -sS --cacert {w.ca} {url}", hello
        yield f"curl over the sandbox's IPv6, {fam}", "curl", f"curl -6 -sS --cacert {w.ca} {url}", hello
        yield f"curl over the sandbox's IPv4, {fam}", "curl", f"curl -4 -sS --cacert {w.ca} {url}", hello
        yield f"wget, {fam}", "wget", f"wget -q -O - --ca-certificate={w.ca} {url}", hello
        yield f"python urllib, {fam}", "python3", f"SSL_CERT_FILE={w.ca} /usr/bin/python3 -c \"{PYTHON.format(url=url)}\"", hello
        yield f"node fetch, {fam}", "node", f"NODE_EXTRA_CA_CERTS={w.ca} node -e \"{NODE.format(url=url)}\"", hello
    yield "curl, plain HTTP", "curl", "curl -sS http://plain.example/hello", hello
    yield "git clone over https", "git", (f"GIT_SSL_CAINFO={w.ca} git clone -q https://git.example/repo.git /tmp/r"
                                          " && git -C /tmp/r log --oneline"), " one"
    yield "npm install from a registry", "npm", (
        f"mkdir -p /tmp/p && cd /tmp/p && echo '{{}}' > package.json && npm install --cafile={w.ca} --no-audit --no-fund "
        "--no-update-notifier --cache /tmp/npm --registry https://registry.example/ osh-stand-in 2>&1 && "
        "node -p \"require('osh-stand-in')\""), "42"
    yield "dig A", "dig", "dig +short +tries=1 +time=10 allowed.example A", "198.1"
    yield "dig AAAA", "dig", "dig +short +tries=1 +time=10 allowed.example AAAA", "fd"
    yield "getent", "getent", "getent hosts allowed.example", "allowed.example"
    yield "a static musl program", os.path.join(w.work, "musl"), f"{w.work}/musl plain.example", hello


def build_musl(w):
    src = os.path.join(w.dir, "musl.c")
    with open(src, "w") as f:
        f.write(MUSL)
    if shutil.which("musl-gcc"):
        subprocess.run(["musl-gcc", "-static", "-O1", "-o", os.path.join(w.work, "musl"), src], check=True)


def main():
    t = Tap()
    with World() as w:
        w.git_repository()
        w.npm_package()
        build_musl(w)
        policy = w.policy(RULES)
        clean = {k: "" for k in os.environ if k.lower().endswith("_proxy")}
        for name, program, command, want in cases(w):
            if not shutil.which(program):
                t.skip(name, f"{os.path.basename(program)} is not installed")
                continue
            r = w.run(policy, ["sh", "-c", command], timeout=120, env=clean)
            t.ok(r.rc == 0 and want in r.out, name, r)
        r = w.run(policy, ["sh", "-c", "env | grep -i _proxy= || echo none"], env=clean)
        t.ok(r.out.strip() == "none", "no proxy variable is set in the sandbox", r)
        t.ok(sum(w.canary.counts()) == 0, "nothing went where it was not listed")
    t.done()


if __name__ == "__main__":
    main()
