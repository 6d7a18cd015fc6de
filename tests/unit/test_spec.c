/* SPDX-License-Identifier: Apache-2.0 */
/* The command's way from oshctl (spec_write) to osh-init (spec_map), and what osh-init refuses. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "../../userspace/init/spec.h"
#include "../../userspace/oshctl/spec.h"
#include "own.h"

#include <cmocka.h>		/* last: it names a macro `fail` */

static void round_trip(void **state)
{
	char *argv[] = { (char *)"sh", (char *)"", (char *)"a b\n\xff", NULL };
	char *envp[] = { (char *)"A=1", (char *)"B=", NULL };
	struct osh_msg_init_spec m = { .flags = OSH_SPEC_FDS };
	_close_ int fd = -1;
	struct spec s;
	struct err e;

	(void)state;
	assert_int_equal(spec_write(argv, envp, "/work/x", &m, &fd, &e), 0);
	assert_int_equal(m.argc, 3);
	assert_int_equal(m.envc, 2);
	assert_int_equal(spec_fds(&m, &e), 4);
	assert_int_equal(spec_map(fd, &m, &s, &e), 0);
	for (int i = 0; i < 3; i++)
		assert_string_equal(s.argv[i], argv[i]);
	assert_null(s.argv[3]);
	assert_string_equal(s.envp[0], "A=1");
	assert_string_equal(s.envp[1], "B=");
	assert_null(s.envp[2]);
	assert_string_equal(s.cwd, "/work/x");
	free(s.argv);
	free(s.envp);
	m.bytes++;
	assert_int_equal(spec_map(fd, &m, &s, &e), -EINVAL);
}

static void writer_refuses(void **state)
{
	char *none[] = { NULL }, *one[] = { (char *)"x", NULL };
	_free_ char **many = calloc(OSH_SPEC_STRINGS + 2, sizeof(*many));
	struct osh_msg_init_spec m = { 0 };
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(spec_write(none, NULL, "/", &m, &fd, &e), -EINVAL);
	assert_int_equal(spec_write(one, NULL, "relative", &m, &fd, &e), -EINVAL);
	for (int i = 0; i <= OSH_SPEC_STRINGS; i++)
		many[i] = (char *)"x";
	assert_int_equal(spec_write(many, NULL, "/", &m, &fd, &e), -E2BIG);
}

#define BAD(text) (char *)text, sizeof(text) - 1
static const struct {
	const char *what;
	char *p;
	size_t n;
	uint32_t argc, envc;
} bad[] = {
	{ "no NUL at the end", BAD("x\0/"), 1, 0 },
	{ "nothing", BAD(""), 1, 0 },
	{ "no arguments", BAD("/\0"), 0, 0 },
	{ "no directory", BAD("x\0"), 1, 0 },
	{ "relative directory", BAD("x\0y\0"), 1, 0 },
	{ "too many strings", BAD("x\0/\0/\0"), 1, 0 },
	{ "too few strings", BAD("x\0/\0"), 3, 0 },
	{ "count past the limit", BAD("x\0/\0"), OSH_SPEC_STRINGS + 1, 0 },
	{ "variables past the limit", BAD("x\0/\0"), 1, UINT32_MAX },
	{ "variable without a name", BAD("x\0=1\0/\0"), 1, 1 },
	{ "variable without =", BAD("x\0A\0/\0"), 1, 1 },
	{ "empty variable", BAD("x\0\0/\0"), 1, 1 },
};

static void reader_refuses(void **state)
{
	struct spec s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct osh_msg_init_spec m = { .argc = bad[i].argc, .envc = bad[i].envc };

		if (spec_read(bad[i].p, bad[i].n, &m, &s, &e) != -EINVAL)
			fail_msg("taken: %s", bad[i].what);
	}
}

/* A good one with any byte changed is refused or still well formed. */
static void any_bytes(void **state)
{
	static const char good[] = "sh\0-c\0x\0A=1\0B=2\0/w";
	struct osh_msg_init_spec m = { .argc = 3, .envc = 2 };
	struct spec s;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++)
		for (int c = 0; c < 256; c++) {
			_free_ char *copy = malloc(sizeof(good) + 1);

			memcpy(copy, good, sizeof(good));
			copy[n] = (char)c;
			if (spec_read(copy, sizeof(good), &m, &s, &e) < 0)
				continue;
			assert_ptr_equal(s.cwd + strlen(s.cwd) + 1, copy + sizeof(good));
			free(s.argv);
			free(s.envp);
		}
}

static void unsealed(void **state)
{
	_close_ int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct osh_msg_init_spec m = { .argc = 1, .bytes = 4 };
	struct spec s;
	struct err e;

	(void)state;
	assert_int_equal(write(fd, "x\0/\0", 4), 4);
	assert_int_equal(spec_map(fd, &m, &s, &e), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	assert_int_equal(spec_map(fd, &m, &s, &e), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(spec_map(fd, &m, &s, &e), 0);
	free(s.argv);
	free(s.envp);
}

static void flags(void **state)
{
	struct osh_msg_init_spec m = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
	m.flags = OSH_SPEC_TTY;
	assert_int_equal(spec_fds(&m, &e), 1);
	m.flags = OSH_SPEC_TTY | OSH_SPEC_FD(0) | OSH_SPEC_FD(2);
	assert_int_equal(spec_fds(&m, &e), 3);
	m.flags = OSH_SPEC_FD(0) | OSH_SPEC_FD(1);
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
	m.flags = OSH_SPEC_FDS | OSH_SPEC_BACK;
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
	m.flags = OSH_SPEC_FDS | (OSH_SPEC_ALL + 1);
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
}

static void base_and_heirs(void **state)
{
	char *first_env[] = { (char *)"PATH=/bin", (char *)"A=1", (char *)"AB=2", NULL };
	char *own_env[] = { (char *)"A=3", (char *)"C=", NULL }, *none[] = { NULL };
	char *argv[] = { (char *)"x", NULL };
	struct osh_msg_init_spec first = { .flags = OSH_SPEC_BASE },
				 heir = { .flags = OSH_SPEC_FDS | OSH_SPEC_INHERIT };
	_close_ int a = -1, b = -1;
	struct spec_base base = { 0 };
	struct spec s;
	struct err e;

	(void)state;
	assert_int_equal(spec_write(none, first_env, "/base", &first, &a, &e), 0);
	assert_int_equal(first.argc, 0);
	assert_int_equal(spec_fds(&first, &e), 1);
	assert_int_equal(spec_write(argv, own_env, "", &heir, &b, &e), 0);
	assert_int_equal(spec_fds(&heir, &e), 4);
	assert_int_equal(spec_map(b, &heir, &s, &e), 0);
	assert_int_equal(spec_inherit(&s, &base, &e), -ENOENT);
	spec_done(&s);

	assert_int_equal(spec_map(a, &first, &s, &e), 0);
	assert_int_equal(spec_keep(&s, &base, &e), 0);
	spec_done(&s);			/* what the base has stays */
	for (int i = 0; i < 2; i++) {	/* the base is not changed by its heirs */
		assert_int_equal(spec_map(b, &heir, &s, &e), 0);
		assert_int_equal(spec_inherit(&s, &base, &e), 0);
		assert_string_equal(s.envp[0], "PATH=/bin");
		assert_string_equal(s.envp[1], "AB=2");
		assert_string_equal(s.envp[2], "A=3");
		assert_string_equal(s.envp[3], "C=");
		assert_null(s.envp[4]);
		assert_string_equal(s.cwd, "/base");
		spec_done(&s);
	}
	free(base.envp);
	munmap(base.map, base.map_len);
}

/* A directory may be left out, and a command, only where there is something in their place. */
static void what_may_be_missing(void **state)
{
	struct osh_msg_init_spec m = { .argc = 1 };
	struct spec s;
	struct err e;
	char no_dir[] = "x\0", no_command[] = "/";

	(void)state;
	assert_int_equal(spec_read(no_dir, sizeof(no_dir), &m, &s, &e), -EINVAL);
	m.flags = OSH_SPEC_FDS | OSH_SPEC_INHERIT;
	memset(&s, 0, sizeof(s));
	assert_int_equal(spec_read(no_dir, sizeof(no_dir), &m, &s, &e), 0);
	spec_done(&s);
	m.argc = 0;
	assert_int_equal(spec_read(no_command, sizeof(no_command), &m, &s, &e), -EINVAL);
	m.flags = OSH_SPEC_BASE;
	memset(&s, 0, sizeof(s));
	assert_int_equal(spec_read(no_command, sizeof(no_command), &m, &s, &e), 0);
	spec_done(&s);
	m.argc = 1;
	assert_int_equal(spec_read(no_dir, sizeof(no_dir), &m, &s, &e), -EINVAL);
	m.flags = OSH_SPEC_BASE | OSH_SPEC_FDS;
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
	m.flags = OSH_SPEC_ALL + 1;
	assert_int_equal(spec_fds(&m, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(writer_refuses),
		cmocka_unit_test(reader_refuses), cmocka_unit_test(any_bytes),
		cmocka_unit_test(unsealed), cmocka_unit_test(flags),
		cmocka_unit_test(base_and_heirs), cmocka_unit_test(what_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
