/* SPDX-License-Identifier: Apache-2.0 */
/* Where a volume may appear, as text; and what waits between two messages, by id. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../userspace/launch/mounts.h"
#include "own.h"

#include <cmocka.h>

static int add(struct mounts *m, uint32_t id, uint32_t flags, const char *path)
{
	struct osh_msg_mount g = { .id = id, .flags = flags };

	snprintf(g.path, sizeof(g.path), "%s", path);
	return mounts_add(m, &g, open("/", O_PATH | O_CLOEXEC));
}

static int open_fds(void)
{
	int n = 0;

	for (int i = 0; i < 512; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *why;	/* NULL = taken */
		uint32_t flags;
	} cases[] = {
		/* clang-format off */
		{ "/data", NULL, 0 },			{ "/data/x/y", NULL, OSH_MOUNT_RO },
		{ "/sandbox/.cache", NULL, 0 },		{ "/tmp/x", NULL, 0 },
		{ "/sandbox", NULL, OSH_MOUNT_HOME },	{ "/mnt/private", NULL, 0 },
		{ "/run/user/1000/x", NULL, 0 },	{ "/opt/dev", NULL, 0 },
		{ "/", "never part", 0 },		{ "", "plain absolute", 0 },
		{ "data", "plain absolute", 0 },	{ "/data/", "plain absolute", 0 },
		{ "//data", "plain absolute", 0 },	{ "/data/../proc", "plain absolute", 0 },
		{ "/data/./x", "plain absolute", 0 },	{ "/proc", "sandbox's own", 0 },
		{ "/proc/self/fd", "sandbox's own", 0 }, { "/dev", "sandbox's own", 0 },
		{ "/dev/x", "sandbox's own", 0 },	{ "/dev/shm/x", "sandbox's own", 0 },
		{ "/tmp", "sandbox's own", 0 },		{ "/sandbox", "sandbox's own", 0 },
		{ "/etc", "would hide", 0 },		{ "/etc/hosts", "sandbox's own", 0 },
		{ "/sys/fs/cgroup", "never part", 0 },	{ "/sys/x", "kernel's", 0 },
		{ "/run", "never part", 0 },		{ "/run/docker/x", "never part", 0 },
		{ "/run/osh", "never part", 0 },	{ "/run/docker.sock", "control socket", 0 },
		{ "/x/podman/podman.sock", "control socket", 0 },
		{ "/home", "writable", OSH_MOUNT_HOME }, { "/sandbox", "writable", OSH_MOUNT_HOME | OSH_MOUNT_RO },
		{ "/data", "malformed", 64 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mounts m = { 0 };
		struct err e = { 0 };
		int r;

		assert_int_equal(add(&m, 1, cases[i].flags, cases[i].path), 0);
		r = mounts_check(&m, &e);
		if (!r != !cases[i].why || (cases[i].why && !strstr(e.text, cases[i].why)))
			print_error("'%s': %d \"%s\"\n", cases[i].path, r, e.text);
		assert_int_equal(!r, !cases[i].why);
		assert_true(!cases[i].why || strstr(e.text, cases[i].why));
		mounts_done(&m);
	}
}

static void test_endless_text(void **state)
{
	struct osh_msg_mount g = { .id = 1 };
	struct mounts m = { 0 };
	struct err e = { 0 };

	(void)state;
	memset(g.path, 'a', sizeof(g.path));
	g.path[0] = '/';
	assert_int_equal(mounts_add(&m, &g, open("/", O_PATH | O_CLOEXEC)), 0);
	assert_int_equal(mounts_check(&m, &e), -ENAMETOOLONG);
	mounts_done(&m);
}

static void test_together(void **state)
{
	static const struct {
		const char *a, *b;
		uint32_t a_flags;
		bool good;
	} cases[] = {
		{ "/a", "/b", 0, true },	 { "/a", "/a", 0, false }, { "/a", "/a/b", 0, false },
		{ "/a/b", "/a", 0, false },	 { "/a", "/ab", 0, true },
		{ "/sandbox", "/sandbox/x", OSH_MOUNT_HOME, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mounts m = { 0 };
		struct err e = { 0 };

		add(&m, 1, cases[i].a_flags, cases[i].a);
		add(&m, 1, 0, cases[i].b);
		assert_int_equal(!mounts_check(&m, &e), cases[i].good);
		mounts_done(&m);
	}
}

static void test_by_id(void **state)
{
	struct mounts all = { 0 }, one;
	struct err e = { 0 };
	int before = open_fds(), n = 0;

	(void)state;
	add(&all, 1, 0, "/a");
	add(&all, 2, 0, "/b");
	add(&all, 1, 0, "/c");
	assert_int_equal(mounts_take(&all, 1, &one), 0);
	assert_int_equal(one.n, 2);
	assert_string_equal(one.at[1].path, "/c");
	assert_int_equal(all.n, 1);
	assert_int_equal(all.at[0].id, 2);
	mounts_done(&one);
	assert_int_equal(mounts_take(&all, 7, &one), 0);
	assert_int_equal(one.n, 0);
	mounts_done(&one);
	mounts_done(&all);
	assert_int_equal(open_fds(), before);

	for (int i = 0; i <= OSH_MOUNTS; i++) {
		char path[16];

		snprintf(path, sizeof(path), "/m%d", i);
		add(&all, 3, 0, path);
	}
	assert_int_equal(mounts_check(&all, &e), -E2BIG);
	all.n--;
	close(all.at[all.n].fd);
	assert_int_equal(mounts_check(&all, &e), 0);
	while (!add(&all, 4, 0, "/x"))
		assert_true(++n < 100000);	/* there is an end */
	mounts_done(&all);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),	 cmocka_unit_test(test_endless_text),
		cmocka_unit_test(test_together), cmocka_unit_test(test_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
