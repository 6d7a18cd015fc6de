# SPDX-License-Identifier: Apache-2.0
"""A systemd of the test's own as process 1: in namespaces, on a copy-on-write view of this machine's root. What is installed
and changed in there is gone with it; a reboot keeps it."""
import os
import shutil
import subprocess
import tempfile
import time

from lib import cgroup2, run

# Enters a cgroup of its own first: its systemd takes what it sees of cgroups for its own to make and to remove.
ENTER = 'echo $$ > "$1/cgroup.procs" && exec unshare -m -p -f --kill-child -u -i -n -C sh -c "$2" sh "$3"'
# Runs inside the new namespaces; the argument is a directory for the writable layer.
BOOT = r"""
set -e
mount --make-rprivate /
mount -t overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for n in null zero full random urandom tty; do : > dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf -o mode=0700 bpf sys/fs/bpf
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p old
pivot_root . old
umount -l old
export container=osh-test
exec /lib/systemd/systemd --system --unit=multi-user.target --show-status=no < /dev/null
"""
# Units of the machine's own that have no place here, or would change its kernel.
MASKED = ["systemd-sysctl", "systemd-modules-load", "systemd-udevd", "systemd-udev-trigger", "systemd-udevd-control.socket",
          "systemd-udevd-kernel.socket", "systemd-remount-fs", "systemd-timesyncd", "systemd-resolved", "systemd-networkd",
          "systemd-logind", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount",
          "sys-fs-fuse-connections.mount", "console-getty", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer"]


class Box:
    def __init__(self):
        # Not below /tmp, which is another file system inside.
        self.dir = tempfile.mkdtemp(prefix="osh-box-", dir="/var/tmp")
        for d in ("up", "work", "root", "up/etc", "up/etc/systemd", "up/etc/systemd/system", "up/usr", "up/usr/sbin"):
            os.mkdir(os.path.join(self.dir, d), 0o755)
        system = os.path.join(self.dir, "up/etc/systemd/system")
        os.setxattr(system, "trusted.overlay.opaque", b"y")     # none of what this machine enables
        for u in MASKED:
            os.symlink("/dev/null", os.path.join(system, u if "." in u else u + ".service"))
        open(os.path.join(self.dir, "up/etc/machine-id"), "w").close()
        # What keeps services of packages from being started on a build machine.
        os.mknod(os.path.join(self.dir, "up/usr/sbin/policy-rc.d"), 0o20600 & 0o170000, os.makedev(0, 0))
        self.cgroup = os.path.join(cgroup2(), os.path.basename(self.dir))
        os.mkdir(self.cgroup)
        self.p = self.pid = None

    def boot(self):
        log = open(os.path.join(self.dir, "console"), "a")
        self.p = subprocess.Popen(["sh", "-c", ENTER, "sh", self.cgroup, BOOT, self.dir], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, start_new_session=True)
        log.close()
        end = time.monotonic() + 300
        while time.monotonic() < end:
            kids = open(f"/proc/{self.p.pid}/task/{self.p.pid}/children").read().split()
            if kids and open(f"/proc/{kids[0]}/comm").read() == "systemd\n":
                self.pid = kids[0]
                _, out, _ = self.run("systemctl", "is-system-running")
                if out.strip() in ("running", "degraded"):
                    return self
            time.sleep(0.1)
        raise RuntimeError("systemd does not come up: " + open(os.path.join(self.dir, "console")).read()[-2000:])

    def run(self, *cmd, timeout=60, env=None):
        return run(["nsenter", "-t", self.pid, "-a", "-r", "-w", *cmd], timeout=timeout,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **(env or {})})

    def halt(self):
        """As at the end of a system: every unit is stopped in order."""
        self.run("systemctl", "poweroff")
        try:
            self.p.wait(300)
        except subprocess.TimeoutExpired:
            self.kill()
        self.p = None

    def kill(self):
        with open(os.path.join(self.cgroup, "cgroup.kill"), "w") as f:
            f.write("1")
        self.p.wait()

    def __enter__(self):
        return self.boot()

    def __exit__(self, *_):
        if self.p:
            self.kill()
        for _ in range(100):
            for d, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(d)
                except OSError:
                    pass
            if not os.path.exists(self.cgroup):
                break
            time.sleep(0.1)
        shutil.rmtree(self.dir, ignore_errors=True)
