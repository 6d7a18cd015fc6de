/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes and a home that lasts: seen where they were asked for, with the owner's identity on disk, and
 * never over or in what the policy lists; no sockets in a volume; a planted link leads nowhere.
 */
#include "launchbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include <cmocka.h>

char dir[64];
struct seccomp_set box_filters;
struct windows box_windows = { .fd = -1 };

#define BASE "version: 1\nfilesystem_policy:\n  include_workdir: false\n"
#define USUAL BASE "  read_only: [/usr, '@/ro']\n  read_write: [/tmp]\n"
#define DISK 60007			/* owner on disk where root calls */

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

static void make_dir(const char *rest, mode_t mode, uid_t owner)
{
	mkdir(at(rest), mode);
	assert_int_equal(chown(at(rest), owner, owner) | chmod(at(rest), mode), 0);
}

static void give(struct mounts *m, uint32_t flags, const char *rest, const char *path)
{
	struct osh_msg_mount g = { .id = 1, .flags = flags };

	snprintf(g.path, sizeof(g.path), "%s", path);
	assert_int_equal(mounts_add(m, &g, open(at(rest), O_PATH | O_CLOEXEC)), 0);
}

static struct outcome with(struct box x, uid_t caller, struct mounts *m, int (*inside)(void))
{
	struct outcome o;

	x.policy = x.policy ? x.policy : USUAL;
	x.caller = caller;
	x.idmap = !caller;
	x.mounts = m;
	x.inside = inside;
	o = box_run(&x);
	mounts_done(m);
	return o;
}

static void good(struct box x, uid_t caller, struct mounts *m, int (*inside)(void))
{
	struct outcome o = with(x, caller, m, inside);

	if (o.code || o.line)
		print_error("code %d \"%s\", check in line %d\n", o.code, o.text, o.line);
	assert_int_equal(o.code, 0);
	assert_int_equal(o.line, 0);
}

static int nothing(void)
{
	return 0;
}

static int make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return bind(s, (void *)&a, sizeof(a)) < 0 ? errno : 0;
}

static int see_volumes(void)
{
	struct statvfs s;
	struct stat st;

	CHECK(try_open("/data/new", O_WRONLY | O_CREAT) == 0 && mkdir("/data/d", 0755) == 0);
	CHECK(!stat("/data", &st) && st.st_uid == BOX_UID && st.st_gid == BOX_UID);
	CHECK(!stat("/data/new", &st) && st.st_uid == BOX_UID);
	CHECK(!statvfs("/data", &s) && (s.f_flag & ST_NOSUID) && (s.f_flag & ST_NODEV) && !(s.f_flag & ST_RDONLY));
	CHECK(try_open("/mnt/ref/secret", O_RDONLY) == 0);	/* 0600: the map holds for reading too */
	CHECK(try_open("/mnt/ref/secret", O_WRONLY) == EROFS && try_open("/mnt/ref/n", O_CREAT | O_WRONLY) == EROFS);
	CHECK(make_socket("/data/s") == EACCES && make_socket("/tmp/s") == 0);
	CHECK(rename("/tmp/s", "/data/s") < 0 && link("/tmp/s", "/data/s") < 0);
	CHECK(chmod("/data/new", 04755) < 0);
	CHECK(try_open("/sandbox/x", O_WRONLY | O_CREAT) == 0);	/* no home given: the private tmpfs */
	return 0;
}

static void test_volumes(void **state)
{
	const uid_t callers[] = { 0, BOX_UID };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		uid_t owner = callers[i] ? callers[i] : DISK;
		struct mounts m = { 0 };
		struct stat st;

		make_dir("vol", 0700, owner);
		make_dir("ref", 0700, owner);
		close(open(at("ref/secret"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		assert_int_equal(chown(at("ref/secret"), owner, owner), 0);
		give(&m, 0, "vol", "/data");
		give(&m, OSH_MOUNT_RO, "ref", "/mnt/ref");
		good((struct box){ 0 }, callers[i], &m, see_volumes);
		assert_int_equal(stat(at("vol/new"), &st), 0);
		assert_int_equal(st.st_uid, owner);
		assert_int_equal(st.st_gid, owner);
		assert_int_equal(access(at("home/x"), F_OK), -1);
		unlink(at("vol/new"));
		rmdir(at("vol/d"));
	}
}

static int see_strict(void)
{
	struct statvfs s;

	CHECK(!statvfs("/data", &s) && (s.f_flag & ST_NOEXEC));
	CHECK(!statvfs("/mnt/ref", &s) && (s.f_flag & ST_NOEXEC));	/* another may have it writable */
	CHECK(!statvfs("/sandbox", &s) && (s.f_flag & ST_NOEXEC));
	return 0;
}

static void test_strict(void **state)
{
	struct mounts m = { 0 };

	(void)state;
	make_dir("home", 0700, DISK);
	make_dir("vol", 0700, DISK);
	make_dir("ref", 0700, DISK);
	give(&m, 0, "vol", "/data");
	give(&m, OSH_MOUNT_RO, "ref", "/mnt/ref");
	give(&m, OSH_MOUNT_HOME, "home", "/sandbox");
	good((struct box){ .policy = USUAL, .strict = true }, 0, &m, see_strict);
}

static int write_home(void)
{
	struct stat st;

	CHECK(!stat("/sandbox", &st) && st.st_uid == BOX_UID);
	CHECK(try_open("/sandbox/kept", O_WRONLY | O_CREAT) == 0 && make_socket("/sandbox/agent") == 0);
	CHECK(mkdir("/sandbox/work", 0700) == 0 && symlink("/etc", "/sandbox/link") == 0);
	CHECK(unlink("/sandbox/agent") == 0);
	return 0;
}

static int see_home(void)
{
	struct stat st;

	CHECK(try_open("/sandbox/kept", O_RDONLY) == 0);
	/* A volume in it lies on a directory that is the sandbox's own, made for it where there was none. */
	CHECK(!stat("/sandbox/.cache", &st) && st.st_uid == BOX_UID);
	CHECK(!stat("/sandbox/.cache/deep/down", &st) && st.st_uid == BOX_UID);
	CHECK(try_open("/sandbox/.cache/deep/down/n", O_WRONLY | O_CREAT) == 0);
	CHECK(rename("/sandbox/.cache/deep/down", "/sandbox/away") < 0 && errno == EBUSY);
	return 0;
}

static void test_home(void **state)
{
	const uid_t callers[] = { 0, BOX_UID };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		uid_t owner = callers[i] ? callers[i] : DISK;
		const char *home = callers[i] ? "home2" : "home1";
		struct mounts m = { 0 };
		char path[64];
		struct stat st;

		make_dir(home, 0700, owner);
		make_dir("vol", 0700, owner);
		give(&m, OSH_MOUNT_HOME, home, "/sandbox");
		good((struct box){ 0 }, callers[i], &m, write_home);
		give(&m, OSH_MOUNT_HOME, home, "/sandbox");
		give(&m, 0, "vol", "/sandbox/.cache/deep/down");
		good((struct box){ 0 }, callers[i], &m, see_home);
		snprintf(path, sizeof(path), "%s/.cache/deep", home);
		assert_int_equal(stat(at(path), &st), 0);
		assert_int_equal(st.st_uid, owner);
		assert_int_equal(access(at("vol/n"), F_OK), 0);
		unlink(at("vol/n"));
	}
}

static int ro_home(void)
{
	CHECK(try_open("/sandbox/y", O_WRONLY | O_CREAT) == EROFS);
	return 0;
}

static void test_home_for_reading(void **state)
{
	struct mounts m = { 0 };

	(void)state;
	give(&m, OSH_MOUNT_HOME, "home1", "/sandbox");
	good((struct box){ .policy = BASE "  read_only: [/usr, /sandbox]\n" }, 0, &m, ro_home);
}

/* What the sandbox left in its home decides nothing: the link that it made is not gone through. */
static void test_planted_in_home(void **state)
{
	struct mounts m = { 0 };
	struct outcome o;

	(void)state;
	give(&m, OSH_MOUNT_HOME, "home1", "/sandbox");
	give(&m, 0, "vol", "/sandbox/link/volume");
	o = with((struct box){ 0 }, 0, &m, nothing);
	assert_int_not_equal(o.code, 0);
	assert_int_not_equal(access("/etc/volume", F_OK), 0);
	give(&m, OSH_MOUNT_HOME, "home1", "/sandbox");
	give(&m, 0, "vol", "/sandbox/kept");
	assert_int_not_equal(with((struct box){ 0 }, 0, &m, nothing).code, 0);
}

static void refused(const char *policy, uid_t caller, const char *rest, const char *path, int code, const char *why)
{
	struct mounts m = { 0 };
	struct outcome o;

	give(&m, 0, rest, path);
	o = with((struct box){ .policy = policy }, caller, &m, nothing);
	if (o.code != code || !strstr(o.text, why))
		print_error("'%s': wanted %d \"%s\", got %d \"%s\"\n", path, code, why, o.code, o.text);
	assert_int_equal(o.code, code);
	assert_non_null(strstr(o.text, why));
}

static void test_refused(void **state)
{
	(void)state;
	make_dir("vol", 0700, DISK);
	refused(USUAL, 0, "vol", dir, EPERM, "would hide");		/* above a listed one */
	refused(USUAL, 0, "vol", at("ro"), EPERM, "would hide");
	refused(USUAL, 0, "vol", at("ro/in"), EPERM, "a part of");
	refused(USUAL, 0, "vol", "/usr/share", EPERM, "a part of");
	refused(BASE "  read_only: [/usr, '@/link']\n", 0, "vol", at("link"), EPERM, "symbolic link");
	refused(BASE "  read_only: [/usr, '@/link']\n", 0, "vol", at("link/x"), EPERM, "symbolic link");
	refused(USUAL, 0, "ro/file", "/data", ENOTDIR, "no directory");
	refused(USUAL, BOX_UID, "vol", "/data", EPERM, "belongs to uid");	/* a user gets what is his own */
	make_dir("gone", 0700, DISK);
	{
		struct mounts m = { 0 };
		struct outcome o;

		give(&m, 0, "gone", "/data");
		rmdir(at("gone"));
		o = with((struct box){ 0 }, 0, &m, nothing);
		assert_int_equal(o.code, ENOENT);
	}
}

/* The directory is found again by its name, and only if it is the one that oshd opened. */
static void test_swapped(void **state)
{
	struct mounts m = { 0 };
	struct outcome o;

	(void)state;
	make_dir("other", 0700, DISK);
	give(&m, 0, "vol", "/data");
	assert_int_equal(mount(at("other"), at("vol"), NULL, MS_BIND, NULL), 0);
	o = with((struct box){ 0 }, 0, &m, nothing);
	assert_int_equal(o.code, ESTALE);
	umount2(at("vol"), MNT_DETACH);
}

static int see_denied(void)
{
	CHECK(try_open("/sandbox/work/n", O_WRONLY | O_CREAT) == EROFS);
	CHECK(rename("/sandbox/work", "/sandbox/w") < 0);
	CHECK(try_open("/data/keep/deep/n", O_WRONLY | O_CREAT) == EROFS);
	CHECK(rename("/data/keep", "/data/k") < 0 && rename("/data/keep/deep", "/data/k") < 0);
	CHECK(try_open("/data/keep/n", O_WRONLY | O_CREAT) == 0);
	return 0;
}

/* A denied directory stays denied where it lies in a volume or in the home. */
static void test_deny(void **state)
{
	struct mounts m = { 0 };

	(void)state;
	make_dir("vol/keep", 0700, DISK);
	make_dir("vol/keep/deep", 0700, DISK);
	give(&m, OSH_MOUNT_HOME, "home1", "/sandbox");
	give(&m, 0, "vol", "/data");
	good((struct box){ .deny = { "/sandbox/work", "/data/keep/deep" } }, 0, &m, see_denied);
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (getuid()) {
		print_message("1..0 # SKIP needs root\n");
		exit(77);
	}
	/* Mounts of the test itself stay in a namespace of its own. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	strcpy(dir, "/var/tmp/osh-mounts-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) || seccomp_compile(&box_filters, &e))
		return -1;
	umask(0);
	make_dir("rw", 0755, 0);
	make_dir("ro", 0755, 0);
	make_dir("ro/in", 0755, 0);
	close(open(at("ro/file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	return symlink("ro", at("link"));
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	seccomp_set_done(&box_filters);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volumes),		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_home),		cmocka_unit_test(test_home_for_reading),
		cmocka_unit_test(test_planted_in_home), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_swapped),		cmocka_unit_test(test_deny),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
