#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`policy set` of a sandbox whose egress lives: what lies between "the egress is ready" and "in force", as oshd says it of
each reload, for policies of 1, 100 and 10 000 rules in turn."""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
READ = [p for p in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc") if os.path.exists(p)]
SIZES = (1, 100, 10000)
HOLD = "import socket,time; s=socket.create_connection(('plain.example',80)); print('up',flush=True); time.sleep(1000)"
LINE = re.compile(r"sandbox r(\d+): generation (\d+) is in force; us: tables (\d+), egress ready (\d+), flip (\d+), closed (\d+)")


def policy(n, turn):
    names = "".join(f"  - {{host: n{i}-{turn if i == 0 else 0}.example, ports: [443]}}\n" for i in range(n - 1))
    return ("version: 1\nfilesystem_policy:\n  include_workdir: true\n"
            f"  read_only: [{', '.join(READ)}]\n  read_write: [/tmp]\nnetwork:\n  - {{host: plain.example, ports: [{80 + (n == 1) * turn}, 80]}}\n" + names)


def serve():
    s = socket.create_server(("127.0.0.1", 0))
    kept = []

    def loop():
        while True:
            kept.append(s.accept()[0])
    threading.Thread(target=loop, daemon=True).start()
    return s.getsockname()[1]


def main():
    rounds = int(sys.argv[1])
    d = tempfile.mkdtemp(prefix="osh-bench.", dir="/var/tmp")
    work, state, said = (os.path.join(d, n) for n in ("work", "state", "said"))
    bus, procs = os.path.join(state, "bus"), []
    os.mkdir(work)
    files = {}
    for n in SIZES:
        for turn in (0, 1):
            files[n, turn] = os.path.join(d, f"{n}-{turn}.yaml")
            open(files[n, turn], "w").write(policy(n, turn))
    open(os.path.join(d, "hosts"), "w").write(f"127.0.0.1:{serve()} plain.example\n")
    try:
        procs.append(subprocess.Popen([f"{BUILD}/oshd", "--state", state, "--upstream-hosts", os.path.join(d, "hosts")],
                                      stdin=subprocess.DEVNULL, stderr=open(said, "w")))
        while not os.path.exists(bus):
            time.sleep(0.01)
        for n in SIZES:
            p = subprocess.Popen([f"{BUILD}/oshctl", "run", "--socket", bus, "-p", files[n, 0], "-n", f"r{n}", "--workdir", work,
                                  "--log", os.path.join(d, "log"), "--", "python3", "-c", HOLD],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if p.stdout.readline() != b"up\n":
                sys.exit("the sandbox does not come up")
            procs.append(p)
        print("a between the egress' word and in force, 10 000 rules\nb a millisecond\nmax 1")
        whole = {n: [] for n in SIZES}
        for i in range(rounds + 2):
            for n in SIZES:
                t0 = time.perf_counter_ns()
                subprocess.run([f"{BUILD}/oshctl", "policy", "set", f"r{n}", "-p", files[n, (i + 1) % 2], "--wait", "--socket", bus],
                               check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                if i >= 2:
                    whole[n].append((time.perf_counter_ns() - t0) / 1000)
        parts = {n: [] for n in SIZES}
        for n, generation, *us in LINE.findall(open(said).read()):
            if int(generation) > 3:
                parts[int(n)].append(tuple(map(int, us)))
        for flip in parts[10000]:
            print(f"A {flip[2]}\nB 1000")
        for n in SIZES:
            t, r, f, c = (statistics.median(x) for x in zip(*parts[n]))
            print(f"note {n} rules: p50 in us: caller's whole {statistics.median(whole[n]):.0f}, tables {t:.0f}, egress ready {r:.0f}, "
                  f"to in force {f:.0f}, forbidden closed {c:.0f}")
    finally:
        for p in reversed(procs):
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        shutil.rmtree(d, ignore_errors=True)


sys.exit(main())
