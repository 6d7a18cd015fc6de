#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A known agent's key in the caller's environment works upstream and is nowhere in the sandbox: not in its
environment, arguments, files or memory, nor in any process of ours but the egress.
"""
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from keys_world import KeysWorld, holders, profiles  # noqa: E402
from lib import Tap  # noqa: E402
from osh import OSHCTL, until  # noqa: E402

t = Tap()
KEY = "sk-ant-api03-4eC39HqLyjWDarjtT1zdp7dcQ0Vx"
TOKEN = "sk-ant-oat01-9fJ2kQmZr8sLwXv3TnBc5YpHdEaG"
PLAIN = "  api:\n    endpoints: [{host: api.anthropic.com, port: 443}, {host: other.acme.example, port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"
ASK = 'curl -sS -m 60 -H "x-api-key: $ANTHROPIC_API_KEY" https://api.anthropic.com/v1/messages'


def main():
    with KeysWorld() as w:
        works(w)
        nowhere(w)
        with w.resident():
            nowhere(w)
            for name, profile in profiles().items():
                every(w, name, profile)
        choices(w)
        policies(w)


def go(w, script, policy=None, options=(), env=None, name="claude", args=()):
    w.api.seen.clear()
    return w.run(w.policy(policy or PLAIN), [w.agent(name, script), *args], options=options,
                 env={"ANTHROPIC_API_KEY": KEY} if env is None else env)


def works(w):
    r = go(w, f'echo "$ANTHROPIC_API_KEY"; {ASK}')
    t.ok(r.out.startswith("sk-ant-api03-osh-anthropic-") and r.out.endswith("fine\n"), "the agent has a placeholder of its key's shape, and is served", r)
    t.ok(w.came("x-api-key") == [KEY], "the key is what upstream gets", w.api.seen)
    t.ok("ANTHROPIC_API_KEY stays outside" in r.err and "api.anthropic.com" in r.err, "a note says so", r.err)
    t.ok(KEY not in r.out + r.err + str(r.events), "the key is in no output and no record")
    r = go(w, "curl -sS -m 60 https://api.anthropic.com/echo; echo rc $?")
    t.ok(KEY not in r.out and r.has("http", "ECHO"), "an answer that says it is withheld", r)
    r = go(w, 'curl -sS -m 60 -H "x-api-key: $ANTHROPIC_API_KEY" https://other.acme.example/x; echo; env')
    t.ok(KEY not in str(w.api.seen) + r.out, "another host of the policy does not get it", r, w.api.seen)


def nowhere(w):
    """While the agent waits for a line: every process of ours is searched, then the sandbox by itself."""
    script = f'{ASK}; echo; touch ready; while [ ! -e go ]; do sleep 0.05; done; python3 {w.search} <<E\n{KEY[::-1]}\nE'
    for f in ("ready", "go"):
        if os.path.exists(os.path.join(w.work, f)):
            os.unlink(os.path.join(w.work, f))
    where = ["--socket", w.daemon.bus] if w.daemon else ["--upstream-hosts", w.hosts, "--upstream-ca", w.anchor]
    what = "resident" if w.daemon else "embedded"
    p = subprocess.Popen([OSHCTL, "run", "-p", w.write("nowhere.yaml", w.policy(PLAIN)), "-w", w.work, *where, "--", w.agent("claude", script)],
                         env=dict(os.environ, ANTHROPIC_API_KEY=KEY), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        there = until(lambda: os.path.exists(os.path.join(w.work, "ready")) or p.poll() is not None, 120)
        found = holders(KEY)
        with open(f"/proc/{p.pid}/environ", "rb") as f:
            environ = f.read()
        open(os.path.join(w.work, "go"), "w").close()
        out, err = p.communicate(timeout=240)
    finally:
        p.kill()
        p.wait()
    t.ok(there and "fine" in out, f"{what}: the agent is served", out, err)
    t.ok(found == {"osh-egress"}, f"{what}: the egress alone has the key, of all processes of ours", found)
    t.ok(KEY.encode() not in environ and b"ANTHROPIC_API_KEY=sk" not in environ, f"{what}: it is not in oshctl's environment any more")
    t.ok("found []" in out, f"{what}: a search of environment, arguments, files and memory inside finds nothing", out, err)


def every(w, name, profile):
    """Each agent by each of its variables: what was set comes to the host where it belongs, in its place, and nowhere inside."""
    record = profile["record"]
    host, path = record["hosts"][0], (record.get("paths") or ["/x"])[0]
    place = record["placement"]
    ends = ", ".join(f"{{host: {h}, port: 443}}" for h in record["hosts"])
    policy = f"  api:\n    endpoints: [{ends}]\n    binaries: [{{path: /usr/bin/curl}}]\n"
    field = place.get("header", "authorization")
    for i, variable in enumerate(profile["variables"]):
        key = f"key-of-{name}-{i}-4eC39HqLyjWDarjtT1zdp7dcQ0Vx"
        want = "Basic " + base64.b64encode(f"{place['basic']}:{key}".encode()).decode() if "basic" in place else place.get("prefix", "") + key
        shown = f'-u "{place["basic"]}:${variable}"' if "basic" in place else f'-H "{field}: {place.get("prefix", "")}${variable}"'
        script = f"env; tr '\\0' '\\n' </proc/self/environ; curl -sS -m 60 {shown} https://{host}{path}"
        for agent in profile["agents"] if not i else profile["agents"][:1]:
            r = go(w, script, policy, env={variable: key}, name=agent)
            t.ok(w.came(field) == [want] and r.out.endswith("fine\n"), f"{agent}: {variable} comes to {host}", w.api.seen, r)
            t.ok(key not in r.out + r.err + str(r.events) and f"{variable} stays outside" in r.err, f"{agent}: and is nowhere inside", r)


def choices(w):
    env = {"ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_OAUTH_TOKEN": TOKEN}
    both = w.policy(PLAIN, "process: {env: {pass: [ANTHROPIC_API_KEY, CLAUDE_CODE_OAUTH_TOKEN]}}\n")
    r = w.run(both, [w.agent("claude", "env")], env=env)
    t.ok(KEY not in r.out and TOKEN not in r.out and "ANTHROPIC_API_KEY=sk-ant-api03-osh-" in r.out,
         "of two the first is used, and the other does not go in, though the policy passes it", r)
    w.api.seen.clear()
    r = w.run(both, [w.agent("claude", 'curl -sS -m 60 -H "Authorization: Bearer $CLAUDE_CODE_OAUTH_TOKEN" https://api.anthropic.com/x')],
              env={"CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
    t.ok(w.came("authorization") == ["Bearer " + TOKEN], "a token goes where its own profile says", r, w.api.seen)
    r = w.run(both, [w.agent("claude", "env")], options=["--no-providers"], env=env)
    t.ok(KEY in r.out and "stays outside" not in r.err, "--no-providers leaves the environment to the policy", r)
    r = w.run(both, [w.agent("some-tool", "env")], env=env)
    t.ok(KEY in r.out and "stays outside" not in r.err, "so does a program that is no known agent", r)
    key = w.write("acme.key", "of-a-record-0123456789\n")
    record = w.write("acme.json", '{"hosts": ["api.anthropic.com"], "placement": {"header": "x-api-key"}, "secret_file": "%s"}' % key)
    w.api.seen.clear()
    r = w.run(w.policy(PLAIN.replace("port: 443}", "port: 443, protocol: rest, access: full, credential: acme}", 1)),
              [w.agent("claude", f"env | grep -c {KEY}; {ASK}")], options=["--provider", record], env=env)
    t.ok(w.came("x-api-key") == ["of-a-record-0123456789"] and r.out.startswith("0\n"), "a provider that was given for the host goes first, and the key stays out all the same", r, w.api.seen)


def policies(w):
    """What the policy says decides; only without one the provider brings its endpoints."""
    one = "  api:\n    endpoints: [{host: api.anthropic.com, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /ok}}]}]\n    binaries: [{path: /usr/bin/curl}]\n"
    r = go(w, "for p in ok no; do curl -sS -m 60 https://api.anthropic.com/$p; done", one)
    t.ok([p for _, p, _ in w.api.seen] == ["/ok"] and w.came("x-api-key") == [KEY] and r.has("http", "REQUEST"), "rules about requests stay as they are, and carry the key", r, w.api.seen)
    wild = "  api:\n    endpoints: [{host: '*.anthropic.com', port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"
    r = go(w, ASK, wild)
    t.ok(w.came("x-api-key") == [KEY], "a wildcard that covers the host is enough", r, w.api.seen)
    none = "  api:\n    endpoints: [{host: other.acme.example, port: 443}]\n    binaries: [{path: /usr/bin/curl}]\n"
    r = go(w, ASK + "; true", none)
    t.ok(not w.api.seen and r.has("dns", "NAME_UNKNOWN"), "a policy that does not list the host is not widened", r)
    t.ok("lets nothing through" in r.err, "and a note says that the placeholder stays one", r.err)
    skip = "  api:\n    endpoints: [{host: api.anthropic.com, port: 443, tls: skip}]\n    binaries: [{path: /usr/bin/curl}]\n"
    r = go(w, "echo still", skip)
    t.ok(r.rc == 0 and "lets nothing through" in r.err, "an endpoint that is not to be looked into stays closed", r)


main()
t.done()
