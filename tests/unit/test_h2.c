/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 on both legs with peers that keep the rules: heads, bodies, trailers, windows, cancels, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "h2rig.h"
#include "h2peer.h"

#include <cmocka.h>

static struct peer cli, srv;

static void turn(void)
{
	peer_turn(&cli);
	if (rig.has_u)
		peer_turn(&srv);
}

static void start(enum rig_mode mode, bool upstream)
{
	int c, u;

	assert_int_equal(rig_open(mode, &c, upstream ? &u : NULL), 0);
	peer_open(&cli, c, false, NULL, 0);
	if (upstream)
		peer_open(&srv, u, true, NULL, 0);
	rig.turn = turn;
}

static void stop(void)
{
	rig_close();
	peer_close(&cli);
	if (rig.has_u)
		peer_close(&srv);
}

#define GET(path) { PEER_NV(":method", "GET"), PEER_NV(":scheme", "https"), PEER_NV(":authority", "A.example"), PEER_NV(":path", path) }
#define POST(path) { PEER_NV(":method", "POST"), PEER_NV(":scheme", "https"), PEER_NV(":authority", "a.example"), PEER_NV(":path", path) }
#define N(a) (sizeof(a) / sizeof(*(a)))

static struct peer_stream *ask(const nghttp2_nv *nv, size_t n, const char *text, size_t body)
{
	nghttp2_data_provider from = { .read_callback = peer_read };
	int32_t id = nghttp2_submit_request(cli.session, NULL, nv, n, text ? &from : NULL, NULL);
	struct peer_stream *s = peer_stream(&cli, id);

	assert_non_null(s);
	s->text = text;
	s->to_send = body;
	return s;
}

static void reply(int32_t id, const nghttp2_nv *nv, size_t n, const char *text, size_t body)
{
	nghttp2_data_provider from = { .read_callback = peer_read };
	struct peer_stream *s = peer_stream(&srv, id);

	s->text = text;
	s->to_send = body;
	assert_int_equal(nghttp2_submit_response(srv.session, id, nv, n, text ? &from : NULL), 0);
}

static bool first_asked(void)
{
	return srv.n && srv.s[0].heads;
}

static bool first_request_whole(void)
{
	return srv.n && srv.s[0].ended;
}

static bool first_answered(void)
{
	return cli.n && cli.s[0].closed;
}

static bool all_answered(void)
{
	return cli.n && cli.n_closed == cli.n;
}

static uint32_t sum_of(const char *text, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0, len = strlen(text); i < n; i++)
		sum = sum * 31 + (uint8_t)text[i % len];
	return sum;
}

static const nghttp2_nv ok[] = { PEER_NV(":status", "200"), PEER_NV("server", "x") };

static void a_request_and_its_answer_cross(void **state)
{
	const nghttp2_nv get[] = { PEER_NV(":method", "GET"), PEER_NV(":scheme", "https"), PEER_NV(":authority", "A.example"),
				   PEER_NV(":path", "/x?y=1"), PEER_NV("cookie", "a=1"), PEER_NV("accept", "*/*"),
				   PEER_NV("cookie", "b=2"), PEER_NV("te", "trailers") };
	struct peer_stream *s;

	(void)state;
	start(RIG_PASS, true);
	s = ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_request_whole, 2000));
	assert_string_equal(peer_text(&srv.s[0].fields), ":method: GET\n:scheme: https\n:authority: a.example\n:path: /x?y=1\n"
					       "accept: */*\nte: trailers\ncookie: a=1; b=2\n");
	reply(srv.s[0].id, ok, N(ok), "hello", 5);
	assert_true(rig_run(first_answered, 2000));
	assert_int_equal(s->code, 0);
	assert_int_equal(s->body, 5);
	assert_string_equal(peer_text(&s->fields), ":status: 200\nserver: x\n");
	assert_int_equal(rig.slots_freed, 1);
	assert_int_equal(rig.c.exchanges, 0);
	stop();
}

static void trailers_and_informational_heads_cross(void **state)
{
	const nghttp2_nv post[] = POST("/pkg.Svc/Method");
	const nghttp2_nv early[] = { PEER_NV(":status", "103"), PEER_NV("link", "</a>") };
	const nghttp2_nv trail[] = { PEER_NV("grpc-status", "0"), PEER_NV("grpc-message", "") };
	const nghttp2_nv sent[] = { PEER_NV("checksum", "1"), PEER_NV("authorization", "no") };
	struct peer_stream *s;

	(void)state;
	start(RIG_PASS, true);
	s = ask(post, N(post), "abc", 3);
	s->trail = sent;
	s->n_trail = N(sent);
	assert_true(rig_run(first_request_whole, 2000));
	assert_string_equal(peer_text(&srv.s[0].trailers), "checksum: 1\n");
	nghttp2_submit_headers(srv.session, 0, srv.s[0].id, NULL, early, N(early), NULL);
	srv.s[0].trail = trail;
	srv.s[0].n_trail = N(trail);
	reply(srv.s[0].id, ok, N(ok), "defg", 4);
	assert_true(rig_run(first_answered, 2000));
	assert_int_equal(s->heads, 3);
	assert_string_equal(peer_text(&s->fields), ":status: 103\nlink: </a>\n:status: 200\nserver: x\n");
	assert_string_equal(peer_text(&s->trailers), "grpc-status: 0\ngrpc-message: \n");
	assert_int_equal(s->body, 4);
	stop();
}

static void large_bodies_cross_unchanged(void **state)
{
	const nghttp2_nv post[] = POST("/up");
	const size_t up = 5000000, down = 9000011;
	struct peer_stream *s;

	(void)state;
	start(RIG_PASS, true);
	s = ask(post, N(post), "0123456789abcdefghijklmnopqrstuvw", up);
	assert_true(rig_run(first_asked, 2000));
	reply(srv.s[0].id, ok, N(ok), "some text that is repeated", down);
	/* a server that answers first resets nothing as long as the request goes on */
	srv.s[0].open = true;
	assert_true(rig_run(first_request_whole, 60000));
	assert_int_equal(srv.s[0].body, up);
	assert_int_equal(srv.s[0].sum, sum_of("0123456789abcdefghijklmnopqrstuvw", up));
	srv.s[0].open = false;
	nghttp2_session_resume_data(srv.session, srv.s[0].id);
	assert_true(rig_run(first_answered, 60000));
	assert_int_equal(s->body, down);
	assert_int_equal(s->sum, sum_of("some text that is repeated", down));
	stop();
}

static bool eight_answered(void)
{
	return cli.n_closed >= 8;
}

static void a_stream_that_stands_still_holds_up_no_other(void **state)
{
	const nghttp2_nv post[] = POST("/still"), get[] = GET("/quick");

	(void)state;
	start(RIG_PASS, true);
	rig.mode = RIG_HOLD;
	for (int i = 0; i < 3; i++)
		ask(post, N(post), "x", 1000000);	/* nobody takes these */
	(void)rig_run(NULL, 300);
	assert_int_equal(rig.started, 3);
	rig.mode = RIG_ECHO;
	for (int i = 0; i < 8; i++)
		ask(get, N(get), NULL, 0);
	assert_true(rig_run(eight_answered, 5000));
	assert_int_equal(rig.c.exchanges, 3);
	stop();
}

static void a_client_that_does_not_read_stops_the_upstream(void **state)
{
	const nghttp2_nv get[] = GET("/big");
	struct peer_stream *s;
	size_t sent;

	(void)state;
	start(RIG_PASS, true);
	s = ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	cli.no_window = true;
	reply(srv.s[0].id, ok, N(ok), "0123456789", 30000000);
	(void)rig_run(NULL, 1000);
	sent = srv.s[0].sent;
	assert_true(sent < 3000000);
	assert_true(s->body <= 65535);
	(void)rig_run(NULL, 200);
	assert_int_equal(srv.s[0].sent, sent);
	cli.no_window = false;
	nghttp2_session_consume(cli.session, s->id, s->body);
	assert_true(rig_run(first_answered, 60000));
	assert_int_equal(s->body, 30000000);
	assert_int_equal(s->sum, sum_of("0123456789", 30000000));
	stop();
}

static bool first_closed_upstream(void)
{
	return srv.n && srv.s[0].closed;
}

static void a_cancel_goes_upstream(void **state)
{
	const nghttp2_nv post[] = POST("/long");
	struct peer_stream *s;

	(void)state;
	start(RIG_PASS, true);
	s = ask(post, N(post), "x", 10);
	s->open = true;
	assert_true(rig_run(first_asked, 2000));
	nghttp2_submit_rst_stream(cli.session, 0, s->id, NGHTTP2_CANCEL);
	assert_true(rig_run(first_closed_upstream, 2000));
	assert_int_equal(srv.s[0].code, NGHTTP2_CANCEL);
	assert_int_equal(rig.gone[GONE_RESET], 1);
	assert_int_equal(rig.u.open, 0);
	assert_false(rig.u.ending);
	stop();
}

static void a_reset_upstream_reaches_the_client(void **state)
{
	const nghttp2_nv get[] = GET("/");
	struct peer_stream *s;

	(void)state;
	start(RIG_PASS, true);
	s = ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	reply(srv.s[0].id, ok, N(ok), "x", 10);
	srv.s[0].open = true;
	(void)rig_run(NULL, 100);
	nghttp2_submit_rst_stream(srv.session, 0, srv.s[0].id, NGHTTP2_INTERNAL_ERROR);
	assert_true(rig_run(first_answered, 2000));
	assert_int_equal(s->code, NGHTTP2_INTERNAL_ERROR);
	assert_false(s->ended);
	stop();
}

static void refused_streams_and_goaway_may_be_sent_again(void **state)
{
	const nghttp2_nv get[] = GET("/");

	(void)state;
	start(RIG_PASS, true);
	ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	nghttp2_submit_rst_stream(srv.session, 0, srv.s[0].id, NGHTTP2_REFUSED_STREAM);
	assert_true(rig_run(first_answered, 2000));
	assert_int_equal(rig.gone[GONE_REFUSED], 1);
	ask(get, N(get), NULL, 0);
	ask(get, N(get), NULL, 0);
	(void)rig_run(NULL, 100);
	nghttp2_submit_goaway(srv.session, 0, srv.s[1].id, NGHTTP2_NO_ERROR, NULL, 0);
	(void)rig_run(NULL, 100);
	assert_int_equal(rig.gone[GONE_REFUSED], 2);	/* the one behind the last */
	assert_true(rig.u.closing);
	reply(srv.s[1].id, ok, N(ok), NULL, 0);
	assert_true(rig_run(all_answered, 2000));
	assert_true(rig.u.ending);
	assert_non_null(strstr(peer_text(&cli.s[1].fields), ":status: 200"));
	stop();
}

static bool upstream_over(void)
{
	return rig.u_done;
}

static void a_kept_connection_that_ends_is_stale(void **state)
{
	const nghttp2_nv get[] = GET("/");

	(void)state;
	start(RIG_PASS, true);
	rig.u.used = true;
	ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	shutdown(srv.fd, SHUT_RDWR);
	assert_true(rig_run(upstream_over, 2000));
	assert_int_equal(rig.gone[GONE_STALE], 1);
	stop();
}

static void one_denied_stream_leaves_the_others_alone(void **state)
{
	const nghttp2_nv bad[] = POST("/denied"), get[] = GET("/fine");
	struct peer_stream *s, *t, *u;

	(void)state;
	start(RIG_DENY_SOME, true);
	s = ask(get, N(get), NULL, 0);
	t = ask(bad, N(bad), "x", 100000000);
	u = ask(get, N(get), NULL, 0);
	(void)rig_run(NULL, 200);
	assert_int_equal(srv.n, 2);
	reply(srv.s[0].id, ok, N(ok), "a", 1);
	reply(srv.s[1].id, ok, N(ok), "b", 1);
	assert_true(rig_run(all_answered, 5000));
	assert_non_null(strstr(peer_text(&t->fields), ":status: 403"));
	assert_true(t->ended);
	assert_int_equal(t->code, NGHTTP2_NO_ERROR);	/* the rest of its request is not wanted */
	assert_int_equal(s->body + u->body, 2);
	assert_false(rig.c.ending);
	stop();
}

static void many_requests_echo(void **state)
{
	const nghttp2_nv post[] = POST("/echo");

	(void)state;
	start(RIG_ECHO, false);
	for (int i = 0; i < 200; i++)
		ask(post, N(post), "echo this ", (size_t)i * 997);
	assert_true(rig_run(all_answered, 30000));
	for (unsigned i = 0; i < cli.n; i++) {
		assert_int_equal(cli.s[i].body, i * 997);
		assert_int_equal(cli.s[i].sum, sum_of("echo this ", i * 997));
	}
	assert_int_equal(rig.started, 200);
	stop();
}

static bool drained(void)
{
	return rig.c_done;
}

static void a_drained_connection_ends_with_its_last_answer(void **state)
{
	const nghttp2_nv get[] = GET("/");

	(void)state;
	start(RIG_PASS, true);
	ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	rig.c.ops->drain(&rig.c);
	(void)rig_run(NULL, 100);
	assert_int_equal(cli.goaway, 1);
	assert_false(rig.c.ending);
	reply(srv.s[0].id, ok, N(ok), "bye", 3);
	assert_true(rig_run(drained, 2000));
	assert_false(rig.c_hard);
	assert_int_equal(cli.s[0].body, 3);
	stop();
}

static void the_peers_limit_of_streams_is_kept(void **state)
{
	const nghttp2_settings_entry iv[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3 } };
	const nghttp2_nv get[] = GET("/");
	int c, u;

	(void)state;
	assert_int_equal(rig_open(RIG_PASS, &c, &u), 0);
	peer_open(&cli, c, false, NULL, 0);
	peer_open(&srv, u, true, iv, 1);
	rig.turn = turn;
	(void)rig_run(NULL, 50);
	assert_int_equal(rig.u.most, 3);
	for (int i = 0; i < 5; i++)
		ask(get, N(get), NULL, 0);
	(void)rig_run(NULL, 100);
	assert_int_equal(srv.n, 3);
	for (int i = 0; i < 3; i++)
		reply(srv.s[i].id, ok, N(ok), NULL, 0);
	(void)rig_run(NULL, 100);
	assert_int_equal(srv.n, 5);
	stop();
}

static const struct {
	const char *name;
	int status;			/* 0: passes; -1: the stream is reset */
	nghttp2_nv nv[8];
} heads[] = {
#define M PEER_NV(":method", "GET")
#define S PEER_NV(":scheme", "https")
#define A PEER_NV(":authority", "a.example")
#define P PEER_NV(":path", "/")
	{ "plain", 0, { M, S, A, P } },
	{ "host that agrees", 0, { M, S, A, P, PEER_NV("host", "A.EXAMPLE") } },
	{ "host alone", 0, { M, S, P, PEER_NV("host", "a.example") } },
	{ "host that differs", 400, { M, S, A, P, PEER_NV("host", "b.example") } },
	{ "two hosts", -1, { M, S, A, P, PEER_NV("host", "a.example"), PEER_NV("host", "a.example") } },
	{ "user in authority", 400, { M, S, P, PEER_NV(":authority", "u@a.example") } },
	{ "no authority", -1, { M, S, P } },
	{ "no path", -1, { M, S, A } },
	{ "empty path", -1, { M, S, A, PEER_NV(":path", "") } },
	{ "path that is a URL", -1, { M, S, A, PEER_NV(":path", "https://a.example/") } },
	{ "star for GET", -1, { M, S, A, PEER_NV(":path", "*") } },
	{ "fragment", 400, { M, S, A, PEER_NV(":path", "/a#b") } },
	{ "space in path", -1, { M, S, A, PEER_NV(":path", "/a b") } },
	{ "8 bit in path", 400, { M, S, A, PEER_NV(":path", "/\xff") } },
	{ "scheme of another connection", 400, { M, A, P, PEER_NV(":scheme", "http") } },
	{ "CONNECT", 501, { PEER_NV(":method", "CONNECT"), A } },
	{ "extended CONNECT", -1, { PEER_NV(":method", "CONNECT"), PEER_NV(":protocol", "websocket"), S, A, P } },
	{ "two methods", -1, { M, M, S, A, P } },
	{ "pseudo field behind others", -1, { M, S, A, PEER_NV("a", "b"), P } },
	{ "unknown pseudo field", -1, { M, S, A, P, PEER_NV(":foo", "b") } },
	{ "status in a request", -1, { M, S, A, P, PEER_NV(":status", "200") } },
	{ "connection", -1, { M, S, A, P, PEER_NV("connection", "close") } },
	{ "keep-alive", -1, { M, S, A, P, PEER_NV("keep-alive", "1") } },
	{ "proxy-connection", -1, { M, S, A, P, PEER_NV("proxy-connection", "close") } },
	{ "transfer-encoding", -1, { M, S, A, P, PEER_NV("transfer-encoding", "chunked") } },
	{ "twin of transfer-encoding", 400, { M, S, A, P, PEER_NV("transfer_encoding", "chunked") } },
	{ "twin of content-length", 400, { M, S, A, P, PEER_NV("content_length", "5") } },
	{ "upgrade", -1, { M, S, A, P, PEER_NV("upgrade", "h2c") } },
	{ "http2-settings", 400, { M, S, A, P, PEER_NV("http2-settings", "AAMAAABk") } },
	{ "te", -1, { M, S, A, P, PEER_NV("te", "gzip") } },
	{ "upper case", -1, { M, S, A, P, PEER_NV("Accept", "a") } },
	{ "name with a space", 400, { M, S, A, P, PEER_NV("a b", "c") } },
	{ "name with a colon", 400, { M, S, A, P, PEER_NV("a:b", "c") } },
	{ "CR LF in value", 400, { M, S, A, P, PEER_NV("a", "b\r\nevil: 1") } },
	{ "NUL in value", 400, { M, S, A, P, { (uint8_t *)(uintptr_t) "a", (uint8_t *)(uintptr_t) "b\0c", 1, 3, 0 } } },
	{ "white space at the end", 400, { M, S, A, P, PEER_NV("a", "b ") } },
	{ "method with a space", -1, { PEER_NV(":method", "GET /x"), S, A, P } },
	{ "content-length twice", -1, { M, S, A, P, PEER_NV("content-length", "0"), PEER_NV("content-length", "0") } },
	{ "content-length no number", -1, { M, S, A, P, PEER_NV("content-length", "+1") } },
	{ "content-length without a body", -1, { M, S, A, P, PEER_NV("content-length", "5") } },
#undef M
#undef S
#undef A
#undef P
};

static void bad_heads_are_refused_and_recorded(void **state)
{
	const nghttp2_nv get[] = GET("/after");

	(void)state;
	for (size_t i = 0; i < N(heads); i++) {
		struct peer_stream *s, *t;
		size_t n = 0;
		char want[32];

		start(RIG_ECHO, false);
		while (n < 8 && heads[i].nv[n].name)
			n++;
		s = ask(heads[i].nv, n, NULL, 0);
		t = ask(get, N(get), NULL, 0);
		if (!rig_run(all_answered, 2000))
			fail_msg("%s: no answer", heads[i].name);
		snprintf(want, sizeof(want), ":status: %d\n", heads[i].status ? heads[i].status : 200);
		if (heads[i].status >= 0 && !strstr(peer_text(&s->fields), want))
			fail_msg("%s: %s", heads[i].name, peer_text(&s->fields));
		if (heads[i].status < 0 && (*peer_text(&s->fields) || s->code != NGHTTP2_PROTOCOL_ERROR))
			fail_msg("%s: code %u, %s", heads[i].name, s->code, peer_text(&s->fields));
		if (rig.bad != (heads[i].status != 0) || rig.started != 1u + !heads[i].status)
			fail_msg("%s: %u bad, %u started (%s)", heads[i].name, rig.bad, rig.started, rig.why);
		assert_non_null(strstr(peer_text(&t->fields), ":status: 200"));
		stop();
	}
}

static void heads_are_bounded(void **state)
{
	static char big[70000], name[300][8];
	nghttp2_nv nv[310] = GET("/");
	const nghttp2_nv get[] = GET("/after");
	size_t n = 4;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name[i], sizeof(name[i]), "x%d", i);
		nv[n++] = (nghttp2_nv)PEER_NV(name[i], "v");
	}
	start(RIG_ECHO, false);
	ask(nv, n, NULL, 0);
	assert_true(rig_run(all_answered, 2000));
	assert_non_null(strstr(peer_text(&cli.s[0].fields), ":status: 431"));
	assert_int_equal(rig.status, 431);

	memset(big, 'a', sizeof(big) - 1);
	nv[3] = (nghttp2_nv)PEER_NV(":path", big);
	big[0] = '/';
	big[20000] = 0;
	nv[3] = (nghttp2_nv)PEER_NV(":path", big);
	ask(nv, 4, NULL, 0);
	assert_true(rig_run(all_answered, 2000));
	assert_non_null(strstr(peer_text(&cli.s[1].fields), ":status: 414"));
	ask(get, N(get), NULL, 0);
	assert_true(rig_run(all_answered, 2000));
	assert_non_null(strstr(peer_text(&cli.s[2].fields), ":status: 200"));
	stop();
}

static void clients_that_hold_the_window_send_others_elsewhere(void **state)
{
	const nghttp2_nv get[] = GET("/big");

	(void)state;
	start(RIG_PASS, true);
	for (int i = 0; i < 12; i++)
		ask(get, N(get), NULL, 0);
	(void)rig_run(NULL, 100);
	assert_int_equal(srv.n, 12);
	assert_int_equal(rig.u.most, 100);
	cli.no_window = true;
	for (int i = 0; i < 12; i++)
		reply(srv.s[i].id, ok, N(ok), "0123456789", 2000000);
	(void)rig_run(NULL, 1500);
	assert_int_equal(rig.u.most, 1);	/* the pool places nobody here any more */
	cli.no_window = false;
	for (unsigned i = 0; i < cli.n; i++)
		nghttp2_session_consume(cli.session, cli.s[i].id, cli.s[i].body);
	assert_true(rig_run(all_answered, 60000));
	for (unsigned i = 0; i < cli.n; i++)
		assert_int_equal(cli.s[i].sum, sum_of("0123456789", 2000000));
	assert_int_equal(rig.u.most, 100);
	stop();
}

/* What is wiped behind a credential is not wiped before it is sent. */
static void credentials_arrive_whole(void **state)
{
	static char long_value[5][9001];
	nghttp2_nv nv[10] = POST("/long");
	const char *text;
	size_t n = 4;

	(void)state;
	start(RIG_PASS, true);
	rig.secret = true;
	nv[n++] = (nghttp2_nv)PEER_NV("authorization", "Bearer of-a-secret");
	for (int i = 0; i < 5; i++) {
		memset(long_value[i], 'a' + i, 9000);
		nv[n++] = (nghttp2_nv)PEER_NV("x-long", long_value[i]);
	}
	for (int i = 0; i < 3; i++) {
		ask(nv, n, "secret body ", 300000);
		(void)rig_run(NULL, 300);
		assert_int_equal(srv.n, i + 1);
		assert_true(srv.s[i].ended);
		assert_int_equal(srv.s[i].sum, sum_of("secret body ", 300000));
		text = peer_text(&srv.s[i].fields);
		assert_non_null(strstr(text, "authorization: Bearer of-a-secret\n"));
		for (int k = 0; k < 5; k++)
			assert_non_null(strstr(text, long_value[k]));
		reply(srv.s[i].id, ok, N(ok), NULL, 0);
	}
	assert_true(rig_run(all_answered, 2000));
	stop();
}

static void a_refused_head_has_no_body(void **state)
{
	const nghttp2_nv nv[] = { PEER_NV(":method", "HEAD"), PEER_NV(":scheme", "http"), PEER_NV(":authority", "a.example"),
				  PEER_NV(":path", "/") };

	(void)state;
	start(RIG_ECHO, false);
	ask(nv, N(nv), NULL, 0);
	assert_true(rig_run(all_answered, 2000));
	assert_non_null(strstr(peer_text(&cli.s[0].fields), ":status: 400"));
	assert_int_equal(cli.s[0].body, 0);
	stop();
}

static const struct {
	const char *name;
	nghttp2_nv nv[4];
} answers[] = {
	{ "no status", { PEER_NV("a", "b") } },
	{ "101", { PEER_NV(":status", "101") } },
	{ "status of two digits", { PEER_NV(":status", "20") } },
	{ "status 600", { PEER_NV(":status", "600") } },
	{ "status 099", { PEER_NV(":status", "099") } },
	{ "transfer-encoding", { PEER_NV(":status", "200"), PEER_NV("transfer-encoding", "chunked") } },
	{ "connection", { PEER_NV(":status", "200"), PEER_NV("connection", "close") } },
	{ "CR LF", { PEER_NV(":status", "200"), PEER_NV("a", "b\r\nset-cookie: c") } },
	{ "upper case", { PEER_NV(":status", "200"), PEER_NV("Server", "c") } },
	{ "content-length that lies", { PEER_NV(":status", "200"), PEER_NV("content-length", "7") } },
};

static void bad_answers_are_not_passed_on(void **state)
{
	const nghttp2_nv get[] = GET("/");

	(void)state;
	for (size_t i = 0; i < N(answers); i++) {
		size_t n = 0;

		start(RIG_PASS, true);
		ask(get, N(get), NULL, 0);
		assert_true(rig_run(first_asked, 2000));
		while (n < 4 && answers[i].nv[n].name)
			n++;
		reply(srv.s[0].id, answers[i].nv, n, NULL, 0);
		if (!rig_run(all_answered, 2000))
			fail_msg("%s: no answer", answers[i].name);
		if (rig.gone[GONE_PROTOCOL] != 1)
			fail_msg("%s: not a broken answer", answers[i].name);
		assert_non_null(strstr(peer_text(&cli.s[0].fields), ":status: 502"));
		stop();
	}
}

static void an_answer_is_delivered_though_its_stream_closed(void **state)
{
	const nghttp2_nv get[] = GET("/");

	(void)state;
	start(RIG_PASS, true);
	ask(get, N(get), NULL, 0);
	assert_true(rig_run(first_asked, 2000));
	cli.no_window = true;
	reply(srv.s[0].id, ok, N(ok), "0123456789", 400000);
	assert_true(rig_run(first_closed_upstream, 2000));	/* within our window */
	(void)rig_run(NULL, 100);
	assert_false(cli.s[0].closed);
	cli.no_window = false;
	nghttp2_session_consume(cli.session, cli.s[0].id, cli.s[0].body);
	assert_true(rig_run(all_answered, 5000));
	assert_int_equal(cli.s[0].body, 400000);
	(void)rig_run(NULL, 50);
	assert_int_equal(rig.slots_freed, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_answer_cross),
		cmocka_unit_test(trailers_and_informational_heads_cross),
		cmocka_unit_test(large_bodies_cross_unchanged),
		cmocka_unit_test(a_stream_that_stands_still_holds_up_no_other),
		cmocka_unit_test(a_client_that_does_not_read_stops_the_upstream),
		cmocka_unit_test(a_cancel_goes_upstream),
		cmocka_unit_test(a_reset_upstream_reaches_the_client),
		cmocka_unit_test(refused_streams_and_goaway_may_be_sent_again),
		cmocka_unit_test(a_kept_connection_that_ends_is_stale),
		cmocka_unit_test(one_denied_stream_leaves_the_others_alone),
		cmocka_unit_test(many_requests_echo),
		cmocka_unit_test(a_drained_connection_ends_with_its_last_answer),
		cmocka_unit_test(the_peers_limit_of_streams_is_kept),
		cmocka_unit_test(bad_heads_are_refused_and_recorded),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(clients_that_hold_the_window_send_others_elsewhere),
		cmocka_unit_test(credentials_arrive_whole),
		cmocka_unit_test(a_refused_head_has_no_body),
		cmocka_unit_test(bad_answers_are_not_passed_on),
		cmocka_unit_test(an_answer_is_delivered_though_its_stream_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
