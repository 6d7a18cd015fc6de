/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row `exec`: vfork, exec and exit of a program with VARS environment variables in a sandbox, against
 * the same outside any, with the exec tracker attached both times. Only an entry of `by_cgroup` comes
 * and goes between samples. Usage: bench/exec [ROUNDS]
 */
#include "../userspace/oshd/kernel/cgroup.h"
#include "../userspace/oshd/kernel/kbpf.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include "own.h"

#define ROUNDS 60
#define BLOCK 4			/* short, so that a busy moment falls on one sample */
#define PAIRS 10			/* a round */
#define VARS 60
#define SLOT 1
#define ID 9
#define PROGRAM "/usr/bin/true"
#define CANNOT 77

static char *env[VARS + 1];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fill_env(void)
{
	for (int i = 0; i < VARS; i++)
		if (asprintf(&env[i], "SOME_VARIABLE_%d=/usr/local/share/some/value:of/common/length", i) < 0)
			env[i] = NULL;
}

static void start(void)
{
	static char *const argv[] = { (char *)PROGRAM, NULL };
	pid_t pid = vfork();

	if (!pid) {
		execve(PROGRAM, argv, env);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* Microseconds of one start, of BLOCK. */
static double block(void)
{
	double at = now_us();

	for (int i = 0; i < BLOCK; i++)
		start();
	return (now_us() - at) / BLOCK;
}

static void inside(struct kbpf *k, uint64_t cgroup, bool in)
{
	uint32_t slot = SLOT;

	if (in)
		(void)bpf_map_update_elem(kbpf_map_fd(k, "by_cgroup"), &cgroup, &slot, BPF_ANY);
	else
		(void)bpf_map_delete_elem(kbpf_map_fd(k, "by_cgroup"), &cgroup);
}

/* Run time of one program, counted by the kernel over a block of starts. */
static void note(struct kbpf *k, enum osh_hook hook, const char *what)
{
	struct bpf_prog_info before = { 0 }, after = { 0 };
	__u32 size = sizeof(before);
	_close_ int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	(void)bpf_obj_get_info_by_fd(kbpf_prog_fd(k, hook), &before, &size);
	for (int i = 0; i < PAIRS; i++)
		block();
	(void)bpf_obj_get_info_by_fd(kbpf_prog_fd(k, hook), &after, &size);
	if (stats >= 0 && after.run_cnt > before.run_cnt)
		printf("note %s: %.2f us in BPF\n", what,
		       (double)(after.run_time_ns - before.run_time_ns) / 1e3 /
		       (double)(after.run_cnt - before.run_cnt));
}

static int measure(struct kbpf *k, uint64_t cgroup, int rounds)
{
	printf("a start of a program in a sandbox, %d variables\nb the same outside any\nmax 1.10\n", VARS);
	inside(k, cgroup, true);
	block();
	for (int i = 0; i < rounds * PAIRS; i++) {
		inside(k, cgroup, i & 1);
		printf("%c %.2f\n", i & 1 ? 'A' : 'B', block());
		inside(k, cgroup, !(i & 1));
		printf("%c %.2f\n", i & 1 ? 'B' : 'A', block());
	}
	inside(k, cgroup, true);
	note(k, OSH_HOOK_EXEC, "exec, 60 variables");
	note(k, OSH_HOOK_FORK, "fork");
	env[0] = NULL;
	note(k, OSH_HOOK_EXEC, "exec, empty environment");
	inside(k, cgroup, false);
	note(k, OSH_HOOK_EXEC, "exec outside any sandbox");
	return 0;
}

/* In a mount namespace where all is read-only, so that the program is named by its path. */
static int prepare(struct kbpf *k, int cgroup_fd, uint64_t cgroup)
{
	_close_ int procs = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	k->sandboxes[SLOT].id = ID;
	k->sandboxes[SLOT].generation = 1;
	k->sandboxes[SLOT].cgroup = cgroup;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return -errno;
	return procs >= 0 && write(procs, "0", 1) == 1 ? 0 : -errno;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS, status = 0, r;
	struct cgroup_base base;
	struct kbpf *k = NULL;
	struct err e = { 0 };
	uint64_t cgroup = 0;
	_close_ int fd = -1;
	pid_t pid;

	r = cgroup_open(&base, "bench-exec", &e);
	if (!r)
		r = cgroup_make(base.box_fd, ID, &fd, &cgroup, &e);
	if (!r)
		r = kbpf_load(&k, 1, 0, &e);
	if (!r)
		r = kbpf_attach_global(k, &e);
	if (r < 0) {
		printf("note %s\n", e.text);
		status = CANNOT;
		goto out;
	}
	fill_env();
	fflush(stdout);
	pid = fork();
	if (!pid)
		exit(prepare(k, fd, cgroup) ? CANNOT : measure(k, cgroup, rounds));
	waitpid(pid, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
out:
	kbpf_free(k);
	if (fd >= 0)
		(void)cgroup_remove(base.box_fd, ID);
	cgroup_close(&base, true);
	return status;
}
