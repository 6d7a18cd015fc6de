/* SPDX-License-Identifier: Apache-2.0 */
/* The only clone of a sandbox. The new process is born in its cgroup and as pid 1 of its namespace. */
#include "start.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chan.h"
#include "idmap.h"
#include "own.h"

static bool name_ok(const char *name, size_t room)
{
	size_t n = strnlen(name, room);

	return n && n < room && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static bool is_id(uint32_t id)
{
	return id != 0 && id != (uint32_t)-1;
}

int start_check(const struct osh_msg_launch *m, struct err *e)
{
	if (!m->id || m->n_groups > OSH_GROUPS_CALLER || (m->flags & ~OSH_LAUNCH_ALL) ||
	    m->uid == (uint32_t)-1 || m->gid == (uint32_t)-1)
		return fail(e, EINVAL, "malformed request");
	if (!is_id(m->run_uid) || !is_id(m->run_gid))
		return fail(e, EPERM, "a sandbox never runs as root");
	if (m->uid && (m->run_uid != m->uid || (m->flags & OSH_LAUNCH_IDMAP)))
		return fail(e, EPERM, "uid %u may only run a sandbox as itself", m->uid);
	if (!name_ok(m->name, sizeof(m->name)))
		return fail(e, EINVAL, "a sandbox's name has 1 to %zu letters, digits, '.', '_', '-'",
			    sizeof(m->name) - 1);
	if (strnlen(m->workdir, sizeof(m->workdir)) == sizeof(m->workdir))
		return fail(e, ENAMETOOLONG, "the working directory's path is too long");
#ifndef OSH_TEST
	if (m->off)
		return fail(e, EPERM, "layers can be left out in test builds only");
#endif
	return 0;
}

static int warm_idmap_of(const struct start_args *a, int fd, struct err *e)
{
	struct idmap_key k = { .run_uid = a->m->run_uid, .run_gid = a->m->run_gid };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(e, errno, "stat a directory to be mounted: %s", strerror(errno));
	k.owner = st.st_uid;
	k.group = st.st_gid;
	if (k.owner == k.run_uid && k.group == k.run_gid)
		return 0;
	r = idmap_get(&k, e);
	return r < 0 ? r : 0;
}

/* The maps are made here, where the next sandbox finds them again; the working directory's counts as last. */
static int warm_idmap(const struct start_args *a, struct err *e)
{
	int r = 0;

	if (!(a->m->flags & OSH_LAUNCH_IDMAP))
		return 0;
	for (size_t i = 0; !r && i < a->mounts->n; i++)
		r = warm_idmap_of(a, a->mounts->at[i].fd, e);
	return r || (a->m->flags & OSH_LAUNCH_REOPEN) ? r : warm_idmap_of(a, a->fds[OSH_LFD_WORKDIR], e);
}

int start_sandbox(const struct start_args *a, pid_t *ret_pid, int *ret_pidfd, int *ret_channel,
		  struct err *e)
{
	int pair[2], pidfd = -1, r = warm_idmap(a, e);
	struct clone_args c = { .flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID,
				.pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD,
				.cgroup = (uint64_t)a->fds[OSH_LFD_CGROUP] };
	pid_t pid;

	if (!r)
		r = windows_refresh(a->windows, e);
	if (r < 0)
		return r;
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	pid = (pid_t)syscall(SYS_clone3, &c, sizeof(c));
	if (pid == 0)
		child_run(&(struct child_args){ .m = a->m, .fds = a->fds, .channel = pair[1],
						.init_fd = a->init_fd, .filters = a->filters,
						.netns_fd = a->netns_fd, .mounts = a->mounts,
						.windows = a->windows, .machine = a->machine, .nofile = a->nofile });
	r = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return fail(e, r, "clone into the sandbox's cgroup: %s", strerror(r));
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	*ret_channel = pair[0];
	return 0;
}
