/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges between sides of our own, with a pool and rules of our own: who hears what, in which order, what
 * is tried again, what is held and thrown away, and that nothing is left over, whoever goes away when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cred/cred.h"
#include "flow.h"
#include "http/conn.h"
#include "http/exchange_parts.h"
#include "http/pool.h"
#include "osh/creds.h"
#include "osh/msg.h"
#include "rules/rules.h"

#include <cmocka.h>

/* ---- what the exchange finds around it */

static struct {
	enum osh_verdict verdict;
	size_t wants;			/* bytes of body that the rules ask for */
	bool place;			/* the pool has a place at once */
	int asked, fresh;		/* how often the pool was asked; and for a new connection */
	struct pool_wait *waiting;
	const char *path;		/* that the rules find, NULL = /canonical */
	uint32_t l7;			/* and the endpoint */
} world;

bool rules_inspect(const struct bundle *b, const struct target *t)
{
	(void)b, (void)t;
	return true;
}

size_t rules_wants_body(const struct bundle *b, const struct target *t, const struct rules_request *q)
{
	(void)b, (void)t, (void)q;
	return world.wants;
}

void rules_pass(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	rules_judge(b, t, q, a);
}

void rules_judge(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	(void)b, (void)t;
	*a = (struct rules_answer){ .verdict = world.verdict,
				    .why = world.verdict == OSH_ALLOW ? OSH_WHY_ALLOWED : OSH_WHY_REQUEST };
	snprintf(a->path, sizeof(a->path), "%s", world.path ? world.path : "/canonical");
	a->l7 = world.l7;
	if (q->body.n && !memcmp(q->body.p, "bad", 3))
		a->verdict = OSH_DENY;
}

struct end {				/* a side, and what it was told */
	struct side side;
	char log[4096];
	size_t room;			/* bytes it takes */
	bool upstream;
};

#define UPS 10				/* more than a request is ever sent */

static struct end client, up[UPS];
static struct loop loop;
static struct flows fs;
static struct conn conn;
static int audit = -1;

static void say(struct end *e, const char *fmt, ...)
{
	size_t n = strlen(e->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->log + n, sizeof(e->log) - n, fmt, ap);
	va_end(ap);
}

static void on_head(struct side *s, const struct head *h, bool end)
{
	struct end *e = container_of(s, struct end, side);

	if (e->upstream)
		say(e, "%s %s%s ", head_str(h, h->method), head_str(h, h->target), end ? "." : "");
	else
		say(e, "%u%s ", h->status, end ? "." : "");
}

static size_t on_body(struct side *s, struct slice b)
{
	struct end *e = container_of(s, struct end, side);
	size_t n = b.n < e->room ? b.n : e->room;

	e->room -= n;
	if (n && b.p[0] == '{')
		say(e, "json ");
	else if (n)
		say(e, "%.*s ", (int)n, b.p);
	return n;
}

static void on_end(struct side *s, const struct head *t)
{
	struct end *e = container_of(s, struct end, side);

	assert_true(e->upstream || !s->x);	/* a client is unlinked before its last word */
	say(e, t ? "end+ " : "end ");
}

static void on_resume(struct side *s)
{
	say(container_of(s, struct end, side), "resume ");
}

static void on_abort(struct side *s, enum gone why)
{
	assert_null(s->x);
	say(container_of(s, struct end, side), "abort%d ", why);
}

static const struct side_ops ops = { on_head, on_body, on_end, on_resume, on_abort };

void pool_get(struct flows *f, const struct pool_ask *q, struct pool_wait *w)
{
	struct end *e = &up[world.asked++];

	(void)f;
	world.fresh += q->fresh;
	world.waiting = w;
	if (world.place)
		w->fn(w, &e->side, OSH_WHY_ALLOWED, "");
}

void pool_cancel(struct pool_wait *w)
{
	if (world.waiting == w)
		world.waiting = NULL;
}

/* ---- helpers */

static void settle(void)
{
	struct timer *t;

	exchange_resume_all(&fs);
	for (int c = TIMER_NOW; c <= TIMER_GRACE; c++)	/* as if their time had come */
		while ((t = TAILQ_FIRST(&loop.timers[c]))) {
			loop_disarm(&loop, t);
			t->fn(t);
		}
}

static int setup(void **state)
{
	struct err e;
	int pair[2], big = 1 << 22;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.verdict = OSH_ALLOW;
	world.place = true;
	memset(&fs, 0, sizeof(fs));
	assert_int_equal(loop_init(&loop, &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	audit = pair[1];
	assert_int_equal(records_init(&fs.records, &loop, pair[0], &e), 0);
	fs.loop = &loop;
	static struct grant grant;
	static struct generation policy;

	policy = (struct generation){ .table = { .bundle = &policy.bundle, .idents_fd = -1 }, .refs = 1 };
	grant = (struct grant){ .policy = &policy, .refs = 1, .why = OSH_WHY_ALLOWED,
				.target = { .port = 443, .name = "a.example" } };
	fs.policies.now = &policy;
	exchanges_init(&fs);
	conn = (struct conn){ .fs = &fs, .grant = &grant, .tls = true };
	client = (struct end){ .side.ops = &ops, .room = 1 << 20 };
	for (int i = 0; i < UPS; i++)
		up[i] = (struct end){ .side.ops = &ops, .room = 1 << 20, .upstream = true };
	return 0;
}

/* Whatever happened: nothing is held, reserved, linked or counted any more. */
static int teardown(void **state)
{
	(void)state;
	settle();
	assert_null(client.side.x);
	for (int i = 0; i < UPS; i++)
		assert_null(up[i].side.x);
	assert_int_equal(conn.exchanges, 0);
	assert_int_equal(fs.requests, 0);
	assert_int_equal(fs.held, 0);
	assert_int_equal(fs.records.reserved, 0);
	assert_true(TAILQ_EMPTY(&fs.waiting));
	close(fs.records.w.fd);
	close(audit);
	free(fs.records.ring);
	close(loop.epfd);
	return 0;
}

static int records(enum osh_verdict v, enum osh_reason why)
{
	struct osh_msg_request m;
	int n = 0;

	while (recv(audit, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m))
		n += m.e.ev.kind == OSH_EV_HTTP && m.e.ev.verdict == v && m.e.ev.why == why;
	return n;
}

static void request(const char *method, bool end, const char *field, const char *value)
{
	struct head h = { .version = 11 };
	struct exchange *x = exchange_new(&conn, &client.side);

	assert_non_null(x);
	h.method = head_text(&h, slice_of(method));
	h.target = head_text(&h, SLICE("/a/../canonical"));
	h.authority = head_text(&h, SLICE("a.example"));
	if (field)
		assert_true(head_add(&h, slice_of(field), slice_of(value)));
	exchange_head(x, &client.side, &h, end);
	head_done(&h);
}

static void answer(struct end *e, unsigned status, bool end)
{
	struct head h = { .status = (uint16_t)status, .version = 11 };

	exchange_head(e->side.x, &e->side, &h, end);
	head_done(&h);
}

static size_t send_body(struct end *e, const char *text)
{
	return exchange_body(e->side.x, &e->side, slice_of(text));
}

#define HEARD(e, text) assert_string_equal((e).log, text)

/* ---- tests */

static void a_request_and_its_answer(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	HEARD(up[0], "GET /canonical. ");
	answer(&up[0], 200, false);
	assert_int_equal(send_body(&up[0], "hello"), 5);
	exchange_end(up[0].side.x, &up[0].side, NULL);
	HEARD(client, "200 hello end ");
	HEARD(up[0], "GET /canonical. ");	/* not aborted: it may be used again */
	assert_int_equal(records(OSH_ALLOW, OSH_WHY_ALLOWED), 1);
}

static void an_answer_without_a_body(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	answer(&up[0], 103, false);
	answer(&up[0], 204, true);
	HEARD(client, "103 204. ");
}

static void bodies_have_backpressure(void **state)
{
	(void)state;
	world.place = false;
	request("POST", false, NULL, NULL);
	assert_int_equal(send_body(&client, "abcdef"), 0);	/* no upstream yet */
	up[0].room = 4;
	world.waiting->fn(world.waiting, &up[0].side, OSH_WHY_ALLOWED, "");
	HEARD(client, "resume ");
	assert_int_equal(send_body(&client, "abcdef"), 4);
	up[0].room = 100;
	exchange_writable(up[0].side.x, &up[0].side);
	assert_int_equal(send_body(&client, "ef"), 2);
	exchange_end(client.side.x, &client.side, NULL);
	HEARD(up[0], "POST /canonical abcd ef end ");
	client.room = 2;
	answer(&up[0], 200, false);
	assert_int_equal(send_body(&up[0], "xyz"), 2);
	client.room = 2;
	exchange_writable(client.side.x, &client.side);
	assert_int_equal(send_body(&up[0], "z"), 1);
	exchange_end(up[0].side.x, &up[0].side, NULL);
	HEARD(client, "resume resume 200 xy z end ");
	HEARD(up[0], "POST /canonical abcd ef end resume ");
}

static void a_denial_takes_the_body_first(void **state)
{
	(void)state;
	world.verdict = OSH_DENY;
	request("POST", false, NULL, NULL);
	HEARD(client, "");
	assert_int_equal(send_body(&client, "abcdef"), 6);
	exchange_end(client.side.x, &client.side, NULL);
	HEARD(client, "403 json end ");
	assert_int_equal(world.asked, 0);
	assert_int_equal(records(OSH_DENY, OSH_WHY_REQUEST), 1);
}

static void a_denial_waits_for_no_pause(void **state)
{
	(void)state;
	world.verdict = OSH_DENY;
	request("POST", false, NULL, NULL);
	assert_int_equal(send_body(&client, "abcdef"), 6);
	settle();
	HEARD(client, "403 json end ");
}

static void a_denial_without_a_body(void **state)
{
	(void)state;
	world.verdict = OSH_DENY;
	request("HEAD", true, NULL, NULL);
	HEARD(client, "403. ");
	client.log[0] = 0;
	request("POST", false, "expect", "100-continue");
	HEARD(client, "403 json end ");
}

static void a_denial_waits_for_room(void **state)
{
	(void)state;
	world.verdict = OSH_DENY;
	client.room = 10;
	request("GET", true, NULL, NULL);
	HEARD(client, "403 json ");
	client.room = 1 << 20;
	exchange_writable(client.side.x, &client.side);
	assert_null(client.side.x);
}

static void audit_mode_sends_on(void **state)
{
	(void)state;
	world.verdict = OSH_AUDIT;
	request("GET", true, NULL, NULL);
	answer(&up[0], 200, true);
	HEARD(client, "200. ");
	assert_int_equal(records(OSH_AUDIT, OSH_WHY_REQUEST), 1);
}

static void a_stale_connection_is_tried_again_once(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	exchange_gone(up[0].side.x, &up[0].side, GONE_STALE);
	HEARD(up[1], "GET /canonical. ");
	assert_int_equal(world.fresh, 1);
	exchange_gone(up[1].side.x, &up[1].side, GONE_STALE);
	HEARD(client, "502 json end ");
	assert_int_equal(world.asked, 2);
	assert_int_equal(records(OSH_DENY, OSH_WHY_UPSTREAM_HTTP), 1);
}

static void what_may_have_been_done_is_not_tried_again(void **state)
{
	(void)state;
	request("POST", true, NULL, NULL);
	exchange_gone(up[0].side.x, &up[0].side, GONE_STALE);
	HEARD(client, "502 json end ");
	client.log[0] = 0;
	request("PUT", false, NULL, NULL);
	assert_int_equal(send_body(&client, "abc"), 3);
	exchange_gone(up[1].side.x, &up[1].side, GONE_REFUSED);
	settle();
	HEARD(client, "resume 502 json end ");
	assert_int_equal(world.asked, 2);
}

static void a_refused_request_is_tried_again_whatever_it_is(void **state)
{
	(void)state;
	request("POST", false, NULL, NULL);
	exchange_gone(up[0].side.x, &up[0].side, GONE_REFUSED);
	assert_int_equal(send_body(&client, "abc"), 3);
	exchange_end(client.side.x, &client.side, NULL);
	HEARD(up[1], "POST /canonical abc end ");
	answer(&up[1], 200, true);
}

static void a_cut_answer_is_cut(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	answer(&up[0], 200, false);
	send_body(&up[0], "half");
	exchange_gone(up[0].side.x, &up[0].side, GONE_RESET);
	HEARD(client, "200 half abort0 ");
	assert_int_equal(world.asked, 1);
}

static void a_client_that_goes_takes_its_upstream_along(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	exchange_gone(client.side.x, &client.side, GONE_RESET);
	HEARD(up[0], "GET /canonical. abort0 ");
	world.place = false;
	request("GET", true, NULL, NULL);
	exchange_gone(client.side.x, &client.side, GONE_RESET);
	assert_null(world.waiting);
	world.verdict = OSH_DENY;
	request("POST", false, NULL, NULL);
	exchange_gone(client.side.x, &client.side, GONE_RESET);
}

static void an_early_answer_aborts_the_upstream(void **state)
{
	(void)state;
	request("POST", false, NULL, NULL);
	send_body(&client, "abc");
	answer(&up[0], 413, true);
	HEARD(client, "413. ");
	HEARD(up[0], "POST /canonical abc abort0 ");
}

static void no_upstream_is_an_answer(void **state)
{
	(void)state;
	world.place = false;
	request("GET", true, NULL, NULL);
	world.waiting->fn(world.waiting, NULL, OSH_WHY_ADDR_PRIVATE, "");
	HEARD(client, "403 json end ");
	client.log[0] = 0;
	request("GET", true, NULL, NULL);
	world.waiting->fn(world.waiting, NULL, OSH_WHY_UPSTREAM_CERT, "expired");
	HEARD(client, "502 json end ");
}

static void a_body_is_judged_whole(void **state)
{
	(void)state;
	world.wants = 100;
	request("POST", false, "expect", "100-continue");
	HEARD(client, "100 ");
	assert_int_equal(send_body(&client, "good "), 5);
	assert_int_equal(fs.held, 5);
	assert_int_equal(world.asked, 0);
	send_body(&client, "body");
	exchange_end(client.side.x, &client.side, NULL);
	HEARD(up[0], "POST /canonical good body end ");
	answer(&up[0], 200, true);
	assert_int_equal(fs.held, 0);
	request("POST", false, NULL, NULL);
	send_body(&client, "bad");
	exchange_end(client.side.x, &client.side, NULL);
	HEARD(client, "100 200. 403 json end ");
	assert_int_equal(world.asked, 1);
}

static void a_body_too_large_to_judge_is_refused(void **state)
{
	(void)state;
	world.wants = 4;
	request("POST", false, NULL, NULL);
	assert_int_equal(send_body(&client, "more than that"), 14);
	settle();
	HEARD(client, "413 json end ");
	assert_int_equal(world.asked, 0);
}

static void other_names_are_refused(void **state)
{
	struct head h = { .version = 20 };
	struct exchange *x = exchange_new(&conn, &client.side);

	(void)state;
	h.method = head_text(&h, SLICE("GET"));
	h.target = head_text(&h, SLICE("/"));
	h.scheme = head_text(&h, SLICE("https"));
	h.authority = head_text(&h, SLICE("b.example"));
	exchange_head(x, &client.side, &h, true);
	head_done(&h);
	HEARD(client, "421 json end ");
	assert_int_equal(records(OSH_DENY, OSH_WHY_AUTHORITY), 1);
}

static void an_unasked_101_is_no_tunnel(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	answer(&up[0], 101, false);
	HEARD(client, "502 json end ");
	HEARD(up[0], "GET /canonical. abort0 ");
}

static void a_tunnel_ends_with_its_upstream(void **state)
{
	(void)state;
	request("GET", true, "upgrade", "websocket");
	answer(&up[0], 101, false);
	assert_int_equal(send_body(&client, "ping"), 4);
	assert_int_equal(send_body(&up[0], "pong"), 4);
	exchange_end(up[0].side.x, &up[0].side, NULL);
	HEARD(client, "101 pong end ");
	HEARD(up[0], "GET /canonical. ping abort0 ");
}

static void other_upgrades_are_refused(void **state)
{
	(void)state;
	request("GET", true, "upgrade", "h2c");
	HEARD(client, "403 json end ");
}

static void a_flood_of_1xx_is_not_passed_on(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	for (int i = 0; i < 100; i++)
		answer(&up[0], 103, false);
	assert_int_equal(strlen(client.log), 16 * 4);
	answer(&up[0], 200, true);
}

static void without_room_for_its_record_a_request_waits(void **state)
{
	unsigned room = RECORDS - RECORDS_SPARE;

	(void)state;
	for (unsigned i = 0; i < room; i++)
		assert_true(records_reserve(&fs.records));
	request("GET", true, NULL, NULL);
	assert_int_equal(world.asked, 0);
	settle();
	assert_int_equal(world.asked, 0);
	for (unsigned i = 0; i < room; i++)
		records_release(&fs.records);
	settle();
	HEARD(up[0], "GET /canonical. ");
	answer(&up[0], 200, true);
	for (unsigned i = 0; i < room; i++)
		assert_true(records_reserve(&fs.records));
	request("GET", true, NULL, NULL);
	exchange_gone(client.side.x, &client.side, GONE_RESET);
	for (unsigned i = 0; i < room; i++)
		records_release(&fs.records);
}

static void too_many_requests_are_refused(void **state)
{
	struct side s = { .ops = &ops };

	(void)state;
	fs.requests = OSH_EGRESS_REQUESTS;
	assert_null(exchange_new(&conn, &s));
	fs.requests = 0;
	assert_int_equal(records(OSH_DENY, OSH_WHY_LIMIT), 1);
}

/* ---- with a credential in the sandbox, for this host */

#define RECORD "{\"hosts\":[\"a.example\"],\"placement\":{\"header\":\"x-key\"}}"
#define SECRET "sk/live+4eC39HqLyjWD"
#define SECOND "sk/live+5fD40IrMzkXE"	/* as long */

static int set_of(const char *secret)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, 1 };
	struct osh_creds_entry en = { .name = "acme", .placeholder = "osh-placeholder-acme-0123456789abcdef",
				      .record = sizeof(head) + sizeof(en), .record_len = sizeof(RECORD) - 1,
				      .secret = sizeof(head) + sizeof(en) + sizeof(RECORD) - 1,
				      .secret_len = sizeof(SECRET) - 1 };
	int fd = memfd_create("creds", MFD_CLOEXEC);

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, &en, sizeof(en)), sizeof(en));
	assert_int_equal(write(fd, RECORD, sizeof(RECORD) - 1), sizeof(RECORD) - 1);
	assert_int_equal(write(fd, secret, sizeof(SECRET) - 1), sizeof(SECRET) - 1);
	return fd;
}

static void with_credentials(void)
{
	int fd = set_of(SECRET);
	struct err e;

	assert_int_equal(creds_load(&fs.creds, fd, &e), 0);
	close(fd);
}

/* As when oshd brings another set. */
static void rotate(struct exchange *x)
{
	int fd = set_of(SECOND);
	struct err e;

	assert_int_equal(creds_next(&fs.creds, fd, &e), 0);
	close(fd);
	conn.listed = true;
	exchange_creds(x);
	conn.listed = false;
}

/* Whoever gives more than is looked at in one go is not left waiting for a word that nobody says. */
static void a_searched_body_does_not_stall(void **state)
{
	static char much[300000];

	(void)state;
	with_credentials();
	memset(much, '{', sizeof(much));
	request("POST", false, NULL, NULL);
	assert_int_equal(exchange_body(client.side.x, &client.side, (struct slice){ much, sizeof(much) }), sizeof(much));
	exchange_end(client.side.x, &client.side, NULL);
	answer(&up[0], 200, false);
	assert_int_equal(exchange_body(up[0].side.x, &up[0].side, (struct slice){ much, sizeof(much) }), sizeof(much));
	assert_int_equal(client.room, (1 << 20) - sizeof(much));
	assert_int_equal(send_body(&up[0], "x " SECRET), sizeof(SECRET) + 1);
	assert_null(strstr(client.log, "sk/"));
	assert_int_equal(records(OSH_DENY, OSH_WHY_ECHO), 1);
	settle();
	creds_free(fs.creds);
}

/* What is compressed cannot be searched, on whichever request to the host it was asked for. */
static void a_host_that_knows_a_secret_is_asked_for_plain_answers(void **state)
{
	struct exchange *x;

	(void)state;
	with_credentials();
	world.verdict = OSH_AUDIT;
	request("GET", true, "accept-encoding", "gzip");
	x = up[0].side.x;
	assert_string_equal(head_value(&x->head, head_find(&x->head, "accept-encoding", 0)).p, "identity");
	answer(&up[0], 204, true);
	settle();
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "sec-websocket-extensions", "accept-charset", "a-im" };

		request("GET", true, names[i], "utf-16");
		x = up[1 + i].side.x;
		assert_null(head_find(&x->head, names[i], 0));
		answer(&up[1 + i], 204, true);
		settle();
	}
	creds_free(fs.creds);
}

/* A policy with a route to a.example, for calls of models by every request. */
static void with_a_route(struct generation *p, const char *provider)
{
	static const char strings[] = "\0r\0a.example\0acme";
	static const struct osh_b_host host = { .name = 3 };
	static const struct osh_b_inference inference;
	static const struct osh_b_l7 l7 = { .flags = OSH_L7_INFERENCE };
	static struct osh_b_route routes[2];
	struct osh_b_route *r = &routes[*provider != 0];

	*r = (struct osh_b_route){ .name = 1, .host = 1, .port = 443, .api = OSH_API_OPENAI, .provider = *provider ? 13 : 0 };
	p->bundle = (struct bundle){ .strings = strings, .n_strings = sizeof(strings), .hosts = &host, .n_hosts = 1, .l7 = &l7,
				     .n_l7 = 1, .inference = &inference, .n_inference = 1, .routes = r, .n_routes = 1 };
	world.path = "/v1/models";
	world.l7 = 1;
}

/* Nor is it sent a second time with a credential that the policy in force has not for it. */
static void a_call_of_a_model_keeps_no_former_credential(void **state)
{
	static struct generation next;
	static struct grant grant;
	struct exchange *x;

	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	request("GET", true, NULL, NULL);
	x = up[0].side.x;
	assert_non_null(x);
	assert_non_null(head_find(&x->head, "x-key", 0));
	next = (struct generation){ .table = { .bundle = &next.bundle, .idents_fd = -1, .generation = 1 }, .refs = 1 };
	with_a_route(&next, "");
	grant = (struct grant){ .policy = &next, .refs = 2, .why = OSH_WHY_ALLOWED, .target = conn.grant->target };
	fs.policies.now = &next;
	conn.grant = &grant;
	conn.listed = true;
	exchange_again(x);
	conn.listed = false;
	assert_ptr_equal(up[0].side.x, x);	/* what was sent goes on */
	exchange_gone(x, &up[0].side, GONE_REFUSED);
	assert_int_equal(world.asked, 1);
	settle();
	assert_non_null(strstr(client.log, "502"));
	creds_free(fs.creds);
}

static void check_key(const struct exchange *x, const char *secret)
{
	const struct field *f = head_find(&x->head, "x-key", 0);

	assert_non_null(f);
	assert_true(slice_is(head_value(&x->head, f), secret));
}

/* What waits for a connection when its credential is rotated goes with the new one. */
static void what_waits_goes_with_the_new_secret(void **state)
{
	struct exchange *x;

	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	world.place = false;
	request("GET", true, NULL, NULL);
	x = client.side.x;
	check_key(x, SECRET);
	rotate(x);
	assert_int_equal(world.asked, 2);
	assert_ptr_equal(world.waiting, &x->wait);
	check_key(x, SECOND);
	x->wait.fn(&x->wait, &up[1].side, OSH_WHY_ALLOWED, "");
	HEARD(up[1], "GET /v1/models. ");
	answer(&up[1], 204, true);
	settle();
	creds_free(fs.creds);
}

static void what_was_sent_is_not_sent_again_after_a_rotation(void **state)
{
	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	request("GET", true, NULL, NULL);
	rotate(up[0].side.x);
	check_key(up[0].side.x, SECRET);		/* it finishes with that */
	exchange_gone(up[0].side.x, &up[0].side, GONE_REFUSED);
	assert_int_equal(world.asked, 1);
	settle();
	assert_non_null(strstr(client.log, "502"));
	creds_free(fs.creds);
}

/* Of a call of a model nothing goes on that is not needed, and what comes last neither. */
static void a_call_of_a_model_has_no_trailers(void **state)
{
	struct head last = { 0 };

	(void)state;
	with_a_route(fs.policies.now, "");
	request("GET", false, NULL, NULL);
	assert_int_equal(send_body(&client, "body"), 4);
	assert_true(head_add(&last, SLICE("x-spy"), SLICE("1")));
	exchange_end(client.side.x, &client.side, &last);
	head_done(&last);
	HEARD(up[0], "GET /v1/models body end ");
	answer(&up[0], 204, true);
}

/* Streams that last for hours, as many as anybody opens, leave the others room for their records. */
static void calls_of_models_leave_room(void **state)
{
	int most = 0;

	(void)state;
	while (most < RECORDS && records_reserve_long(&fs.records))
		most++;
	with_a_route(fs.policies.now, "");
	request("GET", true, NULL, NULL);
	settle();
	assert_non_null(strstr(client.log, "503"));
	assert_int_equal(records(OSH_DENY, OSH_WHY_LIMIT), 1);
	world.l7 = 0;
	request("GET", true, NULL, NULL);
	HEARD(up[0], "GET /v1/models. ");
	answer(&up[0], 204, true);
	while (most--)
		records_release(&fs.records);
}

/* What a side may still do by the contract, told from what it did. */
struct said {
	bool head, end;
};

static bool gone, walk_ended;		/* the client left; it had its answer */

static void client_says(struct said *c, int what)
{
	struct side *s = &client.side;

	if (!s->x)
		return;
	if (what == 0 && !c->end) {
		(void)exchange_body(s->x, s, SLICE("client's bytes"));
	} else if (what == 1 && !c->end) {
		c->end = true;
		exchange_end(s->x, s, NULL);
	} else if (what == 2) {
		exchange_writable(s->x, s);
	} else if (what == 3) {
		gone = true;
		exchange_gone(s->x, s, GONE_RESET);
	}
}

static void upstream_says(struct said *u, struct end *e, int what)
{
	struct side *s = &e->side;

	if (!s->x)
		return;
	if (what == 0 && !u->head) {
		answer(e, rand() % 4 ? 200 : 103, false);
		u->head = true;
	} else if (what == 1 && !u->head) {
		answer(e, 204, true);
		u->end = true;
	} else if (what <= 2 && u->head) {
		(void)exchange_body(s->x, s, SLICE("upstream's bytes"));
	} else if (what == 3 && u->head) {
		u->end = true;
		exchange_end(s->x, s, NULL);
	} else if (what == 4) {
		exchange_writable(s->x, s);
	} else if (what == 5) {
		exchange_gone(s->x, s, (enum gone)(rand() % (GONE_TIMEOUT + 1)));
	}
}

static void one_walk(void)
{
	struct said c = { 0 }, u[UPS] = { 0 };
	bool end = rand() % 2, ws = end && !(rand() % 4);

	gone = false;
	memset(&world, 0, sizeof(world));
	world.verdict = rand() % 4 ? OSH_ALLOW : rand() % 2 ? OSH_DENY : OSH_AUDIT;
	world.place = rand() % 2;
	world.wants = rand() % 3 ? 0 : 40;
	for (int i = 0; i < UPS; i++)
		up[i] = (struct end){ .side.ops = &ops, .room = (size_t)rand() % 64, .upstream = true };
	client = (struct end){ .side.ops = &ops, .room = (size_t)rand() % 2000 };
	c.end = end;
	request(rand() % 2 ? "GET" : "POST", end, ws ? "upgrade" : rand() % 8 ? NULL : "expect", ws ? "websocket" : "100-continue");
	for (int step = 0; step < 60 && client.side.x; step++) {
		struct pool_wait *w = world.waiting;
		int who = rand() % 8;

		client.log[0] = up[0].log[0] = up[1].log[0] = 0;
		client.room += (size_t)rand() % 100;
		up[0].room += (size_t)rand() % 20;
		if (who < 3)
			client_says(&c, rand() % 16 ? rand() % 3 : 3);
		else if (who < 6 && world.asked)
			upstream_says(&u[world.asked - 1], &up[world.asked - 1], rand() % 12 ? rand() % 5 : 5);
		else if (who == 6 && w) {
			world.waiting = NULL;
			w->fn(w, rand() % 5 ? &up[world.asked - 1].side : NULL, OSH_WHY_UPSTREAM, "");
		} else if (who == 7 && !(rand() % 4))
			settle();
	}
	walk_ended = !client.side.x && !gone;
	if (client.side.x)
		exchange_gone(client.side.x, &client.side, GONE_RESET);
	(void)records(OSH_ALLOW, OSH_WHY_ALLOWED);
	settle();
	assert_null(client.side.x);
	for (int i = 0; i < UPS; i++)
		assert_null(up[i].side.x);
	assert_int_equal(conn.exchanges + fs.requests + fs.held + fs.records.reserved, 0);
}

/* Any order of what sides, pool and clock may do: nobody is called who left, nothing is left over. */
static void random_walks(void **state)
{
	int opened = 0, ended = 0;

	(void)state;
	srand(4);
	for (int i = 0; i < 100000; i++) {
		one_walk();
		opened += world.asked > 0;
		ended += walk_ended;
	}
	print_message("# %d of 100000 went upstream, %d were answered\n", opened, ended);
	assert_true(opened > 50000 && ended > 10000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_and_its_answer),
		T(an_answer_without_a_body),
		T(bodies_have_backpressure),
		T(a_denial_takes_the_body_first),
		T(a_denial_waits_for_no_pause),
		T(a_denial_without_a_body),
		T(a_denial_waits_for_room),
		T(audit_mode_sends_on),
		T(a_stale_connection_is_tried_again_once),
		T(what_may_have_been_done_is_not_tried_again),
		T(a_refused_request_is_tried_again_whatever_it_is),
		T(a_cut_answer_is_cut),
		T(a_client_that_goes_takes_its_upstream_along),
		T(an_early_answer_aborts_the_upstream),
		T(no_upstream_is_an_answer),
		T(a_body_is_judged_whole),
		T(a_body_too_large_to_judge_is_refused),
		T(other_names_are_refused),
		T(an_unasked_101_is_no_tunnel),
		T(a_tunnel_ends_with_its_upstream),
		T(other_upgrades_are_refused),
		T(a_flood_of_1xx_is_not_passed_on),
		T(without_room_for_its_record_a_request_waits),
		T(too_many_requests_are_refused),
		T(random_walks),
		T(a_searched_body_does_not_stall),
		T(a_host_that_knows_a_secret_is_asked_for_plain_answers),
		T(a_call_of_a_model_keeps_no_former_credential),
		T(what_waits_goes_with_the_new_secret),
		T(what_was_sent_is_not_sent_again_after_a_rotation),
		T(a_call_of_a_model_has_no_trailers),
		T(calls_of_models_leave_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
