#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`filesystem_policy.deny` of a real sandbox: what it names is read and not written, whatever the way. With LSM
programs every entry holds; without them an existing directory does, and any other entry refuses to start."""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, Daemon, Work  # noqa: E402

# Each line: what is tried, in the working directory; "no" where it must fail.
TRIES = """
no echo x > .git/hooks/pre-commit
no echo x > .git/hooks/new
no mkdir .git/hooks/d
no ln -s /bin/true .git/hooks/l
no mv plain .git/hooks/p
no rm .git/hooks/pre-commit
no chmod 755 .git/hooks/pre-commit
no rmdir .git/hooks
no mv .git/hooks h
no mv .git g
no mv .git/hooks/pre-commit p
no ln .git/hooks/pre-commit p
no rm -r .git
yes cat .git/hooks/pre-commit
yes echo x > .git/description
yes echo x > src/new
yes mv src sources
yes rm plain
"""
FILES = """
no echo x > .git/config
no mv plain .git/config
no rm .git/config
no echo x > .mcp.json
no ln -s plain .mcp.json
no cp plain .mcp.json
no echo x > top.key
no echo x > src/deep/x.key
no mv plain src/x.key
no echo x > made/later/x.key
no mkdir -p t/secret/in
no ln -s src tmp-secret/secret
no truncate -s 0 .git/config
no touch .git/config
no mkdir /tmp/own
yes mkdir -p made/later; echo x > made/later/x.c
yes mv made moved
yes cat .git/config
yes mkdir -p /tmp/other; echo x > /tmp/other/f
no echo x > twin
no chmod 600 twin
no truncate -s 0 src/twin-of-hook
yes cat twin
yes ln plain other-name; echo x > other-name
"""
# Where there are too many denied files with other names to know each.
TWINS = """
no echo x > free-a
no chmod 600 free-b
yes rm free-b
yes mv free-a free-c
yes echo x > plain
yes rm free-b; echo x > free-a
"""


def fill(work):
    for d in (".git/hooks", "src/deep", "made/later", "tmp-secret"):
        os.makedirs(os.path.join(work, d))
    for f in (".git/hooks/pre-commit", ".git/config", "plain", "src/deep/main.c"):
        with open(os.path.join(work, f), "w") as out:
            out.write("was\n")
    with open(os.path.join(work, "src/deep/old.key"), "w") as out:
        out.write("was\n")
    os.link(os.path.join(work, "src/deep/old.key"), os.path.join(work, "twin"))
    os.link(os.path.join(work, ".git/hooks/pre-commit"), os.path.join(work, "src/twin-of-hook"))


def fill_twins(work):
    """More names of denied files than are remembered one by one, and a file with two names that nothing denies."""
    fill(work)
    os.mkdir(os.path.join(work, "many"))
    with open(os.path.join(work, "many/0.key"), "w") as out:
        out.write("was\n")
    for i in range(1, 520):
        os.link(os.path.join(work, "many/0.key"), os.path.join(work, f"many/{i}.key"))
    with open(os.path.join(work, "free-a"), "w") as out:
        out.write("was\n")
    os.link(os.path.join(work, "free-a"), os.path.join(work, "free-b"))


def deny(*entries):
    """The policy with these entries, as YAML."""
    return BASE_POLICY.replace("  include_workdir: true\n",
                               "  include_workdir: true\n  read_write: [/tmp]\n  deny: [" +
                               ", ".join(f"'{e}'" for e in entries) + "]\n")


def start(d, w, text, script):
    w.write("policy.yaml", text)
    return run(d.command("sh", "-c", script), 200, cwd=w.work)


def tries(t, d, text, lines, what, make=fill):
    """Each line in one sandbox over a fresh tree: the tree then says what was done."""
    for line in filter(None, lines.splitlines()):
        want, cmd = line.split(" ", 1)
        with Work() as w:
            d.work = w
            make(w.work)
            rc, out, err = start(d, w, text, f"({cmd}) 2>/tmp/err; rc=$?; cat /tmp/err >&2; exit $rc")
            t.ok((rc == 0) == (want == "yes") and rc < 125, f"{what}: {'works' if want == 'yes' else 'refused'}: {cmd}", rc, out, err)
            yield w, want, cmd


def denial(w):
    for line in w.lines():
        event = json.loads(line)
        if event.get("osh", {}).get("event") == "file" and event["osh"].get("verdict") == "denied":
            return event
    return None


def with_lsm(t, d):
    text = deny(".git/hooks/**", ".git/config", ".mcp.json", "**/*.key", "*/secret/*", "/tmp/own")
    for w, want, cmd in tries(t, d, text, TRIES + FILES, "LSM"):
        if want == "no" and not cmd.startswith("rm -r"):
            e = denial(w)
            t.ok(e and e["osh"]["reason"] == "FILE_DENIED", f"LSM: on record: {cmd}", w.lines())
    for w, want, cmd in tries(t, d, text, TWINS, "many names", fill_twins):
        if want == "no":
            e = denial(w)
            t.ok(e and e["osh"]["reason"] == "FILE_LINKED", f"many names: on record: {cmd}", w.lines())
    with Work() as w:
        d.work = w
        fill(w.work)
        start(d, w, text, "echo x > .git/config")
        e = denial(w) or {}
        t.ok(os.path.join(w.work, ".git/config") in json.dumps(e), "the record has the path", w.lines())
        rule = e.get("firewall_rule", {})
        t.ok(rule.get("name") == "filesystem_policy.deny" and rule.get("uid") == "5", "and the entry's line in the policy", rule)
        os.symlink("src", os.path.join(w.work, "leads"))
        rc, _, err = start(d, w, deny("leads/x"), "true")
        t.ok(rc == 125 and "symbolic link" in err, "an entry through a symbolic link refuses to start", rc, err)
        rc, _, err = start(d, w, deny("src/**"), "echo y > src/deep/main.c")
        t.ok(rc not in (0, 125), "another policy denies another tree", rc, err)
        rc, _, err = start(d, w, BASE_POLICY, "echo y > .git/config")
        t.ok(rc == 0, "without entries it is written", rc, err)
        with open(os.path.join(w.work, ".git/hooks/pre-commit"), "a") as f:
            t.ok(f.write("x") == 1, "outside of sandboxes it is written")
    programs_of_paths(t, d)


def reserved(path, *binaries):
    """A policy that has a directory for some programs alone."""
    entry = f"{{path: {path}, binaries: [{', '.join(binaries)}]}}"
    return BASE_POLICY.replace("  include_workdir: true\n", "  include_workdir: true\n  read_write: [/tmp]\n").replace(
        "read_only: [", f"read_only: [{entry}, ", 1)


class Vault:
    """Such a directory; not below /tmp, which is the sandbox's own."""
    def __enter__(self):
        os.makedirs("/opt", exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="osh-test-", dir="/opt")
        os.chmod(self.dir, 0o755)
        self.path = os.path.join(self.dir, "vault")
        os.makedirs(os.path.join(self.path, "deep"))
        for f in ("token", "deep/token"):
            with open(os.path.join(self.path, f), "w") as out:
                out.write("secret\n")
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.dir)


def programs_of_paths(t, d):
    """Paths for some programs: what they read is what the policy says, and nobody else's."""
    with Work() as w, Vault() as v:
        d.work = w
        fill(w.work)
        cat, token, e = os.path.realpath("/bin/cat"), f"{v.path}/token", {}
        for cmd, want in ((f"cat {token}", True), (f"cat {v.path}/deep/token", True), (f"ln -s {token} l2; cat l2", True),
                          (f"head -n 1 {token}", False), (f"ls {v.path}", False), (f"read x <{token}", False),
                          (f"LD_PRELOAD=/x cat {token}", False), (f"cat <{token}", False),
                          (f"cp /bin/cat c; ./c {token}", False), (f"ln -s {token} l; head -n 1 l", False)):
            rc, out, err = start(d, w, reserved(v.path, cat), cmd)
            cmd = cmd.replace(v.dir, "")
            t.ok((rc == 0) == want and rc < 125 and ("secret" in out) == want,
                 f"for one program: {'works' if want else 'refused'}: {cmd}", rc, out, err)
            if not want:
                e = denial(w) or {}
                t.ok(e.get("osh", {}).get("reason") in ("BINARY", "TAINTED", "REPLACED", "NO_IDENTITY") and v.path in json.dumps(e),
                     f"for one program: on record: {cmd}", w.lines())
        rule = e.get("firewall_rule", {})
        t.ok(rule.get("name") == "filesystem_policy" and rule.get("uid") == "5", "and the entry", rule)
        with open(token, encoding="ascii") as f:
            t.ok(f.read() == "secret\n", "outside of sandboxes it is read")
        text = reserved(v.path, cat).replace("read_write: [/tmp]", f"read_write: [/tmp, {v.dir}]")
        rc, _, err = start(d, w, text, "true")
        t.ok(rc == 125 and "binaries" in err, "a path that somebody inside could move is refused", rc, err)
        rc, _, err = start(d, w, reserved(f"{w.work}/src", cat), "true")
        t.ok(rc == 125 and "can be written" in err, "and one in the working directory", rc, err)
        rc, _, err = start(d, w, reserved("/tmp", cat), "true")
        t.ok(rc == 125 and "sandbox's own" in err, "and one that is the sandbox's own", rc, err)


def without_lsm(t, d):
    with Work() as w, Vault() as v:
        d.work = w
        rc, out, err = start(d, w, reserved(v.path, "/bin/cat"), f"cat {v.path}/token")
        t.ok(rc == 125 and "some programs" in err and "BPF LSM" in err and "secret" not in out,
             "a path for some programs refuses to start, and the layer that is missing is named", rc, out, err)
    for _ in tries(t, d, deny(".git/hooks/**"), TRIES, "mount"):
        pass
    with Work() as w:
        d.work = w
        fill(w.work)
        os.symlink("src", os.path.join(w.work, "leads"))
        for entry, why in ((".git/config", "existing directory"), (".mcp.json", "existing directory"),
                           ("**/*.key", "pattern"), ("leads/deep", "symbolic link")):
            rc, _, err = start(d, w, deny(entry), "true")
            t.ok(rc == 125 and why in err, f"'{entry}' refuses to start, and says why", rc, err)
            t.ok("symbolic" in why or "BPF LSM" in err, "the layer that is missing is named", err)
        link = os.path.join(w.dir, "link")
        os.symlink(w.work, link)
        d.work = w
        w.write("policy.yaml", deny(".git/hooks"))
        cmd = d.command("sh", "-c", "echo x > .git/hooks/pre-commit")
        cmd[cmd.index("--workdir") + 1] = link
        rc, _, err = run(cmd, 200)
        t.ok(rc not in (0, 125), "a working directory named by a link has its entries", rc, err)


def main():
    t = Tap()
    with Work() as first, Daemon(first) as d:
        fill(first.work)
        rc, _, err = start(d, first, deny("**/*.never"), "true")
        lives = rc == 0
        t.ok(lives or ("BPF LSM" in err and not os.environ.get("OSH_VM")), f"LSM programs {'live' if lives else 'do not live'} here", err)
        (with_lsm if lives else without_lsm)(t, d)
        d.work = first
    t.done()


if __name__ == "__main__":
    main()
