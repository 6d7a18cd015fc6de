/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What oshd bears of an egress that limits count the calls of: one that asks without end, does not read, lies, or dies with
 * the last word said. The egress is the other end of the socket; who is told of other messages is of this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/oshd/across.h"
#include "../../userspace/oshd/control.h"
#include "../../userspace/oshd/counts.h"
#include "../../userspace/oshd/kernel/cgroup.h"
#include "../../userspace/oshd/provider.h"
#include "../../userspace/oshd/reload.h"
#include "../../userspace/oshd/sandbox.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define MOST 100
#define FLOOD 2500

static const struct osh_b_budget budgets[] = {
	{ .most = MOST, .what = OSH_COUNT_REQUESTS, .per = OSH_WINDOW_DAY },
	{ .most = 1000, .what = OSH_COUNT_TOKENS, .per = OSH_WINDOW_DAY },
};
static struct daemon d;
static struct sandbox s;
static int theirs, killed, other;

void cgroup_kill_members(int fd)
{
	(void)fd;
	killed++;
}

void reload_answered(struct sandbox *x, const struct osh_msg_reloaded *m)
{
	(void)x, (void)m;
	other++;
}

void provider_answered(struct sandbox *x, const struct osh_msg_reloaded *m)
{
	(void)x, (void)m;
	other++;
}

void choice_answered(struct sandbox *x, const struct osh_msg_reloaded *m)
{
	(void)x, (void)m;
	other++;
}

bool across_message(struct sandbox *x, const struct chan_in *in)
{
	(void)x, (void)in;
	return false;
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	killed = other = 0;
	s = (struct sandbox){ .d = &d, .name = "box", .k = { .id = 9, .generation = 4 }, .fresh = true,
			      .bundle = { .strings = "", .n_strings = 1, .budgets = budgets, .n_budgets = 2 } };
	s.egress.control_fd = -1;
	assert_true(sd_event_new(&d.event) >= 0);
	assert_int_equal(control_open(&s, &theirs, &e), 0);
	assert_int_equal(control_watch(&s, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	counts_end(&s);
	control_close(&s);
	close(theirs);
	sd_event_unref(d.event);
	return d.accounts.first != NULL;
}

static void turn(void)
{
	while (sd_event_run(d.event, 0) > 0)
		;
}

static bool ask(uint32_t mask, uint64_t requests, uint64_t tokens)
{
	struct osh_msg_take m = { .h = { OSH_MSG_COUNT_TAKE, sizeof(m) }, .id = 9, .generation = 4, .call = 7, .mask = mask,
				  .amount = { requests, tokens, 0 } };

	return send(theirs, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m);
}

static void said(uint64_t number, uint64_t requests, uint64_t tokens)
{
	struct osh_msg_used m = { .h = { OSH_MSG_COUNT_USED, sizeof(m) }, .id = 9, .number = number, .amount = { requests, tokens, 0 } };

	assert_int_equal(send(theirs, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
}

static bool answer(struct osh_msg_taken *m)
{
	ssize_t n = recv(theirs, m, sizeof(*m), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_true(n == sizeof(*m) && m->h.type == OSH_MSG_COUNT_TAKEN && m->h.size == sizeof(*m) && m->id == 9 && m->call == 7);
	return true;
}

static struct osh_msg_taken take(uint32_t mask, uint64_t requests, uint64_t tokens)
{
	struct osh_msg_taken m;

	assert_true(ask(mask, requests, tokens));
	for (int i = 0; i < 60; i++) {		/* longer than it is not listened to */
		if (answer(&m))
			return m;
		assert_true(sd_event_run(d.event, 1000000) >= 0);
	}
	fail_msg("no answer");
	return m;
}

static void exact(void **state)
{
	struct osh_msg_taken m = { 0 };

	(void)state;
	for (int i = 0; i < MOST; i++) {
		m = take(1, 1, 0);
		assert_int_equal(m.verdict, OSH_TAKEN_YES);
	}
	assert_int_equal(take(1, 1, 0).verdict, OSH_TAKEN_NO);
	said(m.number, 0, 0);
	assert_int_equal(take(1, 1, 0).verdict, OSH_TAKEN_YES);
	assert_int_equal(take(1, 1, 0).verdict, OSH_TAKEN_NO);
	assert_true(!killed && !other);
}

static void lies(void **state)
{
	struct osh_msg_taken m;

	(void)state;
	assert_int_equal(take(1u << 2, 1, 0).verdict, OSH_TAKEN_FAILED);
	assert_int_equal(take(UINT32_MAX, 1, 1).verdict, OSH_TAKEN_FAILED);
	assert_int_equal(take(3, UINT64_MAX, UINT64_MAX).verdict, OSH_TAKEN_LARGE);
	for (uint64_t i = 0; i < 2 * OSH_MODEL_CALLS; i++) {	/* gives back what it has not */
		said(i, 0, 0);
		turn();
	}
	m = take(3, 1, 600);
	said(m.number, UINT64_MAX, UINT64_MAX);			/* it alone has to bear that */
	said(m.number, 0, 0);
	assert_int_equal(take(2, 1, 1).verdict, OSH_TAKEN_NO);
	assert_int_equal(take(1, 1, 0).verdict, OSH_TAKEN_NO);
	assert_int_equal(killed, 0);
}

static int on_other(sd_event_source *src, uint64_t usec, void *data)
{
	(void)usec;
	(*(int *)data)++;
	return sd_event_source_set_time_relative(src, 1000) < 0 || sd_event_source_set_enabled(src, SD_EVENT_ONESHOT) < 0;
}

/* It waits; others do not, and in the end all of it is answered. */
static void a_flood(void **state)
{
	sd_event_source *timer = NULL;
	struct osh_msg_taken m;
	int sent = 0, got = 0, rested = 0, meanwhile = 0, ran = 0, on;

	(void)state;
	assert_true(sd_event_add_time_relative(d.event, &timer, CLOCK_MONOTONIC, 0, 0, on_other, &ran) >= 0);
	for (long i = 0; got < FLOOD && i < 100000000; i++) {
		while (sent < FLOOD && sent - got < 100 && ask(0, 0, 0))
			sent++;
		assert_true(sd_event_run(d.event, 1000000) >= 0);
		for (; answer(&m); got++)
			said(m.number, 0, 0);
		assert_true(sd_event_source_get_enabled(s.egress.control, &on) >= 0);
		rested += on == SD_EVENT_OFF;
		meanwhile += on == SD_EVENT_OFF && ran;
		ran = 0;
	}
	sd_event_source_disable_unref(timer);
	assert_int_equal(got, FLOOD);
	assert_true(rested > 0 && meanwhile > 0 && !killed);
}

static void one_that_does_not_read(void **state)
{
	(void)state;
	for (int i = 0; i < FLOOD && !killed; i++) {
		assert_true(ask(0, 0, 0));
		turn();
	}
	assert_true(killed > 0);
}

static void what_it_said_last(void **state)
{
	struct osh_msg_taken one = take(2, 1, 600), two = take(2, 1, 300);
	struct osh_msg_reloaded m = { .h = { OSH_MSG_EGRESS_READY, sizeof(m) } };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(take(2, 1, 200).verdict, OSH_TAKEN_NO);
	said(one.number, 1, 50);
	assert_int_equal(send(theirs, &m, sizeof(m), 0), sizeof(m));
	close(theirs);
	counts_egress_gone(&s);
	assert_int_equal(other, 0);
	assert_int_equal(control_open(&s, &theirs, &e), 0);
	assert_int_equal(control_watch(&s, &e), 0);
	said(two.number, 1, 0);			/* the next egress says nothing for the former one */
	assert_int_equal(take(2, 1, 651).verdict, OSH_TAKEN_NO);
	assert_int_equal(take(2, 1, 650).verdict, OSH_TAKEN_YES);
}

static void what_is_none(void **state)
{
	struct osh_msg_used m = { .h = { OSH_MSG_COUNT_USED, sizeof(m) - 8 } };

	(void)state;
	assert_int_equal(send(theirs, &m, sizeof(m) - 8, 0), sizeof(m) - 8);
	turn();
	assert_int_equal(killed, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(exact), TEST(lies), TEST(a_flood), TEST(one_that_does_not_read), TEST(what_it_said_last), TEST(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
