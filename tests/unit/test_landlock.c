/* SPDX-License-Identifier: Apache-2.0 */
/* Which rights a kind of path gives under each Landlock ABI, and names as paths.c reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../userspace/launch/landlock.h"
#include "../../userspace/launch/paths.h"
#include "osh/landlock.h"
#include "own.h"

#include <cmocka.h>

static void test_new_rights_need_their_abi(void **state)
{
	static const struct {
		uint64_t right;
		int abi;
		enum landlock_kind kind;
	} cases[] = {
		{ OSH_LL_EXECUTE, 1, LANDLOCK_RUN },	{ OSH_LL_REFER, 2, LANDLOCK_WRITE },
		{ OSH_LL_TRUNCATE, 3, LANDLOCK_WRITE }, { OSH_LL_IOCTL_DEV, 5, LANDLOCK_DEVICE },
		{ OSH_LL_RESOLVE_UNIX, 9, LANDLOCK_SOCKET },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int abi = 0; abi < 12; abi++)
			assert_int_equal(!!(landlock_rights(cases[i].kind, true, abi) & cases[i].right),
					 abi >= cases[i].abi);
}

static void test_kinds(void **state)
{
	const uint64_t writes = OSH_LL_WRITE_FILE | OSH_LL_TRUNCATE | OSH_LL_REMOVE_FILE |
				OSH_LL_REMOVE_DIR | OSH_LL_MAKE_REG | OSH_LL_MAKE_DIR | OSH_LL_MAKE_SYM |
				OSH_LL_MAKE_SOCK | OSH_LL_MAKE_FIFO | OSH_LL_REFER;

	(void)state;
	for (enum landlock_kind k = 0; k < LANDLOCK_KINDS; k++) {
		uint64_t r = landlock_rights(k, true, 9);

		assert_int_not_equal(r, 0);
		assert_int_equal(r & (OSH_LL_MAKE_CHAR | OSH_LL_MAKE_BLOCK), 0);
		assert_int_equal(!!(r & OSH_LL_EXECUTE),
				 k == LANDLOCK_RUN || k == LANDLOCK_ALL || k == LANDLOCK_EXEC ||
					 k == LANDLOCK_SHARED_RUN);
		assert_int_equal(!!(r & OSH_LL_IOCTL_DEV), k == LANDLOCK_DEVICE);
	}
	assert_int_equal(landlock_rights(LANDLOCK_LIST, true, 9), OSH_LL_READ_DIR);
	assert_int_equal(landlock_rights(LANDLOCK_RUN, true, 9) & writes, 0);
	assert_int_equal(landlock_rights(LANDLOCK_READ, true, 9) & writes, 0);
	assert_int_equal(landlock_rights(LANDLOCK_ALL, true, 9) & writes, writes);
	assert_int_equal(landlock_rights(LANDLOCK_SHARED, true, 9) & writes, writes & ~OSH_LL_MAKE_SOCK);
	assert_int_equal(landlock_rights(LANDLOCK_SHARED_RUN, true, 9) & writes, writes & ~OSH_LL_MAKE_SOCK);
}

/* The kernel refuses rights of directories on a file. */
static void test_files(void **state)
{
	(void)state;
	assert_int_equal(landlock_rights(LANDLOCK_ALL, false, 9),
			 OSH_LL_EXECUTE | OSH_LL_WRITE_FILE | OSH_LL_READ_FILE | OSH_LL_TRUNCATE);
	assert_int_equal(landlock_rights(LANDLOCK_LIST, false, 9), 0);
}

static void test_clean(void **state)
{
	static const struct {
		const char *in, *out;	/* NULL = refused */
	} cases[] = {
		{ "/", "/" },	    { "/a", "/a" },	     { "//a///b/", "/a/b" }, { "/a/./b/.", "/a/b" },
		{ "/./", "/" },	    { "/a/..b", "/a/..b" },  { "/a/...", "/a/..." }, { "/a/../b", NULL },
		{ "/..", NULL },    { "a/b", NULL },	     { "", NULL },	     { "./a", NULL },
		{ "/a/b/..", NULL },
	};
	char out[64], small[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = paths_clean(cases[i].in, out, sizeof(out));

		assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
	}
	assert_int_equal(paths_clean("/ab", small, sizeof(small)), 0);
	assert_int_equal(paths_clean("/abc", small, sizeof(small)), -ENAMETOOLONG);
}

static void test_within(void **state)
{
	(void)state;
	assert_true(paths_within("/a", "/a"));
	assert_true(paths_within("/a/b", "/a"));
	assert_true(paths_within("/a/b", "/"));
	assert_false(paths_within("/ab", "/a"));
	assert_false(paths_within("/a", "/a/b"));
	assert_false(paths_within("/", "/a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_rights_need_their_abi), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_files),			  cmocka_unit_test(test_clean),
		cmocka_unit_test(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
