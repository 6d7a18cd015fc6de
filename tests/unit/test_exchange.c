/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges between sides of our own, with a pool and rules of our own: who hears what, in which order, what
 * is tried again, what is held and thrown away, and that nothing is left over, whoever goes away when.
 */
#include "exchange_rig.h"

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

/* As if the time of all that waits had come. */
static void late(void)
{
	struct timer *t;

	for (int c = TIMER_NOW; c < TIMER_MAX; c++)
		while ((t = TAILQ_FIRST(&loop.timers[c]))) {
			loop_disarm(&loop, t);
			t->fn(t);
		}
}

static void what_does_not_come_has_a_time(void **state)
{
	(void)state;
	request("GET", true, NULL, NULL);
	late();
	HEARD(client, "504 json end ");
	HEARD(up[0], "GET /canonical. abort0 ");
	client.log[0] = 0;
	request("GET", true, NULL, NULL);
	answer(&up[1], 200, false);
	send_body(&up[1], "half");
	late();
	HEARD(client, "200 half abort4 ");
	client.log[0] = 0;
	world.wants = 100;
	request("POST", false, NULL, NULL);
	send_body(&client, "abc");
	late();
	HEARD(client, "resume ");	/* what was under way is taken for a moment */
	late();
	HEARD(client, "resume 408 json end ");
	client.log[0] = 0;
	world.wants = 0;
	world.place = false;
	request("GET", true, NULL, NULL);
	late();
	HEARD(client, "504 json end ");
	assert_int_equal(world.asked, 3);
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
		T(what_does_not_come_has_a_time),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
