/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `filesystem_policy.deny` by LSM programs alone: no view, no Landlock, no filter. Each row is done by a
 * task of the sandbox and by one outside, on a fresh tree: what is refused inside works outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"
#include "osh/abi.h"
#include "own.h"

#include <cmocka.h>			/* last: its fail() would hide ours */

#define ID 7u
#define SLOT 3u
#define TREE "/tmp/osh-test-deny"
#define SYS_FILE_SETATTR 469
#define OTHER TREE "/work/other"	/* a file system of its own in the tree */

/* Rows of the bundle, as the compiler gives them. */
static const char *const entries[] = {
	".git/hooks/**", ".git/config", "**/*.key", "locked", "a/*/end", TREE "/work/abs", "other/in/**", "x?z/q",
};

static struct kbpf *k;
static const struct kbpf_sandbox *sb;
static struct bundle bundle;
static char cgroup[512];
static struct osh_event_named seen;
static int n_seen;

static int made(const char *path)
{
	return mkdir(path, 0755);
}

static int put(const char *path)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : 0;
}

static void tree_make(void)
{
	static const char *const dirs[] = {
		"", "/.git", "/.git/hooks", "/src", "/src/deep", "/a", "/a/one", "/empty", "/other", "/other/in",
	};
	static const char *const files[] = {
		"/.git/config", "/.git/HEAD", "/.git/hooks/pre-commit", "/src/main.c", "/src/deep/tls.key", "/locked",
		"/plain", "/abs", "/a/one/end", "/a/one/x", "/top.key", "/other/in/f", "/other/f",
	};
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), TREE "/work%s", dirs[i]);
		assert_int_equal(made(path), 0);
		if (!strcmp(dirs[i], "/other"))
			assert_int_equal(mount("other", path, "tmpfs", 0, NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), TREE "/work%s", files[i]);
		assert_int_equal(put(path), 0);
	}
	assert_int_equal(link(TREE "/work/locked", TREE "/work/alias"), 0);
}

static void root_enter(const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct err e = { 0 };

	assert_true(fd >= 0);
	if (kbpf_deny_root(k, sb, &bundle, TREE "/work", path, fd, &e) < 0)
		fail_msg("%s", e.text);
}

/* A fresh file system each time; in life a root stays mounted as long as it is in the tables. */
static void tree_begin(void)
{
	struct err e = { 0 };
	_close_ int fd = -1;

	(void)mkdir(TREE, 0755);
	assert_int_equal(mount("tree", TREE, "tmpfs", 0, NULL), 0);
	tree_make();
	root_enter(TREE);
	root_enter(TREE "/work");
	root_enter(OTHER);
	fd = open(TREE "/work/locked", O_PATH | O_CLOEXEC);
	assert_int_equal(kbpf_deny_file(k, sb, 3, "locked", fd, &e), 0);
}

static void tree_end(void)
{
	for (int m = KMAP_DENIES; m <= KMAP_DENY_INODES; m++)
		kbpf_drop(k, sb, m, 0);
	while (!umount2(OTHER, MNT_DETACH))
		;
	while (!umount2(TREE, MNT_DETACH))
		;
	(void)rmdir(TREE);
}

/* ---- what is tried ---- */

static int try_write(const char *a, const char *b)
{
	(void)b;
	return open(a, O_WRONLY | O_CLOEXEC);
}

static int try_read(const char *a, const char *b)
{
	(void)b;
	return open(a, O_RDONLY | O_CLOEXEC);
}

static int try_create(const char *a, const char *b)
{
	(void)b;
	return open(a, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int try_truncate_read(const char *a, const char *b)
{
	(void)b;
	return open(a, O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static int try_fd(const char *a, const char *b)
{
	char link[64];

	(void)b;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", open(a, O_PATH | O_CLOEXEC));
	return open(link, O_RDWR | O_CLOEXEC);
}

static int try_tmpfile(const char *a, const char *b)
{
	char link[64];
	int fd = open(a, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, b, AT_SYMLINK_FOLLOW);
}

static int try_truncate(const char *a, const char *b) { (void)b; return truncate(a, 1); }
static int try_unlink(const char *a, const char *b) { (void)b; return unlink(a); }
static int try_rmdir(const char *a, const char *b) { (void)b; return rmdir(a); }
static int try_mkdir(const char *a, const char *b) { (void)b; return mkdir(a, 0755); }
static int try_fifo(const char *a, const char *b) { (void)b; return mkfifo(a, 0600); }
static int try_symlink(const char *a, const char *b) { return symlink(b, a); }
static int try_link(const char *a, const char *b) { return link(a, b); }
static int try_rename(const char *a, const char *b) { return rename(a, b); }
static int try_chmod(const char *a, const char *b) { (void)b; return chmod(a, 0600); }
static int try_chown(const char *a, const char *b) { (void)b; return chown(a, 1, 1); }
static int try_times(const char *a, const char *b) { (void)b; return utimensat(AT_FDCWD, a, NULL, 0); }
static int try_xattr(const char *a, const char *b) { (void)b; return setxattr(a, "trusted.x", "y", 1, 0); }

static int try_ioctl(const char *a, unsigned long cmd, void *arg)
{
	_close_ int fd = open(a, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : ioctl(fd, cmd, arg);
}

static int try_flags(const char *a, const char *b)
{
	int flags = FS_NODUMP_FL;

	(void)b;
	return try_ioctl(a, FS_IOC_SETFLAGS, &flags);
}

static int try_xflags(const char *a, const char *b)
{
	struct fsxattr x = { .fsx_xflags = FS_XFLAG_NODUMP };

	(void)b;
	return try_ioctl(a, FS_IOC_FSSETXATTR, &x);
}

/* By a path: nothing is opened. Linux 6.17. */
static int try_setattr(const char *a, const char *b)
{
	struct { uint64_t xflags; uint32_t extsize, nextents, projid, cowextsize; } attr = { .xflags = FS_XFLAG_NODUMP };

	(void)b;
	return (int)syscall(SYS_FILE_SETATTR, AT_FDCWD, a, &attr, sizeof(attr), 0);
}

static int try_see_flags(const char *a, const char *b)
{
	int flags;

	(void)b;
	return try_ioctl(a, FS_IOC_GETFLAGS, &flags);
}

/* Through the other entry of the kernel, as a 32-bit program asks. */
static int try_flags_compat(const char *a, const char *b)
{
	static int *flags;
	_close_ int fd = open(a, O_RDONLY | O_CLOEXEC);
	long r;

	(void)b;
	flags = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (fd < 0 || flags == MAP_FAILED)
		return -1;
	*flags = FS_NODUMP_FL;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(54), "b"(fd), "c"(FS_IOC32_SETFLAGS), "d"(flags) : "memory", "r8", "r9", "r10", "r11");
	errno = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : 0;
}

static int try_exchange(const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

/* A directory is made elsewhere, filled, and moved to its place. */
static int try_move_in(const char *a, const char *b)
{
	if (mkdir("t", 0755) || mkdir("t/hooks", 0755) || put("t/hooks/x"))
		return -1;
	(void)rename(".git", "old");
	(void)a;
	(void)b;
	return rename("t", ".git");
}

static int try_deep(const char *a, const char *b)
{
	(void)a;
	(void)b;
	if (chdir("src"))
		return -1;
	for (int i = 0; i < OSH_DENY_DEPTH + 8; i++)
		if (mkdir("d", 0755) || chdir("d"))
			return -1;
	return put("f");
}

static int try_long(const char *a, const char *b)
{
	char name[256];

	(void)a;
	memset(name, 'n', 250);
	name[250] = 0;
	if (chdir("src"))
		return -1;
	for (int i = 0; i < 20; i++)
		if (mkdir(name, 0755) || chdir(name))
			return -1;
	return put(b);
}

static const struct row {
	const char *what;
	int (*try)(const char *, const char *);
	const char *a, *b;
	bool refused;
	int why;			/* 0 = FILE_DENIED */
} rows[] = {
	/* clang-format off */
	{ "a denied file is not written",              try_write,    ".git/config", NULL, true, 0 },
	{ "it is read",                                try_read,     ".git/config", NULL, false, 0 },
	{ "nor truncated",                             try_truncate, ".git/config", NULL, true, 0 },
	{ "nor by an open for reading",                try_truncate_read, ".git/config", NULL, true, 0 },
	{ "nor by a descriptor without rights",        try_fd,       ".git/config", NULL, true, 0 },
	{ "nor removed",                               try_unlink,   ".git/config", NULL, true, 0 },
	{ "nor renamed",                               try_rename,   ".git/config", "src/c", true, 0 },
	{ "nor renamed over",                          try_rename,   "plain", ".git/config", true, 0 },
	{ "nor exchanged",                             try_exchange, "plain", ".git/config", true, 0 },
	{ "nor exchanged, asked the other way",        try_exchange, ".git/config", "plain", true, 0 },
	{ "nor linked elsewhere",                      try_link,     ".git/config", "src/c", true, 0 },
	{ "its mode stays",                            try_chmod,    ".git/config", NULL, true, 0 },
	{ "its owner stays",                           try_chown,    ".git/config", NULL, true, 0 },
	{ "its times stay",                            try_times,    ".git/config", NULL, true, 0 },
	{ "its attributes stay",                       try_xattr,    ".git/config", NULL, true, 0 },
	{ "its flags stay",                            try_flags,    ".git/config", NULL, true, 0 },
	{ "by the other call too",                     try_xflags,   ".git/config", NULL, true, 0 },
	{ "and for a 32-bit program",                  try_flags_compat, ".git/config", NULL, true, 0 },
	{ "and by the path alone",                     try_setattr,  ".git/config", NULL, true, 0 },
	{ "so for what is below a denied directory",   try_setattr,  ".git/hooks/pre-commit", NULL, true, 0 },
	{ "for another name",                          try_setattr,  "alias", NULL, true, 0 },
	{ "and not beside it",                         try_setattr,  ".git/HEAD", NULL, false, 0 },
	{ "they are read",                             try_see_flags, ".git/config", NULL, false, 0 },
	{ "a directory's flags stay",                  try_flags,    ".git/hooks", NULL, true, 0 },
	{ "those of what is in it too",                try_xflags,   ".git/hooks/pre-commit", NULL, true, 0 },
	{ "beside it flags are set",                   try_flags,    ".git/HEAD", NULL, false, 0 },
	{ "a link's other name has the rule",          try_flags,    "alias", NULL, true, 0 },
	{ "beside it is written",                      try_write,    ".git/HEAD", NULL, false, 0 },
	{ "below a denied directory nothing is made",  try_create,   ".git/hooks/post-commit", NULL, true, 0 },
	{ "no directory either",                       try_mkdir,    ".git/hooks/d", NULL, true, 0 },
	{ "no pipe",                                   try_fifo,     ".git/hooks/p", NULL, true, 0 },
	{ "no link",                                   try_symlink,  ".git/hooks/l", "/bin/true", true, 0 },
	{ "no hard link",                              try_link,     "plain", ".git/hooks/l", true, 0 },
	{ "no file without a name, named later",       try_tmpfile,  "src", ".git/hooks/t", true, 0 },
	{ "elsewhere it is named",                     try_tmpfile,  "src", "src/t", false, 0 },
	{ "nothing is moved into it",                  try_rename,   "plain", ".git/hooks/p", true, 0 },
	{ "what is in it is not written",              try_write,    ".git/hooks/pre-commit", NULL, true, 0 },
	{ "the directory is not renamed",              try_rename,   ".git/hooks", "src/h", true, 0 },
	{ "its mode stays too",                        try_chmod,    ".git/hooks", NULL, true, 0 },
	{ "nor is one above it",                       try_rename,   ".git", "old", true, 0 },
	{ "nor is it exchanged",                       try_exchange, "src", ".git", true, 0 },
	{ "nor does another one come to its place",    try_move_in,  NULL, NULL, true, 0 },
	{ "a file not there yet is not made",          try_create,   "new.key", NULL, true, 0 },
	{ "a pattern counts at every depth",           try_create,   "src/deep/new.key", NULL, true, 0 },
	{ "and for what is there",                     try_write,    "src/deep/tls.key", NULL, true, 0 },
	{ "at the top as well",                        try_write,    "top.key", NULL, true, 0 },
	{ "another name does not match",               try_create,   "src/new.keys", NULL, false, 0 },
	{ "nor does it by another name later",         try_rename,   "plain", "src/x.key", true, 0 },
	{ "directories are renamed where it is all one", try_rename, "src", "sources", false, 0 },
	{ "and moved",                                 try_rename,   "src/deep", "deep", false, 0 },
	{ "a denied file has no other name",           try_write,    "alias", NULL, true, 0 },
	{ "nothing but a directory leads to a denied path", try_create, "a/two", NULL, false, 0 },
	{ "least of all a link",                       try_symlink,  "a/three", "one", true, 0 },
	{ "a segment by a pattern",                    try_write,    "a/one/end", NULL, true, 0 },
	{ "a directory is made there",                 try_mkdir,    "a/four", NULL, false, 0 },
	{ "and has the rule at once",                  try_mkdir,    "a/one/end2", NULL, false, 0 },
	{ "an absolute entry",                         try_write,    "abs", NULL, true, 0 },
	{ "on a mount below the tree",                 try_write,    "other/in/f", NULL, true, 0 },
	{ "beside it there",                           try_write,    "other/f", NULL, false, 0 },
	{ "an empty directory is removed",             try_rmdir,    "empty", NULL, false, 0 },
	{ "a question mark is one byte",               try_mkdir,    "xyz", NULL, false, 0 },
	{ "a link in such a place",                    try_symlink,  "xyz", "src", true, 0 },
	{ "and no link beside it",                     try_symlink,  "xyyz", "src", false, 0 },
	{ "too deep to be followed is refused",        try_deep,     NULL, NULL, true, OSH_WHY_FILE_UNRESOLVED },
	{ "a long path is followed to its end",        try_long,     NULL, "f.key", true, 0 },
	{ "and allowed where nothing denies it",       try_long,     NULL, "f.c", false, 0 },
	/* clang-format on */
};

/* 0, or the errno that the task got. */
static int done_by(const struct row *r, bool inside)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		char procs[600];
		int fd = -1, n;

		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
		if (inside)
			fd = open(procs, O_WRONLY | O_CLOEXEC);
		if ((inside && (fd < 0 || write(fd, "0", 1) != 1)) || chdir(TREE "/work"))
			_exit(250);
		errno = 0;
		n = r->try(r->a, r->b);
		_exit(n < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int on_event(void *ctx, void *data, size_t size)
{
	(void)ctx;
	memset(&seen, 0, sizeof(seen));
	memcpy(&seen, data, size < sizeof(seen) ? size : sizeof(seen));
	n_seen++;
	return 0;
}

static void drain(void)
{
	struct ring_buffer *rb = ring_buffer__new(kbpf_map_fd(k, "ring_deny"), on_event, NULL, NULL);

	assert_non_null(rb);
	n_seen = 0;
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
}

/* Counts of former rows would hide an event. */
static void denials_forget(void)
{
	int map = kbpf_map_fd(k, "denials");
	struct osh_denial_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		(void)bpf_map_delete_elem(map, &key);
}

static void row_run(void **state)
{
	const struct row *r = *state;
	int got, why = r->why ? r->why : OSH_WHY_FILE_DENIED;

	tree_begin();
	got = done_by(r, false);
	tree_end();
	if (got == ENOSYS && r->try == try_setattr && kbpf_hook_needless(OSH_HOOK_FSETATTR)) {
		puts("# this kernel has no file_setattr(2)");
		skip();
	}
	if (got)
		fail_msg("outside it fails: %s", strerror(got));
	tree_begin();
	denials_forget();
	drain();
	got = done_by(r, true);
	tree_end();
	drain();
	if (got != (r->refused ? EPERM : 0))
		fail_msg("inside: %s; on record: %.255s", strerror(got), n_seen ? seen.name : "nothing");
	if (!r->refused)
		return;
	assert_true(n_seen >= 1);
	assert_int_equal(seen.ev.kind, OSH_EV_FILE);
	assert_int_equal(seen.ev.why, why);
	assert_int_equal(seen.ev.id, ID);
	if (why == OSH_WHY_FILE_DENIED)
		assert_true(seen.ev.aux > 0 && seen.ev.aux <= ARRAY_SIZE(entries));
	assert_true(strlen(seen.name) > 0);
	if (r->a && r->try == try_write && strcmp(r->a, "alias"))
		assert_non_null(strstr(seen.name, r->a));
}

/* Names are bytes to the entries; to such a file system "TLS.KEY" is tls.key. */
static void names_of_any_case_refuse(void **state)
{
	const char *image = "/tmp/osh-test-deny.img", *at = "/tmp/osh-test-fold";
	char make[512];
	struct err e = { 0 };
	_close_ int fd = -1;
	int r;

	(void)state;
	(void)mkdir(at, 0755);
	snprintf(make, sizeof(make), "truncate -s 16M %s && mkfs.ext4 -q -O casefold %s && mount -o loop -t ext4 %s %s", image, image,
		 image, at);
	assert_int_equal(system(make), 0);
	fd = open(at, O_PATH | O_CLOEXEC);
	r = kbpf_deny_root(k, sb, &bundle, at, at, fd, &e);
	own_close(&fd);
	assert_int_equal(umount2(at, MNT_DETACH), 0);
	(void)unlink(image);
	(void)rmdir(at);
	assert_int_equal(r, -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "names of different case"));
	assert_non_null(strstr(e.text, at));
}

/* Many renames beside it, and the denied file is never open for writing, not once. */
static void race_of_renames(void **state)
{
	pid_t pid;
	int got = 0;

	(void)state;
	tree_begin();
	pid = fork();
	if (!pid) {
		char procs[600];
		int fd;

		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
		fd = open(procs, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1 || chdir(TREE "/work"))
			_exit(1);
		for (;;) {
			(void)rename("src", "s");
			(void)rename("s", "a-much-longer-name-than-that");
			(void)rename("a-much-longer-name-than-that", "src");
		}
	}
	for (int i = 0; i < 300 && !got; i++) {
		const struct row r = { "", try_write, i % 2 ? "src/deep/tls.key" : "s/deep/tls.key", NULL, true, 0 };

		got = done_by(&r, true) == 0;
	}
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	tree_end();
	assert_false(got);
}

/* With the hooks gone the same write works: it was this layer that answered. Last. */
static void works_without(void **state)
{
	(void)state;
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		if (kbpf_hook_where(h) == AT_LSM && !kbpf_hook_needless(h)) {
			assert_non_null(k->links[h]);
			bpf_link__destroy(k->links[h]);
			k->links[h] = NULL;
		}
	}
	tree_begin();
	assert_int_equal(done_by(&rows[0], true), 0);
	tree_end();
}

static void bundle_make(void)
{
	static char strings[4096] = "";
	static struct osh_b_fs fs[ARRAY_SIZE(entries)];
	static const struct osh_b_meta meta = { .deny = 1 };
	uint32_t at = 1;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		strcpy(strings + at, entries[i]);
		fs[i] = (struct osh_b_fs){ .path = at, .mode = OSH_FS_DENY };
		at += (uint32_t)strlen(entries[i]) + 1;
	}
	bundle = (struct bundle){ .strings = strings, .n_strings = at, .meta = &meta, .fs = fs,
				  .n_fs = ARRAY_SIZE(fs) };
}

static int setup(void **state)
{
	static struct kbpf_sandbox s = { .slot = SLOT, .id = ID, .generation = 1 };
	struct err e = { 0 };
	struct stat st;

	(void)state;
	bundle_make();
	snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/osh-test-deny");
	if (mkdir(cgroup, 0755) < 0 || stat(cgroup, &st) < 0)
		return -1;
	s.cgroup = st.st_ino;
	sb = &s;
	if (kbpf_load(&k, 1, 0, &e) < 0 || kbpf_attach_global(k, &e) < 0 || kbpf_flip(k, sb, &bundle, &e) < 0) {
		printf("# %s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kbpf_clear(k, sb);
	kbpf_free(k);
	return rmdir(cgroup);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 3] = { 0 };
	size_t n = 0;

	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	for (; n < ARRAY_SIZE(rows); n++)
		tests[n] = (struct CMUnitTest){ .name = rows[n].what, .test_func = row_run,
						.initial_state = (void *)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_of_any_case_refuse);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(race_of_renames);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(works_without);
	return cmocka_run_group_tests_name("deny", tests, setup, teardown);
}
