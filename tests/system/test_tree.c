/* SPDX-License-Identifier: Apache-2.0 */
/* Directories that a sandbox filled as it liked are removed, and nothing but them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../userspace/oshd/tree.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define OWNER 1900009999u		/* of the range that osh gives out: nobody's */

struct fixture {
	struct daemon d;
	char dir[64];
	int fd, tree;			/* DIR, DIR/tree */
	int results, last;
	int before;			/* results when another user's went */
};

static int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = { 0 };

	strcpy(f->dir, "/tmp/osh-tree-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_make(f->fd, "tree", OWNER, OWNER, &f->tree, &e), 0);
	assert_true(sd_event_new(&f->d.event) >= 0);
	*data = f;
	return 0;
}

static int teardown(void **data)
{
	struct fixture *f = *data;

	tree_close(&f->d);
	sd_event_unref(f->d.event);
	assert_int_equal(tree_empty(f->fd), 0);
	assert_int_equal(rmdir(f->dir), 0);
	close(f->tree);
	close(f->fd);
	free(f);
	return 0;
}

static void on_done(void *data, int result)
{
	struct fixture *f = data;

	f->results++;
	f->last = result;
}

static void remove_it(struct fixture *f)
{
	struct err e = { 0 };

	assert_int_equal(tree_remove(&f->d, f->fd, "tree", on_done, f, &e), 0);
	for (int before = f->results; f->results == before;)
		assert_true(sd_event_run(f->d.event, UINT64_MAX) >= 0);
}

static bool there(const struct fixture *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void file(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int dir_in(int dir, const char *name)
{
	assert_int_equal(mkdirat(dir, name, 0700), 0);
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What follows is made by the sandbox' identity. */
static void as_owner(uid_t uid)
{
	assert_int_equal(setegid(uid), 0);
	assert_int_equal(seteuid(uid), 0);
}

static void as_root(void)
{
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
}

static void hostile_names(void **data)
{
	static const char *const names[] = { "-rf", "*", "..a", ". ", "a\nb", "\xff\xfe", ".osh-0", ".osh-1", "x\\", " " };
	struct fixture *f = *data;
	char longest[256];

	as_owner(OWNER);
	memset(longest, 'n', 255);
	longest[255] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_close_ int in = dir_in(f->tree, names[i]);

		file(in, names[i]);
	}
	file(f->tree, longest);
	as_root();
	remove_it(f);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
}

static void links_lead_nowhere(void **data)
{
	struct fixture *f = *data;
	_close_ int out = dir_in(f->fd, "outside");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char to[128];
	struct stat st;
	int s;

	assert_int_equal(fchmodat(f->fd, "outside", 0777, 0), 0);
	as_owner(OWNER);
	file(out, "precious");
	snprintf(to, sizeof(to), "%s/outside", f->dir);
	assert_int_equal(symlinkat(to, f->tree, "link"), 0);
	assert_int_equal(symlinkat("../outside/precious", f->tree, "link2"), 0);
	assert_int_equal(symlinkat("/", f->tree, "root"), 0);
	assert_int_equal(linkat(out, "precious", f->tree, "hard", 0), 0);
	assert_int_equal(mkfifoat(f->tree, "fifo", 0600), 0);
	as_root();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/tree/socket", f->dir);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	close(s);
	remove_it(f);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
	assert_int_equal(fstatat(f->fd, "outside/precious", &st, 0), 0);
	assert_int_equal(st.st_nlink, 1);
}

static void no_rights_to_its_own(void **data)
{
	struct fixture *f = *data;
	_close_ int a = -1, b = -1;

	as_owner(OWNER);
	a = dir_in(f->tree, "a");
	b = dir_in(a, "b");
	file(b, "c");
	assert_int_equal(fchmod(b, 0500), 0);
	assert_int_equal(fchmod(a, 0), 0);
	assert_int_equal(fchmod(f->tree, 0), 0);
	as_root();
	remove_it(f);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
}

static void deeper_than_paths_and_descriptors(void **data)
{
	struct fixture *f = *data;
	struct rlimit was, few;
	int at = dup(f->tree);

	as_owner(OWNER);
	for (int i = 0; i < 4000; i++) {
		int next;

		if (i % 7 == 0)
			file(at, "f");
		next = dir_in(at, i % 3 ? "d" : ".osh-2");
		assert_true(next >= 0);
		if (i % 500 == 499)
			assert_int_equal(fchmod(at, 0500), 0);
		close(at);
		at = next;
	}
	close(at);
	as_root();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){ 160, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	remove_it(f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
}

static void wide(void **data)
{
	struct fixture *f = *data;

	as_owner(OWNER);
	for (int i = 0; i < 3000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		if (i % 10)
			file(f->tree, name);
		else
			close(dir_in(f->tree, name));
	}
	as_root();
	remove_it(f);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
}

/* The child that owns only the tree cannot remove it; the next one can. */
static void what_is_not_its_owners_goes_too(void **data)
{
	struct fixture *f = *data;
	_close_ int a = dir_in(f->tree, "roots");

	file(a, "x");
	remove_it(f);
	assert_int_equal(f->last, 0);
	assert_false(there(f, "tree"));
}

static void a_link_in_its_place_is_not_followed(void **data)
{
	struct fixture *f = *data;
	_close_ int out = dir_in(f->fd, "outside");

	file(out, "x");
	assert_int_equal(fchownat(f->fd, "outside", 0, 0, 0), 0);
	assert_int_equal(symlinkat("outside", f->fd, "link"), 0);
	assert_int_equal(tree_remove(&f->d, f->fd, "link", on_done, f, NULL), 0);
	while (!f->results)
		assert_true(sd_event_run(f->d.event, UINT64_MAX) >= 0);
	assert_true(f->last < 0);
	assert_int_equal(faccessat(out, "x", F_OK, 0), 0);
}

static void many_at_once(void **data)
{
	struct fixture *f = *data;
	struct err e = { 0 };
	char name[16];
	int fd;

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(tree_make(f->fd, name, OWNER, OWNER, &fd, &e), 0);
		close(fd);
		assert_int_equal(tree_remove(&f->d, f->fd, name, on_done, f, &e), 0);
	}
	assert_int_equal(tree_remove(&f->d, f->fd, "never-there", on_done, f, &e), 0);
	while (f->results < 31)
		assert_true(sd_event_run(f->d.event, UINT64_MAX) >= 0);
	assert_int_equal(f->last, 0);
	assert_null(f->d.removals);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_false(there(f, name));
	}
	assert_int_equal(tree_remove(&f->d, f->fd, "tree", on_done, f, &e), 0);
	tree_close(&f->d);
	assert_int_equal(f->results, 31);
}

static void on_other(void *data, int result)
{
	struct fixture *f = data;

	assert_int_equal(result, 0);
	f->before = f->results;
}

/* One user has more on its way out than there are turns; another's goes at once. */
static void users_do_not_wait_for_each_other(void **data)
{
	struct fixture *f = *data;
	struct err e = { 0 };
	char name[16];
	int fd;

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(tree_make(f->fd, name, OWNER, OWNER, &fd, &e), 0);
		for (int k = 0; k < 5000; k++) {
			snprintf(name, sizeof(name), "f%d", k);
			file(fd, name);
		}
		close(fd);
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(tree_remove(&f->d, f->fd, name, on_done, f, &e), 0);
	}
	assert_int_equal(tree_make(f->fd, "other", OWNER + 1, OWNER + 1, &fd, &e), 0);
	close(fd);
	f->before = -1;
	assert_int_equal(tree_remove(&f->d, f->fd, "other", on_other, f, &e), 0);
	while (f->d.removals)
		assert_true(sd_event_run(f->d.event, UINT64_MAX) >= 0);
	assert_int_equal(f->results, 8);
	assert_in_range(f->before, 0, 4);
	assert_false(there(f, "other"));
}

static void made_once_and_of_its_owner(void **data)
{
	struct fixture *f = *data;
	struct err e = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(fstat(f->tree, &st), 0);
	assert_true(st.st_uid == OWNER && st.st_gid == OWNER && (st.st_mode & 0777) == 0700);
	assert_int_equal(tree_make(f->fd, "tree", OWNER, OWNER, &fd, &e), 0);
	close(fd);
	assert_int_equal(tree_make(f->fd, "tree", OWNER + 1, OWNER + 1, &fd, &e), -EPERM);
	assert_int_equal(mkdirat(f->fd, "half", 0700), 0);	/* killed before it was given away */
	assert_int_equal(tree_make(f->fd, "half", OWNER, OWNER, &fd, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, OWNER);
	close(fd);
	assert_int_equal(symlinkat("tree", f->fd, "link"), 0);
	assert_true(tree_make(f->fd, "link", OWNER, OWNER, &fd, &e) < 0);
	file(f->fd, "plain");
	assert_int_equal(tree_make(f->fd, "plain", OWNER, OWNER, &fd, &e), -ENOTDIR);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(hostile_names), T(links_lead_nowhere), T(no_rights_to_its_own), T(deeper_than_paths_and_descriptors),
		T(wide), T(what_is_not_its_owners_goes_too), T(a_link_in_its_place_is_not_followed), T(many_at_once),
		T(users_do_not_wait_for_each_other),
		T(made_once_and_of_its_owner),
	};

	if (geteuid()) {
		puts("needs root");
		return 77;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
