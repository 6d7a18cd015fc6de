/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `process.exec: strict` and the taint of mapped code by LSM programs alone: no view, no Landlock, no noexec mount,
 * no filter. What is done here in a cgroup that is a sandbox is done outside of it as well, where it works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"
#include "eval.h"
#include "osh/abi.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>			/* last: its fail() would hide ours */

#define ID 9u
#define SLOT 5u
#define TREE "/tmp/osh-test-exec"
#define RO TREE "/ro"
#define RW TREE "/rw"
#define CGROUP "/sys/fs/cgroup/osh-test-exec"
#define PROGRAM "/bin/true"
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define PAGE 4096

static struct kbpf *k;
static struct kbpf_sandbox sb = { .slot = SLOT, .id = ID, .generation = 1 };
static char self[256];
static struct osh_event_named seen;
static int n_seen;

/* ---- the world: everything read-only but one directory ---- */

static int copy(const char *from, const char *to)
{
	_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		return -1;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -1;
	return (int)n;
}

static int script(const char *path, const char *interpreter)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	return fd < 0 || dprintf(fd, "#!%s\n", interpreter) < 0 ? -1 : 0;
}

static const char *const dirs[] = { RW, RO "/bin", RO "/tree", RO "/tree/a", RO "/tree/a/b", RO "/rest", RO "/inner", RW "/below" };
static const char *const files[] = {
	RO "/bin/listed", RO "/bin/other", RO "/tree/top", RO "/tree/a/deep", RO "/tree/a/b/deeper", RO "/rest/x",
	RW "/listed", RW "/other", RW "/below/x",
};

static int attr(const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	return mount_setattr(AT_FDCWD, path, flags, &a, sizeof(a));
}

static int world_make(void)
{
	(void)mkdir(TREE, 0755);
	if (unshare(CLONE_NEWNS) || attr("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE) ||
	    attr("/sys/fs/cgroup", 0, 0, MOUNT_ATTR_RDONLY, 0) || mount("tree", TREE, "tmpfs", 0, NULL) ||
	    mkdir(RO, 0755) || mount("tree", RO, "tmpfs", 0, NULL))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0755))
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (copy(PROGRAM, files[i]))
			return -1;
	if (copy(LOADER, RO "/ld") || link(RO "/bin/listed", RO "/rest/alias") || script(RO "/tree/good", RO "/bin/listed") ||
	    script(RO "/tree/bad", RO "/rest/x") || script(RW "/script", RO "/bin/listed") || copy(self, RW "/self") ||
	    mkdir(RO "/tree/open", 0755) || mount("inner", RO "/tree/open", "tmpfs", 0, NULL) ||
	    copy(PROGRAM, RO "/tree/open/x"))
		return -1;
	return attr(RO, 0, MOUNT_ATTR_RDONLY, 0, 0);
}

static void world_end(void)
{
	while (!umount2(TREE, MNT_DETACH))
		;
	(void)rmdir(TREE);
}

/* ---- who does it ---- */

static int join(void)
{
	_close_ int fd = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "0", 1) != 1 ? -1 : 0;
}

static int on_event(void *ctx, void *data, size_t size)
{
	const struct osh_event *ev = data;

	(void)ctx;
	if (ev->kind == OSH_EV_EXEC && ev->verdict != OSH_DENY)
		return 0;		/* of the exec tracker: a program without an identity */
	memset(&seen, 0, sizeof(seen));
	memcpy(&seen, data, size < sizeof(seen) ? size : sizeof(seen));
	n_seen++;
	return 0;
}

/* What was denied, or tainted, since the last time. */
static void drain(void)
{
	struct ring_buffer *rb = ring_buffer__new(kbpf_map_fd(k, "ring_deny"), on_event, NULL, NULL);
	int map = kbpf_map_fd(k, "denials");
	struct osh_denial_key key;

	assert_non_null(rb);
	n_seen = 0;
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
	while (!bpf_map_get_next_key(map, NULL, &key))
		(void)bpf_map_delete_elem(map, &key);	/* counts of former rows would hide an event */
}

static char *const no_args[] = { (char *)"true", NULL }, *const no_env[] = { NULL };

static void do_exec(const char *path)
{
	execve(path, no_args, no_env);
}

static void do_fd(const char *path)
{
	fexecve(open(path, O_PATH), no_args, no_env);	/* not O_CLOEXEC: a script is read again */
}

static void do_memory(const char *path)
{
	int fd = memfd_create("code", 0);
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!copy(path, link))
		fexecve(fd, no_args, no_env);
}

static void do_loader(const char *path)
{
	execve(RO "/ld", (char *[]){ (char *)"ld", (char *)path, NULL }, no_env);
}

static void do_relative(const char *path)
{
	if (!chdir(path))
		execve("../bin/listed", no_args, no_env);
}

/* 0, or the errno of the exec, by a task inside or outside. */
static int done(void (*how)(const char *), const char *path, bool inside)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (inside && join())
			_exit(250);
		how(path);
		_exit(errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- strict ---- */

static const struct row {
	const char *what;
	void (*how)(const char *);
	const char *path;
	int why;			/* 0 = it runs */
	const char *on_record;		/* NULL = path */
} rows[] = {
	/* clang-format off */
	{ "a listed file runs",                         do_exec,   RO "/bin/listed", 0, NULL },
	{ "one beside it does not",                     do_exec,   RO "/bin/other", OSH_WHY_EXEC_STRICT, NULL },
	{ "a file in a listed tree runs",               do_exec,   RO "/tree/top", 0, NULL },
	{ "at any depth",                               do_exec,   RO "/tree/a/b/deeper", 0, NULL },
	{ "another tree does not",                      do_exec,   RO "/rest/x", OSH_WHY_EXEC_STRICT, NULL },
	{ "a listed file runs by any name",             do_exec,   RO "/rest/alias", 0, NULL },
	{ "and by a way round",                         do_relative, RO "/tree", 0, NULL },
	{ "by a descriptor",                            do_fd,     RO "/bin/listed", 0, NULL },
	{ "by a descriptor the other one does not",     do_fd,     RO "/bin/other", OSH_WHY_EXEC_STRICT, NULL },
	{ "memory does not run",                        do_memory, RO "/bin/listed", OSH_WHY_EXEC_STRICT, "memfd:code" },
	{ "a loader is no way round",                   do_loader, RO "/bin/other", OSH_WHY_EXEC_STRICT, RO "/ld" },
	{ "not for a listed program either",            do_loader, RO "/bin/listed", OSH_WHY_EXEC_STRICT, RO "/ld" },
	{ "a listed script of a listed interpreter",    do_exec,   RO "/tree/good", 0, NULL },
	{ "a listed script of another",                 do_exec,   RO "/tree/bad", OSH_WHY_EXEC_STRICT, RO "/rest/x" },
	{ "a script that is not listed",                do_exec,   RW "/script", OSH_WHY_EXEC_STRICT, NULL },
	{ "by a descriptor too",                        do_fd,     RW "/script", OSH_WHY_EXEC_STRICT, NULL },
	{ "what can be written does not run, listed",   do_exec,   RW "/listed", OSH_WHY_EXEC_TREE, NULL },
	{ "nor else",                                   do_exec,   RW "/other", OSH_WHY_EXEC_STRICT, NULL },
	{ "nor in a writable mount below a listed tree", do_exec,  RO "/tree/open/x", OSH_WHY_EXEC_STRICT, NULL },
	/* clang-format on */
};

static void row_run(void **state)
{
	const struct row *r = *state;
	int got = done(r->how, r->path, false);

	if (got)
		fail_msg("outside it fails: %s", strerror(got));
	drain();
	got = done(r->how, r->path, true);
	drain();
	if (got != (r->why ? EACCES : 0))
		fail_msg("inside: %s; on record: %.255s", strerror(got), n_seen ? seen.name : "nothing");
	if (!r->why) {
		assert_int_equal(n_seen, 0);
		return;
	}
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen.ev.kind, OSH_EV_EXEC);
	assert_int_equal(seen.ev.why, r->why);
	assert_int_equal(seen.ev.id, ID);
	assert_string_equal(seen.name, r->on_record ? r->on_record : r->path);
}

/* osh-init comes from memory, as process 1 of a sandbox that nobody of ours has run in yet; nothing comes after it. */
static void starter_runs_once(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			if (unshare(CLONE_NEWPID))
				_exit(251);
			_exit(done(do_memory, PROGRAM, true));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), i ? EACCES : 0);
	}
}

static void enter(enum osh_run what, const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct err e = { 0 };

	if (fd < 0 || kbpf_run_enter(k, &sb, what, path, fd, &e) < 0)
		fail_msg("%s: %s", path, fd < 0 ? strerror(errno) : e.text);
}

static void mode(enum osh_b_execmode m)
{
	const struct osh_b_meta meta = { .exec_mode = m };
	const struct bundle b = { .meta = &meta };
	struct err e = { 0 };

	if (kbpf_flip(k, &sb, &b, &e) < 0)
		fail_msg("%s", e.text);
}

static void strict_begin(void **state)
{
	(void)state;
	mode(OSH_EXEC_STRICT);
	enter(OSH_RUN_NOT, TREE);
	enter(OSH_RUN_NOT, RO "/tree/open");
	enter(OSH_RUN_ALLOWED, RO "/bin/listed");
	enter(OSH_RUN_ALLOWED, RO "/tree");
	enter(OSH_RUN_ALLOWED, RW "/listed");
	enter(OSH_RUN_ALLOWED, RO "/tree/open");	/* one root under two names: the writable one counts */
}

/* ---- differential: random lists against what the policy means ---- */

static const char *const choices[] = {
	RO "/bin/listed", RO "/bin/other", RO "/bin/**", RO "/tree/**", RO "/tree/a/**", RO "/tree/a/deep", RO "/rest/x", RO "/**",
	RO "/tree/a/b/**", RO "/tree/top",
};
static const char *const programs[] = {
	RO "/bin/listed", RO "/bin/other", RO "/tree/top", RO "/tree/a/deep", RO "/tree/a/b/deeper", RO "/rest/x",
};

static void list_enter(const char *pattern)
{
	char path[256];
	size_t n = strlen(pattern);

	memcpy(path, pattern, n + 1);
	if (!strcmp(path + n - 3, "/**"))
		path[n - 3] = 0;
	enter(OSH_RUN_ALLOWED, path);
}

static void as_the_policy_means(void **state)
{
	unsigned seed = 42;

	(void)state;
	for (int round = 0; round < 16; round++) {
		char text[2048] = "version: 1\nfilesystem_policy: {read_only: [" RO "]}\n"
				  "process: {exec: {mode: strict, allow: [/nothing";
		struct policy p;
		struct diags d = { 0 };

		kbpf_drop(k, &sb, KMAP_RUN_INODES, 0);
		for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
			if (rand_r(&seed) % 4)
				continue;
			strcat(strcat(text, ", "), choices[i]);
			list_enter(choices[i]);
		}
		strcat(text, "]}}\n");
		if (policy_read(&p, slice_of(text), &d))
			fail_msg("policy is refused: %s", text);
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
			bool means = eval_exec(&p, programs[i], NULL).verdict == OSH_ALLOW;
			int got = done(do_exec, programs[i], true);

			if (got != (means ? 0 : EACCES))
				fail_msg("%s: %s; the policy %s it: %s", programs[i], strerror(got), means ? "allows" : "denies", text);
		}
		policy_done(&p);
		diags_done(&d);
	}
	kbpf_drop(k, &sb, KMAP_RUN_INODES, 0);
}

/* ---- code that is mapped: done by this program, started again as one of the sandbox ---- */

static void *map(const char *path, int prot)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return mmap(NULL, PAGE, prot, MAP_PRIVATE, fd, 0);
}

static int map_code(const char *path)
{
	return map(path, PROT_READ | PROT_EXEC) == MAP_FAILED ? errno : 0;
}

static int map_then_protect(const char *path)
{
	void *p = map(path, PROT_READ);

	return p == MAP_FAILED ? 250 : mprotect(p, PAGE, PROT_READ | PROT_EXEC) ? errno : 0;
}

static int map_data(const char *path)
{
	return map(path, PROT_READ) == MAP_FAILED ? errno : 0;
}

static int map_memory(const char *path)
{
	_close_ int fd = memfd_create("code", MFD_CLOEXEC);

	(void)path;
	if (ftruncate(fd, PAGE))
		return 250;
	return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}

static int map_anonymous(const char *path)
{
	(void)path;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static void *rest(void *arg)
{
	pause();
	return arg;
}

static int map_beside_thread(const char *path)
{
	pthread_t t;

	return pthread_create(&t, NULL, rest, NULL) ? 250 : map_code(path);
}

/* The process that stays is the child. */
static int map_then_fork(const char *path)
{
	int r = map_code(path), status;
	pid_t pid = r ? -1 : fork();

	if (pid > 0) {
		waitpid(pid, &status, WUNTRACED);
		printf("%d\n", pid);
		fflush(stdout);
	}
	return r;
}

static int map_beside_then_fork(const char *path)
{
	pthread_t t;

	return pthread_create(&t, NULL, rest, NULL) ? 250 : map_then_fork(path);
}

static int map_then_exec(const char *path)
{
	int r = map_code(path);

	if (!r)
		execl(self, self, "inside", "0", "/", NULL);
	return r ? r : errno;
}

static int nothing(const char *path)
{
	(void)path;
	return 0;
}

enum { TAINTED = 1, SPACE, FREE };	/* of the task, of its address space, not at all */

static const struct mapping {
	const char *what;
	int (*how)(const char *);
	const char *path;
	bool strict;			/* refused under strict */
	int taints;			/* else */
} mappings[] = {
	/* clang-format off */
	{ "nothing is mapped",                          nothing,          NULL, false, FREE },
	{ "code of a file that can be written",         map_code,         RW "/other", true, TAINTED },
	{ "code of one that cannot",                    map_code,         RO "/bin/other", false, FREE },
	{ "data that becomes code",                     map_then_protect, RW "/other", true, TAINTED },
	{ "the same where it cannot be written",        map_then_protect, RO "/bin/other", false, FREE },
	{ "data",                                       map_data,         RW "/other", false, FREE },
	{ "memory with a descriptor",                   map_memory,       NULL, true, TAINTED },
	{ "memory without a file",                      map_anonymous,    NULL, false, FREE },
	{ "beside another thread",                      map_beside_thread, RW "/other", true, SPACE },
	{ "a child has it too",                         map_then_fork,    RW "/other", true, TAINTED },
	{ "a child of one with threads, as well",       map_beside_then_fork, RW "/other", true, TAINTED },
	{ "another program has not",                    map_then_exec,    RW "/other", true, FREE },
	/* clang-format on */
};

/* In the sandbox; stops when it is done, so that it can be looked at. */
static int inside(const char *which, const char *path)
{
	int r = mappings[atoi(which)].how(path);

	if (r)
		return r;
	raise(SIGSTOP);
	return 0;
}

static struct osh_task task_seen(pid_t pid)
{
	_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct osh_task t = { 0 };

	if (bpf_map_lookup_elem(k->map[KMAP_TASKS], &pid, &t))
		(void)bpf_map_lookup_elem(k->map[KMAP_TASK_DATA], &pidfd, &t);
	return t;
}

/* Starts it, says what came of it (errno), and where it lives: what its task is, and of how many spaces the kernel knows. */
static int mapping_try(const struct mapping *m, const char *program, struct osh_task *ret, uint32_t *ret_spaces)
{
	char which[16];
	pid_t pid, looked;
	int status, pipefd[2];

	snprintf(which, sizeof(which), "%d", (int)(m - mappings));
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (!pid) {
		dup2(pipefd[1], 1);
		if (join())
			_exit(251);
		execl(program, program, "inside", which, m->path ? m->path : "", NULL);
		_exit(252);
	}
	close(pipefd[1]);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	looked = pid;
	if (WIFSTOPPED(status)) {
		char text[32] = "";

		fcntl(pipefd[0], F_SETFL, O_NONBLOCK);
		if (read(pipefd[0], text, sizeof(text) - 1) > 0)
			looked = atoi(text);
		*ret = task_seen(looked);
		*ret_spaces = *(volatile uint32_t *)&k->sandboxes[SLOT].mapped;
		if (looked != pid)
			kill(looked, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		status = 0;
	}
	close(pipefd[0]);
	return WEXITSTATUS(status);
}

static void mapping_free(void **state)
{
	const struct mapping *m = *state;
	uint32_t before, spaces = 0;
	struct osh_task t = { 0 };
	int got;

	mode(OSH_EXEC_OPEN);
	kbpf_drop(k, &sb, KMAP_MAPPED, 0);
	k->sandboxes[SLOT].mapped = 0;
	before = 0;
	drain();
	got = mapping_try(m, self, &t, &spaces);
	drain();
	if (got)
		fail_msg("%s", strerror(got));
	assert_int_equal(t.id, ID);
	assert_int_equal(t.tainted, m->taints == TAINTED ? OSH_TAINT_MAPPED : 0);
	if (m->taints == SPACE)
		assert_int_equal(spaces, before + 1);
	if (m->taints == FREE && m->how != map_then_exec) {
		assert_int_equal(spaces, before);
		assert_int_equal(n_seen, 0);
		return;
	}
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen.ev.kind, OSH_EV_MAP);
	assert_int_equal(seen.ev.verdict, OSH_AUDIT);
	assert_int_equal(seen.ev.why, OSH_WHY_MAPPED);
	assert_string_equal(seen.name, m->path ? m->path : "memfd:code");
}

static void mapping_strict(void **state)
{
	const struct mapping *m = *state;
	struct osh_task t = { 0 };
	uint32_t spaces = 0;
	int got;

	mode(OSH_EXEC_STRICT);
	kbpf_drop(k, &sb, KMAP_RUN_INODES, 0);
	enter(OSH_RUN_ALLOWED, self);
	drain();
	got = mapping_try(m, self, &t, &spaces);
	drain();
	if (got != (m->strict ? EPERM : 0))
		fail_msg("%s", strerror(got));
	assert_int_equal(n_seen, m->strict);
	if (!m->strict)
		return;
	assert_int_equal(seen.ev.kind, OSH_EV_MAP);
	assert_int_equal(seen.ev.verdict, OSH_DENY);
	assert_int_equal(seen.ev.why, OSH_WHY_MAPPED);
	assert_string_equal(seen.name, m->path ? m->path : "memfd:code");
}

/* A program of a writable tree is not tainted by being what it is: its own file was looked at when it began. */
static void program_of_a_writable_tree(void **state)
{
	struct osh_task t = { 0 };
	uint32_t spaces;

	(void)state;
	mode(OSH_EXEC_OPEN);
	assert_int_equal(mapping_try(&mappings[0], RW "/self", &t, &spaces), 0);
	assert_int_equal(t.id, ID);
	assert_int_equal(t.tainted, 0);
}

/* With the hooks gone everything runs: it was this layer that answered. Last. */
static void works_without(void **state)
{
	(void)state;
	for (int h = 0; h < OSH_HOOK_MAX; h++)
		if (kbpf_hook_where(h) == AT_LSM) {
			bpf_link__destroy(k->links[h]);
			k->links[h] = NULL;
		}
	mode(OSH_EXEC_STRICT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(done(rows[i].how, rows[i].path, true), 0);
}

static int setup(void **state)
{
	const struct osh_b_meta meta = { .exec_mode = OSH_EXEC_STRICT };
	const struct bundle b = { .meta = &meta };
	struct err e = { 0 };
	struct stat st;

	(void)state;
	if (world_make() || (mkdir(CGROUP, 0755) && errno != EEXIST) || stat(CGROUP, &st)) {
		printf("# the world: %s\n", strerror(errno));
		return -1;
	}
	sb.cgroup = st.st_ino;
	if (kbpf_load(&k, 1, NULL, &e) < 0 || kbpf_attach_global(k, &e) < 0 || kbpf_flip(k, &sb, &b, &e) < 0) {
		printf("# %s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kbpf_clear(k, &sb);
	kbpf_free(k);
	world_end();
	return rmdir(CGROUP);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 2 * ARRAY_SIZE(mappings) + 5] = { 0 };
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n = 0;

	if (argc == 4 && !strcmp(argv[1], "inside"))
		return inside(argv[2], argv[3]);
	if (len < 0 || !kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(starter_runs_once);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(strict_begin);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[n++] = (struct CMUnitTest){ .name = rows[i].what, .test_func = row_run, .initial_state = (void *)&rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(as_the_policy_means);
	for (size_t i = 0; i < ARRAY_SIZE(mappings); i++) {
		tests[n++] = (struct CMUnitTest){ .name = mappings[i].what, .test_func = mapping_free, .initial_state = (void *)&mappings[i] };
		tests[n++] = (struct CMUnitTest){ .name = mappings[i].what, .test_func = mapping_strict, .initial_state = (void *)&mappings[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(program_of_a_writable_tree);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(works_without);
	return cmocka_run_group_tests_name("exec", tests, setup, teardown);
}
