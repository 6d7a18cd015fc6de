/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of models that limits count, between sides of our own and an oshd of our own: what is asked before anything is
 * sent, what is said when it is over, whoever goes away when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "http/conn.h"
#include "http/exchange_parts.h"
#include "http/inference.h"
#include "http/pool.h"
#include "osh/msg.h"
#include "own.h"
#include "rules/rules.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define BODY "{\"model\":\"m\",\"max_tokens\":100,\"a\":\"bcdefghijk\"}"
#define GUESS (((sizeof(BODY) - 1 + 2) / 3))

/* ---- a policy */

static const char strings[] = "\0one\0h.test\0two\0m\0z";	/* 1 one, 5 h.test, 12 two, 16 m, 18 z */
static const uint32_t patterns[] = { 16, 18 };
static const struct osh_b_host hosts[] = { { 5, OSH_HOST_EXACT } };
static const struct osh_b_rule rules[] = { { .name = 1, .line = 1, .l7 = 1 } };
static const struct osh_b_l7 l7s[] = { { .flags = OSH_L7_INFERENCE } };
static struct osh_b_inference inference;
static const struct osh_b_route routes[] = {
	{ .name = 1, .host = 1, .port = 443, .api = OSH_API_OPENAI },
	{ .name = 12, .host = 1, .port = 444, .api = OSH_API_OPENAI },
};
static struct osh_b_price prices[1];
static struct osh_b_budget budgets[3];
static const struct bundle policy = {
	.strings = strings, .n_strings = sizeof(strings), .patterns = patterns, .n_patterns = 2, .hosts = hosts, .n_hosts = 1,
	.rules = rules, .n_rules = 1, .l7 = l7s, .n_l7 = 1, .inference = &inference, .n_inference = 1, .routes = routes,
	.n_routes = 2, .budgets = budgets, .n_budgets = 3, .prices = prices, .n_prices = 1,
};

static const char *path;

bool rules_inspect(const struct bundle *b, const struct target *t)
{
	(void)b, (void)t;
	return true;
}

size_t rules_wants_body(const struct bundle *b, const struct target *t, const struct rules_request *q)
{
	(void)b, (void)t, (void)q;
	return 0;
}

void rules_judge(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	(void)b, (void)t, (void)q;
	*a = (struct rules_answer){ .verdict = OSH_ALLOW, .why = OSH_WHY_ALLOWED, .l7 = 1 };
	snprintf(a->path, sizeof(a->path), "%s", path);
}

void rules_pass(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	rules_judge(b, t, q, a);
}

/* ---- what is around an exchange */

#define CALLS 100

struct end {
	struct side side;
	bool upstream;
	unsigned status;
	char text[4096], retry[16];
	bool over;
};

static struct end clients[CALLS], ups[2 * CALLS];
static struct loop loop;
static struct flows fs;
static struct conn conn;
static struct pool_wait *waits[2 * CALLS];
static int n_ups, oshd = -1, audit = -1;
static bool no_place;

static void on_head(struct side *s, const struct head *h, bool end)
{
	struct end *e = container_of(s, struct end, side);
	const struct field *f = head_find(h, "retry-after", 0);
	struct slice v = f ? head_value(h, f) : (struct slice){ "", 0 };

	e->status = h->status;
	e->over |= end;
	snprintf(e->retry, sizeof(e->retry), "%.*s", (int)v.n, v.p);
}

static size_t on_body(struct side *s, struct slice b)
{
	struct end *e = container_of(s, struct end, side);
	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof(e->text) - n, "%.*s", (int)b.n, b.p);
	return b.n;
}

static void on_end(struct side *s, const struct head *t)
{
	(void)t;
	container_of(s, struct end, side)->over = true;
}

static void on_resume(struct side *s)
{
	(void)s;
}

static void on_abort(struct side *s, enum gone why)
{
	(void)why;
	container_of(s, struct end, side)->over = true;
}

static const struct side_ops ops = { on_head, on_body, on_end, on_resume, on_abort };

void pool_get(struct flows *f, const struct pool_ask *q, struct pool_wait *w)
{
	struct end *e = &ups[n_ups];

	(void)f, (void)q;
	waits[n_ups++] = w;
	if (!no_place)
		w->fn(w, &e->side, OSH_WHY_ALLOWED, "");
}

void pool_cancel(struct pool_wait *w)
{
	(void)w;
}

static void settle(enum timer_class most)
{
	struct timer *t;

	exchange_resume_all(&fs);
	for (int c = TIMER_NOW; c <= (int)most; c++)
		for (int i = 0; i < 3 * CALLS && (t = TAILQ_FIRST(&loop.timers[c])); i++) {
			loop_disarm(&loop, t);
			t->fn(t);
		}
}

static int setup(void **state)
{
	static struct grant grant;
	static struct generation generation;
	struct err e;
	int pair[2], big = 1 << 22;

	(void)state;
	memset(&fs, 0, sizeof(fs));
	assert_int_equal(loop_init(&loop, &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	audit = pair[1];
	assert_int_equal(records_init(&fs.records, &loop, pair[0], &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	oshd = pair[1];
	fs.loop = &loop;
	fs.reload.control.fd = pair[0];
	generation = (struct generation){ .bundle = policy, .table = { .bundle = &generation.bundle, .idents_fd = -1, .id = 9,
								      .generation = 4 }, .refs = 1 };
	grant = (struct grant){ .policy = &generation, .refs = 1, .why = OSH_WHY_ALLOWED,
				.target = { .port = 443, .name = "inference.local" } };
	fs.policies.now = &generation;
	exchanges_init(&fs);
	conn = (struct conn){ .fs = &fs, .grant = &grant, .tls = true };
	for (int i = 0; i < CALLS; i++)
		clients[i] = (struct end){ .side.ops = &ops };
	for (int i = 0; i < 2 * CALLS; i++)
		ups[i] = (struct end){ .side.ops = &ops, .upstream = true };
	n_ups = 0;
	no_place = false;
	path = "/v1/chat/completions";
	inference = (struct osh_b_inference){ .fallback = 1 };
	prices[0] = (struct osh_b_price){ .model = { 0, 1 }, .part = { 2000000, 10000000, 2000000, 2000000 } };
	budgets[0] = (struct osh_b_budget){ .most = 60, .what = OSH_COUNT_REQUESTS, .per = OSH_WINDOW_MINUTE, .line = 7 };
	budgets[1] = (struct osh_b_budget){ .most = 5000, .what = OSH_COUNT_TOKENS, .per = OSH_WINDOW_DAY, .user = 1, .line = 8 };
	budgets[2] = (struct osh_b_budget){ .most = 2500000, .what = OSH_COUNT_MONEY, .per = OSH_WINDOW_DAY, .route = 1, .line = 9 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	settle(TIMER_GRACE);
	assert_true(TAILQ_EMPTY(&fs.limits.line));
	assert_int_equal(fs.requests, 0);
	assert_int_equal(fs.held, 0);
	assert_int_equal(fs.records.reserved, 0);
	assert_int_equal(fs.limits.n_owed, 0);
	close(fs.records.w.fd);
	close(fs.reload.control.fd);
	close(audit);
	close(oshd);
	free(fs.records.ring);
	close(loop.epfd);
	return 0;
}

/* ---- an oshd */

static bool take(struct osh_msg_take *m)
{
	ssize_t n = recv(oshd, m, sizeof(*m), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(*m));
	assert_true(m->h.type == OSH_MSG_COUNT_TAKE && m->h.size == sizeof(*m) && m->id == 9 && m->generation == 4);
	return true;
}

static bool used(struct osh_msg_used *m)
{
	ssize_t n = recv(oshd, m, sizeof(*m), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(*m));
	assert_true(m->h.type == OSH_MSG_COUNT_USED && m->h.size == sizeof(*m) && m->id == 9);
	return true;
}

static void say(uint64_t call, enum osh_taken verdict, uint64_t number, uint64_t wait_ms, uint32_t limit)
{
	struct osh_msg_taken m = { .h = { OSH_MSG_COUNT_TAKEN, sizeof(m) }, .id = 9, .verdict = verdict, .call = call,
				   .number = number, .wait_ms = wait_ms, .limit = limit, .text = "the disk is full" };

	limits_taken(&fs, &m);
}

static void call_model(struct end *client, const char *body)
{
	struct head h = { .version = 11 };
	struct exchange *x = exchange_new(&conn, &client->side);
	char length[24];

	assert_non_null(x);
	snprintf(length, sizeof(length), "%zu", strlen(body));
	h.method = head_text(&h, *body ? SLICE("POST") : SLICE("GET"));
	h.target = head_text(&h, slice_of(path));
	h.authority = head_text(&h, SLICE("inference.local"));
	assert_true(!*body || head_add(&h, SLICE("content-length"), slice_of(length)));
	exchange_head(x, &client->side, &h, !*body);
	head_done(&h);
	if (!*body || !client->side.x)
		return;
	(void)exchange_body(client->side.x, &client->side, slice_of(body));
	if (client->side.x)
		exchange_end(client->side.x, &client->side, NULL);
}

static void answer(struct end *up, unsigned status, const char *body, bool end)
{
	struct head h = { .status = (uint16_t)status, .version = 11 };

	assert_true(head_add(&h, SLICE("content-type"), SLICE("application/json")));
	assert_non_null(up->side.x);
	exchange_head(up->side.x, &up->side, &h, false);
	head_done(&h);
	if (up->side.x)
		(void)exchange_body(up->side.x, &up->side, slice_of(body));
	if (end && up->side.x)
		exchange_end(up->side.x, &up->side, NULL);
}

static int records(enum osh_reason why)
{
	struct osh_msg_request m;
	int n = 0;

	while (recv(audit, &m, sizeof(m), MSG_DONTWAIT) > 0)
		n += m.e.ev.kind == OSH_EV_HTTP && m.e.ev.why == why;
	return n;
}

#define SAID "{\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22}}"

/* ---- tests */

static void a_call_that_is_counted(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);
	assert_true(take(&m));
	assert_int_equal(m.mask, 7);
	assert_int_equal(m.amount[OSH_COUNT_REQUESTS], 1);
	assert_int_equal(m.amount[OSH_COUNT_TOKENS], GUESS + 100);
	assert_int_equal(m.amount[OSH_COUNT_MONEY], 2 * GUESS + 1000);
	assert_int_equal(n_ups, 0);			/* nothing goes before the answer */
	say(m.call, OSH_TAKEN_YES, 77, 0, 0);
	assert_int_equal(n_ups, 1);
	assert_false(take(&m));				/* asked once */
	answer(&ups[0], 200, SAID, true);
	assert_true(clients[0].over && clients[0].status == 200);
	assert_true(used(&u) && u.number == 77);
	assert_int_equal(u.amount[OSH_COUNT_REQUESTS], 1);
	assert_int_equal(u.amount[OSH_COUNT_TOKENS], 33);
	assert_int_equal(u.amount[OSH_COUNT_MONEY], 11 * 2 + 22 * 10);
	assert_false(used(&u));
	assert_int_equal(records(OSH_WHY_ALLOWED), 1);
}

static void no_room(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_NO, 0, 12001, 1);
	assert_int_equal(n_ups, 0);
	assert_true(clients[0].over && clients[0].status == 429);
	assert_string_equal(clients[0].retry, "13");
	assert_non_null(strstr(clients[0].text, "limit_used_up"));
	assert_non_null(strstr(clients[0].text, "5000 tokens a day of all sandboxes of the user, line 8; there is room in 13 seconds"));
	assert_int_equal(records(OSH_WHY_BUDGET), 1);
	call_model(&clients[1], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_LARGE, 0, UINT64_MAX, 2);
	assert_true(clients[1].status == 403 && strstr(clients[1].text, "call_too_large"));
	assert_non_null(strstr(clients[1].text, "2.5 of money a day of this sandbox, route one, line 9; 0.001"));
	assert_string_equal(clients[1].retry, "");
	call_model(&clients[2], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_FAILED, 0, 0, 0);
	assert_true(clients[2].status == 503 && strstr(clients[2].text, "the disk is full") && strstr(clients[2].text, "limit_not_counted"));
	call_model(&clients[3], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_NO, 0, 5, 99);		/* a limit that is none */
	assert_int_equal(clients[3].status, 503);
	assert_int_equal(n_ups, 0);
	assert_false(used(&u));
}

static void what_is_not_counted(void **state)
{
	struct osh_msg_take m;

	(void)state;
	path = "/v1/models";
	call_model(&clients[0], "");
	assert_int_equal(n_ups, 1);
	assert_false(take(&m));
	answer(&ups[0], 200, "{}", true);
	path = "/v1/chat/completions";
	prices[0].model.first = 1;			/* of another model */
	call_model(&clients[1], BODY);
	assert_true(clients[1].status == 403 && strstr(clients[1].text, "model_without_price"));
	assert_false(take(&m));
	assert_int_equal(n_ups, 1);
}

struct outcome {
	unsigned status;
	const char *body;
	bool end;
	uint64_t requests, tokens;
};

static void outcomes(void **state)
{
	static const struct outcome all[] = {
		{ 200, SAID, true, 1, 33 },
		{ 200, SAID, false, 1, GUESS + 100 },		/* cut before its end: as it was taken */
		{ 200, "{}", true, 1, GUESS + 100 },		/* says nothing */
		{ 200, "{\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":800}}", true, 1, 1700 },
		{ 200, "{\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":8}}", false, 1, 1000 },
		{ 400, "{}", true, 1, 0 },			/* refused by the backend */
		{ 404, SAID, true, 1, 0 },
	};
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		call_model(&clients[i], BODY);
		assert_true(take(&m));
		say(m.call, OSH_TAKEN_YES, 100 + i, 0, 0);
		answer(&ups[i], all[i].status, all[i].body, all[i].end);
		if (!all[i].end)
			exchange_gone(clients[i].side.x, &clients[i].side, GONE_RESET);
		assert_true(used(&u) && u.number == 100 + i);
		if (u.amount[OSH_COUNT_TOKENS] != all[i].tokens)
			print_error("%zu: %llu\n", i, (unsigned long long)u.amount[OSH_COUNT_TOKENS]);
		assert_int_equal(u.amount[OSH_COUNT_REQUESTS], all[i].requests);
		assert_int_equal(u.amount[OSH_COUNT_TOKENS], all[i].tokens);
	}
}

static void who_goes_away(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);			/* before the answer */
	assert_true(take(&m));
	exchange_gone(clients[0].side.x, &clients[0].side, GONE_RESET);
	say(m.call, OSH_TAKEN_YES, 5, 0, 0);
	assert_true(used(&u) && u.number == 5 && !u.amount[0] && !u.amount[1] && !u.amount[2]);
	no_place = true;				/* before a place upstream */
	call_model(&clients[1], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_YES, 6, 0, 0);
	exchange_gone(clients[1].side.x, &clients[1].side, GONE_RESET);
	assert_true(used(&u) && u.number == 6 && !u.amount[0] && !u.amount[1] && !u.amount[2]);
	no_place = false;				/* after it was sent, before a word came */
	call_model(&clients[2], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_YES, 7, 0, 0);
	exchange_gone(clients[2].side.x, &clients[2].side, GONE_RESET);
	assert_true(used(&u) && u.number == 7);
	assert_true(u.amount[OSH_COUNT_REQUESTS] == 1 && u.amount[OSH_COUNT_TOKENS] == GUESS + 100 &&
		    u.amount[OSH_COUNT_MONEY] == 2 * GUESS + 1000);
	assert_int_equal(n_ups, 2);
}

/* Each attempt is a call of its route. */
static void another_backend(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);
	assert_true(take(&m));
	assert_int_equal(m.mask, 7);
	say(m.call, OSH_TAKEN_YES, 1, 0, 0);
	answer(&ups[0], 503, "", false);
	assert_true(used(&u) && u.number == 1 && u.amount[0] == 1 && !u.amount[1]);
	assert_true(take(&m));
	assert_int_equal(m.mask, 3);			/* the limit of money is the first route's */
	assert_int_equal(n_ups, 1);
	say(m.call, OSH_TAKEN_YES, 2, 0, 0);
	assert_int_equal(n_ups, 2);
	answer(&ups[1], 200, SAID, true);
	assert_true(used(&u) && u.number == 2 && u.amount[1] == 33);
	assert_true(clients[0].status == 200 && strstr(clients[0].text, "usage"));
	fs.resting_of = 0;				/* rested */
	call_model(&clients[1], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_YES, 3, 0, 0);
	answer(&ups[2], 503, "", false);
	assert_true(used(&u) && u.number == 3);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_NO, 0, 60000, 0);		/* the other has no room: that is the answer */
	assert_int_equal(clients[1].status, 429);
	assert_int_equal(n_ups, 3);
}

/* What was taken is for one route; where that rests meanwhile it goes back, and is asked for anew. */
static void another_route_meanwhile(void **state)
{
	struct osh_msg_take first, m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);
	assert_true(take(&first));
	call_model(&clients[1], BODY);
	assert_true(take(&m));
	say(m.call, OSH_TAKEN_YES, 1, 0, 0);
	answer(&ups[0], 503, "", false);
	assert_true(used(&u) && u.number == 1);
	assert_true(take(&m) && m.mask == 3);
	say(first.call, OSH_TAKEN_YES, 2, 0, 0);
	assert_true(used(&u) && u.number == 2 && !u.amount[0] && !u.amount[1]);
	assert_true(take(&first) && first.mask == 3);
	say(first.call, OSH_TAKEN_YES, 3, 0, 0);
	assert_int_equal(n_ups, 2);
	answer(&ups[1], 200, SAID, true);
	assert_int_equal(clients[0].status, 200);
	assert_true(used(&u) && u.number == 3 && u.amount[1] == 33);
	say(m.call, OSH_TAKEN_YES, 4, 0, 0);
	answer(&ups[2], 503, "", false);		/* no third one: this is the answer */
	exchange_end(ups[2].side.x, &ups[2].side, NULL);
	assert_true(used(&u) && u.number == 4 && u.amount[0] == 1 && !u.amount[1]);
	assert_int_equal(clients[1].status, 503);
	/* Both rest: from the first it goes to the second, and no way back. */
	call_model(&clients[2], BODY);
	assert_true(take(&m) && m.mask == 7);
	say(m.call, OSH_TAKEN_YES, 5, 0, 0);
	answer(&ups[3], 503, "", false);
	assert_true(used(&u) && u.number == 5);
	assert_true(take(&m) && m.mask == 3);
	say(m.call, OSH_TAKEN_YES, 6, 0, 0);
	assert_false(take(&m));
	assert_int_equal(n_ups, 5);
	answer(&ups[4], 200, SAID, true);
	assert_true(used(&u) && u.number == 6);
}

/* Questions are asked as fast as they are answered, in their order; none is lost where the socket is full. */
static void many_at_once(void **state)
{
	struct osh_msg_take m[CALLS];
	struct osh_msg_used u;
	int asked = 0, over = 0, small = 4096;

	(void)state;
	setsockopt(fs.reload.control.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < CALLS; i++)
		call_model(&clients[i], BODY);
	for (int round = 0; round < 10 * CALLS && over < CALLS; round++) {
		while (asked < CALLS && take(&m[asked]))
			asked++;
		assert_true(asked - over <= 64);
		if (over < asked) {
			say(m[over].call, over % 2 ? OSH_TAKEN_NO : OSH_TAKEN_YES, (uint64_t)over + 1, 1000, 0);
			over++;
		}
		settle(TIMER_NOW);
		for (struct timer *t = &fs.limits.timer; t->due_ms;) {	/* its time has come */
			loop_disarm(&loop, t);
			t->fn(t);
			break;
		}
	}
	assert_int_equal(over, CALLS);
	assert_int_equal(n_ups, CALLS / 2);
	for (int i = 0; i < CALLS / 2; i++)
		answer(&ups[i], 200, SAID, true);
	for (int round = 0, n = 0; round < 10 * CALLS && n < CALLS / 2; round++) {
		while (used(&u))
			n++;
		settle(TIMER_GRACE);
		assert_true(n < CALLS / 2 || !fs.limits.n_owed);
	}
	assert_false(used(&u));
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(clients[i].status, i % 2 ? 429 : 200);
}

static void an_oshd_that_is_away(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	call_model(&clients[0], BODY);
	assert_true(take(&m));
	settle(TIMER_HEAD);
	assert_true(clients[0].status == 503 && clients[0].over);
	assert_int_equal(n_ups, 0);
	say(m.call, OSH_TAKEN_YES, 9, 0, 0);		/* too late */
	assert_true(used(&u) && u.number == 9 && !u.amount[0]);
	close(oshd);
	call_model(&clients[1], BODY);
	settle(TIMER_HEAD);
	assert_int_equal(clients[1].status, 503);
	oshd = dup(audit);
}

/* Questions that were asked and are owed to nobody any more hold their places, but not for ever. */
static void an_oshd_that_forgets(void **state)
{
	struct osh_msg_take m;
	struct osh_msg_used u;

	(void)state;
	for (int i = 0; i < LIMITS_ASKED; i++) {
		call_model(&clients[i], BODY);
		assert_true(take(&m));
		exchange_gone(clients[i].side.x, &clients[i].side, GONE_RESET);
	}
	call_model(&clients[LIMITS_ASKED], BODY);
	assert_false(take(&m));
	settle(TIMER_GRACE);
	assert_false(take(&m));
	loop.now_ms += OSH_EGRESS_HEAD_MS;
	settle(TIMER_GRACE);
	assert_true(take(&m));
	say(m.call - 1, OSH_TAKEN_YES, 8, 0, 0);	/* an answer that comes after all */
	assert_true(used(&u) && u.number == 8 && !u.amount[0]);
	say(m.call, OSH_TAKEN_YES, 9, 0, 0);
	assert_int_equal(n_ups, 1);
	answer(&ups[0], 200, SAID, true);
	assert_true(used(&u) && u.number == 9 && u.amount[0] == 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_call_that_is_counted), TEST(no_room),	  TEST(what_is_not_counted), TEST(outcomes), TEST(who_goes_away),
		TEST(another_backend),	      TEST(many_at_once), TEST(an_oshd_that_is_away),
		TEST(another_route_meanwhile), TEST(an_oshd_that_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
