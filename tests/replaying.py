# SPDX-License-Identifier: Apache-2.0
"""Requests that `oshctl policy prove` tells of, made by a program in a sandbox under the policy; for test_prove_replay*.py."""
import json
import os
import sys

from lib import BUILD, run

OSHCTL = os.path.join(BUILD, "oshctl")
PYTHON = os.path.realpath("/usr/bin/python3")
SECRET = "secret-of-this-project"
PRIVATE = "10.77.0.9"       # of a private network, on a loopback of the test's own

# In the sandbox: each request as the prover words it; prints what came of each as a line of JSON.
PROBE = r"""
import http.client, json, os, re, socket, ssl, subprocess, sys, urllib.parse
secret = answer = ""

def dial(host, port, method, path, body=None, more=""):
    s = socket.create_connection((host, port), timeout=60)
    if port != 80:
        s = ssl._create_unverified_context().wrap_socket(s, server_hostname=host)
    if body is None:
        body = secret if method not in ("GET", "HEAD") else ""
    word = urllib.parse.quote(secret)
    path += ("&" if "?" in path else "?") + "carried=" + word
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {word}\r\nConnection: close\r\n{more}"
              f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    global answer
    said = http.client.HTTPResponse(s, method=method)
    said.begin()
    answer = said.read().decode(errors="replace").strip()
    return f"status {said.status}"

def model(method, words):
    "What goes with a call of a model: its body, and the field by which an API is told."
    name, *api = words.split()
    more = "Anthropic-Version: 2023-06-01\r\n" if api else ""
    if method == "GET":
        return None, more
    body = {"messages": [{"role": "user", "content": secret}]} | ({"model": name} if name != "-" else {})
    return json.dumps(body), more + "Content-Type: application/json\r\n"

def operation(kind, words):
    "The body of a GraphQL operation, or of a call of MCP."
    words = [w.strip('"') for w in words.split()]
    if kind == "graphql":
        body = {"query": f"{words[0]} {words[1]} {{ {words[2] if len(words) > 2 else 'any'} }}", "variables": {"s": secret}}
    else:
        tool = {"params": {"name": words[1], "arguments": {"s": secret}}} if len(words) > 1 else {}
        body = {"jsonrpc": "2.0", "id": 1, "method": words[0]} | tool
    return json.dumps(body), "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"

def one(q):
    global secret
    if q == "keep what was answered":
        secret = answer
        return "kept"
    if m := re.fullmatch(r"open (\S+) read", q):
        secret = " ".join(os.listdir(m[1])) if os.path.isdir(m[1]) else open(m[1]).read().strip()
        return "read " + secret
    if m := re.fullmatch(r"exec (\S+)", q):
        return f"ran {subprocess.run([m[1]]).returncode}"
    if m := re.fullmatch(r"open (\S+) write", q):
        os.makedirs(os.path.dirname(m[1]), exist_ok=True)
        open(m[1], "w").write(secret or "#!/bin/sh\n")
        return "written"
    if m := re.fullmatch(r"connect (?:/\S+ )?(\S+):(\d+)(?: at \S+)?", q):
        return dial(m[1], int(m[2]), "DELETE", "/plain")     # nobody looks: a method that no rule has
    if m := re.fullmatch(r"([A-Z]+) https://([^/:]+)(?::(\d+))?(/\S*)(?: (model|graphql|call) (.*))?", q):
        more = () if not m[5] else model(m[1], m[6]) if m[5] == "model" else operation(m[5], m[6])
        return dial(m[2], int(m[3] or 443), m[1], m[4], *more)
    return "not understood"

for q in json.loads(sys.argv[1]) if len(sys.argv) > 1 else json.load(open("asked")):
    try:
        print(json.dumps([q, one(q)]), flush=True)
    except OSError as e:
        print(json.dumps([q, "error " + str(e)]), flush=True)
"""


def rest(host, rules, more=""):
    return f"{{host: {host}, port: 443, protocol: rest, rules: [{rules}]{more}}}"


def rules(*endpoints):
    return f"  r:\n    binaries: [{PYTHON}]\n    endpoints:\n" + "".join(f"      - {e}\n" for e in endpoints)


GET, POST = "{allow: {method: GET, path: '/**'}}", "{allow: {method: POST, path: /up}}"


def own_network(*more):
    """This program anew, with a network of its own; `more` of unshare's options."""
    if os.environ.get("REPLAY_NET") == "own" or os.geteuid():
        return
    os.environ["REPLAY_NET"] = "own"
    os.execvp("unshare", ["unshare", "--net", *more, sys.executable, *sys.argv])


def own_addresses():
    """The loopback, and an address of a private network on it."""
    for words in (("link", "set", "lo", "up"), ("addr", "add", PRIVATE + "/32", "dev", "lo")):
        run(["ip", *words], 60)


def prepare(w):
    """The probe, and what it is to get out."""
    for name, text in (("probe.py", PROBE), (".env", SECRET + "\n")):
        with open(os.path.join(w.work, name), "w") as f:
            f.write(text)


def found_by(options, files):
    """What the prover finds, and what to print where it is not what was expected."""
    rc, out, err = run([OSHCTL, "policy", "prove", "--json", *options, *files], 300)[:3]
    return json.loads(out)["findings"] if out.strip() else [], (rc, err)


def came_of(out):
    return [json.loads(line)[1] for line in out.splitlines() if line.startswith("[")]


def replay(w, policy, requests, options=()):
    """What came of each request in a sandbox, and the run."""
    with open(os.path.join(w.work, "asked"), "w") as f:
        json.dump(requests, f)
    r = w.run(policy, [PYTHON, "probe.py"], timeout=300, options=options)
    return came_of(r.out), r


def secret_first(w, requests):
    """The order of a request that reads and one that sends; the file is the one that is there."""
    requests = sorted(requests, key=lambda q: not q.startswith("open"))
    return [f"open {w.work}/.env read" if q.endswith(" read") else q for q in requests]
