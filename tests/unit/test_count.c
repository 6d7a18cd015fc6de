/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of a minute and of a day, against a list of every single use: never more than the limit in any such time,
 * never longer closed than a piece more than that time, and what is stored is never less than what was used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../userspace/oshd/count.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define STEPS 3000

static const uint64_t length[OSH_WINDOWS] = { 60000, 86400000 }, width[OSH_WINDOWS] = { 5000, 3600000 };

struct use {
	uint64_t at, amount, serial;
	uint64_t used;			/* settled: what it came to */
	bool settled;
};

static uint64_t in_window(const struct use *u, size_t n, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (u[i].at >= from && u[i].at <= to)
			sum += u[i].settled && u[i].used < u[i].amount ? u[i].used : u[i].amount;
	return sum;
}

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static uint64_t pause_of(enum osh_window per)
{
	switch (pick(6)) {
	case 0:
		return 0;
	case 1:
		return pick(10);
	case 2:
		return width[per] - 1 + pick(3);
	case 3:
		return length[per] - 1 + pick(3);
	case 4:
		return length[per] * (1 + pick(3));
	default:
		return (uint64_t)random() % (2 * width[per]);
	}
}

/* What fits is exactly what every wait says, and any window of the true time holds no more than the limit. */
static void round_of(enum osh_window per, bool more)
{
	static struct use u[STEPS];
	uint64_t now = 1700000000000ull + (uint64_t)random(), most = 1 + pick(40);
	struct count c;
	size_t n = 0;

	count_start(&c, per, now);
	for (size_t i = 0; i < STEPS && n < STEPS; i++) {
		uint64_t amount = pick((unsigned)most + 2), wait;

		now += pause_of(per);
		count_go(&c, now);
		if (n && pick(2)) {
			struct use *was = &u[n - 1 - pick(n < 20 ? (unsigned)n : 20)];

			if (!was->settled) {
				was->settled = true;
				was->used = pick((unsigned)was->amount + 1) + (more && !pick(9) ? 3 : 0);
				count_settle(&c, was->serial, was->amount, was->used);
				if (was->used > was->amount)
					u[n++] = (struct use){ now, was->used - was->amount, c.serial, 0, false };
			}
		}
		if (n == STEPS)
			break;
		wait = count_wait(&c, now, most, amount);
		assert_true((wait == COUNT_NEVER) == (amount > most));
		assert_true((wait == 0) == (amount <= most && count_sum(&c) <= most - amount));
		if (wait == 0) {
			u[n++] = (struct use){ now, amount, count_take(&c, amount), 0, false };
			assert_true(more || in_window(u, n, now - length[per], now) <= most);
		} else if (wait != COUNT_NEVER) {
			struct count later = c;

			assert_true(wait <= length[per] + width[per]);
			count_go(&later, now + wait - 1);
			assert_true(count_wait(&later, now + wait - 1, most, amount) > 0);
			count_go(&later, now + wait);
			assert_int_equal(count_wait(&later, now + wait, most, amount), 0);
			/* Nothing closes for longer than it has to, but for a piece. */
			assert_true(in_window(u, n, now - length[per] - width[per], now) + amount > most);
		}
	}
}

static void test_windows(void **state)
{
	const char *seed = getenv("OSH_SEED");
	unsigned first = seed ? (unsigned)atoi(seed) : (unsigned)time(NULL);

	(void)state;
	print_message("OSH_SEED=%u\n", first);
	srandom(first);
	for (int i = 0; i < 200; i++)
		round_of(i % 2 ? OSH_WINDOW_DAY : OSH_WINDOW_MINUTE, i % 4 > 1);
}

/* Every distance between two uses, to the millisecond at the borders of pieces. */
static void test_borders(void **state)
{
	(void)state;
	for (uint64_t start = 0; start < 5000; start += 499)
		for (uint64_t d = 0; d < 80000; d += d % 5000 < 3 || d % 5000 > 4996 ? 1 : 331) {
			uint64_t t = 1700000000000ull + start;
			struct count c;

			count_start(&c, OSH_WINDOW_MINUTE, t);
			(void)count_take(&c, 5);
			count_go(&c, t + d);
			if (d <= 60000)
				assert_int_equal(count_sum(&c), 5);
			if (d >= 65000)
				assert_int_equal(count_sum(&c), 0);
			assert_true((count_sum(&c) == 0) == (count_wait(&c, t + d, 5, 1) == 0));
		}
}

static void test_clock(void **state)
{
	struct count c;
	uint64_t t = 1700000000000ull, serial;

	(void)state;
	for (int w = 0; w < OSH_WINDOWS; w++) {
		uint64_t len = length[w] + width[w];

		/* Back, by whatever: what was used counts for as long as it would have. */
		for (uint64_t back = 0; back < t; back = back * 3 + 1) {
			count_start(&c, (enum osh_window)w, t);
			serial = count_take(&c, 7);
			count_go(&c, t - back);
			assert_int_equal(count_sum(&c), 7);
			assert_true(count_wait(&c, t - back, 7, 1) <= len);
			count_settle(&c, serial, 7, 4);		/* in the piece where it was taken */
			assert_int_equal(count_sum(&c), 4);
			count_go(&c, t - back + length[w] - width[w]);
			assert_int_equal(count_sum(&c), 4);
			count_go(&c, t - back + len);
			assert_int_equal(count_sum(&c), 0);
			count_settle(&c, serial, 7, 0);		/* too late: nothing of another's is given back */
			(void)count_take(&c, 2);
			count_settle(&c, serial, 7, 0);
			assert_int_equal(count_sum(&c), 2);
		}
	}
	count_start(&c, OSH_WINDOW_MINUTE, t);
	(void)count_take(&c, 3);
	count_go(&c, UINT64_MAX);
	assert_int_equal(count_sum(&c), 0);
	count_go(&c, 0);
	assert_int_equal(count_sum(&c), 0);
}

static void test_large(void **state)
{
	struct count c;

	(void)state;
	count_start(&c, OSH_WINDOW_DAY, 0);
	(void)count_take(&c, UINT64_MAX - 1);
	(void)count_take(&c, UINT64_MAX - 1);
	assert_true(count_sum(&c) == UINT64_MAX);
	assert_true(count_wait(&c, 0, UINT64_MAX, 1) > 0);
	assert_true(count_wait(&c, 0, 5, 6) == COUNT_NEVER);
	count_settle(&c, c.serial, 9, 0);
	assert_true(count_sum(&c) == UINT64_MAX - 9);
	count_settle(&c, c.serial, UINT64_MAX, 0);
	assert_true(count_sum(&c) == 0);
}

/* Killed at any moment: what the next one reads is no less than what was used, and little more. */
static void test_stored(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		enum osh_window per = round % 2 ? OSH_WINDOW_DAY : OSH_WINDOW_MINUTE;
		uint64_t now = 1700000000000ull, most = 1 + pick(2000), back = 0;
		struct count_row disk;
		struct count c, next;

		count_start(&c, per, now);
		count_row(&c, &disk);
		for (int i = 0; i < 300; i++) {
			uint64_t amount = pick((unsigned)most) / 10, serial;

			now += pick(4) ? pick(50) : pause_of(per) / 4;
			count_go(&c, now);
			if (count_wait(&c, now, most, amount))
				continue;
			serial = count_take(&c, amount);
			if (count_ahead(&c, most)) {
				count_row(&c, &disk);
				back = 0;
			}
			if (pick(2)) {
				uint64_t used = pick((unsigned)amount + 1);

				count_settle(&c, serial, amount, used);
				back += amount - used;
			}
			assert_true(count_read(&next, per, &disk, sizeof(disk), now));
			assert_true(count_sum(&next) >= count_sum(&c));
			assert_true(count_sum(&next) <= count_sum(&c) + most / 16 + back);
			for (uint64_t later = now; later < now + 2 * length[per]; later += width[per] / 2) {
				struct count x = c, y = next;

				count_go(&x, later);
				count_go(&y, later);
				assert_true(count_sum(&y) >= count_sum(&x));
			}
		}
		count_exact(&c);
		count_row(&c, &disk);
		assert_true(count_read(&next, per, &disk, sizeof(disk), now));
		assert_int_equal(count_sum(&next), count_sum(&c));
		assert_true(count_until(&c) > now + length[per]);
		count_go(&c, count_until(&c));
		assert_int_equal(count_sum(&c), 0);
	}
}

static void test_rows(void **state)
{
	struct count_row row;
	struct count c;

	(void)state;
	count_start(&c, OSH_WINDOW_DAY, 5);
	count_row(&c, &row);
	assert_true(count_read(&c, OSH_WINDOW_DAY, &row, sizeof(row), 5));
	assert_false(count_read(&c, OSH_WINDOW_MINUTE, &row, sizeof(row), 5));
	assert_false(count_read(&c, OSH_WINDOW_DAY, &row, sizeof(row) - 1, 5));
	row.version++;
	assert_false(count_read(&c, OSH_WINDOW_DAY, &row, sizeof(row), 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows), cmocka_unit_test(test_borders), cmocka_unit_test(test_clock),
		cmocka_unit_test(test_large),	cmocka_unit_test(test_stored),	cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
