/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox sees of the host, layer by layer: listed paths and nothing else, no way out by links,
 * races or renames, the caller's rights and no more, the owner's identity on what is written.
 */
#include "launchbox.h"

#include <dirent.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cmocka.h>

char dir[64];
struct seccomp_set box_filters;
struct windows box_windows = { .fd = -1 };

#define BASE "version: 1\nfilesystem_policy:\n  include_workdir: false\n"
#define USUAL BASE "  read_only: [/usr, /etc, '@/ro']\n  read_write: ['@/rw', /tmp]\n"
#define WORK "version: 1\nfilesystem_policy:\n  include_workdir: true\n  read_only: [/usr]\n"

/* "@/x" of the test's directory, in one of a few buffers. */
static const char *at(const char *rest)
{
	static char ring[8][128];
	static unsigned n;
	char *s = ring[n++ % 8];

	snprintf(s, 128, "%s/%s", dir, rest);
	return s;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void put(const char *rest, const char *text, mode_t mode, uid_t owner)
{
	int fd = open(at(rest), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(fchown(fd, owner, owner) | fchmod(fd, mode), 0);
	close(fd);
}

static void make_dir(const char *rest, mode_t mode, uid_t owner)
{
	mkdir(at(rest), mode);
	assert_int_equal(chown(at(rest), owner, owner) | chmod(at(rest), mode), 0);
}

static void good(const struct box *x)
{
	struct outcome o = box_run(x);

	if (o.code || o.line)
		print_error("code %d \"%s\", check in line %d\n", o.code, o.text, o.line);
	assert_int_equal(o.code, 0);
	assert_int_equal(o.line, 0);
}

static int nothing(void)
{
	return 0;
}

static void refused_box(struct box x, int code, const char *text)
{
	struct outcome o;

	x.inside = nothing;
	o = box_run(&x);
	if (o.code != code || !strstr(o.text, text))
		print_error("wanted %d \"%s\", got %d \"%s\" for %s\n", code, text, o.code, o.text, x.policy);
	assert_int_equal(o.code, code);
	assert_non_null(strstr(o.text, text));
}

static void refused(const char *policy, int code, const char *text)
{
	refused_box((struct box){ .policy = policy }, code, text);
}

static bool one_of(const char *name, const char *names)
{
	size_t n = strlen(name);

	for (const char *p = names; (p = strstr(p, name)); p += n)
		if ((p == names || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

/* Are the names in `path` among `names`, and all of them there? */
static bool holds(const char *path, const char *names)
{
	DIR *d = opendir(path);
	unsigned want = 1, seen = 0;

	if (!d)
		return false;
	for (const char *p = names; *p; p++)
		want += *p == ' ';
	for (struct dirent *x; (x = readdir(d));) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		if (!one_of(x->d_name, names)) {
			closedir(d);
			return false;
		}
		seen++;
	}
	closedir(d);
	return seen == want;
}

static int see_listed(void)
{
	struct statvfs s;

	CHECK(try_open(at("ro/file"), O_RDONLY) == 0);
	CHECK(try_open(at("ro/file"), O_WRONLY) == EROFS);
	CHECK(try_open(at("ro/new"), O_WRONLY | O_CREAT) == EROFS);
	CHECK(try_open(at("rw/new"), O_WRONLY | O_CREAT) == 0);
	CHECK(unlink(at("rw/new")) == 0);
	CHECK(try_open(at("secret"), O_RDONLY) == ENOENT);
	CHECK(holds(dir, "ro rw"));
	CHECK(holds("/var", "tmp") && holds("/var/tmp", strrchr(dir, '/') + 1));
	CHECK(holds("/", "usr etc bin lib lib32 lib64 libx32 sbin tmp dev proc sandbox var") ||
	      holds("/", "usr etc bin lib lib64 sbin tmp dev proc sandbox var") ||
	      holds("/", "usr etc bin lib lib32 lib64 sbin tmp dev proc sandbox var"));
	CHECK(access("/sys", F_OK) && access("/run", F_OK) && access("/boot", F_OK));
	CHECK(access("/usr/bin/env", X_OK) == 0 && access("/bin/sh", X_OK) == 0);
	CHECK(!statvfs(at("rw"), &s) && (s.f_flag & ST_NOSUID) && (s.f_flag & ST_NODEV));
	CHECK(try_open("/new", O_WRONLY | O_CREAT) != 0 && mkdir("/new", 0755) < 0);
	return 0;
}

static void test_only_listed(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_listed });
}

static int see_view_alone(void)
{
	CHECK(try_open(at("ro/file"), O_WRONLY) == EROFS);
	CHECK(try_open(at("secret"), O_RDONLY) == ENOENT);
	CHECK(access("/home", F_OK) < 0);
	return 0;
}

static int see_landlock_alone(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(try_open(at("ro/file"), O_RDONLY) == 0);
	CHECK(try_open(at("rw/new"), O_WRONLY | O_CREAT) == 0);
	unlink(at("rw/new"));
	CHECK(try_open(at("ro/file"), O_WRONLY) == EACCES);
	CHECK(truncate(at("ro/file"), 0) < 0 && errno == EACCES);
	CHECK(try_open(at("secret"), O_RDONLY) == EACCES);
	CHECK(try_open("/root", O_RDONLY | O_DIRECTORY) == EACCES);
	CHECK(try_open("/proc/self/mem", O_RDWR) == EACCES);
	CHECK(link(at("ro/file"), at("rw/hard")) < 0 && (errno == EACCES || errno == EXDEV));
	CHECK(mount("x", at("rw"), "tmpfs", 0, NULL) < 0 && errno == EPERM);
	memcpy(a.sun_path, "\0osh-test-launch", 16);
	CHECK(connect(s, (void *)&a, offsetof(struct sockaddr_un, sun_path) + 16) < 0);
	CHECK(errno == EPERM || errno == ECONNREFUSED);	/* scope of ABI 6; the netns comes first */
	return 0;
}

static void test_each_layer_alone(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_view_alone, .layers = L_VIEW });
	if (landlock_abi() < 3)
		skip();
	good(&(struct box){ .policy = USUAL, .inside = see_landlock_alone,
			    .layers = L_LANDLOCK | L_CRED });
}

static int see_own(void)
{
	char text[256] = "";
	struct statvfs s;
	struct stat st;
	int fd;

	CHECK(holds("/dev", "null zero full random urandom tty pts shm fd stdin stdout stderr ptmx"));
	CHECK(!try_open("/dev/null", O_RDWR) && !try_open("/dev/urandom", O_RDONLY));
	CHECK(mknod("/dev/shm/disk", S_IFBLK | 0600, makedev(254, 0)) < 0);
	CHECK(!stat("/tmp", &st) && (st.st_mode & 07777) == 01777);
	CHECK(!stat("/sandbox", &st) && st.st_uid == BOX_UID && (st.st_mode & 07777) == 0700);
	CHECK(!statvfs("/tmp", &s) && (s.f_flag & ST_NOSUID) && (s.f_flag & ST_NODEV));
	CHECK(!try_open("/tmp/x", O_CREAT | O_WRONLY) && !try_open("/sandbox/x", O_CREAT | O_WRONLY));
	fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	CHECK(!strncmp(text, "nameserver 127.0.0.1\n", 21));
	CHECK(try_open("/etc/resolv.conf", O_WRONLY) != 0 && try_open("/etc/hosts", O_WRONLY) != 0);
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	memset(text, 0, sizeof(text));
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "sandbox:x:61234:"));
	return 0;
}

static int see_processes(void)
{
	int fd;

	CHECK(getpid() == 1 && getppid() == 0);
	CHECK(access("/proc/2", F_OK) < 0 && kill(2, 0) < 0 && errno == ESRCH);
	CHECK(try_open("/proc/sys/kernel/core_pattern", O_WRONLY) != 0);
	CHECK(try_open("/proc/sysrq-trigger", O_WRONLY) != 0);
	CHECK(try_open("/proc/kcore", O_RDONLY) != 0 && try_open("/proc/keys", O_RDONLY) != 0);
	CHECK(try_open("/proc/self/mem", O_RDWR) == EACCES);
	fd = open("/proc/self/root", O_PATH | O_CLOEXEC);
	CHECK(fd < 0 || faccessat(fd, "home", F_OK, 0) < 0);
	return 0;
}

static void test_own_directories(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_own });
	good(&(struct box){ .policy = BASE "  read_only: [/usr, '@/ro']\n", .inside = see_own });
	good(&(struct box){ .policy = USUAL, .inside = see_processes });
}

/* Its own as well as the host's parts: a name written to `comm` or memory to `mem` needs no right but this. */
static int see_proc_ro(void)
{
	static const char *const parts[] = {
		"self/mem", "self/comm", "self/oom_score_adj", "self/coredump_filter", "self/clear_refs", "self/attr/current",
		"self/uid_map", "self/task/1/comm", "sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches",
	};
	char path[64];

	prctl(PR_SET_DUMPABLE, 1);	/* as after an exec: its own parts are its own */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int got;

		snprintf(path, sizeof(path), "/proc/%s", parts[i]);
		got = try_open(path, O_WRONLY);
		if (got == 0 || (got != EROFS && got != ENOENT && got != EACCES)) {
			fprintf(stderr, "%s: %s\n", path, strerror(got));
			return __LINE__;
		}
	}
	CHECK(try_open("/proc/self/mem", O_RDWR) == EROFS && try_open("/proc/self/comm", O_WRONLY) == EROFS);
	CHECK(mkdir("/proc/x", 0700) < 0);
	return 0;
}

/* The mount says it by itself, on a kernel without Landlock too. */
static void test_proc_without_landlock(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_proc_ro, .layers = L_VIEW });
	good(&(struct box){ .policy = USUAL, .inside = see_proc_ro, .layers = L_VIEW | L_CRED | L_SECCOMP });
}

static int see_tmp_ro(void)
{
	CHECK(try_open("/tmp/x", O_CREAT | O_WRONLY) == EROFS);
	return 0;
}

static void test_tmp_for_reading(void **state)
{
	(void)state;
	good(&(struct box){ .policy = BASE "  read_only: [/usr, /tmp]\n", .inside = see_tmp_ro });
}

static int see_no_rights(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), n = 0;

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	for (const char *p = text; (p = strstr(p, "\nCap")); p++)
		n += strstr(p, ":\t0000000000000000\n") == p + 7;
	CHECK(n == 5);
	CHECK(strstr(text, "\nNoNewPrivs:\t1\n") && strstr(text, "\nGroups:\t \n"));
	CHECK(strstr(text, "\nUid:\t61234\t61234\t61234\t61234\n"));
	CHECK(setuid(0) < 0 && setgid(0) < 0 && setgroups(1, &(gid_t){ 0 }) < 0);
	CHECK(prctl(PR_SET_SECUREBITS, 0) < 0);
	return 0;
}

static void test_no_rights(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_no_rights });
}

static void test_refused_trees(void **state)
{
	(void)state;
	refused(BASE "  read_only: [/]\n", EPERM, "'/' is never shown");
	refused(BASE "  read_only: [/usr, /run]\n", EPERM, "never shown");
	refused(BASE "  read_only: [/usr, /var/run]\n", EPERM, "never shown");
	refused(BASE "  read_only: [/usr, '@/sock']\n", EPERM, "control socket 'docker.sock'");
	refused(BASE "  read_only: [/usr, '@/sock/docker.sock']\n", EPERM, "is a socket");
	refused(BASE "  read_write: [/usr, /sys]\n", EPERM, "only be listed for reading");
	refused(BASE "  read_only: [/usr, '@/holder']\n", EPERM, "holds the mount");
	refused(BASE "  read_only: [/usr, '@/holder/proc']\n", EPERM, "lies on proc");
}

static int see_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("sock/mine"));
	CHECK(holds(at("sock"), "mine"));
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	return 0;
}

static void test_listed_socket(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .sock = "@/sock/mine", .inside = see_socket });
	refused_box((struct box){ .policy = USUAL, .sock = "@/sock/docker.sock" }, EPERM,
		    "privileged service");
	refused_box((struct box){ .policy = USUAL, .sock = "@/ro/file" }, ENOTSOCK, "no socket");
}

static int see_sys(void)
{
	CHECK(access("/sys/class/net/lo", F_OK) == 0 || access("/sys/devices", F_OK) == 0);
	CHECK(try_open("/sys/kernel/uevent_helper", O_WRONLY) != 0);
	CHECK(access("/sys/fs/cgroup/cgroup.procs", F_OK) < 0);
	CHECK(access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) < 0);
	return 0;
}

static void test_sys_without_its_mounts(void **state)
{
	(void)state;
	good(&(struct box){ .policy = BASE "  read_only: [/usr, /sys]\n", .inside = see_sys });
}

static void test_missing(void **state)
{
	struct outcome o;

	(void)state;
	o = box_run(&(struct box){ .policy = BASE "  read_only: [/usr, '@/no', '@/none']\n",
				   .inside = nothing });
	assert_int_equal(o.code, 0);
	assert_int_equal(o.warnings, 2);
	assert_non_null(strstr(o.warning, "/no: No such file"));
	refused(BASE "  read_only: [/usr, '@/no']\nlandlock: {compatibility: hard_requirement}\n", ENOENT,
		"hard_requirement");
	refused(BASE "  read_only: ['@/no']\n", ENOENT, "no usable path");
}

/* A caller cannot make root show what he could not open himself. */
static void test_callers_rights(void **state)
{
	struct outcome o;

	(void)state;
	o = box_run(&(struct box){ .policy = BASE "  read_only: [/usr, '@/private/in']\n",
				   .caller = OWNER, .inside = nothing });
	assert_int_equal(o.code, EACCES);
	o = box_run(&(struct box){ .policy = BASE "  read_only: [/usr, '@/private']\n",
				   .caller = OWNER, .inside = nothing });
	assert_int_equal(o.code, EACCES);
	o = box_run(&(struct box){ .policy = WORK, .workdir = "private", .caller = OWNER,
				   .inside = nothing });
	assert_int_equal(o.code, EACCES);
	/* root without capabilities: another user's directory is closed to it as well */
	refused(BASE "  read_only: [/usr, '@/theirs/in']\n", EACCES, "may not open");
}

static int see_link(void)
{
	struct stat st;

	CHECK(!lstat(at("link"), &st) && S_ISLNK(st.st_mode));
	CHECK(try_open(at("link/file"), O_RDONLY) == 0);
	CHECK(try_open(at("link/file"), O_WRONLY) == EROFS);
	return 0;
}

static void test_links(void **state)
{
	(void)state;
	good(&(struct box){ .policy = BASE "  read_only: [/usr, '@/link']\n", .inside = see_link });
	/* planted by an earlier run in a tree that it could write */
	assert_int_equal(symlink("/etc", at("rw/planted")), 0);
	refused(BASE "  read_only: [/usr, '@/rw/planted']\n  read_write: ['@/rw']\n", ELOOP,
		"symbolic link in the writable tree");
	refused(BASE "  read_only: [/usr, '@/rw/planted/ssl']\n  read_write: ['@/rw']\n", ELOOP,
		"symbolic link in the writable tree");
	unlink(at("rw/planted"));
}

static int see_escapes(void)
{
	CHECK(symlink(at("secret"), at("rw/escape")) == 0);
	CHECK(try_open(at("rw/escape"), O_RDONLY) == ENOENT);
	CHECK(try_open(at("rw/escape"), O_WRONLY | O_CREAT) != 0);
	unlink(at("rw/escape"));
	CHECK(try_open(at("rw/../secret"), O_RDONLY) == ENOENT);
	CHECK(symlink("/proc/1/root/etc/shadow", at("rw/escape")) == 0);
	CHECK(try_open(at("rw/escape"), O_RDONLY) != 0);
	unlink(at("rw/escape"));
	CHECK(rename(at("ro/file"), at("rw/file")) < 0);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, at("ro"), AT_FDCWD, at("rw"), 2) < 0);
	CHECK(rmdir(at("ro")) < 0 && rename(at("rw"), at("rx")) < 0);
	return 0;
}

static void test_escapes(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = see_escapes });
	good(&(struct box){ .policy = USUAL, .inside = see_escapes, .layers = L_VIEW | L_CRED });
}

#define INNER BASE "  read_only: [/usr, '@/rw/a/b/keep']\n  read_write: ['@/rw']\n"

static int see_inner(void)
{
	CHECK(try_open(at("rw/a/b/keep/file"), O_RDONLY) == 0);
	CHECK(try_open(at("rw/a/b/keep/file"), O_WRONLY) == EROFS);
	CHECK(rename(at("rw/a/b/keep"), at("rw/a/b/gone")) < 0 && errno == EBUSY);
	CHECK(rename(at("rw/a/b"), at("rw/a/c")) < 0 && errno == EBUSY);
	CHECK(rename(at("rw/a"), at("rw/c")) < 0 && errno == EBUSY);
	CHECK(try_open(at("rw/a/b/new"), O_WRONLY | O_CREAT) == 0 && unlink(at("rw/a/b/new")) == 0);
	return 0;
}

static void test_reading_inside_writing(void **state)
{
	(void)state;
	good(&(struct box){ .policy = INNER, .inside = see_inner });
}

static void test_deny(void **state)
{
	static const char *const cannot[] = { "@/rw/a/b/keep/file", "@/rw/absent", "@/rw/*.json",
					      "/tmp/absent" };

	(void)state;
	good(&(struct box){ .policy = USUAL, .deny = { "@/rw/a/b/keep/**" }, .inside = see_inner });
	good(&(struct box){ .policy = WORK, .deny = { "a/b/keep" }, .inside = see_inner });
	for (size_t i = 0; i < ARRAY_SIZE(cannot); i++)
		refused_box((struct box){ .policy = USUAL, .deny = { cannot[i] } }, EOPNOTSUPP,
			    "BPF LSM");
	good(&(struct box){ .policy = USUAL, .deny = { "@/ro/file", "@/secret" }, .inside = nothing });
}

static int see_idmap(void)
{
	struct stat st;

	CHECK(try_open(at("rw/made"), O_WRONLY | O_CREAT) == 0);
	CHECK(!stat(at("rw/made"), &st) && st.st_uid == BOX_UID && st.st_gid == BOX_UID);
	CHECK(!stat(at("rw/a"), &st) && st.st_uid == BOX_UID);
	return 0;
}

static void test_idmap(void **state)
{
	struct stat st;

	(void)state;
	make_dir("rw", 0755, OWNER);
	good(&(struct box){ .policy = WORK, .idmap = true, .inside = see_idmap });
	assert_int_equal(stat(at("rw/made"), &st), 0);
	assert_int_equal(st.st_uid, OWNER);
	assert_int_equal(st.st_gid, OWNER);
	unlink(at("rw/made"));
	good(&(struct box){ .policy = BASE "  read_only: [/usr]\n  read_write: ['@/rw']\n",
			    .idmap = true, .inside = see_idmap });
	assert_int_equal(stat(at("rw/made"), &st), 0);
	assert_int_equal(st.st_uid, OWNER);
	unlink(at("rw/made"));
	make_dir("rw", 0777, OWNER);
}

static int run_true(const char *path)
{
	char *const argv[] = { (char *)"true", NULL };
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		execv(path, argv);
		_exit(100 + (errno == EACCES) + 2 * (errno == EPERM));
	}
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int copy_true(int to)
{
	char text[65536];
	_close_ int from = open("/usr/bin/true", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(from, text, sizeof(text));

	return n <= 0 || write(to, text, (size_t)n) != n ? -1 : 0;
}

static int see_strict(void)
{
	static const char *const places[] = { "/tmp/t", "/sandbox/t", "/dev/shm/t", NULL };
	int fd = -1;

	CHECK(run_true("/usr/bin/true") == 0);
	for (int i = 0; i < 4; i++) {
		const char *path = places[i] ? places[i] : at("rw/t");

		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		CHECK(fd >= 0 && !copy_true(fd) && !close(fd));
		CHECK(run_true(path) == 101);
		unlink(path);
	}
	CHECK(syscall(SYS_memfd_create, "x", 0x10 /* MFD_EXEC */) < 0 && errno == EACCES);
	CHECK((fd = (int)syscall(SYS_memfd_create, "x", 0)) >= 0);
	CHECK(!copy_true(fd));
	CHECK(syscall(SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH) < 0 && errno == EACCES);
	return 0;
}

static int see_allow(void)
{
	CHECK(run_true("/usr/bin/true") == 0);
	CHECK(run_true("/usr/bin/env") == 101);
	CHECK(try_open("/usr/bin/env", O_RDONLY) == 0);
	return 0;
}

static void test_exec(void **state)
{
	(void)state;
	good(&(struct box){ .policy = USUAL, .strict = true, .inside = see_strict });
	if (!landlock_abi())
		skip();
	good(&(struct box){ .policy = USUAL, .strict = true, .allow = { "/usr/bin/true" },
			    .inside = see_allow });
	refused_box((struct box){ .policy = USUAL, .strict = true, .allow = { "/usr/bin/t*" } },
		    EOPNOTSUPP, "whole trees");
}

static int see_race(void)
{
	/* Either what the caller opened, or nothing: never what the link points to. */
	CHECK(access(at("private"), F_OK) < 0);
	CHECK(access(at("rw/sub/in"), F_OK) < 0);
	CHECK(access(at("rw/evil/in"), F_OK) < 0);
	return 0;
}

/* A writable tree whose owner swaps the listed directory and a link out as fast as he can. */
static void test_race(void **state)
{
	int st, built = 0, lost = 0;
	pid_t pid;

	(void)state;
	make_dir("rw/sub", 0755, OWNER);
	assert_int_equal(symlink(at("private"), at("rw/evil")), 0);
	pid = fork();
	if (pid == 0) {
		char a[128], b[128];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(a, sizeof(a), "%s", at("rw/sub"));
		snprintf(b, sizeof(b), "%s", at("rw/evil"));
		for (;;)
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */);
	}
	for (int i = 0; i < 150; i++) {
		struct outcome o = box_run(&(struct box){
			.policy = BASE "  read_only: [/usr, '@/rw/sub']\n  read_write: ['@/rw']\n",
			.inside = see_race, .layers = L_VIEW | L_CRED });

		if (o.line || o.code < 0)
			print_error("round %d: line %d, %s\n", i, o.line, o.text);
		assert_int_equal(o.line, 0);
		assert_true(o.code >= 0);
		if (o.code)
			lost++;
		else
			built++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
	print_message("# %d built, %d refused\n", built, lost);
	assert_true(lost > 0);		/* else the race was never run */
	if (unlink(at("rw/evil")) < 0)
		assert_int_equal(unlink(at("rw/sub")), 0);
	rmdir(at("rw/sub"));
	rmdir(at("rw/evil"));
}

static unsigned mounts(void)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned n = 0;

	for (int c; f && (c = getc(f)) != EOF;)
		n += c == '\n';
	return n;
}

static void test_no_residue(void **state)
{
	unsigned before = mounts();

	(void)state;
	good(&(struct box){ .policy = USUAL, .inside = nothing });
	refused_box((struct box){ .policy = USUAL, .deny = { "@/rw/absent" } }, EOPNOTSUPP, "BPF LSM");
	assert_int_equal(mounts(), before);
}

static int setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err e = { 0 };
	int s;

	(void)state;
	if (getuid()) {
		print_message("1..0 # SKIP needs root\n");
		exit(77);
	}
	/* Mounts of the test itself stay in a namespace of its own. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	strcpy(dir, "/var/tmp/osh-launch-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) || seccomp_compile(&box_filters, &e))
		return -1;
	umask(0);
	make_dir("ro", 0755, 0);
	make_dir("rw", 0777, OWNER);
	make_dir("rw/a", 0777, OWNER);
	make_dir("rw/a/b", 0777, OWNER);
	make_dir("rw/a/b/keep", 0777, OWNER);
	make_dir("private", 0700, 0);
	make_dir("private/in", 0755, 0);
	make_dir("theirs", 0700, OWNER);
	make_dir("theirs/in", 0755, OWNER);
	make_dir("sock", 0755, 0);
	make_dir("holder", 0755, 0);
	make_dir("holder/proc", 0755, 0);
	put("ro/file", "hello", 0666, 0);
	put("secret", "secret", 0666, 0);
	put("rw/a/b/keep/file", "kept", 0666, OWNER);
	if (symlink("ro", at("link")) || mount("proc", at("holder/proc"), "proc", 0, NULL))
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("sock/docker.sock"));
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s, (void *)&a, sizeof(a)) || close(s))
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("sock/mine"));
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(s, (void *)&a, sizeof(a)) || listen(s, 1) || chmod(a.sun_path, 0666);
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	umount2(at("holder/proc"), MNT_DETACH);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	seccomp_set_done(&box_filters);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_listed),	cmocka_unit_test(test_each_layer_alone),
		cmocka_unit_test(test_proc_without_landlock), cmocka_unit_test(test_own_directories), cmocka_unit_test(test_tmp_for_reading),
		cmocka_unit_test(test_no_rights),	cmocka_unit_test(test_refused_trees),
		cmocka_unit_test(test_listed_socket),
		cmocka_unit_test(test_sys_without_its_mounts), cmocka_unit_test(test_missing),
		cmocka_unit_test(test_callers_rights),	cmocka_unit_test(test_links),
		cmocka_unit_test(test_escapes),		cmocka_unit_test(test_reading_inside_writing),
		cmocka_unit_test(test_deny),		cmocka_unit_test(test_idmap),
		cmocka_unit_test(test_exec),		cmocka_unit_test(test_race),
		cmocka_unit_test(test_no_residue),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
