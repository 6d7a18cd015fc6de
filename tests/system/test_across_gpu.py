#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A created sandbox with a GPU and without a network serves a model; an agent without either is sent there by `oshctl inference set`
while a stream of another backend goes on. The devices are made up, as in test_gpu.py."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus  # noqa: E402
from across_world import PORT, SERVER, agent, ask, routes, serve, server  # noqa: E402
from lib import Tap, cgroup2, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)
if not cgroup2():
    print("1..0 # SKIP device programs need cgroup v2")
    sys.exit(77)

t = Tap()
# It answers with the GPUs that it sees.
LOOKS = SERVER.replace("q['model'], 'text'", "','.join(sorted(x for x in __import__('os').listdir('/dev') if x.startswith('nvidia'))), 'text'")


def ctl(d, *args):
    return run([OSHCTL, *args, "--socket", d.bus], 60)[:3]


def main():
    gpus.machine()
    with Work() as w, Daemon(w) as d:
        policy = w.write("gpu.yaml", serve(["agent"]) + "gpu: {count: 1}\n")
        r = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "--name", "gpu", "-p", policy, "--workdir", w.work, "--", "sh", "-c",
                 "sleep 9999 | exec python3 -u server.py"], 60)
        w.write("work/server.py", LOOKS)
        t.ok(r[0] == 0, "a sandbox with a GPU that stays", r)
        cpu = server(d, ["agent"], name="cpu")
        a = agent(d, routes(("cpu", "cpu", PORT), ("gpu", "gpu", PORT), more="  fallback: true\n"))
        t.ok("status=200" in ask(a) and cpu.read().startswith("asked"), "the first route has the calls")
        first = ask(a, "hold", 3)
        r = ctl(d, "inference", "set", "agent", "--route", "gpu")
        got = until(lambda: [x for x in (ask(a),) if "nvidiactl" in x], 20, 1)
        t.ok(r[0] == 0 and got and "status=200" in got[0] and ("nvidia0" in got[0]) != ("nvidia1" in got[0]), "another one is chosen: calls go to the one that has a GPU", r, got)
        cpu.tell()
        t.ok(first == 'data: {"part": 0}' and "status=200" in ask(a, "end"), "and the stream under way goes on where it was", first)
        r = ctl(d, "inference", "get", "agent", "--json")
        t.ok(r[0] == 0 and json.loads(r[1])["backends"] == ["cpu.sandbox.local:8000", "gpu.sandbox.local:8000"], "get says where routes lead", r)
        r = ctl(d, "inference", "list")
        t.ok(r[0] == 0 and "sandboxes: cpu, gpu" in r[1], "and list, for people", r)
        r = ctl(d, "sandbox", "stop", "gpu")
        got = ask(a)
        t.ok(r[0] == 0 and "status=200" in got and "nvidia" not in got, "where it is stopped the next route has them", r, got)
        e = a.has("egress", "PEER_AWAY", host="gpu.sandbox.local")
        t.ok(e and "is stopped" in e[0]["osh"]["detail"], "and why is on record", e)
        r = ctl(d, "sandbox", "start", "gpu")
        t.ok(r[0] == 0 and until(lambda: "nvidiactl" in ask(a), 20, 1), "started again it is found by its name", r)
        a.end()
        cpu.end()
        ctl(d, "sandbox", "delete", "-f", "gpu")
    t.done()


main()
