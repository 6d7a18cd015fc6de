#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `oshctl policy prove` prints for programs and for eyes: SARIF, and the graph of who can reach what with which credential."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proving import A, OSHCTL, PLAIN, WORK, net, rest, routes, strict  # noqa: E402
from lib import Tap, run  # noqa: E402

CREDS = [{"name": 'p<&">\\t', "target_hosts": ["api.example.com"]}]
POLICY = net(rest("{allow: {method: GET, path: '/**'}}", more=", credential: gh"), "host: b.example.com, port: 8443",
             rest("{allow: {method: GET, path: '/**'}}", host="c.example.com", more=", enforcement: audit"),
             binaries="    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/wget}, {path: /usr/bin/never}]\n",
             more=strict("/usr/bin/curl", "/usr/bin/wget")) + "credentials: {gh: {provider: github}}\n"
WANT = {(p, *rest) for p in ("/usr/bin/curl", "/usr/bin/wget") for rest in (
    ("api.example.com:443", "by rules", "gh"), ("api.example.com:443", "by rules", CREDS[0]["name"]),
    ("b.example.com:8443", "unseen", ""), ("c.example.com:443", "audited", ""))}


def prove(policy, *options, limit="true", name="p.yaml"):
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        file, creds = os.path.join(d, name), os.path.join(d, "c.json")
        for name, text in ((file, policy), (creds, json.dumps(CREDS))):
            with open(name, "w") as f:
                f.write(text)
        rc, out, err = run(["sh", "-c", f"{limit}\nexec \"$@\"", "sh", OSHCTL, "policy", "prove", "-w", WORK, "--credentials", creds, *options,
                            file], 300)[:3]
    return rc, out, err


def sarif(t):
    rc, out, _ = prove(POLICY, "--sarif")
    plain = json.loads(prove(POLICY, "--json")[1])["findings"]
    log = json.loads(out)["runs"][0]
    t.ok(rc == 1 and json.loads(out)["version"] == "2.1.0" and log["tool"]["driver"]["name"] == "osh-prove", "a SARIF log", out[:200])
    got = [(r["ruleId"], r["locations"][0]["physicalLocation"]["region"]["startLine"]) for r in log["results"]]
    t.ok(got == [(f["category"], f["line"]) for f in plain] and got, "a result for each finding, at its line", got)
    ids = [r["id"] for r in log["tool"]["driver"]["rules"]]
    t.ok(len(set(ids)) == len(ids) and set(ids) == {f["category"] for f in plain}, "and each category once", ids)
    t.ok(all(q["request"] in r["message"]["text"] for r, f in zip(log["results"], plain) for q in f["requests"]), "with its requests")
    prints = [r["partialFingerprints"]["osh/v1"] for r in log["results"]]
    moved = json.loads(prove("# a line more\n" + POLICY, "--sarif")[1])["runs"][0]["results"]
    t.ok([r["partialFingerprints"]["osh/v1"] for r in moved] == prints, "which is the same one when lines move")
    t.ok(log["invocations"][0]["executionSuccessful"] is True, "all is known")
    odd = json.loads(prove(POLICY, "--sarif", name="50% off, \u00e9.yaml")[1])["runs"][0]["results"]
    places = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].rsplit("/", 1)[1] for r in odd}
    t.ok(places == {"50%25%20off%2C%20%C3%A9.yaml"}, "and where is a URI, whatever the file is called", places)
    rc, out, _ = prove(net(*(f"host: h{i}.example.com, port: 443" for i in range(2000))), "--sarif", limit="ulimit -t 1")
    log = json.loads(out)["runs"][0]
    t.ok(rc == 3 and log["invocations"][0]["executionSuccessful"] is False and not log["results"], "out of time: a log that says so", rc, out)


def edges_of_dot(text):
    names = dict(re.findall(r'^\t(\w+) \[label="((?:[^"\\]|\\.)*)"', text, re.M))
    for a, b, label in re.findall(r'^\t(\w+) -> (\w+) \[label="((?:[^"\\]|\\.)*)"\];$', text, re.M):
        how, _, credential = re.sub(r"\\(.)", r"\1", label).partition(", ")
        yield names[a], names[b], how, credential


def graph(t):
    rc, out, err = prove(POLICY, "--graph", "dot")
    got = set(edges_of_dot(out))
    t.ok(rc == 1 and got == WANT, "dot: who reaches what, how, with which credential; nobody who may not run", rc, got ^ WANT, err)
    t.ok(re.search(r'"b\.example\.com:8443", color=red', out), "dot: what is found is marked", out)
    if shutil.which("dot"):
        t.ok(subprocess.run(["dot", "-Tplain"], input=out, text=True, capture_output=True).returncode == 0, "dot: graphviz reads it")
    rc, out, _ = prove(POLICY, "--graph", "svg")
    root = xml.etree.ElementTree.fromstring(out)
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    t.ok(rc == 1 and len(root.findall("{http://www.w3.org/2000/svg}line")) == len(WANT), "svg: a line for each", out)
    t.ok("by rules, " + CREDS[0]["name"] in texts and "/usr/bin/curl" in texts and "/usr/bin/never" not in texts,
         "svg: what a stranger wrote stays text", texts)
    rc, out, _ = prove("version: 1\nfilesystem_policy: {read_only: [/usr]}\n", "--graph", "svg")
    t.ok(rc == 0 and xml.etree.ElementTree.fromstring(out) is not None, "svg: nothing reaches nothing", rc, out)
    rc, out, _ = prove(routes(A + ", provider: p", "name: b, api: llama, host: b.example.net", more="  binaries: [/usr/bin/curl]\n"), "--graph", "dot")
    got = set(edges_of_dot(out))
    t.ok({e for e in got if e[2] == "by a route"} == {("/usr/bin/curl", "a.example.net:443", "by a route", "p"),
                                                      ("/usr/bin/curl", "b.example.net:443", "by a route", "")}, "dot: the backends of routes", got)


def main():
    t = Tap()
    sarif(t)
    graph(t)
    for options in (("--json", "--sarif"), ("--graph", "png"), ("--graph",)):
        t.ok(prove(net(PLAIN), *options)[0] == 2, f"{' '.join(options)}: used wrongly")
    t.done()


if __name__ == "__main__":
    main()
