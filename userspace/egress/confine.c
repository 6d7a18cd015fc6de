/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"

/* From the kernel's UAPI; Debian 12's header stops earlier. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct port_attr {
	uint64_t access, port;
} __attribute__((packed));
#define RULE_PORT 2
#define NET_BIND_TCP 1u
#define NET_CONNECT_TCP 2u
#define SCOPE_ALL 3u			/* abstract unix sockets, signals */
#define FS_ALL 0xffffull		/* every file right of ABI 5 and later */
#define MEMORY (1ull << 30)
#define ABI_LEAST 6			/* Linux 6.12 */

/* Any directory that is sure to exist serves as the mount point; nothing of it remains. */
int confine_root(struct err *e)
{
	static const char at[] = "/proc";
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", at, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555") < 0 ||
	    chdir(at) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
		return fail(e, errno, "empty root: %s", strerror(errno));
	return 0;
}

int confine_ids(uint32_t uid, uint32_t gid, struct err *e)
{
	if (!uid || !gid || uid == UINT32_MAX || gid == UINT32_MAX)
		return fail(e, EINVAL, "refusing to run as uid %u, gid %u", uid, gid);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return fail(e, errno, "drop capability %d: %s", cap, strerror(errno));
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return fail(e, errno, "become uid %u: %s", uid, strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(e, errno, "no_new_privs: %s", strerror(errno));
	if (setuid(0) == 0 || getuid() != uid || geteuid() != uid || getegid() != gid)
		return fail(e, EPERM, "root did not go away");
	return 0;
}

int confine_limits(struct err *e)
{
	/* Two sockets and two pipes a connection, and some of our own. */
	static const rlim_t files = OSH_EGRESS_CONNS * 6 + 256;
	static const struct {
		int what;
		rlim_t most;
	} limits[] = {
		{ RLIMIT_NOFILE, files }, { RLIMIT_CORE, 0 }, { RLIMIT_FSIZE, 0 },
		{ RLIMIT_NPROC, 0 }, { RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_MEMLOCK, MEMORY },	/* keys and secrets */
#ifndef __SANITIZE_ADDRESS__
		{ RLIMIT_AS, MEMORY },
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit rl;

		/* In a container root may be unable to raise what it was given. */
		if (getrlimit(limits[i].what, &rl) < 0)
			return fail(e, errno, "rlimit %d: %s", limits[i].what, strerror(errno));
		if (rl.rlim_max > limits[i].most)
			rl.rlim_max = limits[i].most;
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(limits[i].what, &rl) < 0)
			return fail(e, errno, "rlimit %d: %s", limits[i].what, strerror(errno));
	}
	return 0;
}

static int ruleset_new(const struct ruleset_attr *attr, struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	int fd;

	if (abi < ABI_LEAST)
		return fail(e, ENOSYS, "Landlock is missing or older than Linux 6.12 has it");
	fd = (int)syscall(SYS_landlock_create_ruleset, attr, sizeof(*attr), 0);
	return fd < 0 ? fail(e, errno, "Landlock ruleset: %s", strerror(errno)) : fd;
}

int confine_files(struct err *e)
{
	static const struct ruleset_attr attr = { FS_ALL, NET_BIND_TCP, SCOPE_ALL };
	_close_ int fd = ruleset_new(&attr, e);

	if (fd < 0)
		return fd;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return fail(e, errno, "Landlock: %s", strerror(errno));
	return 0;
}

static int allow_port(int fd, uint32_t port, struct err *e)
{
	struct port_attr attr = { NET_CONNECT_TCP, port };

	if (syscall(SYS_landlock_add_rule, fd, RULE_PORT, &attr, 0) < 0)
		return fail(e, errno, "Landlock port %u: %s", port, strerror(errno));
	return 0;
}

int confine_ports(const struct bundle *b, const struct hosts *h, struct err *e)
{
	static const struct ruleset_attr attr = { 0, NET_CONNECT_TCP, 0 };
	uint8_t seen[65536 / 8] = { 0 };
	_close_ int fd = ruleset_new(&attr, e);
	int r;

	if (fd < 0)
		return fd;
	seen[53 / 8] |= 1 << 53 % 8;	/* DNS that did not fit a datagram */
	for (uint32_t i = 0; i < b->n_endpoints; i++)
		if (!bundle_is_sandbox(b, b->endpoints[i].host))	/* no port of the network's */
			seen[(b->endpoints[i].port & 0xffff) / 8] |= (uint8_t)(1 << b->endpoints[i].port % 8);
	for (size_t i = 0; i < h->n; i++)
		seen[h->e[i].port / 8] |= (uint8_t)(1 << h->e[i].port % 8);
	seen[h->proxy.port / 8] |= (uint8_t)(1 << h->proxy.port % 8);
	for (uint32_t port = 1; port < 65536; port++) {
		if (!(seen[port / 8] & 1 << port % 8))
			continue;
		r = allow_port(fd, port, e);
		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return fail(e, errno, "Landlock: %s", strerror(errno));
	return 0;
}
