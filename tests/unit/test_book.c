/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of calls of models as oshd keeps them: exact, shared by a user's sandboxes, and on disk before a call goes. */
#include "state_rig.h"

#include <signal.h>
#include <sys/resource.h>

#include "../../userspace/oshd/book.h"

#define NOW 1700000000000ull
#define DAY 86400000ull

static const char strings[] = "\0a\0b";
static const struct osh_b_route routes[] = { { .name = 1 }, { .name = 3 } };
static struct osh_b_budget budgets[] = {
	{ .most = 10, .what = OSH_COUNT_REQUESTS, .per = OSH_WINDOW_MINUTE },
	{ .most = 1000, .what = OSH_COUNT_TOKENS, .per = OSH_WINDOW_DAY, .user = 1 },
	{ .most = 3, .what = OSH_COUNT_REQUESTS, .per = OSH_WINDOW_DAY, .route = 2 },
};
static const struct bundle policy = { .strings = strings, .n_strings = sizeof(strings), .routes = routes, .n_routes = 2,
				      .budgets = budgets, .n_budgets = ARRAY_SIZE(budgets) };

static struct book *book(struct accounts *all, uid_t uid, int64_t sandbox, bool fresh)
{
	struct book *k = NULL;
	struct err e = { 0 };

	if (book_open(&k, all, uid, sandbox, fresh, &e) < 0)
		fail_msg("%s", e.text);
	return k;
}

static struct osh_msg_taken take(struct book *k, uint32_t mask, uint64_t tokens, uint64_t now)
{
	struct osh_msg_take m = { .generation = 1, .call = 77, .mask = mask, .amount = { 1, tokens, 0 } };
	struct osh_msg_taken got;

	book_take(k, &policy, 1, &m, now, &got);
	assert_int_equal(got.call, 77);
	return got;
}

static void used(struct book *k, const struct osh_msg_taken *t, uint64_t requests, uint64_t tokens, uint64_t now)
{
	struct osh_msg_used m = { .number = t->number, .amount = { requests, tokens, 0 } };

	book_used(k, &m, now);
}

/* What is left of a limit of tokens: found by taking. */
static uint64_t left(struct book *k, uint64_t now)
{
	uint64_t low = 0, high = 1001;

	while (high - low > 1) {
		uint64_t mid = (low + high) / 2;
		struct osh_msg_taken t = take(k, 2, mid, now);

		if (t.verdict == OSH_TAKEN_YES) {
			used(k, &t, 0, 0, now);
			low = mid;
		} else {
			high = mid;
		}
	}
	return low;
}

static void all_or_none(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	struct osh_msg_taken t;

	for (int i = 0; i < 3; i++)
		assert_int_equal(take(k, 7, 10, NOW).verdict, OSH_TAKEN_YES);
	t = take(k, 7, 10, NOW);
	assert_true(t.verdict == OSH_TAKEN_NO && t.limit == 2 && t.wait_ms >= DAY && t.wait_ms <= DAY + 3600000);
	for (int i = 3; i < 10; i++)		/* what was refused was counted by none */
		assert_int_equal(take(k, 3, 10, NOW).verdict, OSH_TAKEN_YES);
	t = take(k, 3, 10, NOW);
	assert_true(t.verdict == OSH_TAKEN_NO && t.limit == 0 && t.wait_ms > 60000 - 5000 && t.wait_ms <= 65000);
	assert_int_equal(left(k, NOW), 900);
	assert_int_equal(take(k, 3, 10, NOW + t.wait_ms - 1).verdict, OSH_TAKEN_NO);
	assert_int_equal(take(k, 3, 10, NOW + t.wait_ms).verdict, OSH_TAKEN_YES);
	t = take(k, 2, 1001, NOW);
	assert_true(t.verdict == OSH_TAKEN_LARGE && t.limit == 1);
	assert_int_equal(take(k, 8, 0, NOW).verdict, OSH_TAKEN_FAILED);
	book_close(k, NOW);
	assert_null(all.first);
}

static void what_came_of_it(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true), *other = book(&all, 1000, 6, true), *else_s = book(&all, 1001, 7, true);
	struct osh_msg_taken t = take(k, 2, 600, NOW), again = t;

	assert_int_equal(left(other, NOW), 400);		/* of a user */
	assert_int_equal(left(else_s, NOW), 1000);
	used(other, &t, 0, 0, NOW);				/* what another took is not given back */
	assert_int_equal(left(other, NOW), 400);
	used(k, &t, 1, 250, NOW);
	assert_int_equal(left(other, NOW), 750);
	used(k, &again, 1, 0, NOW);				/* nor is anything twice */
	assert_int_equal(left(other, NOW), 750);
	t = again = take(k, 2, 50, NOW);
	again.number += OSH_MODEL_CALLS;			/* a number that nobody has */
	used(k, &again, 0, 0, NOW);
	assert_int_equal(left(other, NOW), 700);
	used(k, &t, 1, 900, NOW);				/* more than it took: counted, and nothing is left */
	assert_int_equal(take(other, 2, 1, NOW).verdict, OSH_TAKEN_NO);
	assert_int_equal(take(other, 2, 1, NOW + DAY + 3600000).verdict, OSH_TAKEN_YES);
	book_close(k, NOW);
	book_close(other, NOW);
	book_close(else_s, NOW);
}

static void an_egress_that_dies(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	struct osh_msg_taken t = take(k, 2, 600, NOW);

	book_forget(k, NOW);
	used(k, &t, 0, 0, NOW);
	assert_int_equal(left(k, NOW), 400);
	for (int i = 0; i < OSH_MODEL_CALLS; i++)
		assert_int_equal(take(k, 0, 0, NOW).verdict, OSH_TAKEN_YES);
	t = take(k, 0, 0, NOW);
	assert_true(t.verdict == OSH_TAKEN_FAILED && strstr(t.text, "under way"));
	book_close(k, NOW);
}

/* The next oshd, with what the one that was killed had written. */
static void killed(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st }, next = { 0 };
	struct book *k = book(&all, 1000, 5, true);
	struct osh_msg_taken t = take(k, 3, 600, NOW);
	struct book *n;

	used(k, &t, 1, 100, NOW);
	again(f);				/* nothing of `all` was told that it ends */
	next.st = f->st;
	n = book(&next, 1000, 5, false);
	assert_in_range(left(n, NOW), 1000 - 600 - 1000 / 16, 400);
	used(n, &t, 0, 0, NOW);			/* a number of the former one's */
	assert_in_range(left(n, NOW), 1000 - 600 - 1000 / 16, 400);
	accounts_store(&next, NOW);
	book_close(n, NOW);
	all.st = NULL;
	book_close(k, NOW);
}

/* More than it took, and then the power went. */
static void killed_after_more(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st }, next = { 0 };
	struct book *k = book(&all, 1000, 5, true), *n;
	struct osh_msg_taken one = take(k, 3, 100, NOW), two = take(k, 3, 100, NOW);

	used(k, &one, 1, 500, NOW);
	used(k, &two, 1, 300, NOW);
	again(f);
	next.st = f->st;
	n = book(&next, 1000, 5, false);
	assert_in_range(left(n, NOW), 200 - 1000 / 16, 200);
	book_close(n, NOW);
	all.st = NULL;
	book_close(k, NOW);
}

/* A limit that a policy leaves out, while a call is under way that it counts: what came of that is kept too. */
static void a_limit_that_comes_back(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	struct bundle without = policy;
	struct osh_msg_taken t = take(k, 3, 900, NOW);
	uint64_t use[OSH_INFERENCE_LIMITS];
	struct err e = { 0 };

	without.n_budgets = 0;
	assert_int_equal(book_use(k, &without, 2, NOW, use, &e), 0);
	used(k, &t, 1, 10, NOW);
	assert_null(all.first);
	assert_int_equal(book_use(k, &policy, 1, NOW, use, &e), 0);
	assert_true(use[0] == 1 && use[1] == 10);
	book_close(k, NOW);
}

/* Who only looks writes nothing. */
static void looked_at(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	uint64_t use[OSH_INFERENCE_LIMITS];
	char row[1024];
	size_t len = sizeof(row);
	struct err e = { 0 };

	assert_int_equal(book_use(k, &policy, 1, NOW, use, &e), 0);
	accounts_store(&all, NOW);
	book_close(k, NOW);
	assert_int_equal(state_count_get(f->st, 1000, 5, "requests/minute/", row, &len, &e), -ENOENT);
}

static void ended_properly(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st }, next = { 0 };
	struct book *k = book(&all, 1000, 5, true), *run = book(&all, 1000, -9, true);
	struct osh_msg_taken t = take(k, 3, 600, NOW);
	struct book *n, *other;

	used(k, &t, 1, 100, NOW);
	assert_int_equal(take(run, 1, 0, NOW).verdict, OSH_TAKEN_YES);
	accounts_store(&all, NOW);
	again(f);
	next.st = f->st;
	n = book(&next, 1000, 5, false);
	assert_int_equal(left(n, NOW), 900);
	for (int i = 0; i < 9; i++)
		assert_int_equal(take(n, 1, 0, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(take(n, 1, 0, NOW).verdict, OSH_TAKEN_NO);
	book_close(n, NOW);
	n = book(&next, 1000, -9, false);	/* a run that lives on */
	for (int i = 0; i < 9; i++)
		assert_int_equal(take(n, 1, 0, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(take(n, 1, 0, NOW).verdict, OSH_TAKEN_NO);
	next.first = NULL;			/* another one with its number, after a reboot, finds nothing */
	other = book(&next, 1000, -9, true);
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(other, 1, 0, NOW).verdict, OSH_TAKEN_YES);
	book_close(other, NOW);
	book_close(n, NOW);
	all.st = NULL;
	book_close(k, NOW);
	book_close(run, NOW);
}

static void a_run_leaves_nothing(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	char row[1024];
	size_t len = sizeof(row);
	struct err e = { 0 };
	struct book *k = book(&all, 1000, -9, true);

	assert_int_equal(take(k, 3, 100, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(state_count_get(f->st, 1000, -9, "requests/minute/", row, &len, &e), 0);
	book_close(k, NOW);
	len = sizeof(row);
	assert_int_equal(state_count_get(f->st, 1000, -9, "requests/minute/", row, &len, &e), -ENOENT);
	len = sizeof(row);
	assert_int_equal(state_count_get(f->st, 1000, 0, "tokens/day/", row, &len, &e), 0);
}

/* Deleted with its sandbox; a user's stay. */
static void rows_of_sandboxes(void **data)
{
	struct fixture *f = *data;
	struct state_count c = { .uid = 1000, .until_ms = 5, .pieces = "x", .len = 1 };
	struct state_sandbox s = some("one", 1000);
	char row[8];
	size_t len = sizeof(row);
	struct err e = { 0 };

	assert_int_equal(create(f, &s, 1, &e), 0);
	c.sandbox = (int64_t)s.key;
	strcpy(c.name, "a");
	assert_int_equal(state_count_put(f->st, &c, 1, 0, &e), 0);
	assert_int_equal(state_delete(f->st, s.key, &e), 0);
	assert_int_equal(state_count_get(f->st, 1000, c.sandbox, "a", row, &len, &e), -ENOENT);
	/* Too many that still count: refused. Those that count nothing any more make room. */
	c.sandbox = 0;
	for (int i = 0; i < OSH_COUNTS_EACH; i++) {
		snprintf(c.name, sizeof(c.name), "%d", i);
		c.until_ms = i % 2 ? 5 : 50;
		assert_int_equal(state_count_put(f->st, &c, 1, 0, &e), 0);
	}
	strcpy(c.name, "new");
	assert_int_equal(state_count_put(f->st, &c, 1, 0, &e), -EDQUOT);
	assert_int_equal(state_count_put(f->st, &c, 1, 6, &e), 0);
	len = sizeof(row);
	assert_int_equal(state_count_get(f->st, 1000, 0, "0", row, &len, &e), 0);
	len = sizeof(row);
	assert_int_equal(state_count_get(f->st, 1000, 0, "1", row, &len, &e), -ENOENT);
}

static void room(rlim_t n)
{
	struct rlimit most = { n, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
}

/* A database that takes nothing: no call goes, and nothing of it is counted. */
static void a_full_disk(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	struct osh_msg_taken t = take(k, 2, 100, NOW);
	struct accounts next = { 0 };
	struct book *n;

	room(0);
	assert_int_equal(take(k, 2, 500, NOW).verdict, OSH_TAKEN_FAILED);
	assert_int_equal(take(k, 2, 901, NOW).verdict, OSH_TAKEN_NO);
	room(RLIM_INFINITY);
	used(k, &t, 1, 0, NOW);
	assert_int_equal(take(k, 2, 500, NOW).verdict, OSH_TAKEN_YES);	/* written, whatever was before */
	again(f);
	next.st = f->st;
	n = book(&next, 1000, 5, false);
	assert_in_range(left(n, NOW), 0, 500);
	book_close(n, NOW);
	all.st = NULL;
	book_close(k, NOW);
}

static void another_policy(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true);
	struct osh_b_budget fewer[] = { budgets[1] };
	struct bundle next = policy;
	struct osh_msg_take m = { .generation = 1, .mask = 1, .amount = { 1, 500, 0 } };
	struct osh_msg_taken t = take(k, 2, 300, NOW), got;

	next.budgets = fewer;
	next.n_budgets = 1;
	fewer[0].most = 700;
	book_take(k, &next, 2, &m, NOW, &got);
	assert_int_equal(got.verdict, OSH_TAKEN_STALE);
	m.generation = 2;
	book_take(k, &next, 2, &m, NOW, &got);		/* finds the count as it is */
	assert_int_equal(got.verdict, OSH_TAKEN_NO);
	used(k, &t, 1, 200, NOW);
	book_take(k, &next, 2, &m, NOW, &got);
	assert_int_equal(got.verdict, OSH_TAKEN_YES);
	book_close(k, NOW);
}

static void what_is_used(void **data)
{
	struct fixture *f = *data;
	struct accounts all = { .st = f->st };
	struct book *k = book(&all, 1000, 5, true), *other = book(&all, 1000, 6, true);
	uint64_t use[OSH_INFERENCE_LIMITS];
	struct err e = { 0 };

	assert_int_equal(take(k, 7, 100, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(take(k, 3, 50, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(book_use(k, &policy, 1, NOW, use, &e), 0);
	assert_true(use[0] == 2 && use[1] == 150 && use[2] == 1);
	assert_int_equal(book_use(other, &policy, 1, NOW, use, &e), 0);	/* before its first call */
	assert_true(use[0] == 0 && use[1] == 150 && use[2] == 0);
	assert_int_equal(book_use(k, &policy, 1, NOW + 70000, use, &e), 0);
	assert_true(use[0] == 0 && use[1] == 150 && use[2] == 1);
	book_close(k, NOW);
	book_close(other, NOW);
}

static void without_oshd(void **data)
{
	struct accounts none = { 0 };
	struct osh_b_budget own[] = { budgets[0], budgets[2] };
	struct bundle b = policy;
	struct err e = { 0 };
	struct book *k = book(&none, 0, -1, true);

	(void)data;
	assert_int_equal(book_check(&none, &policy, &e), -EOPNOTSUPP);
	b.budgets = own;
	b.n_budgets = 2;
	assert_int_equal(book_check(&none, &b, &e), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(k, 1, 0, NOW).verdict, OSH_TAKEN_YES);
	assert_int_equal(take(k, 1, 0, NOW).verdict, OSH_TAKEN_NO);
	book_close(k, NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_or_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_came_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(an_egress_that_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(killed, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_after_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_limit_that_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(ended_properly, setup, teardown),
		cmocka_unit_test_setup_teardown(a_run_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_of_sandboxes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(another_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(without_oshd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
