#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What osh-gpu reads never answers, as files of a GPU's driver that has died: here a file system on /run/cdi. Whoever asks hears so,
the first after some seconds and all others at once; oshd serves everybody meanwhile, and GPUs are back when it answers."""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gpus  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, until  # noqa: E402
from test_hostile_log import OPENDIR, serve  # noqa: E402

LIMIT = 240


def hanging():
    """A file system on /run/cdi whose directory is never opened, or None."""
    p = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    if p.stdout.readline().strip() == "mounted":
        return p
    p.wait()
    return None


def main():
    t = Tap()
    if os.geteuid() or not os.path.exists("/dev/fuse"):
        t.skip("a driver that hangs", "needs root and FUSE")
        t.done()
    gpus.machine({**gpus.NODES, "fuse": (10, 229)})
    with Work() as w, Daemon(w) as d:
        def ask():
            began = time.monotonic()
            rc, out, err = run([OSHCTL, "gpu", "list", "--socket", d.bus], LIMIT)
            return rc, out, err, time.monotonic() - began
        first = ask()
        t.ok(first[0] == 0 and "nvidia0" in first[1], "GPUs are found", first)
        f = hanging()
        if not f:
            t.skip("a driver that hangs", "FUSE cannot be mounted")
            t.done()
        try:
            held = ask()
            t.ok(held[0] and "hangs" in held[2], "who asks hears that nothing answers", held)
            again = [ask() for _ in range(5)]
            t.ok(all(a[0] and "hangs" in a[2] for a in again), "so do those that ask then", again)
            t.ok(sum(a[3] for a in again) < held[3], "all of them sooner than the first: nobody waits for it twice", again, held)
            rc, out, err = run(d.command("echo", "here"), LIMIT)
            t.ok(rc == 0 and out == "here\n" and d.p.poll() is None, "a sandbox without a GPU starts", rc, err)
            rc, _, err = run(d.command("true", options=("--gpu", "nvidia0")), LIMIT)
            t.ok(rc == 125 and "hangs" in err, "and one with a GPU says why it does not", rc, err)
        finally:
            f.kill()                    # the kernel ends what waits for it
            f.wait()
            subprocess.run(["umount", "-l", gpus.CDI], check=False)
        t.ok(until(lambda: ask()[0] == 0, 30), "GPUs are back when it answers", ask())
    t.done()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve(gpus.CDI, (OPENDIR,), "allow_other")
    else:
        main()
