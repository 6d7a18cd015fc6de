/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group is read from /etc/group alone: a directory service that does not answer must not hold
 * up the loop, and its libraries have no business in root's daemon.
 */
#include "caller.h"

#include <grp.h>
#include <sys/socket.h>

#include "kernel/cgroup.h"
#include "own.h"

#define GROUP_FILE "/etc/group"

int caller_of_socket(struct caller *c, int fd, struct err *e)
{
	struct ucred cred;
	socklen_t n = sizeof(cred), len = sizeof(c->groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return fail(e, errno, "who calls: %s", strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) < 0)
		return fail(e, errno, "groups of uid %u (at most %d): %s", cred.uid,
			    OSH_GROUPS_CALLER, strerror(errno));
	c->n_groups = len / sizeof(gid_t);
	if (cred.pid <= 0)
		return fail(e, EPERM, "a caller of another pid namespace is refused");
	if (cgroup_is_ours(cred.pid))
		return fail(e, EPERM, "a caller inside a sandbox is refused");
	c->uid = cred.uid;
	c->gid = cred.gid;
	return 0;
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
	return c->uid == owner || caller_is_admin(c);
}
