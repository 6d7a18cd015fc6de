/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are reported when a sandbox starts: those that an entry denies and that have another name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/launch/twins.h"
#include "chan.h"
#include "own.h"

#include <cmocka.h>			/* last: it defines a macro called fail */

static char top[] = "/tmp/osh-twins-XXXXXX";

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

/* Entries of a bundle as the compiler gives them. */
static struct bundle bundle_of(const char *const *entries, size_t n)
{
	static char strings[1024];
	static struct osh_b_fs fs[8];
	uint32_t at = 1;

	for (size_t i = 0; i < n; i++) {
		strcpy(strings + at, entries[i]);
		fs[i] = (struct osh_b_fs){ .path = at, .mode = OSH_FS_DENY };
		at += (uint32_t)strlen(entries[i]) + 1;
	}
	return (struct bundle){ .strings = strings, .n_strings = at, .fs = fs, .n_fs = (uint32_t)n };
}

struct seen {
	unsigned files, twins;
	char names[64][64];		/* links of what was reported, and the row */
};

static void search(const char *const *entries, size_t n, struct seen *ret)
{
	struct bundle b = bundle_of(entries, n);
	struct twins *x = calloc(1, sizeof(*x));
	struct osh_msg_tree t = { .id = 1 };
	struct err e = { 0 };
	int sv[2], status;
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	strcpy(t.workdir, top);
	strcpy(t.path, top);
	x->channel = sv[0];
	assert_int_equal(deny_segs_of(&x->segs, &b, &e), 0);
	pid = fork();			/* it waits for whoever reads */
	if (!pid)
		_exit(twins_below(x, &t, top, &e) ? 1 : 0);
	close(sv[0]);
	for (struct chan_in in; chan_recv(sv[1], &in) > 0; chan_in_done(&in)) {
		const struct osh_msg_tree *m = chan_is(&in, OSH_MSG_TREE, sizeof(*m), 1);
		char link[64], path[256] = "";

		assert_non_null(m);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", in.fds[0]);
		assert_true(readlink(link, path, sizeof(path) - 1) > 0);
		assert_string_equal(m->path, top);
		if (m->kind == OSH_TREE_TWINS)
			ret->twins++;
		else
			snprintf(ret->names[ret->files++ % 64], 64, "%u %s", m->row, path + strlen(top) + 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(sv[1]);
	free(x);
}

static bool has(const struct seen *s, const char *what)
{
	for (unsigned i = 0; i < s->files; i++)
		if (!strcmp(s->names[i], what))
			return true;
	return false;
}

static void denied_files_with_two_names_are_found(void **state)
{
	static const char *const entries[] = { "**/*.key", "d/**", "plain" };
	struct seen s;

	(void)state;
	search(entries, 3, &s);
	assert_int_equal(s.twins, 0);
	assert_true(has(&s, "0 a/b/two.key"));
	assert_true(has(&s, "1 d/in/f"));
	assert_int_equal(s.files, 2);	/* one.key has one name, linked.key is a symbolic link, other is not denied */
	search(entries + 2, 1, &s);
	assert_int_equal(s.files, 0);
}

static void nothing_is_looked_through_where_no_entry_leads(void **state)
{
	static const char *const entries[] = { "a/b/*.key" };
	struct seen s;

	(void)state;
	search(entries, 1, &s);
	assert_int_equal(s.files, 1);
	assert_true(has(&s, "0 a/b/two.key"));
}

static void too_many_are_said_once(void **state)
{
	static const char *const entries[] = { "many/*" };
	struct seen s;

	(void)state;
	assert_int_equal(mkdir("many", 0755), 0);
	put("many/0");
	for (int i = 1; i < OSH_DENY_TWINS + 9; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many/%d", i);
		assert_int_equal(link("many/0", name), 0);
	}
	search(entries, 1, &s);
	assert_int_equal(s.files, OSH_DENY_TWINS);
	assert_int_equal(s.twins, 1);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(top) || chdir(top))
		return -1;
	(void)mkdir("a", 0755);
	(void)mkdir("a/b", 0755);
	(void)mkdir("d", 0755);
	(void)mkdir("d/in", 0755);
	put("a/b/one.key");
	put("a/b/two.key");
	put("d/in/f");
	put("other");
	put("plain");
	return link("a/b/two.key", "second") || link("d/in/f", "third") || link("other", "a/fourth") || symlink("one.key", "a/b/linked.key");
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	return chdir("/") || system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_files_with_two_names_are_found),
		cmocka_unit_test(nothing_is_looked_through_where_no_entry_leads),
		cmocka_unit_test(too_many_are_said_once),
	};

	return cmocka_run_group_tests_name("twins", tests, setup, teardown);
}
