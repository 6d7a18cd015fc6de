/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool over loopback sockets, with the protocol's side of an upstream left out: who gets a kept connection,
 * when one is dialled, what those hear who wait, and that nothing is left over.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "http/pool.h"

#include <cmocka.h>

static struct loop loop;
static struct flows fs;
static struct bundle bundle;
static struct generation policy;
static struct grant grant = { .policy = &policy, .refs = 1 };
static int server = -1, audit = -1, places, refuses;

/* ---- the protocol */

struct one {
	struct side side;
	struct upstream *u;
};

static struct side *on_open(struct upstream *u)
{
	struct one *o = u->state;

	if (refuses)
		return NULL;
	places++;
	return &o->side;
}

static void on_ready(struct upstream *u, uint32_t events)
{
	char byte;

	(void)events;
	if (stream_read(&u->stream, &byte, 1) == IO_END)
		upstream_end(u, false);
}

static void on_done(struct upstream *u)
{
	free(u->state);
}

static const struct upstream_ops ops = { on_open, on_ready, on_done };

int h1_upstream_start(struct upstream *u)
{
	struct one *o = calloc(1, sizeof(*o));

	o->u = u;
	u->state = o;
	u->ops = &ops;
	u->most = 1;
	return 0;
}

int h2_upstream_start(struct upstream *u)
{
	return h1_upstream_start(u);
}

/* ---- who asks */

struct asker {
	struct pool_wait w;
	struct side *side;
	enum osh_reason why;
	int called;
};

static void on_place(struct pool_wait *w, struct side *s, enum osh_reason why, const char *detail)
{
	struct asker *a = container_of(w, struct asker, w);

	assert_non_null(detail);
	a->side = s;
	a->why = why;
	a->called++;
}

static void ask(struct asker *a, uint32_t cred, bool fresh)
{
	struct pool_ask q = { .grant = &grant, .cred = cred, .fresh = fresh };

	*a = (struct asker){ .w.fn = on_place };
	pool_get(&fs, &q, &a->w);
}

static void give_back(struct asker *a)
{
	upstream_free_slot(container_of(a->side, struct one, side)->u);
	a->side = NULL;
}

static int rounds;

static int before(void *arg)
{
	(void)arg;
	pool_resume(&fs);
	loop.stop = rounds-- <= 0;
	return loop.stop ? 0 : 5;
}

static void spin(void)
{
	struct err e;

	rounds = 20;
	loop.stop = 0;
	assert_int_equal(loop_run(&loop, &e), 0);
}

static void dial(uint16_t port)
{
	free(fs.hosts.e);
	fs.hosts.e = calloc(1, sizeof(*fs.hosts.e));
	fs.hosts.n = 1;
	fs.hosts.e[0] = (struct hosts_entry){ .addr = ip_from4(&(uint32_t){ htonl(INADDR_LOOPBACK) }), .port = port,
					      .name = "a.example" };
}

static int accepted(void)
{
	int n = 0, fd;

	while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

static int setup(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	struct err e;
	int pair[2];

	(void)state;
	memset(&fs, 0, sizeof(fs));
	assert_int_equal(loop_init(&loop, &e), 0);
	loop.before = before;
	fs.loop = &loop;
	policy = (struct generation){ .bundle = bundle, .table.bundle = &policy.bundle, .refs = 1 };
	fs.policies.now = &policy;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	audit = pair[1];
	assert_int_equal(records_init(&fs.records, &loop, pair[0], &e), 0);
	pool_init(&fs.pool);
	server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(server, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(server, 200), 0);
	assert_int_equal(getsockname(server, (void *)&sa, &len), 0);
	grant.target = (struct target){ .host = 1, .port = 80, .name = "a.example" };
	dial(ntohs(sa.sin_port));
	places = refuses = 0;
	return 0;
}

static int teardown(void **state)
{
	struct upstream *u;

	(void)state;
	while ((u = TAILQ_FIRST(&fs.pool.idle)))
		upstream_end(u, true);
	spin();
	assert_int_equal(fs.pool.n, 0);
	assert_int_equal(fs.records.reserved, 0);
	for (int i = 0; i < POOL_BUCKETS; i++)
		assert_true(TAILQ_EMPTY(&fs.pool.hosts[i]));
	assert_true(TAILQ_EMPTY(&fs.pool.hungry));
	close(server);
	close(audit);
	close(fs.records.w.fd);
	free(fs.records.ring);
	free(fs.hosts.e);
	close(loop.epfd);
	return 0;
}

/* ---- tests */

static void a_kept_connection_is_used_again(void **state)
{
	struct asker a, b;

	(void)state;
	ask(&a, 0, false);
	assert_int_equal(a.called, 0);
	spin();
	assert_non_null(a.side);
	give_back(&a);
	ask(&b, 0, false);
	assert_int_equal(b.called, 1);		/* at once */
	assert_int_equal(fs.pool.n, 1);
	give_back(&b);
}

static void busy_connections_are_not_shared(void **state)
{
	struct asker a[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		ask(&a[i], 0, false);
	spin();
	assert_int_equal(fs.pool.n, 5);
	for (int i = 0; i < 5; i++) {
		assert_non_null(a[i].side);
		give_back(&a[i]);
	}
	assert_int_equal(places, 5);
}

static void credentials_keep_to_themselves(void **state)
{
	struct asker a, b;

	(void)state;
	ask(&a, 1, false);
	spin();
	give_back(&a);
	ask(&b, 2, false);
	assert_int_equal(b.called, 0);
	spin();
	assert_int_equal(fs.pool.n, 2);
	give_back(&b);
}

static void a_fresh_one_is_dialled(void **state)
{
	struct asker a, b;

	(void)state;
	ask(&a, 0, false);
	spin();
	give_back(&a);
	ask(&b, 0, true);
	assert_int_equal(b.called, 0);
	spin();
	assert_int_equal(fs.pool.n, 2);
	give_back(&b);
}

static void a_closed_one_is_forgotten(void **state)
{
	struct asker a;

	(void)state;
	ask(&a, 0, false);
	spin();
	give_back(&a);
	assert_int_equal(accepted(), 1);	/* and closed */
	spin();
	assert_int_equal(fs.pool.n, 0);
}

static void a_refused_dial_is_heard_by_all(void **state)
{
	struct asker a[3];

	(void)state;
	close(server);
	server = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 3; i++)
		ask(&a[i], 0, false);
	spin();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].called, 1);
		assert_null(a[i].side);
		assert_int_equal(a[i].why, OSH_WHY_UPSTREAM);
	}
}

static void who_leaves_is_not_called(void **state)
{
	struct asker a;

	(void)state;
	ask(&a, 0, false);
	pool_cancel(&a.w);
	spin();
	assert_int_equal(a.called, 0);
	assert_int_equal(fs.pool.n, 1);		/* kept for the next */
}

static void a_connection_that_takes_none_is_replaced(void **state)
{
	struct asker a, b;

	(void)state;
	ask(&a, 0, false);
	spin();
	give_back(&a);
	refuses = 1;
	ask(&b, 0, false);
	assert_int_equal(b.called, 0);
	refuses = 0;
	spin();
	assert_non_null(b.side);
	give_back(&b);
	assert_int_equal(fs.pool.n, 1);
}

static void dials_to_one_host_are_few_at_once(void **state)
{
	static struct asker a[100];
	int served = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		ask(&a[i], 0, false);
	assert_int_equal(fs.pool.n, 64);
	for (int round = 0; round < 20 && served < 100; round++) {
		spin();
		for (int i = 0; i < 100; i++)
			if (a[i].side) {
				give_back(&a[i]);
				served++;
			}
	}
	assert_int_equal(served, 100);
	assert_true(fs.pool.n <= 100);
}

static void without_room_all_wait(void **state)
{
	struct asker a, b;

	(void)state;
	fs.pool.n = POOL_CONNS;
	ask(&a, 0, false);
	spin();
	assert_int_equal(a.called, 0);
	fs.pool.n = 0;
	for (unsigned i = 0; i < RECORDS; i++)
		assert_true(records_reserve_last(&fs.records));
	ask(&b, 1, false);
	spin();
	assert_int_equal(a.called + b.called, 0);
	for (unsigned i = 0; i < RECORDS; i++)
		records_release(&fs.records);
	spin();
	assert_non_null(a.side);
	assert_non_null(b.side);
	give_back(&a);
	give_back(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_kept_connection_is_used_again),
		T(busy_connections_are_not_shared),
		T(credentials_keep_to_themselves),
		T(a_fresh_one_is_dialled),
		T(a_closed_one_is_forgotten),
		T(a_refused_dial_is_heard_by_all),
		T(who_leaves_is_not_called),
		T(a_connection_that_takes_none_is_replaced),
		T(dials_to_one_host_are_few_at_once),
		T(without_room_all_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
