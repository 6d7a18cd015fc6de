# SPDX-License-Identifier: Apache-2.0
"""Runs attack files. An attack is tests/redteam/<group>_<name>.sh, read by sh outside and inside:

    # SPDX line, then the technique and its number in the catalogue
    POLICY=web            # key of POLICIES below; default web
    EXPECT='errno=EACCES' # extended regular expression on the attack's output, inside
    EVENT='connect DEST_UNKNOWN'  # kind and reason(s, A|B, or A|kind B) on record; "none" where the thing is simply absent
    DENY=guarded          # a row of filesystem_policy.deny
    ALONE='seccomp'       # layers each of which alone stops it: without one it succeeds (test_without.py); default none
    TOLD='kind REASON'    # is on record where Landlock tells what it refuses; EVENT elsewhere
    LSM='kind REASON'     # with LSM programs it is stopped without those layers as well, and this is on record
    MORE='process: {exec: strict}'   # more of the policy's text
    CRED=yes              # run with the provider `acme`, whose secret is $KEY
    ACROSS=caller         # other sandboxes stand beside it, which it calls (caller) or which call it (serving): beside.py
    GPU=nvidia60          # devices that it is given, of the stage's (stage.NODES, stage.CDI)
    NET=yes               # a network attack: repeated with every BPF program left out, and without egress
    control() { attack; } # the same outside the sandbox, by root: must succeed, else the attack proves nothing
    attack() { ...; }     # must fail

A control does what the attack does, to the same object. What that is exists: attacks have a stage (stage.py). A control may
make what its attack needs, and puts back what it changed: it runs first. Variables of vars_of() below are set in both;
`attempt` and `call` are tests/tools/*.c, `probe` is probe.py, `fresh` makes the files of $RO, which is listed read-only,
`first` runs a tool as process 1 of a plain pid namespace, `device` opens a node, whether a driver is there or not,
`node PATH MAJOR MINOR` makes one, `ask BODY` is a call of a model (POLICY=models), `across` is across.py, `by_route BODY` a call
by a route of ACROSS=caller, and `beside COMMAND` runs it in the network of the sandbox `gpu`, for a control.
"""
import contextlib
import fnmatch
import glob
import json
import os
import re
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import beside  # noqa: E402
import stage  # noqa: E402
from lib import BUILD, ROOT, run  # noqa: E402
from osh import landlock_tells  # noqa: E402
from world import World, rule  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "redteam-key-0123456789abcdef"
TOOLS = {"call": os.path.join(BUILD, "tests/tools/call"), "attempt": os.path.join(BUILD, "tests/tools/attempt"),
         "across.py": os.path.join(HERE, "across.py"), "probe.py": os.path.join(HERE, "probe.py")}
NODE = """node() {
	python3 -c '
import errno, os, sys
try:
    os.mknod(sys.argv[1], 0o20666, os.makedev(int(sys.argv[2]), int(sys.argv[3])))
except OSError as e:
    sys.exit("errno=" + errno.errorcode[e.errno])' "$@"
}
"""
ASK = """ask() {
	answer=$(curl -sk -m 100 --connect-to "allowed.example:443:$UP:$UPPORT" -H 'content-type: application/json' -d "$1" \\
		https://allowed.example/v1/chat/completions)
	echo "$answer"
	[ "$answer" = "done POST" ]
}
"""
ACROSS = """by_route() { curl -sk -m 20 -H 'content-type: application/json' -d "$1" https://inference.local/v1/chat/completions; }
beside() { tool=$1; shift; nsenter -t "$GPU" -n "$WORK/$tool" "$@"; }
calls() { across client "$SERVED" >/dev/null 2>&1 & across rogue "$SERVED" "$1"; r=$?; kill $!; return $r; }
"""
FIELD = re.compile(r"^(ACROSS|POLICY|EXPECT|EVENT|NET|NEEDS|DENY|MORE|CRED|GPU|ALONE|LSM|TOLD)=(.*)$", re.M)

POLICIES = {
    "none": "",
    "web": rule("web", ["allowed.example", "v6.example"], ["/usr/bin/curl"]),
    "any": rule("web", ["allowed.example", "v6.example"]),
    "requests": ("  web:\n    endpoints: [{host: allowed.example, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /hello}}]}]\n"
                 "    binaries: [{path: /usr/bin/curl}]\n"),
    "tree": ("  web:\n    endpoints: [{host: allowed.example, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /pub/**}}],"
             " deny_rules: [{method: GET, path: /pub/private/**}]}]\n    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/python3*}]\n"),
    "cred": ("  web:\n    endpoints: [{host: allowed.example, port: 443, protocol: rest, access: full, credential: acme},"
             " {host: git.example, port: 443, protocol: rest, access: full}]\n    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/python3*}]\n"),
    "models": ("  web:\n    endpoints: [{host: allowed.example, port: 443, protocol: rest, access: full, route: inference}]\n"
               "    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/python3*}]\n"),
    "wild": rule("web", ["allowed.example", "*.wild.example"], ["/usr/bin/curl"]),
}


class Attack:
    def __init__(self, path):
        with open(path) as f:
            text = f.read()
        self.path, self.name = path, os.path.basename(path)[:-3]
        self.field = {k: shlex.split(v, comments=True)[0] if v.strip() else "" for k, v in FIELD.findall(text)}
        self.policy = POLICIES[self.field.get("POLICY", "web")]
        self.net = self.field.get("NET") == "yes"
        if "EXPECT" not in self.field or "EVENT" not in self.field:
            raise ValueError(f"{self.name}: EXPECT and EVENT are needed")

    def script(self, w, which):
        """A file that both sides can read: the variables, the attack, one call."""
        shutil.copy(self.path, os.path.join(w.work, self.name + ".sh"))
        path = os.path.join(w.work, f"{self.name}-{which}.run")
        with open(path, "w") as f:
            for k, v in vars_of(w, which).items():
                f.write(f"{k}={shlex.quote(str(v))}\n")
            f.write('fresh() { rm -rf "$RO"/*; echo x >"$RO/f" && chmod 666 "$RO/f" && chmod 777 "$RO"; }\n')
            f.write('first() { tool=$1; shift; unshare -p -f --mount-proc "$WORK/$tool" "$@"; }\n')
            f.write('device() { r=$(attempt open "$1"); case $r in ok|errno=ENXIO|errno=ENODEV) echo ok;; *) echo "$r"; false;; esac; }\n')
            f.write(NODE + ASK + ACROSS)
            up = ("allowed.example", 443) if which == "attack" else ("127.0.0.1", w.tls4.server_port)
            f.write("UP={} UPPORT={}\n".format(*up))
            for tool in TOOLS:
                f.write(f"{tool.split('.')[0]}() {{ {shlex.quote(os.path.join(w.work, tool))} \"$@\"; }}\n")
            f.write(f". {shlex.quote(os.path.join(w.work, self.name + '.sh'))}\n"
                    f"{which}\n")
        return path

    def control(self, w):
        """(worked, output); outside, as root."""
        if not stage.ON:
            raise RuntimeError("a control outside of the stage would do harm")
        tools(w)
        if self.field.get("ACROSS") == "caller":
            beside.stand(w)
        rc, out, err = run(["sh", self.script(w, "control")], 200, cwd=w.work)
        return rc == 0, out + err

    def inside(self, w, **kw):
        tools(w)
        more = self.field.get("MORE", "")
        if self.field.get("CRED"):
            kw["options"] = [*kw.get("options", ()), "--provider", "acme=" + provider(w)]
        if self.field.get("GPU"):
            kw["options"] = [*kw.get("options", ()), "--gpu", self.field["GPU"]]
        across = self.field.get("ACROSS")
        more = (more + "\n" if more else "") + beside.MORE.get(across, "")
        policy = w.policy(self.policy, more, deny=self.field.get("DENY"), read_only=[w.readonly])
        if not across:
            return w.run(policy, ["sh", self.script(w, "attack")], **kw)
        kw["options"] = [*kw.get("options", ()), "--name", beside.NAMES[across]]
        with beside.partner(w, across, policy):
            return w.run(policy, ["sh", self.script(w, "attack")], **kw)

    def event_missing(self, r):
        """Empty when the record is as promised."""
        want = self.field.get("TOLD", "") if landlock_tells("OSH_VM" in os.environ) else ""
        want = want or self.field["EVENT"]
        if want == "none":
            return ""
        kind, seen = "", False
        for one in want.split("|"):         # a kind holds for the reasons after it
            *new, why = one.split()
            kind = new[0] if new else kind
            seen = seen or r.has(kind, why)
        return "" if seen else f"no event {want}"


@contextlib.contextmanager
def staged():
    """A World on the stage."""
    ears = stage.build()
    with World() as w:
        stage.furnish(ears, w)
        yield w


def arrived(w):
    """What came to anybody outside; nothing of a sandbox ever does."""
    return *w.canary.counts(), w.ears.came


def tools(w):
    """What attacks call, beside `attempt`, in the working directory."""
    for name, path in TOOLS.items():
        if not os.path.exists(os.path.join(w.work, name)):
            shutil.copy(path, os.path.join(w.work, name))


def provider(w):
    """The record of `acme`, out of the sandbox's sight."""
    d = os.path.join(w.dir, "keys")
    os.makedirs(d, 0o700, exist_ok=True)
    for name, text in (("key", KEY), ("acme.json", json.dumps({
            "hosts": ["allowed.example"], "placement": {"header": "x-api-key"}, "env": ["ACME_KEY"],
            "secret_file": os.path.join(d, "key")}))):
        with open(os.open(os.path.join(d, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
    return os.path.join(d, "acme.json")


def vars_of(w, which):
    return {"ADDRESS": w.address, "PORT": w.canary.port, "TLS4": w.tls4.server_port, "TLS6": w.tls6.server_port,
            "BUS": w.daemon.bus if w.daemon else "", "SECRET": w.secret, "HOSTPID": w.outsider, "WORK": w.work, "WORLD": w.dir, "CA": w.ca, "ATTEMPT": w.attempt,
            "GPU": beside.pid_of(w), "SERVED": 8000 if which == "attack" else 8002,
            **stage.variables(w), "KEY": "" if which == "attack" else KEY, "DNS": w.dns.port, "ENGINE": BUILD}


def all_attacks(only=()):
    """Attacks in order; `only` are names or patterns of names, each of which must stand for something."""
    names = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "*_*.sh")))
    names = [n for n in names if not n.startswith("test_")]
    for pattern in only:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"no attack is called {pattern}")
    return [Attack(os.path.join(HERE, n + ".sh")) for n in names
            if not only or any(fnmatch.fnmatchcase(n, pattern) for pattern in only)]


def hooks(where=()):
    """BPF program names of hooks.def, in order."""
    with open(os.path.join(ROOT, "include/osh/hooks.def")) as f:
        rows = re.findall(r"^HOOK\((\w+),\s*(\w+),\s*(\w+)\)", f.read(), re.M)
    return [p for _, p, at in rows if not where or at in where]
