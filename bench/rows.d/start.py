#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whole process `oshctl run -- true` with oshd resident, against bubblewrap with the same mounts."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
READ = [p for p in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl") if os.path.exists(p)]


def timed(argv):
    t0 = time.perf_counter_ns()
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = (time.perf_counter_ns() - t0) / 1000
    if p.returncode:
        sys.exit(f"{argv[0]}: exit status {p.returncode}: {p.stderr.decode(errors='replace')[-400:]}")
    return took


def wait_for(path, seconds=20):
    t0 = time.perf_counter_ns()
    while not os.path.exists(path):
        if time.perf_counter_ns() - t0 > seconds * 1e9:
            sys.exit("oshd did not come up")
        time.sleep(0.001)
    return (time.perf_counter_ns() - t0) / 1e6


def main():
    rounds = int(sys.argv[1])
    if not shutil.which("bwrap"):
        print("bubblewrap is not installed")
        return 77
    d = tempfile.mkdtemp(prefix="osh-bench.", dir="/var/tmp")
    work, policy, state = (os.path.join(d, n) for n in ("work", "policy.yaml", "state"))
    sock = os.path.join(state, "bus")
    os.mkdir(work)
    with open(policy, "w") as f:
        f.write("version: 1\nfilesystem_policy:\n  include_workdir: true\n"
                f"  read_only: [{', '.join(READ)}]\n  read_write: [/tmp]\nnetwork:\n  - host: allowed.example\n")
    osh = [f"{BUILD}/oshctl", "run", "-p", policy, "--workdir", work, "--log", os.path.join(d, "log")]
    bwrap = ["bwrap", "--unshare-all", "--die-with-parent"]
    for p in READ:
        bwrap += ["--symlink", os.readlink(p), p] if os.path.islink(p) else ["--ro-bind", p, p]
    bwrap += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", work, work, "--chdir", work, "--", "true"]
    daemon = None
    try:
        print("a oshctl run -- true, oshd resident\nb bwrap --unshare-all, same mounts\nmax 1.5")
        print(f"note cold: embedded oshd, whole run {timed(osh + ['--', 'true']) / 1000:.0f} ms", flush=True)
        daemon = subprocess.Popen([f"{BUILD}/oshd", "--state", state], stdin=subprocess.DEVNULL)
        print(f"note cold: oshd until its socket is there {wait_for(sock):.0f} ms")
        osh[2:2] = ["--socket", sock]
        for i in range(rounds + 3):
            a, b = timed(osh + ["--", "true"]), timed(bwrap)
            if i >= 3:                       # the first rounds warm both
                print(f"A {a}\nB {b}")
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(d, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
