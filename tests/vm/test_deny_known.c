/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task remembers of a directory (bpf/known.bpf.h) is never older than the names, the tables and the directory
 * itself. One task of the sandbox opens files for writing all the time, so that it has something to remember; a task
 * outside, whom nothing stops, changes what its answers depend on.
 */
#include "lsmrig.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "osh.skel.h"

#define TREE "/tmp/osh-test-known"
#define WORK TREE "/work"
#define OPENS 3				/* of a path, so that it is known */
#define REUSED 400			/* directories that come and go */

static const char *const entries[] = { ".git/hooks/**", "deep/*/hooks/end", "**/*.key" };
static struct osh_b_fs fs[ARRAY_SIZE(entries)];
static int task_fd = -1;
static pid_t task;

static void make_dirs(const char *path)
{
	char part[512];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		(void)mkdir(part, 0755);
	}
}

static void put(const char *name)
{
	char path[512];
	_close_ int fd = -1;

	snprintf(path, sizeof(path), WORK "/%s", name);
	make_dirs(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
}

static void move(const char *a, const char *b)
{
	char from[512], to[512];

	snprintf(from, sizeof(from), WORK "/%s", a);
	snprintf(to, sizeof(to), WORK "/%s", b);
	assert_int_equal(rename(from, to), 0);
}

static void root_enter(const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct err e = { 0 };

	assert_true(fd >= 0);
	if (kbpf_deny_root(k, &box, &bundle, WORK, path, fd, &e) < 0)
		fail_msg("%s", e.text);
}

_Noreturn static void task_run(int sock)
{
	char name[256];
	ssize_t n;

	enter_box();
	if (chdir(WORK))
		_exit(250);
	while ((n = recv(sock, name, sizeof(name) - 1, 0)) > 0) {
		int answer = 0, fd;

		name[n] = 0;
		for (int i = 0; i < OPENS; i++) {
			fd = open(name, O_WRONLY | O_CLOEXEC);
			answer = fd < 0 ? errno : 0;
			if (fd >= 0)
				close(fd);
		}
		if (send(sock, &answer, sizeof(answer), 0) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* 0, or the errno of the last of some opens for writing, by the one task. */
static int opened(const char *name)
{
	int answer = -1;

	assert_int_equal(send(task_fd, name, strlen(name), 0), strlen(name));
	assert_int_equal(recv(task_fd, &answer, sizeof(answer), 0), sizeof(answer));
	return answer;
}

static int tree_setup(void **state)
{
	int sv[2];

	(void)state;
	(void)mkdir(TREE, 0755);
	assert_int_equal(mount("tree", TREE, "tmpfs", 0, NULL), 0);
	put(".git/hooks/f");
	put("src/part/f");
	put("p/one/hooks/end");
	put("p/one/hooks/f");
	root_enter(TREE);
	root_enter(WORK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	task = fork();
	if (!task) {
		close(sv[0]);
		task_run(sv[1]);
	}
	close(sv[1]);
	task_fd = sv[0];
	assert_int_equal(opened("src/part/f"), 0);
	assert_int_equal(opened(".git/hooks/f"), EPERM);
	return 0;
}

static int tree_teardown(void **state)
{
	(void)state;
	own_close(&task_fd);
	waitpid(task, NULL, 0);
	for (int m = KMAP_DENIES; m <= KMAP_DENY_INODES; m++)
		kbpf_drop(k, &box, m, 0);
	umount2(TREE, MNT_DETACH);
	return rmdir(TREE);
}

static __u64 dirs_gone(void)
{
	__u32 zero = 0;
	__u64 n = 0;

	assert_int_equal(bpf_map_lookup_elem(kbpf_map_fd(k, "dirs_gone"), &zero, &n), 0);
	return n;
}

/* The set at the root of the tree, past the loader: nobody hears of the change. */
static void deny_all_unsaid(bool on)
{
	int map = kbpf_map_fd(k, "deny_roots");
	struct osh_deny_inode_key key, next;
	struct osh_deny_root root;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		assert_int_equal(bpf_map_lookup_elem(map, &key, &root), 0);
		root.all = on;
		assert_int_equal(bpf_map_update_elem(map, &key, &root, BPF_ANY), 0);
	}
}

/* The other tests show something only where tasks do remember. */
static void a_directory_is_known(void **state)
{
	int known = -1, moved = -1;

	(void)state;
	assert_true(k->skel->rodata->rename_lock_at);
	assert_true(dirs_gone());
	put("elsewhere");
	/* A directory that is freed meanwhile, whoever's, is all forgotten; so is a way up that is looked at while anybody renames. */
	for (int i = 0; i < 100 && (known || moved); i++) {
		deny_all_unsaid(false);
		assert_int_equal(opened("src/part/f"), 0);
		deny_all_unsaid(true);
		known = opened("src/part/f");
		move("elsewhere", "elsewhere2");	/* its own way up is the same */
		moved = opened("src/part/f");
		move("elsewhere2", "elsewhere");
	}
	assert_int_equal(known, 0);
	assert_int_equal(moved, 0);
	move("src", "src2");
	move("src2", "src");				/* not any more, though it looks so: the way is gone again */
	assert_int_equal(opened("src/part/f"), EPERM);
	deny_all_unsaid(false);
	assert_int_equal(opened("src/part/f"), 0);
}

static void tables_change(void **state)
{
	(void)state;
	assert_int_equal(opened("src/part/f"), 0);
	deny_all_unsaid(true);
	root_enter(WORK);				/* the same again, by the loader */
	deny_all_unsaid(true);
	assert_int_equal(opened("src/part/f"), EPERM);
}

static void names_in_a_known_directory_are_judged(void **state)
{
	(void)state;
	put("src/part/x.key");
	assert_int_equal(opened("src/part/f"), 0);
	assert_int_equal(opened("src/part/x.key"), EPERM);
	move("src/part/f", "src/part/f.key");
	assert_int_equal(opened("src/part/f.key"), EPERM);
	move("src/part/f.key", "src/part/f");
	assert_int_equal(opened("src/part/f"), 0);
}

static void a_known_directory_moves(void **state)
{
	(void)state;
	assert_int_equal(opened("src/part/f"), 0);
	move(".git/hooks", "was");
	move("src/part", ".git/hooks");
	assert_int_equal(opened(".git/hooks/f"), EPERM);
	assert_int_equal(opened("was/f"), 0);
	move(".git/hooks", "src/part");
	move("was", ".git/hooks");
	assert_int_equal(opened("src/part/f"), 0);
	assert_int_equal(opened(".git/hooks/f"), EPERM);
}

static void one_far_above_moves(void **state)
{
	(void)state;
	assert_int_equal(opened("p/one/hooks/end"), 0);
	move("p", "deep");
	assert_int_equal(opened("deep/one/hooks/end"), EPERM);
	assert_int_equal(opened("deep/one/hooks/f"), 0);
	move("deep", "p");
	assert_int_equal(opened("p/one/hooks/end"), 0);
}

/* Directories that were known are removed, and others come where nothing may be written; some in the same memory. */
static void memory_is_another_directory(void **state)
{
	__u64 before = dirs_gone();
	char name[64], path[512];

	(void)state;
	for (int i = 0; i < REUSED; i++) {
		snprintf(name, sizeof(name), "src/d%d/f", i % 8);
		put(name);
		assert_int_equal(opened(name), 0);
		snprintf(path, sizeof(path), WORK "/%s", name);
		assert_int_equal(unlink(path), 0);
		*strrchr(path, '/') = 0;
		assert_int_equal(rmdir(path), 0);
		snprintf(name, sizeof(name), ".git/hooks/e%d/f", i);
		put(name);
		assert_int_equal(opened(name), EPERM);
	}
	assert_true(dirs_gone() >= before + REUSED);
}

static int setup(void **state)
{
	static char strings[256];
	uint32_t at = 1;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		strcpy(strings + at, entries[i]);
		fs[i] = (struct osh_b_fs){ .path = at, .mode = OSH_FS_DENY };
		at += (uint32_t)strlen(entries[i]) + 1;
	}
	meta.deny = 1;
	bundle.strings = strings;
	bundle.n_strings = at;
	bundle.fs = fs;
	bundle.n_fs = ARRAY_SIZE(fs);
	return rig_setup(state);
}

#define TREE_TEST(fn) cmocka_unit_test_setup_teardown(fn, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(a_directory_is_known),
		TREE_TEST(tables_change),
		TREE_TEST(names_in_a_known_directory_are_judged),
		TREE_TEST(a_known_directory_moves),
		TREE_TEST(one_far_above_moves),
		TREE_TEST(memory_is_another_directory),
	};

	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	return cmocka_run_group_tests_name("deny, known", tests, setup, rig_teardown);
}
