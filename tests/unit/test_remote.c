/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl -H: which hosts are taken, and that every command line comes out as it went in. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../userspace/oshctl/remote.h"

#include <cmocka.h>

static const struct {
	const char *text, *dest, *port;	/* dest NULL = refused */
} hosts[] = {
	{ "build", "build", "" },
	{ "ann@build.example.org", "ann@build.example.org", "" },
	{ "ann@corp@build", "ann@corp@build", "" },
	{ "build:2222", "build", "2222" },
	{ "ann@build:22", "ann@build", "22" },
	{ "[::1]", "::1", "" },
	{ "ann@[fe80::1%eth0]:2222", "ann@fe80::1%eth0", "2222" },
	{ "2001:db8::1", "2001:db8::1", "" },
	{ "192.0.2.7:22", "192.0.2.7", "22" },
	{ "", NULL, NULL },
	{ "@build", NULL, NULL },
	{ "ann@", NULL, NULL },
	{ "-oProxyCommand=x", NULL, NULL },
	{ "ann@-oProxyCommand=x", NULL, NULL },
	{ "-lann@build", NULL, NULL },
	{ "[-v]:22", NULL, NULL },
	{ "a b", NULL, NULL },
	{ "a;b", NULL, NULL },
	{ "$(id)", NULL, NULL },
	{ "`id`@build", NULL, NULL },
	{ "a'b", NULL, NULL },
	{ "a\nb", NULL, NULL },
	{ "a\x1b[m", NULL, NULL },
	{ "a/b", NULL, NULL },
	{ "build:", NULL, NULL },
	{ "build:0", NULL, NULL },
	{ "build:65536", NULL, NULL },
	{ "build:22x", NULL, NULL },
	{ "build:-1", NULL, NULL },
	{ "[::1]x", NULL, NULL },
	{ "[::1", NULL, NULL },
};

static void test_hosts(void **state)
{
	struct remote_host h;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		int r = remote_host_parse(hosts[i].text, &h, &e);

		if (!hosts[i].dest != (r < 0) || (!r && (strcmp(h.dest, hosts[i].dest) || strcmp(h.port, hosts[i].port))))
			fail_msg("'%s' gives %d '%s' '%s'", hosts[i].text, r, h.dest, h.port);
	}
}

static void there_and_back(int argc, char **argv, int *ret_argc, char ***ret_argv)
{
	struct buf word = { 0 };
	struct err e = { 0 };

	assert_int_equal(remote_pack(argc, argv, &word, &e), 0);
	for (size_t i = 0; i < word.n; i++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", word.p[i]));
	assert_true(word.p[0] != '-');
	buf_put(&word, "", 1);
	assert_int_equal(remote_unpack(word.p, ret_argc, ret_argv, &e), 0);
	assert_int_equal(word.p[0], 0);	/* wiped */
	buf_done(&word);
}

static void done(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	free(argv);
}

/* Any bytes: what shells, ssh and terminals would read something into, and what they would not. */
static void test_words(void **state)
{
	static const char nasty[] = "'\"\\$`!;&|<>(){}[]*?~#%^=\n\r\t \x1b\x7f\x80\xff-";
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[8][40], *argv[8], **back;
		int argc = 1 + rand_r(&seed) % 8, n;

		for (int i = 0; i < argc; i++) {
			int len = rand_r(&seed) % 39;

			for (int k = 0; k < len; k++)
				text[i][k] = rand_r(&seed) % 2 ? nasty[(size_t)rand_r(&seed) % (sizeof(nasty) - 1)]
							       : (char)(1 + rand_r(&seed) % 255);
			text[i][len] = 0;
			argv[i] = text[i];
		}
		there_and_back(argc, argv, &n, &back);
		assert_int_equal(n, argc);
		for (int i = 0; i < argc; i++)
			assert_string_equal(back[i], argv[i]);
		done(n, back);
	}
}

static char policy[] = "/tmp/osh-test-remote-XXXXXX";

static const struct {
	const char *argv[10];
	const char *back[10];
	const char *carried;		/* name of the policy that comes along, NULL = none */
} carries[] = {
	{ { "run", "-p", policy, "--", "ls" }, { "run", "-p", policy, "--", "ls" }, policy },
	{ { "run", "-n", "-p", "-w", "-p", "--", "x", "-p", policy }, { "run", "-n", "-p", "-w", "-p", "--", "x", "-p", policy }, NULL },
	{ { "run", "ls", "-p", policy }, { "run", "ls", "-p", policy }, NULL },
	{ { "run", "-p", "preset:pip", "ls" }, { "run", "-p", "preset:pip", "ls" }, NULL },
	{ { "run", "-p", "remote:/etc/p", "ls" }, { "run", "-p", "/etc/p", "ls" }, NULL },
	{ { "policy", "set", "box", "--policy", policy }, { "policy", "set", "box", "-p", policy }, policy },
	{ { "sandbox", "exec", "-p", policy }, { "sandbox", "exec", "-p", policy }, NULL },
	{ { "policy", "check", policy }, { "policy", "check", policy }, NULL },
};

static void test_policies(void **state)
{
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(carries) / sizeof(*carries); i++) {
		char *argv[10], **back;
		int argc = 0, n, fd;

		for (; carries[i].argv[argc]; argc++)
			argv[argc] = (char *)carries[i].argv[argc];
		there_and_back(argc, argv, &n, &back);
		for (int k = 0; k < n; k++)
			assert_string_equal(back[k], carries[i].back[k]);
		assert_null(carries[i].back[n]);
		fd = carries[i].carried ? remote_policy(carries[i].carried) : -1;
		assert_int_equal(fd >= 0, carries[i].carried != NULL);
		if (fd >= 0) {
			assert_int_equal(read(fd, text, sizeof(text)), 6);
			assert_memory_equal(text, "a: b\0\n", 6);
			close(fd);
		}
		remote_forget();	/* its names are words of the command line */
		done(n, back);
	}
	assert_int_equal(remote_policy("/etc/p"), -1);
}

static void test_refused(void **state)
{
	static const char *const words[] = { "", "!", "Vg", "VjE6MQ", "VjE6MVg1OmFiY2Rl", "VjE6MUE5OTk6eA", "VjE6MkExOng", "VjE6MVAxOng" };
	char *no_file[] = { (char *)"run", (char *)"-p", (char *)"/nonexistent" };
	struct buf word = { 0 };
	struct err e;
	char **argv;
	int argc;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		char *w = strdup(words[i]);

		assert_true(remote_unpack(w, &argc, &argv, &e) < 0);
		free(w);
	}
	assert_int_equal(remote_pack(3, no_file, &word, &e), -ENOENT);
	buf_done(&word);
}

static int setup(void **state)
{
	int fd = mkstemp(policy);

	(void)state;
	return fd < 0 || write(fd, "a: b\0\n", 6) != 6 || close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
