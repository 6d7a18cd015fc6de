# SPDX-License-Identifier: Apache-2.0
"""Where attacks take place: a network and a mount namespace of the test's own, in which what an attack is after exists. So
its control can do the very same thing to the same object, whatever machine this is, and does no harm to it. Every address
is a local one, and somebody listens on each port that is tried; a resolver answers every question; sockets of daemons lie
where they lie on a desktop; /etc, /run, /tmp and some more are its own."""
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading

from lib import ROOT, cgroup2

ON = bool(os.environ.get("OSH_STAGE"))
COPIES = ["/etc", "/var/spool"]
FRESH = ["/run", "/dev/shm"] + ([] if ROOT.startswith("/tmp/") else ["/tmp"])
TCP = [22, 25, 8000, 9999]  # World has 53, 80, 443 and 853; what a sandbox serves the host has, too
UDP = [137, 443, 853, 5353, 5355, 9999]
SERVICES = ["/run/docker.sock", "/run/dbus/system_bus_socket", "/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve",
            "/tmp/.X11-unix/X0", "\0osh-redteam",
            # names that a record of them must survive
            '/run/x\n{"osh":{"event":"connect","verdict":"allowed"}}', "/run/" + "0" * 100, "/run/\033]0;pwned\007\033[2J"]
DATAGRAMS = ["/run/systemd/journal/socket", "\0osh-redteam-datagrams"]
# Of GPUs that nobody has, beside the machine's own devices: an open that is let through says ENXIO, since no driver answers.
NODES = {"nvidia60": (195, 60), "nvidia61": (195, 61), "nvidiactl": (195, 255), "nvidia-modeset": (195, 254), "redteam0": (120, 0)}
CDI = """{"cdiVersion": "0.6.0", "kind": "redteam.example/dev", "devices": [
 {"name": "ro", "containerEdits": {"deviceNodes": [{"path": "/dev/redteam0", "permissions": "r"}]}}]}"""
FILES = ["/etc/ssh/ssh_host_ed25519_key", "/etc/shadow-", "/dev/shm/osh-redteam", "/etc/profile.d/none.sh"]


def sh(*cmd, must=True):
    p = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if p.returncode and must:
        raise RuntimeError(f"{' '.join(cmd)}: {p.stdout}")


def touch(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as f:
        f.write("of the stage\n")


class Listeners:
    """Sockets that take whatever comes, and what came there."""

    def __init__(self):
        self.came, self.open = 0, []

    def stream(self, family, name):
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(name)
        s.listen(64)
        self._watch(s, lambda: s.accept()[0].close())

    def datagram(self, family, name):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind(name)
        self._watch(s, lambda: s.recv(65536))

    def holder(self, name, path):
        """Whoever connects gets a descriptor of that node."""
        def give():
            c, _ = s.accept()
            with c:
                fd = os.open(path, os.O_PATH)
                socket.send_fds(c, [b"x"], [fd])
                os.close(fd)
        s = socket.socket(socket.AF_UNIX)
        s.bind(name)
        s.listen(64)
        self._watch(s, give)

    def _watch(self, s, take):
        self.open.append(s)
        threading.Thread(target=self._serve, args=(s, take), daemon=True).start()

    def _serve(self, s, take):
        while s.fileno() >= 0:
            try:
                take()
            except OSError:
                continue
            self.came += 1


def enter():
    """Runs this program again in the stage's namespaces, once."""
    if ON:
        return
    os.environ["OSH_STAGE"] = "1"
    os.execvp("unshare", ["unshare", "-m", "-n", sys.executable, *sys.argv])


def devices():
    """The machine's /dev again in a tmpfs of the stage's, with the mounts below it."""
    where = tempfile.mkdtemp()
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", where)
    for e in os.scandir("/dev"):
        to = os.path.join(where, e.name)
        st = e.stat(follow_symlinks=False)
        if not os.path.ismount(e.path):
            sh("cp", "-a", "--one-file-system", e.path, to)
            continue
        if stat.S_ISDIR(st.st_mode):
            os.mkdir(to)
        else:
            touch(to)
        sh("mount", "--rbind", e.path, to)
    for name, numbers in NODES.items():
        if not os.path.lexists(os.path.join(where, name)):
            os.mknod(os.path.join(where, name), stat.S_IFCHR, os.makedev(*numbers))
        os.chmod(os.path.join(where, name), 0o666)
    sh("mount", "--move", where, "/dev")
    os.rmdir(where)


def mounts():
    devices()
    for d in COPIES + FRESH:
        os.makedirs(d, exist_ok=True)
    for d in COPIES:
        with tempfile.TemporaryDirectory() as kept:
            sh("cp", "-a", d + "/.", kept)
            sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", d)
            sh("cp", "-a", kept + "/.", d)
    for d in FRESH:
        sh("mount", "-t", "tmpfs", "-o", "mode=" + ("755" if d == "/run" else "1777"), "tmpfs", d)
    for f in FILES:
        touch(f)
    os.makedirs("/run/cdi")
    with open("/run/cdi/redteam.json", "w") as f:
        f.write(CDI)
    with open("/etc/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.1\n")
    with open("/etc/nsswitch.conf", "a") as f:
        f.write("\nhosts: files dns\n")


def sysctl(name, value):
    if os.path.exists("/proc/sys/net/" + name):
        with open("/proc/sys/net/" + name, "w") as f:
            f.write(value)


def network():
    sysctl("ipv6/conf/default/accept_dad", "0")
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "route", "add", "local", "default", "dev", "lo")
    sh("ip", "-6", "route", "add", "local", "default", "dev", "lo", must=False)
    if not subprocess.run(["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"], stderr=subprocess.DEVNULL, check=False).returncode:
        sh("ip", "addr", "add", "10.77.0.1/24", "broadcast", "10.77.0.255", "dev", "wire0")
        for end in ("wire0", "wire1"):
            sh("ip", "link", "set", end, "up")
        sh("ip", "route", "add", "224.0.0.0/4", "dev", "wire0")
    sysctl("ipv4/ping_group_range", "0 2147483647")


def build():
    """Before World: its servers stand on the stage's ports."""
    mounts()
    network()
    ears = Listeners()
    for p in TCP:
        ears.stream(socket.AF_INET6, ("::", p))
    for p in UDP:
        ears.datagram(socket.AF_INET6, ("::", p))
    for name in SERVICES + DATAGRAMS:
        if not name.startswith("\0"):
            os.makedirs(os.path.dirname(name), exist_ok=True)
        (ears.datagram if name in DATAGRAMS else ears.stream)(socket.AF_UNIX, name)
    return ears


def furnish(ears, w):
    """What lies in the world's own directories."""
    for name in (os.path.join(w.dir, "agent.sock"), os.path.join(w.work, "door")):
        ears.stream(socket.AF_UNIX, name)
    ears.datagram(socket.AF_UNIX, os.path.join(w.dir, "log.sock"))
    ears.holder(os.path.join(w.work, "holder"), "/dev/nvidia61")
    ears.holder("\0osh-redteam-holder", "/dev/nvidia61")
    w.readonly = os.path.join(w.dir, "readonly")
    os.makedirs(w.readonly, exist_ok=True)
    w.ears = ears


def variables(w):
    return {"RO": w.readonly, "CGROUP": cgroup2() or "/sys/fs/cgroup"}
