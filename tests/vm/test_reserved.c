/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are for some programs only, by LSM programs alone: no view, no Landlock, no filter, root with every capability.
 * The same file runs as a program that the policy lists and as one that it does not, and says what came of one thing.
 */
#include "lsmrig.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "buf.h"
#include "policy.h"
#include "reserved.h"

#define TREE "/tmp/osh-test-reserved"
#define TOOL TREE "/bin/tool"
#define OTHER TREE "/bin/other"

static const char text[] = "version: 1\nfilesystem_policy:\n"
	"  read_only: [" TREE "/free, " TREE "/page, {path: " TREE "/data, binaries: [" TOOL "]}, " TREE "/data/open]\n"
	"  read_write: [{path: " TREE "/drop, binaries: [" TOOL "]}, {path: " TREE "/page, binaries: [" TOOL "]}]\n";

/* ---- what a program does ---- */

static int done(int r)
{
	return r < 0 ? errno : 0;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? errno : done(close(fd));
}

static int do_read(const char *path) { return opened(path, O_RDONLY); }
static int do_write(const char *path) { return opened(path, O_WRONLY); }
static int do_create(const char *path) { return opened(path, O_WRONLY | O_CREAT | O_EXCL); }
static int do_unlink(const char *path) { return done(unlink(path)); }
static int do_mkdir(const char *path) { return done(mkdir(path, 0700)); }
static int do_rmdir(const char *path) { return done(rmdir(path)); }
static int do_chmod(const char *path) { return done(chmod(path, 0644)); }
static int do_truncate(const char *path) { return done(truncate(path, 0)); }
static int do_xattr(const char *path) { return done(setxattr(path, "trusted.x", "y", 1, 0)); }
/* file_setattr(2), Linux 6.17: flags by the path alone. */
static int do_setattr(const char *path)
{
	struct { uint64_t xflags; uint32_t extsize, nextents, projid, cowextsize; } attr = { .xflags = FS_XFLAG_NODUMP };

	return done((int)syscall(469, AT_FDCWD, path, &attr, sizeof(attr), 0));
}

static int do_link(const char *path) { return done(link(path, TREE "/free/alias")); }
static int do_take(const char *path) { return done(rename(path, TREE "/free/taken")); }
static int do_put(const char *path) { return done(rename(TREE "/free/mine", path)); }
static int do_symlink(const char *path) { return done(symlink("/etc/passwd", path)); }

/* Btrfs would make a snapshot there: a copy of a tree in which every file is another. Others do not know it. */
static int do_copy(const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char args[4096] = { 0 };

	return fd < 0 ? errno : done(ioctl(fd, _IOC(_IOC_WRITE, 0x94, 1, sizeof(args)), args));
}

static int do_list(const char *path)
{
	DIR *d = opendir(path);

	return d ? closedir(d) : errno;
}

static int do_exec(const char *path)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(path, path, "read", "/", NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 250;
}

/* By a descriptor of the path that was had without opening it. */
static int do_again(const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return opened(link, O_RDONLY);
}

static const struct {
	const char *name;
	int (*fn)(const char *path);
} ops[] = {
	{ "read", do_read }, { "write", do_write }, { "create", do_create }, { "unlink", do_unlink }, { "mkdir", do_mkdir },
	{ "rmdir", do_rmdir }, { "chmod", do_chmod }, { "truncate", do_truncate }, { "xattr", do_xattr }, { "link", do_link },
	{ "take", do_take }, { "put", do_put }, { "symlink", do_symlink }, { "list", do_list }, { "exec", do_exec }, { "again", do_again },
	{ "copy", do_copy }, { "setattr", do_setattr },
};

static int program(const char *op, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(ops[i].name, op))
			return ops[i].fn(path);
	return 251;
}

/* ---- who does it ---- */

static int as(const char *file, const char *op, const char *path, char *variable)
{
	char *const env[] = { variable, NULL };
	int status;
	pid_t pid = fork();

	if (!pid) {
		enter_box();
		execle(file, file, op, path, NULL, env);
		_exit(252);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 253;
}

static void tree_fill(void);

static const struct {
	const char *op, *path;
	bool listed;			/* what comes of it for the listed program */
	const char *named;		/* on record */
} cases[] = {
	{ "read", "/data/secret", true, "/data/secret" },
	{ "read", "/data/sub/deep", true, "/data/sub/deep" },
	{ "list", "/data", true, "/data" },
	{ "list", "/data/sub", true, "/data/sub" },
	{ "read", "/free/leads", true, "/data/secret" },	/* a symbolic link */
	{ "read", "/mirror/secret", true, "/data/secret" },	/* another mount of it */
	{ "again", "/data/secret", true, "/data/secret" },
	{ "read", "/data/mount/x", true, "/data/mount/x" },
	{ "exec", "/data/run", true, "/data/run" },
	{ "read", "/drop/f", true, "/drop/f" },
	{ "write", "/drop/f", true, "/drop/f" },
	{ "create", "/drop/new", true, "/drop/new" },
	{ "unlink", "/drop/f", true, "/drop/f" },
	{ "mkdir", "/drop/d", true, "/drop/d" },
	{ "rmdir", "/drop/empty", true, "/drop/empty" },
	{ "chmod", "/drop/f", true, "/drop/f" },
	{ "truncate", "/drop/f", true, "/drop/f" },
	{ "xattr", "/drop/f", true, "/drop/f" },
	{ "setattr", "/drop/f", true, "/drop/f" },
	{ "link", "/drop/f", true, "/drop/f" },
	{ "take", "/drop/f", true, "/drop/f" },
	{ "put", "/drop/put", true, "/drop/put" },
	{ "symlink", "/drop/l", true, "/drop/l" },
	{ "write", "/page", true, "/page" },			/* one file, which all may read */
	{ "write", "/data/secret", false, "/data/secret" },	/* to be read, by whomever */
	{ "create", "/data/new", false, "/data/new" },
	{ "write", "/data/open/x", false, "/data/open/x" },
};

static void the_listed_program_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[256], named[256];
		int r;

		if (!strcmp(cases[i].op, "setattr") && kbpf_hook_needless(OSH_HOOK_FSETATTR)) {
			puts("# this kernel has no file_setattr(2)");
			continue;
		}
		snprintf(path, sizeof(path), TREE "%s", cases[i].path);
		snprintf(named, sizeof(named), TREE "%s", cases[i].named);
		tree_fill();
		r = as(TOOL, cases[i].op, path, NULL);
		if (!r != cases[i].listed)
			fail_msg("%s %s by the listed program: %s", cases[i].op, path, strerror(r));
		tree_fill();
		forget_denials();
		r = as(OTHER, cases[i].op, path, NULL);
		drain();
		if (r != EPERM && r != EACCES)
			fail_msg("%s %s by another program: %s", cases[i].op, path, strerror(r));
		if (!n_seen || seen.ev.kind != OSH_EV_FILE || seen.ev.why != OSH_WHY_BINARY || strcmp(seen.name, named) || !seen.ev.aux)
			fail_msg("%s %s: %d on record, reason %u, row %u, '%s'", cases[i].op, path, n_seen, seen.ev.why, seen.ev.aux,
				 seen.name);
		tree_fill();
		assert_int_equal(program(cases[i].op, path), 0);		/* outside of sandboxes */
	}
}

static void what_is_for_all_is_for_all(void **state)
{
	static const char *const paths[] = { "/free/mine", "/page", "/data/open/x", "/bin/other" };

	(void)state;
	tree_fill();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char path[256];

		snprintf(path, sizeof(path), TREE "%s", paths[i]);
		assert_int_equal(as(OTHER, "read", path, NULL), 0);
		assert_int_equal(as(TOOL, "read", path, NULL), 0);
	}
	assert_int_equal(as(OTHER, "write", TREE "/free/mine", NULL), 0);	/* Landlock's to refuse */
}

static void no_tree_is_copied(void **state)
{
	(void)state;
	tree_fill();
	assert_int_equal(program("copy", TREE "/free"), ENOTTY);
	assert_int_equal(as(OTHER, "copy", TREE "/free", NULL), EPERM);
	assert_int_equal(as(TOOL, "copy", TREE "/free", NULL), EPERM);
}

static void a_caller_that_injects_code_is_not_the_program(void **state)
{
	char preload[] = "LD_PRELOAD=/nowhere.so", harmless[] = "TERM=dumb";

	(void)state;
	forget_denials();
	assert_int_not_equal(as(TOOL, "read", TREE "/data/secret", preload), 0);
	drain();
	assert_int_equal(seen.ev.why, OSH_WHY_TAINTED);
	assert_int_equal(as(TOOL, "read", TREE "/data/secret", harmless), 0);
}

/* ---- the world ---- */

static int copy(const char *to)
{
	_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -1;
	return (int)n;
}

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0 && !close(fd));
}

/* As it was before anything was done. */
static void tree_fill(void)
{
	static const char *const gone[] = { "/drop/new", "/drop/put", "/drop/l", "/free/alias", "/free/taken", "/data/new" };
	static const char *const files[] = { "/data/secret", "/data/sub/deep", "/data/mount/x", "/data/open/x", "/drop/f", "/free/mine", "/page" };
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		snprintf(path, sizeof(path), TREE "%s", gone[i]);
		(void)unlink(path);
	}
	(void)rmdir(TREE "/drop/d");
	(void)mkdir(TREE "/drop/empty", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), TREE "%s", files[i]);
		put(path);
	}
}

static int attr(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clear, .propagation = MS_PRIVATE };

	return mount_setattr(AT_FDCWD, path, flags, &a, sizeof(a));
}

/* A program is its path on read-only mounts; what is tried is that of a tmpfs. */
static int world_make(void)
{
	static const char *const dirs[] = { "/bin", "/data", "/data/sub", "/data/mount", "/data/open", "/drop", "/free", "/mirror" };
	char path[256];

	(void)mkdir(TREE, 0755);
	if (unshare(CLONE_NEWNS) || attr("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) ||
	    attr("/sys/fs/cgroup", 0, 0, MOUNT_ATTR_RDONLY) || mount("tree", TREE, "tmpfs", 0, NULL))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), TREE "%s", dirs[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	if (mount("bin", TREE "/bin", "tmpfs", 0, NULL) || copy(TOOL) || copy(OTHER) || copy(TREE "/data/run") ||
	    mount("mount", TREE "/data/mount", "tmpfs", 0, NULL) || mount(TREE "/data", TREE "/mirror", NULL, MS_BIND, NULL) ||
	    symlink(TREE "/data/secret", TREE "/free/leads"))
		return -1;
	tree_fill();
	return attr(TREE "/bin", 0, MOUNT_ATTR_RDONLY, 0);
}

static int reserve(const char *listed, const char *path)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct osh_reserved entry;
	struct err e = { 0 };

	(void)reserved_at(&bundle, listed, &entry);
	if (kbpf_reserve(k, &box, &entry, path, fd, &e) < 0) {
		printf("# %s\n", e.text);
		return -1;
	}
	return 0;
}

static int setup(void **state)
{
	struct slice policy = { text, sizeof(text) - 1 };
	static struct buf bytes;
	struct diags d = { 0 };
	struct err e = { 0 };

	if (world_make() || policy_compile(policy, &d, &bytes) < 0 || bundle_open_mem(&bundle, bytes.p, bytes.n, &e) < 0) {
		printf("# %s %s\n", strerror(errno), d.n ? d.v[0].text : e.text);
		return -1;
	}
	if (rig_setup(state) || kbpf_fill(k, &box, &bundle, &e) < 0) {
		printf("# %s\n", e.text);
		return -1;
	}
	return reserve(TREE "/data", TREE "/data") || reserve(TREE "/data", TREE "/data/mount") || reserve(TREE "/data/open", TREE "/data/open") ||
	       reserve(TREE "/drop", TREE "/drop") || reserve(TREE "/page", TREE "/page");
}

static int teardown(void **state)
{
	(void)rig_teardown(state);
	while (!umount2(TREE, MNT_DETACH))
		;
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_listed_program_alone),
		cmocka_unit_test(what_is_for_all_is_for_all),
		cmocka_unit_test(a_caller_that_injects_code_is_not_the_program),
		cmocka_unit_test(no_tree_is_copied),
	};

	if (argc == 3)
		return program(argv[1], argv[2]);
	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	return cmocka_run_group_tests_name("reserved", tests, setup, teardown);
}
