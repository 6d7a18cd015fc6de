# SPDX-License-Identifier: Apache-2.0
"""Sandboxes beside that of an attack (ACROSS=): `gpu`, which serves it, `quiet`, which serves others, and `theirs`, which is
another user's, where it calls; `client`, which calls it, where it serves. tests/redteam/across.py is what runs in them."""
import contextlib
import glob
import os
import shutil
import threading
import time

from across_world import PORT, Box, routes, serve
from lib import run
from osh import OSHCTL, until

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "across.py")
NAMES = {"caller": "agent", "serving": "rogue"}
ROUTE = "{name: %s, api: openai, sandbox: %s, port: 8000%s}"
MORE = {"caller": "inference: {routes: [" + ", ".join(ROUTE % (n, n, f", model: {n}") for n in ("quiet", "theirs", "nobody")) + ", " +
                  ROUTE % ("gpu", "gpu", "") + "]}\n",
        "serving": "serve: [{port: 8000, to: [client]}]\n"}


def box(w, name, policy, verb, uid=0):
    work = os.path.join(w.dir, "work-" + name)
    os.makedirs(work, exist_ok=True)
    shutil.copy(TOOL, work)
    b = Box(w.daemon, name, policy, "python3", "-u", os.path.join(work, "across.py"), verb, uid=uid)
    while b.read() not in ("ready", ""):
        pass
    w.procs.append(b.p)
    return b


def stand(w):
    """Those that serve; once for each oshd."""
    if getattr(w, "beside", None) == w.daemon:
        return
    w.beside = w.daemon
    box(w, "gpu", serve(["agent"]), "ears")
    box(w, "quiet", serve(["someone"]), "ears")
    box(w, "theirs", serve(["*"]), "ears", uid=65534)


def pid_of(w):
    """A process of `gpu`, as seen from outside; 0 where none stands."""
    if not getattr(w, "beside", None):
        return 0
    for p in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(p, "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[0].endswith("python3") and os.path.join(w.dir, "work-gpu", "across.py") in words and "oshctl" not in words[0]:
            return int(p.split("/")[2])
    return 0


def withdraw(w, policy, done):
    """When the attack says so its policy lets nobody in any more."""
    while not done.wait(0.05):
        if os.path.exists(os.path.join(w.work, "withdraw")):
            path = w.write("withdrawn.yaml", policy.replace("[client]", "[nobody]"))
            with uncounted(w):
                rc = run([OSHCTL, "policy", "set", "--socket", w.daemon.bus, "rogue", "-p", path], 60)[0]
            if rc == 0:
                open(os.path.join(w.work, "withdrawn"), "w").close()
            return


@contextlib.contextmanager
def uncounted(w):
    """What oshctl itself says to daemons of the stage is no arrival."""
    came = w.ears.came
    yield
    time.sleep(0.1)
    w.ears.came = came


@contextlib.contextmanager
def partner(w, which, policy):
    """While the attack runs."""
    for name in ("withdraw", "withdrawn"):
        if os.path.exists(os.path.join(w.work, name)):
            os.unlink(os.path.join(w.work, name))
    if which == "caller":
        stand(w)
        yield
        return
    done = threading.Event()
    t = threading.Thread(target=withdraw, args=(w, policy, done))
    t.start()
    with uncounted(w):
        b = box(w, "client", routes(("rogue", "rogue", PORT)), "client")
    try:
        yield
    finally:
        done.set()
        t.join()
        with uncounted(w):
            b.end()
            until(lambda: run([OSHCTL, "sandbox", "get", "--socket", w.daemon.bus, "rogue"], 30)[0] != 0, 20)
