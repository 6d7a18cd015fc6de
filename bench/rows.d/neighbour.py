#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A command in one sandbox, from the client's start to its end, while another sandbox forks, eats memory and fills its disk, all
at once and within its limits; against the same while that one does nothing."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OSHCTL, OSHD = (os.path.join(ROOT, "build", n) for n in ("oshctl", "oshd"))
READ = [p for p in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl") if os.path.exists(p)]
BLOCK = 5                               # samples in a row of each kind
BOMBS = """
bomb() { bomb | bomb & }
( while :; do bomb; sleep 0.1; done ) &
( while :; do python3 -c 'x = bytearray(1 << 30)'; done ) 2>/dev/null &
while :; do dd if=/dev/zero of=/tmp/full bs=1M 2>/dev/null; rm -f /tmp/full; done
"""


def ctl(sock, *words):
    p = subprocess.run([OSHCTL, *words[:2], "--socket", sock, *words[2:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
    if p.returncode:
        sys.exit(f"{' '.join(words[:3])}: exit status {p.returncode}: {p.stderr.decode(errors='replace')[-400:]}")


def sample(sock):
    t0 = time.perf_counter_ns()
    ctl(sock, "sandbox", "exec", "-T", "quiet", "--", "true")
    return (time.perf_counter_ns() - t0) / 1000


def write(path, more):
    with open(path, "w") as f:
        f.write(f"version: 1\nfilesystem_policy:\n  include_workdir: true\n  read_only: [{', '.join(READ)}]\n"
                f"process: {{run_as_user: sandbox}}\n{more}")
    return path


def main():
    rounds = int(sys.argv[1])
    d = tempfile.mkdtemp(prefix="osh-bench.", dir="/var/tmp")
    state, work = os.path.join(d, "state"), os.path.join(d, "work")
    sock = os.path.join(state, "bus")
    os.mkdir(work)
    quiet = write(os.path.join(d, "quiet.yaml"), "")
    loud = write(os.path.join(d, "loud.yaml"), "resources: {cpu: '0.5', pids: 64, memory: 192Mi, disk: 32Mi}\n")
    daemon = subprocess.Popen([OSHD, "--state", state], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not os.path.exists(sock) and time.monotonic() < end:
            time.sleep(0.01)
        ctl(sock, "sandbox", "create", "-n", "quiet", "-p", quiet, "-w", work)
        ctl(sock, "sandbox", "create", "-n", "loud", "-p", loud, "-w", work, "--", "sh", "-c", BOMBS)
        print("a a command in a sandbox, another one at its limits\nb the same, the other one stopped\nmax 3", flush=True)
        for i in range(0, rounds + BLOCK, BLOCK):
            a = [sample(sock) for _ in range(BLOCK)]
            ctl(sock, "sandbox", "stop", "loud", "-t", "0")
            b = [sample(sock) for _ in range(BLOCK)]
            ctl(sock, "sandbox", "start", "loud")
            time.sleep(0.5)             # until its bombs are at their limits
            if i:                       # the first block warms both
                print("".join(f"A {x}\n" for x in a) + "".join(f"B {x}\n" for x in b), end="", flush=True)
        ctl(sock, "sandbox", "delete", "-f", "loud")
        ctl(sock, "sandbox", "delete", "-f", "quiet")
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(d, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
