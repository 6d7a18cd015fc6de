/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ladder of steps; the first that fails reports why and ends the process, and the kernel takes
 * back everything, because nothing of it has a name outside. Reads the bundle, the caller's paths and
 * nothing else.
 */
#include "child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bundle.h"
#include "chan.h"
#include "cred.h"
#include "landlock.h"
#include "left_out.h"
#include "netns.h"
#include "nodes.h"
#include "own.h"
#include "paths.h"
#include "programs.h"
#include "reserved.h"
#include "reserves.h"
#include "resolve.h"
#include "runs.h"
#include "trees.h"
#include "view.h"

enum { MANAGER = 3, CHANNEL, INIT, FIRST_FREE };	/* descriptors at the end */

struct child {
	const struct child_args *a;
	struct bundle b;
	struct paths paths;
	struct view view;
	struct netns_result net;
	int calls_fd;			/* listener of the system call filter */
	int abi;
};

static bool off(const struct child *c, enum osh_off layer)
{
	(void)c;
	(void)layer;
	return LEFT_OUT(c->a->m->off, layer);
}

/* In the child, so that osh-launch does not wait for the kernel to build a network stack. */
static int namespaces(struct child *c, struct err *e)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int r = machine_enter_mounts(c->a->machine, e);

	if (r < 0)
		return r;
	if (c->a->netns_fd < 0)
		flags |= CLONE_NEWNET;
	else if (setns(c->a->netns_fd, CLONE_NEWNET) < 0)
		return fail(e, errno, "enter the network namespace: %s", strerror(errno));
	if (unshare(flags) < 0)
		return fail(e, errno, "new namespaces: %s", strerror(errno));
	if (sethostname(c->a->m->name, strlen(c->a->m->name)) < 0 || setdomainname("", 0) < 0)
		return fail(e, errno, "host name: %s", strerror(errno));
	return 0;
}

static int session(struct child *c, struct err *e)
{
	sigset_t none;

	umask(0);			/* modes below are meant as written */
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);	/* the only one that osh-launch changes */
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
		return fail(e, errno, "new session: %s", strerror(errno));
	if (c->a->m->files > c->a->nofile.rlim_max)
		return fail(e, EPERM, "resources.files: %" PRIu64 " is more than the %" PRIu64 " that osh-launch may give: raise "
			    "LimitNOFILE of its service, or ulimit -Hn", c->a->m->files, (uint64_t)c->a->nofile.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &c->a->nofile) < 0)
		return fail(e, errno, "descriptor limit: %s", strerror(errno));
	return 0;
}

static int policy(struct child *c, struct err *e)
{
	int r = bundle_open_fd(&c->b, c->a->fds[OSH_LFD_BUNDLE], e);

	if (r < 0)
		return r;
	if (c->b.n_exec && c->b.meta->exec_mode != OSH_EXEC_STRICT)
		return fail(e, EOPNOTSUPP, "process.exec.allow needs process.exec.mode: strict");
	return 0;
}

/*
 * Root opened it with capabilities when it was there, so it gets there with them now. But time has passed:
 * it follows no link, because whoever may write on the way could have made it since. Others are opened
 * by their name, as the caller (-1).
 */
static int reopen_workdir(const struct osh_msg_launch *m, int *ret_fd, struct err *e)
{
	int fd = -1;

	if (!m->uid) {
		fd = open_at(AT_FDCWD, m->workdir, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
		if (fd < 0)
			return fail(e, -fd, "working directory '%s': %s", m->workdir, fd == -ELOOP
				    ? "a symbolic link is on the way, and root follows none later" : strerror(-fd));
	}
	*ret_fd = fd;
	return 0;
}

static int open_paths(struct child *c, struct err *e)
{
	int workdir = c->a->fds[OSH_LFD_WORKDIR], r = 0, x;

	if (c->b.meta->include_workdir && (c->a->m->flags & OSH_LAUNCH_REOPEN))
		r = reopen_workdir(c->a->m, &workdir, e);
	if (!r)
		r = cred_as_caller(c->a->m, e);
	if (r < 0)
		return r;
	r = paths_open(&c->paths, c->a->m, &c->b, workdir, c->a->windows, e);
	if (!r)
		r = mounts_join(c->a->mounts, &c->paths, e);
	x = cred_as_root(r < 0 ? NULL : e);
	return r < 0 ? r : x;
}

static int network(struct child *c, struct err *e)
{
	const struct netns_args n = { .dns_prog_fd = c->a->fds[OSH_LFD_DNS],
				      .steer_prog_fd = c->a->fds[OSH_LFD_STEER],
				      .steer_map_fd = c->a->fds[OSH_LFD_STEER_MAP],
				      .b = &c->b,
				      .net6 = { c->a->m->net6[0], c->a->m->net6[1], c->a->m->net6[2],
						c->a->m->net6[3] },
				      .prepared = c->a->netns_fd >= 0,
				      .off = c->a->m->off };

#ifdef OSH_TEST
	if (off(c, OSH_OFF_NETNS)) {	/* placeholders keep the message's shape */
		c->net = (struct netns_result){ open("/dev/null", O_RDWR | O_CLOEXEC),
						open("/dev/null", O_RDWR | O_CLOEXEC),
						open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), 0 };
		return 0;
	}
#endif
	return netns_setup(&n, &c->net, e);
}

static int view(struct child *c, struct err *e)
{
	bool trust = c->a->m->flags & OSH_LAUNCH_TRUST;
	const struct view_args v = { .run_uid = c->a->m->run_uid, .run_gid = c->a->m->run_gid,
				     .name = c->a->m->name,
				     .strict = c->b.meta->exec_mode == OSH_EXEC_STRICT,
				     .lax = off(c, OSH_OFF_NOEXEC),
				     .idmap = c->a->m->flags & OSH_LAUNCH_IDMAP,
				     .nested = c->b.meta->userns, .bundle = &c->b,
				     .disk = c->a->m->disk, .java = c->a->m->flags & OSH_LAUNCH_JAVA,
				     .given = c->a->mounts,
				     .root_fd = trust ? c->a->fds[OSH_LFD_ROOT] : -1,
				     .anchors_fd = trust ? c->a->fds[OSH_LFD_ANCHORS] : -1 };

	if (off(c, OSH_OFF_VIEW))
		return view_rules_only(&c->view, &c->paths, &v, e);
	return view_enter(&c->view, &c->paths, &v, e);
}

/* stdio is the sandbox's own /dev/null; what osh-init needs gets fixed numbers. */
static int descriptors(struct child *c, struct err *e)
{
	int *net[] = { &c->net.listener_fd, &c->net.steer_link_fd, &c->net.netns_fd, &c->view.scratch_fd };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int keep[] = { c->a->fds[OSH_LFD_MANAGER], c->a->channel, c->a->init_fd };

	if (null < 0)
		return fail(e, errno, "open own /dev/null: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return fail(e, errno, "stdio: %s", strerror(errno));
	/* Out of the way first: any of them may sit on a number that another one needs. */
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		if ((keep[i] = fcntl(keep[i], F_DUPFD_CLOEXEC, 64)) < 0)
			return fail(e, errno, "descriptors: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(net); i++)
		if ((*net[i] = fcntl(*net[i], F_DUPFD_CLOEXEC, 64)) < 0)
			return fail(e, errno, "descriptors: %s", strerror(errno));
	for (size_t i = 0; i < c->view.n_rules; i++)
		if (c->view.rules[i].fd < FIRST_FREE &&
		    (c->view.rules[i].fd = fcntl(c->view.rules[i].fd, F_DUPFD_CLOEXEC, 64)) < 0)
			return fail(e, errno, "descriptors: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		if (dup3(keep[i], MANAGER + (int)i, i ? O_CLOEXEC : 0) < 0)
			return fail(e, errno, "descriptors: %s", strerror(errno));
	return 0;
}

/* Before the credentials go: the caller's programs may lie where only root still gets. */
static int programs(struct child *c, struct err *e)
{
	return off(c, OSH_OFF_VIEW) ? 0 : programs_send(CHANNEL, c->a->m->id, &c->paths, &c->b, e);
}

static int trees(struct child *c, struct err *e)
{
	int r = 0;

	if (!(c->a->m->flags & OSH_LAUNCH_LSM)) {
		if (c->b.n_exec)
			paths_warn(&c->paths, "process.exec.allow", "without the BPF LSM layer a loader that is started by name "
				   "('ld.so PROGRAM') runs what is not listed, if it can be read");
		return 0;
	}
	if (c->b.n_exec)
		r = runs_send(CHANNEL, c->a->m, &c->b, e);
	if (!r && reserved_any(&c->b))
		r = reserves_send(CHANNEL, c->a->m, &c->paths, &c->b, e);
	return r || !c->b.meta->deny ? r : trees_send(CHANNEL, c->a->m, &c->paths, &c->b, e);
}

static int credentials(struct child *c, struct err *e)
{
	gid_t groups[OSH_GROUPS_CALLER];
	size_t n = nodes_groups(c->a->mounts, c->a->m, groups, ARRAY_SIZE(groups));

	return off(c, OSH_OFF_CAPS) ? 0 : cred_drop(c->a->m->run_uid, c->a->m->run_gid, groups, n, e);
}

static int landlock(struct child *c, struct err *e)
{
	if (off(c, OSH_OFF_LANDLOCK))
		return 0;
	c->abi = landlock_abi();
	if (c->abi)
		return landlock_apply(c->view.rules, c->view.n_rules, c->abi, e);
	if (c->b.meta->compat == OSH_COMPAT_HARD)
		return fail(e, EOPNOTSUPP, "Landlock does not live on this kernel and the policy says "
			    "landlock.compatibility: hard_requirement");
	if (c->b.n_exec)
		return fail(e, EOPNOTSUPP, "process.exec.allow needs Landlock, which does not live on this "
			    "kernel");
	/* The mount view alone keeps the promise: said, not hidden. */
	paths_warn(&c->paths, "Landlock", "does not live on this kernel; the mount view alone holds");
	return 0;
}

static int filter(struct child *c, struct err *e)
{
	gid_t group;
	bool others = c->a->m->flags & OSH_LAUNCH_IDMAP || nodes_groups(c->a->mounts, c->a->m, &group, 1);
	enum seccomp_variant v = (c->b.meta->userns ? SECCOMP_NESTED : SECCOMP_PLAIN) |
				 (others ? SECCOMP_GROUPS : SECCOMP_PLAIN);

#ifdef OSH_TEST
	if (off(c, OSH_OFF_SECCOMP)) {	/* a placeholder keeps the message's shape */
		c->calls_fd = eventfd(0, EFD_CLOEXEC);
		return 0;
	}
#endif
	return seccomp_enter(c->a->filters, v, &c->calls_fd, e);
}

static int report(struct child *c, struct err *e)
{
	struct osh_msg_prepared p = { .id = c->a->m->id, .netns_cookie = c->net.cookie,
				      .landlock_abi = (uint32_t)c->abi, .warnings = c->paths.warnings };
	const int fds[CHILD_FDS] = { c->net.listener_fd, c->net.steer_link_fd, c->net.netns_fd,
				     c->calls_fd, c->view.scratch_fd };
	int r;

	memcpy(p.warning, c->paths.warning, sizeof(p.warning));
	r = chan_send(CHANNEL, OSH_MSG_PREPARED, &p, sizeof(p), fds, CHILD_FDS);
	if (r < 0)
		return fail(e, -r, "report: %s", strerror(-r));
	/* Nothing of the host's is open from here on; no descriptor leaks into osh-init: least of all the
	 * listener, whose holder answers this filter's questions. */
	if (syscall(SYS_close_range, FIRST_FREE, ~0u, 0) < 0)
		return fail(e, errno, "close descriptors: %s", strerror(errno));
	return 0;
}

static int go(struct child *c, struct err *e)
{
	char files[24];
	char *const argv[] = { (char *)"osh-init", c->a->m->files ? files : NULL, NULL };
	char **env = nodes_env(c->a->mounts);	/* what its commands are to have; it needs none itself */
	struct chan_in in;
	int r = chan_recv(CHANNEL, &in);

	if (r <= 0 || !chan_is(&in, OSH_MSG_GO, sizeof(struct osh_msg_id), 0))
		_exit(1);		/* osh-launch or oshd has gone: nobody to tell */
	snprintf(files, sizeof(files), "%" PRIu64, c->a->m->files);
	if (!env)
		return fail(e, ENOMEM, "out of memory");
	syscall(SYS_execveat, INIT, "", argv, env, AT_EMPTY_PATH);
	return fail(e, errno, "execute osh-init: %s", strerror(errno));
}

static int (*const steps[])(struct child *, struct err *) = {
	/* clang-format off */
	session, namespaces, policy, open_paths, network, view, descriptors,
	programs, trees, credentials, landlock, filter, report, go,
	/* clang-format on */
};

_Noreturn void child_run(const struct child_args *a)
{
	static struct child c;		/* large; the process has only one */
	struct osh_msg_failed f = { .id = a->m->id };
	struct err e = { 0 };
	int channel = a->channel;

	c.a = a;
	c.view.root_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i] == programs)
			channel = CHANNEL;	/* descriptors() has moved it */
		if (steps[i](&c, &e) < 0)
			break;
	}
	f.code = e.code;
	memcpy(f.text, e.text, sizeof(f.text));
	(void)chan_send(channel, OSH_MSG_FAILED, &f, sizeof(f), NULL, 0);
	_exit(1);
}
