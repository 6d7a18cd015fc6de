/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 peers that break the rules, byte by byte: floods, bombs, frames out of place, games with
 * windows. The connection must end in its bounds, or only the stream, and nothing may be left over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "h2rig.h"

#include <cmocka.h>

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

static struct far {
	int fd;
	struct buf out, in;
	size_t sent, parsed;
	bool eof, deaf;
	unsigned rsts, pings, refused, heads, updates;
	int goaway;			/* code, -1 = none */
} far;

static void put(unsigned type, unsigned flags, uint32_t id, const void *p, size_t n)
{
	uint8_t head[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type, (uint8_t)flags,
			    (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	buf_put(&far.out, head, 9);
	buf_put(&far.out, p, n);
}

static void put32(unsigned type, uint32_t id, uint32_t v)
{
	uint8_t p[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	put(type, 0, id, p, 4);
}

#define GET_BLOCK "\x82\x87\x84\x41\x09" "a.example"	/* GET https / a.example */
#define POST_BLOCK "\x83\x87\x84\x41\x09" "a.example"
#define BYTES(lit) (lit), sizeof(lit) - 1

static void get(uint32_t id)
{
	put(HEADERS, END_HEADERS | END_STREAM, id, BYTES(GET_BLOCK));
}

static void post(uint32_t id)
{
	put(HEADERS, END_HEADERS, id, BYTES(POST_BLOCK));
}

static void parse(void)
{
	while (far.in.n >= far.parsed + 9) {
		const uint8_t *p = (const uint8_t *)far.in.p + far.parsed;
		size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];

		if (far.in.n - far.parsed < 9 + n)
			return;
		far.parsed += 9 + n;
		far.rsts += p[3] == RST;
		far.heads += p[3] == HEADERS;
		far.updates += p[3] == WINDOW;
		far.refused += p[3] == RST && n == 4 && p[12] == NGHTTP2_REFUSED_STREAM;
		far.pings += p[3] == PING && p[4] & ACK;
		if (p[3] == GOAWAY && n >= 8)
			far.goaway = p[16];
	}
}

static void turn(void)
{
	char bytes[16384];
	ssize_t n = 0;

	while (far.sent < far.out.n) {
		n = send(far.fd, far.out.p + far.sent, far.out.n - far.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		far.sent += (size_t)n;
	}
	while (!far.deaf && (n = recv(far.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != -1) {
		if (!n) {
			far.eof = true;
			break;
		}
		buf_put(&far.in, bytes, (size_t)n);
	}
	if (!far.deaf && n < 0 && errno != EAGAIN)
		far.eof = true;
	if (far.eof)
		shutdown(far.fd, SHUT_RDWR);
	parse();
}

static void start(enum rig_mode mode)
{
	int fd;

	far = (struct far){ .goaway = -1 };
	assert_int_equal(rig_open(mode, &fd, NULL), 0);
	far.fd = fd;
	rig.turn = turn;
	buf_str(&far.out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put(SETTINGS, 0, 0, NULL, 0);
}

static void stop(void)
{
	rig_close();
	close(far.fd);
	buf_done(&far.out);
	buf_done(&far.in);
}

static bool over(void)
{
	return rig.c_done && far.eof;
}

/* The connection ended by itself, with this code, and the fault is on record once. */
static void ends(const char *name, int code)
{
	if (!rig_run(over, 5000))
		fail_msg("%s: goes on (%u started, goaway %d)", name, rig.started, far.goaway);
	if (code >= 0 && far.goaway != code)
		fail_msg("%s: GOAWAY %d instead of %d", name, far.goaway, code);
	if (rig.bad < 1)
		fail_msg("%s: not on record", name);
	if (!TAILQ_EMPTY(&rig.live))
		fail_msg("%s: an exchange lives on", name);
	stop();
}

static void resets_in_a_row_end_the_connection(void **state)
{
	(void)state;
	start(RIG_HOLD);
	for (uint32_t i = 0; i < 2000; i++) {
		post(2 * i + 1);
		put32(RST, 2 * i + 1, NGHTTP2_CANCEL);
	}
	assert_true(rig_run(over, 5000));
	assert_in_range(rig.started, 190, 260);
	ends("rapid reset", NGHTTP2_ENHANCE_YOUR_CALM);
}

/* The peer makes us reset: as dear as doing it itself. */
static void provoked_resets_end_the_connection(void **state)
{
	(void)state;
	start(RIG_HOLD);
	for (uint32_t i = 0; i < 2000; i++) {
		post(2 * i + 1);
		put32(WINDOW, 2 * i + 1, 0);
	}
	assert_true(rig_run(over, 5000));
	assert_in_range(rig.started, 0, 260);
	ends("made you reset", -1);
}

static void broken_requests_in_a_row_end_the_connection(void **state)
{
	(void)state;
	start(RIG_ECHO);
	for (uint32_t i = 0; i < 2000; i++)
		put(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, BYTES("\x82\x86\x84\x41\x09" "a.example"));	/* http */
	assert_true(rig_run(over, 5000));
	assert_in_range(rig.bad, 90, 260);
	ends("broken requests", NGHTTP2_ENHANCE_YOUR_CALM);
}

static void too_many_streams_are_refused(void **state)
{
	(void)state;
	start(RIG_HOLD);
	for (uint32_t i = 0; i < 150; i++)
		post(2 * i + 1);
	(void)rig_run(NULL, 200);
	assert_int_equal(rig.started, 100);
	assert_int_equal(far.refused, 50);
	assert_false(rig.c.ending);
	for (uint32_t i = 150; i < 2000; i++)
		post(2 * i + 1);
	assert_true(rig_run(over, 5000));
	stop();
}

static void flood(const char *name, unsigned type, unsigned flags, uint32_t id, const void *p, size_t n, unsigned times)
{
	start(RIG_HOLD);
	post(1);
	for (unsigned i = 0; i < times; i++)
		put(type, flags, id, p, n);
	ends(name, -1);
}

static void floods_of_frames_that_carry_nothing(void **state)
{
	static const char zero[16];

	(void)state;
	flood("SETTINGS", SETTINGS, 0, 0, NULL, 0, 1000);
	flood("PING", PING, 0, 0, zero, 8, 20000);
	flood("PING answers", PING, ACK, 0, zero, 8, 20000);
	flood("PRIORITY", PRIORITY, 0, 3, zero, 5, 20000);
	flood("empty DATA", DATA, 0, 1, NULL, 0, 20000);
	flood("DATA of padding", DATA, PADDED, 1, "\x0f" "000000000000000", 16, 20000);
	flood("WINDOW_UPDATE", WINDOW, 0, 0, "\0\0\0\1", 4, 20000);
	flood("WINDOW_UPDATE of streams that were", WINDOW, 0, 1, "\0\0\0\1", 4, 20000);
	flood("GOAWAY", GOAWAY, 0, 0, zero, 8, 200);
}

static void who_does_not_read_is_not_read(void **state)
{
	static const char zero[8];

	(void)state;
	start(RIG_ECHO);
	far.deaf = true;
	for (uint32_t i = 0; i < 200000; i++) {
		get(2 * i + 1);
		if (!(i % 200))
			put(PING, 0, 0, zero, 8);
	}
	(void)rig_run(NULL, 1500);
	if (!rig.c.ending)
		assert_true(far.sent < far.out.n);
	assert_in_range(rig.started, 100, 100000);
	stop();
}

static void continuations(const char *name, size_t each, unsigned times)
{
	static char zero[16384];

	start(RIG_ECHO);
	memset(zero, 0x82, sizeof(zero));
	put(HEADERS, END_STREAM, 1, BYTES(GET_BLOCK));
	for (unsigned i = 0; i < times; i++)
		put(CONT, 0, 1, zero, each);
	ends(name, -1);
}

static void continuation_floods(void **state)
{
	(void)state;
	continuations("empty CONTINUATION", 0, 10000);
	continuations("small CONTINUATION", 1, 10000);
	continuations("full CONTINUATION", 16384, 1000);
}

/* One entry of 4000 bytes in the table, then thousands of references to it, a byte each. */
static void a_bomb_of_references(void **state)
{
	char block[16384];
	size_t n = sizeof(GET_BLOCK) - 1;

	(void)state;
	start(RIG_ECHO);
	memcpy(block, GET_BLOCK, n);
	memcpy(block + n, "\x40\x01x\x7f\xa1\x1e", 6);	/* x: 127 + 3873 bytes */
	memset(block + n + 6, 'v', 4000);
	n += 4006;
	memset(block + n, 0xbe, sizeof(block) - n);	/* index 62 */
	put(HEADERS, END_STREAM | END_HEADERS, 1, block, sizeof(block));
	ends("HPACK bomb", NGHTTP2_ENHANCE_YOUR_CALM);
	start(RIG_ECHO);
	put(HEADERS, END_STREAM | END_HEADERS, 1, block, n + 20);	/* 84000 bytes: only this request */
	get(3);
	(void)rig_run(NULL, 200);
	assert_int_equal(rig.status, 431);
	assert_int_equal(rig.started, 1);
	assert_int_equal(far.heads, 2);
	assert_false(rig.c.ending);
	stop();
}

static void raw(const char *name, int code, unsigned type, unsigned flags, uint32_t id, const char *p, size_t n)
{
	start(RIG_HOLD);
	post(3);
	put(type, flags, id, p, n);
	ends(name, code);
}

static void frames_out_of_place_end_the_connection(void **state)
{
	static const char zero[70000];

	(void)state;
	raw("DATA on 0", NGHTTP2_PROTOCOL_ERROR, DATA, 0, 0, "x", 1);
	assert_string_equal(rig.why, "HTTP/2 was broken: DATA: stream_id == 0");
	raw("DATA on an idle stream", NGHTTP2_PROTOCOL_ERROR, DATA, 0, 9, "x", 1);
	raw("HEADERS on 0", NGHTTP2_PROTOCOL_ERROR, HEADERS, END_HEADERS, 0, BYTES(GET_BLOCK));
	raw("HEADERS on an even stream", NGHTTP2_PROTOCOL_ERROR, HEADERS, END_HEADERS, 4, BYTES(GET_BLOCK));
	raw("CONTINUATION alone", NGHTTP2_PROTOCOL_ERROR, CONT, END_HEADERS, 3, BYTES(GET_BLOCK));
	raw("PUSH_PROMISE of a client", NGHTTP2_ENHANCE_YOUR_CALM, PUSH, END_HEADERS, 3, "\0\0\0\2" GET_BLOCK, 18);
	raw("RST of an idle stream", NGHTTP2_PROTOCOL_ERROR, RST, 0, 99, zero, 4);
	raw("WINDOW_UPDATE of an idle stream", NGHTTP2_PROTOCOL_ERROR, WINDOW, 0, 99, "\0\0\0\1", 4);
	raw("PING of 7 bytes", NGHTTP2_FRAME_SIZE_ERROR, PING, 0, 0, zero, 7);
	raw("SETTINGS of 5 bytes", NGHTTP2_FRAME_SIZE_ERROR, SETTINGS, 0, 0, zero, 5);
	raw("SETTINGS ACK with bytes", NGHTTP2_FRAME_SIZE_ERROR, SETTINGS, ACK, 0, zero, 6);
	raw("SETTINGS on a stream", NGHTTP2_PROTOCOL_ERROR, SETTINGS, 0, 3, NULL, 0);
	raw("window of 2^31", NGHTTP2_FLOW_CONTROL_ERROR, SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6);
	raw("frame size 1", NGHTTP2_PROTOCOL_ERROR, SETTINGS, 0, 0, "\0\5\0\0\0\1", 6);
	raw("too long a frame", NGHTTP2_FRAME_SIZE_ERROR, DATA, 0, 3, zero, 20000);
	raw("padding longer than the frame", NGHTTP2_PROTOCOL_ERROR, DATA, PADDED, 3, "\x09xx", 3);
	raw("index 0", NGHTTP2_COMPRESSION_ERROR, HEADERS, END_HEADERS | END_STREAM, 5, "\x80", 1);
	raw("index beyond the table", NGHTTP2_COMPRESSION_ERROR, HEADERS, END_HEADERS | END_STREAM, 5, "\xff\x80\x80\x01", 4);
	raw("table larger than announced", NGHTTP2_COMPRESSION_ERROR, HEADERS, END_HEADERS | END_STREAM, 5, "\x3f\xe2\xff\x03\x82", 5);
	raw("connection window overflows", NGHTTP2_FLOW_CONTROL_ERROR, WINDOW, 0, 0, "\x7f\xff\xff\xff", 4);
	raw("connection window grows by 0", NGHTTP2_PROTOCOL_ERROR, WINDOW, 0, 0, "\0\0\0\0", 4);
}

static void a_head_that_is_not_continued(void **state)
{
	(void)state;
	start(RIG_HOLD);
	put(HEADERS, END_STREAM, 1, BYTES(GET_BLOCK));
	get(3);
	ends("HEADERS within HEADERS", NGHTTP2_PROTOCOL_ERROR);
}

static void no_preface(void **state)
{
	(void)state;
	start(RIG_HOLD);
	far.out.n = 0;
	buf_str(&far.out, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
	ends("HTTP/1.1", -1);
}

static void more_than_the_window_is_a_fault(void **state)
{
	static const char zero[16384];

	(void)state;
	start(RIG_HOLD);
	post(1);
	for (int i = 0; i < 17; i++)
		put(DATA, 0, 1, zero, sizeof(zero));
	(void)rig_run(NULL, 300);
	assert_true(far.rsts == 1 || far.goaway == NGHTTP2_FLOW_CONTROL_ERROR);
	assert_true(TAILQ_EMPTY(&rig.live));
	stop();
}

/* 100 streams that nobody takes from: what is held is bounded by the connection's window. */
static void what_is_held_for_many_streams_is_bounded(void **state)
{
	static const char zero[16384];

	(void)state;
	start(RIG_HOLD);
	for (uint32_t i = 0; i < 100; i++)
		post(2 * i + 1);
	for (int k = 0; k < 8; k++)
		for (uint32_t i = 0; i < 100; i++)
			put(DATA, 0, 2 * i + 1, zero, sizeof(zero));
	(void)rig_run(NULL, 500);
	assert_true(rig.c.ending);		/* it sent beyond its window, which was not given back */
	assert_true(TAILQ_EMPTY(&rig.live));
	stop();
}

/* The peer opens no window: answers wait in bounds, and closing frees them. */
static void a_window_that_stays_shut(void **state)
{
	(void)state;
	start(RIG_DENY);
	put(SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
	for (uint32_t i = 0; i < 90; i++)
		get(2 * i + 1);
	(void)rig_run(NULL, 300);
	assert_int_equal(far.heads, 90);
	assert_false(rig.c.ending);
	put32(WINDOW, 1, 5);
	put32(WINDOW, 3, 0x7fffffff);
	put32(WINDOW, 3, 0x7fffffff);		/* overflow: that stream alone */
	(void)rig_run(NULL, 200);
	assert_int_equal(far.rsts, 1);
	assert_false(rig.c.ending);
	stop();
}

/* An upstream that misbehaves. */

/* One request is under way at an upstream that the test plays; its client's end is the result. */
static int start_upstream(bool settings)
{
	static const char ask[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
				  "\0\0\x0e\1\5\0\0\0\1" GET_BLOCK;
	int c, u;

	far = (struct far){ .goaway = -1, .parsed = 24 };	/* behind our preface */
	assert_int_equal(rig_open(RIG_PASS, &c, &u), 0);
	far.fd = u;
	rig.turn = turn;
	if (settings)
		put(SETTINGS, 0, 0, NULL, 0);
	assert_int_equal(write(c, ask, sizeof(ask) - 1), sizeof(ask) - 1);
	(void)rig_run(NULL, 50);
	assert_int_equal(far.heads, 1);
	return c;
}

static bool upstream_done(void)
{
	return rig.u_done;
}

static const struct {
	const char *name;
	unsigned type, flags;
	uint32_t id;
	const char *p;
	size_t n;
	unsigned times;
} ups[] = {
	{ "push", PUSH, END_HEADERS, 1, BYTES("\0\0\0\2" GET_BLOCK), 1 },
	{ "HEADERS of a stream of its own", HEADERS, END_HEADERS, 2, BYTES("\x88"), 1 },
	{ "DATA on an idle stream", DATA, 0, 7, "x", 1, 1 },
	{ "PING flood", PING, 0, 0, "12345678", 8, 20000 },
	{ "SETTINGS flood", SETTINGS, 0, 0, NULL, 0, 1000 },
	{ "CONTINUATION flood", CONT, 0, 1, NULL, 0, 1000 },
	{ "not HTTP/2", 'T', 'P', 0x2f312e31, "200 OK\r\n", 8, 1 },
};

static void bad_upstreams_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ups) / sizeof(*ups); i++) {
		int c = start_upstream(ups[i].type != 'T');

		if (ups[i].type == CONT)
			put(HEADERS, 0, 1, BYTES("\x88"));
		for (unsigned k = 0; k < ups[i].times; k++)
			put(ups[i].type, ups[i].flags, ups[i].id, ups[i].p, ups[i].n);
		if (!rig_run(upstream_done, 3000))
			fail_msg("%s: goes on", ups[i].name);
		close(c);
		stop();
	}
}

static void interim_answers_are_bounded(void **state)
{
	int c;

	(void)state;
	c = start_upstream(true);
	for (int i = 0; i < 100; i++)
		put(HEADERS, END_HEADERS, 1, BYTES("\x08\x03" "103"));
	(void)rig_run(NULL, 200);
	assert_int_equal(rig.gone[GONE_PROTOCOL], 1);
	close(c);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets_in_a_row_end_the_connection),
		cmocka_unit_test(provoked_resets_end_the_connection),
		cmocka_unit_test(broken_requests_in_a_row_end_the_connection),
		cmocka_unit_test(too_many_streams_are_refused),
		cmocka_unit_test(floods_of_frames_that_carry_nothing),
		cmocka_unit_test(who_does_not_read_is_not_read),
		cmocka_unit_test(continuation_floods),
		cmocka_unit_test(a_bomb_of_references),
		cmocka_unit_test(frames_out_of_place_end_the_connection),
		cmocka_unit_test(a_head_that_is_not_continued),
		cmocka_unit_test(no_preface),
		cmocka_unit_test(more_than_the_window_is_a_fault),
		cmocka_unit_test(what_is_held_for_many_streams_is_bounded),
		cmocka_unit_test(a_window_that_stays_shut),
		cmocka_unit_test(bad_upstreams_end),
		cmocka_unit_test(interim_answers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
