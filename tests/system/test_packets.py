#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No packet leaves except from the egress. Counted, not read from a log: everything runs in a network
namespace of its own whose default route is a veth device, and the device's counter is compared."""
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from osh import until  # noqa: E402
from world import World, rule  # noqa: E402

FAR = "192.0.2.77"                  # a listed host's upstream address, beyond the dummy device


def sent():
    with open("/proc/self/net/dev") as f:      # /sys still shows the namespace that mounted it
        line = next(ln for ln in f if ln.strip().startswith("osh-out:"))
    return int(line.split(":")[1].split()[9])


def ip(*args):
    return subprocess.run(["ip", *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


ATTEMPTS = [
    "connect 192.0.2.1 443", "udp 192.0.2.53 53", "udpconnect 192.0.2.53 53", "fastopen 192.0.2.1 80",
    "mptcp 192.0.2.1 80", "connect 2001:db8::1 443", "udp 2001:db8::53 53", "raw", "ping", "packet",
    "resolve secret.denied.example", "host denied.example 443", "host allowed.example 80",
]


def main():
    if os.environ.get("OSH_TEST_NETNS") != "1":
        os.execvpe("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__)], {**os.environ, "OSH_TEST_NETNS": "1"})
    ip("link", "set", "lo", "up")
    made = ip("link", "add", "osh-out", "type", "veth", "peer", "name", "osh-in")
    if made.returncode:
        print("no veth device: " + made.stderr.strip())
        sys.exit(77)
    for a in (["addr", "add", "192.0.2.2/24", "dev", "osh-out"], ["-6", "addr", "add", "2001:db8::2/64", "dev", "osh-out", "nodad"],
              ["link", "set", "osh-in", "up"], ["link", "set", "osh-out", "up"], ["route", "add", "default", "via", "192.0.2.254"],
              ["neigh", "add", FAR, "lladdr", "02:00:00:00:00:01", "dev", "osh-out"],
              ["neigh", "add", "192.0.2.53", "lladdr", "02:00:00:00:00:01", "dev", "osh-out"]):
        ip(*a)
    with open("/proc/sys/net/ipv6/conf/osh-out/router_solicitations", "w") as f:
        f.write("0")
    t = Tap()
    with World() as w:
        before = sent()
        subprocess.run([w.attempt, "udp", "192.0.2.53", "53"], stdout=subprocess.DEVNULL)
        t.ok(sent() > before, "control: a datagram sent outside is counted")
        policy = w.policy(rule("all", ["allowed.example", "far.example"]))
        with open(w.hosts, "a") as f:
            f.write(f"{FAR}:443 far.example\n")
        subprocess.run(["sleep", "2"])                   # multicast of the new device is over
        for a in ATTEMPTS:
            before = sent()
            r = w.run(policy, [w.attempt, *a.split()], timeout=200)
            t.ok(r.rc == 1 and sent() == before, f"{a}: refused, and no packet left ({sent() - before})", r)
        before = sent()
        r = w.run(policy, ["curl", "-sS", "--cacert", w.ca, "https://allowed.example/hello"])
        t.ok(r.rc == 0 and sent() == before, "an allowed host: the egress dials the address that it was given", r)
        before = sent()
        # Nobody answers there: curl is told to end once a packet was seen, however long the egress takes to start.
        seen = os.path.join(w.work, "seen")
        script = f"curl -sS -m 300 https://far.example/ & p=$!; while kill -0 $p && [ ! -e {seen} ]; do sleep 0.1; done; kill $p"
        client = threading.Thread(target=w.run, args=(policy, ["sh", "-c", script]), kwargs={"timeout": 400})
        client.start()
        went = until(lambda: sent() > before, 60)
        open(seen, "w").close()
        client.join()
        t.ok(went, "an allowed host beyond the device: the egress' packets are counted")
    t.done()


if __name__ == "__main__":
    main()
