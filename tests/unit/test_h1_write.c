/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer writes, the reader reads back: random heads and bodies; and how messages are framed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "http/chars.h"
#include "http/h1.h"
#include "own.h"

static void random_text(char *to, size_t n, uint8_t class)
{
	for (size_t i = 0; i < n; i++) {
		do
			to[i] = (char)random();
		while (!(http_chars[(uint8_t)to[i]] & class));
	}
}

/* Names that mean nothing to HTTP itself; values without white space at their ends. */
static void random_fields(struct head *h)
{
	for (int i = (int)(random() % 20); i; i--) {
		char name[20] = "x-", value[200];
		size_t n = (size_t)random() % sizeof(value);

		random_text(name + 2, sizeof(name) - 2, CH_TOKEN);
		random_text(value, n, CH_VALUE);
		assert_true(head_add(h, (struct slice){ name, sizeof(name) }, (struct slice){ value, n }));
	}
}

static void random_request(struct head *h)
{
	char text[300] = "/";
	size_t n = (size_t)random() % 280;

	head_reset(h);
	random_text(text + 1, n, CH_TARGET);
	h->target = head_text(h, (struct slice){ text, n + 1 });
	random_text(text, 9, CH_TOKEN);
	h->method = head_text(h, (struct slice){ text, 9 });
	h->authority = head_text(h, SLICE("a.example:8443"));
	h->version = 11;
	random_fields(h);
}

static void same_fields(const struct head *a, const struct head *b)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < b->n_fields; i++) {
		struct slice name = head_name(b, &b->fields[i]);

		if (slice_is(name, "content-length"))
			continue;
		assert_true(k < a->n_fields);
		assert_string_equal(name.p, head_name(a, &a->fields[k]).p);
		assert_int_equal(b->fields[i].value_len, a->fields[k].value_len);
		assert_memory_equal(b->text + b->fields[i].value, a->text + a->fields[k].value,
				    a->fields[k].value_len);
		k++;
	}
	assert_int_equal(k, a->n_fields);
}

static void requests_survive_a_round_trip(void **state)
{
	struct head h = { 0 }, back = { 0 };

	(void)state;
	srandom(1);
	for (int i = 0; i < 3000; i++) {
		struct h1_message m = { .keep_alive = random() & 1,
					.framing = (enum h1_framing)(random() % 3) }, got;
		struct buf out = { 0 };
		const char *why = NULL;
		int status;

		random_request(&h);
		if (m.framing == H1_LENGTH)
			m.length = (uint64_t)random() << (random() % 28);
		h1_write_request(&out, &h, &m);
		assert_true(buf_ok(&out));
		if (h1_read_request((struct slice){ out.p, out.n }, &back, &got, &why, &status) != (ssize_t)out.n)
			fail_msg("%s: %.*s", why, (int)out.n, out.p);
		assert_string_equal(head_str(&back, back.method), head_str(&h, h.method));
		assert_string_equal(head_str(&back, back.target), head_str(&h, h.target));
		assert_string_equal(head_str(&back, back.authority), head_str(&h, h.authority));
		assert_int_equal(got.framing, m.framing);
		assert_int_equal(got.length, m.length);
		assert_int_equal(got.keep_alive, m.keep_alive);
		same_fields(&h, &back);
		buf_done(&out);
	}
	head_done(&h);
	head_done(&back);
}

static void answers_survive_a_round_trip(void **state)
{
	struct head h = { 0 }, back = { 0 };

	(void)state;
	srandom(2);
	for (int i = 0; i < 3000; i++) {
		struct h1_message m = { .keep_alive = random() & 1,
					.framing = random() & 1 ? H1_LENGTH : H1_CHUNKED }, got;
		struct buf out = { 0 };
		const char *why = NULL;

		head_reset(&h);
		h.status = (uint16_t)(305 + random() % 295);
		random_fields(&h);
		if (m.framing == H1_LENGTH)
			m.length = (uint64_t)random();
		h1_write_response(&out, &h, &m);
		if (h1_read_response((struct slice){ out.p, out.n }, "GET", &back, &got, &why) != (ssize_t)out.n)
			fail_msg("%s: %.*s", why, (int)out.n, out.p);
		assert_int_equal(back.status, h.status);
		assert_int_equal(got.framing, m.framing);
		assert_int_equal(got.length, m.length);
		assert_int_equal(got.keep_alive, m.keep_alive);
		same_fields(&h, &back);
		buf_done(&out);
	}
	head_done(&h);
	head_done(&back);
}

static void chunks_survive_a_round_trip(void **state)
{
	static char data[70000], got[sizeof(data)];
	struct head trailers = { 0 }, back = { 0 };

	(void)state;
	srandom(3);
	random_text(data, sizeof(data), 0xff);
	for (int i = 0; i < 300; i++) {
		struct h1_message m = { .framing = H1_CHUNKED };
		struct h1_body b;
		struct buf out = { 0 };
		size_t n = 0, at = 0, have = 0, read = 0;
		const char *why = NULL;
		bool done = false;

		while (n < sizeof(data) - 9000 && random() % 10) {
			size_t one = (size_t)random() % 9000 + 1;

			h1_write_chunk_start(&out, one);
			buf_put(&out, data + n, one);
			buf_put(&out, "\r\n", 2);
			n += one;
		}
		head_reset(&trailers);
		random_fields(&trailers);
		h1_write_last_chunk(&out, random() & 1 ? &trailers : (head_reset(&trailers), NULL));
		h1_body_start(&b, &m, &back);
		while (!done) {
			struct slice piece;
			ssize_t used = h1_body_read(&b, (struct slice){ out.p + at, have - at }, &piece, &done, &why);

			if (used < 0)
				fail_msg("%s", why);
			memcpy(got + read, piece.p, piece.n);
			read += piece.n;
			at += (size_t)used;
			if (!used && !done) {
				assert_true(have < out.n);
				have += (size_t)random() % (out.n - have) + 1;
			}
		}
		assert_int_equal(at, out.n);
		assert_int_equal(read, n);
		assert_memory_equal(got, data, n);
		same_fields(&trailers, &back);
		buf_done(&out);
	}
	head_done(&trailers);
	head_done(&back);
}

static void lengths_end_where_they_say(void **state)
{
	struct h1_message m = { .framing = H1_LENGTH, .length = 5 };
	struct h1_body b;
	struct slice data;
	const char *why;
	bool done;

	(void)state;
	h1_body_start(&b, &m, NULL);
	assert_int_equal(h1_body_read(&b, SLICE("hel"), &data, &done, &why), 3);
	assert_false(done);
	assert_int_equal(h1_body_read(&b, SLICE("loGET"), &data, &done, &why), 2);
	assert_int_equal(data.n, 2);
	assert_true(done);
	assert_int_equal(h1_body_read(&b, SLICE("GET"), &data, &done, &why), 0);
	assert_true(done);
	m = (struct h1_message){ .framing = H1_NONE };
	h1_body_start(&b, &m, NULL);
	assert_int_equal(h1_body_read(&b, SLICE("GET"), &data, &done, &why), 0);
	assert_true(done);
}

static const struct {
	unsigned status, version;
	const char *method, *length;
	bool end;
	const char *want;
} framed[] = {
	{ 200, 11, "GET", "5", false, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" },
	{ 200, 11, "GET", NULL, false, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" },
	{ 200, 11, "GET", NULL, true, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" },
	{ 200, 10, "GET", "5", false, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n" },
	{ 200, 10, "GET", NULL, false, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" },
	{ 200, 11, "HEAD", "5", true, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" },
	{ 200, 11, "HEAD", NULL, true, "HTTP/1.1 200 OK\r\n\r\n" },
	{ 304, 11, "GET", "5", true, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n" },
	{ 204, 11, "GET", NULL, true, "HTTP/1.1 204 No Content\r\n\r\n" },
	{ 204, 11, "GET", "0", true, "HTTP/1.1 204 No Content\r\n\r\n" },
	{ 103, 11, "GET", NULL, false, "HTTP/1.1 103 Early Hints\r\n\r\n" },
	{ 101, 11, "GET", NULL, false, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n" },
	{ 200, 11, "GET", "5", true, NULL },
	{ 200, 11, "GET", "05", false, NULL },
	{ 200, 11, "GET", "x", false, NULL },
	{ 299, 11, "GET", "0", true, "HTTP/1.1 299 Other\r\ncontent-length: 0\r\n\r\n" },
};

static void answers_are_framed_for_their_client(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(framed); i++) {
		struct head h = { .status = (uint16_t)framed[i].status };
		struct h1_message m;
		struct buf out = { 0 };
		bool ok;

		if (framed[i].length)
			assert_true(head_add(&h, SLICE("content-length"), slice_of(framed[i].length)));
		ok = h1_frame_response(&h, framed[i].end, framed[i].method, framed[i].version, &m);
		assert_int_equal(ok, framed[i].want != NULL);
		if (ok) {
			h1_write_response(&out, &h, &m);
			buf_put(&out, "", 1);
			assert_string_equal(out.p, framed[i].want);
		}
		buf_done(&out);
		head_done(&h);
	}
}

static void requests_are_framed(void **state)
{
	struct head h = { 0 };
	struct h1_message m;

	(void)state;
	assert_true(h1_frame_request(&h, true, &m));
	assert_int_equal(m.framing, H1_NONE);
	assert_true(h1_frame_request(&h, false, &m));
	assert_int_equal(m.framing, H1_CHUNKED);
	assert_true(head_add(&h, SLICE("content-length"), SLICE("7")));
	assert_true(h1_frame_request(&h, false, &m));
	assert_int_equal(m.framing, H1_LENGTH);
	assert_int_equal(m.length, 7);
	assert_false(h1_frame_request(&h, true, &m));
	assert_true(head_add(&h, SLICE("content-length"), SLICE("7")));
	assert_false(h1_frame_request(&h, false, &m));
	head_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_survive_a_round_trip),
		cmocka_unit_test(answers_survive_a_round_trip),
		cmocka_unit_test(chunks_survive_a_round_trip),
		cmocka_unit_test(lengths_end_where_they_say),
		cmocka_unit_test(answers_are_framed_for_their_client),
		cmocka_unit_test(requests_are_framed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
