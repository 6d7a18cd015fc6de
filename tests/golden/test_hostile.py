#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files that mean harm: each refused by every verb that reads a policy, with file:line:column and these very
words, within seconds and within the memory that the confined reader is given."""
import os
import resource
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CTL = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"), "oshctl")
SAN = os.environ.get("OSH_BUILD", "").startswith("build/san")
SECONDS = 60 if SAN else 15         # the machine may be busy; the reader's own bound is 10 s of CPU
MIB = 1 << 20
BOMB = b"version: 1\na: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(ord("b"), ord("j")))
LARGE = "error[OSH107]: policy is larger than 4194304 bytes"


def spaced(head, tail, size):
    """A file of `size` bytes, of which the middle was never written: NULs."""
    def write(f):
        f.write(head)
        f.truncate(size - len(tail))
        f.seek(0, os.SEEK_END)
        f.write(tail)
    return write


# (what, content or a function that writes it, what is said first)
CASES = (
    ("100 MB of comments", b"# a comment\n" * (100 * MIB // 12), f"349526:5: {LARGE}"),
    ("100 MB on one line", b"a: " + b"x" * (100 * MIB), f"1:4194305: {LARGE}"),
    ("100 MB of nothing", spaced(b"version: 1\n", b"x", 100 * MIB), f"2:4194294: {LARGE}"),
    ("100 MB of brackets", b"[" * (100 * MIB), f"1:4194305: {LARGE}"),
    ("4 MiB of brackets", b"[" * (4 * MIB), "1:33: error[OSH107]: nested deeper than 32 levels"),
    ("nested lists", b"- " * 1000 + b"x\n", "1:65: error[OSH107]: nested deeper than 32 levels"),
    ("nested mappings", "".join(" " * i + "a:\n" for i in range(200)).encode(), "33:33: error[OSH107]: nested deeper than 32 levels"),
    ("nested in a rule", b"network: " + b"[" * 31 + b"{host: x}\n", "1:41: error[OSH107]: nested deeper than 32 levels"),
    ("alias bomb", BOMB, "2:4: error[OSH103]: anchors are not allowed in a policy"),
    ("alias of itself", b"version: 1\nprocess: &p {a: *p}\n", "2:10: error[OSH103]: anchors are not allowed in a policy"),
    ("alias of nobody", b"version: 1\nprocess: *p\n", "2:10: error[OSH103]: aliases are not allowed in a policy"),
    ("duplicate key", b"version: 1\nprocess: {}\n\"process\": {}\n", "3:1: error[OSH104]: key 'process' was given before, on line 2"),
    ("duplicate key, hidden", b"version: 1\nprocess: {run_as_user: 7, \"run\\x5fas_user\": 8}\n",
     "2:27: error[OSH104]: key 'run_as_user' was given before, on line 2"),
    ("a key 100 000 times", b"version: 1\n" + b"dns: {}\n" * 100000, "3:1: error[OSH104]: key 'dns' was given before, on line 2"),
    ("a million values", b"network: [" + b"a," * 1000000 + b"]\n",
     "1:2000005: error[OSH107]: more than 1000000 values in one policy"),
    ("300 000 keys", b"version: 1\n" + b"".join(b"k%06d: 1\n" % i for i in range(300000)),
     "2:1: error[OSH105]: unknown key 'k000000' in policy"),
    ("NUL", b"version: 1\nprocess: {run_as_user: \"a\0b\"}\n", "2:26: error[OSH102]: byte 0x00: a policy holds no NUL"),
    ("NUL, written out", b"version: 1\nprocess: {run_as_user: \"a\\0b\"}\n", "2:24: error[OSH102]: text holds a NUL byte"),
    ("NUL at the end", b"version: 1\n\0", "2:1: error[OSH102]: byte 0x00: a policy holds no NUL"),
    ("Latin-1", b"version: 1 # caf\xe9\n", "1:17: error[OSH102]: byte 0xe9 is not UTF-8 text"),
    ("overlong slash", b"version: 1\nfilesystem_policy: {read_only: [\xc0\xaf]}\n", "2:33: error[OSH102]: byte 0xc0 is not UTF-8 text"),
    ("surrogate", b"version: 1\n# \xed\xa0\x80\n", "2:3: error[OSH102]: byte 0xed is not UTF-8 text"),
    ("past Unicode", b"# \xf4\x90\x80\x80\n", "1:3: error[OSH102]: byte 0xf4 is not UTF-8 text"),
    ("cut off", b"version: 1 # \xe2\x82", "1:14: error[OSH102]: byte 0xe2 is not UTF-8 text"),
    ("UTF-16", "version: 1\n".encode("utf-16"), "1:1: error[OSH102]: byte 0xff is not UTF-8 text"),
    ("control byte", b"version: 1\n\xc3\xa9: \x01\n", "2:4: error[OSH102]: control characters are not allowed, at byte 15"),
    ("byte order mark", b"\xef\xbb\xbfversion: 1\nbogus: 1\n", "2:1: error[OSH105]: unknown key 'bogus' in policy"),
    ("byte order mark alone", b"\xef\xbb\xbf", "1:1: error[OSH108]: policy is empty"),
    ("DOS lines", b"version: 1\r\nbogus: 1\r\n", "2:1: error[OSH105]: unknown key 'bogus' in policy"),
    ("several documents", b"version: 1\n---\nversion: 1\n", "2:1: error[OSH103]: several documents are not allowed in a policy"),
    ("a program", b"\x7fELF\x02\x01\x01\0", "1:8: error[OSH102]: byte 0x00: a policy holds no NUL"),
    ("empty", b"", "1:1: error[OSH108]: policy is empty"),
)
VERBS = (["check"], ["compile", "-o", "/dev/null"], ["eval", "-p"], ["explain", "-p"], ["diff", "-"])


def run(verb, path):
    args = ["policy", verb[0], *verb[1:], path]
    if verb[0] == "explain":
        args.append("dns x.example.com")
    elif verb[0] == "diff":
        args = ["policy", "diff", path, path]
    t0 = time.monotonic()
    p = subprocess.run([CTL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       check=False, timeout=4 * SECONDS)
    return p.returncode, p.stdout.decode("utf-8", "replace").split("\n")[0], time.monotonic() - t0


def main():
    n = bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        path = os.path.join(tmp, "p.yaml")
        for what, content, want in CASES:
            with open(path, "wb") as f:
                if callable(content):
                    content(f)
                else:
                    f.write(content)
            for verb in VERBS:
                status, said, took = run(verb, path)
                good = status == 1 and said == f"{path}:{want}" and took < SECONDS
                n, bad = n + 1, bad + (not good)
                print("ok" if good else "not ok", n, f"- {what}: {verb[0]}")
                if not good:
                    print(f"# exit {status} after {took:.1f} s: {said[:300]}\n# want {path}:{want}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    n, good = n + 1, SAN or peak < 600
    print("ok" if good else "not ok", n, f"- the largest process held {peak:.0f} MiB")
    print(f"1..{n}")
    return bool(bad) or not good


sys.exit(main())
