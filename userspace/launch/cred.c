/* SPDX-License-Identifier: Apache-2.0 */
/* Raw system calls: one thread, and no library that would second-guess the order. */
#include "cred.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"

#define CAPS_MAX 64			/* two 32-bit words of the version 3 interface */

static int caps_get(struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &h, d) < 0 ? -errno : 0;
}

static int caps_set(const struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* Effective set: all that is permitted, or nothing. */
static int caps_effective(int on)
{
	struct __user_cap_data_struct d[2];
	int r = caps_get(d);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		d[i].effective = on ? d[i].permitted : 0;
	return caps_set(d);
}

int cred_as_caller(const struct osh_msg_launch *m, struct err *e)
{
	int r;

	if (setgroups(m->n_groups, m->groups) < 0)
		return fail(e, errno, "take the caller's groups: %s", strerror(errno));
	setfsgid(m->gid);
	setfsuid(m->uid);
	/* setfs*id(2) do not report failure: asking with -1 changes nothing and tells the truth. */
	if ((gid_t)setfsgid((gid_t)-1) != m->gid || (uid_t)setfsuid((uid_t)-1) != m->uid)
		return fail(e, EPERM, "take the caller's identity: refused by the kernel");
	r = caps_effective(0);
	return r < 0 ? fail(e, -r, "lower capabilities: %s", strerror(-r)) : 0;
}

int cred_as_root(struct err *e)
{
	int r = caps_effective(1);

	if (r < 0)
		return fail(e, -r, "raise capabilities: %s", strerror(-r));
	setfsuid(0);
	setfsgid(0);
	if (setfsuid((uid_t)-1) != 0 || setfsgid((gid_t)-1) != 0)
		return fail(e, EPERM, "leave the caller's identity: refused by the kernel");
	r = caps_effective(1);		/* leaving an fsuid touches the file capabilities */
	if (r < 0)
		return fail(e, -r, "raise capabilities: %s", strerror(-r));
	if (setgroups(0, NULL) < 0)
		return fail(e, errno, "leave the caller's groups: %s", strerror(errno));
	return 0;
}

static int drop_bounding(struct err *e)
{
	for (unsigned long c = 0; c < CAPS_MAX; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
			if (errno == EINVAL && c > 0)
				return 0;	/* past the last one that this kernel has */
			return fail(e, errno, "drop capability %lu: %s", c, strerror(errno));
		}
	return 0;
}

/* What the kernel counts by uid, where that is the caller's own: he keeps half. Later nobody inside can raise it. */
static int leave_half(struct err *e)
{
	static const int counted[] = { RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE };

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		struct rlimit l;

		if (getrlimit(counted[i], &l) < 0)
			return fail(e, errno, "limit %d: %s", counted[i], strerror(errno));
		l.rlim_max = l.rlim_cur = l.rlim_cur / 2;
		if (setrlimit(counted[i], &l) < 0)
			return fail(e, errno, "limit %d: %s", counted[i], strerror(errno));
	}
	return 0;
}

/* All that it has is counted together. Where the machine gives root less, that is enough: raising it takes a right of its own. */
static int limit_tasks(struct err *e)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NPROC, &l) < 0)
		return fail(e, errno, "task limit: %s", strerror(errno));
	l.rlim_max = l.rlim_max < OSH_SANDBOX_NPROC ? l.rlim_max : OSH_SANDBOX_NPROC;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NPROC, &l) < 0 ? fail(e, errno, "task limit: %s", strerror(errno)) : 0;
}

int cred_drop(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, struct err *e)
{
	static const struct __user_cap_data_struct none[2];
	static const struct rlimit no_core = { 1, 1 };	/* 0 would have the kernel run a program that a pipe leads to */
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	bool own;
	int r;

	if (!uid || !gid || uid == (uid_t)-1 || gid == (gid_t)-1)
		return fail(e, EPERM, "a sandbox never runs as root");
	r = drop_bounding(e);
	if (r < 0)
		return r;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return fail(e, errno, "core limit: %s; the hard limit of osh-launch has to be 1 at least (LimitCORE=1 in its unit)",
			    strerror(errno));
	/* Counted by uid: a caller's own would count what he does outside, too. */
	own = uid >= OSH_UID_SANDBOX && uid < OSH_UID_SANDBOX + OSH_SLOTS;
	r = own ? limit_tasks(e) : leave_half(e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return fail(e, errno, "lock securebits: %s", strerror(errno));
	if (setgroups(n_groups, groups) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return fail(e, errno, "become uid %u gid %u: %s", uid, gid, strerror(errno));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail(e, errno, "clear ambient capabilities: %s", strerror(errno));
	r = caps_set(none);
	if (r < 0)
		return fail(e, -r, "drop capabilities: %s", strerror(-r));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(e, errno, "no_new_privs: %s", strerror(errno));
	return 0;
}
