/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group is read from /etc/group alone: a directory service that does not answer must not hold
 * up the loop, and its libraries have no business in root's daemon.
 */
#include "caller.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "own.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; newer than Debian 12's header */
#define SO_PEERPIDFD 77
#endif
#define GROUP_FILE "/etc/group"

static bool same_namespace(pid_t pid, const char *kind)
{
	char path[64], own[64], theirs[64];
	ssize_t a, b;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	a = readlink(path, own, sizeof(own));
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	b = readlink(path, theirs, sizeof(theirs));
	return a > 0 && a == b && !memcmp(own, theirs, (size_t)a);
}

int caller_process(pid_t pid, struct err *e)
{
	if (pid <= 0)
		return fail(e, EPERM, "a caller of another pid namespace is refused");
	if (cgroup_is_ours(pid))
		return fail(e, EPERM, "a caller inside a sandbox is refused");
	if (!same_namespace(pid, "pid"))
		return fail(e, EPERM, "a caller of another pid namespace is refused");
	/* Whoever has subordinate ids is 65536 users in a namespace of his own, each with a share. */
	if (!same_namespace(pid, "user"))
		return fail(e, EPERM, "a caller of another user namespace is refused");
	return 0;
}

int caller_check(pid_t pid, int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r = caller_process(pid, e);

	if (!r && poll(&p, 1, 0) != 0)
		r = fail(e, EPERM, "the caller has gone");
	return r;
}

int caller_of_socket(struct caller *c, int fd, struct err *e)
{
	socklen_t n = sizeof(struct ucred), len = sizeof(c->groups), one = sizeof(int);
	_close_ int pidfd = -1;
	struct ucred cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return fail(e, errno, "who calls: %s", strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) < 0)
		return fail(e, errno, "groups of uid %u (at most %d): %s", cred.uid,
			    OSH_GROUPS_CALLER, strerror(errno));
	c->n_groups = len / sizeof(gid_t);
	c->uid = cred.uid;
	c->gid = cred.gid;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &one) < 0)
		return fail(e, EPERM, "the caller has gone");
	return caller_check(cred.pid, pidfd, e);
}

/* -1 = there is no such group. */
static gid_t admins(void)
{
	_fclose_ FILE *f = fopen(GROUP_FILE, "re");
	const struct group *g;

	while (f && (g = fgetgrent(f)))
		if (!strcmp(g->gr_name, CALLER_ADMINS))
			return g->gr_gid;
	return (gid_t)-1;
}

bool caller_is_admin(const struct caller *c)
{
	gid_t g;

	if (!c->uid)
		return true;
	g = admins();
	if (!g || g == (gid_t)-1)
		return false;
	for (uint32_t i = 0; i < c->n_groups; i++)
		if (c->groups[i] == g)
			return true;
	return c->gid == g;
}

bool caller_may(const struct caller *c, uid_t owner)
{
	return c->uid == owner || c->admin;
}
