#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every preset: is its file, checks without a surprise, and decides what its name says; the registries' presets
list what the caller's own clients are configured to use. Each is asked by `policy eval`, requests included."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(HERE))
from lib import ROOT, Tap  # noqa: E402

CTL = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"), "oshctl")
FILES = os.path.join(ROOT, "policy-compiler/presets")
REST = "{version: 1, network_policies: {x: {binaries: [/x], endpoints: [{host: a.test, port: 443, protocol: rest, access: full}]}}}"
GIT, CURL, NODE, PY = "/usr/bin/git", "/usr/bin/curl", "/usr/bin/node", "/usr/bin/python3.11"
REMOTE = "/usr/lib/git-core/git-remote-https"
# (preset, program, method and URL, decision of the preset's file)
REQUESTS = (
    ("github-clone", REMOTE, "GET https://github.com/o/r/info/refs?service=git-upload-pack", "allow"),
    ("github-clone", REMOTE, "GET https://github.com/o/r.git/info/refs?service=git-upload-pack", "allow"),
    ("github-clone", REMOTE, "POST https://github.com/o/r.git/git-upload-pack", "allow"),
    ("github-clone", GIT, "POST https://github.com/o/r/git-upload-pack", "allow"),
    ("github-clone", REMOTE, "GET https://github.com/o/r.git/info/refs?service=git-receive-pack", "deny"),
    ("github-clone", REMOTE, "GET https://github.com/o/r/info/refs?service=git-upload-pack&service=git-receive-pack", "deny"),
    ("github-clone", REMOTE, "GET https://github.com/o/r/info/refs", "deny"),
    ("github-clone", REMOTE, "POST https://github.com/o/r.git/git-receive-pack", "deny"),
    ("github-clone", REMOTE, "POST https://github.com/o/r.git/x/../git-receive-pack", "deny"),
    ("github-clone", REMOTE, "POST https://github.com/o/r/issues", "deny"),
    ("github-clone", REMOTE, "GET https://github.com/o/r", "deny"),
    ("github-clone", CURL, "GET https://github.com/o/r/info/refs?service=git-upload-pack", "deny"),
    ("github-clone", REMOTE, "GET https://api.github.com/zen", "deny"),
    ("github-readonly", CURL, "GET https://api.github.com/repos/o/r/issues?state=open", "allow"),
    ("github-readonly", CURL, "HEAD https://api.github.com/zen", "allow"),
    ("github-readonly", CURL, "POST https://api.github.com/repos/o/r/issues", "deny"),
    ("github-readonly", CURL, "DELETE https://api.github.com/repos/o/r", "deny"),
    ("github-readonly", "/usr/bin/gh", "POST https://api.github.com/graphql", "deny"),
    ("github-readonly", CURL, "GET https://raw.githubusercontent.com/o/r/main/README", "allow"),
    ("github-readonly", CURL, "PUT https://raw.githubusercontent.com/o/r/main/README", "deny"),
    ("github-readonly", REMOTE, "POST https://github.com/o/r.git/git-upload-pack", "allow"),
    ("github-readonly", REMOTE, "GET https://github.com/o/r.git/info/refs?service=git-receive-pack", "deny"),
    ("github-readonly", REMOTE, "POST https://github.com/o/r.git/git-receive-pack", "deny"),
    ("github-readonly", NODE, "GET https://api.github.com/zen", "deny"),
    ("npm", NODE, "GET https://registry.npmjs.org/left-pad", "allow"),
    ("npm", NODE, "POST https://registry.npmjs.org/-/npm/v1/security/advisories/bulk", "allow"),
    ("npm", NODE, "PUT https://registry.npmjs.org/left-pad", "deny"),
    ("npm", NODE, "PUT https://registry.npmjs.org/-/user/org.couchdb.user:a", "deny"),
    ("npm", CURL, "GET https://registry.npmjs.org/left-pad", "deny"),
    ("pip", PY, "GET https://pypi.org/simple/flask/", "allow"),
    ("pip", PY, "GET https://files.pythonhosted.org/packages/a/b/c.whl", "allow"),
    ("pip", PY, "POST https://pypi.org/legacy/", "deny"),
    ("pip", PY, "POST https://upload.pypi.org/legacy/", "deny"),
    ("cargo", "/usr/bin/cargo", "GET https://index.crates.io/se/rd/serde", "allow"),
    ("cargo", "/usr/bin/cargo", "GET https://static.crates.io/crates/serde/serde-1.crate", "allow"),
    ("cargo", "/usr/bin/cargo", "PUT https://crates.io/api/v1/crates/new", "deny"),
    ("go", "/usr/local/go/bin/go", "GET https://proxy.golang.org/golang.org/x/net/@v/list", "allow"),
    ("go", "/usr/local/go/bin/go", "GET https://sum.golang.org/lookup/golang.org/x/net@v0.1.0", "allow"),
    ("go", "/usr/local/go/bin/go", "POST https://proxy.golang.org/x", "deny"),
)


def ctl(*args, home=None, cwd=None, env=None, text=None):
    e = {"PATH": os.environ["PATH"], "HOME": home or "/nonexistent", **(env or {})}
    if "ASAN_OPTIONS" in os.environ:
        e["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
    p = subprocess.run([CTL, *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                       check=False, env=e, cwd=cwd)
    return p.returncode, p.stdout, p.stderr


def files_of(text):
    return [ln for ln in text[text.index("filesystem_policy:"):text.index("process:")].splitlines() if "# <" not in ln]


def every_preset(t, tmp):
    names = ctl("policy", "preset")[1].split()
    t.ok(len(names) == len(os.listdir(FILES)) and "npm" in names, "every preset file is embedded")
    listed = [ln.split(None, 1) for ln in ctl("policy", "preset", "list")[1].splitlines()]
    t.ok([ln[0] for ln in listed] == names and all(len(ln) == 2 and len(ln[1]) > 10 for ln in listed), "the list says what each is for")
    rest = os.path.join(tmp, "rest.yaml")
    with open(rest, "w", encoding="ascii") as f:
        f.write(REST)
    inside = ctl("policy", "compile", rest, "-o", "/dev/null")[0] == 0
    default = files_of(open(os.path.join(FILES, "default.yaml"), encoding="utf-8").read())
    for name in names:
        path = os.path.join(FILES, name + ".yaml")
        text = open(path, encoding="utf-8").read()
        said = ctl("policy", "preset", name)[1]
        if "# <registries>" in text and not inside:     # as long as requests are not looked into
            cut = lambda s: s[:s.index("# <registries>")] + s[s.index("# </registries>"):]
            t.ok(cut(said) == cut(text), f"preset {name} is the file, but for its hosts")
        else:
            t.ok(said == text, f"preset {name} is the file")
        status, _, err = ctl("policy", "compile", f"preset:{name}", "-o", "/dev/null")
        if "protocol:" in said and not inside:
            t.ok(status == 1 and "OSH150" in err and not any(f"OSH{n}" in err for n in range(101, 150)),
                 f"preset {name} is refused until requests are looked into", err)
        else:
            t.ok(status == 0, f"preset {name} compiles", err)
        warned = json.loads(ctl("policy", "check", "--json", f"preset:{name}")[1])
        codes = {d["code"] for d in warned["diagnostics"]}
        t.ok(codes <= {"OSH203", "OSH207"} and (inside or "protocol:" in said or "OSH207" not in codes),
             f"preset {name} has no warning but of node, Python and what is not kept yet", warned)
        t.ok(files_of(said) == default, f"preset {name} has the files of the default one")


def requests(t):
    for preset, program, request, want in REQUESTS:
        status, out, err = ctl("policy", "explain", "-p", os.path.join(FILES, preset + ".yaml"), "--json", "--binary", program, request)
        t.ok(out and json.loads(out)["decision"] == want, f"{preset}: {want} {request} by {os.path.basename(program)}", out, err)


def reaches(preset, binary, host, port=443, **how):
    q = json.dumps({"stage": "l4", "request": {"host": host, "port": port, "binary": binary}})
    status, out, err = ctl("policy", "eval", "-p", f"preset:{preset}", text=q + "\n", **how)
    return out and json.loads(out)["decision"] == "allow", err


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def mirrors(t, tmp):
    home, project = os.path.join(tmp, "home"), os.path.join(tmp, "project")
    os.mkdir(project)
    at = {"home": home, "cwd": project}
    write(home, ".npmrc", "registry=https://npm.corp.example:8443/api/\n//npm.corp.example/:_authToken=s3cret\n")
    write(home, ".config/pip/pip.conf", "[global]\nindex-url = https://pip.corp.example/simple\n")
    write(home, ".cargo/config.toml", "[source.crates-io]\nreplace-with = \"m\"\n[source.m]\nregistry = \"sparse+https://crates.corp.example/\"\n")
    write(home, ".config/go/env", "GOPROXY=https://go.corp.example,direct\nGOSUMDB=off\n")
    cases = (("npm", NODE, "npm.corp.example", 8443, "registry.npmjs.org"), ("pip", PY, "pip.corp.example", 443, "pypi.org"),
             ("cargo", "/usr/bin/cargo", "crates.corp.example", 443, "index.crates.io"),
             ("go", "/usr/local/go/bin/go", "go.corp.example", 443, "sum.golang.org"))
    for preset, program, mirror, port, public in cases:
        yes, err = reaches(preset, program, mirror, port, **at)
        t.ok(yes and "s3cret" not in err, f"{preset}: the mirror of its configuration", err)
        t.ok(not reaches(preset, program, public, **at)[0], f"{preset}: and no public registry")
    said = ctl("policy", "preset", "npm", **at)[1]
    t.ok('npm_config_registry: "https://npm.corp.example:8443/api/"' in said and "s3cret" not in said,
         "npm inside is told of it, and of no token")
    t.ok("- ~/.cargo/config.toml" in ctl("policy", "preset", "cargo", **at)[1], "cargo inside reads its own file")
    write(project, ".npmrc", "registry=https://project.example/\n")
    yes, err = reaches("npm", NODE, "project.example", **at)
    t.ok(yes and ".npmrc:1: this project's file names a registry" in err, "a project's registry is used, and said", err)
    yes, _ = reaches("npm", NODE, "v.example", **at, env={"NPM_CONFIG_REGISTRY": "https://v.example/"})
    t.ok(yes and not reaches("npm", NODE, "project.example", **at, env={"NPM_CONFIG_REGISTRY": "https://v.example/"})[0],
         "a variable decides before both")
    for host in ("1.e5", "0x1.example", "true", "null"):
        yes, err = reaches("npm", NODE, host, **at, env={"NPM_CONFIG_REGISTRY": f"https://{host}/"})
        t.ok(yes, f"npm: a host called {host} is a name", err)
    for text, why in (("registry=http://a.example/\n", "is no https URL"), ("registry=https://u:s3cret@a.example/\n", "user name"),
                      ("registry=https://10.0.0.1/\n", "by its name"), ("registry=https://a.example/%2e%2e\n", "other characters")):
        write(project, ".npmrc", text)
        status, out, err = ctl("policy", "preset", "npm", **at)
        t.ok(status == 1 and why in err and "s3cret" not in err and "no registry can be used" in err and not out,
             f"npm: refused, {why}", out, err)
    os.remove(os.path.join(project, ".npmrc"))
    os.symlink("/dev/zero", os.path.join(project, ".npmrc"))
    yes, err = reaches("npm", NODE, "npm.corp.example", 8443, **at)
    t.ok(yes and ".npmrc: is a link" in err, "a link in the project is not followed", err)
    os.remove(os.path.join(project, ".npmrc"))
    os.mkfifo(os.path.join(project, ".npmrc"))
    yes, err = reaches("npm", NODE, "npm.corp.example", 8443, **at)
    t.ok(yes and "no regular file" in err, "a pipe in the project is not waited for", err)
    os.remove(os.path.join(project, ".npmrc"))
    write(project, ".npmrc", "#" * 70000)
    yes, err = reaches("npm", NODE, "npm.corp.example", 8443, **at)
    t.ok(yes and "larger than 65536 bytes" in err, "nor is a large file read", err)


def as_root(t, tmp):
    """Root reads root's own home, and nothing of a project that is another user's."""
    project = os.path.join(tmp, "theirs")
    write(project, ".npmrc", "registry=https://theirs.example/\n")
    os.chown(os.path.join(project, ".npmrc"), 1, 1)
    yes, err = reaches("npm", NODE, "theirs.example", home=tmp, cwd=project)
    t.ok(not yes and "not root's own" in err, "root takes no registry from a project of another user's", err)


def as_another(t, tmp):
    """The rest as somebody whose home is what HOME says, by this very script."""
    mine = os.path.join(tmp, "mine")
    os.mkdir(mine)
    os.chown(mine, 65534, 65534)
    p = subprocess.run([sys.executable, os.path.abspath(__file__), mine], stdout=subprocess.PIPE, text=True, timeout=300,
                       user=65534, group=65534, extra_groups=[], check=False)
    lines = p.stdout.splitlines()
    for n, line in enumerate(lines):
        if " - " in line and line.split()[0] in ("ok", "not"):
            t.ok(line.startswith("ok"), line.split(" - ", 1)[1], *[ln for ln in lines[n + 1:n + 30] if ln.startswith("#")])
    t.ok(lines and p.returncode in (0, 1) and lines[-1].startswith("1.."), "asked as another user", p.returncode)


def main():
    t = Tap()
    if len(sys.argv) == 2:
        mirrors(t, sys.argv[1])
        t.done()
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        every_preset(t, tmp)
        requests(t)
        if os.geteuid() == 0:
            as_root(t, tmp)
            as_another(t, tmp)
        else:
            mirrors(t, tmp)
    t.done()


if __name__ == "__main__":
    main()
