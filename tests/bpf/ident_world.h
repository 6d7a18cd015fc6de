/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small sandbox for tests of program identity: a cgroup, and a mount namespace whose root is a
 * read-only tmpfs with writable trees in it. Real processes are started in it, and what the exec
 * tracker wrote about them is read from `tasks`. Mounts go with the test's own process;
 * world_main() removes two directories and the cgroup.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"
#include "osh/abi.h"
#include "own.h"
#include "tasks.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define SLOT 5
#define ID 77

struct world {
	struct kbpf *k;
	char dir[64], disk[64];		/* on the host: the root's mount point, a directory on disk */
	char cgroup[320];
	int procs_fd;			/* cgroup.procs */
	uint64_t cgroup_id;
};
static struct world w;

enum how { BY_PATH, BY_FD, BY_MEMFD, BY_INIT, BY_THREAD, BY_VFORK, BY_NEWNS, BY_CHROOT };

struct start {
	const char *path;
	const char *argv0;		/* NULL = path */
	char *const *argv;		/* NULL = argv0 --probe mode */
	char *const *env;		/* NULL = empty */
	const char *mode;		/* of the probe; NULL = "hold" */
	enum how how;
	int fd;				/* BY_FD */
};

struct running {
	pid_t child;			/* what was forked */
	pid_t pid;			/* what the probe says to look at */
	int in, out;
};

/* ---- the probe: what runs inside; says which task to look at, then holds still ---- */

static void probe_say(pid_t pid)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%d\n", pid);

	(void)!write(1, line, n);
}

/* Until the other end closes; an 'x' on the way executes the program again, with nothing in its environment. */
static void probe_hold(void)
{
	char *const argv[] = { (char *)"again", (char *)"--probe", (char *)"hold", NULL };
	char *const none[] = { NULL };
	char c;

	while (read(0, &c, 1) > 0)
		if (c == 'x')
			execve("/proc/self/exe", argv, none);
	_exit(0);
}

static void *probe_thread(void *arg)
{
	(void)arg;
	probe_say((pid_t)syscall(SYS_gettid));
	probe_hold();
	return NULL;
}

static int probe(const char *mode)
{
	pthread_t t;

	if (!strcmp(mode, "fork") || !strcmp(mode, "fork2")) {
		pid_t pid = fork();

		if (!pid && !strcmp(mode, "fork2"))
			pid = fork();
		if (pid)
			probe_hold();
	}
	if (!strcmp(mode, "thread")) {
		if (!pthread_create(&t, NULL, probe_thread, NULL))
			pthread_join(t, NULL);
		return 1;
	}
	probe_say(getpid());
	probe_hold();
	return 0;
}

/* ---- starting one ---- */

static void start_exec(const struct start *s)
{
	char *const argv[] = {
		(char *)(s->argv0 ? s->argv0 : s->path ? s->path : "x"), (char *)"--probe",
		(char *)(s->mode ? s->mode : "hold"), NULL
	};
	char *const none[] = { NULL };
	char *const *env = s->env ? s->env : none;

	if (s->argv)
		execve(s->path, s->argv, env);
	else if (s->how == BY_FD || s->how == BY_MEMFD || s->how == BY_INIT)
		syscall(SYS_execveat, s->fd, "", argv, env, AT_EMPTY_PATH);
	else
		execve(s->path, argv, env);
	_exit(99);
}

static void *start_thread(void *arg)
{
	start_exec(arg);
	return NULL;
}

static void start_child(struct start *s)
{
	pthread_t t;

	if (write(w.procs_fd, "0", 1) != 1)
		_exit(98);
	if (s->how == BY_MEMFD || s->how == BY_INIT) {
		int from = open(s->path, O_RDONLY | O_CLOEXEC);

		s->fd = memfd_create("tool", MFD_CLOEXEC);
		while (sendfile(s->fd, from, NULL, 1 << 20) > 0)
			;
	}
	if (s->how == BY_INIT) {	/* from memory, as process 1 of a pid namespace */
		pid_t pid = unshare(CLONE_NEWPID) ? -1 : fork();

		if (!pid)
			start_exec(s);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	if (s->how == BY_VFORK) {
		pid_t pid = vfork();

		if (!pid)
			start_exec(s);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	if (s->how == BY_NEWNS && unshare(CLONE_NEWNS))
		_exit(97);
	if (s->how == BY_CHROOT && (chroot("/usr") || chdir("/")))
		_exit(96);
	if (s->how == BY_THREAD && !pthread_create(&t, NULL, start_thread, s))
		pause();
	start_exec(s);
}

/* The next line from the probe: the task to look at. */
static void hear(struct running *r)
{
	struct pollfd p = { .fd = r->out, .events = POLLIN };
	char line[32] = "";

	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_true(read(r->out, line, sizeof(line) - 1) > 0);
	r->pid = atoi(line);
	assert_true(r->pid > 0);
}

static void start(struct running *r, struct start s)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	r->child = fork();
	assert_true(r->child >= 0);
	if (!r->child) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		start_child(&s);
	}
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = out[0];
	hear(r);
}

static void stop(struct running *r)
{
	close(r->in);
	close(r->out);
	waitpid(r->child, NULL, 0);
}

/* ---- what the tracker wrote ---- */

static int task_read(pid_t pid, struct osh_task *t)
{
	return tasks_access(w.k, pid, t, 0);
}

static struct osh_task run_start(struct start s)
{
	struct osh_task t = { 0 };
	struct running r;

	start(&r, s);
	assert_int_equal(task_read(r.pid, &t), 0);
	stop(&r);
	return t;
}

static inline struct osh_task run(const char *path)
{
	return run_start((struct start){ .path = path });
}

static inline const char *ident_path(uint32_t ident)
{
	static struct osh_ident v;
	struct osh_ident_key k = { ID, ident };

	if (bpf_map_lookup_elem(kbpf_map_fd(w.k, "idents"), &k, &v))
		return "(none)";
	return v.path;
}

/* ---- policy ---- */

static void policy_program(uint32_t generation, const char *path, uint64_t groups, uint32_t flags)
{
	struct osh_program_key k = { .id = ID, .generation = generation };
	struct osh_program v = { .groups = { groups }, .flags = flags };

	snprintf(k.path, sizeof(k.path), "%s", path);
	assert_int_equal(bpf_map_update_elem(kbpf_map_fd(w.k, "programs"), &k, &v, BPF_ANY), 0);
}

static inline void policy_glob(uint32_t generation, uint32_t n, const char *pattern, uint64_t groups)
{
	struct osh_glob_key k = { .id = ID, .generation = generation, .n = n };
	struct osh_glob v = { .groups = { groups } };

	snprintf(v.pattern, sizeof(v.pattern), "%s", pattern);
	assert_int_equal(bpf_map_update_elem(kbpf_map_fd(w.k, "globs"), &k, &v, BPF_ANY), 0);
}

static void policy_flip(uint32_t generation)
{
	uint32_t slot = SLOT;
	struct osh_sandbox sb;

	bpf_map_lookup_elem(kbpf_map_fd(w.k, "sandboxes"), &slot, &sb);
	sb.id = ID;
	sb.generation = generation;
	sb.cgroup = w.cgroup_id;
	assert_int_equal(bpf_map_update_elem(kbpf_map_fd(w.k, "sandboxes"), &slot, &sb, 0), 0);
}

/* ---- building it ---- */

static void must(int ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void copy_file(const char *from, const char *to)
{
	_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_close_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	must(in >= 0, from);
	must(out >= 0, to);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
}

static void bind_ro(const char *from, const char *to)
{
	must(!mount(from, to, NULL, MS_BIND | MS_REC, NULL), to);
	must(!mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), to);
}

/* One directory of the host's root, or the same symbolic link. */
static void world_system(const char *name)
{
	char from[80], to[160], link[256] = "";

	snprintf(from, sizeof(from), "/%s", name);
	snprintf(to, sizeof(to), "%s/%s", w.dir, name);
	if (readlink(from, link, sizeof(link) - 1) > 0) {
		must(!symlink(link, to), to);
	} else if (!access(from, F_OK)) {
		must(!mkdir(to, 0755), to);
		bind_ro(from, to);
	}
}

static void world_view(void)
{
	static const char *const dirs[] = { "ro", "ro/a", "rw", "disk", "old", "dev", "proc" };
	char path[160];

	must(!unshare(CLONE_NEWNS), "unshare");
	must(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(!mount("osh", w.dir, "tmpfs", 0, "mode=755"), w.dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", w.dir, dirs[i]);
		must(!mkdir(path, 0755), path);
	}
	world_system("usr");
	world_system("lib");
	world_system("lib64");
	world_system("bin");
	snprintf(path, sizeof(path), "%s/ro/probe", w.dir);
	copy_file("/proc/self/exe", path);
	snprintf(path, sizeof(path), "%s/rw", w.dir);
	must(!mount("rw", path, "tmpfs", 0, "mode=777"), path);
	snprintf(path, sizeof(path), "%s/disk", w.dir);
	must(!mount(w.disk, path, NULL, MS_BIND, NULL), path);
	snprintf(path, sizeof(path), "%s/proc", w.dir);
	must(!mount("proc", path, "proc", 0, NULL), path);
	must(!chdir(w.dir), w.dir);
	must(!syscall(SYS_pivot_root, ".", "old"), "pivot_root");
	must(!umount2("/old", MNT_DETACH), "old root");
}

static void world_seal(void)
{
	must(!mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
}

static void world_cgroup(void)
{
	struct {
		struct file_handle h;
		uint64_t id;
	} x = { .h.handle_bytes = sizeof(x.id) };
	char line[512], at[256] = "", path[400];
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	int mnt;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 "))
			sscanf(line, "%*s %*s %*s %*s %255s", at);
	must(at[0], "cgroup v2");
	snprintf(w.cgroup, sizeof(w.cgroup), "%s/osh-ident-%d", at, getpid());
	must(!mkdir(w.cgroup, 0755), w.cgroup);
	must(!name_to_handle_at(AT_FDCWD, w.cgroup, &x.h, &mnt, 0), "cgroup id");
	memcpy(&w.cgroup_id, x.h.f_handle, sizeof(w.cgroup_id));
	snprintf(path, sizeof(path), "%s/cgroup.procs", w.cgroup);
	w.procs_fd = open(path, O_WRONLY | O_CLOEXEC);
	must(w.procs_fd >= 0, path);
}

static void world_bpf(void)
{
	uint32_t slot = SLOT;
	struct err e = { 0 };

	must(!kbpf_load(&w.k, 1, 0, &e), e.text);
	must(!kbpf_attach_global(w.k, &e), e.text);
	must(!bpf_map_update_elem(kbpf_map_fd(w.k, "by_cgroup"), &w.cgroup_id, &slot, BPF_ANY),
	     "by_cgroup");
	policy_flip(1);
}

static void world_remove(void)
{
	DIR *d = opendir(w.disk);

	for (struct dirent *x; d && (x = readdir(d));)
		unlinkat(dirfd(d), x->d_name, 0);
	if (d)
		closedir(d);
	rmdir(w.disk);
	rmdir(w.dir);
	for (int i = 0; i < 3000 && rmdir(w.cgroup) < 0 && errno == EBUSY; i++)
		usleep(20000);
}

/*
 * Runs `tests` in a child whose mounts go with it. `prepare` may still write to the root. A probe
 * when started as one.
 */
static int world_main(int argc, char **argv, void (*prepare)(void), int (*tests)(void))
{
	int status;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "--probe"))
		return probe(argv[2]);
	strcpy(w.dir, "/tmp/osh-ident-XXXXXX");
	/* Wherever the disk is: /tmp may be a tmpfs. A guest has no disk and no /var/tmp. */
	strcpy(w.disk, access("/var/tmp", W_OK) ? "/tmp/osh-disk-XXXXXX" : "/var/tmp/osh-disk-XXXXXX");
	must(mkdtemp(w.dir) && mkdtemp(w.disk), "scratch directories");
	chmod(w.disk, 0755);
	world_cgroup();
	pid = fork();
	if (!pid) {
		world_bpf();
		world_view();
		prepare();
		world_seal();
		alarm(280);
		status = tests();
		exit(status ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	world_remove();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
