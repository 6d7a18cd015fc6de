/* SPDX-License-Identifier: Apache-2.0 */
/* Client and upstream side of HTTP/1.1 back to back: what comes out at the far ends, and when they close. */
#include "h1_rig.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HOST "Host: a.example\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define SENT(path) "GET " path " HTTP/1.1\r\nhost: a.example\r\n\r\n"
#define OK5 "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

static int setup(void **state)
{
	(void)state;
	rig_start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop_all();
	return 0;
}

#define SEES(fd, text) assert_string_equal(rig_get(fd), text)

static void requests_follow_each_other(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_put(rig.client, GET("/a"));
		SEES(rig.server, SENT("/a"));
		rig_put(rig.server, OK5);
		SEES(rig.client, OK5);
		assert_int_equal(rig.n_free, i + 1);
	}
	assert_int_equal(rig.n_requests, 3);
}

static void a_pipelined_request_waits_for_the_answer(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/1") GET("/2") GET("/3"));
	SEES(rig.server, SENT("/1"));
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	SEES(rig.server, SENT("/2"));
	rig_put(rig.server, OK5);
	SEES(rig.server, SENT("/3"));
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5 OK5);
}

static void bodies_go_up_in_their_framing(void **state)
{
	(void)state;
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
	rig_put(rig.client, "loGET");
	SEES(rig.server, "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello");
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	rig_put(rig.client, " / HTTP/1.1\r\n" HOST "\r\n");
	SEES(rig.server, SENT("/"));
	rig_put(rig.server, OK5);
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n");
	SEES(rig.server, "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-t: 1\r\n\r\n");
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5 OK5);
}

static void answers_come_down_in_their_framing(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	SEES(rig.client, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
	rig_put(rig.server, "0\r\nX-T: 1\r\n\r\n");
	SEES(rig.client, "0\r\nx-t: 1\r\n\r\n");
	rig_put(rig.client, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
	rig_put(rig.server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	SEES(rig.client, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, "HTTP/1.1 304 Not Modified\r\n\r\n");
	SEES(rig.client, "HTTP/1.1 304 Not Modified\r\n\r\n");
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, "HTTP/1.1 200 OK\r\n\r\nuntil");
	SEES(rig.client, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nuntil\r\n");
	shutdown(rig.server, SHUT_WR);
	rig_turn(6);
	SEES(rig.client, "0\r\n\r\n");
	assert_true(rig.u.ending);
	assert_false(rig.c.ending);
}

static void an_old_client_gets_what_it_understands(void **state)
{
	(void)state;
	rig_put(rig.client, "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
	SEES(rig.server, SENT("/"));
	rig_put(rig.server, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
	SEES(rig.client, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello<end>");
	assert_false(rig.u.ending);
}

static void expectations_are_passed_on(void **state)
{
	(void)state;
	rig_put(rig.client, "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	SEES(rig.server, "PUT / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
	SEES(rig.client, "");
	rig_put(rig.server, "HTTP/1.1 100 Continue\r\n\r\n");
	SEES(rig.client, "HTTP/1.1 100 Continue\r\n\r\n");
	rig_put(rig.client, "hello");
	SEES(rig.server, "hello");
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	rig_put(rig.client, "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	rig_put(rig.server, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	SEES(rig.client, "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n<end>");
	assert_true(rig.u.ending);
}

/* The sender of a body that nobody wants reads the answer: the connection is not reset under it. */
static void an_early_answer_is_read(void **state)
{
	static char body[300000];

	(void)state;
	memset(body, 'x', sizeof(body));
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\nhel");
	rig_put(rig.server, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
	for (int i = 0; i < 3; i++) {
		assert_true(write(rig.client, body, sizeof(body)) > 0);
		rig_turn(20);
	}
	assert_false(rig.c.ending);
	SEES(rig.client, "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno<end>");
	shutdown(rig.client, SHUT_WR);
	rig_turn(4);
	assert_true(rig.c.ending);
}

/* What lies here already can be thrown away: the connection stays. */
static void an_early_answer_keeps_a_short_body(void **state)
{
	(void)state;
	rig.have_up = false;
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET("/"));
	SEES(rig.client, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"
			 "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
	assert_int_equal(rig.n_requests, 2);
}

static void close_is_heard_on_both_sides(void **state)
{
	(void)state;
	rig_put(rig.client, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	SEES(rig.server, SENT("/"));
	rig_put(rig.server, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
	SEES(rig.client, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello<end>");
	assert_true(rig.u.ending);
}

/* Response desync: an answer to nothing is never the answer to the next request. */
static void what_follows_an_answer_ends_the_connection(void **state)
{
	static const char *const rests[] = { "x", OK5, "\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		char text[200];

		rig_put(rig.client, GET("/"));
		snprintf(text, sizeof(text), "%s%s", OK5, rests[i]);
		rig_put(rig.server, text);
		SEES(rig.client, OK5);
		assert_true(rig.u.ending);
		close(rig.server);
		rig_upstream();
		rig_turn(2);
	}
	rig_put(rig.server, OK5);
	assert_true(rig.u.ending);
	rig_put(rig.client, GET("/"));
	SEES(rig.client, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
}

/* Between the answer and the next request, in one round: not read yet when the request is written. */
static void an_answer_before_its_request_is_none(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	assert_true(write(rig.client, GET("/2"), sizeof(GET("/2")) - 1) > 0);
	assert_true(write(rig.server, OK5, sizeof(OK5) - 1) > 0);
	rig_turn(6);
	SEES(rig.client, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
	assert_true(rig.u.ending);
}

static const struct {
	const char *answer;
	int gone;
} bad_answers[] = {
	{ "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", GONE_PROTOCOL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", GONE_PROTOCOL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", GONE_PROTOCOL },
	{ "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", GONE_PROTOCOL },
	{ "garbage\r\n\r\n", GONE_PROTOCOL },
};

static void a_bad_answer_is_not_passed_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_answers); i++) {
		rig_put(rig.client, GET("/"));
		rig_put(rig.server, bad_answers[i].answer);
		SEES(rig.client, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
		assert_int_equal(rig.gone, bad_answers[i].gone);
		assert_true(rig.u.ending);
		close(rig.server);
		rig_upstream();
		rig_turn(2);
	}
}

static void deaf_head(struct side *s, const struct head *h, bool end)
{
	(void)s;
	(void)h;
	(void)end;
}

/* Whatever put it there: no head becomes two on the wire. */
static void a_head_that_is_no_line_is_not_written(void **state)
{
	static const char *const bad[][3] = {
		{ "GET", "a.example", "/ HTTP/1.1\r\nX: y" }, { "GET / HTTP/1.1\r\n\r\nGET", "a.example", "/" },
		{ "GET", "a.example\r\nX: y", "/" }, { "GET", "", "/" }, { "GET", "a.example", "x" },
		{ "", "a.example", "/" }, { "GET", "a.example", "" },
	};

	static const struct side_ops deaf = { .head = deaf_head };
	struct side client = { .ops = &deaf };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct head h = { 0 };
		struct side *s = rig.u.ops->open(&rig.u);

		h.method = head_text(&h, slice_of(bad[i][0]));
		h.authority = head_text(&h, slice_of(bad[i][1]));
		h.target = head_text(&h, slice_of(bad[i][2]));
		rig.x = (struct exchange){ .client = &client, .up = s, .request_sent = true };
		s->x = &rig.x;
		s->ops->head(s, &h, true);
		head_done(&h);
		rig_turn(4);
		assert_string_equal(rig_get(rig.server), "<end>");
		assert_int_equal(rig.gone, GONE_PROTOCOL);
		rig_stop_all();
		rig_start();
	}
}

static void interim_answers_are_bounded(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	for (int i = 0; i < 40 && !rig.u.ending; i++)
		rig_put(rig.server, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	assert_true(rig.u.ending);
	assert_int_equal(rig.gone, GONE_PROTOCOL);
	assert_non_null(strstr(rig_get(rig.client), "502 Bad Gateway"));
}

static void a_lost_upstream_is_told_apart(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	shutdown(rig.server, SHUT_RDWR);
	rig_turn(6);
	assert_int_equal(rig.gone, GONE_RESET);
	close(rig.server);
	rig_upstream();
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, OK5);
	rig_put(rig.client, GET("/"));
	shutdown(rig.server, SHUT_RDWR);
	rig_turn(6);
	assert_int_equal(rig.gone, GONE_STALE);
	close(rig.server);
	rig_upstream();
	(void)rig_get(rig.client);
	rig_put(rig.client, GET("/"));
	rig_put(rig.server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
	shutdown(rig.server, SHUT_RDWR);
	rig_turn(6);
	assert_int_equal(rig.gone, GONE_RESET);
	assert_true(rig.c.ending);	/* what is cut does not pass for what is whole */
}

static void a_client_that_leaves_takes_its_request_along(void **state)
{
	(void)state;
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 50\r\n\r\nhello");
	shutdown(rig.client, SHUT_WR);
	rig_turn(6);
	assert_true(rig.u.ending);
	assert_true(rig.c.ending);
}

static void a_client_that_half_closes_gets_its_answer(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	shutdown(rig.client, SHUT_WR);
	rig_turn(6);
	assert_false(rig.u.ending);
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5 "<end>");
}

static void a_websocket_is_a_tunnel(void **state)
{
	static const char asked[] = "GET /ws HTTP/1.1\r\nhost: a.example\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
	static const char agreed[] = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";

	(void)state;
	rig_put(rig.client, "GET /ws HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
	SEES(rig.server, asked);
	rig_put(rig.server, "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
	assert_int_equal(strncmp(rig_get(rig.client), agreed, sizeof(agreed) - 1), 0);
	SEES(rig.server, "early");
	rig_put(rig.client, "up\n\r\n");
	SEES(rig.server, "up\n\r\n");
	rig_put(rig.server, "down");
	SEES(rig.client, "down");
	shutdown(rig.client, SHUT_WR);
	rig_turn(6);
	SEES(rig.server, "<end>");
	rig_put(rig.server, "last");
	SEES(rig.client, "last");
	shutdown(rig.server, SHUT_WR);
	rig_turn(6);
	SEES(rig.client, "<end>");
	assert_true(rig.u.ending);
}

static void a_get_with_a_body_is_the_last_of_its_connection(void **state)
{
	(void)state;
	rig_put(rig.client, "DELETE / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	SEES(rig.server, "DELETE / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n");
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	rig_put(rig.client, "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	SEES(rig.server, "GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
	rig_put(rig.server, OK5);
	SEES(rig.client, OK5);
	assert_true(rig.u.ending);
}

/* Bytes move only as the far end reads; nothing is lost, and little is held. */
static void bulk_moves_under_backpressure(void **state)
{
	enum { SIZE = 3000000 };
	char *out = malloc(SIZE), *in = malloc(SIZE), head[200];
	int from[2] = { rig.client, rig.server }, to[2] = { rig.server, rig.client };

	(void)state;
	srandom(7);
	for (int i = 0; i < SIZE; i++)
		out[i] = (char)random();
	rig_put(rig.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
	for (int way = 0; way < 2; way++) {
		size_t sent = 0, got = 0;

		if (way)
			rig_put(rig.server, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
		rig_turn(4);
		rig_check(read(to[way], head, sizeof(head)) > 0);
		while (got < SIZE) {
			size_t n = (size_t)random() % 200000 + 1;
			ssize_t r;

			n = n < SIZE - sent ? n : SIZE - sent;
			r = n ? write(from[way], out + sent, n) : 0;
			sent += r > 0 ? (size_t)r : 0;
			rig_turn((int)(random() % 6));
			if (random() % 2)
				continue;
			n = (size_t)random() % 300000 + 1;
			r = read(to[way], in + got, n < SIZE - got ? n : SIZE - got);
			got += r > 0 ? (size_t)r : 0;
		}
		assert_memory_equal(in, out, SIZE);
	}
	rig_turn(4);
	assert_int_equal(rig.n_free, 1);
	assert_false(rig.u.ending);
	free(out);
	free(in);
}

static void the_corpus_is_refused_and_the_connection_closed(void **state)
{
	FILE *f = fopen("tests/redteam/smuggling/vectors.txt", "re");
	struct vector v;

	(void)state;
	assert_non_null(f);
	while (vector_next(f, &v)) {
		char want[40];
		const char *got;

		rig_stop_all();
		rig_start();
		for (size_t at = 0; at < v.bytes.n;) {
			ssize_t n = write(rig.client, v.bytes.p + at, v.bytes.n - at);

			if (n < 0 && errno != EAGAIN)
				break;
			at += n > 0 ? (size_t)n : 0;
			rig_turn(6);
		}
		snprintf(want, sizeof(want), "HTTP/1.1 %d ", v.status);
		got = rig_get(rig.client);
		if (strncmp(got, want, strlen(want)) || !strstr(got, "connection: close") || !strstr(got, "<end>") ||
		    strstr(got + 9, "HTTP/1.1") || rig.n_bad != 1 || rig.bad_status != v.status || rig.n_requests > 1)
			fail_msg("%s: %s", v.name, got);
		got = rig_get(rig.server);
		if (strstr(got, "/smuggled"))
			fail_msg("%s reached the server: %s", v.name, got);
		buf_done(&v.bytes);
	}
	fclose(f);
}

static void drain_lets_the_answer_end(void **state)
{
	(void)state;
	rig_put(rig.client, GET("/"));
	rig.c.ops->drain(&rig.c);
	rig_put(rig.server, OK5);
	SEES(rig.client, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello<end>");
}

static void without_an_exchange_there_is_a_503(void **state)
{
	(void)state;
	rig.refuse = true;
	rig_put(rig.client, GET("/"));
	SEES(rig.client, "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
			 "connection: close\r\n\r\n{}<end>");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_follow_each_other),
		TEST(a_pipelined_request_waits_for_the_answer),
		TEST(bodies_go_up_in_their_framing),
		TEST(answers_come_down_in_their_framing),
		TEST(an_old_client_gets_what_it_understands),
		TEST(expectations_are_passed_on),
		TEST(an_early_answer_is_read),
		TEST(an_early_answer_keeps_a_short_body),
		TEST(close_is_heard_on_both_sides),
		TEST(what_follows_an_answer_ends_the_connection),
		TEST(an_answer_before_its_request_is_none),
		TEST(a_bad_answer_is_not_passed_on),
		TEST(a_head_that_is_no_line_is_not_written),
		TEST(interim_answers_are_bounded),
		TEST(a_lost_upstream_is_told_apart),
		TEST(a_client_that_leaves_takes_its_request_along),
		TEST(a_client_that_half_closes_gets_its_answer),
		TEST(a_websocket_is_a_tunnel),
		TEST(a_get_with_a_body_is_the_last_of_its_connection),
		TEST(bulk_moves_under_backpressure),
		TEST(the_corpus_is_refused_and_the_connection_closed),
		TEST(drain_lets_the_answer_end),
		TEST(without_an_exchange_there_is_a_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
