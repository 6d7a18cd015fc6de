/* SPDX-License-Identifier: Apache-2.0 */
#include "trials.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/dmem.h"
#include "needs.h"
#include "own.h"
#include "probe.h"
#include "proc.h"
#include "spawn.h"

#define TRIALS_S 120			/* a hang ends here; the next oshd sweeps the cgroup */

static int try_bpffs(struct err *e)
{
	_close_ int fs = fsopen("bpf", FSOPEN_CLOEXEC), at = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		at = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return at < 0 ? fail(e, errno, "make a BPF file system: %s", strerror(errno)) : 0;
}

static const struct probe_trial trials[] = {
	{ OSH_PROBE_ROOTNS, needs_own_root },
	{ OSH_PROBE_CAPS, needs_caps },
	{ OSH_PROBE_BPFFS, try_bpffs },
};

static int in_and_out(struct cgroup_base *c, struct err *e)
{
	_close_ int fd = -1;
	uint64_t id;
	int r = cgroup_make(c->box_fd, 0, &fd, &id, e);
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t pid;

	if (r < 0)
		return r;
	if (faccessat(fd, "cgroup.kill", W_OK, 0) < 0)
		return fail(e, errno, "cgroup.kill: %s", strerror(errno));
	a.cgroup = (uint64_t)fd;
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return fail(e, errno, "start a process in a cgroup: %s", strerror(errno));
	cgroup_kill(fd);
	waitpid(pid, NULL, 0);
	return 0;
}

static int try_cgroup(struct cgroup_base *c, struct err *e)
{
	unsigned long long start = 0;
	char name[64];
	int r = proc_start(getpid(), &start);

	if (r < 0)
		return fail(e, -r, "read /proc/self/stat: %s", strerror(-r));
	snprintf(name, sizeof(name), "run-%d-%llu", getpid(), start);	/* swept as an embedded run's, if we die */
	r = cgroup_open(c, name, e);
	return r ? r : in_and_out(c, e);
}

static int say_limits(struct daemon *d, bool cgroup)
{
	struct err e = { 0 };
	int r;

	if (cgroup)
		limits_open(&d->limits, &d->cgroups);
	r = probe_say(PROBE_FD, OSH_PROBE_TASKS, cgroup && limits_has(&d->limits, LIMIT_PIDS) ? 0 : -ENOENT, &e);
	if (!r)
		r = probe_say(PROBE_FD, OSH_PROBE_MEMORY, cgroup && limits_has(&d->limits, LIMIT_MEMORY) ? 0 : -ENOENT, &e);
	if (!r)
		r = probe_say(PROBE_FD, OSH_PROBE_GPU_MEMORY, cgroup && dmem_has(&d->cgroups) ? 0 : -ENOENT, &e);
	limits_close(&d->limits);
	return r;
}

static int attach(struct kbpf *k, const struct cgroup_base *c, struct err *e)
{
	int r = kbpf_attach_global(k, e);

	if (!r)
		r = kbpf_attach_sandbox(k, c->box_fd, e);
	return r ? r : kbpf_attach_egress(k, c->egress_fd, e);
}

/* The whole object as every start loads it; what is not in it afterwards is tried alone, for the reason. */
static int say_program(struct kbpf *k, enum osh_hook h, struct err *lsm)
{
	struct err e = { 0 };
	int r = 0;

	if (k && kbpf_prog_fd(k, h) >= 0)
		return probe_say(PROBE_FD, OSH_PROBE_HOOK + h, 0, &e);
	if (kbpf_hook_needless(h) || kbpf_hook_spare(h))
		return 0;		/* untried, and no lack: this kernel has nothing that would ask it, or something better */
	if (kbpf_hook_is_lsm(h) && lsm->code)
		e = *lsm;		/* one says what is wrong with all */
	else
		r = kbpf_try_hook(h, &e);
	if (!r && !e.code && kbpf_hook_optional(h))
		(void)fail(&e, EOPNOTSUPP, "loads, and is left out: the kernel does not ask it");
	if (kbpf_hook_is_lsm(h))
		*lsm = e;
	return probe_say(PROBE_FD, OSH_PROBE_HOOK + h, -e.code, &e);
}

static int say_programs(struct kbpf *k, struct err *lsm)
{
	int r = 0;

	for (enum osh_hook h = 0; !r && h < OSH_HOOK_MAX; h++)
		r = say_program(k, h, lsm);
	return r;
}

/* Which of the two ways to hear what Landlock refuses, or why neither. */
static int say_told(const struct kbpf *k)
{
	bool tracepoints = k && kbpf_prog_fd(k, OSH_HOOK_LLFILE) >= 0, function = k && kbpf_prog_fd(k, OSH_HOOK_LLDENIAL) >= 0;
	struct err e = { 0 };

	if (tracepoints)
		(void)fail(&e, 0, "by Landlock's tracepoints");
	else if (function)
		(void)fail(&e, 0, "by the function that Landlock calls at each refusal");
	else if (kbpf_hook_needless(OSH_HOOK_LLDENIAL))
		(void)fail(&e, EOPNOTSUPP, "this kernel's Landlock has neither tracepoints nor a function that writes to the audit log");
	else
		(void)fail(&e, EOPNOTSUPP, "this kernel's Landlock has no tracepoints, and the kernel takes no program at its function "
			   "that writes to the audit log");
	return probe_say(PROBE_FD, OSH_PROBE_TOLD, -e.code, &e);
}

static int say_bpf(const struct cgroup_base *c, bool cgroup)
{
	struct kbpf *k = NULL;
	struct err e = { 0 }, none = { 0 }, lsm = { 0 };
	int r = kbpf_load(&k, 1, NULL, &e), x;

	if (!r && !cgroup)
		r = fail(&e, ENOENT, "no cgroup to attach to");
	else if (!r)
		r = attach(k, c, &e);
	x = probe_say(PROBE_FD, OSH_PROBE_BPF, r, &e);
	if (!x)
		x = say_programs(k, &lsm);
	if (!x)
		x = say_told(k);
	kbpf_free(k);
	if (!x)
		x = probe_say(PROBE_FD, OSH_PROBE_LSM, kbpf_has_lsm() ? 0 : -EOPNOTSUPP, &lsm);
	return x ? x : probe_say(PROBE_FD, OSH_PROBE_STORAGE, kbpf_has_task_storage() ? 0 : -EOPNOTSUPP, &none);
}

static int ask_launch(struct daemon *d, struct err *e)
{
	char *argv[] = { (char *)"osh-launch", (char *)"--probe", NULL };
	int r = daemon_find_libexec(d, e), pidfd = -1;
	pid_t pid = 0;

	if (!r)
		r = spawn_role(d->libexec_fd, argv[0], argv, (int[]){ PROBE_FD }, 1, &pid, &pidfd, e);
	own_close(&d->libexec_fd);
	if (!r)
		spawn_reap(pid, &pidfd, TRIALS_S * 1000);
	return r;
}

int trials_run(struct daemon *d)
{
	struct cgroup_base *c = &d->cgroups;
	struct err e = { 0 };
	int r = 0, cgroup;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	alarm(TRIALS_S);
	for (size_t i = 0; !r && i < ARRAY_SIZE(trials); i++) {
		struct osh_probe_row row;

		probe_try(&trials[i], &row);
		r = write(PROBE_FD, &row, sizeof(row)) == (ssize_t)sizeof(row) ? 0 : -EPIPE;
	}
	cgroup = try_cgroup(c, &e);
	if (!r)
		r = probe_say(PROBE_FD, OSH_PROBE_CGROUP, cgroup, &e);
	if (!r)
		r = say_limits(d, !cgroup);
	if (!r)
		r = say_bpf(c, !cgroup);
	cgroup_close(c, true);
	if (!r && ask_launch(d, &e) < 0)
		fprintf(stderr, "oshd: %s\n", e.text);
	return r ? 1 : 0;
}
