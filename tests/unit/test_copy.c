/* SPDX-License-Identifier: Apache-2.0 */
/* Names of paths that somebody typed, ports as they are written, and bytes between two sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/oshctl/copy.h"
#include "../../userspace/oshctl/forward_listen.h"
#include "../../userspace/oshctl/forward_pipe.h"
#include "own.h"

#include <cmocka.h>

static void test_last(void **state)
{
	static const struct {
		const char *path, *name;	/* NULL = none */
	} cases[] = {
		{ "a", "a" },	  { "/a/b", "b" }, { "a/b/", "b" }, { "a//", "a" },   { "/", "" },
		{ "", "" },	  { "a/.", "" },   { ".", "" },	    { "a/..", NULL }, { "..", NULL },
		{ "../", NULL },  { "a/..b", "..b" }, { "...", "..." },
	};
	char name[32], small[3];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(!copy_last(cases[i].path, name, sizeof(name)), !!cases[i].name);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
	}
	assert_int_equal(copy_last("/x/abc", small, sizeof(small)), -ENAMETOOLONG);
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *at;	/* NULL = refused */
		int inside;
	} cases[] = {
		{ "0:80", "127.0.0.1:", 80 },	      { "127.0.0.1:0:65535", "127.0.0.1:", 65535 },
		{ "localhost:0:1", "127.0.0.1:", 1 }, { "[::1]:0:443", "[::1]:", 443 },
		{ "80", NULL, 0 },    { "", NULL, 0 },	      { ":", NULL, 0 },	    { "0:", NULL, 0 },
		{ ":80", NULL, 0 },   { "0:0", NULL, 0 },     { "0:65536", NULL, 0 }, { "65536:1", NULL, 0 },
		{ "-1:80", NULL, 0 }, { "0:+80", NULL, 0 },   { "0: 80", NULL, 0 },   { "0x1:80", NULL, 0 },
		{ "0.0.0.0:0:80", NULL, 0 }, { "*:0:80", NULL, 0 }, { "::1:0:80", NULL, 0 }, { "[::]:0:80", NULL, 0 },
		{ "127.0.0.2:0:80", NULL, 0 }, { "0000080:80", NULL, 0 }, { "0:80:90", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct forward_port p = { .fd = -1 };
		struct err e = { 0 };
		int r = forward_listen(cases[i].text, &p, &e);

		if (!r != !!cases[i].at)
			print_error("'%s': %d %s\n", cases[i].text, r, e.text);
		assert_int_equal(!r, !!cases[i].at);
		if (r < 0)
			continue;
		assert_int_equal(p.inside, cases[i].inside);
		assert_int_equal(strncmp(p.name, cases[i].at, strlen(cases[i].at)), 0);
		close(p.fd);
	}
}

/* More than any buffer on the way holds: what waits is kept, in order, and the end comes after it. */
static void test_pipe(void **state)
{
	enum { N = 4 << 20 };
	char *out = malloc(N), *in = calloc(1, N);
	struct pipe_pair *p = calloc(1, sizeof(*p));
	size_t sent = 0, got = 0;
	int a[2], b[2], r = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b), 0);
	p->fd[0] = a[1];
	p->fd[1] = b[0];
	for (size_t i = 0; i < N; i++)
		out[i] = (char)(i * 2654435761u >> 24);
	assert_int_equal(pipe_wants(p, 0), EPOLLIN);
	for (int i = 0; i < 1000000 && got < N; i++) {
		ssize_t n = sent < N ? send(a[0], out + sent, N - sent, 0) : 0;

		sent += n > 0 ? (size_t)n : 0;
		if (sent == N && n > 0)
			shutdown(a[0], SHUT_WR);
		assert_true(pipe_move(p) >= 0);
		n = i % 7 ? -1 : recv(b[1], in + got, N - got, 0);	/* a slow reader */
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, N);
	assert_memory_equal(in, out, N);
	for (int i = 0; i < 10; i++)
		r = pipe_move(p);
	assert_int_equal(r, 0);			/* the other half is open still */
	assert_int_equal(recv(b[1], in, 1, 0), 0);
	assert_int_equal(send(b[1], "x", 1, 0) + shutdown(b[1], SHUT_WR), 1);
	for (int i = 0; i < 10 && r == 0; i++)
		r = pipe_move(p);
	assert_int_equal(r, 1);
	assert_int_equal(recv(a[0], in, 2, 0), 1);
	assert_int_equal(recv(a[0], in, 2, 0), 0);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	free(p);
	free(in);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last), cmocka_unit_test(test_ports), cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
