#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A model that is served in one sandbox and called from another: by a route of the one's policy and `serve` of the other's, both of
them, and by nothing else. Streams go on, are cut when either policy says so, and nobody takes a cut for an end."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from across_world import OTHER, PORT, Box, agent, ask, routes, serve, server  # noqa: E402
from lib import Tap  # noqa: E402
from osh import Daemon, Work, kill, pids_of, until  # noqa: E402

if os.getuid():
    print("1..0 # SKIP needs root")
    sys.exit(77)

NOBODY = 65534
t = Tap()


def both(d):
    g, a = server(d, ["ag*"]), agent(d, routes(("gpu", "gpu", PORT)))
    r = ask(a)
    t.ok("status=200" in r and '"text": "x"' in r and g.read() == "asked /v1/chat/completions m", "both policies say so: the call is answered", r)
    r = ask(a, n=3000000)
    t.ok(r.startswith("30000"), "three megabytes, too", r[:80])
    g.read()
    t.ok("status=200" in ask(a, "list") and "status=200" in ask(a, "list"), "an answer whose end is the connection's has an end")
    e = g.has("serve", "ALLOWED", caller="agent")
    t.ok(e and e[0]["src_endpoint"] == {"name": "agent"} and e[0]["dst_endpoint"] == {"name": "gpu", "port": PORT}, "the one that serves has it on record", e)
    e = a.has("inference", "ALLOWED", backend="gpu.sandbox.local")
    t.ok(e and e[0]["unmapped"]["tokens_in"] == 4, "and the caller's log has the call", e)
    first = ask(a, "hold", 3)
    g.tell()
    t.ok(first == 'data: {"part": 0}' and '"part": 2}\\n\\n status=200' in ask(a, "end"), "a stream comes as it comes", first)
    r = ask(a, "direct", f"http://gpu.sandbox.local:{PORT}/")
    t.ok("curl:" in r, "no program gets there but by a call", r)
    for addr in ("127.0.0.1", "[::1]"):
        r = ask(a, "direct", f"http://{addr}:{PORT}/")
        t.ok("curl:" in r, f"its own {addr} is its own", r)
    return g, a


def reloaded(g, a):
    first = ask(a, "hold", 3)
    r = g.set(serve(["agent", "b"]))
    g.tell()
    t.ok(r[0] == 0 and first == 'data: {"part": 0}' and "status=200" in ask(a, "end"), "a policy that says so, too, cuts nothing", r)
    for n, what in ((3, "a stream"), (7, "one that ends with its connection")):
        first = ask(a, "hold", n)
        r = g.set(serve(["b"]))
        end = ask(a, "end")
        t.ok(r[0] == 0 and first and "curl:" in end, f"{what} is cut when `serve` does not name its caller any more, and reads no end", r, end)
        r = ask(a)
        t.ok("status=403" in r and "sandbox_not_serving" in r and "serve" in r, "then a call is refused, with the reason", r)
        t.ok(g.set(serve(["agent"]))[0] == 0 and "status=200" in ask(a), "until it is named again")
    t.ok(a.has("egress", "PEER_CLOSED", host="gpu.sandbox.local") and g.has("serve", "PEER_CLOSED", caller="agent"), "both logs have it")
    first = ask(a, "hold", 3)
    r = a.set(routes(("gpu", "gpu", OTHER)))
    t.ok(r[0] == 0 and first and "curl:" in ask(a, "end"), "a stream is cut when no route leads there any more", r)
    r = ask(a)
    t.ok("status=403" in r and "sandbox_not_serving" in r, "another port is not what `serve` names", r)
    r = a.set(routes(("gone", "nobody", PORT), ("gpu", "gpu", PORT), more="  fallback: true\n"))
    r = ask(a)
    t.ok("status=200" in r and a.has("egress", "PEER_AWAY", host="nobody.sandbox.local"), "a sandbox that does not run is a backend that fails", r)


def gone(d, g, a):
    a.set(routes(("gpu", "gpu", PORT)))
    first = ask(a, "hold", 3)
    g.end()
    t.ok(first and "curl:" in ask(a, "end"), "a stream is cut when the sandbox that serves ends")
    r = ask(a)
    t.ok("status=502" in r and "sandbox_not_running" in r, "a call then says that it does not run", r)
    g = server(d, None)
    r = ask(a)
    t.ok("status=403" in r and "sandbox_not_serving" in r, "one of that name that does not serve", r)
    g.end()
    g = server(d, ["agent"])
    t.ok("status=200" in ask(a), "and one that does, which is found by its name")
    g.end()
    g = server(d, ["agent"], uid=NOBODY)
    r = ask(a)
    t.ok("sandbox_not_running" in r and "no sandbox of this user" in r and not [e for e in g.events() if e.get("osh", {}).get("event") == "serve"], "another user's is none", r)
    g.end()


def silent(d, a):
    g = Box(d, "gpu", serve(["agent"]), "sleep", "600")
    until(lambda: "does not run" not in ask(a) and "no sandbox" not in ask(a), 10)
    r = ask(a)
    t.ok("status=502" in r and "upstream_unreachable" in r and "refused" in r, "a port where nobody listens", r)
    g.end()


def killed(d, g, a):
    """oshd and egresses die: what lives goes on, and is cut by the next oshd just as well."""
    first = ask(a, "hold", 3)
    d.p.send_signal(signal.SIGKILL)
    d.p.wait()
    d.start()
    g.tell()
    t.ok(first and "status=200" in ask(a, "end"), "a stream outlives oshd")
    t.ok("status=200" in ask(a), "and the next call goes by the next one")
    first = ask(a, "hold", 3)
    r = g.set(serve(["b"]))
    t.ok(r[0] == 0 and first and "curl:" in ask(a, "end"), "which cuts what the former one had let in", r)
    g.set(serve(["agent"]))
    kill(pids_of("osh-egress"))
    t.ok(until(lambda: "status=200" in ask(a), 20), "another egress goes there, too")


def main():
    with Work() as w, Daemon(w) as d:
        os.chmod(w.dir, 0o755)
        g, a = both(d)
        reloaded(g, a)
        killed(d, g, a)
        gone(d, g, a)
        silent(d, a)
        a.end()
    t.done()


main()
