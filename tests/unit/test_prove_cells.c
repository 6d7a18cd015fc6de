/* SPDX-License-Identifier: Apache-2.0 */
/* The prover's numbers for addresses: two that have one number are of one class, and lie in the same networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "own.h"
#include "../../userspace/prove/cells.h"

static uint32_t seed = 11;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Near what is special: one of its own, of a carrier or of anything, with some bits changed. */
static struct net random_address(const struct list *nets)
{
	static const uint8_t four[16] = { [10] = 0xff, [11] = 0xff };
	struct net n = { .bits = 128 };
	const struct net_special *sp;
	const struct net_carrier *by;
	uint32_t specials = 0;

	while (net_special(specials))
		specials++;
	memcpy(n.addr, four, 16);
	for (unsigned i = 12; i < 16; i++)
		n.addr[i] = (uint8_t)rnd(256);
	sp = net_special(rnd(specials));
	if (rnd(4))
		memcpy(n.addr, sp->net.addr, 16);
	if (nets->n && !rnd(3))
		memcpy(n.addr, ((const struct net *)nets->v)[rnd(nets->n)].addr, 16);
	if (!rnd(4) && (by = net_carrier(rnd(2))) != NULL) {
		uint8_t inner[4];

		memcpy(inner, n.addr + 12, 4);
		memcpy(n.addr, by->net.addr, 16);
		memcpy(n.addr + by->at, inner, 4);
	}
	for (uint32_t k = rnd(4); k; k--)
		n.addr[rnd(16)] ^= (uint8_t)(1 << rnd(8));
	for (uint32_t i = 15, down = rnd(3) == 0; down && i < 16 && n.addr[i]-- == 0; i--)
		;
	return n;
}

static void random_nets(struct arena *a, struct cells *c)
{
	for (uint32_t k = rnd(12); k; k--) {
		struct net n = random_address(&c->nets);

		n.bits = rnd(4) ? 96 + rnd(33) : rnd(129);
		for (uint32_t i = n.bits; i < 128; i++)
			n.addr[i / 8] &= (uint8_t)~(0x80 >> (i % 8));
		cells_add(a, c, &n);
	}
}

static bool has(const struct cells *c, const struct net *n, uint32_t number)
{
	struct cell_runs runs;

	assert_true(cells_in(c, n, &runs));
	for (uint32_t i = 0; i < runs.n; i++)
		if (number >= runs.v[i].from && number < runs.v[i].to)
			return true;
	return false;
}

static void an_address_is_what_its_number_says(void **state)
{
	uint32_t most = 0;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct arena a = { 0 };
		struct cells c = { 0 };

		random_nets(&a, &c);
		assert_true(cells_make(&a, &c));
		most = c.n_kinds > most ? c.n_kinds : most;
		for (unsigned k = 0; k < 500; k++) {
			const struct net one = random_address(&c.nets);
			const uint32_t number = cells_number(&c, one.addr);
			const struct net other = cells_address(&c, number);

			assert_true(number < c.n_kinds);
			assert_int_equal(cells_number(&c, other.addr), number);
			assert_int_equal(net_class(&one), net_class(&other));
			for (int class = ADDR_PUBLIC; class <= ADDR_OSH; class++)
				assert_int_equal(number >= cells_at_least(&c, (enum addr_class)class), (int)net_class(&one) >= class);
			for EACH (struct net, n, &c.nets) {
				assert_int_equal(has(&c, n, number), net_overlaps(n, &one));
				assert_int_equal(net_overlaps(n, &one), net_overlaps(n, &other));
			}
		}
		arena_done(&a);
	}
	assert_true(most > 8);
}

/* What nobody added is no question that has an answer. */
static void a_network_that_is_unknown_is_refused(void **state)
{
	struct arena a = { 0 };
	struct cells c = { 0 };
	struct cell_runs runs;
	struct net n;

	(void)state;
	assert_true(net_parse("10.1.0.0/16", &n));
	assert_true(cells_make(&a, &c));
	assert_false(cells_in(&c, &n, &runs));
	assert_int_equal(cells_at_least(&c, ADDR_PUBLIC), 0);
	c = (struct cells){ 0 };
	cells_add(&a, &c, &n);
	assert_true(cells_make(&a, &c));
	assert_true(cells_in(&c, &n, &runs));
	assert_int_equal(runs.n, 1);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_what_its_number_says),
		cmocka_unit_test(a_network_that_is_unknown_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
