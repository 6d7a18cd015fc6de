/* SPDX-License-Identifier: Apache-2.0 */
/* The strict reader: what it refuses (the smuggling corpus), what it reads, and that pieces change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/h1.h"
#include "own.h"
#include "vectors.h"

/* One request, as a client side would read it: 200 = good, else the answer. Whole, or byte by byte. */
static int read_one(struct slice all, bool bytewise, struct head *h, struct buf *body, const char **why)
{
	struct h1_message m;
	struct h1_body b;
	struct head trailers = { 0 };
	size_t have = bytewise ? 0 : all.n, used = 0;
	bool head = true, done = false;
	int status = 0;

	for (;;) {
		struct slice in = { all.p + used, have - used }, data;
		ssize_t n;

		if (head)
			n = h1_read_request(in, h, &m, why, &status);
		else
			n = h1_body_read(&b, in, &data, &done, why);
		if (n < 0) {
			head_done(&trailers);
			return head ? status : 400;
		}
		if (!head)
			buf_put(body, data.p, data.n);
		else if (n)
			h1_body_start(&b, &m, &trailers);
		head &= !n;
		used += (size_t)n;
		if (done || (!n && have == all.n)) {
			head_done(&trailers);
			return done ? 200 : 0;
		}
		/* Long inputs take larger steps: reading a head again for each byte is quadratic. */
		if (!n && bytewise)
			have += all.n > 4000 && have < all.n - 997 ? 997 : 1;
	}
}

static void the_corpus_is_refused(void **state)
{
	FILE *f = fopen("tests/redteam/smuggling/vectors.txt", "re");
	struct vector v;
	int n = 0;

	(void)state;
	assert_non_null(f);
	for (; vector_next(f, &v); n++) {
		struct head h = { 0 };
		struct buf body = { 0 };
		const char *why = NULL, *why_bytes = NULL;
		struct slice all = { v.bytes.p, v.bytes.n };
		int whole = read_one(all, false, &h, &body, &why);
		int bytes = read_one(all, true, &h, &body, &why_bytes);

		if (whole != v.status || bytes != v.status || !why || why != why_bytes)
			fail_msg("%s: %d (%s) whole, %d (%s) in bytes; want %d", v.name, whole,
				 why ? why : "", bytes, why_bytes ? why_bytes : "", v.status);
		buf_done(&body);
		buf_done(&v.bytes);
		head_done(&h);
	}
	fclose(f);
	assert_true(n >= 250);
}

#define HOST "Host: a.example\r\n"

static const struct {
	const char *in;
	const char *line;		/* method scheme authority target */
	const char *fields;		/* name=value; … */
	enum h1_framing framing;
	bool keep;
	const char *body;
} good[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", "GET  a.example /", "", H1_NONE, true, "" },
	{ "GET / HTTP/1.0\r\n\r\n", "GET   /", "", H1_NONE, false, "" },
	{ "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", "GET  a.example /", "", H1_NONE, false, "" },
	{ "get /a?b=c HTTP/1.1\r\nhost:A.EXAMPLE:8080\r\n\r\n", "get  a.example:8080 /a?b=c", "", H1_NONE, true, "" },
	{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET  [::1]:80 /", "", H1_NONE, true, "" },
	{ "GET / HTTP/1.1\r\nHost:\t 127.0.0.1 \t\r\n\r\n", "GET  127.0.0.1 /", "", H1_NONE, true, "" },
	{ "GET http://a.example/x?y HTTP/1.1\r\n" HOST "\r\n", "GET http a.example /x?y", "", H1_NONE, true, "" },
	{ "GET HTTPS://A.example/ HTTP/1.1\r\n" HOST "\r\n", "GET https a.example /", "", H1_NONE, true, "" },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n", "GET  a.example /", "", H1_NONE, false, "" },
	{ "GET / HTTP/1.1\r\n" HOST "X-A:\r\nX-B: \xc3\xa9 b\tc \r\nCookie: a\r\nCookie: b\r\n\r\n",
	  "GET  a.example /", "x-a=; x-b=\xc3\xa9 b\tc; cookie=a; cookie=b; ", H1_NONE, true, "" },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: X-One, keep-alive, ,TE\r\nX-One: 1\r\nx-ONE: 2\r\nX-Two: 3\r\n"
	  "Keep-Alive: timeout=5\r\nTE: gzip, trailers\r\nProxy-Foo: x\r\nProxy-Authorization: y\r\nTrailer: z\r\n\r\n",
	  "GET  a.example /", "x-two=3; te=trailers; ", H1_NONE, true, "" },
	{ "POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\nhelloGET", "POST  a.example /p",
	  "content-length=5; expect=100-continue; ", H1_LENGTH, true, "hello" },
	{ "POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST  a.example /p", "content-length=0; ",
	  H1_LENGTH, true, "" },
	{ "POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;ext=\"v\"\r\nhello\r\n0000000001\r\n!\r\n0\r\n"
	  "X-Sum: 1\r\n\r\nGET", "POST  a.example /p", "", H1_CHUNKED, true, "hello!" },
	{ "POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST  a.example /p", "",
	  H1_CHUNKED, true, "" },
	{ "GET /chat HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
	  "GET  a.example /chat", "sec-websocket-version=13; upgrade=websocket; ", H1_NONE, true, "" },
	{ "OPTIONS /x HTTP/1.1\r\n" HOST "\r\n", "OPTIONS  a.example /x", "", H1_NONE, true, "" },
};

static void head_text_of(const struct head *h, char *line, char *fields)
{
	sprintf(line, "%s %s %s %s", head_str(h, h->method), head_str(h, h->scheme),
		head_str(h, h->authority), head_str(h, h->target));
	*fields = 0;
	for (uint32_t i = 0; i < h->n_fields; i++)
		fields += sprintf(fields, "%s=%s; ", h->text + h->fields[i].name,
				  h->text + h->fields[i].value);
}

static void good_requests_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			struct head h = { 0 };
			struct h1_message m;
			struct buf body = { 0 };
			const char *why = NULL;
			char line[1000], fields[1000];
			int status;

			assert_true(h1_read_request(slice_of(good[i].in), &h, &m, &why, &status) > 0);
			assert_int_equal(m.framing, good[i].framing);
			assert_int_equal(m.keep_alive, good[i].keep);
			assert_int_equal(m.upgrade, strstr(good[i].fields, "upgrade") != NULL);
			assert_int_equal(m.expect_continue, strstr(good[i].fields, "expect") != NULL);
			assert_int_equal(read_one(slice_of(good[i].in), bytewise, &h, &body, &why), 200);
			head_text_of(&h, line, fields);
			assert_string_equal(line, good[i].line);
			assert_string_equal(fields, good[i].fields);
			buf_put(&body, "", 1);
			assert_string_equal(body.p, good[i].body);
			buf_done(&body);
			head_done(&h);
		}
	}
}

static const struct {
	const char *in, *method;
	int status;			/* 0 = refused */
	enum h1_framing framing;
	bool keep;
	const char *fields;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, H1_LENGTH, true, "content-length=5; " },
	{ "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", "GET", 200, H1_LENGTH, true, "content-length=5; " },
	{ "HTTP/1.1 200 \r\nTransfer-Encoding: Chunked\r\n\r\n", "GET", 200, H1_CHUNKED, true, "" },
	{ "HTTP/1.1 200 OK\r\n\r\n", "GET", 200, H1_UNTIL_CLOSE, false, "" },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", "GET", 200, H1_LENGTH, false,
	  "content-length=5; " },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", "GET", 200, H1_LENGTH, false,
	  "content-length=5; " },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, H1_NONE, true, "content-length=5; " },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", 200, H1_NONE, true, "" },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", 304, H1_NONE, true, "content-length=5; " },
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET", 204, H1_NONE, true, "" },
	{ "HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, H1_NONE, true, "" },
	{ "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "GET", 101, H1_NONE,
	  false, "upgrade=websocket; " },
	{ "HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", "GET", 200, H1_LENGTH,
	  true, "content-length=0; " },
	{ "HTTP/1.1 599 x\r\nContent-Length: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n", "GET", 599, H1_LENGTH, true,
	  "content-length=0; set-cookie=a; set-cookie=b; " },
	{ .in = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ .in = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n" },
	{ .in = "HTTP/1.1 200 O\x01K\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n" },
	{ .in = "HTTP/1.1 200 OK\r\nX : a\r\n\r\n" },
	{ .in = "HTTP/1.1 099 x\r\n\r\n" },
	{ .in = "HTTP/1.1 600 x\r\n\r\n" },
	{ .in = "HTTP/1.1 20 x\r\n\r\n" },
	{ .in = "HTTP/1.1 2000 x\r\n\r\n" },
	{ .in = "HTTP/1.1  200 x\r\n\r\n" },
	{ .in = "HTTP/1.1 200\tx\r\n\r\n" },
	{ .in = "HTTP/1.1 +20 x\r\n\r\n" },
	{ .in = "HTTP/2.0 200 x\r\n\r\n" },
	{ .in = "http/1.1 200 x\r\n\r\n" },
	{ .in = "ICY 200 OK\r\n\r\n" },
	{ .in = "\r\nHTTP/1.1 200 OK\r\n\r\n" },
	{ .in = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n" },
	{ .in = "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ .in = "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" },
	{ .in = "HTTP/1.1 101 Switching Protocols\r\n\r\n" },
	{ .in = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" },
	{ .in = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" },
};

static void answers_are_read_as_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct head h = { 0 };
		struct h1_message m;
		const char *why = NULL, *method = answers[i].method ? answers[i].method : "GET";
		char line[1000], fields[1000];
		ssize_t whole = h1_read_response(slice_of(answers[i].in), method, &h, &m, &why), n = 0;

		for (size_t k = 0; k <= strlen(answers[i].in) && !n; k++)
			n = h1_read_response((struct slice){ answers[i].in, k }, method, &h, &m, &why);
		assert_int_equal(n, whole);
		if ((whole > 0) != (answers[i].status > 0) || (whole < 0 && !why))
			fail_msg("%s", answers[i].in);
		if (whole > 0) {
			head_text_of(&h, line, fields);
			assert_int_equal(h.status, answers[i].status);
			assert_int_equal(m.framing, answers[i].framing);
			assert_int_equal(m.keep_alive, answers[i].keep);
			assert_string_equal(fields, answers[i].fields);
		}
		head_done(&h);
	}
}

static void the_end_of_a_head_is_found_in_pieces(void **state)
{
	static const struct {
		const char *in;
		ssize_t want;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nA: b\r\n\r\nrest", 24 }, { "GET / HTTP/1.1\r\nA: b\r\n\r", 0 },
		{ "a\nb\r\n\r\n", -1 }, { "\r\n", 2 }, { "\n", -1 }, { "", 0 }, { "a\r\n\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t seen = 0;
		ssize_t n = 0;

		for (size_t k = 0; k <= strlen(cases[i].in) && !n; k++)
			n = h1_head_end((struct slice){ cases[i].in, k }, &seen);
		assert_int_equal(n, cases[i].want);
		seen = 0;
		assert_int_equal(h1_head_end(slice_of(cases[i].in), &seen), cases[i].want);
	}
}

static void heads_are_edited(void **state)
{
	struct head h = { 0 };
	char big[HEAD_BYTES];

	(void)state;
	assert_true(head_add(&h, SLICE("X-Key"), SLICE("  a b\t")));
	assert_true(head_add(&h, SLICE("other"), SLICE("")));
	assert_true(head_add(&h, SLICE("x-key"), SLICE("c")));
	assert_string_equal(h.text + h.fields[0].name, "x-key");
	assert_string_equal(h.text + head_find(&h, "x-key", 0)->value, "a b");
	assert_string_equal(h.text + head_find(&h, "x-key", 1)->value, "c");
	assert_null(head_find(&h, "x-key", 2));
	assert_true(head_set(&h, "x-key", SLICE("d")));
	assert_int_equal(h.n_fields, 2);
	assert_false(head_add(&h, SLICE("x"), SLICE("a\r\nb: c")));
	assert_false(head_add(&h, SLICE("x"), SLICE("a\0b")));
	assert_false(head_add(&h, SLICE("x y"), SLICE("a")));
	assert_false(head_add(&h, SLICE(""), SLICE("a")));
	assert_int_equal(h.n_fields, 2);
	memset(big, 'x', sizeof(big));
	assert_true(head_add(&h, SLICE("x"), (struct slice){ big, sizeof(big) - 100 }));
	assert_false(h.too_big);
	assert_false(head_add(&h, SLICE("x"), (struct slice){ big, sizeof(big) - 100 }));
	assert_true(h.too_big);
	head_reset(&h);
	assert_int_equal(h.cap_text, 0);
	assert_true(head_add(&h, SLICE("x"), SLICE("y")));
	head_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_corpus_is_refused),
		cmocka_unit_test(good_requests_are_read),
		cmocka_unit_test(answers_are_read_as_strictly),
		cmocka_unit_test(the_end_of_a_head_is_found_in_pieces),
		cmocka_unit_test(heads_are_edited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
