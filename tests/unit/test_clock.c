/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks that jump: a suspended machine (CLOCK_BOOTTIME runs on, CLOCK_MONOTONIC stands still) and a wall clock
 * that is set. The process' own clocks are moved; nothing here waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/oshd/root.h"
#include "loop.h"
#include "osh/root.h"
#include "own.h"
#include "tls/mint.h"

#include <cmocka.h>

#define DAY 86400

static int64_t wall_s, asleep_s;	/* how far the wall clock was set; how long the machine slept */

/* The program's own definitions come before the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += id == CLOCK_REALTIME ? wall_s + asleep_s : id == CLOCK_BOOTTIME ? asleep_s : 0;
	return r;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

static int stand_still(void **state)
{
	(void)state;
	wall_s = asleep_s = 0;
	return 0;
}

/* ---- the egress' loop ---- */

static struct loop l;
static unsigned fired, events_before;

static void on_fire(struct timer *t)
{
	(void)t;
	fired++;
}

static void on_event(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	events_before += !fired;
	l.stop = 1;
}

static int sleep_now(void *arg)
{
	asleep_s += *(int *)arg;
	*(int *)arg = 0;
	return -1;
}

/* One round in which a descriptor is ready and the machine has slept. */
static void round_after(int seconds, enum timer_class class)
{
	int p[2];
	struct err e = { 0 };
	struct watch w = { .fn = on_event };
	struct timer t = { .fn = on_fire };

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(loop_init(&l, &e), 0);
	w.fd = p[0];
	assert_int_equal(loop_watch(&l, &w, EPOLLIN), 0);
	loop_arm(&l, &t, class);
	l.before = sleep_now;
	l.arg = &seconds;
	fired = events_before = 0;
	assert_int_equal(loop_run(&l, &e), 0);
	loop_disarm(&l, &t);
	close(l.epfd);
	close(p[0]);
	close(p[1]);
}

static void sleep_counts_as_life(void **state)
{
	(void)state;
	round_after(3600, TIMER_POOL);
	assert_int_equal(fired, 1);
}

/* A pooled connection whose time is over is closed before an event can have it used. */
static void what_is_over_ends_before_anything_else(void **state)
{
	(void)state;
	round_after(3600, TIMER_POOL);
	assert_int_equal(events_before, 0);
}

static void a_nap_ends_nothing(void **state)
{
	(void)state;
	round_after(20, TIMER_POOL);
	assert_int_equal(fired, 0);
}

static void the_wall_clock_is_no_timer(void **state)
{
	(void)state;
	wall_s = 400 * DAY;
	round_after(0, TIMER_NOW + 1);
	assert_int_equal(fired, 0);
	wall_s = -400 * DAY;
	round_after(0, TIMER_NOW + 1);
	assert_int_equal(fired, 0);
}

/* ---- certificates ---- */

static const char strings[] = "\0api.example.com";
static const struct osh_b_host hosts[] = { { 1, OSH_HOST_EXACT } };
static const struct osh_b_alt alts[] = { { .flags = OSH_ALT_L7 } };
static const struct osh_b_endpoint endpoints[] = { { 1, 443, 0, 1 } };
static const struct bundle bundle = {
	.strings = strings, .n_strings = sizeof(strings), .hosts = hosts, .n_hosts = 1,
	.endpoints = endpoints, .n_endpoints = 1, .alts = alts, .n_alts = 1,
};

static struct mint *mint_at_work(void)
{
	int key = memfd_create("root", MFD_CLOEXEC | MFD_ALLOW_SEALING), pem = memfd_create("pem", MFD_CLOEXEC);
	struct err e = { 0 };
	struct mint *m = NULL;

	assert_int_equal(root_make("test", key, pem, &e), 0);
	if (mint_new(&m, key, &e) < 0)
		fail_msg("%s", e.text);
	close(key);
	close(pem);
	return m;
}

static bool is_valid(const X509 *x)
{
	time_t now = time(NULL);

	return X509_cmp_time(X509_get0_notBefore(x), &now) < 0 && X509_cmp_time(X509_get0_notAfter(x), &now) > 0;
}

/* A clock that runs behind ours, or one that is set back: the leaf of before, or a new one, is valid then. */
static void leaves_are_valid_whatever_the_clock_says(void **state)
{
	static const int days[] = { 0, -1, -3, -6, 1, 13, 16, 29, 31, 200, 360 };
	struct mint *m = mint_at_work();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		X509 *x;

		wall_s = (int64_t)days[i] * DAY;
		x = mint_get(m, &bundle, "api.example.com");
		assert_non_null(x);
		assert_true(is_valid(x));
	}
	asleep_s = 40 * DAY;		/* it slept over its leaf's life */
	wall_s = 0;
	assert_true(is_valid(mint_get(m, &bundle, "api.example.com")));
	mint_free(m);
}

static void the_root_was_valid_days_ago(void **state)
{
	int key = memfd_create("root", MFD_CLOEXEC | MFD_ALLOW_SEALING), pem = memfd_create("pem", MFD_CLOEXEC);
	struct osh_root r;
	struct err e = { 0 };
	const unsigned char *p = r.cert;
	X509 *x;

	(void)state;
	assert_int_equal(root_make("test", key, pem, &e), 0);
	assert_int_equal(pread(key, &r, sizeof(r), 0), sizeof(r));
	x = d2i_X509(NULL, &p, r.n_cert);
	assert_non_null(x);
	for (int day = -6; day <= 360; day += 61) {
		wall_s = (int64_t)day * DAY;
		assert_true(is_valid(x));
	}
	X509_free(x);
	close(key);
	close(pem);
}

#define TEST(f) cmocka_unit_test_setup(f, stand_still)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sleep_counts_as_life),
		TEST(what_is_over_ends_before_anything_else),
		TEST(a_nap_ends_nothing),
		TEST(the_wall_clock_is_no_timer),
		TEST(leaves_are_valid_whatever_the_clock_says),
		TEST(the_root_was_valid_days_ago),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
