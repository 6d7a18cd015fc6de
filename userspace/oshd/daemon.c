/* SPDX-License-Identifier: Apache-2.0 */
/* Start as a ladder, stop as its way down; both by the resident daemon and by an embedded one. */
#include "daemon.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditor.h"
#include "bus.h"
#include "callers.h"
#include "counts.h"
#include "host.h"
#include "home.h"
#include "launcher.h"
#include "life.h"
#include "needs.h"
#include "own.h"
#include "proc.h"
#include "root.h"
#include "sandbox.h"
#include "upgrade.h"
#include "state/state.h"
#include "sysbus.h"
#include "tree.h"
#include "upstream.h"

#define STOP_US 5000000			/* how long a stop waits for sandboxes to go */

int daemon_find_libexec(struct daemon *d, struct err *e)
{
	char path[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return fail(e, errno, "read /proc/self/exe: %s", strerror(errno));
	path[n] = 0;
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	d->libexec_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return d->libexec_fd < 0 ? fail(e, errno, "open '%s': %s", path, strerror(errno)) : 0;
}

/* FNV-1a: tells two private daemons apart by their directory. */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static int name_instance(struct daemon *d, struct err *e)
{
	char real[PATH_MAX];
	unsigned long long start;
	int r;

	if (d->config.embedded) {
		r = proc_start(getpid(), &start);
		if (r < 0)
			return fail(e, -r, "read /proc/self/stat: %s", strerror(-r));
		snprintf(d->instance, sizeof(d->instance), "run-%d-%llu", getpid(), start);
		/* Where to look for a free slot; another run looks elsewhere. */
		d->next_id = (uint32_t)getpid();
		snprintf(d->cgroup, sizeof(d->cgroup), "%s", d->instance);
		return 0;
	}
	if (!d->config.state) {
		strcpy(d->run, "/run/osh");
		strcpy(d->instance, "oshd");
	} else {
		struct stat st;

		if (mkdir(d->config.state, 0755) < 0 && errno != EEXIST)
			return fail(e, errno, "make '%s': %s", d->config.state, strerror(errno));
		if (!realpath(d->config.state, real) || strlen(real) >= sizeof(d->run) - 16)
			return fail(e, errno, "state directory '%s': %s", d->config.state, strerror(errno));
		/* Our sockets and osh-launch's lie there: whoever can write it is root by it. */
		if (stat(real, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
			return fail(e, EPERM, "state directory '%s': must be root's, and nobody else's to "
				    "write", real);
		snprintf(d->run, sizeof(d->run), "%.200s", real);
		snprintf(d->instance, sizeof(d->instance), "oshd-%08x", hash(real));
	}
	snprintf(d->cgroup, sizeof(d->cgroup), "%s.abi%d", d->instance, OSH_ABI);
	if (d->config.socket)
		snprintf(d->bus_path, sizeof(d->bus_path), "%s", d->config.socket);
	else
		snprintf(d->bus_path, sizeof(d->bus_path), "%.240s/bus", d->run);
	return 0;
}

static int lock_run(struct daemon *d, struct err *e)
{
	char path[300];

	if (d->config.embedded)
		return 0;
	if (mkdir(d->run, 0755) < 0 && errno != EEXIST)
		return fail(e, errno, "make '%s': %s", d->run, strerror(errno));
	snprintf(path, sizeof(path), "%s/lock", d->run);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return fail(e, errno, "open '%s': %s", path, strerror(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return fail(e, EBUSY, "another oshd already serves '%s'", d->run);
	return 0;
}

/* Before anything of the kernel's is touched: where it is refused, what runs stays as it is. */
static int open_state(struct daemon *d, struct err *e)
{
	int r;

	if (d->config.embedded)
		return 0;
	r = state_open(&d->state, d->config.state ? d->run : "/var/lib/osh", e);
	return r ? r : life_load(d, e);
}

/* A former oshd's kernel objects where they are pinned, else new ones. */
static int load_kernel(struct daemon *d, struct err *e)
{
	int r = d->pins[0] ? upgrade_adopt(d, e) : -ENOENT;

	if (r != -ENOENT || d->adopted)
		return r;
	d->fresh = true;
	if (d->pins[0]) {
		/* Half of a former start, or none: its programs must not stay beside ours. */
		kbpf_unpin(d->pins);
		r = cgroup_reset(&d->cgroups, d->cgroup, e);
		if (r < 0)
			return r;
	}
	host_unlock(d);			/* what follows takes long, and is our own */
	r = kbpf_load(&d->kernel, d->config.embedded, &d->config.off.hooks, e);
	if (!r)
		r = kbpf_attach_global(d->kernel, e);
	if (!r)
		r = kbpf_attach_sandbox(d->kernel, d->cgroups.box_fd, e);
	if (!r)
		r = kbpf_attach_egress(d->kernel, d->cgroups.egress_fd, e);
	if (!r && d->pins[0])
		r = kbpf_pin(d->kernel, d->pins, e);
	return r;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct daemon *d = data;

	(void)s;
	(void)si;
	if (d->signalled)		/* asked twice: at once */
		return sd_event_exit(d->event, 1);
	d->signalled = true;
	daemon_end(d);
	return 0;
}

static int on_stop_timeout(sd_event_source *s, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)s;
	(void)usec;
	fprintf(stderr, "oshd: %u sandboxes have not gone in time\n", d->n_sandboxes);
	return sd_event_exit(d->event, 1);
}

void daemon_end(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		if (d->slots[i])
			sandbox_kill(d->slots[i]);
	if (sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, STOP_US, 0, on_stop_timeout,
				       d) < 0)
		sd_event_exit(d->event, 1);
	daemon_gone(d);
}

void daemon_gone(struct daemon *d)
{
	if (d->config.embedded && !d->conns && !d->stopping)
		daemon_end(d);
	else if (d->stopping && !d->n_sandboxes)
		sd_event_exit(d->event, 0);
}

static int make_loop(struct daemon *d, struct err *e)
{
	static const int ends[] = { SIGTERM, SIGINT };
	sigset_t set;
	int r = sd_event_new(&d->event);

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ends); i++)
		r = sd_event_add_signal(d->event, NULL, ends[i], on_signal, d);
	return r < 0 ? fail(e, -r, "event loop: %s", strerror(-r)) : 0;
}

static int open_given(const char *path, int *ret, struct err *e)
{
	if (!path)
		return 0;
	*ret = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret < 0 ? fail(e, errno, "open '%s': %s", path, strerror(errno)) : 0;
}

static int open_upstream(struct daemon *d, struct err *e)
{
	int r = open_given(d->config.upstream_hosts, &d->hosts_fd, e);

	if (!r)
		r = open_given(d->config.upstream_ca, &d->ca_fd, e);
	return r;
}

/*
 * Files that no egress could use end a start; but never an oshd's that has sandboxes to go on with: their egresses refuse by
 * themselves, and nobody would manage them. No verdict, as of a reader that took too long, ends none.
 */
static int check_upstream(struct daemon *d, struct err *e)
{
	struct err why = { 0 };
	int r = upstream_check(d, &why);

	if (r == -EINVAL && !cgroup_busy(d->cgroups.instance_fd)) {
		*e = why;
		d->fresh = true;	/* what this start has made goes with it */
		return r;
	}
	if (r < 0)
		fprintf(stderr, "oshd: %s; it goes on, and each egress reads them for itself\n", why.text);
	return 0;
}

/* A dozen descriptors a sandbox, here and in the roles that inherit the limit. */
static int raise_limits(struct daemon *d, struct err *e)
{
	struct rlimit l;

	(void)d;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return fail(e, errno, "getrlimit: %s", strerror(errno));
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &l) < 0 ? fail(e, errno, "setrlimit: %s", strerror(errno)) : 0;
}

static bool is_alive(void *data, uint32_t id)
{
	return sandbox_by_id(data, id) != NULL;
}

int daemon_start(struct daemon *d, struct err *e)
{
	static int (*const steps[])(struct daemon *, struct err *) = {
		raise_limits, name_instance, lock_run, open_state, daemon_find_libexec, open_upstream, make_loop, home_sweep,
		host_lock, host_pins,
	};
	int r = needs_check(e), swept;

	for (size_t i = 0; !r && i < ARRAY_SIZE(steps); i++)
		r = steps[i](d, e);
	if (!r)
		r = cgroup_open(&d->cgroups, d->cgroup, e);
	if (!r)
		r = check_upstream(d, e);
	if (r < 0)
		return r;
	host_others(d);
	swept = cgroup_sweep(&d->cgroups);
	if (swept)
		fprintf(stderr, "oshd: removed what %d dead runs had left\n", swept);
	r = load_kernel(d, e);
	host_unlock(d);
	if (!r)
		limits_open(&d->limits, &d->cgroups);
	if (!r)
		r = auditor_start(d, e);
	if (!r)
		r = launcher_start(d, e);
	if (!r)
		launcher_renew(d);
	if (!r)
		upgrade_sandboxes(d);
	if (!r)
		cgroup_sweep_own(&d->cgroups, is_alive, d);
	if (!r)
		limits_sweep(&d->limits, is_alive, d);
	if (!r && d->state && !d->adopted)
		r = state_choice_drop_runs(d->state, e);
	if (!r && d->adopted)
		kbpf_sweep(d->kernel, is_alive, d);
	if (!r && d->state)
		r = life_resume(d, e);
	if (!r)
		r = d->config.embedded ? bus_serve(d, d->config.bus_fd, e) : callers_open(d, e);
	if (r)
		return r;
	sysbus_open(d);
	root_ahead(d);
	return 0;
}

void daemon_stop(struct daemon *d)
{
	/* What fails over living sandboxes leaves them enforced, for the next oshd. */
	bool all = d->config.embedded || d->stopping || (d->fresh && !d->n_sandboxes);
	struct err e = { 0 };

	doctor_close(d);
	callers_close(d);
	bus_close(d);
	sysbus_close(d);
	launcher_stop(d, all);
	auditor_stop(d);
	/* A start that was refused before it took anything leaves no lock file either. */
	if ((d->pins[0] || d->cgroups.box_fd >= 0) && host_lock(d, &e) < 0)
		fprintf(stderr, "oshd: %s\n", e.text);
	if (all)
		host_unpin(d);
	kbpf_free(d->kernel);
	limits_close(&d->limits);
	cgroup_close(&d->cgroups, all);
	host_unlock(d);
	tree_close(d);
	sd_event_unref(d->event);
	own_close(&d->hosts_fd);
	own_close(&d->ca_fd);
	root_close(d);
	if (d->anchors.fd)
		own_close(&d->anchors.fd);
	own_close(&d->libexec_fd);
	life_close(d);
	if (d->state)
		counts_stop(d);
	state_close(d->state);
	own_close(&d->lock_fd);
}
