/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of writable trees, recognised by the inode that oshd registered; and what programs that are
 * running mean after a reload. On tmpfs (/rw) and on the disk's own file system (/disk).
 */
#include "ident_world.h"

#define TOOL (1ull << 3)
#define GLOB (1ull << 70 % 64)

static const char strings[] = "\0/rw/tool\0/disk/tool\0/disk/*\0/ro/probe\0/ro/*";
enum { S_RW = 1, S_DISK = 10, S_GLOB = 21, S_PROBE = 29, S_RO = 39 };

static struct osh_b_binary rows[] = {
	{ .path = S_RW, .group = 3 },
	{ .path = S_DISK, .group = 3 },
	{ .path = S_GLOB, .group = 70, .flags = OSH_BIN_GLOB },
	{ .path = S_PROBE, .group = 5 },
	{ .path = S_RO, .group = 6, .flags = OSH_BIN_GLOB },
};
static const struct bundle bundle = {
	.strings = strings, .n_strings = sizeof(strings), .binaries = rows, .n_binaries = ARRAY_SIZE(rows),
};
static struct kbpf_sandbox box = { .slot = SLOT, .id = ID, .generation = 1 };

static void prepare(void)
{
	policy_program(1, "/rw/tool", TOOL, OSH_PROG_INODE);
	policy_program(1, "/disk/tool", TOOL, OSH_PROG_INODE);
	policy_program(1, "/ro/probe", 1 << 5, 0);
	policy_glob(1, 0, "/ro/*", 1 << 6);
}

/* A new file at `path`, registered as row `binary`. Gives the descriptor that pins it. */
static int registered(const char *path, uint32_t binary)
{
	struct err e = { 0 };
	int fd, r;

	unlink(path);
	copy_file("/ro/probe", path);
	fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	r = kbpf_register_inodes(w.k, &box, &bundle, &fd, &binary, 1, &e);
	if (r)
		print_error("%s\n", e.text);
	assert_int_equal(r, 0);
	return fd;
}

static void registered_program(void **state)
{
	static const struct { const char *path; uint32_t row; uint64_t g1; } cases[] = {
		{ "/rw/tool", 0, 0 }, { "/disk/tool", 1, GLOB },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_close_ int fd = registered(cases[i].path, cases[i].row);
		struct osh_task t = run(cases[i].path), again = run(cases[i].path);

		assert_int_equal(t.groups[0], TOOL);
		assert_int_equal(t.groups[1], cases[i].g1);
		assert_int_equal(t.why, 0);
		assert_true(t.ident > 0);
		assert_int_equal(t.ident, again.ident);
		assert_string_equal(ident_path(t.ident), cases[i].path);
	}
}

/* Found through a pattern: the pattern's group, and the file's own name in the log. */
static void pattern_program(void **state)
{
	_close_ int fd = registered("/disk/v1", 2);
	struct osh_task t = run("/disk/v1");

	(void)state;
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.groups[1], GLOB);
	assert_string_equal(ident_path(t.ident), "/disk/v1");
}

static void other_name_is_the_same_program(void **state)
{
	struct osh_task first, t;
	struct err e = { 0 };
	uint32_t row = 1;
	int fd;

	(void)state;
	copy_file("/ro/probe", "/disk/fresh");
	unlink("/disk/link");
	assert_int_equal(link("/disk/fresh", "/disk/link"), 0);
	assert_int_equal(rename("/disk/fresh", "/disk/tool"), 0);
	fd = open("/disk/tool", O_RDONLY | O_CLOEXEC);
	assert_int_equal(kbpf_register_inodes(w.k, &box, &bundle, &fd, &row, 1, &e), 0);
	first = run("/disk/tool");
	t = run("/disk/link");
	assert_int_equal(t.groups[0], TOOL);
	assert_int_equal(t.ident, first.ident);
	close(fd);
}

static void poke(const char *path, int how)
{
	struct timespec keep[2];
	struct stat st;
	int fd;
	char *m;

	assert_int_equal(stat(path, &st), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (how == 0)
		assert_int_equal(pwrite(fd, "\x7f", 1, 0), 1);	/* what stood there before */
	if (how == 1) {
		m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_true(m != MAP_FAILED);
		*(volatile char *)m = 0x7f;
		munmap(m, 4096);
	}
	if (how == 2)
		assert_int_equal(ftruncate(fd, st.st_size + 1), 0);
	close(fd);
	keep[0] = st.st_atim;
	keep[1] = st.st_mtim;			/* the file's owner may set this one back */
	assert_int_equal(utimensat(AT_FDCWD, path, keep, 0), 0);
}

/* Right after registration, so that a coarse clock would show. */
static void written_program(void **state)
{
	static const char *const paths[] = { "/rw/tool", "/disk/tool" };

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		_close_ int fd = registered(paths[i & 1], i & 1);
		struct osh_task t;

		poke(paths[i & 1], i / 2 % 3);
		t = run(paths[i & 1]);
		assert_int_equal(t.groups[0], 0);
		assert_int_equal(t.groups[1], 0);
		assert_int_equal(t.why, OSH_WHY_REPLACED);
	}
}

static void replaced_program(void **state)
{
	_close_ int fd = registered("/disk/tool", 1);
	struct osh_task before = run("/disk/tool"), t;

	(void)state;
	copy_file("/ro/probe", "/disk/evil");
	assert_int_equal(rename("/disk/evil", "/disk/tool"), 0);
	t = run("/disk/tool");
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.why, OSH_WHY_REPLACED);
	assert_true(t.ident != before.ident);	/* the same path, and not the same program */
	assert_string_equal(ident_path(t.ident), ident_path(before.ident));
}

static void deleted_program(void **state)
{
	_close_ int fd = registered("/disk/tool", 1);
	struct osh_task t;

	(void)state;
	unlink("/disk/tool");
	t = run_start((struct start){ .how = BY_FD, .fd = fd });
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.groups[0], 0);
}

static int try_register(int fd, uint32_t row)
{
	struct err e;

	return kbpf_register_inodes(w.k, &box, &bundle, &fd, &row, 1, &e);
}

static void refused(void **state)
{
	_close_ int writer = -1, fd = -1, dir = open("/disk", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	copy_file("/ro/probe", "/disk/busy");
	writer = open("/disk/busy", O_WRONLY | O_CLOEXEC);
	fd = open("/disk/busy", O_RDONLY | O_CLOEXEC);
	assert_int_equal(try_register(fd, 1), -ETXTBSY);
	own_close(&writer);
	assert_int_equal(try_register(fd, 1), 0);
	assert_int_equal(try_register(dir, 1), -EINVAL);
	assert_int_equal(try_register(999, 1), -EBADF);
	assert_int_equal(try_register(fd, ARRAY_SIZE(rows)), -EINVAL);
}

static struct osh_ident_in ident_in(uint32_t ident, uint32_t generation)
{
	struct osh_ident_key k = { ID, ident };
	struct osh_ident v;

	assert_int_equal(bpf_map_lookup_elem(kbpf_map_fd(w.k, "idents"), &k, &v), 0);
	return v.by[generation & 1];
}

/* Last: moves to generation 2. */
static void reload(void **state)
{
	_close_ int fd = registered("/disk/tool", 1);
	struct osh_task path = run("/ro/probe"), inode = run("/disk/tool"), other, t;
	struct osh_ident_in in;
	struct err e;

	(void)state;
	copy_file("/ro/probe", "/rw/unlisted");
	other = run("/rw/unlisted");
	assert_int_equal(path.groups[0], 1 << 5 | 1 << 6);
	box.generation = 2;
	/* A reload that came to nothing after it had judged, then the one that counts. */
	policy_program(2, "/ro/probe", 1 << 9, 0);
	assert_int_equal(kbpf_rejudge(w.k, &box, &bundle, &e), 0);
	policy_program(2, "/ro/probe", 1 << 5, 0);
	rows[1].group = 4;
	rows[4].group = 7;
	policy_glob(2, 0, "/ro/*", 1 << 7);
	assert_int_equal(kbpf_rejudge(w.k, &box, &bundle, &e), 0);
	assert_int_equal(ident_in(path.ident, 1).groups[0], 1 << 5 | 1 << 6);	/* still in force */
	policy_flip(2);
	assert_int_equal(kbpf_rejudge(w.k, &box, &bundle, &e), 0);
	in = ident_in(path.ident, 2);
	assert_int_equal(in.generation, 2);
	assert_int_equal(in.groups[0], 1 << 5 | 1 << 7);
	in = ident_in(inode.ident, 2);
	assert_int_equal(in.generation, 2);
	assert_int_equal(in.groups[0], 1 << 4);
	in = ident_in(other.ident, 2);
	assert_int_equal(in.groups[0], 0);
	t = run("/ro/probe");
	assert_int_equal(t.generation, 2);
	assert_int_equal(t.ident, path.ident);
	assert_int_equal(t.groups[0], 1 << 5 | 1 << 7);
	t = run("/disk/tool");
	assert_int_equal(t.ident, inode.ident);
	assert_int_equal(t.groups[0], 1 << 4);
	assert_int_equal(t.groups[1], GLOB);
	poke("/disk/tool", 0);
	t = run("/disk/tool");
	assert_int_equal(t.groups[0], 0);
}

static int tests(void)
{
	static const struct CMUnitTest all[] = {
		cmocka_unit_test(registered_program),
		cmocka_unit_test(pattern_program),
		cmocka_unit_test(other_name_is_the_same_program),
		cmocka_unit_test(written_program),
		cmocka_unit_test(replaced_program),
		cmocka_unit_test(deleted_program),
		cmocka_unit_test(refused),
		cmocka_unit_test(reload),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return world_main(argc, argv, prepare, tests);
}
